"""`hemicycle withdraw`: what was made of a text, what taking it out costs; and taking it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from hemicycle.cli.decided import standing_json
from hemicycle.cli.session import (
    How,
    Session,
    build,
    building_options,
    finish,
    json_option,
    outcomes_json,
    print_json,
    progress,
    project_option,
)
from hemicycle.cli.tables import at_steps, cell, counted, relative
from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError, HemicycleError, InputError, RightsError
from hemicycle.governance import Standing, Withdrawn, write_decision
from hemicycle.governance.decisions import WHOLE, Decision
from hemicycle.ledger import Statement
from hemicycle.sites import load_sites
from hemicycle.steps import Outcome, Step, in_order
from hemicycle.store import write_aside
from hemicycle.typeset import Language, format_duration
from hemicycle.units import number

if TYPE_CHECKING:
    from hemicycle.withdraw import Cost, Impact, Match, ModelImpact, Target
    from hemicycle.withdraw.impact import Made

#: Folder of a project's notices: two pages a withdrawal.
NOTICES = "notices"
#: Rows of a list that are shown; --json has them all.
SHOWN = 20


@click.command()
@click.argument("names", nargs=-1, metavar="[SOURCE|DOCUMENT]...")
@click.option(
    "--matching",
    "work",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The documents, trained on or held out, of which most is of this work, word for word. A text in "
    "UTF-8, an .epub or a .pdf.",
)
@click.option("--do", "execute", is_flag=True, help="Withdraw it: decide, and make all without it.")
@click.option("--reason", help="Why; kept in the decision, and public.")
@click.option("--notice", "language", type=click.Choice(get_args(Language)), help="Print the public notice.")
@project_option
@building_options
@json_option
def command(
    names: tuple[str, ...],
    work: Path | None,
    execute: bool,
    reason: str | None,
    language: Language | None,
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Show what was made of a source, of documents (by id) or of a work, and what taking it out would cost:
    other copies, corpora, tokens, tokenizers, models to the step and the checkpoint, releases.

    With --do it is withdrawn, for good. Answers hide it at once. Corpora and index are made without it, its
    place in the tokens is left empty, and models are trained again in the same order, from the last
    checkpoint kept from before they read it; a killed command goes on where it was. Where several people
    govern, the decision is written, and takes effect once it is signed.

    \b
    Examples:
      hemicycle withdraw romans
      hemicycle withdraw romans:FRA00501.xml --notice fr
      hemicycle withdraw --matching work.txt --json
      hemicycle withdraw romans --do --reason "Notice of 3 March, by the heirs"
    """
    if not names and work is None:
        raise DeclarationError(
            "nothing is named to withdraw",
            remedy="Name a source or a document's id, or give --matching FILE.",
        )
    if language is not None and (execute or as_json):
        raise DeclarationError(
            f"--notice and {'--do' if execute else '--json'} cannot both be meant",
            remedy="--json holds the notice in both languages, and --do writes both.",
        )
    if names and work is not None:
        raise DeclarationError("--matching finds the documents itself", remedy="Leave the names out.")
    session = Session(folder)
    if execute and not session.ledger.begun:
        raise DeclarationError("nothing was made here yet", remedy="Take the source out of the declaration.")
    found = _look(session, names, work)
    if not execute:
        if language is not None:
            click.echo(_notice(session, found, language, reason), nl=False)
        elif as_json:
            print_json(_json(session, found, reason))
        else:
            _print(session, found)
        return
    _execute(session, found, reason, how, as_json=as_json)


@dataclass(frozen=True)
class Found:
    """What a look found. `copies`: other documents of the same text; None where no index tells."""

    target: Target
    copies: list[Match] | None
    impact: Impact
    costs: list[Cost]


