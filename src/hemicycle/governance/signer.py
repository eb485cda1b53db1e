"""The signer: whose a signature is, whether they hold the role they signed for, and whose affair it is.

Decisions and steps of complaints are signed alike, and this is the one place where either is checked. The
file of a signature names a person and a role, `STEM.PERSON.ROLE.sig`; neither is believed before the key has
said the same and the people in force have been asked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from hemicycle.errors import IntegrityError, RightsError
from hemicycle.governance.decisions import SignatureFile, namespace
from hemicycle.governance.people import GOVERNANCE, Governance, Person
from hemicycle.governance.rules import SIGNING_RANKS
from hemicycle.governance.sshsig import parse_sshsig

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ", "'"))


def find_signer(
    file: SignatureFile,
    signature: bytes,
    message: bytes,
    governance: Governance,
    on: datetime,
    ranks: Sequence[str] = SIGNING_RANKS,
) -> Person:
    """Who signed this message, in the role that the signature's file names.

    Raises IntegrityError where it is no signature of the message for that role, RightsError where it is not
    that of the person named, or they do not hold the role in one of the ranks on that day.
    """
    place = str(file.path)
    read = parse_sshsig(signature, place)
    read.check(message, namespace(file.role), place)
    person = governance.holder(read.public_key)
    if person is None:
        raise RightsError(f"the key {read.public_key.fingerprint} is nobody's in {GOVERNANCE}", place=place)
    if person.id != file.person:
        raise RightsError(f"the file says {file.person}, and the key is that of {person.id}", place=place)
    check_office(person, file.role, on, place, ranks)
    return person


def check_office(
    person: Person, role: str, on: datetime, place: str, ranks: Sequence[str] = SIGNING_RANKS
) -> None:
    """Raise RightsError unless they hold the role in one of the ranks on that day."""
    rank = person.holds(role, on)
    if rank not in ranks:
        what = f"holds the role “{role}” as {rank} only" if rank else f"does not hold the role “{role}”"
        raise RightsError(f"{person.id} {what} on {on.date()}", place=place)


def fits(signature: bytes, message: bytes) -> bool:
    """Whether it is a signature of this message, by whatever key and for whatever purpose."""
    try:
        read = parse_sshsig(signature, "")
        read.check(message, read.namespace, "")
    except IntegrityError:
        return False
    return True


def is_person(name: str, person: Person) -> bool:
    return _folded(name) in (person.id, _folded(person.name))


def is_organisation(name: str, person: Person) -> bool:
    """Whether it is the one they work for."""
    return _folded(name) == _folded(person.organisation)


def _folded(name: str) -> str:
    """A name without what two keyboards write differently: case, spaces, composed accents, apostrophes."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().translate(_APOSTROPHES).split())
