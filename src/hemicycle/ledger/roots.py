"""The root of a corpus: one hash that stands for every document it kept, and tells of none.

    roots/NAME-KEY/
    ├── root.json     the record (canonical JSON), also the figures of the statement
    └── leaves.bin    the leaves in order, 65 bytes each; never published

A document has two fingerprints: of its text as it was collected, to the byte, and of its normalised words,
which line breaks, case and typography do not change. Each becomes a leaf:

    tag (32)    HMAC-SHA256 of the fingerprint, under the corpus's tag key
    blind (32)  HMAC-SHA256 of the tag, under the corpus's blinding key
    split (1)   1 read in training, 2 held out for measuring, 3 both

The trap is the plain hash. The neighbours shown in a proof of absence, and the hashes along any path, are
those of other people's documents, and a list of known works is enough to recognise them. So fingerprints are
keyed, the key is disclosed by proofs only and differs from corpus to corpus, and each leaf is blinded, so
that a hash along a path can be recognised by nobody. `salt_id` in the record commits to the tag key before
anybody asks: afterwards, no other key can make a text that is there look absent.

Training and held-out text share one tree, with the split in the leaf, because the question is one ("do you
have it?") and two trees would need two proofs of absence, with twice the neighbours to show.
"""

from __future__ import annotations

import dataclasses
import hmac
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemicycle.digests import canonical_json, is_digest, sha256_bytes
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import IntegrityError
from hemicycle.ledger.merkle import Tree
from hemicycle.progress import QUIET, Progress
from hemicycle.store import write_aside

#: Names the tree, the leaves and their order. Whatever changes one of them takes another name.
ALGORITHM = "hemicycle-root-v1"

RECORD, LEAVES = "root.json", "leaves.bin"

#: What a fingerprint is of. The order is that of the answers in a proof.
KINDS = ("text", "words")

SPLITS = {"train": 1, "held-out": 2}

TAG_SIZE, LEAF_SIZE, SALT_SIZE = 32, 65, 32

#: More leaves than any corpus has: a proof that claims more is refused before anything is computed.
MOST_LEAVES = 2**48


@dataclass(frozen=True)
class Leaf:
    """One leaf: a keyed fingerprint, what hides it in the tree, and the splits it stands in."""

    tag: bytes
    blind: bytes
    split: int

    @property
    def data(self) -> bytes:
        return self.tag + self.blind + bytes([self.split])

    @classmethod
    def from_data(cls, data: bytes) -> Leaf:
        return cls(data[:TAG_SIZE], data[TAG_SIZE:-1], data[-1])


@dataclass(frozen=True)
class Root:
    """The record of a corpus's root.

    Attributes:
        corpus: its name.
        corpus_digest: of the corpus artefact, as in the ledger.
        normalisation: what made words of texts; another one makes other fingerprints of the same text.
        leaves: how many the tree has: up to two a document.
        root: of the tree, in hexadecimal.
        salt_id: SHA-256 of the tag key.
    """

    corpus: str
    corpus_digest: str
    normalisation: str
    leaves: int
    root: str
    salt_id: str
    algorithm: str = ALGORITHM

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any, place: str) -> Root:
        """Parse a record. Raises IntegrityError where it is none, or one of another kind of tree."""
        names = {f.name for f in dataclasses.fields(cls)}
        if not isinstance(value, dict) or set(value) != names:
            raise IntegrityError("this is not the record of a corpus's root", place=place)
        sound = (
            all(isinstance(value[n], str) for n in names - {"leaves"})
            and type(value["leaves"]) is int
            and 0 <= value["leaves"] <= MOST_LEAVES
            and all(is_digest(value[n]) for n in ("corpus_digest", "root", "salt_id"))
        )
        if not sound:
            raise IntegrityError("this is not the record of a corpus's root", place=place)
        if value["algorithm"] != ALGORITHM:
            raise IntegrityError(
                f"the root was made by {value['algorithm']!r}; this version of Hemicycle knows {ALGORITHM!r}",
                place=place,
                remedy="Check the proof with the version of Hemicycle that made it.",
            )
        return cls(**value)


@dataclass(frozen=True)
class Keys:
    """The two keys of one corpus. `tag` is disclosed in proofs, `blind` never."""

    tag: bytes = field(repr=False)
    blind: bytes = field(repr=False)

    @classmethod
    def derive(cls, salt: bytes, corpus_digest: str) -> Keys:
        """Keys of a corpus as it is now: once it changed it has others, and old proofs say nothing of it."""
        corpus = corpus_digest.encode("ascii")
        return cls(
            *(hmac.digest(salt, purpose + b"\x00" + corpus, "sha256") for purpose in (b"tag", b"blind"))
        )

    @property
    def salt_id(self) -> str:
        return sha256_bytes(self.tag)


