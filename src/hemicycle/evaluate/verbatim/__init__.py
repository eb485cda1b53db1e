"""Verbatim: what stands word for word in the training text, asked twice of the index of that text.

`check_contamination` asks it of evaluation sets and of held-out documents: was what a model is measured on
among what it was trained on? `measure_regurgitation` asks it of what a model writes after prefixes of its
training text: how much of that can be got out again?

Both find verbatim copies only. Paraphrase and translation are found by neither, and every result says so.
"""

from hemicycle.evaluate.verbatim.contamination import check_contamination, check_sets
from hemicycle.evaluate.verbatim.regurgitation import measure_regurgitation

__all__ = ["check_contamination", "check_sets", "measure_regurgitation"]
