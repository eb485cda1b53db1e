"""Attribution: what the licences relied on ask for, and where their texts stand.

The duties are a table (`obligations.csv`) with a sentence each on what this release does about them. A
duty without a line there is shown by its code, never left out.
"""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from hemicycle.typeset import Language, escape_text, link

#: Publishers' own pages, where they are better known than SPDX's.
_OWN_PAGES = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "etalab-2.0": "https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-PDM-1.0": "https://creativecommons.org/publicdomain/mark/1.0/",
}
_CREATIVE_COMMONS = re.compile(r"CC-(BY(?:-NC)?(?:-SA|-ND)?)-(\d\.\d)(?:-([A-Z]{2}))?")
_SCANCODE = re.compile(r"LicenseRef-scancode-([a-z0-9.-]+)")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_EXPRESSION = re.compile(r"[A-Za-z0-9.+() -]+")
_OPERATORS = ("AND", "OR", "WITH")

#: Duties to hand something on under the same licence.
SHARE_ALIKE = "share-alike"


@dataclass(frozen=True)
class DutyWords:
    """A duty in words: what the licence asks, and what the release does about it."""

    asks: Mapping[Language, str]
    here: Mapping[Language, str]


@functools.cache
def duty_words() -> Mapping[str, DutyWords]:
    """Code of an obligation → its words."""
    text = resources.files("hemicycle.release").joinpath("obligations.csv").read_text("utf-8")
    return {
        row["code"]: DutyWords(
            {"en": row["en"], "fr": row["fr"]}, {"en": row["here_en"], "fr": row["here_fr"]}
        )
        for row in csv.DictReader(io.StringIO(text))
    }


def licence_url(identifier: str) -> str | None:
    """The canonical address of one SPDX identifier; None for a reference that has none."""
    if identifier in _OWN_PAGES:
        return _OWN_PAGES[identifier]
    if commons := _CREATIVE_COMMONS.fullmatch(identifier):
        port = f"{commons[3].lower()}/" if commons[3] else ""
        return f"https://creativecommons.org/licenses/{commons[1].lower()}/{commons[2]}/{port}"
    if scancode := _SCANCODE.fullmatch(identifier):
        return f"https://scancode-licensedb.aboutcode.org/{scancode[1]}.html"
    if identifier.startswith(("LicenseRef-", "DocumentRef-")) or not _IDENTIFIER.fullmatch(identifier):
        return None
    return f"https://spdx.org/licenses/{identifier}.html"


def licence_link(expression: str) -> str:
    """An SPDX expression as Markdown, every identifier linked; anything else as escaped text."""
    if not _EXPRESSION.fullmatch(expression) or len(expression) > 1_000:
        return escape_text(expression)

    def linked(match: re.Match[str]) -> str:
        word = match[0]
        address = None if word in _OPERATORS else licence_url(word)
        return link(address, word) if address else escape_text(word)

    return _IDENTIFIER.sub(linked, expression)


def licence_addresses(expression: str) -> list[str]:
    """The addresses of all identifiers of an expression, in its order."""
    if not _EXPRESSION.fullmatch(expression):
        return []
    words = (w for w in _IDENTIFIER.findall(expression) if w not in _OPERATORS)
    return [address for word in words if (address := licence_url(word))]
