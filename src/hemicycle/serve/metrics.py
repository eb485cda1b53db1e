"""Counters of what the server does, in Prometheus' text format. They count; they never hold a word."""

from __future__ import annotations

import threading
from collections import Counter

_HELP = {
    "hemicycle_requests_total": "Requests by route and status.",
    "hemicycle_tokens_total": "Tokens read in prompts and written in answers.",
    "hemicycle_answers_total": "Answers by how they ended.",
    "hemicycle_requests_held": "Requests that are answered or wait.",
}


class Metrics:
    """Counters that any thread may add to."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, tuple[tuple[str, str], ...]]] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1, **labels: str) -> None:
        with self._lock:
            self._counts[name, tuple(sorted(labels.items()))] += amount

    def render(self, *, held: int) -> str:
        """The text for `GET /metrics`, sorted; `held` is the one gauge."""
        with self._lock:
            counts = dict(self._counts)
        counts["hemicycle_requests_held", ()] = held
        lines: list[str] = []
        for name, help_text in sorted(_HELP.items()):
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
            for (counted, labels), value in sorted(counts.items()):
                if counted == name:
                    inner = ",".join(f'{key}="{value_}"' for key, value_ in labels)
                    lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
        return "\n".join(lines) + "\n"
