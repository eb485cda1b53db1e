"""Personal data: find it, be sure of it, and put a fixed mark of its own kind in its place.

`personal.csv` holds a pattern a line, in the order in which they are tried: whoever comes first keeps the
characters. A line either masks, or keeps (an establishment's SIRET, a book's ISBN: claimed so that nothing
after it takes them for somebody's), or masks only where it is asked for. A pattern proposes, its validator
decides (`validators.py`); what is ambiguous alone must be announced by a word before it. `personal.toml`
holds these words and what is masked in which kind of document, with the reason.

A mark is always the same and can be nobody's: a reserved domain, a telephone number kept for fiction, an
account number whose key no bank can have. A mark that rotated would depend on the order of documents.

Two traps. Shortening one address can bring a second within reach of the word that announces it, so a text
is gone through until nothing is found, which makes masking twice the same as masking once; marks are set
aside first, so every pass leaves less. A text can be written so that each pass finds one number, hence
`_PASSES`; what is left then no rule was sure of in the text as it was written. And most texts have none of
this: patterns are only tried near a hint, one pass over the bytes of a batch tells where any hint can begin,
and no hint, no work. A number broken over two lines is not found.

Only counts leave this file; no error and no ledger ever has a value.
"""

from __future__ import annotations

import csv
import itertools
import re
import tomllib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.clean import Bytes, Places, decoded, move, put
from hemicycle.curate.validators import VALIDATORS, Validator
from hemicycle.kernels import kernel

#: Another number means other texts.
PERSONAL = 2

#: Kinds of personal data, as they end names of measures. Only the extra finds a `name` (`names_presidio`).
KINDS: tuple[str, ...] = ("email", "phone", "ip", "iban", "card", "identity", "plate", "address", "name")

#: How far before a number a word may announce it, or make it another thing.
_ANNOUNCED, _BARRED = 60, 24

#: Written for a name by the extra, before the rules are asked: no rule may take it apart.
NAME_MARK = "Prénom Nom"

#: Characters; a test holds every mark to it.
_LONGEST_MARK = 40

#: How often a text is gone through; what nobody made for it takes two or three.
_PASSES = 16

#: Places where a hint may be are written down for a text that has at most so many (`_FEW`, and one in
#: `_SPARSE` bytes): of a table of figures each digit may begin one, and a number for each is memory.
_SPARSE, _FEW = 16, 64

#: Marks are looked for as hints are.
_MARK = "mark"

_SPACES = (("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u2011", "-"))


@dataclass(frozen=True)
class Rule:
    """A line of the table, compiled.

    Attributes:
        does: ``mask``, ``keep`` or ``ask`` (mask where the caller asks for this kind).
        asks: what must stand shortly before.
        bars: what may not end right before, and may not begin right after.
        tried_with: what is the same for all rules that one look rules out: hint, and name of what they ask.
        mark: what is written instead.
    """

    kind: str
    country: str
    does: str
    hint: str
    tried_with: tuple[str, str]
    pattern: re.Pattern[str]
    validator: Validator
    asks: re.Pattern[str] | None
    bars: tuple[re.Pattern[str], re.Pattern[str]] | None
    mark: str


@dataclass(frozen=True)
class Hint:
    """What a text must have for some rules to be tried, and how far around it they are.

    `begins`: what each of the first characters of anything the pattern matches is one of.
    """

    begins: tuple[re.Pattern[str], ...]
    pattern: re.Pattern[str]
    before: int
    after: int


@dataclass(frozen=True)
class Beginnings:
    """The first characters of all hints, and of any mark, a bit each, a hint's own in a row.

    Attributes:
        takes: by the first byte of a character, the bits of what it can be.
        first: the bit of each hint's first character.
        last: that of its last one, where it is known that the hint may be here.
        length: how many there are.
    """

    takes: npt.NDArray[np.uint64]
    first: dict[str, int]
    last: dict[str, int]
    length: dict[str, int]


