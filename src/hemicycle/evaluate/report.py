"""The comparison: models and baselines on the same held-out text, block by block, with intervals.

Each series (a model, an order of the character n-gram) gives bits for the same blocks; everything else
follows from that one table. xz gives a size for a whole text only, so it has rows and no intervals.

Where one of the models has a chat template, held-out conversations are not read as text: their answers are
a scope of their own (`ANSWERS`), measured on the models alone (`answers`).

What is measured is said beside what might make it too good: held-out documents that a model's own exposure
lists, a model from elsewhere whose training text nobody knows, a tokenizer that does not give the text back.
A model that began from another is measured beside it, on the text of both (`forgetting`).

    results.json      rows, contrasts, forgetting, samples of answers, how it was measured, notes in French
                      and English
    results.parquet   the rows, long form
    blocks.parquet    every series on every block
    comparison.png    the rows as bars
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.documents import read_batches, write_parquet
from hemicycle.errors import DeclarationError
from hemicycle.evaluate import bits, bootstrap, compressors, heldout, ngram
from hemicycle.evaluate.answers import Answers, measure_answers
from hemicycle.evaluate.forgetting import DECIMALS, SIGNIFICANT, forgetting
from hemicycle.evaluate.heldout import HeldOutDocument
from hemicycle.evaluate.picture import draw
from hemicycle.evaluate.wording import ANSWERS, TOTAL, notes
from hemicycle.progress import QUIET, Progress
from hemicycle.tune.template import states_template

#: Orders of the character n-gram that are reported.
ORDERS = (3, 4, 5, 6, 7)
#: Characters scored at once by the n-gram.
CHARACTERS_AT_ONCE = 1_000_000

ROWS = pa.schema(
    [
        ("name", pa.string()),
        ("kind", pa.string()),
        ("source", pa.string()),
        ("bits_per_byte", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("unit", pa.string()),
        ("bytes", pa.int64()),
        ("documents", pa.int64()),
        ("blocks", pa.int64()),
    ]
)
BLOCKS = pa.schema(
    [
        ("name", pa.string()),
        ("source", pa.string()),
        ("document", pa.string()),
        ("block", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("bytes", pa.int64()),
        ("bits", pa.float64()),
    ]
)

Floats = npt.NDArray[np.float64]


def ngram_name(order: int) -> str:
    return f"character n-gram of order {order}"


def evaluate(
    models: Mapping[str, Path],
    corpora: Mapping[str, Path],
    out: Path,
    *,
    compare: Sequence[Path] = (),
    tokenizer_corpora: Mapping[str, Path] = {},
    unread: Mapping[str, Path] = {},
    bases: Mapping[str, Path] = {},
    began: Mapping[str, str] = {},
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Measure models and baselines on what some corpora hold out and write the comparison.

    Args:
        models: name → folder of a model of this project.
        corpora: name → folder of a corpus artefact. The n-gram learns from their training splits.
        out: an existing folder to write to.
        bases: name → folder of a model from elsewhere that the project declares.
        compare: folders of models from elsewhere; each is called by its folder's name.
        tokenizer_corpora: name → folder of a corpus that a model's tokenizer was learnt on. What it trains on
            is not measured on.
        unread: name → folder of a corpus to measure on that no model read.
        bases: name → folder of what models began from, where it is not among them.
        began: model or base → what it began from.

    Returns:
        Figures for the statement: bits per byte of each name over all sources, and what was measured on.

    Raises:
        InputError: a corpus holds nothing out, a model cannot be loaded or gives no numbers, or no
            conversation can be put to all models.
        DeclarationError: two models have one name.
    """
    folders = _named({**models, **bases}, compare)
    dialogues = any(states_template(folder) for folder in folders.values())
    held = heldout.read_held_out(corpora, tokenizer_corpora, unread=unread, dialogues=dialogues)
    series: dict[str, Floats] = {}
    described: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        series[name], described[name] = _measure_model(name, folder, held.documents, progress)
        described[name]["kind"] = "model" if name in models else "base" if name in bases else "compared"
        described[name]["began_from"] = began.get(name)
    held_out = [one.id for one in held.documents] + [one.id for one in held.conversations]
    _tell_what_was_read(folders, described, held_out)
    counted = _measure_ngrams(corpora, held.documents, series, dialogues, progress)
    answers = measure_answers(folders, held.conversations, progress=progress) if held.conversations else None
    results = _results(held.documents, answers, series, described)
    results["forgetting"] = forgetting(held.documents, series, began) if held.documents else []
    results["ngram"] = counted
    results["held_out"]["trained_elsewhere"] = held.trained_elsewhere
    results["notes"] = {language: notes(results, language) for language in ("en", "fr")}

    text = json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    (out / "results.json").write_text(text + "\n", "utf-8")
    write_parquet(out / "results.parquet", ROWS, [pa.Table.from_pylist(results["rows"], schema=ROWS)])
    write_parquet(out / "blocks.parquet", BLOCKS, _block_tables(held.documents, answers, series))
    draw(results, out / "comparison.png")
    found = {
        scope: {row["name"]: row["bits_per_byte"] for row in results["rows"] if row["source"] == scope}
        for scope in (TOTAL, ANSWERS)
    }
    told = {"bits_per_byte": found[TOTAL], "held_out": results["held_out"]}
    told |= {"answers_bits_per_byte": found[ANSWERS]} if answers else {}
    return told | ({"forgetting": results["forgetting"]} if began else {})


