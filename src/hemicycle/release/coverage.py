"""Coverage: every document a model read, with its source and the right under which it was read.

The table fails closed. A document that the corpora do not hold, or for which a verdict that the project
needs is missing or is not `allow`, stops the release: there is no row that says “unknown”.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa

from hemicycle.documents import corpus_shards, write_parquet
from hemicycle.errors import IntegrityError, RightsError

#: A release of weights needs both rights, everywhere the project is released.
USES = ("train", "weights")

#: `documents.parquet` of a release: a row for every document and model that read it. `licence` is null where
#: the authors' term alone was relied on.
DOCUMENTS = pa.schema(
    [
        ("model", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("title", pa.string()),
        ("authors", pa.list_(pa.string())),
        ("origin", pa.string()),
        ("digest", pa.string()),
        ("verdict", pa.string()),
        ("licence", pa.string()),
        ("basis", pa.string()),
        ("obligations", pa.list_(pa.string())),
        ("rules", pa.list_(pa.string())),
        ("first_step", pa.int64()),
        ("last_step", pa.int64()),
        ("tokens", pa.int64()),
    ]
)
REFUSED = pa.schema(
    [
        ("corpus", pa.string()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("verdict", pa.string()),
        ("explanation", pa.string()),
        ("licence", pa.string()),
    ]
)
#: Rows of one row group. Fixed, so that equal rows give equal bytes.
_ROWS_A_GROUP = 100_000


def cover(
    exposures: Mapping[str, Path],
    corpora: Mapping[str, Path],
    rights: Mapping[str, Path],
    jurisdictions: Iterable[str],
) -> pl.DataFrame:
    """Join exposure, corpora and rights into one row a document and model, sorted by model, source and id.

    Args:
        exposures: the model and those it was made from → its `exposure.parquet`.

    Raises:
        IntegrityError: a document was read that no corpus holds for training.
        RightsError: a document was read that is not allowed for every jurisdiction and use.
    """
    read = pl.concat(
        _read_in_training(path).with_columns(pl.lit(model).alias("model"))
        for model, path in sorted(exposures.items())
    )
    known = _in_training(corpora)
    joined = read.join(known, on=["id", "source"], how="left")
    strangers = joined.filter(pl.col("digest").is_null())
    if strangers.height:
        raise IntegrityError(
            f"the model read {strangers['id'][0]!r}, which its corpora do not hold for training",
            place=str(exposures[strangers["model"][0]]),
            remedy="Train the model again on the corpora as they stand.",
        )
    needed = sorted(set(jurisdictions))
    verdicts = [_granted(source, folder, needed) for source, folder in sorted(rights.items())]
    covered = joined.join(pl.concat([_no_rights(), *verdicts]), on=["source", "id", "digest"], how="left")
    uncovered = covered.filter(pl.col("verdict").is_null())
    if uncovered.height:
        sources = ", ".join(uncovered["source"].unique().sort())
        raise RightsError(
            f"the model read {uncovered.height} document(s) that are not allowed for training and weights "
            f"in {', '.join(needed)}: {uncovered['id'][0]!r} is the first",
            place=f"source {sources}",
            remedy="`hemicycle clear` says why; once it is settled, train again and release.",
        )
    return covered.select(DOCUMENTS.names).sort("model", "source", "id")


def _read_in_training(exposure: Path) -> pl.DataFrame:
    """Exposure by document; one that stands in two corpora was read in both."""
    return (
        pl.read_parquet(exposure)
        .rename({"document": "id"})
        .group_by("id", "source")
        .agg(pl.min("first_step"), pl.max("last_step"), pl.sum("tokens"))
    )


def _in_training(corpora: Mapping[str, Path]) -> pl.DataFrame:
    """What the corpora say of the documents of their training split."""
    paths = [path for name in sorted(corpora) for path in corpus_shards(corpora[name])]
    empty = pl.LazyFrame(
        schema={
            **dict.fromkeys(("id", "source", "title", "origin", "digest"), pl.String),
            "authors": pl.List(pl.String),
        }
    )
    frames = [
        pl.scan_parquet(path)
        .filter(pl.col("split") == "train")
        .select(
            "id",
            "source",
            "title",
            "origin",
            "digest",
            pl.col("authors").list.eval(pl.element().struct.field("name")).alias("authors"),
        )
        for path in paths
    ]
    return pl.concat([empty, *frames]).unique(["id", "source"], keep="first", maintain_order=True).collect()


def _granted(source: str, folder: Path, jurisdictions: list[str]) -> pl.DataFrame:
    """The documents of a source that every needed verdict allows, with all that this rests on."""
    needed = len(jurisdictions) * len(USES)
    gathered = (
        pl.scan_parquet(folder / "rights.parquet")
        .filter(pl.col("jurisdiction").is_in(jurisdictions) & pl.col("use").is_in(USES))
        .group_by("id", "digest")
        .agg(
            pl.struct("jurisdiction", "use").n_unique().alias("answers"),
            (pl.col("verdict") == "allow").all().alias("allowed"),
            pl.col("licence").drop_nulls().unique().sort().alias("licences"),
            pl.col("basis").drop_nulls().str.split("+").explode().unique().sort().alias("bases"),
            pl.col("obligations").explode().drop_nulls().unique().sort(),
            pl.col("rules").explode().drop_nulls().unique().sort(),
        )
        .filter((pl.col("answers") == needed) & pl.col("allowed"))
        .collect()
    )
    several = pl.col("licences").list.len() > 1
    bracketed = pl.col("licences").list.eval(
        pl.when(pl.element().str.contains(" OR ", literal=True))
        .then(pl.format("({})", pl.element()))
        .otherwise(pl.element())
    )
    return gathered.select(
        pl.lit(source).alias("source"),
        "id",
        "digest",
        pl.lit("allow").alias("verdict"),
        pl.when(pl.col("licences").list.len() == 0)
        .then(None)
        .otherwise(pl.when(several).then(bracketed).otherwise(pl.col("licences")).list.join(" AND "))
        .alias("licence"),
        pl.col("bases").list.join("+").alias("basis"),
        "obligations",
        "rules",
    )


def _no_rights() -> pl.DataFrame:
    text = dict.fromkeys(("source", "id", "digest", "verdict", "licence", "basis"), pl.String)
    return pl.DataFrame(schema={**text, "obligations": pl.List(pl.String), "rules": pl.List(pl.String)})


def refusals(refused: Mapping[str, Path]) -> pl.DataFrame:
    """What the gate held back, by corpus, sorted."""
    frames = [
        pl.read_parquet(folder / "refused.parquet").with_columns(pl.lit(corpus).alias("corpus"))
        for corpus, folder in sorted(refused.items())
    ]
    empty = pl.DataFrame(schema=dict.fromkeys(REFUSED.names, pl.String))
    return pl.concat([empty, *(f.select(REFUSED.names) for f in frames)]).sort("corpus", "source", "id")


def write_table(path: Path, schema: pa.Schema, frame: pl.DataFrame) -> None:
    write_parquet(path, schema, _groups(frame))


def _groups(frame: pl.DataFrame) -> Iterator[pa.Table]:
    for group in frame.iter_slices(_ROWS_A_GROUP):
        if group.height:
            yield group.to_arrow()
