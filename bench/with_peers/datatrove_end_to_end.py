"""The peer of bench/end_to_end.py, run by it in an environment that has datatrove and not hemicycle.

    PYTHON bench/with_peers/datatrove_end_to_end.py SHARDS OUT SPLITTER

SPLITTER is `plain` or a language datatrove knows. What cleans texts comes last, as in FineWeb-2, where fewest
are left.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.formatters import FTFYFormatter, PIIFormatter
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove_filters import Plain, filters
from datatrove_near import near_stages


def main() -> None:
    shards, out, splitter = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    language = Plain() if splitter == "plain" else splitter
    tasks = len(list(shards.glob("*.parquet")))
    filtered = out / "filtered"
    read = ParquetReader(str(shards), glob_pattern="*.parquet", read_metadata=False)
    LocalPipelineExecutor(
        [read, *filters(language), ParquetWriter(str(filtered), compression="zstd")],
        tasks=tasks,
        workers=2,
        logging_dir=str(out / "logs" / "filters"),
        skip_completed=False,
    ).run()
    last = [FTFYFormatter(), PIIFormatter()]
    near_stages(filtered, out, tasks, last=last, plain=splitter == "plain")


if __name__ == "__main__":
    main()
