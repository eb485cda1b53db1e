"""A proof holds as it was made, and nothing in it can be changed without its receiver seeing it."""

import copy
import json
import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import canonical_json
from hemicycle.errors import DeclarationError, HemicycleError, IntegrityError
from hemicycle.flow import fingerprints, normalisation
from hemicycle.ledger import Ledger
from hemicycle.ledger.journal import make_line
from hemicycle.ledger.ledger import HEAD_TYPE
from hemicycle.ledger.proofs import LARGEST_PROOF, check_fingerprint, check_in_release, check_proof
from hemicycle.ledger.roots import TAG_SIZE
from hemicycle.ledger.signatures import SigningKey
from tests.ledger.rooted import TEXTS, make_rooted, root_of, statement_on

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
ABSENT = "Un poème que personne ici n’a lu."


@pytest.fixture(scope="module")
def rooted(tmp_path_factory):
    return make_rooted(tmp_path_factory.mktemp("rooted"))


def check(data, text):
    return check_proof(data, fingerprints(text), normalisation(), "proof")


def changed(data, change):
    """A proof with its parts changed, back in canonical form."""
    proof = json.loads(data)
    change(proof)
    return canonical_json(proof) + b"\n"


def test_every_text_of_the_corpus_is_in_with_its_split(rooted):
    for number, text in enumerate(TEXTS):
        checked = check(rooted.prove(text), text)
        assert [a.kind for a in checked.found] == ["text", "words"]
        split = "held-out" if number == 1 else "train"
        assert {a.splits for a in checked.found} == {(split,)}
        assert checked.fingerprint == rooted.ledger.public_key.fingerprint
    assert check(rooted.prove(TEXTS[1]), TEXTS[1]).sentences() == [
        "in: corpus “debats” holds this very text, held out for measuring",
        "in: corpus “debats” holds a text of the same words, held out for measuring",
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text().filter(lambda t: t not in TEXTS))
def test_any_other_text_is_not_in(rooted, text):
    checked = check(rooted.prove(text), text)
    assert not checked.found
    assert checked.sentences()[0].startswith("not in: corpus “debats”")


def test_a_text_with_other_typography_is_in_by_its_words(rooted):
    other = TEXTS[2].upper().replace("’", "'").replace(" ", "\n")
    checked = check(rooted.prove(other), other)
    assert [a.kind for a in checked.found] == ["words"]
    assert checked.sentences() == ["in: corpus “debats” holds a text of the same words, for training"]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_absence_is_proved_in_small_corpora_at_both_ends_and_in_none_at_all(tmp_path, count):
    small = make_rooted(tmp_path, {"a": TEXTS[:count]} if count else {}, held_out=())
    shown = set()
    for n in range(40):
        text = f"absent {n}"
        data = small.prove(text)
        assert not check(data, text).found
        shown |= {len(leaves) for leaves in json.loads(data)["answers"].values()}
    assert shown <= ({0} if count == 0 else {1, 2})
    assert count == 0 or 1 in shown


def test_a_digest_alone_answers_for_the_bytes_only_and_says_so(rooted):
    data = rooted.prove_about({"text": fingerprints(ABSENT)["text"]})
    assert check(data, ABSENT).sentences() == [
        "not in: corpus “debats” does not hold this very text; its words were not asked about"
    ]


def test_a_proof_on_the_publishers_bytes_holds_for_who_has_the_same_words(rooted):
    mine = TEXTS[0].replace("’", "'")
    checked = check(rooted.prove(TEXTS[0]), mine)
    assert [a.kind for a in checked.answers] == ["words"]
    assert checked.found


def test_an_absence_of_other_bytes_is_no_absence_of_mine(rooted):
    with pytest.raises(IntegrityError, match="about another text"):
        check(rooted.prove(ABSENT), ABSENT.upper())


def test_a_proof_about_another_text_says_so(rooted):
    with pytest.raises(IntegrityError, match="about another text"):
        check(rooted.prove(TEXTS[0]), TEXTS[1])
    with pytest.raises(IntegrityError, match="about another text"):
        check(rooted.prove_about({"text": fingerprints(TEXTS[0])["text"]}), TEXTS[1])


def test_words_of_another_normalisation_are_not_compared(rooted):
    with pytest.raises(IntegrityError, match="words were made by"):
        check_proof(rooted.prove(ABSENT), fingerprints(ABSENT), "cleaning 9, words 9", "proof")


