"""Make a review: every subset read, measured and judged; the report and what could be taken written.

A subset that cannot be read to its end is refused with the sentence that says where; the others are reviewed
all the same. Nothing that a review writes has a time or a path of this machine in it: the same data, rules
and corpus give the same bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemicycle.curate.language import NO_LANGUAGE, UNDETERMINED
from hemicycle.curate.rules import BY_KIND, Rule, load_sets
from hemicycle.engines import Engine, Local
from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Card
from hemicycle.review.evaluations import Evaluation, read_evaluations
from hemicycle.review.measured import (
    Corpus,
    Measured,
    Twins,
    annotate_documents,
    find_twins,
    measure,
    read_corpora,
)
from hemicycle.review.report import write_report
from hemicycle.review.sampled import Counted, count, write_sample
from hemicycle.review.stated import Cards, Found, read_cards, stated
from hemicycle.review.subsets import Dataset, Subset, find_subsets
from hemicycle.review.taken import write_taken
from hemicycle.review.verdict import (
    DUTIES,
    REFUSE,
    REVIEW,
    VERDICTS,
    Reason,
    as_objects,
    verdict,
    weigh,
)
from hemicycle.rights.policy import Policy, default_policy
from hemicycle.typeset import flatten

#: Documents measured of a subset unless more are asked for.
SAMPLE = 2_000

#: Subsets that an error names; a data set may have thousands.
NAMED = 20


@dataclass(frozen=True)
class Asked:
    """What a review is asked for.

    Attributes:
        sample: documents measured of each subset; None: all.
        against: corpora whose documents we have already.
        evaluation: folder of evaluation files.
        kinds: subset → kind of its documents; `kind` is that of the others. Rows may say their own.
        rules: names of sets of rules.
    """

    sample: int | None = SAMPLE
    against: Sequence[Path] = ()
    evaluation: Path | None = None
    umbrella: str | None = None
    text_field: str = "text"
    kind: str = "other"
    kinds: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[str] = (BY_KIND,)


@dataclass
class _Seen:
    """One subset, as far as it has been reviewed."""

    subset: Subset
    reading: Card
    found: Found
    counted: Counted | None = None
    measured: Measured | None = None
    reasons: list[Reason] = field(default_factory=list)


def review(
    folder: Path,
    out: Path,
    asked: Asked,
    *,
    taken: Path | None = None,
    policy: Policy | None = None,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Review the data set in `folder`; write `report.json`, `report.html`, `report.fr.html` into `out`.

    Args:
        taken: where to write what could be taken of usable subsets; needs `asked.sample` to be None.

    Returns the report as one object; `unreadable` counts subsets that could not be read.

    Raises:
        InputError: there is no data, or a corpus or an evaluation cannot be read.
        DeclarationError: an unknown set of rules, subset or umbrella, or an evaluation folder without
            evaluations.
    """
    policy = policy or default_policy()
    dataset = find_subsets(folder, _reading(asked, ""))
    _check_kinds(asked, dataset)
    cards = read_cards(dataset, policy, asked.umbrella)
    rules = [rule for one in load_sets(list(asked.rules)) for rule in one.rules]
    evaluations, unread = read_evaluations(asked.evaluation) if asked.evaluation is not None else ([], [])
    corpus = read_corpora(asked.against)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".review-", dir=out) as scratch:
        seen = [
            _look(subset, dataset, cards, asked, policy, rules, evaluations, place, engine, progress)
            for n, subset in enumerate(dataset.subsets)
            for place in [Path(scratch) / f"{n:05d}"]
        ]
        twins = find_twins(
            corpus, [s.measured.shards if s.measured else [] for s in seen], Path(scratch) / "near"
        )
        subsets = [_judged(one, twin, corpus, evaluations) for one, twin in zip(seen, twins, strict=True)]
        report = {
            "dataset": flatten(dataset.name),
            "umbrella": cards.umbrella,
            "sample": asked.sample,
            "against": [flatten(path.name) for path in asked.against],
            "corpus_documents": corpus.rows,
            "evaluations": [
                {"file": flatten(e.name), "items": e.items, "too_short": e.short} for e in evaluations
            ],
            "evaluations_unread": [flatten(name) for name in unread],
            "rules": _broken(rules, subsets),
            "verdicts": {v: sum(s["verdict"] == v for s in subsets) for v in VERDICTS},
            "unreadable": sum(one.counted is None for one in seen),
            "subsets": subsets,
        }
        if taken is not None:
            chosen = [
                (one.subset, one.found, one.counted, one.measured, one.reading)
                for one in seen
                if one.measured and one.counted and one.found.expression and verdict(one.reasons) < REVIEW
            ]
            report["taken"] = write_taken(chosen, corpus, taken, Path(scratch) / "near-taken")
    write_report(report, out)
    return report


def _check_kinds(asked: Asked, dataset: Dataset) -> None:
    """Raise DeclarationError where a kind is given to a subset that there is not."""
    names = [subset.name for subset in dataset.subsets]
    for name, kind in asked.kinds.items():
        if name not in names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            subsets = f"Subsets: {', '.join(names[:NAMED])}{more}."
            raise DeclarationError(
                f"there is no subset “{name}” in {dataset.name}",
                place=f"--kind {name}={kind}",
                remedy=" ".join(filter(None, (did_you_mean(name, names), subsets))),
            )


def _reading(asked: Asked, subset: str) -> Card:
    """How rows are read; whatever a card of a project says besides is left at nothing."""
    kind: Any = asked.kinds.get(subset, asked.kind)
    return Card(title="review", reader="huggingface", path=".", text_field=asked.text_field, kind=kind)


