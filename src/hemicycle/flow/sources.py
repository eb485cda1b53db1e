"""The steps of a source: its files, its documents, its rights, and what may go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_file, sha256_json, sha256_text
from hemicycle.errors import DeclarationError, InputError
from hemicycle.flow.stages import USES, VERSIONS, once, tables
from hemicycle.ledger import Statement
from hemicycle.project import AUTHORS, Card, Lock
from hemicycle.rights.policy import find_policy
from hemicycle.steps import Resolving, Step, Unresolved, Work
from hemicycle.store import artefact_digest, digest_files

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def raw(flow: Flow, name: str) -> Step:
    """The files of a source, as they came."""
    card = flow.project.cards[name]
    local = card.path is not None and not card.path.startswith("hf:")
    place = card.model_dump(include={"path", "urls", "packages", "digests"}, exclude_none=True)
    if card.path:
        place |= {"include": card.include, "exclude": card.exclude}
    if local:
        # A folder's name may tell of a home or a client, and statements are published; what counts is
        # the files, and those are in the fingerprint.
        place["path"] = "local"
    declared = sha256_json(place)

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.sources.collect import collect

        locked = flow.lock.get("raw", name) or {}
        pinned = locked if locked.get("declared") == declared and name not in flow.update else {}
        with _naming(name):
            figures = collect(
                card,
                flow.project.folder,
                work.out,
                work.scratch,
                pinned=pinned.get("packages", {}),
                offline=work.offline,
                progress=work.progress,
            )
        digest = artefact_digest(digest_files(work.out))
        if not card.path and pinned and pinned["digest"] != digest:
            raise InputError(
                "the publisher's files are no longer those of hemicycle.lock",
                place=f"source {name}",
                remedy=f"See what changed, then accept it with `hemicycle collect --update {name}`.",
            )
        return figures

    def resolve(at: Resolving) -> dict[str, Any]:
        from hemicycle.sources.local import fingerprint

        cache = flow.store.cache / f"{name}.files.json"
        with _naming(name):
            return {"files": fingerprint(_local_path(flow, card), card, cache)}

    def settle(statement: Statement, lock: Lock) -> None:
        entry = {"declared": declared, "digest": statement.digest}
        entry |= {"packages": p} if (p := statement.figures.get("packages")) else {}
        if lock.get("raw", name) != entry:
            lock.set("raw", name, entry)

    return Step(
        "raw",
        name,
        VERSIONS["raw"],
        place,
        build,
        resolve=resolve if local else None,
        settle=settle,
        rebuildable=False,
        optional=card.optional,
    )


def _local_path(flow: Flow, card: Card) -> Path:
    return (flow.project.folder / str(card.path)).resolve()


@once
def documents(flow: Flow, name: str) -> Step:
    """What a source's files say, as documents."""
    card = flow.project.cards[name]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.sources.read import read_source

        return read_source(name, card, work.inputs["raw"], work.out, progress=work.progress)

    shared = {"reader", "include", "exclude", "kind", "language", "variety", "text_field", "id_field"}
    declared = card.model_dump(include=shared | ({"extractor"} if card.reader == "web" else set()))
    declared["tables"] = tables("sources")
    return Step("documents", name, VERSIONS["documents"], declared, build, {"raw": flow.raw(name)})


@once
def rights(flow: Flow, name: str) -> Step:
    """The verdicts on a source's documents, computed for a day and kept while they hold."""
    card = flow.project.cards[name]
    jurisdictions = list(flow.declaration.project.jurisdictions)
    authority = flow.project.folder / AUTHORS
    declared = {
        "rights": card.rights.model_dump(mode="json"),
        "jurisdictions": jurisdictions,
        "policy": flow.policy_digest,
        "authors": sha256_file(authority) if authority.is_file() else None,
        "tables": tables("rights"),
    }

    def subject(statements: Mapping[str, Statement]) -> str:
        return sha256_json([declared, *(statements[role].digest for role in sorted(statements))])

    def resolve(at: Resolving) -> dict[str, Any]:
        locked = at.lock.get("rights", name)
        today = at.today.isoformat()
        if locked and locked["of"] == subject(at.statements) and locked["as_of"] <= today:
            until = locked.get("holds_until")
            if until is None or today < until:
                return {"as_of": locked["as_of"]}
        return {"as_of": today}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.rights import decide

        figures = decide(
            work.inputs["documents"] / "documents.parquet",
            card,
            name,
            jurisdictions,
            date.fromisoformat(work.resolved["as_of"]),
            work.out,
            policy=find_policy(flow.declaration.project.policy, flow.project.folder),
            authority=authority if authority.is_file() else None,
            rechecked=work.inputs["optout"] / "optout.parquet" if "optout" in work.inputs else None,
            progress=work.progress,
        )
        return {**figures, "of": subject(work.statements)}

    def settle(statement: Statement, lock: Lock) -> None:
        entry = {
            "of": statement.figures["of"],
            "as_of": statement.declaration["resolved"]["as_of"],
        }
        if statement.figures.get("holds_until"):
            entry["holds_until"] = statement.figures["holds_until"]
        if lock.get("rights", name) != entry:
            lock.set("rights", name, entry)

    return Step(
        "rights",
        name,
        VERSIONS["rights"],
        declared,
        build,
        {"documents": flow.documents(name)} | ({"optout": flow.optout(name)} if card.reader == "web" else {}),
        resolve=resolve,
        settle=settle,
        evidence=True,
    )


