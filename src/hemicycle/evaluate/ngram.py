"""The character n-gram: what a table of counts, learnt on the same training text, already achieves.

A language model that does not beat it has learnt no more than spelling. Order n means n-grams: each character
is predicted from the n − 1 before it. Orders are interpolated by Witten and Bell's rule (method C of "The
zero-frequency problem", IEEE Transactions on Information Theory 37(4), 1991):

    p_k(c | h) = (count(h c) + T(h) · p_{k−1}(c | h')) / (count(h) + T(h))

where h are the k − 1 characters before c, h' is h without its first one, T(h) the number of distinct
characters seen after h, and p_0 is uniform. Where h was never seen, p_k = p_{k−1}. An order uses the tables
of the orders below it, so one training and one pass over a text give all orders at once.

Two traps. An unseen character must cost what it takes to say which one it was, or a small alphabet looks
good: the alphabet holds at most 255 characters, the rest share one symbol, and each of them costs
log2(0x110000 − kept) bits more, so that the probabilities of all code points sum to one. And contexts must
not cross from one document into the next: a document's first characters are predicted from what there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hemicycle.errors import DeclarationError, InputError

#: Seven symbols of one byte make a key of 56 bits; the children of a key are a range of keys below 2**64.
HIGHEST_ORDER = 7
#: Characters kept as symbols of their own; one more symbol stands for all others.
KEPT = 255
#: Unicode code points.
CODE_POINTS = 0x110000
#: Training text beyond this many characters is sampled, in stretches of `STRETCH`: 1.5 GB at the peak.
TRAINING_LIMIT = 64_000_000
STRETCH = 65_536

Floats = npt.NDArray[np.float64]
Symbols = npt.NDArray[np.uint8]
Keys = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Table:
    """The k-grams of the training text: distinct keys in order, and where each one's run of copies starts.

    The count of gram i is ``starts[i + 1] - starts[i]``. What follows one context is a range of keys, so
    counts and numbers of distinct followers are differences too, and no second table is needed.
    """

    keys: Keys
    starts: Integers


@dataclass(frozen=True)
class CharacterModel:
    """Counts of all orders up to `order`, and the alphabet they are over.

    Attributes:
        alphabet: characters that are symbols of their own, most frequent first; symbol number
            ``len(alphabet)`` stands for every other character.
        seen: training characters counted.
        offered: training characters there were; more than `seen` where the text was sampled.
    """

    order: int
    alphabet: str
    tables: tuple[Table, ...]
    seen: int
    offered: int

    @property
    def symbols(self) -> int:
        return len(self.alphabet) + 1

    def bits(self, texts: Sequence[str]) -> list[Floats]:
        """Cost in bits of every character of every text, for every order: arrays of (order, characters).

        Row k − 1 is order k. A text's context is its own: nothing is carried over from the one before.
        """
        codes, lengths = _code_points(texts)
        symbols = _symbol_table(self.alphabet)[codes]
        costs = -np.log2(self._probabilities(symbols, lengths))
        costs[:, symbols == len(self.alphabet)] += np.log2(CODE_POINTS - len(self.alphabet))
        return np.split(costs, np.cumsum(lengths)[:-1], axis=1) if lengths.size else []

    def distribution(self, context: str, order: int) -> Floats:
        """Probability of every symbol after `context` under one order, from the same code as `bits`."""
        before = _symbol_table(self.alphabet)[_code_points([context])[0]]
        length = len(before) + 1
        texts = np.empty((self.symbols, length), np.uint8)
        texts[:, :-1] = before
        texts[:, -1] = np.arange(self.symbols)
        every = self._probabilities(texts.reshape(-1), np.full(self.symbols, length, np.int64))
        return every[order - 1, length - 1 :: length]

    def _probabilities(self, symbols: Symbols, lengths: Integers) -> Floats:
        """Probability of each symbol given those before it in its text: (order, symbols)."""
        probabilities = np.empty((self.order, symbols.size))
        below = np.full(symbols.size, 1.0 / self.symbols)
        position = np.arange(symbols.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        keys = np.zeros(symbols.size, np.uint64)
        for k, table in enumerate(self.tables, start=1):
            # keys[i] packs symbols i-k+1 to i, the oldest highest; only where they lie in one text.
            oldest = symbols[: max(0, symbols.size - k + 1)].astype(np.uint64)
            keys[k - 1 :] |= oldest << np.uint64(8 * (k - 1))
            inside = np.flatnonzero(position >= k - 1)
            count, total, kinds = _look_up(table, keys[inside])
            known = total > 0
            inside, count, total, kinds = inside[known], count[known], total[known], kinds[known]
            here = below.copy()
            here[inside] = (count + kinds * below[inside]) / (total + kinds)
            probabilities[k - 1] = below = here
        return probabilities


def train(texts: Iterable[str], order: int = HIGHEST_ORDER, limit: int = TRAINING_LIMIT) -> CharacterModel:
    """Count the grams of 1 to `order` characters of the training texts.

    Past `limit` characters, stretches of `STRETCH` characters are taken at even distances over the whole
    text; a stretch is then treated as a document, so that no gram is counted that is not in the text.

    Args:
        texts: one string a document. Read once.
        order: 1 to 7.
        limit: characters counted at most, give or take one stretch.

    Raises:
        InputError: there is no text.
        DeclarationError: the order is not 1 to 7.
    """
    if not 1 <= order <= HIGHEST_ORDER:
        raise DeclarationError(f"the order of a character n-gram is 1 to {HIGHEST_ORDER}, not {order}")
    pieces, offered = _sample(texts, limit)
    if not offered:
        raise InputError(
            "there is no training text to count characters in",
            remedy="Evaluate on a corpus that has documents in its training split.",
        )
    codes, lengths = _code_points(pieces)
    del pieces
    alphabet = _alphabet(codes)
    symbols = _symbol_table(alphabet)[codes]
    del codes
    # How many symbols, at most `order`, are left in the text from here on: a k-gram starts where k are.
    left = np.full(symbols.size, order, np.uint8)
    ends = np.cumsum(lengths)
    for short in range(1, order):
        at = ends[lengths >= short] - short
        left[at] = short
    keys = np.zeros(symbols.size, np.uint64)
    tables = []
    for k in range(1, order + 1):
        keys <<= np.uint64(8)
        keys[: max(0, symbols.size - k + 1)] |= symbols[k - 1 :]
        tables.append(_count(keys[left >= k]))
    return CharacterModel(order, alphabet, tuple(tables), int(symbols.size), offered)


def _sample(texts: Iterable[str], limit: int) -> tuple[list[str], int]:
    """Pieces of at most about `limit` characters, evenly spaced, and the number of characters offered.

    The length of the whole is not known beforehand. So every piece is kept until there are too many; then
    every second stretch is dropped, and from there on only every second one is taken, and so on.
    """
    pieces: list[str] = []
    kept = offered = stretches = 0
    spacing = 1
    for text in texts:
        offered += len(text)
        if spacing == 1 and kept + len(text) <= limit:
            pieces.append(text)
            kept += len(text)
            continue
        if spacing == 1:
            pieces = [piece[i : i + STRETCH] for piece in pieces for i in range(0, len(piece), STRETCH)]
            stretches, spacing = len(pieces), 2
            pieces = pieces[::2]
            kept = sum(map(len, pieces))
        for i in range(0, len(text), STRETCH):
            if stretches % spacing == 0:
                pieces.append(text[i : i + STRETCH])
                kept += len(pieces[-1])
            stretches += 1
            if kept > limit and len(pieces) > 1:
                spacing *= 2
                pieces = pieces[::2]
                kept = sum(map(len, pieces))
    return pieces, offered


def _code_points(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], Integers]:
    """The code points of all texts in one array, and the length of each text."""
    lengths = np.array([len(text) for text in texts], np.int64)
    codes = np.empty(int(lengths.sum()), np.uint32)
    at = 0
    for text in texts:
        codes[at : at + len(text)] = np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
        at += len(text)
    return codes, lengths


def _alphabet(codes: npt.NDArray[np.uint32]) -> str:
    """The most frequent characters, the lower code point first where two are equally frequent."""
    counts = np.zeros(CODE_POINTS, np.int64)
    for at in range(0, codes.size, 1 << 22):
        slice_counts = np.bincount(codes[at : at + (1 << 22)])
        counts[: slice_counts.size] += slice_counts
    by_frequency = np.argsort(-counts, kind="stable")[:KEPT]
    return "".join(chr(code) for code in by_frequency if counts[code])


def _symbol_table(alphabet: str) -> Symbols:
    """Symbol of every code point."""
    table = np.full(CODE_POINTS, len(alphabet), np.uint8)
    table[[ord(character) for character in alphabet]] = np.arange(len(alphabet), dtype=np.uint8)
    return table


def _count(keys: Keys) -> Table:
    """Distinct keys and the runs of their copies; `keys` is sorted in place."""
    keys.sort()
    first = np.ones(keys.size, np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    return Table(keys[starts], np.append(starts, keys.size))


def _look_up(table: Table, grams: Keys) -> tuple[Integers, Integers, Integers]:
    """For each gram (context and character): its count, its context's count, distinct followers of that."""
    by_key = np.argsort(grams)  # a search in order stays in the cache: ten times as fast
    ordered = grams[by_key]
    last = np.uint64(0xFF)
    low = np.searchsorted(table.keys, ordered & ~last)
    high = np.searchsorted(table.keys, ordered | last, side="right")
    at = np.searchsorted(table.keys, ordered)
    found = at < high
    found[found] = table.keys[at[found]] == ordered[found]
    counts = np.zeros((3, grams.size), np.int64)
    counts[0, by_key[found]] = table.starts[at[found] + 1] - table.starts[at[found]]
    counts[1, by_key] = table.starts[high] - table.starts[low]
    counts[2, by_key] = high - low
    return counts[0], counts[1], counts[2]
