"""Contamination: evaluation items and held-out documents that stand in the training text.

Each text is traced in the index of what a model was trained on. A word is found where it lies in a span of at
least `MIN_WORDS` words that stands there; the share of words found decides:

    contaminated   80 % or more     partly   20 % or more     clean   less

Eight words: PaLM (Chowdhery et al. 2022, arXiv 2204.02311, section 8) and Tülu 3 (Lambert et al. 2024, arXiv
2411.15124, section 8) match runs of eight; GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C) took 8 to
13 by the length of a set's items. Twenty and eighty per cent: Llama 2 (Touvron et al. 2023, arXiv 2307.09288,
appendix A.6), which does so with runs of more than ten tokens. Eight French words are about twelve tokens.

Traps. An item shorter than eight words has no such span: down to `FEWEST` words it is contaminated where it
stands whole, and it is counted apart, because short sentences are also written twice by chance; what is
shorter still is not judged. A question may stand in the training text without its answer, which is worth
less: whether the answer stands beside it is asked of the document itself, within `BESIDE` words; a wrong
option is no answer (`options`). And the passage that a question is asked about is told apart: it often comes
from a public text that a model may well have read, which does not give the question away.

What is written holds no training text: of a document, its id and the place in words; of an item, its number
and the place in characters.

    contamination.json   sets and held-out text against each training text, the method, what was not checked
    items.parquet        every item: what was found, and where it stands in which document
    contamination.png    the shares as bars; beside it contamination.MODEL.png, of one model's training text
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from hemicycle.documents import write_parquet
from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.evaluate.heldout import HeldOut, read_held_out
from hemicycle.evaluate.verbatim.judging import (
    BESIDE,
    FEWEST,
    MIN_WORDS,
    PARTLY,
    VERDICTS,
    WHOLLY,
    Finding,
    Judged,
    NamedTexts,
    judge,
    look_beside,
    place,
)
from hemicycle.evaluate.verbatim.picture import draw_contamination
from hemicycle.evaluate.verbatim.sets import HELD_OUT, Fields, field_of, read_items, set_files
from hemicycle.evaluate.verbatim.wording import contamination_notes
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.sources.huggingface import COMPANIONS
from hemicycle.trace import Index, open_index

#: Names of fields that a message lists.
MOST_FIELDS = 20
ITEMS = pa.schema(
    [
        ("training", pa.string()),
        ("set", pa.string()),
        ("item", pa.string()),
        ("part", pa.string()),
        ("words", pa.int64()),
        ("found", pa.int64()),
        ("verdict", pa.string()),
        ("short", pa.bool_()),
        ("answer_beside", pa.bool_()),
        ("field", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("longest", pa.int64()),
        ("count", pa.int64()),
        ("document", pa.string()),
        ("source", pa.string()),
        ("word", pa.int64()),
    ]
)
#: Items whose answers are looked for together.
ITEMS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Set:
    """A declared evaluation set: a file or a folder of files, what it is called, its fields."""

    place: Path
    name: str
    fields: Fields


def check_sets(
    index: Index, corpora: Sequence[Path], sets: Sequence[Set], *, progress: Progress = QUIET
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Check evaluation sets against one index.

    Args:
        corpora: those the index was built from, in the same order; answers are looked for in them.

    Returns the sets' figures; the rows of `ITEMS`, without `training`, with the longest `passage` that was
    found, as the item has it, and the number of `stretches` found; and the files that were not read.

    Raises:
        InputError: a file of a set cannot be read.
            None of a set's files holds an item.
        DeclarationError: a set has no evaluation file, or none of its items has a field that is declared.
        IntegrityError: a corpus is not the one that the index was built from.
    """
    told, rows, unread = [], [], []
    with progress.start("contamination", None, "items") as bar:
        for one in sets:
            files, others = set_files(one.place)
            # Licences and cards beside a set are none of its items.
            unread += [_named(one, path) for path in others if path.suffix.lower() not in COMPANIONS]
            if not files:
                raise DeclarationError(
                    "there is no evaluation file here",
                    place=str(one.place),
                    remedy="Known are .jsonl, .json, .tsv, .csv, .parquet, and .txt with tabs.",
                )
            met: dict[str, bool] = {}
            items = 0
            for path in files:
                name = _named(one, path)
                findings = list(_check_file(index, corpora, path, name, one.fields, bar, met))
                items += len(findings)
                told.append(summed(name, findings))
                rows += [{"set": name, **finding.row()} for finding in findings]
            if not items:
                raise InputError(
                    "there is no item here, so nothing was looked for",
                    place=str(one.place),
                    remedy="An item is a line, a row of a table, or an object of a list.",
                )
            _check_fields(one, met)
    return told, rows, unread