def _broken(rules: Sequence[Rule], subsets: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What the rules are that some document breaks."""
    names = {name for one in subsets for name in one.get("quality", {}).get("failing", {})}
    return {r.name: {"keep": r.keep, "en": r.why_en, "fr": r.why_fr} for r in rules if r.name in names}


def _look(
    subset: Subset,
    dataset: Dataset,
    cards: Cards,
    asked: Asked,
    policy: Policy,
    rules: Sequence[Rule],
    evaluations: Sequence[Evaluation],
    place: Path,
    engine: Engine | None,
    progress: Progress,
) -> _Seen:
    """Read and measure a subset; what it shares with others is for later."""
    reading = _reading(asked, subset.name)
    try:
        with progress.start(f"read {flatten(subset.name, 40)}", None, "documents") as bar:
            counted = count(subset, reading, asked.sample, bar)
        found = stated(subset, dataset, cards, counted.licences, policy)
        seen = _Seen(subset, reading, found, counted, reasons=list(found.reasons))
        if counted.documents:
            place.mkdir()
            documents = place / "documents.parquet"
            languages = found.languages
            write_sample(
                subset,
                counted,
                reading,
                languages[0] if len(languages) == 1 else None,
                found.of_cards,
                documents,
            )
            passages = annotate_documents(
                documents, place / "annotated", place / "scratch", engine or Local(1), progress
            )
            shards = sorted((place / "annotated").glob("*.parquet"))
            seen.measured = measure(documents, shards, passages, languages, rules, evaluations)
    except InputError as error:
        found = stated(subset, dataset, cards, {}, policy)
        unreadable = Reason("unreadable", REFUSE, {"what": flatten(error.sentence, 300)})
        return _Seen(subset, reading, found, reasons=[*found.reasons, unreadable])
    if not counted.documents:
        seen.reasons.append(Reason("empty", REVIEW))
    if subset.unread:
        named = ", ".join(flatten(name, 80) for name in subset.unread[:5])
        seen.reasons.append(Reason("unread-files", REVIEW, {"what": named}))
    return seen


def _judged(seen: _Seen, twins: Twins, corpus: Corpus, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """A subset as an object of the report, with its verdict."""
    about: dict[str, Any] = {
        "name": flatten(seen.subset.name),
        "title": flatten(seen.found.title),
        "files": len(seen.subset.files),
        "unread": [flatten(name) for name in seen.subset.unread],
        "licence": {
            "expression": seen.found.expression,
            "obligations": list(seen.found.obligations),
            "statements": list(seen.found.statements),
        },
        "documents": None,
    }
    if seen.counted is not None:
        about |= {
            "documents": seen.counted.documents,
            "bytes": seen.counted.bytes,
            "raw": {flatten(name): digest for name, digest in seen.counted.files.items()},
        }
    if seen.counted is not None and seen.measured is not None:
        measured = _measured(seen, seen.counted, seen.measured, twins, corpus, evaluations)
        seen.reasons += weigh(measured.pop("shares"))
        about |= measured
    return {
        "name": about["name"],
        "verdict": VERDICTS[verdict(seen.reasons)],
        "reasons": as_objects(seen.reasons),
        **about,
    }


def _measured(
    seen: _Seen,
    counted: Counted,
    m: Measured,
    twins: Twins,
    corpus: Corpus,
    evaluations: Sequence[Evaluation],
) -> dict[str, Any]:
    """What was measured, and its `shares`, by which it is weighed."""
    known = counted.among(corpus.heads)
    passing = sum(int(part.sum()) for part in m.passes)
    contaminated = sum(int(part.sum()) for part in m.contaminated)
    other, of = m.contradicted or (0, 0)
    spoken = [p for p in m.languages.most_common() if p[0] not in (NO_LANGUAGE, UNDETERMINED)]
    if not seen.found.languages and spoken:
        seen.reasons.append(Reason("language-undeclared", DUTIES, {"what": spoken[0][0]}))
    shares = {
        "contradicted": other / of if m.contradicted and of else None,
        "failing": 1 - passing / m.documents,
        "repeated": max(counted.copies / counted.documents, twins.inside / m.documents),
        "known": max(known / counted.documents, twins.known / m.documents),
        "contaminated": contaminated / m.documents if evaluations else None,
        "personal": m.with_personal / m.documents,
        "identifying": m.with_identifying / m.documents,
        "boilerplate": m.removed / m.characters if m.characters else None,
    }
    characters = max(1, sum(m.languages.values()))
    return {
        "measured": m.documents,
        "language": {
            "declared": list(seen.found.languages),
            "found": {name: _rounded(size / characters) for name, size in m.languages.most_common(10)},
        },
        "quality": {
            "passing": passing,
            "failing": {n: c for n, c in sorted(m.failing.items(), key=lambda p: (-p[1], p[0]))},
        },
        "duplicates": {
            "exact_inside": counted.copies,
            "exact_known": known,
            "near_inside": twins.inside,
            "near_known": twins.known,
            "near_elsewhere": twins.elsewhere,
        },
        "personal": {
            "documents": m.with_personal,
            "identifying": m.with_identifying,
            "pieces": {kind: n for kind, n in m.personal.items() if n},
        },
        "contamination": {
            "documents": contaminated if evaluations else None,
            "files": {flatten(name): n for name, n in m.hits.items() if n},
        },
        "boilerplate": {
            "characters": m.removed,
            "passages": [{"text": flatten(text, 160), "documents": n} for text, n in m.passages],
        },
        "found": {name: _rounded(share) for name, share in shares.items() if share is not None},
        "shares": shares,
    }


def _rounded(share: float) -> float:
    return round(share, 4)
