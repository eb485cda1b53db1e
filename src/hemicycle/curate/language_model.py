"""Which language a stretch of text is in: the model of py3langid, read from its package and run by a kernel.

The model is naive Bayes over n-grams of bytes. An automaton walks the bytes and names, after each, the
longest n-gram that ends there; a stretch scores for each language

    prior + Σ over its n-grams of log(1 + count) · log P(n-gram | language)

and the scores, divided by the square root of the stretch's length in bytes, are the logarithms of what is
shown as confidence. All of this is py3langid's definition; the answers are the same, and come faster.

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
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.language_score import (
    AT_ONCE,
    KEPT,
    LOG,
    SCORE,
    SHARED,
    SHIFT,
    TABLE,
    WIDE,
    Automaton,
    Bytes,
    Likeliest,
    Places,
    score,
    shouted,
)
from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, InputError, did_you_mean

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

#: Logarithms of counts that are looked up.
_COUNTS = 4096
#: 16-bit numbers in a line of the cache; a row that begins with one takes the fewest.
_LINE = 32
#: Stands for what no multiple of 1/512 is.
_NO_NUMBER = -0x8000


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
        capitals = np.flatnonzero(shouted(data, starts, ends, _cases()))
        lowered, where, bounds = _lowered(data, starts, ends, capitals)
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
        score(
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
        prior=np.round(model["pc"][columns].astype(np.float64) * SCORE).astype(np.int64),
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
    if number.max() > SHARED or len(first) >= 1 << (32 - SHIFT):
        raise _other_make(place)
    states = rows.astype(np.uint32) << SHIFT | number
    gram = model["out_feat"][order]
    none = len(model["ptc"])
    return Automaton(
        int(states[0]), states[model["nextmove"]], first, np.where(gram < 0, none, gram).astype(np.uint32)
    )


def _table(logarithms: npt.NDArray[np.float16], place: str) -> npt.NDArray[np.int16]:
    """The n-grams' logarithms for each language, in 512ths, as blocks of `WIDE` columns.

    From all one number is taken away: only differences between languages count, and smaller numbers can be
    added in 16 bits. The row after the last stands for no n-gram and adds nothing.
    """
    # There are but 65 536 such numbers: each is looked up by its bits.
    with np.errstate(invalid="ignore"):  # some of them are no numbers
        every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64) * TABLE
    whole = (np.abs(every) < -_NO_NUMBER) & (every == np.round(every))
    numbers = np.where(whole, every, _NO_NUMBER).astype(np.int16)[logarithms.view(np.uint16)]
    least, most = int(numbers.min()), int(numbers.max())
    if least == _NO_NUMBER or (most - least + 1) // 2 * AT_ONCE > 0x7FFF:
        raise _other_make(place)
    numbers -= np.int16((most + least) // 2)
    grams, columns = numbers.shape
    shape = (-(-columns // WIDE), grams + 1, WIDE)
    room = np.zeros(math.prod(shape) + _LINE, np.int16)
    table = room[-room.ctypes.data // 2 % _LINE :][: math.prod(shape)].reshape(shape)
    for block, own in enumerate(table):
        part = numbers[:, block * WIDE : (block + 1) * WIDE]
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
    return np.round(np.log1p(np.arange(_COUNTS)) * LOG).astype(np.int64)


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
