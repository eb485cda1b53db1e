"""The verb: what it refuses, what it shows, what it changes and what it leaves alone."""

import json

import pyarrow.parquet as pq
import pytest

from hemicycle.cli.session import Session
from hemicycle.governance import Refusal, write_decision
from tests.withdraw.toy import letter


@pytest.fixture
def copied(project, call):
    """Four letters, one of them twice, if otherwise spaced, and a corpus of them; nothing is trained."""
    for name, number in (("0", 0), ("1", 1), ("2", 2), ("3", 0), ("autre", 4)):
        text = letter(number).replace(", ", ",   ") if name == "3" else letter(number)
        (project / "textes" / f"{name}.txt").write_text(text, "utf-8")
    toml = project / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + 'held_out = 0.0\nrules = ["conversation"]\n', "utf-8")
    code, _, err = call("curate", "--project", project)
    assert code == 0, err
    return project


def state(folder):
    files = (p for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts)
    return {p.relative_to(folder): p.read_bytes() for p in files}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing is named"),
        (("textse",), "Did you mean “textes”?"),
        (("textes:autr.txt",), "Did you mean “textes:autre.txt”?"),
        (("textes", "--do"), "needs a reason"),
        (("textes", "--notice", "en", "--json"), "--notice and --json cannot both be meant"),
        (("textes", "--notice", "en", "--do", "--reason", "x"), "--notice and --do cannot both be meant"),
    ],
)
def test_what_cannot_be_withdrawn_is_said_and_changes_nothing(copied, call, words, said):
    before = state(copied)
    code, out, err = call("withdraw", "--project", copied, *words)
    assert code == 2
    assert said in (out if "--json" in words else err)
    assert state(copied) == before


def test_where_nothing_was_made_there_is_nothing_to_withdraw(project, call):
    words = ("withdraw", "--project", project, "textes", "--do", "--reason", "x")
    code, _, err = call(*words)
    assert code == 2
    assert "nothing was made here yet" in err
    # A run that failed at its first source began a ledger, and made nothing.
    (project / "textes").rename(project / "ailleurs")
    assert call("curate", "--project", project)[0] == 1
    code, _, err = call(*words)
    assert code == 2
    assert "nothing was made here yet" in err


def test_without_do_it_shows_what_was_made_and_changes_nothing(copied, call):
    before = state(copied)
    code, out, _ = call("withdraw", "--project", copied, "textes:autre.txt")
    assert code == 0
    assert "corpus lettres: 1 to train on" in out
    assert "there is no index" in out
    assert "Nothing was changed" in out
    assert state(copied) == before


def test_one_object_of_json_holds_all_of_it(copied, call):
    code, out, _ = call("withdraw", "--project", copied, "textes:0.txt", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["copies"] is None
    assert told["withdrawn"] is False
    assert set(told["notice"]) == {"en", "fr"}
    (corpus,) = told["impact"]["corpora"]
    assert corpus["train"] == 1


def test_decisions_between_copies_that_rested_on_a_text_are_told(copied, call):
    def copies(document):
        said = json.loads(call("withdraw", "--project", copied, document, "--json")[1])
        return [(c["document"], c["instead"], c["stays"]) for c in said["impact"]["copies"]]

    assert copies("textes:0.txt") == [("textes:3.txt", "textes:0.txt", False)]
    assert copies("textes:3.txt") == [("textes:3.txt", "textes:0.txt", True)]
    assert copies("textes:autre.txt") == []


def test_a_withdrawal_is_for_good_and_takes_one_row_out(copied, call):
    (before,) = (copied / "build" / "corpus").iterdir()
    words = ("withdraw", "--project", copied, "textes:0.txt", "--do")
    code, out, err = call(*words, "--reason", "Lettre de l'auteur", "--json")
    assert code == 0, err
    assert json.loads(out)["withdrawn"]
    (after,) = set((copied / "build" / "corpus").iterdir()) - {before}
    ids = {
        part: {
            f: pq.read_table(f).column("id").to_pylist() for f in sorted((after / part).rglob("*.parquet"))
        }
        for part in ("kept", "dropped")
    }
    assert "textes:0.txt" not in str(ids)
    # The copy that went in its favour stays gone: it is the same text.
    assert "textes:3.txt" in str(ids["dropped"])
    assert pq.read_table(after / "withdrawn.parquet")["id"].to_pylist() == ["textes:0.txt"]
    code, out, _ = call(*words)
    assert code == 0
    assert "withdrawn before: textes:0.txt" in out
    assert "everything stands without it already; nothing was done" in out
    (decision,) = (copied / "approvals").iterdir()
    assert json.loads(decision.read_text("utf-8"))["reason"] == "Lettre de l'auteur"
    assert call("verify", copied)[0] == 0

    decision.rename(copied / "elsewhere.json")
    code, _, err = call("curate", "--project", copied)
    assert code == 1
    assert "the journal names this file; it is missing" in err
    assert call("verify", copied)[0] == 1


def test_a_decision_that_a_killed_command_left_enters_with_the_next(copied, call, monkeypatch):
    from hemicycle.ledger import Ledger

    enter = Ledger.enter

    def killed(self, kind, content):
        if kind == "decision":
            raise KeyboardInterrupt
        enter(self, kind, content)

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "enter", killed)
        code, _, _ = call("withdraw", "--project", copied, "textes:0.txt", "--do", "--reason", "x")
        assert code == 130
    code, out, err = call("withdraw", "--project", copied, "textes:0.txt", "--do", "--json")
    assert code == 0, err
    assert json.loads(out)["withdrawn"]
    assert len(list((copied / "approvals").iterdir())) == 1


