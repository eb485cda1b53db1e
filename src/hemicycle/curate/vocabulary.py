"""Counts over the words of a batch: which words they are, and whether they look like words at all.

The lists are short and French; they are compared as hashes, `folded` ones where case and typography do not
matter. What looks unlike a word is counted for text that came through a scanner: a person reads "pr^sident"
or "l0i" without noticing, a model learns them.
"""

from __future__ import annotations

import enum
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.characters import characters
from hemicycle.curate.words import Bytes, Counts, Hashes, Places, Words, word_hash
from hemicycle.kernels import scan

#: Function words that make up a third of any French prose.
FRENCH_WORDS = (
    "le la les l' un une des du de d' et à au aux en dans par pour sur avec sans que qu' qui ce cette ces "
    "cet se s' ne n' pas est sont il elle on nous vous ils elles je j' plus ou mais si comme son sa ses "
    "leur leurs être avoir été a ont c' y"
).split()
#: Stop words of huggingface/fineweb-2, configs/fra_Latn.yml (seen 2026-11), and of Gopher, for English.
STOP_WORDS = {
    "fr": "de la le et à en l' des du les est d' un une il dans par au".split(),
    "en": "the be to of and that have with".split(),
}
#: Sounds that a transcript of speech may write down.
FILLERS = "euh heu hum hmm mmh mh ben bah hein pff".split()
#: Words that French says twice in a row.
TWICE = "nous vous".split()

#: One letter that is a word: a, à, y, ô, and English I.
_ONE_LETTER = "aAàÀyYôÔI"
#: Signs that a scanner puts where a letter was.
_ODD_SIGNS = "^~|\\§¬£¥¢©®■•°«»"
#: Longest runs of one letter and of consonants that a word has.
_SAME, _CONSONANTS = 3, 5

# Constants of the kernels; characters.py and words.py explain them.
_LETTER, _DIGIT, _CLASS, _CAPITAL, _VOWEL = 1, 2, 7, 8, 32
_HAS_LETTER, _HAS_DIGIT, _ELISION, _ONLY_SIGNS = 1, 2, 4, 8
_IS_FRENCH, _IS_FILLER, _IS_TWICE = 1, 2, 4
_IS_CONSONANT, _IS_LEAD, _IS_SECOND, _IS_VOWEL, _IS_STRANGE = 1, 2, 4, 8, 16
_LONGEST_LOOKED_AT = 32


class Count(enum.IntEnum):
    """What is counted of each text: the columns of `count_words`."""

    ALL = 0
    WORDS = 1
    WORD_CHARACTERS = 2
    WITH_LETTER = 3
    FRENCH = 4
    STOP_FR = 5
    STOP_EN = 6
    FILLERS = 7
    REPEATED = 8
    ISOLATED = 9
    VOWELLESS = 10
    MIXED = 11
    UNLIKELY = 12


def count_words(data: Bytes, words: Words) -> npt.NDArray[np.int64]:
    """Count everything in `Count` of each text: (texts, counts)."""
    counts = np.zeros((len(words.offsets) - 1, len(Count)), np.int64)
    _count(
        data,
        words.offsets,
        words.starts,
        words.ends,
        words.characters,
        words.exact,
        words.folded,
        words.flags,
        characters().classes,
        _of_bytes(),
        *_KINDS,
        *_STOPS,
        _ONE_LETTER_POINTS,
        _ODD_SIGN_POINTS,
        counts,
    )
    return counts


def _table(entries: dict[str, int]) -> tuple[Hashes, npt.NDArray[np.uint32]]:
    """Words and their values as an open-addressing table of 512 slots, most of them free."""
    keys, values = np.zeros(512, np.uint64), np.zeros(512, np.uint32)
    for word, value in entries.items():
        key = word_hash(word)
        slot = key & 511
        while keys[slot]:
            slot = (slot + 1) & 511
        keys[slot], values[slot] = key, value
    return keys, values


