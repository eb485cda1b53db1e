"""The table of characters is Unicode's, of one named version."""

import os
import unicodedata
from importlib import resources

import numpy as np
import pytest

from hemicycle.curate.characters import (
    CAPITAL,
    CLASS,
    DIGIT,
    ENDS,
    LETTER,
    MARK,
    SIGN,
    SPACE,
    VOWEL,
    characters,
)
from hemicycle.digests import sha256_bytes

FILE = resources.files("hemicycle.curate").joinpath("characters.csv")
VERSION = "14.0.0"
#: Another digest here means other words in every corpus: raise the version of the measures with it.
DIGEST = "e8cde2b8a9e4fef845272ef233000b9ca2082d9795654889e0ffdb53c8979c91"
HEAD = f"""\
# What code points are, Unicode {VERSION}: letters (L), digits (N), marks (M and Cf), spaces (as Python's
# str.isspace has them), marks that end a sentence (Sentence_Terminal), and capitals with the step to their
# lower-case letter (simple mapping). First to last, every step-th, hexadecimal; all others are signs.
# Made by tests/curate/test_characters.py with HEMICYCLE_REGENERATE=1 on a Python of that Unicode version.
is,first,last,step,lower
"""


def kind(character):
    if character.isspace():
        return "space"
    category = unicodedata.category(character)
    return {"L": "letter", "N": "digit", "M": "mark"}.get(category[0], "mark" if category == "Cf" else None)


def lower(character):
    """The simple lower-case mapping; only the dotted capital I has a longer full one."""
    return character.lower()[0]


def made():
    regex = pytest.importorskip("regex")
    everything = [chr(c) for c in range(0x11_0000) if not 0xD800 <= c < 0xE000]
    rows = []
    for name in ("letter", "digit", "mark", "space"):
        rows += ranges(name, [(ord(c), 0) for c in everything if kind(c) == name])
    ends = regex.compile(r"\p{Sentence_Terminal}")
    rows += ranges(
        "ends", [(ord(c), 0) for c in everything if unicodedata.category(c) != "Cn" and ends.match(c)]
    )
    moved = [(ord(c), ord(lower(c)) - ord(c)) for c in everything if lower(c) != c]
    rows += ranges("capital", moved)
    return HEAD + "".join(f"{n},{a:X},{b:X},{s},{d}\n" for n, a, b, s, d in rows)


def ranges(name, points):
    """Runs of equal step (1 or 2) and equal value."""
    rows, i = [], 0
    while i < len(points):
        step = points[i + 1][0] - points[i][0] if i + 1 < len(points) else 1
        step = step if step == 1 or (step == 2 and name == "capital") else 1
        j = i
        while j + 1 < len(points) and points[j + 1] == (points[j][0] + step, points[i][1]):
            j += 1
        rows.append((name, points[i][0], points[j][0], step, points[i][1]))
        i = j + 1
    return rows


def test_the_file_is_what_python_of_its_version_says():
    if unicodedata.unidata_version != VERSION:
        pytest.skip(f"this Python knows Unicode {unicodedata.unidata_version}")
    if os.environ.get("HEMICYCLE_REGENERATE"):
        FILE.write_text(made(), "utf-8")
    assert FILE.read_text("utf-8") == made()


def test_the_file_has_the_digest_that_words_were_defined_with():
    assert sha256_bytes(FILE.read_bytes()) == DIGEST


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("é", LETTER | VOWEL),
        ("É", LETTER | VOWEL | CAPITAL),
        ("œ", LETTER | VOWEL),
        ("ç", LETTER),
        ("7", DIGIT),
        ("½", DIGIT),
        ("\u0301", MARK),
        ("\u200d", MARK),
        ("\u202f", SPACE),
        ("!", SIGN | ENDS),
        ("…", SIGN),
        ("«", SIGN),
        ("ⵣ", LETTER),
    ],
)
def test_classes_of_some_characters(character, expected):
    assert characters().classes[ord(character)] == expected


def test_lower_case_is_pythons_one_letter_at_a_time():
    table = characters().lower
    for point in [*range(0x250), *range(0x370, 0x530), 0x1E9E, 0x10400]:
        letter = chr(point)
        assert chr(point + table[point]) == lower(letter), letter


def test_every_code_point_has_one_class():
    classes = characters().classes & CLASS
    assert np.bincount(classes, minlength=8).all()
