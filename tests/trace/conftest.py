from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, Document, write_parquet

CORPUS = (
    SCHEMA.append(pa.field("clean_digest", pa.string()))
    .append(pa.field("split", pa.string()))
    .append(pa.field("signals", pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))))
)


def _write(folder: Path, sources: Mapping[str, Sequence[Document]], held_out: Sequence[str] = ()) -> Path:
    """Write a corpus artefact: documents by source, two to a row group; `held_out` names ids."""
    for source, documents in sources.items():
        rows: list[dict[str, Any]] = [document.row(source) for document in documents]
        for row in rows:
            row["clean_digest"] = sha256_text(row["text"])
            row["split"] = "held-out" if row["id"] in held_out else "train"
            row["signals"] = []
        groups = [pa.Table.from_pylist(rows[i : i + 2], schema=CORPUS) for i in range(0, len(rows), 2)]
        (folder / "kept" / source).mkdir(parents=True)
        write_parquet(folder / "kept" / source / "00000.parquet", CORPUS, groups)
    return folder


@pytest.fixture(scope="session")
def write_corpus() -> Callable[..., Path]:
    return _write
