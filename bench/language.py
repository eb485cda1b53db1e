"""Identification of languages: accuracy on Debian's translated documentation, and speed beside py3langid.

The recipe. Packages are fetched with this machine's apt into a cache folder of the user. Their pages are
read by Hemicycle's own readers, and every line of a page (a paragraph, a term, a heading) is a segment. One
is kept where it begins with a capital or a mark, ends like a sentence, and is of letters for three quarters.
The language is that of the folder; since translators leave much in English, a segment is left out where half
of its pairs of words stand in the English pages of the same collection. What is left of wrong labels
(English of another version, lists of names) counts against us. Nothing was tuned on these texts, and the
model's makers list no Debian text among those it learnt from.

    python bench/language.py [FOLDER OF .deb FILES]
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from hemicycle.curate.language import identify
from hemicycle.curate.language_model import DEFAULT, load_identifier
from hemicycle.project import Card
from hemicycle.sources import debian
from hemicycle.sources.apt import fetch_packages
from interleaved import ratio

#: Collection → language → paths. A collection's English pages tell what was left untranslated.
COLLECTIONS = {
    "man": {
        "en": "usr/share/man/man*/*",
        "fr": "usr/share/man/fr/man*/*",
        "es": "usr/share/man/es/man*/*",
        "it": "usr/share/man/it/man*/*",
        "pt": "usr/share/man/pt_BR/man*/*",
        "ro": "usr/share/man/ro/man*/*",
    },
    "gnome": {
        code.partition("_")[0].replace("C", "en"): f"usr/share/help/{code}/**/*.page"
        for code in ("C", "fr", "es", "it", "pt_BR", "ca", "ro")
    },
    "handbook": {
        code.partition("-")[0]: f"usr/share/doc/debian-handbook/html/{code}/*.html"
        for code in ("en-US", "fr-FR", "es-ES", "it-IT", "pt-BR", "ca-ES", "ro-RO")
    },
}
PACKAGES = [
    "manpages", *(f"manpages-{code}" for code in ("fr", "es", "it", "pt-br", "ro")),
    "gnome-user-docs", "debian-handbook",
]  # fmt: skip
LANGUAGES = ("fr", "es", "it", "pt", "ca", "ro", "en")
LENGTHS = (25, 60, 150, 1_000_000)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else fetched()
    segments = sorted(read_segments(folder))
    texts = [text for _, text in segments]
    labels = [language for language, _ in segments]
    data, offsets = joined(texts)
    print(f"{len(texts)} segments, {len(data) / 1e6:.1f} MB")
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    for name, languages in (("all of Europe", DEFAULT), ("the seven", LANGUAGES)):
        identifier = load_identifier(tuple(languages))
        runs, _ = identify(data, offsets, [None] * len(texts), identifier)
        found = [max(row, key=lambda r: r["end"] - r["start"])["language"] for row in runs.to_pylist()]
        print(f"\namong {len(identifier.languages)} languages ({name}): share right, by characters")
        show(labels, texts, found)
        library.set_languages(list(languages))
        likeliest = identifier.likeliest(data, offsets[:-1], offsets[1:]).labels[:, 0]
        theirs = [library.classify(text)[0] for text in texts]
        differ = sum(identifier.languages[i] != label for i, label in zip(likeliest, theirs, strict=True))
        print(f"answers that differ from py3langid's: {differ}")
    library.set_languages(list(DEFAULT))
    identifier = load_identifier()
    sample = texts[::10]
    few, places = joined(sample)
    ratio(
        "\npy3langid / the kernel, same segments",
        lambda: identifier.likeliest(few, places[:-1], places[1:]),
        lambda: [library.classify(text) for text in sample],
    )
    documents = ["\n".join(texts[i : i + 50]) for i in range(0, len(texts), 50)]
    whole, bounds = joined(documents)
    begin = time.process_time()
    identify(whole, bounds, ["fr"] * len(documents))
    spent = time.process_time() - begin
    print(f"documents of 50 segments, piece by piece: {len(whole) / 1e6 / spent:.1f} MB a second of CPU")


def fetched() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hemicycle-bench"
    folder = cache / "language"
    if not (folder / "packages.json").exists():
        with tempfile.TemporaryDirectory() as work:
            fetch_packages(PACKAGES, folder, Path(work))
    return folder


def read_segments(folder: Path) -> set[tuple[str, str]]:
    """Distinct (language, segment)."""
    found: set[tuple[str, str]] = set()
    for languages in COLLECTIONS.values():
        english = set(lines(folder, "en", languages["en"]))
        known = {pair for line in english for pair in pairs(line)}
        for language, paths in languages.items():
            for line in english if language == "en" else lines(folder, language, paths):
                own = pairs(line)
                translated = language == "en" or sum(pair in known for pair in own) < len(own) / 2
                if translated and is_prose(line):
                    found.add((language, line))
    return found


def lines(folder: Path, language: str, paths: str) -> Iterator[str]:
    card = Card(title="bench", reader="debian", packages=["any"], include=[paths], language=language)
    for document in debian.read(folder, card):
        for line in document.text.split("\n"):
            yield unicodedata.normalize("NFC", " ".join(line.split()))


def pairs(line: str) -> list[tuple[str, str]]:
    words = re.findall(r"\w+", line.lower())
    return list(itertools.pairwise(words))


def is_prose(line: str) -> bool:
    letters = sum(c.isalpha() for c in line)
    begins = line[:1].isupper() or line[:1] in set('«“"¡¿')
    return begins and line[-1] in ".!?:;" and letters >= 0.75 * len(line.replace(" ", ""))


def joined(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    encoded = [text.encode() for text in texts]
    return np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)])


def show(labels: list[str], texts: list[str], found: list[str]) -> None:
    right: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for label, text, name in zip(labels, texts, found, strict=True):
        length = next((i for i, bound in enumerate(LENGTHS[1:]) if LENGTHS[i] <= len(text) < bound), None)
        if length is not None:
            right[label, length].append(label == name)
            right["all", length].append(label == name)
            if length:
                right[label, 9].append(label == name)
                right["all", 9].append(label == name)
    print(f"{'':5}{'25–59':>15}{'60–149':>15}{'150 and more':>15}{'60 and more':>15}")
    for label in (*LANGUAGES, "all"):
        cells = [right[label, length] or [False] for length in (0, 1, 2, 9)]
        print(f"{label:5}" + "".join(f"{np.mean(c):9.3f}{len(c):6}" for c in cells))


if __name__ == "__main__":
    main()