def _named(models: Mapping[str, Path], compare: Sequence[Path]) -> dict[str, Path]:
    """All models by name; one from elsewhere is called by its folder, with the one above where it must."""
    folders = dict(models)
    taken = {*models, compressors.NAME, *map(ngram_name, ORDERS)}
    for folder in compare:
        whole = folder.resolve()
        name = whole.name if whole.name not in taken else f"{whole.parent.name}/{whole.name}"
        if name in taken:
            raise DeclarationError(
                f"two models to compare are called “{name}”",
                place=str(folder),
                remedy="Name each folder once, or rename one of the folders.",
            )
        taken.add(name)
        folders[name] = folder
    return folders


def _measure_model(
    name: str, folder: Path, documents: Sequence[HeldOutDocument], progress: Progress
) -> tuple[Floats, dict[str, Any]]:
    """Bits of one model on every block, and what a reader must know of the measurement."""
    model = bits.load(folder)
    found, altered = [np.zeros(0)], 0
    with progress.start(f"evaluate {name}", float(_bytes(documents)), "bytes") as bar:
        scored = model.score((document.text for document in documents), bar.advance)
        for document, one in zip(documents, scored, strict=True):
            found.append(one.bits_between(document.byte_ends))
            altered += one.altered
    return np.concatenate(found), {
        "context": model.context,
        "begins_with_a_mark": model.begin is not None,
        "documents_altered_by_tokenizer": altered,
    }


def _tell_what_was_read(
    folders: Mapping[str, Path], described: Mapping[str, dict[str, Any]], held_out: Sequence[str]
) -> None:
    """Say of each model how many of the held-out documents it read, or what it began from did; None where
    one of them gives no account."""
    own = {name: _read_in_training(folder) for name, folder in folders.items()}
    for name, about in described.items():
        read: set[str] | None = set()
        at: str | None = name
        while at is not None and read is not None:
            account = own[at]
            read = None if account is None else read | account
            at = described[at]["began_from"]
        about["held_out_documents_read_in_training"] = (
            None if read is None else sum(document in read for document in held_out)
        )


def _read_in_training(folder: Path) -> set[str] | None:
    """Ids of the documents a model read, by its own account; None where it gives none."""
    path = folder / "exposure.parquet"
    if not path.is_file():
        return None
    return {number for table in read_batches(path, ["document"]) for number in table["document"].to_pylist()}


