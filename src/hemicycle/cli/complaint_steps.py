"""Steps of complaints from the command line: drafted, signed, checked, written, entered."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from hemicycle.cli.session import Session, say_waiting
from hemicycle.errors import DeclarationError, HemicycleError, InputError, RightsError, did_you_mean
from hemicycle.governance.complaint_entry import (
    Reading,
    check_entitled,
    check_signature,
    check_sound,
    open_roles,
    read_complaints,
    weigh_waiting,
)
from hemicycle.governance.complaint_files import (
    private_file,
    read_step,
    signature_file,
    write_opening,
    write_signatures,
    write_step,
)
from hemicycle.governance.complaint_step import SETTLING, Step, StepName
from hemicycle.governance.complaints import Complaint, Signer, first_step, next_step
from hemicycle.governance.decisions import namespace
from hemicycle.governance.people import GOVERNANCE, Governance, Person, Role
from hemicycle.governance.seats import shortages
from hemicycle.governance.sshsig import sign_with_ssh_keygen
from hemicycle.store import locked

#: A name and how to reach somebody, in bytes.
LONGEST_CONTACT = 10_000


def read_contact(file: BinaryIO) -> str:
    """Who complains and how to reach them; never an option's value, which every process could read."""
    data = file.read(LONGEST_CONTACT + 1)
    place = "--contact-file"
    if len(data) > LONGEST_CONTACT:
        raise DeclarationError(f"it has more than {LONGEST_CONTACT} bytes", place=place)
    try:
        text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise DeclarationError("it is not UTF-8", place=place, remedy="Save the file as UTF-8.") from None
    if not text:
        raise DeclarationError("it says nothing", place=place, remedy="Leave it out for no contact at all.")
    return text


def open_complaint(
    session: Session,
    *,
    category: str,
    subjects: Sequence[str],
    parties: Sequence[str],
    text: str,
    contact: str | None,
    by: str | None,
    key: Path | None,
) -> str:
    """Open a complaint and return its number."""
    sound_reading(session)
    private = private_file(contact) if contact else None
    step = first_step(
        session.complaints,
        category=category,
        subject=subjects,
        text=text,
        now=session.flow.gate.now(),
        by=by,
        parties=[*dict.fromkeys([*parties, *_parties_of(session, subjects, must=False)])],
        private=private,
    )
    signatures = _signature(session, None, step, by, key)
    with writing(session):
        write_opening(session.complaints, step, private, signatures)
    return step.complaint


def take_step(
    session: Session,
    step: StepName,
    complaint_id: str,
    *,
    by: str | None,
    key: Path | None,
    text: str,
    subjects: Sequence[str] = (),
    parties: Sequence[str] = (),
    **words: Any,
) -> None:
    """Draft the next step of a complaint, have it signed, and write it."""
    reading = sound_reading(session)
    before = find(session, reading, complaint_id)
    if complaint_id in reading.waiting:
        waiting = reading.waiting[complaint_id][0]
        raise DeclarationError(
            f"{waiting} has not entered the journal, and nothing follows it before it has",
            place=str(before.folder),
            remedy="`hemicycle govern complaint sign` signs it, `hemicycle clear` enters it; one that nobody "
            "wants any more may be deleted.",
        )
    if step in SETTLING:
        parties = [*parties, *_parties_of(session, [*before.public.subject, *subjects])]
    now = session.flow.gate.now()
    made = next_step(before, step, by=by, text=text, now=now, subject=subjects, parties=parties, **words)
    signatures = _signature(session, before, made, by, key)
    with writing(session):
        _check_unmoved(session, before, None)
        write_step(before.folder, made, signatures)


def sign_waiting(session: Session, complaint_id: str, by: str, key: Path) -> None:
    """Sign the step of a complaint that waits for another signature."""
    reading = sound_reading(session)
    before = find(session, reading, complaint_id)
    if complaint_id not in reading.waiting:
        raise DeclarationError(
            f"no step of complaint {complaint_id} waits for a signature", place=str(before.folder)
        )
    path = before.folder / reading.waiting[complaint_id][0]
    gate = session.flow.gate
    weighed = weigh_waiting(before, path, _people(session), gate.now(), partial(_parties_of, session))
    step = weighed.taken.step
    signatures = _signature(session, before, step, by, key, weighed.taken.signed)
    with writing(session):
        _check_unmoved(session, before, step)
        write_signatures(before.folder, signatures)


@contextlib.contextmanager
def writing(session: Session) -> Iterator[None]:
    """Write while nobody else does; then enter what is complete, where this copy keeps the ledger."""
    if not session.ledger.writable:
        with locked(session.ledger.folder / ".lock", say_waiting):
            yield
        return
    with session.pipeline().exclusive():
        yield
        try:
            session.admit()
        except RightsError:
            # Another file of people lies there than the one in force, by which complaints go on.
            session.admit_complaints()


def _check_unmoved(session: Session, before: Complaint, waiting: Step | None) -> None:
    """Raise InputError where a complaint went on, or another step of it waits, since a signature was begun:
    `ssh-keygen` may have waited an hour for a passphrase."""
    reading = sound_reading(session)
    names = reading.waiting.get(before.id, [])
    same = [read_step(before.folder / name) for name in names] == ([waiting] if waiting else [])
    if reading.complaints.get(before.id) != before or not same:
        raise InputError(
            f"complaint {before.id} went on while this was signed, and nothing was written",
            place=str(before.folder),
            remedy="`hemicycle govern complaint list` shows what it has come to.",
        )


