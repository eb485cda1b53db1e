"""`hemicycle trace --file`: a work, its documents by what they hold of it, and the report with its proofs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import click

from hemicycle.cli.asking import Asked, hidden, open_model
from hemicycle.cli.session import How, Session, print_json, progress, say_waiting
from hemicycle.cli.tables import at_steps, cell, counted, print_table, relative
from hemicycle.curate.clean import clean
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.flow import normalisation, words_digest
from hemicycle.ledger import Statement
from hemicycle.ledger.proofs import check_proof
from hemicycle.ledger.prove import make_proof
from hemicycle.ledger.roots import Keys, Opened, Root, load_or_make_salt, open_root
from hemicycle.sources.works import Work, read_work
from hemicycle.store import locked_for_reading, write_aside
from hemicycle.trace import claims
from hemicycle.trace.signed import (
    ProvenDocument,
    beside,
    proof_name,
    refuse_to_write_over,
    require_room,
    sign_trace,
    stale_proofs,
)
from hemicycle.trace.texts import Texts
from hemicycle.trace.work_page import work_page
from hemicycle.trace.works import HoldingDocument, TracedWork, searched, trace_work

#: Documents and passages shown; --json has them all.
SHOWN = 10


def trace_file(
    session: Session, model: str | None, file: Path, min_words: int, report: Path | None, *, as_json: bool
) -> None:
    """Trace a work and print what was found; write the report where one is asked for.

    Raises:
        InputError: the work cannot be read.
        DeclarationError: it is too short, the report's name does not end in ``.html``, its files cannot be
            written there, or would be written over what is no report about this work.
        IntegrityError: a report is asked for, and the ledger's private key is not here.
    """
    if report is not None:
        # Whatever would stop the report is told before the work is traced.
        require_room(report)
        session.ledger.signing_key  # noqa: B018
    work = read_work(file)
    if report is not None:
        refuse_to_write_over(report, file, work.sha256)
    asked = open_model(session, model)
    if report is not None and asked.behind:
        raise HemicycleError(
            "documents were withdrawn, and the index still holds them, if hidden: what is signed would speak "
            "of an index that has what it says it did not find",
            remedy="Make all without them first: `hemicycle run`.",
        )
    # As the corpus was: what cleaning takes away would part words, and is in no document.
    text = clean(work.text).text
    traced = trace_work(asked.tracer, text, min_words=min_words, progress=progress())
    withdrawn = asked.tracer.index.withdrawn
    written = write_report(session, asked, work, traced, report) if report is not None else None
    if as_json:
        about = {"file": work.name, "sha256": work.sha256, "kind": work.kind, "title": work.title}
        told = {"model": asked.name, "work": about, "text": text, "withdrawn": withdrawn, **traced.to_json()}
        print_json(told | ({"report": written} if written else {}))
        return
    print_work(traced, asked.name)
    if withdrawn:
        click.echo(hidden(withdrawn, asked.name))
    for what, name in (written or {}).items():
        click.echo(f"{what}: {cell(name)}")


def print_work(work: TracedWork, model: str) -> None:
    """What was found of a work, for people."""
    # Beside a table: thousands apart as they are there.
    said = claims.outcome(work.words, work.found, work.min_words, "en", lambda value, _: cell(value))
    click.echo(f"{said}\n")
    if work.documents:
        head = ["words", "stretches", "document", "source", "licence", "right", "read"]
        print_table(head, [_row(document, model) for document in work.documents[:SHOWN]])
        _print_more(len(work.documents), "document found", "documents found")
        for passage in sorted(work.passages, key=lambda one: (-one.words, one.start))[:SHOWN]:
            beginning = work.beginning(passage)
            size = counted(passage.words, "word", "words")
            click.echo(f"{size}, {counted(passage.count, 'time', 'times')}: “{cell(beginning)} …”")
        _print_more(len(work.passages), "passage", "passages")
    click.echo("Verbatim only; a match is not a cause.")
    if base := work.upstream_unknown:
        click.echo(
            f"{model} began as {cell(base)}, whose training text is not known: nothing of it is found."
        )


def _row(document: HoldingDocument, model: str) -> list[str | int | None]:
    counted: list[str | int | None] = [document.words, document.stretches]
    known = document.known
    if known is None:
        return [*counted, document.id, document.source, None, None, None]
    read = None
    if known.first_step is not None:
        by = "" if known.read_by == model else f" by {known.read_by}"
        read = f"{at_steps(known.first_step, known.last_step or known.first_step)}{by}"
    right = known.right.verdict if known.right else None
    return [*counted, known.title or document.id, document.source, known.licence, right, read]


def _print_more(all_of_them: int, one: str, many: str) -> None:
    if all_of_them > SHOWN:
        click.echo(f"{counted(all_of_them - SHOWN, f'more {one}', f'more {many}')}: --json has all")
    click.echo()


def write_report(
    session: Session, asked: Asked, work: Work, traced: TracedWork, page: Path
) -> dict[str, str]:
    """Write page, statement and proofs; return where they are and whose key signed."""
    signed, proofs = beside(page)
    about = _about(asked, work)
    documents = list(_proven(session, asked, traced))
    names = [proof_name(number) for number in range(1, len(documents) + 1)]
    fingerprint = session.ledger.public_key.fingerprint
    html = work_page(
        traced,
        about,
        proofs=[quote(f"{proofs.name}/{name}") for name in names],
        signed=signed.name,
        fingerprint=fingerprint,
    )
    for old in stale_proofs(proofs, names):
        old.unlink()
    for name, proven in zip(names, documents, strict=True):
        write_aside(proofs / name, proven.proof)
    write_aside(page, html)
    # Last, since it speaks of the others.
    with locked_for_reading(session.ledger.folder / ".lock", say_waiting):
        write_aside(signed, sign_trace(session.ledger, traced, about, documents, html))
    told = {"page": relative(page), "signed": relative(signed)}
    return told | ({"proofs": relative(proofs)} if documents else {}) | {"fingerprint": fingerprint}


def _about(asked: Asked, work: Work) -> claims.Question:
    """What was asked, and what was searched for it."""
    index = asked.tracer.index
    counts = searched(index, len(asked.corpora))
    corpora = [
        claims.SearchedCorpus(name, statement.digest, documents, words)
        for (name, (statement, _)), (documents, words) in zip(asked.corpora.items(), counts, strict=True)
    ]
    return claims.Question(
        name=work.name,
        sha256=work.sha256,
        kind=work.kind,
        running_heads=work.running_heads,
        model=asked.name,
        model_digest=asked.about["model_digest"],
        index_digest=index.digest,
        normalisation=normalisation(),
        upstream=asked.about["upstream"],
        corpora=tuple(corpora),
    )


def _proven(session: Session, asked: Asked, traced: TracedWork) -> Iterator[ProvenDocument]:
    """The documents told, each with the ledger's proof that its corpus holds it."""
    index, folders = asked.tracer.index, [folder for _, folder in asked.corpora.values()]
    names, texts = list(asked.corpora), Texts(index, folders)
    opened: dict[str, tuple[Statement, Opened, Keys]] = {}
    with progress().start("proving", len(traced.told), "documents") as bar:
        for document in traced.told:
            corpus = names[index.documents["corpus"][document.number].as_py()]
            if corpus not in opened:
                opened[corpus] = _root(session, corpus, asked.corpora[corpus][0].digest)
            text = texts.fetch([document.number])[document.number]
            words = words_digest(text.text)
            about = {"text": text.digest} | ({"words": words} if words else {})
            with locked_for_reading(session.ledger.folder / ".lock", say_waiting):
                proof = make_proof(session.ledger, *opened[corpus], about)
            checked = check_proof(proof, about, normalisation(), document.id)
            if not all("train" in answer.splits for answer in checked.answers):
                raise IntegrityError(
                    f"the root of corpus “{corpus}” does not hold a document that its index does",
                    place=document.id,
                    remedy="Build both anew: hemicycle run.",
                )
            yield ProvenDocument(document, corpus, about, proof)
            bar.advance(1)


def _root(session: Session, corpus: str, digest: str) -> tuple[Statement, Opened, Keys]:
    """The root of a corpus, made where it is not there yet."""
    step = session.flow.roots(corpus)
    outcome = next(o for o in session.pipeline(How(offline=True)).run([step]) if o.step == step)
    if outcome.statement is None or outcome.folder is None:
        raise IntegrityError(f"{step} could not be made: {outcome.reason}")
    root = Root.from_json(outcome.statement.figures, str(outcome.statement.subject))
    if root.corpus_digest != digest:
        raise IntegrityError(
            f"corpus “{corpus}” was made anew since its index was",
            remedy="Bring the project up to date: hemicycle run.",
        )
    keys = Keys.derive(load_or_make_salt(session.flow.salt_file), digest)
    return outcome.statement, open_root(outcome.folder, root), keys
