"""Complaints: who asks for what to be taken out, what was decided, and whether it was in time.

    complaints/2026-001/
    ├── 01-open.json                  each step names the digest of the one before
    ├── 02-triage.json, .json.sig     every step but the first is signed
    ├── 03-decide.json, .json.sig
    ├── 04-close.json, .json.sig
    ├── private.json                  name and contact of the complainant: never under version control
    └── .gitignore                    sees to that

The first step is not signed, for a complainant has no key here; the next one covers it by its digest, and
until then it can be changed. `private.json` is named by its digest too, and holds a random salt: without it
whoever guesses a name could prove the guess. It may be deleted when the law asks for it.

The date of a step is what its signer says. Reading proves the chain only; `check_complaint` says whether the
people who signed had the right to, and what it finds counts before `granted` does.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, HemicycleError, IntegrityError
from hemicycle.governance.complaint_step import (
    BEGINNING,
    Public,
    Step,
    StepName,
    bytes_of,
    deadlines_of,
    make_step,
    problems_after,
    problems_within,
    sentence,
)
from hemicycle.governance.people import Governance
from hemicycle.governance.sshsig import parse_sshsig
from hemicycle.store import sync_tree, write_aside

FOLDER, PRIVATE = "complaints", "private.json"
#: No rightful complaint has more steps or larger files.
MOST_STEPS, LARGEST = 10, 1 << 20

#: Purpose of a signature → the role its signer must hold.
NAMESPACES = {"hemicycle-governance": "governance", "hemicycle-legal": "legal"}
#: Which purposes sign a step.
SIGNED_FOR: dict[StepName, tuple[str, ...]] = {
    "open": (),
    "triage": ("hemicycle-governance", "hemicycle-legal"),
    "decide": ("hemicycle-legal",),
    "close": ("hemicycle-governance", "hemicycle-legal"),
}


@dataclass(frozen=True)
class Complaint:
    """A complaint whose steps follow each other; who signed them is another question."""

    folder: Path
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return self.steps[0].complaint

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def head(self) -> str:
        """Digest of the last step's file: covers all the others."""
        return sha256_bytes(self.last.to_bytes())

    @property
    def public(self) -> Public:
        return self.last.public

    def day_of(self, step: StepName) -> date | None:
        return next((s.day for s in self.steps if s.step == step), None)

    def overdue(self, today: date) -> bool:
        return self.last.due is not None and date.fromisoformat(self.last.due) < today


def granted(complaints: Iterable[Complaint]) -> list[str]:
    """The sources, documents and addresses to withdraw: what was granted, in full or in part.

    A complaint that `check_complaint` finds fault with must not come here.
    """
    return sorted(
        {
            subject
            for complaint in complaints
            for subject in complaint.public.subject
            if complaint.public.outcome in ("granted", "partly-granted")
        }
    )


def open_complaint(
    complaints: Path,
    *,
    category: str,
    subject: Sequence[str],
    text: str,
    now: datetime,
    by: str | None = None,
    name: str | None = None,
    contact: str | None = None,
    salt: str | None = None,
) -> Complaint:
    """Open a complaint under the next free number of the year, and return it.

    Raises DeclarationError where a word is wrong; nothing is written then.
    """
    moment = now.astimezone(UTC)
    private = None
    if name is not None or contact is not None:
        person = {"name": name, "contact": contact, "salt": salt or secrets.token_hex(32)}
        private = bytes_of(person, "the name or the contact")
    aside = complaints / f".opening-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    while True:
        step = make_step(
            complaint=_next_id(complaints, moment.year),
            step="open",
            number=1,
            before=BEGINNING,
            date=moment.isoformat(timespec="seconds"),
            by=by,
            due=str(deadlines_of(moment.date()).due("open", moment.date(), moment.date())),
            text=text,
            public={"category": category, "subject": list(subject), "outcome": None},
            private=sha256_bytes(private) if private else None,
        )
        aside.mkdir(parents=True, exist_ok=True)
        write_aside(aside / ".gitignore", f"{PRIVATE}\n".encode())
        if private:
            write_aside(aside / PRIVATE, private)
            (aside / PRIVATE).chmod(0o600)
        write_aside(aside / step.file_name, step.to_bytes())
        sync_tree(aside)
        folder = complaints / step.complaint
        try:
            # A folder that somebody else made in the meantime is not replaced.
            aside.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            continue
        return Complaint(folder, (step,))


