"""Deposits of the open archive HAL: answers of its search API, and full texts saved beside them.

An answer is ``{"response": {"docs": […]}}``; one object of it describes one deposit. Its full text, where one
was collected, is a file under the deposit's id (``hal-01234567.tei.xml``, ``.xml``, ``.txt``, with or without
the version ``v2``, or under `docid`). One document is one full text; a deposit without one gives a document
for each of its abstracts, since abstracts are texts of their own. With a full text the abstracts are left
out: they stand in it. All documents of a deposit are one group.

The trap is the licence: it is one per deposit, by the depositor, and mostly empty. Empty means that nothing
was stated, and nothing is what the document then carries; the API's own terms are no licence of the texts.
An address of Creative Commons without a version is kept as it is (``LicenseRef-CC-BY-unversioned``).

Assumed of the format, to be confirmed: the fields `halId_s`, `docid`, `uri_s`, `title_s`, `authFullName_s`,
`licence_s`, `abstract_s` and ``xx_abstract_s`` (by language), `producedDate_s`, `language_s`; each a value
or a list. Nothing is said of an author's life, so no term of protection can be computed from a deposit.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.documents import Author, Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources import selected_files, tei
from hemicycle.sources.json_files import json_value, words_of_value
from hemicycle.sources.tei_header import licence_expression
from hemicycle.sources.text import bcp47, iso_date, read_utf8
from hemicycle.sources.xml import squeeze

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Language of a text whose record does not tell it.
UNDETERMINED = "und"

_TEXTS = (".tei.xml", ".xml", ".txt")
_UNVERSIONED = re.compile(r"creativecommons\.org/licen[sc]es/(by(?:-(?:nc|nd|sa))*)/?(?:deed[.\w]*)?$")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield the documents of the deposits, answer by answer in the order of their paths.

    Raises:
        InputError: an answer or a text that cannot be read, a deposit that is described in two ways, a text
            that no deposit describes.
    """
    answers: list[Path] = []
    texts: dict[str, list[Path]] = {}
    for path in selected_files(folder, card):
        name = path.name.lower()
        suffix = next((s for s in _TEXTS if name.endswith(s)), None)
        if name.endswith(".json"):
            answers.append(path)
        elif suffix is None:
            raise InputError(
                "the card selects this file, and it is neither an answer (.json) nor a text (.xml, .txt)",
                place=path.relative_to(folder).as_posix(),
                remedy="PDF files are not read: convert them to TEI or text, or name them in `exclude`.",
            )
        else:
            texts.setdefault(re.sub(r"v[0-9]+$", "", name.removesuffix(suffix)), []).append(path)
    seen: dict[str, bytes] = {}
    for path in answers:
        origin = path.relative_to(folder).as_posix()
        for number, record in enumerate(_records(json_value(path, origin), origin), 1):
            place = f"{origin}, record {number}"
            deposit = _Deposit(record, place)
            digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
            if deposit.id in seen:
                if seen[deposit.id] == digest:
                    continue  # pages of an answer may overlap
                raise InputError(
                    f"the deposit {deposit.id} is here a second time, described in another way",
                    place=place,
                    remedy="Keep the later answer, and name the other in `exclude` of the source card.",
                )
            seen[deposit.id] = digest
            yield from deposit.documents(folder, card, texts, origin)
    if texts:
        raise InputError(
            "no deposit among the answers is the one of this text",
            place=min(min(texts.values())).relative_to(folder).as_posix(),
            remedy="Collect its record too: without it, neither author nor licence is known.",
        )


