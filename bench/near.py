"""Near duplicates beside datatrove's four MinHash stages: the same bands, rows and runs of words.

Both read the same Parquet shards and write what they keep, with two workers, in turn with each other. CPU
time is that of all processes, those of a fork server too; memory is the largest sum over processes that were
there together, what they share counted once. datatrove has a plain splitter in place of its French one, with
which it would be several times slower.

    python bench/near.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from corpus import made_corpus
from hemicycle.curate.near import COLUMN, TYPE, signatures, to_arrow
from hemicycle.curate.twins import near_duplicates
from hemicycle.curate.words import split_words, text_buffers
from hemicycle.documents import parquet_writer, read_batches, write_parquet
from peers import DATATROVE, python_of
from spent import Spent, compared, run

ROUNDS = 3
WORKERS = 2
SHARDS = 4
#: Texts of one row group.
GROUP = 250
BINS = [(0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0)]
TEXTS = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])
PEER = Path(__file__).parent / "with_peers" / "datatrove_near.py"


def ours(shards: Path, out: Path) -> None:
    files = sorted(shards.glob("*.parquet"))

    def sign(path: Path) -> tuple[Path, list[str]]:
        ids: list[str] = []
        keys = []
        for batch in read_batches(path, ["id", "text"]):
            ids += batch["id"].to_pylist()
            words = split_words(*text_buffers(batch["text"]))
            keys.append(signatures(words.folded, words.offsets))
        signed = out / f"{path.stem}.signatures"
        column = pa.table({COLUMN: to_arrow(np.concatenate(keys))})
        write_parquet(signed, pa.schema([(COLUMN, TYPE)]), [column])
        return signed, ids

    def deal(path: Path, stays: np.ndarray) -> None:
        at = 0
        with parquet_writer(out / path.name, TEXTS) as kept:
            for batch in read_batches(path):
                kept.write_table(batch.filter(pa.array(stays[at : at + batch.num_rows])))
                at += batch.num_rows

    with ThreadPoolExecutor(WORKERS) as workers:
        signed, parts = zip(*workers.map(sign, files), strict=True)
        ids = [name for part in parts for name in part]
        stays = near_duplicates(signed, np.argsort(ids, kind="stable"), out / "near") < 0
        cuts = np.cumsum([len(part) for part in parts])[:-1]
        list(workers.map(deal, files, np.split(stays, cuts)))


def kept(folder: Path) -> set[str]:
    return set(pl.concat(pl.read_parquet(f, columns=["id"]) for f in folder.rglob("*.parquet"))["id"])


def report(name: str, stays: set[str], pairs: pl.DataFrame, alone: set[str]) -> None:
    """Pairs of which a copy went, by similarity, and documents that went though they have no copy."""
    found = pairs.with_columns(found=~(pl.col("one").is_in(stays) & pl.col("other").is_in(stays)))
    shares = []
    for low, high in BINS:
        some = found.filter((pl.col("jaccard") >= low) & (pl.col("jaccard") < high + (high == 1.0)))
        shares.append(f"{low}-{high}: {some['found'].sum()}/{some.height}")
    close = found.filter(pl.col("jaccard") >= 0.8)
    lost = len(alone - stays)
    print(
        f"{name}: pairs found by similarity: {', '.join(shares)}; of 0.8 and more {close['found'].mean():.4f}"
    )
    print(f"{name}: {lost} of {len(alone)} documents without a copy went ({lost / len(alone):.2%})")


def main() -> None:
    folder = made_corpus(sys.argv[1:])
    peer = str(python_of("datatrove", DATATROVE))
    pairs = pl.read_parquet(folder / "pairs.parquet")
    texts = pl.read_parquet(folder / "corpus.parquet", columns=["id", "text"])
    alone = set(texts["id"]) - set(pairs["one"]) - set(pairs["other"])
    spent: dict[str, list[Spent]] = {"hemicycle": [], "datatrove": []}
    commands = {"hemicycle": [sys.executable, __file__, "--ours"], "datatrove": [peer, str(PEER)]}
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch, "shards")
        shards.mkdir()
        for i in range(SHARDS):
            texts[i::SHARDS].write_parquet(shards / f"{i:05d}.parquet", row_group_size=GROUP)
        del texts
        for turn in range(ROUNDS):
            for name, command in commands.items():
                out = Path(scratch, f"{name}-{turn}")
                out.mkdir()
                spent[name].append(run([*command, str(shards), str(out)]))
        for name in spent:
            report(name, kept(Path(scratch, f"{name}-0")), pairs, alone)
    compared("datatrove over hemicycle", spent["hemicycle"], spent["datatrove"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
