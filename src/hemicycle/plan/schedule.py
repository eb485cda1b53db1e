"""Scheduling: where and when the tasks of a programme run, by OR-tools' CP-SAT.

First as much priority is placed as can be, then at the least cost (`hemicycle.plan.cost`). List scheduling
gives a first schedule, which is returned where the search finds none better in its time.

The model has a start and an end a task, one literal for each piece of starts of each mode (`hours.pieces`),
of which one is true, and one optional interval a mode. All that follows from a start (its end over the
closures, its charge to each quota) is linear on a piece. Each pool is one cumulative constraint, in which a
fixed interval takes away what a window lacks.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hemicycle.errors import HemicycleError
from hemicycle.plan.cost import LATE, SCALE, Tariff, latest_end, possible, tariff
from hemicycle.plan.hours import Clock, Piece, pieces
from hemicycle.plan.listing import listed, worth
from hemicycle.plan.problem import Mode, Placement, Problem, Schedule, Task, Unplaced
from hemicycle.progress import QUIET, Progress

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


def schedule(
    problem: Problem,
    *,
    seconds: float = 60.0,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = QUIET,
) -> Schedule:
    begun = time.monotonic()
    clock = Clock(problem)
    counted = tariff(problem, clock)
    best = listed(problem, clock, counted)
    model = Model(problem, clock, counted)
    solver = model.solve(best, seconds, workers, seed)
    placed = model.placed(solver)
    absent, cost = worth(problem, counted, placed)
    return Schedule(
        tuple(placed.values()),
        (),
        cost / SCALE,
        solver.best_objective_bound / SCALE,
        0,
        False,
        time.monotonic() - begun,
    )


class Model:
    def __init__(self, problem, clock, counted, all_placed=True):
        from ortools.sat.python import cp_model

        self.problem = problem
        self.counted = counted
        self.clock = clock
        self.m = m = cp_model.CpModel()
        H = problem.horizon
        self.start = {}
        self.end = {}
        self.seg = defaultdict(list)
        self.modes = {}
        self.absent = {}
        self.late = {}
        self.worst = None
        self.sizes = {}
        pool_iv = defaultdict(list)
        charge = defaultdict(list)
        pools = {p.name: p for p in problem.pools}
        nseg = 0
        for name, task in counted.tasks.items():
            A = counted.alone[name]
            s = m.new_int_var(A.ready, latest_end(task, H), f"s{name}")
            e = m.new_int_var(A.soonest, latest_end(task, H), f"e{name}")
            self.start[name] = s
            self.end[name] = e
            self.modes[name] = []
            lows = []
            highs = []
            lens = []
            for k, mode in enumerate(task.modes):
                spans = possible(problem, clock, mode, counted.alone[name].ready, latest_end(task, H))
                quotas = [(p, i, q) for p in mode.demands for i, q in enumerate(pools[p].quotas)]
                ch = [clock.worked(mode, spans, q) for _, _, q in quotas]
                ps = pieces(spans, ch)
                if not ps:
                    continue
                nseg += len(ps)
                pres = m.new_bool_var(f"{name}.{k}")
                lits = [pres] if len(ps) == 1 else [m.new_bool_var(f"{name}.{k}.{j}") for j in range(len(ps))]
                if len(ps) > 1:
                    m.add(sum(lits) == pres)
                durs = sorted({p.length for p in ps})
                if len(durs) == 1:
                    size = durs[0]
                else:
                    size = m.new_int_var(0, durs[-1], "")
                    m.add(size == sum(l * p.length for l, p in zip(lits, ps)))
                    self.sizes[name, k] = size
                iv = m.new_optional_interval_var(s, size, e, pres, f"i{name}.{k}")
                self.modes[name].append((k, mode, pres, list(zip(lits, ps))))
                for p, g in mode.demands.items():
                    pool_iv[p].append((iv, g))
                for l, p in zip(lits, ps):
                    lows.append(l * p.first)
                    highs.append(l * p.last)
                    lens.append(l * p.length)
                    if any(p.slopes):
                        u = m.new_int_var(0, p.last - p.first, "")
                        self.seg[name].append((u, l, p))
                        m.add(u <= (p.last - p.first) * l)
                        m.add(s == p.first + u).only_enforce_if(l)
                    for (pool, i, q), c, sl in zip(quotas, p.charges, p.slopes):
                        g = mode.demands[pool]
                        if c:
                            charge[pool, i].append((g * c, l, g * c))
                        if sl:
                            charge[pool, i].append((g * sl, u, 0))
            m.add(sum(x[2] for x in self.modes[name]) == 1) if all_placed else None
            m.add(s >= sum(lows))
            m.add(s <= sum(highs))
            m.add(e == s + sum(lens))
        for pool in problem.pools:
            cap = clock.capacity[pool.name]
            top = int(cap.max())
            ivs = pool_iv[pool.name]
            chg = np.flatnonzero(np.diff(cap)) + 1
            b = [0, *chg.tolist(), H]
            for x, y in zip(b, b[1:]):
                if cap[x] < top:
                    ivs.append((m.new_fixed_size_interval_var(x, y - x, ""), int(top - cap[x])))
            if ivs:
                m.add_cumulative([i for i, _ in ivs], [g for _, g in ivs], top)
            for i, q in enumerate(pool.quotas):
                t = charge[pool.name, i]
                if sum(x[2] for x in t) > q.gpu_hours or any(not x[2] for x in t):
                    m.add(sum(g * v for g, v, _ in t) <= int(q.gpu_hours))
        for name, task in counted.tasks.items():
            for b in task.after:
                m.add(self.start[name] >= self.end[b.task] + b.lag)
        cost = []
        for name, task in counted.tasks.items():
            cost.append(SCALE * task.priority * (self.end[name] - counted.alone[name].ready))
            if task.deadline is not None and not task.must and task.deadline < H:
                l = m.new_int_var(0, H - task.deadline, "")
                m.add(l >= self.end[name] - task.deadline)
                cost.append(SCALE * LATE * task.priority * l)
                self.late[name] = l
        if counted.unfair:
            w = m.new_int_var(0, 10**12, "worst")
            for team, rates in counted.unfair.items():
                m.add(w >= sum(r * (self.end[n] - counted.alone[n].soonest) for n, r in rates.items()))
            cost.append(w)
            self.worst = w
        m.minimize(sum(cost))
        print("pieces", nseg)

    def solve(self, hint, seconds, workers, seed, **kw):
        from ortools.sat.python import cp_model

        m = self.m
        for name, pl in hint.items():
            m.add_hint(self.start[name], pl.start)
            m.add_hint(self.end[name], pl.end)
            for k, mode, pres, segs in self.modes[name]:
                on = mode is pl.mode
                m.add_hint(pres, on)
                for l, p in segs:
                    if l is not pres:
                        m.add_hint(l, on and p.first <= pl.start <= p.last)
                if (name, k) in self.sizes:
                    m.add_hint(self.sizes[name, k], pl.end - pl.start if on else 0)
            for u, l, p in self.seg[name]:
                m.add_hint(
                    u,
                    pl.start - p.first
                    if pl.mode is next(mo for k, mo, _, ss in self.modes[name] if any(p is x for _, x in ss))
                    and p.first <= pl.start <= p.last
                    else 0,
                )
            if name in self.late:
                m.add_hint(self.late[name], max(0, pl.end - self.counted.tasks[name].deadline))
        if self.worst is not None:
            ends = {n: p.end for n, p in hint.items()}
            m.add_hint(self.worst, max(0, *(self.counted.unfairness(t, ends) for t in self.counted.unfair)))
        s = cp_model.CpSolver()
        s.parameters.max_time_in_seconds = seconds
        s.parameters.num_workers = workers
        s.parameters.random_seed = seed
        for k, v in kw.items():
            setattr(s.parameters, k, v)
        t = time.time()

        class C(cp_model.CpSolverSolutionCallback):
            n = 0

            def on_solution_callback(self):
                self.n += 1
                if self.n < 5 or self.n % 20 == 0:
                    print(
                        f"{time.time() - t:.1f} {self.objective_value / SCALE:,.0f} {self.best_objective_bound / SCALE:,.0f}",
                        flush=True,
                    )

        st = s.solve(m, C())
        print(s.status_name(st), s.objective_value / SCALE, s.best_objective_bound / SCALE)
        return s

    def placed(self, s):
        out = {}
        for n in self.modes:
            for k, mode, pres, _ in self.modes[n]:
                if s.value(pres):
                    out[n] = Placement(n, mode, s.value(self.start[n]), s.value(self.end[n]))
        return out