def _records(answer: Any, place: str) -> list[dict[str, Any]]:
    response = answer.get("response") if isinstance(answer, dict) else None
    records = response.get("docs") if isinstance(response, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(
            "this is not an answer of the search: there is no list “docs” in “response”",
            place=place,
            remedy="The archive may have answered with an error: collect it again with wt=json.",
        )
    return records


class _Deposit:
    """One record, with what it says read."""

    def __init__(self, record: dict[str, Any], place: str) -> None:
        self.record, self.place = record, place
        docid = record.get("docid")
        self.docid = str(docid) if isinstance(docid, int | str) and not isinstance(docid, bool) else ""
        self.id = self.first("halId_s") or self.docid
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,80}", self.id):
            raise InputError("the record has neither halId_s nor docid", place=place)
        self.address = self.first("uri_s") or self.id
        self.date = iso_date(self.first("producedDate_s", "publicationDate_s"))
        self.languages = [tag for word in self.all("language_s") if (tag := bcp47(word))]

    def all(self, *keys: str) -> list[str]:
        """The words under the first of the keys that has some; a value alone is a list of one."""
        for key in keys:
            value = self.record.get(key)
            listed = value if isinstance(value, list) else [value]
            if words := [w for one in listed if (w := words_of_value(one, self.place))]:
                return words
        return []

    def first(self, *keys: str) -> str:
        return next(iter(self.all(*keys)), "")

    def documents(
        self, folder: Path, card: Card, texts: dict[str, list[Path]], origin: str
    ) -> Iterator[Document]:
        found = [
            path
            for key in {re.sub(r"v[0-9]+$", "", self.id.lower()), self.docid.lower()}
            for path in texts.pop(key, ())
        ]
        if len(found) > 1:
            raise InputError(
                f"the deposit {self.id} has several texts: {', '.join(sorted(p.name for p in found))}",
                place=self.place,
                remedy="Keep one version, and name the others in `exclude` of the source card.",
            )
        full = self._full_text(folder, card, found[0]) if found else None
        if full is not None:
            yield full
            return
        for number, (language, words) in enumerate(self._abstracts(), 1):
            text = "\n\n".join(filter(None, map(squeeze, re.split(r"\n[ \t]*\n", words))))
            if text:
                yield self._document(
                    f"{origin}#{self.id}/abstract-{number}",
                    text,
                    (Part(0, len(text), self.address, "paragraph"),),
                    language,
                    identity=f"hal:{self.id}/abstract-{number}",
                )

    def _abstracts(self) -> Iterator[tuple[str | None, str]]:
        """Language and words of each abstract, each once."""
        told = {
            words: key[:2]
            for key in sorted(self.record)
            if re.fullmatch(r"[a-z]{2}_abstract_s", key)
            for words in self.all(key)
        }
        plain = dict.fromkeys(self.all("abstract_s"))
        only = self.languages[0] if len(self.languages) == 1 and len({*told, *plain}) == 1 else UNDETERMINED
        for words in dict.fromkeys([*plain, *told]):
            yield told.get(words, only), words

    def _full_text(self, folder: Path, card: Card, path: Path) -> Document | None:
        """The document of a full text; None for a file of TEI that holds a header and no text."""
        place = path.relative_to(folder).as_posix()
        language = self.languages[0] if len(self.languages) == 1 else UNDETERMINED
        identity = f"hal:{self.id}"
        if path.suffix.lower() == ".txt":
            text = read_utf8(path, place)
            if not text.strip():
                return None
            part = Part(0, len(text), self.address)
            return self._document(f"{place}#{self.id}", text, (part,), language, identity)
        one = card.model_copy(update={"include": [glob.escape(place)], "exclude": []})
        found = [document for document in tei.read(folder, one) if document.text]
        if len(found) > 1:
            raise InputError("the file holds several texts, and the deposit is one", place=place)
        if not found:
            return None
        parts = tuple(replace(p, anchor=p.anchor or self.address) for p in found[0].parts)
        made = self._document(
            f"{place}#{self.id}", found[0].text, parts, found[0].language or language, identity
        )
        return replace(made, licences=made.licences + found[0].licences)

    def _document(
        self, origin: str, text: str, parts: tuple[Part, ...], language: str | None, identity: str
    ) -> Document:
        year = int(self.date[:4]) if self.date else None
        return Document(
            origin=origin,
            text=text,
            parts=parts,
            title=squeeze(self.first("title_s")) or None,
            authors=tuple(
                Author(squeeze(name), published=year) for name in dict.fromkeys(self.all("authFullName_s"))
            ),
            date=self.date,
            language=language,
            kind="other",
            licences=tuple(
                StatedLicence("origin", deposit_licence(words), f"{self.address}, licence_s: {words[:200]}")
                for words in self.all("licence_s")
            ),
            id=identity,
            group=f"hal:{self.id}",
        )


def deposit_licence(words: str) -> str:
    """What a deposit states, as an expression: SPDX where it is one, else a LicenseRef that is denied."""
    lowered = words.strip().lower()
    if expression := licence_expression(lowered):
        return expression
    if unversioned := _UNVERSIONED.search(lowered.split("#")[0].split("?")[0]):
        return f"LicenseRef-CC-{unversioned[1].upper()}-unversioned"
    for known, expression in _table():
        if known in lowered:
            return expression
    return "LicenseRef-hal-" + (re.sub(r"[^A-Za-z0-9.]+", "-", words)[:80].strip("-.") or "unreadable")


@cache
def _table() -> tuple[tuple[str, str], ...]:
    table = tomllib.loads(Path(__file__).with_name("hal_licences.toml").read_text("utf-8"))
    return tuple((words, entry["expression"]) for entry in table["licence"] for words in entry["words"])
