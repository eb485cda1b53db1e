"""The signed trace: it says what was found and what was not, and no byte of it can be changed unseen."""

import base64
import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes, sha256_file
from hemicycle.documents import Document
from hemicycle.errors import DeclarationError
from hemicycle.ledger.signatures import SigningKey
from hemicycle.ledger.statements import PAYLOAD_TYPE
from hemicycle.store import write_aside
from hemicycle.trace.claims import limits, outcome, words
from hemicycle.trace.signed import (
    PREDICATE_TYPE,
    beside,
    check_signed_trace,
    refuse_to_write_over,
    require_room,
    stale_proofs,
)
from tests.trace.signed import Publisher
from tests.trace.test_works import BRIDGE, RIVER, WELL

ABSENT = "Un poème que personne ici n'a lu, ni ce soir ni hier, et dont nul ne parle."


def publisher_of(folder, write_corpus, **options):
    sources = {
        "contes": [Document("puits", f"{WELL} {RIVER}"), Document("pont", f"{BRIDGE} {RIVER}")],
        "notes": [Document("note", f"Une note. {RIVER} Fin.")],
    }
    return Publisher(folder, write_corpus(folder / "corpus", sources, held_out={"contes:pont"}), **options)


@pytest.fixture(scope="module")
def publisher(tmp_path_factory, write_corpus):
    return publisher_of(tmp_path_factory.mktemp("publisher"), write_corpus)


@pytest.fixture(scope="module")
def found(tmp_path_factory, publisher):
    """The report of a work of which a part stands in two documents."""
    folder = tmp_path_factory.mktemp("found")
    (folder / "work.txt").write_text(f"{ABSENT} {RIVER}")
    publisher.report(folder / "out.html", f"{ABSENT} {RIVER}", sha256=sha256_file(folder / "work.txt"))
    return folder


@pytest.fixture(scope="module")
def absent(tmp_path_factory, publisher):
    """The report of a work of which nothing was found."""
    folder = tmp_path_factory.mktemp("absent")
    publisher.report(folder / "out.html", ABSENT)
    return folder


def check(folder, work=None):
    findings, facts = check_signed_trace(folder / "out.signed.json", work)
    return [f"{f.file.rpartition('/')[2]}: {f.what}" for f in findings], facts


def payload(folder):
    return json.loads(base64.b64decode(json.loads((folder / "out.signed.json").read_bytes())["payload"]))


def test_what_was_found_holds_with_its_proofs_and_is_about_the_work(found, publisher):
    findings, facts = check(found, found / "work.txt")
    assert findings == []
    assert facts["proofs"] == 2
    assert facts["fingerprint"] == publisher.ledger.public_key.fingerprint
    assert facts["says"].startswith("15 of 33 words (45.5%) stand in passages of 8 words or more")
    assert "other 18 words were found in no such passage" in facts["says"]
    (found / "other.txt").write_text("autre")
    assert check(found, found / "other.txt")[0] == ["other.txt: this is not the file that was traced"]


def test_not_found_says_what_was_searched_and_no_more(absent, publisher):
    findings, facts = check(absent)
    assert findings == []
    assert facts["says"] == (
        "No passage of 8 words or more of this work was found, word for word, in the training text that was "
        "searched."
    )
    assert facts["searched"].startswith("the training split of debats, 2 documents, 52 words, c0c0")
    for limit in ("Paraphrase and translation are not found", "held out", "other projects", "not a proof"):
        assert limit in facts["limits"]
    predicate = payload(absent)["predicate"]
    assert predicate["found"] == {"words": 0, "share": 0.0, "passages": 0, "stretches": [], "documents": 0}
    assert predicate["searched"]["index"] == publisher.tracer.index.digest
    assert predicate["says"]["fr"].startswith("Aucun passage de 8 mots ou plus de cette œuvre n’a été trouvé")


def test_what_lies_between_the_stretches_is_what_was_not_found(found):
    predicate = payload(found)["predicate"]
    assert predicate["work"]["words"] == 33
    assert predicate["found"]["stretches"] == [[18, 15]]


