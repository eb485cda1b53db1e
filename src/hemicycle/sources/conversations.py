"""Conversations for tuning: JSON Lines, JSON lists and Parquet, one document a conversation.

A row is one of four forms, told by its fields: `messages` with role and content; `conversations` with from
and value (ShareGPT); `instruction`, `input` and `output` (Alpaca); `prompt` with `completion` or `response`,
each a text or messages. The text of the document is what was said, in its order, an empty line between two
turns; each turn is a part with its role, so that the conversation can be had back from text and parts.

Two traps. The same question often stands in many rows with other answers; all of them are one group, so that
no held-out question was ever trained on. And a turn that calls a tool answers nobody: left out, the answer
after it would seem made up, so such rows are refused, and whoever wants them says what they become.

What teaches no answer (an empty turn, two questions in a row) is left out and counted; of a conversation that
ends in a question, that question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from hemicycle.digests import sha256_text
from hemicycle.documents import ROLES, Document, answers_questions
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import jsonl, parquet, selected_files
from hemicycle.sources.huggingface import is_companion, stated_licences
from hemicycle.sources.json_files import json_objects
from hemicycle.sources.rows import document_of_row, kind_of_value, shown

#: What stands between two turns in the text of a document.
BETWEEN = "\n\n"

#: Name of a role as files give it → our own.
_NAMES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
}
_TOOLS = frozenset(["tool", "function", "ipython", "observation", "function_call", "tool_call"])

#: Role and what was said.
Turn = tuple[str, str]

_FORMS = "messages; conversations; instruction and output; prompt and completion (or response)"


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a conversation, with the licences that a dataset's card beside the files states.

    Raises:
        InputError: no data file is selected, a file cannot be read, a row is of no known form, a turn is no
            text or of no known role; with file and line.
    """
    stated = stated_licences(folder)
    left_out: Counter[str] = Counter()
    found, last = False, None
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if is_companion(origin):
            continue
        found = True
        for anchor, place, row in _rows(path, origin):
            document = _document(row, card, origin, anchor, place, left_out)
            if document is not None:
                if last is not None:
                    yield last
                last = replace(document, licences=stated + document.licences)
    if last is not None:
        yield replace(last, counts=tuple(sorted(left_out.items())))
    if not found:
        raise InputError(
            "no file of conversations is selected (known: .jsonl, .ndjson, .json, .parquet)",
            remedy="Check the folder and `include` in the card.",
        )


