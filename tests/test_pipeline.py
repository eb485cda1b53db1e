"""Steps are run when needed, resumed after a kill, and never half done."""

import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError, HemicycleError, InputError, IntegrityError
from hemicycle.ledger import Ledger, check_project
from hemicycle.pipeline import Pipeline
from hemicycle.project import Lock, StoreLimit
from hemicycle.stamps import Stamps, stamp_of
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


def test_gc_deletes_the_log_of_a_training_that_is_not_declared_any_more(tmp_path):
    bench = Bench(tmp_path)
    declared = replace(bench.step("petit"), stage="model")
    for name in ("petit", "gone", "corpus"):
        (bench.store.trainings / name).mkdir(parents=True)
        (bench.store.trainings / name / "samples-0000.parquet").write_text("text of a source")
    logs = [bench.store.trainings / name for name in ("corpus", "gone")]
    targets = [declared, bench.step("corpus")]
    assert bench.pipeline().collect_garbage(targets, dry_run=True) == dict.fromkeys(logs, 16)
    assert bench.pipeline().collect_garbage(targets) == dict.fromkeys(logs, 16)
    assert [log.name for log in bench.store.logs()] == ["petit"]
    assert check_project(Ledger(tmp_path / "ledger"), bench.store) == []


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


@pytest.mark.slow
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


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)


def aged(bench, monkeypatch):
    """Let the files of a bench be old enough for their stamps to be believed, and have a run see them."""
    monkeypatch.setattr("hemicycle.stamps.COARSEST_STEP_NS", -3600 * 10**9)
    bench.run(chain(bench))


@pytest.mark.parametrize("stamps", ["fresh", "believed"])
def test_one_flipped_byte_stops_the_next_run(tmp_path, monkeypatch, stamps):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    if stamps == "believed":
        aged(bench, monkeypatch)
    file = first["b"].folder / "file"
    (stated,) = first["b"].statement.files
    flip(file)
    with pytest.raises(IntegrityError, match="differs from what the ledger states") as stopped:
        bench.run(chain(bench))
    assert stopped.value.place == str(file)
    assert stated.sha256 in stopped.value.what
    assert sha256_file(file) in stopped.value.what
    assert str(file.parent) in stopped.value.remedy
    assert stopped.value.exit_code == 1
    assert bench.ran == []
    looked = {o.step.name: o.state for o in bench.pipeline().look([chain(bench)])}
    assert looked == {"a": "fresh", "b": "failed", "c": "blocked"}


def test_the_remedy_that_is_told_mends_it(tmp_path):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    flip(first["b"].folder / "file")
    shutil.rmtree(first["b"].folder)
    assert bench.run(chain(bench))["b"].statement.digest == first["b"].statement.digest
    assert bench.ran == ["b"]


