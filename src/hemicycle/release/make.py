"""Make: put a release together, sign the list of its files, and check it as a stranger would.

The root of the folder is the model itself, so that `from_pretrained` loads it as it is. What a private
project keeps to itself stays out: of the ledger, only what the journal names is copied, and of the keys
only the public one, written anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hemicycle.errors import IntegrityError
from hemicycle.ledger import Ledger, Statement
from hemicycle.ledger.journal import statements_in
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.project import Card, Declaration
from hemicycle.release.cards import render_pages
from hemicycle.release.check import check_release
from hemicycle.release.checks import (
    CONTAMINATION,
    CONTAMINATION_PICTURE,
    REGURGITATION,
    REGURGITATION_PICTURE,
    copy_contamination,
    copy_regurgitation,
    picture_of,
)
from hemicycle.release.coverage import DOCUMENTS, REFUSED, cover, refusals, write_table
from hemicycle.release.facts import DecisionFacts
from hemicycle.release.gather import gather_facts
from hemicycle.release.manifest import MANIFEST, Manifest
from hemicycle.release.pictures import draw_composition
from hemicycle.store import digest_files, list_files

#: What of an evaluation goes into a release.
_OF_EVALUATION = ("results.json", "comparison.png")
#: What of a model that the released one was made from.
_OF_ANCESTOR = ("exposure.parquet", "training.json")
#: What of a base: its licence, and the notices that go wherever the weights go.
_OF_BASE = ("LICENSE*", "LICENCE*", "license*", "NOTICE*")


def make_release(
    out: Path,
    *,
    name: str,
    declaration: Declaration,
    cards: Mapping[str, Card],
    model: Path,
    statements: Mapping[str, Statement],
    corpora: Mapping[str, Path],
    rights: Mapping[str, Path],
    refused: Mapping[str, Path],
    evaluations: Mapping[str, Path],
    ledger: Ledger,
    contamination: Mapping[str, Path] = {},
    regurgitation: Mapping[str, Path] = {},
    before: Mapping[str, Path] = {},
    base: Path | None = None,
    approvals: Path | None = None,
    decisions: tuple[DecisionFacts, ...] = (),
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Fill `out`, an empty folder, with a release and return figures for its statement.

    Args:
        cards: source → card, for every source of the model's corpora.
        model: folder of the model artefact.
        before: models of the project that it was made from, the nearest first → folder.
        base: folder of the base that all began with, if there is one.
        statements: ``stage/name`` → statement, for the model and all it stands on.
        corpora, refused: corpus → folder of the corpus, of what its gate let through and held back.
        rights: source → folder of its rights.
        evaluations: name → folder, for the evaluations of the model.
        contamination, regurgitation: name of an evaluation → folder of what was checked with it.
        approvals: folder of the decisions and signatures that the journal names.
        decisions: those that the release rests on, for its pages.

    Raises:
        RightsError: the model read a document that is not allowed.
        IntegrityError: artefacts, statements and ledger do not agree.
    """
    jurisdictions = declaration.project.jurisdictions
    models = {declaration.releases[name].model: model, **before}
    exposures = {m: folder / "exposure.parquet" for m, folder in models.items()}
    covered = cover(exposures, corpora, rights, jurisdictions)
    held_back = refusals(refused)
    facts = gather_facts(
        name=name,
        declaration=declaration,
        cards=cards,
        models=models,
        statements=statements,
        corpora=corpora,
        rights=rights,
        refused=refused,
        evaluations=evaluations,
        contamination=contamination,
        regurgitation=regurgitation,
        licence_files=tuple(f"base/{file}" for file in _licence_files(base)),
        covered=covered,
        held_back=held_back,
        ledger=ledger,
        decisions=decisions,
    )
    size = sum(f.size for f in statements[f"model/{facts.model.name}"].files)
    with progress.start(f"release {name}", size, "B") as bar:
        for file in list_files(model):
            _copy(model / file, out / file, bar)
        for ancestor, folder in before.items():
            for file in _OF_ANCESTOR:
                _copy(folder / file, out / "before" / ancestor / file, bar)
        for file in _licence_files(base):
            assert base is not None
            _copy(base / file, out / "base" / file, bar)
        write_table(_new(out / "documents.parquet"), DOCUMENTS, covered)
        write_table(_new(out / "refused.parquet"), REFUSED, held_back)
        for evaluation, folder in sorted(evaluations.items()):
            for file in _OF_EVALUATION:
                if (folder / file).is_file():
                    _copy(folder / file, out / "evaluation" / evaluation / file, bar)
        for evaluation, folder in sorted(contamination.items()):
            there = _new(out / "evaluation" / evaluation / CONTAMINATION).parent
            copy_contamination(folder, facts.model.name, there)
            picture = picture_of(folder, CONTAMINATION_PICTURE, facts.model.name)
            _copy(picture, there / CONTAMINATION_PICTURE, bar)
        for evaluation, folder in sorted(regurgitation.items()):
            there = _new(out / "evaluation" / evaluation / REGURGITATION).parent
            copy_regurgitation(folder, facts.model.name, there)
            picture = picture_of(folder, REGURGITATION_PICTURE, facts.model.name)
            _copy(picture, there / REGURGITATION_PICTURE, bar)
        draw_composition(facts, _new(out / "composition.png"))
        for file, text in render_pages(facts).items():
            _new(out / file).write_text(text, "utf-8")
        _copy_ledger(ledger, statements.values(), out / "ledger", bar)
        if approvals is not None:
            _copy_decisions(ledger, approvals, out, bar)
    manifest = Manifest(
        files={f.path: f.sha256 for f in digest_files(out)},
        name=name,
        project=facts.project,
        model=facts.model.name,
        model_digest=facts.model.digest,
        head=facts.head,
        lines=facts.journal_lines,
        license=facts.license,
        governance=facts.governance,
        jurisdictions=facts.jurisdictions,
        as_of=facts.as_of,
    )
    _new(out / MANIFEST).write_bytes(manifest.seal(ledger.signing_key))
    findings, _ = check_release(out, progress=progress)
    if findings:
        raise IntegrityError(
            f"the release does not pass its own check: {findings[0].what}",
            place=findings[0].file,
            remedy="`hemicycle verify` on the project says what is wrong with its ledger or its store.",
        )
    return {
        "documents": facts.documents,
        "tokens": facts.tokens,
        "sources": sum(bool(source.documents) for source in facts.sources),
        "refused": held_back.height,
        "files": len(manifest.files) + 1,
        "head": facts.head,
        "fingerprint": facts.fingerprint,
    }


