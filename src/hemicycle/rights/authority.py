"""The project's own authority file: years of authors that sources leave open, each with who says so.

`authors.csv` holds a line a person: ``name,birth,death,flags,ids,source,checked_on``. Flags and ids are
words with spaces between them (``mort-pour-la-france``; ``viaf:7391951 wikidata:Q3816 bnf:cb11923460h``). A
line without a source is refused: a year that nobody answers for is no better than none.

A person is found by an authority id first, else by name, and by name only where one line alone has it.
Names are compared without case, accents and marks, and ``Balzac, Honoré de`` is ``Honoré de Balzac``.

The trap is a file that overrules its sources. Nothing that a source states is ever changed: where the two
contradict each other, the death is unknown again and the flag `CONTRADICTORY` holds the document, even
where the line was found by a name that two people may share. There is no column for a year of publication:
it belongs to a work, and one year for all works of a name would free some of them too early. For the same
reason nobody can be entered under a name such as “Anonyme”.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from hemicycle.documents import CONTRADICTORY, Author
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.rights.layers import FLAGS
from hemicycle.rights.term import OLDEST

COLUMNS = ("name", "birth", "death", "flags", "ids", "source", "checked_on")

#: Bytes of the whole file: some hundred thousand people.
MAX_BYTES = 32 * 2**20

_ID = re.compile(r"(viaf|wikidata|bnf|isni|idref|gnd|lccn):([a-z]{0,3}[0-9][0-9-]*[a-z]?)")

#: What catalogues write where they name nobody.
_NOBODY = frozenset(
    "anonym|anonyme|anonymous|auteur anonyme|auteur inconnu|inconnu|unknown|unknown author|various|"
    "various authors|divers|auteurs divers|collectif|na|n a".split("|")
)


@dataclass(frozen=True)
class Entry:
    """One line of the file.

    Attributes:
        flags: those that rules of terms know.
        ids: authority ids as written.
        source: where the years were read.
        line: of the file, from 1.
    """

    name: str
    birth: int | None
    death: int | None
    flags: tuple[str, ...]
    ids: tuple[str, ...]
    source: str
    checked_on: date
    line: int


@dataclass(frozen=True)
class Authority:
    """People by their ids and by the names that one of them alone has."""

    by_id: Mapping[str, Entry]
    by_name: Mapping[str, Entry]

    def complete(self, author: Author) -> Author:
        """The author with the years, flags and ids that were missing.

        A stated year stays as it is or, where it is contradicted, the death becomes unknown; it never becomes
        another. Who is contradicted once stays so. Completing twice is completing once.
        """
        if CONTRADICTORY in author.flags:
            return author
        ids = [i for i in map(_normal_id, author.flags) if i is not None]
        found = {self.by_id[i].line: self.by_id[i] for i in ids if i in self.by_id}
        if not found:
            named = self.by_name.get(normal_name(author.name))
            if named is None or _others(ids, named):
                return author
            found = {named.line: named}
        first, *more = found.values()
        if more or _contradict(author, first):
            return replace(author, death=None, flags=(*author.flags, CONTRADICTORY))
        return replace(
            author,
            birth=first.birth if author.birth is None else author.birth,
            death=first.death if author.death is None else author.death,
            flags=_joined(author.flags, first),
        )


def _contradict(author: Author, entry: Entry) -> bool:
    pairs = ((author.birth, entry.birth), (author.death, entry.death))
    if any(stated is not None and known is not None and stated != known for stated, known in pairs):
        return True
    birth = author.birth if author.birth is not None else entry.birth
    death = author.death if author.death is not None else entry.death
    return birth is not None and death is not None and not 0 <= death - birth <= OLDEST


def _others(ids: Sequence[str], entry: Entry) -> bool:
    """Whether the ids of one scheme differ: two people of one name."""
    known = {i for i in map(_normal_id, entry.ids) if i is not None}
    schemes = {_scheme(i) for i in known}
    return any(_scheme(i) in schemes and i not in known for i in ids)


def _joined(flags: tuple[str, ...], entry: Entry) -> tuple[str, ...]:
    """The flags of the source, then those of the line that say something new."""
    meant = {FLAGS.get(f, f) for f in flags}
    schemes = {_scheme(i) for i in map(_normal_id, flags) if i is not None}
    added = [f for f in entry.flags if FLAGS[f] not in meant]
    return (*flags, *added, *(i for i in entry.ids if _scheme(i.lower()) not in schemes))


def _scheme(identity: str) -> str:
    return identity.partition(":")[0]


def _normal_id(written: str) -> str | None:
    """An authority id in the one form they are compared in; None for every other flag."""
    lowered = written.strip().lower().replace(" ", "")
    if re.fullmatch(r"q[0-9]+", lowered):
        lowered = f"wikidata:{lowered}"
    return lowered if _ID.fullmatch(lowered) else None


def normal_name(name: str) -> str:
    """A name as names are compared: given names first; case, accents, marks, brackets do not count.

    “Agoult, Marie d’”, “d'Agoult, Marie” and “Marie d’Agoult” are one; words in another order are not.
    """
    bare = re.sub(r"\[[^\]]*\]", " ", name).casefold().replace("œ", "oe").replace("æ", "ae")
    letters = unicodedata.normalize("NFKD", bare)
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    parts = [" ".join(re.findall(r"[^\W_]+", part)) for part in letters.split(",")]
    parts = [part for part in parts if part]
    if len(parts) > 1:
        parts[:2] = [parts[1], parts[0]]
    return " ".join(parts)


def load_authority(path: Path) -> Authority:
    """Read an authority file.

    Raises:
        DeclarationError: with file and line, for a line that cannot be relied on: no name, no source, a year
            that is none, a flag or an id that nobody knows, an id that two people have.
    """
    by_id: dict[str, Entry] = {}
    entries: list[Entry] = []
    for line, row in _rows(path):
        entry = _entry(row, line, f"{path}, line {line}")
        for one in filter(None, map(_normal_id, entry.ids)):
            if one in by_id and by_id[one] is not entry:
                raise DeclarationError(
                    f"the id {one} stands on line {by_id[one].line} too",
                    place=f"{path}, line {line}",
                    remedy="One person has one line: join the two, or correct the id.",
                )
            by_id[one] = entry
        entries.append(entry)
    names = Counter(normal_name(e.name) for e in entries)
    by_name = {key: e for e in entries if names[key := normal_name(e.name)] == 1}
    return Authority(by_id, by_name)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines of the file by column, with their numbers."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DeclarationError(f"the file is bigger than {MAX_BYTES:,} bytes", place=str(path))
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise DeclarationError(f"the file cannot be read: {error.strerror}", place=str(path)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DeclarationError(
            f"byte {error.start} is not UTF-8", place=f"{path}, line {line}", remedy="Save the file as UTF-8."
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DeclarationError("the file holds a NUL", place=f"{path}, line {line}")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    columns: list[str] | None = None
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not any(c.strip() for c in cells) or cells[0].lstrip().startswith("#"):
                continue
            if columns is None:
                columns = _columns([c.strip() for c in cells], f"{path}, line {line}")
            else:
                if len(cells) != len(columns):
                    raise DeclarationError(
                        f"{len(cells)} cells under {len(columns)} columns",
                        place=f"{path}, line {line}",
                        remedy='Put a cell with a comma in it between quotes: "Balzac, Honoré de".',
                    )
                rows.append((line, dict(zip(columns, (c.strip() for c in cells), strict=True))))
    except csv.Error as error:
        raise DeclarationError(f"this is not CSV: {error}", place=f"{path}, line {before + 1}") from None
    if columns is None:
        raise DeclarationError(
            "the file has no line of column names",
            place=str(path),
            remedy=f"Begin it with {','.join(COLUMNS)}.",
        )
    return rows


def _columns(found: list[str], place: str) -> list[str]:
    unknown = next((c for c in found if c not in COLUMNS), None)
    missing = next((c for c in COLUMNS if c not in found), None)
    if unknown is not None:
        raise DeclarationError(
            f"there is no column “{unknown}” in an authority file",
            place=place,
            remedy=did_you_mean(unknown, COLUMNS) or f"Columns: {', '.join(COLUMNS)}.",
        )
    if missing is not None:
        raise DeclarationError(f"the column “{missing}” is missing", place=place)
    if len(set(found)) != len(found):
        raise DeclarationError("a column stands twice", place=place)
    return found


def _entry(row: Mapping[str, str], line: int, place: str) -> Entry:
    name = row["name"]
    if normal_name(name) in _NOBODY | {""}:
        raise DeclarationError(f"“{name}” names nobody", place=place, remedy="Name one person a line.")
    if not row["source"]:
        raise DeclarationError(
            "the line has no source",
            place=place,
            remedy="Say where the years were read: an address, a catalogue, a register.",
        )
    try:
        checked_on = date.fromisoformat(row["checked_on"])
    except ValueError:
        raise DeclarationError(
            f"checked_on “{row['checked_on'][:40]}” is not a day such as 2026-11-22", place=place
        ) from None
    birth, death = (_year(row[key], key, place) for key in ("birth", "death"))
    if birth is not None and death is not None and not 0 <= death - birth <= OLDEST:
        raise DeclarationError(f"nobody lived from {birth} to {death}", place=place)
    return Entry(
        name,
        birth,
        death,
        _flags(row["flags"], place),
        _ids(row["ids"], place),
        row["source"],
        checked_on,
        line,
    )


def _year(written: str, column: str, place: str) -> int | None:
    if not written:
        return None
    if not re.fullmatch(r"-?[0-9]{1,4}", written):
        raise DeclarationError(
            f"{column} “{written[:40]}” is not a year",
            place=place,
            remedy="Leave the cell empty where the year is unknown or doubtful.",
        )
    return int(written)


def _flags(written: str, place: str) -> tuple[str, ...]:
    for flag in written.split():
        if flag not in FLAGS:
            raise DeclarationError(
                f"no rule knows the flag “{flag}”",
                place=place,
                remedy=did_you_mean(flag, FLAGS) or f"Known flags: {', '.join(sorted(FLAGS))}.",
            )
    return tuple(dict.fromkeys(written.split()))


def _ids(written: str, place: str) -> tuple[str, ...]:
    for one in written.split():
        if _normal_id(one) is None or ":" not in one:
            raise DeclarationError(
                f"“{one[:60]}” is not an authority id",
                place=place,
                remedy="Write it as viaf:7391951, wikidata:Q3816 or bnf:cb11923460h.",
            )
    return tuple(dict.fromkeys(written.split()))
