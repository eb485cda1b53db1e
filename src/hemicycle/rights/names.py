"""Names of licences as people write them, and what each names: one licence, a family, or nothing.

A name is compared in a short form: without case and accents, long names cut to their usual letters, a version
written one way (`Creative Commons Attribution 4.0 International`, `cc by 4.0` and `CC-BY-4.0` are one). What
the short form is compared with are SPDX identifiers and the nicknames of `licences.csv`; the habits of people
who fill tables stand in `cells.toml`.

The trap is generosity. A name without a version (`CC-BY-SA`, `odc-by`) is a family, even where only one
version exists today: whoever wrote it has not said which text binds them. `GPLv3` leaves open whether later
versions may be chosen. Neither is a licence yet, and what nobody could look up (`Mixed`, `OGD`) names none.
What is found here is suggested to people; no verdict on a document reads it.
"""

from __future__ import annotations

import functools
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hemicycle.rights.licences import (
    LONGEST_EXPRESSION,
    Problem,
    find_licence,
    identifiers,
    judge_expression,
    licences,
    read_expression,
    suggest_identifier,
)
from hemicycle.rights.policy import default_policy

#: ``valid``: an SPDX expression; ``alias``: one licence by another name; ``unversioned``: a family;
#: ``vague``: nothing that could be looked up; ``other``: a name that is not known here.
NameClass = Literal["valid", "alias", "unversioned", "vague", "other"]

#: A family's name and what follows it where only the version is missing.
_VERSIONED = re.compile(r"(.+?)-\d+(?:\.\d+)*(?:-[a-z]{2,3})?(?:-(?:only|or-later))?")
_DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_GNU = re.compile(r"(?:a|l)?gpl-\d+(?:\.\d+)*|gfdl-\d+(?:\.\d+)*")
_CC = re.compile(r"cc-((?:by|nc|nd|sa)(?:-(?:by|nc|nd|sa))*)(-.*)?")


@dataclass(frozen=True)
class Name:
    """What one name says.

    Attributes:
        text: as written.
        expression: canonical, where it is an expression or names one licence exactly.
        meant: identifiers that an unversioned name may mean.
        noncommercial: whether it forbids commercial use, by its words or by its licence's class.
    """

    text: str
    name_class: NameClass
    expression: str | None = None
    meant: tuple[str, ...] = ()
    noncommercial: bool = False


@functools.lru_cache(maxsize=4096)
def read_name(text: str) -> Name:
    """Say what a name of a licence names. Never raises."""
    written = text.strip()
    if len(written) > LONGEST_EXPRESSION:
        return Name(text, "other")
    node = read_expression(written)
    if not isinstance(node, Problem):
        expression = judge_expression(written, default_policy()).expression
        return Name(text, "valid", expression, noncommercial=_is_noncommercial(written, expression))
    meant, exact = ((), False) if _is_vague_word(written) else _meant(written)
    if exact:
        return Name(text, "alias", meant[0], noncommercial=_is_noncommercial(written, meant[0]))
    if meant:
        return Name(text, "unversioned", None, meant, _is_noncommercial(written, *meant))
    noncommercial = _is_noncommercial(written)
    # A licence of Creative Commons with a version or a country that SPDX has not is named, and not known.
    vague = _is_vague(written) or (noncommercial and not _CC.fullmatch(_short(written)))
    return Name(text, "vague" if vague else "other", noncommercial=noncommercial)


def names_scope(text: str) -> bool:
    """Whether a text only says which part of a work is meant (`data`, `code`), and no licence."""
    return _plain(text) in habits()["beside"]["words"]


def guess(text: str) -> str:
    """What to do about a name that is not known here, as a sentence."""
    return suggest_identifier(_short(text)) or (
        "Read the licence at its source, and write its SPDX identifier or LicenseRef-NAME."
    )


@functools.cache
def habits() -> dict[str, Any]:
    """`cells.toml`: how people write licences in tables."""
    return tomllib.loads(Path(__file__).with_name("cells.toml").read_text("utf-8"))


def _meant(text: str) -> tuple[tuple[str, ...], bool]:
    """Identifiers that a name may mean, and whether it names one of them exactly."""
    for short in _spellings(_short(text)):
        if short in habits()["families"]:
            return tuple(habits()["families"][short]), False
        if _GNU.fullmatch(short):
            versions = tuple(i for end in ("only", "or-later") if (i := _index().get(f"{short}-{end}")))
            if versions:
                return versions, False
        stated = _with_version(short)
        if stated:
            return stated, len(stated) == 1
        found = _index().get(short)
        if found and "*" not in found:
            exact = bool(re.search(r"\d", text)) or not re.search(r"\d", found)
            return (found,), exact
        versions = _versions(found.rstrip("-*").lower() if found else short)
        if versions:
            return versions, False
    return (), False