@dataclass(frozen=True)
class Policy:
    """What is masked in a kind of document: kinds of the table, and persons' names by the extra."""

    masks: frozenset[str]
    names: bool
    en: str
    fr: str


@dataclass(frozen=True)
class Tables:
    """Rules in the order in which they are tried, hints and policies by name, and any mark.

    `any_of`: by hint and what they ask, what any of several rules finds, and what must stand not far away.
    """

    rules: tuple[Rule, ...]
    any_of: dict[tuple[str, str], tuple[re.Pattern[str], re.Pattern[str]]]
    hints: dict[str, Hint]
    beginnings: Beginnings
    policies: dict[str | None, Policy]
    marks: re.Pattern[str]


@cache
def tables() -> Tables:
    """Read `personal.csv` and `personal.toml`."""
    folder = resources.files("hemicycle.curate")
    words = tomllib.loads((folder / "personal.toml").read_text("utf-8"))
    lines = list(csv.DictReader((folder / "personal.csv").read_text("utf-8").splitlines()))
    asks = {name: re.compile(pattern, re.I) for name, pattern in words["asks"].items()}
    bars = {
        name: (re.compile(rf"(?:{both['before']})\Z", re.I), re.compile(both["after"], re.I))
        for name, both in words["bars"].items()
    }
    together = defaultdict(list)
    for line in lines:
        together[line["hint"], line["asks"]].append(line["pattern"])
    # Where a word ends is not asked: to a rule the text ends where its match begins.
    any_of = {
        (hint, ask): (
            _edged("|".join(some)),
            re.compile(words["asks"].get(ask, "").replace(r"\b", ""), re.I),
        )
        for (hint, ask), some in together.items()
        if ask or len(some) > 1
    }
    rules = tuple(
        Rule(
            kind=line["kind"],
            country=line["country"],
            does=line["does"],
            hint=line["hint"],
            tried_with=(line["hint"], line["asks"]),
            pattern=_edged(line["pattern"]),
            validator=VALIDATORS[line["validator"]],
            asks=asks[line["asks"]] if line["asks"] else None,
            bars=bars[line["bars"]] if line["bars"] else None,
            mark=line["mark"],
        )
        for line in lines
    )
    policies: dict[str | None, Policy] = {
        kind: Policy(frozenset(row["masks"]), row["names"], row["en"], row["fr"])
        for kind, row in [(None, words["default"]), *words["kinds"].items()]
    }
    hints = {
        name: Hint(
            tuple(map(re.compile, row["begins"])), re.compile(row["pattern"]), row["before"], row["after"]
        )
        for name, row in words["hints"].items()
    }
    marks = sorted({NAME_MARK, *(rule.mark for rule in rules if rule.mark)}, key=len, reverse=True)
    begins = {name: hint.begins for name, hint in hints.items()}
    begins[_MARK] = tuple(re.compile(f"[{re.escape(''.join(some))}]") for some in zip(*marks, strict=False))
    mark = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, marks))})(?!\w)")
    return Tables(rules, any_of, hints, _beginnings(begins), policies, mark)


def _edged(pattern: str) -> re.Pattern[str]:
    """Edges are added here: the table keeps to what engines without look-around read too."""
    return re.compile(rf"(?<![\w+])(?:{pattern})(?!\w)")


def _beginnings(begins: Mapping[str, Sequence[re.Pattern[str]]]) -> Beginnings:
    """Write first characters as bits.

    All that is not ASCII is one character here, as much as a letter with an accent and all that is read as
    something else.
    """
    takes, first, last = np.zeros(256, np.uint64), dict[str, int](), dict[str, int]()
    bit = 1
    for name, characters in begins.items():
        first[name] = bit
        for accepted in characters:
            for byte in range(0x80):
                takes[byte] |= np.uint64(bit if accepted.fullmatch(chr(byte)) else 0)
            for other in "é" + "".join(ordinary for _, ordinary in _SPACES):
                takes[0xC0:] |= np.uint64(bit if accepted.fullmatch(other) else 0)
            last[name] = bit
            bit <<= 1
    return Beginnings(takes, first, last, {name: len(characters) for name, characters in begins.items()})


