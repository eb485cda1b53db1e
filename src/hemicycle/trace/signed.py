"""The signed trace: what was looked for, where, what was found and what was not, by the ledger's key.

    NAME.html           the page
    NAME.signed.json    a DSSE envelope around an in-toto statement about the work
    NAME.proofs/        for each document told, the ledger's proof that it is in its corpus

The statement's subject is the work's file. Its predicate lists the stretches of words that were found, and so
says of every other word that it was not; it names model, index and corpora by their digests, and the page and
the proofs by theirs. Whoever checks it needs nothing else: the public key is in it, as in a proof.

The trap is to believe the file about where to look: what it states are digests, and the files are those
beside it, by names that follow from its own.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import json
import os
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from hemicycle import __version__
from hemicycle.digests import is_digest, sha256_bytes, sha256_file
from hemicycle.errors import DeclarationError, IntegrityError, unparsed
from hemicycle.ledger import Finding, Ledger
from hemicycle.ledger.proofs import LARGEST_FILE, LARGEST_PROOF, check_proof, read_bounded
from hemicycle.ledger.signatures import PublicKey
from hemicycle.ledger.statements import PAYLOAD_TYPE, STATEMENT_TYPE
from hemicycle.sources.works import Kind
from hemicycle.trace.claims import LANGUAGES, Question, limits, outcome
from hemicycle.trace.works import HoldingDocument, TracedWork
from hemicycle.typeset import Language, count

PREDICATE_TYPE = "urn:hemicycle:trace-of-a-work:v1"
PAGE, SIGNED, PROOFS = ".html", ".signed.json", ".proofs"

COMPARE = (
    "the key is the file's own: compare its fingerprint with one that the publisher gave you by another way"
)
#: Who may stand behind a ledger, as a project declares it.
_GOVERNANCE = ("solo", "declared")
_PROOF = re.compile(r"\d{4,}\.proof")
#: A proof that was being written when its process was killed.
_CUT = re.compile(r"\.\d{4,}\.proof\.\d+\.aside")


@dataclass(frozen=True)
class ProvenDocument:
    """A document that holds passages, its fingerprints (kind → digest), and the proof that it is there."""

    document: HoldingDocument
    corpus: str
    fingerprints: Mapping[str, str]
    proof: bytes


def beside(page: Path) -> tuple[Path, Path]:
    """Where the statement and the proofs of a page stand. Raises DeclarationError unless its name ends in
    .html, and is UTF-8."""
    try:
        str(page).encode("utf-8")
    except UnicodeEncodeError:
        raise DeclarationError(
            "the name is not UTF-8, and the page and the statement name each other",
            place=str(page),
            remedy="Give the page a name in UTF-8.",
        ) from None
    if page.suffix != PAGE or not page.stem:
        raise DeclarationError(
            f"the page's name must end in {PAGE}: the files beside it are named after it",
            place=str(page),
            remedy=f"For example --report {page.with_suffix(PAGE).name or 'report.html'}.",
        )
    return page.with_name(page.stem + SIGNED), page.with_name(page.stem + PROOFS)


def require_room(page: Path) -> None:
    """Raise DeclarationError where the files of a report cannot be written: below what is no folder, in one
    that may not be written to, or by names longer than the file system has."""
    signed, _ = beside(page)
    # The longest name that is written, as `write_aside` makes it.
    longest = signed.with_name(f".{signed.name}.{os.getpid()}.aside")
    here = longest.absolute()
    missing: list[str] = []
    try:
        with contextlib.suppress(FileNotFoundError):
            here.lstat()
        while not os.path.lexists(here):
            missing.append(here.name)
            here = here.parent
        # By the file system: no name in a folder that is missing was looked at.
        for name in missing:
            with contextlib.suppress(FileNotFoundError):
                (here / name).lstat()
        if not here.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(here, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise DeclarationError(
            f"no report can be written there: {error.strerror}",
            place=str(page),
            remedy="Give the page a shorter name, or one in another folder.",
        ) from None


def refuse_to_write_over(page: Path, work: Path, sha256: str) -> None:
    """Raise DeclarationError where a report would be written over the work itself, or over what is no report
    about a work of this digest.

    What may be written over is a page and proofs beside a statement that holds and is about this work: a page
    and a folder of these names alone may be anybody's.
    """
    signed, proofs = beside(page)
    for path in (page, signed, *(proofs.iterdir() if proofs.is_dir() else ())):
        if path.exists() and path.samefile(work):
            raise DeclarationError(
                "the report would be written over the work", place=str(path), remedy="Give it another name."
            )
    there = [path for path in (signed, page, proofs) if os.path.lexists(path)]
    if not there:
        return
    try:
        if proofs in there and not stat.S_ISDIR(proofs.lstat().st_mode):
            raise _Unfit("it is no folder, or a link")
        about = _open(read_bounded(signed, LARGEST_FILE), str(signed))[0]["subject"][0]
        if about["digest"]["sha256"] == sha256:
            return
        what = f"a signed answer about another work, {about['name']}, has this name"
    except (IntegrityError, _Unfit):
        what = "this is here, and no signed answer that holds and is about this work stands beside it"
    raise DeclarationError(
        what,
        place=str(there[0]),
        remedy="Give the page another name, or move this one away with what is beside. (A report that was "
        "stopped leaves pages and proofs without a statement; delete those.)",
    )


def stale_proofs(folder: Path, names: Collection[str]) -> list[Path]:
    """The proofs in a folder that are not of these names, and parts of proofs that a killed process left;
    whatever is called otherwise is somebody else's."""
    found = [path for path in (folder.iterdir() if folder.is_dir() else ()) if path.name not in names]
    return [path for path in found if _PROOF.fullmatch(path.name) or _CUT.fullmatch(path.name)]


