"""Measures of quality in columns, beside the same measures row by row in Python, values compared.

python bench/curate.py [FILE ...]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl

from hemicycle.curate import load_rules
from hemicycle.curate.rules import FRENCH_WORDS, annotate
from interleaved import ratio

SITTINGS = Path(__file__).resolve().parents[1] / "examples" / "petit-hemicycle" / "sittings"
WORD = re.compile(r"[^\W\d_]+['’]|[^\W_]+(?:-[^\W_]+)*")
FRENCH = set(FRENCH_WORDS)


def row_by_row(text: str) -> dict[str, float]:
    words = WORD.findall(text)
    lines = [line for line in text.split("\n") if line.strip()]
    visible = sum(not c.isspace() for c in text)
    return {
        "characters": len(text),
        "words": len(words),
        "mean_word_length": sum(map(len, words)) / len(words),
        "letter_share": sum(c.isalpha() for c in text) / visible,
        "symbol_share": len(re.findall(r"#|\.\.\.|…", text)) / len(words),
        "french_share": sum(w.lower().replace("’", "'") in FRENCH for w in words) / len(words),
        "repeated_line_share": 1 - len(set(lines)) / len(lines),
    }


def main() -> None:
    files = [Path(f) for f in sys.argv[1:]] or sorted(SITTINGS.glob("*.xml"))
    whole = [re.sub(r"<[^>]*>", " ", f.read_text("utf-8")) for f in files]
    texts = [text[i : i + 5_000] for text in whole for i in range(0, len(text), 5_000)] * 5
    batch = pl.DataFrame({"text": texts, "language": ["fr"] * len(texts)})
    rules = load_rules()
    measured = annotate(batch, rules)
    different = 0
    for i, text in enumerate(texts):
        for name, value in row_by_row(text).items():
            different += abs(measured[name][i] - value) > 1e-6
    print(f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} M characters; {different} values differ")
    ratio(
        "row by row / in columns",
        lambda: annotate(batch, rules),
        lambda: [row_by_row(text) for text in texts],
    )


if __name__ == "__main__":
    main()
