"""What is stated of a subset's licence, and where: its card, its rows, the table and the head of the whole.

Every statement is quoted and audited as `rights audit` audits a cell. A statement says who passes the text on
believed it could be passed on; none is evidence of what its authors permitted. So the worst statement counts,
and two that differ are a question for the publisher.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemicycle.documents import StatedLicence
from hemicycle.errors import HemicycleError
from hemicycle.review.report import PAGES, words
from hemicycle.review.subsets import Dataset, Subset
from hemicycle.review.verdict import DUTIES, REFUSE, REVIEW, Reason
from hemicycle.rights.audit import Cell, audit
from hemicycle.rights.cards import DataCard, read_card
from hemicycle.rights.explanations import explain
from hemicycle.rights.foreign import MAX_CELL, ForeignTable, Row, read_table
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import USES, Policy, Use
from hemicycle.sources.huggingface import CARD, MAX_CARD_BYTES
from hemicycle.sources.text import read_utf8
from hemicycle.typeset import flatten

#: What a project needs of a text: to train on it and to publish the weights.
NEEDED: tuple[Use, ...] = ("train", "weights")

#: A duty owed to nobody: to keep what was found, as the report does.
_OWED_TO_NOBODY = frozenset({"evidence"})
_KEY = re.compile(r"licen[sc]es?[ \t]*:", re.IGNORECASE)


@dataclass(frozen=True)
class Cards:
    """The cards of a data set, read once.

    Attributes:
        umbrella: the SPDX expression that the whole is declared to be under; None where it names none.
        place: where it is declared.
        table: rows of the top card's tables: name in small letters → (name, licence cell).
    """

    umbrella: str | None
    place: str
    table: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Found:
    """What is stated of a subset.

    Attributes:
        statements: as objects of the report, each with place and quotation.
        of_cards: those of the cards, as a document carries them.
        expression: where all of them name one licence exactly.
        languages: declared by the card.
    """

    statements: tuple[dict[str, Any], ...]
    of_cards: tuple[StatedLicence, ...]
    expression: str | None
    obligations: tuple[str, ...]
    languages: tuple[str, ...]
    title: str
    reasons: tuple[Reason, ...]


def read_cards(dataset: Dataset, policy: Policy, umbrella: str | None) -> Cards:
    """Read the card at the top. `umbrella`: what the whole is declared to be under, where that is known.

    Raises DeclarationError where `umbrella` is no SPDX expression.
    """
    declared = audit(ForeignTable("license", False, ()), policy, umbrella).umbrella
    if dataset.card is None:
        return Cards(declared, "--umbrella", {})
    try:
        table = read_table(dataset.card, {})
    except HemicycleError:
        # A card without a licence in it anywhere is refused: then nothing is declared for the whole.
        return Cards(declared, "--umbrella", {})
    rows = {row.name.casefold(): (row.name, row.cell) for row in table.rows if row.name}
    if declared is not None:
        return Cards(declared, "--umbrella", rows)
    return Cards(audit(table, policy).umbrella, CARD, rows)


def stated(subset: Subset, dataset: Dataset, cards: Cards, rows: Mapping[str, int], policy: Policy) -> Found:
    """What is stated of a subset's licence. `rows`: licence as its documents state it → how many do."""
    reasons: list[Reason] = []
    path = dataset.card if dataset.shared else subset.card
    own = DataCard("", None, (), "")
    text = ""
    if path is None:
        reasons.append(Reason("no-card", REVIEW))
    else:
        try:
            text = read_utf8(path, path.name, max_bytes=MAX_CARD_BYTES)
            own = read_card(text)
        except (HemicycleError, OSError) as error:
            reasons.append(Reason("card-unread", REVIEW, {"what": flatten(str(error), 300)}))
    name = CARD if dataset.shared else f"{subset.name}/{CARD}"
    said: list[tuple[Mapping[str, str], str]] = []
    if own.licence is not None:
        said.append((_place("line", name, _line(text)), own.licence))
    said += [(_place("configuration", name, part), cell) for part, cell in own.parts]
    whole = cards.table.get(subset.name.rpartition("/")[2].casefold())
    if whole is not None and not dataset.shared:
        said.append((_place("table", CARD, whole[0]), whole[1]))
    if not said and cards.umbrella is not None:
        said.append((dict.fromkeys(PAGES, cards.place), cards.umbrella))
        reasons.append(Reason("umbrella-only", REVIEW))
    stated_by_cards = len(said)
    said += [(_place("rows", "", count), cell) for cell, count in sorted(rows.items())]
    quoted = tuple(Row(n, place["en"], cell[:MAX_CELL]) for n, (place, cell) in enumerate(said, 1))
    audited = audit(ForeignTable("license", False, quoted), policy, cards.umbrella)
    reasons += _reasons(audited.cells, policy)
    if not said:
        reasons.append(Reason("no-licence", REFUSE))
    expressions = [cell.expression for cell in audited.cells]
    if len(set(expressions[:stated_by_cards])) > 1:
        reasons.append(Reason("statements-differ", REVIEW))
    one = next((e for e in dict.fromkeys(expressions) if e), None)
    obligations = _obligations(one, policy) if one and len(set(expressions)) == 1 else ()
    if obligations:
        asked = {
            str(language): ", ".join(words(language).get(f"duty {duty}", duty) for duty in obligations)
            for language in PAGES
        }
        reasons.append(Reason("obligations", DUTIES, asked))
    return Found(
        tuple(_statement(cell, place) for cell, (place, _) in zip(audited.cells, said, strict=True)),
        tuple(StatedLicence("distributor", cell, place["en"]) for place, cell in said[:stated_by_cards]),
        one if len(set(expressions)) == 1 else None,
        obligations,
        _languages(text),
        own.name,
        tuple(dict.fromkeys(reasons)),
    )