def test_two_notices_are_written_as_of_the_decision(copied, call):
    call("withdraw", "--project", copied, "textes:autre.txt", "--do", "--reason", "Demande du 3 mars")
    pages = sorted((copied / "notices").iterdir())
    assert [page.suffixes[-2:] for page in pages] == [[".en", ".md"], [".fr", ".md"]]
    assert all("Demande du 3 mars" in page.read_text("utf-8") for page in pages)
    code, out, _ = call("withdraw", "--project", copied, "textes:1.txt", "--notice", "fr")
    assert code == 0
    assert out.startswith("# Retrait de textes : essai\n")


def test_what_was_decided_stays_as_it_was_told_whoever_asks_again(copied, call):
    words = ("withdraw", "--project", copied, "textes:1.txt", "textes:autre.txt", "--do")
    call(*words, "--reason", "Demande du 3 mars")
    pages = {page: page.read_bytes() for page in (copied / "notices").iterdir()}
    code, out, err = call(*words, "--reason", "Autre motif", "--json")
    assert code == 0
    assert "the reason that stands: Demande du 3 mars" in err
    assert sorted(json.loads(out)["notice"].values()) == sorted(p.decode() for p in pages.values())
    # One of the two alone is decided already: there is nothing to publish besides.
    code, out, _ = call("withdraw", "--project", copied, "textes:1.txt", "--do")
    assert code == 0
    assert "nothing was done" in out
    assert "notice" not in out
    assert {page: page.read_bytes() for page in (copied / "notices").iterdir()} == pages
    assert len(list((copied / "approvals").iterdir())) == 1


def test_copies_that_went_in_favour_of_a_text_are_named_before_the_rest(copied, call):
    def said(document):
        return call("withdraw", "--project", copied, document)[1].splitlines()

    assert said("textes:0.txt")[1].startswith("also in textes:3.txt: dropped as a copy of this text;")
    assert "also in textes:0.txt: kept, where a copy of it" in said("textes:3.txt")[1]
    assert "name those that are to go too" in said("textes:0.txt")[2]
    assert "also in" not in "".join(said("textes:autre.txt"))


def test_what_a_tokenizer_learnt_from_is_known_after_its_corpus_was_deleted(copied, call):
    toml = copied / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + '\n[tokenizers.fr]\ncorpus = "lettres"\nvocab = 320\n', "utf-8")
    assert call("tokenize", "--project", copied)[0] == 0

    def saw(document):
        said = json.loads(call("withdraw", "--project", copied, document, "--json")[1])
        return [one["saw"] for one in said["impact"]["tokenizers"]]

    documents = [f"textes:{name}.txt" for name in ("0", "1", "3", "autre")]
    before = [saw(document) for document in documents]
    call("withdraw", "--project", copied, "textes:autre.txt", "--do", "--reason", "x")
    assert call("gc", copied)[0] == 0
    assert len(list((copied / "build" / "corpus").iterdir())) == 1
    assert [saw(document) for document in documents] == before == [[True], [True], [], [True]]


def decide(folder, documents):
    """What `--do` decides before it makes anything."""
    session = Session(folder)
    decision = session.flow.gate.draft("withdraw", "textes", {"documents": documents}, "Demande du 3 mars")
    write_decision(session.flow.gate.approvals, decision)
    with session.pipeline().exclusive():
        session.admit()


def test_status_lists_what_is_withdrawn_and_what_is_still_to_be_made_without_it(copied, call):
    assert "Withdrawn" not in call("status", copied)[1]
    decide(copied, {"textes:1.txt": "0"})
    (told,) = json.loads(call("status", copied, "--json")[1])["withdrawals"]
    assert (told["source"], told["documents"]) == ("textes", ["textes:1.txt"])
    assert told["reason"] == "Demande du 3 mars"
    assert told["behind"] == ["corpus lettres"]
    said = call("status", copied)[1]
    assert f"textes, on {told['on']}: textes:1.txt (Demande du 3 mars)" in said
    assert "not up to date yet: corpus lettres" in said
    call("withdraw", "--project", copied, "textes:1.txt", "--do")
    (told,) = json.loads(call("status", copied, "--json")[1])["withdrawals"]
    assert told["behind"] == []
    assert "was made of it stands without it" in call("status", copied)[1]


