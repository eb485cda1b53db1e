"""Debian's machine-readable copyright files (DEP-5): which licence stands for which file.

The format says which stanza holds for a file of the *source* tree: the last whose patterns match. What
we have are *installed* files, built from sources whose paths nobody recorded. The rule here is stated
and cautious: a stanza that names a file of the same name in a folder of the same name speaks for the
page alone; otherwise every stanza that could apply speaks, and where they disagree all of them bind
(``AND``). A stanza for another language never speaks for a page.

Names the table does not know become ``LicenseRef-debian-NAME``, which no rule allows. Text that is not
in this format is not guessed at: `parse_copyright` returns None.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hemicycle.documents import StatedLicence

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):(.*)")
_KNOWN_FIELDS = {"format", "format-specification", "files", "license", "copyright", "upstream-name", "source"}
_FORMAT = re.compile(r"copyright-format|dep-?5|dep\.debian\.net", re.IGNORECASE)

#: Endings that a translation or a page in the making carries in the source tree and sheds when installed.
_SOURCE_ENDINGS = (
    ".po",
    ".xhp",
    ".xml",
    ".dbk",
    ".docbook",
    ".page",
    ".html",
    ".htm",
    ".xhtml",
    ".md",
    ".rst",
)

_GNU = re.compile(r"([AL]?GPL|GFDL(?:-NIV)?)(?:-v?(\d(?:\.\d)*))?(\+|-or-later|-only)?", re.IGNORECASE)
_COMMONS = re.compile(r"(CC-BY(?:-NC)?(?:-SA|-ND)?)-(\d(?:\.\d)?)", re.IGNORECASE)

#: What joins or groups names: a word of its own, a comma, bars, a bracket.
_OPERATOR = re.compile(r"\s*([(),]|\|+|(?<![^\s(),|])(?:and/or|and|or)(?![^\s(),|]))\s*", re.IGNORECASE)
#: Other brackets and the semicolon: they group or part, the format gives them no meaning.
_UNREAD = re.compile(r"[\[\]{}<>;\uff08\uff09]")
#: Brackets within brackets, more than anybody writes.
MAX_BRACKETS = 16

#: Debian's families with a version: the versions that exist in SPDX.
_VERSIONS = {
    "GPL": ("1.0", "2.0", "3.0"),
    "LGPL": ("2.0", "2.1", "3.0"),
    "AGPL": ("1.0", "3.0"),
    "GFDL": ("1.1", "1.2", "1.3"),
    "CC-BY": ("1.0", "2.0", "2.5", "3.0", "4.0"),
}


@dataclass(frozen=True)
class Stanza:
    """One ``Files`` paragraph: its patterns, its licence's short name as written, the line it starts at."""

    files: tuple[str, ...]
    licence: str
    line: int

    def matches(self, source_path: str) -> bool:
        return any(_pattern(p).fullmatch(source_path) for p in self.files)


@dataclass(frozen=True)
class CopyrightFile:
    """A copyright file in the machine-readable format.

    Attributes:
        path: where it is installed, ``usr/share/doc/PACKAGE/copyright``.
        texts: short name and text of the stand-alone ``License`` paragraphs.
    """

    path: str
    stanzas: tuple[Stanza, ...]
    texts: dict[str, str]

    def of_source_file(self, source_path: str) -> Stanza | None:
        """The stanza of a file of the source tree: the last that matches, as the format says."""
        return next((s for s in reversed(self.stanzas) if s.matches(source_path)), None)

    def of_installed_file(self, path: str, language: str = "fr") -> StatedLicence | None:
        """What the file states about an installed page, or None where no stanza could apply.

        Args:
            path: the page's path in the package.
            language: primary language of the page; stanzas on other languages are passed over.
        """
        applicable = self._applicable(path, language)
        if not applicable:
            return None
        expressions = list(dict.fromkeys(spdx(stanza.licence) for stanza, _ in applicable))
        told = "; ".join(dict.fromkeys(f"Files: {p}, License: {s.licence or '-'}" for s, p in applicable))
        more = " (all of them bind)" if len(expressions) > 1 else ""
        return StatedLicence("file", _both(expressions), f"{self.path}, {told}{more}")

    def _applicable(self, path: str, language: str) -> list[tuple[Stanza, str]]:
        """Stanzas that speak for an installed page, each with the pattern that makes it do so."""
        named = [
            (stanza, pattern, shared)
            for stanza, pattern in self._named.get(_stem(path), ())
            if (shared := _shared_folders(path, pattern, language)) is not None
        ]
        best = max((shared for *_, shared in named), default=0)
        if best:
            return [(stanza, pattern) for stanza, pattern, shared in named if shared == best]
        general = next(((s, "*") for s in reversed(self.stanzas) if "*" in s.files), None)
        by_folder = [(s, p) for s in self.stanzas for p in s.files if _covers_ending(p, path)]
        return ([general] if general else []) + [(s, p) for s, p, _ in named] + by_folder

    @functools.cached_property
    def _named(self) -> dict[str, list[tuple[Stanza, str]]]:
        """Patterns that name one file, by what the file is called without its ending."""
        found: dict[str, list[tuple[Stanza, str]]] = {}
        for stanza in self.stanzas:
            for pattern in stanza.files:
                if not re.search(r"[*?]", pattern.rpartition("/")[2]):
                    found.setdefault(_stem(pattern), []).append((stanza, pattern))
        return found


