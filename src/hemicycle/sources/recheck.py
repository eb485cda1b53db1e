"""Recheck: what pages and their sites say now of being mined, beside what they said when collected.

A reservation made after a page was fetched counts too, wherever it stands. The bytes that say so are kept as
a WARC file. Where the evidence is young enough nothing is fetched, and an empty table says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from hemicycle.documents import RESERVATION, read_batches, write_parquet
from hemicycle.errors import RightsError
from hemicycle.progress import QUIET, Progress

#: One row a document: what all protocols say together, and each of them.
SCHEMA = pa.schema([("id", pa.string()), ("value", pa.string()), ("reservations", pa.list_(RESERVATION))])


def recheck_source(
    documents: Path,
    out: Path,
    *,
    declared: Iterable[str],
    fetch: bool,
    offline: bool,
    age_days: int,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `optout.parquet` and, where something was fetched, the evidence; return counts by value.

    `declared` are the addresses that the card names: what a crawl names beside them must be public.

    Raises RightsError where the evidence is too old and nothing may be fetched.
    """
    if not fetch:
        write_parquet(out / "optout.parquet", SCHEMA, [])
        return {"checked": 0}
    if offline:
        raise RightsError(
            f"the evidence of opt-outs is older than the {age_days} days of the policy, and --offline "
            "forbids fetching it anew",
            remedy="Run `hemicycle clear` once where there is a network.",
        )
    import dataclasses

    from hemicycle.rights.optout import Value, combine
    from hemicycle.sources.fetch_site import recheck

    origins: dict[str, str] = {}
    for batch in read_batches(documents, ["id", "origin"]):
        origins |= dict(zip(batch["id"].to_pylist(), batch["origin"].to_pylist(), strict=True))
    said = recheck(sorted(set(origins.values())), out, declared=declared, progress=progress)
    rows = [
        {
            "id": id,
            "value": combine(said[origin]),
            "reservations": [dataclasses.asdict(reservation) for reservation in said[origin]],
        }
        for id, origin in origins.items()
    ]
    write_parquet(out / "optout.parquet", SCHEMA, [pa.Table.from_pylist(rows, SCHEMA)])
    counts = {value: sum(row["value"] == value for row in rows) for value in get_args(Value)}
    return {"checked": len(rows), **counts}
