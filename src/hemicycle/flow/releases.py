"""The step of a release: the model with its dossier, once its licence follows from what it read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.errors import RightsError
from hemicycle.flow.bases import rights_of
from hemicycle.flow.stages import USES, VERSIONS, once, tables, with_role
from hemicycle.governance import Standing
from hemicycle.governance.decisions import seen
from hemicycle.ledger import Statement
from hemicycle.rights.policy import find_policy
from hemicycle.steps import Resolving, Step, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.release.facts import DecisionFacts


@once
def release(flow: Flow, name: str) -> Step:
    """The release of a model: what it was made from counts with it, back to the first model or to a base."""
    release = flow.declaration.releases[name]
    before = flow.declaration.models_behind(release.model)[1:]
    base = flow.declaration.base_of(release.model)
    corpora = flow.declaration.corpora_behind(release.model)
    sources = flow.declaration.sources_behind(release.model)
    evaluations = [n for n, e in flow.declaration.evaluations.items() if release.model in e.models]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.release import make_release
        from hemicycle.rights.lifting import lets_through

        _check_licence(flow, work, base)
        rights = with_role(work.inputs, "rights")
        refused = with_role(work.inputs, "admitted")
        admitted = [folder / "admitted.parquet" for folder in refused.values()]
        behind = flow.gate.behind(
            name,
            [work.statements["model"], *(work.statements[f"model {m}"] for m in before)],
            with_role(work.statements, "rights"),
            lambda source, lifted: lets_through(source, rights[source], admitted, USES, lifted),
        )
        return make_release(
            work.out,
            name=name,
            declaration=flow.declaration,
            cards=flow.project.cards,
            model=work.inputs["model"],
            before={m: work.inputs[f"model {m}"] for m in before},
            base=work.inputs[f"base {base}"] if base is not None else None,
            statements=_lineage(flow, work.statements["model"], work.statements.values()),
            corpora=with_role(work.inputs, "corpus"),
            rights=rights,
            refused=refused,
            evaluations=with_role(work.inputs, "evaluation"),
            contamination=with_role(work.inputs, "contamination"),
            regurgitation=with_role(work.inputs, "regurgitation"),
            ledger=flow.ledger,
            approvals=flow.gate.approvals,
            decisions=_told(flow, behind),
            progress=work.progress,
        )

    inputs: dict[str, Step] = {"model": flow.model(release.model)}
    inputs |= {f"model {m}": flow.model(m) for m in before}
    inputs |= {f"base {base}": flow.base(base)} if base is not None else {}
    inputs |= {f"corpus {c}": flow.corpus(c) for c in corpora}
    inputs |= {f"admitted {c}": flow.admitted(c) for c in corpora}
    inputs |= {f"evaluation {e}": flow.evaluation(e) for e in evaluations}
    inputs |= {f"contamination {e}": flow.contamination(e) for e in evaluations}
    asked = [e for e in evaluations if flow.declaration.evaluations[e].regurgitation.passages]
    inputs |= {f"regurgitation {e}": flow.regurgitation(e) for e in asked}
    inputs |= {f"rights {s}": flow.rights(s) for s in sources}
    # Nothing of it is published but the statement: with it, the root stands in the release's own ledger.
    inputs |= {f"roots {c}": flow.roots(c) for c in corpora}
    project = flow.declaration.project
    declared = {
        "release": release.model_dump(),
        "project": project.model_dump(include={"name", "jurisdictions", "license", "governance"}),
        "cards": {
            s: flow.project.cards[s].model_dump(mode="json", exclude={"path", "digests", "names_model"})
            for s in sources
        },
        "base": flow.declaration.bases[base].model_dump(exclude={"path"}) if base is not None else None,
        # What is declared for other models and was not looked for: the pages say so.
        "other_sets": {
            e: [one.path for one in other.sets]
            for e, other in flow.declaration.evaluations.items()
            if e not in evaluations and other.sets
        },
        "tables": tables("release"),
    }
    checks = ("evaluation", "contamination", "regurgitation")
    may_lack = frozenset(r for r in inputs if r.partition(" ")[0] in ("rights", *checks))

    def resolve(at: Resolving) -> dict[str, Any]:
        verdicts = {s: seen(r) for s, r in with_role(at.statements, "rights").items()}
        measured = {r: s.digest for r, s in at.statements.items() if r.partition(" ")[0] in checks}
        said = {key: declared[key] for key in ("release", "project", "cards", "base")}
        covers = {
            "model": at.statements["model"].digest,
            "release": sha256_json([said, verdicts, measured]),
        }
        figures = at.statements["model"].figures
        summary = {"tokens": figures["tokens"], "sources": sources} | ({"base": base} if base else {})
        flow.gate.require("release", name, covers, summary)
        return {}

    return Step(
        "release",
        name,
        VERSIONS["release"],
        declared,
        build,
        inputs,
        resolve=resolve if flow.gate.declared else None,
        may_lack=may_lack,
        rebuildable=False,
        seals=True,
    )


def _told(flow: Flow, decisions: list[Standing]) -> tuple[DecisionFacts, ...]:
    """Decisions as the pages of a release show them."""
    from hemicycle.release.facts import DecisionFacts, SignerFacts

    return tuple(
        DecisionFacts(
            one.decision.kind,
            one.decision.subject,
            one.decision.reason,
            tuple(
                SignerFacts(s.person, flow.gate.name_of(s.person), s.role, s.entered.date().isoformat())
                for s in one.entry.signed
            ),
        )
        for one in decisions
    )


def _check_licence(flow: Flow, work: Work, base: str | None) -> None:
    """Refuse a licence of the weights that does not follow from what they were made of."""
    if base is not None:
        judged = rights_of(flow, base, work.statements[f"base {base}"].figures["stated_licence"])
        if why := judged.sentences():
            raise RightsError(
                " ".join(why),
                place=flow.project.place("bases", base),
                remedy="Begin from another base; declare the license that this one asks for; or, where only "
                "evidence is missing, have somebody read its licence and put their name to `attested_by`.",
            )
    from hemicycle.rights.aggregate import follows
    from hemicycle.rights.parts import parts_of

    project = flow.declaration.project
    rights, admitted = with_role(work.inputs, "rights"), with_role(work.inputs, "admitted")
    parts = parts_of(rights, admitted, flow.project.cards)
    blockers = follows(project.license, parts, find_policy(project.policy, flow.project.folder))
    if blockers:
        more = f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""
        raise RightsError(
            f"weights under {project.license} do not follow: {blockers[0].en}{more}",
            place=str(flow.project.folder / "hemicycle.toml"),
            remedy=f"Take {blockers[0].part.name} out of the corpus, or declare another license.",
        )


def _lineage(flow: Flow, model: Statement, others: Any) -> dict[str, Statement]:
    """``stage/name`` → statement, for the model, all it stands on, and what else the release shows.

    Where something was withdrawn, a tokenizer was learnt on an earlier corpus of the same name: by that name
    goes the nearest, and the earlier ones stand under their key.
    """
    from hemicycle.ledger import lineage

    every = list(flow.ledger.current().values())
    found = [
        (ancestor.depth, ancestor.statement)
        for statement in [*others, model]
        for ancestor in lineage(every, str(statement.subject))
    ]
    named: dict[str, Statement] = {}
    for _, s in sorted(found, key=lambda each: each[0]):
        if named.setdefault(f"{s.subject.stage}/{s.subject.name}", s) is not s:
            named[f"{s.subject}-{s.digest[:12]}"] = s
    return named
