"""A programme: the runs that several teams want to make, as declared in `plan.toml`.

    [programme]
    from = 2027-01-01
    until = 2028-01-01

    [teams.openllm]
    share = 2

    [runs.luciole-2]
    team = "openllm"
    parameters = "8B"
    tokens = "5T"
    gpus = [256, 512]
    priority = 7
    deadline = 2027-09-01

Where a run may be made, and how long it takes there, follows from `sites.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.plan.life import Life
from hemicycle.project import Declared, Name, load_toml
from hemicycle.project.declared import count
from hemicycle.sites import Period

PROGRAMME = "plan.toml"

_Count = Annotated[int, BeforeValidator(count)]


class Team(Declared):
    """Who shares the sites. `share`: what a team is entitled to, relative to the others."""

    share: float = Field(default=1.0, gt=0, le=1e6)


class Part(Declared):
    """A stage of a run that may be made at another site than the one before it."""

    name: Name
    share: float = Field(gt=0, le=1e9)


class PlannedRun(Declared):
    """One run.

    Attributes:
        model: of the project; else its parameters and tokens are said here.
        parameters: that work on each token.
        gpus: how many cards it may take; by default all of a pool, a half, a quarter, an eighth.
        sites: ``site`` or ``site/pool`` where it may be made; by default everywhere.
        across: sites that may make it together, at most.
        batch_tokens, every: of a run over several sites: tokens of a step, and steps between two exchanges.
        stages: made one after another, each where it suits; shares are relative to each other.
        begin: (`from` in the file) no earlier than that.
        deadline: with `must`, one that is kept or the run is not placed; without, each hour past it costs.
        after: runs that must have ended.
        experiments: hours that are set aside for it, relative to the run's own.
    """

    team: Name
    model: Name | None = None
    parameters: _Count | None = Field(default=None, ge=1)
    tokens: _Count | None = Field(default=None, ge=1)
    gpus: list[Annotated[int, Field(ge=1, le=10_000_000)]] = Field(default_factory=list, max_length=20)
    sites: list[str] = Field(default_factory=list, max_length=100)
    across: int = Field(default=1, ge=1, le=4)
    batch_tokens: _Count = Field(default=4_000_000, ge=1)
    every: int = Field(default=100, ge=1, le=100_000)
    stages: list[Part] = Field(default_factory=list, max_length=20)
    priority: int = Field(default=5, ge=1, le=10)
    begin: date | None = Field(default=None, alias="from")
    deadline: date | None = None
    must: bool = False
    after: list[Name] = Field(default_factory=list, max_length=100)
    experiments: float = Field(default=1.0, ge=1, le=100)

    @model_validator(mode="after")
    def _one_size(self) -> PlannedRun:
        said = self.parameters is not None and self.tokens is not None
        if (self.model is None) != said or (self.parameters is None) != (self.tokens is None):
            raise ValueError("needs a model of the project, or parameters and tokens")
        if self.must and self.deadline is None:
            raise ValueError("must is of a deadline, and there is none")
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError("two stages have one name")
        return self


class PlanFile(Declared):
    """The whole of `plan.toml`: a programme of runs, a life after training, or both."""

    programme: Period | None = None
    teams: dict[Name, Team] = Field(default_factory=dict, max_length=1_000)
    runs: dict[Name, PlannedRun] = Field(default_factory=dict, max_length=1_000)
    life: Life | None = None


@dataclass(frozen=True)
class Programme:
    """Runs of teams in a period, and the file that declares them."""

    period: Period
    teams: Mapping[str, Team]
    runs: Mapping[str, PlannedRun]
    file: str

    def place(self, run: str) -> str:
        """Where a run is declared, for an error."""
        return f"{self.file}, [runs.{run}]"


def load_life(path: Path) -> Life:
    """The life after training that a file declares. Raises DeclarationError where there is none."""
    life = _load(path).life
    if life is None:
        raise DeclarationError(
            "no life after training is declared",
            place=str(path),
            remedy="Add a table [life], with `years` at least; see docs/plan.md.",
        )
    return life


def _load(path: Path) -> PlanFile:
    if not path.is_file():
        raise DeclarationError(
            "the file does not exist",
            place=str(path),
            remedy="It declares a programme of runs, or a life after training; see docs/plan.md.",
        )
    return load_toml(path, PlanFile)


def load_programme(path: Path) -> Programme:
    """The programme of a file. Raises DeclarationError where it has none, or names what is not declared."""
    told = _load(path)
    if told.programme is None or not told.runs:
        raise DeclarationError(
            "no programme is declared",
            place=str(path),
            remedy="Add a table [programme] with `from` and `until`, teams and runs; see docs/plan.md.",
        )
    found = Programme(told.programme, told.teams, told.runs, str(path))
    for name, run in found.runs.items():
        for kind, known, named in (("team", found.teams, [run.team]), ("run", found.runs, run.after)):
            for each in named:
                if each not in known:
                    raise DeclarationError(
                        f"run {name} names the {kind} “{each}”, which is not declared",
                        place=found.place(name),
                        remedy=did_you_mean(each, known),
                    )
    return found
