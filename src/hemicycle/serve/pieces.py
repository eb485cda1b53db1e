"""Tokens to bytes to text, without ever showing half a character.

A byte-level token may end in the middle of “é”. Decoding tokens one by one then prints U+FFFD twice, and
decoding the whole text again at every step is quadratic. So the bytes of every token are worked out once,
and a UTF-8 decoder that remembers half characters turns the stream of bytes into text.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from hemicycle.errors import InputError
from hemicycle.serve.engine import Chunk, Finish, Scored


def _byte_alphabet() -> dict[str, int]:
    """Stand-ins for bytes in byte-level BPE: visible Latin-1 is itself, the rest begins at U+0100."""
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(itself)]
    return {chr(byte): byte for byte in itself} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def byte_pieces(tokenizer: Tokenizer, place: str) -> list[bytes]:
    """The bytes that each token id stands for; none for special tokens.

    Knows byte-level BPE and the “▁” of SentencePiece with its `<0xC3>` tokens, which together are nearly
    all open models.

    Raises:
        InputError: the tokenizer writes its tokens in another way.
    """
    state: dict[str, Any] = json.loads(tokenizer.to_str())
    decoder = json.dumps(state.get("decoder"), ensure_ascii=False)
    byte_level = '"ByteLevel"' in decoder
    if not byte_level and "\u2581" not in decoder:
        raise InputError(
            "the tokenizer is neither byte-level BPE nor SentencePiece",
            place=place,
            remedy="Serve the model with another engine, or convert its tokenizer.",
        )
    added = {token["id"]: token for token in state.get("added_tokens", [])}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    alphabet = _byte_alphabet()
    pieces = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, number in vocabulary.items():
        if number in added:
            pieces[number] = b"" if added[number]["special"] else token.encode("utf-8")
        elif byte_level and all(character in alphabet for character in token):
            pieces[number] = bytes(alphabet[character] for character in token)
        elif re.fullmatch(r"<0x[0-9A-F]{2}>", token):
            pieces[number] = bytes([int(token[3:5], 16)])
        else:
            pieces[number] = token.replace("\u2581", " ").encode("utf-8")
    return pieces


class Writer:
    """Turns the bytes of token after token into chunks, and ends at a stop string.

    Text that may still become a stop string, and bytes that may still become a character, are held back.
    Bytes that can become none are shown as U+FFFD; a half character at the very end is left out, since one
    token more would have completed it.

    Args:
        before: the bytes just before the text, in case they end in the middle of a character.
    """

    def __init__(self, before: bytes = b"") -> None:
        self._stop: tuple[str, ...] = ()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder.decode(before)
        self._held = ""
        self._emitted = 0
        self._generated = 0
        self._scores: list[Scored] = []

    @property
    def offset(self) -> int:
        """Characters before the next token."""
        return self._emitted + len(self._held)

    def watch(self, stop: Sequence[str]) -> None:
        """From here on, end at the first of these strings. None of them may be empty."""
        self._stop = tuple(stop)

    def add(self, data: bytes, score: Scored | None = None, *, generated: int = 1) -> Chunk:
        """Take one token; the chunk may be empty, and has `finish` set where a stop string was met."""
        self._generated += generated
        if score is not None:
            self._scores.append(score)
        self._held += self._decoder.decode(data)
        ends = [at for at in (self._held.find(stop) for stop in self._stop) if at >= 0]
        if ends:
            return self._emit(min(ends), "stop")
        return self._emit(len(self._held) - self._suspended())

    def finish(self, reason: Finish) -> Chunk:
        """End the text: give what was held back, without a half character."""
        chunk = self._emit(len(self._held), reason)
        scores, self._scores = (*chunk.scores, *self._scores), []
        return Chunk(chunk.text, chunk.generated, scores, reason)

    def _suspended(self) -> int:
        """Length of the longest end of the held text with which a stop string begins."""
        longest = max((len(stop) for stop in self._stop), default=1) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stop):
                return length
        return 0

    def _emit(self, length: int, finish: Finish | None = None) -> Chunk:
        text, self._held = self._held[:length], self._held[length:]
        self._emitted += length
        ready = [score for score in self._scores if score.offset < self._emitted]
        self._scores = [score for score in self._scores if score.offset >= self._emitted]
        generated, self._generated = self._generated, 0
        return Chunk(text, generated, tuple(ready), finish)
