"""The tokenizer: byte-level BPE, learnt on the training split only, saved as `transformers` loads it.

Two marks frame every document: `<|begin|>` and `<|end|>`. A text that happens to contain those characters
must never become a mark, or a hostile document could end another one; so texts are always encoded with
marks taken as plain characters.

`rustbpe` learns the tokens. It counts pieces over the whole text and settles ties by the numbers of the
tokens, so the order of documents, the cut into batches and the number of threads change nothing. `tokenizers`
learns the same set but numbers some equally frequent ones the other way; what is written is a
`tokenizer.json` in either case, so nothing but the stage's version depends on who learnt it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import rustbpe
from tokenizers import Tokenizer, decoders, models, processors

from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.encoder import (
    PROOF,
    SIGN_OF,
    byte_level,
    load_tokenizer,
    prove,
)
from hemicycle.tokens.pattern import PATTERN, PATTERN_NAME, part

BEGIN, END = "<|begin|>", "<|end|>"

#: Bytes of text that a tokenizer learns from; of a larger corpus, every second, third … document is read.
#: The learner counts in 32 bits, which no pair in so much text can overrun.
LEARNT_BYTES = 1 << 30
#: Bytes of it on which the fast encoder must prove equal, as much of each source as of another.
PROVEN_BYTES = 2_000_000
#: Texts that wait for the learner's threads.
WAITING = 256
#: Longest token, in bytes: rulers and runs of spaces would take numbers that words need.
LONGEST = 64
#: Tokens learnt beyond the wanted ones, since a few are too long or spell the same bytes twice.
SPARE = 256


class Sample:
    """The training texts of a corpus, in parts of bounded size, and what was read of them.

    Attributes:
        characters, size: of the texts read so far, in code points and in bytes.
        kept: parts to prove the encoder on.
    """

    def __init__(self, corpus: Path, sources: Collection[str] | None = None) -> None:
        self.shards = source_shards(corpus, sources)
        self.characters = self.size = 0
        self.kept: list[str] = []
        self._stride = max(1, math.ceil(sum(map(_text_bytes, self.shards)) / LEARNT_BYTES))
        self._share = PROVEN_BYTES // max(1, len({path.parent for path in self.shards}))

    def __iter__(self) -> Iterator[str]:
        number = 0
        kept: dict[str, int] = {}
        for path in self.shards:
            for text in training_texts(path):
                number += 1
                if (number - 1) % self._stride:
                    continue
                for piece in map(bytes, part(text)):
                    if self.size + len(piece) > LEARNT_BYTES:
                        return
                    decoded = piece.decode("utf-8")
                    self.characters += len(decoded)
                    self.size += len(piece)
                    if kept.setdefault(path.parent.name, 0) < self._share:
                        kept[path.parent.name] += len(piece)
                        self.kept.append(decoded)
                    yield decoded


def source_shards(corpus: Path, sources: Collection[str] | None) -> list[Path]:
    """The shards of a corpus that hold the named sources, all where none is named."""
    shards = corpus_shards(corpus)
    return shards if sources is None else [path for path in shards if path.parent.name in sources]


def _text_bytes(shard: Path) -> int:
    """About how many bytes of text a shard holds, from its foot alone."""
    foot = pq.read_metadata(shard)
    groups = [foot.row_group(n) for n in range(foot.num_row_groups)]
    columns = [group.column(n) for group in groups for n in range(group.num_columns)]
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema == "text")


def training_texts(shard: Path) -> Iterator[memoryview]:
    """The texts of a shard's training split in UTF-8, without a copy of them."""
    for table in read_batches(shard, ["text", "split"]):
        for place in np.flatnonzero(pc.equal(table["split"], "train").to_numpy()):
            yield memoryview(table["text"][place].as_buffer())