def test_a_flip_under_the_old_time_is_found(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    aged(bench, monkeypatch)
    file = first["a"].folder / "file"
    then = file.stat().st_mtime_ns
    flip(file)
    os.utime(file, ns=(then, then))
    with pytest.raises(IntegrityError):
        bench.run(chain(bench))


def test_a_flip_within_the_same_step_of_the_clock_is_found(tmp_path, monkeypatch):
    """The stamp of what was just written is the same before and after: it must not have been believed."""
    bench = Bench(tmp_path)
    monkeypatch.setattr("hemicycle.ledger.verify.stamp_of", lambda path: [5, time.time_ns(), 1, 1])
    monkeypatch.setattr("hemicycle.pipeline.stamp_of", lambda path: [5, time.time_ns(), 1, 1])
    first = bench.run(chain(bench))
    bench.run(chain(bench))
    flip(first["a"].folder / "file")
    with pytest.raises(IntegrityError):
        bench.run(chain(bench))


def test_a_file_restored_to_the_same_bytes_is_no_error(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    aged(bench, monkeypatch)
    flip(first["b"].folder / "file")
    flip(first["b"].folder / "file")
    assert {o.state for o in bench.run(chain(bench)).values()} == {"fresh"}


def test_a_file_turned_into_a_link_to_its_equal_stops_the_run(tmp_path):
    bench = Bench(tmp_path)
    file = bench.run(chain(bench))["b"].folder / "file"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="no plain file"):
        bench.run(chain(bench))


def test_what_is_under_its_old_stamp_is_not_read_again(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    aged(bench, monkeypatch)
    read = []
    monkeypatch.setattr("hemicycle.ledger.verify.sha256_file", lambda path: read.append(path) or "?")
    assert {o.state for o in bench.run(chain(bench)).values()} == {"fresh"}
    assert read == []


def test_evidence_is_read_whatever_its_stamp_up_to_a_bound(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    bench.run(bench.step("a", evidence=True))
    aged(bench, monkeypatch)
    read = []
    monkeypatch.setattr(
        "hemicycle.ledger.verify.sha256_file", lambda path: read.append(path.name) or sha256_file(path)
    )
    bench.run(bench.step("a", evidence=True))
    assert read == ["file"]
    monkeypatch.setattr("hemicycle.pipeline.SMALL_EVIDENCE", 3)
    for _ in range(2):
        read.clear()
        bench.run(bench.step("a", evidence=True))
    assert read == []


def test_no_stamp_is_believed_when_every_byte_counts(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    aged(bench, monkeypatch)
    forge_stamps(bench, first["a"])
    assert {o.state for o in bench.run(chain(bench)).values()} == {"fresh"}
    with pytest.raises(IntegrityError):
        bench.run(chain(bench), every_byte=True)
    assert check_project(bench.ledger, bench.store)


def test_a_step_that_seals_believes_no_stamp_of_what_it_stands_on(tmp_path, monkeypatch):
    bench = Bench(tmp_path)
    first = bench.run(chain(bench))
    aged(bench, monkeypatch)
    forge_stamps(bench, first["a"])
    bench.run(bench.step("plain", [chain(bench)]))
    with pytest.raises(IntegrityError):
        bench.run(bench.step("sealed", [chain(bench)], seals=True))
    assert bench.ran == []


def forge_stamps(bench, outcome):
    """Flip a byte and have the cache say that nothing was touched."""
    flip(outcome.folder / "file")
    stamp = stamp_of(outcome.folder / "file")
    Stamps(bench.store.cache).keep(outcome.statement, {"file": stamp}, time.time_ns())


def test_a_release_that_gave_way_to_another_of_its_name_is_made_again(tmp_path):
    bench = Bench(tmp_path)

    def build(work):
        # Releases hold times: none is made twice.
        (work.out / "file").write_text(str(time.time_ns()))
        return {}

    def release(declaration):
        return Step("release", "v0", 1, declaration, build, rebuildable=False)

    for declaration in ("one", "another", "one"):
        assert bench.run(release(declaration))["v0"].state == "built"
    assert bench.run(release("one"))["v0"].state == "fresh"
    flip(tmp_path / "releases" / "v0" / "file")
    with pytest.raises(IntegrityError):
        bench.run(release("one"))


def test_a_copy_of_a_project_is_read_once_and_then_no_more(tmp_path, monkeypatch):
    bench = Bench(tmp_path / "one")
    bench.run(chain(bench))
    aged(bench, monkeypatch)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    copied = Bench(tmp_path / "two")
    read = []
    monkeypatch.setattr(
        "hemicycle.ledger.verify.sha256_file", lambda path: read.append(path) or sha256_file(path)
    )
    assert {o.state for o in copied.run(chain(copied)).values()} == {"fresh"}
    assert len(read) == 3
    copied.run(chain(copied))
    assert len(read) == 3


def test_a_store_at_its_limit_takes_no_more_work_and_says_how_to_make_room(tmp_path):
    bench = Bench(tmp_path)
    bench.run(chain(bench))
    files, size = bench.store.used()
    assert files > 0
    assert size > 0
    for limit, said in (
        (StoreLimit(files=files), f"{files} files of {files}"),
        (StoreLimit(gigabytes=1e-9), "GB of"),
    ):
        with pytest.raises(HemicycleError, match=said) as stopped:
            bench.pipeline(limit=limit).run([chain(bench, "new")])
        assert "hemicycle gc" in stopped.value.remedy
    bench.pipeline(limit=StoreLimit(files=1)).run([chain(bench)])


def withdrawn(bench, text, before=None):
    """A step `a` that writes a text, from which some was withdrawn if it was another before."""

    def build(work):
        bench.ran.append("a")
        (work.out / "file").write_text(text)
        return {"before": before} if before else {}

    return Step("stage", "a", 1, text, build)


def test_what_reads_its_input_as_it_was_before_withdrawals_stands_and_the_rest_is_made_again(tmp_path):
    bench = Bench(tmp_path)

    def run(a):
        learnt = bench.step("learnt", [a], before=frozenset({"a"}))
        return bench.run(learnt, bench.step("made", [a, learnt]))

    whole = run(withdrawn(bench, "ab"))["a"].statement.digest
    outcomes = run(withdrawn(bench, "a", before=whole))
    assert bench.ran == ["a", "made"]
    assert outcomes["learnt"].state == "fresh"
    assert outcomes["learnt"].statement.inputs["a"]["digest"] == whole
    made = outcomes["made"].statement.inputs["a"]
    assert (made["digest"] == whole, made["before"]) == (False, whole)
    # Another text altogether is another input.
    outcomes = run(withdrawn(bench, "c"))
    assert outcomes["learnt"].reason == "its input stage a changed"
    assert not check_project(bench.ledger, bench.store)


def test_what_learnt_from_withdrawn_text_is_not_made_otherwise_under_its_key(tmp_path):
    bench = Bench(tmp_path)
    whole = bench.run(bench.step("learnt", [withdrawn(bench, "ab")], before=frozenset({"a"})))
    shutil.rmtree(whole["learnt"].folder)
    less = withdrawn(bench, "a", before=whole["a"].statement.digest)
    with pytest.raises(IntegrityError, match="withdrawn since, and does not come back as it was"):
        bench.run(bench.step("learnt", [less], before=frozenset({"a"})))
    # With the text it does.
    again = bench.run(bench.step("learnt", [withdrawn(bench, "ab")], before=frozenset({"a"})))
    assert again["learnt"].statement.digest == whole["learnt"].statement.digest
