"""The whole flow on a small project: built, asked, verified, and left alone when nothing changed."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, timedelta

import pytest

from hemicycle.cli.session import Session
from hemicycle.train import Run
from tests.flow.conftest import digests, hemicycle
from tests.flow.small import DECLARATION, make_project


def test_everything_is_built_and_a_second_run_does_nothing(built):
    folder, first = built
    assert set(first) == {
        "raw sittings",
        "documents sittings",
        "rights sittings",
        "admitted debats",
        "cleared sittings",
        "annotated sittings",
        "corpus debats",
        "index debats",
        "tokenizer fr",
        "tokens debats.fr",
        "order petit",
        "model petit",
        "evaluation base",
        "contamination base",
        "regurgitation base",
    }
    again = json.loads(hemicycle("run", folder, "--json").stdout)
    assert {s["state"] for s in again["steps"]} == {"fresh"}
    assert (folder / "releases" / "v0" / "model.safetensors").is_file()
    assert hemicycle("run", folder, "--dry-run").stdout.strip() == "everything is up to date"


def test_a_project_and_its_release_verify(built, tmp_path):
    folder, _ = built
    assert json.loads(hemicycle("verify", folder, "--json").stdout)["sound"]
    shutil.copytree(folder / "releases" / "v0", tmp_path / "received")
    assert json.loads(hemicycle("verify", tmp_path / "received", "--json").stdout)["sound"]


def test_a_sentence_of_the_sittings_is_traced_to_its_turn_its_right_and_the_steps_that_read_it(built):
    folder, _ = built
    from hemicycle.ledger import Ledger

    assert Ledger(folder / "ledger").journal.lines()
    import pyarrow.parquet as pq

    corpus = next((folder / "build" / "corpus").iterdir())
    row = next(r for r in pq.read_table(corpus / "kept" / "sittings").to_pylist() if r["split"] == "train")
    turn = max((p for p in row["parts"] if p["kind"] == "turn"), key=lambda p: p["end"] - p["start"])
    sentence = row["text"][turn["start"] : turn["end"]][:300].rsplit(" ", 1)[0].upper()
    traced = json.loads(hemicycle("trace", sentence, "--project", folder, "--json").stdout)
    assert traced["coverage"] > 0.95
    document = traced["spans"][0]["documents"][0]
    assert document["id"] == row["id"]
    assert document["anchor"] == turn["anchor"]
    assert document["right"]["verdict"] == "allow"
    assert document["licence"] == "CC0-1.0"
    assert document["first_step"] is not None


@pytest.mark.parametrize("days", [1, 366])
def test_a_later_day_rebuilds_nothing(built, days):
    folder, _ = built
    session = Session(folder)
    pipeline = session.pipeline()
    pipeline.today = lambda: date.today() + timedelta(days=days)
    assert {o.state for o in pipeline.look(session.flow.all_steps())} == {"fresh"}
    assert {o.state for o in pipeline.run(session.flow.all_steps())} == {"fresh"}


@pytest.mark.slow
def test_changing_one_thing_rebuilds_only_what_depends_on_it(copy):
    toml = copy / "hemicycle.toml"
    toml.write_text(toml.read_text().replace('tokens = "20k"', 'tokens = "24k"'))
    said = json.loads(hemicycle("run", copy, "--json").stdout)
    built = {s["stage"] for s in said["steps"] if s["state"] == "built"}
    assert built == {"order", "model", "evaluation", "regurgitation", "release"}


def test_artefacts_that_can_be_made_again_come_back_with_the_same_digest(built, copy):
    _, before = built
    for stage in ("documents", "corpus", "tokenizer", "tokens", "order", "index"):
        shutil.rmtree(copy / "build" / stage)
    assert hemicycle("verify", copy, check=False).returncode == 0, "what is rebuildable may be absent"
    assert digests(copy) == before
    shutil.rmtree(copy / "build" / "model")
    missing = hemicycle("verify", copy, check=False)
    assert missing.returncode == 1
    assert "a kept artefact is missing" in missing.stdout


def test_gc_keeps_all_that_is_declared_and_drops_the_rest(copy):
    toml = copy / "hemicycle.toml"
    before, _ = toml.read_text().split("[evaluations.base]")
    toml.write_text(before)
    gone = json.loads(hemicycle("gc", copy, "--json").stdout)["artefacts"]
    assert {p.rsplit("/", 2)[1] for p in gone} == {"evaluation", "contamination", "regurgitation"}
    assert hemicycle("verify", copy).returncode == 0
    assert hemicycle("gc", copy).stdout.strip() == "nothing to delete"


def test_a_store_elsewhere_holds_what_build_would(tmp_path):
    declaration = DECLARATION.replace("[corpora", f'store = "{tmp_path / "store"}"\n\n[corpora', 1)
    folder = make_project(tmp_path / "p", declaration)
    hemicycle("curate", "--project", folder)
    assert not (folder / "build").exists()
    assert (tmp_path / "store" / "essai" / "corpus").is_dir()
    assert hemicycle("verify", folder).returncode == 0


def test_refused_sources_are_named_with_the_reason_and_the_rest_goes_on(copy):
    for name, licence in (("nc", 'licence = "CC-BY-NC-SA-4.0"\n'), ("none", "")):
        card = (copy / "sources" / "sittings.toml").read_text().replace('licence = "CC0-1.0"\n', licence)
        (copy / "sources" / f"{name}.toml").write_text(card.replace("sittings", "sittings"))
    toml = copy / "hemicycle.toml"
    toml.write_text(toml.read_text().replace('["sittings"]', '["sittings", "nc", "none"]'))
    done = hemicycle("clear", "--project", copy, "--json", check=False)
    states = {s["source"]: s for s in json.loads(done.stdout)["sources"]}
    assert done.returncode == 0
    assert states["sittings"]["state"] == "cleared"
    assert states["nc"]["state"] == states["none"]["state"] == "refused"
    assert "commercial" in next(iter(states["nc"]["reasons"].values()))["en"]


def test_a_corpus_with_nothing_cleared_is_blocked_by_rights(tmp_path):
    folder = make_project(tmp_path / "p")
    card = folder / "sources" / "sittings.toml"
    card.write_text(card.read_text().replace('attested_by = "The Hemicycle authors, who wrote them"\n', ""))
    done = hemicycle("run", folder, check=False)
    assert done.returncode == 3
    assert "no document of corpus “debats” is cleared" in done.stderr
    assert done.stderr.count("is cleared") == 1, "a failure is told once"


@pytest.mark.slow
def test_killed_at_five_random_moments_it_ends_as_if_undisturbed(built, tmp_path):
    _, undisturbed = built
    folder = make_project(tmp_path / "essai")
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-m", "hemicycle", "run", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**__import__("os").environ, "OMP_NUM_THREADS": "1"},
        )
        time.sleep(rng.uniform(0.5, 12))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert digests(folder) == undisturbed
    assert hemicycle("verify", folder).returncode == 0


@pytest.mark.slow
def test_two_hundred_flipped_bytes_are_found_and_named(copy):
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    session = Session(copy)
    from hemicycle.ledger import check_project

    places = [*(copy / "ledger").rglob("*"), *(copy / "build").rglob("*"), *(copy / "releases").rglob("*")]
    files = sorted(
        p
        for p in places
        if p.is_file() and ".cache" not in p.parts and p.name not in (".lock", ".owner") and p.stat().st_size
    )
    for _ in range(200):
        path = rng.choice(files)
        whole = path.read_bytes()
        place = rng.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :])
        findings = check_project(session.ledger, session.store)
        assert findings, f"{path}, byte {place}"
        named = any(str(path) in f.file for f in findings)
        assert named or path == copy / "ledger" / "keys" / "solo.pub", f"{path}, byte {place}: {findings}"
        path.write_bytes(whole)
    assert check_project(session.ledger, session.store) == []


def test_a_changed_attester_shows_in_the_release(copy):
    card = copy / "sources" / "sittings.toml"
    card.write_text(card.read_text().replace("The Hemicycle authors, who wrote them", "Ada Lemoine"))
    said = json.loads(hemicycle("run", copy, "--json").stdout)
    assert "release" in {s["stage"] for s in said["steps"] if s["state"] == "built"}
    assert "Ada Lemoine" in (copy / "releases" / "v0" / "DATA.md").read_text()


def test_a_release_holds_no_statement_of_other_work_and_no_path_of_the_machine(built):
    folder, _ = built
    for file in (folder / "releases" / "v0").rglob("*"):
        if file.is_file():
            assert str(folder).encode() not in file.read_bytes(), file


def test_minutes_that_came_to_few_steps_are_told_when_measured_and_in_the_summary(copy, call, monkeypatch):
    declaration = copy / "hemicycle.toml"
    declaration.write_text(declaration.read_text("utf-8").replace('tokens = "20k"', "minutes = 3"), "utf-8")
    busy = Run(steps=2, seed=1, precision="fp32", compiled=False, threads=1)
    monkeypatch.setattr("hemicycle.train.budget.resolve_run", lambda *_, **__: busy)
    code, out, err = call("run", copy)
    assert code == 0
    said = "model petit: 3 minutes came to only 2 steps"
    assert said in err
    assert said in out
    code, out, err = call("status", copy)
    assert said in out, "the lock keeps them, so it is told until they are measured again"


def test_a_value_in_the_lock_that_cannot_be_is_refused_by_a_look_too(copy, call):
    lock = copy / "hemicycle.lock"
    lock.write_text(re.sub(r"steps = \d+", "steps = -3", lock.read_text("utf-8")), "utf-8")
    line = lock.read_text("utf-8").splitlines().index("steps = -3") + 1
    code, _, err = call("run", copy, "--dry-run")
    assert code == 2
    assert err.startswith(f"error: {lock}, line {line}: model.petit.steps")


def test_an_error_is_json_too_when_asked(tmp_path):
    done = hemicycle("run", tmp_path, "--json", check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["exit_code"] == 2
