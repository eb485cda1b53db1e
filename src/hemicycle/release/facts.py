"""Facts: all that the pages of a release say, in one frozen object.

A quantity has one place here, and every page takes it from that place; `gather.py` computes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hemicycle.typeset import Language

#: In an evaluation's rows, the source that stands for all of them.
TOTAL = "*"
#: And the one that stands for the answers of held-out conversations.
ANSWERS = "?"


@dataclass(frozen=True)
class ModelFacts:
    """The model as its statement and `training.json` describe it.

    Attributes:
        learning_steps: those of the steps that had anything to learn.
        bits_per_token: training loss over the last twentieth of those, in bits.
        flop: forward and backward, as the train stage counts them.
        digest: of the model artefact as a whole.
    """

    name: str
    digest: str
    family: str
    parameters: int
    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int
    steps: int
    learning_steps: int
    tokens: int
    bits_per_token: float
    flop: int


@dataclass(frozen=True)
class BaseFacts:
    """The model from elsewhere that all began with. What it was trained on is not known.

    Attributes:
        hub, revision: where it came from, and the commit; None where it came from a folder.
        stated_licence: as its README writes it.
        files: its licence and notices, as they stand in the release.
    """

    name: str
    digest: str
    family: str
    parameters: int
    hub: str | None
    revision: str | None
    licence: str | None
    stated_licence: str | None
    attested_by: str | None
    evidence: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class LicenceShare:
    """What was read under one licence (None: under the end of the authors' term) and one basis."""

    licence: str | None
    basis: str
    obligations: tuple[str, ...]
    documents: int
    tokens: int


@dataclass(frozen=True)
class JurisdictionVerdicts:
    """Documents of a source by their worst verdict in one jurisdiction over the uses a release needs."""

    jurisdiction: str
    allow: int
    review: int
    deny: int


@dataclass(frozen=True)
class SourceFacts:
    """One source: what the card states, what was found, what was read.

    Attributes:
        stated_licence, distributor_licence: on the card; files may state their own.
        self_stated: documents for which the files state a licence.
        collected: ISO date on which the files came in, None where the ledger does not say.
        as_of: the day the verdicts are given for.
        found: documents the reader found.
        trained: tokens of the training split, over all corpora of the model.
        documents, tokens: read by the model; a document read twice counts its tokens twice.
        languages: of the documents, BCP 47.
    """

    name: str
    title: str
    publisher: str | None
    attribution: str | None
    stated_licence: str | None
    distributor_licence: str | None
    self_stated: int
    attested_by: str | None
    evidence: tuple[str, ...]
    packages: tuple[tuple[str, str], ...]
    collected: str | None
    as_of: str
    found: int
    verdicts: tuple[JurisdictionVerdicts, ...]
    trained: int
    documents: int
    tokens: int
    licences: tuple[LicenceShare, ...]
    language: str
    hub: str | None

    @property
    def passes(self) -> float:
        """How often a token of the training split was read on average."""
        return self.tokens / self.trained if self.trained else 0.0


@dataclass(frozen=True)
class CorpusSource:
    """One source inside one corpus.

    Attributes:
        why: (rule, documents); a document may break several rules.
        withdrawn: documents that left it after it was made; no other figure but `admitted` counts them.
    """

    source: str
    admitted: int
    refused: int
    kept: int
    held_out: int
    characters: int
    dropped: int
    why: tuple[tuple[str, int], ...]
    tokens: int
    withdrawn: int


@dataclass(frozen=True)
class Refusal:
    """Documents of a source that the gate held back for one reason."""

    source: str
    verdict: str
    licence: str | None
    explanation: str
    documents: int


@dataclass(frozen=True)
class CorpusFacts:
    """One corpus of the model.

    Attributes:
        rules: what the rules of quality that something failed say, by name.
        emptied: its tokens were made before something was withdrawn from it, and emptied where that stood.
    """

    name: str
    rules: Mapping[str, Mapping[str, str]]
    sources: tuple[CorpusSource, ...]
    refusals: tuple[Refusal, ...]
    not_obtained: tuple[str, ...]
    emptied: bool


@dataclass(frozen=True)
class Score:
    """Bits per byte of one series on the held-out text of one source (or `TOTAL`, `ANSWERS`)."""

    series: str
    kind: str
    source: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Change:
    """Bits per byte on the held-out text of a corpus, of what the model began from and of the model.

    Attributes:
        value: after less before; positive is forgotten. Equal to nought as far as is shown where `differs` is
            not true.
    """

    base: str
    corpus: str
    before: float
    after: float
    value: float
    low: float | None
    high: float | None
    differs: bool | None


@dataclass(frozen=True)
class CheckedSet:
    """Items of a set (or held-out documents of a source) by how much of each stands in the training text.

    Attributes:
        part: what was looked for: question, context (the passage it is asked about), or text.
        with_answer: of those that stand there at least in part, how many with an answer beside them; None
            where the set has no answers.
        found: share of all words; None where nothing was judged.
        longest: span, in words.
    """

    name: str
    part: str
    items: int
    clean: int
    partly: int
    contaminated: int
    unjudged: int
    longest: int
    with_answer: int | None
    found: float | None


@dataclass(frozen=True)
class Contamination:
    """What of evaluation sets and of held-out text stands in the training text."""

    sets: tuple[CheckedSet, ...]
    held_out: tuple[CheckedSet, ...]
    notes: Mapping[Language, tuple[str, ...]]


@dataclass(frozen=True)
class Rate:
    """A share, with its interval where there is one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Extraction:
    """What the model gives back after so many tokens of context.

    Attributes:
        by: all passages of the training text; the control, of held-out text; copies; source.
        exact: continuations that are those of the document. within: words in spans of eight or more.
        longest: span, in words.
    """

    by: str
    value: str
    prefix: int
    passages: int
    exact: Rate | None
    within: Rate | None
    longest: int


@dataclass(frozen=True)
class Regurgitation:
    """How much of its training text the model gives back. `target`: tokens that an exact continuation has."""

    rows: tuple[Extraction, ...]
    target: int
    notes: Mapping[Language, tuple[str, ...]]


@dataclass(frozen=True)
class EvaluationFacts:
    """One evaluation: every series on all sources, models on answers, the released model on each source, and
    what it gained and forgot by what it began from; what was checked, None where it was not."""

    name: str
    totals: tuple[Score, ...]
    answers: tuple[Score, ...]
    by_source: tuple[Score, ...]
    changes: tuple[Change, ...]
    notes: Mapping[str, tuple[str, ...]]
    picture: bool
    contamination: Contamination | None = None
    regurgitation: Regurgitation | None = None


@dataclass(frozen=True)
class SignerFacts:
    """Somebody who signed a decision: id and name, role, ISO date on which it entered the journal."""

    id: str
    name: str
    role: str
    on: str


@dataclass(frozen=True)
class DecisionFacts:
    """A decision that the release rests on. `kind`: clear, override, run or release."""

    kind: str
    subject: str
    reason: str
    signers: tuple[SignerFacts, ...]


@dataclass(frozen=True)
class Duty:
    """An obligation of the licences relied on, and how much was read under licences that ask for it."""

    code: str
    licences: tuple[str, ...]
    documents: int
    tokens: int


@dataclass(frozen=True)
class Facts:
    """One release.

    Attributes:
        before: models of the project that the model was made from, the nearest first.
        documents: that any of these models read, each once.
        withdrawn: that left the corpora, each once.
        sets_not_checked: evaluation sets that the project declares for other models only.
    """

    name: str
    title: str
    description: tuple[str, ...]
    project: str
    license: str
    jurisdictions: tuple[str, ...]
    governance: str
    languages: tuple[str, ...]
    fingerprint: str
    head: str
    journal_lines: int
    model: ModelFacts
    before: tuple[ModelFacts, ...]
    base: BaseFacts | None
    documents: int
    withdrawn: int
    sources: tuple[SourceFacts, ...]
    corpora: tuple[CorpusFacts, ...]
    licences: tuple[LicenceShare, ...]
    duties: tuple[Duty, ...]
    evaluations: tuple[EvaluationFacts, ...]
    sets_not_checked: tuple[str, ...]
    decisions: tuple[DecisionFacts, ...]

    @property
    def as_of(self) -> tuple[str, str]:
        """The earliest and the latest day for which verdicts are given."""
        days = [source.as_of for source in self.sources if source.as_of]
        return (min(days), max(days)) if days else ("", "")

    @property
    def tokens(self) -> int:
        """Tokens read, by the model and by those before it; equal to the sum over sources and licences."""
        return sum(model.tokens for model in (self.model, *self.before))
