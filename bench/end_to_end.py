"""From Parquet to cleaned, filtered, deduplicated Parquet, beside datatrove.

Both read the same shards with two workers, ask the same rules (Gopher's, FineWeb-2's French bounds, C4's),
look for near copies with the same bands and rows, and write what they keep. Ours also cleans, masks personal
data, tells languages, measures what datatrove leaves out and keeps what it drops; datatrove gets a plain
splitter in place of its French one, and none of these steps.

    python bench/end_to_end.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa

from corpus import made_corpus
from hemicycle.curate import annotate_source, make_corpus
from hemicycle.curate.rules import load_sets
from hemicycle.documents import Document, read_batches, write_documents, write_parquet
from hemicycle.engines import Local
from hemicycle.rights.cleared import CLEARED
from peers import DATATROVE, python_of
from spent import Spent, compared, run

ROUNDS, WORKERS, SHARDS = 3, 2, 4
PEER = Path(__file__).with_name("with_peers") / "datatrove_end_to_end.py"
SETS = ["gopher-repetition", "fineweb-2-fr", "c4"]


def ours(folder: Path, out: Path) -> None:
    engine = Local(WORKERS)
    annotated = {}
    for path in sorted(folder.glob("*.parquet")):
        annotated[path.stem] = out / "annotated" / path.stem
        annotated[path.stem].mkdir(parents=True)
        gate = folder / f"{path.stem}.cleared"
        annotate_source(path, gate, annotated[path.stem], out / "work" / path.stem, engine=engine)
    rules = [rule for rules in load_sets(SETS) for rule in rules.rules]
    (out / "corpus").mkdir()
    make_corpus(annotated, out / "corpus", out / "work", rules=rules, held_out=0.0, engine=engine)


def main() -> None:
    texts = pl.read_parquet(made_corpus(sys.argv[1:]) / "corpus.parquet", columns=["id", "kind", "text"])
    peer = str(python_of("datatrove", DATATROVE))
    commands = {"hemicycle": [sys.executable, __file__, "--ours"], "datatrove": [peer, str(PEER)]}
    spent: dict[str, list[Spent]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as scratch:
        shards = Path(scratch, "shards")
        shards.mkdir()
        for i in range(SHARDS):
            source, path = f"s{i}", shards / f"s{i}.parquet"
            rows = texts[i::SHARDS].iter_rows()
            write_documents(path, source, (Document(r[0], r[2], language="fr", kind=r[1]) for r in rows))
            write_parquet(
                shards / f"s{i}.cleared", CLEARED, map(_cleared, read_batches(path, ["id", "digest"]))
            )
        size = sum(len(t.encode()) for t in texts["text"]) / 1e6
        del texts
        for turn in range(ROUNDS):
            for name, command in commands.items():
                out = Path(scratch, f"{name}-{turn}")
                out.mkdir()
                spent[name].append(run([*command, str(shards), str(out)]))
        print(f"{size:.1f} MB of text, {SHARDS} shards, {WORKERS} workers")
        for name, where in (("hemicycle", "corpus/kept"), ("datatrove", "kept")):
            kept = (
                pl.scan_parquet(Path(scratch, f"{name}-0", where, "**/*.parquet")).select(pl.len()).collect()
            )
            print(f"{name} kept {kept.item()} documents")
    compared("datatrove over hemicycle", spent["hemicycle"], spent["datatrove"])


def _cleared(batch: pa.Table) -> pa.Table:
    rows = batch.num_rows
    given = [[True] * rows, pa.array([0] * rows, pa.int8()), ["CC0-1.0"] * rows]
    columns = [batch["id"], batch["digest"], *map(pa.array, given)]
    return pa.table(columns, schema=CLEARED)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
