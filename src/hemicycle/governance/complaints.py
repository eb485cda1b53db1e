"""Complaints: who asks for what to be taken out, what was decided, and whether it was in time.

A complaint is a chain of steps: it is opened, examined, decided and closed; against the decision there is
one appeal, which others decide. A step counts once it has entered the journal, and its day is that of the
entry: what a signer's clock says proves nothing. Files are the matter of `complaint_files`, signatures and
the entry that of `complaint_entry`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError
from hemicycle.governance.complaint_files import next_number
from hemicycle.governance.complaint_step import (
    BEGINNING,
    Public,
    Step,
    StepName,
    deadlines_of,
    make_step,
    problems_after,
    problems_within,
)
from hemicycle.governance.people import Person, Role


@dataclass(frozen=True)
class Signer:
    """Somebody who signed a step, in which role, and the keys that were theirs then.

    Under another name whoever has one of these keys is still who signed.
    """

    person: str
    role: Role
    keys: frozenset[bytes]

    def is_also(self, person: Person) -> bool:
        return person.id == self.person or any(key.line in self.keys for key in person.keys)


@dataclass(frozen=True)
class Taken:
    """A step that entered the journal: when, and who had signed it."""

    step: Step
    entered: datetime
    signed: tuple[Signer, ...]

    @property
    def day(self) -> date:
        return self.entered.astimezone(UTC).date()


@dataclass(frozen=True)
class Complaint:
    """A complaint as the journal has it."""

    folder: Path
    taken: tuple[Taken, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(taken.step for taken in self.taken)

    @property
    def id(self) -> str:
        return self.last.complaint

    @property
    def last(self) -> Step:
        return self.taken[-1].step

    @property
    def head(self) -> str:
        """Digest of the last step's file: covers all the others."""
        return sha256_bytes(self.last.to_bytes())

    @property
    def public(self) -> Public:
        return self.last.public

    def day_of(self, step: StepName) -> date | None:
        """The day on which such a step entered the journal, the last time."""
        return next((t.day for t in reversed(self.taken) if t.step.step == step), None)

    def overdue(self, today: date) -> bool:
        return self.last.due is not None and date.fromisoformat(self.last.due) < today

    @property
    def appeal_until(self) -> date | None:
        """The last day to appeal; None where there is nothing to appeal against, or an appeal was made."""
        decided = self.day_of("decide")
        if decided is None or self.day_of("appeal") is not None:
            return None
        return deadlines_of(self.steps[0].day).appeal_until(decided)


def granted(complaints: Iterable[Complaint]) -> list[str]:
    """The sources, documents and addresses to withdraw: what was granted, in full or in part."""
    return sorted(
        {
            subject
            for complaint in complaints
            for subject in complaint.public.subject
            if complaint.public.outcome in ("granted", "partly-granted")
        }
    )


def first_step(
    complaints: Path,
    *,
    category: str,
    subject: Sequence[str],
    text: str,
    now: datetime,
    by: str | None = None,
    parties: Sequence[str] = (),
    private: bytes | None = None,
) -> Step:
    """The step that opens a complaint under the next free number of the year, still to be written.

    Raises DeclarationError where a word is wrong.
    """
    moment = now.astimezone(UTC)
    return make_step(
        complaint=next_number(complaints, moment.year),
        step="open",
        number=1,
        before=BEGINNING,
        date=moment.isoformat(timespec="seconds"),
        by=by,
        due=str(deadlines_of(moment.date()).due("open", moment.date(), moment.date())),
        text=text,
        public={"category": category, "subject": list(subject), "outcome": None, "parties": list(parties)},
        private=sha256_bytes(private) if private else None,
    )


def next_step(
    complaint: Complaint,
    step: StepName,
    *,
    by: str | None,
    text: str,
    now: datetime,
    outcome: str | None = None,
    category: str | None = None,
    subject: Sequence[str] = (),
    parties: Sequence[str] = (),
) -> Step:
    """The step that comes next, still to be signed. Raises DeclarationError where it may not come.

    Category, subject and outcome stay what they were unless they are given. Parties are added to, and so is
    the subject by a triage.
    """
    last = complaint.last
    moment = now.astimezone(UTC)
    if step == "triage":
        subject = list(dict.fromkeys([*last.public.subject, *subject]))
    public = {
        "category": category or last.public.category,
        "subject": list(subject or last.public.subject),
        "outcome": outcome or last.public.outcome,
        "parties": list(dict.fromkeys([*last.public.parties, *parties])),
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
    problems = problems_with(complaint, made, moment)
    if problems:
        raise DeclarationError(problems[0], place=str(complaint.folder))
    return made


def problems_with(before: Complaint | None, step: Step, on: datetime) -> list[str]:
    """What a step that enters at a moment, in UTC, contradicts: itself, those before it, the time for an
    appeal."""
    problems = [*problems_within(step), *problems_after(before.steps if before else (), step)]
    if datetime.fromisoformat(step.date) > on:
        problems.append(f"it is dated {step.date}, and it enters at {on.isoformat(timespec='seconds')}")
    until = before.appeal_until if before else None
    if step.step == "appeal" and until is not None and on.date() > until:
        problems.append(f"the time to appeal ended on {until}")
    return problems
