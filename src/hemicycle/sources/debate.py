"""A debate as it is printed, whatever markup it comes in: headings, turns, stage directions.

The text reads as the report does: a heading on a line of its own; a speech as ``Mme A. B., ministre des
eaux. – Words``, the name only where the speaker changes; a stage direction in its parentheses. Blocks are
parted by a blank line. Parts point at the words alone, never at the printed name.

The traps: raised letters are written in several ways; a direction may stand in the middle of a speech, and
parentheses inside a longer italic stretch (the title of a newspaper) are none; a speaker whom the markup
knows only by an id was named before; the chair is known by its printed name. Where names are known by print
only (in bold), their full stop stands inside or outside the bold, or behind an office in italics, and two
names may be joined by “et”.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hemicycle.documents import Author, Part
from hemicycle.sources.printed import is_chair, is_parenthesis
from hemicycle.sources.xml import BREAK, Assembly, squeeze

#: The id under which the Assemblée nationale files several voices at once.
SEVERAL_VOICES = "PA0"

#: Ids of persons that the rights room knows to say nothing of a term (`hemicycle.rights.layers`).
_IDENTITY = re.compile(r"PA[0-9]+|senat:[0-9]{5}[A-Z]")

#: How the printed name of somebody whom no id names begins.
TITLED = re.compile(
    r"(?:MM?\.|Mmes?|Mlles?|Monsieur|Madame|M(?=[ \u00a0]))[\s\u00a0]|"
    r"(?:Plusieurs|Quelques|Une?|De (?:très )?nombreu(?:x|ses)|Des|Les|Divers(?:es)?|Certaine?s|Voix|Sur)\b"
)


class Runs:
    """The words of one paragraph, and which of its characters are in italics and in bold."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        #: The last characters: what a raised letter may change the sense of.
        self.ending = ""
        self.italic: list[bool] = []
        self.bold: list[bool] = []
        #: Offset and id of each person that the paragraph names by an id.
        self.persons: list[tuple[int, str]] = []

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


@dataclass(frozen=True)
class Opening:
    """How a turn begins: who speaks, and where in the paragraph the words start."""

    speaker: Speaker
    start: int


def opening(words: Runs) -> Opening | None:
    """The name a paragraph begins with; None where it begins with words."""
    text = words.text
    end = _end_of_name(words, text)
    if end is None:
        return None
    printed = squeeze(text[:end].replace(BREAK, " "))
    identities = tuple(person for at, person in words.persons if at < end)
    if not identities and not TITLED.match(printed):
        return None
    stop = re.compile(r"[\s\u00a0]*\.(?!\.)").match(text, end)
    if printed.endswith(".") and not printed.endswith(".."):
        name, office, start = printed, "", end
    elif stop:
        name, office, start = printed, "", stop.end()
    else:
        office, start = _office(words, text, end)
        name = printed
        if not office and not identities and not is_chair(printed):
            return None
    name = name.strip(" ,.\u00a0")
    if not office and len(identities) < 2:  # “M. X, rapporteur.” may stand in bold as a whole
        first, _, rest = (piece.strip(" ,.\u00a0") for piece in name.partition(","))
        name, office = (name, "") if TITLED.match(rest) else (first, rest)
    return Opening(Speaker(name, office or None, identities, is_chair(name)), start) if name else None


def _end_of_name(words: Runs, text: str) -> int | None:
    """The end of the bold names a paragraph begins with, joined by “et” or commas that are not bold."""
    end = 0
    between = re.compile(r"[\s\u00a0]*(?:,|et\b)?[\s\u00a0]*")
    found = None
    while True:
        joined = between.match(text, end)
        start = joined.end() if joined else end
        if (
            start >= len(text)
            or not words.bold[start]
            or (found is not None and text[:found].rstrip()[-1:] in ".:")
        ):
            return found
        end = start
        while end < len(text) and words.bold[end]:
            end += 1
        found = end


def _last_letter(text: str, end: int) -> str:
    while end and text[end - 1].isspace():
        end -= 1
    return text[end - 1 : end]


def _office(words: Runs, text: str, end: int) -> tuple[str, int]:
    """The office in italics behind a name, and where the words start: behind its full stop."""
    start = end
    while start < len(text) and (text[start].isspace() or text[start] == ","):
        start += 1
    if start >= len(text) or not words.italic[start] or text[start] == "(":
        return "", start
    stop = start
    while stop < len(text) and (words.italic[stop] or text[stop].isspace()):
        if text[stop] in ".…" and not re.search(r"\bMM?$", text[max(start, stop - 3) : stop]):
            break
        stop += 1
    behind = re.compile(r"[\s\u00a0]*\.(?!\.)").match(text, stop)
    return squeeze(text[start:stop].replace(BREAK, " ")).strip(" ,\u00a0"), behind.end() if behind else stop


class Debate:
    """The text of one sitting under way, with its parts and its speakers."""

    def __init__(self) -> None:
        self.text = Assembly()
        #: Name by id, in the order of their first words.
        self.speakers: dict[str, str] = {}
        #: Whose name was printed last; a heading ends the turn.
        self.last: Speaker | None = None
        #: Who speaks, where paragraphs without a name go on with the turn.
        self.speaker: Speaker | None = None
        #: A name stood on a line of its own, and its words have not come yet.
        self._waiting = False

    @property
    def authors(self) -> tuple[Author, ...]:
        """The speakers whom the publisher knows by an id, each once.

        Only an id of the Assemblée or a matricule of the Sénat goes among the flags: of others the rights
        room does not know that they say nothing of a term.
        """
        return tuple(
            Author(name, role="speaker", flags=(identity,) if _IDENTITY.fullmatch(identity) else ())
            for identity, name in self.speakers.items()
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

    def line(self, runs: Runs, found: Opening | None, part: Part) -> None:
        """Print a paragraph of a debate in which names are known by print only.

        Args:
            found: what `opening` says; None: the paragraph goes on with the turn under way.
            part: what is known of it; kind, speaker and role are filled in.
        """
        if found is None:
            named = self._waiting and not is_parenthesis(runs.text)
            self.paragraph(runs, self.speaker, part, named=named)
            self._waiting = self._waiting and not named
            return
        self.name_alone(part)
        self.speaker = found.speaker
        names = re.split(r",\s+| et ", found.speaker.name)
        if len(names) == len(found.speaker.identities):
            self.met(names, found.speaker.identities)
        rest = runs.after(found.start)
        self._waiting = not rest.text.strip()
        self.paragraph(rest, found.speaker, part, named=True)

    def end_of_turn(self, part: Part) -> None:
        """What comes next is said by nobody who is known."""
        self.name_alone(part)
        self.speaker = None

    def name_alone(self, part: Part) -> None:
        """Print a name that stood on a line of its own and that no words followed."""
        if self._waiting and self.speaker is not None:
            words = Runs()
            words.add(self.speaker.label.removesuffix(" – "))
            self.paragraph(words, None, part)
        self._waiting = False
