"""What a project has come to: sources and what was refused, corpus, model, evaluation, release."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.decided import (
    granted_and_in,
    override_json,
    override_sentence,
    print_granted,
    print_withdrawals,
    withdrawals_and_behind,
)
from hemicycle.cli.session import Session
from hemicycle.cli.tables import cell, print_table, relative
from hemicycle.flow.bases import rights_of
from hemicycle.steps import Outcome
from hemicycle.train import few_steps
from hemicycle.typeset import count, format_number

#: Stages whose figures `status --json` gives.
TOLD = (
    "corpus",
    "tokens",
    "dialogues",
    "model",
    "before-after",
    "evaluation",
    "contamination",
    "regurgitation",
    "release",
)

#: Items that stand in the training text shown; --json has them all.
MATCHES = 10
#: Characters shown of what was found of one.
LONGEST_PASSAGE = 200

#: Reasons for a refusal that a source's card may mend, and how.
IN_THE_CARD = {
    "no-licence": "If they have one, write licence, attested_by and evidence under",
    "not-attested": "Whoever has read it there signs with attested_by under",
    "download-not-offered": "If the holder offers them, quote it as offered (url, quote, read_on) under",
}


def sources_table(session: Session, outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """One row a source: documents, characters, how many are admitted, and why the others are not."""
    from hemicycle.flow import USES
    from hemicycle.rights import explain
    from hemicycle.rights.lifting import reasons_to_lift

    by_step = {(o.step.stage, o.step.name): o for o in outcomes}
    stated = {o.step.name: o.statement for o in outcomes if o.step.stage == "rights" and o.statement}
    overrides, withdrawn = session.flow.overrides(stated), session.flow.withdrawn
    gate: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        if outcome.step.stage == "admitted" and outcome.statement:
            gate |= outcome.statement.figures["sources"]
    rows = []
    for name, card in session.project.cards.items():
        raw = by_step.get(("raw", name))
        rights = by_step.get(("rights", name))
        if raw is None and rights is None:
            continue
        row: dict[str, Any] = {"source": name, "title": card.title}
        if card.rights.offered is not None:
            row["offered"] = card.rights.offered.model_dump(mode="json")
        if rights and rights.statement:
            passed = gate.get(name) or _at_the_gate(session, name, rights)
            figures = rights.statement.figures
            row |= {
                "documents": figures["documents"],
                "characters": figures["characters"],
                "admitted": passed["admitted"],
                "refused": passed["refused"],
                "state": _state(passed["admitted"], passed["refused"]),
                "reasons": {
                    code: {"documents": count, "en": explain(code, "en"), "fr": explain(code, "fr")}
                    for code, count in passed["reasons"].items()
                },
            }
            if name in overrides:
                row["overrides"] = [override_json(one) for one in overrides[name]]
                row["liftable"] = reasons_to_lift(rights.folder, USES) if rights.folder else []
            if decided_against(row):
                row["stands_on_it"] = session.standing_on(name)
        else:
            row |= _stopped([raw, by_step.get(("documents", name)), by_step.get(("optout", name)), rights])
        if withdrawn.get(name, frozenset()) is None:
            # Rights may let it through, and no corpus takes it any more.
            row["state"] = "withdrawn"
        rows.append(row)
    return rows


def _stopped(outcomes: Sequence[Outcome | None]) -> dict[str, str]:
    """How far a source came whose rights are not there: the state of the first step that has a reason."""
    last = next((o for o in outcomes if o and o.reason), None)
    return {
        "state": (last.state if last else "not-obtained").replace("-", " "),
        "reason": last.reason if last else "",
    }


def _at_the_gate(session: Session, name: str, rights: Outcome) -> dict[str, Any]:
    """What the gate would say of one source, where no corpus was asked about."""
    from hemicycle.flow import USES
    from hemicycle.rights import admit

    assert rights.folder is not None
    assert rights.statement is not None
    jurisdictions = session.project.declaration.project.jurisdictions
    held, lifted = session.flow.decided({name: rights.statement})
    with tempfile.TemporaryDirectory() as out:
        figures = admit({name: rights.folder}, jurisdictions, Path(out), uses=USES, held=held, lifted=lifted)
    passed: dict[str, Any] = figures["sources"][name]
    return passed


def list_documents(session: Session, outcomes: list[Outcome], rows: list[dict[str, Any]]) -> None:
    """Add to the rows of `sources_table` every document: its id, its worst verdict, and that one's reason."""
    from hemicycle.flow import USES
    from hemicycle.rights.admit import judge

    needed = sorted((j, use) for j in session.project.declaration.project.jurisdictions for use in USES)
    rights = {o.step.name: o for o in outcomes if o.step.stage == "rights" and o.statement and o.folder}
    for row in rows:
        name, made = row["source"], rights.get(row["source"])
        if made is None or made.statement is None or made.folder is None:
            continue
        held, lifted = session.flow.decided({name: made.statement})
        judged = judge(name, made.folder, needed, held.get(name), lifted.get(name, ())).sort("id")
        row["listed"] = judged.select("id", "admitted", "verdict", reason="explanation").to_dicts()


