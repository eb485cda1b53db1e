"""What the order costs: making a plan, opening it, and a batch beside a step of training.

Plans are made over invented tokens whose documents have lengths as those of the web have (log-normal, median
400), with each packing: documents and rows a second, peak memory, padding, documents cut. Then batches are
read from a plan, in order, as the loop does; beside a step of an 11M model at context 512, of 2 048 tokens,
which `--step-seconds` says (bench/train.py measures it; 0.7 s on two cores).

    python bench/order.py [--documents 1000000] [--step-seconds 0.7]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from hemicycle.documents import write_parquet
from hemicycle.tokens import Order, Phase, ShardWriter, make_plan, prefetch
from hemicycle.tokens.tokenize import DOCUMENTS, DOCUMENTS_A_GROUP

CONTEXT, BATCH = 512, 2_048
SHARD_DOCUMENTS = 200_000


def invent(folder: Path, documents: int) -> tuple[float, ...]:
    """Write tokens of so many documents; returns how many tokens. Done apart: a child's peak of memory begins
    where its parent's was."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(6, 1, documents), 2, 100_000).astype(np.int64)
    tables, total = [], 0
    for shard, at in enumerate(range(0, documents, SHARD_DOCUMENTS)):
        own = lengths[at : at + SHARD_DOCUMENTS]
        with ShardWriter(folder / f"tokens-{shard:05d}", np.uint16) as writer:
            ids = rng.integers(0, 16_384, int(own.sum()), np.uint16)
            writer.write(ids, own, np.ones(len(own), bool))
        total += int(own.sum())
        numbers = np.arange(at, at + len(own))
        columns = {
            "document": numbers,
            "id": [f"s:{n}" for n in numbers],
            "source": [f"s{n % 7}" for n in numbers],
            "shard": np.full(len(own), shard),
            "first": np.cumsum(own) - own,
            "tokens": own,
            "language": ["fr"] * len(own),
        }
        tables.append(
            pa.table({name: columns.get(name, pa.nulls(len(own))) for name in DOCUMENTS.names}).cast(
                DOCUMENTS
            )
        )
    whole = pa.concat_tables(tables)
    write_parquet(
        folder / "documents.parquet",
        DOCUMENTS,
        (whole.slice(at, DOCUMENTS_A_GROUP) for at in range(0, documents, DOCUMENTS_A_GROUP)),
    )
    return (total,)


def apart(work: Callable[..., tuple[float, ...]], *given: object) -> tuple[float, ...]:
    """What work returns, done in a process of its own, and the MB that took beyond importing."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, given))


def _measured(work: Callable[..., tuple[float, ...]], given: tuple[object, ...]) -> tuple[float, ...]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = work(*given)
    return (*result, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def plan(tokens: Path, out: Path, packing: str, total: int) -> tuple[float, ...]:
    """Seconds of CPU to make a plan of two epochs; rows read; share of padding and of documents cut."""
    phase = Phase("main", 2 * total, {"c": 1.0}, CONTEXT, packing)  # type: ignore[arg-type]
    if packing != "split":
        from hemicycle.tokens.packing import pack

        # Compile first: it is kept for the next time.
        pack(np.array([0, 9]), np.array([9, 9]), 16, fill=True)
    begun = time.process_time()
    made = make_plan({"c": tokens}, [phase], out, batch_tokens=BATCH, seed=1)
    seconds = time.process_time() - begun
    [one] = made["cuttings"]
    return (
        seconds,
        made["phases"][0]["rows"],
        one["padding"] / one["rows"] / CONTEXT,
        one["cut"] / one["documents"],
    )


def opening(tokens: Path, made: Path) -> tuple[float, ...]:
    """Seconds to open a plan and read its first batch."""
    begun = time.perf_counter()
    Order(made, {"c": tokens}).batch(0)
    return (time.perf_counter() - begun,)


def read(tokens: Path, made: Path) -> tuple[float, ...]:
    """Seconds of CPU for a batch: median of 300, by itself."""
    order = Order(made, {"c": tokens})
    spent = []
    for step in range(min(300, order.steps)):
        begun = time.process_time()
        order.batch(step)
        spent.append(time.process_time() - begun)
    return (statistics.median(spent),)


def ahead(tokens: Path, made: Path, seconds: float) -> tuple[float, ...]:
    """Seconds the loop waits for a batch that was read ahead while it computed; median of 50."""
    order = Order(made, {"c": tokens})
    waited = []
    batches = prefetch(order, 0, order.steps)
    for _ in range(50):
        begun = time.perf_counter()
        next(batches)
        waited.append(time.perf_counter() - begun)
        time.sleep(seconds / 10)
    batches.close()
    return (statistics.median(waited),)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--step-seconds", type=float, default=0.7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens = folder / "tokens"
        tokens.mkdir()
        total = int(apart(invent, tokens, given.documents)[0])
        print(f"{given.documents:,} documents, {total:,} tokens; two epochs in rows of {CONTEXT}")
        for packing in ("split", "best-fit", "whole"):
            out = folder / packing
            out.mkdir()
            seconds, rows, padding, cut, memory = apart(plan, tokens, out, packing, total)
            print(
                f"plan, {packing}: {given.documents / seconds / 1e3:.0f} k documents and "
                f"{rows / seconds / 1e6:.2f} M rows a second, "
                f"{memory * 2**20 / given.documents:.0f} bytes a document at most; "
                f"padding {padding:.2%}, cut {cut:.1%}"
            )
            begun, memory = apart(opening, tokens, out)
            print(f"  open and first batch: {begun * 1e3:.0f} ms, {memory:.0f} MB")
            spent, _ = apart(read, tokens, out)
            print(
                f"  batch of {BATCH} tokens: {spent * 1e3:.2f} ms of CPU, "
                f"{spent / given.step_seconds:.2%} of a step of {given.step_seconds} s"
            )
            waited, _ = apart(ahead, tokens, out, given.step_seconds)
            print(f"  waiting for one read ahead: {waited * 1e3:.2f} ms, {waited / given.step_seconds:.2%}")


if __name__ == "__main__":
    main()
