"""The audit of somebody else's licence table: what each cell says, and what of it could be relied on.

A cell gets every class that fits it:

- ``valid``: an SPDX expression as written (identifiers without regard to case).
- ``alias``: one licence named exactly, by another name: `Apache 2.0`.
- ``list``: several licences (`MIT, CC-BY-4.0`). All of them bind unless the cell says “or”.
- ``unversioned``: a family without its version (`CC-BY-SA`, `odc-by`), so not a licence yet.
- ``vague``: nothing anybody could look up: `Unknown`, `Mixed`, `dep. on country`, nothing at all.
- ``noncommercial``: some part of it forbids commercial use, by its words or by its licence.
- ``other``: a name that is not known here.
- ``contradictory``: a work under it could not be passed on under the umbrella, the licence that the table is
  declared to be under as a whole.

``valid`` excludes the classes of spelling (alias, list, unversioned, vague, other); `noncommercial` and
`contradictory` are about what a cell says and go with any of them. Totals count rows.

The trap is the helpful reading. `expression` is what the cell would be once written properly, given only
where every part names one licence exactly; its verdicts are for people. What has no expression is denied.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemicycle.errors import DeclarationError
from hemicycle.rights.aggregate import passes_on
from hemicycle.rights.explanations import explain
from hemicycle.rights.foreign import ForeignTable
from hemicycle.rights.licences import check_expression, judge_expression, licences
from hemicycle.rights.names import Name, guess, names_scope, read_name
from hemicycle.rights.policy import USES, Policy, Use, Verdict, default_policy

CLASSES = ("valid", "alias", "list", "unversioned", "vague", "noncommercial", "other", "contradictory")

#: Between two licences. A `+` as in `GPL-2.0+` is none, and neither is the “or” of “or later”.
_SEPARATOR = re.compile(
    r"[,\uff0c\u3001;\uff1b/\uff0f&|\n\r()\uff08\uff09\[\]{}]|(?<=\s)\+(?=\s)|\+(?=[A-Za-z])"
    r"|\b(?:and|et|und|or|ou|oder)\b(?!\s+(?:any\s+)?(?:later|newer|above|greater|ultérieure)\b)",
    re.IGNORECASE,
)
_OR = ("or", "ou", "oder", "|")
_BRACKETS = tuple("()\uff08\uff09[]{}")
_BRACKETED = re.compile(r"[^()]+\([^()]+\)\s*")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s,;|<>()\"']+", re.IGNORECASE)
_CC_ADDRESS = re.compile(
    r"(?:www\.)?creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)(?:/([a-z]{2,3})(?![a-z]))?.*"
)
_CC_FREE = {"zero/1.0": "CC0-1.0", "mark/1.0": "CC-PDM-1.0"}
#: More parts than this are a text, not a list.
_MOST_PARTS = 40
#: A suggestion speaks of so many parts.
_MOST_SAID = 5


@dataclass(frozen=True)
class Contradiction:
    """Why a part of a cell does not go under the umbrella; `reason` is a key of `explanations.csv`."""

    part: str
    reason: str

    @property
    def sentence(self) -> str:
        return explain(self.reason, "en")


@dataclass(frozen=True)
class Cell:
    """What one row's cell says.

    Attributes:
        classes: in the order of `CLASSES`.
        expression: canonical; None where not every part names one licence exactly.
        licences: identifiers of the parts that do, in the order of the cell.
        suggestion: what to write or do instead, as a sentence; None where the cell is valid.
        uses: verdict of the expression by use; `deny` where there is none.
        contradicts: None where there is no umbrella.
    """

    row: int
    name: str
    cell: str
    classes: tuple[str, ...]
    expression: str | None
    licences: tuple[str, ...]
    suggestion: str | None
    uses: Mapping[Use, Verdict]
    contradicts: tuple[Contradiction, ...] | None


@dataclass(frozen=True)
class Audit:
    """A table's audit. `umbrella` is canonical, None where none is declared."""

    column: str
    guessed: bool
    umbrella: str | None
    cells: tuple[Cell, ...]

    def totals(self) -> dict[str, int | None]:
        """Rows by class; `contradictory` is None where nothing was declared that could be contradicted."""
        counted: dict[str, int | None] = {
            name: sum(name in cell.classes for cell in self.cells) for name in CLASSES
        }
        return counted if self.umbrella is not None else {**counted, "contradictory": None}


