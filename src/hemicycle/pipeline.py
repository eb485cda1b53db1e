"""The pipeline: which steps are up to date, in which order to run the others, and how none is half done.

A step is a function from artefacts to an artefact. Its key is a digest of what goes in: stage, version,
declaration, what was resolved (a date, a number of steps), and the digests of the artefacts it reads. A
step whose key the ledger already knows, and whose artefact stands, is up to date; nothing else decides,
so the clock, the host and the order of commands cannot.

An artefact of which a file is missing does not stand and is made again. One of which a file is another than
the ledger states is no reason to build but to stop: somebody, or the disk, changed it.

A build that is killed leaves its scratch folder behind under the same key, and resumes from it. A build
that had finished but was not yet entered in the ledger is entered at the next start.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle import __version__
from hemicycle.engines import Engine, Local
from hemicycle.errors import HemicycleError, InputError, IntegrityError, RightsError
from hemicycle.ledger import Ledger, Statement, Subject
from hemicycle.ledger.statements import read_statement
from hemicycle.ledger.verify import Finding, check_changed, check_files
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Lock, StoreLimit
from hemicycle.stamps import Stamps, stamp_of
from hemicycle.steps import (
    Outcome,
    Resolving,
    Step,
    Unresolved,
    Work,
    before_withdrawals,
    digests_for,
    in_order,
    key_of,
)
from hemicycle.store import Store, digest_files, list_files, locked, sweep_asides, sync_tree, write_aside

if TYPE_CHECKING:
    from hemicycle.train.launch import Launcher

#: Libraries whose version may show in an artefact's bytes; stated with each artefact.
LIBRARIES = ("numpy", "polars", "pyarrow", "lxml", "tokenizers", "pydivsufsort", "torch", "transformers")

#: Stages that train, and leave a log of it in the cache under the name of the step.
TRAININGS = ("model", "rung")

#: Bytes of a file of evidence up to which it is read at every run.
SMALL_EVIDENCE = 2**23


class Pipeline:
    """Runs steps of one project against its store and its ledger."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        lock: Lock,
        *,
        progress: Progress = QUIET,
        offline: bool = False,
        keep_going: bool = False,
        engine: Engine | None = None,
        launcher: Launcher | None = None,
        limit: StoreLimit | None = None,
        every_byte: bool = False,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
        report: Callable[[Outcome], None] = lambda outcome: None,
        on_wait: Callable[[str], None] = lambda holder: None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.store, self.ledger, self.lock = store, ledger, lock
        self.progress, self.offline, self.keep_going = progress, offline, keep_going
        self.engine, self.launcher = engine or Local(), launcher or _here()
        self.limit = limit or StoreLimit()
        self.every_byte, self.stamps = every_byte, Stamps(store.cache)
        self.today, self.report, self.on_wait, self.prepare = today, report, on_wait, prepare
        self._checked: set[tuple[str, str]] = set()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only process that writes to this project; first finish what a killed one left."""
        with (
            locked(self.ledger.folder / ".lock", self.on_wait),
            locked(self.store.root / ".lock", self.on_wait),
        ):
            # Whoever held the lock before may have resolved and built what this process is about to.
            self.lock.reload()
            self.ledger.forget()
            self.store.claim(self.ledger.signing_key.public.fingerprint)
            self._recover()
            yield

    def run(self, targets: list[Step], *, force: frozenset[str] = frozenset()) -> list[Outcome]:
        """Bring the targets and all they stand on up to date; outcomes in the order of the work.

        `force` names steps (``stage name``) to build again although they are up to date. Raises the first
        error unless `keep_going`, in which case outcomes tell what failed and what that blocked.
        """
        with self.exclusive():
            self.prepare()
            outcomes: dict[Step, Outcome] = {}
            for step in in_order(targets):
                outcome = self._run_step(step, outcomes, force)
                outcomes[step] = outcome
                self.report(outcome)
                if outcome.state == "failed" and not self.keep_going and outcome.error:
                    raise outcome.error
            return list(outcomes.values())

    def look(self, targets: list[Step], *, force: frozenset[str] = frozenset()) -> list[Outcome]:
        """Say what `run` would do and why, without building or measuring anything.

        Like `run`, it reads again what may have been changed.
        """
        outcomes: dict[Step, Outcome] = {}
        for step in in_order(targets):
            outcomes[step] = self._look_at(step, outcomes, force)
        return list(outcomes.values())

    def _look_at(self, step: Step, outcomes: Mapping[Step, Outcome], force: frozenset[str]) -> Outcome:
        waiting = [s for s in step.inputs.values() if outcomes[s].state == "would-run"]
        if waiting:
            return Outcome(step, "would-run", f"{waiting[0]} runs before it")
        statements, missing = self._inputs(step, outcomes)
        if missing:
            return Outcome(step, "blocked", f"{missing} is not there")
        last = self._latest(step)
        try:
            resolved = self._resolve(step, statements, looking=True)
        except Unresolved as unknown:
            return Outcome(step, "would-run", str(unknown))
        except RightsError as error:
            return Outcome(step, "blocked", error.what, error=error)
        except HemicycleError as error:
            return _stopped(step, error)
        if str(step) in force:
            return Outcome(step, "would-run", "it is to be fetched anew")
        if step.optional and last is None and self.ledger.current():
            # Otherwise a source that cannot be had here would make all that was built without it look stale.
            return Outcome(step, "not-obtained", "it could not be had so far; `run` tries again")
        key = _key(step, resolved, statements)
        try:
            current = self._standing(step, key)
        except HemicycleError as error:
            return _stopped(step, error)
        except OSError as error:
            return _stopped(step, _told(step, error))
        if current is not None:
            folder = self.store.artefact(step.stage, step.name, key)
            return Outcome(step, "fresh", statement=current, folder=folder)
        return Outcome(step, "would-run", _why(step, statements, resolved, last, key))

    def _run_step(self, step: Step, outcomes: Mapping[Step, Outcome], force: frozenset[str]) -> Outcome:
        statements, missing = self._inputs(step, outcomes)
        if missing:
            return Outcome(step, "blocked", f"{missing} is not there")
        began = time.monotonic()
        try:
            resolved = self._resolve(step, statements)
            key = _key(step, resolved, statements)
            folder = self.store.artefact(step.stage, step.name, key)
            statement = self._standing(step, key)
            state, reason = "fresh", ""
            if statement is None or str(step) in force:
                state, reason = "built", _why(step, statements, resolved, self._latest(step), key)
                if step.seals:
                    self._check_all(step, outcomes)
                statement = self._build(step, key, resolved, statements)
            if step.settle:
                step.settle(statement, self.lock)
        except HemicycleError as error:
            return _stopped(step, error)
        except OSError as error:
            return _stopped(step, _told(step, error))
        except Exception as error:
            # A defect. Without --keep-going its traceback is what helps; with it, the others go on.
            if not self.keep_going:
                raise
            return _stopped(step, HemicycleError(f"{step}: {type(error).__name__}: {error}"))
        return Outcome(step, state, reason, statement, folder, time.monotonic() - began)

    def _inputs(
        self, step: Step, outcomes: Mapping[Step, Outcome]
    ) -> tuple[dict[str, Statement], Step | None]:
        """The statements about the inputs that stand, and the first input that is missing but needed."""
        standing: dict[str, Statement] = {}
        for role, source in step.inputs.items():
            statement = outcomes[source].statement
            if statement is not None:
                standing[role] = statement
            elif role not in step.may_lack:
                return standing, source
        if step.inputs and not standing:
            return standing, next(iter(step.inputs.values()))
        return standing, None

    def _resolve(
        self, step: Step, statements: Mapping[str, Statement], *, looking: bool = False
    ) -> Mapping[str, Any]:
        if step.resolve is None:
            return {}
        return step.resolve(
            Resolving(statements, self.lock, self.today(), self.progress, self.launcher, looking)
        )

    def _standing(self, step: Step, key: str) -> Statement | None:
        """The statement about an artefact that is there, or None.

        Raises IntegrityError where a file of it is another than the ledger states.
        """
        statement = self.ledger.current().get(key)
        if statement is None or _identity(statement) in self._checked:
            return statement
        folder = self.store.artefact(step.stage, step.name, key)
        if self.every_byte:
            present = all((folder / file.path).exists() for file in statement.files)
            findings = check_files(folder, statement) if present else None
        else:
            whole = SMALL_EVIDENCE if step.evidence else 0
            findings = check_changed(folder, statement, self.stamps, whole=whole, progress=self.progress)
        if findings is None or (findings and self._gave_way(step, statement)):
            return None
        _refuse(findings, folder, statement)
        if self.every_byte:
            self._checked.add(_identity(statement))
        return statement

    def _gave_way(self, step: Step, statement: Statement) -> bool:
        """Whether another artefact took this one's place, as releases of one name do."""
        last = self._latest(step)
        places = {self.store.artefact(*_named(s), s.subject.key) for s in (statement, last) if s}
        return last is not statement and len(places) == 1

    def _latest(self, step: Step) -> Statement | None:
        """The last statement about a step of this name, whatever its key."""
        named = [s for s in self.ledger.current().values() if _named(s) == (step.stage, step.name)]
        return named[-1] if named else None

    def _check_room(self) -> None:
        """Stop before work that a centre's limits would stop half-way."""
        if self.limit == StoreLimit():
            return
        files, size = self.store.used()
        over = [
            f"{found:.6g} {unit} of {allowed:g}"
            for found, allowed, unit in (
                (files, self.limit.files, "files"),
                (size / 1e9, self.limit.gigabytes, "GB"),
            )
            if allowed is not None and found >= allowed
        ]
        if over:
            raise HemicycleError(
                f"the store has reached its limit: {' and '.join(over)}",
                place=str(self.store.root),
                remedy="`hemicycle gc` deletes what is no longer referred to; or raise `store_limit`.",
            )

    def _build(
        self, step: Step, key: str, resolved: Mapping[str, Any], statements: Mapping[str, Statement]
    ) -> Statement:
        self._check_room()
        staging = self.store.staging(key)
        content, scratch = staging / "content", staging / "work"
        if content.exists():
            shutil.rmtree(content)
        content.mkdir(parents=True)
        scratch.mkdir(exist_ok=True)
        (staging / "step").write_text(str(step), "utf-8")
        inputs = {role: self.store.folder_of(s.subject) for role, s in statements.items()}
        started, began = datetime.now(UTC), time.monotonic()
        for role, statement in statements.items():
            self.check(inputs[role], statement)
        work = Work(
            content,
            scratch,
            inputs,
            statements,
            resolved,
            self.progress,
            self.offline,
            self.engine,
            self.launcher,
        )
        figures = step.build(work)
        sync_tree(content)
        read_from = self.stamps.now()
        stamps = {file: stamp_of(content / file) for file in list_files(content)}
        statement = Statement(
            Subject(step.stage, step.name, key),
            tuple(digest_files(content)),
            step.rebuildable,
            {"declared": step.declaration, "resolved": dict(resolved)},
            {role: _entry(s) for role, s in sorted(statements.items())},
            dict(figures),
            _made(started, time.monotonic() - began, self.ledger.governance),
        )
        self._refuse_another(step, statement)
        write_aside(staging / "statement.json", statement.to_bytes())
        self._checked.add(_identity(statement))
        self.stamps.keep(statement, stamps, read_from)
        return self._commit(staging)

    def _refuse_another(self, step: Step, made: Statement) -> None:
        """Raise IntegrityError where a step that learnt from text since withdrawn made something else now."""
        known = self.ledger.current().get(made.subject.key)
        if step.before and known is not None and known.digest != made.digest:
            raise IntegrityError(
                f"{step} was made of text that was withdrawn since, and does not come back as it was",
                place=str(self.store.artefact(step.stage, step.name, made.subject.key)),
                remedy="Restore it from a copy; or declare it under another name, and it is made of what is "
                "left, with all that stands on it.",
            )

    def check(self, folder: Path, statement: Statement) -> None:
        """Refuse an artefact that is no longer what the ledger says; each is read once a process."""
        if _identity(statement) not in self._checked:
            _refuse(check_files(folder, statement), folder, statement)
            self._checked.add(_identity(statement))

    def _check_all(self, step: Step, outcomes: Mapping[Step, Outcome]) -> None:
        """Refuse to go on unless all that a step stands on, to its sources, is what the ledger says."""
        for below in in_order([step]):
            outcome = outcomes.get(below)
            if outcome and outcome.statement and outcome.folder:
                self.check(outcome.folder, outcome.statement)

    def _commit(self, staging: Path) -> Statement:
        """Bring finished work under its final name and into the ledger. Each part may be repeated."""
        data = (staging / "statement.json").read_bytes()
        subject = Statement.from_bytes(data, str(staging / "statement.json")).subject
        content = staging / "content"
        if content.exists():
            self.store.place(content, self.store.folder_of(subject))
        statement = self.ledger.record(data)
        self.store.remove(staging)
        return statement

    def _recover(self) -> None:
        """Finish what a killed run left: the ledger first, then finished artefacts, then deletions."""
        project = self.lock.path.parent
        swept = (self.ledger.folder, project / ".hemicycle", self.store.root / ".staging", self.store.cache)
        for folder in swept:
            sweep_asides(folder)
        for left in [*project.glob(".*.aside"), *self.store.root.glob(".*.aside")]:
            left.unlink()
        self.ledger.recover()
        self.store.sweep()
        for staging in self.store.staged():
            if not (staging / "statement.json").exists():
                continue
            content = staging / "content"
            statement = read_statement(staging / "statement.json")
            if content.exists() and check_files(content, statement):
                # Not what was finished: it is built again rather than signed for.
                self.store.remove(staging)
            else:
                self._commit(staging)

    def collect_garbage(self, targets: list[Step], *, dry_run: bool = False) -> dict[Path, int]:
        """Delete what the declaration no longer leads to; returns folder → bytes. The ledger notes it first,
        so that their absence is explained."""
        if dry_run:
            return _sizes(self.unreferenced(targets))
        with self.exclusive():
            doomed = _sizes(self.unreferenced(targets))
            names = {f"{path.parent.name}/{path.name}" for path in doomed}
            subjects = [s.subject for s in self.ledger.current().values() if str(s.subject) in names]
            if subjects:
                self.ledger.note_dropped(subjects)
            for path in doomed:
                self.store.remove(path)
        return doomed

    def unreferenced(self, targets: list[Step]) -> list[Path]:
        """Artefacts, abandoned work and logs that the declaration as it stands no longer leads to.

        Of a step that is not up to date, the last artefact and any work under way stay: a file that was
        touched by mistake must not cost a trained model. A log stays as long as its training is declared,
        which writes over it when it is done again.
        """
        outcomes = self.look(targets)
        needed = {o.folder for o in outcomes if o.folder}
        stale = [o.step for o in outcomes if o.state != "fresh"]
        for step in stale:
            last = self._latest(step)
            if last is not None:
                needed.add(self.store.folder_of(last.subject))
        names = {str(step) for step in stale}
        artefacts = [a for a in self.store.artefacts() if a not in needed]
        trainings = {outcome.step.name for outcome in outcomes if outcome.step.stage in TRAININGS}
        return [
            *artefacts,
            *(s for s in self.store.staged() if _staged_step(s) not in names),
            *(log for log in self.store.logs() if log.name not in trainings),
        ]


