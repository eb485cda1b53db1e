"""Rules are read, never run; every broken one is named; a wrong one is refused where it stands."""

import contextlib
import csv
import os
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.measures import COLUMNS, measure
from hemicycle.curate.rules import (
    BY_KIND,
    Bound,
    bounds_digest,
    failed,
    known_sets,
    load_kinds,
    load_sets,
    parse_keep,
    sets_digest,
)
from hemicycle.curate.rules_page import rules_page, some_sets
from hemicycle.documents import Kind
from hemicycle.errors import DeclarationError, HemicycleError, InputError

FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules.md"
#: Digest of the bounds of each version that a set of the package has had.
VERSIONS = Path(__file__).with_name("sets.csv")
MINE = """\
name = "mine"
version = 1
date = 2026-11-26
words = "french 1"
fr = "Les miennes."
en = "Mine."

[[rule]]
name = "short"
keep = "words >= 3"
source = "own"
fr = "Court."
en = "Short."

[[rule]]
name = "{name}"
keep = "{keep}"
source = "own"
fr = "Autre."
en = "Other."
"""


def mine(tmp_path, name="other", keep="top_ngram(2) <= 0.5", **changes):
    text = MINE.format(name=name, keep=keep)
    for old, new in changes.items():
        text = text.replace(old, new)
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    return load_sets(["./mine.toml"], tmp_path)


