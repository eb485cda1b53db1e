"""Answer for infini-gram, in its own environment: spans and counts of token ids that come on standard input.

    python infini_gram_spans.py INDEX SETTINGS WORD_BEGINS

SETTINGS are those of its engine, as JSON. One JSON list of ids a line in; out, a line of JSON with the
seconds it took and the spans as [first, length, count].
"""

from __future__ import annotations

import json
import sys
import time

from infini_gram.engine import InfiniGramEngine


def main() -> None:
    index, settings, begins = sys.argv[1:]
    engine = InfiniGramEngine(
        index_dir=index, eos_token_id=65533, vocab_size=65534, bow_ids_path=begins, **json.loads(settings)
    )
    print("ready", flush=True)
    for line in sys.stdin:
        ids = json.loads(line)
        began, spent = time.perf_counter(), time.process_time()
        found = engine.attribute(
            input_ids=ids["ids"], delim_ids=[], min_len=ids["min"], max_cnt=2**40, enforce_bow=ids["bow"]
        )
        took = time.perf_counter() - began, time.process_time() - spent
        spans = [[span["l"], span["length"], span["count"]] for span in found["spans"]]
        print(json.dumps([*took, spans]), flush=True)


main()
