"""Rules of quality: bounds on measures, in named sets that a non-programmer can read, and add to.

A rule is one line, `keep = "duplicate_ngrams(5) <= 0.15"`, with a sentence of why in French and English and
its source. It is parsed, never evaluated, and needs stored measures only: a bound is moved without reading a
text again. All rules are asked of every document, and all broken ones are named, as `SET/RULE`.
"""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field, StringConstraints, field_validator, model_validator

from hemicycle.curate.measures import MEASURES, measures_version
from hemicycle.curate.words import WORDS
from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.project import Declared, load_toml

#: In place of names of sets: each document is held to the sets of its kind.
BY_KIND = "by-kind"

#: The definition of a word, with its version, that the bounds of a set must say they are for.
_WORDS = f"french {WORDS}"
_SETS = Path(__file__).with_name("sets")
_KINDS = Path(__file__).with_name("kinds.toml")
_NUMBER = r"-?\d[\d_]{0,29}(?:\.\d{1,30})?"
_KEEP = re.compile(
    rf"(?:({_NUMBER}) ?<= ?)?([a-z][a-z0-9_]*)(?:\( ?([a-z0-9]+) ?\))?(?: ?(<=|>=) ?({_NUMBER}))?",
    re.ASCII,
)

#: Measures that are shares of a whole. `symbol_share` is for each word, and `top_ngram` counts overlaps: both
#: can be above 1.
_SHARE = re.compile(
    r"(?!symbol_share)[a-z0-9_]+_(?:share|lines)|lines_\w+|duplicate_\w+|language_\w+|ocr_quality|confidence",
    re.ASCII,
)


@dataclass(frozen=True)
class Bound:
    """What a rule keeps: values of one column of measures that are no less and no more than this."""

    column: str
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True)
class Rule:
    """One bound and why it stands.

    Attributes:
        name: `SET/RULE`.
        keep: the bound as it was written.
        language: only documents in this language are held to it.
        kinds: only documents of these kinds are held to it; None: all.
    """

    name: str
    keep: str
    bound: Bound
    why_fr: str
    why_en: str
    source: str
    language: str | None = None
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RuleSet:
    """One version of a named set of rules."""

    name: str
    version: int
    date: date
    fr: str
    en: str
    rules: tuple[Rule, ...]


@functools.lru_cache(4096)
def parse_keep(keep: str) -> Bound:
    """Read `measure <= number`, `measure >= number` or `number <= measure <= number`.

    Raises ValueError with a sentence for what is neither, or names no measure.
    """
    match = _KEEP.fullmatch(" ".join(keep.split())) if len(keep) <= 200 else None
    if match is None or (match[1] is None and match[5] is None):
        raise ValueError(f"is no bound such as “words >= 20” or “2 <= mean_word_length <= 11”{_slip(keep)}")
    low, name, argument, sign, number = match.groups()
    if low is not None and sign == ">=":
        raise ValueError("puts two lower bounds on a measure; write “low <= measure <= high”")
    bounds = [None if text is None else float(text.replace("_", "")) for text in (low, number)]
    if any(value is not None and not math.isfinite(value) for value in bounds):
        raise ValueError("has a bound that is no number")
    if name not in MEASURES:
        raise ValueError(f"names no measure: “{name}”. {did_you_mean(name, MEASURES) or ''}".strip())
    column = name if argument is None else f"{name}({argument})"
    if column not in MEASURES[name].columns:
        known = MEASURES[name].arguments
        takes = f"takes one of {', '.join(known)}" if known else "takes no argument"
        raise ValueError(f"“{name}” {takes}")
    at_least, at_most = bounds
    if sign == ">=":
        at_least, at_most = at_most, None
    if at_least is not None and at_most is not None and at_least > at_most:
        raise ValueError("has a lower bound above its upper one: nothing would be kept")
    if _SHARE.fullmatch(name) and ((at_least or 0) > 1 or (at_most is not None and at_most < 0)):
        raise ValueError(f"keeps nothing: “{name}” is a share, between 0 and 1; write 0.6 for 60 %")
    return Bound(column, at_least, at_most)


def _slip(keep: str) -> str:
    if re.search(r"[<>](?!=)", keep):
        return "; the signs are “<=” and “>=”"
    return "; decimals follow a point, as in 0.5" if re.search(r"[0-9],[0-9]", keep) else ""


_Named = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
_Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]


class _Rule(Declared):
    name: _Named
    keep: str
    source: _Sentence
    fr: _Sentence
    en: _Sentence
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None

    @field_validator("keep")
    @classmethod
    def _bound(cls, keep: str) -> str:
        parse_keep(keep)
        return keep


class _Set(Declared):
    name: _Named
    version: Annotated[int, Field(ge=1)]
    date: date
    words: str
    fr: _Sentence
    en: _Sentence
    rule: Annotated[list[_Rule], Field(min_length=1, max_length=1000)]

    @field_validator("words")
    @classmethod
    def _current(cls, words: str) -> str:
        if words != _WORDS:
            raise ValueError(f"bounds move with what a word is: look at them again, then write “{_WORDS}”")
        return words

    @model_validator(mode="after")
    def _distinct(self) -> _Set:
        names = [rule.name for rule in self.rule]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two rules are named “{twice}”")
        return self


def known_sets() -> list[str]:
    """The names of the package's sets."""
    return sorted(path.stem for path in _SETS.glob("*.toml"))


