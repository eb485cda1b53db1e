"""The report of a review: one object as JSON, and as a page in English and in French.

Names of folders, licences, passages and titles were written by strangers. The page escapes all of them, loads
nothing and runs nothing; its pictures are drawn inside it out of numbers alone.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from hemicycle.pages import load_page
from hemicycle.review.verdict import VERDICTS
from hemicycle.typeset import Language, format_number, format_percent, read_words

PAGES: Mapping[Language, str] = {"en": "report.html", "fr": "report.fr.html"}
COLOURS = dict(zip(VERDICTS, ("#2f7d4f", "#7a9a2f", "#c98a1b", "#a63a2b"), strict=True))
#: Rules whose shares a page draws for a subset.
MOST_RULES = 12


def write_report(report: Mapping[str, Any], out: Path) -> None:
    """Write `report.json`, `report.html` and `report.fr.html`."""
    text = json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False)
    (out / "report.json").write_text(f"{text}\n", "utf-8")
    for language, name in PAGES.items():
        (out / name).write_text(page(report, language), "utf-8")


def page(report: Mapping[str, Any], language: Language) -> str:
    """The page, as HTML."""
    return _template().render(
        report=report,
        language=language,
        words=words(language),
        pages=PAGES,
        colours=COLOURS,
        most_rules=MOST_RULES,
        number=lambda value: format_number(value, language),
        percent=lambda share: format_percent(share, language),
    )


@functools.cache
def words(language: Language) -> Mapping[str, str]:
    """`wording.csv`: the words of the page and of the four verdicts."""
    return read_words(Path(__file__).with_name("wording.csv"), language)


@functools.cache
def _template() -> jinja2.Template:
    return load_page(Path(__file__).with_name("report.html.jinja"))
