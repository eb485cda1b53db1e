"""Kernels that score stretches of text for each language: how `language_model`'s formula is worked out fast.

A step of the automaton waits for the one before to come out of memory; so several stretches are walked side
by side. The logarithms of n-grams that stand as often in a stretch are added up before they are multiplied,
eight at a time in 16 bits. Every number up to the last division is whole, so no order of adding can show;
the probabilities are floats, and are added up in the model's order.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel

#: Scores are whole multiples of 2**-33: the table in 512ths, the logarithm of a count in 2**-24ths.
TABLE, LOG, SCORE = 512, 1 << 24, float(1 << 33)

#: Bits of a state that tell it from others with the same row.
SHIFT = 8
SHARED = (1 << SHIFT) - 1
#: Stretches walked side by side, and bytes walked before their n-grams are counted: they stay in the cache.
_LANES, _WALKED = 16, 1 << 15
#: Columns in a block of the table, of a number that the compiler knows; rows added up in 16 bits.
WIDE, AT_ONCE = 64, 8

#: How many languages a stretch is remembered to be likeliest in.
KEPT = 4

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


class Automaton(NamedTuple):
    """The walk. A state is the number of its row, times 256, and its number among those that share the row.

    Attributes:
        start: the state before the first byte.
        next: rows of 256 next states.
        first: of each row, the place of its first state in `gram`.
        gram: the n-gram that ends in a state, or the number after the last.
    """

    start: int
    next: npt.NDArray[np.uint32]
    first: npt.NDArray[np.uint32]
    gram: npt.NDArray[np.uint32]


class Likeliest(NamedTuple):
    """Of each stretch, its `KEPT` likeliest languages, best first.

    Attributes:
        labels: numbers of languages in `Identifier.languages`; uint8 of (stretches, KEPT).
        gaps: how far each lies behind the first, in nats over the square root of bytes; float32. The first is
            0, and where no n-gram of the model was seen all are.
        confidence: probability of each, by the library's measure; float32.
    """

    labels: npt.NDArray[np.uint8]
    gaps: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]


@kernel
def _exponential(x: float) -> float:
    """e**x for −32 ≤ x ≤ 0 to 12 digits, by sums and products alone: the same on every machine."""
    y = x / 1024
    power = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5))))
    for _ in range(10):
        power *= power
    return power


@kernel
def score(
    data: Bytes,
    starts: Places,
    ends: Places,
    automaton: Automaton,
    table: npt.NDArray[np.int16],
    prior: Places,
    label: npt.NDArray[np.uint8],
    order: npt.NDArray[np.uint8],
    logs: Places,
    found: Likeliest,
) -> None:
    """The likeliest languages of each stretch, into `found`; the other arguments are `Identifier`'s."""
    none = table.shape[1] - 1
    counts = np.zeros(none + 1, np.int32)
    seen = np.empty(none + 2, np.uint32)
    alike = np.empty(none + AT_ONCE + 1, np.uint32)
    sums = np.empty((len(table), WIDE), np.int32)
    total = np.empty((len(table), WIDE), np.int64)
    states = np.empty(_WALKED, np.uint32)
    gap, power = np.empty(len(prior), np.float64), np.empty(len(prior), np.float64)
    likely, near = np.arange(KEPT).astype(np.uint8), np.empty(label.max() + 2, np.uint8)
    begin = end = 0
    while begin < len(starts):
        size = 0
        while end < len(starts) and (end == begin or size + ends[end] - starts[end] <= _WALKED):
            size += ends[end] - starts[end]
            end += 1
        if size > len(states):
            states = np.empty(size, np.uint32)
        _walk(data, starts, ends, begin, end, automaton, states)
        at = 0
        for piece in range(begin, end):
            length = ends[piece] - starts[piece]
            counts[none] = 1  # so that what is no n-gram is never a new one
            distinct = 0
            for state in states[at : at + length]:
                g = automaton.gram[automaton.first[state >> SHIFT] + (state & SHARED)]
                seen[distinct] = g
                distinct += counts[g] == 0
                counts[g] += 1
            at += length
            total[:] = 0
            if distinct:  # where no n-gram is known, every language is as likely
                for column in range(len(prior)):
                    total[column // WIDE, column % WIDE] = prior[column]
            count = 1
            while distinct:
                same = left = 0
                more = 0x7FFFFFFF
                for k in range(distinct):
                    g = seen[k]
                    alike[same] = seen[left] = g
                    same += counts[g] == count
                    left += counts[g] != count
                    more = min(more, counts[g]) if counts[g] != count else more
                for k in range(same):
                    counts[alike[k]] = 0
                alike[same : same + AT_ONCE] = none
                _add(table, alike, same, sums)
                weight = logs[count] if count < len(logs) else np.int64(math.log1p(count) * LOG + 0.5)
                for block in range(len(total)):
                    for column in range(WIDE):
                        total[block, column] += weight * np.int64(sums[block, column])
                distinct, count = left, more
            scale = SCORE * math.sqrt(max(1, length))
            whole = _rank(total.ravel(), scale, label, order, gap, power, likely, near)
            for k in range(KEPT):
                found.labels[piece, k] = likely[k]
                found.gaps[piece, k] = gap[likely[k]]
                found.confidence[piece, k] = power[likely[k]] / whole
        begin = end


@kernel
def _walk(
    data: Bytes,
    starts: Places,
    ends: Places,
    piece: int,
    last: int,
    automaton: Automaton,
    states: npt.NDArray[np.uint32],
) -> None:
    """The state after each byte of some stretches."""
    at, end = np.zeros(_LANES, np.uint64), np.zeros(_LANES, np.uint64)
    to, state = np.zeros(_LANES, np.uint64), np.zeros(_LANES, np.uint32)
    lanes = _LANES
    place = 0
    while True:
        lane = 0
        while lane < lanes:
            if at[lane] < end[lane]:
                lane += 1
            elif piece < last:
                at[lane], end[lane] = starts[piece], ends[piece]
                to[lane], state[lane] = place, automaton.start
                place += ends[piece] - starts[piece]
                piece += 1
            else:
                lanes -= 1
                at[lane], end[lane] = at[lanes], end[lanes]
                to[lane], state[lane] = to[lanes], state[lanes]
        if lanes == 0:
            return
        steps = end[0] - at[0]
        for lane in range(1, lanes):
            steps = min(steps, end[lane] - at[lane])
        for step in range(steps):
            for lane in range(lanes):
                row = state[lane] & np.uint32(~SHARED & 0xFFFFFFFF)
                state[lane] = automaton.next[row | np.uint32(data[at[lane] + step])]
                states[to[lane] + step] = state[lane]
        for lane in range(lanes):
            at[lane] += steps
            to[lane] += steps


@kernel
def _add(
    table: npt.NDArray[np.int16], grams: npt.NDArray[np.uint32], n: int, sums: npt.NDArray[np.int32]
) -> None:
    """The sum of some rows of the table; eight together fit 16 bits."""
    sums[:] = 0
    for block in range(len(table)):
        rows, own = table[block], sums[block]
        for k in range(0, n, AT_ONCE):
            a, b, c, d = rows[grams[k]], rows[grams[k + 1]], rows[grams[k + 2]], rows[grams[k + 3]]
            e, f, g, h = rows[grams[k + 4]], rows[grams[k + 5]], rows[grams[k + 6]], rows[grams[k + 7]]
            for j in range(WIDE):
                own[j] += np.int16(a[j] + b[j] + c[j] + d[j] + e[j] + f[j] + g[j] + h[j])


@kernel
def _rank(
    total: Places,
    scale: float,
    label: npt.NDArray[np.uint8],
    order: npt.NDArray[np.uint8],
    gap: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    likely: npt.NDArray[np.uint8],
    near: npt.NDArray[np.uint8],
) -> float:
    """The likeliest languages by their scores; a language in two scripts has the sum of two classes.

    `likely` goes in as any languages, best those of the stretch before, and comes out as the likeliest; `gap`
    and `power` begin with one number a language. Returns the sum of all powers.
    """
    top = total[0]
    for column in range(len(gap)):
        top = max(top, total[column])
    for column in range(len(gap)):
        gap[column] = np.divide(np.float64(top - total[column]), scale)  # `/` would look for a zero each time
        term = _exponential(-gap[column] if gap[column] < 32 else -32.0)
        power[column] = term if gap[column] < 32 else 0.0
    whole = 0.0
    for column in order:
        whole += power[column]
    languages = len(near) - 1
    for column in range(languages, len(gap)):
        gap[label[column]] = min(gap[label[column]], gap[column])
        power[label[column]] += power[column]
    # Only those that are as strong as the weakest of any four can be among the likeliest four.
    least = power[likely[0]]
    for k in range(1, len(likely)):
        least = min(least, power[likely[k]])
    candidates = 0
    for name in range(languages):
        near[candidates] = name
        candidates += power[name] >= least
    for candidate in range(candidates):
        name = near[candidate]
        k = min(candidate, len(likely))
        while k:
            other = likely[k - 1]
            if power[name] < power[other] or (power[name] == power[other] and gap[name] >= gap[other]):
                break
            if k < len(likely):
                likely[k] = other
            k -= 1
        if k < len(likely):
            likely[k] = name
    return whole


@kernel
def shouted(data: Bytes, starts: Places, ends: Places, cases: Bytes) -> npt.NDArray[np.bool_]:
    """Stretches with a capital and no small letter; a character past U+FFFF counts as a capital."""
    found = np.zeros(len(starts), np.bool_)
    for piece in range(len(starts)):
        capitals = 0
        i, end = starts[piece], ends[piece]
        while i < end:
            byte = np.int64(data[i])
            size = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            code = byte & (0x7F if size == 1 else 0x1F if size == 2 else 0x0F)
            for k in range(1, min(size, end - i)):
                code = (code << 6) | (np.int64(data[i + k]) & 0x3F)
            case = 2 if code > 0xFFFF else cases[code]
            if case == 1:
                capitals = 0
                break
            capitals += case
            i += size
        found[piece] = capitals > 0
    return found
