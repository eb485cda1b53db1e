"""Masking personal data beside datatrove's PIIFormatter: CPU by kind of text, and errors on the labelled set.

The peer knows e-mail and IP addresses; ours looks for everything in its table. Each reads the same texts in
a process of its own, in turn with the other; only the replacing is timed. Errors count labelled e-mail and IP
addresses that are still in the text (missed), and texts without any that were changed (false).

    python bench/personal.py [FOLDER]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from corpus import made_corpus
from hemicycle.curate.personal import mask
from peers import DATATROVE, python_of

ROUNDS = 5
#: Characters of a kind that are read, at most.
MOST = 8_000_000
HERE = Path(__file__).parent
PEER = HERE / "with_peers/datatrove_personal.py"
LABELLED = HERE.parent / "tests" / "curate" / "personal"
NOWHERE = np.zeros(0, np.int64)


def ours(texts: Path) -> tuple[float, list[str]]:
    lines = json.loads(texts.read_text("utf-8"))
    mask("a@b.fr", NOWHERE, None)
    begin = time.process_time()
    made = [mask(text, NOWHERE, None)[0] for text in lines]
    return time.process_time() - begin, made


def run(python: str, script: Path, *arguments: str) -> tuple[float, list[str]]:
    done = subprocess.run([python, str(script), *arguments], check=True, capture_output=True, text=True)
    spent, made = json.loads(done.stdout.splitlines()[-1])
    return spent, made


def speed(folder: Path, scratch: Path, peer: str) -> None:
    corpus = pl.read_parquet(folder / "corpus.parquet", columns=["text", "kind"])
    for kind in ("debate", "fiction", "manual"):
        texts = corpus.filter(pl.col("kind") == kind)["text"]
        texts = texts.filter(texts.str.len_chars().cum_sum() <= MOST)
        file = scratch / f"{kind}.json"
        file.write_text(json.dumps(texts.to_list()), "utf-8")
        megabytes = texts.str.len_bytes().sum() / 1e6
        pairs = [
            (run(sys.executable, Path(__file__), "--ours", str(file))[0], run(peer, PEER, str(file))[0])
            for _ in range(ROUNDS)
        ]
        ratios = [theirs / mine for mine, theirs in pairs]
        print(
            f"{kind}: ours {megabytes / statistics.median(mine for mine, _ in pairs):.0f} MB a CPU second, "
            f"datatrove {megabytes / statistics.median(theirs for _, theirs in pairs):.0f}; "
            f"{statistics.median(ratios):.1f} times ({min(ratios):.1f}–{max(ratios):.1f})"
        )


def errors(scratch: Path, peer: str) -> None:
    cases = [
        json.loads(line)
        for file in sorted(LABELLED.glob("*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    file = scratch / "labelled.json"
    file.write_text(json.dumps([case["text"] for case in cases]), "utf-8")
    for name, made in (("ours", ours(file)[1]), ("datatrove", run(peer, PEER, str(file))[1])):
        for kind in ("email", "ip"):
            values = [
                (case["text"][start:end], after)
                for case, after in zip(cases, made, strict=True)
                for start, end, what in case["spans"]
                if what == kind
            ]
            missed = sum(value in after for value, after in values)
            print(f"{name}, {kind}: {missed} of {len(values)} missed")
        bare = [(case["text"], after) for case, after in zip(cases, made, strict=True) if not case["spans"]]
        print(
            f"{name}: {sum(text != after for text, after in bare)} of {len(bare)} texts without any changed"
        )


def main() -> None:
    if sys.argv[1:2] == ["--ours"]:
        print(json.dumps(ours(Path(sys.argv[2]))))
        return
    place = made_corpus(sys.argv[1:])
    peer = str(python_of("datatrove", DATATROVE))
    with tempfile.TemporaryDirectory() as scratch:
        errors(Path(scratch), peer)
        speed(place, Path(scratch), peer)


if __name__ == "__main__":
    main()
