"""Steps are run when needed, resumed after a kill, and never half done."""

import os
import random
import shutil
import subprocess
import sys
import textwrap
from datetime import date
from pathlib import Path

import pytest

from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.ledger import Ledger, check_project
from hemicycle.pipeline import Pipeline
from hemicycle.project import Lock
from hemicycle.steps import Step
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
    assert len(bench.pipeline().collect_garbage([chain(bench, "new")], dry_run=True)) == 3
    assert len(bench.pipeline().collect_garbage([chain(bench, "new")])) == 3
    assert len(bench.store.artefacts()) == 3
    assert check_project(Ledger(tmp_path / "ledger"), bench.store) == []


def test_gc_keeps_the_last_artefact_and_the_work_of_a_step_that_is_stale(tmp_path):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench, "x"))
    staging = bench.store.staging("f" * 64)
    (staging / "work").mkdir(parents=True)
    (staging / "step").write_text("stage c")
    (staging / "work" / "checkpoint").write_text("precious")
    assert bench.pipeline().collect_garbage([chain(bench, "y")]) == {}
    assert first["c"].folder.is_dir()
    assert list(bench.pipeline().collect_garbage([bench.step("other")])) != []


def test_an_artefact_dropped_once_and_built_again_is_missed_when_it_is_lost(tmp_path):
    bench = Bench(tmp_path)
    step = bench.step("kept", rebuildable=False)
    bench.run(step)
    bench.pipeline().collect_garbage([bench.step("other")])
    folder = bench.run(step)["kept"].folder
    shutil.rmtree(folder)
    findings = check_project(Ledger(tmp_path / "ledger"), bench.store)
    assert [f.what for f in findings] == ["a kept artefact is missing"]


def test_nothing_is_built_on_an_input_that_was_changed(tmp_path):
    bench = Bench(tmp_path)
    first = bench.run(bench.step("a"))
    (first["a"].folder / "file").write_text("bNone")
    with pytest.raises(IntegrityError, match="differs from what the ledger states"):
        bench.run(bench.step("b", [bench.step("a")]))
    assert bench.ran == []


def test_finished_work_that_was_changed_before_it_was_entered_is_built_again(tmp_path, monkeypatch):
    bench = Bench(tmp_path)

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Store, "place", die)
        with pytest.raises(Killed):
            bench.run(bench.step("a"))
    (staging,) = bench.store.staged()
    (staging / "content" / "file").write_text("forged")
    outcomes = bench.run(bench.step("a"))
    assert (outcomes["a"].folder / "file").read_text() == "aNone"
    assert check_project(bench.ledger, bench.store) == []


def test_another_copy_under_another_key_may_not_build_in_the_same_store(tmp_path):
    one, two = Bench(tmp_path / "one"), Bench(tmp_path / "two")
    two.store = one.store
    one.run(one.step("a"))
    with pytest.raises(DeclarationError, match="store of its own"):
        two.run(two.step("a"))


def test_who_waited_for_the_lock_sees_what_was_resolved_meanwhile(tmp_path):
    bench = Bench(tmp_path)
    pipeline = bench.pipeline()
    entry = {"of": "x", "as_of": "2026-01-31"}
    bench.pipeline().lock.set("rights", "m", entry)
    with pipeline.exclusive():
        assert pipeline.lock.get("rights", "m") == entry


def test_a_defect_in_one_step_does_not_stop_the_others_when_asked(tmp_path):
    bench = Bench(tmp_path)
    broken = Step("stage", "broken", 1, None, lambda work: {}["missing"])
    full = Step("stage", "full", 1, None, lambda work: (_ for _ in ()).throw(OSError(28, "No space left")))
    outcomes = bench.run(broken, full, bench.step("good"), keep_going=True)
    assert {n: o.state for n, o in outcomes.items()} == {
        "broken": "failed",
        "full": "failed",
        "good": "built",
    }
    assert "No space left" in str(outcomes["full"].error)
    with pytest.raises(KeyError):
        bench.run(broken)


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
        from hemicycle.steps import Step
        bench.run(Step("stage", "slow", 1, sys.argv[3], build))
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)]
    processes = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [p.wait() for p in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text().split() == ["begin", "end"] * 3
    assert check_project(Ledger(tmp_path / "ledger"), Store(tmp_path / "build", tmp_path / "releases")) == []


def test_killed_between_any_two_writes_the_next_run_ends_as_if_undisturbed(tmp_path):
    """A child process dies before its n-th change to the disk, for every n; then a run of this process."""
    undisturbed = Bench(tmp_path / "calm")
    wanted = {n: o.statement.digest for n, o in undisturbed.run(chain(undisturbed)).items()}
    for n in range(1, 400):
        bench = Bench(tmp_path / str(n))
        child = os.fork()
        if child == 0:
            _die_at(n)
            bench.run(chain(bench))
            os._exit(0)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        outcomes = bench.run(chain(bench))
        assert {name: o.statement.digest for name, o in outcomes.items()} == wanted
        assert check_project(Ledger(bench.folder / "ledger"), bench.store) == []
        assert bench.store.staged() == []
        assert [p for p in bench.folder.rglob(".*.aside")] == []
        if not killed:
            break
    else:
        pytest.fail("the run never came to its end")
    assert n > 40, "the kill points were not reached"


def _die_at(n):
    """Let this process end at once before its n-th change to the disk."""
    left = n

    def counted(original):
        def wrapped(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os._exit(9)
            return original(*args, **kwargs)

        return wrapped

    for name in ("fsync", "rename", "mkdir", "unlink", "rmdir", "open"):
        setattr(os, name, counted(getattr(os, name)))


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_byte_anywhere_is_found_and_named(tmp_path, seed):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    files = [p for d in ("build", "ledger") for p in (tmp_path / d).rglob("*") if p.is_file()]
    files = [p for p in files if p.name not in (".lock", ".owner") and p.stat().st_size]
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
    (tmp_path / "build" / "loose").write_text("x")
    (tmp_path / "ledger" / "statements" / "link").symlink_to("/etc/passwd")
    whats = {f.what for f in check_project(Ledger(tmp_path / "ledger"), bench.store)}
    assert "a symbolic link has no place in an artefact" in whats
    assert "no statement describes this artefact" in whats
    assert "this does not belong here" in whats
    (tmp_path / "ledger" / "statements" / "link").unlink()
    whats = {f.what for f in check_project(Ledger(tmp_path / "ledger"), bench.store)}
    assert "no line of the journal names this statement" in whats