def _next_id(complaints: Path, year: int) -> str:
    numbers = [int(f.name[5:]) for f in complaint_folders(complaints) if f.name[:4] == f"{year:04}"]
    return f"{year:04}-{max(numbers, default=0) + 1:03}"


def next_step(
    complaint: Complaint,
    step: StepName,
    *,
    by: str,
    text: str,
    now: datetime,
    outcome: str | None = None,
    category: str | None = None,
    subject: Sequence[str] = (),
) -> Step:
    """The step that comes next, still to be signed and added. Raises DeclarationError where it may not come.

    Category and subject stay what they were unless they are given; closing keeps the outcome too.
    """
    last = complaint.last
    moment = now.astimezone(UTC)
    public = {
        "category": category or last.public.category,
        "subject": list(subject or last.public.subject),
        "outcome": outcome or last.public.outcome,
    }
    due = deadlines_of(complaint.steps[0].day).due(step, complaint.steps[0].day, moment.date())
    made = make_step(
        complaint=complaint.id,
        step=step,
        number=last.number + 1,
        before=complaint.head,
        date=moment.isoformat(timespec="seconds"),
        by=by,
        due=str(due) if due else None,
        text=text,
        public=public,
        private=None,
    )
    problems = [*problems_within(made), *problems_after(complaint.steps, made)]
    if problems:
        raise DeclarationError(problems[0], place=str(complaint.folder))
    return made


def add_step(complaint: Complaint, step: Step, signature: bytes, governance: Governance) -> Complaint:
    """Write a signed step.

    Raises IntegrityError, and writes nothing, where it does not follow or was not signed by who may.
    """
    place = complaint.folder / step.file_name
    problems = [
        *problems_within(step),
        *problems_after(complaint.steps, step),
        *_signed(step, signature, governance),
    ]
    if problems:
        raise IntegrityError(problems[0], place=str(place))
    # The signature first: a step without one would be a finding, a signature without its step is replaced.
    write_aside(place.with_name(f"{place.name}.sig"), signature)
    write_aside(place, step.to_bytes())
    return Complaint(complaint.folder, (*complaint.steps, step))


def complaint_folders(complaints: Path) -> list[Path]:
    """The folders of all complaints, by year and number."""
    if not complaints.is_dir():
        return []
    named = (f for f in complaints.iterdir() if re.fullmatch(r"[0-9]{4}-([0-9]{3}|[1-9][0-9]{3,5})", f.name))
    return sorted(named, key=lambda f: (f.name[:4], int(f.name[5:])))


def load_complaints(complaints: Path) -> list[Complaint]:
    return [load_complaint(folder) for folder in complaint_folders(complaints)]


def load_complaint(folder: Path) -> Complaint:
    """Read a complaint. Raises IntegrityError at the first step that is not what it says."""
    complaint, problems = _read(folder)
    if problems or complaint is None:
        file, what = problems[0]
        raise IntegrityError(what, place=str(folder / file))
    return complaint


def check_complaints(complaints: Path, governance: Governance, today: date) -> list[str]:
    """Everything that is wrong with all complaints; a number that is left out is found too."""
    folders = complaint_folders(complaints)
    findings = []
    for year in sorted({f.name[:4] for f in folders}):
        numbers = [int(f.name[5:]) for f in folders if f.name[:4] == year]
        missing = sorted(set(range(1, len(numbers) + 1)) - set(numbers))
        findings += [f"{complaints}: complaint {year}-{n:03} is missing" for n in missing]
    if complaints.is_dir():
        strays = sorted({f.name for f in complaints.iterdir()} - {f.name for f in folders})
        findings += [f"{complaints / name}: this does not belong here" for name in strays]
    return findings + [finding for f in folders for finding in check_complaint(f, governance, today)]


