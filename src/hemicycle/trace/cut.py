"""How a tokenizer cuts a text, for an index of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from hemicycle.errors import InputError
from hemicycle.trace.shards import Numbers
from hemicycle.trace.words import Offsets

#: The file of a tokenizer, in its folder and in the index.
TOKENIZER = "tokenizer.json"


#: Numbers below are written in 16 bits: the largest of these is the separator, the next stands for what is
#: unknown.
NARROW = 0xFFFE


class Cut:
    """A tokenizer read from its file.

    Attributes:
        vocabulary: how many numbers its tokens may have.
        dtype: of the numbers.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more exact
            raise InputError(f"this is not a tokenizer: {error}", place=str(path)) from None
        self.vocabulary = 1 + max(self._tokenizer.get_vocab().values(), default=0)
        self.dtype = "<u2" if self.vocabulary < NARROW else "<u4"

    def read(self, text: str) -> tuple[Numbers, Offsets, Offsets]:
        """The tokens of a text without special marks, and where each begins and ends, in characters."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        return np.array(encoding.ids, self.dtype), offsets[:, 0].copy(), offsets[:, 1].copy()

    def numbers(self, texts: Sequence[str]) -> list[Numbers]:
        """The tokens of texts."""
        found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, self.dtype) for encoding in found]
