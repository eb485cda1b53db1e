"""Reading beside parsing alone: what a reader costs over lxml, on the bundled sittings.

python bench/read.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from lxml import etree

from hemicycle.project import Card
from hemicycle.sources.read import read_source
from interleaved import ratio

SITTINGS = Path(__file__).resolve().parents[1] / "examples" / "petit-hemicycle" / "sittings"


def main() -> None:
    card = Card(title="bench", reader="syceron", path=str(SITTINGS), kind="debate")
    files = sorted(SITTINGS.glob("*.xml"))

    def read() -> None:
        with tempfile.TemporaryDirectory() as out:
            read_source("bench", card, SITTINGS, Path(out))

    def parse() -> None:
        for file in files:
            for element in etree.parse(file).iter():
                _ = element.text, element.tail, dict(element.attrib)

    size = sum(f.stat().st_size for f in files)
    found = ratio("walking with lxml / reading into Parquet documents", read, parse, rounds=15)
    print(f"{size / 1e6:.2f} MB of XML; a reader costs {1 / found:.1f} times a bare walk")


if __name__ == "__main__":
    main()
