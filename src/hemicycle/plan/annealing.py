"""Simulated annealing over lists: a task moves in the order, or is told its mode; what is better stays.

The number of lists and their temperatures follow from the number of tasks and not from the clock, so that
equal problems and seeds give equal schedules unless time runs out before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from hemicycle.plan.listing import Layout, Lists

#: Lists that are tried, a task.
TRIED = 300

#: Temperatures at the beginning and the end, as shares of the cost. At the first, a change that costs a
#: thousandth more is kept one time in three.
HOT, COLD = 1e-3, 1e-6

#: Share of the changes that tell a task its mode.
TOLD = 0.3


def anneal(lists: Lists, *, seed: int, over: Callable[[], bool]) -> Layout:
    """The best layout found from the best of the usual orders, until it is said to be over."""
    rng = random.Random(seed)
    count = len(lists.names)
    modes = np.full(count, -1, np.int64)
    layout, order = min(((lists.lay(o, modes), o) for o in lists.usual()), key=lambda pair: pair[0].worth)
    best = layout
    tried = TRIED * count
    for number in range(tried):
        if over():
            break
        other, others = order, modes
        if rng.random() < TOLD:
            others = modes.copy()
            task = rng.randrange(count)
            others[task] = rng.randrange(-1, len(lists.tasks[task].modes))
        else:
            place = rng.randrange(count)
            to = min(max(0, place + round(rng.gauss(0, count / 8))), count - 1)
            other = np.insert(np.delete(order, place), to, order[place])
        new = lists.lay(other, others)
        more = new.worth[0] - layout.worth[0], new.worth[1] - layout.worth[1]
        warmth = layout.worth[1] * HOT * (COLD / HOT) ** (number / tried)
        if more <= (0, 0) or (more[0] <= 0 and rng.random() < math.exp(-more[1] / warmth)):
            layout, order, modes = new, other, others
            if layout.worth < best.worth:
                best = layout
    return best