def sound_reading(session: Session) -> Reading:
    """All complaints. Raises IntegrityError where one is no longer what entered the journal."""
    reading = read_complaints(session.ledger, session.complaints)
    check_sound(reading, session.complaints)
    return reading


def find(session: Session, reading: Reading, complaint_id: str) -> Complaint:
    complaint = reading.complaints.get(complaint_id)
    if complaint is not None:
        return complaint
    raise DeclarationError(
        f"there is no complaint “{complaint_id}” in the journal",
        place=str(session.complaints),
        remedy=did_you_mean(complaint_id, reading.complaints)
        or "`hemicycle govern complaint list` shows them, and those that have yet to enter.",
    )


def waits_for(session: Session, reading: Reading, complaint_id: str) -> str | None:
    """What the step of a complaint that has not entered waits for, in words; None where there is none."""
    if complaint_id not in reading.waiting:
        return None
    name = reading.waiting[complaint_id][0]
    before = reading.complaints.get(complaint_id)
    path = session.complaints / complaint_id / name
    gate = session.flow.gate
    people = gate.governance if gate.declared else None
    try:
        missing = weigh_waiting(before, path, people, gate.now(), partial(_parties_of, session)).missing
    except HemicycleError as error:
        return f"{name} cannot enter: {error.what}"
    if missing:
        return f"{name} is still to be signed by {', '.join(missing)}"
    return f"{name} counts once whoever keeps the ledger runs `hemicycle clear`"


def _parties_of(session: Session, subjects: Sequence[str], *, must: bool = True) -> list[str]:
    """Whom the cards name. A copy without the documents leaves them out, and so does an opening: whoever
    keeps the ledger looks them up before a step that settles anything enters."""
    try:
        return session.parties_of(subjects)
    except InputError:
        if must and session.ledger.writable:
            raise
        return []


def warnings(session: Session, complaint: Complaint) -> list[str]:
    """What stands in the way of the steps to come, as sentences."""
    gate = session.flow.gate
    if not gate.declared:
        return []
    told = list(shortages(complaint, gate.governance, gate.now().date()))
    if complaint.last.step == "open" and not complaint.public.parties:
        subjects = ", ".join(f"“{subject}”" for subject in complaint.public.subject)
        told.append(
            f"no card says whose affair {subjects} is: whoever examines it names with --party who complains "
            "or is complained about"
        )
    return told


def _people(session: Session) -> Governance:
    gate = session.flow.gate
    if not gate.declared:
        raise DeclarationError(
            "the project is solo: anybody may complain, and nobody can decide with others",
            place=str(session.project.folder / "hemicycle.toml"),
            remedy='`hemicycle govern init` writes a governance.toml; then write governance = "declared".',
        )
    return gate.governance


def _signature(
    session: Session,
    before: Complaint | None,
    step: Step,
    by: str | None,
    key: Path | None,
    signed: Sequence[Signer] = (),
) -> dict[str, bytes]:
    """The signature of a step, under its file name; none where the step names nobody."""
    if by is None or key is None:
        if by is not None or key is not None:
            raise DeclarationError(
                "who takes a step signs it", remedy="Give both --as and --key, or neither."
            )
        return {}
    governance, now = _people(session), session.flow.gate.now()
    person = _person(governance, by, session.project.folder)
    if by in {signer.person for signer in signed}:
        raise RightsError(f"{by} has signed this step already; one person signs once")
    role = _role(step, person, governance, signed, now)
    check_entitled(before, step, person, role, governance)
    with tempfile.TemporaryDirectory(prefix="hemicycle-step-") as aside:
        message = Path(aside, step.file_name)
        message.write_bytes(step.to_bytes())
        armoured = sign_with_ssh_keygen(key.expanduser(), namespace(role), message)
    file = signature_file(session.complaints / step.complaint, f"{step.stem}.{by}.{role}.sig")
    assert file is not None
    check_signature(before, step, file, armoured, governance, now)
    return {file.path.name: armoured}


def _role(
    step: Step, person: Person, governance: Governance, signed: Sequence[Signer], now: datetime
) -> Role:
    """In which role somebody signs a step: the first that is still missing and that they hold."""
    roles, ranks = open_roles(step, governance, signed)
    held = next((role for role in roles if person.holds(role, now) in ranks), None)
    if held is None:
        raise RightsError(
            f"“{person.id}” holds no role that signs this on {now.date()}",
            remedy=f"It takes {' or '.join(ranks)} of {' or '.join(roles)}.",
        )
    return held


def _person(governance: Governance, by: str, place: Path) -> Person:
    if by not in governance.people:
        known = ", ".join(governance.people) or "nobody"
        raise DeclarationError(
            f"there is no “{by}” in {GOVERNANCE}",
            place=str(place / GOVERNANCE),
            remedy=did_you_mean(by, governance.people) or f"There: {known}.",
        )
    return governance.people[by]