def _look(session: Session, names: Sequence[str], work: Path | None) -> Found:
    from hemicycle.sources.works import read_work
    from hemicycle.withdraw import find_impact, redo_cost, resolve_target
    from hemicycle.withdraw.matching import FORMULA

    statements = list(session.ledger.current().values())
    documents = _documents(session, statements)
    sources = {*session.project.cards, *(s.subject.name for s in statements if s.subject.stage == "raw")}
    copies: list[Match] | None
    if work is not None:
        text = read_work(work).text
        matches = _matches(session, statements, lambda: [text], len(text.split()), ())
        if matches is None:
            raise HemicycleError(
                "there is no index to look the work up in", remedy="Run `hemicycle run` first."
            )
        names = [match.id for match in matches if match.copies]
        if not names:
            raise InputError(
                "no document, trained on or held out, was found to be mostly of this text",
                place=str(work),
                remedy="`hemicycle trace --file` shows what parts of it stand where. Verbatim only, and what "
                f"stands in more than {FORMULA} places points at no document.",
            )
        target = resolve_target(names, sources, documents)
        copies = [match for match in matches if not match.copies]
        impact = find_impact(statements, session.folder_of, target.withdrawn)
    else:
        target = resolve_target(names, sources, documents)
        impact = find_impact(statements, session.folder_of, target.withdrawn)
        words = sum(corpus.words for corpus in impact.corpora if corpus.latest)
        withdrawn = target.withdrawn
        found = _matches(
            session, statements, lambda: _texts(session, statements, withdrawn), words, target.names
        )
        copies = found if found is None else [m for m in found if m.source not in target.sources]
    sites = load_sites(session.project.folder)
    costs = [cost for model in impact.models if model.latest for cost in redo_cost(model, sites)]
    return Found(target, copies, impact, costs)


def _documents(session: Session, statements: Sequence[Statement]) -> dict[str, Path]:
    """Source → the last table of its documents, of those that are here."""
    made = {
        s.subject.name: session.folder_of(s) / "documents.parquet"
        for s in statements
        if s.subject.stage == "documents"
    }
    return {source: path for source, path in made.items() if path.is_file()}


def _texts(session: Session, statements: Sequence[Statement], withdrawn: Withdrawn) -> Iterator[str]:
    """The texts in question, as the corpora in use have them: each once."""
    from hemicycle.documents import corpus_shards, read_batches
    from hemicycle.governance import withdraws

    seen: set[str] = set()
    for corpus in _corpora(session, statements):
        for path in [*corpus_shards(corpus), *corpus_shards(corpus, "dropped")]:
            source = path.parent.name
            for table in read_batches(path, ["id", "text"]) if source in withdrawn else ():
                for one, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
                    if one not in seen and withdraws(withdrawn, source, one):
                        seen.add(one)
                        yield text


def _corpora(session: Session, statements: Sequence[Statement]) -> list[Path]:
    """The folders of the corpora in use, of those that are here."""
    made = {s.subject.name: session.folder_of(s) for s in statements if s.subject.stage == "corpus"}
    return [folder for folder in made.values() if folder.is_dir()]


def _matches(
    session: Session,
    statements: Sequence[Statement],
    texts: Callable[[], Iterable[str]],
    words: int,
    without: Sequence[str],
) -> list[Match] | None:
    """Documents that share much with the texts, in all indexes in use and in what the corpora in use hold
    out; None where there is no index."""
    from hemicycle.trace import open_index
    from hemicycle.withdraw import find_held_out, find_matches

    made = {s.subject.name: session.folder_of(s) for s in statements if s.subject.stage == "index"}
    opened = [open_index(folder, verify=False) for folder in made.values() if folder.is_dir()]
    indexes = [index for index in opened if index.unit == "words"]
    if not indexes:
        return None
    best: dict[str, Match] = {}
    for index in indexes:
        for match in find_matches(index, texts(), words, without=without, progress=progress()):
            best.setdefault(match.id, match)
    for match in find_held_out(_corpora(session, statements), texts(), words, without=without):
        best.setdefault(match.id, match)
    return sorted(best.values(), key=lambda m: (-m.share, -m.of_text, m.id))


def _notice(session: Session, found: Found, language: Language, reason: str | None) -> str:
    """The page to publish: what was written when it was decided, else what would be written today."""
    from hemicycle.withdraw import notice

    decided, written = _decided(session, found.target), _notice_path(session, found.target, language)
    if len(decided) == len(_covers(found.target)) and written.is_file():
        return written.read_text("utf-8")
    told = "; ".join(dict.fromkeys(filter(None, (_recorded(decided), reason))))
    if len(decided) == len(_covers(found.target)):
        told = _recorded(decided)
    today: date = datetime.now(UTC).date()
    return notice(
        language, session.project.name, found.target, found.impact, reason=told or None, today=today
    )


