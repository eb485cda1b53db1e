"""Proofs: whether a text is in a corpus, for somebody who sees neither the corpus nor the project.

A proof is one file of canonical JSON, and `check_proof` needs nothing else but the text:

    about       the text's fingerprints
    key         the corpus's tag key, to which the root commits
    answers     for each fingerprint: its leaf with the path to the root, or the leaves it would stand between
    statement   the statement on the root, as it stands in the ledger
    lines       the journal's lines from the one that names the statement to the signed head
    head        the signed head
    public_key  the key it is signed with

`prove.py` makes it. Everything hangs on something else: the fingerprints on the text, the key on `salt_id`,
the leaves on the root, the root on the statement, the statement on its line, each line on the next, the last
on the signature, and the signature on a fingerprint or a release that was had by another way. The trap is a
part that hangs on nothing: it could be changed at will. Canonical form leaves no room for one, not even for a
space.

What no proof can show: that the tree is in order and whole. Whoever builds it could leave a leaf out, or put
one where a proof of absence does not look; only a person who is let in to build the root again sees that.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemicycle.digests import canonical_json, is_digest, sha256_bytes
from hemicycle.errors import DeclarationError, IntegrityError, unparsed
from hemicycle.ledger.journal import Line, parse_line, read_lines
from hemicycle.ledger.ledger import HEAD_TYPE
from hemicycle.ledger.merkle import is_included
from hemicycle.ledger.roots import KINDS, RECORD, SPLITS, Leaf, Root, tag_of
from hemicycle.ledger.signatures import PublicKey
from hemicycle.ledger.statements import Statement

PROOF_TYPE = "urn:hemicycle:proof:v1"

#: No proof is longer: some 100 000 lines of a journal. Nor is the journal of a release.
LARGEST_PROOF, LARGEST_JOURNAL = 32_000_000, 1_000_000_000

#: A statement, a key, a signed head; all are a few kB.
LARGEST_FILE = 64_000_000

_PARTS = {"about", "answers", "head", "key", "lines", "public_key", "statement", "type"}

_HELD = {"text": "this very text", "words": "a text of the same words"}
_FOR = {"train": "for training", "held-out": "held out for measuring"}


@dataclass(frozen=True)
class Answer:
    """What a proof says of one fingerprint. `splits` is empty where no document has it."""

    kind: str
    digest: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A proof that holds, and what it says.

    Attributes:
        root: the record of the corpus.
        answers: one a fingerprint, those of another text with the same words left out.
        fingerprint: of the key that signed the head.
        signed: when it was signed, as the signer says.
        statement, file: the statement on the root, and its name in a ledger.
        line: digest of the journal's line that names it.
    """

    root: Root
    answers: tuple[Answer, ...]
    fingerprint: str
    signed: str
    statement: bytes
    file: str
    line: str

    @property
    def found(self) -> tuple[Answer, ...]:
        return tuple(answer for answer in self.answers if answer.splits)

    def sentences(self) -> list[str]:
        """What it says, for people."""
        corpus = f"corpus “{self.root.corpus}”"
        if self.found:
            return [
                f"in: {corpus} holds {_HELD[a.kind]}, {' and '.join(_FOR[s] for s in a.splits)}"
                for a in self.found
            ]
        kinds = {answer.kind for answer in self.answers}
        if kinds == set(KINDS):
            return [f"not in: {corpus} holds neither this very text nor one of the same words"]
        unasked = (
            " its words were not asked about" if kinds == {"text"} else " its bytes were not asked about"
        )
        return [f"not in: {corpus} does not hold {_HELD[a.kind]};{unasked}" for a in self.answers]


def check_proof(data: bytes, asked: Mapping[str, str], normalisation: str, place: str) -> Checked:
    """Check a proof about a text, and say what it says.

    Args:
        asked: the fingerprints of the text, by kind.
        normalisation: what made its words.
        place: of the proof, for errors.

    Raises IntegrityError, with a sentence for each thing that can be wrong.
    """
    proof = _parse(data, place)
    statement, root = _statement(proof["statement"], place)
    chain = _lines(proof["lines"], place)
    first = chain[0].content
    if first.get("sha256") != sha256_bytes(proof["statement"].encode("utf-8")):
        raise IntegrityError("the statement on the root is not the one that the journal names", place=place)
    if chain[0].kind != "statement" or first.get("file") != statement.file_name:
        raise IntegrityError("the first line of the journal is not the one that names the root", place=place)
    key, signed = _signed(proof, chain[-1].digest, place)
    answers = [_answer(proof, root, kind, place) for kind in KINDS if kind in proof["answers"]]
    return Checked(
        root,
        _about(answers, asked, root, normalisation, place),
        key.fingerprint,
        signed,
        proof["statement"].encode("utf-8"),
        statement.file_name,
        chain[0].digest,
    )