def test_a_proof_shows_nothing_of_the_corpus_but_leaves_and_paths(rooted):
    for text in (ABSENT, TEXTS[0]):
        data = rooted.prove(text)
        proof = json.loads(data)
        shown = {one["tag"] for leaves in proof["answers"].values() for one in leaves}
        assert len(shown) <= 4
        assert sum(leaf[:TAG_SIZE].hex().encode() in data for leaf in rooted.opened.leaves) <= len(shown)
        assert rooted.keys.blind.hex().encode() not in data
        assert not any(word.encode() in data for word in ("Séance", "chapitre", "a:0"))


def test_a_path_shows_only_blinded_hashes_so_presence_gives_no_other_tag_away(rooted):
    proof = json.loads(rooted.prove(TEXTS[0]))
    assert all(len(leaves) == 1 for leaves in proof["answers"].values())


def test_no_byte_of_a_proof_is_free(rooted):
    text = TEXTS[0].upper()  # in by its words, not in to the byte: one answer of each kind
    data = rooted.prove(text)
    for at in range(len(data)):
        with pytest.raises(IntegrityError):
            check(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], text)


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_a_mutated_proof_is_refused_or_says_the_same(rooted, data):
    text = data.draw(st.sampled_from([ABSENT, *TEXTS]))
    whole = rooted.prove(text)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    mutant = whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:]
    try:
        assert check(mutant, text) == check(whole, text)
    except IntegrityError:
        assert mutant != whole


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*path, key))


def put(value, path, new):
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_any_json_in_any_place_of_a_proof_is_refused_or_says_the_same(rooted, data):
    text = data.draw(st.sampled_from([ABSENT, TEXTS[0]]))
    whole = rooted.prove(text)
    proof = json.loads(whole)
    place = data.draw(st.sampled_from(list(places(proof))))
    mutant = canonical_json(put(proof, place, data.draw(JSON))) + b"\n"
    try:
        assert check(mutant, text) == check(whole, text)
    except IntegrityError:
        assert mutant != whole


@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_any_json_inside_a_statement_a_line_or_a_signed_head_is_refused(rooted, tmp_path_factory, data):
    """By an operator who signs whatever he likes: a sentence, never another exception."""
    whole = rooted.prove(ABSENT)
    proof = json.loads(whole)
    part = data.draw(st.sampled_from(["statement", "line", "head"]))
    if part == "statement":
        inner = json.loads(proof["statement"])
        place = data.draw(st.sampled_from(list(places(inner))))
        proof["statement"] = json.dumps(put(inner, place, data.draw(JSON)), indent=1, sort_keys=True)
    elif part == "line":
        content = data.draw(st.dictionaries(st.text(max_size=6), JSON, max_size=3))
        proof["lines"][0] = make_line("statement", content, ("0" * 64,)).raw.decode()
    else:
        payload = data.draw(JSON)
        proof["head"] = rooted.ledger.signing_key.seal(payload, HEAD_TYPE).decode()
    with pytest.raises(IntegrityError):
        check(canonical_json(proof) + b"\n", ABSENT)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=200) | JSON.map(lambda v: canonical_json(v) + b"\n"))
def test_what_is_no_proof_is_refused(data):
    with pytest.raises(IntegrityError):
        check(data, ABSENT)


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b"9" * 10_000, b'{"type":' * 5_000, b"NaN", b'"\\ud800"', b" " * (LARGEST_PROOF + 1)],
    ids=["deep", "long number", "deep objects", "no number", "half a pair", "too large"],
)
def test_a_file_made_to_exhaust_the_reader_is_refused(data):
    with pytest.raises(IntegrityError):
        check(data, ABSENT)


def test_why_a_deep_file_is_no_proof_is_said_in_words_for_who_wrote_it():
    with pytest.raises(IntegrityError, match="not a proof: it is nested too deeply"):
        check(b"[" * 100_000, ABSENT)


def test_a_path_cannot_be_endless(rooted):
    def lengthen(proof):
        proof["answers"]["text"][0]["path"] *= 20_000

    with pytest.raises(IntegrityError, match="does not lead to the root"):
        check(changed(rooted.prove(ABSENT), lengthen), ABSENT)


def test_a_space_more_is_an_alteration(rooted):
    with pytest.raises(IntegrityError, match="not in canonical form"):
        check(rooted.prove(ABSENT).replace(b'"about":', b'"about": '), ABSENT)


@pytest.mark.parametrize("part", ["tag", "blind", "index", "split", "path"])
def test_an_altered_leaf_place_or_path_does_not_lead_to_the_root(rooted, part):
    def alter(proof):
        leaf = proof["answers"]["words"][0]
        leaf[part] = {"index": leaf["index"] ^ 1, "split": 3 - leaf["split"]}.get(part, "ab" * 32)
        if part == "path":
            leaf[part] = ["ab" * 32]

    with pytest.raises(
        IntegrityError, match="answer on the words: a leaf, its place or its path was altered"
    ):
        check(changed(rooted.prove(TEXTS[0]), alter), TEXTS[0])


