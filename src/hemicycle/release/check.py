"""Check: whether a release is what its publisher signed, for somebody who has nothing but the folder.

The folder is a stranger's: nothing in it is run or unpickled, no link is followed, no path leads out of
it, and a table is opened only once its digest is the one that was signed. What a check cannot show is
whose key it is: a changed folder can be signed again with another key, so the fingerprint is handed out
together with the sentence that says what to compare it with.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_file
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.ledger import Finding, Ledger, Statement
from hemicycle.ledger.signatures import PublicKey
from hemicycle.ledger.verify import check_ledger
from hemicycle.progress import QUIET, Progress
from hemicycle.release.manifest import MANIFEST, Manifest, is_inside, open_manifest
from hemicycle.store import list_files

KEY = "ledger/keys/solo.pub"
JOURNAL = "ledger/journal.jsonl"
HEAD = "ledger/head.json"
#: Nobody's list of files is longer; a larger one is not read into memory.
LARGEST_MANIFEST = 256_000_000
LARGEST_KEY = 16_384

COMPARE = (
    "the files are checked against the key in the folder itself: compare its fingerprint with one that the "
    "publisher gave you by another way"
)
GOVERNANCE = {
    "solo": "solo: one person's key signed this; nobody else reviewed it",
    "declared": "declared: several people signed the decisions on sources, run and release; one key, this",
}


def check_release(folder: Path, *, progress: Progress = QUIET) -> tuple[list[Finding], dict[str, Any]]:
    """Check a release folder; an empty list means that nothing is wrong.

    Returns findings, with paths relative to the folder, and what the release states about itself:
    `fingerprint`, `compare` (what to do with it) and, once the signature holds, name, project, model,
    licence, governance, jurisdictions, the journal's head, and how much was checked.
    """
    try:
        present = _present(folder)
        key = _read_key(folder, present)
    except IntegrityError as error:
        return [Finding(_relative(error.place, folder), error.what)], {}
    facts: dict[str, Any] = {"fingerprint": key.fingerprint, "compare": COMPARE}
    findings, statements = _check_ledger(folder, present)
    try:
        manifest = _read_manifest(folder, present, key)
    except IntegrityError as error:
        unlisted = Finding(MANIFEST, "without it, no other file outside the ledger can be checked")
        refused = [Finding(_relative(error.place, folder), error.what), unlisted]
        return refused + _check_key(folder, present, key) + findings, facts
    changed = _check_files(folder, manifest, present, progress)
    findings = changed + findings
    findings += _check_head(folder, manifest)
    model = next((s for s in statements if _is_model(s, manifest)), None)
    if model is None:
        findings.append(Finding(MANIFEST, f"the ledger holds no statement about the model {manifest.model}"))
    else:
        ancestors, gaps = _ancestors(model, statements)
        findings += gaps
        findings += _check_model(model, manifest)
        sound = manifest.files.keys() - {finding.file for finding in changed}
        covered, counted = _check_coverage(folder, sound, model, ancestors)
        findings += covered
        facts |= counted
        if not findings:
            findings += _check_decisions(folder, manifest, _models(model, ancestors), statements)
    facts |= {
        "name": manifest.name,
        "project": manifest.project,
        "model": manifest.model,
        "license": manifest.license,
        "jurisdictions": ", ".join(manifest.jurisdictions),
        "governance": GOVERNANCE.get(manifest.governance, manifest.governance),
        "head": manifest.head,
        "statements": len(statements),
        "files": len(manifest.files) + 1,
    }
    return _distinct(findings), facts


def _present(folder: Path) -> list[str]:
    """All files of the folder. Raises IntegrityError on a link, a pipe, a device: nothing here is opened."""
    files = list_files(folder)
    for file in files:
        if not stat.S_ISREG((folder / file).lstat().st_mode):
            raise IntegrityError("this is no ordinary file", place=str(folder / file))
    return files


def _read_key(folder: Path, present: Collection[str]) -> PublicKey:
    path = folder / KEY
    if KEY not in present:
        raise IntegrityError("the publisher's key is missing", place=str(path))
    if path.stat().st_size > LARGEST_KEY:
        raise IntegrityError("the file is too large for a key", place=str(path))
    return PublicKey.read(path)


def _check_key(folder: Path, present: Collection[str], key: PublicKey) -> list[Finding]:
    """Where no signature fits, say whether the key is another than the one the signed head names."""
    try:
        head = json.loads((folder / HEAD).read_bytes()) if HEAD in present else {}
        named = head["signatures"][0]["keyid"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return []
    if named == key.fingerprint:
        return []
    return [Finding(KEY, "it is not the key that the signed head of the journal names")]


def _read_manifest(folder: Path, present: Collection[str], key: PublicKey) -> Manifest:
    path = folder / MANIFEST
    if MANIFEST not in present:
        raise IntegrityError("the file is missing", place=str(path))
    if path.stat().st_size > LARGEST_MANIFEST:
        raise IntegrityError("the file is too large for a list of files", place=str(path))
    return open_manifest(path.read_bytes(), key, str(path))


def _check_files(
    folder: Path, manifest: Manifest, present: Collection[str], progress: Progress
) -> list[Finding]:
    """Compare every file with the signed list."""
    standing = set(present) - {MANIFEST}
    findings = [Finding(p, "the file is missing") for p in manifest.files.keys() - standing]
    findings += [Finding(p, "the release does not know this file") for p in standing - manifest.files.keys()]
    both = sorted(standing & manifest.files.keys())
    sizes = {path: (folder / path).stat().st_size for path in both}
    with progress.start("verify", sum(sizes.values()), "B") as bar:
        for path in both:
            if sha256_file(folder / path) != manifest.files[path]:
                findings.append(Finding(path, "the content differs from what was signed"))
            bar.advance(sizes[path])
    return sorted(findings, key=lambda finding: finding.file)


def _check_ledger(folder: Path, present: Collection[str]) -> tuple[list[Finding], list[Statement]]:
    """The ledger's own check, once no line of its journal names a path that leads elsewhere."""
    ledger = Ledger(folder / "ledger")
    if JOURNAL not in present:
        return [Finding(JOURNAL, "the file is missing")], []
    try:
        unsafe = [
            Finding(f"{JOURNAL}, line {line.number}", "it names a statement that is no file of this ledger")
            for line in ledger.journal.read()[0]
            if not _is_plain(line.kind, line.content, present)
        ]
        if unsafe:
            return unsafe, []
        findings, statements = check_ledger(ledger, partial=True)
    except IntegrityError as error:
        return [Finding(_relative(error.place, folder), error.what)], []
    # A line, a head or a statement may hold any JSON, in any depth.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [Finding("ledger", f"it cannot be read ({error!r})")], []
    return [Finding(_relative(f.file, folder), f.what) for f in findings], statements


