"""Folds: what is left of each character once typography is taken away.

The fold is NFKD, case folding, NFKD again, then combining marks and soft hyphens dropped, œ → oe, æ → ae. It
goes character by character (what canonical order could change are marks, which are dropped), so it is a
table; that is filled by blocks of 256 characters as texts ask for them, since a text has few of them and all
would take seconds.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Version of the fold and of the cut into words. A change of either is a new number, and every index is built
#: anew.
NORMALISATION = 1

#: Set in a folded character that is part of a word; the others part words.
OF_WORD = 0x8000_0000
#: In place of one folded character: nothing of the fold is of a word, or it is not one character.
PARTS, MANY = 0, 1

_BLOCK = 256
_WORD = re.compile(r"\w")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})


class Folds(NamedTuple):
    """The table, read-only; one that knows more blocks is another table.

    Attributes:
        row: by block, its row; -1: not known yet.
        single: by row and place in the block, the folded character where there is just one and it is of a
            word, with `OF_WORD`; else `PARTS` or `MANY`.
        begin: alike, where its fold begins in `folded`; one more at the end.
        folded: code points, with `OF_WORD` set or not.
    """

    row: npt.NDArray[np.int32]
    single: npt.NDArray[np.uint32]
    begin: npt.NDArray[np.int32]
    folded: npt.NDArray[np.uint32]


_known = Folds(
    np.full(0x11_0000 // _BLOCK, -1, np.int32),
    np.zeros(0, np.uint32),
    np.zeros(1, np.int32),
    np.zeros(0, np.uint32),
)
_learning = threading.Lock()


def fold(text: str) -> str:
    """`text` without case, accents, ligatures and soft hyphens."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (c for c in folded if c != "\u00ad" and not unicodedata.category(c).startswith("M"))
    return "".join(kept).translate(_LIGATURES)


def folds_of(codes: npt.NDArray[np.uint32]) -> Folds:
    """The table, with at least the blocks of these code points. Safe in many threads."""
    global _known
    blocks = np.flatnonzero(np.bincount(codes >> 8, minlength=len(_known.row)))
    if (_known.row[blocks] < 0).any():
        with _learning:
            for block in blocks[_known.row[blocks] < 0].tolist():
                _known = _with_block(_known, block)
    return _known


def _with_block(known: Folds, block: int) -> Folds:
    single, lengths, folded = [], [], []
    for code in range(block * _BLOCK, (block + 1) * _BLOCK):
        fold_of = [ord(c) | (OF_WORD if _WORD.match(c) else 0) for c in fold(chr(code))]
        if len(fold_of) == 1 and fold_of[0] & OF_WORD:
            single.append(fold_of[0])
        else:
            single.append(PARTS if fold_of and not any(each & OF_WORD for each in fold_of) else MANY)
        lengths.append(len(fold_of))
        folded += fold_of
    row = known.row.copy()
    row[block] = len(known.single) // _BLOCK
    return Folds(
        row,
        np.append(known.single, np.array(single, np.uint32)),
        np.append(known.begin, known.begin[-1] + np.cumsum(lengths, dtype=np.int32)),
        np.append(known.folded, np.array(folded, np.uint32)),
    )