def test_a_neighbour_taken_away_leaves_a_gap(rooted):
    text = next(t for t in (f"absent {n}" for n in range(99)) if len(shown_for(rooted, t)) == 2)
    for kept in (0, 1):
        data = changed(rooted.prove(text), lambda p, kept=kept: keep(p, kept))
        with pytest.raises(IntegrityError, match="not adjacent"):
            check(data, text)


def shown_for(rooted, text):
    return json.loads(rooted.prove(text))["answers"]["text"]


def keep(proof, index):
    proof["answers"]["text"] = [proof["answers"]["text"][index]]


def leaf_at(rooted, index):
    data = rooted.opened.leaves[index]
    path = [node.hex() for node in rooted.opened.tree.path(index)]
    return {
        "index": index,
        "tag": data[:32].hex(),
        "blind": data[32:64].hex(),
        "split": data[64],
        "path": path,
    }


def test_a_present_text_cannot_be_shown_as_absent_by_its_neighbours(rooted):
    present = json.loads(rooted.prove(TEXTS[0]))["answers"]["text"][0]["index"]
    around = [i for i in (present - 1, present + 1) if 0 <= i < len(rooted.opened.leaves)]

    def forge(proof):
        proof["answers"]["text"] = [leaf_at(rooted, i) for i in around]

    with pytest.raises(IntegrityError, match="not adjacent"):
        check(changed(rooted.prove(TEXTS[0]), forge), TEXTS[0])


def test_no_pair_of_leaves_shows_a_present_text_as_absent(rooted):
    data = rooted.prove(TEXTS[0])
    every = [leaf_at(rooted, i) for i in range(len(rooted.opened.leaves))]
    for shown in [[], *([leaf] for leaf in every), *([a, b] for a in every for b in every)]:
        try:
            checked = check(changed(data, lambda p, shown=shown: p["answers"].update(text=shown)), TEXTS[0])
        except IntegrityError:
            continue
        assert "text" in {a.kind for a in checked.found}


def test_leaves_out_of_order_are_refused(rooted):
    text = next(t for t in (f"absent {n}" for n in range(99)) if len(shown_for(rooted, t)) == 2)
    with pytest.raises(IntegrityError, match="out of order"):
        check(changed(rooted.prove(text), lambda p: p["answers"]["text"].reverse()), text)


def test_a_leaf_beside_the_one_asked_for_is_refused(rooted):
    def add(proof):
        proof["answers"]["text"].append(leaf_at(rooted, 0))
        proof["answers"]["text"].append(leaf_at(rooted, 1))

    with pytest.raises(IntegrityError, match="beside the one that was asked for"):
        check(changed(rooted.prove(TEXTS[0]), add), TEXTS[0])


def test_another_key_is_not_the_one_the_root_commits_to(rooted):
    with pytest.raises(IntegrityError, match="key is not the one to which the root commits"):
        check(changed(rooted.prove(ABSENT), lambda p: p.update(key="ab" * 32)), ABSENT)


def test_another_statement_is_not_the_one_the_journal_names(rooted, tmp_path):
    artefact, figures = root_of(tmp_path, {"a": ["Un autre corpus."]})
    other = statement_on(artefact, figures).to_bytes().decode()
    with pytest.raises(IntegrityError, match="not the one that the journal names"):
        check(changed(rooted.prove(ABSENT), lambda p: p.update(statement=other)), ABSENT)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": {"corpus": {"artefact": "x", "digest": "d1" * 32}}}, "not about the root of this corpus"),
        ({"inputs": {}}, "not about the root of a corpus"),
        ({"files": ()}, "not that of its artefact"),
    ],
)
def test_a_statement_on_something_else_is_refused(rooted, change, sentence):
    statement = statement_on(rooted.ledger.folder.parent / "roots", rooted.statement.figures, **change)
    with pytest.raises(IntegrityError, match=sentence):
        check(
            changed(rooted.prove(ABSENT), lambda p: p.update(statement=statement.to_bytes().decode())), ABSENT
        )


def test_a_line_taken_out_breaks_the_way_to_the_head(rooted):
    with pytest.raises(IntegrityError, match="does not follow the one before it"):
        check(changed(rooted.prove(ABSENT), lambda p: p["lines"].pop(1)), ABSENT)
    with pytest.raises(IntegrityError, match="do not lead to the signed head"):
        check(changed(rooted.prove(ABSENT), lambda p: p["lines"].pop()), ABSENT)


