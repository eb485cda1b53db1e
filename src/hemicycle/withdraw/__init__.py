"""Withdraw: what was made of a text, what taking it out costs, and what is then said in public.

`find_impact` follows a source or documents through everything the ledger states: corpora, tokens, tokenizers,
indexes, models to the checkpoint, and what was made of those. `find_matches` and
`find_held_out` find where else a text stands.
`redo_cost` is what it takes to train again from the last checkpoint that never read it, and `notice` the page
to publish. Nothing here changes anything: a decision does, and the pipeline.
"""

from hemicycle.withdraw.cost import Cost, redo_cost
from hemicycle.withdraw.impact import Impact, ModelImpact, find_impact
from hemicycle.withdraw.matching import Match, find_held_out, find_matches
from hemicycle.withdraw.notice import notice
from hemicycle.withdraw.target import Target, resolve_target

__all__ = [
    "Cost",
    "Impact",
    "Match",
    "ModelImpact",
    "Target",
    "find_held_out",
    "find_impact",
    "find_matches",
    "notice",
    "redo_cost",
    "resolve_target",
]