@dataclass(frozen=True)
class _Reading:
    """What a cell's text says, whatever the row."""

    classes: tuple[str, ...]
    expression: str | None
    parts: tuple[Name, ...]


def audit(table: ForeignTable, policy: Policy, umbrella: str | None = None) -> Audit:
    """Audit a table.

    Args:
        umbrella: the SPDX expression that the whole is declared to be under; without it, the one that the
            table itself declares for the whole, where that names a licence.

    Raises:
        DeclarationError: `umbrella` is not an SPDX expression. No cell makes this fail.
    """
    if umbrella is not None:
        problem = check_expression(umbrella)
        if problem is not None:
            raise DeclarationError(problem.what, place="the umbrella", remedy=problem.remedy)
        declared: str | None = judge_expression(umbrella, policy).expression
    else:
        declared = _read(table.umbrella).expression if table.umbrella is not None else None
    known: dict[str, Cell] = {}
    cells: list[Cell] = []
    for row in table.rows:
        if row.cell not in known:
            known[row.cell] = _cell(row.cell, declared, policy)
        cells.append(dataclasses.replace(known[row.cell], row=row.number, name=row.name))
    return Audit(table.column, table.guessed, declared, tuple(cells))


def as_object(found: Audit, file: str) -> dict[str, Any]:
    """The audit as one object: totals by class and every cell."""
    return {
        "file": file,
        "column": found.column,
        "umbrella": found.umbrella,
        "rows": len(found.cells),
        **found.totals(),
        "cells": [
            {
                "row": cell.row,
                "name": cell.name,
                "cell": cell.cell,
                "classes": list(cell.classes),
                "expression": cell.expression,
                "licences": list(cell.licences),
                "suggestion": cell.suggestion,
                **cell.uses,
                "contradicts": None
                if cell.contradicts is None
                else [{"part": c.part, "reason": c.reason, "sentence": c.sentence} for c in cell.contradicts],
            }
            for cell in found.cells
        ],
    }


def _cell(text: str, umbrella: str | None, policy: Policy) -> Cell:
    reading = _read(text)
    contradicts = None if umbrella is None else tuple(dict.fromkeys(_contradictions(reading, umbrella)))
    judged = judge_expression(reading.expression, policy) if reading.expression is not None else None
    return Cell(
        row=0,
        name="",
        cell=text,
        classes=(*reading.classes, "contradictory") if contradicts else reading.classes,
        expression=reading.expression,
        licences=tuple(dict.fromkeys(part.expression for part in reading.parts if part.expression)),
        suggestion=_suggestion(reading),
        uses={use: judged[use].verdict if judged else "deny" for use in USES},
        contradicts=contradicts,
    )


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> _Reading:
    """Read a cell: as one name, else as the names it is split into."""
    addresses = {_addressed(found): found for found in _ADDRESS.findall(text)} if "." in text else {}
    written = _ADDRESS.sub(lambda found: f" {_addressed(found[0])} ", text) if addresses else text
    whole = _name(written if written.strip() or not text.strip() else text, addresses)
    if whole.name_class == "valid" and written != text:
        whole = dataclasses.replace(whole, name_class="alias")
    pieces, operator = _split(written)
    if whole.name_class in ("valid", "alias") or len(pieces) < 2 or len(pieces) > _MOST_PARTS:
        return _Reading(_classes((whole,)), whole.expression, (whole,))
    read = _without_family(text, [_name(piece, addresses) for piece in pieces])
    parts = tuple({(n.expression or n.meant or n.text.casefold()): n for n in reversed(read)}.values())[::-1]
    named = [part for part in parts if part.expression or part.meant]
    if not named or (whole.meant and len(named) == 1):
        return _Reading(_classes((whole,)), whole.expression, (whole,))
    if len(parts) == 1:
        # One licence said twice (`MIT License (MIT)`, `Licence Ouverte 2.0 (Etalab)`) is named exactly, and
        # not written as SPDX writes it.
        only = parts[0]
        classes = _classes((only,)) if only.name_class != "valid" else _classes((only,), "alias")
        return _Reading(classes, only.expression, parts)
    return _Reading(_classes(parts, "list"), _joined(parts, operator), parts)


def _name(written: str, addresses: Mapping[str, str]) -> Name:
    """A part's name; of a licence that is not known, the address it was put in the place of."""
    name = read_name(written)
    shown = addresses.get(written.strip())
    return dataclasses.replace(name, text=shown) if shown and name.name_class == "other" else name


