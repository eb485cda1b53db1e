"""The step of a base: a model from elsewhere, pinned, with its shape and the licence it is under."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError, InputError
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.ledger import Statement
from hemicycle.project import Lock
from hemicycle.rights.bases import BaseRights, judge_base
from hemicycle.rights.policy import find_policy
from hemicycle.steps import Resolving, Step, Work
from hemicycle.store import artefact_digest, digest_files, list_files

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def base(flow: Flow, name: str) -> Step:
    """The files of a base. What it was trained on is not known, and its statement says so."""
    declared = flow.declaration.bases[name]
    place = declared.model_dump(include={"path", "hf"}, exclude_none=True)
    pin = sha256_json(place)
    if declared.path is not None:
        # As with sources: where a folder lies may tell of a home; its files are in what is resolved.
        place["path"] = "local"

    def check_pin(digest: str) -> None:
        locked = flow.lock.get("base", name)
        if locked and locked["declared"] == pin and locked["digest"] != digest:
            raise InputError(
                "its files are no longer those of hemicycle.lock, and what was made from it is of those",
                place=f"base {name}",
                remedy=f"Put them back, or delete [base.{name}] in hemicycle.lock to begin from these.",
            )

    def resolve(at: Resolving) -> dict[str, Any]:
        from hemicycle.train.fetch import fingerprint_base

        cache = flow.store.cache / f"base-{name}.files.json"
        with _naming(name):
            files = fingerprint_base(declared, flow.project.folder, cache)
        check_pin(files)
        return {"files": files}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import load_tokenizer
        from hemicycle.train.fetch import fetch_base, stated_licence

        try:
            from hemicycle.train.base import shape_of
        except ImportError as error:
            raise DeclarationError(
                f"beginning from a model needs {error.name}, which is not installed",
                remedy="pip install 'hemicycle[train]'",
            ) from None
        with _naming(name):
            fetch_base(declared, flow.project.folder, work.out, offline=work.offline)
            shape = shape_of(work.out)
            vocabulary = 1 + max(load_tokenizer(work.out).get_vocab(with_added_tokens=True).values())
            if vocabulary > shape.vocabulary:
                raise InputError(
                    f"its tokenizer has {vocabulary} tokens, and its embedding only {shape.vocabulary} rows",
                    remedy="Take tokenizer and weights of one publication.",
                )
        check_pin(artefact_digest(digest_files(work.out)))
        files = list_files(work.out)
        return {
            "family": shape.family,
            "shape": asdict(shape),
            "vocabulary": vocabulary,
            "licence": declared.licence,
            "stated_licence": stated_licence(work.out),
            "revision": declared.hf.partition("@")[2] if declared.hf else None,
            "upstream": "unknown",
            "files": len(files),
            "bytes": sum((work.out / file).stat().st_size for file in files),
        }

    def settle(statement: Statement, lock: Lock) -> None:
        entry = {"declared": pin, "digest": statement.digest}
        if lock.get("base", name) != entry:
            lock.set("base", name, entry)

    rights = declared.model_dump(include={"licence", "evidence", "attested_by"})
    return Step(
        "base",
        name,
        VERSIONS["base"],
        {"place": place, "rights": rights},
        build,
        resolve=resolve if declared.path is not None else None,
        settle=settle,
        rebuildable=False,
    )


def rights_of(flow: Flow, name: str, stated: str | None = None) -> BaseRights:
    """The licence of a base, judged for the licence of the project.

    Args:
        stated: what its README says; None: what the last statement about its files says, if there is one.
    """
    project = flow.declaration.project
    made = [s for s in flow.ledger.current().values() if (s.subject.stage, s.subject.name) == ("base", name)]
    if stated is None and made:
        stated = made[-1].figures["stated_licence"]
    policy = find_policy(project.policy, flow.project.folder)
    return judge_base(name, flow.declaration.bases[name], stated, project.license, policy)


def foreseen(flow: Flow, models: Iterable[str]) -> list[str]:
    """Which releases of these models, or of models made from them, their base will not let be made, and why.

    Told before hours are spent: a licence is known before anything is trained.
    """
    wanted, told = set(models), []
    for name, release in flow.declaration.releases.items():
        base = flow.declaration.base_of(release.model)
        if base is not None and wanted & set(flow.declaration.models_behind(release.model)):
            why = rights_of(flow, base).sentences()
            told += [f"release {name} will be refused. {sentence}" for sentence in why]
    return told


@contextlib.contextmanager
def _naming(base: str) -> Iterator[None]:
    """Put the name of a base before the place of whatever is wrong with its files."""
    try:
        yield
    except (InputError, DeclarationError) as error:
        place = f"base {base}, {error.place}" if error.place else f"base {base}"
        raise type(error)(error.what, place=place, remedy=error.remedy) from None
