"""The sentences behind the codes, in French and in English."""

import re
from pathlib import Path

import pytest

import hemicycle.rights
from hemicycle.errors import DeclarationError
from hemicycle.rights.aggregate import release_rules
from hemicycle.rights.explanations import explain, explanations
from hemicycle.rights.layers import FLAGS, LAYERS
from hemicycle.rights.term_rules import NEIGHBOURING

ROOM = Path(hemicycle.rights.__file__).parent


def test_every_code_that_the_rules_give_has_both_sentences_and_no_sentence_is_left_over():
    source = "".join(
        (ROOM / f"{name}.py").read_text("utf-8")
        for name in ("licences", "layers", "term", "finding", "admit", "policy", "bases")
    )
    source += "".join(f'"{rule.reason}"' for rule in release_rules()) + '"release-unversioned"'
    given = {code for code in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)} - {
        *LAYERS,
        *NEIGHBOURING,
        *FLAGS,
    } | {"blocked"}
    standing = (ROOM.parent / "governance" / "standing.py").read_text("utf-8")
    given |= set(re.findall(r'"(clearance-[a-z]+)"', standing))
    classes = (
        "non-commercial no-derivatives use-restricted share-alike share-alike-database copyleft-document "
        "base-model"
    )
    assert given - set(classes.split()) == set(explanations())


def test_sentences_are_sentences():
    for code, sentences in explanations().items():
        for sentence in sentences.values():
            assert re.fullmatch(r"[A-ZÀ-Ý].*\.", sentence), code


def test_french_sentences_are_set_as_french_ones():
    for code, sentences in explanations().items():
        assert not re.search(r"(?<![\u00a0\u202f])[;:!?]|'|\"", sentences["fr"]), code
        assert not re.search(r"[\u00a0\u202f]", sentences["en"]), code


def test_a_code_is_put_into_words():
    assert explain("unknown-death", "en") == "The year of death of an author is not known."
    assert "décès" in explain("unknown-death", "fr")


def test_an_unknown_code_or_language_is_refused():
    with pytest.raises(DeclarationError, match="unknown-death"):
        explain("unknown-deth", "en")
    with pytest.raises(DeclarationError, match="en, fr"):
        explain("unknown-death", "de")
