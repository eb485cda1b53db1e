"""What was checked in words, French and English: tables to print, and notes.

The words are a table (`wording.csv`). Plain data in, plain data out; nothing is
computed here, so no sentence can contradict the files.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hemicycle.evaluate.verbatim.sets import source_of
from hemicycle.typeset import Language, format_number, format_percent, read_words


@functools.cache
def _words(language: Language) -> Mapping[str, str]:
    """`wording.csv`, with places for figures."""
    return read_words(Path(__file__).with_name("wording.csv"), language)


def contamination_notes(text: Mapping[str, Any], results: Mapping[str, Any], language: Language) -> list[str]:
    """What a reader must know beside the figures of one training text."""
    method, sets = results["method"], text["sets"]
    said = [
        _say(
            "verdicts",
            language,
            min_words=method["min_words"],
            partly=format_percent(method["partly"], language),
            wholly=format_percent(method["contaminated"], language),
        )
    ]
    if short := sum(one["question"]["short"] for one in sets):
        hit = sum(one["question"]["short_contaminated"] for one in sets)
        bounds = {"fewest": method["fewest_words"], "most": method["min_words"] - 1}
        said.append(_say("short", language, n=hit, short=short, **bounds))
    if any(one["offered"] for one in sets):
        said.append(_say("answer", language, within=method["answer_within_words"]))
    if mute := sum(one["items"] - one["answered"] for one in sets if one["offered"]):
        said.append(_say("no_answer", language, n=mute))
    if not sets:
        said.append(_say("no_set", language))
    if results["not_read"]:
        said.append(_say("not_read", language, names=", ".join(results["not_read"])))
    if results["trained_elsewhere"]:
        said.append(_say("elsewhere", language, n=results["trained_elsewhere"]))
    said += _upstream(text["models"], results, language)
    return [*said, _say("verbatim", language)]


def _upstream(models: Iterable[str], results: Mapping[str, Any], language: Language) -> list[str]:
    bases = results["upstream"]
    return [_say("upstream", language, model=m, base=bases[m]) for m in models if m in bases]


def contamination_table(text: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then a line a set, the passages it asks about, and what each source holds out, all against
    one training text."""
    columns = (
        "set",
        "items",
        "clean",
        "partly",
        "contaminated",
        "with_answer",
        "unjudged",
        "share",
        "longest",
    )
    lines = [[_word(name, language) for name in columns]]
    for one in (*text["sets"], *text["held_out"]):
        name = set_name(one["set"], language)
        lines.append([name, *_shares(one["items"], one["question"], one["with_answer"], language)])
        if one["context"]:
            name = _word("passages_of", language, set=name)
            lines.append([name, *_shares(one["items"], one["context"], None, language)])
    return lines


def set_name(name: str, language: Language) -> str:
    """What a set is called for people; that of held-out documents bears the name of their source."""
    source = source_of(name)
    return name if source is None else _word("held_out", language, source=source)


def _shares(
    items: int, counted: Mapping[str, Any], answered: Mapping[str, Any] | None, language: Language
) -> list[str]:
    def n(value: int) -> str:
        return format_number(value, language)

    beside = "–" if answered is None else n(answered["partly"] + answered["contaminated"])
    share = format_percent(counted["found"] / counted["words"] if counted["words"] else None, language)
    hit = n(counted["contaminated"])
    if judged := items - counted["unjudged"]:
        hit += f" ({format_percent(counted['contaminated'] / judged, language)})"
    return [
        n(items),
        n(counted["clean"]),
        n(counted["partly"]),
        hit,
        beside,
        n(counted["unjudged"]),
        share,
        n(counted["longest"]),
    ]


def regurgitation_notes(name: str, results: Mapping[str, Any], language: Language) -> list[str]:
    """What a reader must know beside the figures of one model."""
    method, model = results["method"], results["models"][name]
    shown = {"target": model["target_tokens"], "generated": model["generated_tokens"]}
    said = [_say("exact_is", language, **shown), _say("drawn", language)]
    if base := results["upstream"].get(name):
        said.append(_say("formula_or_memory", language, base=base))
    else:
        said.append(_say("formula", language))
    if model["lengths_left_out"]:
        lengths = ", ".join(format_number(one, language) for one in model["lengths_left_out"])
        said.append(_say("no_length", language, lengths=lengths))
    if model["passages"] < method["passages"]:
        said.append(_say("fewer", language, n=model["passages"], wanted=method["passages"]))
    if not model["control_passages"]:
        said.append(_say("no_control", language))
    said += _upstream([name], results, language)
    bounds = {"enough": method["documents_for_document_bootstrap"], "fewest": method["fewest_units"]}
    return [*said, _say("interval", language, **bounds), _say("lower_bound", language)]


def regurgitation_table(model: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then the rows of one model: each prefix on the training text and on the control; then, with
    the longest prefix, each number of copies and each source."""
    spans = sorted(int(key.removeprefix("in_")) for key in model["rows"][0] if key.startswith("in_"))
    lines = [
        [
            "",
            _word("prefix", language),
            _word("passages", language),
            _word("exact", language),
            *(_word("in_words", language, n=str(n)) for n in spans),
            _word("longest_span", language),
        ]
    ]
    longest = max(row["prefix"] for row in model["rows"])
    for row in model["rows"]:
        if row["by"] in ("source", "copies") and row["prefix"] != longest:
            continue
        lines.append(
            [
                scope(row, language),
                _word("tokens", language, n=format_number(row["prefix"], language)),
                format_number(row["passages"], language),
                rate(row["exact"], language),
                *(rate(row[f"in_{n}"], language) for n in spans),
                format_number(row["longest"], language),
            ]
        )
    return lines


def scope(row: Mapping[str, Any], language: Language) -> str:
    """What a row is about."""
    if row["by"] == "copies":
        return _word("copies", language, n=f"{row['value']} ×")
    return str(row["value"]) if row["by"] == "source" else _word(row["by"], language)


def rate(figure: Mapping[str, Any] | None, language: Language) -> str:
    """A share with its interval: ``1.2% [0.4%, 2.5%]``."""
    if figure is None:
        return "–"
    shown = format_percent(figure["value"], language)
    if figure["low"] is None:
        return shown
    between = "\u202f; " if language == "fr" else ", "
    return f"{shown} [{between.join(format_percent(figure[end], language) for end in ('low', 'high'))}]"


def _word(key: str, language: Language, **values: str) -> str:
    return _words(language)[key].format(**values)


def _say(key: str, language: Language, **values: int | str) -> str:
    shown = {k: format_number(v, language) if isinstance(v, int) else v for k, v in values.items()}
    said = _words(language)[key].format(**shown)
    if language == "en":
        return said
    # French typography: a sign that stands after a space never begins a line.
    return said.replace(" :", "\u00a0:").replace(" ;", "\u202f;").replace(" %", "\u202f%")
