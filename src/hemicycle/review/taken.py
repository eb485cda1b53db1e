"""What could be taken: the documents of usable subsets, after all filters, as sources of a project.

    NAME/00000.parquet   columns of a document, and `subset`, `subset_licence`, `file`, `file_sha256`
    NAME.toml            a source card

Texts are as curation leaves them: clean, personal data masked, repeated passages taken out. A card names the
licence that is stated and where, and nobody who attests it: until a person who has read it at its place puts
their name there, the rights gate holds every document for review.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.documents import SCHEMA, parquet_writer, read_batches
from hemicycle.errors import DeclarationError
from hemicycle.project import Card
from hemicycle.review.measured import Corpus, Measured, without_twins
from hemicycle.review.sampled import Counted
from hemicycle.review.stated import Found
from hemicycle.review.subsets import Subset
from hemicycle.typeset import flatten

TAKEN = pa.schema(
    [
        *SCHEMA,
        pa.field("clean_digest", pa.string()),
        pa.field("subset", pa.string()),
        pa.field("subset_licence", pa.string()),
        pa.field("file", pa.string()),
        pa.field("file_sha256", pa.string()),
    ]
)

Usable = tuple[Subset, Found, Counted, Measured, Card]


def check_room(folder: Path) -> None:
    """Raise DeclarationError where there is something in the folder already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DeclarationError(
            "there is something here already", place=str(folder), remedy="Name a new folder."
        )


def write_taken(
    usable: Sequence[Usable], corpus: Corpus, out: Path, scratch: Path
) -> list[dict[str, object]]:
    """Write what could be taken of each subset; one object each with `name`, `subset` and `documents`."""
    out.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    told: list[dict[str, object]] = []
    chosen = without_twins(corpus, [measured for *_, measured, _ in usable], scratch)
    for (subset, found, counted, _, reading), (measured, takes) in zip(usable, chosen, strict=True):
        name = _name(subset.name, names)
        (out / name).mkdir()
        documents = 0
        for number, (path, rows) in enumerate(zip(measured.shards, takes, strict=True)):
            documents += _deal(path, rows, out / name / f"{number:05d}.parquet", subset, found, counted)
        (out / f"{name}.toml").write_text(_card(name, subset, found, reading), "utf-8")
        told.append({"name": name, "subset": flatten(subset.name), "documents": documents})
    return told


def _deal(
    shard: Path, takes: npt.NDArray[np.bool_], out: Path, subset: Subset, found: Found, counted: Counted
) -> int:
    first = documents = 0
    with parquet_writer(out, TAKEN) as writer:
        for table in read_batches(shard):
            rows = table.filter(pa.array(takes[first : first + table.num_rows]))
            first += table.num_rows
            if not rows.num_rows:
                continue
            files = [identity.rpartition("#")[0] for identity in rows["id"].to_pylist()]
            same = {"subset": subset.name, "subset_licence": found.expression}
            more = {name: [value] * len(files) for name, value in same.items()}
            more |= {"file": files, "file_sha256": [counted.files[file] for file in files]}
            columns = [
                rows[f.name] if f.name in rows.column_names else pa.array(more[f.name], f.type) for f in TAKEN
            ]
            made = pa.table(columns, schema=TAKEN).combine_chunks()
            writer.write_table(made, row_group_size=made.num_rows)
            documents += made.num_rows
    return documents


def _name(subset: str, taken: set[str]) -> str:
    """A name for a source: letters, figures and dashes, not yet taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", subset.lower()).strip("-")[:50] or "subset"
    plain = plain if plain[0].isalpha() else f"s-{plain}"
    name, n = plain, 1
    while name in taken:
        n += 1
        name = f"{plain}-{n}"
    taken.add(name)
    return name


def _card(name: str, subset: Subset, found: Found, reading: Card) -> str:
    """A source card. Everything quoted is a stranger's text: JSON strings of one line are TOML strings."""

    def quoted(text: str) -> str:
        return json.dumps(flatten(text, 300), ensure_ascii=False)

    languages = found.languages
    evidence = ", ".join(quoted(f"{s['place']}: {s['stated']}") for s in found.statements)
    return "\n".join(
        [
            "# Written by `hemicycle review` beside the documents that could be taken.",
            "# Put the folder into your project, this card into its sources/. Nothing passes the rights",
            "# gate before attested_by names the person who has read the licence at its place.",
            f"title = {quoted(found.title or subset.name)}",
            'reader = "parquet"',
            f"path = {quoted(name)}",
            f"kind = {quoted(reading.kind)}",
            f"language = {quoted(languages[0] if languages else 'und')}",
            "",
            "[rights]",
            f"licence = {quoted(found.expression or '')}",
            f"evidence = [{evidence}]",
            '# attested_by = ""',
            "",
        ]
    )
