"""People: who holds which role, from when to when, and with which key; `governance.toml`.

A key belongs to one person, so that a signature names its signer, and nobody can sign as two. Roles have a
first and, where it is known, a last day; both days count, in UTC. What somebody signed while in office stays
signed when the office ends: for that, the entry is kept and given its `until`, not taken out.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from hemicycle.errors import DeclarationError, IntegrityError, did_you_mean, unparsed
from hemicycle.governance.sshsig import other_kind
from hemicycle.ledger.signatures import PublicKey
from hemicycle.project import Name, declaration_error
from hemicycle.store import write_aside
from hemicycle.typeset import flatten

GOVERNANCE = "governance.toml"

Role = Literal["data", "model", "compute", "evaluation", "serving", "governance", "legal"]
ROLES: tuple[Role, ...] = get_args(Role)

#: From the highest to the lowest.
Rank = Literal["lead", "colead", "member"]
RANKS: tuple[Rank, ...] = get_args(Rank)

#: A thousand people fit. Dots are counted because the time to read a key grows with the square of its parts.
LARGEST, MOST_DOTS = 1 << 18, 100

_NEW = """\
# Who may sign what, from when to when, with which key. Keep this file under version control.
# Roles: data, model, compute, evaluation, serving, governance, legal; each wants a lead or a colead.
# Somebody who leaves keeps their entry and gets an `until`: what they signed stays signed.
#
# [people.claire]
# name = "Claire Martin"
# organisation = "Université de Lorraine"
# keys = ["ssh-ed25519 AAAA… claire@laptop"]     # the line of ~/.ssh/id_ed25519.pub
# roles = [{ role = "legal", rank = "lead", from = 2026-01-01, until = 2027-12-31 }]

