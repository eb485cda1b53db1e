"""The root of a corpus: what it stands for, and what it does not give away."""

import hashlib
import hmac
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import canonical_json, sha256_text
from hemicycle.errors import IntegrityError
from hemicycle.flow import fingerprints, words_digest
from hemicycle.ledger.merkle import EMPTY, Tree
from hemicycle.ledger.roots import (
    LEAF_SIZE,
    Keys,
    Leaf,
    Root,
    find_document,
    load_or_make_salt,
    open_root,
    tag_of,
)
from tests.ledger.rooted import CORPUS_DIGEST, SALT, TEXTS, root_of

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def leaves(folder):
    data = (folder / "leaves.bin").read_bytes()
    return [Leaf.from_data(data[at : at + LEAF_SIZE]) for at in range(0, len(data), LEAF_SIZE)]


def test_one_document_has_two_leaves_worked_out_by_hand(tmp_path):
    artefact, figures = root_of(tmp_path, {"a": ["L’EAU est là."]})
    tag_key = hmac.digest(SALT, b"tag\x00" + CORPUS_DIGEST.encode(), "sha256")
    blind_key = hmac.digest(SALT, b"blind\x00" + CORPUS_DIGEST.encode(), "sha256")
    text = hashlib.sha256("L’EAU est là.".encode()).digest()
    words = hashlib.sha256(b"l\neau\nest\nla").digest()
    expected = []
    for message in (b"text\x00" + text, b"words\x00" + words):
        tag = hmac.digest(tag_key, message, "sha256")
        expected.append(tag + hmac.digest(blind_key, tag, "sha256") + b"\x01")
    expected.sort()
    assert (artefact / "leaves.bin").read_bytes() == b"".join(expected)
    hashes = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in expected]
    assert figures["root"] == hashlib.sha256(b"\x01" + hashes[0] + hashes[1]).hexdigest()
    assert figures["salt_id"] == hashlib.sha256(tag_key).hexdigest()
    assert (artefact / "root.json").read_bytes() == canonical_json(figures)


def test_leaves_are_sorted_each_once_and_say_their_split(tmp_path):
    same_words = ["Un mot.", "UN MOT"]
    artefact, figures = root_of(tmp_path, {"a": same_words, "b": ["Autre."]}, held_out={"a:1", "b:0"})
    found = leaves(artefact)
    assert [leaf.tag for leaf in found] == sorted({leaf.tag for leaf in found})
    assert figures["leaves"] == len(found) == 5
    splits = {leaf.tag: leaf.split for leaf in found}
    key = Keys.derive(SALT, CORPUS_DIGEST).tag
    assert splits[tag_of(key, "text", sha256_text("Un mot."))] == 1
    assert splits[tag_of(key, "text", sha256_text("UN MOT"))] == 2
    assert splits[tag_of(key, "words", words_digest("un mot"))] == 3
    assert splits[tag_of(key, "words", words_digest("autre"))] == 2


def test_equal_corpora_have_equal_roots_and_bytes_whatever_the_order_of_documents(tmp_path):
    one, first = root_of(tmp_path / "1", {"a": TEXTS})
    two, second = root_of(tmp_path / "2", {"a": TEXTS[4:], "b": TEXTS[:4]})
    assert first == second
    assert (one / "leaves.bin").read_bytes() == (two / "leaves.bin").read_bytes()


def test_another_salt_and_another_corpus_share_no_leaf(tmp_path):
    one, _ = root_of(tmp_path / "1", {"a": TEXTS})
    salted, _ = root_of(tmp_path / "2", {"a": TEXTS}, salt=bytes(32))
    other, _ = root_of(tmp_path / "3", {"a": TEXTS}, corpus_digest="c1" * 32)
    tags = [{leaf.tag for leaf in leaves(folder)} for folder in (one, salted, other)]
    assert tags[0].isdisjoint(tags[1] | tags[2])


def test_who_knows_the_tag_key_and_a_text_still_recognises_no_hash_of_the_tree(tmp_path):
    artefact, _ = root_of(tmp_path, {"a": TEXTS})
    key = Keys.derive(SALT, CORPUS_DIGEST).tag
    data = (artefact / "leaves.bin").read_bytes()
    tree = Tree([data[at : at + LEAF_SIZE] for at in range(0, len(data), LEAF_SIZE)])
    hashes = {node for i in range(len(tree)) for node in tree.path(i)}
    for text in TEXTS:
        tag = tag_of(key, "text", sha256_text(text))
        guesses = [tag, tag + bytes([1]), tag + bytes(32) + bytes([1])]
        assert not hashes & {hashlib.sha256(b"\x00" + guess).digest() for guess in guesses}


