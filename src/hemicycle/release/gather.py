"""Gather: compute the facts of a release from statements and artefacts.

Where two artefacts know the same quantity, they are held against each other, and a release whose figures
contradict each other is not made. Rights are read from the tables as they stand today; what the model was
made of, from the statements of its lineage.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from hemicycle.curate.withdrawn import LISTED, WITHDRAWN
from hemicycle.documents import corpus_shards
from hemicycle.errors import IntegrityError
from hemicycle.ledger import Ledger, Statement
from hemicycle.project import Card, Declaration
from hemicycle.release.checks import contamination_of, regurgitation_of
from hemicycle.release.coverage import USES
from hemicycle.release.facts import (
    ANSWERS,
    TOTAL,
    BaseFacts,
    Change,
    CorpusFacts,
    CorpusSource,
    DecisionFacts,
    Duty,
    EvaluationFacts,
    Facts,
    JurisdictionVerdicts,
    LicenceShare,
    ModelFacts,
    Refusal,
    Score,
    SourceFacts,
)


def gather_facts(
    *,
    name: str,
    declaration: Declaration,
    cards: Mapping[str, Card],
    models: Mapping[str, Path],
    statements: Mapping[str, Statement],
    corpora: Mapping[str, Path],
    rights: Mapping[str, Path],
    refused: Mapping[str, Path],
    evaluations: Mapping[str, Path],
    contamination: Mapping[str, Path],
    regurgitation: Mapping[str, Path],
    licence_files: tuple[str, ...],
    covered: pl.DataFrame,
    held_back: pl.DataFrame,
    ledger: Ledger,
    decisions: tuple[DecisionFacts, ...] = (),
) -> Facts:
    """Compute the facts of a release.

    Args:
        models: the released model, then those of the project that it was made from.
        evaluations, contamination, regurgitation: evaluation → folder of each of its artefacts.
        licence_files: of the base, as they stand in the release.
        covered: the table of documents read (`coverage.cover`).
        held_back: the table of documents refused (`coverage.refusals`).
        decisions: those that the release rests on; none where the project is solo.

    Raises IntegrityError where a figure is missing, or where two artefacts contradict each other.
    """
    release = declaration.releases[name]
    model, *before = (_model_facts(m, _statement(statements, "model", m), path) for m, path in models.items())
    for one in (model, *before):
        read = int(covered.filter(pl.col("model") == one.name)["tokens"].sum())
        _agree("tokens read", one.tokens, f"model {one.name}", read, "exposure.parquet")
    gone = pl.concat(
        [_left(folder).select("source", "id").cast(pl.String) for folder in corpora.values()]
    ).unique()
    read_after_all = _distinct(covered.join(gone, on=["source", "id"], how="semi"))
    _agree("withdrawn documents that were read", 0, WITHDRAWN, read_after_all, "exposure.parquet")
    tokens = {corpus: _tokens(corpus, models, declaration, statements) for corpus in corpora}
    corpus_facts = tuple(
        _corpus_facts(
            corpus,
            declaration.corpora[corpus].sources,
            _statement(statements, "corpus", corpus),
            tokens[corpus],
            corpora[corpus],
            refused[corpus],
            held_back,
        )
        for corpus in sorted(corpora)
    )
    sources = tuple(
        _source_facts(source, cards[source], statements, rights[source], declaration, covered, corpus_facts)
        for source in sorted(rights)
    )
    lines = ledger.journal.lines()
    if not lines:
        raise IntegrityError("the ledger has no line", place=str(ledger.journal.path))
    return Facts(
        name=name,
        title=release.title or release.model,
        description=tuple(p for p in (release.description or "").split("\n\n") if p.strip()),
        project=declaration.project.name,
        license=declaration.project.license,
        jurisdictions=tuple(declaration.project.jurisdictions),
        governance=declaration.project.governance,
        languages=tuple(sorted({source.language for source in sources if source.documents})),
        fingerprint=ledger.public_key.fingerprint,
        head=lines[-1].digest,
        journal_lines=len(lines),
        model=model,
        before=tuple(before),
        base=_base_facts(declaration, release.model, statements, licence_files),
        documents=_distinct(covered),
        withdrawn=_distinct(gone),
        sources=sources,
        corpora=corpus_facts,
        licences=_licence_shares(covered),
        duties=_duties(covered),
        evaluations=tuple(
            replace(
                _evaluation_facts(name, folder, release.model),
                contamination=contamination_of(c, release.model) if (c := contamination.get(name)) else None,
                regurgitation=regurgitation_of(r, release.model) if (r := regurgitation.get(name)) else None,
            )
            for name, folder in sorted(evaluations.items())
        ),
        sets_not_checked=_not_checked(declaration, contamination),
        decisions=decisions,
    )


def _not_checked(declaration: Declaration, contamination: Mapping[str, Path]) -> tuple[str, ...]:
    """Evaluation sets that are declared, and were not looked for in the training text of this model."""
    return tuple(
        sorted(
            f"{Path(one.path).name} ({name})"
            for name, evaluation in declaration.evaluations.items()
            if name not in contamination
            for one in evaluation.sets
        )
    )


def _tokens(
    corpus: str, models: Mapping[str, Path], declaration: Declaration, statements: Mapping[str, Statement]
) -> Statement:
    """A corpus in the tokens of the last model that read it."""
    reader = next(model for model in models if corpus in declaration.models[model].read)
    stage = "dialogues" if declaration.models[reader].method == "tune" else "tokens"
    return _statement(statements, stage, f"{corpus}.{declaration.tokenizer_of(reader)}")


def _base_facts(
    declaration: Declaration, model: str, statements: Mapping[str, Statement], files: tuple[str, ...]
) -> BaseFacts | None:
    name = declaration.base_of(model)
    if name is None:
        return None
    statement, declared = _statement(statements, "base", name), declaration.bases[name]
    return BaseFacts(
        name=name,
        digest=statement.digest,
        family=_figure(statement, "family"),
        parameters=_figure(statement, "shape", "parameters"),
        hub=declared.hf.partition("@")[0] if declared.hf else None,
        revision=_figure(statement, "revision"),
        licence=declared.licence,
        stated_licence=_figure(statement, "stated_licence"),
        attested_by=declared.attested_by,
        evidence=tuple(declared.evidence),
        files=files,
    )


def _distinct(covered: pl.DataFrame) -> int:
    """Documents, each once, however many models read it."""
    return covered.select("source", "id").n_unique()


def _statement(statements: Mapping[str, Statement], stage: str, name: str) -> Statement:
    try:
        return statements[f"{stage}/{name}"]
    except KeyError:
        raise IntegrityError(
            f"the lineage holds no statement about {stage} {name}",
            remedy="Run `hemicycle run`, then release again.",
        ) from None


def _figure(statement: Statement, *keys: str) -> Any:
    value: Any = statement.figures
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            what = f"the statement has no figure “{'.'.join(keys)}”"
            raise IntegrityError(what, place=str(statement.subject))
        value = value[key]
    return value


def _agree(what: str, first: int, where: str, second: int, elsewhere: str) -> None:
    if first != second:
        raise IntegrityError(
            f"two figures contradict each other: {what} is {first} in {where} and {second} in {elsewhere}",
            remedy="Build the stage that is wrong again with --force.",
        )


def _model_facts(name: str, statement: Statement, folder: Path) -> ModelFacts:
    path = folder / "training.json"
    try:
        training = json.loads(path.read_bytes())
        shape = training["shape"]
        facts = ModelFacts(
            name=name,
            digest=statement.digest,
            # Models made before there were several families do not say.
            family=shape.get("family", "llama"),
            parameters=_figure(statement, "parameters"),
            layers=shape["layers"],
            width=shape["width"],
            heads=shape["heads"],
            context=shape["context"],
            vocabulary=shape["vocabulary"],
            steps=_figure(statement, "steps"),
            learning_steps=statement.figures.get("learning_steps", _figure(statement, "steps")),
            tokens=_figure(statement, "tokens"),
            bits_per_token=_figure(statement, "training_loss") / math.log(2),
            flop=_figure(statement, "flop"),
        )
        _agree("tokens read", facts.tokens, str(statement.subject), training["tokens"], "training.json")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"the account of training cannot be read ({error!r})", place=str(path)) from None
    return facts


def _corpus_facts(
    name: str,
    declared_sources: list[str],
    corpus: Statement,
    tokens: Statement,
    folder: Path,
    gate: Path,
    held_back: pl.DataFrame,
) -> CorpusFacts:
    admitted = _counts(pl.read_parquet(gate / "admitted.parquet", columns=["source"]), "source")
    refused = _counts(held_back.filter(pl.col("corpus") == name), "source")
    by_source = _figure(corpus, "sources")
    withdrawn = corpus.figures.get("withdrawn", {})
    listed = _counts(_left(folder), "source")
    sources = []
    for source in sorted(by_source):
        figures = by_source[source]
        kept = [p for p in corpus_shards(folder) if p.parent.name == source]
        _agree(
            f"documents of {source} kept",
            figures["documents"],
            str(corpus.subject),
            sum(pq.read_metadata(path).num_rows for path in kept),
            f"kept/{source}",
        )
        _agree(
            f"documents of {source} withdrawn",
            withdrawn.get(source, 0),
            str(corpus.subject),
            listed.get(source, 0),
            WITHDRAWN,
        )
        tokenized = _figure(tokens, "sources").get(source, {"documents": 0, "tokens": 0})
        _agree(
            f"documents of {source} for training",
            figures["train"],
            str(corpus.subject),
            tokenized["documents"],
            str(tokens.subject),
        )
        sources.append(
            CorpusSource(
                source=source,
                admitted=admitted.get(source, 0),
                refused=refused.get(source, 0),
                kept=figures["documents"],
                held_out=figures["held_out"],
                characters=figures["characters"],
                dropped=figures["dropped"],
                why=tuple(sorted(figures["why"].items(), key=lambda entry: (-entry[1], entry[0]))),
                tokens=tokenized["tokens"],
                withdrawn=withdrawn.get(source, 0),
            )
        )
    return CorpusFacts(
        name=name,
        rules=corpus.figures.get("rules", {}),
        sources=tuple(sources),
        refusals=_refusals(held_back.filter(pl.col("corpus") == name)),
        not_obtained=tuple(sorted(set(declared_sources) - set(by_source))),
        emptied="before" in tokens.figures,
    )


def _left(corpus: Path) -> pl.DataFrame:
    """The documents that were withdrawn from a corpus."""
    path = corpus / WITHDRAWN
    return pl.read_parquet(path) if path.is_file() else pl.DataFrame(schema=LISTED.names)


def _counts(frame: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(frame[column].value_counts().iter_rows())


def _refusals(held_back: pl.DataFrame) -> tuple[Refusal, ...]:
    keys = ["source", "verdict", "licence", "explanation"]
    grouped = held_back.group_by(keys).agg(pl.col("id").n_unique().alias("documents"))
    ordered = grouped.sort("source", pl.col("documents") * -1, "verdict", "explanation", "licence")
    return tuple(Refusal(**row) for row in ordered.select(*keys, "documents").to_dicts())


def _source_facts(
    name: str,
    card: Card,
    statements: Mapping[str, Statement],
    rights: Path,
    declaration: Declaration,
    covered: pl.DataFrame,
    corpora: tuple[CorpusFacts, ...],
) -> SourceFacts:
    raw = _statement(statements, "raw", name)
    mine = covered.filter(pl.col("source") == name)
    table = pl.scan_parquet(rights / "rights.parquet")
    as_of = table.select(pl.col("as_of").max()).collect().item()
    hub = card.path.removeprefix("hf:").split("@")[0] if card.path and card.path.startswith("hf:") else None
    return SourceFacts(
        name=name,
        title=card.title,
        publisher=card.publisher,
        attribution=card.attribution,
        stated_licence=card.rights.licence,
        distributor_licence=card.rights.distributor,
        self_stated=_self_stated(table),
        attested_by=card.rights.attested_by,
        evidence=tuple(card.rights.evidence),
        packages=tuple(sorted((raw.figures.get("packages") or {}).items())),
        collected=str(raw.made["ended"])[:10] if "ended" in raw.made else None,
        as_of=as_of or "",
        found=_figure(_statement(statements, "documents", name), "documents"),
        verdicts=_verdicts(table, declaration.project.jurisdictions),
        trained=sum(s.tokens for corpus in corpora for s in corpus.sources if s.source == name),
        documents=_distinct(mine),
        tokens=int(mine["tokens"].sum()),
        licences=_licence_shares(mine),
        language=card.language,
        hub=hub,
    )


def _self_stated(table: pl.LazyFrame) -> int:
    """How many documents have a statement that is not the card's."""
    own = pl.col("statements").list.eval(~pl.element().str.starts_with("card")).list.any()
    return int(table.filter(own).select(pl.col("id").n_unique()).collect().item())


