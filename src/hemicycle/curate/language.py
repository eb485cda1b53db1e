"""Languages of a document, piece by piece, so that a mixed document is seen as mixed.

A text is cut into pieces: at line ends and around quotations once 25 characters are reached, at ends of
sentences from 60, in any case at 400. Each piece is scored by itself (`language_model`); then the text is
read as a chain in which a change of language has a price, and the cheapest reading is taken (Viterbi). So a
line of a few words takes the language of what stands around it, one odd sentence does not make a French
speech Catalan, and a paragraph of English in it is still found. A piece speaks as loudly as the model is
confident in it; one that the model takes for no language (a table, a listing) says nothing.

What a source declares is where the chain begins. It is never overwritten: a disagreement is a measure.

The trap is the batch: nothing may depend on which texts come together. Pieces, prices and sums are those of
one text, and sums are of integers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.curate.language_model import Identifier, load_identifier
from hemicycle.curate.language_score import Bytes, Places
from hemicycle.kernels import kernel

#: Part of the version of whatever is made with this file: another number means other languages.
VERSION = 1

#: Characters: below the first a text alone says nothing of its language; pieces end at the others.
SHORT, SENTENCE, LONG = 25, 60, 400
#: What one change of language costs, and the most that one piece can speak against a language, in the nats of
#: the model's gaps.
CHANGE, FLOOR = 1.5, 8.0

#: Bytes identified at once, and the length at which one text is cut so that memory stays bounded.
BLOCK = 1 << 24
_DECODED = 4096
#: Confidences are added up in these parts.
_WEIGHT = 65_536

#: What a character means for cutting.
_ORDINARY, _OPENING, _SENTENCE, _SPACE, _CLOSING = range(5)
#: What a byte is: not the first of a character, the first of one that means nothing, or one to look at.
_INSIDE, _PLAIN, _PERHAPS = range(3)
_KINDS = np.full(256, _PLAIN, np.uint8)
_KINDS[0x80:0xC0] = _INSIDE
_KINDS[[*b'\n".!?', 0xC2, 0xE2]] = _PERHAPS

NO_LANGUAGE, UNDETERMINED = "zxx", "und"

#: A stretch of a text in one language: characters `start` to `end`, and the model's mean confidence, 0 to 1.
RUN = pa.struct(
    [("start", pa.int64()), ("end", pa.int64()), ("language", pa.string()), ("confidence", pa.float32())]
)

#: The main language is that of most characters.
MEASURES = (
    "language_confidence",  # the model's mean confidence in the main language, 0 to 1
    "language_share",  # of characters in the main language; less than 1 marks a mixed text
    "languages",  # how many were found
    "foreign_share",  # of characters in a language other than the declared one, or than the main one
    "language_contradicted",  # 1 where the main language is not the declared one, 0 where it is
)


def identify(
    data: Bytes,
    offsets: Places,
    declared: Iterable[str | None] | pa.ChunkedArray,
    identifier: Identifier | None = None,
) -> tuple[pa.ListArray, dict[str, pa.DoubleArray]]:
    """Identify the languages of the texts `data[offsets[i]:offsets[i + 1]]`.

    Args:
        data: UTF-8, cleaned (canonical composition; another form is another text to the model).
        declared: BCP 47 tag of each text, or None; a column of them.
        identifier: by default for the languages of Europe.

    Returns the runs of each text (lists of `RUN`), which together are the whole text, and the `MEASURES`. A
    text in which nothing is language is one run of `zxx`; one shorter than 25 characters is in the language
    it declares, else `und`. Null are the last two measures where the declared language is not one that the
    model tells apart, the last one also where none is declared or none was found.
    """
    identifier = identifier or load_identifier()
    names = [*identifier.languages, UNDETERMINED]
    numbers = {name: i for i, name in enumerate(names)}
    tags = declared.to_pylist() if isinstance(declared, pa.Array | pa.ChunkedArray) else declared
    stated = [_primary(tag) for tag in tags]
    prior = np.array([numbers.get(tag or "", -1) for tag in stated], np.int64)
    unknown = np.array([tag is not None for tag in stated], bool) & (prior < 0)
    texts, bounds = _blocks(data, offsets)
    parts = [_NOTHING]
    at = 0
    while at < len(texts):
        stop = max(at + 1, int(np.searchsorted(bounds, bounds[at] + BLOCK, side="right")) - 1)
        parts.append(_runs(data, bounds[at : stop + 1], texts[at:stop], prior, numbers, identifier))
        at = stop
    runs = _joined(_Runs(*map(np.concatenate, zip(*parts, strict=True))))
    return _lists(runs, names, len(stated)), _measures(runs, names, prior, unknown)


def _primary(tag: str | None) -> str | None:
    """The language of a BCP 47 tag as the model writes it; None where the tag names no one language."""
    language = (tag or "").strip().lower().replace("_", "-").partition("-")[0]
    language = {"nb": "no"}.get(language, language)
    return language if language not in ("", NO_LANGUAGE, UNDETERMINED, "mul", "mis") else None


def _blocks(data: Bytes, offsets: Places) -> tuple[Places, Places]:
    """Texts, the longest in several blocks: the text of each block, and bounds of the blocks in bytes."""
    counts = np.maximum(1, -(-np.diff(offsets) // BLOCK))
    texts = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(texts)) - np.repeat(np.cumsum(counts) - counts, counts)
    bounds = np.append(offsets[texts] + number * BLOCK, offsets[-1])
    for i in np.flatnonzero(number):
        while (data[bounds[i]] & 0xC0) == 0x80 and bounds[i] > bounds[i - 1]:
            bounds[i] -= 1  # never inside a character
    return texts, bounds


class _Runs(NamedTuple):
    """Neighbouring pieces in one language: text, language, characters, of these with evidence, and weight."""

    text: Places
    label: Places
    size: Places
    spoken: Places
    weight: Places


_NOTHING = _Runs(*(np.zeros(0, np.int64) for _ in range(5)))


def _runs(
    data: Bytes,
    bounds: Places,
    texts: Places,
    prior: Places,
    numbers: dict[str, int],
    identifier: Identifier,
) -> _Runs:
    zxx, und = numbers.get(NO_LANGUAGE, -1), numbers[UNDETERMINED]
    starts, characters, first = _cut(data, bounds, _KINDS)
    found = identifier.likeliest(data, starts[:-1], starts[1:])
    short = characters < SHORT
    silent = short | (found.labels[:, 0] == zxx) | (found.gaps[:, -1] == 0)
    chosen = _read(*found, silent, short, first, prior[texts], zxx, und)
    # A piece is remembered in its likeliest languages; in another one it has no confidence worth a number.
    confidence = np.where(found.labels == chosen[:, None], found.confidence, 0).max(axis=1, initial=0)
    spoken = np.where(silent & (chosen != zxx), 0, characters)
    weight = np.rint(confidence.astype(np.float64) * _WEIGHT).astype(np.int64) * spoken
    return _joined(_Runs(np.repeat(texts, np.diff(first)), chosen, characters, spoken, weight))


def _joined(runs: _Runs) -> _Runs:
    """Neighbouring runs of one language in one text as one."""
    if not len(runs.text):
        return runs
    new = (np.diff(runs.text, prepend=-1) != 0) | (np.diff(runs.label, prepend=-1) != 0)
    at = np.flatnonzero(new)
    return _Runs(runs.text[at], runs.label[at], *(np.add.reduceat(sums, at) for sums in runs[2:]))


def _lists(runs: _Runs, names: list[str], texts: int) -> pa.ListArray:
    first = np.searchsorted(runs.text, np.arange(texts + 1))
    ends = np.cumsum(runs.size)
    before = np.append(0, ends)[first[:-1]][runs.text]  # characters of the texts before
    values = pa.StructArray.from_arrays(
        [
            pa.array(ends - runs.size - before),
            pa.array(ends - before),
            pa.array(names, pa.string()).take(pa.array(runs.label)),
            pa.array(_mean(runs.weight, runs.spoken).astype(np.float32)),
        ],
        fields=list(RUN),
    )
    return pa.ListArray.from_arrays(pa.array(first, pa.int32()), values)


def _measures(
    runs: _Runs, names: list[str], prior: Places, unknown: npt.NDArray[np.bool_]
) -> dict[str, pa.DoubleArray]:
    texts = len(prior)
    cells = runs.text * len(names) + runs.label

    def by_language(values: Places) -> npt.NDArray[np.float64]:
        # Sums of whole numbers below 2**53 are exact in the floats that bincount adds in.
        sums: npt.NDArray[Any] = np.bincount(cells, values, texts * len(names))
        return sums.reshape(texts, len(names))

    rows = np.arange(texts)
    sizes = by_language(runs.size)
    total = np.maximum(1, sizes.sum(axis=1))
    language = np.array([name not in (NO_LANGUAGE, UNDETERMINED) for name in names])
    spoken = np.where(language, sizes, 0)
    main = sizes.argmax(axis=1)
    found = spoken[rows, main] > 0
    expected = np.where(prior >= 0, prior, main)
    weight = by_language(runs.weight)[rows, main]
    values = (
        _mean(weight, by_language(runs.spoken)[rows, main]),
        sizes[rows, main] / total,
        (spoken > 0).sum(axis=1).astype(np.float64),
        np.where(unknown, np.nan, (spoken.sum(axis=1) - spoken[rows, expected]) / total),
        np.where(found & (prior >= 0), main != expected, np.nan),
    )
    return {
        name: pa.array(value, pa.float64(), from_pandas=True)
        for name, value in zip(MEASURES, values, strict=True)
    }


def _mean(weight: npt.NDArray[Any], spoken: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    mean: npt.NDArray[np.float64] = weight / np.maximum(1, spoken) / _WEIGHT
    return mean


@kernel
def _cut(data: Bytes, bounds: Places, kinds: Bytes) -> tuple[Places, Places, Places]:
    """Pieces of each block: where they start (and the last ends), their characters, each block's first."""
    room = (bounds[-1] - bounds[0]) // SHORT + len(bounds) + 1
    starts = np.empty(room, np.int64)
    characters = np.empty(room, np.int64)
    first = np.empty(len(bounds), np.int64)
    n = 0
    for block in range(len(bounds) - 1):
        first[block] = n
        start = i = bounds[block]
        stop = bounds[block + 1]
        count = 0
        enough = 2 * LONG  # characters from which the piece ends before the next ordinary one
        ended = False
        while i < stop:
            kind = kinds[data[i]]
            # Words and spaces mean nothing before a piece is long, unless a sentence or line has just ended.
            if kind == _PLAIN and count < LONG <= enough and not ended:
                while i < stop and count < LONG and kinds[data[i]] != _PERHAPS:
                    count += kinds[data[i]]
                    i += 1
                enough = LONG if data[i - 1] == 0x20 else 2 * LONG
                continue
            if kind == _INSIDE:
                i += 1
                continue
            sign = _sign(data, i, stop) if kind == _PERHAPS or data[i] == 0x20 else _ORDINARY
            if sign in (_OPENING, _CLOSING):
                enough = SHORT
            elif sign == _SPACE:
                enough = min(enough, SENTENCE if ended else LONG)
            if sign <= _OPENING:
                if count >= enough:
                    starts[n], characters[n] = start, count
                    n += 1
                    start, count = i, 0
                elif sign == _OPENING and n > first[block] and characters[n - 1] < LONG:
                    # What announces a quotation is rarely in its language: it goes with what stands before.
                    characters[n - 1] += count
                    start, count = i, 0
                enough = 2 * LONG
            if sign != _CLOSING:
                ended = sign == _SENTENCE
            count += 1
            i += 1
        if count >= SHORT or (count and n == first[block]):
            starts[n], characters[n] = start, count
            n += 1
        elif count:
            characters[n - 1] += count
    first[-1] = n
    starts[n] = bounds[-1]
    return starts[: n + 1], characters[:n], first


