"""The share of a training's time that its log takes; the bound is 1 %.

Steps of 0.3 s that do nothing but sleep are logged as the loop logs them, with the flushes that fall due and
the alarms that are judged at each, into a log whose last part is nearly full: the longest that it is ever
written again. Judging a million steps is timed apart.

    python bench/log.py [--seconds 60 --groups 200 --folder build/bench-log]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from hemicycle.progress import QUIET
from hemicycle.train.energy import Meter
from hemicycle.train.expected import Band, Expected, LossBand
from hemicycle.train.log import FLUSH_SECONDS, Log, RunState
from hemicycle.train.lookout import Lookout
from hemicycle.train.parts import ROWS_A_PART
from hemicycle.train.show import Speedometer

STEP_SECONDS = 0.3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--groups", type=int, default=200)
    parser.add_argument("--folder", type=Path, default=Path("build/bench-log"))
    given = parser.parse_args()
    state = RunState("bench", "running", 100_000, 1, 1, 1, "sleep", peak=1e12)
    names = [(f"source-{i}", "fr") for i in range(given.groups)]
    fast, shares = Band(1e5, 1e5, 1e5), tuple(i / 20 for i in range(1, 21))
    course = LossBand(shares, (0.5,) * 20, (0.8,) * 20, (1.0,) * 20)
    plan = Expected("bench", "2026-11-26", "sleep", 1, tokens_per_second=fast, loss=course)
    # All that can be judged is judged, and rings.
    log = Log(given.folder, state, groups=names, meter=Meter(), lookout=Lookout(plan, QUIET))
    speed = Speedometer(1e6, 1e12)
    rng = np.random.default_rng(0)
    ids = np.arange(given.groups)
    nats, tokens = rng.random(given.groups) * 100, np.full(given.groups, 10)

    def step(number: int) -> float:
        began = time.perf_counter()
        log.groups(number, ids, nats, tokens)
        log.step(
            step=number, loss=2.0, gradient_norm=1.0, rate_factor=1.0, tokens=2_048, learnt=2_000,
            skipped=False, seconds=STEP_SECONDS, data_seconds=0.0, memory=1 << 30,
        )  # fmt: skip
        speed.step(2_048, STEP_SECONDS, 2.0)
        speed.note()
        return time.perf_counter() - began

    full = ROWS_A_PART - int(given.seconds / STEP_SECONDS) - 1
    for number in range(full):
        step(number)
    log.flush()
    spent = []
    began = time.perf_counter()
    while time.perf_counter() - began < given.seconds:
        spent.append(step(full + len(spent)))
        time.sleep(STEP_SECONDS)
    share = sum(spent) / (time.perf_counter() - began)
    flushes = sum(s > 10 * statistics.median(spent) for s in spent)
    print(
        f"{len(spent)} steps of {STEP_SECONDS} s, {given.groups} groups: {share:.3%} of the time in the log; "
        f"median step {1e6 * statistics.median(spent):.0f} µs, longest {1e3 * max(spent):.1f} ms "
        f"({flushes} flushes, one every {FLUSH_SECONDS:.0f} s)"
    )
    print(f"judging a million steps: {1e3 * judging(plan):.1f} ms a flush")


def judging(plan: Expected) -> float:
    """Seconds that one look takes at a training of a million steps."""
    steps, lookout = 1_000_000, Lookout(plan, QUIET)
    state = RunState("bench", "running", 2 * steps, 1, 1, 1, "sleep", peak=1e12, joules=0.0)
    ones = np.ones(steps + 10)
    columns = {"step": np.arange(steps + 10.0), **dict.fromkeys(("loss", "tokens", "seconds"), ones)}
    columns |= dict.fromkeys(("skipped", "data_seconds"), 0 * ones)
    spent = []
    for done in range(steps, steps + 10):
        state.step = done
        began = time.perf_counter()
        lookout.look(state, {name: column[:done] for name, column in columns.items()}, time.time())
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
