"""The gate's other half: what people decided on the sources of a project, beside what rights say of them.

Without a `governance.toml` a project is `solo`: the one person who runs it answers for it, no decision is
needed, and everything made says so. With one, a source passes only while a signed decision stands that covers
its verdicts, its texts and its card as they are today; a model is trained, and a release made, only by a
signed decision on just that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError, IntegrityError, RightsError
from hemicycle.governance import (
    GOVERNANCE,
    Clearance,
    Decision,
    Governance,
    Refusal,
    Standing,
    admit_alone,
    admit_decisions,
    admit_governance,
    clearance,
    decisions,
    load_governance,
    load_rules,
    read_entries,
    standings,
)
from hemicycle.governance.admission import check_entered, entered_files
from hemicycle.governance.check import check_decisions
from hemicycle.governance.clock import not_before
from hemicycle.governance.decisions import APPROVALS, FileKind, seen
from hemicycle.governance.in_force import admit_file, in_force, people_in_force
from hemicycle.governance.rules import DecisionKind, Rules
from hemicycle.governance.standing import Lift, lifts_of
from hemicycle.ledger import Ledger, Statement
from hemicycle.project import AUTHORS, Project
from hemicycle.rights.policy import policy_path


class Undecided(RightsError):
    """A decision is needed that does not stand. Whoever is to sign drafts it from what is said here.

    Attributes:
        kind, subject, covers, summary: as those of the decision that is needed.
    """

    def __init__(
        self,
        kind: DecisionKind,
        subject: str,
        covers: Mapping[str, str],
        summary: Mapping[str, Any],
        state: str,
        missing: Sequence[str],
    ) -> None:
        self.kind, self.subject, self.covers, self.summary = kind, subject, covers, summary
        what = f"the training of “{subject}”" if kind == "run" else f"the release “{subject}”"
        to_sign = f"To sign: {', '.join(missing)}, with `hemicycle govern sign {kind} {subject}`."
        super().__init__(f"{what} is not decided: {state}", remedy=to_sign if missing else None)


class Gate:
    """The decisions of one project. `now` is what the clock says, in UTC."""

    def __init__(self, project: Project, ledger: Ledger, now: Callable[[], datetime] | None = None) -> None:
        self.project, self.ledger = project, ledger
        self.now = now or decisions.now_utc
        self.approvals: Path = project.folder / APPROVALS
        self.people_file: Path = project.folder / GOVERNANCE
        self.policy_file: Path = policy_path(project.declaration.project.policy, project.folder)

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
        if not declared and in_force(self.ledger.journal.read()[0], "governance"):
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
        return people_in_force(self.ledger) or load_governance(self.people_file)

    @property
    def rules(self) -> Rules:
        return load_rules(self.governance.rules)

    def admit(self) -> list[Refusal]:
        """Enter what is new and sound of `governance.toml` and `approvals/` into the journal; in a solo
        project, its withdrawals.

        To be called by the one process that writes. What entered before is checked first: what the journal
        says of signers is believed only after their signatures. Then decisions enter by the people in force;
        then a changed file of people and a changed policy, if a decision now says so; then what new people
        signed. Raises RightsError where no decision says so, IntegrityError where something that had entered
        was altered, InputError where the clock is behind the journal.
        """
        if not self.declared:
            return admit_alone(self.ledger, self.approvals, self.now())
        lines = self.ledger.journal.lines()
        check_entered(self.approvals, entered_files(self.ledger.journal))
        for finding in check_decisions(self.ledger, self.approvals):
            raise IntegrityError(finding.why, place=str(self.project.folder / finding.path))
        now = not_before(lines, self.now())
        before = people_in_force(self.ledger)
        if before is not None:
            admit_decisions(self.ledger, self.approvals, before, now)
        governance = admit_governance(self.ledger, self.people_file, self.approvals, now)
        policy = self.policy_file.read_bytes()
        admit_file(self.ledger, "policy", self.policy_file, policy, self.approvals, now)
        self.__dict__.pop("governance", None)
        return admit_decisions(self.ledger, self.approvals, governance, now)

    def refusals(self) -> list[Refusal]:
        """What `admit` would refuse today; nothing is written."""
        return admit_decisions(self.ledger, self.approvals, self.governance, self.now(), enter=False)

    def standings(self) -> list[Standing]:
        """What every decision has come to by now."""
        return standings(read_entries(self.ledger.journal.lines(), self.approvals), self.rules, self.now())

    def withdrawals(self) -> list[Standing]:
        """The withdrawals in force, in the order in which they came into it; they are for good, in a solo
        project too.

        Raises IntegrityError where one that entered was changed or taken away.
        """
        standing = [one for one in self.decided_withdrawals() if one.state == "standing"]
        # One that waited for signatures came into force after others that entered later.
        return sorted(standing, key=lambda one: one.effective or one.entry.entered)

    def decided_withdrawals(self) -> list[Standing]:
        """Every withdrawal that entered, whatever it has come to."""
        lines = self.ledger.journal.lines()
        if not any(line.kind == "decision" for line in lines):
            return []
        check_entered(self.approvals, entered_files(self.ledger.journal))
        rules = self.rules if self.declared else load_rules("default")
        told = standings(read_entries(lines, self.approvals), rules, self.now())
        return [one for one in told if one.decision.kind == "withdraw"]

    def covers(self, source: str, rights: Statement) -> dict[str, str]:
        """What a clearance of a source must have seen, and whose affair it is."""
        return seen(rights) | self.concerned(source)

    def concerned(self, source: str) -> dict[str, str]:
        """Whose affair a source is, as its card says: a decision on it names them, and they do not sign."""
        card = self.project.cards[source]
        return {"author": card.rights.attested_by or "", "publisher": card.publisher or ""}

    def clearances(self, rights: Mapping[str, Statement]) -> dict[str, Clearance]:
        """Source → whether decisions let it pass, given the statement about its verdicts."""
        told = self.standings()
        return {source: clearance(source, self.covers(source, s), told) for source, s in rights.items()}

    def require(
        self, kind: DecisionKind, subject: str, covers: Mapping[str, str], summary: Mapping[str, Any]
    ) -> None:
        """Raise Undecided unless the project is solo, or a decision on just this stands."""
        if not self.declared:
            return
        own = [s for s in self.standings() if (s.decision.kind, s.decision.subject) == (kind, subject)]
        same = [s for s in own if s.decision.covers == covers]
        if any(s.state == "standing" for s in same):
            return
        state = "what was decided is no longer what is to be done" if own else "nobody has signed"
        missing: Sequence[str] = self.rules[kind].needs
        if same:
            state, missing = "signatures are missing", same[-1].missing
            if same[-1].effective is not None:
                state = f"the decision is in force from {same[-1].effective:%Y-%m-%d %H:%M} UTC"
        raise Undecided(kind, subject, covers, summary, state, missing)

    def draft(
        self,
        kind: DecisionKind,
        subject: str,
        covers: Mapping[str, Any],
        reason: str,
        *,
        author: str | None = None,
        publisher: str | None = None,
        expires: str | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> Decision:
        """A decision as of now and of the journal as it stands."""
        return Decision(
            kind=kind,
            subject=subject,
            covers=covers,
            author=author,
            parties=(publisher,) if publisher else (),
            reason=reason,
            head=self.ledger.journal.head,
            made=self.now().isoformat(),
            expires=expires,
            summary=summary or {},
        )

    def draft_file(self, kind: FileKind, reason: str) -> Decision:
        """A decision that the file of people, or the policy, as it lies there, is to be in force."""
        path = self.people_file if kind == "governance" else self.policy_file
        before, digest = in_force(self.ledger.journal.lines(), kind), sha256_file(path)
        if before is None:
            what, remedy = "the first one is signed by nobody", "`hemicycle clear` puts it in force."
            raise DeclarationError(what, place=str(path), remedy=remedy)
        if before.sha256 == digest:
            raise DeclarationError("it is in force already", place=str(path), remedy="Change it, then sign.")
        return self.draft(kind, "project", {kind: digest, "replaces": before.sha256}, reason)

    def behind(
        self,
        release: str,
        models: Sequence[Statement],
        rights: Mapping[str, Statement],
        lifts: Callable[[str, Sequence[Lift]], bool],
    ) -> list[Standing]:
        """The decisions that a release of a model rests on, in the order of their entry.

        Args:
            models: the model, then those of the project that it was made from.
            lifts: whether some document of a source goes on because this is lifted of it. An override that
                once did, and does no more, is nothing a release rests on.
        """
        if not self.declared:
            return []
        clearances = self.clearances(rights).values()
        clearing = {found.decision for found in clearances}
        overriding = {file for found in clearances for file in found.overrides}
        decided = {("run", model.subject.name, model.inputs["order"]["digest"]) for model in models}
        decided.add(("release", release, models[0].digest))

        def counts(one: Standing) -> bool:
            d = one.decision
            if one.entry.file in overriding:
                return lifts(d.subject, lifts_of(one))
            key = {"run": "plan", "release": "model"}.get(d.kind, "")
            return one.entry.file in clearing or (d.kind, d.subject, d.covers.get(key)) in decided

        return [one for one in self.standings() if one.state == "standing" and counts(one)]

    def name_of(self, person: str) -> str:
        """As people know somebody who signed; their id where the file of people has them no more."""
        known = self.governance.people.get(person)
        return known.name if known else person


def summary_of(rights: Statement) -> dict[str, Any]:
    """The figures that the signers of a decision saw."""
    figures = rights.figures
    names = ("documents", "characters", "as_of", "policy", "jurisdictions", "verdicts", "reasons", "rules")
    return {name: figures[name] for name in names if name in figures}


def changes(decision: Decision, covers: Mapping[str, str], rights: Statement) -> list[str]:
    """What is no longer as the signers of a decision saw it, as sentences; empty where nothing is.

    The verdicts come first, then what can have moved them: card, texts, licences, rules, policy, day. Raises
    IntegrityError where the decision's figures are not those of a source.
    """
    try:
        return _changes(decision, covers, rights)
    except (AttributeError, TypeError, ValueError):
        raise IntegrityError(
            "the figures in the decision are not those of a source", place=f"{decision.stem}.json"
        ) from None


def _changes(decision: Decision, covers: Mapping[str, str], rights: Statement) -> list[str]:
    saw, now = decision.summary, summary_of(rights)
    told = []
    for jurisdiction, uses in dict(now.get("verdicts", {})).items():
        for use, counts in uses.items():
            before = saw.get("verdicts", {}).get(jurisdiction, {}).get(use, {})
            for verdict, count in counts.items():
                was = before.get(verdict, {}).get("documents", 0)
                if was != count["documents"]:
                    told.append(
                        f"{use} in {jurisdiction}, {verdict}: {count['documents']} document(s), was {was}"
                    )
    if decision.covers.get("verdicts") != covers["verdicts"] and not told:
        told.append("other documents or other texts under the same counts of verdicts")
    for key, what in (
        ("card", "what the card says of rights was changed"),
        ("publisher", "the card names another publisher"),
        ("authors", f"{AUTHORS} was changed"),
    ):
        if decision.covers.get(key, "") != covers[key]:
            told.append(f"because of evidence: {what}")
    if saw.get("documents") != now.get("documents") or saw.get("characters") != now.get("characters"):
        told.append("because of evidence: the source's documents were changed")
    told += _changed_rows(saw.get("rules", ()), now.get("rules", ()))
    if saw.get("policy") != now.get("policy"):
        told.append(f"because of the policy: {now.get('policy')}, was {saw.get('policy')}")
    if saw.get("as_of") != now.get("as_of") and told:
        told.append(f"because of dates: verdicts of {now.get('as_of')}, were of {saw.get('as_of')}")
    return told


def _changed_rows(saw: Iterable[str], now: Iterable[str]) -> list[str]:
    """Rows of the tables (`licences/MIT@2026-11-22`) that are used no more, anew, or as of another day."""
    before, after = (dict(rule.partition("@")[::2] for rule in rules) for rules in (saw, now))
    told = []
    for row in sorted(before.keys() | after.keys()):
        table, _, name = row.rpartition("/")
        # The policy has a sentence of its own.
        if table == "policy" or before.get(row) == after.get(row):
            continue
        why = f"because of licences: {name}" if table == "licences" else f"because of rules: {row}"
        if row not in before:
            told.append(f"{why} is used now")
        elif row not in after:
            told.append(f"{why} is no longer used")
        else:
            told.append(f"{why} is of {after[row]}, was of {before[row]}")
    return told
