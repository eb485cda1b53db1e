"""A project opened for a command: its parts, wired together, and how work is reported."""

from __future__ import annotations

import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from hemicycle.engines import Engine, Local
from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.flow import Flow
from hemicycle.flow.bases import foreseen
from hemicycle.governance.complaint_entry import admit_steps
from hemicycle.governance.complaint_files import FOLDER as COMPLAINTS
from hemicycle.governance.complaint_files import sweep
from hemicycle.governance.decisions import APPROVALS
from hemicycle.governance.in_force import people_in_force
from hemicycle.governance.parties import parties_of
from hemicycle.ledger import Ledger, Statement
from hemicycle.ledger.lineage import standing_on
from hemicycle.ledger.verify import check_changed
from hemicycle.pipeline import Pipeline
from hemicycle.progress import Lines, Progress, Terminal
from hemicycle.project import LOCK, Lock, Project, find_project, load_project
from hemicycle.stamps import Stamps
from hemicycle.steps import Outcome, Step
from hemicycle.store import Store

if TYPE_CHECKING:
    from hemicycle.train.launch import Launcher
    from hemicycle.train.launch.slurm import OnSlurm

#: A folder that must be there: from one that is not, the search would go up into some other project.
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class How:
    """How a verb is to build, as its options say."""

    dry_run: bool = False
    offline: bool = False
    keep_going: bool = False
    on: Literal["local", "ray", "slurm"] = "local"
    workers: int | None = None
    site: str | None = None
    ranks: int | None = None
    nodes: int | None = None

    def engine(self, folder: Path) -> Engine:
        """Where the parts of data stages run. Raises DeclarationError where that is not to be had."""
        if self.site is not None and self.on != "slurm":
            raise DeclarationError(
                f"--site {self.site} says which Slurm to use, and the work does not run on Slurm",
                remedy="Add `--on slurm`, or leave `--site` out.",
            )
        if self.on == "ray":
            from hemicycle.engines.on_ray import OnRay

            return OnRay(self.workers)
        if self.on == "slurm":
            from hemicycle.engines.slurm import Slurm
            from hemicycle.sites import slurm_site

            return Slurm(slurm_site(folder, self.site))
        return Local(self.workers)

    def launcher(self, folder: Path, store: Store) -> Launcher:
        """Where models are trained. Raises DeclarationError where that is not to be had."""
        if self.on == "slurm":
            return self.on_slurm(folder, store)
        if self.nodes is not None:
            raise DeclarationError(
                f"--nodes {self.nodes} says how many nodes of Slurm train a model, and the work does not run "
                "on Slurm",
                remedy="Add `--on slurm`, or leave `--nodes` out.",
            )
        from hemicycle.train.launch import Here

        return Here(self.ranks)

    def on_slurm(self, folder: Path, store: Store) -> OnSlurm:
        from hemicycle.sites import slurm_site
        from hemicycle.train.launch.slurm import OnSlurm

        return OnSlurm(slurm_site(folder, self.site), self.ranks, self.nodes, store.root)