def _licence_files(base: Path | None) -> list[str]:
    return sorted({file.name for pattern in _OF_BASE for file in base.glob(pattern)}) if base else []


def _new(path: Path) -> Path:
    """A path to write to. Raises IntegrityError where the model already brought a file of this name."""
    if path.exists():
        raise IntegrityError("the model has a file that a release writes itself", place=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _copy(source: Path, target: Path, bar: Bar) -> None:
    shutil.copyfile(source, _new(target))
    bar.advance(target.stat().st_size)


def _copy_ledger(ledger: Ledger, lineage: Iterable[Statement], out: Path, bar: Bar) -> None:
    """The whole journal, and the statements of this lineage: a project's other work is not published."""
    entered = statements_in(ledger.journal.lines())
    for file in sorted({s.file_name for s in lineage} & entered.keys()):
        _copy(ledger.folder / "statements" / file, out / "statements" / file, bar)
    _copy(ledger.journal.path, out / "journal.jsonl", bar)
    _copy(ledger.folder / "head.json", out / "head.json", bar)
    _new(out / "keys" / "solo.pub").write_bytes(ledger.public_key.file)


def _copy_decisions(ledger: Ledger, approvals: Path, out: Path, bar: Bar) -> None:
    """Whatever of governance the journal names: decisions, signatures, files of people, policies."""
    folders = {
        "decision": (approvals, out / "approvals"),
        "signature": (approvals, out / "approvals"),
        "governance": (ledger.folder, out / "ledger"),
        "policy": (ledger.folder, out / "ledger"),
    }
    for kind, file in sorted({(line.kind, str(line.content.get("file"))) for line in ledger.journal.lines()}):
        if kind in folders:
            source, target = folders[kind]
            _copy(source / file, target / file, bar)
