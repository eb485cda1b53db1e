"""Project templates: what `hemicycle new` writes.

`petit` is a skeleton for texts of one's own; `french` names the official French archives. A template is a
folder of data files beside this one. `cards/` holds source cards ready for use, one a publisher's
collection. In none of them is `attested_by` filled in: whoever makes the project reads the licences and
answers for them, and until then the gate says no.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from hemicycle.errors import DeclarationError, InputError, did_you_mean
from hemicycle.project import DECLARATION, Card, load_card
from hemicycle.store import write_aside

#: Stands for the project's name in a template's files.
NAME_MARK = "PROJECT-NAME"
#: Files whose name begins with a dot travel under another name: packaging tools pass over hidden files.
RENAMED = {"gitignore": ".gitignore"}


def templates() -> list[str]:
    """The names of the templates."""
    return sorted(entry.name for entry in _home().iterdir() if (entry / DECLARATION).is_file())


def create_project(folder: Path, template: str, name: str | None = None) -> list[Path]:
    """Write a new project from a template; return the files written, sorted.

    Args:
        folder: absent or empty.
        template: one of `templates()`.
        name: of the project; made from the folder's name where it is not given.

    Raises:
        DeclarationError: there is no such template, the folder is not empty, the name cannot be used.
        InputError: the folder cannot be written.
    """
    known = templates()
    if template not in known:
        raise DeclarationError(
            f"there is no template “{template}”",
            remedy=did_you_mean(template, known) or f"Templates: {', '.join(known)}.",
        )
    project_name = _project_name(folder, name)
    written = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DeclarationError(
                "the folder is not empty" if folder.is_dir() else "this is a file",
                place=str(folder),
                remedy="Name a folder that does not exist yet, or an empty one.",
            )
        for inside, content in _files(_home() / template, ""):
            path = folder / inside
            write_aside(path, content.replace(NAME_MARK, project_name).encode("utf-8"))
            written.append(path)
    except OSError as error:
        raise InputError(f"the project cannot be written: {error.strerror}", place=str(folder)) from None
    return sorted(written)


def cards() -> dict[str, Card]:
    """Name → card, of every card that is ready for use."""
    with resources.as_file(_home() / "cards") as folder:
        return {path.stem: load_card(path) for path in sorted(folder.glob("*.toml"))}


def add_card(project: Path, name: str) -> Path:
    """Write a ready card into a project's `sources/` and return its path.

    Raises DeclarationError where there is no such card, or the project has one of that name.
    """
    known = cards()
    if name not in known:
        raise DeclarationError(
            f"there is no card “{name}”",
            remedy=did_you_mean(name, known) or "`hemicycle new --cards` lists them.",
        )
    path = project / "sources" / f"{name}.toml"
    if path.exists():
        raise DeclarationError("the project has a card of this name already", place=str(path))
    write_aside(path, (_home() / "cards" / f"{name}.toml").read_bytes())
    return path


def _home() -> Traversable:
    return resources.files("hemicycle.templates")


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    """Every file below a template's folder: its path inside a project, and its text."""
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{RENAMED.get(entry.name, entry.name)}", entry.read_text("utf-8")


def _project_name(folder: Path, name: str | None) -> str:
    """The name given, or the folder's in lower case, without accents, with dashes for what cannot stand."""
    if name is None:
        plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode("ascii")
        name = re.sub(r"[^a-z0-9_-]+", "-", plain.lower()).strip("-_")[:64]
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise DeclarationError(
            f"“{name}” cannot be the name of a project",
            remedy="Use lower-case letters, digits, - and _, 64 at most, beginning with a letter or a digit.",
        )
    return name