def _rows(path: Path, origin: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Anchor, place and values of each row of a file."""
    name = origin.lower()
    if name.endswith(jsonl.SUFFIXES):
        for number, line in jsonl.lines(path, origin):
            if line := line.strip():
                place = f"{origin}, line {number}"
                yield f"L{number}", place, jsonl.json_object(line, place)
    elif name.endswith(".json"):
        for number, row in json_objects(path, origin):
            yield f"N{number}", f"{origin}, object {number}", row
    elif name.endswith(".parquet"):
        for number, row in parquet.rows_of_file(path, origin, _every_column):
            yield f"R{number}", f"{origin}, row {number}", row
    else:
        raise InputError(
            "this is no file of conversations by its name (.jsonl, .ndjson, .json or .parquet)",
            place=origin,
            remedy="Convert it to JSON Lines, or leave it out with `exclude` in the card.",
        )


def _every_column(schema: pa.Schema) -> list[str]:
    return list(schema.names)


def _document(
    row: Mapping[str, Any], card: Card, origin: str, anchor: str, place: str, left_out: Counter[str]
) -> Document | None:
    """The document of a row; None, and why in `left_out`, where the row teaches no answer."""
    turns = [(role, text) for role, text in _turns(row, place) if text or role != "system"]
    while turns and turns[-1][0] == "user":
        turns.pop()
        left_out["left_out_questions_without_an_answer"] += 1
    if not all(text for _, text in turns):
        left_out["left_out_conversations_with_an_empty_turn"] += 1
        return None
    if not answers_questions([role for role, _ in turns]):
        left_out["left_out_conversations_not_in_turns"] += 1
        return None
    parts, at = [], 0
    for number, (role, text) in enumerate(turns, 1):
        end = at + len(text)
        parts.append({"start": at, "end": end, "anchor": f"t{number}", "kind": "turn", "role": role})
        at = end + len(BETWEEN)
    question = next(text for role, text in turns if role == "user")
    described = {key: value for key, value in row.items() if key != "digest"}
    described |= {
        card.text_field: BETWEEN.join(text for _, text in turns),
        "parts": parts,
        "kind": "conversation",
        "group": row.get("group") or f"question-{sha256_text(question)[:16]}",
    }
    return document_of_row(described, card, origin=origin, anchor=anchor, place=place)


def _turns(row: Mapping[str, Any], place: str) -> list[Turn]:
    """The turns of a row in any of the four forms."""
    for field in ("messages", "conversations", "conversation"):
        if row.get(field) is not None:
            return _messages(row[field], field, place)
    system = [("system", _text(row["system"], "system", place))] if row.get("system") is not None else []
    if row.get("instruction") is not None and row.get("output") is not None:
        asked = [_text(row[f], f, place) for f in ("instruction", "input") if row.get(f) is not None]
        question = BETWEEN.join(text for text in asked if text)
        return [*system, ("user", question), ("assistant", _text(row["output"], "output", place))]
    answer = next((f for f in ("completion", "response") if row.get(f) is not None), None)
    if row.get("prompt") is None or answer is None:
        present = ", ".join(shown(key) for key in sorted(row)[:20]) or "none"
        raise InputError(
            f"this is no conversation in a known form ({_FORMS}); fields here: {present}",
            place=place,
            remedy="Rename the fields, or read the file with another reader.",
        )
    said: list[Turn] = []
    for field, role in (("prompt", "user"), (answer, "assistant")):
        value = row[field]
        several = isinstance(value, list | tuple)
        said += _messages(value, field, place) if several else [(role, _text(value, field, place))]
    return [*system, *said]


def _messages(value: object, field: str, place: str) -> list[Turn]:
    if not isinstance(value, list | tuple):
        raise InputError(
            f"the field “{field}” holds {kind_of_value(value)}, not a list of turns", place=place
        )
    turns = []
    for number, message in enumerate(value, 1):
        if not isinstance(message, Mapping):
            raise InputError(
                f"turn {number} of “{field}” is {kind_of_value(message)}, not an object", place=place
            )
        said = message.get("content") if "content" in message else message.get("value")
        named = message.get("role") if "role" in message else message.get("from")
        role = _role(named, f"turn {number} of “{field}”", bool(message.get("tool_calls")), place)
        turns.append((role, _text(said, f"{field}, turn {number}", place)))
    return turns


def _role(named: object, which: str, calls: bool, place: str) -> str:
    name = named.strip().lower() if isinstance(named, str) else ""
    if calls or name in _TOOLS:
        raise InputError(
            f"{which} is a call of a tool or its result, which is no answer to anybody",
            place=place,
            remedy="Leave such conversations out, or write their turns as those of user and assistant.",
        )
    if name not in _NAMES:
        said = f"“{shown(named)}”" if isinstance(named, str) else kind_of_value(named)
        raise InputError(
            f"{which} has the role {said}; known are {', '.join(_NAMES)}",
            place=place,
            remedy=f"Write one of {', '.join(ROLES)}.",
        )
    return _NAMES[name]


def _text(value: object, field: str, place: str) -> str:
    """What was said, without white space around it; pieces of text are joined, nothing said is empty."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list | tuple):
        pieces = [
            p.get("text") if isinstance(p, Mapping) and p.get("type") == "text" else None for p in value
        ]
        if all(isinstance(piece, str) for piece in pieces):
            return "".join(piece for piece in pieces if piece is not None).strip()
        raise InputError(
            f"“{field}” has something else in it than text",
            place=place,
            remedy="Leave conversations with pictures or sound out of the file.",
        )
    raise InputError(f"“{field}” holds {kind_of_value(value)}, not a text", place=place)
