"""The index of tokens against infini-gram 2.6.0: the same file, the same answers, one run.

    python bench/trace_infini_gram.py [--megabytes 190] [--answers 500]

Both build a suffix array of the same token file; both are asked in turn for the maximal spans of the same
answers of 300 tokens, and every span and count is compared. infini-gram answers with the settings that serve
it best here: all that follow are tried on the first answers.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hemicycle.digests import sha256_file
from hemicycle.tokens import train_tokenizer
from hemicycle.trace import build_index, open_index
from hemicycle.trace.query import read_query
from hemicycle.trace.shards import sort_shard
from hemicycle.trace.spans import spans_of
from hemicycle.trace.vocabulary import UNKNOWN
from peers import python_of
from trace_corpus import answers_of, texts_of, write_corpus

INFINI_GRAM = ("infini-gram==2.6.0", "numpy")
TOKENS, MIN_TOKENS = 300, 8
PAGE = mmap.PAGESIZE
SETTINGS: list[dict[str, int]] = [
    {"ds_prefetch_depth": 0, "sa_prefetch_depth": 0, "od_prefetch_depth": 0},
    {"ds_prefetch_depth": 0, "sa_prefetch_depth": 0, "od_prefetch_depth": 0, "attribution_block_size": 64},
    {"ds_prefetch_depth": 0, "sa_prefetch_depth": 0, "od_prefetch_depth": 0, "attribution_block_size": 16},
    {},
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=190)
    parser.add_argument("--answers", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="where to work; by default a folder that is deleted")
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cold:
        return cold_once(asked.folder, json.loads(asked.cold))
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
        return compare(asked.folder, asked.megabytes, asked.answers)
    with tempfile.TemporaryDirectory() as name:
        compare(Path(name), asked.megabytes, asked.answers)


def compare(folder: Path, megabytes: int, count: int) -> None:
    python = python_of("infini-gram", INFINI_GRAM)
    texts = texts_of(megabytes * 1_000_000)
    if not (folder / "index").exists():
        write_corpus(folder / "corpus", {"samples": texts})
        (folder / "tokenizer").mkdir()
        train_tokenizer(folder / "corpus", folder / "tokenizer", vocab=32_000)
        build_index([folder / "corpus"], folder / "index", tokenizer=folder / "tokenizer", memory=10**10)
    index = open_index(folder / "index")
    tokens = len(index.shards[0].words)
    assert len(index.shards) == 1
    print(f"{tokens / 1e6:.1f} M tokens in {len(texts)} documents")

    theirs = folder / "infini-gram"
    if not (theirs / "table.0").exists():
        theirs.mkdir()
        for name in ("tokenized.0", "offset.0", "metadata.0", "metaoff.0"):
            shutil.copyfile(folder / "index" / name, theirs / name)
    assert index.tokenizer is not None
    ours = folder / "sorted"
    ours.mkdir(exist_ok=True)
    shutil.copyfile(folder / "index" / "tokenized.0", ours / "tokenized.0")
    spent = cpu(lambda: sort_shard(ours, 0, "<u2", index.tokenizer.vocabulary))
    (theirs / "table.0").unlink(missing_ok=True)
    theirs_spent = cpu(lambda: build_theirs(python, theirs))
    same = sha256_file(ours / "table.0") == sha256_file(theirs / "table.0")
    print(f"table.0 the same bytes: {same}")
    print(f"building it: {spent / theirs_spent:.2f} of infini-gram's CPU ({spent:.1f} s here)")
    if not (folder / "words").exists():
        spent = cpu(lambda: build_index([folder / "corpus"], folder / "words", memory=10**10))
        print(f"index of words, texts read and normalised: {spent / theirs_spent:.2f} of infini-gram's CPU")
    other = sum(f.stat().st_size for f in theirs.iterdir())
    for name in ("index", "words"):
        size = sum(f.stat().st_size for f in (folder / name).iterdir())
        what = f"{name}: {size / tokens:.2f} bytes for each of the tokens"
        print(f"{what}, {size / other:.2f} of infini-gram's {other / tokens:.2f}")

    assert index.tokenizer is not None
    asked = []
    for text in answers_of(texts, count, TOKENS):
        numbers, _, ends = index.tokenizer.read(text)
        asked.append((text[: ends[min(TOKENS, len(numbers)) - 1]], numbers[:TOKENS]))
    begins = folder / "begins.txt"
    begins.write_text("0\n")
    best = min(
        SETTINGS, key=lambda s: statistics.median(t for t, _, _ in ask(python, theirs, s, begins, asked[:20]))
    )
    print(f"infini-gram answers best with {best or 'its defaults'}")
    warm(index, python, theirs, best, begins, asked)
    handed_over(folder / "words", python, best, begins, asked)
    # Pages that this process has mapped cannot be dropped.
    for name in ("index", "infini-gram"):
        shutil.copytree(folder / name, folder / "cold" / name, dirs_exist_ok=True)
    cold(folder / "cold", python, best, begins, asked)


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU of this process and those it waits for."""

    def spent() -> float:
        uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(use.ru_utime + use.ru_stime for use in uses)

    began = spent()
    work()
    return spent() - began