def test_a_document_that_was_withdrawn_is_explained(copied, call):
    def explained(document):
        code, out, err = call("curate", "explain", document, "--project", copied)
        assert code == 0, err
        return out

    decide(copied, {"textes:1.txt": "0"})
    early = explained("textes:1.txt")
    assert "textes:1.txt was withdrawn on 20" in early
    assert ": Demande du 3 mars (approvals/withdraw-" in early
    assert "in corpus lettres: kept (train)" in early
    call("withdraw", "--project", copied, "textes:1.txt", "textes:3.txt", "--do", "--reason", "Copie")
    assert "it left corpus lettres, where it had been kept (train)" in explained("textes:1.txt")
    assert "it left corpus lettres, where it had been dropped" in explained("textes:3.txt")
    assert "withdrawn" not in explained("textes:autre.txt")
    decide(copied, "all")
    told = json.loads(call("curate", "explain", "textes:3.txt", "--project", copied, "--json")[1])
    assert [one["reason"] for one in told["withdrawn"]] == ["Copie", "Demande du 3 mars"]
    assert told["left"] == [{"corpus": "lettres", "source": "textes", "split": "dropped"}]
    assert told["corpora"] == []


def test_a_work_that_is_not_utf_8_or_was_not_trained_on_is_named(copied, call, tmp_path):
    work = tmp_path / "work.txt"
    work.write_bytes("été".encode("latin-1"))
    code, _, err = call("withdraw", "--project", copied, "--matching", work)
    assert code == 1
    assert "is not UTF-8" in err
    code, _, err = call("withdraw", "--project", copied, "--matching", work, "textes")
    assert code == 2


def test_a_withdrawal_whose_decision_does_not_enter_is_not_said_to_be_done(copied, call, monkeypatch):
    from hemicycle.governance import decisions

    monkeypatch.setattr(decisions, "LARGEST", 600)
    words = ("withdraw", "--project", copied, "--do", "--reason", "x", "--json")
    code, out, err = call(*words, "textes:0.txt", "textes:1.txt", "textes:2.txt", "textes:autre.txt")
    assert code == 1
    assert "Decide on fewer documents at once" in json.loads(out)["error"]["remedy"]
    assert not list((copied / "approvals").glob("withdraw-*"))

    # Whatever else it is refused for.
    monkeypatch.setattr("hemicycle.gate.admit_alone", lambda *_: [Refusal("withdraw-x.json", "for a reason")])
    monkeypatch.setattr(decisions, "LARGEST", 1 << 20)
    code, out, err = call(*words, "textes:0.txt")
    assert code == 3
    assert "for a reason" in err
    assert "did not enter the journal: nothing is withdrawn" in json.loads(out)["error"]["what"]
    assert len(list((copied / "build" / "corpus").iterdir())) == 1


def ids_in(folder):
    """Of the corpus that was made last."""
    corpus = max((folder / "build" / "corpus").iterdir(), key=lambda path: path.stat().st_mtime)
    paths = [*corpus.glob("kept/*/*.parquet"), *corpus.glob("dropped/*/*.parquet")]
    return sorted(one for path in paths for one in pq.read_table(path)["id"].to_pylist())


def test_what_left_the_source_since_can_be_withdrawn(copied, call):
    (copied / "textes" / "1.txt").unlink()
    assert call("collect", "--update", "textes", "--project", copied)[0] == 0
    assert call("clear", "--project", copied)[0] == 0
    code, out, err = call("withdraw", "--project", copied, "textes:1.txt", "--json")
    assert code == 0, err
    (digest,) = json.loads(out)["target"]["documents"]["textes"].values()
    assert len(digest) == 64
    assert json.loads(out)["impact"]["corpora"][0]["train"] == 1
    assert call("withdraw", "--project", copied, "textes:1.txt", "--do", "--reason", "x")[0] == 0


