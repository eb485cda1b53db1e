"""`hemicycle ledger`: show it, follow a lineage, merge journals, prove what a corpus holds, check a proof."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import (
    FOLDER,
    How,
    Session,
    json_option,
    print_json,
    project_option,
    say_waiting,
)
from hemicycle.cli.tables import cell, relative
from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.ledger import Journal
from hemicycle.ledger import lineage as find_lineage
from hemicycle.store import locked_for_reading, write_aside

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("ledger")
def command() -> None:
    """Show the ledger, follow an artefact's lineage, merge another copy's journal; prove whether a text is in
    a corpus, and check such a proof.

    \b
    Examples:
      hemicycle ledger show
      hemicycle ledger lineage model/petit
      hemicycle ledger merge ../copy/ledger/journal.jsonl
      hemicycle ledger prove debats --text poem.txt --out poem.proof
      hemicycle ledger check poem.proof --text poem.txt
    """


@command.command()
@project_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """List the journal: what was made and decided, in order."""
    session = Session(folder)
    lines = session.ledger.journal.lines()
    if as_json:
        listed = [{"line": x.number, "kind": x.kind, "digest": x.digest, **x.content} for x in lines]
        print_json({"lines": listed, "head": session.ledger.journal.head})
        return
    for line in lines:
        what = line.content.get("file") or ", ".join(line.content.get("artefacts", [])) or ""
        click.echo(f"{line.number:5}  {line.digest[:12]}  {line.kind:10} {cell(what)}")


@command.command()
@click.argument("artefact")
@project_option
@json_option
def lineage(artefact: str, folder: Path, as_json: bool) -> None:
    """Show what ARTEFACT was made from, back to the sources.

    ARTEFACT is a stage and name (model/petit), a folder's name, or 12 digits or more of a digest of the
    artefact or of one of its files.
    """
    session = Session(folder)
    session.ledger.journal.lines()
    found = find_lineage(session.ledger.current().values(), artefact)
    if as_json:
        listed = [
            {
                "depth": a.depth,
                "role": a.role,
                "stage": a.statement.subject.stage,
                "name": a.statement.subject.name,
                "key": a.statement.subject.key,
                "digest": a.statement.digest,
                "made": a.statement.made,
                "figures": a.statement.figures,
            }
            for a in found
        ]
        print_json({"lineage": listed})
        return
    for ancestor in found:
        subject = ancestor.statement.subject
        role = f"{ancestor.role}: " if ancestor.role and ancestor.role != subject.stage else ""
        unknown = ancestor.statement.figures.get("upstream") == "unknown"
        click.echo(
            f"{'  ' * ancestor.depth}{role}{subject.stage} {subject.name}  "
            f"{click.style(ancestor.statement.digest[:12], dim=True)}"
            f"{'  upstream-unknown: what it was trained on is not known' if unknown else ''}"
        )


@command.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@json_option
def merge(journal: Path, folder: Path, as_json: bool) -> None:
    """Take in the lines of JOURNAL, another copy's, and join both heads by a merge line.

    What it names must be brought along: copy the other ledger's statements/ first, and from its build/
    what cannot be made again (raw, model).
    """
    session = Session(folder)
    with session.pipeline().exclusive():
        other = Journal(journal)
        added = session.ledger.merge(other)
    if as_json:
        print_json({"lines_added": added, "head": session.ledger.journal.head})
    else:
        click.echo(f"{added} line(s) added")


@command.command()
@click.argument("corpus")
@click.option("--text", "text", type=FILE, help="A file with the text, UTF-8.")
@click.option("--digest", help="SHA-256 of the text, where its owner keeps it back: its words stay unasked.")
@click.option("--document", help="The id of a document of the corpus.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the proof.")
@click.option("--offline", is_flag=True, help="Fetch nothing from the network.")
@project_option
@json_option
def prove(
    corpus: str,
    text: Path | None,
    digest: str | None,
    document: str | None,
    out: Path | None,
    offline: bool,
    folder: Path,
    as_json: bool,
) -> None:
    """Write a proof that a text is in CORPUS, or that it is not, for somebody who sees neither corpus nor
    project.

    Whole documents are compared: to the byte, and word for word whatever the case, accents, punctuation and
    line breaks. A passage is what `hemicycle trace` looks for. The corpus and its root are first brought up
    to date. What a proof gives away of other documents is in docs/ledger.md.

    \b
    Examples:
      hemicycle ledger prove debats --text poem.txt
      hemicycle ledger prove debats --document sittings:2031-10-07.xml --out sitting.proof
    """
    from hemicycle.flow import normalisation
    from hemicycle.ledger.proofs import check_proof
    from hemicycle.ledger.prove import make_proof
    from hemicycle.ledger.roots import Keys, Root, load_or_make_salt, open_root

    if sum(x is not None for x in (text, digest, document)) != 1:
        raise DeclarationError("give exactly one of --text, --digest and --document")
    session = Session(folder)
    step = session.flow.up_to("prove", (corpus,))[-1]
    outcomes = {o.step: o for o in session.pipeline(How(offline=offline)).run([step])}
    made, artefact, corpus_folder = (
        outcomes[step].statement,
        outcomes[step].folder,
        outcomes[step.inputs["corpus"]].folder,
    )
    if made is None or artefact is None or corpus_folder is None:
        raise HemicycleError(f"{step} could not be made: {outcomes[step].reason}")
    about = _about(corpus, corpus_folder, text, digest, document)
    root = Root.from_json(made.figures, str(made.subject))
    keys = Keys.derive(load_or_make_salt(session.flow.salt_file), root.corpus_digest)
    with locked_for_reading(session.ledger.folder / ".lock", say_waiting):
        data = make_proof(session.ledger, made, open_root(artefact, root), keys, about)
    out = out or Path(f"{corpus}-{about['text'][:12]}.proof")
    write_aside(out, data)
    checked = check_proof(data, about, normalisation(), str(out))
    if as_json:
        print_json({**_told(checked), "file": str(out), "bytes": len(data)})
        return
    for sentence in checked.sentences():
        click.echo(cell(sentence))
    click.echo(f"{relative(out)}: {cell(len(data))} bytes, signed by {checked.fingerprint}", err=True)


def _about(
    corpus: str, folder: Path, text: Path | None, digest: str | None, document: str | None
) -> Mapping[str, str]:
    """The fingerprints asked about."""
    from hemicycle.flow import words_digest
    from hemicycle.ledger.roots import find_document

    if text is not None:
        return _fingerprints(text)
    if digest is not None:
        if not re.fullmatch(r"[0-9a-f]{64}", digest.lower()):
            raise DeclarationError(
                f"this is no SHA-256 in hexadecimal: {digest!r}", remedy="`sha256sum FILE` prints it."
            )
        return {"text": digest.lower()}
    found = find_document(folder, str(document), words_digest)
    if found is None:
        raise DeclarationError(
            f"corpus “{corpus}” kept no document “{document}”",
            remedy="Ask with --text: a text may be there under another id.",
        )
    return found


def _fingerprints(file: Path) -> dict[str, str]:
    """Of a text in a file, read as a source's text files are."""
    from hemicycle.flow import fingerprints
    from hemicycle.sources.text import read_utf8

    return fingerprints(read_utf8(file, str(file)))


