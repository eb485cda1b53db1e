"""Curate: admitted documents in, a corpus out; every dropped document kept with all its reasons.

Documents are cleaned, measured, filtered by declared rules, split into train and held-out by group, and
freed of exact copies, one batch at a time.
"""

from hemicycle.curate.clean import clean
from hemicycle.curate.corpus import CORPUS, DROPPED, curate
from hemicycle.curate.rules import Rule, load_rules

__all__ = ["CORPUS", "DROPPED", "Rule", "clean", "curate", "load_rules"]
