"""The bench corpus: French text from a written recipe, with perturbed copies whose true likeness is known.

    python bench/corpus.py [FOLDER] [--samples FOLDER] [--megabytes 100] [--seed 1]

Bases: the sittings, novels and articles of the sample folder (argument, or HEMICYCLE_SAMPLES, or beside the
checkout) and French documentation out of Debian packages, fetched by apt and kept in FOLDER/debs. Long texts
are cut at paragraphs into pieces of at most 50 000 characters. A base is left out where it shares half its
shingles with an earlier one, so that all bases are distinct and a base without copies is truly unique.

Copies: two bases in three get one copy or, one time in five, up to four; each is re-set (other spaces,
apostrophes, line ends), edited (words put in, taken out, exchanged, for a wanted likeness between 0.5 and 1),
cut, or the very same. The likeness written down is not the wanted one but the one counted: Jaccard's
coefficient of the sets of five words in a row, words being ``\\w+`` of the lower-cased text with figures read
as 0. It is counted by Python's sets, not by anything that is measured with it.

Writes corpus.parquet and corpus.jsonl (id, text, kind, base), pairs.parquet (one, other, jaccard: every pair
of texts with the same base) and recipe.json. Equal packages, samples and seed give equal files.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from hemicycle.digests import sha256_file, sha256_text
from hemicycle.project import Card
from hemicycle.sources import reader
from hemicycle.sources.apt import fetch_packages
from peers import cache_folder

PACKAGES = (
    "apt aptitude-doc-fr debhelper debian-handbook debian-reference-fr developers-reference-fr devscripts "
    "dpkg dpkg-dev evolution-common gimp-help-fr gnome-user-docs kicad-doc-fr libreoffice-help-fr "
    "maint-guide-fr manpages-fr manpages-fr-dev passwd po4a"
).split()
FRENCH_PAGES = [
    "usr/share/**/fr/**",
    "usr/share/doc/debian-handbook/html/fr-FR/*.html",
    "usr/share/doc/maint-guide-fr/html/*.html",
    "**/*.fr.html",
]
SAMPLES = Path(__file__).resolve().parents[2] / "shared" / "samples"
LONGEST, SHORTEST, SHINGLE = 50_000, 400, 5


@dataclass(frozen=True)
class Text:
    """A text of the corpus; `base` is its own id where it is no copy."""

    id: str
    text: str
    kind: str
    base: str


def read_bases(samples: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """(kind, text) of everything the recipe names, in a fixed order."""
    cards = [
        (samples / "assemblee-2013" / "tei", Card(title="sittings", reader="tei", path=".", kind="debate")),
        (
            samples / "literature",
            Card(title="novels", reader="eltec", path=".", include=["*.xml"], kind="fiction"),
        ),
        (
            samples / "constitution",
            Card(title="law", reader="markdown-frontmatter", path=".", include=["art*.md"], kind="law"),
        ),
    ]
    fetch_packages(PACKAGES, folder / "debs", folder / "apt")
    manuals = Card(title="manuals", reader="debian", packages=PACKAGES, include=FRENCH_PAGES, kind="manual")
    for place, card in [*cards, (folder / "debs", manuals)]:
        for document in reader(card.reader)(place, card):
            for piece in pieces(document.text):
                yield card.kind, piece


def pieces(text: str) -> Iterator[str]:
    """A text cut at line ends into pieces of at most `LONGEST` characters; what is short is left out."""
    piece: list[str] = []
    size = 0
    for line in text.split("\n"):
        if size and size + len(line) > LONGEST:
            yield "\n".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line) + 1
    if size >= SHORTEST:
        yield "\n".join(piece)


def shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", re.sub(r"\d+(?:[.,]\d+)*", "0", text.lower()))
    return {" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    common = len(one & other)
    return common / (len(one) + len(other) - common)


def distinct(texts: Iterable[tuple[str, str]]) -> list[Text]:
    """The texts that share less than half of their shingles with every one before them."""
    holders: dict[str, list[int]] = {}
    kept: list[Text] = []
    sizes: list[int] = []
    for kind, text in texts:
        own = shingles(text)
        lists = [holders[s] for s in own if s in holders]
        if lists:
            shared = np.bincount(np.fromiter(itertools.chain.from_iterable(lists), np.int64))
            before = np.asarray(sizes[: len(shared)])
            if (shared / (before + len(own) - shared)).max() >= 0.5:
                continue
        for shingle in own:
            holders.setdefault(shingle, []).append(len(kept))
        name = f"base-{sha256_text(text)[:12]}"
        kept.append(Text(name, text, kind, name))
        sizes.append(len(own))
    return kept


def reset(text: str, random_: random.Random) -> str:
    """The same words in another dress."""
    text = text.replace("’", "'") if "’" in text else text.replace("'", "’")
    if random_.random() < 0.5:
        text = re.sub(r" ([;:!?»])", "\u00a0\\1", text)
    if random_.random() < 0.5:
        text = re.sub(r"(?<=\S)\n(?=\S)", " ", text)
    if random_.random() < 0.2:
        text = text.upper()
    return text


def edited(text: str, random_: random.Random) -> str:
    """Words exchanged, taken out or put in, at the rate that a wanted likeness asks for.

    Of n words in a row none is touched with probability (1 - rate)^n = s, and then Jaccard is s / (2 - s).
    """
    wanted = random_.uniform(0.5, 0.99)
    rate = 1 - (2 * wanted / (1 + wanted)) ** (1 / SHINGLE)
    parts = re.split(r"(\s+)", text)
    words = parts[::2]
    for i in range(0, len(parts), 2):
        if random_.random() < rate:
            other = words[random_.randrange(len(words))]
            parts[i] = random_.choice([other, "", f"{parts[i]} {other}"])
    return "".join(parts)


def cut(text: str, random_: random.Random) -> str:
    """A piece from the beginning or the end left out."""
    lost = int(len(text) * random_.uniform(0.02, 0.4))
    return text[lost:] if random_.random() < 0.5 else text[: len(text) - lost]


def copies(bases: list[Text], size: int, seed: int) -> list[Text]:
    """Copies of two bases in three, until all texts together hold `size` bytes."""
    made: list[Text] = []
    total = sum(len(b.text.encode("utf-8")) for b in bases)
    choosing = random.Random(f"{seed} bases")
    order = [b for b in bases if choosing.random() < 2 / 3]
    for turn in itertools.count():
        choosing.shuffle(order)
        for base in order:
            if turn and choosing.random() < 0.8:
                continue
            if total >= size:
                return made
            random_ = random.Random(f"{seed} {base.id} {turn}")
            make = random_.choices([str, reset, edited, cut], [1, 2, 5, 2])[0]
            text = base.text if make is str else make(base.text, random_)
            made.append(Text(f"copy-{turn}-{base.id[5:]}", text, base.kind, base.id))
            total += len(text.encode("utf-8"))
    return made


def pairs(texts: list[Text]) -> Iterator[tuple[str, str, float]]:
    """The true likeness of every two texts with the same base."""
    groups: dict[str, list[Text]] = {}
    for text in texts:
        groups.setdefault(text.base, []).append(text)
    for group in groups.values():
        sets = [shingles(t.text) for t in group] if len(group) > 1 else []
        for (one, a), (other, b) in itertools.combinations(zip(group, sets, strict=False), 2):
            yield one.id, other.id, jaccard(a, b)


def write_corpus(folder: Path, samples: Path, megabytes: float, seed: int) -> None:
    """Follow the recipe; nothing is done where the folder already holds its outcome."""
    recipe = {
        "samples": samples.name,
        "packages": PACKAGES,
        "megabytes": megabytes,
        "seed": seed,
        "version": 1,
    }
    done = folder / "recipe.json"
    if done.is_file() and json.loads(done.read_text("utf-8"))["recipe"] == recipe:
        return
    folder.mkdir(parents=True, exist_ok=True)
    bases = distinct(read_bases(samples, folder))
    texts = [*bases, *copies(bases, int(megabytes * 1e6), seed)]
    random.Random(f"{seed} order").shuffle(texts)
    frame = pl.DataFrame([vars(t) for t in texts])
    frame.write_parquet(folder / "corpus.parquet", row_group_size=1_000)
    frame.write_ndjson(folder / "corpus.jsonl")
    likeness = pl.DataFrame(list(pairs(texts)), schema=["one", "other", "jaccard"], orient="row")
    likeness.write_parquet(folder / "pairs.parquet")
    figures = {
        "bases": len(bases),
        "bytes_of_bases": sum(len(b.text.encode("utf-8")) for b in bases),
        "texts": len(texts),
        "bytes": sum(len(t.text.encode("utf-8")) for t in texts),
        "pairs": likeness.height,
        "pairs_over_0.8": likeness.filter(pl.col("jaccard") >= 0.8).height,
        "packages": json.loads((folder / "debs" / "packages.json").read_text("utf-8")),
        "digest": sha256_file(folder / "corpus.jsonl"),
    }
    done.write_text(json.dumps({"recipe": recipe, "figures": figures}, indent=1, ensure_ascii=False), "utf-8")


def made_corpus(arguments: list[str]) -> Path:
    """The folder of the corpus: the one given, or the one in the cache, made where it is not there yet."""
    if arguments:
        return Path(arguments[0])
    folder = cache_folder() / "bench-corpus"
    if not (folder / "corpus.parquet").is_file():
        write_corpus(folder, SAMPLES, 100.0, 1)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=cache_folder() / "bench-corpus")
    parser.add_argument("--samples", type=Path, default=Path(os.environ.get("HEMICYCLE_SAMPLES", SAMPLES)))
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write_corpus(given.folder, given.samples, given.megabytes, given.seed)
    figures = json.loads((given.folder / "recipe.json").read_text("utf-8"))["figures"]
    print(
        f"{figures['texts']} texts, {figures['bytes'] / 1e6:.1f} MB; {figures['bases']} distinct bases, "
        f"{figures['bytes_of_bases'] / 1e6:.1f} MB; {figures['pairs']} pairs, "
        f"{figures['pairs_over_0.8']} with Jaccard 0.8 or more; {figures['digest'][:16]}"
    )


if __name__ == "__main__":
    main()
