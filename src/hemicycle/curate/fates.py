"""Fates: what becomes of each measured document, decided over the whole corpus from a few short columns.

A document that passed the rules belongs to the training split or is held out, by its group and before copies
are looked for, so that no part of a held-out sitting or novel is ever trained on. Then copies go: of equal
texts one stays, of near-equal ones each that goes names a near copy that stays.

Which copy stays follows from how well it is cleared, then its date, source and id. Nothing here depends on
the order of documents or shards, nor on the day anything was signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from hemicycle.digests import sha256_text
from hemicycle.errors import InputError

#: What of a document its fate depends on. `rank`: how well it is cleared (`rights.cleared`).
FACTS = {
    "source": pl.String,
    "id": pl.String,
    "group": pl.String,
    "date": pl.String,
    "clean_digest": pl.String,
    "rank": pl.Int8,
    "passes": pl.Boolean,
}

#: Given which rows to compare and the order in which they have precedence, the near copy that stays instead
#: of each row, or -1.
NearCopies = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fates:
    """By row of the facts.

    Attributes:
        held_out: whether the row's group is held out.
        copy_of: the row of the equal text that stays instead, or -1.
        near_copy_of: the row of the near-equal text that stays instead, or -1.
        copies: how many rows name this one.
    """

    held_out: npt.NDArray[np.bool_]
    copy_of: Rows
    near_copy_of: Rows
    copies: Rows


def decide_fates(facts: pl.DataFrame, held_out: float, near_copies: NearCopies | None) -> Fates:
    """The fate of every row of `facts`. Raises InputError where two documents have one id."""
    _one_id_each(facts)
    out = _held_out(facts, held_out)
    order = _precedence(facts)
    copy_of = _equal_copies(facts, order)
    near = np.full(len(facts), -1, np.int64)
    if near_copies is not None:
        near = near_copies(order[copy_of[order] < 0])
    # The copy that stays may itself have gone as a near copy: what it went for then stands for both.
    gone = (copy_of >= 0) & (near[np.maximum(copy_of, 0)] >= 0)
    near[gone], copy_of[gone] = near[copy_of[gone]], -1
    named = np.concatenate([copy_of[copy_of >= 0], near[near >= 0]])
    return Fates(out, copy_of, near, np.bincount(named, minlength=len(facts)).astype(np.int64))


def _one_id_each(facts: pl.DataFrame) -> None:
    twice = facts.filter(pl.col("id").is_duplicated()).sort("id", "source")
    if twice.height:
        raise InputError(
            f"sources {' and '.join(twice['source'].head(2))} both have a document {twice['id'][0]!r}",
            remedy="A document's id must be its own in the whole corpus; give one source's rows other ids.",
        )


def _held_out(facts: pl.DataFrame, share: float) -> npt.NDArray[np.bool_]:
    """Whether each row's group is held out; a source of two groups or more holds out at least one."""
    groups = facts.filter("passes").select("source", "group").unique().sort("source", "group")
    chances = [int(sha256_text(f"{s}\n{g}")[:13], 16) / 16**13 for s, g in groups.iter_rows()]
    chance = pl.col("chance")
    least = (pl.len().over("source") > 1) & (chance == chance.min().over("source")) & (share > 0)
    out = groups.with_columns(pl.Series("chance", chances, pl.Float64)).with_columns(
        ((chance < share) | least).alias("out")
    )
    # The least of a source counts only where chance took none.
    enough = (chance < share).any().over("source")
    out = out.with_columns(pl.when(enough).then(chance < share).otherwise("out").alias("out"))
    joined = facts.join(out, on=["source", "group"], how="left", maintain_order="left", nulls_equal=True)
    return joined["out"].fill_null(False).to_numpy()


def _precedence(facts: pl.DataFrame) -> Rows:
    """Rows that pass, best copy first."""
    ranked = (
        facts.with_row_index("row")
        .filter("passes")
        .sort("rank", pl.col("date").fill_null("9999"), "source", "id", maintain_order=True)
    )
    return ranked["row"].cast(pl.Int64).to_numpy()


def _equal_copies(facts: pl.DataFrame, order: Rows) -> Rows:
    ranked = facts.select("clean_digest")[order].with_columns(pl.Series("row", order))
    first = ranked.select(pl.col("row"), pl.col("row").first().over("clean_digest").alias("stays"))
    copy_of = np.full(len(facts), -1, np.int64)
    goes = first.filter(pl.col("row") != pl.col("stays"))
    copy_of[goes["row"].to_numpy()] = goes["stays"].to_numpy()
    return copy_of


def reasons(fates: Fates, ids: pl.Series, rows: range) -> list[str | None]:
    """Why each of these rows goes as a copy, naming what stays; None for one that is no copy."""
    said: list[str | None] = []
    for row in rows:
        if fates.copy_of[row] >= 0:
            said.append(f"duplicate-of:{ids[int(fates.copy_of[row])]}")
        elif fates.near_copy_of[row] >= 0:
            said.append(f"near-duplicate-of:{ids[int(fates.near_copy_of[row])]}")
        else:
            said.append(None)
    return said
