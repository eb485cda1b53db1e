"""Read: a source's collected files through its reader, as one Parquet file of documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hemicycle.documents import Document, write_documents
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Card
from hemicycle.sources import reader, tools


def read_source(
    name: str, card: Card, folder: Path, out: Path, *, progress: Progress = QUIET
) -> dict[str, Any]:
    """Write `documents.parquet`; what the card says of all documents fills what a file leaves open.

    Returns counts, those of the reader among them, and, of web pages, when the oldest was `retrieved`. Raises
    InputError naming source, file and place; nothing is left half-written, because `out` becomes visible only
    as a whole.
    """
    counts: dict[str, Any] = {"documents": 0, "characters": 0, "parts": 0}

    def completed() -> Iterator[Document]:
        with progress.start(f"read {name}", None, "characters") as bar:
            for document in reader(card.reader)(folder, card):
                counts["documents"] += 1
                counts["characters"] += len(document.text)
                counts["parts"] += len(document.parts)
                for what, number in document.counts:
                    counts[what] = counts.get(what, 0) + number
                if document.retrieved:
                    counts["retrieved"] = min(counts.get("retrieved", document.retrieved), document.retrieved)
                bar.advance(len(document.text))
                yield dataclasses.replace(
                    document,
                    language=document.language or card.language,
                    variety=document.variety or card.variety,
                    kind=document.kind or card.kind,
                )

    try:
        write_documents(out / "documents.parquet", name, completed())
    except InputError as error:
        place = f"source {name}, {error.place}" if error.place else f"source {name}"
        raise InputError(error.what, place=place, remedy=error.remedy) from None
    except (ValueError, UnicodeEncodeError) as error:
        raise InputError(str(error), place=f"source {name}") from None
    said = [
        f"{number} {what.removeprefix('left_out_').replace('_', ' ')}"
        for what, number in counts.items()
        if what.startswith("left_out_")
    ]
    if said:
        progress.say(f"source {name}: left out {', '.join(said)}")
    if used := tools(card):
        counts["tools"] = used
    if not counts["documents"]:
        raise InputError(
            "the reader found no document in the collected files",
            place=f"source {name}",
            remedy="Look at the card's reader, include and exclude.",
        )
    return counts