def policy(kind: str | None) -> Policy:
    """What is masked in a document of `kind`; a kind without a row has the default."""
    policies = tables().policies
    return policies.get(kind, policies[None])


def mask(
    text: str, points: Places, kind: str | None, *, also: Collection[str] = ()
) -> tuple[str, Places, dict[str, int]]:
    """Mask what the policy of `kind` says.

    Args:
        points: offsets in code points of `text`, carried along.
        also: kinds that the table leaves alone unless asked (``address``).

    Returns:
        The text, the points at their new places, and how many of each kind were masked.
    """
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    offsets, bounds = np.array([0, len(data)]), np.array([0, len(points)])
    data, _, moved, counts = mask_texts(data, offsets, points, bounds, [kind], also=also)
    if not counts:
        return text, points, {}
    return decoded(data), moved, {kind: int(number[0]) for kind, number in counts.items()}


def mask_texts(
    data: Bytes,
    offsets: Places,
    points: Places,
    bounds: Places,
    kinds: Sequence[str | None],
    *,
    also: Collection[str] = (),
) -> tuple[Bytes, Places, Places, dict[str, Places]]:
    """Mask in n texts, given as UTF-8 bytes and n + 1 offsets, what the policies of their kinds say.

    Args:
        points: offsets in code points of their text, carried along, those of all texts one after the other.
        bounds: n + 1 places in `points`; those of text i are ``points[bounds[i] : bounds[i + 1]]``.
        also: kinds that the table leaves alone unless asked (``address``).

    Returns:
        The bytes and offsets of the masked texts, the points at their new places, and by what was masked
        how many in each text.
    """
    wanted = {kind: policy(kind).masks | frozenset(also) for kind in set(kinds)}
    rules = {
        kind: [rule for rule in tables().rules if rule.does == "keep" or rule.kind in wanted[kind]]
        for kind in wanted
    }
    hints = dict.fromkeys([*(rule.hint for some in rules.values() for rule in some), _MARK])
    points, counts, masked = points.copy(), dict[str, Places](), dict[int, str]()
    rows, left, places = list(range(len(kinds))), data, offsets
    changed: dict[int, str] = {}
    for _ in range(_PASSES):
        if not rows:
            break
        known, changed = changed, {}
        again: list[int] = []
        for i, begins in _hinted(left, places, hints):
            row = rows[i]
            text = known[row] if row in known else decoded(left[places[i] : places[i + 1]])
            found, unsettled = _find(text, rules[kinds[row]], begins)
            if found:
                again += [row] if unsettled else []
                mine = slice(bounds[row], bounds[row + 1])
                marks = [(start, end, rule.mark) for start, end, rule in found]
                changed[row], points[mine] = replace(text, points[mine], marks)
                for what, number in Counter(rule.kind for _, _, rule in found).items():
                    if what not in counts:
                        counts[what] = np.zeros(len(kinds), np.int64)
                    counts[what][row] += number
        masked |= changed
        rows = again
        texts = {i: changed[row] for i, row in enumerate(rows)}
        left, places = put(data[:0], np.zeros(len(rows) + 1, np.int64), texts)
    return *put(data, offsets, dict(sorted(masked.items()))), points, counts


