"""What stands in the training text is found, reformatted too; what does not is not."""

import json
import random

import pyarrow.parquet as pq
import pytest

from hemicycle.cli.summary import print_matches
from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.evaluate.verbatim import check_contamination, check_sets
from hemicycle.evaluate.verbatim.contamination import Set
from hemicycle.evaluate.verbatim.judging import FEWEST, MIN_WORDS, judge
from hemicycle.evaluate.verbatim.picture import _bars
from hemicycle.evaluate.verbatim.sets import Fields, source_of
from hemicycle.evaluate.verbatim.wording import contamination_notes, contamination_table
from hemicycle.trace import build_index, open_index
from tests.trace.typography import EDITS, all_of_them

QUESTION = (
    "L'œuvre affichée à l'hôtel de ville est-elle l'effort d'un sculpteur ou d'une sculptrice de la vallée ?"
)
ANSWER = "Une sculptrice venue de Nîmes"
OTHER = "Combien de barques la meunière a-t-elle vues passer sous le vieux pont avant la tombée de la nuit ?"


def words(seed, count):
    rng = random.Random(seed)
    return " ".join(f"mot{rng.randrange(5_000)}" for _ in range(count))


@pytest.fixture(scope="module")
def trained(corpus):
    """Four documents to train on; the second holds a question and its answer, the fourth a short sentence."""
    texts = [
        words(1, 300),
        f"{words(2, 120)} {QUESTION} Réponse : {ANSWER}. {words(3, 120)}",
        f"{words(4, 200)} {OTHER} {words(5, 200)}",
        f"{words(6, 80)}. Le vent se lève enfin. {words(7, 80)}",
    ]
    rows = [(f"a:{n}", "a", "train", text) for n, text in enumerate(texts)]
    copied = " ".join(texts[0].split()[50:250])
    held = [("b:0", "b", "held-out", words(9, 300)), ("b:1", "b", "held-out", f"{copied} {words(10, 20)}")]
    return corpus("trained", rows + held), texts


