"""Conventions of French print that readers of debates need: dates, raised letters, directions, the chair."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip

_CHAIR = re.compile(
    r"(?:(?:m\.|mme\.?|monsieur|madame)\s+)?l[ea]\s+présidente?(?:\s+(?:de\s+séance|d['’]âge))?\.?",
    re.IGNORECASE,
)


def iso_date(words: str) -> str | None:
    """The first full date in a phrase, as ISO 8601: “vendredi 1er février 2013” is 2013-02-01.

    None where there is none, or where the calendar has no such day.
    """
    match = re.search(rf"\b(\d{{1,2}})(?:er)?\s+({'|'.join(_MONTHS)})\s+(\d{{4}})\b", words.lower())
    if not match:
        return None
    try:
        return date(int(match[3]), _MONTHS.index(match[2]) + 1, int(match[1])).isoformat()
    except ValueError:
        return None


def superscript(before: str, raised: str) -> str:
    """How raised letters are written in plain text: n and o make n°, everything else stands as it is."""
    if raised.strip() in ("o", "os") and re.search(r"(?<![^\W\d_])[nN]$", before):
        return raised.replace("o", "°")
    return raised


def closing(text: str, start: int) -> int | None:
    """The offset after the parenthesis that closes the one at `start`; None where none does."""
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] == "(") - (text[position] == ")")
        if depth == 0:
            return position + 1
    return None


def is_parenthesis(text: str) -> bool:
    """Whether a text is one pair of parentheses and nothing else: in a debate, a stage direction."""
    text = text.strip()
    return text.startswith("(") and closing(text, 0) == len(text)


def is_chair(name: str) -> bool:
    """Whether a printed name is that of the chair: “Mme la présidente”, not “présidente de la commission”."""
    return _CHAIR.fullmatch(name) is not None
