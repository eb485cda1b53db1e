"""Two ways of doing one thing, timed in turn in one run: the ratio holds when the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def ratio(name: str, ours: Callable[[], object], peer: Callable[[], object], *, rounds: int = 5) -> float:
    """Print and return the median of peer's CPU time over ours, pair by pair; above 1, ours is quicker."""
    ours()
    peer()
    ratios, spent = [], []
    for _ in range(rounds):
        begin = time.process_time()
        ours()
        middle = time.process_time()
        peer()
        end = time.process_time()
        ratios.append((end - middle) / max(middle - begin, 1e-9))
        spent.append(middle - begin)
    found = statistics.median(ratios)
    spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
    print(f"{name}: {found:.2f} times ({spread}); ours {statistics.median(spent):.3f} s of CPU")
    return found
