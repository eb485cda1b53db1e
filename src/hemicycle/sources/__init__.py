"""Sources: one reader a format or publisher. Files in, documents out.

A reader is a generator ``read(folder, card)``: it walks the collected files in sorted order and yields
documents. It loses nothing and doubles nothing; what it cannot read it refuses with the file and the
place. It decides nothing about rights: it reports what the files state.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemicycle.documents import Document
    from hemicycle.project import Card

    Reader = Callable[[Path, Card], Iterator[Document]]

#: Reader by the name a card gives. Modules are imported only when a source asks for them.
READERS = {
    "syceron": "hemicycle.sources.syceron",
    "assemblee-html": "hemicycle.sources.assemblee_html",
    "dila-debats": "hemicycle.sources.dila_debats",
    "senat": "hemicycle.sources.senat",
    "archives-parlementaires": "hemicycle.sources.archives_parlementaires",
    "tei": "hemicycle.sources.tei",
    "eltec": "hemicycle.sources.eltec",
    "debian": "hemicycle.sources.debian",
    "text": "hemicycle.sources.text",
    "markdown-frontmatter": "hemicycle.sources.markdown_frontmatter",
    "html": "hemicycle.sources.html",
    "pdf": "hemicycle.sources.pdf",
    "epub": "hemicycle.sources.epub",
    "web": "hemicycle.sources.web_pages",
    "jsonl": "hemicycle.sources.jsonl",
    "parquet": "hemicycle.sources.parquet",
    "huggingface": "hemicycle.sources.huggingface",
    "conversations": "hemicycle.sources.conversations",
    "gutenberg": "hemicycle.sources.gutenberg",
    "wikipedia": "hemicycle.sources.wikimedia",
    "wikisource": "hemicycle.sources.wikisource",
    "gallica": "hemicycle.sources.gallica",
    "legi": "hemicycle.sources.legi",
    "vie-publique": "hemicycle.sources.vie_publique",
    "hal": "hemicycle.sources.hal",
    "europarl": "hemicycle.sources.europarl",
    "alto": "hemicycle.sources.alto",
    "hocr": "hemicycle.sources.hocr",
    "scans": "hemicycle.sources.scans",
    "speech-lines": "hemicycle.sources.speech_lines",
    "agoda": "hemicycle.sources.agoda",
}


def reader(name: str) -> Reader:
    """The `read` function of a reader."""
    read: Reader = importlib.import_module(READERS[name]).read
    return read


def tools(card: Card) -> dict[str, str]:
    """What a card's reader works with outside of this package, for the statement: programs and models."""
    module = importlib.import_module(READERS[card.reader])
    named: Callable[[Card], dict[str, str]] | None = getattr(module, "tools", None)
    return named(card) if named else {}


def selected_files(folder: Path, card: Card) -> list[Path]:
    """The collected files that the card's `include` and `exclude` patterns select, sorted by path."""
    chosen: set[Path] = set()
    for pattern in card.include:
        chosen.update(p for p in folder.glob(pattern) if p.is_file())
    for pattern in card.exclude:
        chosen.difference_update(folder.glob(pattern))
    return sorted(chosen)