def decided_against(row: dict[str, Any]) -> bool:
    """Whether decisions, their lack or their end hold back something of a source."""
    missed = any(override["missed"] for override in row.get("overrides", ()))
    return missed or any(code.startswith("clearance-") for code in row.get("reasons", ()))


def _state(admitted: int, refused: int) -> str:
    if not refused:
        return "cleared"
    return "partly cleared" if admitted else "refused"


def summary(session: Session, outcomes: list[Outcome]) -> dict[str, Any]:
    """The same as JSON."""
    figures: dict[str, dict[str, Any]] = {}
    for outcome in outcomes:
        if outcome.statement and outcome.step.stage in TOLD:
            figures.setdefault(outcome.step.stage, {})[outcome.step.name] = outcome.statement.figures
    rows = sources_table(session, outcomes)
    granted = granted_and_in(session, outcomes, rows)
    return {
        "sources": rows,
        "bases": bases_table(session),
        "granted": granted,
        "withdrawals": withdrawals_and_behind(session, outcomes),
        "figures": figures,
    }


def print_sources(rows: list[dict[str, Any]]) -> None:
    """The rows of `sources_table`, and under them why what is refused is refused."""
    print_table(
        ["source", "documents", "characters", "admitted", "refused", "verdict"],
        [
            [
                row["source"],
                *(row.get(k) for k in ("documents", "characters", "admitted", "refused")),
                row["state"],
            ]
            for row in rows
        ],
    )
    for row in rows:
        for code, reason in row.get("reasons", {}).items():
            click.echo(f"  {row['source']}: {reason['documents']} refused. {reason['en']}")
            if code in IN_THE_CARD:
                click.echo(f"    {IN_THE_CARD[code]} [rights] of sources/{row['source']}.toml.")
            if code in row.get("liftable", ()):
                click.echo(f"    `hemicycle clear override {row['source']} --lifts {code}` lifts it, signed.")
        if row.get("offered"):
            told = "offered for download by its holder: “{quote}” ({url}, read on {read_on})"
            click.echo(f"  {row['source']}: {cell(told.format(**row['offered']))}")
        print_overrides(row)
        if row.get("stands_on_it"):
            click.echo(f"  {row['source']}: made of it so far: {', '.join(row['stands_on_it'])}")
        if "reason" in row:
            click.echo(f"  {row['source']}: {cell(row['reason'])}")
        if row.get("listed"):
            click.echo()
            head = ["id", "admitted", "verdict", "reason"]
            print_table(head, [[document[column] for column in head] for document in row["listed"]])


def bases_table(session: Session) -> list[dict[str, Any]]:
    """One row a declared base: its licence, what that lets go out, and which models begin from it."""
    declaration = session.project.declaration
    rows = []
    for name in declaration.bases:
        judged = rights_of(session.flow, name)
        rows.append(
            {
                "base": name,
                "licence": judged.licence,
                "stated_licence": judged.stated,
                "verdict": judged.verdict,
                "line": judged.line(declaration.project.license),
                "why": judged.sentences(),
                "upstream": "unknown",
                "models": [m for m in declaration.models if declaration.base_of(m) == name],
            }
        )
    return rows


