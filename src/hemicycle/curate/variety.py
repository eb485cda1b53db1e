"""Varieties of one language (fr-FR, fr-BE, fr-CA): a guess of our own, beside what the source declares.

A document's variety is its source's. The guess is naive Bayes over grams of 2 to 5 characters, learnt from
the project's own documents of declared variety; it is reported with its confusion table and drops nothing.

A gram counts once in a window of 2 000 characters, so that one speaker's word does not weigh like a
country's. A source gives a bounded sample of windows, chosen by digest: the same whatever the order of
documents.

The trap is the subject. Documents of one source share their subjects, and a classifier that was tried on the
source it learnt from has mostly recognised those. So a source is held out whole where its variety has
another; where it has none, whole groups (sittings, novels) are, and the report says that subjects leak.
"""

from __future__ import annotations

import functools
import heapq
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.digests import sha256_text
from hemicycle.errors import InputError
from hemicycle.store import write_aside

#: Another number: other guesses from the same texts.
VERSION = 1

#: What grams are made of. Capitals are read as small letters, figures as 0, a run of spaces as one; a gram
#: with any other character in it is left out.
ALPHABET = " 0'-abcdefghijklmnopqrstuvwxyzàâäæçéèêëîïñôöœùûüÿ"
ORDERS = (2, 3, 4, 5)
WINDOW = 2_000
#: Windows learnt from one source, at most; a gram counts if it stands in so many windows of all.
A_SOURCE, AT_LEAST = 1_000, 3
#: Share of the groups held out where a variety has one source only.
HELD_OUT = 0.2
#: Log-probabilities are kept in these parts of a nat, so that sums are exact.
_NAT = 65_536
#: The symbols of a space and of characters outside the alphabet.
_SPACE, _OTHER = ALPHABET.index(" "), 63
_READ_AS = (("\n\t\r\u00a0\u202f", " "), ("123456789", "0"), ("’ʼ", "'"), ("‐‑", "-"))

Symbols = npt.NDArray[np.uint8]
Grams = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Sample:
    """A document of declared variety."""

    variety: str
    source: str
    group: str
    id: str
    text: str


@dataclass(frozen=True, eq=False)
class VarietyModel:
    """Which grams stand in how many windows of each variety.

    Attributes:
        varieties: in order of their names.
        grams: in order of their numbers (see `spelled`).
        counts: windows that hold each gram; int64 of (grams, varieties).
    """

    varieties: tuple[str, ...]
    grams: Grams
    counts: npt.NDArray[np.int64]

    def scores(self, windows: Iterable[Symbols]) -> npt.NDArray[np.int64]:
        """Log-probabilities of all the windows together under each variety, in 65 536ths of a nat."""
        total = np.zeros(len(self.varieties), np.int64)
        for window in windows:
            grams = _grams(window)
            at = np.minimum(np.searchsorted(self.grams, grams), len(self.grams) - 1)
            total += self._table[at[self.grams[at] == grams]].sum(axis=0)
        return total

    def guess(self, text: str) -> tuple[str | None, float]:
        """The likeliest variety, and how much likelier it is than the next, in nats a window.

        None where no gram of the text is known, or two varieties are as likely.
        """
        windows = list(_windows(text))
        scores = self.scores(windows)
        order = np.argsort(-scores, kind="stable")
        margin = float(scores[order[0]] - scores[order[1]]) / _NAT / max(1, len(windows))
        return (self.varieties[order[0]] if margin > 0 else None), margin

    def telling(self, variety: str, count: int = 20) -> list[str]:
        """The grams that speak most for a variety against the likeliest other one, longer ones first.

        A gram that is part of one in the list, or has one as its part, is left out.
        """
        own = self.varieties.index(variety)
        over = self._table[:, own] - np.delete(self._table, own, axis=1).max(axis=1)
        found: list[str] = []
        for gram in self.grams[np.lexsort((-self.grams.astype(np.int64), -over))].tolist():
            text = spelled(gram)
            if len(found) == count:
                break
            if not any(text in other or other in text for other in found):
                found.append(text)
        return found

    @functools.cached_property
    def _table(self) -> npt.NDArray[np.int64]:
        """Logarithms of (windows that hold the gram + 1) / (sum over grams of the same)."""
        whole = (self.counts + 1).sum(axis=0)
        table: npt.NDArray[np.int64] = np.rint(np.log((self.counts + 1) / whole) * _NAT).astype(np.int64)
        return table


