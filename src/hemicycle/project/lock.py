"""The lock: what was resolved, and must stay the same next time."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import AfterValidator, Field, ValidationError

from hemicycle.errors import DeclarationError
from hemicycle.project.declared import Declared
from hemicycle.project.toml import declaration_error
from hemicycle.store import write_aside

LOCK = "hemicycle.lock"


def _day(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a day such as 2026-01-31") from None
    return value


_Day = Annotated[str, AfterValidator(_day)]


class _LockedRaw(Declared):
    declared: str
    digest: str
    packages: dict[str, str] = {}


class _LockedRights(Declared):
    of: str
    as_of: _Day
    holds_until: _Day | None = None


class _LockedOptOut(Declared):
    checked: _Day


class _LockedNamesModel(Declared):
    name: str
    version: str
    digest: str


class _LockedNames(Declared):
    of: str
    presidio: str = Field(alias="presidio-analyzer")
    spacy: str
    model: _LockedNamesModel


class _LockedBase(Declared):
    declared: str
    digest: str


class _LockedModel(Declared):
    of: str
    steps: int = Field(ge=1)
    seed: int = Field(ge=0)
    precision: Literal["bf16", "fp32"]
    compiled: bool
    threads: int = Field(ge=1)
    micro_tokens: int = Field(ge=1)


class _LockFile(Declared):
    raw: dict[str, _LockedRaw] = {}
    rights: dict[str, _LockedRights] = {}
    optout: dict[str, _LockedOptOut] = {}
    names: dict[str, _LockedNames] = {}
    base: dict[str, _LockedBase] = {}
    model: dict[str, _LockedModel] = {}


class Lock:
    """`hemicycle.lock`: what was resolved and must stay the same next time. One table a thing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables: dict[str, dict[str, Any]] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file again: another process may have resolved something while this one waited."""
        path = self.path
        try:
            self._tables = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            self._tables = {}
        except OSError as error:
            raise DeclarationError(f"the file cannot be read: {error.strerror}", place=str(path)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DeclarationError(
                f"this is not TOML: {error}",
                place=str(path),
                remedy="Take the file back from version control, or delete it to resolve everything anew.",
            ) from None
        try:
            _LockFile.model_validate(self._tables)
        except ValidationError as error:
            found = declaration_error(path, _LockFile, error)
            raise DeclarationError(
                found.what,
                place=found.place,
                remedy="Take the file back from version control, or delete that table to resolve it anew.",
            ) from None

    def get(self, table: str, name: str) -> dict[str, Any] | None:
        entry = self._tables.get(table, {}).get(name)
        return dict(entry) if entry is not None else None

    def set(self, table: str, name: str, entry: dict[str, Any]) -> None:
        """Record one resolution and write the file at once: a crash later must not lose it."""
        self._tables.setdefault(table, {})[name] = entry
        tables = {t: dict(sorted(self._tables[t].items())) for t in sorted(self._tables)}
        head = "# Made by hemicycle: what was resolved. Keep it under version control.\n\n"
        write_aside(self.path, (head + tomli_w.dumps(tables)).encode("utf-8"))
