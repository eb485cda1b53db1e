"""A step of a complaint: its words, its deadlines, and what may follow what.

Nothing here reads a file or asks who signed: these are the rules that a step keeps in itself and towards the
steps before it.
"""

from __future__ import annotations

import datetime as dt
import functools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hemicycle.digests import canonical_json, sha256_bytes
from hemicycle.errors import DeclarationError
from hemicycle.project import Name
from hemicycle.typeset import flatten

#: What the first step names as the step before it.
BEGINNING = "0" * 64
#: Of a subject or a party, in characters.
LONGEST = 500

StepName = Literal["open", "triage", "decide", "appeal", "review", "close"]
Category = Literal["copyright", "related-right", "database", "licence", "opt-out", "personal-data", "other"]
Outcome = Literal["granted", "partly-granted", "refused", "withdrawn"]

#: What may follow a step. Closed before it is decided, a complaint was withdrawn by who made it; a decision
#: that was carried out may still be appealed against, once.
FOLLOWS: dict[StepName, tuple[StepName, ...]] = {
    "open": ("triage", "close"),
    "triage": ("decide", "close"),
    "decide": ("appeal", "close"),
    "appeal": ("review",),
    "review": ("close",),
    "close": ("appeal",),
}

#: Steps that anybody may take: unsigned where they name nobody, else signed by whom they name.
BY_ANYBODY: tuple[StepName, ...] = ("open", "appeal")
#: Steps that settle a complaint, and so must say whose affair it is.
SETTLING: tuple[StepName, ...] = ("triage", "decide", "review")


def _one_line(text: str) -> str:
    if flatten(text, LONGEST) != text:
        raise ValueError(f"is not one line of plain text of at most {LONGEST} characters")
    return text


def _moment(text: str) -> str:
    dt.datetime.fromisoformat(text)
    return text


def _iso_day(text: str) -> str:
    dt.date.fromisoformat(text)
    return text


Identifier = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-([0-9]{3}|[1-9][0-9]{3,5})$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$"),
    AfterValidator(_moment),
]
Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_iso_day)]
Line = Annotated[str, StringConstraints(min_length=1), AfterValidator(_one_line)]


class _Recorded(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Public(_Recorded):
    """What holds of a complaint.

    Attributes:
        subject: names of sources, ids of documents, or addresses.
        parties: people and organisations that complain or are complained about; theirs take no step.
    """

    category: Category
    subject: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1_000)]
    outcome: Outcome | None = None
    parties: Annotated[tuple[Line, ...], Field(max_length=1_000)] = ()


class Step(_Recorded):
    """One step, as its file holds it.

    Attributes:
        before: digest of the file of the step before.
        date: the moment, in UTC, as its signer states it.
        by: id of who took it; None where somebody from outside complains or appeals.
        due: the last day for the step that comes next.
        text: why. The folder is public: no name of a complainant belongs here.
        public: what holds from this step on.
        private: digest of `private.json`, in the first step.
    """

    complaint: Identifier
    step: StepName
    number: Annotated[int, Field(ge=1, le=99)]
    before: Digest
    date: Moment
    by: Name | None
    due: Day | None
    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    public: Public
    private: Digest | None = None

    @property
    def day(self) -> dt.date:
        return dt.date.fromisoformat(self.date[:10])

    @property
    def stem(self) -> str:
        return f"{self.number:02}-{self.step}"

    @property
    def file_name(self) -> str:
        return f"{self.stem}.json"

    def to_bytes(self) -> bytes:
        return canonical_json(self.model_dump(mode="json")) + b"\n"


@dataclass(frozen=True)
class Deadlines:
    """Days: for triage and decision from the opening, for closing and an appeal from the decision, for the
    decision on the appeal from the appeal."""

    start: dt.date
    triage: int
    decide: int
    close: int
    appeal: int
    review: int

    def due(self, after: StepName, opened: dt.date, on: dt.date) -> dt.date | None:
        """The last day of what follows a step that was taken on a day."""
        if after == "close":
            return None
        return _later(
            *{
                "open": (opened, self.triage),
                "triage": (opened, self.decide),
                "decide": (on, self.close),
                "appeal": (on, self.review),
                "review": (on, self.close),
            }[after]
        )

    def appeal_until(self, decided: dt.date) -> dt.date:
        return _later(decided, self.appeal)


def _later(begun: dt.date, days: int) -> dt.date:
    # The last day a calendar has is far enough away.
    return begun + dt.timedelta(days) if begun < dt.date(9999, 1, 1) else dt.date.max


