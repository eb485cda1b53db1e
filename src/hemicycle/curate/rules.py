"""Rules of quality: measures over a batch of texts, and bounds on them that a non-programmer can read.

Measures are columns; bounds live in dated tables beside this file. All measures of all documents are
computed and kept, and all broken rules are named, so that a bound can be moved without reading text again.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources

import polars as pl

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, did_you_mean

#: Function words that make up a third of any French prose.
FRENCH_WORDS = (
    "le la les l' un une des du de d' et à au aux en dans par pour sur avec sans que qu' qui ce cette ces "
    "cet se s' ne n' pas est sont il elle on nous vous ils elles je j' plus ou mais si comme son sa ses "
    "leur leurs être avoir été a ont c' y"
).split()

#: A word: letters with the apostrophe of an elision, or letters and digits.
_WORD = r"\p{L}+['’]|[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*"


@dataclass(frozen=True)
class Rule:
    """One bound on one measure. `language`: only documents in this language must keep it."""

    name: str
    measure: str
    why_fr: str
    why_en: str
    source: str
    at_least: float | None = None
    at_most: float | None = None
    language: str | None = None

    def broken(self) -> pl.Expr:
        """Where a batch breaks the rule; a measure that is missing (an empty text) breaks it too."""
        value = pl.col(self.measure)
        broken = value.is_null() | value.is_nan()
        if self.at_least is not None:
            broken = broken | (value < self.at_least)
        if self.at_most is not None:
            broken = broken | (value > self.at_most)
        if self.language is not None:
            broken = broken & pl.col("language").str.starts_with(self.language)
        return broken.fill_null(True)


def rules_digest() -> str:
    return sha256_bytes(_table())


def _table() -> bytes:
    return resources.files(__package__).joinpath("rules.fr.toml").read_bytes()


def load_rules() -> list[Rule]:
    """The rule set of the package, checked."""
    rules = []
    for entry in tomllib.loads(_table().decode("utf-8"))["rule"]:
        if entry["measure"] not in MEASURES:
            raise DeclarationError(
                f"rule “{entry['name']}” names no measure: {entry['measure']}",
                place="rules.fr.toml",
                remedy=did_you_mean(entry["measure"], MEASURES),
            )
        rules.append(
            Rule(
                entry["name"],
                entry["measure"],
                entry["fr"],
                entry["en"],
                entry["source"],
                entry.get("at_least"),
                entry.get("at_most"),
                entry.get("language"),
            )
        )
    return rules


def _words() -> pl.Expr:
    return pl.col("words_list")


#: Measure → expression over a batch that has `text`, and the shared columns `words_list` and `lines_list`.
MEASURES: dict[str, pl.Expr] = {
    "characters": pl.col("text").str.len_chars().cast(pl.Float64),
    "words": _words().list.len().cast(pl.Float64),
    "mean_word_length": _words().list.eval(pl.element().str.len_chars()).list.mean(),
    "letter_share": pl.col("text").str.count_matches(r"\p{L}")
    / (pl.col("text").str.count_matches(r"\S")).cast(pl.Float64),
    "symbol_share": pl.col("text").str.count_matches(r"#|\.\.\.|…") / _words().list.len().cast(pl.Float64),
    "french_share": _words()
    .list.eval(pl.element().str.to_lowercase().str.replace("’", "'", literal=True).is_in(FRENCH_WORDS))
    .list.mean(),
    "repeated_line_share": 1.0
    - pl.col("lines_list").list.n_unique() / pl.col("lines_list").list.len().cast(pl.Float64),
}


def annotate(batch: pl.DataFrame, rules: list[Rule]) -> pl.DataFrame:
    """Add one column a measure and `why`, the names of all broken rules. Rows are independent.

    `batch` has `text` and `language`.
    """
    shared = batch.with_columns(
        pl.col("text").str.extract_all(_WORD).alias("words_list"),
        pl.col("text")
        .str.split("\n")
        .list.eval(pl.element().filter(pl.element().str.strip_chars() != ""))
        .alias("lines_list"),
    )
    measured = shared.with_columns(**MEASURES).drop("words_list", "lines_list")
    names = [pl.when(rule.broken()).then(pl.lit(rule.name)) for rule in rules]
    return measured.with_columns(pl.concat_list(names).list.drop_nulls().alias("why"))
