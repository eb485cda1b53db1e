"""The page of a traced work: one file in French and in English, without a script, loading nothing.

Titles, origins and passages were written by strangers, and so was the work: the page escapes all of them, and
sets each apart so that text which runs from right to left turns nothing else around.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2

from hemicycle.errors import visible
from hemicycle.pages import load_page
from hemicycle.trace.claims import LANGUAGES, Question, limits, outcome, words
from hemicycle.trace.typography import side_by_side
from hemicycle.trace.works import PLACES, Passage, TracedWork, shares
from hemicycle.typeset import format_number, format_percent

#: Parts of the picture; in each, how much was found is one of so many shades.
BINS, SHADES = 500, 5
#: Passages of more words are folded; of longer ones no more words are shown.
FOLDED, SHOWN = 60, 2_000


def work_page(
    work: TracedWork,
    asked: Question,
    *,
    proofs: Sequence[str],
    signed: str,
    fingerprint: str,
) -> bytes:
    """The page, as HTML in UTF-8.

    Args:
        proofs: addresses, from the page, of the proofs of the documents told.
        signed: name of the statement beside it.
        fingerprint: of the key that signs it.
    """
    numbers = {document.id: number for number, document in enumerate(work.told, 1)}
    page = _template().render(
        work=work,
        asked=asked,
        documents=list(zip(work.told, proofs, strict=True)),
        passages=[_told(work, passage, numbers) for passage in work.longest],
        bars=_bars(work),
        bins=min(BINS, work.words),
        shown=SHOWN,
        folded=FOLDED,
        places=PLACES,
        signed=signed,
        check=shlex.join(["hemicycle", "verify", signed, "--work", asked.name]),
        fingerprint=fingerprint,
        languages=LANGUAGES,
        words={language: words(language) for language in LANGUAGES},
        outcome={
            language: outcome(work.words, work.found, work.min_words, language) for language in LANGUAGES
        },
        limits={
            language: limits(work.min_words, asked.kind, asked.running_heads, asked.upstream, language)
            for language in LANGUAGES
        },
    )
    return page.encode("utf-8")


def _told(work: TracedWork, passage: Passage, numbers: dict[str, int]) -> dict[str, Any]:
    best = passage.matches[0]
    left, right = side_by_side(
        work.text[passage.start : passage.end], best.excerpt[best.needle_start : best.needle_end], SHOWN
    )
    others = [(match, numbers.get(match.id)) for match in passage.matches[1:]]
    return {
        "passage": passage,
        "left": left,
        "right": right,
        "best": best,
        "number": numbers.get(best.id),
        "others": others,
        "beginning": work.beginning(passage),
    }


def _bars(work: TracedWork) -> list[tuple[int, int, float]]:
    """First part, number of parts and shade (0 to 1) of what was found, left to right."""
    bars: list[tuple[int, int, float]] = []
    for at, share in enumerate(shares(work, BINS)):
        # The least that was found is seen, and the least that was not.
        shade = (
            0.0
            if share <= 0
            else 1.0
            if share >= 1
            else min(max(round(share * SHADES), 1), SHADES - 1) / SHADES
        )
        if bars and bars[-1][2] == shade and sum(bars[-1][:2]) == at:
            bars[-1] = (bars[-1][0], bars[-1][1] + 1, shade)
        elif shade:
            bars.append((at, 1, shade))
    return bars


@functools.cache
def _template() -> jinja2.Template:
    filters: dict[str, Callable[..., Any]] = {
        "number": format_number,
        "percent": format_percent,
        "visible": visible,
    }
    return load_page(Path(__file__).with_name("work_page.html.jinja"), filters)