def test_a_document_without_words_has_one_leaf(tmp_path):
    _, figures = root_of(tmp_path, {"a": ["* * *", "Un."]})
    assert figures["leaves"] == 3


def test_an_empty_corpus_has_the_root_of_no_leaves(tmp_path):
    artefact, figures = root_of(tmp_path, {})
    assert (figures["leaves"], figures["root"]) == (0, EMPTY.hex())
    assert len(open_root(artefact, Root.from_json(figures, "x")).tree) == 0


def test_a_document_is_found_by_its_id_with_the_fingerprints_of_its_text(tmp_path):
    root_of(tmp_path, {"a": TEXTS})
    assert find_document(tmp_path / "corpus", "a:3", words_digest) == fingerprints(TEXTS[3])
    assert find_document(tmp_path / "corpus", "a:99", words_digest) is None


VARIANTS = [
    "L'ÉTÉ, À L'ŒUVRE : NAÏF !",
    "l’été, à l’œuvre : naïf !",
    "L'ete,\n\n  a l'oeuvre\u00a0: naif\u202f!",
    "l’e\u0301te\u0301, a\u0300 l’œu\u00advre : nai\u0308f !",
    "\ufeffL'été, à l'œuvre :\r\nnaïf !\x00",
]


@pytest.mark.parametrize("text", VARIANTS)
def test_typography_case_accents_and_line_breaks_do_not_change_the_words(text):
    assert fingerprints(text)["words"] == sha256_text("l\nete\na\nl\noeuvre\nnaif")


def test_other_words_are_another_text():
    assert words_digest("un deux") != words_digest("undeux")
    assert words_digest("un deux") != words_digest("deux un")


def test_the_salt_is_made_once_for_its_owner_only_and_kept_out_of_git(tmp_path):
    path = tmp_path / ".hemicycle" / "salt"
    salt = load_or_make_salt(path)
    assert len(salt) == 32
    assert load_or_make_salt(path) == salt
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (tmp_path / ".hemicycle" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(33)])
def test_a_damaged_salt_is_refused_and_not_replaced(tmp_path, damaged):
    (tmp_path / "salt").write_bytes(damaged)
    with pytest.raises(IntegrityError, match="not a salt"):
        load_or_make_salt(tmp_path / "salt")
    assert (tmp_path / "salt").read_bytes() == damaged


@pytest.mark.parametrize("at", [0, 40, 64, 65, -1])
def test_altered_leaves_are_refused(tmp_path, at):
    artefact, figures = root_of(tmp_path, {"a": TEXTS})
    data = bytearray((artefact / "leaves.bin").read_bytes())
    data[at] ^= 1
    (artefact / "leaves.bin").write_bytes(data)
    with pytest.raises(IntegrityError, match="not those of the root"):
        open_root(artefact, Root.from_json(figures, "x"))


@pytest.mark.parametrize(
    "change",
    [
        {"leaves": -1},
        {"leaves": True},
        {"leaves": 1.0},
        {"leaves": 2**60},
        {"root": "AB" * 32},
        {"root": "ab"},
        {"salt_id": None},
        {"more": 1},
    ],
)
def test_a_record_of_another_form_is_refused(tmp_path, change):
    _, figures = root_of(tmp_path, {"a": TEXTS})
    with pytest.raises(IntegrityError, match="not the record"):
        Root.from_json(figures | change, "x")


def test_a_record_of_another_algorithm_says_so(tmp_path):
    _, figures = root_of(tmp_path, {"a": TEXTS})
    with pytest.raises(IntegrityError, match="hemicycle-root-v2"):
        Root.from_json(figures | {"algorithm": "hemicycle-root-v2"}, "x")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text())
def test_any_text_has_fingerprints_and_cleaning_keeps_them(text):
    from hemicycle.curate.clean import clean

    asked = fingerprints(text)
    assert asked.get("words") == fingerprints(clean(text).text).get("words")
