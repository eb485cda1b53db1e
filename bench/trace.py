"""Trace end to end: an answer to its spans, documents, rights, clearance and steps; and works set otherwise.

    python bench/trace.py [--megabytes 230]

The corpus is the samples and perturbed copies of them, 40 million words in 500 sources of very different
sizes, and again as one source. Prints medians and 99th percentiles of answers of 190 words on one core while
another process keeps the other busy; the ratio of 500 sources, and of one mostly withdrawn, to one; that of
formulas while one other document is withdrawn; which share of works that are set in other ways is found; how
fast texts are normalised.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.trace import Clearance, Index, Tracer, build_index, find_spans, open_index, split_words
from hemicycle.trace.spans import occurrences
from hemicycle.trace.vocabulary import Vocabulary
from trace_corpus import answers_of, texts_of, write_corpus

ANSWERS, WORDS, SOURCES = 200, 190, 500
#: Share of the documents that a source has lost while its index was not yet made anew.
WITHDRAWN = 0.9
WORKS, WORK_WORDS = 45, 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=230)
    parser.add_argument("--folder", type=Path, help="where to work; by default a folder that is deleted")
    asked = parser.parse_args()
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
        return measure(asked.folder, asked.megabytes)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), asked.megabytes)


def measure(folder: Path, megabytes: int) -> None:
    texts = texts_of(megabytes * 1_000_000)
    begin, vocabulary = time.process_time(), Vocabulary()
    for text in texts[:600]:
        vocabulary.learn(text)
    seconds = time.process_time() - begin
    size = sum(len(text.encode("utf-8")) for text in texts[:600])
    print(f"normalisation, each word numbered: {size / seconds / 1e6:.1f} MB a second of CPU")

    many = dealt_out(texts)
    tracers = {
        "one source": opened(folder / "one", {"samples": texts}),
        f"{SOURCES} sources": opened(folder / "many", many),
    }
    words = tracers["one source"].index.words
    sizes = sorted(map(len, many.values()))
    print(
        f"{words / 1e6:.1f} M words in {len(texts)} documents; {len(many)} sources of {sizes[0]} to "
        f"{sizes[-1]} documents, {len(tracers[f'{SOURCES} sources'].index.shards)} shard(s)"
    )
    answers = answers_of(texts, ANSWERS, WORDS)
    spans_alone(*(tracer.index for tracer in tracers.values()), answers)
    formulas_alone(tracers["one source"].index, texts)
    with busy():
        for name, tracer in tracers.items():
            took = timed(lambda a, t=tracer: t.trace(a, prompt="Que dit l'Assemblée ?"), answers)
            documents = statistics.mean(
                sum(len(s.documents) for s in tracer.trace(a).spans) for a in answers[:50]
            )
            p50, p99 = np.percentile(took, 50) * 1e3, np.percentile(took, 99) * 1e3
            print(
                f"answer with rights, {name}, the other core busy: p50 {p50:.1f} ms, p99 {p99:.1f} ms "
                f"({documents:.0f} documents an answer)"
            )
    other_settings(tracers["one source"].index, texts)


def dealt_out(texts: list[str]) -> dict[str, list[str]]:
    """The texts in sources of which the largest has hundreds and the smallest one."""
    rng = random.Random(5)
    names = [f"source-{number:03d}" for number in range(SOURCES)]
    sources = {name: [text] for name, text in zip(names, texts[:SOURCES], strict=True)}
    chosen = rng.choices(names, [1 / (1 + n) for n in range(SOURCES)], k=len(texts) - SOURCES)
    for name, text in zip(chosen, texts[SOURCES:], strict=True):
        sources[name].append(text)
    return sources


def opened(folder: Path, sources: dict[str, list[str]]) -> Tracer:
    """A tracer of an index with rights of every document in two jurisdictions, and a model that read them."""
    if not folder.exists():
        write_corpus(folder / "corpus", sources)
        began = time.process_time()
        manifest = build_index([folder / "corpus"], folder / "index")
        spent = time.process_time() - began
        size = sum(file["size"] for file in manifest["files"])
        print(
            f"index: {size / manifest['words']:.2f} bytes a word, "
            f"{manifest['words'] / spent / 1e6:.2f} M words a second of CPU"
        )
    index = open_index(folder / "index", verify=False)
    ids = index.documents["id"].to_pylist()
    rows = [
        {
            "id": i,
            "jurisdiction": j,
            "use": use,
            "verdict": "allow",
            "basis": "licence",
            "licence": "etalab-2.0",
        }
        | {"explanation": "licence-allows", "rules": ["licences/etalab-2.0"], "obligations": ["attribution"]}
        for i in ids
        for j in ("FR", "BE")
        for use in ("train", "redistribute", "weights")
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rights.parquet")
    exposure = [{"document": d, "first_step": n, "last_step": 2 * n} for n, d in enumerate(ids)]
    pq.write_table(pa.Table.from_pylist(exposure), folder / "exposure.parquet")
    card = Clearance(attribution="Assemblée nationale", attested_by="A. B.", licence="etalab-2.0")
    return Tracer(
        index,
        [folder / "corpus"],
        {"all": folder / "rights.parquet"},
        {"petit": folder / "exposure.parquet"},
        dict.fromkeys(sources, card),
    )


def timed(work: Callable[[str], Any], answers: list[str]) -> list[float]:
    """Seconds of each answer, after all were asked once."""
    for answer in answers:
        work(answer)
    took = []
    for answer in answers:
        began = time.perf_counter()
        work(answer)
        took.append(time.perf_counter() - began)
    return took


def spans_alone(one: Index, many: Index, answers: list[str]) -> None:
    """One source, many, and one of which most is withdrawn, asked in turn."""
    ids = one.documents["id"].to_pylist()
    began = time.perf_counter()
    indexes = {"one": one, "many": many, "withdrawn": one.without(ids[: int(WITHDRAWN * len(ids))])}
    print(f"hiding {WITHDRAWN:.0%} of {one.words / 1e6:.1f} M words: {time.perf_counter() - began:.2f} s")
    p50 = medians(indexes, answers, min_words=8)
    print(
        f"spans, warm: p50 of {SOURCES} sources is {p50['many'] / p50['one']:.2f} of that of one, and "
        f"{p50['withdrawn'] / p50['one']:.2f} while {WITHDRAWN:.0%} of it are withdrawn; "
        f"here {p50['one'] * 1e3:.2f} ms"
    )


def formulas_alone(one: Index, texts: list[str]) -> None:
    """What stands in very many documents, with nothing withdrawn and with one document that is."""
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts[:600]:
        words = split_words(text).words
        seen.update(zip(words, words[1:], words[2:], strict=False))
    asked = [" xyzzy ".join([" ".join(formula)] * WORDS) for formula, _ in seen.most_common(20)]
    p50 = medians({"whole": one, "withdrawn": one.without([one.documents["id"][0].as_py()])}, asked, 3)
    print(
        f"spans of {seen.most_common(1)[0][1]} places and fewer in 600 documents: p50 while one other "
        f"document is withdrawn is {p50['withdrawn'] / p50['whole']:.2f} of that before; "
        f"here {p50['whole'] * 1e3:.2f} ms for {WORDS}"
    )


def medians(indexes: Mapping[str, Index], asked: list[str], min_words: int) -> dict[str, float]:
    """Seconds that finding spans, and where they stand, takes in each index, asked in turn, once before."""
    took: dict[str, list[float]] = {}
    for _ in range(2):
        took = {name: [] for name in indexes}
        for text in asked:
            for name, index in indexes.items():
                began = time.perf_counter()
                for span in find_spans(index, text, min_words):
                    occurrences(index, span, 10)
                took[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def busy() -> Any:
    """Another process that keeps a core busy."""

    class Busy:
        def __enter__(self) -> None:
            self.process = multiprocessing.get_context("spawn").Process(target=burn, daemon=True)
            self.process.start()
            time.sleep(1)

        def __exit__(self, *_: object) -> None:
            self.process.kill()
            self.process.join()

    return Busy()


def burn() -> None:
    while True:
        sum(i * i for i in range(100_000))


def other_settings(index: Any, texts: list[str]) -> None:
    """Share of words found of works that are in the corpus and set in other ways."""
    place = Path(__file__).parents[1] / "tests" / "trace" / "typography.py"
    spec = importlib.util.spec_from_file_location("typography", place)
    assert spec
    assert spec.loader
    typography = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(typography)
    rng = random.Random(3)
    works = []
    for text in rng.sample(texts, WORKS):
        words = text.split(" ")
        at = rng.randrange(max(1, len(words) - WORK_WORDS))
        works.append(" ".join(words[at : at + WORK_WORDS]))
    edits = {edit.__name__: edit for edit in [*typography.EDITS, typography.all_of_them]}
    for name, edit in edits.items():
        print(f"found of {name.replace('_', ' ')}: {100 * coverage(index, list(map(edit, works))):.2f} %")
    shuffled = []
    for work in works:
        words = work.split()
        rng.shuffle(words)
        shuffled.append(" ".join(words))
    print(f"found of words shuffled: {100 * coverage(index, shuffled):.2f} %")


def coverage(index: Any, works: list[str]) -> float:
    found = sum(span.words for work in works for span in disjoint(find_spans(index, work)))
    return found / sum(len(split_words(work).words) for work in works)


def disjoint(spans: list[Any]) -> list[Any]:
    """Spans cut where they overlap, so that no word counts twice."""
    reached, cut = 0, []
    for span in spans:
        begin = max(reached, span.first_word)
        reached = span.first_word + span.words
        cut.append(type(span)(span.start, span.end, begin, reached - begin, span.count, span.places))
    return cut


if __name__ == "__main__":
    main()
