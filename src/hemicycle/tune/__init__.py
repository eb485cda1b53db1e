"""Tune: a model on conversations, so that it answers, or on the text of a trade.

A tuning is a training like any other, from documents to rights to tokens to a model. What is its own is here:
the chat template (`ChatTemplate`), by which a conversation becomes text and its answers are told from its
questions. `hemicycle.tokens.dialogues` makes tokens of it, `hemicycle.train.adapter` the low-rank adapters,
`hemicycle.evaluate.answers` the comparison before and after.
"""

from hemicycle.tune.template import ChatTemplate, Written, load_template
from hemicycle.tune.turns import Turn, turns_of

__all__ = ["ChatTemplate", "Turn", "Written", "load_template", "turns_of"]