@command.command()
@click.argument("proof", type=FILE)
@click.option("--text", "text", type=FILE, required=True, help="The text that was asked about, UTF-8.")
@click.option("--release", type=FOLDER, help="A release whose ledger must hold the proof's root.")
@click.option("--fingerprint", help="Fingerprint the signing key must have (SHA256:…).")
@json_option
def check(proof: Path, text: Path, release: Path | None, fingerprint: str | None, as_json: bool) -> None:
    """Check PROOF, which says whether a text is in a corpus. No project is needed and nothing is fetched.

    Leaves with 0 where the proof holds, whichever of the two it says, and with 1 where it does not. The key
    that signed it is the one it carries: compare its fingerprint with one you got from the publisher by
    another way, give that one with --fingerprint, or give a release of theirs with --release.

    \b
    Examples:
      hemicycle ledger check poem.proof --text poem.txt
      hemicycle ledger check poem.proof --text poem.txt --release releases/v0
    """
    from hemicycle.flow import normalisation
    from hemicycle.ledger.proofs import LARGEST_PROOF, check_fingerprint, check_in_release, check_proof

    with proof.open("rb") as file:
        data = file.read(LARGEST_PROOF + 1)
    checked = check_proof(data, _fingerprints(text), normalisation(), str(proof))
    if fingerprint is not None:
        check_fingerprint(checked, fingerprint)
    if release is not None:
        check_in_release(checked, release)
    if as_json:
        print_json(_told(checked))
        return
    for sentence in checked.sentences():
        click.echo(cell(sentence))
    click.echo(f"signed by {checked.fingerprint} on {cell(checked.signed)}, as the signer says", err=True)
    if fingerprint is None and release is None:
        click.echo(
            "the key is the proof's own: compare its fingerprint with one you got by another way",
            err=True,
        )


def _told(checked: Any) -> dict[str, Any]:
    """What a proof says, as JSON."""
    return {
        "in": bool(checked.found),
        "answers": [
            {"kind": a.kind, "digest": a.digest, "in": bool(a.splits), "splits": list(a.splits)}
            for a in checked.answers
        ],
        "root": checked.root.to_json(),
        "fingerprint": checked.fingerprint,
        "signed": checked.signed,
        "statement": checked.file,
        "line": checked.line,
    }
