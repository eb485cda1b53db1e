"""The measure of recognised text against a known rate of wrong letters; also how its table is made.

Every other file of the folder is for the table, the rest are spoilt at known rates with the errors that
recognition makes (letters taken for their likes, for signs and figures, lost, doubled), a hundred stretches
of each. Printed: the mean quality at each rate, and the rank correlation of quality with rate over all
stretches.

    python bench/ocr_quality.py FOLDER [--table FILE]

FOLDER holds clean French text, ``.xml`` or ``.txt``. With `--table` the table is written first and used.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
from collections import Counter
from pathlib import Path

import numpy as np

from hemicycle.curate import ocr_quality as measure

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
STRETCH, STRETCHES = 3_000, 100

#: A sequence of three letters is in the table from this share of all of them on.
SHARE = 4e-6

LIKES = {
    "e": "cëéoè6", "c": "eëG(", "a": "àâ&o", "n": "uri", "u": "niii", "i": "ïlîj1", "l": "1I!t|", "m": "rnfi",
    "h": "bli", "b": "hli", "o": "0ôëc", "s": "fâ3S5", "t": "lfî", "r": "ft^", "d": "clù", "f": "tfj",
    "é": "eëë6", "v": "vyY", "p": "jjn", "g": "ëq", "q": "cjg", " ": " .*",
}  # fmt: skip


def words(path: Path) -> str:
    text = path.read_text("utf-8")
    if path.suffix == ".xml":
        text = re.sub(r"<teiHeader.*?</teiHeader>", " ", text, flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", "", text)
        text = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
    return text


def spoilt(text: str, rate: float, chance: random.Random) -> str:
    out = []
    for letter in text:
        if chance.random() >= rate:
            out.append(letter)
            continue
        kind = chance.random()
        if kind < 0.7:
            out.append(chance.choice(LIKES.get(letter.lower(), "iîlt'.*")))
        elif kind < 0.85:
            out.append(letter + chance.choice("ilt.,'^*"))
    return "".join(out)


def table_of(texts: list[str]) -> str:
    """The trigrams that are frequent enough, as the file holds them."""
    found: Counter[str] = Counter()
    for text in texts:
        for token in re.split(f"[{re.escape(measure._EDGES)}]+", text):
            classes = [int(measure._CLASSES[ord(c)]) if ord(c) < 0x2600 else 28 for c in token]
            numbers = [c - 32 if c > 32 else c for c in classes if c != 29]
            if len(numbers) > 1 and all(1 <= n <= 26 for n in numbers):
                plain = "_" + "".join(chr(96 + n) for n in numbers) + "_"
                found.update(plain[i : i + 3] for i in range(len(plain) - 2))
    least = SHARE * found.total()
    pairs: dict[str, list[str]] = {}
    for trigram in sorted(t for t, n in found.items() if n >= least):
        pairs.setdefault(trigram[:2], []).append(trigram[2])
    return "".join(f"{pair} {''.join(letters)}\n" for pair, letters in pairs.items())


def ranks(values: list[float]) -> np.ndarray:
    order = np.argsort(values, kind="stable")
    _, inverse, counts = np.unique(np.asarray(values)[order], return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    out = np.empty(len(values))
    out[order] = (ends - (counts - 1) / 2)[inverse]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    files = sorted([*given.folder.rglob("*.xml"), *given.folder.rglob("*.txt")])
    if given.table:
        given.table.write_text(table_of([words(file) for file in files[::2]]), "utf-8")
        measure.plausible.cache_clear()
    chance = random.Random(1)
    rest = " ".join(words(file) for file in files[1::2])
    starts = [chance.randrange(len(rest) - STRETCH) for _ in range(STRETCHES)]
    rate_of, quality_of = [], []
    for rate in RATES:
        found = [measure.ocr_quality(spoilt(rest[s : s + STRETCH], rate, chance)) for s in starts]
        rate_of += [rate] * len(found)
        quality_of += found
        low, high = np.percentile(found, [5, 95])
        print(f"{rate:5.0%} of letters wrong: quality {statistics.mean(found):.3f} ({low:.3f}–{high:.3f})")
    print(f"rank correlation: {np.corrcoef(ranks(rate_of), ranks(quality_of))[0, 1]:.3f}")


if __name__ == "__main__":
    main()
