"""The declaration: `hemicycle.toml` and the source cards, typed and validated.

Everything here can be read by a lawyer; nothing here is code. A wrong or unknown key is refused with the
file, the line and what was probably meant.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tomli_w
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from hemicycle.documents import Kind
from hemicycle.errors import DeclarationError, did_you_mean, unparsed
from hemicycle.store import write_aside

T = TypeVar("T", bound=BaseModel)

DECLARATION = "hemicycle.toml"
LOCK = "hemicycle.lock"

#: Bytes of a declaration or a card, and dots in one line of it: the time to read a dotted key grows with the
#: square of its parts, and no person writes as much.
LARGEST, MOST_DOTS = 1 << 20, 1_000

#: Characters of a wrong value that an error repeats.
LONGEST_SHOWN = 80

#: The project's own file of authors, for years that sources leave open.
AUTHORS = "authors.csv"

_NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_COUNTRY = r"^[A-Z]{2}(-[A-Z]{2,3})?$"
_PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
_PATH = r"^[^\x00]*$"

#: Names become folder names and command-line words.
Name = Annotated[str, StringConstraints(pattern=_NAME)]

#: Where something lies on this machine, or a pattern of such places.
PathText = Annotated[str, StringConstraints(pattern=_PATH)]

#: Countries a project may be released in, ISO 3166. Each needs rules of its own in `rights/`.
Jurisdiction = Annotated[str, StringConstraints(pattern=_COUNTRY)]

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
    _NAME: "must be a name of lower-case letters, digits, - and _, at most 64",
    _COUNTRY: "must be the code of a country in capitals, such as FR or BE",
    _PACKAGE: "must be the name of a Debian package",
    _PATH: "must be a path, which holds no NUL",
}


class Declared(BaseModel):
    # Strict: pydantic would else read `true` as one layer and "8" as eight. And no share is infinite.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def _count(value: object) -> object:
    """Read “200k”, “3M”, “1.5B”, “2T” as a number of tokens."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kKMBT]?)\s*", value)
    if not match:
        raise ValueError("is not a number of tokens such as 500k, 200M or 3B")
    factor = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}[match[2]]
    return round(float(match[1]) * factor)


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
    packages: list[Annotated[str, StringConstraints(pattern=_PACKAGE)]] | None = None
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


class Corpus(Declared):
    """Documents of some sources, cleaned, filtered, deduplicated; a share is held out for evaluation.

    `rules`: names of sets of rules, or paths of the project's own (`curate.rules`).
    """

    sources: list[Name] = Field(min_length=1)
    held_out: float = Field(default=0.05, ge=0.0, le=0.5)
    rules: list[str] = Field(default=["by-kind"], min_length=1)
    near_duplicates: bool = True

    @field_validator("sources")
    @classmethod
    def _distinct(cls, sources: list[str]) -> list[str]:
        if len(set(sources)) != len(sources):
            raise ValueError("names a source twice")
        return sources


class Tokenizer(Declared):
    """A vocabulary learnt on a corpus: one of its own, of `vocab` tokens, or another's and `add` more.

    Attributes:
        sources: those of the corpus to learn from, such as the ones proven to stay; all where None.
        extends: the folder of the tokenizer to extend, beside the project.
    """

    corpus: Name
    vocab: int | None = Field(default=None, ge=300, le=262_144)
    sources: list[Name] | None = Field(default=None, min_length=1)
    extends: PathText | None = None
    add: int | None = Field(default=None, ge=1, le=262_144)

    @model_validator(mode="after")
    def _own_or_extended(self) -> Tokenizer:
        if (self.vocab is None) == (self.extends is None) or (self.extends is None) != (self.add is None):
            raise ValueError("needs vocab, or extends and add")
        if self.extends is not None and self.extends.startswith("hf:"):
            raise ValueError("extends a folder; fetch the tokenizer's files with `hf download` first")
        return self


