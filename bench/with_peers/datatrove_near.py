"""The peer of bench/near.py, run by it in an environment that has datatrove and not hemicycle.

python bench/with_peers/datatrove_near.py SHARDS OUT
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WordTokenizer

CONFIG = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8, hash_config=HashConfig(precision=64))


class Plain(WordTokenizer):
    def word_tokenize(self, text: str) -> list[str]:
        return text.split()

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def near_stages(
    shards: Path, out: Path, tasks: int, *, last: Sequence[PipelineStep] = (), plain: bool = True
) -> None:
    """Sign, find buckets, cluster, and write what stays to `out`/kept, through `last`; `plain` words or its
    French ones."""
    documents = ParquetReader(str(shards))
    sign = MinhashDedupSignature(str(out / "signatures"), CONFIG, language="fra")
    if plain:
        sign.word_tokenizer = Plain()
    stages = [
        ([documents, sign], tasks),
        ([MinhashDedupBuckets(str(out / "signatures"), str(out / "buckets"), config=CONFIG)], 14),
        ([MinhashDedupCluster(str(out / "buckets"), str(out / "removed"), config=CONFIG)], 1),
        (
            [
                documents,
                MinhashDedupFilter(str(out / "removed")),
                *last,
                ParquetWriter(str(out / "kept"), compression="zstd"),
            ],
            tasks,
        ),
    ]
    for i, (steps, count) in enumerate(stages):
        LocalPipelineExecutor(
            steps, tasks=count, workers=2, logging_dir=str(out / "logs" / str(i)), skip_completed=False
        ).run()


def main() -> None:
    shards, out = Path(sys.argv[1]), Path(sys.argv[2])
    near_stages(shards, out, len(list(shards.glob("*.parquet"))))


if __name__ == "__main__":
    main()
