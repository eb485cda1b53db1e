"""What a person sees of a training beside its bar: the loss, and which share of the machine it uses.

Speed and time left are the bar's own (`hemicycle.progress`), in a terminal and in the lines of a job's log.
"""

from __future__ import annotations

import math
from collections import deque

from hemicycle.arithmetic.chips import mfu
from hemicycle.typeset import count, format_number, format_percent

#: The figures shown are means over so much of the time behind: single steps jump about.
WINDOW_SECONDS = 30.0


class Speedometer:
    """Moving means over the last steps.

    Attributes:
        flop_per_token: forward and backward; may be set anew when a stage changes the context.
        peak: FLOP a second of all devices together, or None: then there is no MFU.
        skipped: steps left out since it was made.
    """

    def __init__(self, flop_per_token: float, peak: float | None) -> None:
        self.flop_per_token, self.peak = flop_per_token, peak
        self.skipped = 0
        self._steps: deque[tuple[int, float, float]] = deque()
        self._tokens, self._seconds = 0, 0.0

    def step(self, tokens: int, seconds: float, loss: float, *, skipped: bool = False) -> None:
        """Take in a step: tokens read by all ranks, wall seconds, mean nats (NaN: it learnt nothing)."""
        self._steps.append((tokens, seconds, loss))
        self._tokens += tokens
        self._seconds += seconds
        self.skipped += skipped
        while len(self._steps) > 1 and self._seconds - self._steps[0][1] >= WINDOW_SECONDS:
            old_tokens, old_seconds, _ = self._steps.popleft()
            self._tokens -= old_tokens
            self._seconds -= old_seconds

    @property
    def tokens_per_second(self) -> float | None:
        return self._tokens / self._seconds if self._seconds > 0 else None

    @property
    def mfu(self) -> float | None:
        """Share of the peak (`chips.mfu`)."""
        speed = self.tokens_per_second
        return mfu(speed, self.flop_per_token, self.peak) if speed is not None else None

    @property
    def loss(self) -> float | None:
        """Mean nats over the window; None where nothing was learnt in it."""
        losses = [loss for _, _, loss in self._steps if not math.isnan(loss)]
        return sum(losses) / len(losses) if losses else None

    def note(self) -> str:
        """For `Bar.note`: ``loss 2.346, MFU 43.1%, 2 steps skipped``."""
        parts = [f"loss {format_number(self.loss, 'en', decimals=3)}"]
        if self.mfu is not None:
            parts.append(f"MFU {format_percent(self.mfu, 'en')}")
        if self.skipped:
            parts.append(f"{count(self.skipped, 'step', 'steps', 'en')} skipped")
        return ", ".join(parts)
