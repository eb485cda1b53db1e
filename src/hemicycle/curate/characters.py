"""Characters: what each code point is to a reader, by a table of our own.

Python's `unicodedata` grows with every version of Python, and a measure that moved with it would make
another corpus of the same text. So the classes come from `characters.csv`, made once from the Unicode
version it names; a character younger than that is a sign.
"""

from __future__ import annotations

import csv
import functools
from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: The class of a code point is its lowest three bits: one of these.
SIGN, LETTER, DIGIT, MARK, SPACE, APOSTROPHE, HYPHEN, DECIMAL = range(8)
CLASS = 7
#: Further bits: a capital letter, a mark that ends a sentence, a vowel.
CAPITAL, ENDS, VOWEL = 8, 16, 32

_CLASSES = {"letter": LETTER, "digit": DIGIT, "mark": MARK, "space": SPACE}
_APOSTROPHES, _HYPHENS, _DECIMALS = "'’", "-‐‑", ".,"
_VOWELS = "aeiouyœæàáâãäåāăąèéêëēĕėęěìíîïĩīĭįòóôõöøōŏőùúûüũūŭůűųýÿıǎǐǒǔǿ"


class Characters(NamedTuple):
    """Two tables over all code points: class with its bits, and what is added to make it lower case."""

    classes: npt.NDArray[np.uint8]
    lower: npt.NDArray[np.int32]


@functools.cache
def characters() -> Characters:
    """The tables, read once. One character lower-cases to one: the capital dotted I to a plain i."""
    classes = np.zeros(0x11_0000, np.uint8)
    lower = np.zeros(0x11_0000, np.int32)
    lines = resources.files(__package__).joinpath("characters.csv").read_text("utf-8").splitlines()
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        places = slice(int(row["first"], 16), int(row["last"], 16) + 1, int(row["step"]))
        if row["is"] == "capital":
            lower[places] = int(row["lower"])
            classes[places] |= CAPITAL
        elif row["is"] == "ends":
            classes[places] |= ENDS
        else:
            classes[places] |= _CLASSES[row["is"]]
    for letters, kind in ((_APOSTROPHES, APOSTROPHE), (_HYPHENS, HYPHEN), (_DECIMALS, DECIMAL)):
        for letter in letters:
            classes[ord(letter)] |= kind
    for letter in _VOWELS:
        classes[ord(letter)] |= VOWEL
    for capital in np.flatnonzero(lower):
        classes[capital] |= classes[capital + lower[capital]] & VOWEL
    classes.flags.writeable = lower.flags.writeable = False
    return Characters(classes, lower)
