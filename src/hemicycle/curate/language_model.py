"""Which language a stretch of text is in: the model of py3langid, read from its package and run by a kernel.

The model is naive Bayes over n-grams of bytes. An automaton walks the bytes and names, after each, the
longest n-gram that ends there; a stretch scores for each language

    prior + Σ over its n-grams of log(1 + count) · log P(n-gram | language)

and the scores, divided by the square root of the stretch's length in bytes, are the logarithms of what is
shown as confidence. All of this is py3langid's definition; the answers are the same, thirty times faster.

Three traps. The library's `classify` and `set_languages` share one identifier for the whole process, so a
restriction made for one call holds for all later ones: here a restriction is a value of its own. Sums of
floats depend on their order, and exponentials on the machine's C library: the numbers of the table are
whole multiples of 1/512, so scores are sums of integers, and the exponential is our own. And the library
lowers a text that is all capitals by rules that no table of single characters gives: such stretches are
found here and written anew by Python.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import io
import lzma
import math
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.kernels import kernel

PACKAGE, FILE = "py3langid", "data/model.npz.xz"

#: Languages of Europe and of the French-speaking territories that the model knows, and `zxx`, its class for
#: what is no language: numbers, markup, listings. Aragonese and Extremaduran are left out: with them, Spanish
#: is taken for either more often than they are met. The model has no Corsican, Alsatian, Franco-Provençal,
#: Picard, Romansh, Friulian, Sardinian, Sicilian, Asturian, Sorbian, Tahitian or Kanak language: such text is
#: found in the nearest language that it has, or in none.
DEFAULT = tuple(
    "ar be bg br bs ca cs cy da de el en eo es et eu fi fo fr fy ga gcf gcr gd gl grc hr ht hu hy is it ka "
    "kab la lb lij lt ltg lv mk mt nl nn no oc pl pt ro ru se sk sl sq sr sv tr uk vec wa zxx".split()
)

#: Scores are whole multiples of 2**-33: the table in 512ths, the logarithm of a count in 2**-24ths.
_TABLE, _LOG, _SCORE = 512, 1 << 24, float(1 << 33)
_COUNTS = 4096

#: Bits of a state that tell it from others with the same row.
_SHIFT = 8
_SHARED = (1 << _SHIFT) - 1
#: Stretches walked side by side, and bytes walked before their n-grams are counted: they stay in the cache.
_LANES, _WALKED = 16, 1 << 15
#: Columns in a block of the table, of a number that the compiler knows; rows added up in 16 bits.
_WIDE, _AT_ONCE = 64, 8
#: 16-bit numbers in a line of the cache; a row that begins with one takes the fewest.
_LINE = 32
#: Stands for what no multiple of 1/512 is.
_NO_NUMBER = -0x8000

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


@dataclass(frozen=True)
class Identifier:
    """The model restricted to some languages.

    Attributes:
        languages: in the model's order; the numbers that `likeliest` gives.
        known: languages of the whole model.
        table: of each n-gram what it says for each class, in blocks of columns (`_table`).
        prior: of each class.
        label: the language of each class; the first are those of all the languages, in order.
        order: the classes in the model's order, in which their probabilities are added up.
    """

    languages: tuple[str, ...]
    known: frozenset[str]
    automaton: Automaton
    table: npt.NDArray[np.int16]
    prior: npt.NDArray[np.int64]
    label: npt.NDArray[np.uint8]
    order: npt.NDArray[np.uint8]

    def likeliest(self, data: Bytes, starts: Places, ends: Places) -> Likeliest:
        """The likeliest languages of the stretches `starts[i]` to `ends[i]` of a buffer of UTF-8."""
        found = self._scored(data, starts, ends)
        shouted = np.flatnonzero(_shouted(data, starts, ends, _cases()))
        lowered, where, bounds = _lowered(data, starts, ends, shouted)
        again = self._scored(lowered, bounds[:-1], bounds[1:])
        found.labels[where] = again.labels
        found.gaps[where] = again.gaps
        found.confidence[where] = again.confidence
        return found

    def _scored(self, data: Bytes, starts: Places, ends: Places) -> Likeliest:
        n = len(starts)
        found = Likeliest(
            np.zeros((n, KEPT), np.uint8), np.zeros((n, KEPT), np.float32), np.zeros((n, KEPT), np.float32)
        )
        _score(
            data, starts, ends, self.automaton, self.table, self.prior, self.label, self.order, _logs(), found
        )
        return found


@functools.lru_cache(maxsize=4)
def load_identifier(languages: tuple[str, ...] = DEFAULT) -> Identifier:
    """The model of the installed py3langid, for these languages only.

    Raises:
        InputError: the package is missing, or its model is of another make.
        DeclarationError: fewer than two languages, or one that the model lacks.
    """
    data, place = _file()
    model = _unpack(data, place)
    classes = [str(name) for name in model["classes"]]
    for language in languages:
        if language not in classes:
            raise DeclarationError(
                f"the model of {PACKAGE} has no language “{language}”",
                remedy=did_you_mean(language, classes) or "`model_provenance()` lists those it has.",
            )
    if len(set(languages)) < KEPT:
        raise DeclarationError(f"languages are told apart among {KEPT} or more, not {len(set(languages))}")
    columns = [i for i, name in enumerate(classes) if name in languages]
    names = tuple(dict.fromkeys(classes[i] for i in columns))
    # One language may have a class for each of its scripts: the second ones stand after all the first.
    columns.sort(key=lambda i: (classes[i] in classes[:i], i))
    return Identifier(
        languages=names,
        known=frozenset(classes),
        automaton=_automaton(model, place),
        table=_table(model["ptc"][:, columns], place),
        prior=np.round(model["pc"][columns].astype(np.float64) * _SCORE).astype(np.int64),
        label=np.array([names.index(classes[i]) for i in columns], np.uint8),
        order=np.argsort(columns).astype(np.uint8),
    )


def model_provenance() -> dict[str, Any]:
    """Where the model comes from, for the statement of whatever was made with it."""
    data, _ = _file()
    return {
        "package": PACKAGE,
        "version": importlib.metadata.version(PACKAGE),
        "file": FILE,
        "sha256": sha256_bytes(data),
        "licence": "BSD-3-Clause",
        "languages": sorted(load_identifier().known),
        "training": (
            "By the project's own notes: about 131 000 documents of Wikipedia, Leipzig Corpora news, CC-100, "
            "Tatoeba, GlotCC-V1, Glot500 and GlotSparse, at most 300 of each language and collection. The "
            "documents themselves and their rights are not published; no text of theirs is in the model, "
            "which holds n-grams of at most six bytes."
        ),
        "training_stated_at": "https://github.com/adbar/py3langid/blob/master/TRAINING.md",
        "training_checked": "2026-11-26",
    }


def _file() -> tuple[bytes, str]:
    """The model's bytes and where they lie, found without running a line of the package."""
    try:
        spec = importlib.util.find_spec(PACKAGE)
        path = Path(str(spec and spec.origin)).parent / FILE
        return path.read_bytes(), str(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the language model of {PACKAGE} is not installed", remedy=f"`pip install {PACKAGE}==0.4.0`"
        ) from error