def _verdicts(table: pl.LazyFrame, jurisdictions: list[str]) -> tuple[JurisdictionVerdicts, ...]:
    needed = table.filter(pl.col("use").is_in(USES) & pl.col("jurisdiction").is_in(jurisdictions))
    each = needed.group_by("jurisdiction", "id").agg(
        pl.when((pl.col("verdict") == "allow").all() & (pl.col("use").n_unique() == len(USES)))
        .then(pl.lit("allow"))
        .when((pl.col("verdict") == "deny").any() | (pl.col("use").n_unique() < len(USES)))
        .then(pl.lit("deny"))
        .otherwise(pl.lit("review"))
        .first()
        .alias("verdict")
    )
    counted = each.group_by("jurisdiction", "verdict").agg(pl.len().alias("documents")).collect()
    found = {(j, v): n for j, v, n in counted.select("jurisdiction", "verdict", "documents").iter_rows()}
    return tuple(
        JurisdictionVerdicts(j, *(found.get((j, verdict), 0) for verdict in ("allow", "review", "deny")))
        for j in jurisdictions
    )


def _licence_shares(covered: pl.DataFrame) -> tuple[LicenceShare, ...]:
    grouped = covered.group_by("licence", "basis").agg(
        pl.col("obligations").explode().drop_nulls().unique().sort(),
        pl.struct("source", "id").n_unique().alias("documents"),
        pl.sum("tokens"),
    )
    ordered = grouped.sort(pl.col("tokens") * -1, "licence", "basis", nulls_last=True)
    return tuple(
        LicenceShare(r["licence"], r["basis"], tuple(r["obligations"]), r["documents"], r["tokens"])
        for r in ordered.to_dicts()
    )