def _kinds() -> dict[str, int]:
    kinds: dict[str, int] = {}
    for words, bit in ((FRENCH_WORDS, _IS_FRENCH), (FILLERS, _IS_FILLER), (TWICE, _IS_TWICE)):
        for word in words:
            kinds[word] = kinds.get(word, 0) | bit
    return kinds


def _stops() -> dict[str, int]:
    """A bit for every stop word of both lists, French ones from bit 0, English ones from bit 24."""
    stops: dict[str, int] = {}
    for first, language in ((0, "fr"), (24, "en")):
        for i, word in enumerate(STOP_WORDS[language]):
            for spelling in {word, word.replace("'", "’")}:
                stops[spelling] = stops.get(spelling, 0) | 1 << (first + i)
    return stops


@functools.cache
def _of_bytes() -> Bytes:
    """What a byte of a word may be to `_ordinary`: a vowel, alone or as the second byte behind C3, which
    begins most letters with an accent; a consonant; C3 itself; or one that it cannot tell."""
    classes = characters().classes[np.r_[:128, 0xC0:0x100]]
    letters, vowels = classes & _CLASS == _LETTER, classes & _VOWEL != 0
    kinds = np.full(256, _IS_STRANGE, np.uint8)
    kinds[:192] = np.where(vowels, _IS_VOWEL, letters * _IS_CONSONANT)
    kinds[128:192] |= _IS_SECOND
    kinds[0xC3] = _IS_LEAD | _IS_CONSONANT
    return kinds


_KINDS, _STOPS = _table(_kinds()), _table(_stops())
_ONE_LETTER_POINTS = np.array([ord(c) for c in _ONE_LETTER], np.int64)
_ODD_SIGN_POINTS = np.array([ord(c) for c in _ODD_SIGNS], np.int64)


