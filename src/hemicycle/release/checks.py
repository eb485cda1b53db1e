"""Checks: what of an evaluation stands in a released model's training text, and what it gives back of that.

An evaluation may be of several models. What of it goes into a release is of the released one alone: documents
that others read are nobody's business here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hemicycle.errors import IntegrityError
from hemicycle.evaluate.verbatim.sets import source_of
from hemicycle.release.facts import CheckedSet, Contamination, Extraction, Rate, Regurgitation
from hemicycle.typeset import Language

CONTAMINATION, ITEMS, CONTAMINATION_PICTURE = "contamination.json", "items.parquet", "contamination.png"
REGURGITATION, PASSAGES, REGURGITATION_PICTURE = "regurgitation.json", "passages.parquet", "regurgitation.png"


def contamination_of(folder: Path, model: str) -> Contamination:
    """The facts of a check. Raises IntegrityError where its results cannot be read."""
    results = _contamination(folder, model)
    with _reading(folder / CONTAMINATION):
        (text,) = results["training"]
        sets = [row for one in text["sets"] for row in _rows(one)]
        return Contamination(
            sets=tuple(sets),
            held_out=tuple(
                _checked(source_of(one["set"]) or one["set"], "text", one["items"], one["question"], None)
                for one in text["held_out"]
            ),
            notes=_notes(text),
        )


def regurgitation_of(folder: Path, model: str) -> Regurgitation:
    """The facts of a measurement. Raises IntegrityError where its results cannot be read."""
    results = _regurgitation(folder, model)
    with _reading(folder / REGURGITATION):
        about = results["models"][model]
        rows = tuple(
            Extraction(
                by=row["by"],
                value=row["value"],
                prefix=row["prefix"],
                passages=row["passages"],
                exact=_rate(row["exact"]),
                within=_rate(row["in_8"]),
                longest=row["longest"],
            )
            for row in about["rows"]
            # By source and by copies, what the longest prefix gets out is the most.
            if row["by"] in ("all", "control") or row["prefix"] == max(about["lengths"])
        )
        return Regurgitation(rows, about["target_tokens"], _notes(about))


def copy_contamination(folder: Path, model: str, out: Path) -> None:
    """Write what of a check is of one model."""
    results = _contamination(folder, model)
    names = [text["training"] for text in results["training"]]
    _write(results, out / CONTAMINATION)
    items = pl.read_parquet(folder / ITEMS)
    items.filter(pl.col("training").is_in(names)).write_parquet(out / ITEMS)


def copy_regurgitation(folder: Path, model: str, out: Path) -> None:
    """Write what of a measurement is of one model."""
    _write(_regurgitation(folder, model), out / REGURGITATION)
    passages = pl.read_parquet(folder / PASSAGES)
    passages.filter(pl.col("model") == model).write_parquet(out / PASSAGES)


def picture_of(folder: Path, name: str, model: str) -> Path:
    """The picture of one model's own results, beside that of all."""
    return folder / f"{Path(name).stem}.{model}.png"


def _contamination(folder: Path, model: str) -> dict[str, Any]:
    with _reading(folder / CONTAMINATION):
        results = json.loads((folder / CONTAMINATION).read_bytes())
        kept = [{**one, "models": [model]} for one in results["training"] if model in one["models"]]
        return {**results, "training": kept, **_upstream(results, model)}


def _regurgitation(folder: Path, model: str) -> dict[str, Any]:
    with _reading(folder / REGURGITATION):
        results = json.loads((folder / REGURGITATION).read_bytes())
        return {**results, "models": {model: results["models"][model]}, **_upstream(results, model)}


def _upstream(results: Mapping[str, Any], model: str) -> dict[str, Any]:
    return {"upstream": {m: base for m, base in results["upstream"].items() if m == model}}


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Name the file of results in what is wrong with it."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"the results cannot be read ({error!r})", place=str(path)) from None


def _write(results: Mapping[str, Any], path: Path) -> None:
    text = json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", "utf-8")


def _rows(one: Mapping[str, Any]) -> list[CheckedSet]:
    rows = [_checked(one["set"], "question", one["items"], one["question"], one["with_answer"])]
    if one["context"]:
        rows.append(_checked(one["set"], "context", one["items"], one["context"], None))
    return rows


def _checked(
    name: str, part: str, items: int, counted: Mapping[str, Any], answered: Mapping[str, Any] | None
) -> CheckedSet:
    return CheckedSet(
        name=name,
        part=part,
        items=items,
        **{key: counted[key] for key in ("clean", "partly", "contaminated", "unjudged", "longest")},
        with_answer=None if answered is None else answered["partly"] + answered["contaminated"],
        found=counted["found"] / counted["words"] if counted["words"] else None,
    )


def _rate(figure: Mapping[str, float | None] | None) -> Rate | None:
    if figure is None or figure["value"] is None:
        return None
    return Rate(figure["value"], figure["low"], figure["high"])


def _notes(results: Mapping[str, Any]) -> Mapping[Language, tuple[str, ...]]:
    return {language: tuple(results["notes"][language]) for language in ("en", "fr")}
