"""`hemicycle rights`: explain a term, a document, a foreign table of licences or a page's opt-outs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from hemicycle.cli.rights_audit import command as audit
from hemicycle.cli.rights_optout import optout
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.tables import cell
from hemicycle.errors import DeclarationError, did_you_mean

if TYPE_CHECKING:
    from hemicycle.rights.policy import Policy
    from hemicycle.rights.report import Standing
    from hemicycle.rights.term import TermVerdict
    from hemicycle.rights.term_rules import TermRule, WorkKind

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group("rights")
def command() -> None:
    """Explain rights: a work's term, a document's verdicts, a foreign table of licences, a page's opt-outs.

    None of it is legal advice: it says which rule, evidence and person stand behind a verdict.

    \b
    Examples:
      hemicycle rights term --death 1944 --published 1943 --mplf --in FR,BE,CA-QC
      hemicycle rights explain CRSINV1L1S2031O1N001
      hemicycle rights audit datasets.csv --column licence="License" --umbrella Apache-2.0
      hemicycle rights optout page.html --robots robots.txt
    """


command.add_command(audit)
command.add_command(optout)


@command.command()
@click.option(
    "--death", "deaths", multiple=True, metavar="YEAR", help="Year of death; once a co-author. `?`: unknown."
)
@click.option(
    "--birth", "births", multiple=True, metavar="YEAR", help="Year of birth, in the order of --death."
)
@click.option("--published", type=int, metavar="YEAR", help="Year of the first publication.")
@click.option("--mplf", is_flag=True, help="The author is “mort pour la France”.")
@click.option(
    "--kind",
    default="individual",
    show_default=True,
    type=click.Choice(
        "individual collaboration collective anonymous pseudonymous audiovisual "
        "scan recording broadcast critical-edition".split()
    ),
    help="Kind of work; several --death make an individual work a collaboration.",
)
@click.option("--posthumous", is_flag=True, help="First published after the author's death.")
@click.option("--music", is_flag=True, help="A musical composition.")
@click.option(
    "--origin", metavar="COUNTRY", help="Country of the first publication, for the comparison of terms."
)
@click.option("--nationality", metavar="COUNTRY", help="Of the authors, for the comparison of terms.")
@click.option("--in", "countries", required=True, metavar="CODES", help="Countries, as FR,BE,CA-QC.")
@click.option("--on", "day", type=DAY, help="The day to judge for; today (UTC), if none is given.")
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", help="Of the explanation.")
@click.option("--explain", "sourced", is_flag=True, help="Name the source of every rule, and how sure it is.")
@json_option
def term(
    deaths: tuple[str, ...],
    births: tuple[str, ...],
    published: int | None,
    mplf: bool,
    kind: str,
    posthumous: bool,
    music: bool,
    origin: str | None,
    nationality: str | None,
    countries: str,
    day: datetime | None,
    language: str,
    sourced: bool,
    as_json: bool,
) -> None:
    """Say when the rights in one work end, country by country, and how that is reckoned.

    Where laws can be read in several ways, two days are given: the one held right, and the one on which all
    readings agree. Between them the work is contested, and stays blocked.

    \b
    Examples:
      hemicycle rights term --death 1944 --published 1943 --mplf --in FR,BE,CA-QC
      hemicycle rights term --kind collective --published 1954 --in FR --json
      hemicycle rights term --death 1937 --death 1954 --music --published 1925 --in FR
    """
    from hemicycle.rights.term import Lifetime, Work, judge
    from hemicycle.rights.term_words import tell

    contributors = tuple(
        Lifetime(_year(birth, "--birth"), _year(death, "--death"), mplf, nationality)
        for death, birth in zip(deaths, [*births, *["?"] * len(deaths)], strict=False)
    )
    if len(births) > len(deaths):
        raise DeclarationError(
            "there are more --birth than --death", remedy="Give --death ? for who is alive."
        )
    work = Work(
        contributors or (Lifetime(None, None, mplf, nationality),),
        cast("WorkKind", kind),
        published,
        posthumous,
        music,
        _country(origin) if origin else None,
    )
    on = day.date() if day else datetime.now(UTC).date()
    judged = {code: judge(work, code, on) for code in _countries(countries)}
    if as_json:
        print_json(
            {
                "on": on,
                "work": _work_json(work),
                "jurisdictions": {
                    code: {
                        "verdict": v.verdict,
                        "free_from": v.free_from,
                        "safe_from": v.safe_from,
                        "earliest": v.earliest,
                        "contested": v.contested,
                        "rules": list(v.rules),
                        "confidence": _confidence(v),
                        "sources": [_row_json(row) for row in v.rows],
                        "reason": v.explanation,
                        "explanation": tell(v, "en"),
                        "explanation_fr": tell(v, "fr"),
                    }
                    for code, v in judged.items()
                },
            }
        )
        return
    for code, v in judged.items():
        contested = ", contested" if v.contested else ""
        click.echo(click.style(f"{code}  {v.verdict}{contested}", bold=True))
        click.echo(click.wrap_text(tell(v, language), 100, "  ", "  "))  # type: ignore[arg-type]
        for row in v.rows if sourced else ():
            click.echo(f"  {row.name}: {row.confidence}, checked on {row.checked_on}, {row.source}")


@command.command()
@click.argument("document")
@click.option("--on", "day", type=DAY, help="Judge the document anew for this day; nothing is written.")
@click.option("--in", "countries", metavar="CODES", help="Judge it anew for these countries, as FR,BE,CA-QC.")
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", help="Of the explanations.")
@project_option
@json_option
def explain(
    document: str, day: datetime | None, countries: str | None, language: str, folder: Path, as_json: bool
) -> None:
    """Say for DOCUMENT, by its id, what its verdicts are in each country and what they rest on.

    They are those that the project stands on. With --on or --in it is judged anew, by what was read of it and
    by its source's card: for today (UTC) where no day is given, for the project's countries where none is
    named.

    \b
    Examples:
      hemicycle rights explain CRSINV1L1S2031O1N001 --project examples/petit-hemicycle
      hemicycle rights explain romans:FRA01002.xml --on 2015-06-01 --in FR,CA
    """
    import dataclasses

    from hemicycle.project import AUTHORS
    from hemicycle.rights.authority import load_authority
    from hemicycle.rights.decide import decide_document
    from hemicycle.rights.policy import find_policy
    from hemicycle.rights.report import find_document, report

    session = Session(folder)
    project = session.project
    anew = day is not None or countries is not None
    asked = _countries(countries) if countries is not None else project.declaration.project.jurisdictions
    standing = _standing(session, anew)
    found = find_document(document, standing)
    card = project.cards[found.source]
    policy = find_policy(project.declaration.project.policy, project.folder)
    known = project.folder / AUTHORS
    authority = load_authority(known) if known.is_file() else None
    if anew:
        looked = standing[found.source].optout
        rows = decide_document(
            found.document,
            card,
            asked,
            day.date() if day else datetime.now(UTC).date(),
            policy=policy,
            authority=authority,
            rechecked=looked / "optout.parquet" if looked else None,
        )
        found = dataclasses.replace(found, rows=tuple(rows))
    told = report(found, card, policy, authority)
    if as_json:
        print_json(told)
        return
    click.echo(click.style(f"{cell(found.id)}  ({cell(told['title'] or '–')})", bold=True))
    for row in told["verdicts"]:
        click.echo(
            f"{row['jurisdiction']} {', '.join(row['uses'])}: " + click.style(row["verdict"], bold=True)
        )
        click.echo(click.wrap_text(cell(row[f"explanation_{language}"]), 100, "  ", "  "))
        for key in ("licence", "free_from", "safe_from", "obligations", "rules", "statements"):
            value = row[key]
            if value:
                shown = ", ".join(value) if isinstance(value, list) else value
                click.echo(f"  {key.replace('_', ' ')}: {cell(shown)}")
    for when, reservations in (("opt-out", told["reservations"]), ("asked again", told["asked_again"])):
        for said in reservations:
            click.echo(
                f"  {when}, {cell(said['protocol'])}: {cell(said['value'])}, {cell(said['quote'])} "
                f"({cell(said['place'])})"
            )


@command.command()
@click.argument("declared", metavar="LICENCE")
@click.option("--source", "sources", multiple=True, metavar="NAME=SPDX", help="A text that was trained on.")
@click.option("--base-model", "bases", multiple=True, metavar="NAME=SPDX", help="A model that was continued.")
@click.option(
    "--generator", "generators", multiple=True, metavar="NAME=SPDX", help="A model that wrote text."
)
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The policy to judge by; else that of the project you stand in, else the default one.",
)
@json_option
def release(
    declared: str,
    sources: tuple[str, ...],
    bases: tuple[str, ...],
    generators: tuple[str, ...],
    policy_file: Path | None,
    as_json: bool,
) -> None:
    """Say whether weights may go out under LICENCE, given what they were made of; exit code 3 if not.

    `hemicycle release` asks the same of what a project was made of. NAME= without a licence stands for one
    that is not known.

    \b
    Examples:
      hemicycle rights release Apache-2.0 --source debats=etalab-2.0 --source wiki=CC-BY-SA-4.0
      hemicycle rights release Apache-2.0 \\
          --base-model bloom=LicenseRef-scancode-bigscience-rail-1.0
    """
    from hemicycle.rights.aggregate import Kind, Part, follows, manifest

    policy = _policy(policy_file)
    kinds: list[tuple[Kind, tuple[str, ...]]] = [
        ("source", sources),
        ("base-model", bases),
        ("generator", generators),
    ]
    parts = []
    for kind, given in kinds:
        for one in given:
            name, licence = _named(one, f"--{kind}")
            parts.append(Part(name, kind, licence))
    if not parts:
        raise DeclarationError(
            "nothing is named that the weights were made of",
            remedy="Name it with --source, --base-model or --generator.",
        )
    blockers = follows(declared, parts, policy)
    texts = [part.licence for part in parts if part.kind == "source" and part.licence]
    corpus = manifest(texts) if texts and not blockers else None
    if as_json:
        print_json(
            {
                "licence": declared,
                "follows": not blockers,
                "policy": policy.rule,
                "corpus": corpus,
                "blockers": [
                    {
                        "name": b.part.name,
                        "kind": b.part.kind,
                        "licence": b.part.licence,
                        "reason": b.reason,
                        "clause": b.clause or None,
                        "explanation": b.en,
                        "explanation_fr": b.fr,
                    }
                    for b in blockers
                ],
            }
        )
    else:
        said = "follows" if not blockers else "does not follow"
        click.echo(f"weights under {cell(declared)}: {said}, by {policy.rule}")
        for blocker in blockers:
            click.echo(f"  {cell(blocker.en)}")
        if corpus:
            click.echo(f"  the texts, each under its own: {cell(corpus)}")
    if blockers:
        raise click.exceptions.Exit(3)


def _standing(session: Session, anew: bool) -> dict[str, Standing]:
    """What was made of each source; only with its rights, unless they are to be judged anew."""
    from hemicycle.rights.report import Standing

    cards = session.project.cards
    made = {
        (o.step.stage, o.step.name): o.folder
        for o in session.pipeline().look([session.flow.rights(name) for name in cards])
    }
    standing = {}
    for name, card in cards.items():
        documents, rights, optout = (made.get((stage, name)) for stage in ("documents", "rights", "optout"))
        # Of a web source without its later look, the worst of what is reserved may be missing.
        enough = optout is not None or card.reader != "web" if anew else rights is not None
        if documents is not None and enough:
            standing[name] = Standing(documents, None if anew else rights, optout)
    return standing


def _policy(file: Path | None) -> Policy:
    """The policy of a file; else that of the project around, and outside of one the default policy."""
    from hemicycle.project import DECLARATION, find_project, load_project
    from hemicycle.rights.policy import default_policy, find_policy, load_policy

    if file is not None:
        return load_policy(file)
    here = Path.cwd()
    if not any((folder / DECLARATION).is_file() for folder in (here, *here.parents)):
        return default_policy()
    project = load_project(find_project(here))
    return find_policy(project.declaration.project.policy, project.folder)


def _named(given: str, option: str) -> tuple[str, str | None]:
    name, equals, licence = given.partition("=")
    if not name or not equals:
        raise DeclarationError(f"{option}: “{cell(given)}” is not NAME=SPDX")
    return name, licence or None


def _year(given: str, option: str) -> int | None:
    if given == "?":
        return None
    try:
        return int(given)
    except ValueError:
        raise DeclarationError(
            f"{option}: “{cell(given)}” is not a year", remedy="Write it as 1944, or ? where it is not known."
        ) from None


def _countries(given: str) -> list[str]:
    codes = list(dict.fromkeys(_country(code) for code in given.split(",") if code.strip()))
    if not codes:
        raise DeclarationError("--in names no country", remedy="Name one or several: --in FR,BE,CA-QC.")
    return codes


def _country(given: str) -> str:
    from hemicycle.rights.term_rules import find_jurisdiction, jurisdictions

    code = given.strip().upper()
    if find_jurisdiction(code) is None:
        raise DeclarationError(
            f"there is no jurisdiction “{cell(code)}”",
            remedy=did_you_mean(code, jurisdictions()) or f"Known: {', '.join(jurisdictions())}.",
        )
    return code


def _confidence(judged: TermVerdict) -> str | None:
    """`counsel` where one of the rows used is; None where there are none."""
    sure = {row.confidence for row in judged.rows}
    return "counsel" if "counsel" in sure else "known" if sure else None


def _row_json(row: TermRule) -> dict[str, str]:
    return {"id": row.id, "source": row.source, "checked_on": row.checked_on, "confidence": row.confidence}


def _work_json(work: Any) -> dict[str, Any]:
    import dataclasses

    told = dataclasses.asdict(work)
    told["contributors"] = [
        {k: v for k, v in c.items() if v not in (None, False)} for c in told["contributors"]
    ]
    return {k: v for k, v in told.items() if v not in (None, False)}
