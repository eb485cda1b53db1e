"""Admit: the documents that may go on, out of the rights of all sources. The gate before tokenisation.

It fails closed. A document is admitted when every verdict that the project needs, for each jurisdiction
and each use, is there and is `allow`; a verdict that is missing, unreadable or given for two different
texts refuses. No day is written into the result, so a later day that admits the same documents gives the
same bytes and rebuilds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from hemicycle.documents import write_parquet
from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.rights.policy import SEVERITY, USES

if TYPE_CHECKING:
    import polars as pl

ADMITTED = pa.schema([("source", pa.string()), ("id", pa.string()), ("digest", pa.string())])
REFUSED = pa.schema(
    [
        ("source", pa.string()),
        ("id", pa.string()),
        ("verdict", pa.string()),
        ("explanation", pa.string()),
        ("licence", pa.string()),
    ]
)

#: Explanations of verdicts `review` that are lifted, each for some documents or, with None, for all.
Lifted = Sequence[tuple[str, Sequence[str] | None]]

#: Rows of one row group. Fixed, so that equal rows give equal bytes.
_ROWS_A_GROUP = 100_000


def admit(
    rights: Mapping[str, Path],
    jurisdictions: Sequence[str],
    out: Path,
    *,
    uses: Sequence[str] = ("train", "weights"),
    held: Mapping[str, str] | None = None,
    lifted: Mapping[str, Lifted] | None = None,
) -> dict[str, Any]:
    """Write `out/admitted.parquet` and `out/refused.parquet`; return how many went where, and why.

    Args:
        rights: source → folder with its `rights.parquet`.
        jurisdictions, uses: a document needs `allow` for each of one with each of the other.
        held: source → key of the explanation why nothing of it may pass, whatever its verdicts.
        lifted: source → which verdicts `review` of it a signed decision lifts.

    Returns:
        `admitted` and `refused` documents in all, and by source with the reasons. An empty admitted set
        is a result like any other: what to do about it is for the caller to say.

    Raises:
        DeclarationError: no jurisdiction or use, or an unknown use, which would admit everything.
        IntegrityError: the rights of a source cannot be read.
    """
    import polars as pl

    if not jurisdictions or not uses:
        raise DeclarationError("documents cannot be admitted for no jurisdiction or no use")
    for use in uses:
        if use not in USES:
            raise DeclarationError(f"there is no use “{use}”", remedy=f"Uses: {', '.join(USES)}.")
    needed = sorted({(j, u) for j in jurisdictions for u in uses})
    every = [
        judge(source, rights[source], needed, (held or {}).get(source), (lifted or {}).get(source, ()))
        for source in sorted(rights)
    ]
    judged = pl.concat(every or [_nothing()]).sort("source", "id")
    admitted = judged.filter("admitted").select("source", "id", "digest")
    refused = judged.filter(~pl.col("admitted")).select("source", "id", "verdict", "explanation", "licence")
    out.mkdir(parents=True, exist_ok=True)
    write_parquet(out / "admitted.parquet", ADMITTED, _groups(admitted))
    write_parquet(out / "refused.parquet", REFUSED, _groups(refused))
    return {
        "admitted": admitted.height,
        "refused": refused.height,
        "jurisdictions": sorted(set(jurisdictions)),
        "uses": sorted(set(uses)),
        "sources": {source: _source_figures(source, admitted, refused) for source in sorted(rights)},
    }


def judge(
    source: str, folder: Path, needed: Sequence[tuple[str, str]], held: str | None, lifted: Lifted
) -> pl.DataFrame:
    """One row a document: whether it is admitted, and its worst verdict among those needed."""
    import polars as pl

    path = folder / "rights.parquet"
    # Of two equally bad verdicts the one asked for first explains.
    asked = pl.LazyFrame(
        [(j, u, len(needed) - place) for place, (j, u) in enumerate(needed)],
        schema={"jurisdiction": pl.String, "use": pl.String, "precedence": pl.Int64},
        orient="row",
    )
    severity = pl.col("verdict").replace_strict(
        dict(SEVERITY), default=SEVERITY["deny"], return_dtype=pl.Int64
    )
    try:
        rows = pl.scan_parquet(path).with_columns(_lifted_verdict(lifted))
        one_text = (pl.n_unique("digest") == 1).alias("one")
        everyone = rows.group_by("id").agg(pl.first("digest"), one_text)
        badness = (severity * (len(needed) + 1) + pl.col("precedence")).alias("badness")
        worst = (
            rows.join(asked, on=["jurisdiction", "use"])
            .with_columns(severity.alias("severity"), badness)
            .group_by("id")
            .agg(
                pl.n_unique("precedence").alias("answers"),
                pl.col("severity", "verdict", "explanation", "licence").get(pl.col("badness").arg_max()),
            )
        )
        frame = everyone.join(worst, on="id", how="left").collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(
            f"the rights of {source} cannot be read: {str(error).splitlines()[0]}",
            place=str(path),
            remedy="Delete the artefact and run again.",
        ) from None
    whole = (pl.col("answers") == len(needed)) & pl.col("one") & pl.col("digest").is_not_null()
    allowed = pl.col("severity") == SEVERITY["allow"]
    # A document that lacks a verdict but has a bad one keeps the bad one as its reason.
    undecided = ~whole.fill_null(False) & allowed.fill_null(True)
    passes = (whole & allowed).fill_null(False)
    stopped = passes & pl.lit(held is not None)
    return frame.select(
        pl.lit(source).alias("source"),
        "id",
        "digest",
        (passes & ~stopped).alias("admitted"),
        pl.when(undecided)
        .then(pl.lit("deny"))
        .when(stopped)
        .then(pl.lit("review"))
        .otherwise(pl.col("verdict"))
        .alias("verdict"),
        pl.when(undecided)
        .then(pl.lit("not-decided"))
        .when(stopped)
        .then(pl.lit(held))
        .otherwise(pl.col("explanation"))
        .alias("explanation"),
        "licence",
    )


def _lifted_verdict(lifted: Lifted) -> pl.Expr:
    """The verdict; `allow` for a `review` whose explanation a decision lifts. Nothing lifts a `deny`."""
    import polars as pl

    verdict = pl.col("verdict")
    for explanation, ids in lifted:
        these = (pl.col("verdict") == "review") & (pl.col("explanation") == explanation)
        if ids is not None:
            these &= pl.col("id").is_in(list(ids))
        verdict = pl.when(these).then(pl.lit("allow")).otherwise(verdict)
    return verdict.alias("verdict")


def _nothing() -> pl.DataFrame:
    import polars as pl

    text = dict.fromkeys(("source", "id", "digest", "verdict", "explanation", "licence"), pl.String)
    return pl.DataFrame(schema={**text, "admitted": pl.Boolean})


def _groups(frame: pl.DataFrame) -> Iterator[pa.Table]:
    for group in frame.iter_slices(_ROWS_A_GROUP):
        if group.height:
            yield group.to_arrow()


def _source_figures(source: str, admitted: pl.DataFrame, refused: pl.DataFrame) -> dict[str, Any]:
    of_source = refused.filter(source=source)
    reasons = of_source["explanation"].value_counts().sort("explanation")
    return {
        "admitted": admitted.filter(source=source).height,
        "refused": of_source.height,
        "reasons": dict(reasons.iter_rows()),
    }
