"""A page of documentation being turned into text: blocks one after another, with their parts.

Headings and paragraphs are parted by an empty line, what belongs to one list by a line break. Parts do
not overlap: each block is one, and it carries the title and, where it has none of its own, the anchor of
the section it stands in.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from hemicycle.documents import Author, Part, StatedLicence


@dataclass(frozen=True)
class Page:
    """What a page says. `language` is what the page states, None where it states none."""

    text: str
    parts: tuple[Part, ...]
    title: str | None = None
    language: str | None = None
    authors: tuple[Author, ...] = ()
    licences: tuple[StatedLicence, ...] = ()

    @property
    def is_prose(self) -> bool:
        """False for a page of headings alone, such as a table of contents whose links were dropped."""
        return any(part.kind == "paragraph" for part in self.parts)


class Writing:
    """The text of a page as it grows."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._listed = False
        self._title: str | None = None
        self._anchor: str | None = None
        self.parts: list[Part] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def heading(self, text: str, anchor: str | None = None) -> None:
        """Write a heading; what follows in the same section stands under it."""
        if text:
            self._title, self._anchor = text, anchor or self._anchor
            self._block(text, "heading", self._anchor, "", "", listed=False)

    def paragraph(
        self,
        text: str,
        anchor: str | None = None,
        *,
        indent: str = "",
        marker: str = "",
        listed: bool = False,
    ) -> None:
        """Write a paragraph, an item, a table or a listing; `marker` replaces the end of the indentation."""
        if text:
            self._block(text, "paragraph", anchor or self._anchor, indent, marker, listed=listed)

    @contextlib.contextmanager
    def section(self, anchor: str | None = None) -> Iterator[None]:
        """A stretch whose headings do not hold beyond it."""
        before = self._title, self._anchor
        self._anchor = anchor or self._anchor
        yield
        self._title, self._anchor = before

    def _block(
        self, text: str, kind: str, anchor: str | None, indent: str, marker: str, *, listed: bool
    ) -> None:
        if self._pieces:
            self._add("\n" if listed and self._listed else "\n\n")
        self._listed = listed
        self._add(indent[: max(0, len(indent) - len(marker))] + marker)
        start = self._length
        self._add(re.sub(r"\n(?=[^\n])", "\n" + indent, text))
        self.parts.append(Part(start, self._length, anchor=anchor, kind=kind, title=self._title))

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)