def _duties(covered: pl.DataFrame) -> tuple[Duty, ...]:
    """Every obligation of what was read, the most frequent first."""
    columns = ["source", "id", "licence", "tokens", "obligations"]
    each = covered.select(columns).explode("obligations").drop_nulls("obligations")
    grouped = each.group_by("obligations").agg(
        pl.col("licence").drop_nulls().unique().sort().alias("licences"),
        pl.struct("source", "id").n_unique().alias("documents"),
        pl.sum("tokens"),
    )
    ordered = grouped.sort(pl.col("documents") * -1, "obligations")
    return tuple(
        Duty(r["obligations"], tuple(r["licences"]), r["documents"], r["tokens"]) for r in ordered.to_dicts()
    )


def _evaluation_facts(name: str, folder: Path, model: str) -> EvaluationFacts:
    path = folder / "results.json"
    try:
        results = json.loads(path.read_bytes())
        scores = [
            Score(row["name"], row["kind"], row["source"], row["bits_per_byte"], row["low"], row["high"])
            for row in results["rows"]
        ]
        changes = tuple(
            Change(
                *(row[key] for key in ("base", "corpus", "before", "after")),
                *(row[key] for key in ("difference", "low", "high", "differs")),
            )
            for row in results["forgetting"]
            if row["model"] == model
        )
        notes = {language: tuple(results["notes"][language]) for language in ("en", "fr")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"the results cannot be read ({error!r})", place=str(path)) from None
    by_source = [s for s in scores if s.series == model and s.source not in (TOTAL, ANSWERS)]
    return EvaluationFacts(
        name=name,
        totals=tuple(s for s in scores if s.source == TOTAL),
        answers=tuple(s for s in scores if s.source == ANSWERS),
        by_source=tuple(by_source if len(by_source) > 1 else []),
        changes=changes,
        notes=notes,
        picture=(folder / "comparison.png").is_file(),
    )