def parse_copyright(text: str, path: str) -> CopyrightFile | None:
    """Read a copyright file; None where it is free text and not in the machine-readable format.

    Tolerates what packages do: a blank before the first field, comments, stanzas that run into each
    other, and stray lines.
    """
    paragraphs = list(_paragraphs(text))
    header = paragraphs[0][1] if paragraphs else {}
    stated = header.get("format", header.get("format-specification"))
    stanzas = tuple(
        Stanza(
            tuple(re.split(r"[\s,]+", fields["files"].strip())), _short_name(fields.get("license", "")), line
        )
        for line, fields in paragraphs
        if fields.get("files", "").strip()
    )
    if stated is None or not stanzas or not _FORMAT.search(stated):
        return None
    texts = {
        _short_name(fields["license"]): fields["license"].partition("\n")[2]
        for _, fields in paragraphs
        if "license" in fields and "files" not in fields and "\n" in fields["license"]
    }
    return CopyrightFile(path, stanzas, texts)


def _paragraphs(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Paragraphs of fields, with the line of the first; field names in lower case."""
    fields: dict[str, str] = {}
    start, current = 0, ""
    for number, line in enumerate([*text.removeprefix("\ufeff").splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield start, fields
            fields, current = {}, ""
            continue
        indented = line[0] in " \t"
        match = _FIELD.match(line.lstrip() if indented and not current else line)
        if match and (not indented or match[1].lower() in _KNOWN_FIELDS):
            name = match[1].lower()
            if name == "files" and "files" in fields:  # two stanzas without a blank line between
                yield start, fields
                fields = {}
            if not fields:
                start = number
            current = name
            fields[current] = match[2].strip()
        elif indented and current:
            content = line.strip()
            fields[current] += "\n" + ("" if content == "." else content)


def _short_name(licence: str) -> str:
    first, _, rest = licence.partition("\n")
    return (first or ("" if "\n" in rest.strip() else rest)).strip()


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the format: ``*`` and ``?`` match slashes too, a backslash takes the next as it is."""
    pieces = re.findall(r"\\.|[^\\]|\\$", pattern.removeprefix("./"), re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(p) or re.escape(p[-1]) for p in pieces), re.DOTALL)


def _stem(path: str) -> str:
    """What a file is called, without the endings that differ between source tree and package."""
    name = path.rpartition("/")[2].removesuffix(".gz")
    while name.endswith(_SOURCE_ENDINGS):
        name = name.rpartition(".")[0]
    return name


def _shared_folders(installed: str, pattern: str, language: str) -> int | None:
    """How many folders above the file agree, counted from the file upwards; None for another language."""
    shared = 0
    for mine, theirs in zip(installed.split("/")[-2::-1], pattern.split("/")[-2::-1], strict=False):
        if mine != theirs:
            return None if re.fullmatch(rf"{re.escape(language)}([_-]\w+)?", mine) else shared
        shared += 1
    return shared


def _covers_ending(pattern: str, installed: str) -> bool:
    """Whether a pattern with a folder and a wildcard matches the installed path from some folder on."""
    if "/" not in pattern or not re.search(r"[*?]", pattern) or pattern[0] in "*?":
        return False
    folders = installed.split("/")
    return any(_pattern(pattern).fullmatch("/".join(folders[n:])) for n in range(len(folders)))


def spdx(short_name: str) -> str:
    """The SPDX expression of a licence as Debian writes it: ``GPL-2+ or CC-BY-SA-3.0`` and the like.

    ``or`` binds weaker than ``and``, a comma weaker than both, and round brackets group. A bare comma and a
    slash do not say which of the two they mean and are read as ``and``, the more demanding. Where brackets
    or operators do not fit together the whole is one `LicenseRef`: read in part, it could offer a choice
    that nobody gave.
    """
    name = short_name.strip()
    known = _table("names").get(name.lower())
    if known:
        return known
    try:
        return _reference(name) if _UNREAD.search(name) else _Reading(name).whole()
    except _NotReadError:
        return _reference(name)