def proof_name(number: int) -> str:
    """The name of a document's proof; they are numbered from 1 in the order of the statement."""
    return f"{number:04}.proof"


def sign_trace(
    ledger: Ledger, work: TracedWork, asked: Question, documents: Sequence[ProvenDocument], page: bytes
) -> bytes:
    """The envelope. Raises IntegrityError where the ledger's private key is not here."""
    key = ledger.signing_key
    says, limit = _sentences(
        work.words, work.found, work.min_words, asked.kind, asked.running_heads, asked.upstream
    )
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": asked.name, "digest": {"sha256": asked.sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "work": {"kind": asked.kind, "words": work.words, "running_heads": asked.running_heads},
            "searched": {
                "split": "train",
                "corpora": [asdict(corpus) for corpus in asked.corpora],
                "index": asked.index_digest,
                "model": {"name": asked.model, "digest": asked.model_digest},
                "upstream_unknown": asked.upstream,
                "normalisation": asked.normalisation,
                "min_words": work.min_words,
            },
            "found": {
                "words": work.found,
                "share": work.coverage,
                "passages": len(work.passages),
                "stretches": [list(stretch) for stretch in work.stretches],
                "documents": len(work.documents),
            },
            "documents": [
                {
                    "id": proven.document.id,
                    "source": proven.document.source,
                    "corpus": proven.corpus,
                    "words": proven.document.words,
                    "fingerprints": dict(proven.fingerprints),
                    "proof": sha256_bytes(proven.proof),
                }
                for proven in documents
            ],
            "page": sha256_bytes(page),
            "says": says,
            "limits": limit,
            "ledger": {
                "head": ledger.journal.head,
                "governance": ledger.governance,
                "public_key": key.public.line.decode("ascii"),
            },
            "made": {"hemicycle": __version__, "signed": datetime.now(UTC).isoformat(timespec="seconds")},
        },
    }
    return key.seal(statement, PAYLOAD_TYPE)


def _sentences(
    all_words: int, found: int, min_words: int, kind: str, running_heads: int, upstream: str | None
) -> tuple[dict[Language, str], dict[Language, list[str]]]:
    """What a statement of these figures says, and its limits, by language: a statement of this type says no
    other sentence, so one whose sentences are changed is of another type."""
    says = {language: outcome(all_words, found, min_words, language) for language in LANGUAGES}
    limit = {language: limits(min_words, kind, running_heads, upstream, language) for language in LANGUAGES}
    return says, limit