def _check_fields(one: Set, met: Mapping[str, bool]) -> None:
    """Raise DeclarationError where a field is declared that no item of the set has; that of an answer may
    hold numbers, which say the option."""
    texts = [name for name, is_text in met.items() if is_text]
    wanted_in = [(name, texts) for name in one.fields.question] + [(name, met) for name in one.fields.answer]
    for wanted, names in wanted_in:
        if not any(name == wanted or name.startswith(f"{wanted}.") for name in names):
            own = list(dict.fromkeys(field_of(name) for name in texts))
            more = f" and {len(own) - MOST_FIELDS} more" if len(own) > MOST_FIELDS else ""
            listed = f"Fields with text: {', '.join(own[:MOST_FIELDS]) or 'none'}{more}."
            near = did_you_mean(wanted, own)
            raise DeclarationError(
                f"no item has text in a field “{wanted}”",
                place=str(one.place),
                remedy=f"{near} {listed}" if near else listed,
            )


def _named(one: Set, path: Path) -> str:
    return one.name if path == one.place else f"{one.name}/{path.relative_to(one.place).as_posix()}"


def _check_file(
    index: Index,
    corpora: Sequence[Path],
    path: Path,
    name: str,
    fields: Fields,
    bar: Bar,
    met: dict[str, bool],
) -> Iterator[Finding]:
    """What was found of each item; where fields are declared, the names of theirs go to `met`, each with
    whether it holds text."""
    judged: dict[str, Judged] = {}
    waiting: list[tuple[Finding, NamedTexts]] = []
    bar.note(name)
    for item in read_items(path, name, (*fields.question, *fields.answer)):
        roles = fields.of(item)
        if fields.question or fields.answer:
            met |= {field: False for field, _ in item.numbers if field not in met}
            met |= dict.fromkeys((field for field, _ in item.texts), True)
        asked = Finding(
            str(item.number), "question", judge(index, roles["question"]), offered=fields.offered(item)
        )
        if asked.judged.span is not None:
            place(index, asked)
        if roles["answer"] and asked.judged.verdict in ("partly", "contaminated"):
            waiting.append((asked, roles["answer"]))
        yield asked
        if roles["context"]:
            # The questions of one passage follow one another.
            key = json.dumps(roles["context"])
            if key not in judged:
                judged = {key: judge(index, roles["context"])}
            about = Finding(str(item.number), "context", judged[key])
            if about.judged.span is not None:
                place(index, about)
            yield about
        if roles["answer"] and asked.answer_beside is None:
            asked.answer_beside = False
        if len(waiting) >= ITEMS_AT_ONCE:
            look_beside(index, corpora, waiting)
            waiting = []
        bar.advance(1)
    look_beside(index, corpora, waiting)


def summed(name: str, findings: Sequence[Finding]) -> dict[str, Any]:
    """The figures of one set: items by verdict, of questions and of the passages they are asked about."""
    asked = [one for one in findings if one.part != "context"]
    about = [one for one in findings if one.part == "context"]
    answered = [one for one in asked if one.answer_beside is not None]
    return {
        "set": name,
        "items": len(asked),
        "question": _counted(asked),
        "with_answer": _counted([one for one in answered if one.answer_beside]) if answered else None,
        "offered": sum(one.offered for one in asked),
        "answered": len(answered),
        "context": _counted(about) if about else None,
    }


