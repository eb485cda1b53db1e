"""The whole of `hemicycle.toml`: everything in it is named, and every name in it is declared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from hemicycle.errors import did_you_mean
from hemicycle.project.declared import Declared, Jurisdiction, Name, PathText
from hemicycle.project.model import Base, Model


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
        extends: a declared base, or the folder of a tokenizer beside the project.
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


class EvaluationSet(Declared):
    """A set of questions from elsewhere, to be looked for in the training text.

    Attributes:
        path: a file, or a folder of files.
        question, answer: names of the fields that hold each; where left out they are found by their names.
    """

    path: PathText
    question: list[str] = []
    answer: list[str] = []


class Regurgitation(Declared):
    """How much of its training text a model is asked to give back.

    Attributes:
        passages: drawn of the training text, and as many again of held-out documents; 0: it is not measured.
        prefixes: tokens of the document that stand before the model goes on.
    """

    passages: int = Field(default=100, ge=0, le=1_000_000)
    prefixes: list[Annotated[int, Field(ge=1, le=1_048_576)]] = Field(
        default=[16, 32, 64, 128], min_length=1, max_length=20
    )
    seed: int = Field(default=1, ge=0, lt=2**63)


class Evaluation(Declared):
    """Measure models on the held-out documents, beside what they began from; look for what they are measured
    on in their training text, and for that in what they write.

    `compare` adds model folders from elsewhere; `corpora` adds corpora to measure on that no model read, as
    to see what a model forgot of text like that of its base. `sets` are looked for in the training text.
    """

    models: list[Name] = Field(min_length=1)
    corpora: list[Name] = []
    compare: list[PathText] = []
    sets: list[EvaluationSet] = []
    regurgitation: Regurgitation = Regurgitation()


class Release(Declared):
    model: Name
    title: str | None = None
    description: str | None = None


class StoreLimit(Declared):
    """What the store may hold, where a centre counts files or bytes."""

    files: int | None = Field(default=None, ge=1)
    gigabytes: float | None = Field(default=None, gt=0)


class ProjectTable(Declared):
    """The project as a whole.

    `index_memory`: gigabytes that one process may take while it builds an index; its shards are as large as
    that allows.
    """

    name: Name
    jurisdictions: list[Jurisdiction] = Field(min_length=1)
    license: str
    policy: PathText = "default"
    governance: Literal["solo", "declared"] = "solo"
    store: PathText | None = None
    store_limit: StoreLimit = StoreLimit()
    index_memory: float = Field(default=4.0, ge=0.1, le=14.0)

    @field_validator("store")
    @classmethod
    def _home(cls, store: str | None) -> str | None:
        try:
            Path(store or "").expanduser()
        except RuntimeError:
            raise ValueError("begins with the home of somebody whom this machine does not know") from None
        return store


class UnknownReferenceError(ValueError):
    """A reference to what is not declared, with the keys it stands under: pydantic knows no place of it."""

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


class Declaration(Declared):
    """The whole of `hemicycle.toml`."""

    project: ProjectTable
    corpora: dict[Name, Corpus] = {}
    tokenizers: dict[Name, Tokenizer] = {}
    bases: dict[Name, Base] = {}
    models: dict[Name, Model] = {}
    evaluations: dict[Name, Evaluation] = {}
    releases: dict[Name, Release] = {}

    @model_validator(mode="after")
    def _references(self) -> Declaration:
        for name, tokenizer in self.tokenizers.items():
            known("corpora", tokenizer.corpus, self.corpora, "tokenizers", name, "corpus")
            sources = dict.fromkeys(self.corpora[tokenizer.corpus].sources)
            for source in tokenizer.sources or ():
                known("sources", source, sources, "tokenizers", name, "sources")
        for name in self.bases:
            for what, table in (("model", self.models), ("tokenizer", self.tokenizers)):
                if name in table:
                    raise UnknownReferenceError(f"a {what} has this name too", ("bases", name))
        for name, model in self.models.items():
            self._check_base(name, model)
            self._check_reading(name, model)
        for name, model in self.models.items():
            self._check_tokenizer(name, model)
            self._check_replay(name, model)
        for name, evaluation in self.evaluations.items():
            for model_name in evaluation.models:
                known("models", model_name, self.models, "evaluations", name, "models")
            for corpus in evaluation.corpora:
                known("corpora", corpus, self.corpora, "evaluations", name, "corpora")
        for name, release in self.releases.items():
            known("models", release.model, self.models, "releases", name, "model")
        return self

    def _check_base(self, name: str, model: Model) -> None:
        """Raise unless what the model begins from is declared, and is not the model itself."""
        if model.base is None:
            return
        known("models or bases", model.base, {**self.models, **self.bases}, "models", name, "from")
        if model.replay and model.base in self.bases:
            raise UnknownReferenceError(
                f"what the base “{model.base}” was trained on is not known and cannot be replayed; "
                "give a corpus of text like it a share in `corpora`",
                ("models", name, "replay"),
            )
        if name in self.ancestors(name)[1:]:
            raise UnknownReferenceError(f"the model “{name}” begins from itself", ("models", name, "from"))

    def _check_reading(self, name: str, model: Model) -> None:
        """Raise unless the tokenizer, the corpora and the sources that the model names are declared."""
        if model.tokenizer is not None:
            known("tokenizers", model.tokenizer, self.tokenizers, "models", name, "tokenizer")
        for corpus in model.read:
            known("corpora", corpus, self.corpora, "models", name, "corpora")
        sources = {source: None for corpus in model.read for source in self.corpora[corpus].sources}
        for mix in (model.mix, *(stage.mix for stage in model.stages)):
            if mix and mix.by == "source":
                for source in mix.shares:
                    known("sources", source, sources, "models", name, "mix", "shares")

    def _check_replay(self, name: str, model: Model) -> None:
        """Raise where a mix would tell apart what is replayed: it speaks of the model's own corpora."""
        if not model.replay or model.base is None:
            return
        for one in (name, *self.models_behind(model.base)):
            if self.models[one].mix or any(stage.mix for stage in self.models[one].stages):
                raise UnknownReferenceError(
                    f"“{one}” has a mix, and what is replayed cannot follow it; leave `replay` out and give "
                    f"corpora of “{model.base}” a share in `corpora`",
                    ("models", name, "replay"),
                )

    def _check_tokenizer(self, name: str, model: Model) -> None:
        """Raise unless the tokenizer of a model is that of what it begins from, or extends some other."""
        if model.base is None or model.tokenizer is None:
            return
        extends = self.tokenizers[model.tokenizer].extends
        if extends is None and model.tokenizer != self.tokenizer_of(model.base):
            raise UnknownReferenceError(
                f"the weights of “{model.base}” mean nothing to the tokenizer “{model.tokenizer}”, which "
                "does not extend theirs; leave `tokenizer` out to keep that one",
                ("models", name, "tokenizer"),
            )

    def ancestors(self, name: str) -> list[str]:
        """A model, what it begins from, and so on down to a declared base or a model made from nothing."""
        chain = [name]
        while (model := self.models.get(chain[-1])) and model.base and model.base not in chain[1:]:
            chain.append(model.base)
        return chain

    def models_behind(self, name: str) -> list[str]:
        """A model and the models of this project that it was made from, itself first."""
        return [one for one in self.ancestors(name) if one in self.models]

    def base_of(self, name: str) -> str | None:
        """The declared base at the end of a model's ancestors; None where all began from nothing."""
        last = self.ancestors(name)[-1]
        return last if last in self.bases else None

    def corpora_behind(self, name: str) -> list[str]:
        """Every corpus that a model or one it was made from read, sorted: its weights hold all of them."""
        return sorted({corpus for one in self.models_behind(name) for corpus in self.models[one].read})

    def sources_behind(self, name: str) -> list[str]:
        """Every source of `corpora_behind`, sorted."""
        return sorted({source for c in self.corpora_behind(name) for source in self.corpora[c].sources})

    def tokenizer_of(self, name: str) -> str:
        """The tokenizer of a model: its own, or that of what it begins from; a base's bears its name."""
        for one in self.ancestors(name):
            if one in self.bases:
                return one
            if (tokenizer := self.models[one].tokenizer) is not None:
                return tokenizer
        raise AssertionError(f"{name} has no tokenizer")


def known(what: str, name: str, table: Mapping[str, Any], *keys: str) -> None:
    """Raise unless `name`, which stands under `keys`, is in a table of the declaration."""
    if name not in table:
        hint = did_you_mean(name, table) or f"Declared {what}: {', '.join(table) or 'none'}."
        message = f"{'.'.join(keys)} names {what} “{name}”, which is not declared. {hint}"
        raise UnknownReferenceError(message, keys)