class Session:
    """Everything a verb needs of one project."""

    def __init__(self, folder: Path, *, update: frozenset[str] = frozenset()) -> None:
        self.project: Project = load_project(find_project(folder))
        self.store, self.ledger = open_store(self.project.folder, self.project)
        self.lock = Lock(self.project.folder / LOCK)
        self.flow = Flow(self.project, self.store, self.ledger, self.lock, update)

    def pipeline(self, how: How | None = None, *, every_byte: bool = False) -> Pipeline:
        how = how or How()
        return Pipeline(
            self.store,
            self.ledger,
            self.lock,
            progress=progress(),
            offline=how.offline,
            keep_going=how.keep_going,
            engine=how.engine(self.project.folder),
            launcher=how.launcher(self.project.folder, self.store),
            limit=self.project.declaration.project.store_limit,
            every_byte=every_byte,
            report=report if how.keep_going else _report_but_failures,
            on_wait=say_waiting,
            prepare=self.admit,
        )

    def admit(self) -> None:
        """Enter new decisions and steps of complaints into the journal; what is refused is told, and does
        not count."""
        for refusal in self.flow.gate.admit():
            click.echo(f"refused: {APPROVALS}/{refusal}", err=True)
        self.admit_complaints()

    @property
    def complaints(self) -> Path:
        return self.project.folder / COMPLAINTS

    def admit_complaints(self) -> None:
        """Enter the steps of complaints, by the people in force; first delete what a killed process left."""
        sweep(self.complaints)
        people, now = people_in_force(self.ledger), self.flow.gate.now()
        for refusal in admit_steps(self.ledger, self.complaints, people, now, self.parties_of):
            click.echo(f"refused: {COMPLAINTS}/{refusal}", err=True)

    def parties_of(self, subjects: Sequence[str]) -> list[str]:
        """Whom the cards behind names of sources, ids of documents and addresses name.

        Raises InputError where documents in which to look one up are not here, IntegrityError where they are
        not what the ledger says.
        """
        statements = [s for s in self.ledger.current().values() if s.subject.stage == "documents"]
        made = {s.subject.name: s for s in statements}

        def documents_of(source: str) -> Path | None:
            return self._documents(made[source]) if source in made else None

        return parties_of(subjects, self.project.cards, documents_of)

    def _documents(self, statement: Statement) -> Path:
        made, folder = statement.subject, self.folder_of(statement)
        findings = check_changed(folder, statement, Stamps(self.store.cache), progress=progress())
        if findings is None:
            raise InputError(
                f"the documents of {made.name} are not here, and what is complained about may be one of them",
                place=str(folder),
                remedy="`hemicycle clear` makes them again.",
            )
        for finding in findings:
            raise IntegrityError(finding.what, place=finding.file, remedy="Restore it from a copy.")
        return folder / "documents.parquet"

    def folder_of(self, statement: Statement) -> Path:
        """Where the artefact of a statement stands, or stood."""
        return self.store.folder_of(statement.subject)

    def standing_on(self, source: str) -> list[str]:
        """What was made of a source so far and outlasts it, as ``stage name``."""
        return standing_on(self.ledger.current().values(), "raw", source)

    def compare_with(self, folders: list[str], names: tuple[str, ...]) -> None:
        """Add model folders to compare with to the named evaluations (all, if none is named)."""
        declaration = self.project.declaration
        evaluations = {
            name: e.model_copy(update={"compare": [*e.compare, *folders]})
            if name in names or not names
            else e
            for name, e in declaration.evaluations.items()
        }
        self.project.declaration = declaration.model_copy(update={"evaluations": evaluations})
        self.flow = Flow(self.project, self.store, self.ledger, self.lock)


def open_store(folder: Path, project: Project) -> tuple[Store, Ledger]:
    store = Store(project.build, folder / "releases")
    return store, Ledger(
        project.ledger, folder / ".hemicycle" / "solo.key", project.declaration.project.governance
    )


def say_waiting(holder: str) -> None:
    click.echo(f"waiting for {holder}, which works on this project", err=True)


def progress() -> Progress:
    return Terminal() if sys.stderr.isatty() else Lines()


_SIGNS = {
    "built": ("✓", "green"),
    "not-obtained": ("–", "yellow"),
    "blocked": ("–", "yellow"),
    "failed": ("✗", "red"),
}


def report(outcome: Outcome) -> None:
    """One line on stderr for each step that did something."""
    if outcome.state not in _SIGNS:
        return
    sign, colour = _SIGNS[outcome.state]
    details = {
        "built": f"{outcome.seconds:.1f} s{_refused(outcome)}",
        "not-obtained": f"not obtained: {outcome.reason}",
        "blocked": f"skipped: {outcome.reason}",
        "failed": str(outcome.error),
    }[outcome.state]
    said = click.style(details, dim=True)
    click.echo(f"{click.style(sign, fg=colour)} {outcome.step}  {said}", err=True)


def _refused(outcome: Outcome) -> str:
    """What the gate held back, in a few words: a refused source must not be missing without a word."""
    if outcome.step.stage != "admitted" or outcome.statement is None:
        return ""
    sources = outcome.statement.figures["sources"]
    held = ", ".join(f"{f['refused']} of {name}" for name, f in sources.items() if f["refused"])
    return f"\n  refused by rights: {held} (`hemicycle clear` says why)" if held else ""


