"""A withdrawal that is decided and not made yet: answers hide it at once, and nothing it needs is deleted."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from hemicycle.cli import asking
from hemicycle.cli.session import Session
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.flow.corpora import _sound_indexes
from hemicycle.gate import Gate
from hemicycle.governance import decisions, write_decision
from hemicycle.trace import Index, open_index


def indexed(folder):
    """Ids of the documents in the index, in its order."""
    (index,) = (folder / "build" / "index").iterdir()
    return open_index(index).documents["id"].to_pylist()


def decide(folder, documents):
    """What `withdraw --do` decides before it makes anything."""
    session = Session(folder)
    gate = session.flow.gate
    decision = gate.draft("withdraw", "sittings", {"documents": documents}, "test")
    write_decision(gate.approvals, decision)
    with session.pipeline().exclusive():
        session.admit()


@pytest.fixture
def opened(monkeypatch):
    """Which documents were hidden whenever an index was opened to be asked."""
    hidden, without = [], Index.without

    def tell(self, documents):
        if documents:
            hidden.append(list(documents))
        return without(self, documents)

    monkeypatch.setattr(Index, "without", tell)
    return hidden


def test_what_was_built_before_is_asked_with_the_documents_hidden(copy, opened):
    ids = indexed(copy)
    decide(copy, {ids[0]: "0"})
    asked = asking.open_model(Session(copy), None)
    assert asked.folder.parent.name == "model"
    assert opened == [[ids[0]]]


def test_all_documents_of_a_whole_source_are_hidden(copy, opened):
    ids = indexed(copy)
    decide(copy, "all")
    asking.open_model(Session(copy), None)
    assert opened == [ids]


def test_trace_finds_nothing_of_it_any_more(copy, call):
    ids = indexed(copy)
    corpus = next((copy / "build" / "corpus").iterdir())
    rows = [r for p in (corpus / "kept").rglob("*.parquet") for r in pq.read_table(p).to_pylist()]
    text = " ".join(next(row["text"] for row in rows if row["id"] == ids[0]).split()[100:140])
    assert "[sittings]" in call("trace", text, "--project", copy)[1]
    decide(copy, {ids[0]: "0"})
    said = call("trace", text, "--project", copy)[1]
    assert "[sittings]" not in said
    assert "1 document was withdrawn since the index was made: nothing of it is shown, and petit may" in said
    work = copy / "work.txt"
    work.write_text(text, "utf-8")
    assert "1 document was withdrawn since" in call("trace", "--file", work, "--project", copy)[1]


@pytest.fixture
def served(copy):
    """A function that opens a server's tracer, and one that says which documents it tells of, asked with the
    text of the first in the index."""
    asked = asking.open_model(Session(copy), None)
    text = asked.tracer._texts.fetch([0])[0].text[1000:1400]
    tracer = asking.Watched(asked)

    def told(tracer=tracer):
        spans = tracer.trace(text, prompt="", min_words=8).spans
        return {document.id for span in spans for document in span.documents}

    return lambda: asking.Watched(asked), told


def test_a_server_that_runs_hides_it_with_its_next_answer(copy, served):
    _, told = served
    ids = indexed(copy)
    assert ids[0] in told()
    decide(copy, {ids[0]: "0"})
    assert ids[0] not in told()


def test_a_decision_between_opening_and_the_first_answer_is_seen(copy, served):
    opened, told = served
    ids = indexed(copy)
    decide(copy, {ids[0]: "0"})
    assert ids[0] not in told(opened())


def test_of_two_looks_at_once_the_earlier_undoes_nothing(copy, served, monkeypatch):
    opened, told = served
    ids, tracer = indexed(copy), opened()
    assert ids[0] in told(tracer)
    slow, go, found = threading.Event(), threading.Event(), asking._withdrawn_of

    def slowly(index, withdrawn):
        if not slow.is_set():
            slow.set()
            assert go.wait(60)
        return found(index, withdrawn)

    monkeypatch.setattr(asking, "_withdrawn_of", slowly)
    decide(copy, {ids[1]: "0"})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(told, tracer)
        assert slow.wait(60)
        decide(copy, {ids[0]: "0"})
        second = pool.submit(told, tracer)
        time.sleep(0.2)
        go.set()
        first.result()
        assert ids[0] not in second.result()
    assert ids[0] not in told(tracer)


def test_a_declaration_that_somebody_edits_stops_no_answer(copy, served):
    _, told = served
    ids = indexed(copy)
    (copy / "hemicycle.toml").write_text("half a li", "utf-8")
    assert ids[0] in told()


def test_nothing_is_answered_where_nobody_can_say_what_is_withdrawn(copy, served):
    _, told = served
    told()
    journal = copy / "ledger" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b"no line of a journal\n")
    with pytest.raises(HemicycleError, match="nothing is answered"):
        told()
    journal.rename(copy / "away")
    with pytest.raises(HemicycleError, match="nothing is answered") as caught:
        told()
    assert "once it is mended, answers come again" in caught.value.remedy
    whole = (copy / "away").read_bytes().removesuffix(b"no line of a journal\n")
    journal.write_bytes(whole)
    assert told()


def test_what_is_withdrawn_is_read_again_after_a_while_though_nobody_wrote(copy, served, monkeypatch):
    opened, told = served
    ids, tracer = indexed(copy), opened()
    assert ids[0] in told(tracer)
    monkeypatch.setattr(asking.Flow, "withdrawn", {"sittings": None})
    assert ids[0] in told(tracer)
    tracer._until = 0
    assert told(tracer) == set()


def test_a_decision_that_has_to_wait_hides_from_the_moment_it_is_in_force(copy, served, monkeypatch):
    opened, told = served
    ids, tracer = indexed(copy), opened()
    begin, clock = decisions.now_utc(), [0.0]
    monkeypatch.setattr(asking.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(decisions, "now_utc", lambda: begin + timedelta(seconds=clock[0]))
    effective = begin + timedelta(seconds=20)

    def decided(self):
        state = "standing" if self.now() >= effective else "cooling"
        decision = SimpleNamespace(subject="sittings", params={"documents": "all"}, kind="withdraw")
        entry = SimpleNamespace(entered=begin)
        return [SimpleNamespace(state=state, effective=effective, decision=decision, entry=entry)]

    monkeypatch.setattr(Gate, "decided_withdrawals", decided)
    monkeypatch.setattr(
        asking.Flow,
        "withdrawn",
        property(lambda self: dict.fromkeys(["sittings"] * len(self.gate.withdrawals()))),
    )
    for second, hides in ((0, False), (19.9, False), (20, True), (21, True)):
        clock[0] = second
        assert (ids[0] not in told(tracer)) == hides, second


def test_a_server_whose_corpus_was_deleted_says_to_start_it_again(copy, served):
    _, told = served
    asked = asking.open_model(Session(copy), None)
    shutil.rmtree(copy / "build" / "corpus")
    with pytest.raises(IntegrityError, match="not here any more"):
        told(asking.Watched(asked))


def test_nothing_is_signed_of_an_index_that_still_holds_what_is_withdrawn(copy, call):
    (copy / "work.txt").write_text("Un texte que personne n'a lu, de douze mots bien comptés ici.", "utf-8")
    decide(copy, {indexed(copy)[0]: "0"})
    report = ("trace", "--file", copy / "work.txt", "--project", copy)
    code, out, _ = call(*map(str, report))
    assert code == 0, out
    code, _, err = call(*map(str, report), "--report", str(copy / "report.html"))
    assert code == 1
    assert "still holds them" in err
    assert not list(copy.glob("report*"))


def test_what_is_still_asked_is_not_garbage(copy, call, opened):
    ids = indexed(copy)
    decide(copy, {ids[0]: "0"})
    code, _, err = call("curate", "--project", copy)
    assert code == 0, err
    code, out, _ = call("gc", copy)
    assert code == 0
    assert "nothing to delete" in out
    asking.open_model(Session(copy), None)
    assert opened[-1] == [ids[0]]


def test_a_project_that_is_declared_anew_is_still_refused_as_not_built(copy, call):
    toml = copy / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8").replace("vocab = 512", "vocab = 500"), "utf-8")
    ids = indexed(copy)
    decide(copy, {ids[0]: "0"})
    code, _, err = call("trace", "une séance", "--project", copy)
    assert code == 1
    assert "is not built" in err


def test_shards_are_taken_over_of_no_index_that_was_altered_together_with_its_manifest(copy):
    flow = Session(copy).flow
    (index,) = (copy / "build" / "index").iterdir()
    assert _sound_indexes(flow) == [index]
    (index / "manifest.json").write_bytes((index / "manifest.json").read_bytes() + b" ")
    assert _sound_indexes(flow) == []
