"""Withdraw: what was made of a text, what taking it out costs, and what is then said in public.

`look` is what the verb begins with: `resolve_target` finds what is named, `matching` where else its words
stand, `find_impact` follows it through everything the ledger states (corpora, tokens, tokenizers, indexes,
models to the checkpoint, and what was made of those), and `redo_cost` says what it takes to train again from
the last checkpoint that never read it. `decide` says what is still to be decided, and `notice` is the page to
publish. Nothing here changes anything: a decision does, and the pipeline.
"""

from hemicycle.withdraw.cost import Cost, redo_cost
from hemicycle.withdraw.impact import Impact, ModelImpact, find_impact
from hemicycle.withdraw.look import Found, Project, look
from hemicycle.withdraw.matching import Match, Matches
from hemicycle.withdraw.notice import notice
from hemicycle.withdraw.target import Target, resolve_target

__all__ = [
    "Cost",
    "Found",
    "Impact",
    "Match",
    "Matches",
    "ModelImpact",
    "Project",
    "Target",
    "find_impact",
    "look",
    "notice",
    "redo_cost",
    "resolve_target",
]