def check_signed_trace(file: Path, work: Path | None = None) -> tuple[list[Finding], dict[str, Any]]:
    """Check a signed trace, the page and the proofs beside it, and that it is about `work` if one is given.

    Returns findings, none where everything holds, and what the statement says. Nothing else is read.

    Raises:
        DeclarationError: the file is not named as a signed trace is.
    """
    if not file.name.endswith(SIGNED) or file.name == SIGNED:
        raise DeclarationError(
            f"a signed trace has a name that ends in {SIGNED}",
            place=str(file),
            remedy="Give it the name it came with: the page and the proofs beside it are found by it.",
        )
    try:
        statement, key = _open(read_bounded(file, LARGEST_FILE), str(file))
    except IntegrityError as error:
        return [Finding(error.place or str(file), error.what)], {}
    predicate, subject = statement["predicate"], statement["subject"][0]
    stem = file.name.removesuffix(SIGNED)
    findings = _check_digest(file.with_name(stem + PAGE), predicate["page"])
    corpora = {corpus["name"]: corpus["digest"] for corpus in predicate["searched"]["corpora"]}
    folder = file.with_name(stem + PROOFS)
    if folder.is_symlink():
        findings.append(Finding(str(folder), "this is a link: the proofs must lie beside the statement"))
    for number, document in enumerate([] if folder.is_symlink() else predicate["documents"], 1):
        path = folder / proof_name(number)
        try:
            _check_document(path, document, corpora, predicate, key)
        except IntegrityError as error:
            findings.append(Finding(error.place or str(path), error.what))
    named = {proof_name(number) for number in range(1, len(predicate["documents"]) + 1)}
    inside = [] if folder.is_symlink() or not folder.is_dir() else folder.iterdir()
    strays = sorted(path for path in inside if path.name not in named)
    findings += [Finding(str(path), "the statement does not name this file") for path in strays]
    if work is not None and sha256_file(work) != subject["digest"]["sha256"]:
        findings.append(Finding(str(work), "this is not the file that was traced"))
    searched = "; ".join(
        f"{corpus['name']}, {count(corpus['documents'], 'document', 'documents', 'en')}"
        f"{' more' if number else ''}, {count(corpus['words'], 'word', 'words', 'en')}, {corpus['digest']}"
        for number, corpus in enumerate(predicate["searched"]["corpora"])
    )
    facts = {
        "work": f"{subject['name']} ({subject['digest']['sha256']})",
        "says": predicate["says"]["en"],
        "searched": f"the training split of {searched}",
        "index": predicate["searched"]["index"],
        "proofs": len(predicate["documents"]),
        "limits": " ".join(predicate["limits"]["en"]),
        "signed": f"{predicate['made']['signed']}, as the signer says",
        "fingerprint": key.fingerprint,
        "compare": COMPARE,
    }
    return findings, facts


