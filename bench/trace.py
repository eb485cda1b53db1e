"""Trace against looking: the same maximal spans, found in the index and by substring search.

Builds an index from text files (arguments), or of the sample novels where they are beside the checkout, or
of generated text; asks both for the spans of answers that are half copied; prints ratios of medians of one
interleaved run. The reference searches the normalised text with Python's own ``in``, which is C.

    python bench/trace.py [FILE ...]
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_text
from hemicycle.documents import Document
from hemicycle.trace import Tracer, build_index, find_spans, open_index, split_words
from hemicycle.trace.vocabulary import Vocabulary

SAMPLES = Path(__file__).resolve().parents[1].parent / "shared" / "samples" / "literature"
ANSWERS, WORDS, MIN_WORDS = 24, 200, 8


def main() -> None:
    texts = read_texts([Path(name) for name in sys.argv[1:]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "corpus", texts)
        begin = time.process_time()
        manifest = build_index([folder / "corpus"], folder / "index")
        built = time.process_time() - begin
        index = open_index(folder / "index")
        size = sum(f["size"] for f in manifest["files"])
        print(
            f"index: {manifest['words'] / 1e6:.2f} M words, {size / manifest['words']:.1f} bytes a word, "
            f"{manifest['words'] / built / 1e6:.2f} M words a second of CPU"
        )
        begin, vocabulary = time.process_time(), Vocabulary()
        for text in texts:
            vocabulary.learn(text)
        seconds = time.process_time() - begin
        size = sum(len(text.encode("utf-8")) for text in texts)
        print(f"normalisation, each word numbered: {size / seconds / 1e6:.1f} MB a second of CPU")

        haystack = "\n".join(f" {' '.join(split_words(text).words)} " for text in texts)
        tracer = Tracer(index, [folder / "corpus"])
        answers = make_answers(texts)
        begin = time.perf_counter()
        find_spans(index, answers[0], MIN_WORDS)
        print(f"first query, kernels loaded or compiled: {time.perf_counter() - begin:.2f} s")
        spans_s, trace_s, look_s, found = [], [], [], []
        for answer in answers:
            spans = find_spans(index, answer, MIN_WORDS)
            tracer.trace(answer, min_words=MIN_WORDS)
            begin = time.perf_counter()
            find_spans(index, answer, MIN_WORDS)
            after_spans = time.perf_counter()
            tracer.trace(answer, min_words=MIN_WORDS)
            after_trace = time.perf_counter()
            looked = look(haystack, answer)
            look_s.append(time.perf_counter() - after_trace)
            spans_s.append(after_spans - begin)
            trace_s.append(after_trace - after_spans)
            found.append(len(spans))
            if [(s.first_word, s.words) for s in spans] != looked:
                raise SystemExit("the index and the reference disagree")
        ours, whole, theirs = map(statistics.median, (spans_s, trace_s, look_s))
        print(f"{sum(found)} spans in {len(answers)} answers of {WORDS} words, identical in all")
        print(f"substring search / index: {theirs / ours:,.0f} times (medians, warm, one thread)")
        print(f"whole answer with documents and excerpts / spans alone: {whole / ours:.1f} times")
        print(f"here: {ours * 1e3:.2f} ms for the spans, {whole * 1e3:.2f} ms for the whole answer")


def read_texts(files: list[Path]) -> list[str]:
    files = files or sorted(SAMPLES.glob("*.xml"))
    if files:
        return [re.sub(r"<[^>]*>", " ", path.read_text("utf-8")) for path in files]
    rng = random.Random(1)
    words = [f"mot{i}" for i in range(20_000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    return [" ".join(rng.choices(words, weights, k=50_000)) for _ in range(20)]


def write_corpus(folder: Path, texts: list[str]) -> None:
    (folder / "kept" / "bench").mkdir(parents=True)
    rows = [Document(str(number), text).row("bench") for number, text in enumerate(texts)]
    for row in rows:
        row |= {"clean_digest": sha256_text(row["text"]), "split": "train"}
    pq.write_table(pa.Table.from_pylist(rows), folder / "kept" / "bench" / "00000.parquet", row_group_size=4)


def make_answers(texts: list[str]) -> list[str]:
    """Half copied in stretches of 8 to 40 words, half words drawn at random."""
    rng = random.Random(2)
    sources = [text.split() for text in texts]
    answers = []
    for _ in range(ANSWERS):
        words: list[str] = []
        while len(words) < WORDS:
            source = rng.choice(sources)
            length = rng.randrange(8, 41)
            at = rng.randrange(len(source) - length)
            words += source[at : at + length] + rng.sample(rng.choice(sources), length)
        answers.append(" ".join(words[:WORDS]))
    return answers


def look(haystack: str, text: str) -> list[tuple[int, int]]:
    """(first word, words) of the maximal spans, extending each start word by word."""
    words = split_words(text).words
    spans, reached = [], 0
    for start in range(len(words)):
        stop = max(start, reached)
        if f" {' '.join(words[start : stop + 1])} " not in haystack or stop == len(words):
            continue
        while stop < len(words) and f" {' '.join(words[start : stop + 1])} " in haystack:
            stop += 1
        reached = stop
        if stop - start >= MIN_WORDS:
            spans.append((start, stop - start))
    return spans


if __name__ == "__main__":
    main()
