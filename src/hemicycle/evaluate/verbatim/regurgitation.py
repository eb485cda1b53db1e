"""Regurgitation: how much of its training text a model gives back when it is given what stands before.

A model gets the tokens before a place in a document it read and goes on, always with the likeliest token. A
passage is extractable with k tokens of context where the continuation is, token for token, that of the
document (Carlini et al. 2023, arXiv 2202.07646; there 50 tokens, and here as many as the context lets).
Beside it, what share of the words written lies in spans that stand anywhere in the training text, of at least
8, 25 and 50 words, and the longest span.

The trap is to take formula for memory. "La séance est ouverte" is written by any model of debates. So the
same is asked of held-out documents, which the model never read, and both stand side by side.

Rates are those of one way of asking. Other prompts get more out, so they are lower bounds, and say so.

What is written holds no training text, nor what the model wrote, which may be that: a passage is a document's
id and a place.

    regurgitation.json   rates by length of the prefix, by source, by number of copies; the method
    passages.parquet     every passage with every prefix
    regurgitation.png    exact continuations by length and by copies; regurgitation.MODEL.png, of one model
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.documents import read_batches, write_parquet
from hemicycle.evaluate import bootstrap
from hemicycle.evaluate.heldout import HeldOut, read_held_out
from hemicycle.evaluate.verbatim.generate import Writer
from hemicycle.evaluate.verbatim.passages import COPIES, Passage, draw_from_index, draw_from_texts, kind_of
from hemicycle.evaluate.verbatim.picture import draw_regurgitation
from hemicycle.evaluate.verbatim.wording import regurgitation_notes
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.store import write_aside
from hemicycle.trace import Index, find_spans, open_index, split_words

#: Tokens of the target, and tokens written, where the context has room for them.
TARGET, WRITTEN = 50, 100
#: Lengths of spans, in words.
SPANS = (8, 25, 50)
#: Prefixes continued at once.
BATCH = 32
#: Figures are written with this many decimals; what lies beyond depends on the machine.
DECIMALS = 6

PASSAGES = pa.schema(
    [
        ("model", pa.string()),
        ("of", pa.string()),
        ("document", pa.string()),
        ("source", pa.string()),
        ("character", pa.int64()),
        ("copies", pa.int64()),
        ("weight", pa.float64()),
        ("prefix", pa.int64()),
        ("exact", pa.bool_()),
        ("matched", pa.int64()),
        ("words", pa.int64()),
        ("longest", pa.int64()),
        *((f"in_{n}", pa.int64()) for n in SPANS),
    ]
)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lengths:
    """What fits into a context, in tokens.

    Attributes:
        prefixes: those of the ones asked for that fit. left_out: those that do not.
    """

    prefixes: tuple[int, ...]
    left_out: tuple[int, ...]
    target: int
    written: int

    @staticmethod
    def within(context: int, asked: Sequence[int]) -> Lengths:
        """As asked for where there is room; half a context is written at most. A context that has room for
        none of the prefixes has one of what is left."""
        written = min(WRITTEN, context // 2)
        room = context - written
        fit = tuple(sorted({one for one in asked if one <= room})) or (room,)
        return Lengths(fit, tuple(sorted(set(asked) - set(fit))), min(TARGET, written), written)


@dataclass(frozen=True)
class Written:
    """What a model wrote after one prefix: `matched` tokens as in the document before the first other one;
    `words`, and of those how many lie in spans of at least so many words, in the order of `SPANS`."""

    exact: bool
    matched: int
    words: int
    longest: int
    within: tuple[int, ...]


def measure_regurgitation(
    models: Mapping[str, Path],
    training: Mapping[str, Path],
    corpora: Mapping[str, Path],
    indexed: Mapping[str, str],
    out: Path,
    scratch: Path,
    *,
    exposures: Mapping[str, Sequence[Path]],
    passages: int,
    prefixes: Sequence[int],
    seed: int,
    upstream: Mapping[str, str] = {},
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Measure what models give back, and write it down.

    Args:
        models: name → folder.
        training: index → its folder. An index is called by its corpora, joined by ``+``.
        corpora: corpus → its folder, for all of those.
        indexed: model → the index of what it read.
        scratch: where finished batches are kept; a later call with the same arguments goes on from them.
        exposures: model → its ``exposure.parquet`` and those of the models it was made from: passages are of
            documents that one of them lists.
        passages: how many are drawn of the training text, and as many again of held-out documents.
        prefixes: tokens of context.
        upstream: model → the base it began as, of whose training text nothing is known.

    Returns figures for the statement.

    Raises:
        InputError: a model cannot be loaded or gives no numbers, or the corpora hold nothing out.
        IntegrityError: a corpus is not the one that the index was built from.
    """
    held = read_held_out(corpora)
    told: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name, folder in models.items():
        index = open_index(training[indexed[name]], verify=False)
        texts = [corpora[one] for one in indexed[name].split("+")]
        read = _read(exposures[name])
        asked = _Asked(name, Writer(folder), index, scratch, progress)
        told[name], found = _measure(asked, texts, read, held, passages, prefixes, seed)
        rows += found
    results: dict[str, Any] = {
        "models": told,
        "upstream": dict(upstream),
        "method": {
            "passages": passages,
            "prefixes": list(prefixes),
            "seed": seed,
            "spans": list(SPANS),
            "copies": [name for _, name in COPIES],
            "confidence": bootstrap.CONFIDENCE,
            "replicates": bootstrap.REPLICATES,
            "documents_for_document_bootstrap": bootstrap.ENOUGH_DOCUMENTS,
            "fewest_units": bootstrap.FEWEST_UNITS,
        },
    }
    for name, model in told.items():
        model["notes"] = {language: regurgitation_notes(name, results, language) for language in ("en", "fr")}
    text = json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    (out / "regurgitation.json").write_text(text + "\n", "utf-8")
    write_parquet(out / "passages.parquet", PASSAGES, [pa.Table.from_pylist(rows, schema=PASSAGES)])
    draw_regurgitation(results, out / "regurgitation.png")
    for name, model in told.items():
        draw_regurgitation({"models": {name: model}}, out / f"regurgitation.{name}.png")
    return {"models": told}


