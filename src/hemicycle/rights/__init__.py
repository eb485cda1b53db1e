"""Rights: whether a document may be used, where, for what, and why.

A verdict is `allow`, `review` or `deny` for one document, jurisdiction and use. It comes from dated
tables (licences, terms of protection, the policy) and from what the source, its card and its files state;
it names the rules it used and the day it holds for. What is unknown is never allowed, and no verdict
depends on the order of the documents.

`decide` judges the documents of a source, `admit` is the gate, `check_expression` reads a licence and
`explain` puts a verdict into words; `hemicycle.rights.term` knows when authors' rights end.
"""

from hemicycle.rights.admit import admit
from hemicycle.rights.decide import decide
from hemicycle.rights.explanations import explain
from hemicycle.rights.licences import Problem, check_expression, judge_expression
from hemicycle.rights.policy import USES, Policy, default_policy, load_policy

__all__ = [
    "USES",
    "Policy",
    "Problem",
    "admit",
    "check_expression",
    "decide",
    "default_policy",
    "explain",
    "judge_expression",
    "load_policy",
]