@scan
def _decode(data: Bytes, at: int, stop: int) -> Any:
    """The code point at a place and the place after it; a byte that begins none counts alone, as U+FFFD."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    size = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 0
    if size == 0 or at + size > stop:
        return 0xFFFD, at + 1
    point = first & (0x7F >> size)
    for i in range(at + 1, at + size):
        byte = np.int64(data[i])
        if byte & 0xC0 != 0x80:
            return 0xFFFD, at + 1
        point = point << 6 | byte & 0x3F
    return (point, at + size) if point < 0x110000 else (0xFFFD, at + 1)


@scan
def _value(keys: Hashes, values: Any, key: Any) -> Any:
    slot = np.int64(key & np.uint64(511))
    while keys[slot] != 0:
        if keys[slot] == key:
            return values[slot]
        slot = (slot + 1) & 511
    return np.uint32(0)


@scan
def _bits(value: Any) -> int:
    count = 0
    while value:
        value &= value - np.uint32(1)
        count += 1
    return count


@scan
def _ordinary(data: Bytes, at: int, stop: int, of_bytes: Bytes) -> Any:
    """Whether a word without figures is sure to have nothing that `_look` counts: a bit a byte, no branch."""
    if stop - at > _LONGEST_LOOKED_AT:
        return False
    met = consonants = same = leads = seconds = before = np.int64(0)
    for i in range(np.uint64(at), np.uint64(stop)):
        byte = np.int64(data[i])
        kind = np.int64(of_bytes[byte])
        met |= kind
        consonants = consonants << 1 | kind & 1
        leads = leads << 1 | kind >> 1 & 1
        seconds = seconds << 1 | kind >> 2 & 1
        same = same << 1 | (byte == before)
        before = byte
    # Six consonants, where the first byte of two counts as one; one byte four times, two bytes three times.
    consonants &= consonants >> 1
    runs = consonants & consonants >> 2 & consonants >> 4 | same & same >> 1 & same >> 2
    runs |= leads & leads >> 2 & leads >> 4
    return met & (_IS_VOWEL | _IS_STRANGE) == _IS_VOWEL and runs == 0 and 2 * seconds == leads


@scan
def _look(data: Bytes, at: int, stop: int, classes: Bytes, total: Places) -> None:
    """Count a word among those without vowel, those of letters and figures mixed, and the unlikely ones."""
    letters, vowels, capitals, same, consonants, unlikely = 0, 0, 0, 0, 0, 0
    before, kind_before, mixed = 0, 0, False
    first_is_letter = True
    while at < stop:
        point, at = _decode(data, at, stop)
        kind = classes[point]
        if kind & _CLASS == _LETTER:
            letters += 1
            capitals += kind & _CAPITAL != 0
            same = same + 1 if point == before else 1
            consonants = 0 if kind & _VOWEL else consonants + 1
            vowels += kind & _VOWEL != 0
            unlikely += same == _SAME + 1 or consonants == _CONSONANTS + 1
        else:
            if kind & _CLASS == _DIGIT:
                mixed = mixed or (kind_before == _LETTER and first_is_letter)
                first_is_letter = first_is_letter and letters > 0
            same = consonants = 0
        before, kind_before = point, kind & _CLASS
    total[Count.MIXED] += mixed
    if capitals < letters:
        total[Count.VOWELLESS] += letters >= 3 and vowels == 0
        total[Count.UNLIKELY] += unlikely


@scan
def _odd_sign(
    data: Bytes, k: int, a: int, b: int, starts: Places, ends: Places, flags: Bytes, odd: Places
) -> bool:
    """Whether word k is a sign between two letters, such as no word has."""
    if k == a or k + 1 == b or starts[k] != ends[k - 1] or ends[k] != starts[k + 1]:
        return False
    if not flags[k - 1] & _HAS_LETTER or not flags[k + 1] & _HAS_LETTER:
        return False
    return _decode(data, starts[k], ends[k])[0] in odd


@scan
def _isolated(data: Bytes, at: int, end: int, stop: int, one_letter: Places) -> bool:
    """Whether a lone letter is no word, no abbreviation (M., n°) and no number of a list (b))."""
    if end < stop and (data[end] in (0x2E, 0x29) or _decode(data, end, stop)[0] == 0xB0):
        return False
    return _decode(data, at, end)[0] not in one_letter


@scan
def _count(
    data: Bytes,
    offsets: Places,
    starts: Places,
    ends: Places,
    lengths: Counts,
    exact: Hashes,
    folded: Hashes,
    flags: Bytes,
    classes: Bytes,
    of_bytes: Bytes,
    kinds: Hashes,
    kind_values: Any,
    stops: Hashes,
    stop_values: Any,
    one_letter: Places,
    odd: Places,
    counts: Any,
) -> None:
    for text in range(len(offsets) - 1):
        a, b = offsets[text], offsets[text + 1]
        total = counts[text]
        met = np.uint32(0)
        for k in range(a, b):
            if flags[k] & _ONLY_SIGNS:
                total[Count.UNLIKELY] += _odd_sign(data, k, a, b, starts, ends, flags, odd)
                continue
            total[Count.WORDS] += 1
            total[Count.WORD_CHARACTERS] += lengths[k]
            met |= _value(stops, stop_values, exact[k])
            if not flags[k] & _HAS_LETTER:
                continue
            total[Count.WITH_LETTER] += 1
            kind = _value(kinds, kind_values, folded[k])
            total[Count.FRENCH] += kind & _IS_FRENCH
            total[Count.FILLERS] += kind & _IS_FILLER != 0
            total[Count.REPEATED] += k > a and folded[k] == folded[k - 1] and kind & _IS_TWICE == 0
            if flags[k] & _ELISION:
                continue
            if lengths[k] == 1:
                total[Count.ISOLATED] += _isolated(data, starts[k], ends[k], ends[b - 1], one_letter)
            elif kind & _IS_FRENCH == 0 and (
                flags[k] & _HAS_DIGIT or not _ordinary(data, starts[k], ends[k], of_bytes)
            ):
                _look(data, starts[k], ends[k], classes, total)
        total[Count.ALL] = b - a
        total[Count.STOP_FR] = _bits(met & np.uint32(0xFFFFFF))
        total[Count.STOP_EN] = _bits(met >> np.uint32(24))