def tag_of(key: bytes, kind: str, digest: str) -> bytes:
    """The keyed fingerprint of a text (`digest` in hexadecimal), as one of `KINDS`."""
    return hmac.digest(key, kind.encode("ascii") + b"\x00" + bytes.fromhex(digest), "sha256")


def load_or_make_salt(path: Path) -> bytes:
    """The project's salt: 32 random bytes, made once, for the owner's eyes, never in version control."""
    try:
        salt = path.read_bytes()
    except FileNotFoundError:
        salt = secrets.token_bytes(SALT_SIZE)
        # The folder is the signing key's, but a salt may be made first.
        write_aside(path.parent / ".gitignore", b"*\n")
        write_aside(path, salt, private=True)
    if len(salt) != SALT_SIZE:
        raise IntegrityError(
            f"this is not a salt: it has {len(salt)} bytes instead of {SALT_SIZE}",
            place=str(path),
            remedy="Restore it from a copy. Deleted, it is made anew, and every corpus gets another root.",
        )
    return salt


def make_root(
    corpus: Path,
    out: Path,
    *,
    name: str,
    corpus_digest: str,
    keys: Keys,
    words_digest: Callable[[str], str | None],
    normalisation: str,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write the root of a corpus artefact into `out` and return its record, the figures of the statement.

    What the corpus kept counts, in both splits; what was dropped or refused does not: no model reads it.

    Args:
        words_digest: SHA-256 of the normalised words of a cleaned text, None where it has none.
    """
    splits: dict[bytes, int] = {}
    with progress.start(f"roots {name}", None, "documents") as bar:
        for kind, digest, split in _fingerprints(corpus, words_digest):
            tag = tag_of(keys.tag, kind, digest)
            splits[tag] = splits.get(tag, 0) | split
            if kind == KINDS[0]:
                bar.advance(1)
    leaves = [Leaf(tag, _blind(keys, tag), splits[tag]).data for tag in sorted(splits)]
    root = Root(name, corpus_digest, normalisation, len(leaves), Tree(leaves).root.hex(), keys.salt_id)
    (out / LEAVES).write_bytes(b"".join(leaves))
    (out / RECORD).write_bytes(canonical_json(root.to_json()))
    return root.to_json()


def _blind(keys: Keys, tag: bytes) -> bytes:
    return hmac.digest(keys.blind, tag, "sha256")


def _fingerprints(corpus: Path, words_digest: Callable[[str], str | None]) -> Iterator[tuple[str, str, int]]:
    for path in corpus_shards(corpus):
        for table in read_batches(path, columns=["text", "digest", "split"]):
            for row in table.to_pylist():
                split = SPLITS[row["split"]]
                yield "text", row["digest"], split
                words = words_digest(row["text"])
                if words is not None:
                    yield "words", words, split


def find_document(
    corpus: Path, document: str, words_digest: Callable[[str], str | None]
) -> Mapping[str, str] | None:
    """Both fingerprints of a document that the corpus kept, by its id; None where it kept none of that id."""
    for path in corpus_shards(corpus):
        for table in read_batches(path, columns=["id", "text", "digest"]):
            ids = table["id"].to_pylist()
            if document in ids:
                row = table.slice(ids.index(document), 1).to_pylist()[0]
                words = words_digest(row["text"])
                return {"text": row["digest"]} | ({"words": words} if words else {})
    return None


@dataclass(frozen=True)
class Opened:
    """A roots artefact, read back: the record, the leaves in order, and the tree over them."""

    root: Root
    leaves: list[bytes]
    tree: Tree


def open_root(folder: Path, root: Root) -> Opened:
    """Read the leaves of an artefact. Raises IntegrityError where they do not have the root of the ledger."""
    path = folder / LEAVES
    data = path.read_bytes()
    leaves = [data[at : at + LEAF_SIZE] for at in range(0, len(data), LEAF_SIZE)]
    tree = Tree(leaves)
    if tree.root.hex() != root.root or len(leaves) != root.leaves:
        raise IntegrityError(
            "the leaves are not those of the root in the ledger",
            place=str(path),
            remedy=f"Delete {folder} and run again.",
        )
    return Opened(root, leaves, tree)