class Architecture(Declared):
    """The shape of a model. Left out, `feed_forward` is 8/3 of the width, rounded up to a multiple of 64."""

    kind: Literal["llama"] = "llama"
    layers: int = Field(ge=1, le=512)
    width: int = Field(ge=16, le=65_536)
    heads: int = Field(ge=1, le=512)
    kv_heads: int | None = Field(default=None, ge=1)
    feed_forward: int | None = Field(default=None, ge=16)
    context: int = Field(ge=16, le=1_048_576)

    @model_validator(mode="after")
    def _divides(self) -> Architecture:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if (self.width // self.heads) % 2:
            raise ValueError("width / heads must be even: rotary positions turn pairs of numbers")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        return self


class Budget(Declared):
    """How long to train: minutes of wall clock on this machine, or tokens."""

    minutes: float | None = Field(default=None, gt=0)
    tokens: Annotated[int | None, BeforeValidator(_count)] = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if (self.minutes is None) == (self.tokens is None):
            raise ValueError("needs exactly one of minutes and tokens")
        return self


class Mix(Declared):
    """What a model reads of each corpus: shares by source, language, period or right, relative to their sum.

    No stratum is read more than `epochs` times.
    """

    by: Literal["source", "language", "period", "right"]
    shares: dict[str, Annotated[float, Field(gt=0, le=1e9)]] = Field(min_length=1, max_length=1000)
    epochs: float = Field(default=4.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _periods(self) -> Mix:
        if self.by != "period":
            return self
        spans = []
        for period in self.shares:
            if period == "unstated":
                continue
            years = re.fullmatch(r"(\d{4})-(\d{4})", period, re.ASCII)
            if years is None or years[1] > years[2]:
                raise ValueError(f"“{period}” is no period such as “1789-1914”")
            spans.append((years[1], years[2]))
        spans.sort()
        if any(later[0] <= earlier[1] for earlier, later in itertools.pairwise(spans)):
            raise ValueError("two periods have a year in common")
        return self


class Model(Declared):
    method: Literal["pretrain"] = "pretrain"
    corpora: dict[Name, Annotated[float, Field(gt=0)]] = Field(min_length=1)
    tokenizer: Name
    architecture: Architecture
    budget: Budget
    batch_tokens: int | None = Field(default=None, ge=16)
    mix: Mix | None = None
    seed: int = Field(default=1, ge=0, lt=2**63)


class Evaluation(Declared):
    """Measure models on the held-out documents; `compare` adds model folders from elsewhere."""

    models: list[Name] = Field(min_length=1)
    compare: list[PathText] = []


class Release(Declared):
    model: Name
    title: str | None = None
    description: str | None = None


class StoreLimit(Declared):
    """What the store may hold, where a centre counts files or bytes."""

    files: int | None = Field(default=None, ge=1)
    gigabytes: float | None = Field(default=None, gt=0)


class ProjectTable(Declared):
    name: Name
    jurisdictions: list[Jurisdiction] = Field(min_length=1)
    license: str
    policy: PathText = "default"
    governance: Literal["solo", "declared"] = "solo"
    store: PathText | None = None
    store_limit: StoreLimit = StoreLimit()

    @field_validator("store")
    @classmethod
    def _home(cls, store: str | None) -> str | None:
        try:
            Path(store or "").expanduser()
        except RuntimeError:
            raise ValueError("begins with the home of somebody whom this machine does not know") from None
        return store


class _UnknownNameError(ValueError):
    """A reference to what is not declared, with the keys it stands under: pydantic knows no place of it."""

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


class Declaration(Declared):
    """The whole of `hemicycle.toml`."""

    project: ProjectTable
    corpora: dict[Name, Corpus] = {}
    tokenizers: dict[Name, Tokenizer] = {}
    models: dict[Name, Model] = {}
    evaluations: dict[Name, Evaluation] = {}
    releases: dict[Name, Release] = {}

    @model_validator(mode="after")
    def _references(self) -> Declaration:
        def known(what: str, name: str, table: dict[str, Any], *keys: str) -> None:
            if name not in table:
                hint = did_you_mean(name, table) or f"Declared {what}: {', '.join(table) or 'none'}."
                message = f"{'.'.join(keys)} names {what} “{name}”, which is not declared. {hint}"
                raise _UnknownNameError(message, keys)

        for name, tokenizer in self.tokenizers.items():
            known("corpora", tokenizer.corpus, self.corpora, "tokenizers", name, "corpus")
            sources = dict.fromkeys(self.corpora[tokenizer.corpus].sources)
            for source in tokenizer.sources or ():
                known("sources", source, sources, "tokenizers", name, "sources")
        for name, model in self.models.items():
            known("tokenizers", model.tokenizer, self.tokenizers, "models", name, "tokenizer")
            for corpus in model.corpora:
                known("corpora", corpus, self.corpora, "models", name, "corpora")
            if model.mix and model.mix.by == "source":
                read = {source: None for corpus in model.corpora for source in self.corpora[corpus].sources}
                for source in model.mix.shares:
                    known("sources", source, read, "models", name, "mix", "shares")
        for name, evaluation in self.evaluations.items():
            for model_name in evaluation.models:
                known("models", model_name, self.models, "evaluations", name, "models")
        for name, release in self.releases.items():
            known("models", release.model, self.models, "releases", name, "model")
        return self


class Project:
    """A folder with a `hemicycle.toml`, its cards and its lock."""

    def __init__(self, folder: Path, declaration: Declaration, cards: dict[str, Card]) -> None:
        self.folder = folder
        self.declaration = declaration
        self.cards = cards

    def place(self, *keys: str) -> str:
        """The file of the declaration and the line of a key, for an error."""
        return _place(self.folder / DECLARATION, keys)

    @property
    def name(self) -> str:
        return self.declaration.project.name

    @property
    def build(self) -> Path:
        store = self.declaration.project.store
        return (
            (self.folder / Path(store).expanduser()).resolve() / self.name if store else self.folder / "build"
        )

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a declaration."""
    start = start.resolve()
    for folder in [start, *start.parents]:
        if (folder / DECLARATION).is_file():
            return folder
    raise DeclarationError(
        f"no {DECLARATION} here or above",
        place=str(start),
        remedy="Make a project with `hemicycle new FOLDER`, or name the folder of one.",
    )


def load_project(folder: Path) -> Project:
    """Read and check the declaration and every card that a corpus names."""
    declaration = load_toml(folder / DECLARATION, Declaration)
    _check_law(folder / DECLARATION, declaration.project)
    cards: dict[str, Card] = {}
    cards_folder = folder / "sources"
    for corpus_name, corpus in declaration.corpora.items():
        for source in corpus.sources:
            path = cards_folder / f"{source}.toml"
            if not path.is_file():
                known = sorted(p.stem for p in cards_folder.glob("*.toml"))
                raise DeclarationError(
                    f"source “{source}” has no card sources/{source}.toml",
                    place=_place(folder / DECLARATION, ("corpora", corpus_name, "sources")),
                    remedy=did_you_mean(source, known) or f"Cards present: {', '.join(known) or 'none'}.",
                )
            if source not in cards:
                cards[source] = load_card(path)
    return Project(folder, declaration, cards)


def _check_law(path: Path, project: ProjectTable) -> None:
    """Refuse a country that the rights room has no rule for, and a licence of the weights that is none."""
    from hemicycle.rights.licences import check_expression
    from hemicycle.rights.policy import find_policy
    from hemicycle.rights.term_rules import jurisdictions, rules_for

    known = sorted(code for code, found in jurisdictions().items() if found.rules)
    for country in project.jurisdictions:
        if not rules_for(country):
            raise DeclarationError(
                f"there are no rules of law for “{country}” yet, and what is unknown is not allowed",
                place=_place(path, ("project", "jurisdictions")),
                remedy=f"Known jurisdictions: {', '.join(known)}.",
            )
    find_policy(project.policy, path.parent)
    problem = check_expression(project.license)
    if problem:
        raise DeclarationError(
            problem.what, place=_place(path, ("project", "license")), remedy=problem.remedy
        )


def load_card(path: Path) -> Card:
    """Read and check one source card, its reader and its licence expressions included."""
    from hemicycle.rights.licences import check_expression
    from hemicycle.sources import READERS

    card = load_toml(path, Card)
    if card.reader not in READERS:
        raise DeclarationError(
            f"there is no reader “{card.reader}”",
            place=_place(path, ("reader",)),
            remedy=did_you_mean(card.reader, READERS) or f"Readers: {', '.join(sorted(READERS))}.",
        )
    stated = [(key, getattr(card.rights, key)) for key in ("licence", "distributor")]
    stated += [("generators", generator.licence) for generator in card.rights.generators]
    for key, expression in stated:
        problem = check_expression(expression) if expression is not None else None
        if problem:
            raise DeclarationError(problem.what, place=_place(path, ("rights", key)), remedy=problem.remedy)
    return card


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
    place = _place(path, keys)
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
    if isinstance(context.get("error"), _UnknownNameError):
        return DeclarationError(str(context["error"]), place=_place(path, context["error"].keys))
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
            field = current.model_fields.get(str(key))
            current = field.annotation if field else None
        else:
            arguments = getattr(current, "__args__", ())
            current = arguments[-1] if arguments else None
    if isinstance(current, type) and issubclass(current, BaseModel):
        return set(current.model_fields)
    return set()


def _place(path: Path, keys: tuple[int | str, ...]) -> str:
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


class _LockedModel(Declared):
    of: str
    steps: int = Field(ge=1)
    seed: int = Field(ge=0)
    precision: Literal["bf16", "fp32"]
    compiled: bool
    threads: int = Field(ge=1)


class _LockFile(Declared):
    raw: dict[str, _LockedRaw] = {}
    rights: dict[str, _LockedRights] = {}
    optout: dict[str, _LockedOptOut] = {}
    names: dict[str, _LockedNames] = {}
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
