"""`hemicycle withdraw`: what was made of a text, what taking it out costs; and taking it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from hemicycle.cli.decided import standing_json, withdrawn_documents
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
from hemicycle.errors import DeclarationError, HemicycleError, RightsError
from hemicycle.governance import Standing, write_decision
from hemicycle.governance.decisions import Decision, decision_bytes
from hemicycle.sites import load_sites
from hemicycle.steps import Outcome, Step, in_order
from hemicycle.store import write_aside
from hemicycle.typeset import Language, format_duration
from hemicycle.units import number

if TYPE_CHECKING:
    from hemicycle.withdraw import Cost, Found, Impact, Match, ModelImpact, Target
    from hemicycle.withdraw.decide import Decided
    from hemicycle.withdraw.impact import Made

#: Folder of a project's notices: two pages a withdrawal.
NOTICES = "notices"
#: Rows of a list that are shown; --json has them all.
SHOWN = 20
#: Exit code where a decision waits to be signed.
WAITS = 3


@click.command()
@click.argument("names", nargs=-1, metavar="[SOURCE|DOCUMENT]...")
@click.option(
    "--matching",
    "work",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The documents, trained on or held out, of which most is of this work, word for word. A text in "
    "UTF-8, an .epub, .html or .pdf.",
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
    if not execute:
        if reason and language is None and not as_json:
            click.echo("nothing is decided without --do: the reason is not kept", err=True)
        session = Session(folder)
        found = _look(session, names, work)
        if language is not None:
            click.echo(_notice(session, found, language, reason), nl=False)
        elif as_json:
            print_json(_json(session, found, reason))
        else:
            _print(session, found)
        return
    _execute(folder, names, work, reason, how, as_json=as_json)


def _look(session: Session, names: Sequence[str], work: Path | None) -> Found:
    from hemicycle.withdraw import Project, look

    flow = session.flow
    project = Project(
        statements=list(session.ledger.current().values()),
        folder_of=session.folder_of,
        sources=session.project.cards,
        declared={(step.stage, step.name) for step in [*flow.all_steps(), *flow.indexes_begun()]},
        sites=load_sites(session.project.folder),
        withdrawn=flow.withdrawn,
    )
    return look(project, names, work, progress())


def _decided(session: Session, target: Target) -> Decided:
    from hemicycle.withdraw.decide import decided

    flow = session.flow
    return decided(target, flow.gate.decided_withdrawals(), flow.withdrawn, flow.withdrawn_texts)


def _notice(session: Session, found: Found, language: Language, reason: str | None) -> str:
    """The page to publish: what was written when it was decided, else what would be written today."""
    from hemicycle.withdraw import notice

    decided, written = _decided(session, found.target), _notice_path(session, found.target, language)
    if decided.complete and written.is_file():
        return written.read_text("utf-8")
    reasons = [decided.reason] if decided.complete else [decided.reason, reason]
    today: date = datetime.now(UTC).date()
    told = "; ".join(dict.fromkeys(filter(None, reasons)))
    return notice(
        language,
        session.project.name,
        found.target,
        found.impact,
        copies=_copies(found),
        reason=told or None,
        today=today,
    )


def _notice_path(session: Session, target: Target, language: Language) -> Path:
    from hemicycle.withdraw.decide import covers

    stem = f"withdraw-{sha256_json(covers(target))[:12]}"
    return session.project.folder / NOTICES / f"{stem}.{language}.md"


def _execute(
    folder: Path, names: Sequence[str], work: Path | None, reason: str | None, how: How, *, as_json: bool
) -> None:
    """Decide, where it is not decided yet, and bring up to date what was made before."""
    session = Session(folder)
    if not session.ledger.current():
        raise DeclarationError("nothing was made here yet", remedy="Take the source out of the declaration.")
    with session.pipeline(how).exclusive():
        # Looked for only now: while another call was waited for, more may have been made of the text.
        session = Session(folder)
        session.admit()
        found = _look(session, names, work)
        before = _decided(session, found.target)
        drafts = _drafts(session, found, before, reason)
        if reason and before.reason and not drafts and reason != before.reason:
            click.echo(f"decided before, and for the reason that stands: {cell(before.reason)}", err=True)
        notices = _write_notices(session, found, reason, anew=bool(drafts))
        for decision in drafts:
            write_decision(session.flow.gate.approvals, decision)
        session.admit()
    decided = _decided(session, found.target)
    if refused := sorted(decided.left.keys() - decided.waiting.keys()):
        raise RightsError(
            f"the withdrawal of {', '.join(refused)} did not enter the journal: nothing is withdrawn of it",
            place=str(session.flow.gate.approvals),
            remedy="What was refused, and why, is said above.",
        )
    # What cannot be made without it stops nothing else from being.
    how = replace(how, keep_going=True)
    outcomes = [] if decided.left else build(session, _made_before(session), how, as_json=as_json)
    if as_json:
        done = {
            "decisions": [standing_json(one) | {"file": one.entry.file} for one in decided.all],
            "notices": [str(path) for path in notices],
            "steps": outcomes_json(outcomes),
        }
        print_json(_json(session, found, reason) | done)
    elif decided.left:
        _print_waiting(session, decided.waiting, notices)
    else:
        _print_done(session, found, outcomes, notices, anew=bool(drafts))
    finish(outcomes)
    if decided.left:
        raise click.exceptions.Exit(WAITS)


def _drafts(session: Session, found: Found, decided: Decided, reason: str | None) -> list[Decision]:
    """The decisions that are still to be taken, one a source. What would stop one stops all of them."""
    gate = session.flow.gate
    missing = sorted(decided.left.keys() - decided.waiting.keys())
    if missing and not reason:
        raise DeclarationError(
            "a withdrawal needs a reason, which is kept with it", remedy='Add --reason "…"; it is public.'
        )
    if missing:
        _require_tokenizers(session, found.impact)
    stay = [match.id for match in _copies(found)]
    # A decision has a bound, and a source may share words with very many documents.
    summary = found.impact.summary() | {"copies_that_stay": {"documents": len(stay), "first": stay[:SHOWN]}}
    drafts = []
    for source in missing:
        card = session.project.cards.get(source)
        covered = {"documents": decided.left[source]}
        publisher = card.publisher if card else None
        drafts.append(
            gate.draft("withdraw", source, covered, reason or "", publisher=publisher, summary=summary)
        )
    for decision in drafts:
        decision_bytes(decision)
    return drafts


def _require_tokenizers(session: Session, impact: Impact) -> None:
    """Raise HemicycleError where a tokenizer that learnt from the text was deleted: once that is decided, it
    does not come back as it was."""
    made = {(s.subject.stage, s.subject.name): s for s in session.ledger.current().values()}
    corpora = {corpus.name for corpus in impact.corpora}
    for name, tokenizer in session.project.declaration.tokenizers.items():
        statement = made.get(("tokenizer", name))
        if tokenizer.corpus in corpora and statement and not session.folder_of(statement).is_dir():
            raise HemicycleError(
                f"tokenizer {name} was deleted, and once this is decided it does not come back as it was: "
                "nothing that was made with it could be gone on from",
                place=str(session.folder_of(statement)),
                remedy="Make it again first: `hemicycle tokenize`.",
            )


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


def _copies(found: Found) -> list[Match]:
    return list(found.copies.found) if found.copies else []


def _json(session: Session, found: Found, reason: str | None) -> dict[str, Any]:
    from hemicycle.withdraw.decide import covers

    return {
        "target": {"sources": list(found.target.sources), "documents": covers(found.target)},
        "withdrawn": not _decided(session, found.target).left,
        "copies": None if found.copies is None else [match.to_json() for match in _copies(found)],
        "formulas": found.copies.formulas if found.copies else None,
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
        click.echo(f"{made.stage} {made.name}{_old(made) or f' ({made.digest[:12]})'}")
    if impact.releases:
        click.echo("  who serves a release is not in the ledger: whoever does must be told")
    for gone in impact.gone:
        click.echo(f"{gone.stage} {gone.name} ({gone.digest[:12]}): deleted since; what it read is not known")
    _print_costs(found.costs)
    decided = _decided(session, target)
    for one in decided.all:
        state = "withdrawn" if one.state == "standing" else "decided, and not in force"
        what = f"{cell(one.decision.subject)}, {withdrawn_documents(one.decision)}"
        click.echo(f"{what}: {state} (approvals/{cell(one.entry.file)})")
    if decided.left and not decided.complete:
        if session.ledger.current():
            click.echo("Nothing was changed; --do withdraws it, --notice en prints what would be published.")
        else:
            click.echo("Nothing was made here yet: take it out of the declaration, or of the source.")


def _old(made: Made) -> str:
    return "" if made.latest else f" (an earlier one, {made.digest[:12]})"


def _more(values: Sequence[Any]) -> str:
    return f" … and {len(values) - SHOWN} more" if len(values) > SHOWN else ""


def _print_copies(found: Found) -> None:
    from hemicycle.withdraw.matching import FORMULA

    shares = {match.id: match for match in _copies(found)}
    names = set(found.target.names)
    # The choice of one corpus is often that of another, or of an earlier one, too.
    went = dict.fromkeys(c.document for c in found.impact.copies if not c.stays and c.document not in names)
    stay = dict.fromkeys(c.instead for c in found.impact.copies if c.stays and c.instead not in names)
    for match in list(shares.values())[:SHOWN]:
        where = ", held out" if match.split == "held-out" else ""
        click.echo(
            f"also in {cell(match.id)}{where}: {match.share:.0%} of its words are of this text, "
            f"{match.of_text:.0%} of this text is there"
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
        click.echo("other copies: not looked up: there is no index, or no text of it is here any more")
    elif found.copies.formulas:
        runs = counted(found.copies.formulas, "run", "runs")
        click.echo(f"{runs} of its words stand in more than {FORMULA} places, and were not followed there")
    elif not (shares or went or stay):
        click.echo("other copies: none found among what was trained on or held out, word for word")


def _print_models(impact: Impact) -> None:
    for m in impact.models:
        read = f"began from {m.base}"
        read += ", which was deleted since, so it may have read it" if m.supposed else ""
        if m.first is not None and m.last is not None:
            tokens = counted(m.tokens, "token", "tokens")
            read = f"read {at_steps(m.first, m.last)} of {cell(m.steps)}, {tokens}"
        click.echo(f"model {m.name}{_old(m)}: {read}")
        redo = f"steps to redo: {cell(m.redone)} ({m.redo:.0%})"
        redo = redo if m.again else f"not made again{', as it read nothing else' * m.emptied}: delete it"
        click.echo(f"  {_checkpoints(m)}; {redo}")


def _checkpoints(model: ModelImpact) -> str:
    """Which kept checkpoints know of the text, of how many."""
    if not model.checkpoints:
        return "no checkpoint was kept, so from the beginning"
    kept = f"{len(model.checkpoints)} kept checkpoint{'s' if len(model.checkpoints) > 1 else ''}"
    touched = f"{len(model.touched)} of {kept} know of it"
    if model.touched:
        touched += f" (after {', '.join(map(str, model.touched))} steps)"
    clean = f"the last clean one is after {model.clean} steps" if model.clean else "none is clean"
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


def _print_waiting(session: Session, waiting: Mapping[str, Standing], notices: Sequence[Path]) -> None:
    every = [one for one in session.flow.gate.decided_withdrawals() if one.missing]
    for source, one in waiting.items():
        click.echo(f"decided, and not in force: approvals/{one.entry.file}")
        if one.missing:
            # Several may wait on a source, and whoever signs is to know which.
            alone = sum(other.decision.subject == source for other in every) == 1
            name = source if alone else one.entry.file
            click.echo(
                f"  to sign: {', '.join(one.missing)}, with `hemicycle govern sign withdraw {name}`; it "
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
    if releases := dict.fromkeys(release.name for release in found.impact.releases):
        click.echo(f"tell whoever serves or passes on a release: {', '.join(map(cell, releases))}")
    for model in found.impact.models:
        if model.latest and not model.again:
            why = "read nothing else" if model.declared else "is not declared"
            click.echo(f"{model.artefact} read it, {why}, and is not made again: delete it")
    if copies := [match.id for match in _copies(found)]:
        click.echo(
            f"words of it stay in {', '.join(map(cell, copies[:SHOWN]))}{_more(copies)}: "
            f"`hemicycle withdraw` shows how many"
        )
    new = ", and has the new model once started again" if any(o.step.stage == "model" for o in built) else ""
    click.echo(f"a server of yours hides it from its next answer on{new}")
    whole = all(o.state in ("built", "fresh") for o in outcomes)
    if held := _holding(session, found.target):
        once = "" if whole else " once all that is declared stands without it"
        click.echo(f"still holds the text, deleted by `hemicycle gc`{once}: {', '.join(held)}")
    if whole and session.store.staged():
        click.echo("work that was interrupted may hold it too, and is deleted by `hemicycle gc`")
    archive = sorted({f"{h.stage}/{h.name}" for h in found.impact.holding})
    if archive:
        click.echo(
            f"still holds the text, as the publisher's files do: {', '.join(archive)}; they stay while the "
            "source is declared (docs/withdraw.md says what taking it out of the declaration means, and "
            "where else it may be quoted)"
        )


def _holding(session: Session, target: Target) -> list[str]:
    """Artefacts that still hold the text, as paths."""
    from hemicycle.withdraw import find_impact

    statements = list(session.ledger.current().values())
    impact = find_impact(statements, session.folder_of, target.withdrawn)
    made = (*impact.corpora, *impact.tokens, *impact.indexes, *impact.models)
    return [one.artefact for one in made]