def _hinted(
    data: Bytes, offsets: Places, hints: Collection[str]
) -> Iterator[tuple[int, dict[str, list[int] | None]]]:
    """Texts in which a hint can be, in order, and in which places (characters) each can begin; None: in so
    many that a pattern finds it as well. Lists are made for one text at a time."""
    known = tables().beginnings
    first, last = (np.uint64(sum(bits[name] for name in hints)) for bits in (known.first, known.last))
    room = len(data) // _SPARSE + _FEW * (len(offsets) - 1)
    texts, ends, bits = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint64)
    count = _seek(data, offsets, known.takes, first, last, texts, ends, bits)
    texts, ends, bits = texts[:count], ends[:count], bits[:count]
    places: dict[int, dict[str, Places | None]] = {}
    for name in hints:
        mine = (bits & np.uint64(known.last[name])) != 0
        stops = ends[mine]
        whose, firsts = np.unique(texts[mine], return_index=True)
        for text, (start, stop) in zip(
            whose.tolist(), itertools.pairwise([*firsts.tolist(), len(stops)]), strict=True
        ):
            everywhere = stops[start] == 0
            places.setdefault(text, {})[name] = None if everywhere else stops[start:stop] - known.length[name]
    for text, found in sorted(places.items()):
        yield text, {name: None if some is None else some.tolist() for name, some in found.items()}


@kernel
def _seek(
    data: Bytes,
    offsets: Places,
    takes: npt.NDArray[np.uint64],
    first: Any,
    last: Any,
    texts: Places,
    ends: Places,
    bits: npt.NDArray[np.uint64],
) -> int:
    """Write where the beginning of a hint ends: the text, the characters read of it, and whose bits.

    Of a text that has more than its share of them only one is written, with all their bits: as if 0
    characters had been read. Returns how many were written.
    """
    count = 0
    for text in range(len(offsets) - 1):
        state, read = np.uint64(0), 0
        begin, seen = count, np.uint64(0)
        share = (offsets[text + 1] - offsets[text]) // _SPARSE + _FEW
        for at in range(offsets[text], offsets[text + 1]):
            byte = data[at]
            if byte & 0xC0 == 0x80:
                continue
            # Baeza-Yates and Gonnet 1992, shift-and: each bit is set whose characters so far have been read.
            state = (state << np.uint64(1) | first) & takes[byte]
            read += 1
            if state & last:
                seen |= state & last
                if count - begin < share:
                    texts[count], ends[count], bits[count] = text, read, state & last
                    count += 1
                else:
                    share = 0
        if share == 0:
            texts[begin], ends[begin], bits[begin] = text, 0, seen
            count = begin + 1
    return count


def _plain(text: str) -> str:
    for space, ordinary in _SPACES:
        text = text.replace(space, ordinary)
    return text


def _find(
    text: str, rules: Sequence[Rule], begins: Mapping[str, list[int] | None]
) -> tuple[list[tuple[int, int, Rule]], bool]:
    """What is to be masked: start, end and rule, in order of place; and whether a shorter text might have
    more, for some rule that was tried looks at what stands around. `begins`: places where a hint may be."""
    plain, hints = _plain(text), tables().hints
    windows = {name: list(_windows(plain, hints[name], begins[name])) for name in begins if name != _MARK}
    if not any(windows.values()):
        return [], False
    claimed = bytearray(len(plain))
    if _MARK in begins:
        for start, end in (window for some in windows.values() for window in some):
            _claim_marks(plain, begins[_MARK], max(0, start - _LONGEST_MARK), end + _LONGEST_MARK, claimed)
    # Most windows have nothing for anyone, and one look tells it for many rules.
    live = {
        group: [
            (at, last)
            for at, last in windows[group[0]]
            if pattern.search(plain, at, last) and asks.search(plain, max(0, at - _ANNOUNCED), last)
        ]
        for group, (pattern, asks) in tables().any_of.items()
        if group[0] in windows
    }
    found = []
    for rule in rules:
        for at, last in live[rule.tried_with] if rule.tried_with in live else windows.get(rule.hint, ()):
            if match := rule.pattern.search(plain, at, last):
                for start, end in _matches(plain, rule, match, last, claimed):
                    _claim(claimed, start, end)
                    if rule.does != "keep":
                        found.append((start, end, rule))
    unsettled = any(windows.get(rule.hint) for rule in rules if rule.asks or rule.bars)
    return sorted(found, key=lambda at: at[0]), unsettled


