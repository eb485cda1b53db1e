"""From Parquet to cleaned, filtered, deduplicated Parquet, beside datatrove.

Both read the same documents with two workers, ask the same rules (Gopher's, FineWeb-2's French bounds, C4's),
look for near copies with the same bands and rows, mend characters, mask personal data and write what they
keep. Ours also takes out what the source repeats, tells languages, measures every text to its end where
datatrove stops at the first broken rule, masks more kinds, and keeps what it drops with the reason.

In (a) datatrove cuts words at spaces; in (b) it cuts French as it ships, on a part of the text, for it needs
minutes. It cleans last, what is left, as FineWeb-2 does; the model by which that tells languages is not had
from an index of packages, so that step is left out on its side.

    python bench/end_to_end.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import polars as pl

from cleared import write_input
from corpus import made_corpus
from hemicycle.curate import annotate_source, make_corpus
from hemicycle.curate.rules import load_sets
from hemicycle.engines import Local
from peers import DATATROVE, python_of
from spent import Spent, compared, run

WORKERS = 2
#: Name, what datatrove cuts words by, every how many documents, rounds.
RACES = (("(a) words at spaces", "plain", 1, 3), ("(b) French as it ships", "fra", 3, 1))
PEER = Path(__file__).with_name("with_peers") / "datatrove_end_to_end.py"
SETS = ["gopher-repetition", "fineweb-2-fr", "c4"]


def ours(folder: Path, out: Path) -> None:
    engine = Local(WORKERS)
    annotated = out / "annotated"
    annotated.mkdir()
    annotate_source(
        folder / "documents.parquet",
        folder / "cleared.parquet",
        annotated,
        out / "work",
        engine=engine,
    )
    rules = [rule for rules in load_sets(SETS) for rule in rules.rules]
    (out / "corpus").mkdir()
    make_corpus({"s": annotated}, out / "corpus", out / "work", rules=rules, held_out=0.0, engine=engine)


def race(name: str, texts: pl.DataFrame, splitter: str, rounds: int) -> None:
    peer = str(python_of("datatrove", DATATROVE))
    with tempfile.TemporaryDirectory() as scratch:
        folder, shards = Path(scratch, "documents"), Path(scratch, "shards")
        write_input(folder, shards, texts)
        commands = {
            "hemicycle": [sys.executable, __file__, "--ours", str(folder)],
            "datatrove": [peer, str(PEER), str(shards)],
        }
        spent: dict[str, list[Spent]] = {who: [] for who in commands}
        for turn in range(rounds):
            for who, command in commands.items():
                out = Path(scratch, f"{who}-{turn}")
                out.mkdir()
                spent[who].append(run([*command, str(out), *([splitter] if who == "datatrove" else [])]))
        size = texts["text"].str.len_bytes().sum() / 1e6
        print(f"{name}: {size:.1f} MB of text, {WORKERS} workers")
        for who, where in (("hemicycle", "corpus/kept"), ("datatrove", "kept")):
            files = pl.scan_parquet(Path(scratch, f"{who}-0", where, "**/*.parquet"))
            print(f"{who} kept {files.select(pl.len()).collect().item()} documents")
    compared("datatrove over hemicycle", spent["hemicycle"], spent["datatrove"])


def main() -> None:
    texts = pl.read_parquet(made_corpus(sys.argv[1:]) / "corpus.parquet", columns=["id", "text", "kind"])
    for name, splitter, every, rounds in RACES:
        race(name, texts.gather_every(every).select("id", "text", "kind"), splitter, rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