def _here() -> Launcher:
    # A room, and loaded only where something may be built.
    from hemicycle.train.launch import Here

    return Here()


def _stopped(step: Step, error: HemicycleError) -> Outcome:
    """What an error makes of a step: an optional source that cannot be had is no failure."""
    gone = step.optional and isinstance(error, InputError)
    # Which step it is stands beside the reason; which file of its artefact was changed does not.
    reason = error.sentence if isinstance(error, IntegrityError) else error.what
    return Outcome(step, "not-obtained" if gone else "failed", reason, error=error)


def _identity(statement: Statement) -> tuple[str, str]:
    return str(statement.subject), statement.digest


def _refuse(findings: Sequence[Finding], folder: Path, statement: Statement) -> None:
    """Raise IntegrityError where there are findings."""
    if not findings:
        return
    more = f" (and {len(findings) - 1} more in {folder})" if len(findings) > 1 else ""
    then = "comes back as it was" if statement.rebuildable else "is made anew, with what stands on it"
    raise IntegrityError(
        findings[0].what + more,
        place=findings[0].file,
        remedy=f"Restore it from a copy; or delete {folder} and run again: it {then}.",
    )


def _told(step: Step, error: OSError) -> HemicycleError:
    return HemicycleError(
        f"{step}: {error.strerror or error}",
        place=str(error.filename) if error.filename else None,
        remedy="Nothing half-written is visible; run again once the cause is mended.",
    )