def _is_plain(kind: str, content: Any, present: Collection[str]) -> bool:
    if kind != "statement":
        return True
    if not isinstance(content, dict):
        return False
    file, digest = content.get("file"), content.get("sha256")
    if not isinstance(file, str) or not isinstance(digest, str) or not is_inside(file):
        return False
    # A folder in the place of the file cannot be read; a file that is absent is found by the ledger's check.
    beneath = f"ledger/statements/{file}/"
    return not any(path.startswith(beneath) for path in present)


def _check_head(folder: Path, manifest: Manifest) -> list[Finding]:
    """The journal must end where it ended when the release was signed."""
    try:
        lines, _ = Ledger(folder / "ledger").journal.read()
    except TypeError:
        return [Finding(JOURNAL, "it cannot be read")]
    if lines and lines[-1].digest == manifest.head and len(lines) == manifest.lines:
        return []
    if any(line.digest == manifest.head for line in lines):
        return [Finding(JOURNAL, "the journal went on after the release was signed")]
    return [Finding(JOURNAL, "the journal does not hold the line with which the release was signed")]


def _is_model(statement: Statement, manifest: Manifest) -> bool:
    return (
        statement.subject.stage == "model"
        and statement.subject.name == manifest.model
        and statement.digest == manifest.model_digest
    )


def _check_model(model: Statement, manifest: Manifest) -> list[Finding]:
    return [
        Finding(file.path, "it is not the file that the ledger states for the model")
        for file in model.files
        if manifest.files.get(file.path) != file.sha256
    ]


def _ancestors(model: Statement, statements: Iterable[Statement]) -> tuple[list[Statement], list[Finding]]:
    """All statements the model stands on, its own first; and where the lineage breaks off."""
    by_digest = {(str(s.subject), s.digest): s for s in statements}
    reached: dict[tuple[str, str], Statement] = {}
    findings: list[Finding] = []
    waiting = [model]
    while waiting:
        statement = waiting.pop()
        identity = (str(statement.subject), statement.digest)
        if identity in reached:
            continue
        reached[identity] = statement
        place = f"ledger/statements/{statement.file_name}"
        inputs = statement.inputs if isinstance(statement.inputs, dict) else {}
        if not inputs and statement.subject.stage not in ("raw", "base"):
            findings.append(Finding(place, "the lineage ends here, and these are no collected files"))
        for role, entry in sorted(inputs.items()):
            named = entry if isinstance(entry, dict) else {}
            parent = by_digest.get((str(named.get("artefact")), str(named.get("digest"))))
            if parent is None:
                findings.append(Finding(place, f"the ledger holds no statement about its input “{role}”"))
            else:
                waiting.append(parent)
    return list(reached.values()), findings


def _models(model: Statement, ancestors: Iterable[Statement]) -> dict[str, Statement]:
    """The account of what a model read, as the release holds it → the model: the released one first, then
    those of the project that it was made from."""
    before = [s for s in ancestors if s.subject.stage == "model" and s is not model]
    return {"exposure.parquet": model} | {f"before/{s.subject.name}/exposure.parquet": s for s in before}