def _parse(data: bytes, place: str) -> dict[str, Any]:
    """The parts of a proof, each of its type. Raises IntegrityError."""
    if len(data) > LARGEST_PROOF:
        raise IntegrityError("the file is too large for a proof", place=place)
    try:
        proof = json.loads(data)
        canonical = canonical_json(proof) + b"\n" == data
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"this is not a proof: {unparsed(error)}", place=place) from None
    if not isinstance(proof, dict) or proof.get("type") != PROOF_TYPE:
        raise IntegrityError("this is not a proof of Hemicycle", place=place)
    if not canonical:
        raise IntegrityError("the proof is not in canonical form: it was altered", place=place)
    about, answers, lines = (proof.get(part) for part in ("about", "answers", "lines"))
    sound = (
        set(proof) == _PARTS
        and all(isinstance(proof[part], str) for part in ("head", "public_key", "statement"))
        and isinstance(lines, list)
        and lines != []
        and all(isinstance(line, str) for line in lines)
        and isinstance(about, dict)
        and isinstance(answers, dict)
        and about.keys() == answers.keys()
        and about.keys() & set(KINDS) == about.keys() != set()
        and is_digest(proof["key"])
        and all(map(is_digest, about.values()))
        and all(isinstance(shown, list) and all(map(_is_leaf, shown)) for shown in answers.values())
    )
    if not sound:
        raise IntegrityError("the proof lacks a part, or a part is not what it should be", place=place)
    return proof


def _is_leaf(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"index", "tag", "blind", "split", "path"}
        and type(value["index"]) is int
        and type(value["split"]) is int
        and 1 <= value["split"] <= sum(SPLITS.values())
        and is_digest(value["tag"])
        and is_digest(value["blind"])
        and isinstance(value["path"], list)
        and all(map(is_digest, value["path"]))
    )


def _statement(text: str, place: str) -> tuple[Statement, Root]:
    """The statement on the root, and the root it states."""
    statement = Statement.from_bytes(text.encode("utf-8"), f"{place}, statement")
    try:
        about = statement.subject.stage, statement.subject.name, statement.inputs["corpus"]["digest"]
        statement.file_name  # noqa: B018
    except (KeyError, TypeError, AttributeError):
        raise IntegrityError("the statement is not about the root of a corpus", place=place) from None
    root = Root.from_json(statement.figures, f"{place}, statement")
    if about != ("roots", root.corpus, root.corpus_digest):
        raise IntegrityError("the statement is not about the root of this corpus", place=place)
    record = sha256_bytes(canonical_json(root.to_json()))
    if record not in {file.sha256 for file in statement.files if file.path == RECORD}:
        raise IntegrityError("the root in the statement is not that of its artefact", place=place)
    return statement, root


def _lines(raw: Sequence[str], place: str) -> list[Line]:
    """The journal's lines, each of which must name the one before it."""
    chain: list[Line] = []
    for number, text in enumerate(raw, 1):
        line = parse_line(number, text.encode("utf-8"))
        if isinstance(line, str):
            raise IntegrityError(f"of the journal's lines, number {number} is none: {line}", place=place)
        if chain and chain[-1].digest not in line.heads:
            raise IntegrityError(
                f"the root is not in the ledger: line {number} does not follow the one before it", place=place
            )
        chain.append(line)
    return chain


