"""A finding: the verdict on one case, out of all its layers.

A text has layers, and is as free as the least free of them: the text itself (its authors' right) and the
edition (who encoded or scanned it). A licence speaks for the layer of whoever states it. A file's own
notice specialises what its origin says in general, and a card's statement is the most general of all; but
a statement that gives more than the one it stands for is a contradiction, put up for review. A distributor
can license nothing that is not his; his statement is evidence, compared with the origin's. A model that
wrote the text is a layer too: its licence binds what it wrote. Of a scan that its library calls public domain
no licence is asked: the term says whether there is a right in it (`layers.py`), and what the library asks by
contract of those who use its files is for a person to read.

Over all layers stands whether the holder reserved mining: a document from the web without evidence of that
is nothing, and prose in terms of use counts as a person read it. Files fetched from an address by a reader of
another kind carry no such evidence; for them the card quotes the holder, who offers them for download.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from hemicycle.project import CardRights
from hemicycle.rights.cases import Case
from hemicycle.rights.layers import PUBLIC_DOMAIN_SCAN
from hemicycle.rights.licences import LONGEST_EXPRESSION, Judgement
from hemicycle.rights.policy import MINING, SEVERITY, USES, Policy, Use, Verdict, reason_of, worst
from hemicycle.rights.term import TermVerdict

#: What a verdict rests on.
Basis = Literal["licence", "term", "licence+term", "none"]


@dataclass(frozen=True)
class Finding:
    """One verdict, with all that it rests on.

    Attributes:
        licence: the expression relied on; of every OR the elected leg.
        explanation: key of `explanations.csv`.
        statements: who states what, as found; two that disagree are both quoted here.
    """

    verdict: Verdict
    obligations: tuple[str, ...]
    licence: str | None
    basis: Basis
    rules: tuple[str, ...]
    free_from: date | None
    safe_from: date | None
    explanation: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class _Layer:
    verdict: Verdict
    explanation: str
    obligations: tuple[str, ...] = ()
    licence: str | None = None
    rules: tuple[str, ...] = ()
    term: bool = False


@dataclass(frozen=True)
class _Stated:
    """Statements by the layer they speak for. `text` is empty where the text stands under its term.

    `general` holds the statements that a more specific one of the same layer (`specific`) stands for, one
    group for each who made them. `scanned`: a scan in the public domain is left to the term.
    """

    text: tuple[str, ...]
    edition: tuple[str, ...]
    specific: tuple[str, ...]
    general: tuple[tuple[str, ...], ...]
    distributor: tuple[str, ...]
    quoted: tuple[str, ...]
    scanned: bool


def find(
    case: Case,
    rights: CardRights,
    policy: Policy,
    judge: Callable[[str], Judgement],
    term: TermVerdict,
    *,
    web: bool = False,
    download: bool = False,
) -> Mapping[Use, Finding]:
    """Judge a case for every use.

    Args:
        rights: what the source's card states.
        web: the source is read from the web, where opt-outs are expressed.
        download: its files are fetched from addresses and are no pages.
        judge: gives the judgement of an expression under `policy`.
        term: the verdict of the authors' term in the jurisdiction and on the day asked about.
    """
    stated = _sort_statements(case.statements, rights)
    findings: dict[Use, Finding] = {}
    for use in USES:
        finding = _find_use(stated, rights, policy, judge, term, use)
        for ceiling, explanation in _ceilings(case, rights, policy, use, web, download):
            finding = _at_most(finding, ceiling, explanation, policy)
        findings[use] = finding
    return findings


def _ceilings(
    case: Case, rights: CardRights, policy: Policy, use: Use, web: bool, download: bool
) -> Iterator[tuple[Verdict, str]]:
    """What nothing may be better than, and why: the source, opt-outs, terms of use, attestation.

    A site's terms reserve mining; those under which a library hands out its scans bind every use.
    """
    reservation, scanned = case.reservation, PUBLIC_DOMAIN_SCAN in case.statements
    if rights.blocked is not None:
        yield "deny", "blocked"
    if use in MINING:
        if web and not reservation:
            yield "deny", "no-opt-out-evidence"
        if reservation == "reserved":
            yield "deny", "opt-out-reserved"
        if reservation == "unread":
            # A policy may read silence as consent, and this is no silence.
            yield worst("review", policy.opt_out_unknown), "opt-out-unread"
        if reservation == "unknown":
            yield policy.opt_out_unknown, "opt-out-unknown"
    if use in MINING or scanned:
        if (web or scanned) and rights.terms is None:
            yield policy.terms_unread, "terms-not-read"
        if use in MINING and download and rights.offered is None:
            yield policy.terms_unread, "download-not-offered"
        if rights.terms is not None:
            yield rights.terms.verdict, "terms-of-use"
    if not (rights.attested_by or "").strip():
        yield policy.unattested, "not-attested"


def _sort_statements(statements: Sequence[tuple[str, str]], rights: CardRights) -> _Stated:
    by: dict[str, set[str]] = {}
    licensed = rights.licence is not None or any(who in ("file", "origin") for who, _ in statements)
    scanned = PUBLIC_DOMAIN_SCAN in statements and (rights.covers == "edition" or not licensed)
    for who, expression in statements:
        if scanned and (who, expression) == PUBLIC_DOMAIN_SCAN:
            continue
        # Who is none of the four known still has a say: his statement binds beside the others.
        layer = who if who in ("origin", "edition", "distributor", "file") else "edition"
        by.setdefault(layer, set()).add(expression)
    card = {rights.licence} if rights.licence is not None else set()
    distributor = by.get("distributor") or ({rights.distributor} if rights.distributor is not None else set())
    quoted = {_quote(who, expression) for who, expression in statements}
    quoted |= {_quote("card", expression) for expression in card}
    if rights.distributor is not None:
        quoted.add(_quote("card (distributor)", rights.distributor))
    if rights.covers == "edition":
        specific = by.get("file", set()) | by.get("edition", set()) | by.get("origin", set())
        text, edition, general = set[str](), specific or card, [card] if specific else []
    else:
        ranked = [s for s in (by.get("file"), by.get("origin"), card) if s]
        specific, general = (ranked[0], ranked[1:]) if ranked else (set[str](), [])
        text, edition = specific, by.get("edition", set())
    return _Stated(
        text=tuple(sorted(text)),
        edition=tuple(sorted(edition)),
        specific=tuple(sorted(specific)),
        general=tuple(tuple(sorted(group)) for group in general if group),
        distributor=tuple(sorted(distributor)),
        quoted=tuple(sorted(quoted)),
        scanned=scanned,
    )


def _quote(who: str, expression: str) -> str:
    return f"{who}: {expression}"[:LONGEST_EXPRESSION]


def _find_use(
    stated: _Stated,
    rights: CardRights,
    policy: Policy,
    judge: Callable[[str], Judgement],
    term: TermVerdict,
    use: Use,
) -> Finding:
    governing = [e for e in (stated.text, stated.edition, stated.text + stated.edition) if e]
    layers = [_licence_layer(expression, judge, use) for expression in (*stated.text, *stated.edition)]
    generated = [_licence_layer(generator.licence, judge, use) for generator in rights.generators]
    if not stated.text:
        layers.insert(0, _Layer(term.verdict, term.explanation, rules=term.rules, term=True))
    if rights.covers == "edition" and not stated.edition and not stated.scanned:
        layers.append(_Layer("deny", "no-edition-licence"))
    if not governing:
        if term.verdict == "allow":
            # A free text: a distributor's statement can only be about his edition of it.
            layers += [_licence_layer(expression, judge, use) for expression in stated.distributor]
        elif rights.covers == "text" and term.free_from is None:
            layers = [_Layer("deny", "distributor-only" if stated.distributor else "no-licence")]
    finding = _combine([*layers, *generated], term, stated.quoted)
    loosened = any(_gives_more(stated.specific, group, judge, use) for group in stated.general)
    if loosened or (governing and stated.distributor and _drifts(governing, stated.distributor, judge, use)):
        finding = _at_most(finding, policy.drift, "licence-drift", policy)
    return finding


def _licence_layer(expression: str, judge: Callable[[str], Judgement], use: Use) -> _Layer:
    judged = judge(expression)[use]
    return _Layer(judged.verdict, judged.reason, judged.obligations, judged.elected, judged.rules)


def _combine(layers: Sequence[_Layer], term: TermVerdict, quoted: tuple[str, ...]) -> Finding:
    """The worst layer decides and explains; the duties of all add up."""
    verdict = worst(*(layer.verdict for layer in layers))
    by_term = any(layer.term for layer in layers)
    relied = list(dict.fromkeys(layer.licence for layer in layers if layer.licence is not None))
    reasons = [layer.explanation for layer in layers if layer.verdict == verdict]
    explanation = reason_of(reasons) if verdict == "review" else reasons[0]
    basis: Basis = "none"
    if relied:
        basis = "licence+term" if by_term else "licence"
    elif by_term:
        basis = "term"
    if verdict == "allow" and basis == "licence+term":
        explanation = "licence-and-term"
    return Finding(
        verdict=verdict,
        obligations=()
        if verdict == "deny"
        else tuple(sorted({o for layer in layers for o in layer.obligations})),
        licence=" AND ".join(f"({e})" if " OR " in e and len(relied) > 1 else e for e in relied) or None,
        basis=basis,
        rules=tuple(sorted({rule for layer in layers for rule in layer.rules})),
        free_from=term.free_from if by_term else None,
        safe_from=term.safe_from if by_term else None,
        explanation=explanation,
        statements=quoted,
    )


def _drifts(
    governing: Sequence[Sequence[str]],
    distributor: Sequence[str],
    judge: Callable[[str], Judgement],
    use: Use,
) -> bool:
    """Whether the distributor's statements mean something else than those of text, edition or both."""
    said = _meaning(distributor, judge, use)
    return said not in [_meaning(expressions, judge, use) for expressions in governing]


