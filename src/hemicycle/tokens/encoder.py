"""Texts to ids, by `tokenizers` or several times faster by `tiktoken` where it gives the same ids.

What is published is `tokenizer.json`, and its library says what the ids are. `tiktoken` merges whatever
neighbours stand together in its table, lowest number first; that is the same thing for a byte-level
vocabulary whose merges each make the token that comes next, under our own pattern. Whether it is the same is
not left to this argument: `train_tokenizer` compares the two and leaves the outcome in `proof.json`, and only
a tokenizer with such a proof is encoded the fast way.

Neither way knows a special mark: a text that spells one out gives plain characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tiktoken
from tokenizers import Regex, Tokenizer, pre_tokenizers

from hemicycle.errors import InputError
from hemicycle.tokens.pattern import PATTERN, SEGMENT, part

Ids = npt.NDArray[np.uint32]

#: Texts of bounded size to the ids of each.
Encode = Callable[[Sequence[str]], list[Ids]]

PROOF = "proof.json"

#: A text in one segment.
WHOLE = 1 << 62

#: Byte-level vocabularies write a byte as a character: itself where Latin-1 shows it, the rest from U+0100.
_SHOWN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_HIDDEN = [byte for byte in range(256) if byte not in set(_SHOWN)]
BYTE_OF = {chr(byte): byte for byte in _SHOWN} | {chr(0x100 + i): byte for i, byte in enumerate(_HIDDEN)}
SIGN_OF = {byte: sign for sign, byte in BYTE_OF.items()}

#: Texts that tell engines apart: accents in one character and in two, no-break spaces, both apostrophes,
#: pictures of several code points, marks spelled out, and the first characters of every script.
PROBES = (
    "L’élève a dû être à l'œuvre, où ça ? Noël, aiguë, ÇÀÉÈÙ",
    "L’e\u0301le\u0300ve a du\u0302 e\u0302tre a\u0300 l'œuvre, ou\u0300 c\u0327a ?",
    "« Ah\u202f! dit-il\u00a0; vraiment\u202f? » «\u00a0oui\u00a0» «\u202fnon\u202f»",
    "(10\u00a0000\u202f€) n°\u00a012",
    "aujourd’hui aujourd'hui 'quoi' ‘quoi’ qu’il l'a d’l’",
    "en 1789, le 5 mai; 3,14 12 345 678 ½ Ⅷ ² ٣٤٥",
    "👩‍👩‍👧‍👦 🇫🇷 👍🏽 ☕️ ✌🏻",
    "<|begin|><|end|> <|endoftext|> <s></s> [INST]",
    "  deux  espaces\t\ttabulations\r\n\r\nlignes\n \n  fin   ",
    "\x00\x01\x1f\x7f\x85\u2028\u2029\ufeff\u200b\u200d\ufffd",
    "".join(map(chr, range(0x3000))),
    " ".join(chr(code) for code in range(0x3000, 0x110000, 0x80) if not 0xD800 <= code < 0xE000),
)


def byte_level() -> Any:
    """The cut before merging, as `tokenizers` runs it."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load `tokenizer.json` so that the marks inside a text are read as plain characters."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise InputError(f"the tokenizer cannot be read: {error}", place=str(path)) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def library_encoder(tokenizer: Tokenizer) -> Encode:
    """The encoder that says what the ids are."""

    def encode(texts: Sequence[str]) -> list[Ids]:
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids, np.uint32) for one in encodings]

    return encode


def fast_encoder(tokenizer: Tokenizer) -> Encode | None:
    """`tiktoken` over the same vocabulary; None where the tokenizer is not one that it can stand for."""
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    if not _ours(state) or model["type"] != "BPE" or model["dropout"]:
        return None
    marks = {token["content"] for token in state["added_tokens"]}
    spelled = {token: number for token, number in model["vocab"].items() if token not in marks}
    if not all(sign in BYTE_OF for token in spelled for sign in token):
        return None
    ranks = {bytes(BYTE_OF[sign] for sign in token): number for token, number in spelled.items()}
    made = [spelled.get("".join(merge), -1) for merge in model["merges"]]
    if len(ranks) != 256 + len(made) or any(b <= a for a, b in pairwise(made)):
        return None
    encoding = tiktoken.Encoding("hemicycle", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    nothing: set[str] = set()

    def encode(texts: Sequence[str]) -> list[Ids]:
        return [
            encoding.encode_to_numpy(text, allowed_special=nothing, disallowed_special=()) for text in texts
        ]

    return encode


def _ours(state: dict[str, Any]) -> bool:
    """Whether texts are cut by our pattern and by nothing else."""
    return state["pre_tokenizer"] == json.loads(byte_level().__getstate__()) and not state["normalizer"]


@dataclass(frozen=True)
class Encoder:
    """How a tokenizer's texts are encoded.

    Attributes:
        engine: ``tiktoken`` or ``tokenizers``.
        segment: bytes of a text that are encoded at once. Only our own pattern promises places to part a
            text at; under another one, or none as in SentencePiece, which puts a space before whatever it is
            given, a text is encoded whole, however long.
    """

    engine: str
    encode: Encode
    segment: int

    def ids(self, text: str) -> Ids:
        """The ids of one text of any length, as `tokenize` makes them."""
        parts = part(memoryview(text.encode("utf-8")), self.segment)
        return np.concatenate(self.encode([str(piece, "utf-8") for piece in parts]))


def encoder_of(folder: Path) -> Encoder:
    """The encoder of a tokenizer: the fast one where it is proven equal."""
    tokenizer = load_tokenizer(folder)
    path = folder / PROOF
    try:
        proven = json.loads(path.read_bytes())["encoder"] == "tiktoken" if path.is_file() else False
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"the proof of equal ids cannot be read: {error}", place=str(path)) from None
    segment = SEGMENT if _ours(json.loads(tokenizer.to_str())) else WHOLE
    fast = fast_encoder(tokenizer) if proven else None
    if fast is not None:
        return Encoder("tiktoken", fast, segment)
    return Encoder("tokenizers", library_encoder(tokenizer), segment)


def prove(tokenizer: Tokenizer, sample: Sequence[str]) -> dict[str, Any]:
    """Compare the fast encoder with the library on the probes, every token's own text, and `sample`.

    Returns which encoder may be used (``encoder``), how much was compared (``texts``, ``bytes``), and where
    the first difference was (``differs``, None where there was none).
    """
    fast, library = fast_encoder(tokenizer), library_encoder(tokenizer)
    proof: dict[str, Any] = {"encoder": "tokenizers", "texts": 0, "bytes": 0, "differs": None}
    if fast is None:
        return proof | {"differs": "a vocabulary of another kind"}
    tokens = [
        tokenizer.decode([number], skip_special_tokens=True) for number in range(tokenizer.get_vocab_size())
    ]
    for what, texts in (("probe", PROBES), ("token", tokens), ("text", sample)):
        some = list(texts)
        for number, (ours, theirs) in enumerate(zip(fast(some), library(some), strict=True)):
            proof["texts"] += 1
            proof["bytes"] += len(some[number].encode("utf-8"))
            if not np.array_equal(ours, theirs):
                return proof | {"differs": f"{what} {number}"}
    return proof | {"encoder": "tiktoken"}
