"""A row of named values as a document, whatever file it stood in.

The card names the fields of the text and of the id; the others are known by their usual names: `title`,
`date`, `url`, `language`, `variety`, `kind`, `group`, `authors` (or `author`), `license` (or `licence`),
and what a Hemicycle corpus carries (`origin`, `parts`, `licences`, `digest`).

The trap is silence. A descriptive field in an unexpected form is left out, since a foreign corpus may
mean anything by `kind`; but a licence that cannot be read is refused: dropping a statement that says no
would let the card's yes stand alone. Nor is an author dropped who cannot be read: one forgotten translator
would make a text free. He stays, without a name or a death, and the rights gate puts the text up for
review. And a row has no say in who speaks: whatever it claims, a foreign row is its distributor's word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, Author, Document, Kind, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.text import MAX_FILE_BYTES, bcp47, iso_date

KINDS = frozenset(get_args(Kind))
#: Flag of an author one of whose years is stated and cannot be read: the other cannot be held against it.
UNREADABLE_YEAR = "unreadable-year"


def document_of_row(row: Mapping[str, Any], card: Card, *, origin: str, anchor: str, place: str) -> Document:
    """A document from named values, whatever file they came from.

    A row's own id is kept as the document's id and as its anchor in the origin. A row that a Hemicycle
    corpus wrote brings its origin, parts, authors and licences along, and its text must still have one of
    the digests it carries; the licences of any other row are its distributor's statements, whoever it says
    stated them. A row's `url` becomes the anchor of one part that spans the text.

    Args:
        origin: the file, relative to the source.
        anchor: where in the file, for a row without an id.
        place: file and line, for errors.

    Raises:
        InputError: no text, text that is not text, an id, a licence or an author's flags that cannot be read.
    """
    text = _text(row, card.text_field, place)
    own_id = _id(row, card.id_field, place)
    url = _words(row.get("url"))
    parts = _parts(row.get("parts"), text, place)
    if not parts and url:
        parts = (Part(0, len(text), anchor=url),)
    kind = row.get("kind")
    own_origin = _own_origin(row, text, place)
    return Document(
        origin=own_origin or f"{origin}#{own_id or anchor}",
        text=text,
        parts=parts,
        title=_words(row.get("title")),
        authors=_authors(row.get("authors"), row.get("author"), place),
        date=iso_date(row.get("date")),
        language=bcp47(row.get("language")),
        variety=bcp47(row.get("variety")),
        kind=kind if isinstance(kind, str) and kind in KINDS else None,
        licences=_licences(row, place, own=own_origin is not None and row.keys() >= set(SCHEMA.names)),
        group=_words(row.get("group")),
        id=own_id,
        confidence=_share(row.get("confidence")),
    )


def _share(value: object) -> float | None:
    """A number from 0 to 1; anything else says nothing."""
    return float(value) if isinstance(value, float) and 0 <= value <= 1 else None


def _text(row: Mapping[str, Any], field: str, place: str) -> str:
    if field not in row:
        present = ", ".join(shown(key) for key in sorted(row)[:20]) or "none"
        raise InputError(
            f"there is no field “{field}” for the text; fields here: {present}",
            place=place,
            remedy="Name the field of the text in the card with text_field.",
        )
    value = row[field]
    if not isinstance(value, str):
        raise InputError(f"the field “{field}” holds {kind_of_value(value)}, not a text", place=place)
    if len(value) > MAX_FILE_BYTES:
        raise InputError(
            f"the text has {len(value)} characters; the most one document may have is {MAX_FILE_BYTES}",
            place=place,
            remedy="Split it into several documents.",
        )
    return _encodable(value, field, place)


def _id(row: Mapping[str, Any], field: str, place: str) -> str | None:
    value = row.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise InputError(f"the field “{field}” holds {kind_of_value(value)}, not an id", place=place)
    return _encodable(str(value), field, place)


def _encodable(value: str, field: str, place: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(value[error.start]):04X}"
        raise InputError(
            f"character {error.start} of the field “{field}” is half of a surrogate pair ({half})",
            place=place,
            remedy="The text was cut or encoded wrongly where it was made: mend it there.",
        ) from None
    return value


def _words(value: object) -> str | None:
    """A string that says something and can be stored, or None."""
    if not isinstance(value, str) or not value.strip():
        return None
    return value.encode("utf-8", "replace").decode("utf-8")


def _year(value: object) -> int | None:
    if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if -9999 <= value <= 9999 else None


def _authors(several: object, one: object, place: str) -> tuple[Author, ...]:
    """Everybody named in either field; `author` often repeats, without dates, somebody of `authors`."""
    found = [_author(item, place) for item in _items(several)]
    named = {author.name for author in found if author.name}
    alone = [_author(item, place) for item in _items(one)]
    return (*found, *(a for a in alone if a.name not in named or a != Author(a.name)))


def _items(value: object) -> list[object]:
    if value is None or (isinstance(value, str) and not value.strip()):
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _author(item: object, place: str) -> Author:
    """One contributor. Who cannot be read is kept without a name or years: unknown, so never free."""
    if not isinstance(item, Mapping):
        return Author(_words(item) or "")
    name, role = _words(item.get("name")), _words(item.get("role")) or "author"
    flags = _flags(item.get("flags"), place)
    if name is None:
        return Author("", role, flags=flags)
    birth, death = _year(item.get("birth")), _year(item.get("death"))
    unread = any(year is None and _items(item.get(key)) for key, year in (("birth", birth), ("death", death)))
    if unread and UNREADABLE_YEAR not in flags:
        flags += (UNREADABLE_YEAR,)
    return Author(name, role, birth, death, flags)


def _flags(value: object, place: str) -> tuple[str, ...]:
    flags = []
    for flag in _items(value):
        if not isinstance(flag, str):
            raise InputError(
                f"the flags of an author hold {kind_of_value(flag)}, not words",
                place=place,
                remedy="Write a list of words, or leave the flags out.",
            )
        flags.append(_encodable(flag, "flags", place))
    return tuple(flags)


def _licences(row: Mapping[str, Any], place: str, *, own: bool) -> tuple[StatedLicence, ...]:
    """What the row states; all of it the distributor's word, unless a Hemicycle corpus wrote it (`own`)."""
    found = []
    for field in ("license", "licence"):
        value = row.get(field)
        for stated in value if isinstance(value, list | tuple) else [value]:
            if stated is None or stated == "":
                continue
            if not isinstance(stated, str):
                raise InputError(
                    f"the field “{field}” holds {kind_of_value(stated)}, not a licence", place=place
                )
            expression = _encodable(stated.strip(), field, place)
            found.append(StatedLicence("distributor", expression, f"{place}, field “{field}”"))
    stated_list = row.get("licences")
    if stated_list is None:
        return tuple(found)
    for item in stated_list if isinstance(stated_list, list | tuple) else [stated_list]:
        match item:
            case {"stated_by": str(stated_by), "expression": str(expression)}:
                expression = _encodable(expression, "licences", place)
                evidence = _words(item.get("evidence"))
                if own:
                    stated_by = _encodable(stated_by, "licences", place)
                elif stated_by != "distributor":
                    evidence = f"{evidence or place} (stated, the row says, by “{shown(stated_by)}”)"
                    stated_by = "distributor"
                found.append(StatedLicence(stated_by, expression, evidence))
            case _:
                raise InputError(
                    "an item of “licences” does not say stated_by and expression",
                    place=place,
                    remedy="Write each with stated_by, expression and evidence, or use the field “license”.",
                )
    return tuple(found)


