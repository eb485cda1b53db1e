"""The page of a plan: `plan.html` in English, `plan.fr.html` in French, and `plan.json`.

The page loads nothing and runs nothing; printed, it is a report. Names in it were declared by people, and are
escaped.
"""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import jinja2

from hemicycle import __version__
from hemicycle.pages import load_page
from hemicycle.plan.told import Piece
from hemicycle.plan.wording import say, words
from hemicycle.store import write_aside
from hemicycle.typeset import Language, format_date

PAGES: Mapping[Language, str] = {"en": "plan.html", "fr": "plan.fr.html"}


def write_page(
    out: Path,
    title: str,
    tell: Callable[[Language], Iterable[Piece]],
    told: Mapping[str, Any],
    today: date,
) -> None:
    """Write both pages and the same as JSON into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    for language, name in PAGES.items():
        write_aside(out / name, render(title, tell(language), language, today).encode("utf-8"))
    text = json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False, default=str)
    write_aside(out / "plan.json", f"{text}\n".encode())


def render(title: str, pieces: Iterable[Piece], language: Language, today: date) -> str:
    """The page, as HTML."""
    named = words(language)
    return _template().render(
        language=language,
        words=named,
        title=f"{named['title']}{named['colon']} {title}" if title else named["title"],
        pieces=[(type(piece).__name__, piece) for piece in pieces],
        pages=PAGES,
        made=say("made", language, day=format_date(today.isoformat(), language), version=__version__),
        data=lambda png: base64.b64encode(png).decode("ascii"),
    )


@functools.cache
def _template() -> jinja2.Template:
    return load_page(Path(__file__).with_name("page.html.jinja"))
