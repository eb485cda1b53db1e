"""Simulated annealing over lists: a task moves in the order, or is told its mode; mostly what is better stays.

The number of lists and their temperatures follow from the number of tasks and not from the clock, so that
equal problems and seeds give equal schedules unless time runs out before.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable

import numpy as np

from hemicycle.plan.hours import Hours
from hemicycle.plan.listing import Layout, Lists
from hemicycle.progress import Bar

#: Lists that are tried, a task.
TRIED = 300

#: Temperatures at the beginning and the end, as shares of the cost. At the first, a change that costs a
#: thousandth more is kept one time in three.
HOT, COLD = 1e-3, 1e-6


def anneal(lists: Lists, orders: Iterable[Hours], until: float, seed: int, bar: Bar) -> Layout:
    """The best layout found, beginning with the best of some orders, until a monotonic time."""
    rng = random.Random(seed)
    count = len(lists.names)
    modes = np.full(count, -1, np.int64)
    layout, order = min(((lists.lay(o, modes), o) for o in orders), key=lambda pair: pair[0].worth)
    best = layout
    absent_costs = best.worth[1] + 1
    tried = TRIED * count
    for number in range(tried):
        if time.monotonic() > until:
            break
        temperature = layout.worth[1] * HOT * (COLD / HOT) ** (number / tried)
        other, others = order, modes
        if rng.random() < 0.3:
            others = modes.copy()
            task = rng.randrange(count)
            others[task] = rng.randrange(-1, len(lists.tasks[task].modes))
        else:
            place = rng.randrange(count)
            to = min(max(0, place + round(rng.gauss(0, count / 8))), count - 1)
            other = np.insert(np.delete(order, place), to, order[place])
        new = lists.lay(other, others)
        worse = (new.worth[0] - layout.worth[0]) * absent_costs + new.worth[1] - layout.worth[1]
        if worse <= 0 or rng.random() < math.exp(-worse / temperature):
            layout, order, modes = new, other, others
            if layout.worth < best.worth:
                best = layout
    return best