def _check_coverage(
    folder: Path, sound: Collection[str], model: Statement, ancestors: Collection[Statement]
) -> tuple[list[Finding], dict[str, Any]]:
    """Every document that was read must have its row, its right and its source, and nothing more."""
    models, rights_file = _models(model, ancestors), "documents.parquet"
    missing = [file for file in (*models, rights_file) if file not in sound]
    if missing:
        return [Finding(f, "what was read cannot be compared with rights") for f in missing], {}
    try:
        read = {file: _exposed(folder / file, one.subject.name) for file, one in models.items()}
        exposed = pl.concat(read.values())
        steps = ["model", "id", "source", "first_step", "last_step", "tokens"]
        rows = _table(folder / rights_file, [*steps, "verdict", "basis"])
        unnamed = exposed.join(rows, on=["model", "id", "source"], how="anti")
        other = rows.join(exposed, on=steps, how="anti")
        granted = (pl.col("verdict") == "allow") & ~pl.col("basis").is_in(["", "none"])
        ungranted = rows.filter(~granted.fill_null(False))
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        return [Finding(rights_file, f"the tables cannot be read ({type(error).__name__})")], {}
    findings = [
        Finding(rights_file, f"{what}: {frame['id'].sort()[0]!r}" + _others(frame.height))
        for frame, what in (
            (unnamed, "a document that the model read is not in it"),
            (other, "its steps and tokens are not those of exposure.parquet"),
            (ungranted, "nothing allows a document that the model read"),
        )
        if frame.height
    ]
    if rows.select("model", "id", "source").is_duplicated().any():
        findings.append(Finding(rights_file, "it holds a document twice"))
    raw = {s.subject.name for s in ancestors if s.subject.stage == "raw"}
    findings += [
        Finding(rights_file, f"the lineage of the model does not lead to the source {source!r}")
        for source in sorted(set(rows["source"].drop_nulls()) - raw)
    ]
    for file, one in models.items():
        if one.figures.get("tokens") != int(read[file]["tokens"].sum()):
            findings.append(Finding(file, "its tokens are not as many as the ledger states for the model"))
        if file != "exposure.parquet" and not _is_of(folder / file, one):
            findings.append(Finding(file, "it is not the account that the ledger states for that model"))
    documents = rows.select("id", "source").n_unique()
    told = {"documents": documents, "tokens": int(exposed["tokens"].sum())}
    # A tokenizer may stand on a base too; only what weights began as had read something.
    began = {one.inputs.get("base", {}).get("artefact") for one in models.values()}
    bases = [s.subject.name for s in ancestors if s.subject.stage == "base" and str(s.subject) in began]
    return findings, told | ({"upstream-unknown": ", ".join(sorted(bases))} if bases else {})


def _exposed(path: Path, model: str) -> pl.DataFrame:
    """What a model read by its own account; a document that stands in two corpora was read in both."""
    read = _table(path, ["document", "source", "first_step", "last_step", "tokens"])
    grouped = read.rename({"document": "id"}).group_by("id", "source")
    exposed = grouped.agg(pl.min("first_step"), pl.max("last_step"), pl.sum("tokens"))
    return exposed.with_columns(pl.lit(model).alias("model"))


def _is_of(file: Path, statement: Statement) -> bool:
    return any(f.path == file.name and f.sha256 == sha256_file(file) for f in statement.files)


def _check_decisions(
    folder: Path,
    manifest: Manifest,
    models: Mapping[str, Statement],
    statements: Iterable[Statement],
) -> list[Finding]:
    """The decisions that the folder carries, by its own file of people, once all else holds."""
    from hemicycle.governance.check import check_decisions, check_released

    ledger, approvals = Ledger(folder / "ledger"), folder / "approvals"
    rights = {s.subject.name: s for s in statements if s.subject.stage == "rights"}
    read = sorted({s for file in models for s in _table(folder / file, ["source"])["source"]})
    try:
        refusals = (
            check_released(ledger, approvals, manifest.name, [*models.values()], {s: rights[s] for s in read})
            if manifest.governance == "declared"
            else check_decisions(ledger, approvals)
        )
    except (HemicycleError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [Finding(JOURNAL, f"its decisions cannot be read ({error!r})")]
    return [Finding(refusal.path, refusal.why) for refusal in refusals]


def _table(path: Path, columns: list[str]) -> pl.DataFrame:
    frame = pl.from_arrow(pq.read_table(path, columns=columns))
    assert isinstance(frame, pl.DataFrame)
    return frame.select(columns)


def _others(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""


def _relative(place: str | None, folder: Path) -> str:
    return (place or str(folder)).removeprefix(f"{folder}/")


def _distinct(findings: list[Finding]) -> list[Finding]:
    """Each finding once, in order."""
    return list(dict.fromkeys(findings))
