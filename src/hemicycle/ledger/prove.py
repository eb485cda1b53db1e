"""Prove: the answer to whether a text is in a corpus, in a form that its receiver can check alone.

A text that is there is shown by its leaf; one that is not, by the two leaves between which it would stand,
or by the first or the last. The trap is to say more than was asked: of the tree only those leaves and their
paths go into a proof, and of the journal only the shortest way from the root's line to the signed head.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from hemicycle.digests import canonical_json
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.ledger.journal import Line
from hemicycle.ledger.ledger import Ledger
from hemicycle.ledger.proofs import LARGEST_PROOF, PROOF_TYPE, check_proof
from hemicycle.ledger.roots import TAG_SIZE, Keys, Leaf, Opened, tag_of
from hemicycle.ledger.statements import Statement


def make_proof(
    ledger: Ledger, statement: Statement, opened: Opened, keys: Keys, about: Mapping[str, str]
) -> bytes:
    """The proof that texts with these fingerprints (kind → digest) are in a corpus, or are not.

    `statement` is the one on the root that is `opened`, and stands in the ledger.
    """
    chain = _chain(ledger.journal.lines(), statement)
    proof = {
        "type": PROOF_TYPE,
        "about": dict(about),
        "key": keys.tag.hex(),
        "answers": {kind: _shown(opened, keys, kind, digest) for kind, digest in about.items()},
        "statement": (ledger.folder / "statements" / statement.file_name).read_bytes().decode("utf-8"),
        "lines": [line.raw.decode("utf-8") for line in chain],
        "head": (ledger.folder / "head.json").read_bytes().decode("utf-8"),
        "public_key": ledger.public_key.line.decode("ascii"),
    }
    data = canonical_json(proof) + b"\n"
    if len(data) > LARGEST_PROOF:
        raise HemicycleError(
            f"the journal has gone on by {len(chain)} lines since the root was made: too many for a proof"
        )
    # What is handed out is first held to what its receiver will hold it to.
    check_proof(data, about, opened.root.normalisation, "the proof just made")
    return data


def _shown(opened: Opened, keys: Keys, kind: str, digest: str) -> list[dict[str, Any]]:
    """The leaf of a fingerprint, or those between which it would stand."""
    tag = tag_of(keys.tag, kind, digest)
    at = bisect_left(opened.leaves, tag)
    here = at < len(opened.leaves) and opened.leaves[at][:TAG_SIZE] == tag
    indexes = [at] if here else [i for i in (at - 1, at) if 0 <= i < len(opened.leaves)]
    shown = []
    for index in indexes:
        leaf = Leaf.from_data(opened.leaves[index])
        shown.append(
            {
                "index": index,
                "tag": leaf.tag.hex(),
                "blind": leaf.blind.hex(),
                "split": leaf.split,
                "path": [node.hex() for node in opened.tree.path(index)],
            }
        )
    return shown


def _chain(lines: Sequence[Line], statement: Statement) -> list[Line]:
    """A shortest way through the journal from the last line that names a statement to the head."""
    file = statement.file_name
    named = [line for line in lines if line.kind == "statement" and line.content.get("file") == file]
    if not named:
        raise IntegrityError("no line of the journal names the statement on the root", place=file)
    by_digest = {line.digest: line for line in lines}
    goal, head = named[-1].digest, lines[-1].digest
    after = {head: ""}
    waiting = [head]
    for digest in waiting:
        if digest == goal:
            break
        for before in by_digest[digest].heads:
            if before in by_digest and before not in after:
                after[before] = digest
                waiting.append(before)
    chain = []
    digest = goal
    while digest:
        chain.append(by_digest[digest])
        digest = after[digest]
    return chain
