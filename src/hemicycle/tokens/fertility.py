"""Fertility: how many tokens a word takes, by language, variety and period, for several tokenizers.

Measured on held-out documents, which no vocabulary of the project was learnt on. Tokenizers are compared on
the same bytes, so bytes per token compares them fairly whatever a word is; tokens per word is what people
quote, and depends on what they call a word. Here it is a run of letters, hyphens inside included, with the
apostrophe of an elision (l', qu'), or a run of digits: “l'arc-en-ciel de 1789” has four.

A period is a century before 1900 and a decade from then on, by the date that the document states.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.encoder import encoder_of

WORD = r"[\p{L}\p{M}]+(?:-[\p{L}\p{M}]+)*['’]?|\p{N}+"

#: What texts are told apart by; the measures of `fertility` follow.
GROUPS = ("language", "variety", "period")
COUNTS = ("documents", "words", "bytes")


def fertility(
    corpus: Path, tokenizers: Mapping[str, Path], *, progress: Progress = QUIET
) -> list[dict[str, Any]]:
    """One row a group of held-out documents, and one for all of them at the end.

    Args:
        tokenizers: name → folder with a `tokenizer.json`.

    A row has `GROUPS` (None in the last row), `COUNTS`, and by tokenizer ``tokens``, ``tokens_per_word`` and
    ``bytes_per_token``.

    Raises InputError where nothing is held out, or a folder holds no tokenizer.
    """
    encoders = {name: encoder_of(folder) for name, folder in tokenizers.items()}
    tables = []
    with progress.start("fertility", None, "documents") as bar:
        for path in corpus_shards(corpus):
            for table in read_batches(path, ["text", "split", "date", "language", "variety"]):
                held_out = table.filter(pc.equal(table["split"], "held-out"))
                texts = held_out["text"].to_pylist()
                counts = {
                    name: np.array([len(encoder.ids(text)) for text in texts], np.int64)
                    for name, encoder in encoders.items()
                }
                tables.append(_described(held_out, counts))
                bar.advance(len(texts))
    if not any(map(len, tables)):
        raise InputError(
            "the corpus holds nothing out, and a vocabulary is not judged on what it was learnt on",
            place=str(corpus),
            remedy="Declare held_out = 0.05, or another share, for the corpus.",
        )
    every = pl.concat(tables)
    sums = [pl.col(name).sum() for name in (*COUNTS, *_columns(tokenizers))]
    grouped = every.group_by(GROUPS).agg(sums).sort(GROUPS, nulls_last=True)
    return [_row(row, tokenizers) for row in [*grouped.to_dicts(), *every.select(sums).to_dicts()]]


def _described(table: pa.Table, counts: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]) -> pl.DataFrame:
    text = pl.Series("text", table["text"].cast(pa.large_string()))
    return pl.DataFrame(
        {
            "language": pl.Series(table["language"].to_pylist(), dtype=pl.String),
            "variety": pl.Series(table["variety"].to_pylist(), dtype=pl.String),
            "period": pl.Series([period(date) for date in table["date"].to_pylist()], dtype=pl.String),
            "documents": pl.Series(np.ones(len(text), np.int64)),
            "words": text.str.count_matches(WORD).cast(pl.Int64),
            "bytes": text.str.len_bytes().cast(pl.Int64),
            **{column: counts[name] for name, column in zip(counts, _columns(counts), strict=True)},
        }
    )


def _columns(tokenizers: Mapping[str, Any]) -> list[str]:
    """Names of columns of our own: that of a tokenizer may be any text."""
    return [f"tokens {number}" for number in range(len(tokenizers))]


def period(date: str | None) -> str | None:
    """The century or decade of an ISO date: ``1789-05-05`` → ``1700–1799``, ``2013`` → ``2010–2019``."""
    stated = re.match(r"([0-9]{4})(?:-|$)", date or "", re.ASCII)
    if stated is None:
        return None
    year = int(stated[1])
    span = 100 if year < 1900 else 10
    return f"{year // span * span:04d}–{year // span * span + span - 1:04d}"


def _row(counted: dict[str, Any], tokenizers: Mapping[str, Path]) -> dict[str, Any]:
    measured = {}
    for name, column in zip(tokenizers, _columns(tokenizers), strict=True):
        tokens = counted[column]
        measured[name] = {
            "tokens": tokens,
            "tokens_per_word": round(tokens / max(counted["words"], 1), 4),
            "bytes_per_token": round(counted["bytes"] / max(tokens, 1), 4),
        }
    about = {key: counted.get(key) for key in GROUPS} | {key: counted[key] for key in COUNTS}
    return {**about, "tokenizers": measured}
