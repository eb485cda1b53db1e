"""The bundled questions are those that their rule makes, and every one of them can be learnt."""

import runpy
from pathlib import Path

from hemicycle.project import load_project
from hemicycle.sources import conversations
from hemicycle.tune import turns_of

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "petit-dialogue"


def test_the_questions_are_what_make_py_makes(capsys):
    runpy.run_path(str(EXAMPLE / "make.py"), run_name="__main__")
    assert capsys.readouterr().out == (EXAMPLE / "conversations.jsonl").read_text("utf-8")


def test_every_question_has_its_answer_and_is_asked_once():
    card = load_project(EXAMPLE).cards["questions"]
    documents = list(conversations.read(EXAMPLE, card.model_copy(update={"include": ["*.jsonl"]})))
    assert len(documents) > 150
    assert len({document.group for document in documents}) == len(documents)
    for document in documents:
        parts = [{"kind": p.kind, "role": p.role, "start": p.start, "end": p.end} for p in document.parts]
        assert turns_of(document.text, parts)
        assert document.counts == ()
