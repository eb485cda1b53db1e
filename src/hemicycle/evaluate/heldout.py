"""The held-out documents of some corpora, cut into blocks that every measure shares.

Two models cut the same text into different tokens, so a paired comparison needs units that depend on neither:
blocks of about 2 000 characters. A token counts in the block where its first byte lies.

The trap is a document that one corpus holds out and another one trains on (their declared shares may differ),
be it a model's own or only that of its tokenizer, which would know the words of the text. Such a document,
recognised by id or by the digest of its cleaned text, is left out, and the number said.

For models that were taught to answer, a conversation is no text to be read on: it is held apart, and its
answers are measured (`answers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from hemicycle.curate.withdrawn import WITHDRAWN
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import InputError
from hemicycle.tune.turns import Turn, turns_of

_COLUMNS = ["id", "clean_digest", "source", "text", "split", "kind", "parts"]
#: Characters a block has, about: a document is cut into equal blocks as near to this as can be.
BLOCK = 2_000

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldOutDocument:
    """One document to measure on.

    Attributes:
        corpora: those that hold it out.
        ends: end of each block, in characters; the last one is the length of the text.
        byte_ends: the same ends, in bytes of the UTF-8 text.
    """

    id: str
    source: str
    text: str
    ends: Integers
    byte_ends: Integers
    corpora: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HeldOutConversation:
    """One conversation to measure on.

    Attributes:
        spans: first and last character of each answer in the document's text, exclusive.
    """

    id: str
    source: str
    turns: tuple[Turn, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class HeldOut:
    """What to measure on.

    Attributes:
        documents: in order of source, then of the corpus; those that are no conversations.
        conversations: in the same order; one that curation took a turn from is none.
        trained_elsewhere: documents left out because another of the corpora, or one that a tokenizer was
            learnt on, trains on them.
    """

    documents: tuple[HeldOutDocument, ...]
    conversations: tuple[HeldOutConversation, ...]
    trained_elsewhere: int


def cut(document: str, source: str, text: str, corpora: Iterable[str] = ()) -> HeldOutDocument:
    """Cut one document into blocks of equal length in characters, of about `BLOCK`."""
    blocks = max(1, round(len(text) / BLOCK))
    ends = np.array([len(text) * i // blocks for i in range(1, blocks + 1)], np.int64)
    starts = [0, *ends[:-1].tolist()]
    sizes = [len(text[i:j].encode("utf-8")) for i, j in zip(starts, ends.tolist(), strict=True)]
    byte_ends = np.cumsum(sizes, dtype=np.int64)
    return HeldOutDocument(document, source, text, ends, byte_ends, frozenset(corpora))


def read_held_out(
    corpora: Mapping[str, Path],
    tokenizer_corpora: Mapping[str, Path] = {},
    *,
    unread: Mapping[str, Path] = {},
    dialogues: bool = False,
) -> HeldOut:
    """Collect the held-out documents of corpus artefacts, each once; empty texts have nothing to measure.

    Args:
        corpora: name → folder of a corpus to measure on.
        tokenizer_corpora: corpora that the models' tokenizers were learnt on; only their training splits
            matter, and they may be among `corpora`.
        unread: more corpora to measure on, which no model trains on; only what they hold out matters.
        dialogues: whether conversations are held apart; else they are text like any other.

    Raises:
        InputError: a corpus holds nothing out, or nothing that the others do not train on. One of which all
            that it held out was withdrawn may be among others.
    """
    learnt_from = sorted({*corpora.values(), *tokenizer_corpora.values()})
    trained = _trained(learnt_from)
    found: dict[str, dict[str, Any]] = {}
    held_by: dict[str, set[str]] = {}
    elsewhere: set[str] = set()
    for name, folder in sorted({**corpora, **unread}.items()):
        held_out = 0
        for path in corpus_shards(folder):
            for table in read_batches(path, _COLUMNS):
                for row in table.to_pylist():
                    if row["split"] != "held-out" or not row["text"]:
                        continue
                    held_out += 1
                    if row["id"] in trained or row["clean_digest"] in trained:
                        elsewhere.add(row["id"])
                    else:
                        found.setdefault(row["id"], row)
                        held_by.setdefault(row["id"], set()).add(name)
        if not held_out and not _lost(folder):
            raise InputError(
                f"the corpus “{name}” holds no document out, so there is nothing to measure on",
                place=str(folder),
                remedy=f"Set a larger share in [corpora.{name}] of hemicycle.toml, such as `held_out = 0.1`: "
                "with few documents a small share may fall on none.",
            )
    if not found and not elsewhere:
        raise InputError(
            "all that was held out of these corpora was withdrawn, so there is nothing to measure on",
            place=", ".join(sorted({*corpora, *unread})),
            remedy="Take the evaluation out of hemicycle.toml, or name other `corpora` to measure on in it.",
        )
    rows = sorted(found.values(), key=lambda row: str(row["source"]))
    documents, conversations = [], []
    for row in rows:
        if dialogues and row["kind"] == "conversation":
            conversations += _conversation(row)
        else:
            documents.append(cut(row["id"], row["source"], row["text"], held_by[row["id"]]))
    if not documents and not conversations:
        raise InputError(
            "every held-out document is training text of another corpus of this evaluation or of a tokenizer",
            place=", ".join(map(str, learnt_from)),
            remedy="Give the corpora that share sources the same `held_out` in hemicycle.toml.",
        )
    return HeldOut(tuple(documents), tuple(conversations), len(elsewhere - found.keys()))


def _lost(corpus: Path) -> bool:
    """Whether documents that a corpus held out were withdrawn from it."""
    path = corpus / WITHDRAWN
    return path.is_file() and "held-out" in pq.read_table(path, columns=["split"])["split"].to_pylist()


def _conversation(row: Mapping[str, Any]) -> list[HeldOutConversation]:
    """The conversation of a document, if curation left it whole."""
    parts = row["parts"] or []
    turns = turns_of(row["text"], parts)
    spans = tuple((part["start"], part["end"]) for part in parts if part["role"] == "assistant")
    return [] if turns is None else [HeldOutConversation(row["id"], row["source"], tuple(turns), spans)]


def _trained(corpora: Iterable[Path]) -> set[str]:
    """Ids and digests of cleaned text of every training document."""
    trained: set[str] = set()
    for folder in corpora:
        for path in corpus_shards(folder):
            for table in read_batches(path, ["id", "clean_digest", "split"]):
                for row in table.to_pylist():
                    if row["split"] == "train":
                        trained.update((row["id"], row["clean_digest"]))
    return trained


def training_texts(corpora: Mapping[str, Path], *, dialogues: bool = False) -> Iterator[str]:
    """The training texts of some corpora, a document that stands in several of them once; without
    conversations where `dialogues` are held apart."""
    seen: set[str] = set()
    for _, folder in sorted(corpora.items()):
        for path in corpus_shards(folder):
            for table in read_batches(path, ["id", "text", "split", "kind"]):
                for row in table.to_pylist():
                    apart = dialogues and row["kind"] == "conversation"
                    if row["split"] == "train" and row["id"] not in seen and not apart:
                        seen.add(row["id"])
                        yield row["text"]
