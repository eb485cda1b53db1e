"""Typesetting: how text from outside, numbers and dates appear in a card.

Titles, attributions and ids were written by strangers. Left as they are, a pipe breaks a table, a bracket
becomes a link, an angle bracket HTML, a line break a heading of the stranger's choice, and a control
character turns a line around on the screen. `escape_text` is the one place where such text becomes
Markdown; `yaml_line` the one where it becomes front matter.
"""

from __future__ import annotations

import csv
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Literal

Language = Literal["en", "fr"]

#: No title or attribution is longer; the rest of a longer one is replaced by an ellipsis.
LONGEST_TEXT = 1_000

#: Narrow no-break space: French thousands, and what stands before ; : ? ! %
NARROW = "\u202f"

_ACTIVE = re.compile(r"[\\`*_\[\]|~$#{}]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LINKABLE = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9._~:/?#@!&'*+,;=%-]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._/:+=-]+")
_JOINERS = "\u200c\u200d"

_MONTHS: dict[Language, list[str]] = {
    "en": "January February March April May June July August September October November December".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
}
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def read_words(table: Path, language: Language) -> Mapping[str, str]:
    """The words of pages and sentences by their key: a CSV table with a column a language."""
    with table.open(encoding="utf-8", newline="") as file:
        return {row["key"]: row[language] for row in csv.DictReader(file)}


def flatten(text: str, limit: int = LONGEST_TEXT) -> str:
    """One line of at most `limit` characters, without control characters and what turns text around."""
    kept = []
    for character in text[: 4 * limit]:
        category = unicodedata.category(character)
        if category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category == "Cs":
            kept.append("\ufffd")
        elif category != "Cf" or character in _JOINERS:
            kept.append(character)
    # Not split(): the no-break spaces of French typography are to stay.
    line = re.sub(" {2,}", " ", "".join(kept)).strip(" ")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def escape_text(text: str, limit: int = LONGEST_TEXT) -> str:
    """Outside text as Markdown that shows it and does nothing else, in running text or in a table."""
    line = _ACTIVE.sub(r"\\\g<0>", flatten(text, limit))
    line = re.sub("[&<>]", lambda m: _ENTITIES[m[0]], line)
    # Bare addresses become links by themselves on most sites.
    line = line.replace("://", "&#58;//").replace("@", "&#64;")
    line = re.sub(r"(?i)\bwww\.", lambda m: f"{m[0][:3]}&#46;", line)
    # What would open a list, a quotation, a rule or a heading at the start of a line.
    line = re.sub(r"^([-+=])", r"\\\1", line)
    return re.sub(r"^(\d{1,9})([.)])", r"\1\\\2", line)


def code(name: str) -> str:
    """A name of our own (a source, a digest) as code; anything that is none, as escaped text."""
    return f"`{name}`" if _PLAIN_NAME.fullmatch(name) else escape_text(name)


def link(address: str, text: str | None = None) -> str:
    """A web address as a link; anything that is none, as escaped text."""
    if not _LINKABLE.fullmatch(address) or len(address) > LONGEST_TEXT:
        return escape_text(text or address)
    return f"[{escape_text(text)}]({address})" if text else f"<{address}>"


def yaml_line(key: str, value: str | list[str]) -> str:
    """One entry of front matter. JSON strings are YAML strings, with nothing left to interpret."""

    def quoted(text: str) -> str:
        # Both YAML 1.1 and 1.2 take every other character as it is once `flatten` has been through.
        return json.dumps(flatten(text), ensure_ascii=False)

    if isinstance(value, str):
        return f"{key}: {quoted(value)}"
    return "\n".join([f"{key}:", *(f"- {quoted(entry)}" for entry in value)])


