"""Tokenising into shards with the document map, beside the tokenizer library alone.

RAYON_NUM_THREADS=1 python bench/tokens.py
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pyarrow as pa

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.tokens import Order, load_tokenizer, make_plan, tokenize, train_tokenizer
from hemicycle.tokens.tokenizer import training_texts
from interleaved import ratio


def main() -> None:
    dice = random.Random(1)
    words = ["".join(dice.choices("aeinorstulcdmpé'", k=dice.randint(1, 9))) for _ in range(5_000)]
    rows = [
        {
            "id": str(i),
            "text": " ".join(dice.choices(words, k=2_000)),
            "source": "bench",
            "clean_digest": str(i),
            "split": "train",
        }
        for i in range(300)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("corpus/kept", "tokenizer", "tokens", "plan"):
            (folder / part).mkdir(parents=True)
        table = pa.Table.from_pylist(rows, CORPUS)
        write_parquet(folder / "corpus" / "kept" / "bench.parquet", CORPUS, [table])
        train_tokenizer(folder / "corpus", folder / "tokenizer", vocab=4096)
        encoder = load_tokenizer(folder / "tokenizer")

        def library() -> None:
            encoder.encode_batch_fast(list(training_texts(folder / "corpus")), add_special_tokens=False)

        ratio(
            "tokenizers alone / shards with document map",
            lambda: tokenize(folder / "corpus", folder / "tokenizer", folder / "tokens"),
            library,
        )
        plan = make_plan(
            {"c": folder / "tokens"},
            {"c": 1.0},
            folder / "plan",
            context=256,
            batch_rows=8,
            steps=200,
            seed=1,
        )
        order = Order(folder / "plan", {"c": folder / "tokens"})

        def batches() -> None:
            for step in range(order.steps):
                order.batch(step)

        found = ratio("tokenising / reading the same tokens as batches", batches, library)
        print(f"{plan['tokens']:,} tokens read in {order.steps} batches; {found:.0f} times tokenising")


if __name__ == "__main__":
    main()
