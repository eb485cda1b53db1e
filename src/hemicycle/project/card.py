"""The card of a source: one publisher's collection, in `sources/NAME.toml`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator

from hemicycle.documents import Kind
from hemicycle.project.declared import PACKAGE, Declared, PathText


class Terms(Declared):
    """What a person read in a site's terms of use: prose may reserve rights, and no program reads it.

    Attributes:
        sha256: digest of the text as it was read.
        read_on: ISO date.
        verdict: what the reader concluded for training.
        by: who read it.
    """

    url: str
    sha256: str | None = None
    read_on: date
    verdict: Literal["allow", "review", "deny"]
    by: str


class Offer(Declared):
    """The holder's own words by which the files at `urls` are offered for download.

    Attributes:
        url: the page they stand on.
        quote: as they stand there.
        read_on: ISO date.
    """

    url: str
    quote: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    read_on: date


class Generator(Declared):
    """A model that wrote a part of the text; its licence binds what it wrote."""

    name: str
    licence: str


class CardRights(Declared):
    """Under which right a source is used, and who says so.

    Attributes:
        licence: SPDX expression stated by the origin. Absent: nothing is known, so nothing is allowed,
            unless the files state their own (Debian's copyright files do).
        covers: ``text``: the licence is that of the text itself. ``edition``: it covers the encoding
            only, and the text stands under its authors' term of protection.
        distributor: SPDX expression stated by who passes the text on, where it differs.
        attested_by: the person who read the licence at its place and answers for it.
        evidence: where the licence was read.
        terms: what a person read in the terms of use; web sources need it.
        offered: by which words the holder offers the files for download; sources with `urls` need it, unless
            their reader is ``web``.
        generators: models that wrote the text, where it is synthetic.
        blocked: why nothing of the source may be used, whatever is stated.
    """

    licence: str | None = None
    covers: Literal["text", "edition"] = "text"
    distributor: str | None = None
    attested_by: str | None = None
    evidence: list[str] = []
    terms: Terms | None = None
    offered: Offer | None = None
    generators: list[Generator] = []
    blocked: str | None = None


class Card(Declared):
    """One source: one publisher's collection, in `sources/NAME.toml`. Never holds code.

    `tested_on` says what the reader was tried on for this source: files of the publisher's own, or files made
    after the description of their format.

    Exactly one of `path`, `urls`, `packages` says where the files are:
    a folder or file beside the project, addresses on the web, or Debian packages.

    `personal`: data that is masked besides what always is (`curate.personal`). Persons' names are found by
    the spaCy model in the folder `names_model`, in kinds of documents whose policy lets them be masked.
    """

    title: str
    publisher: str | None = None
    reader: str
    path: PathText | None = None
    urls: list[str] | None = None
    packages: list[Annotated[str, StringConstraints(pattern=PACKAGE)]] | None = None
    include: list[PathText] = ["**/*"]
    exclude: list[PathText] = []
    kind: Kind = "other"
    language: str = "fr"
    variety: str | None = None
    attribution: str | None = None
    optional: bool = False
    text_field: str = "text"
    id_field: str = "id"
    extractor: Literal["fast", "careful"] = "careful"
    personal: list[Literal["address", "name"]] = []
    names_model: PathText | None = None
    digests: dict[str, str] = {}
    tested_on: Literal["real", "constructed"] | None = None
    rights: CardRights = CardRights()

    @model_validator(mode="after")
    def _one_place(self) -> Card:
        places = [p for p in ("path", "urls", "packages") if getattr(self, p)]
        if len(places) != 1:
            raise ValueError(
                "needs exactly one of path, urls, packages" + (f", has {places}" if places else "")
            )
        return self

    @model_validator(mode="after")
    def _names(self) -> Card:
        if ("name" in self.personal) != (self.names_model is not None):
            raise ValueError(
                'needs personal = ["name"] and names_model, the folder of a spaCy model of French, or neither'
            )
        return self
