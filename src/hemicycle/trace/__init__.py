"""Trace: from any text to the training documents it matches word for word, with their rights.

The corpus is indexed once as suffix arrays of normalised words (`build_index`), in infini-gram's layout.
`find_spans` gives the longest matches of a text; a `Tracer` adds to them the documents, the right under
which each was used, who cleared its source, and when a model read it. One index serves answers, works,
evaluation items and withdrawals alike: it knows nothing of tokenizers or models.
"""

from hemicycle.trace.answer import Clearance, Trace, TracedDocument, TracedSpan, Tracer, trace
from hemicycle.trace.build import build_index
from hemicycle.trace.folds import NORMALISATION
from hemicycle.trace.index import Index, open_index
from hemicycle.trace.spans import Span, find_spans
from hemicycle.trace.words import split_words

__all__ = [
    "NORMALISATION",
    "Clearance",
    "Index",
    "Span",
    "Trace",
    "TracedDocument",
    "TracedSpan",
    "Tracer",
    "build_index",
    "find_spans",
    "open_index",
    "split_words",
    "trace",
]
