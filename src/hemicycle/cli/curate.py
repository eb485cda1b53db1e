"""`hemicycle curate`: from cleared documents to a corpus, and everything it saw of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hemicycle.cli.curate_passages import passages
from hemicycle.cli.decided import withdrawal_json
from hemicycle.cli.groups import DefaultGroup
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.stage import stage_verb
from hemicycle.cli.tables import cell, print_table, relative
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.flow import TOKENISED
from hemicycle.governance.decisions import WHOLE
from hemicycle.ledger import Statement

if TYPE_CHECKING:
    from hemicycle.curate.explain import Told


@click.group("curate", cls=DefaultGroup, default="make")
def command() -> None:
    """Clean, filter, split and deduplicate cleared documents; explain what was dropped; try other bounds.

    Without a word of the list below, `hemicycle curate [CORPUS]` is `hemicycle curate make [CORPUS]`.

    \b
    Examples:
      hemicycle curate
      hemicycle curate explain CRSANR5L15S2017O1N001
      hemicycle curate retune debats "repeated-lines: duplicate_lines <= 0.4"
      hemicycle curate rules parliamentary
      hemicycle curate report debats
      hemicycle curate passages debats
    """


def show(made: list[tuple[Statement, Path]]) -> None:
    for statement, _ in made:
        click.echo(f"corpus {statement.subject.name}")
        sources = statement.figures["sources"]
        print_table(
            ["source", "kept", "characters", "train", "held out", "dropped", "why dropped"],
            [
                [
                    name,
                    s["documents"],
                    s["characters"],
                    s["train"],
                    s["held_out"],
                    s["dropped"],
                    ", ".join(f"{why} {n}" for why, n in sorted(s["why"].items(), key=lambda p: -p[1])),
                ]
                for name, s in sources.items()
            ],
        )


command.add_command(
    stage_verb(
        "curate",
        "corpus",
        "CORPUS",
        show,
        """Make each CORPUS (all, if none is named) of the cleared documents of its sources.

        Every dropped document is kept beside the corpus with all the rules it broke and the values it had.

        \b
        Examples:
          hemicycle curate
          hemicycle curate debats --json
          hemicycle curate --on slurm --site jean-zay
        """,
    ),
    "make",
)
command.add_command(passages)


@command.command()
@click.argument("document")
@project_option
@json_option
def explain(document: str, folder: Path, as_json: bool) -> None:
    """Say of a DOCUMENT what each corpus made of it: what was masked and taken out, and every rule it was
    held to, with value and bound; and whether it was withdrawn, when and why.

    \b
    Examples:
      hemicycle curate explain CRSANR5L15S2017O1N001
      hemicycle curate explain manpages-fr:ls.1 --json
    """
    from hemicycle.curate.explain import explain as room_explain
    from hemicycle.curate.explain import left, refusal
    from hemicycle.rights.explanations import explanations

    session = Session(folder)
    told, gone, refused = [], [], []
    made = _last(session, "corpus")
    behind = sorted(name for name, (_, fresh) in made.items() if not fresh)
    for name, (place, _) in made.items():
        if found := room_explain(document, name, place, _rules(session, name)):
            told.append(found)
        elif was := left(document, name, place):
            gone.append(was)
    for name, (place, _) in _last(session, "admitted").items():
        if held := refusal(document, name, place / "refused.parquet"):
            refused.append(held)
    sources = {*(t.source for t in told), *(g.source for g in gone), *(r.source for r in refused)}
    withdrawn = _withdrawn(session, document, sources)
    if not told and not refused and not withdrawn and not gone:
        unmade = [name for name in session.project.declaration.corpora if name not in made]
        if unmade and not made:
            raise _not_made(unmade[0])
        raise DeclarationError(
            f"no corpus has seen the document {document}",
            remedy=" ".join(
                [
                    *(f"Corpus {name} is not up to date: run `hemicycle curate`." for name in behind),
                    *(f"Corpus {name} is not made yet: run `hemicycle curate {name}`." for name in unmade),
                    "`hemicycle clear --documents` lists the ids, and says whether rights hold it back.",
                ]
            ),
        )
    reasons = explanations()
    if as_json:
        corpora = [{**dataclasses.asdict(one), "up_to_date": one.corpus not in behind} for one in told]
        held_back = [{**dataclasses.asdict(one), **reasons.get(one.explanation, {})} for one in refused]
        left_out = [dataclasses.asdict(one) for one in gone]
        said = {"document": document, "corpora": corpora, "refused": held_back}
        print_json(said | {"withdrawn": withdrawn, "left": left_out})
        return
    for name in behind:
        click.echo(f"corpus {name} is not up to date: run `hemicycle curate`; this is of the last one made")
    for one in withdrawn:
        why = f"{cell(one['reason'])} (approvals/{cell(one['decision'])})"
        click.echo(f"{cell(document)} was withdrawn on {one['on']}: {why}")
    for was in gone:
        had = "dropped" if was.split == "dropped" else f"kept ({was.split})"
        click.echo(f"  it left corpus {was.corpus}, where it had been {cell(had)}")
    for held in refused:
        why = reasons.get(held.explanation, {}).get("en", held.explanation)
        click.echo(
            f"{cell(document)} is held back from corpus {held.corpus} by rights ({held.verdict}): {why}"
        )
    for seen in told:
        _say(document, seen)


def _withdrawn(session: Session, document: str, sources: set[str]) -> list[dict[str, Any]]:
    """The withdrawals in force of a document, which is of one of the sources where any is known."""
    found = []
    for one in session.flow.gate.withdrawals():
        documents = one.decision.covers["documents"]
        if one.decision.subject in sources if documents == WHOLE else document in documents:
            found.append(withdrawal_json(one))
    return found


def _say(document: str, one: Told) -> None:
    """What one corpus made of a document, as lines."""
    said = f"kept ({one.split})" if one.state == "kept" else f"dropped: {', '.join(one.why)}"
    click.echo(f"{cell(document)} in corpus {one.corpus}: {cell(said)}")
    if one.copies:
        copies = "1 copy" if one.copies == 1 else f"{one.copies} copies"
        click.echo(f"  it stays for {copies} that went")
    for kind, count in one.masked.items():
        click.echo(f"  masked ({kind}): {count}")
    if one.passages:
        click.echo(f"  repeated passages taken out: {one.passages}")
    spoken = {run["language"]: 0 for run in one.languages}
    for run in one.languages:
        spoken[run["language"]] += run["end"] - run["start"]
    click.echo(f"  languages (characters): {', '.join(f'{k} {v}' for k, v in spoken.items()) or 'none'}")
    rows = [[name, keep, value, "yes" if kept else "no"] for name, (keep, value, kept) in one.rules.items()]
    print_table(["rule", "kept if", "value", "kept"], rows)


@command.command()
@click.argument("corpus")
@click.argument("bounds", nargs=-1, required=True, metavar="RULE:BOUND...")
@project_option
@json_option
def retune(corpus: str, bounds: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Say what a CORPUS would keep with other bounds, from stored measures; no text is read.

    A RULE without its set is moved in every set that has one of that name; SET/RULE is one rule. Copies are
    not looked for. To keep a bound, write it into a set of rules of the project's own.

    \b
    Examples:
      hemicycle curate retune debats "few-letters: letter_share >= 0.5"
      hemicycle curate retune debats "symbols: symbol_share <= 0.2" "parliamentary/too-short: words >= 50"
    """
    from hemicycle.curate.retune import effect, retuned, to_json

    session = Session(folder)
    before = _rules(session, corpus)
    after = retuned(before, bounds)
    moved = [new.name for old, new in zip(before, after, strict=True) if new is not old]
    sources = session.project.declaration.corpora[corpus].sources
    made = _standing(session, "annotated")
    effects = [effect(source, made[source], before, after) for source in sources if source in made]
    if not effects:
        made_before = _last(session, "annotated").keys() & set(sources)
        said = "is not up to date" if made_before else "has nothing annotated yet"
        raise DeclarationError(f"corpus “{corpus}” {said}", remedy=f"Run `hemicycle curate {corpus}`.")
    if as_json:
        print_json({"corpus": corpus, "rules": moved, "sources": {e.source: to_json(e) for e in effects}})
        return
    click.echo(f"moved: {', '.join(moved)}")
    print_table(
        ["source", "kept", "would keep", "characters", "would keep", "back", "gone"],
        [[e.source, *e.documents, *e.characters, *e.moved] for e in effects],
    )
    for e in effects:
        for word, examples in (("back", e.back), ("gone", e.gone)):
            for document, why in examples.items():
                click.echo(f"  {word}: {cell(document)} ({', '.join(why)})")


