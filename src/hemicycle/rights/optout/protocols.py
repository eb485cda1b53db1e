"""The dated list of opt-out protocols and of AI crawlers, read from `protocols.toml`."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Protocol:
    """One protocol as it is read.

    Attributes:
        version: of the text it is read by; every finding carries it.
        status: how far its authors consider it settled.
        source: where its text stands; `checked_on` is when that was last looked at.
        decides: terms that speak of training.
        decided: terms of earlier versions that did; a reservation under one still counts.
        images: terms that speak of pictures alone.
        free: kinds of payment that leave a use free.
        namespace: of its XML, where it has one.
    """

    key: str
    name: str
    version: str
    status: str
    source: str
    checked_on: date
    decides: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    namespace: str = ""


@dataclass(frozen=True)
class Agent:
    """An AI crawler by its product token, the name it obeys robots.txt under."""

    name: str
    operator: str
    source: str
    checked_on: date


#: The product token under which this program fetches.
OWN_AGENT = "hemicycle"


@functools.cache
def _table() -> tuple[str, dict[str, Protocol], tuple[Agent, ...]]:
    data = tomllib.loads((files(__package__) / "protocols.toml").read_text("utf-8"))
    known = {key: Protocol(key=key, **_frozen(entry)) for key, entry in data["protocols"].items()}
    return data["version"], known, tuple(Agent(**entry) for entry in data["agents"])


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}


def list_version() -> str:
    """The day of the list as a whole."""
    return _table()[0]


def protocols() -> dict[str, Protocol]:
    """Every protocol by its key."""
    return dict(_table()[1])


def protocol(key: str) -> Protocol:
    return _table()[1][key]


def agents() -> tuple[Agent, ...]:
    """The crawlers whose exclusion counts as a reservation, our own among them."""
    return _table()[2]
