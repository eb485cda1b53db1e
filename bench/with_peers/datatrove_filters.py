"""datatrove's filters over a folder of JSON lines, run by the interpreter of datatrove's own environment.

    PYTHON bench/with_peers/datatrove_filters.py FOLDER OUT SPLITTER WORKERS

SPLITTER is `plain` (``str.split`` for words, marks followed by a space for sentences) or a language datatrove
knows. Every file of FOLDER is a task; kept documents go to OUT.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.word_tokenizers import WordTokenizer

STOP_WORDS = "de la le et à en l' des du les est d' un une il dans par au".split()


class Plain(WordTokenizer):
    """What costs least."""

    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return re.split(r"(?<=[.!?])\s+", text)

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return list(self._spans(text))

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        begin = 0
        for match in re.finditer(r"(?<=[.!?])\s+", text):
            yield begin, match.start()
            begin = match.end()
        yield begin, len(text)


def filters(language: WordTokenizer | str) -> list[PipelineStep]:
    """Gopher's, FineWeb-2's and C4's filters with the bounds of FineWeb-2 for French."""
    return [
        GopherRepetitionFilter(
            dup_line_frac=0.264,
            top_n_grams=((2, 0.161), (3, 0.149), (4, 0.134)),
            dup_n_grams=((5, 0.15), (6, 0.141), (7, 0.131), (8, 0.121), (9, 0.111), (10, 0.1)),
            language=language,
        ),
        FineWebQualityFilter(
            short_line_thr=999,
            char_duplicates_ratio=0.1,
            line_punct_thr=0.1,
            new_line_ratio=0.185,
            language=language,
        ),
        GopherQualityFilter(
            min_avg_word_length=2,
            max_avg_word_length=11,
            max_non_alpha_words_ratio=0.812,
            stop_words=STOP_WORDS,
            language=language,
        ),
        C4QualityFilter(language=language),
    ]


def main() -> None:
    folder, out, splitter, workers = sys.argv[1:]
    language = Plain() if splitter == "plain" else splitter
    LocalPipelineExecutor(
        pipeline=[JsonlReader(folder), *filters(language), JsonlWriter(out, compression=None)],
        tasks=len(list(Path(folder).glob("*.jsonl"))),
        workers=int(workers),
        logging_dir=f"{out}-logs",
    ).run()


if __name__ == "__main__":
    main()
