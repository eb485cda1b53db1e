"""A million documents in three countries: decided by distinct case on one core, and the same one by one.

Documents are generated: sixty thousand people with years, flags and authority ids, alone or with a
translator, years of publication, licences of editions and files. The limit is 60 seconds of CPU on one core for a million
documents in three countries. A sample of them is then decided row by row, by a loop over the documents that
shares no code with the column operations: every verdict must be the same.

    python bench/rights.py [DOCUMENTS]
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import random
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

pa.set_cpu_count(1)

from hemicycle.documents import Author, Document, StatedLicence, write_documents  # noqa: E402
from hemicycle.project import Card, CardRights  # noqa: E402
from hemicycle.rights import decide  # noqa: E402
from hemicycle.rights.cases import Case  # noqa: E402
from hemicycle.rights.finding import find  # noqa: E402
from hemicycle.rights.layers import relevant, term_of  # noqa: E402
from hemicycle.rights.licences import judge_expression  # noqa: E402
from hemicycle.rights.policy import USES, default_policy  # noqa: E402

LIMIT_SECONDS = 60
COUNTRIES = ["CA", "FR", "SN"]
DAY = date(2026, 11, 22)
LICENCES = ["CC-BY-4.0", "CC-BY-SA-3.0", "GPL-3.0-or-later", "MPL-2.0", "CC-BY-NC-4.0", "etalab-2.0"]


def people(dice: random.Random, count: int = 60_000) -> list[Author]:
    found = []
    for number in range(count):
        death = dice.randint(1850, 2020) if dice.random() < 0.95 else None
        flags = (f"viaf:{number}", *(("mort-pour-la-france",) if dice.random() < 0.01 else ()))
        birth = death - dice.randint(25, 90) if death else None
        published = dice.randint(1860, 2000) if dice.random() < 0.7 and (birth or 0) < 1860 else None
        found.append(Author(f"A {number}", birth=birth, death=death, flags=flags, published=published))
    return found


def documents(count: int) -> list[Document]:
    dice = random.Random(1)
    known = people(dice)
    made = []
    for number in range(count):
        authors = [dice.choice(known)]
        if dice.random() < 0.1:
            translator = dice.choice(known)
            authors.append(Author(translator.name, "translator", translator.birth, translator.death))
        licences = [StatedLicence("edition", dice.choice(LICENCES), f"file {number}")]
        if dice.random() < 0.05:
            licences.append(StatedLicence("distributor", dice.choice(LICENCES)))
        made.append(Document(str(number), "texte", authors=tuple(authors), licences=tuple(licences)))
    return made


def one_by_one(document: Document, rights: CardRights) -> list[tuple[str, str, str, str]]:
    policy = default_policy()
    stated = sorted({(s.stated_by, s.expression) for s in document.licences})
    case = Case(tuple(stated), relevant(document.authors))
    rows = []
    for country in COUNTRIES:
        term = term_of(document.authors, country, DAY)
        findings = find(case, rights, policy, lambda e: judge_expression(e, policy), term)
        rows += [(f"bench:{document.origin}", country, use, findings[use].verdict) for use in USES]
    return rows


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    made = documents(count)
    rights = CardRights(attested_by="bench", covers="edition")
    card = Card(title="bench", reader="text", path="x", rights=rights)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_documents(folder / "documents.parquet", "bench", made)
        begin = time.process_time()
        figures = decide(folder / "documents.parquet", card, "bench", COUNTRIES, DAY, folder)
        took = time.process_time() - begin
        print(f"{count:,} documents, {figures['combinations']:,} cases: {took:.1f} s of CPU")
        sample = random.Random(2).sample(made, min(2_000, count))
        begin = time.process_time()
        reference = [row for document in sample for row in one_by_one(document, rights)]
        each = (time.process_time() - begin) / len(sample)
        table = pl.read_parquet(folder / "rights.parquet", columns=["id", "jurisdiction", "use", "verdict"])
        ids = [f"bench:{d.origin}" for d in sample]
        verdicts = set(table.filter(pl.col("id").is_in(ids)).iter_rows())
    same = verdicts == set(reference)
    print(f"per document, by distinct case is {each * count / took:,.0f} times cheaper than one by one")
    print(f"verdicts of {len(sample):,} documents one by one: {'the same' if same else 'OTHERS'}")
    share = took / LIMIT_SECONDS * 1_000_000 / count
    print(f"share of the limit ({LIMIT_SECONDS} s of CPU a million): {share:.2f}")
    sys.exit(0 if same and share < 1 else 1)


if __name__ == "__main__":
    main()
