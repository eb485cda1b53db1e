"""Evaluate: how well models predict text that was held out, beside what needs no model at all.

`evaluate` measures bits per byte of models, of character n-grams learnt on the same training text and of
xz, on the same blocks of the same documents, with bootstrap intervals and paired differences, and writes
results, blocks and a picture; of models that were taught to answer, the answers of held-out conversations.
What a model forgot of what it began from is measured with it. `table`, `forgetting_table` and `sentences` put
results into words for people.
"""

from hemicycle.evaluate.report import evaluate
from hemicycle.evaluate.wording import ANSWERS, TOTAL, forgetting_table, sentences, table

__all__ = ["ANSWERS", "TOTAL", "evaluate", "forgetting_table", "sentences", "table"]
