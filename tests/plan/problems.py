"""Made-up programmes: what Hypothesis draws, and one by hand."""

from hypothesis import strategies as st

from hemicycle.plan.problem import After, Closure, Mode, Pool, Problem, Quota, Task, Window

HORIZON = 48


@st.composite
def problems(draw):
    """A few tasks on two or three small pools over two days, with every kind of constraint."""
    pools = []
    for number in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, 40))
        closures = (Closure(start, start + draw(st.integers(1, 5))),) if draw(st.booleans()) else ()
        windows = ()
        if draw(st.booleans()):
            begin = draw(st.integers(0, 40))
            windows = (Window(begin, begin + draw(st.integers(1, 20)), draw(st.integers(0, 6))),)
        quotas = ()
        if draw(st.booleans()):
            begin = draw(st.integers(0, 24))
            quotas = (Quota(begin, begin + draw(st.integers(6, 24)), float(draw(st.integers(0, 60)))),)
        pools.append(Pool(f"s{number}/p", f"s{number}", draw(st.integers(1, 6)), closures, windows, quotas))
    tasks = []
    for number in range(draw(st.integers(1, 6))):
        modes = []
        for _ in range(draw(st.integers(1, 3))):
            names = draw(
                st.lists(st.sampled_from([p.name for p in pools]), min_size=1, max_size=2, unique=True)
            )
            modes.append(Mode({name: draw(st.integers(1, 6)) for name in names}, draw(st.integers(1, 15))))
        deadline = draw(st.none() | st.integers(5, HORIZON))
        after = ()
        if tasks and draw(st.booleans()):
            after = (After(draw(st.sampled_from(tasks)).name, draw(st.integers(0, 3))),)
        tasks.append(
            Task(
                f"t{number}",
                f"r{number}",
                draw(st.sampled_from(["a", "b"])),
                draw(st.integers(1, 10)),
                tuple(modes),
                draw(st.integers(0, 20)),
                deadline,
                deadline is not None and draw(st.booleans()),
                after,
            )
        )
    return Problem(tuple(pools), tuple(tasks), HORIZON, {"a": 1.0, "b": 2.0})
