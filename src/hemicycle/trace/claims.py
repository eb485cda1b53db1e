"""Claims: what a trace of a work says, and what it does not, in the two languages of the project.

Page, signed statement and terminal take their sentences from here, so that none says more than another. The
trap is the sentence that reads well: “your work is not in there” is more than anybody checked.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hemicycle.typeset import Language, count, format_number, format_percent, read_words

LANGUAGES: tuple[Language, ...] = ("fr", "en")


@dataclass(frozen=True)
class SearchedCorpus:
    """A corpus of the index: its digest in the ledger, and what of it was searched that no corpus before it
    has."""

    name: str
    digest: str
    documents: int
    words: int


@dataclass(frozen=True)
class Question:
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
    return read_words(Path(__file__).with_name("wording.csv"), language)


def outcome(
    all_words: int,
    found: int,
    min_words: int,
    language: Language,
    number: Callable[[int, Language], str] = format_number,
) -> str:
    """What was found and what was not, in a sentence or two.

    `found` of `all_words` words of the work stand in matches of at least `min_words` words.
    """
    rest = all_words - found
    key = "found_none" if not found else "found_some" if rest else "found_all"
    key += "_one" if found == 1 else ""
    # Rounded, a share could be 100 % beside words that were not found, or 0 % beside some that were.
    share = min(max(found / all_words, 0.001), 0.999)
    said = words(language)[key].format(
        found=number(found, language),
        words=number(all_words, language),
        share=format_percent(share, language),
        n=_counted(min_words, language),
    )
    others = words(language)["rest_one" if rest == 1 else "rest"].format(rest=number(rest, language))
    return f"{said} {others}" if found and rest else said


def limits(
    min_words: int, kind: str, running_heads: int, upstream: str | None, language: Language
) -> list[str]:
    """What the outcome does not say, a sentence each; `Question` explains the figures."""
    base = ["limit_base"] if upstream is not None else []
    keys = ["limit_verbatim", "limit_split", "limit_others", *base]
    keys += ["limit_read", f"limit_{kind}", "limit_signed", "limit_cause"]
    heads = format_number(running_heads, language)
    return [
        words(language)[key].format(n=_counted(min_words, language), base=upstream, heads=heads)
        for key in keys
    ]


def _counted(min_words: int, language: Language) -> str:
    one, many = ("mot", "mots") if language == "fr" else ("word", "words")
    return count(min_words, one, many, language)
