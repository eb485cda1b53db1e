"""The corpus of the benches of trace: the samples and perturbed copies of them, 40 million tokens of French.

Every copy has the blocks of its text in another order and 8 % of its words replaced by words of the whole, so
that suffixes are as long as in a real corpus with near copies and seldom longer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, Document, write_parquet

SAMPLES = Path(__file__).resolve().parents[1].parent / "shared" / "samples"

#: Words of a block, and the share of words that a copy replaces.
BLOCK, REPLACED = 200, 0.08

#: Characters of a document at most.
LONGEST = 60_000

CORPUS = SCHEMA.append(pa.field("clean_digest", pa.string())).append(pa.field("split", pa.string()))


def read_samples(samples: Path = SAMPLES) -> list[str]:
    """Novels and sittings, without their markup, cut into documents."""
    files = [*sorted(samples.glob("literature/*.xml")), *sorted(samples.glob("assemblee-2013/tei/*.xml"))]
    if not files:
        raise SystemExit(f"the samples are not there: {samples}")
    texts = []
    for path in files:
        text = re.sub(r"[ \t]+", " ", re.sub(r"<[^>]*>", " ", path.read_text("utf-8")))
        texts += [text[i : i + LONGEST] for i in range(0, len(text), LONGEST)]
    return texts


def perturbed(texts: Sequence[str], seed: int) -> Iterator[str]:
    """A copy of each text."""
    rng = random.Random(seed)
    pool = [word for text in texts[:: max(1, len(texts) // 50)] for word in text.split()]
    for text in texts:
        words = text.split()
        for _ in range(round(REPLACED * len(words))):
            words[rng.randrange(len(words))] = rng.choice(pool)
        blocks = [words[i : i + BLOCK] for i in range(0, len(words), BLOCK)]
        rng.shuffle(blocks)
        yield " ".join(word for block in blocks for word in block)


def texts_of(characters: int, samples: Path = SAMPLES) -> list[str]:
    """The samples and as many copies as it takes."""
    base = read_samples(samples)
    texts, seed = list(base), 1
    while sum(map(len, texts)) < characters:
        texts += perturbed(base, seed)
        seed += 1
    return texts


#: Rows of a row group: as many characters as curation puts into one.
ROWS_A_GROUP = 1_000_000 // LONGEST


def write_corpus(folder: Path, sources: dict[str, list[str]]) -> Path:
    """A corpus artefact: kept/SOURCE/00000.parquet."""
    for source, texts in sources.items():
        rows = [Document(str(number), text).row(source) for number, text in enumerate(texts)]
        for row in rows:
            row |= {"clean_digest": sha256_text(row["text"]), "split": "train"}
        groups = [
            pa.Table.from_pylist(rows[i : i + ROWS_A_GROUP], schema=CORPUS)
            for i in range(0, len(rows), ROWS_A_GROUP)
        ]
        (folder / "kept" / source).mkdir(parents=True)
        write_parquet(folder / "kept" / source / "00000.parquet", CORPUS, groups)
    return folder


def answers_of(texts: Sequence[str], count: int, words: int, seed: int = 2) -> list[str]:
    """Texts half copied in stretches of 8 to 40 words, half of words drawn at random."""
    rng = random.Random(seed)
    sources = [
        found for text in rng.sample(list(texts), min(len(texts), 400)) if len(found := text.split()) > 90
    ]
    answers = []
    for _ in range(count):
        answer: list[str] = []
        while len(answer) < words:
            source = rng.choice(sources)
            length = rng.randrange(8, 41)
            at = rng.randrange(len(source) - length)
            answer += source[at : at + length] + rng.sample(rng.choice(sources), length)
        answers.append(" ".join(answer[:words]))
    return answers
