"""One flipped byte of what a project stands on closes the gate at the next command, not only at `verify`."""

import json
import shutil

import pytest

from hemicycle.cli.session import Session
from hemicycle.digests import sha256_file

STAGES = (
    "raw documents rights admitted corpus index roots tokenizer tokens order model evaluation release".split()
)


def file_of(project, stage):
    """The largest file of a stage's artefact, with the digest that the ledger states."""
    session = Session(project)
    (statement,) = [s for s in session.ledger.current().values() if s.subject.stage == stage]
    file = max(statement.files, key=lambda f: f.size)
    subject = statement.subject
    return session.store.artefact(subject.stage, subject.name, subject.key) / file.path, file.sha256


def flip(path):
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])


@pytest.mark.parametrize("stage", STAGES)
def test_a_flipped_byte_of_any_artefact_stops_the_next_run_and_is_named(copy, call, stage):
    path, stated = file_of(copy, stage)
    flip(path)
    code, out, err = call("run", copy, "--offline", "--json")
    assert code == 1, "3 would say that rights or governance stand against it"
    told = json.loads(out)["error"]
    assert told["place"] == str(path)
    assert stated in told["what"]
    assert sha256_file(path) in told["what"]
    assert "Restore it from a copy" in told["remedy"]
    assert f"error: {path}: the content differs from what the ledger states" in err


@pytest.mark.parametrize("stage", ["raw", "documents", "rights", "admitted"])
@pytest.mark.parametrize("verb", ["clear", "release"])
def test_clear_and_release_stop_at_flipped_evidence(copy, call, stage, verb):
    path, _ = file_of(copy, stage)
    flip(path)
    code, _, err = call(verb, "--offline", "--project", copy)
    assert code == 1
    assert f"error: {path}: the content differs" in err


def test_a_flipped_statement_stops_the_next_run(copy, call):
    path = next((copy / "ledger" / "statements" / "rights").iterdir())
    flip(path)
    code, _, err = call("run", copy, "--offline")
    assert code == 1
    assert f"error: {path}: the statement was changed after it entered the journal" in err


def test_a_dry_run_and_status_name_it_too(copy, call):
    path, _ = file_of(copy, "documents")
    flip(path)
    code, out, _ = call("run", copy, "--dry-run")
    assert code == 1
    assert f"failed: documents sittings ({path}: the content differs" in out
    assert f"failed      documents sittings  ({path}: the content differs" in call("status", copy)[1]


def test_keep_going_builds_nothing_on_it(copy, call):
    path, _ = file_of(copy, "rights")
    flip(path)
    code, out, _ = call("run", copy, "--offline", "--keep-going", "--json")
    assert code == 1
    states = {s["stage"]: s["state"] for s in json.loads(out)["steps"]}
    assert states["rights"] == "failed"
    assert {states[s] for s in ("admitted", "corpus", "model", "release")} == {"blocked"}


def test_the_same_bytes_written_again_are_no_error(copy, call):
    for stage in STAGES:
        path, _ = file_of(copy, stage)
        path.write_bytes(path.read_bytes())
    code, out, _ = call("run", copy, "--offline", "--json")
    assert code == 0
    assert {s["state"] for s in json.loads(out)["steps"]} == {"fresh"}


def test_what_is_deleted_as_the_remedy_says_is_made_again(copy, call):
    path, stated = file_of(copy, "corpus")
    flip(path)
    assert call("run", copy, "--offline")[0] == 1
    shutil.rmtree(next((copy / "build" / "corpus").iterdir()))
    assert call("run", copy, "--offline")[0] == 0
    assert sha256_file(path) == stated


def test_a_release_believes_no_stamp(copy, call):
    call("run", copy, "--offline")
    path, _ = file_of(copy, "documents")
    flip(path)
    stat = path.stat()
    cache = copy / "build" / ".cache" / "stamps" / "documents" / "sittings.json"
    known = json.loads(cache.read_bytes()) if cache.exists() else {"version": 1, "files": {}}
    known["artefact"] = next(
        s for s in Session(copy).ledger.current().values() if s.subject.stage == "documents"
    ).digest
    known["files"][path.name] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(known))
    assert call("run", copy, "--offline")[0] == 0, "a forged cache deceives whoever owns it"
    assert call("release", "--project", copy, "--offline")[0] == 1
    assert call("verify", copy)[0] == 1