def _parts(value: object, text: str, place: str) -> tuple[Part, ...]:
    """Parts in the form of `documents.SCHEMA`; a list of anything else is another corpus's own notion."""
    if not isinstance(value, list | tuple):
        return ()
    found = []
    for item in value:
        start = item.get("start") if isinstance(item, Mapping) else None
        end = item.get("end") if isinstance(item, Mapping) else None
        if not isinstance(start, int) or not isinstance(end, int):
            return ()
        if not 0 <= start <= end <= len(text):
            raise InputError(
                f"a part ({start} to {end}) lies outside the text of {len(text)} characters", place=place
            )
        words = {name: _words(item.get(name)) for name in ("anchor", "kind", "speaker", "role", "title")}
        time = item.get("time")
        seconds = float(time) if isinstance(time, int | float) and math.isfinite(time) else None
        found.append(Part(start, end, time=seconds, **words))
    return tuple(found)


def _own_origin(row: Mapping[str, Any], text: str, place: str) -> str | None:
    """The origin that a Hemicycle corpus recorded; None for any other row."""
    origin, digest = _words(row.get("origin")), row.get("digest")
    if origin is None or not isinstance(digest, str) or not isinstance(row.get("source"), str):
        return None
    if sha256_text(text) not in (digest, row.get("clean_digest")):
        raise InputError(
            "the text does not have the digest that stands beside it",
            place=place,
            remedy="The row was changed after Hemicycle wrote it: take the original file.",
        )
    return origin


def shown(key: str) -> str:
    """A key as a message can show it: not long, and always printable as UTF-8."""
    return key[:60].encode("utf-8", "replace").decode("utf-8")


def kind_of_value(value: object) -> str:
    """What a value is, for messages, in words that need no knowledge of Python."""
    kinds = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        bytes: "bytes",
    }
    return "nothing (null)" if value is None else kinds.get(type(value), "an object")