def format_number(
    value: float | None, language: Language, *, decimals: int | None = None, significant: int | None = None
) -> str:
    """A number for people: ``1,234.5`` in English, ``1 234,5`` in French, ``–`` for None.

    Args:
        decimals: digits after the point; by default none for integers and two for others.
        significant: write as a power of ten with this many digits (``3.87 × 10²³``) from a million on.
    """
    if value is None:
        return "–"
    # The exact value of the float, as f"{value:.2f}" takes it: pages and tables round alike.
    number = Decimal(value)
    if significant is not None and abs(number) >= 1_000_000:
        mantissa, _, exponent = f"{number:.{significant - 1}E}".partition("E")
        power = str(int(exponent)).translate(_SUPERSCRIPT)
        return f"{_localise(mantissa, language)} × 10{power}"
    places = decimals if decimals is not None else 0 if isinstance(value, int) else 2
    rounded = number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return _localise(f"{rounded:,f}", language)


def _localise(english: str, language: Language) -> str:
    if language == "en":
        return english.replace("-", "−")
    french = english.replace(",", NARROW).replace(".", ",")
    return french.replace("-", "−")


def format_percent(share: float | None, language: Language) -> str:
    """A share of one as a percentage with one decimal, ``–`` for None."""
    if share is None:
        return "–"
    shown = format_number(100 * float(share), language, decimals=1)
    return f"{shown}{NARROW}%" if language == "fr" else f"{shown}%"


def format_quantity(value: float | None, unit: str, language: Language) -> str:
    """A measure with its unit, in three digits: ``1.23 kWh``, ``403 GFLOP/s``, ``12.8 Go``."""
    if value is None:
        return "–"
    power = min(max(0, math.floor(math.log10(abs(value)) / 3 + 1e-9)), 6) if value else 0
    scaled = value / 1000**power
    decimals = 2 - math.floor(math.log10(abs(scaled))) if scaled else 0
    shown = format_number(scaled, language, decimals=min(max(decimals, 0), 2))
    return f"{shown}\u00a0{['', 'k', 'M', 'G', 'T', 'P', 'E'][power]}{unit}"


def format_duration(seconds: float, language: Language) -> str:
    """A time for people, in its two largest units: ``8 s``, ``2 min``, ``3 h 05 min``, ``2 d 4 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{format_number(days, language)} {'j' if language == 'fr' else 'd'} {hours} h"


def count(value: int, one: str, many: str, language: Language) -> str:
    """A number with its noun: ``1 document``, ``2 documents``. In French zero takes the singular."""
    single = value == 1 or (language == "fr" and value == 0)
    return f"{format_number(value, language)} {one if single else many}"


def format_date(iso: str, language: Language) -> str:
    """``22 November 2026``, ``22 novembre 2026``; what is no ISO date stays as it is, escaped."""
    try:
        day = date.fromisoformat(iso[:10])
    except ValueError:
        return escape_text(iso)
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return f"{number} {_MONTHS[language][day.month - 1]} {day.year}"


def format_interval(value: float, low: float | None, high: float | None, language: Language) -> str:
    """A measure with its interval: ``1.86 [1.84, 1.89]``, ``1,86 [1,84 ; 1,89]``."""
    shown = format_number(float(value), language)
    if low is None or high is None:
        return shown
    between = f"{NARROW}; " if language == "fr" else ", "
    bounds = between.join(format_number(float(bound), language) for bound in (low, high))
    # The brackets are escaped: two pairs in a row would be a link.
    return f"{shown} \\[{bounds}\\]"


def format_share(value: float, low: float | None, high: float | None, language: Language) -> str:
    """A share with its interval: ``1.2% [0.4%, 2.5%]``, in which the brackets are escaped."""
    shown = format_percent(value, language)
    if low is None or high is None:
        return shown
    between = f"{NARROW}; " if language == "fr" else ", "
    return f"{shown} \\[{between.join(format_percent(bound, language) for bound in (low, high))}\\]"


def check_is_text(value: Any) -> str:
    """Text as it is. Raises TypeError on a bare number: numbers go through `format_number`."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} reached a card without being formatted")
    return value
