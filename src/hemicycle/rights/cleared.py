"""Cleared: of one source, which documents go on, row for row beside its documents.

The gate of a corpus (`rights.admit`) says how many pass and why others do not. What curation needs is the
same answer in the order of the documents, so that any part of a source can be worked on alone; for each
document how well it is cleared, since of two copies of one text the better-cleared one is to stay; and by
which right, by which a corpus is described and mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from hemicycle.documents import read_batches, write_parquet
from hemicycle.errors import IntegrityError
from hemicycle.rights.admit import Lifted, judge

CLEARED = pa.schema(
    [
        ("id", pa.string()),
        ("digest", pa.string()),
        ("admitted", pa.bool_()),
        ("rank", pa.int8()),
        ("right", pa.string()),
    ]
)

#: In `right`, where no licence is the ground: the authors' term is over, or a signed decision let it through.
TERM_OVER, BY_DECISION = "term-over", "by-decision"


def clear_source(
    source: str,
    documents: Path,
    rights: Path,
    jurisdictions: Sequence[str],
    out: Path,
    *,
    uses: Sequence[str] = ("train", "weights"),
    held: Mapping[str, str] | None = None,
    lifted: Mapping[str, Lifted] | None = None,
) -> dict[str, Any]:
    """Write `out/cleared.parquet`: one row a document of `documents`, in its row groups.

    Arguments are those of `rights.admit`. `rank` orders the admitted: 0 no duty, 1 with duties, 2 let through
    by a signed decision; it depends on verdicts, never on days or signatures' times. `right` is the ground
    they go on by: a licence, or `TERM_OVER`, or `BY_DECISION`.

    Returns counts of `admitted` and `refused`. Raises IntegrityError where rights and documents are not of
    one another.
    """
    needed = sorted({(j, u) for j in jurisdictions for u in uses})
    judged = judge(source, rights, needed, (held or {}).get(source), (lifted or {}).get(source, ()))
    ground = pl.coalesce("licence", pl.when("by_term").then(pl.lit(TERM_OVER)), pl.lit(BY_DECISION))
    frame = (
        judged.select("id", "digest", "admitted", "licence")
        .join(_ranks(rights, needed), on="id", how="left")
        .with_columns(pl.when("admitted").then(ground).alias("right"))
    )
    admitted = 0

    def batches() -> Iterator[pa.Table]:
        nonlocal admitted
        for batch in read_batches(documents, ["id", "digest"]):
            rows = pl.from_arrow(batch)
            assert isinstance(rows, pl.DataFrame)
            found = rows.join(frame, on=["id", "digest"], how="left", maintain_order="left")
            if found["admitted"].null_count():
                raise IntegrityError(
                    f"rights were not decided for the documents of {source} as they are",
                    place=str(rights / "rights.parquet"),
                    remedy="Delete the artefact and run again.",
                )
            admitted += int(found["admitted"].sum())
            yield found.select(CLEARED.names).to_arrow()

    rows = write_parquet(out / "cleared.parquet", CLEARED, batches())
    return {"admitted": admitted, "refused": rows - admitted}


def _ranks(rights: Path, needed: Sequence[tuple[str, str]]) -> pl.DataFrame:
    asked = pl.LazyFrame(needed, schema={"jurisdiction": pl.String, "use": pl.String}, orient="row")
    rank = (
        pl.when(pl.col("verdict") != "allow")
        .then(2)
        .when(pl.col("obligations").list.len() > 0)
        .then(1)
        .otherwise(0)
        .cast(pl.Int8)
    )
    rows = pl.scan_parquet(rights / "rights.parquet")
    by_term = pl.col("basis").str.contains("term", literal=True).fill_null(False).all().alias("by_term")
    asked_for = rows.join(asked, on=["jurisdiction", "use"])
    return asked_for.group_by("id").agg(rank.max().alias("rank"), by_term).collect()
