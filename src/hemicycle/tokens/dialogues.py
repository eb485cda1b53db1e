"""Tokenise conversations by a chat template, and write down which tokens are learnt: answers with their end.

What comes out is what `tokenize` writes and one table more, `answers.parquet`: the spans of tokens that count
as targets. A document that is no conversation is the text of a trade: it is framed by its two marks and all
of it is learnt.

The trap is a conversation that would not be read as it was taught. Its text is encoded once, as a whole; so
each beginning of it that a model will be given when it is asked must be cut into the very same tokens, and no
token may belong to question and answer both. And what somebody wrote must not become a mark: a text that
spells one out would end another's turn. Conversations of either kind are left out, and told.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.documents import corpus_shards, read_batches, write_parquet
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.answers import ANSWERS
from hemicycle.tokens.answers import NAME as ANSWERS_FILE
from hemicycle.tokens.encoder import encoder_of, load_tokenizer
from hemicycle.tokens.megatron import ShardWriter, shard_name, token_type
from hemicycle.tokens.tokenize import DOCUMENTS, SHARD_TOKENS
from hemicycle.tokens.tokenizer import marks
from hemicycle.tune.template import TEMPLATE, Refused, load_template
from hemicycle.tune.turns import Turn, turns_of

#: Why a conversation is left out.
SPELLED, CUT, LOST = "spells out a mark", "is cut into other tokens alone", "lost a turn in curation"

_ABOUT = ("id", "source", "clean_digest", "language", "date", "right")

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dialogue:
    """A conversation in tokens; `answers`: first and last token of each, exclusive, its end mark within."""

    ids: Ids
    answers: tuple[tuple[int, int], ...]


class DialogueEncoder:
    """The tokenizer of a folder with its chat template, or the plain one where it has none."""

    def __init__(self, folder: Path) -> None:
        self.template = load_template(folder)
        self._tokenizer = load_tokenizer(folder)
        self._tokenizer.encode_special_tokens = False
        added = self._tokenizer.get_added_tokens_decoder()
        self.special = frozenset(number for number, token in added.items() if token.special)
        # Noncharacters stand for places while a template writes.
        self._marks = (*self.template.spelled, *(added[n].content for n in self.special), "\ufdd0", "\ufdd1")

    def ids(self, text: str) -> Ids:
        """The tokens of a text in which marks are marks, as a template wrote it."""
        return np.array(self._tokenizer.encode(text, add_special_tokens=False).ids, np.int64)

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, marks left out."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def encode(self, turns: Sequence[Turn]) -> Dialogue | str:
        """A conversation in tokens, or why it is left out. Raises InputError as `ChatTemplate.write` does."""
        if any(mark in turn.content for turn in turns for mark in self._marks):
            return SPELLED
        try:
            written = self.template.write(turns)
        except Refused as refused:
            return f"is refused by the chat template ({refused})"
        encoding = self._tokenizer.encode(written.text, add_special_tokens=False)
        ids = np.array(encoding.ids, np.int64)
        starts, ends = [start for start, _ in encoding.offsets], [end for _, end in encoding.offsets]
        answers = []
        for begin, stop in written.answers:
            first, last = bisect.bisect_left(starts, begin), bisect.bisect_left(starts, stop)
            if (first and ends[first - 1] > begin) or (last and ends[last - 1] > stop):
                return CUT
            if not np.array_equal(self.ids(written.text[:begin]), ids[:first]):
                return CUT
            answers.append((first, self._with_end(ids, first, last)))
        return Dialogue(ids, tuple(answers))

    def _with_end(self, ids: Ids, first: int, last: int) -> int:
        """Where an answer ends: after its last mark, or that which follows at once; what a template writes
        behind it, such as a line end, nobody waits for."""
        found = [place + 1 for place in range(first, last) if int(ids[place]) in self.special]
        if found and not self.text(ids[found[-1] : last].tolist()).strip():
            return found[-1]
        return last + (last < len(ids) and int(ids[last]) in self.special)


def tokenize_dialogues(
    corpus: Path,
    tokenizer: Path,
    out: Path,
    *,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `tokens-NNNNN.bin/.idx`, `documents.parquet`, `answers.parquet` and the template, if it was used.

    Returns figures: counts, how many tokens are learnt, and how many conversations were left out for what.
    Raises InputError where none is left, or the template does not let answers be found.
    """
    work = _Work(tokenizer, out, shard_tokens)
    with progress.start("tokenize", None, "documents") as bar:
        for path in corpus_shards(corpus):
            for batch in read_batches(path, ["text", "parts", "kind", "split", *_ABOUT]):
                for row in batch.to_pylist():
                    if row["split"] == "train":
                        work.add(row)
                work.flush()
                bar.advance(batch.num_rows)
    for reason, number in sorted(work.left_out.items()):
        progress.say(f"{number} conversations are left out: each {reason}")
    if not work.counts:
        worst = max(work.left_out, key=work.left_out.__getitem__, default=None)
        raise InputError(
            "no training document is left to learn from" + (f": each {worst}" if worst else ""),
            place=str(corpus),
            remedy="Look at the corpus and at the chat template.",
        )
    return work.close()