def _open(data: bytes, place: str) -> tuple[dict[str, Any], PublicKey]:
    """The statement and the key that signed it, which it carries. Raises IntegrityError."""
    try:
        carried = json.loads(base64.b64decode(json.loads(data)["payload"]))
        line = carried["predicate"]["ledger"]["public_key"].encode("ascii")
        key = PublicKey.parse(line, f"{place}, public key")
        if key.line != line:
            raise _Unfit("the public key was altered around itself")
        statement = key.open(data, PAYLOAD_TYPE, place)
        _check_shape(statement)
    except (
        _Unfit,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise IntegrityError(f"this is not a signed trace of Hemicycle: {_why(error)}", place=place) from None
    return statement, key


class _Unfit(Exception):
    """What a statement may not say, as a sentence."""


def _why(error: Exception) -> str:
    """What is wrong with a file, for who sent it: Python speaks of its own types."""
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "it is not JSON"
    if isinstance(error, binascii.Error):
        return "what it carries is not base64"
    if isinstance(error, ValueError | ArithmeticError | IndexError):
        return "a part is not what it should be"
    return unparsed(error)


def _check_shape(statement: Any) -> None:
    """Raises `_Unfit`, or one of Python's errors, where a statement is of another type, lacks a part or
    contradicts itself."""
    predicate = statement["predicate"]
    if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise _Unfit("it is a statement of another type")
    (subject,) = statement["subject"]
    searched, model, made = predicate["searched"], predicate["searched"]["model"], predicate["made"]
    corpora, documents = _list(searched["corpora"]), _list(predicate["documents"])
    ledger = predicate["ledger"]
    digests = [subject["digest"]["sha256"], predicate["page"], searched["index"], model["digest"]]
    digests += [ledger["head"]]
    digests += [corpus["digest"] for corpus in corpora] + [document["proof"] for document in documents]
    digests += [digest for document in documents for digest in document["fingerprints"].values()]
    texts = [subject["name"], searched["normalisation"], model["name"], made["hemicycle"], made["signed"]]
    texts += [corpus["name"] for corpus in corpora]
    texts += [document[part] for document in documents for part in ("id", "source", "corpus")]
    base = searched["upstream_unknown"]
    texts += [] if base is None else [base]
    if not all(isinstance(text, str) for text in texts) or not all(map(is_digest, digests)):
        raise _Unfit("a part is not what it should be")
    signed = datetime.fromisoformat(made["signed"])
    if signed.tzinfo is None or signed.isoformat(timespec="seconds") != made["signed"]:
        raise _Unfit("it does not say when it was signed")
    if ledger["governance"] not in _GOVERNANCE:
        raise _Unfit("it does not say who stands behind the ledger")
    names = [corpus["name"] for corpus in corpora]
    if searched["split"] != "train" or not names or len(set(names)) < len(names):
        raise _Unfit("what it says was searched is not what is")
    for corpus in corpora:
        _counts(corpus["documents"], corpus["words"])
    _check_figures(predicate)
    work, found = predicate["work"], predicate["found"]
    if work["kind"] not in get_args(Kind) or (work["running_heads"] and work["kind"] != "pdf"):
        raise _Unfit("it does not say how the work was read")
    says = _sentences(
        work["words"], found["words"], searched["min_words"], work["kind"], work["running_heads"], base
    )
    if (predicate["says"], predicate["limits"]) != says:
        raise _Unfit("its sentences are not those of its figures")


def _check_figures(predicate: Mapping[str, Any]) -> None:
    """Raises `_Unfit` unless the figures can be those of one work in one index."""
    work, found, shortest = predicate["work"], predicate["found"], predicate["searched"]["min_words"]
    listed, corpora = predicate["documents"], predicate["searched"]["corpora"]
    _counts(work["words"], work["running_heads"], found["passages"], found["documents"], shortest)
    stretches, end, total = _list(found["stretches"]), -1, 0
    for first, size in stretches:
        _counts(first, size)
        # Those that touch would be one.
        if first <= end or size < shortest:
            raise _Unfit("its stretches are not in order")
        end, total = first + size, total + size
    held = [document["words"] for document in listed]
    _counts(found["words"], *held)
    sound = (
        1 <= shortest <= work["words"]
        and end <= work["words"]
        and total == found["words"]
        and type(found["share"]) is float
        and found["share"] == total / work["words"]
        # No two passages begin with the same word, and each is inside one stretch.
        and len(stretches) <= found["passages"] <= sum(size - shortest + 1 for _, size in stretches)
        and found["documents"] >= len(listed)
        and len({(document["corpus"], document["id"]) for document in listed}) == len(listed)
        and _may_hold(corpora, found["documents"], shortest)
        and all(
            _may_hold([corpus], sum(one["corpus"] == corpus["name"] for one in listed), shortest)
            for corpus in corpora
        )
        and (found["documents"] > len(listed) or _hold_all(held, stretches, found["passages"]))
        # Whatever is found is found in a document, and of some everything is told.
        and len({one == 0 for one in (total, found["passages"], found["documents"], len(listed))}) == 1
        and all(shortest <= one <= total for one in held)
    )
    if not sound:
        raise _Unfit("its figures contradict each other")


def _may_hold(corpora: Sequence[Mapping[str, Any]], documents: int, shortest: int) -> bool:
    """Whether so many documents of corpora may hold a passage of `shortest` words. How much of a work they
    hold says nothing of how long they are: it may say the same again and again."""
    searched, long = (sum(corpus[part] for corpus in corpora) for part in ("documents", "words"))
    return bool(documents <= searched and documents * shortest <= long and (searched or not long))


def _hold_all(held: Sequence[int], stretches: Sequence[Sequence[int]], passages: int) -> bool:
    """Whether documents that hold so many words each may hold each passage whole. The longest stretch is of
    no more passages than the others leave it, one each, so one of them is at least its part of it."""
    sizes = [size for _, size in stretches]
    most, longest = max(held, default=0), max(sizes, default=0)
    return sum(held) >= sum(sizes) and most * (passages - len(sizes) + 1) >= longest


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Unfit("a part is not what it should be")
    return value


def _counts(*values: Any) -> None:
    """Raises `_Unfit` unless these are whole numbers, none below zero."""
    if not all(type(value) is int and value >= 0 for value in values):
        raise _Unfit("a number of it is none that counts")


def _check_digest(path: Path, digest: str) -> list[Finding]:
    try:
        data = read_bounded(path, LARGEST_FILE)
    except IntegrityError as error:
        return [Finding(error.place or str(path), error.what)]
    return [] if sha256_bytes(data) == digest else [Finding(str(path), "it differs from what was signed")]


def _check_document(
    path: Path,
    document: Mapping[str, Any],
    corpora: Mapping[str, str],
    predicate: Mapping[str, Any],
    key: PublicKey,
) -> None:
    """Raises IntegrityError unless the proof holds, by this key, for a document that was for training."""
    data = read_bounded(path, LARGEST_PROOF)
    if sha256_bytes(data) != document["proof"]:
        raise IntegrityError("it differs from what was signed", place=str(path))
    about = document["fingerprints"]
    # Fingerprints are compared with fingerprints here: what made words of the text need not be at hand.
    checked = check_proof(data, about, predicate["searched"]["normalisation"], str(path))
    if checked.fingerprint != key.fingerprint:
        raise IntegrityError(
            f"it is signed by {checked.fingerprint}, not by {key.fingerprint}", place=str(path)
        )
    if corpora.get(document["corpus"]) != checked.root.corpus_digest:
        raise IntegrityError("it is about another corpus than the one that was searched", place=str(path))
    if not all("train" in answer.splits for answer in checked.answers):
        raise IntegrityError("it does not show that the document was for training", place=str(path))
