"""Which language a stretch of text is in: the model of py3langid, read from its package and run by a kernel.

The model is naive Bayes over n-grams of bytes. An automaton walks the bytes and names, after each, the
longest n-gram that ends there; a stretch scores for each language

    prior + Σ over its n-grams of log(1 + count) · log P(n-gram | language)

and the scores, divided by the square root of the stretch's length in bytes, are the logarithms of what is
shown as confidence. All of this is py3langid's definition; the answers are the same, ten times faster.

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

#: How many languages a stretch is remembered to be likeliest in.
KEPT = 4

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


class Automaton(NamedTuple):
    """The walk: rows of 256 next states, the row of each state, the n-gram that ends in it or -1."""

    next: npt.NDArray[np.uint32]
    row: npt.NDArray[np.uint16]
    gram: npt.NDArray[np.int32]


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
    """

    languages: tuple[str, ...]
    automaton: Automaton
    table: npt.NDArray[np.int16]
    prior: npt.NDArray[np.int64]
    label: npt.NDArray[np.uint8]

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
        _score(data, starts, ends, *self.automaton, self.table, self.prior, self.label, _logs(), *found)
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
    scaled = model["ptc"][:, columns].astype(np.float32) * _TABLE
    table = np.ascontiguousarray(scaled.astype(np.int16))
    if not np.array_equal(table, scaled):
        raise _other_make(place)
    return Identifier(
        languages=names,
        automaton=Automaton(
            model["nextmove"].astype(np.uint32),
            model["nextmove_row"].astype(np.uint16),
            model["out_feat"].astype(np.int32),
        ),
        table=table,
        prior=np.round(model["pc"][columns].astype(np.float64) * _SCORE).astype(np.int64),
        # One language may have a class for each of its scripts.
        label=np.array([names.index(classes[i]) for i in columns], np.uint8),
    )


def model_provenance() -> dict[str, Any]:
    """Where the model comes from, for the statement of whatever was made with it."""
    data, place = _file()
    classes = {str(name) for name in _unpack(data, place)["classes"]}
    return {
        "package": PACKAGE,
        "version": importlib.metadata.version(PACKAGE),
        "file": FILE,
        "sha256": sha256_bytes(data),
        "licence": "BSD-3-Clause",
        "languages": sorted(classes),
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
    next_state: npt.NDArray[np.uint32],
    row: npt.NDArray[np.uint16],
    gram: npt.NDArray[np.int32],
    table: npt.NDArray[np.int16],
    prior: Places,
    label: npt.NDArray[np.uint8],
    logs: Places,
    labels: npt.NDArray[np.uint8],
    gaps: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
) -> None:
    grams, columns = table.shape
    counts = np.zeros(grams, np.int32)
    seen = np.empty(grams, np.int32)
    once = np.empty(columns, np.int32)
    total = np.empty(columns, np.int64)
    best = np.empty(label.max() + 1, np.float64)
    power = np.empty(label.max() + 1, np.float64)
    for piece in range(len(starts)):
        state = np.uint32(0)
        distinct = 0
        for i in range(starts[piece], ends[piece]):
            state = next_state[(np.int64(row[state]) << 8) | np.int64(data[i])]
            g = gram[state]
            if g >= 0:
                if counts[g] == 0:
                    seen[distinct] = g
                    distinct += 1
                counts[g] += 1
        # Most n-grams stand once in a stretch: their sum needs one product a language, not one each.
        once[:] = 0
        total[:] = 0
        if distinct:  # where no n-gram is known, every language is as likely
            total += prior
        for k in range(distinct):
            g = seen[k]
            count = counts[g]
            counts[g] = 0
            if count == 1:
                for column in range(columns):
                    once[column] += table[g, column]
            else:
                weight = logs[count] if count < len(logs) else np.int64(math.log1p(count) * _LOG + 0.5)
                for column in range(columns):
                    total[column] += weight * np.int64(table[g, column])
        for column in range(columns):
            total[column] += logs[1] * np.int64(once[column])
        scale = _SCORE * math.sqrt(max(1, ends[piece] - starts[piece]))
        _rank(total, scale, label, best, power, labels[piece], gaps[piece], confidence[piece])


@kernel
def _rank(
    total: Places,
    scale: float,
    label: npt.NDArray[np.uint8],
    best: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    labels: npt.NDArray[np.uint8],
    gaps: npt.NDArray[np.float32],
    confidence: npt.NDArray[np.float32],
) -> None:
    """The likeliest languages by their scores; a language in two scripts has the sum of two classes."""
    top = total.max()
    best[:] = 1e9
    power[:] = 0
    whole = 0.0
    for column in range(len(total)):
        gap = (top - total[column]) / scale
        best[label[column]] = min(best[label[column]], gap)
        if gap < 32:
            term = _exponential(-gap)
            power[label[column]] += term
            whole += term
    for k in range(len(labels)):
        found = 0
        for name in range(1, len(power)):
            if power[name] > power[found] or (power[name] == power[found] and best[name] < best[found]):
                found = name
        labels[k] = found
        gaps[k] = best[found]
        confidence[k] = power[found] / whole
        power[found] = -1.0


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
