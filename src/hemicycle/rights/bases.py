"""The licence of a base model: what is declared of it, what its maker states, and what both let go out.

A base is judged as a source's card is: without a licence nothing is known and nothing may be released; where
nobody answers for having read it, or where the model's own README says another, the policy decides between
`review` and `deny`, and neither lets a release be made. Its licence is then a part of every model that was
made from it (`aggregate`): a licence with restrictions of use passes on, so that weights made from BLOOM go
out under BLOOM's licence and no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hemicycle.project import Base
from hemicycle.rights.aggregate import Blocker, Part, follows
from hemicycle.rights.explanations import explain
from hemicycle.rights.licences import find_licence
from hemicycle.rights.names import read_name
from hemicycle.rights.policy import Policy, Verdict, worst

DRIFT = "base-licence-drift"


@dataclass(frozen=True)
class BaseRights:
    """What is known of the licence of a base.

    Attributes:
        licence: as declared, an SPDX expression; None where none is.
        stated: as the model's own README writes it; None where it says nothing, or is not here yet.
        verdict: on building a release on it, whatever the licence of that release.
        reasons: keys of `explanations.csv`; empty where it is `allow`.
        blockers: why weights made from it cannot go out under the project's licence.
    """

    name: str
    licence: str | None
    stated: str | None
    verdict: Verdict
    reasons: tuple[str, ...]
    blockers: tuple[Blocker, ...]

    def sentences(self) -> list[str]:
        """Everything that keeps a release from being made of it, in English."""
        told = [blocker.en for blocker in self.blockers]
        for reason in self.reasons:
            both = f" Declared: {self.licence}; there: {self.stated}." if reason == DRIFT else ""
            told.append(f"The base model “{self.name}”: {explain(reason, 'en')}{both}")
        return told

    def line(self, license: str) -> str:
        """The base in one line: its licence, and whether weights made from it may go out under `license`."""
        named = self.licence or "no licence declared"
        known = find_licence(named)
        if named.startswith("LicenseRef-") and known and known.also_called:
            named = f"{known.also_called[0]} ({named})"
        may = "may" if self.verdict == "allow" else "may not"
        return f"base {self.name}: {named}; weights made from it {may} go out under {license}"


def judge_base(name: str, base: Base, stated: str | None, license: str, policy: Policy) -> BaseRights:
    """Judge a base for a project that releases under `license`.

    Args:
        stated: what the model's README says its licence is, None where nothing is known of that.
    """
    verdicts: list[Verdict] = []
    reasons: list[str] = []
    if base.licence is not None and base.attested_by is None:
        verdicts.append(policy.unattested)
        reasons.append("not-attested")
    if base.licence is not None and stated is not None and not _same(base.licence, stated):
        verdicts.append(policy.drift)
        reasons.append(DRIFT)
    blockers = follows(license, [Part(name, "base-model", base.licence)], policy)
    if blockers:
        verdicts.append("deny")
    return BaseRights(name, base.licence, stated, worst("allow", *verdicts), tuple(reasons), tuple(blockers))


def _same(declared: str, stated: str) -> bool:
    """Whether a README's name for a licence, or a family's that has no version, means the declared one.

    A hub's `other` means that the licence is none of its list, on which every one of SPDX's common ones is.
    """
    if stated.strip().lower() == "other":
        return declared.startswith("LicenseRef-")
    name = read_name(stated)
    meant: Sequence[str] = (name.expression,) if name.expression else name.meant
    return read_name(declared).expression in meant