def _notice_path(session: Session, target: Target, language: Language) -> Path:
    stem = f"withdraw-{sha256_json(_covers(target))[:12]}"
    return session.project.folder / NOTICES / f"{stem}.{language}.md"


def _recorded(decided: Sequence[Standing]) -> str:
    """The reasons that stand in decisions: one, where they were taken in one call."""
    return "; ".join(dict.fromkeys(one.decision.reason for one in decided))


def _execute(session: Session, found: Found, reason: str | None, how: How, *, as_json: bool) -> None:
    """Decide, where it is not decided yet, and bring up to date what was made before."""
    with session.pipeline(how).exclusive():
        session.admit()
        drafts = _drafts(session, found, reason)
        recorded = _recorded(_decided(session, found.target))
        if reason and recorded and reason != recorded:
            click.echo(f"decided before, and for the reason that stands: {cell(recorded)}", err=True)
        notices = _write_notices(session, found, reason, anew=bool(drafts))
        for decision in drafts:
            write_decision(session.flow.gate.approvals, decision)
        session.admit()
    decided = _decided(session, found.target)
    refused = sorted(set(_covers(found.target)) - {one.decision.subject for one in decided})
    if refused:
        raise RightsError(
            f"the withdrawal of {', '.join(refused)} did not enter the journal: nothing is withdrawn",
            place=str(session.flow.gate.approvals),
            remedy="What was refused, and why, is said above.",
        )
    waiting = [one for one in decided if one.state != "standing"]
    outcomes = [] if waiting else build(session, _made_before(session), how, as_json=as_json)
    if as_json:
        done = {
            "withdrawn": not waiting,
            "decisions": [standing_json(one) | {"file": one.entry.file} for one in decided],
            "notices": [str(path) for path in notices],
            "steps": outcomes_json(outcomes),
        }
        print_json(_json(session, found, reason) | done)
    elif waiting:
        _print_waiting(waiting, notices)
    else:
        _print_done(session, found, outcomes, notices, anew=bool(drafts))
    finish(outcomes)


def _covers(target: Target) -> dict[str, Any]:
    """Source → what a decision on it covers."""
    documents = {source: dict(ids) for source, ids in target.documents.items()}
    return {**dict.fromkeys(target.sources, WHOLE), **documents}


def _drafts(session: Session, found: Found, reason: str | None) -> list[Decision]:
    """The decisions that are still to be taken, one a source."""
    gate = session.flow.gate
    missing = set(_covers(found.target)) - {one.decision.subject for one in _decided(session, found.target)}
    if missing and not reason:
        raise DeclarationError(
            "a withdrawal needs a reason, which is kept with it", remedy='Add --reason "…"; it is public.'
        )
    drafts = []
    for source in sorted(missing):
        card = session.project.cards.get(source)
        drafts.append(
            gate.draft(
                "withdraw",
                source,
                {"documents": _covers(found.target)[source]},
                reason or "",
                publisher=card.publisher if card else None,
                summary=found.impact.summary(),
            )
        )
    return drafts


def _decided(session: Session, target: Target) -> list[Standing]:
    """For each source, the decision that withdraws all that is to be withdrawn of it: one in force, or else
    the last that waits."""
    found: dict[str, Standing] = {}
    for one in session.flow.gate.decided_withdrawals():
        source, documents = one.decision.subject, one.decision.covers["documents"]
        asked = _covers(target).get(source)
        covered = asked is not None and (
            documents in (WHOLE, asked) or (asked != WHOLE and set(asked) <= set(documents))
        )
        if covered and (source not in found or found[source].state != "standing"):
            found[source] = one
    return list(found.values())


def _made_before(session: Session) -> list[Step]:
    """The steps of all that was ever made: a withdrawal begins nothing new."""
    made = {(s.subject.stage, s.subject.name) for s in session.ledger.current().values()}
    known = [*session.flow.all_steps(), *session.flow.indexes_begun()]
    return in_order([step for step in known if (step.stage, step.name) in made])


def _write_notices(session: Session, found: Found, reason: str | None, *, anew: bool) -> list[Path]:
    """The two pages, as of the day of the decision: later there would be less to look up. Where nothing is
    decided `anew`, those that were written then."""
    paths = [_notice_path(session, found.target, language) for language in get_args(Language)]
    if not anew:
        return [path for path in paths if path.is_file()]
    for language, path in zip(get_args(Language), paths, strict=True):
        write_aside(path, _notice(session, found, language, reason).encode("utf-8"))
    return paths


