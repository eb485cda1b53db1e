"""Memory of curation: the largest worker on a large source; one document has 500 MB, one is of figures.

    python bench/memory.py [--gigabytes 5] [--limit 1500]

Documents are invented, of words drawn by seed; the input is written group by group, so that making it takes
no memory either. Exits with 1 where a worker took more than the limit, in MB.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cleared import write_cleared
from hemicycle.curate import annotate_source, make_corpus
from hemicycle.curate.rules import BY_KIND, load_sets
from hemicycle.documents import Document, write_documents
from hemicycle.engines import Local
from spent import run

WORKERS = 2
LONG = 500_000_000
#: Bytes of figures: every run of them may be a number of telephone or of identity, and masking looks at each.
FIGURES = 16_000_000
#: Characters of an ordinary document.
ORDINARY = 20_000


def invented(size: int) -> Iterator[Document]:
    """Documents of `size` bytes together; the first is of figures, the middle one long."""
    draw = random.Random(1)
    figures = " ".join(str(draw.randrange(1000)) for _ in range(FIGURES // 4))
    yield Document("figures", figures, language="fr", kind="manual")
    words = [
        "".join(draw.choice("aeiouéèêbcdflmnprstv") for _ in range(draw.randint(2, 9))) for _ in range(5_000)
    ]
    line = 200
    made = number = 0
    long_at = size // 2
    while made < size:
        if long_at is not None and made >= long_at:
            block = "\n".join(" ".join(draw.choices(words, k=12)) for _ in range(10_000))
            text, long_at = (block + "\n") * (LONG // len(block.encode()) + 1), size * 2
        else:
            text = "\n".join(" ".join(draw.choices(words, k=line // 6)) for _ in range(ORDINARY // line))
        made += len(text.encode("utf-8"))
        number += 1
        yield Document(f"{number}", text, language="fr", kind="manual")


def ours(folder: Path) -> None:
    engine = Local(WORKERS)
    (folder / "annotated").mkdir()
    (folder / "corpus").mkdir()
    annotate_source(
        folder / "documents.parquet",
        folder / "cleared.parquet",
        folder / "annotated",
        folder / "work",
        engine=engine,
    )
    rules = [rule for rules in load_sets([BY_KIND]) for rule in rules.rules]
    make_corpus(
        {"s": folder / "annotated"},
        folder / "corpus",
        folder / "work2",
        rules=rules,
        held_out=0.01,
        engine=engine,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--limit", type=float, default=1500.0)
    parser.add_argument("--ours", type=Path)
    given = parser.parse_args()
    if given.ours:
        ours(given.ours)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_documents(folder / "documents.parquet", "s", invented(int(given.gigabytes * 1e9)))
        write_cleared(folder)
        spent = run([sys.executable, __file__, "--ours", str(folder)])
    print(
        f"{given.gigabytes} GB with a document of {LONG / 1e6:.0f} MB and one of figures: the largest "
        f"process took {spent.largest:.0f} MB, all together {spent.megabytes:.0f} MB; "
        f"{spent.cpu:.0f} s of CPU, {spent.wall:.0f} s of wall clock"
    )
    sys.exit(spent.largest > given.limit)


if __name__ == "__main__":
    main()