def test_a_head_that_nobody_signed_is_refused(rooted, tmp_path):
    forged = SigningKey.load_or_make(tmp_path / "key").seal({"head": "x", "signed": "today"}, HEAD_TYPE)
    with pytest.raises(IntegrityError, match="signature is not that of"):
        check(changed(rooted.prove(ABSENT), lambda p: p.update(head=forged.decode())), ABSENT)
    with pytest.raises(IntegrityError, match="not a DSSE envelope"):
        check(changed(rooted.prove(ABSENT), lambda p: p.update(head="{}")), ABSENT)


def test_a_proof_signed_again_by_another_holds_but_not_under_the_publishers_fingerprint(rooted, tmp_path):
    stranger = SigningKey.load_or_make(tmp_path / "key")
    payload = {"head": rooted.ledger.journal.head, "signed": "today"}

    def sign(proof):
        proof["head"] = stranger.seal(payload, HEAD_TYPE).decode()
        proof["public_key"] = stranger.public.line.decode()

    checked = check(changed(rooted.prove(ABSENT), sign), ABSENT)
    with pytest.raises(IntegrityError, match="signed by"):
        check_fingerprint(checked, rooted.ledger.public_key.fingerprint)


def test_the_shortest_way_through_a_merge_is_taken(tmp_path):
    ours = make_rooted(tmp_path / "ours")
    shutil.copytree(tmp_path / "ours" / "ledger", tmp_path / "theirs" / "ledger")
    shutil.copyfile(tmp_path / "ours" / "key", tmp_path / "theirs" / "key")
    theirs = Ledger(tmp_path / "theirs" / "ledger", tmp_path / "theirs" / "key")
    for _ in range(5):
        theirs.note_dropped([ours.statement.subject])
    ours.ledger.note_dropped([])
    assert ours.ledger.merge(theirs.journal) == 6
    data = ours.prove(ABSENT)
    kinds = [json.loads(line)["kind"] for line in json.loads(data)["lines"]]
    assert kinds == ["statement", "drop", "drop", "drop", "merge"]
    assert not check(data, ABSENT).found


def test_a_root_that_no_line_names_has_no_proof(rooted, tmp_path):
    other = Ledger(tmp_path / "ledger", tmp_path / "key")
    other.note_dropped([])
    with pytest.raises(HemicycleError, match="no line of the journal names"):
        type(rooted)(other, rooted.statement, rooted.opened, rooted.keys).prove(ABSENT)


@pytest.fixture
def release(rooted, tmp_path):
    shutil.copytree(rooted.ledger.folder, tmp_path / "v0" / "ledger")
    return tmp_path / "v0"


def test_a_proof_is_held_against_the_release_it_was_asked_for(rooted, release):
    check_in_release(check(rooted.prove(ABSENT), ABSENT), release)


def test_a_proof_whose_root_the_release_does_not_know_is_refused(rooted, release, tmp_path):
    later = make_rooted(tmp_path / "later")
    with pytest.raises(IntegrityError, match="the release by"):
        check_in_release(check(later.prove(ABSENT), ABSENT), release)
    journal = release / "ledger" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().split(b"\n")[0] + b"\n")
    ledger = Ledger(release / "ledger", rooted.ledger.folder.parent / "key")
    ledger.sign_head()
    with pytest.raises(IntegrityError, match="root is not in the ledger of the release"):
        check_in_release(check(rooted.prove(ABSENT), ABSENT), release)


def test_a_release_on_another_corpus_carries_no_statement_on_the_root(rooted, release):
    shutil.rmtree(release / "ledger" / "statements")
    with pytest.raises(IntegrityError, match="its model does not stand on this corpus"):
        check_in_release(check(rooted.prove(ABSENT), ABSENT), release)


@pytest.mark.parametrize("file", ["journal.jsonl", "head.json", "keys/solo.pub"])
@pytest.mark.parametrize("content", [None, b"", b"{}\n", b"[" * 50_000, "link", "pipe"])
def test_a_damaged_release_is_refused(rooted, release, file, content):
    path = release / "ledger" / file
    whole = path.read_bytes()
    path.unlink()
    if content == "link":
        (release / "elsewhere").write_bytes(whole)
        path.symlink_to(release / "elsewhere")
    elif content == "pipe":
        os.mkfifo(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(IntegrityError):
        check_in_release(check(rooted.prove(ABSENT), ABSENT), release)


def test_a_folder_that_is_no_release_is_said_to_be_none(rooted, tmp_path):
    with pytest.raises(DeclarationError, match="not a release"):
        check_in_release(check(rooted.prove(ABSENT), ABSENT), tmp_path)
