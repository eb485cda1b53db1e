"""The peer of bench/end_to_end.py, run by it in an environment that has datatrove and not hemicycle.

PYTHON bench/with_peers/datatrove_end_to_end.py SHARDS OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove_filters import Plain, filters
from datatrove_near import near_stages


def main() -> None:
    shards, out = Path(sys.argv[1]), Path(sys.argv[2])
    tasks = len(list(shards.glob("*.parquet")))
    filtered = out / "filtered"
    read = ParquetReader(str(shards), glob_pattern="*.parquet", read_metadata=False)
    LocalPipelineExecutor(
        [read, *filters(Plain()), ParquetWriter(str(filtered), compression="zstd")],
        tasks=tasks,
        workers=2,
        logging_dir=str(out / "logs" / "filters"),
        skip_completed=False,
    ).run()
    near_stages(filtered, out, tasks)


if __name__ == "__main__":
    main()
