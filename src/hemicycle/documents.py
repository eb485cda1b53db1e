"""The document: one unit of the publisher's own, with everything that later rooms need to know of it.

A document is immutable. Its `id` is stable (source and origin); its `digest` is that of its text, so a
revised text is a new digest under the same id. Parts (turns, chapters, sections) point into the text by
offsets counted in Unicode code points, the unit of Python's strings.

Documents travel as Parquet. One writer and one reader live here; both work in batches, so a source may
be larger than memory.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_text
from hemicycle.errors import InputError

#: What a document may be. A reader or a card says which; rules of curation may differ by kind.
Kind = Literal[
    "debate", "law", "fiction", "press", "manual", "speech", "encyclopedia", "web", "conversation", "other"
]

#: Who may speak in a conversation that a model is tuned on; the part of a turn says it as `role`.
ROLES = ("system", "user", "assistant")

#: Flag of a contributor whose years two places give differently. No rule of terms knows it, so it holds the
#: document until somebody has looked.
CONTRADICTORY = "contradictory-dates"

PART = pa.struct(
    [
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("anchor", pa.string()),
        ("kind", pa.string()),
        ("speaker", pa.string()),
        ("role", pa.string()),
        ("time", pa.float64()),
        ("title", pa.string()),
    ]
)
AUTHOR = pa.struct(
    [
        ("name", pa.string()),
        ("role", pa.string()),
        ("birth", pa.int32()),
        ("death", pa.int32()),
        ("flags", pa.list_(pa.string())),
        ("published", pa.int32()),
    ]
)
LICENCE = pa.struct([("stated_by", pa.string()), ("expression", pa.string()), ("evidence", pa.string())])
RESERVATION = pa.struct(
    [
        ("protocol", pa.string()),
        ("version", pa.string()),
        ("value", pa.string()),
        ("place", pa.string()),
        ("quote", pa.string()),
        ("sha256", pa.string()),
        ("retrieved", pa.string()),
    ]
)

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("digest", pa.string()),
        ("source", pa.string()),
        ("origin", pa.string()),
        ("group", pa.string()),
        ("parts", pa.list_(PART)),
        ("title", pa.string()),
        ("authors", pa.list_(AUTHOR)),
        ("date", pa.string()),
        ("language", pa.string()),
        ("variety", pa.string()),
        ("kind", pa.string()),
        ("licences", pa.list_(LICENCE)),
        ("retrieved", pa.string()),
        ("reservations", pa.list_(RESERVATION)),
        ("confidence", pa.float64()),
    ]
)

#: A row group is closed at whichever comes first. Fixed numbers, so that equal documents give equal bytes.
ROWS_A_GROUP = 2_000
CHARACTERS_A_GROUP = 16_000_000


@dataclasses.dataclass(frozen=True)
class Part:
    """A stretch of a document: characters `start` to `end` of its text.

    Attributes:
        anchor: the publisher's own key for it (a turn's id, a section's id), usable in a citation.
        kind: turn, stage (a stage direction), heading, chapter, section, paragraph.
        speaker: name of who speaks, as printed.
        role: ``chair`` or what the publisher says (minister, rapporteur); in a conversation one of `ROLES`.
        time: seconds from the start of the recording.
        title: of the section the part stands in; inherited from the nearest enclosing one.
    """

    start: int
    end: int
    anchor: str | None = None
    kind: str | None = None
    speaker: str | None = None
    role: str | None = None
    time: float | None = None
    title: str | None = None


@dataclasses.dataclass(frozen=True)
class Author:
    """A contributor, living or dead, named or not.

    Attributes:
        role: what was contributed; every role but an encoder's or a publisher's is a layer of the text with a
            term of its own (`hemicycle.rights.layers`).
        birth, death: years; None where they are not known.
        flags: ``mort-pour-la-france``, ``anonymous``, ``pseudonymous``, ``collective``, ``audiovisual``,
            ``posthumous``, ``music``, and authority ids (viaf:7391951) by which years can be looked up.
        published: year in which the contribution was first published.
    """

    name: str
    role: str = "author"
    birth: int | None = None
    death: int | None = None
    flags: tuple[str, ...] = ()
    published: int | None = None


@dataclasses.dataclass(frozen=True)
class StatedLicence:
    """A licence somebody stated for a document.

    Attributes:
        stated_by: ``origin`` (who made the text), ``edition`` (who encoded it), ``scan`` (who scanned it),
            ``distributor`` (who passes it on), ``file`` (the file's own notice).
        expression: as stated; an SPDX expression where it is one.
        evidence: where it is stated.
    """

    stated_by: str
    expression: str
    evidence: str | None = None


@dataclasses.dataclass(frozen=True)
class Reservation:
    """What one opt-out protocol says of mining a document, and the evidence.

    Attributes:
        protocol: a key of the dated list of protocols (`hemicycle.rights.optout`).
        version: of the protocol's text that was read by.
        value: ``allowed``, ``reserved``, ``unknown`` (it was read and says nothing) or ``unread`` (it
            could not be had, or not be read to its end).
        place: where it stands: an address, a header, a file.
        quote: the words that say so; None where nothing was there.
        sha256: digest of the bytes that were read; None where nothing was there.
        retrieved: ISO 8601 time in UTC at which they were fetched.
    """

    protocol: str
    version: str
    value: Literal["allowed", "reserved", "unknown", "unread"]
    place: str
    quote: str | None = None
    sha256: str | None = None
    retrieved: str | None = None


@dataclasses.dataclass(frozen=True)
class Document:
    """What a reader yields. `source` and the defaults of the card are filled in by the read stage.

    Attributes:
        origin: path or address inside the source, with the publisher's own id where there is one.
        group: documents of one group never part at the split into train and held-out (default: own id).
        date: ISO 8601, as precise as known (1889, 1889-03, 1889-03-14).
        language: BCP 47. `variety` such as fr-FR, fr-BE; None where the card says it.
        retrieved: ISO 8601 time at which a web page was fetched.
        reservations: what opt-out protocols say; documents from the web are nothing without.
        confidence: of recognised print, the mean confidence of its words, from 0 to 1, as the recognition
            states it; None of text that was typed.
        counts: what the reader did to the text, for the stage's statement; no column.
    """

    origin: str
    text: str
    parts: tuple[Part, ...] = ()
    title: str | None = None
    authors: tuple[Author, ...] = ()
    date: str | None = None
    language: str | None = None
    variety: str | None = None
    kind: str | None = None
    licences: tuple[StatedLicence, ...] = ()
    retrieved: str | None = None
    reservations: tuple[Reservation, ...] = ()
    group: str | None = None
    id: str | None = None
    confidence: float | None = None
    counts: tuple[tuple[str, int], ...] = ()

    def row(self, source: str) -> dict[str, Any]:
        """The document as a row of `SCHEMA`. Raises ValueError where parts do not fit the text."""
        for part in self.parts:
            if not 0 <= part.start <= part.end <= len(self.text):
                raise ValueError(f"part {part.anchor!r} ({part.start}–{part.end}) lies outside the text")
        row = dataclasses.asdict(self)
        del row["counts"]
        row["source"] = source
        row["id"] = self.id or f"{source}:{self.origin}"
        row["group"] = self.group or row["id"]
        row["digest"] = sha256_text(self.text)
        return row


def _leaves(field: pa.Field, path: str) -> Iterator[str]:
    """Parquet's paths of the values inside a field."""
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _leaves(inner, f"{path}.{inner.name}")
    elif pa.types.is_list(field.type):
        yield from _leaves(field.type.value_field, f"{path}.list.element")
    else:
        yield path


def answers_questions(roles: Sequence[str]) -> bool:
    """Whether these are, after a system's turn or none, question and answer in turn, to the last answer."""
    said = list(roles[1:] if roles[:1] == ["system"] else roles)
    return bool(said) and said == ["user", "assistant"] * (len(said) // 2)


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """The one Parquet writer: compression, its level and the format are fixed, so equal rows, written in
    equal batches, give equal bytes.

    Texts go without a dictionary: none is there twice, and reading one of 500 MB would take it three times.
    """
    short = [leaf for field in schema if field.name != "text" for leaf in _leaves(field, field.name)]
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=3, version="2.6", use_dictionary=short
    )


def write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.Table]) -> int:
    """Write batches, one row group each, and return the number of rows."""
    rows = 0
    with parquet_writer(path, schema) as writer:
        for table in batches:
            writer.write_table(table.cast(schema), row_group_size=max(1, table.num_rows))
            rows += table.num_rows
    return rows


