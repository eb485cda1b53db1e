"""Governance: who may decide what, decisions signed by several people, and complaints.

`governance.toml` says who holds which role. A decision is a file in `approvals/`, signed by its people's own
SSH keys; it begins to count when it enters the journal (`admit_decisions`), and `standings` says what it has
come to on a day. `clearance` is what the gate asks for a source; people and policy change by decisions too.
Complaints have steps, deadlines and a public register.
"""

from hemicycle.governance.admission import Refusal, admit_alone, admit_decisions, admit_governance
from hemicycle.governance.decisions import Decision, write_decision
from hemicycle.governance.people import GOVERNANCE, Governance, Person, load_governance
from hemicycle.governance.rules import load_rules
from hemicycle.governance.standing import (
    Clearance,
    Standing,
    Withdrawn,
    clearance,
    read_entries,
    standings,
    withdrawn_by,
    withdrawn_texts,
)

__all__ = [
    "GOVERNANCE",
    "Clearance",
    "Decision",
    "Governance",
    "Person",
    "Refusal",
    "Standing",
    "Withdrawn",
    "admit_alone",
    "admit_decisions",
    "admit_governance",
    "clearance",
    "load_governance",
    "load_rules",
    "read_entries",
    "standings",
    "withdrawn_by",
    "withdrawn_texts",
    "write_decision",
]
