"""The signature of a text: 112 bytes in which near copies agree.

A text is the set of its runs of five words. For each of 112 hash functions the smallest value over that
set is kept; two texts have the same smallest value with a probability equal to the share of runs they have
in common, their Jaccard similarity J (Broder, "On the resemblance and containment of documents", 1997).
Of each smallest value one byte is stored, as in b-bit minwise hashing (Li and König, WWW 2010): two bytes
agree with probability J + (1 - J) / 256. Eight bytes make a key, fourteen keys a signature, so the same
112 bytes serve twice: texts that share a key are candidates, and the number of bytes in which two
candidates agree tells how alike they are. Texts share a key with probability

    1 - (1 - (J + (1 - J) / 256)^8)^14

which is 0.05 at J = 0.5, 0.57 at 0.7, 0.93 at 0.8 and 1.00 at 0.9.

Two traps. The byte must be taken from a smallest value that was mixed once more: the low bits of
`factor * x + summand` depend on the low bits of x alone, and short texts would agree by chance. And the
signature must be the same on every machine, in every batch and for ever, so the hash functions are ours,
of whole numbers only, with their known answers in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.kernels import scan

#: Another number means other signatures: raise it with any change to this file that changes one.
SIGNATURES = 1

BANDS, ROWS = 14, 8
VALUES = BANDS * ROWS
#: Words in a run. A text of fewer words is one run.
SHINGLE = 5
#: Words whose runs are compared at a time.
_TOGETHER = 512

Keys = npt.NDArray[np.uint64]
Values = npt.NDArray[np.uint32]

#: Name and type of the column of signatures: one leaf a band, so that one band can be read by itself.
COLUMN = "near"
NAMES = tuple(f"band_{band:02d}" for band in range(BANDS))
TYPE = pa.struct([(name, pa.uint64()) for name in NAMES])

_ALL = 0xFFFFFFFFFFFFFFFF


def _mixed(number: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), in Python."""
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _ALL
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _ALL
    return number ^ number >> 31


#: value = factor * x + summand modulo 2**32; an odd factor makes it a permutation of all x.
_FACTORS = np.array([_mixed(2 * i + 1) & 0xFFFFFFFF | 1 for i in range(VALUES)], np.uint32)
_SUMMANDS = np.array([_mixed(2 * i + 2) & 0xFFFFFFFF for i in range(VALUES)], np.uint32)


def signatures(words: npt.NDArray[np.uint64], offsets: npt.NDArray[np.int64]) -> Keys:
    """The keys of n texts, shape (n, BANDS). A text without words has zeros: no key, no copies.

    Args:
        words: hashes of the words of all texts one after the other; zero is no word and is passed over.
        offsets: n + 1 places in `words`; text i has those from offsets[i] to offsets[i + 1].
    """
    keys = np.zeros((len(offsets) - 1, BANDS), np.uint64)
    run, hashes = np.empty(_TOGETHER, np.uint64), np.empty(_TOGETHER, np.uint32)
    values = np.empty(VALUES, np.uint32)
    _sign(words, offsets, _FACTORS, _SUMMANDS, run, hashes, values, keys)
    return keys


def to_arrow(keys: Keys) -> pa.StructArray:
    """Signatures as a column of `TYPE`."""
    bands = [pa.array(np.ascontiguousarray(keys[:, band])) for band in range(BANDS)]
    return pa.StructArray.from_arrays(bands, fields=list(TYPE))


@scan
def _mix(number: Any) -> Any:
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))


@scan
def _run_hash(run: Keys, first: Any, size: int) -> Any:
    number = np.uint64(size)
    for i in range(size):
        number = (number ^ run[first + np.uint64(i)]) * np.uint64(0x9E3779B97F4A7C15)
    return np.uint32(_mix(number) >> np.uint64(32))


@scan
def _smallest(
    run: Keys, count: int, size: int, factors: Values, summands: Values, hashes: Values, values: Values
) -> None:
    """Continue the smallest values with all runs of so many words among these; a function at a time, so that
    many runs are compared at once."""
    runs = np.uint64(count - size + 1)
    for k in range(runs):
        hashes[k] = _run_hash(run, k, size)
    for i in range(VALUES):
        factor, summand, smallest = factors[i], summands[i], values[i]
        for k in range(runs):
            smallest = min(smallest, np.uint32(factor * hashes[k] + summand))
        values[i] = smallest


@scan
def _sign(
    words: npt.NDArray[np.uint64],
    offsets: npt.NDArray[np.int64],
    factors: Values,
    summands: Values,
    run: Keys,
    hashes: Values,
    values: Values,
    keys: Keys,
) -> None:
    for text in range(len(offsets) - 1):
        values[:] = np.uint32(0xFFFFFFFF)
        count, short = 0, True
        for at in range(offsets[text], offsets[text + 1]):
            run[count] = words[at]
            count += words[at] != 0
            if count == len(run):
                _smallest(run, count, SHINGLE, factors, summands, hashes, values)
                # Runs go on over the end of what is compared together.
                count = SHINGLE - 1
                for i in range(count):
                    run[i] = run[len(run) - count + i]
                short = False
        if count == 0:
            continue
        if count >= SHINGLE:
            _smallest(run, count, SHINGLE, factors, summands, hashes, values)
        elif short:
            _smallest(run, count, count, factors, summands, hashes, values)
        for i in range(VALUES):
            byte = _mix((np.uint64(i) << np.uint64(32)) | np.uint64(values[i])) >> np.uint64(56)
            keys[text, i // ROWS] |= byte << np.uint64(8 * (i % ROWS))