def write_documents(path: Path, source: str, documents: Iterable[Document]) -> int:
    """Write documents as one Parquet file and return how many. Raises ValueError on an id seen before."""
    rows: list[dict[str, Any]] = []
    twice: dict[str, Any] | None = None

    def batches() -> Iterator[pa.Table]:
        nonlocal rows, twice
        seen: set[str] = set()
        characters = 0
        for document in documents:
            row = document.row(source)
            if row["id"] in seen:
                twice = row
                return
            seen.add(row["id"])
            if rows and len(document.text) > CHARACTERS_A_GROUP:
                # By itself, so that who has no use for it need not read it with its neighbours.
                yield pa.Table.from_pylist(rows, schema=SCHEMA)
                rows, characters = [], 0
            rows.append(row)
            characters += len(document.text)
            if len(rows) >= ROWS_A_GROUP or characters >= CHARACTERS_A_GROUP:
                yield pa.Table.from_pylist(rows, schema=SCHEMA)
                rows, characters = [], 0
        if rows:
            yield pa.Table.from_pylist(rows, schema=SCHEMA)

    written = write_parquet(path, SCHEMA, batches())
    if twice is not None:
        # Origins alone may be equal: an id of the publisher's own stands in them in place of the line.
        before = enumerate(itertools.chain(_ids_and_origins(path), rows), 1)
        number, first = next((n, row) for n, row in before if row["id"] == twice["id"])
        places = (
            f"{first['origin']} (the {number}. read) and {twice['origin']} (the {written + len(rows) + 1}.)"
        )
        raise ValueError(f"two documents have the id {twice['id']!r}: {places}")
    return written


def _ids_and_origins(path: Path) -> Iterator[dict[str, Any]]:
    for batch in read_batches(path, ["id", "origin"]):
        yield from batch.to_pylist()


def corpus_shards(corpus: Path, part: Literal["kept", "dropped"] = "kept") -> list[Path]:
    """The Parquet files of a corpus, ``part/SOURCE/NNNNN.parquet``: source after source, each in its order.

    Raises InputError where `corpus` is none.
    """
    if not (corpus / part).is_dir():
        raise InputError(
            f"this is not a corpus: it has no folder {part}",
            place=str(corpus),
            remedy="Name a folder that `hemicycle curate` made.",
        )
    return sorted((corpus / part).glob("*/*.parquet"))


def read_batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Yield a Parquet file one row group at a time: memory stays that of one group."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)