@command.command()
@click.argument("names", nargs=-1, metavar="[SET]...")
@json_option
def rules(names: tuple[str, ...], as_json: bool) -> None:
    """Print the rules of each SET (all of the package, if none is named) with why, in English and French.

    A path names a file of one's own.

    \b
    Examples:
      hemicycle curate rules
      hemicycle curate rules parliamentary legal
      hemicycle curate rules ./rules/ours.toml
    """
    from hemicycle.curate.rules import known_sets, load_sets
    from hemicycle.curate.rules_page import rules_page, some_sets

    sets = load_sets(names or known_sets())
    if as_json:
        print_json({"sets": [dataclasses.asdict(one) for one in sets]})
    else:
        click.echo(some_sets(sets) if names else rules_page(sets))


@command.command()
@click.argument("corpora", nargs=-1, metavar="[CORPUS]...")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="A folder for the report of one CORPUS."
)
@project_option
@json_option
def report(corpora: tuple[str, ...], out: Path | None, folder: Path, as_json: bool) -> None:
    """Write a page about each CORPUS (all, if none is named): what it is made of, what was left out and why,
    and what each bound does, with documents from both sides of it.

    It is written to reports/CORPUS in the project, in French and in English, with its pictures and the same
    figures as report.json. With --json it is printed instead, and nothing is written.

    \b
    Examples:
      hemicycle curate report
      hemicycle curate report debats --out ../debats
      hemicycle curate report debats --json
    """
    from hemicycle.curate.report import make_report
    from hemicycle.curate.report_page import write_report

    session = Session(folder)
    if out is not None and as_json:
        raise DeclarationError(
            "--out and --json cannot both be meant", remedy="--json prints the report and writes nothing."
        )
    names = corpora or tuple(session.project.declaration.corpora)
    if out is not None and len(names) != 1:
        raise DeclarationError("--out takes the report of one corpus", remedy="Name the corpus.")
    rules = {name: _rules(session, name) for name in names}
    made = _standing(session, "corpus")
    if missing := [name for name in names if name not in made]:
        # A page quotes texts, so it is not made of a corpus that may hold what has since been withdrawn.
        raise _not_made(missing[0], "up to date" if missing[0] in _last(session, "corpus") else "made yet")
    told = {name: make_report(name, _report_inputs(session, name, made[name]), rules[name]) for name in names}
    if as_json:
        print_json({"corpora": told})
        return
    for name, one in told.items():
        place = out or session.project.folder / "reports" / name
        write_report(one, place)
        click.echo(f"report {name}: {relative(place / 'index.html')}")