def _gives_more(
    specific: Sequence[str], general: Sequence[str], judge: Callable[[str], Judgement], use: Use
) -> bool:
    """Whether the specific statements allow what the general ones do not, or leave out a duty of theirs."""
    verdict, duties = _meaning(specific, judge, use)
    general_verdict, general_duties = _meaning(general, judge, use)
    if verdict != general_verdict:
        return SEVERITY[verdict] < SEVERITY[general_verdict]
    return not general_duties <= duties


def _meaning(
    expressions: Sequence[str], judge: Callable[[str], Judgement], use: Use
) -> tuple[Verdict, frozenset[str]]:
    judged = [judge(expression)[use] for expression in expressions]
    return worst(*(j.verdict for j in judged)), frozenset(o for j in judged for o in j.obligations)


def _at_most(finding: Finding, ceiling: Verdict, explanation: str, policy: Policy) -> Finding:
    """Lower a finding to what the policy grants at most; a worse one stays as it is, and of two reasons for a
    `review` none hides behind the other."""
    if finding.verdict == ceiling == "review":
        return dataclasses.replace(finding, explanation=reason_of([finding.explanation, explanation]))
    if SEVERITY[finding.verdict] >= SEVERITY[ceiling]:
        return finding
    return dataclasses.replace(
        finding,
        verdict=ceiling,
        explanation=explanation,
        obligations=() if ceiling == "deny" else finding.obligations,
        rules=tuple(sorted({*finding.rules, policy.rule})),
    )