class _NotReadError(Exception):
    """The words do not fit together."""


class _Reading:
    """One pass over the words of a short name: a method a level of precedence, the weakest first."""

    def __init__(self, name: str) -> None:
        self._words = [word for word in _OPERATOR.split(name) if word]
        self._next = 0

    def whole(self) -> str:
        expression = self._sentence(0)
        if self._next < len(self._words):
            raise _NotReadError
        return expression

    def _sentence(self, depth: int) -> str:
        expression = self._choice(depth)
        while self._takes(","):
            either = self._takes("or")
            if not either and not self._takes("and") and self._at_end():
                break  # a comma at the end joins nothing
            other = self._choice(depth)
            expression = f"{expression} OR {other}" if either else _both([expression, other])
        return expression

    def _choice(self, depth: int) -> str:
        legs = [self._union(depth)]
        while self._takes("or"):
            legs.append(self._union(depth))
        return " OR ".join(legs)

    def _union(self, depth: int) -> str:
        terms = self._factor(depth)
        while self._takes("and"):
            terms += self._factor(depth)
        return _both(terms)

    def _factor(self, depth: int) -> list[str]:
        if self._takes("("):
            if depth == MAX_BRACKETS:
                raise _NotReadError
            inner = self._sentence(depth + 1)
            if not self._takes(")"):
                raise _NotReadError
            return [inner]
        if self._at_end() or _OPERATOR.fullmatch(self._words[self._next]):
            raise _NotReadError
        self._next += 1
        name = self._words[self._next - 1].strip()
        return [_term(n) for n in ([name] if name.lower() in _table("names") else name.split("/"))]

    def _at_end(self) -> bool:
        return self._next >= len(self._words)

    def _takes(self, operator: str) -> bool:
        """Step over the next word if it is this operator."""
        if self._at_end():
            return False
        word = self._words[self._next].lower()
        if operator != ("or" if word[0] == "|" or word == "and/or" else word):
            return False
        self._next += 1
        return True


def _both(expressions: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(expressions))
    if len(distinct) == 1:
        return distinct[0]
    return " AND ".join(f"({e})" if " OR " in e else e for e in distinct)


def _term(name: str) -> str:
    name = name.strip()
    known = _table("names").get(name.lower()) or _family(name)
    if known:
        return known
    match = re.fullmatch(r"(\S+)\s+with\s+(.+?)[\s-]+exceptions?", name, flags=re.IGNORECASE)
    if match and " " not in (plain := _term(match[1])) and not plain.startswith("LicenseRef-"):
        # An exception only adds permissions: leaving out one that SPDX has no name for errs to the safe side.
        exception = _table("exceptions").get(match[2].lower().replace(" ", "-"))
        return f"{plain} WITH {exception}" if exception else plain
    return _reference(name)


def _reference(name: str) -> str:
    """What no rule allows, with the words as they stand."""
    cleaned = re.sub(r"[^A-Za-z0-9.]+", "-", name.replace("+", "plus")).strip("-")
    return f"LicenseRef-debian-{cleaned or 'unstated'}"


def _family(name: str) -> str | None:
    gnu = _GNU.fullmatch(name)
    if gnu:
        family, _, invariants = gnu[1].upper().partition("-")
        versions = _VERSIONS[family]
        version = gnu[2] or versions[0]  # no version named: any version, say the licences themselves
        version = version if "." in version else f"{version}.0"
        version = re.sub(r"(\.0)+$", ".0", version)
        later = gnu[3] in ("+", "-or-later", "-OR-LATER") or gnu[2] is None
        if version in versions:
            middle = "-no-invariants" if invariants else ""
            return f"{family}-{version}{middle}-{'or-later' if later else 'only'}"
    commons = _COMMONS.fullmatch(name)
    if commons:
        version = commons[2] if "." in commons[2] else f"{commons[2]}.0"
        if version in _VERSIONS["CC-BY"]:
            return f"{commons[1].upper()}-{version}"
    return None


@functools.cache
def _table(name: str) -> dict[str, str]:
    content = importlib.resources.files("hemicycle.sources").joinpath("dep5_names.toml").read_text("utf-8")
    table: dict[str, str] = tomllib.loads(content)[name]
    return table
