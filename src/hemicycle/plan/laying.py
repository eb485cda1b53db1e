"""The inner loops of list scheduling: laying out one list, and annealing a list.

What is free in a pool is a row of steps: the hour from which each holds, and its GPUs. A task is laid out in
its turn where it ends soonest; what it comes after is laid out before it, wherever it stands in the list.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hemicycle.kernels import kernel, scan
from hemicycle.plan.hours import Hours

#: `hemicycle.plan.cost.LATE`, written again here as numba wants it; a test compares them.
LATE = 4


class Tables(NamedTuple):
    """A problem as arrays of whole numbers. Tasks, modes, pools and quotas are numbered, as are the sets of
    pools that modes take. An array called `first_…` says where the entries of each thing begin in another,
    and has one number more.

    Args:
        steps: by pool, how many there are.
        hours: by pool, from when each step holds; behind the last the horizon.
        gpus: by pool, those.
        open_hours: of each set of pools.
        past: by set of pools and hour, how many open hours are before it.
        quota_left: by quota, its GPU-hours.
        demand: by mode and pool.
        work: by mode, its hours.
        weight: by task, what an hour of its turnaround costs.
        unfair: by team and task, see `Tariff.unfair`.
    """

    horizon: int
    steps: Hours
    hours: Hours
    gpus: Hours
    first_open: Hours
    open_hours: Hours
    past: Hours
    quota_pool: Hours
    quota_left: Hours
    quota_start: Hours
    quota_end: Hours
    mode_set: Hours
    work: Hours
    demand: Hours
    first_mode: Hours
    ready: Hours
    latest: Hours
    soonest: Hours
    deadline: Hours
    weight: Hours
    first_after: Hours
    after: Hours
    lag: Hours
    unfair: Hours


class Board(NamedTuple):
    """What is laid out so far.

    Args:
        put: starts, ends and modes of tasks; a mode counts from its task's first, -1: it has no place.
        done: by task, whether it had its turn.
        stack: room for tasks that wait for others.
    """

    steps: Hours
    hours: Hours
    gpus: Hours
    left: Hours
    put: Hours
    done: Hours
    stack: Hours


def _step(board: Board, pool: int, hour: int) -> int:
    """The step that holds in an hour."""
    low, high = 0, board.steps[pool] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if board.hours[pool, middle] <= hour:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(board: Board, pool: int, hour: int) -> int:
    """The step that begins at an hour; it is made where there is none."""
    at = _step(board, pool, hour)
    if board.hours[pool, at] == hour:
        return at
    # The end of the last step moves too.
    for step in range(board.steps[pool] + 1, at + 1, -1):
        board.hours[pool, step] = board.hours[pool, step - 1]
        board.gpus[pool, step] = board.gpus[pool, step - 1]
    board.hours[pool, at + 1] = hour
    board.gpus[pool, at + 1] = board.gpus[pool, at]
    board.steps[pool] += 1
    return at + 1


def _worked(tables: Tables, mode: int, quota: int, start: int, end: int) -> int:
    where = tables.mode_set[mode]
    low, high = tables.quota_start[quota], tables.quota_end[quota]
    past = tables.past[where]
    return int(past[min(max(end, low), high)] - past[min(max(start, low), high)])


def _wait(tables: Tables, board: Board, mode: int, start: int, end: int) -> int:
    """Hours by which a span must at least begin later to have room; 0: it has."""
    for pool in range(len(tables.steps)):
        need = tables.demand[mode, pool]
        if need > 0:
            step = _step(board, pool, end - 1)
            while step >= 0 and board.hours[pool, step + 1] > start:
                if board.gpus[pool, step] < need:
                    return int(board.hours[pool, step + 1] - start)
                step -= 1
    wait = 0
    for quota in range(len(board.left)):
        need = tables.demand[mode, tables.quota_pool[quota]]
        if need > 0:
            over = need * _worked(tables, mode, quota, start, end) - board.left[quota]
            if over > 0:
                # An hour later spares an hour at most.
                wait = max(wait, -(-over // need))
    return wait


def _fit(tables: Tables, board: Board, mode: int, ready: int, before: int) -> tuple[int, int]:
    """The first span of a mode from `ready` that ends before `before`; -1 where there is none."""
    where = tables.mode_set[mode]
    first, behind = tables.first_open[where], tables.first_open[where + 1]
    start = ready
    while start < tables.horizon:
        at = first + tables.past[where, start]
        last = at + tables.work[mode] - 1
        if last >= behind:
            break
        start, end = tables.open_hours[at], tables.open_hours[last] + 1
        if end >= before:
            break
        wait = _wait(tables, board, mode, start, end)
        if wait == 0:
            return start, end
        start += wait
    return -1, -1


def put(tables: Tables, board: Board, task: int, mode: int, start: int, end: int) -> None:
    board.put[0, task], board.put[1, task] = start, end
    board.put[2, task] = mode - tables.first_mode[task]
    for pool in range(len(tables.steps)):
        need = tables.demand[mode, pool]
        if need > 0:
            first = _cut(board, pool, start)
            for step in range(first, _cut(board, pool, end)):
                board.gpus[pool, step] -= need
    for quota in range(len(board.left)):
        need = tables.demand[mode, tables.quota_pool[quota]]
        if need > 0:
            board.left[quota] -= need * _worked(tables, mode, quota, start, end)


def _turn(tables: Tables, board: Board, task: int, told: int) -> None:
    """Lay out a task all of whose predecessors had their turn, in the mode it is told if it can have that."""
    board.done[task] = 1
    ready, best, start, end = tables.ready[task], -1, -1, tables.latest[task] + 1
    for entry in range(tables.first_after[task], tables.first_after[task + 1]):
        other = tables.after[entry]
        if board.put[2, other] < 0:
            ready = tables.horizon
        ready = max(ready, board.put[1, other] + tables.lag[entry])
    low, high = tables.first_mode[task], tables.first_mode[task + 1]
    if told >= 0:
        found, behind = _fit(tables, board, low + told, ready, end)
        if found >= 0:
            best, start, end = low + told, found, behind
    if best < 0:
        for mode in range(low, high):
            found, behind = _fit(tables, board, mode, ready, end)
            if found >= 0:
                best, start, end = mode, found, behind
    if best >= 0:
        put(tables, board, task, best, start, end)
    else:
        board.put[0, task], board.put[1, task], board.put[2, task] = -1, tables.horizon, -1


def _clear(tables: Tables, board: Board) -> None:
    for pool in range(len(tables.steps)):
        many = tables.steps[pool]
        board.steps[pool] = many
        for step in range(many + 1):
            board.hours[pool, step] = tables.hours[pool, step]
            board.gpus[pool, step] = tables.gpus[pool, step]
    for quota in range(len(board.left)):
        board.left[quota] = tables.quota_left[quota]
    for task in range(len(board.done)):
        board.done[task] = 0


def lay(tables: Tables, board: Board, order: Hours, told: Hours) -> None:
    """Lay out what had no turn yet on a board, in an order, with the modes that tasks are told (-1: any)."""
    for next_ in order:
        board.stack[0], height = next_, 1
        while height > 0:
            task, waits = board.stack[height - 1], False
            for entry in range(tables.first_after[task], tables.first_after[task + 1]):
                if not board.done[tables.after[entry]]:
                    board.stack[height], waits = tables.after[entry], True
                    height += 1
                    break
            if not waits:
                height -= 1
                if not board.done[task]:
                    _turn(tables, board, task, told[task])


def worth(tables: Tables, board: Board) -> tuple[int, int]:
    """The weight that has no place, and the cost."""
    absent, cost, worst = 0, 0, 0
    for task in range(len(tables.ready)):
        if board.put[2, task] < 0:
            absent += tables.weight[task]
        end = board.put[1, task]
        late = max(0, end - tables.deadline[task])
        cost += tables.weight[task] * (end - tables.ready[task] + LATE * late)
    for team in range(len(tables.unfair)):
        waited = 0
        for task in range(len(tables.ready)):
            waited += tables.unfair[team, task] * (board.put[1, task] - tables.soonest[task])
        worst = max(worst, waited)
    return absent, cost + worst


def _move(order: Hours, place: int, to: int) -> None:
    """Move what is at one place of an order to another; what is between them moves up."""
    moved = order[place]
    way = 1 if to > place else -1
    for at in range(place, to, way):
        order[at] = order[at + way]
    order[to] = moved


def anneal(
    tables: Tables,
    board: Board,
    order: Hours,
    told: Hours,
    best: Hours,
    standing: Hours,
    heat: Hours,
    chance: float,
    seed: int,
) -> None:
    """Change a list many times: a task moves, or is told its mode. What is no worse stays; what costs more
    stays too, the less likely the more it costs.

    Args:
        order: and `told`: the list; it is changed in place.
        best: the best `put` so far.
        standing: the weight without a place and the cost, of the list and of `best`.
        heat: for each change, what may cost more one time in three.
        chance: that a change tells a task its mode.
        seed: of the changes.
    """
    np.random.seed(seed)
    count = len(order)
    for change in range(len(heat)):
        place, to, task, was = 0, 0, 0, -1
        telling = np.random.random() < chance
        if telling:
            task = np.random.randint(count)
            was = told[task]
            told[task] = np.random.randint(-1, tables.first_mode[task + 1] - tables.first_mode[task])
        else:
            place = np.random.randint(count)
            to = min(max(0, place + round(np.random.normal(0.0, count / 8))), count - 1)
            _move(order, place, to)
        _clear(tables, board)
        lay(tables, board, order, told)
        absent, cost = worth(tables, board)
        more = cost - standing[1]
        kept = absent < standing[0] or (
            absent == standing[0] and (more <= 0 or np.random.random() < np.exp(-more / heat[change]))
        )
        if kept:
            standing[0], standing[1] = absent, cost
            if absent < standing[2] or (absent == standing[2] and cost < standing[3]):
                standing[2], standing[3] = absent, cost
                best[:] = board.put
        elif telling:
            told[task] = was
        else:
            _move(order, to, place)


_step = scan(_step)
_cut = scan(_cut)
_worked = scan(_worked)
_wait = scan(_wait)
_fit = scan(_fit)
put = scan(put)
_turn = scan(_turn)
_clear = scan(_clear)
_move = scan(_move)
lay = scan(lay)
worth = scan(worth)
anneal = kernel(anneal)