@kernel
def _sign(data: Bytes, i: int, stop: int) -> int:
    """What the character at `i`, of a byte that is not ordinary, means for cutting."""
    byte = data[i]
    if byte == 0x20:
        return _SPACE
    if byte == 0x0A:
        return _CLOSING
    if byte == 0x22:
        return _OPENING
    if byte < 0x80:
        return _SENTENCE
    second = data[i + 1] if i + 1 < stop else 0
    if byte == 0xC2:  # «, », no-break space
        return _OPENING if second == 0xAB else _CLOSING if second == 0xBB else _SPACE * (second == 0xA0)
    third = data[i + 2] if i + 2 < stop and second == 0x80 else 0
    if third == 0x9C or third == 0x9E:  # “ „
        return _OPENING
    if third == 0xA6:  # …
        return _SENTENCE
    return _CLOSING if third == 0x9D else _SPACE * (third == 0xAF)  # ”, narrow no-break space


@kernel
def _read(
    labels: npt.NDArray[np.uint8],
    gaps: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
    silent: npt.NDArray[np.bool_],
    short: npt.NDArray[np.bool_],
    first: Places,
    prior: Places,
    zxx: int,
    und: int,
) -> Places:
    """The language of each piece, by the cheapest reading of its block."""
    chosen = np.empty(len(labels), np.int64)
    cost = np.empty(und, np.float64)
    came = np.empty(_DECODED, np.int64)
    changed = np.empty((_DECODED, und), np.bool_)
    for block in range(len(first) - 1):
        begin, end = first[block], first[block + 1]
        if silent[begin:end].all():
            known = prior[block] if prior[block] >= 0 else und
            chosen[begin:end] = known if zxx < 0 or short[begin:end].all() else zxx
            continue
        cost[:] = 0
        if prior[block] >= 0:
            cost[:] = CHANGE
            cost[prior[block]] = 0
        # A very long text is decided stretch by stretch; the costs go on from one to the next.
        for at in range(begin, end, _DECODED):
            stop = min(at + _DECODED, end)
            for i in range(at, stop):
                # The cheapest language costs nothing here, so no other costs more than a change to it.
                cheapest = und
                for name in range(und):
                    cheapest = min(cheapest, name if cost[name] == 0 else und)
                    changed[i - at, name] = cost[name] > CHANGE
                    cost[name] = min(cost[name], CHANGE)
                came[i - at] = cheapest
                if not silent[i]:
                    cost += FLOOR * confidence[i, 0]
                    for k in range(labels.shape[1]):
                        if gaps[i, k] < FLOOR:
                            cost[labels[i, k]] += (gaps[i, k] - FLOOR) * confidence[i, 0]
                    # What was cheapest still is, or one of the likeliest.
                    least = cost[cheapest]
                    for k in range(labels.shape[1]):
                        least = min(least, cost[labels[i, k]])
                    cost -= least
            name = int(cost.argmin())
            for i in range(stop - 1, at - 1, -1):
                chosen[i] = name
                if changed[i - at, name]:
                    name = came[i - at]
    return chosen
