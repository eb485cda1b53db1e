"""Finding the main text of a page: both extractors and the whole page, on sixty pages of our own.

Words found beside words to keep, as bags (a word counts as often as it stands): precision, recall and their
harmonic mean over all pages that have a text, and how many words are found in pages that have none. Then
speed, the extractors in turn. The pages were written by hand for this (`tests/sources/made_pages.py`) and are
no sample of the web: the figures choose between two libraries, and say nothing of a crawl.

python bench/extraction.py
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hemicycle.sources.html_text import page_text, read_outline
from hemicycle.sources.main_content import Block, careful_blocks, fast_blocks

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "sources"))

from made_pages import EMPTY, KINDS, MadePage, made_pages

from interleaved import ratio

Find = Callable[[str], list[Block]]


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", text.lower()))


def scores(find: Find, pages: list[MadePage]) -> tuple[float, float, float]:
    """Precision, recall and F1 by word over all of some pages."""
    found = kept = both = 0
    for page in pages:
        has = words("\n".join(text for _, text in find(page.html)))
        wanted = words(page.keep)
        found, kept, both = found + has.total(), kept + wanted.total(), both + (has & wanted).total()
    precision, recall = both / max(found, 1), both / max(kept, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def main() -> None:
    pages = made_pages()
    size = sum(len(page.html.encode()) for page in pages)
    finders: dict[str, Find] = {
        "fast (Resiliparse)": fast_blocks,
        "careful (Trafilatura)": careful_blocks,
        "the whole page": lambda html: read_outline(html).blocks,
    }
    full = [page for page in pages if page.kind not in EMPTY]
    print(f"{len(pages)} pages, {size / 1e3:.0f} kB of HTML")
    print(f"{'':24}precision  recall     F1  words in {len(pages) - len(full)} empty pages   MB/s")
    for name, find in finders.items():
        precision, recall, f1 = scores(find, full)
        useless = sum(words("\n".join(t for _, t in find(p.html))).total() for p in pages if p.kind in EMPTY)
        begin = time.process_time()
        for page in pages:
            find(page.html)
        speed = size / 1e6 / (time.process_time() - begin)
        print(f"{name:24}{precision:9.3f}{recall:8.3f}{f1:7.3f}{useless:10}{speed:22.2f}")
    for kind in KINDS:
        if kind not in EMPTY:
            some = [page for page in pages if page.kind == kind]
            figures = "".join(
                "{:8.3f}{:7.3f}".format(*scores(find, some)[:2]) for find in list(finders.values())[:2]
            )
            print(f"{kind:16}{figures}")
    ratio(
        "CPU of careful / fast, whole function",
        lambda: [page_text(page.html, "fast") for page in pages],
        lambda: [page_text(page.html, "careful") for page in pages],
    )


if __name__ == "__main__":
    main()