def _unpack(data: bytes, place: str) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(io.BytesIO(lzma.decompress(data)), allow_pickle=False) as arrays:
            model = {name: arrays[name] for name in arrays.files}
        grams, classes = model["ptc"].shape
        states = len(model["nextmove_row"])
        fits = (
            len(model["classes"]) == len(model["pc"]) == classes
            and len(model["out_feat"]) == states
            and model["nextmove"].max() < states
            and int(model["nextmove_row"].max()) < len(model["nextmove"]) // 256
            and -1 <= model["out_feat"].min() <= model["out_feat"].max() < grams
        )
    except (lzma.LZMAError, ValueError, KeyError, OSError, EOFError) as error:
        raise _other_make(place) from error
    if not fits:
        raise _other_make(place)
    return model


def _automaton(model: dict[str, npt.NDArray[Any]], place: str) -> Automaton:
    rows = model["nextmove_row"]
    order = np.argsort(rows, kind="stable")
    first = np.searchsorted(rows[order], np.arange(len(model["nextmove"]) // 256)).astype(np.uint32)
    number = np.empty(len(rows), np.uint32)
    number[order] = np.arange(len(rows))
    number -= first[rows]
    if number.max() > _SHARED or len(first) >= 1 << (32 - _SHIFT):
        raise _other_make(place)
    states = rows.astype(np.uint32) << _SHIFT | number
    gram = model["out_feat"][order]
    none = len(model["ptc"])
    return Automaton(
        int(states[0]), states[model["nextmove"]], first, np.where(gram < 0, none, gram).astype(np.uint32)
    )


def _table(logarithms: npt.NDArray[np.float16], place: str) -> npt.NDArray[np.int16]:
    """The n-grams' logarithms for each language, in 512ths, as blocks of `_WIDE` columns.

    From all one number is taken away: only differences between languages count, and smaller numbers can be
    added in 16 bits. The row after the last stands for no n-gram and adds nothing.
    """
    # There are but 65 536 such numbers: each is looked up by its bits.
    with np.errstate(invalid="ignore"):  # some of them are no numbers
        every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64) * _TABLE
    whole = (np.abs(every) < -_NO_NUMBER) & (every == np.round(every))
    numbers = np.where(whole, every, _NO_NUMBER).astype(np.int16)[logarithms.view(np.uint16)]
    least, most = int(numbers.min()), int(numbers.max())
    if least == _NO_NUMBER or (most - least + 1) // 2 * _AT_ONCE > 0x7FFF:
        raise _other_make(place)
    numbers -= np.int16((most + least) // 2)
    grams, columns = numbers.shape
    shape = (-(-columns // _WIDE), grams + 1, _WIDE)
    room = np.zeros(math.prod(shape) + _LINE, np.int16)
    table = room[-room.ctypes.data // 2 % _LINE :][: math.prod(shape)].reshape(shape)
    for block, own in enumerate(table):
        part = numbers[:, block * _WIDE : (block + 1) * _WIDE]
        own[:-1, : part.shape[1]] = part
    return table


def _other_make(place: str) -> InputError:
    return InputError(
        "this language model is not laid out as that of py3langid 0.4",
        place=place,
        remedy=f"`pip install {PACKAGE}==0.4.0`",
    )


@functools.cache
def _logs() -> Places:
    """log(1 + count) for small counts, in 2**-24ths."""
    return np.round(np.log1p(np.arange(_COUNTS)) * _LOG).astype(np.int64)


@functools.cache
def _cases() -> Bytes:
    """For each character up to U+FFFF: 1 a small letter, 2 a capital, 0 neither."""
    cases = np.zeros(0x10000, np.uint8)
    for code in range(0x10000):
        character = chr(code)
        cases[code] = 1 if character.islower() or character.istitle() else 0
        if character.isupper():
            cases[code] = 2
    return cases


def _lowered(
    data: Bytes, starts: Places, ends: Places, candidates: npt.NDArray[np.intp]
) -> tuple[Bytes, npt.NDArray[np.intp], Places]:
    """The stretches that are all capitals, in small letters: buffer, their numbers, their bounds."""
    pieces, where = [], []
    for i in candidates.tolist():
        text = data[starts[i] : ends[i]].tobytes().decode("utf-8", "replace")
        if text.isupper():
            pieces.append(unicodedata.normalize("NFC", text.lower()).encode())
            where.append(i)
    bounds = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    return np.frombuffer(b"".join(pieces), np.uint8), np.array(where, np.intp), bounds


@kernel
def _exponential(x: float) -> float:
    """e**x for −32 ≤ x ≤ 0 to 12 digits, by sums and products alone: the same on every machine."""
    y = x / 1024
    power = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5))))
    for _ in range(10):
        power *= power
    return power


@kernel
def _score(
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
    none = table.shape[1] - 1
    counts = np.zeros(none + 1, np.int32)
    seen = np.empty(none + 2, np.uint32)
    alike = np.empty(none + _AT_ONCE + 1, np.uint32)
    sums = np.empty((len(table), _WIDE), np.int32)
    total = np.empty((len(table), _WIDE), np.int64)
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
                g = automaton.gram[automaton.first[state >> _SHIFT] + (state & _SHARED)]
                seen[distinct] = g
                distinct += counts[g] == 0
                counts[g] += 1
            at += length
            total[:] = 0
            if distinct:  # where no n-gram is known, every language is as likely
                for column in range(len(prior)):
                    total[column // _WIDE, column % _WIDE] = prior[column]
            # N-grams that stand as often in the stretch are added up before they are multiplied.
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
                alike[same : same + _AT_ONCE] = none
                _add(table, alike, same, sums)
                weight = logs[count] if count < len(logs) else np.int64(math.log1p(count) * _LOG + 0.5)
                for block in range(len(total)):
                    for column in range(_WIDE):
                        total[block, column] += weight * np.int64(sums[block, column])
                distinct, count = left, more
            scale = _SCORE * math.sqrt(max(1, length))
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
    """The state after each byte of some stretches.

    Each step waits for the one before to come out of memory; so several stretches are walked side by side.
    """
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
                row = state[lane] & np.uint32(~_SHARED & 0xFFFFFFFF)
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
        for k in range(0, n, _AT_ONCE):
            a, b, c, d = rows[grams[k]], rows[grams[k + 1]], rows[grams[k + 2]], rows[grams[k + 3]]
            e, f, g, h = rows[grams[k + 4]], rows[grams[k + 5]], rows[grams[k + 6]], rows[grams[k + 7]]
            for j in range(_WIDE):
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
def _shouted(data: Bytes, starts: Places, ends: Places, cases: Bytes) -> npt.NDArray[np.bool_]:
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
