"""The flow: which artefacts a declared project leads to, and what each of them reads.

Each function of these files makes the step of one artefact and hands its room plain paths and values; rooms
know neither the pipeline nor each other. `sources`, `corpora`, `models` and `releases` are the flow of the
design, in its order; `flow` puts them together.

    raw → documents → rights ─┬→ admitted ────────┐
              │               └→ cleared ─┐       │
              └───────────────────────────┴→ annotated → corpus → tokenizer → tokens → order
                                                          ├→ index                       └→ model → evaluation
                                                          └→ roots                                └→ release

What is withdrawn leaves the corpus last, so that tokenizer and order stand (`withdrawn`).
"""

from hemicycle.flow.flow import Flow
from hemicycle.flow.stages import TOKENISED, USES, VERBS, VERSIONS
from hemicycle.flow.texts import fingerprints, normalisation, words_digest

__all__ = ["TOKENISED", "USES", "VERBS", "VERSIONS", "Flow", "fingerprints", "normalisation", "words_digest"]