def _read(exposures: Sequence[Path]) -> frozenset[str]:
    """Ids of the documents that some accounts of training list."""
    return frozenset(
        one
        for path in exposures
        for table in read_batches(path, ["document"])
        for one in table["document"].to_pylist()
    )


@dataclass(frozen=True)
class _Asked:
    """A model that is asked, with the index of what it read."""

    name: str
    writer: Writer
    index: Index
    scratch: Path
    progress: Progress


def _measure(
    asked: _Asked,
    texts: Sequence[Path],
    read: frozenset[str],
    held: HeldOut,
    wanted: int,
    prefixes: Sequence[int],
    seed: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The figures of one model, and a row for each passage and prefix."""
    lengths = Lengths.within(asked.writer.context, prefixes)
    room = {"before": lengths.prefixes[-1], "target": lengths.target}
    encoder = asked.writer.encoder
    drawn = draw_from_index(asked.index, texts, encoder, wanted, **room, read=read, seed=seed)
    control = draw_from_texts(held.documents, encoder, wanted, **room, seed=seed)
    rows: list[dict[str, Any]] = []
    told: list[dict[str, Any]] = []
    total = (len(drawn) + len(control)) * len(lengths.prefixes)
    with asked.progress.start(f"regurgitation of {asked.name}", float(total), "prefixes") as bar:
        for prefix in lengths.prefixes:
            for of, some in (("training", drawn), ("held-out", control)):
                written = list(_continue(asked, of, some, prefix, lengths, bar))
                rows += [_row(asked.name, of, p, prefix, w) for p, w in zip(some, written, strict=True)]
                told += _rates(of, some, written, prefix)
    about = {
        "lengths": list(lengths.prefixes),
        "lengths_left_out": list(lengths.left_out),
        "target_tokens": lengths.target,
        "generated_tokens": lengths.written,
        "passages": len(drawn),
        "control_passages": len(control),
        "documents_read": len(read),
        "rows": told,
    }
    return about, rows


def _continue(
    asked: _Asked, of: str, passages: Sequence[Passage], prefix: int, lengths: Lengths, bar: Bar
) -> Iterator[Written]:
    """What the model writes after every passage; batches that were finished before are not written again."""
    for at in range(0, len(passages), BATCH):
        some = passages[at : at + BATCH]
        kept = asked.scratch / f"{asked.name}.{of}.{prefix}.{at}.json"
        if kept.is_file():
            done = [
                Written(**{**one, "within": tuple(one["within"])}) for one in json.loads(kept.read_bytes())
            ]
        else:
            ids_BK = np.stack([one.before[-prefix:] for one in some])
            ids_BG = asked.writer.write(ids_BK, lengths.written)
            done = [_look(asked, one, prefix, ids) for one, ids in zip(some, ids_BG, strict=True)]
            write_aside(kept, json.dumps([asdict(one) for one in done]).encode("ascii"))
        yield from done
        bar.advance(len(some))


def _look(asked: _Asked, passage: Passage, prefix: int, ids: Integers) -> Written:
    """Compare what was written with the document, and look it up in the index."""
    same = ids[: len(passage.target)] == passage.target
    matched = len(same) if same.all() else int(np.argmin(same))
    kept, ended = asked.writer.until_mark(ids)
    before = asked.writer.encoder.text(passage.before[-prefix:])
    whole = asked.writer.encoder.text(np.concatenate([passage.before[-prefix:], kept]))
    words = split_words(whole)
    # A word that the prefix began is not the model's own, and one that the limit cut is no word.
    first = int(np.searchsorted(words.starts, len(before)))
    last = len(words.words) - (not ended and bool(words.words) and int(words.ends[-1]) == len(whole))
    if last <= first:
        return Written(bool(same.all()), matched, 0, 0, (0,) * len(SPANS))
    said = whole[int(words.starts[first]) : int(words.ends[last - 1])]
    spans = find_spans(asked.index, said, 1)
    within = []
    for least in SPANS:
        covered = np.zeros(last - first, bool)
        for span in spans:
            if span.words >= least:
                covered[span.first_word : span.first_word + span.words] = True
        within.append(int(covered.sum()))
    longest = max((span.words for span in spans), default=0)
    return Written(bool(same.all()), matched, last - first, longest, tuple(within))


def _row(model: str, of: str, passage: Passage, prefix: int, written: Written) -> dict[str, Any]:
    return {
        "model": model,
        "of": of,
        "document": passage.document,
        "source": passage.source,
        "character": passage.character,
        "copies": passage.copies,
        "weight": round(passage.weight, DECIMALS),
        "prefix": prefix,
        "exact": written.exact,
        "matched": written.matched,
        "words": written.words,
        "longest": written.longest,
        **{f"in_{n}": count for n, count in zip(SPANS, written.within, strict=True)},
    }


def _rates(
    of: str, passages: Sequence[Passage], written: Sequence[Written], prefix: int
) -> Iterator[dict[str, Any]]:
    """Rates of one prefix: of all passages; of the training text also by copies and by source."""
    if not passages:
        return
    groups: list[tuple[str, str, list[int]]] = [
        ("all" if of == "training" else "control", "", list(range(len(passages))))
    ]
    if of == "training":
        kinds = [kind_of(one.copies or 1) for one in passages]
        named = [name for _, name in COPIES if name in kinds]
        groups += [("copies", name, [n for n, k in enumerate(kinds) if k == name]) for name in named]
        for source in sorted({one.source for one in passages}):
            groups.append(("source", source, [n for n, one in enumerate(passages) if one.source == source]))
    for by, value, chosen in groups:
        mine, said = [passages[n] for n in chosen], [written[n] for n in chosen]
        yield {"by": by, "value": value, "prefix": prefix, **_figures(mine, said)}


def _figures(passages: Sequence[Passage], written: Sequence[Written]) -> dict[str, Any]:
    weight = np.array([one.weight for one in passages])
    _, document = np.unique([one.document for one in passages], return_inverse=True)
    # Nothing written counts as one word that stands nowhere: a share of no words would be none.
    words = weight * np.array([max(1, one.words) for one in written])
    exact = np.array([one.exact for one in written])
    within = np.array([one.within for one in written]).T * weight
    found = bootstrap.resample((weight * exact)[None], weight, document.astype(np.int64))
    spans = bootstrap.resample(within, words, document.astype(np.int64))
    enough = max((one.words for one in written), default=0)
    figure = _exact(found, exact)
    return {
        "passages": len(passages),
        "documents": int(document.max()) + 1,
        "exact": {**figure, "count": int(exact.sum())},
        "longest": max(one.longest for one in written),
        "longest_median": float(np.median([one.longest for one in written])),
        # No share of words can lie in spans longer than anything that was written.
        **{f"in_{n}": _share(spans, i) if enough >= n else None for i, n in enumerate(SPANS)},
    }


def _exact(found: bootstrap.Resampled, exact: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    """A rate with its interval. Draws of nothing but misses are all alike and would pretend certainty: there,
    and where all hit, the open end is that of the exact binomial interval (Clopper and Pearson 1934)."""
    one = found.estimate(0)
    low, high = one.low, one.high
    if low is not None:
        beyond = ((1 - bootstrap.CONFIDENCE) / 2) ** (1 / found.units)
        if not exact.any():
            low, high = 0.0, 1 - beyond
        elif exact.all():
            low, high = beyond, 1.0
    return _rounded(one.value, low, high)


def _share(found: bootstrap.Resampled, series: int) -> dict[str, float | None]:
    one = found.estimate(series)
    # All draws alike: no interval rather than one without width.
    known = one.low is not None and one.low != one.high
    return _rounded(one.value, one.low if known else None, one.high if known else None)


def _rounded(value: float, low: float | None, high: float | None) -> dict[str, float | None]:
    figures = {"value": value, "low": low, "high": high}
    return {key: None if one is None else round(one, DECIMALS) for key, one in figures.items()}