class _Work:
    """The artefact on its way: one open shard, and what is known of each document and each answer."""

    def __init__(self, tokenizer: Path, out: Path, shard_tokens: int) -> None:
        self._dialogues, self._plain = DialogueEncoder(tokenizer), encoder_of(tokenizer)
        loaded = load_tokenizer(tokenizer)
        self._begin, self._end = marks(tokenizer, loaded)
        self._dtype = token_type(loaded.get_vocab_size(with_added_tokens=True))
        self._out, self._most, self._shard = out, shard_tokens, 0
        self._writer = ShardWriter(out / shard_name(0), self._dtype)
        self._rows: list[dict[str, Any]] = []
        self._spans: list[dict[str, int]] = []
        self._tables: list[tuple[pa.Table, pa.Table]] = []
        self._ends: set[int] = set()
        self._documents = self._conversations = self._learnt = 0
        self.counts: dict[str, Counter[str]] = {}
        self.left_out: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        """Encode and write one document of the corpus."""
        made: Dialogue | str
        if row["kind"] == "conversation":
            turns = turns_of(row["text"], row["parts"] or ())
            made = LOST if turns is None else self._dialogues.encode(turns)
        else:
            ids = np.concatenate([[self._begin], self._plain.ids(row["text"]), [self._end]]).astype(np.int64)
            made = Dialogue(ids, ((0, len(ids)),))
        if isinstance(made, str):
            self.left_out[made] += 1
            return
        if self._writer.tokens >= self._most:
            self._writer.close()
            self._shard += 1
            self._writer = ShardWriter(self._out / shard_name(self._shard), self._dtype)
        at = {"shard": self._shard, "first": self._writer.tokens, "tokens": len(made.ids)}
        self._writer.add(made.ids)
        counted = {"documents": 1, "tokens": len(made.ids), "bytes": len(row["text"].encode("utf-8"))}
        self.counts.setdefault(row["source"], Counter()).update(counted)
        about = {name: row[name] for name in _ABOUT}
        self._rows.append({**about, **at, "document": self._documents, "bytes": counted["bytes"]})
        self._documents += 1
        self._conversations += row["kind"] == "conversation"
        for begin, stop in made.answers:
            self._spans.append({**at, "first": at["first"] + begin, "tokens": stop - begin})
            self._learnt += stop - begin
            self._ends.add(int(made.ids[stop - 1]))

    def flush(self) -> None:
        """Pack what is known of the last documents: as Arrow it takes a tenth of the memory."""
        if self._rows:
            packed = (
                pa.Table.from_pylist(self._rows, schema=DOCUMENTS),
                pa.Table.from_pylist(self._spans, schema=ANSWERS),
            )
            self._tables.append(packed)
            self._rows, self._spans = [], []

    def close(self) -> dict[str, Any]:
        self._writer.close()
        write_parquet(self._out / "documents.parquet", DOCUMENTS, (rows for rows, _ in self._tables))
        write_parquet(self._out / ANSWERS_FILE, ANSWERS, (spans for _, spans in self._tables))
        if self._conversations:
            (self._out / TEMPLATE).write_text(self._dialogues.template.source, "utf-8")
        totals = Counter[str]()
        for counts in self.counts.values():
            totals.update(counts)
        return {
            **totals,
            "conversations": self._conversations,
            "learnt_tokens": self._learnt,
            "left_out": dict(sorted(self.left_out.items())),
            "ends": sorted(self._ends & self._dialogues.special),
            "bytes_per_token": round(totals["bytes"] / max(totals["tokens"], 1), 4),
            "shards": self._shard + 1,
            "encoder": "tokenizers",
            "sources": {source: dict(counts) for source, counts in sorted(self.counts.items())},
        }