def _measure_ngrams(
    corpora: Mapping[str, Path],
    documents: Sequence[HeldOutDocument],
    series: dict[str, Floats],
    dialogues: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Add every order's bits on every block to `series`; return how the counts were made.

    `dialogues`: conversations are no text. Where there is no text to measure on, nothing is counted.
    """
    if not documents:
        return {"alphabet": 0, "training_characters": 0, "training_characters_counted": 0}
    with progress.start("character n-gram", None, "characters") as bar:

        def counted(texts: Iterable[str]) -> Iterable[str]:
            for text in texts:
                bar.advance(len(text))
                yield text

        texts = heldout.training_texts(corpora, dialogues=dialogues)
        model = ngram.train(counted(texts), max(ORDERS))
        found = []
        for group in _groups(documents):
            for document, costs in zip(group, model.bits([one.text for one in group]), strict=True):
                starts = np.concatenate([np.zeros(1, np.int64), document.ends[:-1]])
                found.append(np.add.reduceat(costs, starts, axis=1))
                bar.advance(len(document.text))
    together = np.concatenate(found, axis=1)
    for order in ORDERS:
        series[ngram_name(order)] = together[order - 1]
    return {
        "alphabet": len(model.alphabet),
        "training_characters": model.offered,
        "training_characters_counted": model.seen,
    }


def _groups(documents: Sequence[HeldOutDocument]) -> Iterable[list[HeldOutDocument]]:
    """Documents in groups of about `CHARACTERS_AT_ONCE`: small arrays are slow, large ones do not fit."""
    group: list[HeldOutDocument] = []
    for document in documents:
        group.append(document)
        if sum(len(one.text) for one in group) >= CHARACTERS_AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _results(
    documents: Sequence[HeldOutDocument],
    answers: Answers | None,
    series: Mapping[str, Floats],
    described: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """Rows for every series and scope, contrasts, and how it was measured."""
    rows, contrasts = _of_texts(documents, series, described)
    if answers is not None:
        of_answers = _of_answers(answers, described)
        rows, contrasts = rows + of_answers[0], contrasts + of_answers[1]
    known = [contrast for contrast in contrasts if contrast["p"] is not None]
    for contrast, adjusted in zip(known, bootstrap.holm([one["p"] for one in known]), strict=True):
        contrast["p_holm"] = round(adjusted, DECIMALS)
        contrast["differs"] = adjusted < SIGNIFICANT
    return {
        "rows": rows,
        "contrasts": contrasts,
        "models": dict(described),
        "held_out": {
            "documents": len(documents),
            "blocks": sum(one.ends.size for one in documents),
            "bytes": _bytes(documents),
            "sources": len({one.source for one in documents}),
            "conversations": len(answers.conversations) if answers else 0,
            "answers": len(answers.sizes) if answers else 0,
            "answer_bytes": int(answers.sizes.sum()) if answers else 0,
            "conversations_not_taken": answers.left_out if answers else 0,
        },
        "samples": answers.samples if answers else [],
        "method": {
            "block_characters": heldout.BLOCK,
            "confidence": bootstrap.CONFIDENCE,
            "replicates": bootstrap.REPLICATES,
            "seed": bootstrap.SEED,
            "documents_for_document_bootstrap": bootstrap.ENOUGH_DOCUMENTS,
            "fewest_units": bootstrap.FEWEST_UNITS,
            "orders": list(ORDERS),
        },
    }


Tables = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def _of_texts(
    documents: Sequence[HeldOutDocument],
    series: Mapping[str, Floats],
    described: Mapping[str, dict[str, Any]],
) -> Tables:
    """Rows and contrasts over the held-out text, all sources and each."""
    rows: list[dict[str, Any]] = []
    contrasts: list[dict[str, Any]] = []
    if not documents:
        return rows, contrasts
    names = list(series)
    all_bits = np.stack([series[name] for name in names])
    sizes = np.concatenate([np.diff(one.byte_ends, prepend=np.int64(0)) for one in documents])
    blocks_each = [one.ends.size for one in documents]
    document_of = np.repeat(np.arange(len(documents)), blocks_each)
    source_of = np.repeat(np.array([one.source for one in documents], object), blocks_each)
    sources = sorted({one.source for one in documents})
    for scope in [TOTAL, *sources]:
        here = np.ones(sizes.size, np.bool_) if scope == TOTAL else source_of == scope
        texts = [one.text for one in documents if scope in (TOTAL, one.source)]
        found = bootstrap.resample(all_bits[:, here], sizes[here], document_of[here])
        size = int(sizes[here].sum())
        shared = {"source": scope, "bytes": size, "documents": len(texts), "blocks": int(here.sum())}
        rows += _rows(found, names, described, shared)
        whole = compressors.xz_bits(texts) / size
        row = _figures(bits_per_byte=whole, low=None, high=None)
        rows.append({"name": compressors.NAME, "kind": "baseline", "unit": None, **row, **shared})
        if scope == TOTAL or len(sources) > 1:  # a single source is the total: asking twice doubles the tests
            contrasts += _contrasts(found, names, set(described), scope)
    return rows, contrasts


def _of_answers(answers: Answers, described: Mapping[str, dict[str, Any]]) -> Tables:
    """Rows and contrasts over the answers of held-out conversations; a conversation is a document here."""
    names = list(answers.series)
    found = bootstrap.resample(
        np.stack([answers.series[name] for name in names]), answers.sizes, answers.whose
    )
    shared = {
        "source": ANSWERS,
        "bytes": int(answers.sizes.sum()),
        "documents": len(answers.conversations),
        "blocks": len(answers.sizes),
    }
    return _rows(found, names, described, shared), _contrasts(found, names, set(described), ANSWERS)


def _rows(
    found: bootstrap.Resampled,
    names: Sequence[str],
    described: Mapping[str, dict[str, Any]],
    shared: Mapping[str, Any],
) -> list[dict[str, Any]]:
    rows = []
    for i, name in enumerate(names):
        estimate = found.estimate(i)
        kind = described[name]["kind"] if name in described else "baseline"
        row = _figures(bits_per_byte=estimate.value, low=estimate.low, high=estimate.high)
        unit = None if estimate.low is None else found.unit
        rows.append({"name": name, "kind": kind, "unit": unit, **row, **shared})
    return rows


def _contrasts(
    found: bootstrap.Resampled, names: list[str], models: set[str], scope: str
) -> list[dict[str, Any]]:
    """Every two models, and every model against the n-gram order that does best here, if one is.

    Taking the best order after the fact favours the baseline: a model that beats it beats any order.
    """
    of_models = [i for i, name in enumerate(names) if name in models]
    orders = [i for i, name in enumerate(names) if name not in models]
    best = [min(orders, key=lambda i: found.values[i])] if orders else []
    contrasts = []
    for first, second in [*combinations(of_models, 2), *product(of_models, best)]:
        found_here = found.difference(first, second)
        figures = _figures(
            difference=found_here.value, low=found_here.low, high=found_here.high, p=found_here.p
        )
        low, high = found_here.low, found_here.high
        contrasts.append(
            {
                "first": names[first],
                "second": names[second],
                "source": scope,
                **figures,
                "beyond_interval": None if low is None or high is None else not low <= 0 <= high,
                "p_holm": None,
                "differs": None,
            }
        )
    return contrasts


def _figures(**values: float | None) -> dict[str, float | None]:
    return {key: None if value is None else round(value, DECIMALS) for key, value in values.items()}


def _block_tables(
    documents: Sequence[HeldOutDocument], answers: Answers | None, series: Mapping[str, Floats]
) -> Iterable[pa.Table]:
    """One table a series: its bits on every block; then one a model: its bits on every answer."""
    blocks = [one.ends.size for one in documents]
    shared = {
        "source": np.repeat(np.array([one.source for one in documents], object), blocks),
        "document": np.repeat(np.array([one.id for one in documents], object), blocks),
        "block": np.array([number for count in blocks for number in range(count)], np.int64),
        "start": np.array([start for one in documents for start in (0, *one.ends[:-1])], np.int64),
        "end": np.array([end for one in documents for end in one.ends], np.int64),
        "bytes": np.array(
            [size for one in documents for size in np.diff(one.byte_ends, prepend=np.int64(0))], np.int64
        ),
    }
    yield from _tables_of(shared, series)
    if answers is not None:
        spans = [span for one in answers.conversations for span in one.spans]
        shared = {
            "source": np.full(len(spans), ANSWERS, object),
            "document": np.array([answers.conversations[n].id for n in answers.whose], object),
            "block": np.array([n for one in answers.conversations for n in range(len(one.spans))], np.int64),
            "start": np.array([start for start, _ in spans], np.int64),
            "end": np.array([end for _, end in spans], np.int64),
            "bytes": answers.sizes,
        }
        yield from _tables_of(shared, answers.series)


def _tables_of(shared: Mapping[str, Any], series: Mapping[str, Floats]) -> Iterable[pa.Table]:
    for name, values in series.items():
        columns = {**shared, "name": [name] * values.size, "bits": np.round(values, 3)}
        yield pa.table({field: columns[field] for field in BLOCKS.names}, schema=BLOCKS)


def _bytes(documents: Sequence[HeldOutDocument]) -> int:
    return int(sum(int(one.byte_ends[-1]) for one in documents))