def train_tokenizer(
    corpus: Path,
    out: Path,
    *,
    vocab: int,
    sources: Collection[str] | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Learn `vocab` tokens (the two marks and 256 bytes included); write `tokenizer.json` and `proof.json`.

    Args:
        sources: those of the corpus to learn from; all where None.

    Returns figures: vocabulary, training characters, bytes per token on a sample of the training text, and
    which encoder proved right.

    Raises InputError where there is no text to learn from.
    """
    sample = Sample(corpus, sources)
    with progress.start("tokenizer", None, "characters") as bar:

        def counted() -> Iterator[str]:
            for piece in sample:
                bar.advance(len(piece))
                yield piece

        learner = rustbpe.Tokenizer()
        learner.train_from_iterator(counted(), vocab - 2 + SPARE, buffer_size=WAITING, pattern=PATTERN)
    if not sample.characters:
        raise InputError("the corpus has no training text to learn a tokenizer on", place=str(corpus))
    learnt = sorted(learner.get_mergeable_ranks(), key=lambda ranked: ranked[1])
    tokenizer = build_tokenizer([bytes(token) for token, _ in learnt[256:]], vocab)
    write_tokenizer(tokenizer, out, begin=BEGIN, end=END)
    loaded = load_tokenizer(out)
    proof = {"pattern": PATTERN_NAME, **prove(loaded, sample.kept)}
    (out / PROOF).write_text(json.dumps(proof, indent=1, sort_keys=True), "utf-8")
    return {
        "vocabulary": loaded.get_vocab_size(),
        "training_characters": sample.characters,
        "bytes_per_token": bytes_per_token(loaded, sample.kept),
        "encoder": proof["encoder"],
        "encoder_differs": proof["differs"],
    }


def build_tokenizer(learnt: list[bytes], vocab: int) -> Tokenizer:
    """A byte-level BPE of the two marks, 256 bytes and as many of the `learnt` tokens as `vocab` allows."""
    bytes_as_shown = sorted(SIGN_OF, key=SIGN_OF.__getitem__)
    ranks = {bytes([byte]): number for number, byte in enumerate(bytes_as_shown, 2)}
    merges = []
    for token in learnt:
        if len(ranks) + 2 == vocab:
            break
        # Learnt twice by different pairs, a token keeps its first number.
        if len(token) > LONGEST or token in ranks:
            continue
        halves = _merged(token, ranks)
        if len(halves) == 2:
            ranks[token] = len(ranks) + 2
            merges.append((_shown(halves[0]), _shown(halves[1])))
    vocabulary = {BEGIN: 0, END: 1} | {_shown(token): number for token, number in ranks.items()}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = byte_level()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([BEGIN, END])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, 0)]),
        ]
    )
    return tokenizer


#: Of bytes that are no token: later than every number.
_NONE = 1 << 62


def _merged(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """What BPE with the tokens so far makes of these bytes."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 1:
        numbers = [ranks.get(a + b, _NONE) for a, b in pairwise(parts)]
        place = numbers.index(min(numbers))
        if numbers[place] == _NONE:
            break
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts


def _shown(token: bytes) -> str:
    return "".join(SIGN_OF[byte] for byte in token)


def write_tokenizer(tokenizer: Tokenizer, out: Path, *, begin: str, end: str) -> None:
    """Write `tokenizer.json` and the few words of configuration that `transformers` wants beside it."""
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": begin,
        "eos_token": end,
        "pad_token": end,
        "clean_up_tokenization_spaces": False,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1, sort_keys=True), "utf-8")


def marks(folder: Path, tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids that frame a document: those of the two marks that `tokenizer_config.json` names.

    Where it names one, that mark does both, as GPT-2's and Qwen's does; where it names none, those by number
    in the `config.json` of a model that the tokenizer lies beside.

    Raises InputError where none is named, or the vocabulary lacks them.
    """
    path = folder / "tokenizer_config.json"
    try:
        stated = json.loads(path.read_bytes()) if path.is_file() else {}
        named = [stated.get(f"{mark}_token") for mark in ("bos", "eos")]
        named = [mark["content"] if isinstance(mark, dict) else mark for mark in named]
        found = [tokenizer.token_to_id(mark) for mark in named if mark is not None]
        if not found:
            model = json.loads((folder / "config.json").read_bytes())
            numbers = [model.get(f"{mark}_token_id") for mark in ("bos", "eos")]
            numbers = [number[0] if isinstance(number, list) else number for number in numbers]
            found = [number for number in numbers if number is not None and tokenizer.id_to_token(number)]
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        found = []
    known = [number for number in found if isinstance(number, int)]
    if not known or len(known) < len(found):
        raise InputError(
            "the tokenizer names no marks that begin and end a document",
            place=str(path),
            remedy="Name a bos_token and an eos_token of its vocabulary there.",
        )
    return known[0], known[-1]


def bytes_per_token(tokenizer: Tokenizer, texts: Collection[str]) -> float:
    """UTF-8 bytes a token stands for on average."""
    tokens = sum(len(one.ids) for one in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False))
    return round(sum(len(text.encode("utf-8")) for text in texts) / max(tokens, 1), 4)
