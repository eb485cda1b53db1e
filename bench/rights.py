"""Rights over many documents: decided by distinct case, beside one by one, on generated documents.

python bench/rights.py [DOCUMENTS]
"""

from __future__ import annotations

import random
import sys
import tempfile
from datetime import date
from pathlib import Path

from hemicycle.documents import Author, Document, StatedLicence, write_documents
from hemicycle.project import Card, CardRights
from hemicycle.rights import decide
from interleaved import ratio

LICENCES = ["CC-BY-4.0", "CC-BY-SA-3.0", "GPL-3.0-or-later", "MPL-2.0", "CC-BY-NC-4.0", "etalab-2.0"]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    dice = random.Random(1)
    documents = [
        Document(
            str(i),
            "texte",
            authors=(Author("A", death=dice.randint(1890, 1970)),),
            licences=(StatedLicence("file", dice.choice(LICENCES)),),
        )
        for i in range(count)
    ]
    card = Card(title="bench", reader="text", path="x", rights=CardRights(attested_by="bench"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_documents(folder / "all.parquet", "bench", documents)
        few = 200
        for i in range(few):
            write_documents(folder / f"{i}.parquet", "bench", [documents[i]])

        def at_once() -> None:
            decide(folder / "all.parquet", card, "bench", ["FR", "BE", "CH"], date(2026, 1, 1), folder / "o")

        def one_by_one() -> None:
            for i in range(few):
                decide(
                    folder / f"{i}.parquet", card, "bench", ["FR", "BE", "CH"], date(2026, 1, 1), folder / "o"
                )

        (folder / "o").mkdir()
        found = ratio(f"{few} documents one by one / {count} at once", at_once, one_by_one, rounds=3)
        print(f"per document, deciding by distinct case is {found * count / few:,.0f} times cheaper")


if __name__ == "__main__":
    main()