def build_theirs(python: Path, folder: Path) -> None:
    """Their steps, as their `build_sa` calls them, with one job: fewer sort less."""
    found = subprocess.run(
        [python, "-c", "import infini_gram; print(infini_gram.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    binary = Path(found.stdout.strip()) / "rust_indexing"
    data = folder / "tokenized.0"
    size = data.stat().st_size
    ratio = str(max(1, ((size - 1).bit_length() + 7) // 8))
    parts, merged = folder / "parts", folder / "merged"
    for made in (parts, merged):
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
    common = ["--data-file", data, "--ratio", ratio, "--token-width", "2"]
    jobs = 2
    share = size // jobs + size // jobs % 2
    for begin in (job * share for job in range(jobs)):
        end = min(begin + share + 100_000, size)
        run([binary, "make-part", "--parts-dir", parts, "--start-byte", begin, "--end-byte", end, *common])
    threads = ["--num-threads", len(os.sched_getaffinity(0))]
    run(
        [
            binary,
            "merge",
            "--parts-dir",
            parts,
            "--merged-dir",
            merged,
            "--hacksize",
            "100000",
            *threads,
            *common,
        ]
    )
    run([binary, "concat", "--merged-dir", merged, "--merged-file", folder / "table.0", *threads, *common])
    shutil.rmtree(parts)
    shutil.rmtree(merged)


def run(command: Iterable[object]) -> None:
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Theirs:
    """Their engine in a process of its own, asked one answer at a time."""

    def __init__(self, python: Path, folder: Path, settings: dict[str, int], begins: Path) -> None:
        script = Path(__file__).parent / "with_peers" / "infini_gram_spans.py"
        command = [python, script, folder, json.dumps(settings), begins]
        self._process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._told("ready")

    def __enter__(self) -> Theirs:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _told(self, until: str = "[") -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(until):
                return line
        raise SystemExit("infini-gram ended")

    def spans(self, ids: Any) -> tuple[float, float, list[tuple[int, int, int]]]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ids": ids.tolist(), "min": MIN_TOKENS, "bow": False}) + "\n")
        self._process.stdin.flush()
        seconds, spent, spans = json.loads(self._told())
        return seconds, spent, [tuple(span) for span in spans]


def ask(python: Path, folder: Path, settings: dict[str, int], begins: Path, asked: Any) -> list[Any]:
    with Theirs(python, folder, settings, begins) as engine:
        engine.spans(asked[0][1])
        return [engine.spans(ids) for _, ids in asked]


def our_spans(index: Any, text: str) -> list[tuple[int, int, int]]:
    """The spans by tokens alone, as theirs are: within words too."""
    query = read_query(index, text)
    query.begins[:] = query.closes[:] = True
    return [(s.first_word, s.words, s.count) for s in spans_of(index, query, MIN_TOKENS)]


def warm(index: Any, python: Path, theirs: Path, settings: dict[str, int], begins: Path, asked: Any) -> None:
    queries = []
    for text, ids in asked:
        query = read_query(index, text)
        assert (query.ids[0] == ids).all()
        query.begins[:] = query.closes[:] = True
        queries.append(query)
    for text, _ in asked:
        spans_of(index, read_query(index, text), MIN_TOKENS)
    ours, other, differ, found = [], [], 0, 0
    with Theirs(python, theirs, settings, begins) as engine:
        for _, ids in asked:
            engine.spans(ids)
        for query, (_, ids) in zip(queries, asked, strict=True):
            began = time.perf_counter()
            spans = spans_of(index, query, MIN_TOKENS)
            ours.append(time.perf_counter() - began)
            seconds, _, expected = engine.spans(ids)
            other.append(seconds)
            mine = [(s.first_word, s.words, s.count) for s in spans]
            differ += mine != expected
            found += len(mine)
            if mine != expected and differ == 1:
                print("first difference:", sorted(set(mine) ^ set(expected))[:6])
    print(f"{found} spans in {len(asked)} answers of {TOKENS} tokens; answers that differ: {differ}")
    p50, p99 = (np.percentile(ours, q) for q in (50, 99))
    other50, other99 = (np.percentile(other, q) for q in (50, 99))
    print(f"warm: p50 {other50 / p50:.1f} times quicker, p99 {p99 / other99:.3f} of theirs")
    print(
        f"here: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms; "
        f"theirs {other50 * 1e3:.1f}, {other99 * 1e3:.1f}"
    )


def handed_over(folder: Path, python: Path, settings: dict[str, int], begins: Path, asked: Any) -> None:
    """Their engine on our index of words as it lies there."""
    index = open_index(folder, verify=False)
    queries = [read_query(index, text) for text, _ in asked[:100]]
    queries = [query for query in queries if (query.ids[0] != UNKNOWN).all()]
    with Theirs(python, folder, settings, begins) as engine:
        differ = sum(
            engine.spans(query.ids[0])[2]
            != [(s.first_word, s.words, s.count) for s in spans_of(index, query, MIN_TOKENS)]
            for query in queries
        )
    print(f"infini-gram on our index of words: {differ} of {len(queries)} answers differ")


def cold(folder: Path, python: Path, settings: dict[str, int], begins: Path, asked: Any) -> None:
    """Pages of the index in memory after one answer by a fresh process, none before."""
    ours, other, theirs = [], [], folder / "infini-gram"
    for text, ids in asked[:9]:
        drop(folder / "index")
        subprocess.run([sys.executable, __file__, "--folder", folder, "--cold", json.dumps(text)], check=True)
        ours.append(resident(folder / "index"))
        drop(theirs)
        with Theirs(python, theirs, settings, begins) as engine:
            engine.spans(ids)
        other.append(resident(theirs))
    mine, their = statistics.median(ours), statistics.median(other)
    print(
        f"cold: {mine:.0f} pages read, {mine / their:.2f} of infini-gram's {their:.0f} "
        f"(medians of {len(ours)})"
    )


def cold_once(folder: Path, text: str) -> None:
    our_spans(open_index(folder / "index", verify=False), text)


ARRAYS = ("tokenized.0", "table.0", "offset.0", "top.0", "counts.0")


def drop(folder: Path) -> None:
    for name in ARRAYS:
        if (folder / name).exists():
            with (folder / name).open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def resident(folder: Path) -> int:
    """Pages of the arrays that are in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    total = 0
    for name in ARRAYS:
        path = folder / name
        if not path.exists():
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
            pages = -(-len(mapped) // PAGE)
            held = (ctypes.c_ubyte * pages)()
            view = np.frombuffer(mapped, np.uint8)
            address = view.ctypes.data
            if libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(mapped)), held):
                raise OSError(ctypes.get_errno(), "mincore")
            total += int((np.frombuffer(held, np.uint8) & 1).sum())
            del view
    return total


if __name__ == "__main__":
    main()