def _sizes(folders: list[Path]) -> dict[Path, int]:
    return {f: sum(p.stat().st_size for p in f.rglob("*") if p.is_file()) for f in folders}


def _staged_step(staging: Path) -> str | None:
    """The step a staging folder works for."""
    try:
        return (staging / "step").read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None


def _named(statement: Statement) -> tuple[str, str]:
    return statement.subject.stage, statement.subject.name


def _key(step: Step, resolved: Mapping[str, Any], statements: Mapping[str, Statement]) -> str:
    return key_of(step, resolved, digests_for(step, statements))


def _entry(statement: Statement) -> dict[str, str]:
    """What a statement says of an input: what was read and, where text had been withdrawn from it, what it
    was before."""
    entry = {"artefact": str(statement.subject), "digest": statement.digest}
    before = before_withdrawals(statement)
    return entry | ({"before": before} if before != statement.digest else {})


def _counted(step: Step, role: str, entry: Mapping[str, str]) -> str | None:
    """The digest of an input that counted for the key, as an earlier statement has it."""
    digest = entry.get("digest")
    return entry.get("before", digest) if role in step.before else digest


def _why(
    step: Step,
    statements: Mapping[str, Statement],
    resolved: Mapping[str, Any],
    last: Statement | None,
    key: str,
) -> str:
    """Why a step is not up to date, in a few words."""
    if last is None:
        return "it was never built"
    if last.subject.key == key:
        return "its artefact is not there or not whole"
    if last.declaration.get("declared") != step.declaration:
        return "its declaration changed"
    counted = digests_for(step, statements)
    for role, statement in statements.items():
        if _counted(step, role, last.inputs.get(role, {})) != counted[role]:
            return f"its input {statement.subject.stage} {statement.subject.name} changed"
    gone = sorted(set(last.inputs) - set(statements))
    if gone:
        return f"its input {gone[0]} is gone"
    if last.declaration.get("resolved") != dict(resolved):
        return "what was resolved changed"
    return "the stage itself is of a newer version"


def _made(started: datetime, seconds: float, governance: str) -> dict[str, Any]:
    """Who and what made an artefact: versions, times, the class of machine, never its name."""
    libraries = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    return {
        "hemicycle": __version__,
        "python": platform.python_version(),
        "libraries": libraries,
        "machine": f"{platform.system()} {platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="microseconds"),
        "seconds": round(seconds, 3),
        "governance": governance,
    }
