"""Evaluation sets are read as items with their questions, passages and answers, whatever their form."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import DeclarationError, InputError
from hemicycle.evaluate.verbatim.sets import Fields, read_items, set_files

ROW = {"id": "q1", "question": "Qui a bâti le pont ?", "answers": ["Personne", "Anne"], "label": 3}


def items(path, **declared_fields):
    fields = Fields(**declared_fields)
    declared = (*fields.question, *fields.answer)
    return [fields.of(item) for item in read_items(path, path.name, declared)]


def write(folder, name, text):
    (folder / name).write_text(text, "utf-8")
    return folder / name


def test_every_form_gives_the_same_item(tmp_path):
    line = json.dumps(ROW)
    pq.write_table(pa.Table.from_pylist([ROW]), tmp_path / "a.parquet")
    paths = [
        write(tmp_path, "a.jsonl", line + "\n"),
        write(tmp_path, "a.json", f"[{line}]"),
        write(tmp_path, "b.json", f'{{"version": "1", "rows": [{line}]}}'),
        tmp_path / "a.parquet",
    ]
    for path in paths:
        (item,) = items(path)
        assert item["question"] == [("question", "Qui a bâti le pont ?")]
        assert [text for _, text in item["answer"]] == ["Personne", "Anne"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,question,answer\n1,Qui ?,Anne\n"),
        ("a.csv", "id;question;answer\n1;Qui ?;Anne\n"),
        ("a.csv", "\tquestion\tanswer\n1\tQui ?\tAnne\n"),
        ("a.tsv", "id\tQuestion\tANSWER\n1\tQui ?\tAnne\n"),
        ("a.txt", "id\tquestion\tanswer\n1\tQui ?\tAnne\n"),
    ],
)
def test_tables_are_parted_as_their_first_line_is(tmp_path, name, text):
    (item,) = items(write(tmp_path, name, text))
    assert [t for _, t in item["question"]] == ["Qui ?"]
    assert [t for _, t in item["answer"]] == ["Anne"]


def test_a_table_without_a_heading_keeps_its_first_line_and_its_labels_are_no_text(tmp_path):
    path = write(tmp_path, "clams.txt", "True\tles auteurs sont vieux\nFalse\tles auteurs est vieux\n")
    assert [item["question"] for item in items(path)] == [
        [("2", "les auteurs sont vieux")],
        [("2", "les auteurs est vieux")],
    ]


def test_declared_fields_take_the_place_of_those_that_are_found(tmp_path):
    path = write(tmp_path, "mgsm.tsv", "Combien de canes ?\t18\n")
    (item,) = items(path, question=("1",), answer=("2",))
    assert (item["question"], item["answer"]) == ([("1", "Combien de canes ?")], [("2", "18")])
    path = write(tmp_path, "x.csv", "enonce,question\nUne longue phrase,autre\n")
    (item,) = items(path, question=("enonce",))
    assert item["question"] == [("enonce", "Une longue phrase")]


def test_each_question_of_a_paragraph_is_an_item_with_its_passage(tmp_path):
    asked = [
        {"question": f"Q{n}", "id": "x", "answers": [{"text": f"A{n}", "answer_start": 0}]} for n in "12"
    ]
    squad = {
        "data": [{"title": "t", "paragraphs": [{"context": "Le passage.", "qas": asked}]}],
        "version": "1",
    }
    found = items(write(tmp_path, "piaf.json", json.dumps(squad)))
    assert [item["question"] for item in found] == [[("question", "Q1")], [("question", "Q2")]]
    assert [item["context"] for item in found] == [[("context", "Le passage.")]] * 2
    assert found[1]["answer"] == [("answers.0.text", "A2")]


def test_a_key_that_stands_very_often_takes_no_longer_than_as_many_keys(tmp_path):
    # With a look at every name that is taken, this alone would take minutes.
    path = write(tmp_path, "a.json", "{" + ", ".join(['"a": "un deux"'] * 100_000) + ', "a.1": "trois"}')
    assert sum(1 for _ in read_items(path, "a.json")) == 100_001


def test_of_a_key_that_stands_twice_both_texts_are_items(tmp_path):
    path = write(tmp_path, "a.json", '{"a": "un deux", "a": "trois quatre"}')
    assert [item["question"][0][1] for item in items(path)] == ["un deux", "trois quatre"]


def test_files_of_another_form_are_told_apart(tmp_path):
    write(tmp_path, "a.jsonl", "{}\n")
    write(tmp_path, "notes.txt", "no table\n")
    write(tmp_path, "b.xlsx", "PK")
    read, others = set_files(tmp_path)
    assert [p.name for p in read] == ["a.jsonl"]
    assert [p.name for p in others] == ["b.xlsx", "notes.txt"]
    with pytest.raises(DeclarationError, match="no evaluation file"):
        list(read_items(tmp_path / "notes.txt", "notes.txt"))


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "{"), ("a.jsonl", "[1]\n"), ("a.parquet", "x"), ("a.json", "[" * 100_000)]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, text):
    with pytest.raises(InputError, match=name):
        list(read_items(write(tmp_path, name, text), name))


TEXTS = ["Lyon", "Nîmes", "Une ville du Gard"]
CALLED = ["A", "B", "C"]
# TruthfulQA has two lists of options, of which each has labels of its own.
MC1 = {"choices": ["Nîmes", "Lyon", "Arles", "Alès"], "labels": [1, 0, 0, 0]}
MC2 = {
    "choices": ["Uzès", "Nîmes", "Lyon", "Arles", "Alès", "Sète"],
    "labels": [1, 1, 0, 0, 0, 0],
}
ONE_EACH = ["Lyon", "Arles"]


def belebele(*texts):
    return {f"mc_answer{n}": text for n, text in enumerate(texts, 1)}


@pytest.mark.parametrize(
    ("told", "right"),
    [
        ({"choices": TEXTS, "label": 1}, ["Nîmes"]),
        ({"endings": TEXTS, "label": "1"}, ["Nîmes"]),
        ({"choices": TEXTS, "answer": 2}, ["Une ville du Gard"]),
        ({"options": TEXTS, "answer": "C"}, ["Une ville du Gard"]),
        ({"options": TEXTS, "answer": "(b)"}, ["Nîmes"]),
        ({"options": TEXTS, "gold": "une ville du Gard."}, ["Une ville du Gard"]),
        ({"options": TEXTS, "correct": "Nîmes"}, ["Nîmes"]),
        ({"choices": {"text": TEXTS, "label": CALLED}, "answerKey": "B"}, ["Nîmes"]),
        ({"choices": {"text": TEXTS, "label": ["1", "2", "3"]}, "answerKey": "1"}, ["Lyon"]),
        ({"choices": {"label": CALLED, "text": TEXTS}, "answerKey": "2"}, []),
        ({"options": dict(zip(CALLED, TEXTS, strict=True)), "answer_idx": "A", "answer": "Lyon"}, ["Lyon"]),
        ({"options": {"1": "Lyon", "2": "Nîmes"}, "answer": "1"}, ["Lyon"]),
        ({"options": [{"text": t, "correct": t == "Nîmes"} for t in TEXTS]}, ["Nîmes"]),
        (
            {"choices": [{"label": c, "text": t} for c, t in zip(CALLED, TEXTS, strict=True)], "label": "C"},
            TEXTS[2:],
        ),
        ({"mc1_targets": {"choices": TEXTS, "labels": [0, 1, 1]}}, TEXTS[1:]),
        ({"mc1_targets": MC1, "mc2_targets": MC2}, ["Nîmes", "Uzès", "Nîmes"]),
        ({"mc1_targets": MC1, "mc2_targets": {"choices": MC2["choices"]}}, ["Nîmes"]),
        (
            {"one": {"choices": TEXTS, "label": 0}, "two": {"choices": ["Uzès", "Arles"], "label": 1}},
            ONE_EACH,
        ),
        ({"choices": TEXTS, "labels": [False, True, False]}, ["Nîmes"]),
        ({"choices": TEXTS, "labels": ["0", "1", "0"]}, ["Nîmes"]),
        ({"choices": TEXTS, "labels": ["A", "C"]}, ["Lyon", "Une ville du Gard"]),
        ({"choices": TEXTS, "answers": {"text": ["Lyon", "à Lyon"]}}, ["Lyon", "à Lyon"]),
        ({"choices": ["Paris", "Paris", "Lyon"], "answer": "Paris"}, ["Paris"]),
        ({"choices": ["Paris", "Lyon", "paris."], "labels": [1, 0, 1]}, ["Paris"]),
        ({**belebele("un", "deux", "trois"), "correct_answer_num": "1"}, ["un"]),
        ({**belebele("2", "1", "trois"), "correct_answer_num": "1"}, ["2"]),
        ({**belebele("2", "1", "trois"), "correct_answer_num": 3}, ["trois"]),
        ({**belebele("en 1945", "1946"), "label": "1946"}, ["1946"]),
        ({**belebele("un", "deux"), "label": "deux"}, ["deux"]),
        ({"option_a": "Lyon", "option_b": "Nîmes", "answer": "B"}, ["Nîmes"]),
        (
            {"answers": {"a": "Lyon", "b": "Nîmes", "c": "Uzès"}, "correct_answers": ["a", "c"]},
            ["Lyon", "Uzès"],
        ),
        ({"answers": ["Lyon", "Nîmes"], "label": 1}, ["Nîmes"]),
        # What says nothing of the options, or may say two things.
        ({"choices": TEXTS}, []),
        ({"choices": TEXTS, "label": 3}, []),
        ({"choices": TEXTS, "label": -1}, []),
        ({"choices": TEXTS, "label": "neutral"}, []),
        ({"choices": TEXTS, "label": "1" * 5_000}, []),
        ({"choices": TEXTS, "label": True}, []),
        ({"choices": ["1", "2"], "answer": "1"}, []),
        ({"option1": "Lyon", "option2": "Nîmes", "answer": "1"}, []),
        ({"sol1": "Lyon", "sol2": "Nîmes", "label": 1}, []),
        ({**belebele("2", "1", "trois"), "label": "1"}, []),
        ({**belebele("0", "1", "trois"), "label": "0"}, []),
        ({**belebele("un", "deux"), "correct_answer_num": "0"}, []),
        ({"choices": TEXTS, "labels": [0, 1]}, []),
        ({"choices": TEXTS, "labels": [1, 0, 0, 0]}, []),
        ({"choices": TEXTS, "labels": ["1", "0", "0", "0"]}, []),
        ({"choices": TEXTS, "told": {"labels": [0, 2]}}, []),
        ({"choices": ["+", "-"], "answer": "*"}, []),
        ({"answer": "A"}, []),
        # And what is no option.
        ({"answer": "18"}, ["18"]),
        ({"choices": TEXTS, "label": 0, "solution": "Le pont est à Lyon."}, ["Lyon", "Le pont est à Lyon."]),
        ({"answers": {"text": ["Lyon", "à Lyon"], "answer_start": [0, 1]}}, ["Lyon", "à Lyon"]),
        ({"answers": ["Lyon", "à Lyon"], "label": "easy"}, ["Lyon", "à Lyon"]),
    ],
)
def test_of_options_only_the_right_one_is_an_answer(tmp_path, told, right):
    (item,) = items(write(tmp_path, "a.jsonl", json.dumps({"question": "Où est le pont ?", **told}) + "\n"))
    assert [text for _, text in item["answer"]] == right
    assert [text for _, text in item["question"]] == ["Où est le pont ?"]


def test_options_inside_a_question_are_none_of_it(tmp_path):
    asked = {
        "stem": "Où est le pont ?",
        "choices": [{"label": "A", "text": "Lyon"}, {"label": "B", "text": "Nîmes"}],
    }
    (item,) = items(write(tmp_path, "a.jsonl", json.dumps({"question": asked, "answerKey": "B"}) + "\n"))
    assert item["question"] == [("question.stem", "Où est le pont ?")]
    assert item["answer"] == [("question.choices.1.text", "Nîmes")]


def test_of_declared_answers_a_number_may_name_the_right_one(tmp_path):
    row = {"enonce": "Où est le pont ?", "reponses": ["Lyon", "Nîmes"], "juste": 1}
    path = write(tmp_path, "a.jsonl", json.dumps(row) + "\n")
    (item,) = items(path, question=("enonce",), answer=("reponses", "juste"))
    assert item["answer"] == [("reponses.1", "Nîmes")]


REAL = {
    "clams-fr/simple_agrmt.txt": (560, "question"),
    "mgsm-fr/mgsm_fr.tsv": (250, "question"),
    "gqnli-fr/gqnli.test.fr.tsv": (300, "question"),
    "piaf/piaf-v1.1.json": (7569, "context"),
    "crows-fr/crows_pairs_FR.csv": (1467, "question"),
    "hatecheck-fr/hatecheck_cases_final_french.csv": (3718, "question"),
}


@pytest.mark.parametrize("name", REAL)
def test_published_sets_are_read_whole(samples: Path, name):
    count, role = REAL[name]
    found = items(samples / "evaluation" / name)
    assert len(found) == count
    assert all(item[role] for item in found)
    assert sum(len(text.split()) for item in found for _, text in item["question"]) > 3 * count
