"""Reading TOML files as declared tables; what is wrong is told with its file, its line and what was meant."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from hemicycle.errors import DeclarationError, did_you_mean, unparsed
from hemicycle.project.declaration import UnknownReferenceError
from hemicycle.project.declared import COUNTRY, HUB, NAME, PACKAGE, PATH

T = TypeVar("T", bound=BaseModel)


#: Bytes of a declaration or a card, and dots in one line of it: the time to read a dotted key grows with the
#: square of its parts, and no person writes as much.
LARGEST, MOST_DOTS = 1 << 20, 1_000

#: Characters of a wrong value that an error repeats.
LONGEST_SHOWN = 80


#: A kind of mistake (pydantic's type of error) → what is said of it; braces take a figure of the error.
_MISTAKES = {
    "too_short": "needs at least {min_length}",
    "string_too_short": "must not be empty",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_type": "must be a text, in quotes",
    "list_type": "must be a list, in brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "finite_number": "must be a finite number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "date_type": "must be a day such as 2026-01-31, without quotes",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}
_FORMS = {
    NAME: "must be a name of lower-case letters, digits, - and _, at most 64",
    COUNTRY: "must be the code of a country in capitals, such as FR or BE",
    PACKAGE: "must be the name of a Debian package",
    HUB: "must be ORG/NAME@REVISION, with the 40 digits of a commit",
    PATH: "must be a path, which holds no NUL",
}


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises DeclarationError where there is none, or none that can be read."""
    try:
        raw = path.read_bytes()
        if len(raw) > LARGEST or any(line.count(b".") > MOST_DOTS for line in raw.splitlines()):
            raise DeclarationError(
                "the file is too large, or a key in it too long, to be read", place=str(path)
            )
        return tomllib.loads(raw.decode("utf-8"))
    except FileNotFoundError:
        raise DeclarationError("the file does not exist", place=str(path)) from None
    except OSError as error:
        raise DeclarationError(f"the file cannot be read: {error.strerror}", place=str(path)) from None
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"byte {error.start} is not UTF-8", place=str(path), remedy="Save the file as UTF-8."
        ) from None
    # What the parser lets through beside its own error: numbers of thousands of digits, endless nesting.
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"this is not TOML: {unparsed(error)}", place=str(path)) from None


def load_toml(path: Path, model: type[T]) -> T:
    data = read_toml(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise declaration_error(path, model, error) from None


def declaration_error(path: Path, model: type[BaseModel], error: ValidationError) -> DeclarationError:
    """Turn pydantic's findings into one sentence with file, line and what was meant.

    An unknown key is told first: the key it was meant to be is then missing, and that would mislead.
    """
    found = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    keys = tuple(k for k in found["loc"] if k != "[key]")
    place = place_of(path, keys)
    dotted = ".".join(map(str, keys))
    if found["type"] == "extra_forbidden":
        known = _known_keys(model, keys[:-1])
        return DeclarationError(
            f"unknown key “{dotted}”",
            place=place,
            remedy=did_you_mean(str(keys[-1]), known) or f"Known keys here: {', '.join(sorted(known))}.",
        )
    if found["type"] == "missing":
        return DeclarationError(f"the key “{dotted}” is missing", place=place)
    context = found.get("ctx", {})
    if isinstance(context.get("error"), UnknownReferenceError):
        return DeclarationError(str(context["error"]), place=place_of(path, context["error"].keys))
    shown = _shown(found.get("input"))
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] == "string_pattern_mismatch":
        message = _FORMS.get(context["pattern"], f"must be of the form {context['pattern']}")
    elif found["type"] in _MISTAKES:
        whole = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in context.items()}
        message = _MISTAKES[found["type"]].format(**whole)
    return DeclarationError(f"{dotted}: {message}{shown}" if dotted else message, place=place)


def _shown(given: object) -> str:
    """A value as the file spells it, where it is short enough to help."""
    if isinstance(given, bool):
        return f" (it is {str(given).lower()})"
    spelled = repr(given) if isinstance(given, str | int | float) else ""
    return f" (it is {spelled})" if 0 < len(spelled) <= LONGEST_SHOWN else ""


def _known_keys(model: type[BaseModel], keys: tuple[int | str, ...]) -> set[str]:
    """The keys a model knows at the end of a path, walking through tables of models."""
    current: Any = model
    for key in keys:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = _fields(current).get(str(key))
            current = _table(field.annotation) if field else None
        else:
            arguments = getattr(current, "__args__", ())
            current = arguments[-1] if arguments else None
    if isinstance(current, type) and issubclass(current, BaseModel):
        return set(_fields(current))
    return set()


def _table(annotation: Any) -> Any:
    """Of a table that may be left out, the table."""
    tables = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
    return tables[0] if tables and type(None) in get_args(annotation) else annotation


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a table as the file spells them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def place_of(path: Path, keys: tuple[int | str, ...]) -> str:
    """The file and, where it can be found, the line of a key.

    tomllib keeps no positions, so the text is searched: the table's header, then the key below it.
    """
    line = _line_of(path.read_text("utf-8", "replace").splitlines(), list(keys))
    return f"{path}, line {line}" if line else str(path)


def _line_of(lines: list[str], names: list[int | str]) -> int | None:
    """Line (from 1) of the longest prefix of the key that the file spells out.

    A number in the key says which of the tables with that header.
    """
    best: tuple[int, int] | None = None
    table: list[int | str] = []
    spelled: list[int | str]
    tables: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        header = re.match(r"\s*\[\[?([^\[\]]+)\]", line)
        assignment = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if header:
            table = []
            parts = [p.strip(" \"'") for p in header[1].split(".")]
            for length, part in enumerate(parts, 1):
                dotted = ".".join(parts[:length])
                if length == len(parts) and line.lstrip().startswith("[["):
                    tables[dotted] = tables.get(dotted, -1) + 1
                table += [part, tables[dotted]] if dotted in tables else [part]
            spelled = table
        elif assignment:
            spelled = table + [p.strip(" \"'") for p in assignment[1].split(".")]
        else:
            continue
        shared = min(len(spelled), len(names))
        if shared and names[:shared] == spelled[:shared] and (best is None or shared > best[0]):
            best = (shared, number)
    return best[1] if best else None
