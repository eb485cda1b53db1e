"""Evaluation sets: files of items, each with its question, the passage it is asked about, and its answers.

JSON Lines, JSON, CSV, TSV and Parquet are read. A `.json` file may be a list of objects, an object that holds
one, or SQuAD's form, in which each question of a paragraph is an item; of any other, each text is an item. A
table whose first line names no field that is known (`fields.csv`) or declared has no heading: its columns are
called 1, 2 and so on. A `.txt` file is read where its first line has a tab.

The trap is to look for too much. Ids, labels and templates are no text that anybody would copy, and an answer
of one word stands everywhere. So fields are told apart by their names, and of fields that nobody knows, those
of a single word are left out.
"""

from __future__ import annotations

import csv
import functools
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.errors import DeclarationError, InputError, unparsed
from hemicycle.evaluate.verbatim.options import Leaf, right_answers
from hemicycle.sources.huggingface import long_rows
from hemicycle.sources.jsonl import SUFFIXES, json_object, lines

#: What stands before the name of a source where its held-out documents are a set.
HELD_OUT = "held-out:"
#: A `.json` file is read whole, so a larger one is refused.
MAX_JSON_CHARACTERS = 64 * 2**20
#: Deeper than any evaluation nests its texts nothing is looked for.
DEEPEST = 20

Role = Literal["question", "context", "answer"]
_Known = Literal["question", "context", "answer", "option", "label"]


@dataclass(frozen=True)
class Item:
    """One item of a set.

    Attributes:
        number: its place in the file, counted from 1.
        texts: field and text, in the order of the file; inside a nested field the name is a path with dots,
            and places in a list are counted from 0: `answers.0.text`.
        numbers: field and whole number, or true and false, likewise; they may say which option is right.
    """

    number: int
    texts: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Fields:
    """Names of fields as declared; where a role has none, they are found by `fields.csv`."""

    question: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()

    def of(self, item: Item) -> dict[Role, list[tuple[str, str]]]:
        """The texts of an item by role. An item without a known question has all its texts as one, except
        those of a single word and those that are known to be something else. Of the options it offers, the
        right ones are answers, if it says which these are."""
        found: dict[Role, list[tuple[str, str]]] = {"question": [], "context": [], "answer": []}
        told: dict[_Known, list[Leaf]] = {"answer": [], "option": [], "label": []}
        others = []
        for name, text in item.texts:
            role = self._role(name)
            if role == "question" or role == "context":
                found[role].append((name, text))
            elif role is not None:
                told[role].append((name, text))
            elif not self.question and len(re.findall(r"\w+", text)) > 1:
                others.append((name, text))
        for name, number in item.numbers:
            role = self._role(name)
            if role in told:
                told[role].append((name, number))
        if not found["question"]:
            found["question"] = others
        found["answer"] = right_answers(
            told["option"],
            told["label"],
            told["answer"],
            role=self._role,
            is_label=lambda part: _known().get(part.casefold()) == "label",
        )
        return found

    def offered(self, item: Item) -> bool:
        """Whether an item has answers or options, be it said or not which of these is right."""
        return any(self._role(name) in ("answer", "option") for name, _ in (*item.texts, *item.numbers))

    def _role(self, name: str) -> _Known | None:
        for role, declared in (("question", self.question), ("answer", self.answer)):
            if declared and any(name == one or name.startswith(f"{one}.") for one in declared):
                return "question" if role == "question" else "answer"
        parts = [known for part in name.casefold().split(".") if (known := _known().get(part))]
        # Options may stand inside of what else is a question.
        known = "option" if "option" in parts else parts[0] if parts else None
        # What is declared of a role is all of it.
        taken = (known == "question" and self.question) or (known in ("answer", "label") and self.answer)
        return None if taken else known


def field_of(name: str) -> str:
    """The field that a text stands in, as one declares it: its path up to the first list."""
    first, *others = name.split(".")
    return ".".join([first, *itertools.takewhile(lambda part: not part.isdecimal(), others)])


def source_of(name: str) -> str | None:
    """The source whose held-out documents are the set of this name; None where it is another set."""
    head, sign, source = name.partition(HELD_OUT)
    return source if sign and not head else None


def set_files(place: Path) -> tuple[list[Path], list[Path]]:
    """The evaluation files of a folder and the folders in it, in the order of their paths, and the files that
    are of another form; of a file, itself."""
    files = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    read = {path: _reader(path) is not None for path in files}
    return [path for path in files if read[path]], [path for path in files if not read[path]]