@pytest.mark.parametrize(
    ("keep", "bound"),
    [
        ("words >= 20", Bound("words", 20, None)),
        ("duplicate_ngrams(5) <= 0.15", Bound("duplicate_ngrams(5)", None, 0.15)),
        ("2 <= mean_word_length <= 11", Bound("mean_word_length", 2, 11)),
        ("  50<=words<=100_000 ", Bound("words", 50, 100_000)),
        ("stop_words( fr ) >= 2", Bound("stop_words(fr)", 2, None)),
        ("0 <= words", Bound("words", 0, None)),
        ("letter_share >= 1", Bound("letter_share", 1, None)),
        ("symbol_share >= 2", Bound("symbol_share", 2, None)),
        ("duplicate_lines <= 30", Bound("duplicate_lines", None, 30)),
    ],
)
def test_a_bound_is_read_as_it_is_written(keep, bound):
    assert parse_keep(keep) == bound


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("word >= 20", "Did you mean “words”"),
        ("duplicate_ngrams(11) <= 0.1", "takes one of 5, 6, 7, 8, 9, 10"),
        ("duplicate_ngrams <= 0.1", "takes one of 5"),
        ("words(3) >= 1", "takes no argument"),
        ("words", "is no bound"),
        ("words > 20", "the signs are “<=” and “>=”"),
        ("2 <= words < 20", "the signs are"),
        ("letter_share >= 0,6", "decimals follow a point"),
        ("letter_share >= 60", "is a share, between 0 and 1"),
        ("60 <= lines_of_few_words <= 80", "is a share"),
        ("duplicate_ngrams(5) <= -0.1", "is a share"),
        ("words >= 1e400", "is no bound"),
        ("9 <= words <= 1", "nothing would be kept"),
        ("1 <= words >= 2", "two lower bounds"),
        ("__import__('os').system('true')", "is no bound"),
        ("words >= 1" + " " * 300, "is no bound"),
    ],
)
def test_what_is_no_bound_is_refused_with_what_was_meant(keep, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        parse_keep(keep)


@FUZZ
@given(st.text(alphabet="words()<=>_.0159 ngram-e٣\u00a0", max_size=30) | st.text(max_size=40))
def test_any_text_is_a_bound_or_a_sentence(keep):
    with contextlib.suppress(ValueError):
        bound = parse_keep(keep)
        assert bound.column in COLUMNS
        assert bound.at_least is not None or bound.at_most is not None


def test_every_set_of_the_package_loads_and_explains_itself():
    sets = load_sets(known_sets())
    assert {s.name for s in sets} == set(known_sets())
    assert {"french", "fineweb-2-fr", "gopher-quality", "gopher-repetition", "c4", "fineweb"} <= set(
        known_sets()
    )
    assert {"parliamentary", "legal", "ocr-heritage", "speech"} <= set(known_sets())
    for rule in (rule for s in sets for rule in s.rules):
        assert rule.why_fr.endswith(".")
        assert rule.why_en.endswith(".")
        assert rule.source


def test_every_kind_of_document_has_sets():
    assert set(load_kinds()) == set(get_args(Kind))
    assert {name for names in load_kinds().values() for name in names} <= set(known_sets())


def test_the_french_bounds_of_fineweb_2_are_those_published():
    (rules,) = load_sets(["fineweb-2-fr"])
    bounds = {r.bound.column: (r.bound.at_least, r.bound.at_most) for r in rules.rules}
    assert bounds["duplicate_lines"] == (None, 0.264)
    assert [bounds[f"top_ngram({n})"][1] for n in (2, 3, 4)] == [0.161, 0.149, 0.134]
    published = [0.15, 0.141, 0.131, 0.121, 0.111, 0.1]
    assert [bounds[f"duplicate_ngrams({n})"][1] for n in range(5, 11)] == published
    assert bounds["lines_ending_in_punctuation"] == (0.1, None)
    assert bounds["newlines_per_word"] == (None, 0.185)
    assert bounds["mean_word_length"] == (2, 11)
    assert bounds["words_with_letter"] == (0.812, None)
    assert bounds["stop_words(fr)"] == (2, None)


def test_all_broken_rules_are_named_and_a_missing_value_breaks_its_rule(tmp_path):
    (rules,) = mine(tmp_path)
    measures = pl.DataFrame(
        {"words": [3.0, 2.0, float("nan"), None], "top_ngram(2)": [0.5, 0.6, 0.1, None]},
    )
    assert failed(measures, rules.rules).to_list() == [
        [],
        ["mine/short", "mine/other"],
        ["mine/short"],
        ["mine/short", "mine/other"],
    ]


def test_a_rule_with_a_language_leaves_other_languages_alone_but_not_unknown_ones():
    (rules,) = load_sets(["french"])
    low = pl.DataFrame({c: [0.0] for c in COLUMNS}).with_columns(pl.lit(1.0).alias("letter_share"))

    def why(language):
        return failed(low.with_columns(pl.lit(language, pl.String).alias("language")), rules.rules).to_list()[
            0
        ]

    assert "french/not-french" in why("fr")
    assert "french/not-french" in why("fr-CA")
    assert "french/not-french" in why(None)
    assert "french/not-french" not in why("en")
    assert "french/not-french" not in why("frp")


def test_by_kind_a_document_is_held_to_the_sets_of_its_kind():
    rules = [rule for s in load_sets([BY_KIND]) for rule in s.rules]
    kinds = ["debate", "law", "web", "other", "new-kind", None]
    none = pl.DataFrame({c: [0.0] * len(kinds) for c in COLUMNS} | {"language": "fr", "kind": kinds})
    sets = [{name.partition("/")[0] for name in why} for why in failed(none, rules).to_list()]
    assert sets[0] == {"parliamentary"}
    assert sets[1] == {"legal"}
    assert sets[2] == {"gopher-quality", "fineweb-2-fr"}, "nothing repeats in a text of zeros"
    assert sets[3] == sets[4] == sets[5] == {"french"}


def test_why_is_a_function_of_stored_measures_and_bounds_move_without_text(tmp_path):
    texts = pl.DataFrame({"text": ["un deux trois quatre", "un"], "language": ["fr", "fr"]})
    (strict,) = mine(tmp_path, keep="words >= 10")
    (wide,) = mine(tmp_path, keep="words >= 1")
    stored = texts.drop("text").with_columns(
        **{k: pl.Series(v) for k, v in measure(texts["text"].to_arrow()).items()}
    )
    assert failed(stored, strict.rules).to_list() == [["mine/other"], ["mine/short", "mine/other"]]
    assert failed(stored, wide.rules).to_list() == [[], ["mine/short"]]


def test_stored_measures_without_a_column_are_refused(tmp_path):
    (rules,) = mine(tmp_path)
    with pytest.raises(InputError, match=r"no top_ngram\(2\)"):
        failed(pl.DataFrame({"words": [1.0]}), rules.rules)


def test_no_rules_keep_everything():
    assert failed(pl.DataFrame({"words": [1.0, 2.0]}), []).to_list() == [[], []]


def test_a_wrong_rule_is_refused_with_the_line_of_its_own(tmp_path):
    with pytest.raises(DeclarationError, match="Did you mean “words”") as error:
        mine(tmp_path, keep="wrds >= 2")
    assert error.value.place.endswith("mine.toml, line 17")
    with pytest.raises(DeclarationError, match="two rules are named “short”"):
        mine(tmp_path, name="short")
    with pytest.raises(DeclarationError, match="unknown key"):
        mine(tmp_path, source="sauce")
    with pytest.raises(DeclarationError, match="look at them again"):
        mine(tmp_path, **{"french 1": "french 0"})


def test_unknown_and_doubled_sets_are_refused(tmp_path):
    with pytest.raises(DeclarationError, match=r"toml, line 9: there .*\n.*Did you mean “french”"):
        load_sets(["frensh"], place="hemicycle.toml, line 9")
    with pytest.raises(DeclarationError, match="does not exist"):
        load_sets(["rules/none.toml"], tmp_path)
    with pytest.raises(DeclarationError, match="two sets of rules are named “french”"):
        load_sets(["french", "french"])


@FUZZ
@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_a_set_are_refused_or_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("set")
    (folder / "x.toml").write_bytes(data)
    with pytest.raises(HemicycleError):
        load_sets(["x.toml"], folder)


def test_the_digest_of_sets_follows_bounds_and_not_the_sentences_of_why(tmp_path):
    before = sets_digest(mine(tmp_path))
    assert sets_digest(mine(tmp_path, **{"Autre.": "Autrement."})) == before
    assert sets_digest(mine(tmp_path, keep="top_ngram(2) <= 0.4")) != before
    assert sets_digest(mine(tmp_path, name="renamed")) != before


def test_a_version_of_a_set_has_the_bounds_it_had():
    with VERSIONS.open(encoding="utf-8", newline="") as file:
        recorded = {(row["set"], row["version"]): row["digest"] for row in csv.DictReader(file)}
    now = {(s.name, str(s.version)): bounds_digest(s) for s in load_sets(known_sets())}
    if os.environ.get("HEMICYCLE_REGENERATE"):
        # What was recorded stays: only a new version gets a line.
        recorded = now | recorded
        lines = [f"{name},{version},{digest}" for (name, version), digest in sorted(recorded.items())]
        VERSIONS.write_text("\n".join(["set,version,digest", *lines, ""]), "utf-8")
    moved = sorted(of[0] for of, digest in now.items() if recorded.get(of) != digest)
    assert not moved, (
        f"the bounds of {moved} are not those of their version: raise `version` and `date` in its file, "
        "then run with HEMICYCLE_REGENERATE=1"
    )


def test_the_digest_of_a_version_follows_each_bound_and_no_sentence(tmp_path):
    (before,) = mine(tmp_path)
    for same in ({"Autre.": "Autrement."}, {"version = 1": "version = 2"}):
        assert bounds_digest(*mine(tmp_path, **same)) == bounds_digest(before)
    assert bounds_digest(*mine(tmp_path, keep="top_ngram(2) <= 0.4")) != bounds_digest(before)


def test_the_page_of_rules_is_what_the_sets_say():
    page = rules_page(load_sets(known_sets()))
    if os.environ.get("HEMICYCLE_REGENERATE"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page, "run with HEMICYCLE_REGENERATE=1"


def test_a_sentence_cannot_break_the_table_of_the_page(tmp_path):
    (rules,) = mine(tmp_path, **{"Autre.": "a | b\\nc."})
    assert "| a \\| b c. |" in rules_page([rules])


def test_sets_that_are_asked_for_come_alone_with_the_measures_they_bind(tmp_path):
    page = some_sets(mine(tmp_path))
    assert "do not edit" not in page
    assert "## `mine`" in page
    assert "## `french`" not in page
    assert "| `words` |" in page
    assert "| `top_ngram(2, 3, 4)` |" in page
    assert "letter_share" not in page


def test_a_set_of_ones_own_cannot_bear_the_name_of_one_of_the_package(tmp_path):
    with pytest.raises(DeclarationError, match="the package has a set of rules named “french”"):
        mine(tmp_path, **{'"mine"': '"french"'})