def _counted(findings: Sequence[Finding]) -> dict[str, Any]:
    verdicts = Counter(one.judged.verdict for one in findings)
    short = [one for one in findings if one.judged.short and one.judged.verdict != "unjudged"]
    words = sum(one.judged.words for one in findings if one.judged.verdict != "unjudged")
    found = sum(one.judged.found for one in findings)
    return {
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "short": len(short),
        "short_contaminated": sum(one.judged.verdict == "contaminated" for one in short),
        "words": words,
        "found": found,
        "longest": max((one.judged.span.words for one in findings if one.judged.span), default=0),
    }


def check_contamination(
    training: Mapping[str, Path],
    corpora: Mapping[str, Path],
    models: Mapping[str, Sequence[str]],
    out: Path,
    *,
    sets: Sequence[Set] = (),
    unread: Mapping[str, Path] = {},
    upstream: Mapping[str, str] = {},
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Check evaluation sets, and what corpora hold out, against the training text of models.

    Args:
        training: index → its folder. An index is called by its corpora, joined by ``+``.
        corpora: corpus → its folder, for all of those; what they hold out is checked.
        models: index → the models that were trained on it.
        out: an existing folder to write to.
        unread: more corpora whose held-out documents are checked, and that no model read.
        upstream: model → the base it began as, of whose training text nothing is known.

    Returns figures for the statement. Raises as `check_sets` and `heldout.read_held_out` do.
    """
    held = read_held_out(corpora, unread=unread)
    told, rows = [], []
    others: list[str] = []
    for name, folder in sorted(training.items()):
        index = open_index(folder, verify=False)
        found, items, others = check_sets(
            index, [corpora[c] for c in name.split("+")], sets, progress=progress
        )
        kept = _held_out(index, held, progress)
        rows += [{"training": name, **row} for row in items]
        for source, findings in kept.items():
            rows += [{"training": name, "set": f"{HELD_OUT}{source}", **one.row()} for one in findings]
        told.append(
            {
                "training": name,
                "models": list(models[name]),
                "documents": index.documents.num_rows,
                "words": index.words,
                "sets": found,
                "held_out": [summed(f"{HELD_OUT}{source}", kept[source]) for source in sorted(kept)],
            }
        )
    results: dict[str, Any] = {
        "training": told,
        "not_read": others,
        "upstream": dict(upstream),
        "trained_elsewhere": held.trained_elsewhere,
        "method": {
            "min_words": MIN_WORDS,
            "fewest_words": FEWEST,
            "partly": PARTLY,
            "contaminated": WHOLLY,
            "answer_within_words": BESIDE,
        },
    }
    for text in told:
        text["notes"] = {language: contamination_notes(text, results, language) for language in ("en", "fr")}
    written = json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    (out / "contamination.json").write_text(written + "\n", "utf-8")
    write_parquet(out / "items.parquet", ITEMS, [pa.Table.from_pylist(rows, schema=ITEMS)])
    draw_contamination(results, out / "contamination.png")
    for text in told:
        for model in text["models"]:
            draw_contamination({"training": [text]}, out / f"contamination.{model}.png")
    return {"training": told, "not_read": others}


def _held_out(index: Index, held: HeldOut, progress: Progress) -> dict[str, list[Finding]]:
    """Source → what of each of its held-out documents stands in the training text."""
    found: dict[str, list[Finding]] = {}
    size = sum(len(one.text) for one in held.documents)
    with progress.start("contamination of held-out text", float(size), "characters") as bar:
        for one in held.documents:
            finding = Finding(one.id, "text", judge(index, [("text", one.text)]))
            if finding.judged.span is not None:
                place(index, finding)
            found.setdefault(one.source, []).append(finding)
            bar.advance(len(one.text))
    return found