@functools.cache
def deadlines() -> tuple[Deadlines, ...]:
    """Every table of deadlines, the oldest first."""
    tables = tomllib.loads(Path(__file__).with_name("deadlines.toml").read_text("utf-8"))["deadlines"]
    days = ("triage", "decide", "close", "appeal", "review")
    return tuple(Deadlines(table["from"], *(table[name] for name in days)) for table in tables)


def deadlines_of(opened: dt.date) -> Deadlines:
    """Those of the day a complaint was opened on; before the first table, the first."""
    return next((d for d in reversed(deadlines()) if d.start <= opened), deadlines()[0])


def make_step(**fields: Any) -> Step:
    data = bytes_of(fields, "the text")
    try:
        return Step.model_validate_json(data)
    except ValidationError as error:
        raise DeclarationError(sentence(error)) from None


def bytes_of(value: Any, what: str) -> bytes:
    try:
        return canonical_json(value) + b"\n"
    except UnicodeEncodeError:
        raise DeclarationError(f"{what} is no text") from None


def sentence(error: ValidationError) -> str:
    found = error.errors()[0]
    place = ".".join(map(str, found["loc"]))
    message = found["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def problems_within(step: Step) -> list[str]:
    """What one step contradicts in itself."""
    first, outcome = step.step == "open", step.public.outcome
    problems = []
    if first == (step.number > 1):
        problems.append(f"“{step.step}” cannot be step {step.number}")
    if first and step.complaint[:4] != step.date[:4]:
        problems.append(f"it is dated {step.day}, and numbered among those of {step.complaint[:4]}")
    if step.by is None and step.step not in BY_ANYBODY:
        problems.append(f"“{step.step}” names nobody who took it")
    if not step.public.parties and step.step in SETTLING:
        problems.append(
            "it does not say who complains or is complained about, and so who may not sign: "
            "`--party` names them"
        )
    if step.private is not None and not first:
        problems.append("only the first step names private.json")
    if step.step in ("open", "triage") and outcome is not None:
        problems.append(f"“{step.step}” has no outcome yet, but states “{outcome}”")
    if step.step in ("decide", "review") and outcome not in ("granted", "partly-granted", "refused"):
        problems.append(f"a decision is granted, partly-granted or refused, not {outcome or 'nothing'}")
    if (step.due is None) != (step.step == "close"):
        problems.append("a step that others follow needs a due day, and the last one has none")
    return problems


def problems_after(steps: Sequence[Step], step: Step) -> list[str]:
    """What a step contradicts in those before it."""
    opened = steps[0].day if steps else step.day
    limit = deadlines_of(opened).due(step.step, opened, step.day)
    problems = []
    if step.due and limit and dt.date.fromisoformat(step.due) > limit:
        problems.append(f"it is due on {step.due}; the deadlines say {limit} at the latest")
    if not steps:
        if step.before != BEGINNING or step.step != "open":
            problems.append("it follows a step that is not there")
        return problems
    last = steps[-1]
    if step.number != last.number + 1:
        problems.append(f"step {step.number} follows step {last.number}")
    if step.before != sha256_bytes(last.to_bytes()):
        problems.append(f"the chain is broken: it does not name the {last.file_name} that is here")
    if step.step not in FOLLOWS[last.step]:
        allowed = " or ".join(f"“{name}”" for name in FOLLOWS[last.step]) or "nothing"
        problems.append(f"“{step.step}” cannot follow “{last.step}”; {allowed} can")
    if step.date < last.date:
        problems.append(f"it is dated {step.date}, before the step before it ({last.date})")
    if step.step == "appeal":
        taken = [earlier.step for earlier in steps]
        if "decide" not in taken or "appeal" in taken:
            problems.append("there is no decision to appeal against, or it was appealed against already")
    return problems + _changes(last, step)


def _changes(last: Step, step: Step) -> list[str]:
    """What a step changes that is not for it to change."""
    problems = []
    if not set(last.public.parties) <= set(step.public.parties):
        problems.append("it leaves out somebody who complains or is complained about")
    whole = set(last.public.subject) <= set(step.public.subject)
    if step.step == "triage" and not whole:
        problems.append("it leaves a part out, which is to refuse that part, and for those who decide")
    if step.step in ("decide", "review") and step.public.outcome == "granted" and not whole:
        problems.append("it leaves a part out: what is granted for the rest only is partly-granted")
    if step.step == "close" and last.step in ("decide", "review") and step.public != last.public:
        problems.append("closing changes what was decided")
    if step.step == "close" and last.step in ("open", "triage") and step.public.outcome != "withdrawn":
        problems.append("only a complaint that was withdrawn is closed without a decision")
    if step.step == "appeal" and step.public != last.public:
        problems.append("an appeal changes what was decided, which is for those who decide on it")
    return problems