rules = "default"
"""


@dataclass(frozen=True)
class Office:
    """A role that somebody holds, both days included; without `until` it has no end yet."""

    role: Role
    rank: Rank
    start: date
    until: date | None = None

    def held(self, on: date) -> bool:
        return self.start <= on and (self.until is None or on <= self.until)


@dataclass(frozen=True)
class Person:
    """Somebody who may sign.

    Attributes:
        organisation: whom they work for; a decision about that organisation is not theirs to sign.
    """

    id: str
    name: str
    organisation: str
    keys: tuple[PublicKey, ...]
    offices: tuple[Office, ...]

    def holds(self, role: str, on: date) -> Rank | None:
        """The rank in which they hold a role on a day (the highest, where there are several), or None."""
        ranks = {office.rank for office in self.offices if office.role == role and office.held(_day(on))}
        return next((rank for rank in RANKS if rank in ranks), None)


@dataclass(frozen=True)
class Governance:
    """The whole of `governance.toml`.

    Attributes:
        rules: which table says who must sign what.
        people: by id.
    """

    rules: str
    people: Mapping[str, Person]

    def holder(self, key: PublicKey) -> Person | None:
        """Whose key this is."""
        lines = ((person, own.line) for person in self.people.values() for own in person.keys)
        return next((person for person, line in lines if line == key.line), None)

    def gaps(self, on: date, together: Iterable[Sequence[str]]) -> list[str]:
        """What stands in the way of decisions on a day, as sentences.

        Whoever holds two of the roles that sign `together` cannot be the second pair of eyes.
        """
        on = _day(on)
        found = []
        for role in ROLES:
            ranks = {person.holds(role, on) for person in self.people.values()}
            if not ranks & {"lead", "colead"}:
                found.append(f"{role} has neither a lead nor a colead")
        for person in self.people.values():
            if not person.keys:
                found.append(f"{person.name} has no key and cannot sign")
            if not person.offices:
                found.append(f"{person.name} holds no role")
            elif all(office.until is not None and office.until < on for office in person.offices):
                last = max(office.until for office in person.offices if office.until)
                found.append(f"{person.name} holds no role any more: the last one ended on {last}")
        for roles in together:
            for person in self.people.values():
                held = [role for role in roles if person.holds(role, on)]
                if len(held) > 1:
                    found.append(
                        f"{person.name} holds {' and '.join(held)}, which sign together and must be "
                        "different people"
                    )
        return list(dict.fromkeys(found))


def _day(on: date) -> date:
    """A day, of a moment too: the two cannot be compared, and the day meant is that of UTC."""
    if isinstance(on, datetime):
        return (on.astimezone(UTC) if on.tzinfo else on).date()
    return on


def _one_line(text: str) -> str:
    if flatten(text, 200) != text:
        raise ValueError("is not one line of plain text of at most 200 characters")
    return text


def _key_line(line: str) -> str:
    words = line.split()
    if len(line.splitlines()) != 1 or len(words) < 2 or "-" not in words[0] or "/" in words[0]:
        raise ValueError("is not the one line of an OpenSSH public key")
    problem = other_kind(words[0].encode("utf-8", "replace"))
    if problem:
        raise ValueError(f"is not taken: {problem}")
    _public_key(line)
    return line


def _public_key(line: str) -> PublicKey:
    try:
        # Without the comment: a person may write any words there.
        return PublicKey.parse(" ".join(line.split()[:2]).encode("utf-8", "replace"), "")
    except IntegrityError as error:
        raise ValueError(error.what) from None


Text = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_line)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Office(_Declared):
    role: Role
    rank: Rank = "lead"
    # Strict: a number would be taken for seconds since 1970.
    start: date = Field(strict=True)
    until: date | None = Field(default=None, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, table: Any) -> Any:
        """The file says `from`, which is no name in Python."""
        if not isinstance(table, dict):
            return table
        known = ("role", "rank", "from", "until")
        for key in table:
            if key not in known:
                hint = did_you_mean(str(key), known) or f"Known keys here: {', '.join(known)}."
                raise ValueError(f"unknown key “{key}”. {hint}")
        if "from" not in table:
            raise ValueError("the key “from” is missing")
        return {"start" if key == "from" else key: value for key, value in table.items()}

    @model_validator(mode="after")
    def _order(self) -> _Office:
        if self.until is not None and self.until < self.start:
            raise ValueError(f"ends on {self.until}, before it begins on {self.start}")
        return self


class _Person(_Declared):
    name: Text
    organisation: Text
    keys: list[Annotated[str, AfterValidator(_key_line)]]
    roles: list[_Office] = []


class _File(_Declared):
    rules: Name = "default"
    people: dict[Name, _Person] = {}

    @model_validator(mode="after")
    def _one_owner(self) -> _File:
        owners: dict[bytes, str] = {}
        for person_id, person in self.people.items():
            for key in map(_public_key, person.keys):
                if key.line in owners:
                    raise ValueError(
                        f"the key {key.fingerprint} stands twice, with “{owners[key.line]}” and with "
                        f"“{person_id}”: a signature must name one person"
                    )
                owners[key.line] = person_id
        return self


def load_governance(path: Path) -> Governance:
    """Read and check `governance.toml`. Raises DeclarationError with file, line and what was meant."""
    return parse_governance(read_people(path), str(path), path)


def read_people(path: Path) -> bytes:
    """The bytes of `governance.toml`, of which one too many where it is too large."""
    # A pipe would be waited for without an end.
    if path.exists() and not path.is_file():
        raise DeclarationError("the file cannot be read: it is not a plain file", place=str(path))
    try:
        with path.open("rb") as f:
            return f.read(LARGEST + 1)
    except FileNotFoundError:
        raise DeclarationError(
            "the file does not exist",
            place=str(path),
            remedy="`hemicycle govern --help` says how to begin one.",
        ) from None
    except OSError as error:
        raise DeclarationError(f"the file cannot be read: {error.strerror}", place=str(path)) from None


def parse_governance(data: bytes, place: str, lines_in: Path = Path(os.devnull)) -> Governance:
    """The same from bytes, as the ledger holds them; errors name the line where a file is given."""
    if len(data) > LARGEST:
        raise DeclarationError(f"the file has more than {LARGEST} bytes", place=place)
    if any(line.count(b".") > MOST_DOTS for line in data.split(b"\n")):
        raise DeclarationError(f"a line has more than {MOST_DOTS} dots; no key goes so deep", place=place)
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"byte {error.start} is not UTF-8", place=place, remedy="Save the file as UTF-8."
        ) from None
    except (ValueError, RecursionError) as error:
        # Not only TOMLDecodeError: a number of many digits is a plain ValueError.
        raise DeclarationError(f"this is not TOML: {unparsed(error)}", place=place) from None
    try:
        file = _File.model_validate(tables)
    except ValidationError as error:
        found = declaration_error(lines_in, _File, error)
        in_file = found.place if lines_in != Path(os.devnull) else place
        raise DeclarationError(found.what, place=in_file, remedy=found.remedy) from None
    return Governance(file.rules, {person_id: _person(person_id, p) for person_id, p in file.people.items()})


def _person(person_id: str, table: _Person) -> Person:
    return Person(
        person_id,
        table.name,
        table.organisation,
        tuple(map(_public_key, table.keys)),
        tuple(Office(o.role, o.rank, o.start, o.until) for o in table.roles),
    )


def new_governance(path: Path) -> None:
    """Begin a `governance.toml` that explains itself and names nobody. An existing one is not touched."""
    if path.exists():
        raise DeclarationError("the file exists already", place=str(path))
    write_aside(path, _NEW.encode("utf-8"))


def add_person(
    path: Path,
    person_id: str,
    *,
    name: str,
    organisation: str,
    keys: Sequence[str],
    offices: Sequence[Office] = (),
) -> Governance:
    """Add somebody at the end of the file; what stands there, comments too, stays as it is.

    Raises DeclarationError, and leaves the file alone, where the whole would not be right.
    """
    before = read_people(path)
    if person_id in parse_governance(before, str(path), path).people:
        raise DeclarationError(
            f"“{person_id}” is there already", place=str(path), remedy="Edit the file, or take another id."
        )
    roles = [
        {"role": o.role, "rank": o.rank, "from": o.start} | ({"until": o.until} if o.until else {})
        for o in offices
    ]
    entry = {"name": name, "organisation": organisation, "keys": list(keys), "roles": roles}
    text = tomli_w.dumps({"people": {person_id: entry}})
    try:
        added = text.encode("utf-8")
    except UnicodeEncodeError:
        raise DeclarationError("what is to be added is no text", place=str(path)) from None
    gap = b"" if not before else b"\n" if before.endswith(b"\n") else b"\n\n"
    after = before + gap + added
    governance = parse_governance(after, f"{path}, with “{person_id}” added", Path(os.devnull))
    write_aside(path, after)
    return governance