def print_bases(rows: list[dict[str, Any]]) -> None:
    """The rows of `bases_table`, with what keeps a release from being made."""
    for row in rows:
        click.echo(cell(row["line"]))
        for sentence in row["why"]:
            click.echo(f"  {row['base']}: {cell(sentence)}")
        models = ", ".join(row["models"]) or "no model"
        click.echo(f"  {row['base']}: what it was trained on is not known; {models} begins from it")


def print_overrides(row: Mapping[str, Any]) -> None:
    for override in row.get("overrides", ()):
        click.echo(f"  {row['source']}: {cell(override_sentence(override))}")


def print_evaluation(outcome: Outcome) -> None:
    """Bits per byte of models and baselines, with intervals."""
    assert outcome.folder is not None
    print_results(json.loads((outcome.folder / "results.json").read_text("utf-8")))


def print_results(results: Mapping[str, Any]) -> None:
    """A comparison as a table, its differences as sentences, and what was forgotten."""
    from hemicycle.evaluate import forgetting_table, sentences, table

    head, *rows = table(results, "en")
    print_table(["bits per byte", *head[1:]], rows)
    for sentence in sentences(results, "en"):
        click.echo(f"  {sentence}")
    if lines := forgetting_table(results, "en"):
        click.echo()
        print_table(lines[0], lines[1:])


def print_contamination(results: Mapping[str, Any]) -> None:
    """What of evaluation sets and of held-out text stands in each training text."""
    from hemicycle.evaluate.verbatim.wording import contamination_table

    for text in results["training"]:
        click.echo(f"In what {cell(', '.join(text['models']))} was trained on:")
        head, *rows = contamination_table(text, "en")
        print_table(head, rows)
    if unread := results["not_read"]:
        click.echo(f"Not checked, because of their form: {cell(', '.join(unread))}")
    click.echo("Verbatim copies only; a set that is clean here may stand there in other words.")


def print_matches(rows: Sequence[Mapping[str, Any]]) -> None:
    """The items that most of which stands in the training text, and where."""
    hit = [row for row in rows if row["verdict"] in ("partly", "contaminated")]
    hit.sort(key=lambda row: (-row["found"] / row["words"], -row["longest"]))
    n = partial(format_number, language="en")
    for row in hit[:MATCHES]:
        which = "" if row["stretches"] == 1 else f"the longest of {n(row['stretches'])} stretches, "
        beside = {True: ", with an answer beside it", False: ", without an answer", None: ""}
        click.echo(
            f"  {cell(row['set'])}, item {row['item']}, {row['part']}: {row['verdict']}, "
            f"{n(row['found'])} of {count(row['words'], 'word', 'words', 'en')}; {which}"
            f"{count(row['longest'], 'word', 'words', 'en')}, "
            f"{count(row['count'], 'time', 'times', 'en')} in the training text, "
            f"first in {cell(row['document'])} [{row['source']}] from word {n(row['word'])}"
            f"{beside[row['answer_beside']]}"
        )
        passage = " ".join(row["passage"].split())
        shown = passage if len(passage) <= LONGEST_PASSAGE else f"{passage[:LONGEST_PASSAGE]}…"
        click.echo(click.style(f"    “{cell(shown)}”", dim=True))
    if len(hit) > MATCHES:
        click.echo(f"  … and {len(hit) - MATCHES} more: --json has them all")


def print_regurgitation(results: Mapping[str, Any]) -> None:
    """Rates of each model by length of the prefix, by copies, by source. `upstream`: model → its base."""
    from hemicycle.evaluate.verbatim.wording import regurgitation_table

    for name, model in results["models"].items():
        if not model["rows"]:
            click.echo(f"{name}: no document that it read is long enough to ask for")
            continue
        head, *rows = regurgitation_table(model, "en")
        print_table([name, *head[1:]], rows)
        base = results["upstream"].get(name)
        there = f"may be formula, or memory of {cell(base)}" if base else "is formula, not memory"
        click.echo(
            f"Exact: the first {model['target_tokens']} tokens are those of the document. Held out is the "
            f"control: what is verbatim there {there}. Lower bounds."
        )