def check_complaint(folder: Path, governance: Governance, today: date) -> list[str]:
    """Everything that is wrong with one complaint; an empty list means that it stands.

    `today` is a day in UTC, as the days of the steps are.
    """
    complaint, problems = _read(folder)
    steps = complaint.steps if complaint else ()
    expected = {".gitignore", PRIVATE}
    for step in steps:
        expected.add(step.file_name)
        if step.day > today:
            problems.append((step.file_name, f"it is dated {step.day}, after today"))
        if step.step == "open":
            if step.by is not None and step.by not in governance.people:
                problems.append((step.file_name, f"it names “{step.by}”, whom governance.toml does not know"))
            continue
        file = f"{step.file_name}.sig"
        expected.add(file)
        signature = _content(folder / file)
        if isinstance(signature, str):
            problems.append((file, signature))
        else:
            problems += [(file, what) for what in _signed(step, signature, governance)]
    if steps:
        problems += _private(folder, steps[0])
    present = {f.name for f in folder.iterdir()} if folder.is_dir() else set()
    told = {file for file, _ in problems}
    problems += [(name, "this does not belong here") for name in sorted(present - expected - told)]
    return [f"{folder / file}: {what}" for file, what in problems]


def _signed(step: Step, signature: bytes, governance: Governance) -> list[str]:
    """What is wrong with a signature over a step, and with the right of who gave it."""
    try:
        read = parse_sshsig(signature, "")
        # For one of the purposes that sign this step; where it is none of them, the first is named.
        allowed = SIGNED_FOR[step.step]
        namespace = read.namespace if read.namespace in allowed else (*allowed, "")[0]
        read.check(step.to_bytes(), namespace, "")
    except HemicycleError as error:
        return [error.what]
    holder = governance.holder(read.public_key)
    if holder is None:
        return [f"signed with {read.public_key.fingerprint}, a key that governance.toml does not know"]
    if holder.id != step.by:
        return [f"signed by “{holder.id}”, while the step names “{step.by}”"]
    role = NAMESPACES[namespace]
    if holder.holds(role, step.day) is None:
        return [f"“{holder.id}” did not hold the role {role} on {step.day}"]
    return []


def _private(folder: Path, opened: Step) -> list[tuple[str, str]]:
    path = folder / PRIVATE
    if not path.exists() and not path.is_symlink():
        return []
    found = _content(path)
    if isinstance(found, str):
        return [(PRIVATE, found)]
    problems = []
    if sha256_bytes(found) != opened.private:
        problems.append((PRIVATE, "it is not what the first step names: it was changed or added"))
    ignored = _content(folder / ".gitignore")
    if isinstance(ignored, str) or PRIVATE.encode() not in ignored.split():
        problems.append((".gitignore", f"it does not list {PRIVATE}, which would be published"))
    return problems


def _read(folder: Path) -> tuple[Complaint | None, list[tuple[str, str]]]:
    """The steps that can be read, and what is wrong with them as (file, sentence)."""
    steps: list[Step] = []
    problems: list[tuple[str, str]] = []
    if folder.is_symlink():
        return None, [("", "this is a link, not the folder of a complaint")]
    names = {f.name for f in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(n for n in names if re.fullmatch(r"[0-9]{2}-[a-z]+\.json", n))[:MOST_STEPS]:
        step = _parse(folder / name)
        if isinstance(step, str):
            problems.append((name, step))
            continue
        if name != step.file_name:
            problems.append((name, f"it says that it is {step.file_name}"))
        if step.complaint != folder.absolute().name:
            problems.append((name, f"it belongs to complaint {step.complaint}"))
        problems += [(name, what) for what in [*problems_within(step), *problems_after(steps, step)]]
        steps.append(step)
    if not steps and not problems:
        problems.append(("01-open.json", "there is no complaint here: the first step is missing"))
    return Complaint(folder, tuple(steps)) if steps else None, problems


def _parse(path: Path) -> Step | str:
    data = _content(path)
    if isinstance(data, str):
        return data
    try:
        step = Step.model_validate_json(data)
    except ValidationError as error:
        return f"this is not a step of a complaint: {sentence(error)}"
    # One way to write a step: nothing can stand in its file beside what was read.
    return step if step.to_bytes() == data else "the step is not in canonical form"


def _content(path: Path) -> bytes | str:
    """The bytes of a plain file, or a sentence. A pipe or a link is not followed: it might never end."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return "this is not a plain file"
    try:
        with path.open("rb") as f:
            data = f.read(LARGEST + 1)
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return data if len(data) <= LARGEST else f"the file has more than {LARGEST} bytes"
