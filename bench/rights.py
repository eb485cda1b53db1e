"""A million documents in three countries: decided by distinct case on one core, and the same one by one.

Documents are generated: twenty thousand works by people with years, flags and authority ids, a tenth of them
with a translator, years of publication, and licences of editions, files and distributors. The limit is 60
seconds of CPU on one core for a million documents in three countries. Some are then decided row by row, by a
loop over the documents that shares no code with the column operations: every verdict must be the same.

    python bench/rights.py [DOCUMENTS]
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from hemicycle.documents import SCHEMA, Author, write_parquet
from hemicycle.project import Card, CardRights
from hemicycle.rights import decide
from hemicycle.rights.cases import Case
from hemicycle.rights.finding import find
from hemicycle.rights.layers import relevant, term_of
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import USES, default_policy

LIMIT_SECONDS = 60
WORKS = 20_000
COUNTRIES = ["CA", "FR", "SN"]
DAY = date(2026, 11, 22)
LICENCES = ["CC-BY-4.0", "CC-BY-SA-3.0", "GPL-3.0-or-later", "MPL-2.0", "CC-BY-NC-4.0", "etalab-2.0"]


def works(dice: random.Random) -> list[list[dict[str, Any]]]:
    """The contributors of each work, as documents carry them."""

    def person(number: int, role: str) -> dict[str, Any]:
        death = dice.randint(1850, 2020) if dice.random() < 0.95 else None
        birth = death - dice.randint(25, 90) if death else None
        flags = [f"viaf:{number}", *(["mort-pour-la-france"] if dice.random() < 0.01 else [])]
        published = birth + dice.randint(20, 60) if birth and dice.random() < 0.7 else None
        years = {"birth": birth, "death": death, "published": published}
        return {"name": f"Person {number}", "role": role, "flags": flags, **years}

    return [
        [person(n, "author"), *([person(n + WORKS, "translator")] if dice.random() < 0.1 else [])]
        for n in range(WORKS)
    ]


def write_documents(path: Path, count: int) -> None:
    """`count` documents in row groups as readers write them; most columns are null, as they do not matter."""
    dice = random.Random(1)
    known = pa.array(works(dice), SCHEMA.field("authors").type)
    stated = [[{"stated_by": "edition", "expression": one}] for one in LICENCES]
    stated += [[*s, {"stated_by": "distributor", "expression": LICENCES[0]}] for s in stated]
    licences = pa.array(stated, SCHEMA.field("licences").type)

    def groups():  # noqa: ANN202
        for start in range(0, count, 2_000):
            rows = range(start, min(start + 2_000, count))
            columns = {
                "id": pa.array([f"bench:{n}" for n in rows]),
                "digest": pa.array([f"{n:064x}" for n in rows]),
                "text": pa.array(["texte"] * len(rows), pa.large_string()),
                "authors": known.take(pa.array([dice.randrange(WORKS) for _ in rows])),
                "licences": licences.take(pa.array([dice.randrange(len(stated)) for _ in rows])),
            }
            empty = {f.name: pa.nulls(len(rows), f.type) for f in SCHEMA if f.name not in columns}
            yield pa.table({f.name: {**columns, **empty}[f.name] for f in SCHEMA}, schema=SCHEMA)

    write_parquet(path, SCHEMA, groups())


def one_by_one(document: dict[str, Any], rights: CardRights) -> list[tuple[str, str, str, str]]:
    policy = default_policy()
    authors = [Author(**{**a, "flags": tuple(a["flags"])}) for a in document["authors"]]
    stated = sorted({(s["stated_by"], s["expression"]) for s in document["licences"]})
    case = Case(tuple(stated), relevant(authors))
    rows = []
    for country in COUNTRIES:
        term = term_of(authors, country, DAY)
        findings = find(case, rights, policy, lambda e: judge_expression(e, policy), term)
        rows += [(document["id"], country, use, findings[use].verdict) for use in USES]
    return rows


def main() -> None:
    pa.set_cpu_count(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rights = CardRights(attested_by="bench", covers="edition")
    card = Card(title="bench", reader="text", path="x", rights=rights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "documents.parquet"
        write_documents(path, count)
        begin = time.process_time()
        figures = decide(path, card, "bench", COUNTRIES, DAY, folder)
        took = time.process_time() - begin
        print(f"{count:,} documents, {figures['combinations']:,} cases: {took:.1f} s of CPU")
        sample = pl.read_parquet(path, columns=["id", "authors", "licences"]).sample(
            min(2_000, count), seed=2
        )
        begin = time.process_time()
        reference = {row for document in sample.to_dicts() for row in one_by_one(document, rights)}
        each = (time.process_time() - begin) / len(sample)
        table = pl.scan_parquet(folder / "rights.parquet").select("id", "jurisdiction", "use", "verdict")
        verdicts = set(table.filter(pl.col("id").is_in(sample["id"].implode())).collect().iter_rows())
    same = verdicts == reference
    print(f"per document, by distinct case is {each * count / took:,.1f} times cheaper than one by one")
    print(f"verdicts of {len(sample):,} documents decided one by one: {'the same' if same else 'OTHERS'}")
    share = took / LIMIT_SECONDS * 1_000_000 / count
    print(f"share of the limit ({LIMIT_SECONDS} s of CPU a million documents): {share:.2f}")
    sys.exit(0 if same and share < 1 else 1)


if __name__ == "__main__":
    main()