def _report_but_failures(outcome: Outcome) -> None:
    """As `report`, where the first failure ends the command and is told then."""
    if outcome.state != "failed":
        report(outcome)


def finish(outcomes: list[Outcome]) -> None:
    """Leave with the exit code of the first failure, if there was one."""
    for outcome in outcomes:
        if outcome.state == "failed" and outcome.error is not None:
            raise click.exceptions.Exit(outcome.error.exit_code)


def outcomes_json(outcomes: list[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "stage": o.step.stage,
            "name": o.step.name,
            "state": o.state,
            "reason": o.reason,
            "folder": str(o.folder) if o.folder else None,
            "digest": o.statement.digest if o.statement else None,
        }
        for o in outcomes
    ]


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def project_option(function: F) -> F:
    return click.option(
        "--project",
        "folder",
        type=FOLDER,
        default=Path(),
        help="The project's folder; by default the one you stand in.",
    )(function)


def project_argument(function: F) -> F:
    return click.argument("folder", type=FOLDER, default=Path(), metavar="[PROJECT]")(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(function)


_WORK = (
    click.option("--dry-run", is_flag=True, help="Say what would run and why, and do nothing."),
    click.option(
        "--keep-going", is_flag=True, help="When something fails, go on with what does not depend on it."
    ),
    click.option("--offline", is_flag=True, help="Fetch nothing from the network."),
    click.option(
        "--on",
        type=click.Choice(["local", "ray", "slurm"]),
        default="local",
        help="Where the parts of data stages run, and models are trained; with ray, those are trained here.",
    ),
    click.option(
        "--workers", type=click.IntRange(1), help="How many parts run at once here; by default one a core."
    ),
    click.option("--site", help="The site of sites.toml whose Slurm takes them, where it has several."),
    click.option(
        "--ranks",
        type=click.IntRange(1),
        help="Processes that train a model, on each node; by default one a graphics card, or one.",
    ),
    click.option(
        "--nodes", type=click.IntRange(1), help="Nodes of Slurm that train a model; by default the site's."
    ),
)


def work_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options every verb that builds has in common, handed to it as `how`."""
    return _gathered(function, _WORK)


def building_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a verb that builds only where it is told to, and then all it can: it needs no dry run, and
    always goes on."""
    return _gathered(function, _WORK[2:])


def _gathered(function: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def gathered(**given: Any) -> Any:
        named = {field.name for field in dataclasses.fields(How)} & given.keys()
        return function(
            **{k: v for k, v in given.items() if k not in named}, how=How(**{k: given[k] for k in named})
        )

    command: Callable[..., Any] = gathered
    for option in reversed(options):
        command = option(command)
    return command


def build(
    session: Session,
    steps: list[Step],
    how: How,
    *,
    as_json: bool,
    force: frozenset[str] = frozenset(),
    every_byte: bool = False,
) -> list[Outcome]:
    """Run the steps, or only look at them; a dry run is printed here, where the verb prints no JSON."""
    for sentence in foreseen(session.flow, [s.name for s in steps if s.stage == "model"]):
        click.echo(click.style(sentence, fg="yellow"), err=True)
    pipeline = session.pipeline(how, every_byte=every_byte)
    if not how.dry_run:
        return pipeline.run(steps, force=force)
    outcomes = pipeline.look(steps, force=force)
    if not as_json:
        for outcome in outcomes:
            if outcome.state != "fresh":
                click.echo(f"{outcome.state.replace('-', ' ')}: {outcome.step} ({outcome.reason})")
        if all(o.state == "fresh" for o in outcomes):
            click.echo("everything is up to date")
        if how.on == "slurm":
            _print_scripts(session, how, outcomes)
    return outcomes


def _print_scripts(session: Session, how: How, outcomes: list[Outcome]) -> None:
    """Print what would be submitted for each model that would be trained; only its key is not known yet."""
    slurm = how.on_slurm(session.project.folder, session.store)
    for outcome in outcomes:
        if outcome.state == "would-run" and outcome.step.stage == "model":
            script = slurm.script(outcome.step.name, session.store.staging("KEY") / "work")
            click.echo(f"\nwould be submitted for {outcome.step}, with a digest in place of KEY:\n\n{script}")
