"""Options: of those that an item offers, the ones that its label calls right.

A wrong option that stands beside a question gives nothing away. So options are answers only where the item
says which of them is right: by a position (0 is the first), a letter, a name that the options bear, their
text, or true and false in a list beside them.

    {"question": …, "choices": ["Lyon", "Nîmes"], "label": 1}
    {"question": …, "choices": {"text": ["Lyon", "Nîmes"], "label": ["A", "B"]}, "answerKey": "B"}
    {"question": …, "option_a": "Lyon", "option_b": "Nîmes", "answer": "B"}
    {"question": …, "options": [{"text": "Lyon", "correct": false}, {"text": "Nîmes", "correct": true}]}
    {"question": …, "mc_answer1": "Lyon", "mc_answer2": "Nîmes", "correct_answer_num": "2"}

The trap is a label with two readings: `1` of `option1` and `option2` is the first of them in some sets and
the second in others, and `"1"` of the options 1 and 2 may be either. Then none is right, and none is looked
for. And an item may offer options twice, each time with labels of their own (`mc1_targets`, `mc2_targets`),
which say nothing of the others.
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
#: What ends the name of a label that is the number of such a field.
_NUMBER = "_num"
#: A list of such values says of each option whether it is right, and never several positions.
_TRUE_OR_FALSE = {"0": False, "1": True, "false": False, "true": True}
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

    def right(self, labels: Iterable[Leaf], inside: str) -> list[Text]:
        """The options that any of the labels calls right. `inside`: the path of what holds their field."""
        slots = list(self.texts)
        if len(slots) < 2:
            return []
        found = {slot for slot in slots if self.marks.get(slot) is True}
        listed: dict[str, list[str | int]] = defaultdict(list)
        for name, value in labels:
            listed[_list_of(name)].append(value)
        for name, values in listed.items():
            if len(values) > 1 and all(_bare(value) in _TRUE_OR_FALSE for value in values):
                if len(values) == len(slots) and _parent(name) == inside:
                    told = zip(slots, values, strict=True)
                    found |= {slot for slot, value in told if _TRUE_OR_FALSE[_bare(value)]}
                continue
            if len(values) > 1 and _parent(name) != inside:
                # Several positions are of the options they stand beside; words are whosever they are.
                values = [value for value in values if _position(_bare(value)) is None]
            found |= {slot for value in values if (slot := self._called(value, name)) is not None}
        # Options of the same words are one.
        right: dict[tuple[str, ...], Text] = {}
        for slot in slots:
            if slot in found:
                right.setdefault(self._words(slot), self._text(slot))
        return list(right.values())

    def _text(self, slot: str) -> Text:
        """An option: where it has an id beside it, the longest of its texts."""
        return max(self.texts[slot], key=lambda one: len(one[1]))

    def _words(self, slot: str) -> tuple[str, ...]:
        _, text = self._text(slot)
        return tuple(split_words(text).words) or (text,)

    def _called(self, value: str | int, name: str) -> str | None:
        """The option that a label of this name means; None where it means none, or may mean two."""
        if isinstance(value, bool):
            return None
        slots, shown = list(self.texts), _bare(value)
        if self.numbered and shown.isdecimal():
            # A name, a position or a text.
            if name.casefold().endswith(_NUMBER):
                return shown if shown in slots else None
            if shown in slots or _position(shown) in range(len(slots)):
                return None
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
        one = len({self._words(slot) for slot in means}) == 1
        return min(means, key=slots.index) if one else None


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
        holders = {_parent(at) for at in offers}
        told: list[Text] = []
        for at, offer in offers.items():
            # What stands beside options is about those.
            elsewhere = holders - {_parent(at)}
            about = [one for one in (*labels, *answers) if _parent(_list_of(one[0])) not in elsewhere]
            told += offer.right(about, _parent(at))
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
        if found := offer.right(others, _parent(at)):
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


def _list_of(name: str) -> str:
    """The path of the list that a value stands in; of any other value its own."""
    return re.sub(r"\.\d+$", "", name)


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


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