@once
def optout(flow: Flow, name: str) -> Step:
    """What a web source's pages and sites say now of being mined, where the evidence is too old."""
    card = flow.project.cards[name]
    policy = find_policy(flow.declaration.project.policy, flow.project.folder)
    declared = {"age_days": policy.opt_out_age_days}

    def resolve(at: Resolving) -> dict[str, Any]:
        collected = date.fromisoformat(at.statements["documents"].figures["retrieved"][:10])
        locked = at.lock.get("optout", name) or {}
        checked = date.fromisoformat(locked.get("checked", collected.isoformat()))
        last = max(checked, collected)
        if 0 <= (at.today - last).days < policy.opt_out_age_days:
            return {"checked": None if last == collected else last.isoformat()}
        return {"checked": at.today.isoformat()}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.sources.recheck import recheck_source

        checked = work.resolved["checked"]
        return recheck_source(
            work.inputs["documents"] / "documents.parquet",
            work.out,
            declared=card.urls or (),
            fetch=checked is not None,
            offline=work.offline,
            age_days=policy.opt_out_age_days,
            progress=work.progress,
        )

    def settle(statement: Statement, lock: Lock) -> None:
        checked = statement.declaration["resolved"]["checked"]
        if checked is not None and lock.get("optout", name) != {"checked": checked}:
            lock.set("optout", name, {"checked": checked})

    return Step(
        "optout",
        name,
        VERSIONS["optout"],
        declared,
        build,
        {"documents": flow.documents(name)},
        resolve=resolve,
        settle=settle,
        rebuildable=False,
        evidence=True,
    )


@once
def cleared(flow: Flow, name: str) -> Step:
    """The gate of one source: which of its documents go on, row for row.

    It judges by the function of `admitted` and does not read what that wrote, nor the other way: a corpus
    has many sources and a source many corpora; and what `admitted` says of refused documents, their
    reasons, must not be in here, or each reason that changes would have the source annotated anew.
    """
    jurisdictions = list(flow.declaration.project.jurisdictions)

    def resolve(at: Resolving) -> dict[str, Any]:
        held, lifted = flow.decided({name: at.statements["rights"]})
        return {"held": held, "lifted": lifted}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.rights.cleared import clear_source

        documents = work.inputs["documents"] / "documents.parquet"
        return clear_source(
            name, documents, work.inputs["rights"], jurisdictions, work.out, uses=USES, **work.resolved
        )

    return Step(
        "cleared",
        name,
        VERSIONS["cleared"],
        flow.gate_declared,
        build,
        {"documents": flow.documents(name), "rights": flow.rights(name)},
        resolve=resolve if flow.gate.declared else None,
    )


@once
def annotated(flow: Flow, name: str) -> Step:
    """What may go on of a source, cleaned and measured; no bound is applied yet."""
    card = flow.project.cards[name]
    model = (flow.project.folder / card.names_model).resolve() if card.names_model is not None else None

    # Another folder is another model asked for; the same folder is what the lock says it was.
    asked = sha256_text(card.names_model or "")

    def measured() -> dict[str, Any]:
        from hemicycle.curate.names_presidio import provenance

        assert model is not None
        with _naming(name):
            return provenance(model)

    def resolve(at: Resolving) -> dict[str, Any]:
        # What is annotated must be of use where neither the extra nor the model is.
        locked = at.lock.get("names", name)
        if locked and locked.pop("of") == asked:
            return {"names": locked}
        if at.looking:
            raise Unresolved("its model of names is looked at when it runs")
        return {"names": measured()}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.curate import annotate_source

        if model is not None and measured() != work.resolved["names"]:
            raise InputError(
                "the model of names, Presidio or spaCy is no longer that of hemicycle.lock",
                place=f"source {name}",
                remedy=f"Put it back, or delete [names.{name}] in hemicycle.lock to use what is here.",
            )
        return annotate_source(
            work.inputs["documents"] / "documents.parquet",
            work.inputs["cleared"] / "cleared.parquet",
            work.out,
            work.scratch,
            also=card.personal,
            names_model=model,
            engine=work.engine,
            progress=work.progress,
        )

    def settle(statement: Statement, lock: Lock) -> None:
        entry = {"of": asked, **statement.declaration["resolved"]["names"]}
        if lock.get("names", name) != entry:
            lock.set("names", name, entry)

    from hemicycle.curate.versions import annotation_versions

    inputs = {"documents": flow.documents(name), "cleared": flow.cleared(name)}
    declared = annotation_versions()
    if card.personal:
        declared["also_masked"] = sorted(set(card.personal))
    # Where the model lies may tell of a home; what counts is what it is, and that is resolved.
    return Step(
        "annotated",
        name,
        VERSIONS["annotated"],
        declared,
        build,
        inputs,
        resolve=resolve if model is not None else None,
        settle=settle if model is not None else None,
    )


@contextlib.contextmanager
def _naming(source: str) -> Iterator[None]:
    """Put the name of a source's card before the place of whatever is wrong with its files."""
    try:
        yield
    except (InputError, DeclarationError) as error:
        place = f"source {source}, {error.place}" if error.place else f"source {source}"
        raise type(error)(error.what, place=place, remedy=error.remedy) from None