def test_withdrawals_add_up(copied, call):
    words = ("withdraw", "--project", copied)
    call(*words, "textes:1.txt", "--do", "--reason", "Demande de mars")
    call(*words, "textes:2.txt", "--do", "--reason", "Demande d'avril")
    both = (*words, "textes:1.txt", "textes:2.txt")
    assert json.loads(call(*both, "--json")[1])["withdrawn"]
    said = call(*both)[1]
    assert "textes, textes:1.txt: withdrawn (approvals/" in said
    assert "Nothing was changed" not in said
    assert "everything stands without it already" in call(*both, "--do")[1]
    # Of three, the third alone is still to be decided.
    code, _, err = call(*both, "textes:autre.txt", "--do", "--reason", "Demande de mai")
    assert code == 0, err
    decided = [json.loads(path.read_text("utf-8")) for path in (copied / "approvals").iterdir()]
    assert sorted(list(one["covers"]["documents"]) for one in decided) == [
        ["textes:1.txt"],
        ["textes:2.txt"],
        ["textes:autre.txt"],
    ]


def test_where_one_decision_is_too_large_none_is_written(copied, call, monkeypatch):
    from hemicycle.governance import decisions

    before = state(copied)
    monkeypatch.setattr(decisions, "LARGEST", 400)
    code, _, err = call("withdraw", "--project", copied, "textes:1.txt", "--do", "--reason", "x")
    assert code == 1
    assert "Decide on fewer documents at once" in err
    assert state(copied) == before


def test_a_text_that_comes_again_under_another_name_stays_out(copied, call):
    call("withdraw", "--project", copied, "textes:1.txt", "--do", "--reason", "x")
    (copied / "textes" / "1.txt").rename(copied / "textes" / "autrement.txt")
    (copied / "textes" / "neuf.txt").write_text(letter(9), "utf-8")
    for verb in (("collect", "--update", "textes"), ("curate",)):
        assert call(*verb, "--project", copied)[0] == 0
    assert "textes:neuf.txt" in ids_in(copied)
    assert "textes:autrement.txt" not in ids_in(copied)
    said = json.loads(call("withdraw", "--project", copied, "textes:autrement.txt", "--json")[1])
    assert said["withdrawn"]
    assert "withdrawn (approvals/" in call("withdraw", "--project", copied, "textes:autrement.txt")[1]
    assert (
        "it left corpus lettres" in call("curate", "explain", "textes:autrement.txt", "--project", copied)[1]
    )


def test_what_had_the_text_under_another_name_goes_with_it(copied, call):
    (copied / "textes" / "1.txt").rename(copied / "textes" / "autrement.txt")
    for verb in (("collect", "--update", "textes"), ("clear",)):
        assert call(*verb, "--project", copied)[0] == 0
    told = json.loads(call("withdraw", "--project", copied, "textes:autrement.txt", "--json")[1])
    assert list(told["target"]["documents"]["textes"]) == ["textes:1.txt", "textes:autrement.txt"]
    assert told["impact"]["corpora"][0]["train"] == 1


def test_a_document_of_the_same_text_goes_with_it(copied, call):
    (copied / "textes" / "1bis.txt").write_text(letter(1), "utf-8")
    for verb in (("collect", "--update", "textes"), ("curate",)):
        assert call(*verb, "--project", copied)[0] == 0
    assert "textes:1bis.txt" in ids_in(copied)
    call("withdraw", "--project", copied, "textes:1.txt", "--do", "--reason", "x")
    assert not {"textes:1.txt", "textes:1bis.txt"} & set(ids_in(copied))
    (decision,) = (copied / "approvals").iterdir()
    assert list(json.loads(decision.read_text("utf-8"))["covers"]["documents"]) == [
        "textes:1.txt",
        "textes:1bis.txt",
    ]


def test_nothing_is_decided_while_a_tokenizer_is_gone_that_would_not_come_back(copied, call):
    toml = copied / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + '\n[tokenizers.fr]\ncorpus = "lettres"\nvocab = 320\n', "utf-8")
    assert call("tokenize", "--project", copied)[0] == 0
    (tokenizer,) = (copied / "build" / "tokenizer").iterdir()
    tokenizer.rename(copied / "elsewhere")
    words = ("withdraw", "--project", copied, "textes:1.txt", "--do", "--reason", "x")
    code, _, err = call(*words)
    assert code == 1
    assert "tokenizer fr was deleted" in err
    assert not list((copied / "approvals").glob("*"))
    (copied / "elsewhere").rename(tokenizer)
    assert call(*words)[0] == 0


def test_a_reason_without_do_is_said_not_to_be_kept(copied, call):
    code, _, err = call("withdraw", "--project", copied, "textes:1.txt", "--reason", "x")
    assert (code, "nothing is decided without --do" in err) == (0, True)


def test_a_source_that_is_withdrawn_is_not_said_to_be_cleared(copied, call):
    call("withdraw", "--project", copied, "textes", "--do", "--reason", "x")
    (row,) = json.loads(call("clear", "--project", copied, "--json")[1])["sources"]
    assert row["state"] == "withdrawn"
    assert "withdrawn" in call("status", copied)[1]
