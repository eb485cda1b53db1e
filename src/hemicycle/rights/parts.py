"""The parts of a model's weights, with the licences they were read under: what a release must follow from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hemicycle.project import Card
from hemicycle.rights.aggregate import Part


def parts_of(
    rights: Mapping[str, Path], admitted: Mapping[str, Path], cards: Mapping[str, Card]
) -> list[Part]:
    """One part for each source and each licence that one of its admitted documents was used under, and one
    for each model that wrote text of a source. Text free by its authors' term alone is under no licence.

    Args:
        rights: source → folder of its rights.
        admitted: corpus → folder of what its gate let through.
    """
    import polars as pl

    passed = pl.concat([pl.read_parquet(folder / "admitted.parquet") for folder in admitted.values()])
    parts = []
    for source in sorted(rights):
        ids = passed.filter(source=source).select("id").unique()
        rows = pl.scan_parquet(rights[source] / "rights.parquet").filter(use="weights")
        under = rows.join(ids.lazy(), on="id", how="semi").filter(pl.col("basis") != "term")
        licences = under.select("licence").unique().collect()["licence"].to_list()
        parts += [Part(source, "source", licence) for licence in sorted(licences, key=str)]
        parts += [Part(g.name, "generator", g.licence) for g in cards[source].rights.generators if ids.height]
    return parts
