"""The rules of signing: who must sign which kind of decision, from a dated table.

Every kind is signed by distinct people, one for each role that `needs` names; a lead or a colead of the role
signs. Three people never count: the author of what is decided, somebody of the organisation it is about, and
somebody who does not hold the role on the day the signature enters the journal.
"""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.governance.people import Rank, Role
from hemicycle.project import declaration_error

#: What a decision may be.
DecisionKind = Literal["clear", "override", "revoke", "withdraw", "governance", "policy", "run", "release"]
KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)

#: Ranks that sign for a role.
SIGNING_RANKS: tuple[Rank, ...] = ("lead", "colead")


class Rule(BaseModel):
    """What one kind of decision needs.

    Attributes:
        needs: roles; a role named twice needs two of its people.
        cooldown_hours: between the decision's entry into the journal and its effect.
        expires_days: the longest it may hold; None for as long as nothing changes.
        ratify_days: within which the roles that clear must sign it too; it holds meanwhile, and is shown
            as waiting for them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    needs: list[Role] = Field(min_length=1)
    cooldown_hours: int = Field(default=0, ge=0)
    expires_days: int | None = Field(default=None, gt=0)
    ratify_days: int | None = Field(default=None, gt=0)


class StepRule(BaseModel):
    """What one kind of step of a complaint needs.

    Attributes:
        needs: one entry a signature; of the roles in an entry, any one will do.
        others_than: steps of the same complaint whose signers do not sign this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    needs: list[Annotated[list[Role], Field(min_length=1)]] = Field(min_length=1)
    others_than: list[Literal["triage", "decide"]] = []


class ComplaintRules(BaseModel):
    """Who signs the steps of complaints: `refuse` is for a part of one too, `review` for an appeal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    triage: StepRule
    grant: StepRule
    refuse: StepRule
    review: StepRule
    close: StepRule
    withdraw: StepRule


class Rules(BaseModel):
    """One version of the table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    version: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    clear: Rule
    override: Rule
    revoke: Rule
    withdraw: Rule
    governance: Rule
    policy: Rule
    run: Rule
    release: Rule
    complaint: ComplaintRules

    def __getitem__(self, kind: DecisionKind) -> Rule:
        rule: Rule = getattr(self, kind)
        return rule

    @property
    def together(self) -> tuple[tuple[Role, ...], ...]:
        """Different roles that sign one decision together."""
        sets = (tuple(dict.fromkeys(self[kind].needs)) for kind in KINDS)
        return tuple(roles for roles in sets if len(roles) > 1)


@functools.cache
def load_rules(name: str) -> Rules:
    """The table that `governance.toml` names. Raises DeclarationError where the package has none of it."""
    known = {path.name.split(".")[1] for path in Path(__file__).parent.glob("rules.*.toml")}
    if name not in known:
        raise DeclarationError(
            f"there is no table of rules “{name}”",
            place="governance.toml, key rules",
            remedy=did_you_mean(name, known) or f"Tables: {', '.join(sorted(known))}.",
        )
    path = Path(__file__).with_name(f"rules.{name}.toml")
    try:
        return Rules.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        raise declaration_error(path, Rules, error) from None
