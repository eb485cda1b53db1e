"""Progress where nobody watches: a log in which long work says now and then how far it is."""

from hemicycle.progress import Lines


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def work(clock, seconds, per_second, total, note="", done=0):
    """Work told once a second, after a resumption at `done`."""
    with Lines(clock).start("train", total, "tokens") as bar:
        bar.advance(done)
        for _ in range(seconds):
            clock.now += 1
            bar.advance(per_second)
            bar.note(note)


def test_short_work_is_silent(capsys):
    work(Clock(), 59, 100, 10_000)
    assert capsys.readouterr().err == ""


def test_work_of_minutes_says_how_far_how_fast_and_how_long_still(capsys):
    work(Clock(), 60, 6_812, 1_220_000, note="loss 2.346")
    assert capsys.readouterr().err == "train: 34%, 6,812 tokens/s, 2 min left, loss 2.346\n"


def test_a_resumed_run_does_not_count_as_speed_what_was_done_before(capsys):
    work(Clock(), 60, 100, 100_000, done=50_000)
    assert capsys.readouterr().err == "train: 56%, 100 tokens/s, 7 min left\n"


def test_work_of_days_says_so_every_ten_minutes(capsys):
    work(Clock(), 86_400, 1, 864_000)
    lines = capsys.readouterr().err.splitlines()
    assert 150 < len(lines) < 200
    assert lines[-1].startswith("train: 10%, 1 tokens/s, 9 d ")


def test_work_of_unknown_length_says_its_speed(capsys):
    work(Clock(), 61, 100, None)
    assert capsys.readouterr().err == "train: 100 tokens/s\n"