def _json(session: Session, found: Found, reason: str | None) -> dict[str, Any]:
    return {
        "target": {"sources": list(found.target.sources), "documents": _covers(found.target)},
        "withdrawn": all(one.state == "standing" for one in _decided(session, found.target))
        and len(_decided(session, found.target)) == len(_covers(found.target)),
        "copies": None if found.copies is None else [match.to_json() for match in found.copies],
        "impact": found.impact.to_json(),
        "cost": [cost.to_json() for cost in found.costs],
        "notice": {one: _notice(session, found, one, reason) for one in get_args(Language)},
    }


def _print(session: Session, found: Found) -> None:
    """What was made of it, for people."""
    impact, target = found.impact, found.target
    click.echo(click.style(", ".join(map(cell, target.names[:SHOWN])) + _more(target.names), bold=True))
    _print_copies(found)
    for c in impact.corpora:
        counts = f"{cell(c.train)} to train on, {cell(c.held_out)} held out, {cell(c.dropped)} dropped"
        click.echo(f"corpus {c.name}{_old(c)}: {counts}; {cell(c.words)} words kept")
    if not impact.corpora:
        click.echo("no corpus that is here holds any of it")
    for t in impact.tokens:
        shards = ", ".join(map(str, t.shards[:SHOWN])) + _more(t.shards)
        click.echo(f"{t.stage} {t.name}{_old(t)}: {cell(t.tokens)} in shards {shards}")
    for z in impact.tokenizers:
        saw = "learnt from it, and stays" if z.saw else "its corpus is no longer here, so it may have seen it"
        click.echo(f"tokenizer {z.name}{_old(z)}: {saw}")
    for i in impact.indexes:
        click.echo(f"index {i.name}{_old(i)}")
    _print_models(impact)
    for made in (*impact.evaluations, *impact.releases):
        click.echo(f"{made.stage} {made.name}{_old(made)} ({made.digest[:12]})")
    if impact.releases:
        click.echo("  who serves a release is not in the ledger: whoever does must be told")
    for gone in impact.gone:
        click.echo(f"{gone.stage} {gone.name} ({gone.digest[:12]}): deleted since; what it read is not known")
    _print_costs(found.costs)
    decided = _decided(session, target)
    for one in decided:
        state = "withdrawn" if one.state == "standing" else "decided, and not in force"
        click.echo(f"{cell(one.decision.subject)}: {state} (approvals/{cell(one.entry.file)})")
    if len(decided) < len(_covers(target)):
        click.echo("Nothing was changed; --do withdraws it, --notice en prints what would be published.")


def _old(made: Made) -> str:
    return "" if made.latest else " (an earlier one)"


def _more(values: Sequence[Any]) -> str:
    return f" … and {len(values) - SHOWN} more" if len(values) > SHOWN else ""


def _print_copies(found: Found) -> None:
    shares = {match.id: match for match in found.copies or ()}
    names = set(found.target.names)
    # The choice of one corpus is often that of another, or of an earlier one, too.
    went = dict.fromkeys(c.document for c in found.impact.copies if not c.stays and c.document not in names)
    stay = dict.fromkeys(c.instead for c in found.impact.copies if c.stays and c.instead not in names)
    for match in list(shares.values())[:SHOWN]:
        where = ", held out" if match.split == "held-out" else ""
        click.echo(
            f"also in {cell(match.id)}{where}: {match.share:.0%} of it are words of this text, "
            f"{match.of_text:.0%} of this text"
        )
    if len(shares) > SHOWN:
        click.echo(f"  {_more(list(shares)).strip()}")
    for told, what in (
        (went, "dropped as a copy of this text; it stays out while this one's source is declared"),
        (stay, "kept, where a copy of it that is in question was dropped"),
    ):
        others = [one for one in told if one not in shares]
        for one in others[:SHOWN]:
            click.echo(f"also in {cell(one)}: {what}")
        if len(others) > SHOWN:
            click.echo(f"  {_more(others).strip()}")
    if shares or went or stay:
        click.echo("  name those that are to go too in the same call")
    if found.copies is None:
        click.echo("other copies: there is no index to look them up in")
    elif not (shares or went or stay):
        click.echo("other copies: none found among what was trained on or held out, word for word")


