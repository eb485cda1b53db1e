"""Curate: cleared documents in, a corpus out; every dropped document kept with all its reasons.

`annotate_source` cleans and measures what rights let through of a source; `make_corpus` judges the measures
by declared rules, holds groups out, and drops copies. Bounds can be moved without reading a text again.
"""

from hemicycle.curate.corpus import CORPUS, DROPPED, make_corpus
from hemicycle.curate.source import annotate_source
from hemicycle.curate.withdrawn import Leaving, leave_out

__all__ = ["CORPUS", "DROPPED", "Leaving", "annotate_source", "leave_out", "make_corpus"]
