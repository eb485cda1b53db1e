"""“Is my work in there?”: asked of a built project, answered by files that somebody else checks alone."""

import json
import shutil

import pyarrow.parquet as pq
import pytest

from hemicycle.cli import trace_work
from hemicycle.store import write_aside
from hemicycle.trace import split_words
from tests.sources.test_epub import book, package

#: A project that is built once.
pytestmark = pytest.mark.slow

ABSENT = "Un poème que personne ici n’a lu, ni ce soir ni hier, et dont nul ne parle.\n"


@pytest.fixture(scope="module")
def sitting(built):
    """The text of a document that the model was trained on, and its id."""
    shards = sorted(built[0].glob("build/corpus/debats-*/kept/sittings/*.parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    first = next(row for row in rows if row["split"] == "train")
    return first["id"], first["text"]


def test_a_book_of_a_training_document_is_found_in_it_and_the_report_checks_elsewhere(
    built, sitting, tmp_path, call
):
    document, text = sitting
    paragraphs = "".join(f"<p>{line}</p>" for line in text.replace("'", "’").splitlines() if line.strip())
    page = {"OEBPS/text/one.xhtml": f"<html><body>{paragraphs}</body></html>"}
    work = tmp_path / "séance.epub"
    work.write_bytes(book(package(spine=("one",)), **page))
    report = tmp_path / "séance.html"
    code, out, _ = call("trace", "--project", built[0], "--file", work, "--report", report, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["coverage"] == 1.0
    assert told["work"]["kind"] == "epub"
    first = told["documents"][0]
    assert first["id"] == document
    assert first["words"] == told["words"]
    assert first["right"]["verdict"] == "allow"
    assert first["licence"] == "CC0-1.0"
    assert first["read_by"] == "petit"
    span = told["spans"][0]
    assert told["text"][span["start"] : span["end"]] == span["text"]
    assert told["report"]["page"].endswith("séance.html")

    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("séance.html", "séance.signed.json", "séance.proofs", "séance.epub"):
        shutil.move(tmp_path / name, theirs / name)
    signed, work = theirs / "séance.signed.json", theirs / "séance.epub"
    code, out, _ = call("verify", signed, "--work", work, "--key", told["report"]["fingerprint"], "--json")
    assert code == 0
    assert json.loads(out)["sound"] is True
    # A proof is one of the ledger's own: whoever has the same words checks it without the statement.
    (theirs / "words.txt").write_text(text, "utf-8")
    proof = theirs / "séance.proofs" / "0001.proof"
    code, out, _ = call("ledger", "check", proof, "--text", theirs / "words.txt")
    assert code == 0
    assert "holds a text of the same words, for training" in out

    data = bytearray(proof.read_bytes())
    data[len(data) // 2] ^= 1
    proof.write_bytes(data)
    code, out, _ = call("verify", signed)
    assert code == 1
    assert "0001.proof: it differs from what was signed" in out


def test_what_is_not_there_is_signed_for_and_one_byte_more_is_seen(built, tmp_path, call):
    work, report = tmp_path / "poème.txt", tmp_path / "out.html"
    work.write_text(ABSENT, "utf-8")
    code, out, _ = call("trace", "--project", built[0], "--file", work, "--report", report)
    assert code == 0
    assert out.startswith("No passage of 8 words or more of this work was found, word for word, in the ")
    assert not (tmp_path / "out.proofs").exists()
    signed = tmp_path / "out.signed.json"
    code, out, _ = call("verify", signed, "--work", work)
    assert code == 0
    assert "says: No passage of 8 words or more" in out
    assert "compare: " in out
    assert out.endswith("everything is what was signed\n")
    code, out, _ = call("verify", signed)
    assert (code, out.splitlines()[-1]) == (
        0,
        "everything is what was signed; the work itself was not compared: give it with --work",
    )
    assert json.loads(call("verify", signed, "--json")[1])["work_compared"] is False
    assert call("verify", signed, "--key", f"SHA256:{43 * '0'}")[0] == 1
    work.write_text(ABSENT + " ", "utf-8")
    before = signed.read_bytes()
    code, _, err = call("trace", "--project", built[0], "--file", work, "--report", report)
    assert code == 2
    assert "a signed answer about another work, poème.txt, has this name" in err
    assert signed.read_bytes() == before
    assert call("verify", signed, "--work", work)[0] == 1
    report.write_bytes(report.read_bytes() + b" ")
    assert call("verify", signed)[0] == 1


def test_a_report_of_fewer_documents_leaves_no_proof_of_the_one_before(built, sitting, tmp_path, call):
    work, report = tmp_path / "work.txt", tmp_path / "out.html"
    work.write_text(f"{sitting[1]} {ABSENT}", "utf-8")
    longer = len(split_words(sitting[1]).words) + 1
    for shortest, proofs in ((8, True), (longer, False)):
        asked = ("trace", "--project", built[0], "--file", work, "--min-words", shortest)
        assert call(*asked, "--report", report)[0] == 0
        assert bool(list((tmp_path / "out.proofs").glob("*"))) == proofs
        assert call("verify", tmp_path / "out.signed.json")[0] == 0


def test_a_report_that_is_stopped_is_never_taken_for_a_whole_one_and_is_made_again(
    built, sitting, tmp_path, call, monkeypatch
):
    work, report = tmp_path / "work.txt", tmp_path / "out.html"
    work.write_text(f"{sitting[1]} {ABSENT}", "utf-8")
    asked = ("trace", "--project", built[0], "--file", work, "--report", report)
    assert call(*asked)[0] == 0

    def stopped(path, data):
        if path.name == "out.signed.json":
            raise KeyboardInterrupt
        write_aside(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(trace_work, "write_aside", stopped)
        assert call(*asked, "--min-words", 12)[0] == 130
    assert call("verify", tmp_path / "out.signed.json")[0] == 1
    assert call(*asked, "--min-words", 12)[0] == 0
    assert call("verify", tmp_path / "out.signed.json")[0] == 0


def test_neither_the_work_nor_a_strangers_page_is_written_over(built, sitting, tmp_path, call):
    work, proofs = tmp_path / "work.html", tmp_path / "other.proofs"
    work.write_text(f"<html><p>{sitting[1]}</html>", "utf-8")
    proofs.mkdir()
    (proofs / "alibi.proof").write_text("")
    before = work.read_bytes()
    for page, said in ((work, "over the work"), (tmp_path / "other.html", "no signed answer")):
        code, _, err = call("trace", "--project", built[0], "--file", work, "--report", page)
        assert code == 2
        assert said in err
    assert work.read_bytes() == before
    assert [path.name for path in proofs.iterdir()] == ["alibi.proof"]


def test_the_project_itself_stays_sound_after_a_report(built, sitting, tmp_path, call):
    (tmp_path / "work.txt").write_text(sitting[1], "utf-8")
    report = tmp_path / "out.html"
    assert call("trace", "--project", built[0], "--file", tmp_path / "work.txt", "--report", report)[0] == 0
    assert call("verify", built[0])[0] == 0


def test_who_has_no_key_signs_nothing_and_writes_nothing(copy, tmp_path, call):
    (copy / ".hemicycle" / "solo.key").unlink()
    (tmp_path / "work.txt").write_text(ABSENT, "utf-8")
    words = ("trace", "--project", copy, "--file", tmp_path / "work.txt")
    code, out, err = call(*words, "--report", tmp_path / "out.html")
    assert (code, out) == (1, "")
    assert "the private key of this ledger is missing" in err
    assert sorted(path.name for path in tmp_path.glob("out*")) == []
    assert call(*words)[0] == 0
