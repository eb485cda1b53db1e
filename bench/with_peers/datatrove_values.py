"""Values of datatrove's own functions over the words of str.split(), for comparison.

    PYTHON bench/with_peers/datatrove_values.py TEXTS.jsonl > VALUES.jsonl

Run by the interpreter of datatrove's environment; each line in and out is a JSON string or object.
"""

from __future__ import annotations

import json
import re
import sys

from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)


def values(text: str) -> dict[str, float]:
    """What its repetition filters compare with their bounds."""
    words = text.split()
    found: dict[str, float] = {}
    for n in (2, 3, 4):
        grams = get_n_grams(words, n)
        found[f"top_ngram({n})"] = find_top_duplicate(grams) / len(text) if grams else 0.0
    for n in range(5, 11):
        found[f"duplicate_ngrams({n})"] = find_all_duplicate(words, n) / len(text)
    lines, paragraphs = re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
    visible = [line for line in text.split("\n") if line.strip() != ""]
    found["duplicate_lines"] = find_duplicates(lines)[0] / len(lines)
    found["duplicate_line_characters"] = find_duplicates(lines)[1] / len(text)
    found["duplicate_paragraphs"] = find_duplicates(paragraphs)[0] / len(paragraphs)
    found["duplicate_paragraph_characters"] = find_duplicates(paragraphs)[1] / len(text)
    without_breaks = find_duplicates(visible)[1] / len(text.replace("\n", ""))
    found["duplicate_line_characters_without_breaks"] = without_breaks
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as texts:
        for line in texts:
            print(json.dumps(values(json.loads(line))))