def _claim_marks(text: str, places: Sequence[int] | None, at: int, last: int, claimed: bytearray) -> None:
    """Claim the marks in a stretch; `places`: where one may begin, rising; None: anywhere."""
    if places is not None:
        places = places[bisect_left(places, at) : bisect_left(places, last)]
    for match in _all(tables().marks, text, places, at, last):
        _claim(claimed, *match.span())


def _all(
    pattern: re.Pattern[str], text: str, places: Sequence[int] | None, at: int, last: int
) -> Iterator[re.Match[str]]:
    """What the pattern finds in a stretch, in order, none over another; in these places, if given."""
    if places is None:
        yield from pattern.finditer(text, at, last)
        return
    for place in places:
        if place >= at and (match := pattern.match(text, place, last)):
            at = match.end()
            yield match


def _windows(text: str, hint: Hint, places: Sequence[int] | None) -> Iterator[tuple[int, int]]:
    """Stretches around what the hint finds, in these places if given, in order, none touching the next."""
    start, end = 0, -1
    for match in _all(hint.pattern, text, places, 0, len(text)):
        if end < 0:
            start = max(0, match.start() - hint.before)
        elif match.start() - hint.before > end:
            yield start, end
            start = match.start() - hint.before
        end = min(len(text), match.end() + hint.after)
    if end >= 0:
        yield start, end


def _matches(
    text: str, rule: Rule, match: re.Match[str] | None, last: int, claimed: bytearray
) -> Iterator[tuple[int, int]]:
    """Places that the rule is sure of, outside what is claimed, from its first match on."""
    while match:
        start, end = match.span()
        taken = claimed.find(1, start, end)
        if taken == start:
            free = claimed.find(0, start, last)
            at = free if free > 0 else last
        else:
            if taken >= 0:
                match = rule.pattern.match(text, start, taken)
            end = _sure(text, rule, match, start, claimed) if match else start
            if end > start:
                yield start, end
            at = max(end, start + 1)
        match = rule.pattern.search(text, at, last)


def _sure(text: str, rule: Rule, match: re.Match[str] | None, start: int, claimed: bytearray) -> int:
    """Where the longest match from `start` ends that is valid, `match` or shorter; `start` where none is.

    A pattern may have read on into the next word or number, so it is shortened group by group.
    """
    if (rule.asks or rule.bars) and not _allowed_before(text, rule, start, claimed):
        return start
    while match:
        end = match.end()
        after = text[end : end + 1]
        whole = not after.isalnum() and after != "_"
        if whole and rule.validator(match[0]) and not (rule.bars and rule.bars[1].match(text, end)):
            return end
        end = max(text.rfind(separator, start, end) for separator in " -./")
        match = rule.pattern.match(text, start, end) if end > start else None
    return start


def _allowed_before(text: str, rule: Rule, start: int, claimed: bytearray) -> bool:
    if rule.asks and not rule.asks.search(text, max(0, start - _ANNOUNCED), start):
        return False
    if rule.bars:
        # A number right after another that is already told apart is not the rest of it.
        low = max(0, start - _BARRED)
        since = max(low, claimed.rfind(1, low, start) + 1)
        return not rule.bars[0].search(text[since:start])
    return True


def _claim(claimed: bytearray, start: int, end: int) -> None:
    claimed[start:end] = b"\1" * (end - start)


def replace(text: str, points: Places, found: Sequence[tuple[int, int, str]]) -> tuple[str, Places]:
    """Put a mark in the place of each stretch (start, end, mark; in order, apart), and carry points along."""
    pieces: list[str] = []
    at = 0
    for start, end, mark in found:
        pieces += (text[at:start], mark)
        at = end
    pieces.append(text[at:])
    if len(points):
        starts, ends, lengths = np.array([(s, e, len(mark)) for s, e, mark in found], np.int64).T
        points = move(points, starts, ends, lengths)
    return "".join(pieces), points