def _print_models(impact: Impact) -> None:
    for m in impact.models:
        read = f"began from {m.base}"
        if m.first is not None and m.last is not None:
            tokens = counted(m.tokens, "token", "tokens")
            read = f"read {at_steps(m.first, m.last)} of {cell(m.steps)}, {tokens}"
        click.echo(f"model {m.name}{_old(m)}: {read}")
        click.echo(f"  {_checkpoints(m)}; steps to redo: {cell(m.redone)} ({m.redo:.0%})")


def _checkpoints(model: ModelImpact) -> str:
    """Which kept checkpoints know of the text, of how many."""
    if not model.checkpoints:
        return "no checkpoint was kept, so from the beginning"
    kept = f"{len(model.checkpoints)} kept checkpoint{'s' if len(model.checkpoints) > 1 else ''}"
    touched = f"{len(model.touched)} of {kept} know of it"
    if model.touched:
        touched += f" (after step {', '.join(map(str, model.touched))})"
    clean = f"the last clean one is after step {model.clean}" if model.clean else "none is clean"
    return f"{touched}; {clean}" + ("" if model.clean else ", so from the beginning")


def _print_costs(costs: Sequence[Cost]) -> None:
    for cost in costs:
        known = cost.amounts
        euros = f"{number(known.cost_eur.expected, 'EUR'):,.2f} EUR" if known.cost_eur else "euros not known"
        carbon = f"{number(known.tco2e.expected, 'kg'):,.1f} kg CO2e" if known.tco2e else "carbon not known"
        where = f" at {cost.place}" if cost.place else ""
        click.echo(
            f"redoing {cost.model}: {cost.steps} steps, {format_duration(3600 * cost.hours, 'en')} of one "
            f"{cost.device}{where}; {euros}, {carbon}"
        )


def _print_waiting(waiting: Sequence[Standing], notices: Sequence[Path]) -> None:
    for one in waiting:
        d = one.decision
        click.echo(f"decided, and not in force: approvals/{one.entry.file}")
        if one.missing:
            click.echo(
                f"  to sign: {', '.join(one.missing)}, with `hemicycle govern sign withdraw {d.subject}`; it "
                "takes effect then, and the same call again makes all without it"
            )
    if notices:
        click.echo(f"the notice: {', '.join(relative(path) for path in notices)}")


def _print_done(
    session: Session, found: Found, outcomes: Sequence[Outcome], notices: Sequence[Path], *, anew: bool
) -> None:
    built = [o for o in outcomes if o.state == "built"]
    done = not anew and not built and all(o.state == "fresh" for o in outcomes)
    names = f"{', '.join(map(cell, found.target.names[:SHOWN]))}{_more(found.target.names)}"
    click.echo(f"withdrawn before: {names}" if done else f"withdrawn: {names}")
    for o in built:
        figures = o.statement.figures if o.statement else {}
        replayed = figures.get("replayed_from_step")
        how = "" if replayed is None else f" from step {replayed} of {figures['steps']}"
        click.echo(f"  made again: {o.step}{how}")
    if not built and all(o.state == "fresh" for o in outcomes):
        click.echo("  everything stands without it already" + ("; nothing was done" if done else ""))
    if notices:
        click.echo(f"the notice to publish: {', '.join(relative(path) for path in notices)}")
    if found.impact.releases:
        click.echo("tell whoever serves or passes on the releases it names")
    click.echo("a server of yours hides it from its next answer on, and has the new model once started again")
    if held := _holding(session, found.target):
        click.echo(f"still holds the text, deleted by `hemicycle gc`: {', '.join(held)}")
    archive = sorted({f"{h.stage}/{h.name}" for h in found.impact.holding})
    if archive:
        click.echo(
            f"still holds the text, as the publisher's files do: {', '.join(archive)}; they stay while the "
            "source is declared (docs/withdraw.md says what taking it out of the declaration means)"
        )


def _holding(session: Session, target: Target) -> list[str]:
    """Artefacts that still hold the text, as paths."""
    from hemicycle.withdraw import find_impact

    statements = list(session.ledger.current().values())
    impact = find_impact(statements, session.folder_of, target.withdrawn)
    made = (*impact.corpora, *impact.tokens, *impact.indexes, *impact.models)
    return [one.artefact for one in made]
