"""All filters, beside datatrove's: wall clock with two workers each, and the values of both compared.

    python bench/curate.py [--corpus FOLDER] [--megabytes 40]

The corpus is that of bench/corpus.py, made where it is absent. Both read files, decide on every document by
the same rules (Gopher's, FineWeb-2's French bounds, C4's) and write what they keep; both times include the
start of their workers. datatrove stops at a document's first broken rule, we measure it whole. Words are
cut at spaces by both in (a); in (b) each cuts French as it ships, once, for datatrove takes minutes. Verdicts
differ on purpose where C4 takes lines out of a text before it goes on, and where words are cut otherwise.

First the values: n-grams, lines and paragraphs of 5 000 documents against datatrove's own functions.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import polars as pl

from corpus import SAMPLES, write_corpus
from hemicycle.curate.measures import measure
from hemicycle.curate.rules import failed, load_sets
from hemicycle.curate.words import Definition
from peers import DATATROVE, cache_folder, python_of

WITH_PEERS = Path(__file__).with_name("with_peers")
WORKERS, FILES, BATCH, ROUNDS = 2, 4, 256, 3
SETS = ("gopher-repetition", "fineweb-2-fr", "c4")


def keep(job: tuple[Path, Path, Definition]) -> None:
    """Measure and decide on one file's documents, a batch at a time, and write those that stay."""
    source, out, definition = job
    # What the sets add to their models is left out: datatrove does not ask it.
    rules = [r for rule_set in load_sets(SETS) for r in rule_set.rules if not r.source.startswith("own")]
    kept = []
    for batch in pl.read_parquet(source).iter_slices(BATCH):
        values = measure(batch["text"].to_arrow(), definition)
        measured = pl.DataFrame(values).with_columns(pl.lit("fr").alias("language"))
        kept.append(batch.filter(failed(measured, rules).list.len() == 0))
    pl.concat(kept).write_parquet(out)


def ours(folder: Path, out: Path, definition: Definition) -> set[str]:
    out.mkdir(parents=True)
    jobs = [(f, out / f.name, definition) for f in sorted(folder.glob("*.parquet"))]
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        pool.map(keep, jobs, chunksize=1)
    return set(pl.read_parquet(out / "*.parquet", columns=["id"])["id"])


def theirs(python: Path, folder: Path, out: Path, splitter: str) -> set[str]:
    command = [python, WITH_PEERS / "datatrove_filters.py", folder, out, splitter, str(WORKERS)]
    subprocess.run(command, check=True, capture_output=True)
    return {json.loads(line)["id"] for f in out.glob("*.jsonl") for line in f.open("rb")}


def race(
    name: str, texts: pl.DataFrame, python: Path, splitter: str, definition: Definition, rounds: int
) -> None:
    """Both over the same documents, in turn."""
    size = texts["text"].str.len_bytes().sum() / 1e6
    with tempfile.TemporaryDirectory() as name_:
        folder = Path(name_)
        for side in ("parquet", "jsonl"):
            (folder / side).mkdir()
        for i in range(FILES):
            part = texts.gather_every(FILES, i).select("id", "text")
            part.write_parquet(folder / "parquet" / f"{i}.parquet")
            part.write_ndjson(folder / "jsonl" / f"{i}.jsonl")
        ratios, times = [], []
        for turn in range(rounds + 1):
            out = folder / f"out-{turn}"
            begin = time.perf_counter()
            kept = ours(folder / "parquet", out / "ours", definition)
            middle = time.perf_counter()
            if turn == 0:  # the first run compiles the kernels, where no other has yet
                continue
            kept_by_peer = theirs(python, folder / "jsonl", out / "theirs", splitter)
            end = time.perf_counter()
            ratios.append((end - middle) / (middle - begin))
            times.append(middle - begin)
            shutil.rmtree(out)
    found, speed = statistics.median(ratios), size / statistics.median(times)
    print(
        f"{name}: {found:.1f} times ({min(ratios):.1f}–{max(ratios):.1f}); {size:.1f} MB at {speed:.1f} MB/s"
    )
    both = len(kept & kept_by_peer)
    print(f"  of {texts.height} texts both keep {both}, we alone {len(kept) - both}, ", end="")
    print(f"they alone {len(kept_by_peer) - both}", flush=True)


def compare(texts: list[str], python: Path) -> None:
    """Values that differ from datatrove's own functions by more than rounding."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
        file.flush()
        command = [python, WITH_PEERS / "datatrove_values.py", file.name]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    peer = pl.DataFrame([json.loads(line) for line in lines])
    own = measure(pl.Series(texts).to_arrow(), "whitespace")
    differ = sum(int(((peer[name] - own[name]).abs() > 1e-12).sum()) for name in peer.columns)
    print(f"{len(texts)} documents, {peer.width} measures each: {differ} values differ from datatrove's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=cache_folder() / "bench-corpus")
    parser.add_argument("--megabytes", type=float, default=40.0)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    if not (given.corpus / "corpus.parquet").is_file():
        write_corpus(given.corpus, SAMPLES, 100.0, 1)
    python = python_of("datatrove", DATATROVE)
    texts = pl.read_parquet(given.corpus / "corpus.parquet")
    sizes = texts["text"].str.len_bytes().cum_sum()
    compare(texts["text"].head(5_000).to_list(), python)
    most = given.megabytes * 1e6
    race("(a) words at spaces", texts.filter(sizes <= most), python, "plain", "whitespace", given.rounds)
    race("(b) French as shipped", texts.filter(sizes <= most), python, "fra", "french", 1)


if __name__ == "__main__":
    main()
