"""Learning tokens and making them, beside `tokenizers` alone and datatrove's tokeniser step.

    python bench/tokens.py [FOLDER] [--rounds 3]

FOLDER holds corpus.parquet and corpus.jsonl as bench/corpus.py writes them. Both sides of the last ratio
read their file, tokenise under the very same tokenizer.json and write tokens to disk: ours Parquet to
shards with the map of documents, the peer JSONL through its own reader and DocumentTokenizer. CPU times
are those of all threads and of the processes that were waited for. Learning is timed without and with
reading the corpus and proving equal ids, which `tokenizers` alone is spared.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import rustbpe
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from corpus import made_corpus
from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.tokens import Order, Phase, make_plan, tokenize, train_tokenizer
from hemicycle.tokens.encoder import byte_level
from hemicycle.tokens.pattern import PATTERN
from hemicycle.tokens.tokenizer import Sample
from peers import DATATROVE, python_of

VOCABULARY = 16_384
PEER = """
import sys
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
source, tokenizer, out = sys.argv[1:]
LocalPipelineExecutor(
    pipeline=[
        JsonlReader(source),
        DocumentTokenizer(output_folder=out, tokenizer_name_or_path=tokenizer, eos_token="<|end|>"),
    ],
    tasks=1, workers=1, logging_dir=out + "/logs", skip_completed=False,
).run()
"""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("folder", type=Path, nargs="?")
    asked.add_argument("--rounds", type=int, default=3)
    given = asked.parse_args()
    corpus = given.folder or made_corpus([])
    peer = str(python_of("datatrove", DATATROVE))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _as_corpus(corpus / "corpus.parquet", folder / "corpus")
        (folder / "jsonl").mkdir()
        shutil.copy(corpus / "corpus.jsonl", folder / "jsonl")
        texts = list(Sample(folder / "corpus"))
        size = sum(len(text.encode("utf-8")) for text in texts) / 1e6
        print(f"{size:.1f} MB of text, vocabulary {VOCABULARY}")

        def learn() -> None:
            rustbpe.Tokenizer().train_from_iterator(
                iter(texts), VOCABULARY - 2, buffer_size=256, pattern=PATTERN
            )

        def learn_whole() -> None:
            (folder / "tokenizer").mkdir(exist_ok=True)
            train_tokenizer(folder / "corpus", folder / "tokenizer", vocab=VOCABULARY)

        def library() -> None:
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = byte_level()
            alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
            trainer = trainers.BpeTrainer(
                vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False
            )
            tokenizer.train_from_iterator(iter(texts), trainer)

        def ours() -> None:
            (folder / "tokens").mkdir(exist_ok=True)
            tokenize(folder / "corpus", folder / "tokenizer", folder / "tokens")

        def peer() -> None:
            shutil.rmtree(folder / "peer", ignore_errors=True)
            words = [
                peer,
                "-c",
                PEER,
                folder / "jsonl",
                folder / "tokenizer/tokenizer.json",
                folder / "peer",
            ]
            subprocess.run([*map(str, words)], check=True, capture_output=True)

        learn_whole()
        compare("learn: tokenizers / rustbpe", size, learn, library, given.rounds)
        compare("learn: tokenizers / read, learn and prove", size, learn_whole, library, given.rounds)
        compare("tokenise and write: datatrove / ours", size, ours, peer, given.rounds)
        _batches(folder)


def compare(
    name: str, size: float, ours: Callable[[], object], peer: Callable[[], object], rounds: int
) -> None:
    """Print the median ratios of CPU and wall time, the two timed in turn, and the speeds."""
    spent: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for _ in range(rounds):
        spent.append((_spent(ours), _spent(peer)))
    for what, kind in enumerate(("CPU", "wall")):
        ratios = sorted(theirs[what] / own[what] for own, theirs in spent)
        own = statistics.median(own[what] for own, _ in spent)
        theirs = statistics.median(theirs[what] for _, theirs in spent)
        print(
            f"{name}, {kind}: {statistics.median(ratios):.2f} times ({ratios[0]:.2f}–{ratios[-1]:.2f});"
            f" {size / own:.1f} beside {size / theirs:.1f} MB/s"
        )
        sys.stdout.flush()


def _spent(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of a piece of work, its threads and its processes."""

    def cpu() -> float:
        every = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(one.ru_utime + one.ru_stime for one in every)

    begun, clock = cpu(), time.perf_counter()
    work()
    return cpu() - begun, time.perf_counter() - clock


def _as_corpus(file: Path, folder: Path) -> None:
    """A corpus artefact of the bench corpus, one source."""
    path = folder / "kept" / "bench" / "00000.parquet"
    path.parent.mkdir(parents=True)
    table = pq.read_table(file, columns=["id", "text"])
    rows = table.num_rows
    filled = {"source": ["bench"] * rows, "split": ["train"] * rows, "clean_digest": table["id"]}
    columns = {
        f.name: filled[f.name]
        if f.name in filled
        else table[f.name]
        if f.name in table.column_names
        else None
        for f in CORPUS
    }
    whole = CORPUS.empty_table().from_pydict(
        {n: [None] * rows if c is None else c for n, c in columns.items()}, schema=CORPUS
    )
    write_parquet(path, CORPUS, (whole.slice(first, 2_000) for first in range(0, rows, 2_000)))


def _batches(folder: Path) -> None:
    """How fast the tokens are read back as batches."""
    (folder / "plan").mkdir()
    tokens, phases = {"c": folder / "tokens"}, [Phase("main", 200 * 2048, {"c": 1.0}, 256)]
    plan = make_plan(tokens, phases, folder / "plan", batch_tokens=2048, seed=1)
    order = Order(folder / "plan", tokens)
    cpu, _ = _spent(lambda: [order.batch(step) for step in range(order.steps)])
    speed = plan["tokens"] / cpu / 1e6
    print(f"{plan['tokens']:,} tokens read in {order.steps} batches: {speed:.1f} M/s of CPU")


if __name__ == "__main__":
    main()
