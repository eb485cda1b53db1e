"""What a model reads, corpus by corpus: its own shares, and what it repeats of what its base read.

A model that goes on with other text forgets the text before. A small share of that text among the new keeps
most of it: Ibrahim et al. 2024 (arXiv 2403.08763) match a training on all text at once with 5 % of it where
the new text is in the same language, and with 25 % where it is in another. What is repeated is what the base
itself read, in its proportions, what it repeated of its own base among it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hemicycle.project import Declaration, Model, Stage


def shares_of(declaration: Declaration, name: str, stage: Stage | None = None) -> dict[str, float]:
    """Corpus → its share of the rows of a stage of a model, replay included; they sum to one."""
    model = declaration.models[name]
    own = _relative((stage.corpora if stage is not None else None) or model.corpora)
    if model.base is None or not model.replay:
        return own
    again = reads(declaration, model.base)
    return {
        corpus: (1 - model.replay) * own.get(corpus, 0.0) + model.replay * again.get(corpus, 0.0)
        for corpus in sorted({*own, *again})
    }


def reads(declaration: Declaration, name: str) -> dict[str, float]:
    """Corpus → its share of all rows that a model reads, over its stages; they sum to one."""
    stages = declaration.models[name].stages or [Stage(name="main", share=1.0)]
    total = math.fsum(stage.share for stage in stages)
    found: dict[str, float] = {}
    for stage in stages:
        for corpus, share in shares_of(declaration, name, stage).items():
            found[corpus] = found.get(corpus, 0.0) + share * stage.share / total
    return dict(sorted(found.items()))


def revocable_sources(tokens: Iterable[Path]) -> list[str]:
    """The sources, in tokens artefacts, whose right may lapse: a document of theirs goes on by a signed
    decision, which can be revoked, or nobody states by what. Licences that were given, and terms that are
    over, stay."""
    import polars as pl

    from hemicycle.rights.cleared import BY_DECISION

    frames = [pl.scan_parquet(folder / "documents.parquet").select("source", "right") for folder in tokens]
    lapses = pl.col("right").is_null() | (pl.col("right") == BY_DECISION)
    found: list[str] = (
        pl.concat(frames).filter(lapses).select("source").unique().collect()["source"].to_list()
    )
    return sorted(found)


def kept_besides(model: Model, plan: Path, tokens: Mapping[str, Path]) -> tuple[int, ...]:
    """The steps of a run after which a checkpoint is kept whatever is declared: of one that reads last what
    may be withdrawn, the last step before that. A replay goes on from there."""
    from hemicycle.tokens import redo_of

    readings = {stage.reading or model.reading for stage in model.stages} or {model.reading}
    if "proven-first" not in readings:
        return ()
    found = redo_of(plan, tokens)
    first = [found[source][0] for source in revocable_sources(tokens.values()) if source in found]
    return (min(first),) if first and min(first) > 0 else ()


def redone(plan: Path, tokens: Mapping[str, Path]) -> dict[str, Any]:
    """What of a run is redone where a source leaves it: source by source, the first to be read first; and
    what is expected where one of the revocable ones does, each as likely as another, None where none is.

    Args:
        tokens: corpus → its tokens artefact; every corpus of the plan.
    """
    from hemicycle.tokens import redo_of

    revocable, found = revocable_sources(tokens.values()), redo_of(plan, tokens)
    shares = [found[source][1] if source in found else 0.0 for source in revocable]
    return {
        "sources": [
            {"source": source, "revocable": source in revocable, "first_step": step, "share": round(share, 6)}
            for source, (step, share) in found.items()
        ],
        "expected": round(math.fsum(shares) / len(shares), 6) if shares else None,
    }


def _relative(shares: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(shares.values())
    return {corpus: share / total for corpus, share in sorted(shares.items())}
