"""Which bytes of a text each token adds.

Bits per byte needs every byte counted once, and a paired comparison needs to know where each token lies. The
trap is the offsets a tokenizer reports: they are in characters, and where one character is spread over
several tokens each of them claims all of it. A byte-level vocabulary spells out its bytes, so those are
counted; for any other vocabulary a token adds what reaches beyond the tokens before it.

Text that looks like a mark (`<|end|>`) is encoded as the plain characters it is, and truncation that a
`tokenizer.json` may ask for is turned off: text that is not scored is not free.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from hemicycle.errors import InputError
from hemicycle.pretrained import read_json

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """A text as tokens.

    Attributes:
        ids: (tokens,).
        starts: (tokens,) the first byte of each token in the UTF-8 text; never falls.
        sizes: (tokens,) the bytes each token adds; they sum to the length of the UTF-8 text.
        altered: the tokens do not give the text back (unknown characters, another normalisation, lower case):
            what they cost is then the cost of a different, poorer text.
    """

    ids: Integers
    starts: Integers
    sizes: Integers
    altered: bool


class Encoder:
    """The tokenizer of a model folder: `tokenizer.json`, and the mark a text begins with."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise InputError(
                f"the tokenizer cannot be read: {error}",
                place=str(path),
                remedy="Name the folder of a model that `train` made, or of one that holds a tokenizer.json.",
            ) from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = True
        self._has_decoder, byte_level = _decoder(self._tokenizer)
        self._pieces = _pieces(self._tokenizer) if byte_level else None
        self.begin = _begin(folder, self._tokenizer)

    def encode(self, text: str) -> Encoded:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        ids = np.array(encoding.ids, np.int64)
        if self._pieces is not None:
            pieces = [self._pieces[number] for number in encoding.ids]
            if b"".join(pieces) == text.encode("utf-8"):
                sizes = np.array([len(piece) for piece in pieces], np.int64)
                return Encoded(ids, np.cumsum(sizes) - sizes, sizes, altered=False)
        reached = np.maximum.accumulate(np.array([end for _, end in encoding.offsets], np.int64))
        ends = _bytes_before(text)[reached]
        ends[-1:] = len(text.encode("utf-8"))  # what a tokenizer trims at the end counts all the same
        sizes = np.diff(ends, prepend=np.int64(0))
        back = self._back(encoding.ids).removeprefix(" ")  # some vocabularies put a space before the text
        return Encoded(ids, ends - sizes, sizes, altered=back != text.removeprefix(" "))

    def text(self, ids: Integers) -> str:
        """The text of tokens; bytes that are no whole character show as U+FFFD."""
        return self._back(ids.tolist())

    def _back(self, ids: list[int]) -> str:
        if self._has_decoder:
            text: str = self._tokenizer.decode(ids, skip_special_tokens=False)
            return text
        return "".join(self._tokenizer.id_to_token(number) for number in ids)


def _decoder(tokenizer: Any) -> tuple[bool, bool]:
    """Whether there is a decoder, and whether it reads byte-level tokens."""
    decoder = json.loads(tokenizer.to_str())["decoder"]
    if decoder is None:
        return False, False
    return True, any(part["type"] == "ByteLevel" for part in [decoder, *decoder.get("decoders", [])])


def _pieces(tokenizer: Any) -> dict[int, bytes]:
    """The bytes of every token of a byte-level vocabulary.

    Such a vocabulary writes each byte as one visible character: itself where Latin-1 shows it, else the next
    character from U+0100 on. Added tokens are written as they are.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    byte_of = {chr(byte): byte for byte in visible} | {chr(0x100 + i): byte for i, byte in enumerate(hidden)}
    added = {number: token.content for number, token in tokenizer.get_added_tokens_decoder().items()}
    pieces = {}
    for token, number in tokenizer.get_vocab(with_added_tokens=True).items():
        spelled = number not in added and all(character in byte_of for character in token)
        pieces[number] = bytes(byte_of[c] for c in token) if spelled else token.encode("utf-8")
    return pieces


def _begin(folder: Path, tokenizer: Any) -> int | None:
    """The token a text begins with: the tokenizer's bos, else its eos; where it names none, the model's."""
    stated = read_json(folder / "tokenizer_config.json")
    for key in ("bos_token", "eos_token"):
        mark = stated.get(key)
        if isinstance(mark, dict):
            mark = mark.get("content")
        if isinstance(mark, str) and (number := tokenizer.token_to_id(mark)) is not None:
            return int(number)
    stated = read_json(folder / "config.json")
    marks = tokenizer.get_added_tokens_decoder()  # a configuration left as it came names any token
    for key in ("bos_token_id", "eos_token_id"):
        number = stated.get(key)
        if isinstance(number, list) and number:
            number = number[0]
        if isinstance(number, int) and number in marks:
            return number
    return None


def _bytes_before(text: str) -> Integers:
    """(characters + 1,) the number of UTF-8 bytes before each character, and of the whole."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
    sizes = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