def print_summary(session: Session, outcomes: list[Outcome]) -> None:
    """The state of the whole project, for people."""
    by_stage: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.statement:
            by_stage.setdefault(outcome.step.stage, []).append(outcome)
    _title("Sources and rights")
    rows = sources_table(session, outcomes)
    print_sources(rows)
    print_granted(granted_and_in(session, outcomes, rows))
    missing_hint(session, outcomes)
    _print_withdrawn(session, outcomes)
    if bases := bases_table(session):
        _title("Bases")
        print_bases(bases)
    for outcome in by_stage.get("corpus", []):
        t = _figures(outcome)["totals"]
        _title(f"Corpus {outcome.step.name}")
        click.echo(
            f"{cell(t['documents'])} documents, {cell(t['characters'])} characters; "
            f"{cell(t['held_out'])} held out, {cell(t['dropped'])} dropped"
        )
    for outcome in [*by_stage.get("tokens", []), *by_stage.get("dialogues", [])]:
        f = _figures(outcome)
        click.echo(
            f"{cell(f['tokens'])} tokens, {cell(f['bytes_per_token'])} bytes each ({outcome.step.name})"
        )
    for outcome in by_stage.get("model", []):
        f = _figures(outcome)
        _title(f"Model {outcome.step.name}")
        click.echo(
            f"{cell(f['parameters'])} parameters, {cell(f['tokens'])} tokens read "
            f"in {cell(f['steps'])} steps ({cell(f['documents_read'])} documents)"
        )
        budget = session.project.declaration.models[outcome.step.name].budget
        if doubt := few_steps(outcome.step.name, budget, f["steps"]):
            click.echo(click.style(f"  {doubt}", fg="yellow"))
    for outcome in by_stage.get("before-after", []):
        _title(f"Before and after tuning {outcome.step.name}")
        print_evaluation(outcome)
    for outcome in by_stage.get("evaluation", []):
        _title(f"Evaluation {outcome.step.name}")
        print_evaluation(outcome)
    for outcome in by_stage.get("contamination", []):
        _title(f"Contamination {outcome.step.name}")
        print_contamination(_figures(outcome))
    for outcome in by_stage.get("regurgitation", []):
        _title(f"Regurgitation {outcome.step.name}")
        upstream = outcome.statement.declaration["declared"]["upstream"] if outcome.statement else {}
        print_regurgitation({**_figures(outcome), "upstream": upstream})
    for outcome in by_stage.get("release", []):
        _title(f"Release {outcome.step.name}")
        assert outcome.folder is not None
        click.echo(relative(outcome.folder))
    waiting = [o for o in outcomes if o.state == "would-run"]
    if waiting:
        _title("To do")
        click.echo(f"{len(waiting)} step(s) would run; `hemicycle run` does them.")


def _print_withdrawn(session: Session, outcomes: list[Outcome]) -> None:
    if told := withdrawals_and_behind(session, outcomes):
        _title("Withdrawn")
        print_withdrawals(told)


def missing_hint(session: Session, outcomes: list[Outcome]) -> None:
    """Say which sources could not be had and, in a project without archives of its own, where some are."""
    missing = [o.step.name for o in outcomes if o.state == "not-obtained"]
    if missing:
        elsewhere = " `hemicycle new FOLDER --template french` starts a project on the official archives."
        has_archives = any(card.urls for card in session.project.cards.values())
        click.echo(
            f"  {', '.join(missing)} could not be obtained here; the rest goes on without."
            f"{'' if has_archives else elsewhere}"
        )


def _figures(outcome: Outcome) -> dict[str, Any]:
    assert outcome.statement is not None
    return outcome.statement.figures


def _title(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True, fg="cyan"))
