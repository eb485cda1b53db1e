"""A debate as it is printed, whatever markup it comes in: headings, turns, stage directions.

The text reads as the report does: a heading on a line of its own; a speech as ``Mme A. B., ministre des
eaux. – Words``, the name only where the speaker changes; a stage direction in its parentheses. Blocks are
parted by a blank line. Parts point at the words alone, never at the printed name.

The traps: raised letters are written in several ways; a direction may stand in the middle of a speech, and
parentheses inside a longer italic stretch (the title of a newspaper) are none; a speaker whom the markup
knows only by an id was named before; the chair is known by its printed name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hemicycle.documents import Author, Part
from hemicycle.sources.printed import is_chair, is_parenthesis
from hemicycle.sources.xml import BREAK, Assembly

#: The id under which the Assemblée nationale files several voices at once.
SEVERAL_VOICES = "PA0"


class Runs:
    """The words of one paragraph, and which of its characters are in italics and in bold."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        #: The last characters: what a raised letter may change the sense of.
        self.ending = ""
        self.italic: list[bool] = []
        self.bold: list[bool] = []

    @property
    def text(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return "".join(self._pieces)

    @property
    def length(self) -> int:
        return len(self.italic)

    def add(self, words: str, italic: bool = False, bold: bool = False) -> None:
        if words:
            self._pieces.append(words)
            self.ending = (self.ending + words)[-2:]
            self.italic += [italic] * len(words)
            self.bold += [bold] * len(words)

    def after(self, position: int) -> Runs:
        """What stands from an offset on."""
        rest = Runs()
        rest._pieces, rest.ending = [self.text[position:]], self.ending
        rest.italic, rest.bold = self.italic[position:], self.bold[position:]
        return rest

    def stages(self) -> list[tuple[int, int]]:
        """Where the stage directions stand: what is in parentheses and begins in italics.

        Parentheses inside a longer italic stretch (the title of a newspaper) are not a direction.
        """
        text, closed = self.text, _closings(self.text)
        found: list[tuple[int, int]] = []
        position = text.find("(")
        while position >= 0:
            end = position + 1
            if self._begins_in_italics(text, position):
                end = closed.get(position) or self._end_of_italics(position)
                found.append((position, end))
            position = text.find("(", end)
        return found

    def _begins_in_italics(self, text: str, position: int) -> bool:
        before = position
        while before and text[before - 1].isspace():
            before -= 1
        if before and self.italic[before - 1] and self.italic[position] and text[before - 1] != ")":
            return False
        return self.italic[position] or any(self.italic[position + 1 : position + 2])

    def _end_of_italics(self, position: int) -> int:
        end = position + 1
        while end < len(self.italic) and self.italic[end]:
            end += 1
        return end


def _closings(text: str) -> dict[int, int]:
    """The offset after the closing parenthesis, by the offset of the opening one; found in one pass."""
    open_ones: list[int] = []
    found = {}
    for match in re.finditer(r"[()]", text):
        if match[0] == "(":
            open_ones.append(match.start())
        elif open_ones:
            found[open_ones.pop()] = match.end()
    return found


@dataclass(frozen=True)
class Speaker:
    """Who speaks: as printed, with the office, and the publisher's ids."""

    name: str
    office: str | None = None
    identities: tuple[str, ...] = ()
    chair: bool = False

    @property
    def role(self) -> str | None:
        if self.chair:
            return "chair"
        return "several" if SEVERAL_VOICES in self.identities else self.office

    @property
    def label(self) -> str:
        """As printed before the words."""
        return ", ".join(filter(None, (self.name, self.office))) + ". – "


class Debate:
    """The text of one sitting under way, with its parts and its speakers."""

    def __init__(self) -> None:
        self.text = Assembly()
        #: Name by id, in the order of their first words.
        self.speakers: dict[str, str] = {}
        #: Whose name was printed last; a heading ends the turn.
        self.last: Speaker | None = None

    @property
    def authors(self) -> tuple[Author, ...]:
        """The speakers whom the publisher knows by an id, each once."""
        return tuple(
            Author(name, role="speaker", flags=(identity,)) for identity, name in self.speakers.items()
        )

    def met(self, names: Sequence[str], identities: Sequence[str]) -> None:
        """Keep the names of speakers by their ids; a name proper replaces “M. le président”."""
        for identity, printed in zip(identities, names, strict=True):
            known = self.speakers.get(identity)
            if identity != SEVERAL_VOICES and (known is None or is_chair(known)):
                self.speakers[identity] = printed

    def heading(self, words: str, anchor: str | None = None, title: str | None = None) -> None:
        """Print a heading on one line."""
        if not words.strip():
            return
        self.text.separate("\n\n")
        with self.text.part(Part(0, 0, anchor, "heading", title=title)):
            self.text.add(words.replace(BREAK, " "))
        self.last = None

    def paragraph(
        self, runs: Runs, speaker: Speaker | None, part: Part, *, stage: bool = False, named: bool = False
    ) -> None:
        """Print a paragraph, after its speaker's name where that is another than before.

        Args:
            part: what is known of it (anchor, time, title); kind, speaker and role are filled in.
            stage: it is a direction, although no parentheses stand around it.
            named: the name stands before it in print, even where it is the same as before or the words are
                in parentheses.
        """
        if not runs.text.strip():
            return
        self.text.separate("\n\n")
        if not named and (stage or is_parenthesis(runs.text)):
            with self.text.part(replace(part, kind="stage")):
                self.text.add(runs.text)
            return
        if speaker is None:
            part = replace(part, kind="paragraph")
        else:
            part = replace(part, kind="turn", speaker=speaker.name, role=speaker.role)
            if named or speaker != self.last:
                self.text.add(speaker.label)
        self.last = speaker
        with self.text.part(part):
            position = 0
            for start, end in runs.stages():
                self.text.add(runs.text[position:start])
                with self.text.part(Part(0, 0, part.anchor, "stage", title=part.title)):
                    self.text.add(runs.text[start:end])
                position = end
            self.text.add(runs.text[position:])