def _without_family(text: str, names: list[Name]) -> list[Name]:
    """The names without a family in brackets that one of its own licences stands before."""
    if len(names) == 2 and _BRACKETED.fullmatch(text) and names[0].expression in names[1].meant:
        return names[:1]
    return names


def _split(text: str) -> tuple[list[str], str]:
    """The parts of a cell, and whether all of them bind (AND) or one may be chosen (OR).

    “or” counts where every separator is one, or commas lead up to it, as people write lists. Anything less
    clear binds as a whole.
    """
    between = [sign.lower() for sign in _SEPARATOR.findall(text) if sign not in _BRACKETS]
    pieces = [piece.strip(" \t\u00a0\u3000.:*\"'“”«»") for piece in _SEPARATOR.split(text)]
    kept = [piece for piece in pieces if piece and not names_scope(piece)]
    chooses = bool(between) and between[-1] in _OR and all(sign in (*_OR, ",", "\uff0c") for sign in between)
    return kept, "OR" if chooses else "AND"


def _classes(parts: tuple[Name, ...], spelling: str | None = None) -> tuple[str, ...]:
    """Classes of a cell out of those of its parts; a valid part of a list makes no valid cell."""
    found = {str(part.name_class) for part in parts} if spelling is None else {spelling}
    if spelling is not None:
        found |= {str(part.name_class) for part in parts} - {"valid"}
    if any(part.noncommercial for part in parts):
        found.add("noncommercial")
    return tuple(name for name in CLASSES if name in found)


def _joined(parts: tuple[Name, ...], operator: str) -> str | None:
    expressions = [part.expression for part in parts]
    if not all(expressions):
        return None
    joined = f" {operator} ".join(f"({expression})" for expression in expressions)
    return None if check_expression(joined) else judge_expression(joined, default_policy()).expression


def _addressed(address: str) -> str:
    """The identifier of the licence whose text an address leads to; empty where it is not known."""
    bare = re.sub(r"^https?://(www\.)?", "", address.strip().lower()).rstrip("/.")
    found = _CC_ADDRESS.fullmatch(bare)
    if found:
        return "-".join(filter(None, ("CC", found[1].upper(), found[2], (found[3] or "").upper())))
    free = re.fullmatch(r"creativecommons\.org/publicdomain/((?:zero|mark)/1\.0).*", bare)
    return _CC_FREE[free[1]] if free else _sources().get(bare, "")


@functools.cache
def _sources() -> dict[str, str]:
    """Address of a text → identifier, for lines of the table that are one licence."""
    return {
        re.sub(r"^https?://(www\.)?", "", licence.source.lower()).rstrip("/."): licence.id
        for licence in licences()
        if "*" not in licence.id and licence.licence_class != "reserved"
    }


def _suggestion(reading: _Reading) -> str | None:
    if "valid" in reading.classes:
        return None
    if reading.expression is not None:
        return f"Write “{reading.expression}”."
    said: list[str] = []
    for part in reading.parts[:_MOST_SAID]:
        shown = part.text.strip()[:60]
        if part.name_class == "unversioned":
            said.append(f"“{shown}” is a family; say which: {', '.join(part.meant)}.")
        elif part.name_class == "vague":
            said.append(
                f"“{shown}” names no licence; read it at the source." if shown else "Nothing is stated."
            )
        elif part.name_class == "other":
            said.append(f"“{shown}” is not known here. {guess(part.text)}")
    return " ".join(said) or "Write its licences as one SPDX expression."


def _contradictions(reading: _Reading, umbrella: str) -> list[Contradiction]:
    if reading.expression is not None:
        found = passes_on(reading.expression, umbrella)
        return [Contradiction(licence or reading.expression, reason) for reason, licence in found]
    return [item for part in reading.parts for item in _part_contradictions(part, umbrella)]


def _part_contradictions(part: Name, umbrella: str) -> list[Contradiction]:
    """A family goes under the umbrella where each of its versions would, and then still lacks its version."""
    if part.expression is not None:
        return [Contradiction(licence or part.text, r) for r, licence in passes_on(part.expression, umbrella)]
    shown = part.text.strip()[:60]
    reasons = [passes_on(meant, umbrella) for meant in part.meant]
    if reasons and all(reasons):
        return [Contradiction(shown, reasons[-1][0][0])]
    if reasons:
        return [Contradiction(shown, "release-unversioned")]
    if part.noncommercial and passes_on("CC-BY-NC-4.0", umbrella):
        return [Contradiction(shown, "release-nc")]
    return [Contradiction(shown, "release-unknown")]
