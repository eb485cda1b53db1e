"""Conversations in whatever form are one kind of document, and no turn of theirs is lost unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.curate.clean import clean
from hemicycle.curate.personal import mask
from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.progress import Lines
from hemicycle.project import Card
from hemicycle.sources import conversations
from hemicycle.sources.read import read_source

CARD = Card(title="T", reader="conversations", path="t")


def read_rows(folder: Path, *rows: Any, name: str = "a.jsonl") -> list[Document]:
    (folder / name).write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return list(conversations.read(folder, CARD))


def said(document: Document) -> list[tuple[str | None, str]]:
    return [(part.role, document.text[part.start : part.end]) for part in document.parts]


def refused(folder: Path, row: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_rows(folder, {"messages": [{"role": "user", "content": "Q"}]}, row)
    return str(caught.value)


MESSAGES = {
    "messages": [
        {"role": "system", "content": "Réponds en français."},
        {"role": "user", "content": "Qui préside ? "},
        {"role": "assistant", "content": "M. Arnaud."},
        {"role": "user", "content": "Depuis quand ?"},
        {"role": "assistant", "content": "Depuis 2031."},
    ]
}
SHAREGPT = {
    "conversations": [
        {"from": "system", "value": "Réponds en français."},
        {"from": "human", "value": "Qui préside ?"},
        {"from": "gpt", "value": "M. Arnaud."},
        {"from": "human", "value": "Depuis quand ?"},
        {"from": "gpt", "value": "Depuis 2031."},
    ]
}


@pytest.mark.parametrize("row", [MESSAGES, SHAREGPT])
def test_messages_and_sharegpt_are_the_same_conversation(tmp_path: Path, row: dict[str, Any]) -> None:
    (document,) = read_rows(tmp_path, row)
    assert document.kind == "conversation"
    assert document.text == (
        "Réponds en français.\n\nQui préside ?\n\nM. Arnaud.\n\nDepuis quand ?\n\nDepuis 2031."
    )
    assert said(document) == [
        ("system", "Réponds en français."),
        ("user", "Qui préside ?"),
        ("assistant", "M. Arnaud."),
        ("user", "Depuis quand ?"),
        ("assistant", "Depuis 2031."),
    ]
    assert {part.kind for part in document.parts} == {"turn"}


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        (
            {"instruction": "Traduis.", "input": "Good day", "output": "Bonjour"},
            [("user", "Traduis.\n\nGood day"), ("assistant", "Bonjour")],
        ),
        (
            {"instruction": "Salue.", "input": "", "output": "Bonjour", "system": "Sois bref."},
            [("system", "Sois bref."), ("user", "Salue."), ("assistant", "Bonjour")],
        ),
        ({"prompt": "Salue.", "completion": "Bonjour"}, [("user", "Salue."), ("assistant", "Bonjour")]),
        ({"prompt": "Salue.", "response": "Bonjour"}, [("user", "Salue."), ("assistant", "Bonjour")]),
        (
            {
                "prompt": [{"role": "user", "content": "Salue."}],
                "completion": [{"role": "assistant", "content": "Bonjour"}],
            },
            [("user", "Salue."), ("assistant", "Bonjour")],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "Salue."}]},
                    {"role": "model", "content": "Bonjour"},
                ]
            },
            [("user", "Salue."), ("assistant", "Bonjour")],
        ),
    ],
)
def test_instructions_and_prompts_are_one_question_and_one_answer(
    tmp_path: Path, row: dict[str, Any], turns: list[tuple[str, str]]
) -> None:
    (document,) = read_rows(tmp_path, row)
    assert said(document) == turns


def test_json_lists_and_parquet_read_as_lines_do(tmp_path: Path) -> None:
    (line,) = read_rows(tmp_path, MESSAGES)
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "a.json").write_text(json.dumps([MESSAGES]), "utf-8")
    pq.write_table(pa.Table.from_pylist([MESSAGES]), tmp_path / "b.parquet")
    listed, column = conversations.read(tmp_path, CARD)
    assert said(listed) == said(column) == said(line)
    assert [listed.origin, column.origin] == ["a.json#N1", "b.parquet#R1"]


def test_rows_that_ask_the_same_question_stay_on_one_side_of_the_split(tmp_path: Path) -> None:
    rows = [{"prompt": q, "completion": a} for q, a in (("Q ?", "A"), ("Q ?", "B"), ("Autre ?", "A"))]
    one, two, three = read_rows(tmp_path, *rows)
    assert one.group == two.group != three.group


def test_what_a_dataset_s_card_and_a_row_state_of_licences_is_kept(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\nDonnées", "utf-8")
    row = {"prompt": "Q", "completion": "A", "license": "CC-BY-4.0", "id": "x", "language": "fr-CH"}
    (document,) = read_rows(tmp_path, row)
    assert [licence.expression for licence in document.licences] == ["cc-by-nc-4.0", "CC-BY-4.0"]
    assert (document.id, document.language) == ("x", "fr-CH")


def test_what_teaches_no_answer_is_left_out_and_told(tmp_path: Path) -> None:
    user, answer = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
    source = tmp_path / "t"
    source.mkdir()
    rows = [
        {"messages": [user, answer, user]},
        {"messages": [user, {"role": "assistant", "content": "  "}]},
        {"messages": [answer, user, answer]},
        {"messages": [user, user, answer]},
    ]
    (source / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    out, told = tmp_path / "out", []
    out.mkdir()

    class Listening(Lines):
        def say(self, text: str) -> None:
            told.append(text)

    figures = read_source("dialogues", CARD, source, out, progress=Listening())
    assert (figures["documents"], figures["parts"]) == (1, 2)
    assert figures["left_out_questions_without_an_answer"] == 1
    assert figures["left_out_conversations_with_an_empty_turn"] == 1
    assert figures["left_out_conversations_not_in_turns"] == 2
    assert any("left out" in line and "2 conversations not in turns" in line for line in told)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"text": "Bonjour"}, "a.jsonl, line 2: this is no conversation in a known form"),
        ({"messages": "Bonjour"}, "the field “messages” holds a string, not a list of turns"),
        ({"messages": ["Bonjour"]}, "turn 1 of “messages” is a string, not an object"),
        ({"messages": [{"role": "tool", "content": "3"}]}, "turn 1 of “messages” is a call of a tool"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]}, "is a call of a tool"),
        ({"messages": [{"role": "narrator", "content": "Il pleut"}]}, "has the role “narrator”; known are"),
        ({"messages": [{"role": "user", "content": 3}]}, "“messages, turn 1” holds a number, not a text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "“messages, turn 1” has something else in it than text",
        ),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, row: Any, sentence: str) -> None:
    assert sentence in refused(tmp_path, row)


def test_a_file_of_another_kind_is_refused_and_an_empty_folder_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of conversations is selected"):
        list(conversations.read(tmp_path, CARD))
    (tmp_path / "a.tsv").write_text("Q\tA")
    with pytest.raises(InputError, match="no file of conversations by its name"):
        list(conversations.read(tmp_path, CARD))


def test_turns_keep_their_words_when_the_text_is_cleaned_and_masked(tmp_path: Path) -> None:
    """What curation does to a text moves its parts: a turn never takes a word of its neighbour."""
    turns = [
        (
            "Quel est\u00a0 son  téléphone\u00ad ?\n\n\n\nEt son courriel ?",
            "Le 06 41 27 83 95, ou jean@dupont.fr.",
        )
    ]
    turns += [("Merci\u200b !  ", "  De rien, e\u0301videmment.")]
    messages = [
        {"role": role, "content": text}
        for pair in turns
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
    (document,) = read_rows(tmp_path, {"messages": messages})
    points = np.array([[part.start, part.end] for part in document.parts]).ravel()
    cleaned = clean(document.text, points)
    text, moved, counts = mask(cleaned.text, cleaned.offsets, "conversation")
    assert counts == {"phone": 1, "email": 1}
    found = [text[a:b] for a, b in moved.reshape(-1, 2)]
    assert found[0] == "Quel est\u00a0 son téléphone ?\n\nEt son courriel ?"
    assert "06 41 27 83 95" not in found[1]
    assert "jean@dupont.fr" not in text
    assert found[2:] == ["Merci !", "De rien, évidemment."]
    assert "\n\n".join(found) == text
