"""Claims: what a trace of a work says, and what it does not, in the two languages of the project.

Page, signed statement and terminal take their sentences from here, so that none says more than another. The
trap is the sentence that reads well: “your work is not in there” is more than anybody checked.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hemicycle.trace.works import TracedWork
from hemicycle.typeset import Language, count, format_number, format_percent

LANGUAGES: tuple[Language, ...] = ("fr", "en")


@dataclass(frozen=True)
class SearchedCorpus:
    """A corpus of the index: its digest in the ledger, and what of it was searched."""

    name: str
    digest: str
    documents: int
    words: int


@dataclass(frozen=True)
class Asked:
    """What was asked: of which file, and of what was searched for it.

    Attributes:
        name, sha256: of the work's file; `kind` is how it was read, `running_heads` what was left out.
        model_digest, index_digest: of the artefacts, as the ledger has them.
        normalisation: what made words of texts.
        upstream: the base that the model began as, of whose training text nothing is known.
    """

    name: str
    sha256: str
    kind: str
    running_heads: int
    model: str
    model_digest: str
    index_digest: str
    normalisation: str
    upstream: str | None
    corpora: tuple[SearchedCorpus, ...]


@functools.cache
def words(language: Language) -> Mapping[str, str]:
    """`wording.csv`: the words of the page and the sentences of the statement."""
    with Path(__file__).with_name("wording.csv").open(encoding="utf-8", newline="") as file:
        return {row["key"]: row[language] for row in csv.DictReader(file)}


def outcome(
    work: TracedWork, language: Language, number: Callable[[int, Language], str] = format_number
) -> str:
    """What was found and what was not, in a sentence or two. `number` writes the figures."""
    rest = work.words - work.found
    key = "found_none" if not work.found else "found_some" if rest else "found_all"
    key += "_one" if work.found == 1 else ""
    # Rounded, a share could be 100 % beside words that were not found, or 0 % beside some that were.
    share = min(max(work.coverage, 0.001), 0.999)
    said = words(language)[key].format(
        found=number(work.found, language),
        words=number(work.words, language),
        share=format_percent(share, language),
        n=shortest(work, language),
    )
    others = words(language)["rest_one" if rest == 1 else "rest"].format(rest=number(rest, language))
    return f"{said} {others}" if work.found and rest else said


def shortest(work: TracedWork, language: Language) -> str:
    """The words of the shortest match that was looked for, with their noun."""
    one, many = ("mot", "mots") if language == "fr" else ("word", "words")
    return count(work.min_words, one, many, language)


def limits(work: TracedWork, asked: Asked, language: Language) -> list[str]:
    """What the outcome does not say, a sentence each."""
    keys = ["limit_verbatim", "limit_split", "limit_others", "limit_read", "limit_signed", "limit_cause"]
    if asked.upstream is not None:
        keys.insert(3, "limit_base")
    if asked.kind != "text":
        keys.insert(keys.index("limit_read") + 1, f"limit_{asked.kind}")
    return [
        words(language)[key].format(
            n=shortest(work, language),
            base=asked.upstream,
            heads=format_number(asked.running_heads, language),
        )
        for key in keys
    ]