@pytest.fixture(scope="module")
def index(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    build_index([trained[0]], folder)
    return open_index(folder)


def check(index, trained, tmp_path, rows):
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (told,), items, unread = check_sets(index, [trained[0]], [Set(path, "set.jsonl", Fields())])
    assert unread == []
    return told, items


@pytest.mark.parametrize("edit", [*EDITS, all_of_them], ids=lambda e: e.__name__)
def test_a_planted_item_is_found_however_it_is_set(index, edit):
    found = judge(index, [("question", edit(QUESTION))])
    assert (found.verdict, found.found) == ("contaminated", found.words)


def test_its_words_in_another_order_are_clean(index):
    shuffled = QUESTION.split()
    random.Random(3).shuffle(shuffled)
    assert judge(index, [("question", " ".join(shuffled))]).verdict == "clean"


def test_half_an_item_is_partly_contaminated(index):
    half = QUESTION.split()[:9]
    found = judge(index, [("question", f"{' '.join(half)} {words(20, 12)}")])
    assert found.verdict == "partly"
    assert found.span.words >= MIN_WORDS


def test_a_short_item_counts_only_where_it_stands_whole_and_a_shorter_one_not_at_all(index):
    assert judge(index, [("q", "Le vent se lève enfin")]).verdict == "contaminated"
    assert judge(index, [("q", "Le vent se lève encore")]).verdict == "clean"
    assert judge(index, [("q", "Le vent")]).verdict == "unjudged"
    assert judge(index, []).verdict == "unjudged"
    assert judge(index, [("q", "Le vent se lève enfin")]).short
    assert FEWEST == 4


def test_two_fields_do_not_run_on_into_one_another(index, trained):
    stretch = trained[1][0].split()[10:20]
    together = judge(index, [("q", " ".join(stretch))])
    apart = judge(index, [("a", " ".join(stretch[:5])), ("b", " ".join(stretch[5:]))])
    assert (together.verdict, together.short) == ("contaminated", False)
    assert (apart.verdict, apart.short) == ("contaminated", True)


def test_an_item_says_where_it_stands_and_whether_its_answer_stands_beside(index, trained, tmp_path):
    rows = [
        {"question": all_of_them(QUESTION), "answer": ANSWER.upper()},
        {"question": QUESTION, "answer": "Un sculpteur de Lyon"},
        {"question": OTHER, "answers": {"text": ["Aucune"]}},
        {"question": words(30, 20), "answer": ANSWER},
    ]
    told, items = check(index, trained, tmp_path, rows)
    assert [item["answer_beside"] for item in items] == [True, False, False, False]
    first = items[0]
    assert (first["document"], first["source"], first["word"], first["count"]) == ("a:1", "a", 120, 1)
    assert first["passage"] == all_of_them(QUESTION).rstrip(" \u00a0?\n")
    assert (told["question"]["contaminated"], told["question"]["clean"]) == (3, 1)
    assert told["with_answer"]["contaminated"] == 1
    assert told["answered"] == 4


def test_a_wrong_option_beside_a_question_is_no_answer(index, trained, tmp_path):
    wrong = ["Une sculptrice de Lyon", ANSWER]
    rows = [
        {"question": QUESTION, "choices": wrong, "label": 0},
        {"question": QUESTION, "choices": wrong, "label": 1},
        {"question": QUESTION, "choices": wrong},
    ]
    told, items = check(index, trained, tmp_path, rows)
    assert [item["answer_beside"] for item in items] == [False, True, None]
    assert (told["with_answer"]["contaminated"], told["answered"]) == (1, 2)
    assert "options: 1. Whether" in noted(told)


def noted(told):
    """The notes on one set."""
    bounds = {"min_words": 8, "partly": 0.2, "contaminated": 0.8, "fewest_words": 4}
    method = {**bounds, "answer_within_words": 50}
    results = {"not_read": [], "trained_elsewhere": 0, "upstream": {}, "method": method}
    return "\n".join(contamination_notes({"sets": [told], "models": []}, results, "en"))


@pytest.mark.parametrize(
    ("offered", "mute"),
    [
        ({"option1": ANSWER, "option2": "Nîmes", "answer": "1"}, 2),
        ({"sol1": ANSWER, "sol2": "Nîmes", "label": 0}, 2),
        ({"answer": 18}, 2),
        ({"label": 1}, 0),
        ({}, 0),
    ],
)
def test_a_set_of_which_no_right_option_is_said_has_a_note(index, trained, tmp_path, offered, mute):
    told, _ = check(index, trained, tmp_path, [{"question": QUESTION, **offered}] * 2)
    assert (told["with_answer"], told["answered"], told["offered"]) == (None, 0, mute)
    said = noted(told)
    assert ("options: 2. Whether" in said) == ("With answer: " in said) == bool(mute)


def test_the_passage_that_is_asked_about_is_told_apart(index, trained, tmp_path):
    context = " ".join(trained[1][2].split()[20:80])
    rows = [{"context": context, "question": words(40, 12)}, {"context": context, "question": words(41, 12)}]
    told, items = check(index, trained, tmp_path, rows)
    assert told["question"]["clean"] == 2
    assert told["context"]["contaminated"] == 2
    assert [item["part"] for item in items] == ["question", "context"] * 2


def test_a_set_without_any_file_is_a_wrong_call(index, trained, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.xlsx").write_text("PK")
    with pytest.raises(DeclarationError, match="no evaluation file"):
        check_sets(index, [trained[0]], [Set(tmp_path / "folder", "folder", Fields())])


def test_another_corpus_than_that_of_the_index_is_refused(index, trained, tmp_path, corpus):
    other = corpus("other", [(f"a:{n}", "a", "train", words(n, 40)) for n in range(4)])
    (tmp_path / "s.jsonl").write_text(json.dumps({"question": QUESTION, "answer": ANSWER}) + "\n", "utf-8")
    with pytest.raises(IntegrityError, match="is not here as the index knows it"):
        check_sets(index, [other], [Set(tmp_path / "s.jsonl", "s.jsonl", Fields())])


def test_the_check_writes_figures_and_places_and_no_training_text(index, trained, tmp_path):
    sets = tmp_path / "sets"
    sets.mkdir()
    row = {"question": QUESTION, "answer": ANSWER}
    (sets / "q.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    (sets / "notes.xlsx").write_text("PK")
    (sets / "README.md").write_text("a card")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        figures = check_contamination(
            {"debats": index.folder},
            {"debats": trained[0]},
            {"debats": ["petit"]},
            tmp_path / name,
            sets=[Set(sets, "sets", Fields())],
            upstream={"petit": "vieux"},
        )
    assert figures["not_read"] == ["sets/notes.xlsx"]
    pictures = ("contamination.png", "contamination.petit.png")
    for file in ("contamination.json", "items.parquet", *pictures):
        written = (tmp_path / "one" / file).read_bytes()
        assert written == (tmp_path / "two" / file).read_bytes()
        assert b"sculptrice" not in written
    results = json.loads((tmp_path / "one" / "contamination.json").read_text("utf-8"))
    (text,) = results["training"]
    assert text["sets"][0]["question"]["contaminated"] == 1
    assert "vieux" in " ".join(text["notes"]["fr"])
    assert "notes.xlsx" in " ".join(text["notes"]["en"])
    (held,) = text["held_out"]
    assert (held["items"], held["question"]["clean"], held["question"]["contaminated"]) == (2, 1, 1)
    assert held["question"]["found"] >= 200
    rows = pq.read_table(tmp_path / "one" / "items.parquet").to_pylist()
    assert {row["item"]: row["document"] for row in rows if row["part"] == "text"} == {
        "b:0": None,
        "b:1": "a:0",
    }
    for language in ("en", "fr"):
        head, *lines = contamination_table(text, language)
        assert [len(line) for line in lines] == [len(head)] * 2


def test_a_picture_shows_no_name_of_a_set_that_people_do_not_read():
    one = {"set": "held-out:debats", "question": {}, "context": {}}
    assert [name for name, _ in _bars({"sets": [], "held_out": [one]})] == ["debats (held out · à l’écart)"]
    assert source_of("a held-out:set") is None


def test_a_declared_field_that_no_item_has_is_named_with_those_there_are(index, trained, tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(
        json.dumps({"demande": QUESTION, "reponses": [{"texte": ANSWER}], "n": 1}) + "\n", "utf-8"
    )

    def look(**fields):
        return check_sets(index, [trained[0]], [Set(path, "set.jsonl", Fields(**fields))])

    assert look(question=("demande",), answer=("reponses",))[0][0]["question"]["contaminated"] == 1
    for fields in ({"question": ("demandes",)}, {"question": ("demande",), "answer": ("demandes",)}):
        with pytest.raises(DeclarationError, match="no item has text in a field “demandes”") as caught:
            look(**fields)
        assert caught.value.remedy == "Did you mean “demande”? Fields with text: demande, reponses."
    with pytest.raises(DeclarationError, match="field “n”") as caught:
        look(question=("n",))
    assert "Fields with text: demande, reponses." in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "text"), [("a.jsonl", ""), ("a.jsonl", "\n"), ("a.json", "[]"), ("a.csv", "question,answer\n")]
)
def test_a_set_without_an_item_is_no_clean_set(index, trained, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match="no item here"):
        check_sets(index, [trained[0]], [Set(tmp_path / name, name, Fields())])


def test_of_several_stretches_the_one_shown_is_called_the_longest(index, trained, tmp_path, capsys):
    ours = trained[1][0].split()
    question = " ".join([*ours[:9], "ailleurs", *ours[20:40], "ailleurs", *ours[60:70]])
    _, (row, once) = check(index, trained, tmp_path, [{"question": question}, {"question": QUESTION}])
    assert (row["found"], row["stretches"], row["longest"]) == (39, 3, 20)
    print_matches([row, once])
    out = capsys.readouterr().out
    assert (
        "39 of 41 words; the longest of 3 stretches, 20 words, 1 time in the training text, first in" in out
    )
    assert f"{once['words']} words, 1 time in the training text" in out
