"""Options: of those that an item offers, the ones that its label calls right.

A wrong option that stands beside a question gives nothing away. So options are answers only where the item
says which of them is right: by a position (0 is the first), a letter, a name that the options bear, their
text, or true and false in a list beside them.

    {"question": …, "choices": ["Lyon", "Nîmes"], "label": 1}
    {"question": …, "choices": {"text": ["Lyon", "Nîmes"], "label": ["A", "B"]}, "answerKey": "B"}
    {"question": …, "option_a": "Lyon", "option_b": "Nîmes", "answer": "B"}
    {"question": …, "options": [{"text": "Lyon", "correct": false}, {"text": "Nîmes", "correct": true}]}

The trap is a label with two readings: `1` of `option1` and `option2` is the first of them in some sets and
the second in others, and `"1"` of the options 1 and 2 may be either. Then none is right, and none is looked
for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hemicycle.trace import split_words

#: A value of an item with the path of its field.
Leaf = tuple[str, str | int]
Text = tuple[str, str]

#: What ends the name of a field that is one option of several: `option_a`, `sol1`.
_SUFFIX = re.compile(r"_([a-z])$|(\d+)$")
#: A label that says a position is no longer than this.
_LONGEST = 3


@dataclass
class _Offer:
    """Options that stand together.

    Attributes:
        texts: of each.
        marks: what each is called, or whether it is right.
        numbered: by the names of their fields.
    """

    texts: dict[str, list[Text]] = field(default_factory=lambda: defaultdict(list))
    marks: dict[str, str | int] = field(default_factory=dict)
    numbered: bool = False

    def right(self, labels: Iterable[Leaf], beside: str) -> list[Text]:
        """The options that any of the labels calls right. `beside`: the path of the field they stand in."""
        slots = list(self.texts)
        if len(slots) < 2:
            return []
        found = {slot for slot in slots if self.marks.get(slot) is True}
        listed: dict[str, list[str | int]] = defaultdict(list)
        for name, value in labels:
            listed[re.sub(r"\.\d+$", "", name)].append(value)
        for name, values in listed.items():
            if len(values) == len(slots) and all(value in (0, 1) for value in values):
                # True and false, one an option, are of the options they stand beside.
                if name.rpartition(".")[0] == beside.rpartition(".")[0]:
                    found |= {slot for slot, value in zip(slots, values, strict=True) if value}
                continue
            found |= {slot for value in values if (slot := self._called(value)) is not None}
        # Of an option with an id, the longest of its texts is the option.
        return [max(self.texts[slot], key=lambda one: len(one[1])) for slot in slots if slot in found]

    def _called(self, value: str | int) -> str | None:
        """The option that a label means; None where it means none, or may mean two."""
        if isinstance(value, bool):
            return None
        slots, shown = list(self.texts), _bare(value)
        said = split_words(value).words if isinstance(value, str) else []
        means = {
            s for s in slots if said and any(split_words(text).words == said for _, text in self.texts[s])
        }
        names = {s: _bare(self.marks[s]) for s in slots if not isinstance(self.marks.get(s, True), bool)}
        if not names and not self.numbered and slots != [str(n) for n in range(len(slots))]:
            names = {slot: slot.casefold() for slot in slots}
        named = {slot for slot, name in names.items() if name == shown}
        at = _position(shown, letters_only=bool(names) or self.numbered)
        if named:
            means |= named
        elif at is not None and at < len(slots):
            means.add(slots[at])
        return means.pop() if len(means) == 1 else None


def right_answers(
    options: Sequence[Leaf],
    labels: Sequence[Leaf],
    answers: Sequence[Leaf],
    *,
    role: Callable[[str], str | None],
    is_label: Callable[[str], bool],
) -> list[Text]:
    """The answers of an item, in words.

    Args:
        options, labels, answers: values of fields of these roles.
        role: of the path of a field.
        is_label: whether a field of this name says which option is right, or what an option is called.
    """
    texts = [(name, value) for name, value in answers if isinstance(value, str)]
    if options:
        offers = _offers(options, lambda path: role(path) == "option", is_label)
        told = [one for at, offer in offers.items() for one in offer.right([*labels, *answers], at)]
        offered = {tuple(split_words(str(value)).words) for _, value in options}
        # An answer that is no option and points to none stands for itself.
        free = [(n, t) for n, t in texts if _position(_bare(t)) is None]
        return told + [(n, t) for n, t in free if tuple(split_words(t).words) not in offered]
    right: list[Text] = []
    gone: set[str] = set()
    for at, offer in _offers(answers, lambda path: role(path) == "answer", is_label).items():
        mine = {name for name, _ in answers if name.startswith(f"{at}.")}
        others = [*labels, *(one for one in answers if one[0] not in mine)]
        # Answers of which a label names one are options.
        if found := offer.right(others, at):
            right, gone = right + found, gone | mine
    # The letter of an option that is nowhere stands beside every question.
    return right + [(n, t) for n, t in texts if n not in gone and not _is_letter(_bare(t))]


def _offers(
    leaves: Iterable[Leaf], is_field: Callable[[str], bool], is_label: Callable[[str], bool]
) -> dict[str, _Offer]:
    """The path of a field, of options in fields of their own that of what holds them → the options in it."""
    offers: dict[str, _Offer] = defaultdict(_Offer)
    for name, value in leaves:
        parts = name.split(".")
        at = next(n for n in range(len(parts)) if is_field(".".join(parts[: n + 1])))
        inside, apart = parts[at + 1 :], _SUFFIX.search(parts[at].casefold())
        if not inside and apart is not None:
            offer = offers[".".join([*parts[:at], ""])]
            slot = apart[1] or apart[2]
            offer.numbered |= apart[1] is None
        else:
            offer = offers[".".join(parts[: at + 1])]
            slot = next((part for part in inside if part.isdecimal()), inside[-1] if inside else "")
        if any(is_label(part) for part in inside):
            offer.marks[slot] = value
        elif isinstance(value, str):
            offer.texts[slot].append((name, value))
    return offers


def _bare(value: str | int) -> str:
    """A label as it is compared: `(B)` is `b`."""
    return str(value).strip(" ().").casefold()


def _is_letter(shown: str) -> bool:
    return len(shown) == 1 and "a" <= shown <= "z"


def _position(shown: str, *, letters_only: bool = False) -> int | None:
    """The position that a label says, counted from 0."""
    if _is_letter(shown):
        return ord(shown) - ord("a")
    if not letters_only and shown.isdecimal() and len(shown) <= _LONGEST:
        return int(shown)
    return None