def test_a_model_that_began_as_a_base_says_that_its_text_is_not_known(tmp_path, write_corpus):
    publisher_of(tmp_path, write_corpus, upstream="hf:ORG/BASE").report(tmp_path / "out.html", ABSENT)
    findings, facts = check(tmp_path)
    assert findings == []
    assert "began as hf:ORG/BASE, whose training text is not known" in facts["limits"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_changed_byte_anywhere_is_found(found, absent, tmp_path_factory, data):
    origin = data.draw(st.sampled_from([found, absent]))
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(origin, folder, dirs_exist_ok=True)
    files = [folder / "out.signed.json", folder / "out.html", *folder.glob("out.proofs/*")]
    file = data.draw(st.sampled_from(files))
    whole = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    file.write_bytes(whole)
    assert check(folder)[0], f"{file.name}, byte {at}"


@pytest.mark.parametrize("name", ["out.html", "out.proofs/0002.proof"])
def test_what_is_missing_or_a_link_is_named(found, tmp_path, name):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    (finding,) = check(tmp_path)[0]
    assert finding.startswith(name.rpartition("/")[2])
    (tmp_path / name).symlink_to(found / name)
    assert "no ordinary file" in check(tmp_path)[0][0]


def test_proofs_that_stand_for_one_another_are_named(found, tmp_path):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    first, second = (tmp_path / "out.proofs" / name for name in ("0001.proof", "0002.proof"))
    first.write_bytes(second.read_bytes())
    assert check(tmp_path)[0] == ["0001.proof: it differs from what was signed"]


def test_a_statement_signed_anew_by_another_key_shows_its_fingerprint_and_its_proofs_do_not_fit(
    found, tmp_path
):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    key = SigningKey.load_or_make(tmp_path / "key")
    statement = payload(found)
    statement["predicate"]["ledger"]["public_key"] = key.public.line.decode()
    (tmp_path / "out.signed.json").write_bytes(key.seal(statement, PAYLOAD_TYPE))
    findings, facts = check(tmp_path)
    assert facts["fingerprint"] == key.public.fingerprint
    assert len(findings) == 2
    assert all("not by SHA256:" in finding for finding in findings)


CHANGES = {
    "figures": lambda p: p["predicate"]["found"].update(words=33, share=1.0),
    "share": lambda p: p["predicate"]["found"].update(share=0.0),
    "past the end": lambda p: p["predicate"]["found"].update(stretches=[[19, 15]]),
    "out of order": lambda p: p["predicate"]["found"].update(stretches=[[20, 8], [16, 7]]),
    "no words": lambda p: p["predicate"]["work"].update(words=0),
    "path": lambda p: p["predicate"].update(page="../../etc/passwd"),
    "type": lambda p: p.update(predicateType="urn:hemicycle:release:v1"),
    "subject": lambda p: p.update(subject=[]),
    "documents": lambda p: p["predicate"].update(documents=7),
    "says": lambda p: p["predicate"].update(says={"en": ["a"]}),
    "says more": lambda p: p["predicate"]["says"].update(en="This work is not in there."),
    "says more in French": lambda p: p["predicate"]["says"].update(fr="Cette œuvre n’y est pas."),
    "a limit less": lambda p: p["predicate"]["limits"]["fr"].pop(),
    "shortest match": lambda p: p["predicate"]["searched"].update(min_words=4),
    "no base": lambda p: p["predicate"]["searched"].update(upstream_unknown="a base"),
    "nothing": lambda p: p.update(predicate=None),
    "corpus": lambda p: p["predicate"]["searched"]["corpora"][0].update(name={}),
    "no passages": lambda p: p["predicate"]["found"].update(passages=0),
    "fewer passages than stretches": lambda p: p["predicate"]["found"].update(
        stretches=[[0, 8], [9, 8]], words=16, share=16 / 33, passages=1
    ),
    "no documents": lambda p: p["predicate"]["found"].update(documents=0),
    "fewer documents than listed": lambda p: p["predicate"]["found"].update(documents=1),
    "none listed": lambda p: p["predicate"].update(documents=[]),
    "negative shortest": lambda p: p["predicate"]["searched"].update(min_words=-3),
    "no shortest": lambda p: p["predicate"]["searched"].pop("min_words"),
    "shortest longer than stretches": lambda p: p["predicate"]["searched"].update(min_words=16),
    "a document's words": lambda p: p["predicate"]["documents"][0].update(words=16),
    "a document's words too few": lambda p: p["predicate"]["documents"][0].update(words=7),
    "a document's words as text": lambda p: p["predicate"]["documents"][0].update(words="15"),
    "a document without id": lambda p: p["predicate"]["documents"][0].pop("id"),
    "a document's source": lambda p: p["predicate"]["documents"][0].update(source=1),
    "fractions": lambda p: p["predicate"]["found"].update(stretches=[[18.0, 15.0]]),
    "halves": lambda p: p["predicate"]["found"].update(stretches=[[17.5, 7.5], [26.0, 7.5]]),
    "truth": lambda p: p["predicate"]["work"].update(running_heads=False),
    "touching": lambda p: p["predicate"]["found"].update(
        stretches=[[17, 8], [25, 8]], words=16, share=16 / 33
    ),
    "negative words": lambda p: p["predicate"]["searched"]["corpora"][0].update(words=-5),
    "documents as text": lambda p: p["predicate"]["searched"]["corpora"][0].update(documents="all"),
    "no corpora": lambda p: p["predicate"]["searched"].update(corpora=[]),
    "corpora by name": lambda p: p["predicate"]["searched"].update(corpora={}),
    "a corpus twice": lambda p: p["predicate"]["searched"]["corpora"].insert(
        0, p["predicate"]["searched"]["corpora"][0] | {"digest": 32 * "00"}
    ),
    "split": lambda p: p["predicate"]["searched"].update(split="held-out"),
    "no model": lambda p: p["predicate"]["searched"].pop("model"),
    "model without digest": lambda p: p["predicate"]["searched"]["model"].pop("digest"),
    "base": lambda p: p["predicate"]["searched"].update(upstream_unknown={"x": 1}),
    "digest": lambda p: p["predicate"]["searched"].update(index=64 * "A"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_hostile_statement_with_a_good_signature_is_refused_and_reads_nothing(
    found, tmp_path, change, publisher
):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    statement = payload(found)
    change(statement)
    (tmp_path / "out.signed.json").write_bytes(publisher.ledger.signing_key.seal(statement, PAYLOAD_TYPE))
    (finding,) = check(tmp_path)[0]
    assert finding.startswith("out.signed.json: this is not a signed trace of Hemicycle")


CONTRADICTIONS = {
    "a kind that is none": lambda p: p["work"].update(kind="cause"),
    "another kind that is none": lambda p: p["work"].update(kind="base"),
    "a kind without a limit": lambda p: p["work"].update(kind="signed"),
    "no kind": lambda p: p["work"].update(kind=""),
    "running heads of a text": lambda p: p["work"].update(running_heads=7),
    "empty corpora": lambda p: p["searched"]["corpora"][0].update(documents=0, words=0),
    "words in no documents": lambda p: p["searched"]["corpora"][0].update(documents=0),
    "documents without words": lambda p: p["searched"]["corpora"][0].update(words=0),
    "a corpus too short": lambda p: p["searched"]["corpora"][0].update(words=15),
    "more documents than searched": lambda p: p["found"].update(documents=3),
    "more documents listed of a corpus than it has": lambda p: p["searched"].update(
        corpora=[
            p["searched"]["corpora"][0] | {"documents": 1},
            p["searched"]["corpora"][0] | {"name": "b"},
        ]
    ),
    "more passages than may be": lambda p: p["found"].update(passages=9),
    "documents that hold too little": lambda p: [one.update(words=7) for one in p["documents"]],
    "documents that together hold too little": lambda p: (
        p["found"].update(stretches=[[0, 20]], words=20, share=20 / 33),
        [one.update(words=9) for one in p["documents"]],
    ),
    "no document that holds the passage": lambda p: [one.update(words=8) for one in p["documents"]],
    "a document twice": lambda p: p["documents"][1].update(id=p["documents"][0]["id"]),
    "no head": lambda p: p["ledger"].update(head=None),
    "a head that is none": lambda p: p["ledger"].update(head="the last line"),
    "governance": lambda p: p["ledger"].update(governance="royal"),
    "governance of another type": lambda p: p["ledger"].update(governance={"x": 1}),
    "tomorrow": lambda p: p["made"].update(signed="tomorrow"),
    "a time of nowhere": lambda p: p["made"].update(signed="2026-01-01T00:00:00"),
    "a day": lambda p: p["made"].update(signed="2026-01-01"),
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_signer_who_contradicts_himself_is_refused_though_his_sentences_fit(
    found, tmp_path, change, publisher
):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    statement = payload(found)
    predicate = statement["predicate"]
    change(predicate)
    work, shortest = predicate["work"], predicate["searched"]["min_words"]
    if f"limit_{work['kind']}" in words("en"):
        for language in ("fr", "en"):
            predicate["says"][language] = outcome(
                work["words"], predicate["found"]["words"], shortest, language
            )
            predicate["limits"][language] = limits(
                shortest, work["kind"], work["running_heads"], None, language
            )
    (tmp_path / "out.signed.json").write_bytes(publisher.ledger.signing_key.seal(statement, PAYLOAD_TYPE))
    (finding,) = check(tmp_path)[0]
    assert finding.startswith("out.signed.json: this is not a signed trace of Hemicycle")


def test_of_nothing_found_corpora_that_are_empty_are_no_contradiction(absent, tmp_path, publisher):
    shutil.copytree(absent, tmp_path, dirs_exist_ok=True)
    statement = payload(absent)
    corpora = statement["predicate"]["searched"]["corpora"]
    corpora[0].update(documents=0, words=0)
    corpora += [corpora[0] | {"name": "b", "documents": 1, "words": 1}]
    (tmp_path / "out.signed.json").write_bytes(publisher.ledger.signing_key.seal(statement, PAYLOAD_TYPE))
    findings, facts = check(tmp_path)
    assert findings == []
    assert facts["searched"].startswith("the training split of debats, 0 documents, 0 words, c0c0")
    assert "; b, 1 document more, 1 word, c0c0" in facts["searched"]


def test_a_work_that_says_the_same_again_and_again_may_be_longer_than_what_holds_it(tmp_path, publisher):
    work = publisher.report(tmp_path / "out.html", 20 * f"{RIVER} ")
    assert work.documents[0].words > sum(publisher.tracer.index.lengths)
    assert check(tmp_path)[0] == []


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"payload": "e30="}', b"\xff\xfe", b"null"])
def test_any_other_file_is_none(tmp_path, data):
    (tmp_path / "out.signed.json").write_bytes(data)
    (finding,) = check(tmp_path)[0]
    assert finding.startswith("out.signed.json: this is not a signed trace of Hemicycle: ")
    for python in ("Error", "'", "codec", "indices", "unpack"):
        assert python not in finding


def test_what_a_broken_file_lacks_is_said(tmp_path):
    for data, said in (
        (b"{}", "it has no “payload”"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"null", "a part of it is of another kind than it should be"),
        (b"\xff\xfe", "it is not JSON"),
        (b'{"payload": "a"}', "what it carries is not base64"),
    ):
        (tmp_path / "out.signed.json").write_bytes(data)
        assert check(tmp_path)[0][0].endswith(f": {said}")


def test_a_stray_file_among_the_proofs_is_named(found, tmp_path):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    shutil.copy(tmp_path / "out.proofs" / "0001.proof", tmp_path / "out.proofs" / "0003.proof")
    (tmp_path / "out.proofs" / "note.txt").write_text("")
    assert check(tmp_path)[0] == [
        f"{name}: the statement does not name this file" for name in ("0003.proof", "note.txt")
    ]


def test_a_report_is_written_over_one_about_the_same_work_only(found, tmp_path):
    work, page = tmp_path / "work.txt", tmp_path / "out.html"
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    about = sha256_file(work)
    refuse_to_write_over(page, work, about)
    refuse_to_write_over(tmp_path / "none.html", work, about)
    with pytest.raises(DeclarationError, match=r"about another work, work\.txt") as caught:
        refuse_to_write_over(page, work, "ab" * 32)
    assert "another name" in caught.value.remedy
    (tmp_path / "out.signed.json").write_text("{}")
    with pytest.raises(DeclarationError, match=r"out\.signed\.json.*no signed answer"):
        refuse_to_write_over(page, work, about)
    # A page, or a folder of this name, may be anybody's.
    for name in ("out.signed.json", "out.html"):
        (tmp_path / name).unlink()
        with pytest.raises(DeclarationError, match="no signed answer"):
            refuse_to_write_over(page, work, about)
    shutil.rmtree(tmp_path / "out.proofs")
    refuse_to_write_over(page, work, about)


@pytest.mark.parametrize("name", ["out.html", "out.signed.json", "out.proofs/0001.proof"])
def test_a_report_is_not_written_over_the_work_by_any_name_of_it(tmp_path, name):
    work = tmp_path / "work"
    work.write_text("mot")
    (tmp_path / "out.proofs").mkdir()
    (tmp_path / name).hardlink_to(work)
    with pytest.raises(DeclarationError, match="over the work"):
        refuse_to_write_over(tmp_path / "out.html", work, sha256_file(work))


def test_a_folder_of_proofs_that_is_a_link_is_neither_written_nor_read(found, tmp_path):
    shutil.copytree(found, tmp_path, dirs_exist_ok=True)
    (tmp_path / "out.proofs").rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "secret").write_text("")
    (tmp_path / "out.proofs").symlink_to(tmp_path / "elsewhere")
    assert check(tmp_path)[0] == ["out.proofs: this is a link: the proofs must lie beside the statement"]
    with pytest.raises(DeclarationError, match="no signed answer"):
        refuse_to_write_over(tmp_path / "out.html", tmp_path / "work.txt", sha256_file(found / "work.txt"))


def test_only_proofs_are_taken_away(tmp_path):
    stale = (".0001.proof.4242.aside", "0002.proof", "12345.proof")
    for name in (*stale, "0001.proof", "1.proof", "my.proof", "0003.proof.bak", ".my.proof.1.aside"):
        (tmp_path / name).write_text("")
    assert sorted(path.name for path in stale_proofs(tmp_path, {"0001.proof"})) == list(stale)
    assert stale_proofs(tmp_path / "none", ()) == []


def test_where_no_report_can_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    for name in ("a.html", f"{200 * 'a'}.html", "new/folder/a.html"):
        require_room(tmp_path / name)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "nowhere"]
    for name in (
        "file/a.html",
        "file/b/a.html",
        "link/a.html",
        "nowhere/a.html",
        f"{244 * 'a'}.html",
        f"{122 * 'é'}.html",
        f"new/{244 * 'a'}.html",
        f"{256 * 'a'}/b/a.html",
        30 * f"{200 * 'a'}/" + "a.html",
    ):
        with pytest.raises(DeclarationError, match="no report can be written there: ") as caught:
            require_room(tmp_path / name)
        assert "another folder" in caught.value.remedy


def test_the_longest_name_that_is_let_pass_can_be_written(tmp_path):
    for length in range(200, 250):
        page = tmp_path / f"{length * 'a'}.html"
        try:
            require_room(page)
        except DeclarationError:
            break
        write_aside(beside(page)[0], b"")
    assert 210 < length < 249


def test_names_say_what_stands_beside_what(tmp_path):
    page = tmp_path / "a.b.html"
    assert [path.name for path in beside(page)] == ["a.b.signed.json", "a.b.proofs"]
    with pytest.raises(DeclarationError, match=r"must end in \.html"):
        beside(tmp_path / "report.pdf")
    with pytest.raises(DeclarationError, match=r"r\\udce9\.html: the name is not UTF-8"):
        beside(tmp_path / "r\udce9.html")
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(DeclarationError, match=r"ends in \.signed\.json"):
        check_signed_trace(tmp_path / "a.json")


def test_the_sentences_of_a_statement_belong_to_its_type():
    sentences = {
        key: (english, words("fr")[key])
        for key, english in words("en").items()
        if key.startswith(("found_", "rest", "limit_"))
    }
    pinned = "05f17b62f6ae6f98c61d13e6674dfd23236b3dabb930831ccce826b0851f4759"
    assert sha256_bytes(json.dumps(sentences, sort_keys=True).encode()) == pinned, (
        "statements signed until now would be refused: give another sentence a statement of another type"
    )
    assert PREDICATE_TYPE.endswith(":v1")