def _reasons(cells: tuple[Cell, ...], policy: Policy) -> list[Reason]:
    reasons: list[Reason] = []
    for cell in cells:
        quoted = {"what": flatten(cell.cell, 60) or "–"}
        if "noncommercial" in cell.classes:
            reasons.append(Reason("noncommercial", REFUSE, quoted))
        elif cell.expression is not None:
            reasons += _judged(cell.expression, policy)
            if "valid" not in cell.classes:
                reasons.append(Reason("licence-alias", DUTIES, {**quoted, "spdx": cell.expression}))
        elif "unversioned" in cell.classes:
            reasons.append(Reason("licence-unversioned", REVIEW, quoted))
        elif "vague" in cell.classes:
            reasons.append(Reason("licence-vague", REVIEW, quoted))
        else:
            reasons.append(Reason("licence-unknown", REVIEW, quoted))
        if cell.contradicts:
            reasons.append(Reason("contradicts-umbrella", REVIEW, quoted))
    return reasons


def _judged(expression: str, policy: Policy) -> list[Reason]:
    judged = judge_expression(expression, policy)
    levels = {"deny": REFUSE, "review": REVIEW}
    return [
        Reason(
            "licence-judged",
            levels[judged[use].verdict],
            {"en": explain(judged[use].reason, "en"), "fr": explain(judged[use].reason, "fr")},
        )
        for use in NEEDED
        if judged[use].verdict in levels
    ]


def _obligations(expression: str, policy: Policy) -> tuple[str, ...]:
    judged = judge_expression(expression, policy)
    return tuple(sorted({o for use in NEEDED for o in judged[use].obligations} - _OWED_TO_NOBODY))


def _place(kind: str, file: str, which: str | int) -> Mapping[str, str]:
    """Where something is stated, in the words of each page; names in it stay."""
    return {
        str(language): words(language)[f"place {kind}"].format(file=file, which=which) for language in PAGES
    }


def _statement(cell: Cell, where: Mapping[str, str]) -> dict[str, Any]:
    return {
        "place": flatten(cell.name),
        "where": {language: flatten(place) for language, place in where.items()},
        "stated": flatten(cell.cell),
        "classes": list(cell.classes),
        "expression": cell.expression,
        "uses": {use: cell.uses[use] for use in USES},
        "suggestion": cell.suggestion,
        "contradicts": [c.reason for c in cell.contradicts or ()],
    }


def _line(text: str) -> int:
    """The line on which the head states a licence; `read_card` has found one."""
    return next((n for n, line in enumerate(text.splitlines(), 1) if _KEY.match(line)), 1)


def _languages(text: str) -> tuple[str, ...]:
    """Languages that the head of a card declares: `language: fr`, `[fr, en]` or a list below it."""
    head = re.match(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", text, re.DOTALL | re.MULTILINE)
    block = re.search(
        r"^languages?[ \t]*:(.*(?:\r?\n[ \t]*-[^\r\n]*)*)", head[1] if head else "", re.MULTILINE
    )
    words = re.findall(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", block[1] if block else "")
    return tuple(dict.fromkeys(word.lower().partition("-")[0] for word in words))[:20]
