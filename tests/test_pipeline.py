"""Steps are run when needed, resumed after a kill, and never half done."""

import os
import random
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest

from hemicycle.errors import InputError, IntegrityError
from hemicycle.ledger import Ledger, check_project
from hemicycle.pipeline import Pipeline, Step
from hemicycle.project import Lock
from hemicycle.store import Store


class Bench:
    """A tiny project: a → b → c, where each writes a file and counts how often it ran."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.ran = []
        self.text = "a"
        self.fail = set()
        self.options = options
        self.store = Store(folder / "build", folder / "releases")
        self.ledger = Ledger(folder / "ledger", folder / "key")

    def step(self, name, inputs=(), declaration=None, **more):
        def build(work):
            self.ran.append(name)
            (work.out / "half").write_text("half")
            if name in self.fail:
                raise InputError(f"{name} cannot be had")
            (work.out / "half").unlink()
            read = "".join((p / "file").read_text() for p in work.inputs.values())
            (work.out / "file").write_text(read + name + str(declaration))
            return {"n": 1}

        roles = {s.name: s for s in inputs}
        return Step("stage", name, 1, declaration, build, roles, **more)

    def pipeline(self, **options):
        ledger = Ledger(self.folder / "ledger", self.folder / "key")
        lock = Lock(self.folder / "lock")
        return Pipeline(self.store, ledger, lock, **{**self.options, **options})

    def run(self, *targets, **options):
        self.ran.clear()
        return {o.step.name: o for o in self.pipeline(**options).run(list(targets))}


def chain(bench, declaration="x"):
    a = bench.step("a", declaration=declaration)
    b = bench.step("b", [a])
    return bench.step("c", [b])


def test_a_second_run_does_nothing(tmp_path):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    assert bench.ran == ["a", "b", "c"]
    assert {o.state for o in bench.run(chain(bench)).values()} == {"fresh"}
    assert bench.ran == []
    assert check_project(bench.ledger, bench.store) == []


def test_a_changed_declaration_rebuilds_what_depends_on_it_and_nothing_else(tmp_path):
    bench = Bench(tmp_path)
    a, other = bench.step("a", declaration=1), bench.step("other")
    bench.run(bench.step("c", [a, other]))
    outcomes = bench.run(bench.step("c", [bench.step("a", declaration=2), bench.step("other")]))
    assert bench.ran == ["a", "c"]
    assert outcomes["a"].reason == "its declaration changed"
    assert outcomes["c"].reason == "its input stage a changed"


def test_an_input_that_comes_out_equal_cuts_the_rebuild_off(tmp_path):
    bench = Bench(tmp_path)

    def step(declaration):
        constant = Step(
            "stage", "a", 1, declaration, lambda w: (w.out / "file").write_text("same") and {"ok": 1}, {}
        )
        return bench.step("b", [constant])

    bench.run(step(1))
    bench.run(step(2))
    assert bench.ran == []


def test_a_deleted_artefact_comes_back_with_the_same_digest(tmp_path):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    bench.store.remove(first["b"].folder)
    again = bench.run(chain(bench))
    assert bench.ran == ["b"]
    assert again["b"].statement.digest == first["b"].statement.digest
    assert check_project(bench.ledger, bench.store) == []


def test_a_failure_leaves_nothing_half_written_and_others_go_on_when_asked(tmp_path):
    bench = Bench(tmp_path)
    bench.fail = {"bad"}
    targets = (bench.step("after", [bench.step("bad")]), bench.step("good"))
    with pytest.raises(InputError):
        bench.run(*targets)
    outcomes = bench.run(*targets, keep_going=True)
    assert {n: o.state for n, o in outcomes.items()} == {"bad": "failed", "after": "blocked", "good": "built"}
    assert [p.name for p in bench.store.artefacts()] == [outcomes["good"].folder.name]
    assert check_project(bench.ledger, bench.store) == []


def test_an_optional_source_that_cannot_be_had_is_left_out(tmp_path):
    bench = Bench(tmp_path)
    bench.fail = {"bad"}
    both = [bench.step("bad", optional=True), bench.step("good")]
    step = bench.step("all", both, may_lack=frozenset({"bad"}))
    outcomes = bench.run(step)
    assert outcomes["bad"].state == "not-obtained"
    assert (outcomes["all"].folder / "file").read_text() == "goodNoneallNone"


def test_look_says_what_would_run_and_why_and_writes_nothing(tmp_path):
    bench = Bench(tmp_path)
    looked = bench.pipeline().look([chain(bench)])
    assert [(o.step.name, o.state) for o in looked] == [(n, "would-run") for n in "abc"]
    assert not (tmp_path / "build").exists()
    assert not (tmp_path / "ledger").exists()


def test_a_resolution_is_part_of_the_key(tmp_path):
    bench = Bench(tmp_path)
    today = date(2026, 1, 1)
    step = Step(
        "stage",
        "dated",
        1,
        None,
        lambda w: (w.out / "file").write_text(w.resolved["day"]) and {},
        resolve=lambda at: {"day": at.today.isoformat()},
    )
    first = bench.run(step, today=lambda: today)
    second = bench.run(step, today=lambda: date(2026, 1, 2))
    assert first["dated"].folder != second["dated"].folder


def test_gc_drops_what_nothing_leads_to_and_verify_stays_content(tmp_path):
    bench = Bench(tmp_path)
    bench.run(chain(bench, "old"))
    bench.run(chain(bench, "new"))
    pipeline = bench.pipeline()
    doomed = pipeline.unreferenced([chain(bench, "new")])
    assert len(doomed) == 3
    pipeline.drop(doomed)
    assert len(bench.store.artefacts()) == 3
    assert check_project(Ledger(tmp_path / "ledger"), bench.store) == []


def test_two_processes_on_one_project_do_not_work_at_once(tmp_path):
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from test_pipeline import Bench
        bench = Bench(Path(sys.argv[1]))
        def build(work):
            with (bench.folder / "log").open("a") as f:
                f.write("begin\\n"); f.flush(); time.sleep(0.5); f.write("end\\n")
            (work.out / "file").write_text("x")
            return {}
        from hemicycle.pipeline import Step
        bench.run(Step("stage", "slow", 1, sys.argv[3], build))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    processes = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [p.wait() for p in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text().split() == ["begin", "end"] * 3
    assert check_project(Ledger(tmp_path / "ledger"), Store(tmp_path / "build", tmp_path / "releases")) == []


def test_killed_between_any_two_writes_the_next_run_ends_as_if_undisturbed(tmp_path, monkeypatch):
    """Dies before the n-th change to the disk, for every n, and starts again."""

    class Killed(BaseException):
        pass

    undisturbed = Bench(tmp_path / "calm")
    wanted = {n: o.statement.digest for n, o in undisturbed.run(chain(undisturbed)).items()}
    for n in range(1, 200):
        bench = Bench(tmp_path / str(n))
        left = n

        def counted(original):
            def wrapped(*args, **kwargs):
                nonlocal left
                left -= 1
                if left == 0:
                    raise Killed
                return original(*args, **kwargs)

            return wrapped

        with monkeypatch.context() as patch:
            for name in ("fsync", "rename", "mkdir", "unlink"):
                patch.setattr(os, name, counted(getattr(os, name)))
            try:
                bench.run(chain(bench))
                killed = False
            except Killed:
                killed = True
        outcomes = bench.run(chain(bench))
        assert {name: o.statement.digest for name, o in outcomes.items()} == wanted
        assert check_project(Ledger(bench.folder / "ledger"), bench.store) == []
        assert bench.store.staged() == []
        if not killed:
            break
    else:
        pytest.fail("the run never came to its end")
    assert n > 20, "the kill points were not reached"


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_byte_anywhere_is_found_and_named(tmp_path, seed):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    files = [p for d in ("build", "ledger") for p in (tmp_path / d).rglob("*") if p.is_file()]
    files = [p for p in files if p.name != ".lock" and p.stat().st_size]
    rng = random.Random(seed)
    path = rng.choice(sorted(files))
    raw = bytearray(path.read_bytes())
    place = rng.randrange(len(raw))
    raw[place] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)
    findings = check_project(Ledger(tmp_path / "ledger"), bench.store)
    assert findings, f"{path} byte {place}"
    if path.name != "solo.pub":
        assert any(str(path) in f.file for f in findings)


def test_a_lost_tail_a_slipped_in_statement_and_a_stray_artefact_are_found(tmp_path):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    journal = tmp_path / "ledger" / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
    assert any("tail was lost" in f.what for f in check_project(Ledger(tmp_path / "ledger"), bench.store))
    with pytest.raises(IntegrityError, match="tail was lost"):
        bench.run(chain(bench))
    journal.write_bytes(whole)
    (tmp_path / "ledger" / "statements" / "stage" / "extra.json").write_text("{}")
    (tmp_path / "build" / "stage" / "stray").mkdir()
    whats = {f.what for f in check_project(Ledger(tmp_path / "ledger"), bench.store)}
    assert "no line of the journal names this statement" in whats
    assert "no statement describes this artefact" in whats
