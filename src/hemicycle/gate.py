"""The gate's other half: what people decided on the sources of a project, beside what rights say of them.

Without a `governance.toml` a project is `solo`: the one person who runs it answers for it, no decision is
needed, and everything made says so. With one, a source passes only while a signed decision stands that covers
its verdicts, its texts and its card as they are today.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, IntegrityError, RightsError
from hemicycle.governance import (
    GOVERNANCE,
    Clearance,
    Decision,
    Governance,
    Refusal,
    Standing,
    admit_decisions,
    admit_governance,
    clearance,
    decisions,
    load_governance,
    load_rules,
    read_entries,
    standings,
)
from hemicycle.governance.admission import governance_in_force
from hemicycle.governance.check import check_decisions
from hemicycle.governance.decisions import APPROVALS, card_digest
from hemicycle.governance.rules import Rules
from hemicycle.ledger import Ledger, Statement
from hemicycle.project import Project


class Gate:
    """The decisions of one project. `now` is what the clock says, in UTC."""

    def __init__(self, project: Project, ledger: Ledger, now: Callable[[], datetime] | None = None) -> None:
        self.project, self.ledger = project, ledger
        self.now = now or decisions.now_utc
        self.approvals: Path = project.folder / APPROVALS
        self.people_file: Path = project.folder / GOVERNANCE

    @property
    def declared(self) -> bool:
        """Whether several people decide. Raises DeclarationError where declaration and files disagree."""
        declared = self.project.declaration.project.governance == "declared"
        place = str(self.project.folder / "hemicycle.toml")
        if declared and not self.people_file.is_file():
            raise DeclarationError(
                f"governance is declared, and there is no {GOVERNANCE}",
                place=place,
                remedy="`hemicycle govern init` writes one.",
            )
        if not declared and self.people_file.is_file():
            raise DeclarationError(
                f"there is a {GOVERNANCE}, and the project declares itself solo",
                place=place,
                remedy='Write governance = "declared" under [project], or delete the file.',
            )
        if not declared and any(line.kind == "governance" for line in self.ledger.journal.read()[0]):
            raise RightsError(
                "several people govern this project, and its declaration says that one does",
                place=place,
                remedy='Write governance = "declared" under [project], and take the file of people back. A '
                "project of one person begins with a ledger of its own.",
            )
        return declared

    @functools.cached_property
    def governance(self) -> Governance:
        """The people in force: those of the file; while a change of it awaits a decision, those before."""
        return governance_in_force(self.ledger) or load_governance(self.people_file)

    @property
    def rules(self) -> Rules:
        return load_rules(self.governance.rules)

    def admit(self) -> list[Refusal]:
        """Enter what is new and sound of `governance.toml` and `approvals/` into the journal.

        To be called by the one process that writes. Decisions enter by the people in force; then a changed
        file of people, if a decision now says so; then what its new people signed. Raises RightsError where
        no decision says so, IntegrityError where something that had entered was altered.
        """
        if not self.declared:
            return []
        now = self.now()
        before = governance_in_force(self.ledger)
        if before is not None:
            admit_decisions(self.ledger, self.approvals, before, now)
        governance = admit_governance(self.ledger, self.people_file, self.approvals, now)
        self.__dict__.pop("governance", None)
        refused = admit_decisions(self.ledger, self.approvals, governance, now)
        # What the journal says of signers is believed only after the signatures themselves.
        for finding in check_decisions(self.ledger, self.approvals):
            raise IntegrityError(finding.why, place=str(self.approvals / finding.file))
        return refused

    def refusals(self) -> list[Refusal]:
        """What `admit` would refuse today; nothing is written."""
        return admit_decisions(self.ledger, self.approvals, self.governance, self.now(), enter=False)

    def standings(self) -> list[Standing]:
        """What every decision has come to by now."""
        return standings(read_entries(self.ledger.journal.lines(), self.approvals), self.rules, self.now())

    def covers(self, source: str, rights: Statement) -> dict[str, str]:
        """What a decision on a source must have seen: verdicts, texts, and what its card says of rights."""
        card = self.project.cards[source]
        return {
            "verdicts": str(rights.figures["verdicts_digest"]),
            "card": card_digest(card.rights.model_dump(mode="json")),
            "author": card.rights.attested_by or "",
            "publisher": card.publisher or "",
        }

    def clearances(self, rights: Mapping[str, Statement]) -> dict[str, Clearance]:
        """Source → whether decisions let it pass, given the statement about its verdicts."""
        told = self.standings()
        return {source: clearance(source, self.covers(source, s), told) for source, s in rights.items()}


def summary_of(rights: Statement) -> dict[str, Any]:
    """The figures that the signers of a decision saw."""
    figures = rights.figures
    names = ("documents", "characters", "as_of", "policy", "jurisdictions", "verdicts", "reasons", "rules")
    return {name: figures[name] for name in names if name in figures}


def changes(decision: Decision, covers: Mapping[str, str], rights: Statement) -> list[str]:
    """What is no longer as the signers of a decision saw it, as sentences; empty where nothing is.

    The verdicts come first, then what can have moved them: card, texts, rules, policy, day.
    """
    seen, now = decision.summary, summary_of(rights)
    told = []
    for jurisdiction, uses in dict(now.get("verdicts", {})).items():
        for use, counts in uses.items():
            before = seen.get("verdicts", {}).get(jurisdiction, {}).get(use, {})
            for verdict, count in counts.items():
                was = before.get(verdict, {}).get("documents", 0)
                if was != count["documents"]:
                    told.append(
                        f"{use} in {jurisdiction}, {verdict}: {count['documents']} document(s), was {was}"
                    )
    if decision.covers.get("verdicts") != covers["verdicts"] and not told:
        told.append("other documents or other texts under the same counts of verdicts")
    if decision.covers.get("card") != covers["card"]:
        told.append("because of evidence: what the card says of rights was changed")
    if seen.get("documents") != now.get("documents") or seen.get("characters") != now.get("characters"):
        told.append("because of evidence: the source's documents were changed")
    before_rules, rules = set(seen.get("rules", ())), set(now.get("rules", ()))
    told += [f"because of rules: {rule} is used now" for rule in sorted(rules - before_rules)]
    told += [f"because of rules: {rule} is no longer used" for rule in sorted(before_rules - rules)]
    if seen.get("policy") != now.get("policy"):
        told.append(f"because of the policy: {now.get('policy')}, was {seen.get('policy')}")
    if seen.get("as_of") != now.get("as_of") and told:
        told.append(f"because of dates: verdicts of {now.get('as_of')}, were of {seen.get('as_of')}")
    return told