@dataclass(frozen=True)
class VarietyReport:
    """How far a model's guesses can be trusted: what it said of documents that it had not seen.

    Attributes:
        confusion: declared variety → guessed variety (or `none`) → documents.
        held_out: of each variety: `source NAME`, `groups`, or None where it has one group only.
        learnt, tried: documents by variety.
        telling: grams that speak most for each variety.
    """

    confusion: dict[str, dict[str, int]]
    held_out: dict[str, str | None]
    learnt: dict[str, int]
    tried: dict[str, int]
    telling: dict[str, list[str]]

    def recall(self, variety: str) -> float | None:
        """Share of the variety's held-out documents that were guessed right; None where there were none."""
        tried = self.tried[variety]
        return self.confusion[variety].get(variety, 0) / tried if tried else None


@dataclass(frozen=True, order=True)
class _Window:
    """A window of a sample. Of a source those of highest rank stay."""

    rank: int
    group: str
    id: str
    symbols: Symbols = field(compare=False)


def train_variety(samples: Iterable[Sample]) -> tuple[VarietyModel, VarietyReport]:
    """Learn from a part of the documents and try the model on the rest.

    The documents are read once, in any order. The model returned is the one that was tried.

    Raises InputError where fewer than two varieties are declared, or no gram is common enough.
    """
    sampled = _sampled(samples)
    varieties = tuple(sorted({variety for variety, _ in sampled}))
    if len(varieties) < 2:
        raise InputError(
            "varieties are told apart where two or more are declared",
            remedy="State `variety` on the cards of sources in another variety, or do without the guess.",
        )
    held_out = {variety: _held_out(variety, sampled) for variety in varieties}
    learnt: dict[str, list[_Window]] = {variety: [] for variety in varieties}
    tried: dict[str, list[_Window]] = {variety: [] for variety in varieties}
    for (variety, source), windows in sorted(sampled.items()):
        for window in sorted(windows, key=lambda w: w.rank):
            out = (source, window.group) in held_out[variety][1]
            (tried if out else learnt)[variety].append(window)
    model = _learn(varieties, learnt)
    report = VarietyReport(
        confusion={variety: _confusion(model, tried[variety]) for variety in varieties},
        held_out={variety: how for variety, (how, _) in held_out.items()},
        learnt={variety: len({w.id for w in windows}) for variety, windows in learnt.items()},
        tried={variety: len({w.id for w in windows}) for variety, windows in tried.items()},
        telling={variety: model.telling(variety) for variety in varieties},
    )
    return model, report


def spelled(gram: int) -> str:
    """The characters of a gram: six bits each, after a leading one."""
    text = ""
    while gram > 1:
        text = ALPHABET[gram & 63] + text
        gram >>= 6
    return text


def save_variety(model: VarietyModel, path: Path) -> None:
    """Write a model: equal models, equal bytes."""
    about = {
        "version": VERSION,
        "varieties": list(model.varieties),
        "alphabet": ALPHABET,
        "orders": list(ORDERS),
        "window": WINDOW,
    }
    text = json.dumps(about, ensure_ascii=False, sort_keys=True).encode()
    buffer = io.BytesIO()
    np.savez(buffer, about=np.frombuffer(text, np.uint8), grams=model.grams, counts=model.counts)
    write_aside(path, buffer.getvalue())


def load_variety(path: Path) -> VarietyModel:
    """Read what `save_variety` wrote. Raises InputError for anything else."""
    try:
        with zipfile.ZipFile(path) as archive:
            # Stored, not packed: a file takes no more memory than it has bytes.
            if any(i.compress_type != zipfile.ZIP_STORED for i in archive.infolist()):
                raise ValueError("packed")
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            grams, counts = arrays["grams"], arrays["counts"]
        varieties = tuple(str(name) for name in about["varieties"])
        fits = (
            (about["version"], about["alphabet"], about["window"]) == (VERSION, ALPHABET, WINDOW)
            and about["orders"] == list(ORDERS)
            and grams.dtype == np.uint32
            and counts.dtype == np.int64
            and counts.shape == (len(grams), len(varieties))
            and len(grams) > 0
            and len(varieties) > 1
            and bool(np.all(grams[1:] > grams[:-1]))
            and 0 <= counts.min() <= counts.max() < 1 << 40
        )
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", place=str(path)) from error
    # RuntimeError: a flipped bit may say that a part is encrypted.
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        raise _no_model(path) from error
    if not fits:
        raise _no_model(path)
    return VarietyModel(varieties, grams, counts)


def _no_model(path: Path) -> InputError:
    return InputError(
        "this is no model of varieties, or one of another version", place=str(path), remedy="Train it again."
    )


def _sampled(samples: Iterable[Sample]) -> dict[tuple[str, str], list[_Window]]:
    """Windows of each (variety, source): those of highest rank, whatever the order of documents."""
    kept: dict[tuple[str, str], list[_Window]] = {}
    for sample in samples:
        heap = kept.setdefault((sample.variety, sample.source), [])
        for number, piece in enumerate(_pieces(sample.text)):
            rank = int(sha256_text(f"{sample.source}\n{sample.id}\n{number}")[:16], 16)
            if len(heap) < A_SOURCE:
                heapq.heappush(heap, _Window(rank, sample.group, sample.id, _symbols(piece)))
            elif rank > heap[0].rank:
                heapq.heapreplace(heap, _Window(rank, sample.group, sample.id, _symbols(piece)))
    return {key: windows for key, windows in kept.items() if windows}


