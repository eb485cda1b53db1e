"""Whether a text is in the corpus: asked of a built project, answered to somebody who has only the file."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from tests.flow.conftest import hemicycle

#: Whole runs, each of some seconds.
pytestmark = pytest.mark.slow

ABSENT = "Un poème que personne ici n’a lu.\n"


@pytest.fixture
def asked(built, tmp_path):
    """The built project, and a folder of somebody else's with three texts: exact, retyped, absent."""
    folder, _ = built
    collected = pq.read_table(
        next(folder.glob("build/documents/sittings-*")) / "documents.parquet"
    ).to_pylist()
    text = collected[0]["text"]
    (tmp_path / "exact.txt").write_bytes(text.encode("utf-8"))
    retyped = text.upper().replace("'", "’").replace(" ", "\n")
    (tmp_path / "retyped.txt").write_text(retyped, "utf-8")
    (tmp_path / "absent.txt").write_text(ABSENT, "utf-8")
    return folder, tmp_path, collected[0]["id"]


def prove(folder, *words):
    return json.loads(hemicycle("ledger", "prove", "debats", *words, "--project", folder, "--json").stdout)


def test_the_root_of_every_corpus_is_made_by_a_run_and_stands_in_the_release(built):
    folder, _ = built
    steps = {
        (s["stage"], s["name"]): s for s in json.loads(hemicycle("run", folder, "--json").stdout)["steps"]
    }
    assert steps["roots", "debats"]["state"] == "fresh"
    record = (next(folder.glob("build/roots/debats-*")) / "root.json").read_text()
    statement = next((folder / "releases" / "v0" / "ledger" / "statements" / "roots").iterdir())
    assert json.loads(statement.read_text())["predicate"]["figures"] == json.loads(record)
    assert not list((folder / "releases" / "v0").rglob("leaves.bin"))


def test_the_salt_stays_where_the_private_key_is(built):
    folder, _ = built
    salt = (folder / ".hemicycle" / "salt").read_bytes()
    for place in ("ledger", "build", "releases"):
        for file in (folder / place).rglob("*"):
            if file.is_file():
                data = file.read_bytes()
                assert salt not in data, file
                assert salt.hex().encode() not in data, file


@pytest.mark.parametrize(
    ("text", "kinds"), [("exact.txt", ["text", "words"]), ("retyped.txt", ["words"]), ("absent.txt", [])]
)
def test_a_text_is_proved_to_be_in_or_not_and_the_proof_checks_without_the_project(asked, text, kinds):
    folder, theirs, _ = asked
    made = prove(folder, "--text", theirs / text, "--out", theirs / "proof")
    assert made["in"] == bool(kinds)
    shutil.copytree(folder / "releases" / "v0", theirs / "v0")
    said = json.loads(
        hemicycle("ledger", "check", "proof", "--text", text, "--release", "v0", "--json", cwd=theirs).stdout
    )
    assert [a["kind"] for a in said["answers"] if a["in"]] == kinds
    assert (theirs / "proof").stat().st_size == made["bytes"] < 20_000
    fingerprint = made["fingerprint"]
    people = hemicycle(
        "ledger", "check", "proof", "--text", text, "--fingerprint", fingerprint, cwd=theirs
    ).stdout
    assert people.startswith("in: " if kinds else "not in: ")


def test_a_document_is_proved_by_its_id_to_whoever_has_the_same_words(asked):
    folder, theirs, document = asked
    prove(folder, "--document", document, "--out", theirs / "proof")
    for text in ("exact.txt", "retyped.txt"):
        assert hemicycle("ledger", "check", theirs / "proof", "--text", theirs / text).returncode == 0


def test_what_does_not_hold_leaves_with_1_and_what_is_called_wrongly_with_2(asked):
    folder, theirs, _ = asked
    prove(folder, "--text", theirs / "absent.txt", "--out", theirs / "proof")
    for words, said in [
        (["--text", "exact.txt"], "about another text"),
        (["--text", "absent.txt", "--fingerprint", "SHA256:x"], "not by SHA256:x"),
    ]:
        done = hemicycle("ledger", "check", "proof", *words, cwd=theirs, check=False)
        assert done.returncode == 1
        assert said in done.stderr
    for words, said in [
        (["debatz", "--text", "absent.txt"], "Did you mean “debats”?"),
        (["debats"], "exactly one of"),
        (["debats", "--digest", "abc"], "no SHA-256"),
        (["debats", "--document", "nobody"], "kept no document “nobody”"),
    ]:
        done = hemicycle("ledger", "prove", *words, "--project", folder, cwd=theirs, check=False)
        assert done.returncode == 2, words
        assert said in done.stderr


def test_a_lost_salt_gives_the_corpus_another_root_and_old_proofs_still_hold(copy, tmp_path):
    (tmp_path / "absent.txt").write_text(ABSENT, "utf-8")
    before = prove(copy, "--text", tmp_path / "absent.txt", "--out", tmp_path / "old")
    (copy / ".hemicycle" / "salt").unlink()
    looked = json.loads(hemicycle("status", copy, "--json").stdout)["steps"]
    stale = {(s["stage"], s["state"]) for s in looked} - {(s["stage"], "fresh") for s in looked}
    assert stale == {("roots", "would-run"), ("release", "would-run")}
    after = prove(copy, "--text", tmp_path / "absent.txt", "--out", tmp_path / "new")
    assert after["root"]["root"] != before["root"]["root"]
    for proof in ("old", "new"):
        hemicycle("ledger", "check", tmp_path / proof, "--text", tmp_path / "absent.txt")
    assert hemicycle("verify", copy).returncode == 0


def test_a_deleted_root_comes_back_with_the_same_digest(copy):
    root = next(copy.glob("build/roots/debats-*"))
    files = {f.name: f.read_bytes() for f in root.iterdir()}
    shutil.rmtree(root)
    hemicycle("run", copy)
    assert {f.name: f.read_bytes() for f in root.iterdir()} == files
