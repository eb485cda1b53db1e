"""Withdrawn: what stands without a text, made from what stood with it, so that the rest stays where it was.

A corpus is made as ever, and then rows leave it. Tokens are those from before with holes where documents
were, so the order that was planned for them holds. A model is trained again in that order; it goes on from
the last checkpoint that an earlier training kept from before any of the text was read, which gives the same
bits as training from the beginning does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.errors import HemicycleError, IntegrityError, RightsError
from hemicycle.governance.decisions import WHOLE
from hemicycle.ledger import Statement
from hemicycle.ledger.verify import check_files
from hemicycle.progress import Progress
from hemicycle.steps import Step, Work, before_withdrawals, digests_for, key_of
from hemicycle.store import artefact_digest, digest_files, link, list_files
from hemicycle.train.kept import kept_checkpoint, kept_steps

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


def corpus_without(
    flow: Flow, step: Step, work: Work, make: Callable[[Work, Path], dict[str, Any]]
) -> dict[str, Any]:
    """Make a corpus without what is withdrawn of it: from the one with it, where that stands, else from its
    inputs."""
    from hemicycle.curate import Leaving, leave_out

    withdrawn = {
        source: None if named == WHOLE else Leaving(frozenset(named["ids"]), frozenset(named["texts"]))
        for source, named in work.resolved["withdrawn"].items()
    }
    key = key_of(step, {}, digests_for(step, work.statements))
    statement = flow.ledger.current().get(key)
    folder = flow.store.artefact(step.stage, step.name, key)
    if statement is not None and folder.is_dir() and not check_files(folder, statement):
        digest, figures = statement.digest, statement.figures
    else:
        folder = work.scratch / "before"
        shutil.rmtree(folder, ignore_errors=True)
        figures = make(work, folder)
        digest = artefact_digest(digest_files(folder))
    return {**leave_out(folder, work.out, withdrawn, figures), "before": digest}


def tokens_before(flow: Flow, step: Step, work: Work) -> tuple[Path, Statement] | None:
    """The tokens of a corpus from before its last withdrawal, with their statement; None where there was no
    withdrawal since any were made.

    Raises HemicycleError where they were made and are gone, IntegrityError where they were altered.
    """
    corpus = work.statements["corpus"]
    before = before_withdrawals(corpus)
    if before == corpus.digest:
        return None
    current = flow.ledger.current()
    corpora = {
        s.digest
        for s in current.values()
        if (s.subject.stage, s.subject.name) == ("corpus", corpus.subject.name)
        and before_withdrawals(s) == before
    }
    others = digests_for(step, work.statements)
    keys = [key_of(step, {}, {**others, "corpus": digest}) for digest in sorted(corpora - {corpus.digest})]
    made = [current[key] for key in keys if key in current]
    for statement in reversed(sorted(made, key=lambda s: s.made["ended"])):
        folder = flow.store.folder_of(statement.subject)
        if folder.is_dir():
            for finding in check_files(folder, statement):
                raise IntegrityError(finding.what, place=finding.file, remedy="Restore it from a copy.")
            return folder, statement
    if made:
        raise HemicycleError(
            f"a text was withdrawn, and {step} as they were before are gone: nobody can say any more where "
            "their holes are",
            place=str(flow.store.folder_of(made[-1].subject)),
            remedy="Restore that folder from a copy; or declare the corpus under another name: all is then "
            "made of what is left, from the beginning.",
        )
    return None


def tokens_without(work: Work, before: Path, statement: Statement) -> dict[str, Any]:
    """Write tokens again with a hole for each document that is withdrawn."""
    import pyarrow.parquet as pq

    from hemicycle.curate.withdrawn import WITHDRAWN
    from hemicycle.tokens.answers import NAME as ANSWERS
    from hemicycle.tokens.holes import punch, withdrawn_in

    gone = set(pq.read_table(work.inputs["corpus"] / WITHDRAWN, columns=["id"])["id"].to_pylist())
    documents = pq.read_table(before / "documents.parquet", columns=["id", "source", "tokens", "bytes"])
    holed = set(withdrawn_in(before).tolist())
    new = [row for n, row in enumerate(documents.to_pylist()) if row["id"] in gone and n not in holed]
    figures = {key: value for key, value in statement.figures.items() if key != "before"}
    sources = {source: dict(counts) for source, counts in figures["sources"].items()}
    if not new:
        for path in sorted(before.iterdir()):
            link(path, work.out / path.name)
    else:
        punch(before, work.out, [row["id"] for row in new])
    for row in new:
        counts = sources[row["source"]]
        for key, less in (("documents", 1), ("tokens", row["tokens"]), ("bytes", row["bytes"])):
            counts[key] -= less
            figures[key] -= less
    if new and "learnt_tokens" in figures:
        figures["learnt_tokens"] = sum(
            pq.read_table(work.out / ANSWERS, columns=["tokens"])["tokens"].to_pylist()
        )
    figures["bytes_per_token"] = round(figures["bytes"] / max(figures["tokens"], 1), 4)
    left = {source: counts for source, counts in sources.items() if counts["documents"]}
    return {**figures, "sources": left, "before": before_withdrawals(statement)}


def require_text(name: str, plan: Path, tokens: Mapping[str, Path]) -> None:
    """Raise RightsError where holes leave a model, by its plan, nothing to learn."""
    from hemicycle.tokens import Order
    from hemicycle.tokens.holes import WITHDRAWN

    holed = any((folder / WITHDRAWN).is_file() for folder in tokens.values())
    if holed and Order(plan, tokens).first_learnt() is None:
        raise RightsError(
            f"everything that model “{name}” read is withdrawn: it has nothing to learn",
            place=f"hemicycle.toml, [models.{name}]",
            remedy="Take the model and what is made of it out of the declaration, or give it other corpora.",
        )


@dataclass(frozen=True)
class Replay:
    """A training that goes on from an earlier one, from before it read what was withdrawn since.

    Attributes:
        model: folder of the earlier model; `figures`, those of its statement.
        first: the first step that read any of what was withdrawn; `steps` where none did.
        clean: steps of the checkpoints that it kept and that know nothing of it, ascending.
    """

    model: Path
    figures: Mapping[str, Any]
    steps: int
    first: int
    clean: tuple[int, ...]

    @property
    def untouched(self) -> bool:
        """Whether the earlier training read nothing of it: then it is this one, to the bit."""
        return self.first == self.steps

    def take_over(self, name: str, out: Path, progress: Progress) -> dict[str, Any]:
        """The earlier model as this one; returns its figures."""
        progress.say(f"model {name}: it read nothing of what was withdrawn, and stays as it is")
        for file in list_files(self.model):
            (out / file).parent.mkdir(parents=True, exist_ok=True)
            link(self.model / file, out / file)
        return {**self.figures}

    def begin(self, name: str, scratch: Path, progress: Progress) -> None:
        """Lay the last clean checkpoint where the training looks for one, unless it is on its way already."""
        if not self.clean:
            progress.say(
                f"model {name}: what was withdrawn was read from step {self.first} on, and no checkpoint was "
                "kept from before; it is trained from the beginning"
            )
            return
        from hemicycle.train.restore import restore_checkpoint

        step = self.clean[-1]
        if restore_checkpoint(kept_checkpoint(self.model, step), scratch, step):
            progress.say(
                f"model {name}: replayed from the checkpoint of step {step}, the last one kept before step "
                f"{self.first} read what was withdrawn; {self.steps - step} of {self.steps} steps are redone"
            )

    def finish(self, out: Path) -> dict[str, Any]:
        """Keep the checkpoints before the one that was gone on from, and say where the replay began."""
        for step in self.clean[:-1]:
            to = kept_checkpoint(out, step)
            to.mkdir(parents=True, exist_ok=True)
            for path in kept_checkpoint(self.model, step).iterdir():
                link(path, to / path.name)
        return {"replayed_from_step": self.clean[-1] if self.clean else 0}


def find_replay(flow: Flow, name: str, work: Work) -> Replay | None:
    """The earlier training of a model from which most can be kept; None where this one is no other but for
    withdrawals than any that stands.

    Raises IntegrityError where the files of one are not what the ledger says.
    """
    found: list[Replay] = []
    for statement in flow.ledger.current().values():
        if (statement.subject.stage, statement.subject.name) != ("model", name):
            continue
        folder = flow.store.folder_of(statement.subject)
        if not _alike(flow, name, statement, work) or not folder.is_dir():
            continue
        for finding in check_files(folder, statement):
            raise IntegrityError(
                finding.what, place=finding.file, remedy=f"Restore it from a copy; or delete {folder}."
            )
        found.append(_replay(folder, statement, work))
    return max(found, key=lambda one: (one.untouched, one.clean[-1:]), default=None)


def _alike(flow: Flow, name: str, earlier: Statement, work: Work) -> bool:
    """Whether an earlier training was this one but for what was withdrawn since."""
    step = flow.model(name)
    then = {role: entry["digest"] for role, entry in earlier.inputs.items()}
    # The same declaration, run and version; then the same inputs, tokens as they were before withdrawals.
    if key_of(step, work.resolved, then) != earlier.subject.key:
        return False
    tokens = {role for role, source in step.inputs.items() if source.stage in ("tokens", "dialogues")}
    now = {role: before_withdrawals(s) if role in tokens else s.digest for role, s in work.statements.items()}
    for role in tokens & earlier.inputs.keys():
        then[role] = earlier.inputs[role].get("before", then[role])
    return now == then


def _replay(model: Path, statement: Statement, work: Work) -> Replay:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    steps = json.loads((model / "training.json").read_text("utf-8"))["plan"]["steps"]
    read = pq.read_table(model / "exposure.parquet", columns=["document", "first_step"])
    touched = read.filter(pc.is_in(read["document"], value_set=_holes(work)))
    first = pc.min(touched["first_step"]).as_py() if touched.num_rows else steps
    return Replay(
        model, statement.figures, steps, first, tuple(step for step in kept_steps(model) if step <= first)
    )


def _holes(work: Work) -> Any:
    """Ids of all documents that are holes in the tokens of a training."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from hemicycle.tokens.holes import WITHDRAWN

    files = [folder / WITHDRAWN for folder in work.inputs.values() if (folder / WITHDRAWN).is_file()]
    ids = {one for file in files for one in pq.read_table(file, columns=["id"])["id"].to_pylist()}
    return pa.array(sorted(ids), pa.string())