def _held_out(
    variety: str, sampled: dict[tuple[str, str], list[_Window]]
) -> tuple[str | None, set[tuple[str, str]]]:
    """How a variety's documents are held out, and which (source, group) are."""
    groups = {
        (source, window.group)
        for (name, source), windows in sampled.items()
        if name == variety
        for window in windows
    }
    sources = sorted({source for source, _ in groups}, key=sha256_text)
    if len(sources) > 1:
        return f"source {sources[0]}", {pair for pair in groups if pair[0] == sources[0]}
    ranked = sorted(groups, key=lambda pair: sha256_text(f"{pair[0]}\n{pair[1]}"))
    if len(ranked) < 2:
        return None, set()
    return "groups", set(ranked[: max(1, int(len(ranked) * HELD_OUT))])


def _learn(varieties: tuple[str, ...], learnt: dict[str, list[_Window]]) -> VarietyModel:
    tables = [_counted(learnt[variety]) for variety in varieties]
    grams = np.unique(np.concatenate([keys for keys, _ in tables]))
    counts = np.zeros((len(grams), len(varieties)), np.int64)
    for column, (keys, numbers) in enumerate(tables):
        counts[np.searchsorted(grams, keys), column] = numbers
    common = counts.sum(axis=1) >= AT_LEAST
    if not common.any():
        raise InputError(
            "the documents of declared variety are too few to learn from",
            remedy=f"A gram of characters must stand in {AT_LEAST} windows of {WINDOW} characters.",
        )
    return VarietyModel(varieties, grams[common], counts[common])


def _counted(windows: list[_Window]) -> tuple[Grams, npt.NDArray[np.int64]]:
    """In how many windows each gram stands; the grams of some hundred windows are in memory at a time."""
    grams, counts = np.zeros(0, np.uint32), np.zeros(0, np.int64)
    for at in range(0, len(windows), 500):
        found = np.concatenate([_grams(window.symbols) for window in windows[at : at + 500]])
        new, times = np.unique(found, return_counts=True)
        every = np.union1d(grams, new)
        total = np.zeros(len(every), np.int64)
        total[np.searchsorted(every, grams)] += counts
        total[np.searchsorted(every, new)] += times
        grams, counts = every, total
    return grams, counts


def _confusion(model: VarietyModel, windows: list[_Window]) -> dict[str, int]:
    by_document: dict[str, list[Symbols]] = {}
    for window in windows:
        by_document.setdefault(window.id, []).append(window.symbols)
    guessed: dict[str, int] = {}
    for symbols in by_document.values():
        scores = model.scores(symbols)
        best = np.flatnonzero(scores == scores.max())
        name = model.varieties[best[0]] if len(best) == 1 else "none"
        guessed[name] = guessed.get(name, 0) + 1
    return dict(sorted(guessed.items()))


def _pieces(text: str) -> Iterator[str]:
    """Windows of a text; a last one of less than a quarter is left out where there are others."""
    for start in range(0, len(text), WINDOW):
        if start == 0 or len(text) - start >= WINDOW // 4:
            yield text[start : start + WINDOW]


def _windows(text: str) -> Iterator[Symbols]:
    return map(_symbols, _pieces(text))


@functools.cache
def _classes() -> Symbols:
    """The symbol of each code point; `_OTHER` where it has none."""
    classes = np.full(0x110000, _OTHER, np.uint8)
    for symbol, character in enumerate(ALPHABET):
        classes[ord(character)] = classes[ord(character.upper())] = symbol
    for characters, character in _READ_AS:
        classes[[ord(c) for c in characters]] = ALPHABET.index(character)
    return classes


def _symbols(text: str) -> Symbols:
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4")
    symbols = _classes()[codes]
    kept = np.ones(len(symbols), np.bool_)
    kept[1:] = (symbols[1:] != _SPACE) | (symbols[:-1] != _SPACE)
    once: Symbols = symbols[kept]
    return once


def _grams(symbols: Symbols) -> Grams:
    """The distinct grams of a window, in order of their numbers."""
    found = []
    for order in ORDERS:
        if len(symbols) < order:
            break
        windows = np.lib.stride_tricks.sliding_window_view(symbols, order)
        windows = windows[(windows != _OTHER).all(axis=1)]
        keys = np.ones(len(windows), np.uint32)
        for column in range(order):
            keys = (keys << np.uint32(6)) | windows[:, column]
        found.append(keys)
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint32)
