"""A year's programme of 200 runs on 8 sites: how long it takes to schedule, how much of it has a place, how
far from the best it may be, and what it saves over list scheduling.

The sites are of the sizes that a group of European teams may be granted on machines like these; the programme
is invented, with a fixed seed: teams with shares, base models with tunings after them, runs over two sites,
maintenance, windows, quotas.
"""

from __future__ import annotations

import argparse
import math
import random

from hemicycle.plan.check import violations
from hemicycle.plan.cost import SCALE, slowdowns, tariff
from hemicycle.plan.hours import Clock
from hemicycle.plan.listing import Lists
from hemicycle.plan.problem import After, Closure, Mode, Pool, Problem, Quota, Task, Window
from hemicycle.plan.schedule import schedule

YEAR, QUARTER, DAY = 8_760, 2_190, 24

#: Site, pool, GPUs, speed of one against an A100, hour of the first maintenance, GPU-hours a quarter.
SITES = (
    ("jean-zay", "h100", 256, 3.0, 400, 420_000),
    ("jean-zay", "a100", 208, 1.0, 400, None),
    ("leonardo", "a100", 256, 1.1, 250, 450_000),
    ("marenostrum", "h100", 128, 3.0, 550, 220_000),
    ("alps", "gh200", 256, 3.2, 100, 460_000),
    ("lumi", "mi250x", 384, 0.9, 700, None),
    ("ovh", "h100", 64, 2.8, None, 90_000),
    ("adastra", "mi300a", 96, 2.9, 620, None),
    ("lab", "l40s", 32, 0.8, None, None),
)
TEAMS = {"lighton": 3.0, "linagora": 2.0, "loria": 1.0, "inria": 2.0, "lix": 1.0, "start-up": 0.5}

#: Of each size of run: how many of ten, its A100-hours, the most GPUs it can use at one site.
SIZES = {
    "base": (1, 150_000, 800_000, 128),
    "middle": (3, 20_000, 250_000, 64),
    "small": (6, 500, 20_000, 16),
}


def pools() -> tuple[Pool, ...]:
    made = []
    for site, name, gpus, _, first, quota in SITES:
        closures = () if first is None else tuple(Closure(h, h + 30) for h in range(first, YEAR, 1_460))
        windows: tuple[Window, ...] = ()
        if site == "alps":
            windows = (Window(3_000, 4_000, 128),)
        if site == "lab":
            # Lessons need the cards in term.
            windows = (Window(700, 2_800, 16), Window(6_000, 8_300, 16))
        quotas: tuple[Quota, ...] = ()
        if quota:
            quotas = tuple(Quota(h, h + QUARTER, quota) for h in range(0, YEAR, QUARTER))
        made.append(Pool(f"{site}/{name}", site, gpus, closures, windows, quotas))
    return tuple(made)


def modes(rng: random.Random, a100_hours: float, most: int, spread: bool) -> tuple[Mode, ...]:
    """Ways to do so much work: on up to four pools, perhaps on two sites at once."""
    found = []
    for site, name, gpus, speed, *_ in rng.sample(SITES, 6):
        taken = min(gpus, most)
        hours = math.ceil(a100_hours / speed / taken)
        if hours <= 2_500 and len(found) < 4:
            found.append(Mode({f"{site}/{name}": taken}, hours))
    if spread:
        one, other = rng.sample(SITES[:6], 2)
        taken = min(one[2], other[2], most)
        # Two sites that tell each other now and then what they learned lose a tenth.
        hours = math.ceil(1.1 * a100_hours / (one[3] + other[3]) / taken)
        found.append(Mode({f"{one[0]}/{one[1]}": taken, f"{other[0]}/{other[1]}": taken}, hours))
    return tuple(found)


def programme(runs: int, seed: int) -> Problem:
    """Base models come one by one, each with one to three tunings after it; what is small is for itself."""
    rng = random.Random(seed)
    tasks: list[Task] = []
    while len(tasks) < runs:
        number, team = len(tasks), rng.choices(list(TEAMS), [3, 3, 2, 3, 2, 1])[0]
        size = rng.choices(list(SIZES), [many for many, *_ in SIZES.values()])[0]
        _, least, largest, most = SIZES[size]
        earliest, priority = rng.randrange(6_000), rng.randint(1, 10)
        wanted = earliest + rng.randrange(1_000, 3_500) if rng.random() < 0.4 else None
        ways = modes(rng, rng.uniform(least, largest), most, spread=size == "base")
        name = f"{size}-{number}"
        must = wanted is not None and rng.random() < 0.15
        tasks.append(Task(name, name, team, priority, ways, earliest, wanted, must))
        for child in range(0 if size == "small" else rng.randint(1, 3)):
            ways = modes(rng, rng.uniform(1_000, 20_000), 32, spread=False)
            after = (After(name, rng.choice([6, 24, 48])),)
            tasks.append(Task(f"{name}-tune-{child}", name, team, priority, ways, earliest, after=after))
    return Problem(pools(), tuple(tasks[:runs]), YEAR, TEAMS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    for seed in given.seeds:
        problem = programme(given.runs, seed)
        clock = Clock(problem)
        counted = tariff(problem, clock)
        absent, plain = Lists(problem, clock, counted).plain().worth
        found = schedule(problem, seconds=given.seconds, workers=given.workers)
        used = sum(p.mode.gpu_hours for p in found.placements)
        there = sum(int(hours.sum()) for hours in clock.capacity.values())
        wrong = violations(problem, found)
        print(
            f"programme {seed}: {len(problem.tasks)} runs in {found.seconds:.1f} s, "
            f"{len(found.placements)} placed, {used / there:.0%} of the GPU-hours; "
            f"{'optimal' if found.optimal else f'gap {found.gap:.1%}'}; cost {found.objective:,.0f}, "
            f"{found.objective * SCALE / plain:.3f} of list scheduling's (which lacks priority {absent}), "
            f"bound {found.bound:,.0f}, on empty sites {found.alone:,.0f}; "
            f"{len(wrong)} violations"
        )
        print(
            "  slowdown: "
            + ", ".join(f"{team} {slow:.2f}" for team, slow in slowdowns(problem, found).items())
        )
        for one in found.unplaced:
            print(f"  {one.task}: {one.reason}")


if __name__ == "__main__":
    main()
