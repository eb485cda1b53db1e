"""Look: all that is to be known before a text is withdrawn, and nothing is changed.

What is named, where else its words stand, what was made of it, what it costs to be without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from hemicycle.curate.withdrawn import rows_withdrawn
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import HemicycleError, InputError
from hemicycle.governance import Withdrawn
from hemicycle.ledger import Statement
from hemicycle.progress import QUIET, Progress
from hemicycle.sites import Site
from hemicycle.sources.works import read_work
from hemicycle.trace import open_index
from hemicycle.withdraw.cost import Cost, redo_cost
from hemicycle.withdraw.impact import Impact, find_impact
from hemicycle.withdraw.matching import (
    FORMULA,
    Matches,
    find_among,
    find_matches,
    held_out,
    join_matches,
)
from hemicycle.withdraw.target import Target, resolve_target


@dataclass(frozen=True)
class Project:
    """What is looked through.

    Attributes:
        statements: those of the ledger, oldest first; folder_of: where the artefact of one stands, or stood.
        sources: that are declared; declared: stage and name of all that is.
        sites: of which the costs are known.
        withdrawn: what is already.
    """

    statements: Sequence[Statement]
    folder_of: Callable[[Statement], Path]
    sources: Collection[str]
    declared: Collection[tuple[str, str]]
    sites: Mapping[str, Site]
    withdrawn: Withdrawn = field(default_factory=dict)

    def latest(self, stage: str) -> list[Path]:
        """The folders of what is in use of a stage, of those that are here."""
        made = {s.subject.name: self.folder_of(s) for s in self.statements if s.subject.stage == stage}
        return [folder for folder in made.values() if folder.is_dir()]


@dataclass(frozen=True)
class Found:
    """What a look found. `copies`: other documents with words of the text; None where nothing tells."""

    target: Target
    copies: Matches | None
    impact: Impact
    costs: list[Cost]


def look(
    project: Project, names: Sequence[str] = (), work: Path | None = None, progress: Progress = QUIET
) -> Found:
    """Look for sources and documents by their names, or for the documents that are mostly of a work.

    Raises:
        UnknownNameError: a name is neither a source's nor a document's.
        InputError: no document is mostly of the work, or its file cannot be read.
        HemicycleError: there is no index to look a work up in.
    """
    if work is not None:
        text = read_work(work).text
        matches = _matches(project, lambda: [text], len(text.split()), (), progress)
        if matches is None:
            raise HemicycleError(
                "there is no index to look the work up in", remedy="Run `hemicycle run` first."
            )
        names = [match.id for match in matches.found if match.copies]
        # What is withdrawn is in no index any more: the call that withdrew it may be made again.
        left = find_among(_withdrawn(project), [text], len(text.split()))
        names += [match.id for match in left.found if match.copies and match.id not in names]
        if not names:
            raise _no_match(work, matches)
    target = resolve_target(names, project.sources, project.statements, project.folder_of)
    impact = find_impact(project.statements, project.folder_of, target.withdrawn, project.declared)
    if work is None:
        words = sum(c.words for c in impact.corpora if c.latest)
        words = words or max((c.words for c in impact.corpora), default=0)
        texts = _Texts(project, target.withdrawn)
        matches = _matches(project, texts.read, words, target.names, progress)
        if not texts.seen:
            matches = None
    copies = matches and Matches(
        tuple(m for m in matches.found if m.id not in target.names and m.source not in target.sources),
        matches.formulas,
    )
    costs = [cost for model in impact.models if model.again for cost in redo_cost(model, project.sites)]
    return Found(target, copies, impact, costs)


def _no_match(work: Path, matches: Matches) -> InputError:
    some = [f"{match.id} ({match.of_text:.0%} of the work)" for match in matches.found[:3]]
    common = f"{matches.formulas} runs of its words stand in more than {FORMULA} places, and point at nobody."
    return InputError(
        "no document, trained on or held out, was found to be mostly of this text"
        + (f"; it is in part in {', '.join(some)}" if some else ""),
        place=str(work),
        remedy="Name what is to go by its id; `hemicycle trace --file` shows what parts of it stand where in "
        "what was trained on. Verbatim only." + (f" {common}" if matches.formulas else ""),
    )


def _withdrawn(project: Project) -> Iterator[pa.Table]:
    """Documents that are withdrawn, as the publishers have them today."""
    made = {s.subject.name: s for s in project.statements if s.subject.stage == "documents"}
    for source in project.withdrawn.keys() & made.keys():
        path = project.folder_of(made[source]) / "documents.parquet"
        for table in read_batches(path, ["id", "source", "text"]) if path.is_file() else ():
            yield table.filter(rows_withdrawn(table, project.withdrawn))


class _Texts:
    """The texts of what is in question, each once: as the corpora in use have them; of what is in none of
    them any more, as an earlier one or the source itself has it. `seen`: ids of those that were read."""

    def __init__(self, project: Project, withdrawn: Withdrawn) -> None:
        self._project, self._withdrawn = project, withdrawn
        self.seen: set[str] = set()

    def read(self) -> Iterator[str]:
        self.seen.clear()
        for path in self._files():
            for table in read_batches(path, ["id", "source", "text"]):
                for row in table.filter(rows_withdrawn(table, self._withdrawn)).to_pylist():
                    if row["id"] not in self.seen:
                        self.seen.add(row["id"])
                        yield row["text"]

    def _files(self) -> Iterator[Path]:
        project = self._project
        earlier = [project.folder_of(s) for s in reversed(project.statements) if s.subject.stage == "corpus"]
        corpora = [*project.latest("corpus"), *(folder for folder in earlier if folder.is_dir())]
        for corpus in dict.fromkeys(corpora):
            for path in (*corpus_shards(corpus), *corpus_shards(corpus, "dropped")):
                if path.parent.name in self._withdrawn:
                    yield path
        for s in reversed(project.statements):
            path = project.folder_of(s) / "documents.parquet"
            if s.subject.stage == "documents" and s.subject.name in self._withdrawn and path.is_file():
                yield path


def _matches(
    project: Project,
    texts: Callable[[], Iterable[str]],
    words: int,
    without: Collection[str],
    progress: Progress,
) -> Matches | None:
    """Documents that share much with the texts, in all indexes in use and in what the corpora in use hold
    out; None where there is no index."""
    opened = [open_index(folder, verify=False) for folder in project.latest("index")]
    indexes = [index for index in opened if index.unit == "words"]
    if not indexes:
        return None
    found = [find_matches(index, texts(), words, without=without, progress=progress) for index in indexes]
    found.append(find_among(held_out(project.latest("corpus")), texts(), words, without=without))
    return join_matches(found)
