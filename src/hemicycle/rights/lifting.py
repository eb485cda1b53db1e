"""Lifting: which documents of a source a signed decision could let through, and for which reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.rights.admit import Lifted
from hemicycle.rights.explanations import explanations
from hemicycle.rights.policy import LIFTABLE, Use

if TYPE_CHECKING:
    import polars as pl


def reasons_to_lift(rights: Path, uses: Sequence[Use]) -> list[str]:
    """The explanations of verdicts `review` for one of the uses that people may settle, sorted."""
    reasons: list[str] = (
        _liftable(rights, uses).select("explanation").unique().collect()["explanation"].to_list()
    )
    return sorted(reasons)


def _liftable(rights: Path, uses: Sequence[Use]) -> pl.LazyFrame:
    import polars as pl

    open_to_people = (pl.col("verdict") == "review") & pl.col("explanation").is_in(sorted(LIFTABLE))
    return pl.scan_parquet(rights / "rights.parquet").filter(open_to_people & pl.col("use").is_in(list(uses)))


def lets_through(
    source: str, rights: Path, admitted: Sequence[Path], uses: Sequence[Use], lifted: Lifted
) -> bool:
    """Whether a decision that lifts this lifts something of a document of the source that goes on.

    `admitted`: files of `rights.admit`.
    """
    import polars as pl

    these = pl.lit(False)
    for code, documents in lifted:
        of_code = pl.col("explanation") == code
        these |= of_code if documents is None else of_code & pl.col("id").is_in(list(documents))
    through = pl.concat(pl.scan_parquet(path) for path in admitted).filter(source=source)
    held = _liftable(rights, uses).filter(these).join(through, on=["id", "digest"], how="semi")
    return not held.head(1).collect().is_empty()


def check_lifts(
    source: str, rights: Path, uses: Sequence[Use], codes: Sequence[str], documents: Sequence[str]
) -> None:
    """Raise DeclarationError where an override of a source would lift nothing for one of these reasons, or
    for one of these documents."""
    import polars as pl

    known = reasons_to_lift(rights, uses)
    for code in codes:
        if code not in known:
            told = f"“{code}” is for no decision to lift: it takes a fact"
            if code in LIFTABLE or code not in explanations():
                told = f"no document of {source} is held for “{code}”"
            remedy = f"To be lifted of {source}: {', '.join(known) or 'nothing'}."
            raise DeclarationError(told, remedy=remedy)
    if not documents:
        return
    held = _liftable(rights, uses).filter(pl.col("explanation").is_in(list(codes)))
    ids = set(held.select("id").unique().collect()["id"].to_list())
    for document in documents:
        if document not in ids:
            raise DeclarationError(
                f"no document “{document}” of {source} is held for {' or '.join(codes)}",
                remedy=did_you_mean(document, sorted(ids)[:100_000]),
            )