def _report_inputs(session: Session, name: str, corpus: Path) -> Any:
    from hemicycle.curate.report import Inputs
    from hemicycle.rights.explanations import explanations

    rights = _standing(session, "rights")
    refused = _standing(session, "admitted").get(name)
    tokens = {n: f for stage in TOKENISED for n, f in _standing(session, stage, "tokenize").items()}
    tokenised = sorted(made for made in tokens if made.split(".")[0] == name)
    sources = session.project.declaration.corpora[name].sources
    return Inputs(
        corpus=corpus,
        rights={s: rights[s] / "rights.parquet" for s in sources if s in rights},
        refused=refused / "refused.parquet" if refused else None,
        tokens=(tokenised[0].split(".")[1], tokens[tokenised[0]] / "documents.parquet")
        if tokenised
        else None,
        reasons=explanations(),
    )


def _not_made(corpus: str, state: str = "made yet") -> DeclarationError:
    return DeclarationError(
        f"corpus “{corpus}” is not {state}", remedy=f"Run `hemicycle curate {corpus}` first."
    )


def _rules(session: Session, corpus: str) -> list[Any]:
    """The rules a corpus is held to."""
    from hemicycle.curate.rules import load_sets

    corpora = session.project.declaration.corpora
    if corpus not in corpora:
        raise DeclarationError(
            f"there is no corpus “{corpus}”",
            remedy=did_you_mean(corpus, corpora) or f"Declared: {', '.join(corpora) or 'none'}.",
        )
    sets = load_sets(corpora[corpus].rules, session.project.folder)
    return [rule for one in sets for rule in one.rules]


def _standing(session: Session, stage: str, verb: str = "curate") -> dict[str, Path]:
    """The artefacts of a stage that stand, by name, the last of each; `verb` makes what reads them."""
    steps = [s for s in session.flow.up_to(verb) if s.stage == stage]
    outcomes = session.pipeline().look(steps)
    return {o.step.name: o.folder for o in outcomes if o.step.stage == stage and o.folder}


def _last(session: Session, stage: str) -> dict[str, tuple[Path, bool]]:
    """The artefacts of a stage by name, each with whether it is up to date: what stands, else the last one
    that was made and is still there, after its files were compared with the ledger."""
    pipeline = session.pipeline()
    outcomes = pipeline.look([s for s in session.flow.up_to("curate") if s.stage == stage])
    wanted = [o for o in outcomes if o.step.stage == stage]
    made = {s.subject.name: s for s in session.ledger.current().values() if s.subject.stage == stage}
    found = {}
    for outcome in wanted:
        name = outcome.step.name
        if outcome.folder:
            found[name] = (outcome.folder, True)
        elif name in made:
            folder = session.store.artefact(stage, name, made[name].subject.key)
            if folder.exists():
                pipeline.check(folder, made[name])
                found[name] = (folder, False)
    return found
