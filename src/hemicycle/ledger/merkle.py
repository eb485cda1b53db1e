"""A Merkle tree over a list of byte strings: one root for all, and a short path from any one to the root.

Hashing is that of RFC 9162, section 2.1.1: SHA-256 of ``0x00`` and the data for a leaf, of ``0x01`` and both
halves for a node. Without the two prefixes a node could be passed off as a leaf. Where the RFC splits a list
at the largest power of two below its length, this file works upwards level by level and lets an odd last
node rise as it is; both give the same tree.

The trap is to double an odd node, as Bitcoin does: two different lists then have one root.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

#: Root of no leaves at all.
EMPTY = hashlib.sha256(b"").digest()

_HASH = 32


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The tree over `leaves`, with every level kept: 64 bytes a leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = b"".join(map(leaf_hash, leaves))
        self._levels = [level]
        while len(level) > _HASH:
            level = _above(level)
            self._levels.append(level)

    def __len__(self) -> int:
        return len(self._levels[0]) // _HASH

    @property
    def root(self) -> bytes:
        return self._levels[-1] or EMPTY

    def path(self, index: int) -> list[bytes]:
        """The hashes that lead from leaf `index` (from 0) to the root, lowest first."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        path = []
        for level in self._levels[:-1]:
            beside = (index ^ 1) * _HASH
            if beside < len(level):
                path.append(level[beside : beside + _HASH])
            index >>= 1
        return path


def _above(level: bytes) -> bytes:
    sha256 = hashlib.sha256
    pairs = len(level) // (2 * _HASH) * 2 * _HASH
    above = [sha256(b"\x01" + level[at : at + 2 * _HASH]).digest() for at in range(0, pairs, 2 * _HASH)]
    return b"".join([*above, level[pairs:]])


def is_included(data: bytes, index: int, leaves: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` leads from `data`, as leaf `index` of so many, to `root` (RFC 9162, 2.1.3.2).

    Index and number of leaves decide on which side each hash stands and how many there must be, so a path is
    good for one place only.
    """
    if not 0 <= index < leaves:
        return False
    node, last = leaf_hash(data), leaves - 1
    beside = iter(path)
    while last:
        if index ^ 1 <= last:
            other = next(beside, None)
            if other is None or len(other) != _HASH:
                return False
            node = node_hash(other, node) if index & 1 else node_hash(node, other)
        index >>= 1
        last >>= 1
    return next(beside, None) is None and node == root