def _with_version(short: str) -> tuple[str, ...]:
    """Identifiers that a nickname and a version mean together: `pdm-1.0`, `ogl-3`."""
    named = re.fullmatch(r"(.*[^-])-(\d+(?:\.\d+)*)", short)
    if not named or short in _index():
        return ()
    nickname, versions = named[1], (named[2], f"{named[2]}.0")
    family = habits()["families"].get(nickname)
    if family:
        return tuple(i for i in family if i.endswith(tuple(f"-{version}" for version in versions)))
    found = _index().get(nickname, "")
    stem = found.rstrip("*") if "*" in found else re.sub(r"\d+(\.\d+)*$", "", found)
    meant = (_index().get(f"{stem}{version}".lower()) for version in versions)
    return tuple(dict.fromkeys(i for i in meant if i))[:1] if stem else ()


def _spellings(short: str) -> list[str]:
    """The ways in which a short form may have been meant, the literal one first."""
    ways = [short]
    if re.fullmatch(r"(by|nc|sa|nd)-.*", short):
        ways.append(f"cc-{short}")
    ways.append(re.sub(r"(?<=[a-z])(?=\d)", "-", short))
    ways += [re.sub(r"(?<=-)(\d+)(?=$|[-+])", r"\1.0", way) for way in ways]
    return list(dict.fromkeys(ways))


def _short(text: str) -> str:
    """The short form in which names are compared."""
    folded = _plain(text)
    folded = re.sub(r"[()\[\]{}\"'“”«»,:®™]|(?<!\d)\.|\.(?!\d)", " ", folded)
    for phrase, letters in habits()["shorten"]["phrases"]:
        folded = re.sub(phrase, letters, folded)
    folded = re.sub(r"\bv(?=\d)|(?<=[a-z0-9])-?v\.?(?=\d)", " ", folded)
    folded = _dropped().sub(" ", folded)
    short = re.sub(r"[\s_/-]+", "-", folded.replace("\u00a0", " ")).strip("-")
    short = re.sub(r"\b(\w+)-\1\b", r"\1", short)
    cc = _CC.fullmatch(short)
    if cc:
        elements = [e for e in ("by", "nc", "nd", "sa") if e in cc[1].split("-")]
        short = "-".join(["cc", *elements]) + (cc[2] or "")
    return short


@functools.cache
def _dropped() -> re.Pattern[str]:
    words = sorted(habits()["shorten"]["drop"], key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")


def _plain(text: str) -> str:
    """Lower case, no accents, one kind of dash, single spaces."""
    folded = unicodedata.normalize("NFKD", _DASHES.sub("-", text)).casefold()
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    return " ".join(folded.split())


@functools.cache
def _index() -> dict[str, str]:
    """Short form → identifier, of all identifiers and of the nicknames in the table."""
    index: dict[str, str] = {}
    for licence in licences():
        for name in licence.also_called:
            index.setdefault(_short(name), licence.id)
    for lower, identifier in identifiers()[0].items():
        if not lower.startswith("licenseref-"):
            index[_short(lower)] = identifier
            index[lower] = identifier
    return index


def _versions(stem: str) -> tuple[str, ...]:
    """Identifiers that are `stem` and a version, without countries' ports where there are others."""
    found = _families().get(stem, frozenset())
    general = {identifier for identifier in found if not re.search(r"-[A-Z]{2,3}$", identifier)}
    return tuple(sorted(general or found))[-8:]


@functools.cache
def _families() -> dict[str, frozenset[str]]:
    """Short form without its version → identifiers."""
    families: dict[str, set[str]] = {}
    for short, identifier in _index().items():
        versioned = _VERSIONED.fullmatch(short)
        if versioned:
            families.setdefault(versioned[1], set()).add(identifier)
    return {stem: frozenset(found) for stem, found in families.items()}


def _is_noncommercial(text: str, *expressions: str) -> bool:
    plain = _plain(text)
    if any(re.search(pattern, plain) for pattern in habits()["noncommercial_patterns"]):
        return True
    words = {word for expression in expressions for word in re.findall(r"[^\s()]+", expression)}
    return any(
        (licence := find_licence(word)) is not None and licence.licence_class == "non-commercial"
        for word in words
    )


def _is_vague(text: str) -> bool:
    plain = _bare(text)
    return _is_vague_word(text) or any(re.search(pattern, plain) for pattern in habits()["vague_patterns"])


def _is_vague_word(text: str) -> bool:
    return _bare(text) in _vague_words()


@functools.cache
def _vague_words() -> frozenset[str]:
    return frozenset(_bare(word) for word in habits()["vague"])


def _bare(text: str) -> str:
    return _plain(text).strip(" .,;:!?*-_/()[]<>\"'")
