"""Running heads and page numbers: what is printed at the top or foot of page after page.

« CHAMBRE DES DÉPUTÉS. — SÉANCE DU 26 NOVEMBRE 1889 » stands in the middle of a sentence once the pages are
put together, and no two pages have it alike: recognition errs, left and right pages differ, the day changes.
So lines are compared by their letters alone, by the share of pairs of letters they have in common, and with
the `WINDOW` pages before and after. A head is a line that stands near the edge of at least `PAGES` pages; a
page number is a line of figures that goes up as the pages do, on two pages at least.

The trap is what recurs and is said: « (Applaudissements à gauche.) » may end three pages of one sitting. A
line in parentheses is never a head; nor is one below a line that stays, or longer than a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

#: Pages on either side with which a page is compared; left and right ones alternate.
WINDOW = 4
#: Pages, itself among them, that must have a line before it is a running head.
PAGES = 3
#: Lines from the top, and from the foot, that may be heads.
DEPTH = 3
#: Share of pairs of letters from which two lines are the same line, read with errors.
ALIKE = 0.7
_LONGEST = 150

#: Letters and figures that recognition takes for each other.
_CONFUSED = str.maketrans("1l|!0", "iiiio")
_NUMBER = re.compile(r"[^\w]*([0-9]{1,5}|[ivxlc]{1,8})[^\w]*", re.IGNORECASE)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def running_heads(pages: Sequence[Sequence[str]]) -> list[set[int]]:
    """For each page, which of its lines are running heads, feet or page numbers.

    Args:
        pages: the lines of each page from the top down, none of them empty.
    """
    found: list[set[int]] = [set() for _ in pages]
    for from_foot in (False, True):
        edges = [[*reversed(lines[-DEPTH:])] if from_foot else [*lines[:DEPTH]] for lines in pages]
        keys = [[_pairs(line) for line in edge] for edge in edges]
        numbers = [[_number(line) for line in edge] for edge in edges]
        for page, edge in enumerate(edges):
            near = [p for p in range(max(0, page - WINDOW), min(len(pages), page + WINDOW + 1)) if p != page]
            for depth in range(len(edge)):
                if not (
                    _recurs(keys[page][depth], [keys[p] for p in near])
                    or _counts(numbers[page][depth], [(p - page, numbers[p]) for p in near])
                ):
                    break
                found[page].add(len(pages[page]) - 1 - depth if from_foot else depth)
    return found


def _recurs(key: Counter[str] | None, near: Sequence[Sequence[Counter[str] | None]]) -> bool:
    if key is None:
        return False
    alike = sum(any(other is not None and _alike(key, other) for other in page) for page in near)
    return alike >= PAGES - 1


def _counts(number: int | None, near: Sequence[tuple[int, Sequence[int | None]]]) -> bool:
    return number is not None and any(number + distance in page for distance, page in near)


def _pairs(line: str) -> Counter[str] | None:
    """The pairs of letters of a line; None where it cannot be a head."""
    if len(line) > _LONGEST or line.lstrip().startswith("("):
        return None
    plain = unicodedata.normalize("NFD", re.sub(r"\b\d+\b", "", line).casefold().translate(_CONFUSED))
    letters = "".join(c for c in plain if c.isalpha())
    return Counter(letters[i : i + 2] for i in range(len(letters) - 1)) if len(letters) > 3 else None


def _alike(a: Counter[str], b: Counter[str]) -> bool:
    """Dice's coefficient of two bags of pairs reaches `ALIKE`."""
    return 2 * (a & b).total() >= ALIKE * (a.total() + b.total())


def _number(line: str) -> int | None:
    match = _NUMBER.fullmatch(line) if len(line) < 30 else None
    if not match:
        return None
    if match[1].isdecimal():
        return int(match[1])
    values = [_ROMAN[letter] for letter in match[1].lower()]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))
