"""The ledger: what was made, from what, by which code, and who cleared it.

Statement files (in-toto v1) are the truth; the journal chains them by digest; the head of the journal is
signed. `check_project` finds whatever was changed, taken away or slipped in.
"""

from hemicycle.ledger.journal import Journal, Line
from hemicycle.ledger.ledger import Ledger
from hemicycle.ledger.lineage import lineage
from hemicycle.ledger.statements import Statement, Subject
from hemicycle.ledger.verify import Finding, check_project

__all__ = ["Finding", "Journal", "Ledger", "Line", "Statement", "Subject", "check_project", "lineage"]