def read_items(path: Path, name: str, declared: Sequence[str] = ()) -> Iterator[Item]:
    """Yield the items of an evaluation file.

    Args:
        name: of the file, for messages.
        declared: names of fields by which a heading is known, besides those of `fields.csv`.

    Raises:
        InputError: it cannot be read.
        DeclarationError: it is of another form.
    """
    reader = _reader(path)
    if reader is None:
        raise DeclarationError(
            "this is no evaluation file (known: .jsonl, .json, .tsv, .csv, .parquet, and .txt with tabs)",
            place=name,
        )
    for number, row in enumerate(reader(path, name, frozenset(declared)), 1):
        leaves = list(_leaves(row, "", 0))
        yield Item(
            number,
            tuple((name, value) for name, value in leaves if isinstance(value, str)),
            tuple((name, value) for name, value in leaves if isinstance(value, int)),
        )


@functools.cache
def _known() -> dict[str, _Known]:
    with Path(__file__).with_name("fields.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["role"] for row in csv.DictReader(file)}  # type: ignore[misc]


def _leaves(value: Any, name: str, depth: int) -> Iterator[Leaf]:
    """Texts and whole numbers with their paths."""
    if isinstance(value, str):
        # A lone surrogate is no character of any file.
        yield name, value.encode("utf-8", "replace").decode("utf-8")
    elif isinstance(value, int):
        yield name, value
    elif depth < DEEPEST and isinstance(value, dict | list | tuple):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in parts:
            yield from _leaves(inner, f"{name}.{key}" if name else str(key), depth + 1)


def _reader(path: Path) -> Any:
    name, suffix = path.name.lower(), path.suffix.lower()
    if name.endswith(SUFFIXES):
        return _json_lines
    if name.endswith((".json", ".json.gz", ".json.zst")):
        return _json
    if suffix in (".tsv", ".csv") or (suffix == ".txt" and _has_tabs(path)):
        return _table
    return _parquet if suffix == ".parquet" else None


def _has_tabs(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\t" in file.readline(1 << 16)


def _json_lines(path: Path, name: str, declared: frozenset[str]) -> Iterator[Any]:
    return (json_object(line, f"{name}, line {n}") for n, line in lines(path, name) if line.strip())


def _json(path: Path, name: str, declared: frozenset[str]) -> Iterator[Any]:
    read, size = [], 0
    for _, line in lines(path, name, max_bytes=MAX_JSON_CHARACTERS):
        read.append(line)
        size += len(line)
        if size > MAX_JSON_CHARACTERS:
            raise InputError(
                f"the file is larger than {MAX_JSON_CHARACTERS >> 20} MiB, the most that is read whole",
                place=name,
                remedy="Write it as JSON Lines (.jsonl).",
            )
    try:
        value = json.loads("".join(read), object_pairs_hook=_all_pairs)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"this is not JSON: {unparsed(error)}",
            place=name,
            remedy="If it has one object a line, its name must end in .jsonl.",
        ) from None
    yield from _records(value)


def _all_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice both values are kept, so that both are looked for."""
    made: dict[str, Any] = {}
    again: dict[str, int] = {}
    for key, value in pairs:
        free = key
        while free in made:
            again[key] = again.get(key, 0) + 1
            free = f"{key}.{again[key]}"
        made[free] = value
    return made


def _records(value: Any) -> Iterator[Any]:
    """The items of a JSON file."""
    if isinstance(value, dict):
        lists = [one for one in value.values() if _of_objects(one)]
        if len(lists) == 1:
            value = lists[0]
    if not _of_objects(value):
        yield from (text for _, text in _leaves(value, "", 0) if isinstance(text, str))
        return
    for record in value:
        if not _of_objects(record.get("paragraphs")):
            yield record
            continue
        for paragraph in record["paragraphs"]:
            asked = paragraph.get("qas")
            about = {"context": paragraph.get("context")}
            yield from ({**about, **one} for one in asked) if _of_objects(asked) else [paragraph]


def _of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _table(path: Path, name: str, declared: frozenset[str]) -> Iterator[dict[str, str]]:
    source = (line for _, line in lines(path, name))
    first = next(source, None)
    if first is None:
        return
    if path.suffix.lower() != ".csv" or "\t" in first:
        # Between tabs a quotation mark is a quotation mark.
        how: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    else:
        how = {"delimiter": ";" if first.count(";") > first.count(",") else ","}
    rows = csv.reader(itertools.chain([first], source), **how)
    try:
        head: list[str] | None = None
        for row in long_rows(rows):
            if head is None:
                named = {cell.strip().casefold() for cell in row}
                known = named & (_known().keys() | {one.casefold() for one in declared})
                head = [cell.strip() or str(n) for n, cell in enumerate(row, 1)] if known else []
                if known:
                    continue
            yield {head[n] if n < len(head) else str(n + 1): cell for n, cell in enumerate(row)}
    except csv.Error as error:
        raise InputError(f"this is no table: {error}", place=f"{name}, line {rows.line_num}") from None


def _parquet(path: Path, name: str, declared: frozenset[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"the Parquet file cannot be read: {str(error).partition(chr(10))[0]}", place=name
        ) from None