def load_sets(names: Sequence[str], folder: Path | None = None, *, place: str | None = None) -> list[RuleSet]:
    """The sets that are named, each by its name, or as a file of one's own by its path from `folder`.

    `by-kind` stands for all sets of `kinds.toml`, each for documents of its kinds only. `place`: where they
    are named, for an error.

    Raises:
        DeclarationError: an unknown name, a wrong file (with its line), a file whose set has the name of one
            of the package, or two sets of one name.
    """
    sets: list[RuleSet] = []
    for name in names:
        if name == BY_KIND:
            sets += [_read_set(_SETS / f"{s}.toml", kinds) for s, kinds in _kinds_of_sets().items()]
        elif "/" in name or name.endswith(".toml"):
            path = (folder or Path()) / name
            own = _read_set(path)
            if own.name in known_sets():
                raise DeclarationError(
                    f"the package has a set of rules named “{own.name}”",
                    place=str(path),
                    remedy="Give yours another name.",
                )
            sets.append(own)
        elif name in known_sets():
            sets.append(_read_set(_SETS / f"{name}.toml"))
        else:
            raise DeclarationError(
                f"there is no set of rules “{name}”",
                place=place,
                remedy=did_you_mean(name, [*known_sets(), BY_KIND])
                or f"Sets: {', '.join(known_sets())}; {BY_KIND}; or the path of a file.",
            )
    seen = [s.name for s in sets]
    twice = next((name for name in seen if seen.count(name) > 1), None)
    if twice is not None:
        raise DeclarationError(f"two sets of rules are named “{twice}”", remedy="Give yours another name.")
    return sets


@functools.cache
def load_kinds() -> Mapping[str, tuple[str, ...]]:
    """Kind of document → sets it is held to under `by-kind`."""
    return {kind: tuple(names) for kind, names in tomllib.loads(_KINDS.read_text("utf-8")).items()}


def _kinds_of_sets() -> dict[str, tuple[str, ...]]:
    """Set → kinds of documents that are held to it."""
    sets: dict[str, list[str]] = {}
    for kind, names in load_kinds().items():
        for name in names:
            sets.setdefault(name, []).append(kind)
    return {name: tuple(sorted(kinds)) for name, kinds in sorted(sets.items())}


def _read_set(path: Path, kinds: tuple[str, ...] | None = None) -> RuleSet:
    declared = load_toml(path, _Set)
    rules = tuple(
        Rule(
            name=f"{declared.name}/{rule.name}",
            keep=rule.keep,
            bound=parse_keep(rule.keep),
            why_fr=rule.fr,
            why_en=rule.en,
            source=rule.source,
            language=rule.language,
            kinds=kinds,
        )
        for rule in declared.rule
    )
    return RuleSet(declared.name, declared.version, declared.date, declared.fr, declared.en, rules)


def sets_digest(sets: Iterable[RuleSet]) -> str:
    """Digest of all that decides which documents stay: bounds, and the version of the measures they bind."""
    decisive = [row for rule_set in sets for row in _decisive(rule_set)]
    return sha256_json({"measures": measures_version(), "rules": decisive})


def bounds_digest(rule_set: RuleSet) -> str:
    """Digest of the bounds of a set, by which a version is told from another."""
    return sha256_json(_decisive(rule_set))


def _decisive(rule_set: RuleSet) -> list[list[object]]:
    return [
        [r.name, r.bound.column, r.bound.at_least, r.bound.at_most, r.language, list(r.kinds or ())]
        for r in rule_set.rules
    ]


def failed(measures: pl.DataFrame, rules: Sequence[Rule]) -> pl.Series:
    """The names of all rules each document breaks, in the order of the rules; a list a row, named `why`.

    `measures` has a column for every measure that is asked for, and where rules ask for them `language` and
    `kind`. A value that is missing breaks the rule, and so does a low one in an unknown language; an unknown
    kind is held to what "other" is.

    Raises InputError where a column is missing.
    """
    needed = {rule.bound.column for rule in rules}
    needed |= {"language"} if any(rule.language for rule in rules) else set()
    needed |= {"kind"} if any(rule.kinds for rule in rules) else set()
    missing = sorted(needed - set(measures.columns))
    if missing:
        raise InputError(
            f"the stored measures have no {', '.join(missing)}",
            remedy="They were made by another version; curate the corpus again.",
        )
    names = [pl.when(held_to(rule) & broken(rule)).then(pl.lit(rule.name)) for rule in rules]
    if not names:
        return pl.Series("why", [[]] * measures.height, pl.List(pl.String))
    return measures.select(pl.concat_list(names).list.drop_nulls().alias("why"))["why"]


def held_to(rule: Rule) -> pl.Expr:
    """Which documents a rule is asked of, by `language` and `kind`."""
    held = pl.lit(True)
    if rule.language is not None:
        primary = pl.col("language").str.to_lowercase().str.split("-").list.first()
        held = held & (primary == rule.language).fill_null(True)
    if rule.kinds is not None:
        known = pl.col("kind").is_in(sorted(load_kinds()))
        kind = pl.when(known).then(pl.col("kind")).otherwise(pl.lit("other"))
        held = held & kind.is_in(rule.kinds)
    return held


def broken(rule: Rule) -> pl.Expr:
    """Where a value breaks the bound of a rule; a missing one does."""
    value = pl.col(rule.bound.column)
    breaks = value.is_null() | value.is_nan()
    if rule.bound.at_least is not None:
        breaks = breaks | (value < rule.bound.at_least)
    if rule.bound.at_most is not None:
        breaks = breaks | (value > rule.bound.at_most)
    return breaks.fill_null(True)
