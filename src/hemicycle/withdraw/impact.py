"""Impact: everything that was made of a text, as the ledger and the artefacts that stand say it.

Nothing is supposed that is not said to be. A corpus holds a document or does not; a model read it from its
first step to its last as its account of exposure says; a checkpoint after so many steps knows of it if it was
read before. Of an artefact that was deleted since, only the statement is left: it says what it was made from
and no more, and is listed apart where that was of the source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate.withdrawn import WITHDRAWN, rows_withdrawn
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import IntegrityError
from hemicycle.governance import Withdrawn
from hemicycle.ledger import Statement
from hemicycle.ledger.lineage import descendants
from hemicycle.steps import before_withdrawals
from hemicycle.tokens.holes import withdrawn_in
from hemicycle.trace import open_index
from hemicycle.train.kept import kept_steps

#: Stages whose artefacts measure models, on held-out text or by the text they were trained on.
MEASURES = ("evaluation", "before-after", "contamination", "regurgitation")
_COPY = ("duplicate-of", "near-duplicate-of")
_PARTS: tuple[Literal["kept", "dropped"], ...] = ("kept", "dropped")


@dataclass(frozen=True)
class Made:
    """An artefact that a text is in, or that rests on one.

    `latest`: none of its name came after. `declared`: the project still declares one of its name.
    """

    stage: str
    name: str
    artefact: str
    digest: str
    latest: bool
    declared: bool


@dataclass(frozen=True)
class CorpusImpact(Made):
    """Documents of a corpus by what had become of them, and words and characters of those kept."""

    train: int
    held_out: int
    dropped: int
    words: int
    characters: int


@dataclass(frozen=True)
class CopyDecision:
    """A choice between copies that rested on a text: `document` went because `instead` stayed.

    `stays`: the text in question is the copy that went, and the other stays where it is.
    """

    corpus: str
    document: str
    instead: str
    stays: bool


@dataclass(frozen=True)
class TokensImpact(Made):
    documents: int
    tokens: int
    shards: tuple[int, ...]


@dataclass(frozen=True)
class TokenizerImpact(Made):
    """`saw`: whether its text was learnt from it; None where the corpus is no longer here to tell."""

    saw: bool | None


@dataclass(frozen=True)
class ModelImpact(Made):
    """What a model read of a text, and what of it can be kept.

    Attributes:
        base: the touched model that it began from, as ``model NAME``; it is then redone from the beginning.
        supposed: that one was deleted since, so nobody can say any more whether it read the text.
        first, last: steps that read the text, counted from 0; None where the model did not read it itself.
        tokens: that it read of it, `documents` of how many documents.
        checkpoints: steps of all that were kept; touched: of those that know of the text.
        clean: steps of the last that does not; 0: none, from the beginning.
        redo: share of its places, padding included, that are read again from there.
        emptied: nothing else was read, so there is nothing to train it on without the text.
        seconds: that this takes at the speed it was made at, on so many `cards` of `device`.
    """

    base: str | None
    supposed: bool
    steps: int
    first: int | None
    last: int | None
    documents: int
    tokens: int
    checkpoints: tuple[int, ...]
    touched: tuple[int, ...]
    clean: int
    redo: float
    emptied: bool
    seconds: float
    cards: int
    device: str
    joules: float | None

    @property
    def again(self) -> bool:
        """Whether it is made again without the text."""
        return self.latest and self.declared and not self.emptied

    @property
    def redone(self) -> int:
        """Steps that are made again."""
        return self.steps - self.clean


@dataclass(frozen=True)
class Impact:
    """All of it.

    Attributes:
        releases: of such models, by the ledger or by their own account, or with what was measured of it.
        gone: models made of the source and deleted since, of which nobody can say any more what they read,
            and releases of theirs that are not here as they were.
        holding: what holds the text as the publisher gave it, before any corpus.
    """

    corpora: tuple[CorpusImpact, ...] = ()
    copies: tuple[CopyDecision, ...] = ()
    tokens: tuple[TokensImpact, ...] = ()
    tokenizers: tuple[TokenizerImpact, ...] = ()
    indexes: tuple[Made, ...] = ()
    models: tuple[ModelImpact, ...] = ()
    evaluations: tuple[Made, ...] = ()
    releases: tuple[Made, ...] = ()
    gone: tuple[Made, ...] = ()
    holding: tuple[Made, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def summary(self) -> dict[str, Any]:
        """The figures that go into the decision, by artefacts that are in use."""
        latest = [corpus for corpus in self.corpora if corpus.latest]
        return {
            "documents": sum(c.train + c.held_out + c.dropped for c in latest),
            "words": sum(c.words for c in latest),
            "tokens": sum(t.tokens for t in self.tokens if t.latest),
            "models": {
                m.artefact: {"first_step": m.first, "last_step": m.last, "tokens": m.tokens, "clean": m.clean}
                for m in self.models
            },
            "releases": sorted({r.name for r in self.releases}),
        }


def find_impact(
    statements: Sequence[Statement],
    folder_of: Callable[[Statement], Path],
    withdrawn: Withdrawn,
    declared: Collection[tuple[str, str]] = (),
) -> Impact:
    """What was made of the documents of `withdrawn` (source → ids; None: all of it).

    Args:
        statements: those of the ledger, oldest first.
        folder_of: where the artefact of one stands, or stood.
        declared: stage and name of all that the project declares.
    """
    look = _Look(statements, folder_of, withdrawn, declared)
    corpora = [look.corpus(s) for s in look.of("corpus")]
    touched = [c for c in corpora if c.train + c.held_out + c.dropped]
    models = look.models()
    made_of_models = {m.artefact + m.digest for m in models}
    held_out = {c.artefact + c.digest for c in touched if c.held_out}
    indexes = tuple(look.made(s) for s in look.of("index") if look.indexed(s, corpora))
    indexed = {i.artefact + i.digest for i in indexes}
    gone = list(look.deleted())
    deleted = {m.artefact + m.digest for m in gone}
    evaluations = tuple(look.resting(MEASURES, made_of_models | held_out | indexed))
    measured = {e.artefact + e.digest for e in evaluations}
    releases = tuple(look.releases(made_of_models | measured))
    holding = [s for source in withdrawn for s in look.standing if s.subject.name == source]
    return Impact(
        corpora=tuple(touched),
        copies=tuple(one for s in look.of("corpus") for one in look.copies(s)),
        tokens=tuple(t for s in look.of("tokens", "dialogues") if (t := look.tokens(s)).documents),
        tokenizers=tuple(look.tokenizers(corpora)),
        indexes=indexes,
        models=tuple(models),
        evaluations=evaluations,
        releases=releases,
        gone=(*gone, *(r for r in look.resting(("release",), deleted) if not look.stands(r))),
        holding=tuple(look.made(s) for s in holding if s.subject.stage in ("raw", "documents", "annotated")),
    )


class _Look:
    """Statements and the artefacts that stand, looked at for some documents."""

    def __init__(
        self,
        statements: Sequence[Statement],
        folder_of: Callable[[Statement], Path],
        withdrawn: Withdrawn,
        declared: Collection[tuple[str, str]],
    ) -> None:
        self.folder_of, self.withdrawn, self.declared = folder_of, withdrawn, declared
        last = {(s.subject.stage, s.subject.name): s for s in statements}
        self.latest = {id(s) for s in last.values()}
        self.statements = statements
        # Of releases, one a name stands.
        self.standing = [
            s
            for s in statements
            if folder_of(s).is_dir() and (s.subject.stage != "release" or id(s) in self.latest)
        ]

    def of(self, *stages: str) -> list[Statement]:
        return [s for s in self.standing if s.subject.stage in stages]

    def made(self, s: Statement) -> Made:
        return Made(**self._about(s))

    def _about(self, s: Statement) -> dict[str, Any]:
        stage, name = s.subject.stage, s.subject.name
        about = {"stage": stage, "name": name, "artefact": str(s.subject), "digest": s.digest}
        return {**about, "latest": id(s) in self.latest, "declared": (stage, name) in self.declared}

    def stands(self, made: Made) -> bool:
        return any((str(s.subject), s.digest) == (made.artefact, made.digest) for s in self.standing)

    def among(self, table: pa.Table, column: str = "id") -> pa.Array:
        """Which rows, with a column `source`, are of the documents in question."""
        return rows_withdrawn(table, self.withdrawn, column)

    def _rows(self, folder: Path, part: Literal["kept", "dropped"], columns: list[str]) -> Iterator[pa.Table]:
        for path in corpus_shards(folder, part):
            if path.parent.name in self.withdrawn:
                for table in read_batches(path, columns):
                    yield table.filter(self.among(table))

    def corpus(self, s: Statement) -> CorpusImpact:
        counts = dict.fromkeys(("train", "held_out", "dropped", "words", "characters"), 0)
        for rows in self._rows(self.folder_of(s), "kept", ["id", "source", "split", "signals"]):
            held_out = pc.sum(pc.equal(rows["split"], "held-out")).as_py() or 0
            counts["held_out"] += held_out
            counts["train"] += rows.num_rows - held_out
            for name in ("words", "characters"):
                measured = pc.struct_field(rows["signals"], name)
                finite = pc.if_else(pc.is_finite(measured), measured, 0.0)
                counts[name] += int(pc.sum(finite).as_py() or 0)
        for rows in self._rows(self.folder_of(s), "dropped", ["id", "source"]):
            counts["dropped"] += rows.num_rows
        about: dict[str, Any] = {**self._about(s), **counts}
        return CorpusImpact(**about)

    def copies(self, s: Statement) -> Iterator[CopyDecision]:
        """Decisions between copies in which the documents had a part."""
        folder = self.folder_of(s)
        mine = {
            one
            for part in _PARTS
            for rows in self._rows(folder, part, ["id", "source"])
            for one in rows["id"].to_pylist()
        }
        for path in corpus_shards(folder, "dropped") if mine else ():
            for table in read_batches(path, ["id", "why"]):
                for document, whys in zip(table["id"].to_pylist(), table["why"].to_pylist(), strict=True):
                    for kind, _, other in (why.partition(":") for why in whys):
                        if kind in _COPY and (document in mine) != (other in mine):
                            yield CopyDecision(str(s.subject), document, other, stays=document in mine)

    def tokens(self, s: Statement) -> TokensImpact:
        folder = self.folder_of(s)
        table = pq.read_table(folder / "documents.parquet", columns=["id", "source", "shard", "tokens"])
        there = np.array(self.among(table).to_pylist(), bool)
        there[withdrawn_in(folder)] = False
        rows = table.filter(pa.array(there))
        shards = tuple(sorted(set(rows["shard"].to_pylist())))
        return TokensImpact(
            **self._about(s), documents=rows.num_rows, tokens=sum(rows["tokens"].to_pylist()), shards=shards
        )

    def tokenizers(self, corpora: Iterable[CorpusImpact]) -> Iterator[TokenizerImpact]:
        looked = {c.artefact + c.digest: c for c in corpora}
        for s in self.of("tokenizer"):
            read = s.inputs["corpus"]
            corpus = looked.get(read["artefact"] + read["digest"])
            if corpus is None:
                if (saw := self._learnt_from(s, read)) is not None:
                    if saw:
                        yield TokenizerImpact(**self._about(s), saw=True)
                    continue
                # Whether its corpus was of the source, its statement says; what of it, nothing any more.
                made = {
                    id(d) for source in self.withdrawn for d in descendants(self.statements, "raw", source)
                }
                if id(s) in made:
                    yield TokenizerImpact(**self._about(s), saw=None)
                continue
            own = s.declaration["declared"].get("sources")
            if corpus.train and (own is None or set(own) & set(self.withdrawn)):
                yield TokenizerImpact(**self._about(s), saw=True)

    def _learnt_from(self, s: Statement, read: Mapping[str, str]) -> bool | None:
        """Whether a tokenizer of which the corpus is gone learnt from the documents, by the same corpus after
        later withdrawals: what is left of it, and its list of what left; None where these do not tell."""
        own = s.declaration["declared"].get("sources")
        if own is not None and not set(own) & set(self.withdrawn):
            return False
        first = read.get("before", read["digest"])
        for corpus in self.of("corpus"):
            if id(corpus) not in self.latest or before_withdrawals(corpus) != first:
                continue
            if self.corpus(corpus).train:
                return True
            listed = self.folder_of(corpus) / WITHDRAWN
            left = pq.read_table(listed, columns=["id", "source", "split"]) if listed.is_file() else None
            if left is None or "train" not in left.filter(self.among(left))["split"].to_pylist():
                return False
            # It left; whether before the tokenizer learnt or after, shows only where that had all of it.
            return True if read["digest"] == first else None
        return None

    def indexed(self, s: Statement, corpora: Iterable[CorpusImpact]) -> bool:
        """Whether an index holds any of it; of one of an earlier version, whether a corpus of its does."""
        try:
            index = open_index(self.folder_of(s), verify=False)
        except IntegrityError:
            read = {entry["artefact"] + entry["digest"] for entry in s.inputs.values()}
            return any(c.train and c.artefact + c.digest in read for c in corpora)
        return bool(pc.any(self.among(index.documents)).as_py())

    def models(self) -> list[ModelImpact]:
        """Models that read of the documents, and those that began from such models, oldest first."""
        found: dict[str, ModelImpact] = {}
        gone = {one.artefact + one.digest: one for one in self.deleted()}
        for s in self.of("model"):
            base = s.inputs.get("base")
            at = base["artefact"] + base["digest"] if base else ""
            began = found.get(at) or gone.get(at)
            supposed = at in gone or (at in found and found[at].supposed)
            model = self._model(s, f"model {began.name}" if began else None, supposed)
            if began or model.documents:
                found[str(s.subject) + s.digest] = model
        return list(found.values())

    def _model(self, s: Statement, base: str | None, supposed: bool) -> ModelImpact:
        folder, figures = self.folder_of(s), s.figures
        read = pq.read_table(folder / "exposure.parquet").rename_columns({"document": "id"})
        rows = read.filter(self.among(read))
        first, last = (pc.min(rows["first_step"]).as_py(), pc.max(rows["last_step"]).as_py())
        kept = kept_steps(folder)
        steps = int(figures["steps"])
        clean = clean_step(kept, 0 if base else first, steps)
        places = pq.read_table(folder / "figures.parquet", columns=["tokens"])["tokens"].to_pylist()
        again = places[-1] - (places[clean - 1] if clean else 0)
        begun = int(figures.get("resumed_at_step", 0))
        speed = float(figures.get("tokens_per_second") or 0)
        metered = places[-1] - (places[begun - 1] if begun else 0)
        joules = figures.get("joules")
        device = str(figures.get("device", ""))
        return ModelImpact(
            **self._about(s),
            base=base,
            supposed=supposed,
            steps=steps,
            first=first,
            last=last,
            documents=rows.num_rows,
            tokens=sum(rows["tokens"].to_pylist()),
            checkpoints=kept,
            touched=tuple(step for step in kept if base or (first is not None and step > first)),
            clean=clean,
            redo=again / places[-1],
            emptied=0 < rows.num_rows == read.num_rows,
            seconds=again / speed if speed else 0.0,
            cards=int(figures.get("ranks", 1)) if device != "processor" else 1,
            device=device,
            joules=joules * again / metered if joules and metered else None,
        )

    def deleted(self) -> Iterator[Made]:
        """Models that were made of the sources and stand no more."""
        made = {id(d): d for source in self.withdrawn for d in descendants(self.statements, "raw", source)}
        for s in made.values():
            if s.subject.stage == "model" and not self.folder_of(s).is_dir():
                yield self.made(s)

    def resting(self, stages: Sequence[str], on: set[str]) -> Iterator[Made]:
        """Artefacts of these stages, standing or not, of which an input is among `on`."""
        for s in self.statements:
            if s.subject.stage in stages and on & {e["artefact"] + e["digest"] for e in s.inputs.values()}:
                yield self.made(s)

    def releases(self, on: set[str]) -> Iterator[Made]:
        """Releases of which an input is among `on`, and those here that say themselves that one of their
        models read of it, whether or not that one still stands."""
        known = set()
        for one in self.resting(("release",), on):
            known.add(one.digest)
            yield one
        for s in self.of("release"):
            if s.digest not in known and self._published(self.folder_of(s)):
                yield self.made(s)

    def _published(self, release: Path) -> bool:
        for path in (*release.glob("exposure.parquet"), *release.glob("before/*/exposure.parquet")):
            read = pq.read_table(path, columns=["document", "source"])
            if pc.any(self.among(read, "document")).as_py():
                return True
        return False


def clean_step(kept: Iterable[int], first: int | None, steps: int) -> int:
    """Steps of the last checkpoint that knows nothing of what step `first` read, counted from 0; 0: there is
    none. Where nothing was read, the last of all.

    A checkpoint after n steps has read steps 0 to n − 1.
    """
    return max((step for step in kept if step <= (steps if first is None else first)), default=0)