def _signed(proof: Mapping[str, Any], last: str, place: str) -> tuple[PublicKey, str]:
    """The key under which the last line is the signed head, and when it was signed."""
    line = proof["public_key"].encode("utf-8")
    key = PublicKey.parse(line, f"{place}, public key")
    if key.line != line:
        raise IntegrityError("the public key was altered around itself", place=place)
    try:
        head = key.open(proof["head"].encode("utf-8"), HEAD_TYPE, f"{place}, signed head")
        named, signed = head["head"], str(head["signed"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"the head is not signed as a ledger's ({error!r})", place=place) from None
    if named != last:
        raise IntegrityError(
            "the root is not in the ledger: its lines do not lead to the signed head", place=place
        )
    return key, signed


def _answer(proof: Mapping[str, Any], root: Root, kind: str, place: str) -> Answer:
    """What the leaves shown for a fingerprint say of it, once each is on a path to the root."""
    place = f"{place}, answer on the {kind}"
    key, digest, shown = bytes.fromhex(proof["key"]), proof["about"][kind], proof["answers"][kind]
    if sha256_bytes(key) != root.salt_id:
        raise IntegrityError("the key is not the one to which the root commits", place=place)
    leaves = [Leaf(bytes.fromhex(s["tag"]), bytes.fromhex(s["blind"]), s["split"]) for s in shown]
    indexes = [s["index"] for s in shown]
    for leaf, index, one in zip(leaves, indexes, shown, strict=True):
        path = [bytes.fromhex(node) for node in one["path"]]
        if not is_included(leaf.data, index, root.leaves, path, bytes.fromhex(root.root)):
            raise IntegrityError(
                "a leaf, its place or its path was altered: it does not lead to the root", place=place
            )
    tag = tag_of(key, kind, digest)
    tags = [leaf.tag for leaf in leaves]
    if tag in tags:
        if len(tags) != 1:
            raise IntegrityError("a leaf is shown beside the one that was asked for", place=place)
        return Answer(kind, digest, tuple(name for name, bit in SPLITS.items() if leaves[0].split & bit))
    before = [i for i, other in zip(indexes, tags, strict=True) if other < tag]
    after = [i for i, other in zip(indexes, tags, strict=True) if other > tag]
    if tags != sorted(tags) or len(before) > 1 or len(after) > 1:
        raise IntegrityError(
            "a leaf is out of order: the text would not stand between those shown", place=place
        )
    if (before[0] + 1 if before else 0) != (after[0] if after else root.leaves):
        raise IntegrityError(
            "the leaves shown are not adjacent: the text could stand between them", place=place
        )
    return Answer(kind, digest, ())


def _about(
    answers: Sequence[Answer], asked: Mapping[str, str], root: Root, normalisation: str, place: str
) -> tuple[Answer, ...]:
    """The answers that are about the text asked about.

    Who asks about a document rarely has the publisher's very bytes. An answer on other bytes may stand beside
    one on the same words where it says that those bytes are there; it is left out.
    """
    other = IntegrityError(
        "the proof is about another text",
        place=place,
        remedy="Check it with the file it was asked for; one changed character makes another text.",
    )
    by_kind = {answer.kind: answer for answer in answers}
    words, text = by_kind.get("words"), by_kind.get("text")
    if words is not None:
        if root.normalisation != normalisation:
            raise IntegrityError(
                f"words were made by {root.normalisation!r} there and are made by {normalisation!r} here",
                place=place,
                remedy="Check the proof with the version of Hemicycle that made it.",
            )
        if words.digest != asked.get("words"):
            raise other
    if text is not None and text.digest != asked.get("text"):
        if words is None or not text.splits:
            raise other
        return (words,)
    return tuple(answers)


def check_fingerprint(checked: Checked, fingerprint: str) -> None:
    """Raises IntegrityError unless the head is signed by the key of this fingerprint (``SHA256:…``)."""
    if checked.fingerprint != fingerprint:
        raise IntegrityError(f"the head is signed by {checked.fingerprint}, not by {fingerprint}")


def check_in_release(checked: Checked, release: Path) -> None:
    """Raises IntegrityError unless the proof's root is that of a release's corpus, in its ledger, by its key.

    The release's own files are `hemicycle verify`'s business.
    """
    folder = release / "ledger"
    if not folder.is_dir():
        raise DeclarationError("this is not a release: it has no ledger", place=str(release))
    key_file, head_file, journal = (
        folder / "keys" / "solo.pub",
        folder / "head.json",
        folder / "journal.jsonl",
    )
    key = PublicKey.parse(read_bounded(key_file, LARGEST_FILE), str(key_file))
    if key.fingerprint != checked.fingerprint:
        raise IntegrityError(
            f"the head is signed by {checked.fingerprint}, the release by {key.fingerprint}",
            place=str(release),
        )
    lines, problems = read_lines(read_bounded(journal, LARGEST_JOURNAL))
    try:
        head = key.open(read_bounded(head_file, LARGEST_FILE), HEAD_TYPE, str(head_file))["head"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"this is no signed head ({error!r})", place=str(head_file)) from None
    if problems or not lines or lines[-1].digest != head:
        raise IntegrityError(
            "the journal of the release is not sound",
            place=str(journal),
            remedy=f"`hemicycle verify {release}` says what is wrong with it.",
        )
    if checked.line not in {line.digest for line in lines}:
        raise IntegrityError(
            "the root is not in the ledger of the release",
            place=str(journal),
            remedy="It was made later or elsewhere: ask for a proof about the corpus of this release.",
        )
    statement = folder / "statements" / checked.file
    if not os.path.lexists(statement):
        raise IntegrityError(
            "the release carries no statement on this root: its model does not stand on this corpus",
            place=str(release),
        )
    if read_bounded(statement, LARGEST_FILE) != checked.statement:
        raise IntegrityError("it is not the statement of the proof", place=str(statement))


def read_bounded(path: Path, most: int) -> bytes:
    """A stranger's file, where it is an ordinary one of no more than so many bytes. Raises IntegrityError."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise IntegrityError("this is no ordinary file, or it is too large", place=str(path))
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise IntegrityError(f"the file cannot be read ({error})", place=str(path)) from None
