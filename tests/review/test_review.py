"""A review of a data set laid out like ROOTS: every subset has one thing wrong, and it is found."""

import csv
import hashlib
import json
import os
import re
import shutil
import tempfile
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.corpus import make_corpus
from hemicycle.curate.personal import KINDS
from hemicycle.documents import Document, write_documents
from hemicycle.engines import Local
from hemicycle.errors import DeclarationError, InputError
from hemicycle.progress import QUIET
from hemicycle.project import Card, load_card
from hemicycle.review.evaluations import hits, read_evaluations
from hemicycle.review.make import Asked, review
from hemicycle.review.measured import annotate_documents
from hemicycle.review.report import PAGES, words
from hemicycle.review.sampled import count, write_sample
from hemicycle.review.stated import read_cards, stated
from hemicycle.review.subsets import find_subsets
from hemicycle.review.verdict import VERDICTS, Reason, bounds, sentences, verdict
from hemicycle.rights.audit import CLASSES
from hemicycle.rights.licences import check_expression
from hemicycle.rights.policy import default_policy
from hemicycle.sources.parquet import read

from .roots import HOSTILE, KNOWN, QUESTION, make_evaluation, make_roots, story, write


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "roots"
    make_roots(folder)
    return folder


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked") / "evaluation"
    make_evaluation(folder)
    return folder


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A corpus of ours."""
    folder = tmp_path_factory.mktemp("ours")
    documents = folder / "documents.parquet"
    ours = (Document(origin=str(n), text=t, language="fr", kind="fiction") for n, t in enumerate(KNOWN))
    write_documents(documents, "ours", ours)
    annotate_documents(documents, folder / "annotated", folder / "scratch", Local(1), QUIET)
    make_corpus({"ours": folder / "annotated"}, folder / "corpus", folder / "scratch", rules=(), held_out=0.1)
    return folder / "corpus"


@pytest.fixture(scope="module")
def report(roots, evaluation, known, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    asked = Asked(sample=None, against=[known], evaluation=evaluation)
    made = review(roots, out / "report", asked, taken=out / "taken")
    return made, out


EXPECTED = {
    "roots_fr_clair": ("usable with duties", {"obligations"}),
    "roots_fr_non_commercial": ("refuse", {"noncommercial"}),
    "roots_fr_vague": ("review", {"licence-vague"}),
    "roots_fr_sans_fiche": ("refuse", {"no-card", "no-licence"}),
    "roots_fr_langue": ("refuse", {"contradicted"}),
    "roots_fr_connu": ("review", {"known"}),
    "roots_fr_evaluation": ("review", {"contaminated"}),
    "roots_fr_annuaire": ("review", {"personal"}),
    "roots_fr_avis": ("review", {"boilerplate"}),
    f"roots_fr_{HOSTILE}": ("usable", set()),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_subset_has_the_verdict_that_its_fault_deserves(report, name):
    found = {one["name"]: one for one in report[0]["subsets"]}
    assert set(found) == set(EXPECTED)
    verdict, codes = EXPECTED[name]
    said = {r["code"]: r["level"] for r in found[name]["reasons"]}
    assert found[name]["verdict"] == verdict, said
    assert codes <= set(said), said


def subset(report, name):
    return next(one for one in report["subsets"] if one["name"] == name)


def test_findings_are_counted_as_the_layout_was_made(report):
    made, _ = report
    assert subset(made, "roots_fr_connu")["duplicates"]["exact_known"] == 20
    assert subset(made, "roots_fr_connu")["duplicates"]["near_known"] == 20
    assert subset(made, "roots_fr_evaluation")["contamination"] == {
        "documents": 3,
        "files": {"questions.jsonl": 3},
    }
    assert subset(made, "roots_fr_annuaire")["personal"]["documents"] == 15
    assert subset(made, "roots_fr_annuaire")["personal"]["pieces"] == {"email": 15, "phone": 15}
    assert subset(made, "roots_fr_langue")["language"]["found"]["en"] > 0.9
    assert subset(made, "roots_fr_avis")["boilerplate"]["passages"][0]["documents"] == 30
    assert subset(made, "roots_fr_clair")["quality"]["passing"] == 30
    assert made["evaluations"][1] == {"file": "short.tsv", "items": 1, "too_short": 1}


def test_no_value_of_personal_data_is_in_the_report(report):
    _, out = report
    for path in (out / "report").iterdir():
        assert "courriel-vallee" not in path.read_text("utf-8"), path.name


def test_every_statement_is_quoted_with_its_place(report):
    (stated,) = subset(report[0], "roots_fr_non_commercial")["licence"]["statements"]
    assert stated["place"] == "roots_fr_non_commercial/README.md, line 3"
    assert stated["where"]["fr"] == "roots_fr_non_commercial/README.md, ligne 3"
    assert (stated["stated"], stated["expression"]) == ("cc-by-nc-4.0", "CC-BY-NC-4.0")
    assert stated["classes"] == ["valid", "noncommercial"]


def test_every_reason_is_said_in_both_languages(report):
    for one in report[0]["subsets"]:
        for reason in one["reasons"]:
            assert reason["en"] != reason["fr"]
            assert "{" not in reason["en"] + reason["fr"]


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))


@pytest.mark.parametrize("name", ["report.html", "report.fr.html"])
def test_names_of_a_stranger_are_text_on_the_page_and_nothing_is_loaded(report, name):
    page = (report[1] / "report" / name).read_text("utf-8")
    parser = _Elements()
    parser.feed(page)
    tags = {tag for tag, _ in parser.seen}
    assert not tags & {"script", "img", "iframe", "object", "link", "form", "base"}
    assert not any(key.startswith("on") for _, attributes in parser.seen for key in attributes)
    for _, attributes in parser.seen:
        assert re.fullmatch(r"#s\d+|report(\.fr)?\.html", attributes.get("href", "#s1"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize("name", ["report.html", "report.fr.html", "report.json"])
def test_a_report_never_calls_a_use_lawful(report, name):
    text = (report[1] / "report" / name).read_text("utf-8").lower()
    assert "does not say that a use is lawful" in text or "lawful" not in text
    assert "légal" not in text


def test_what_is_taken_names_its_subset_licence_and_raw_file(report, roots):
    made, out = report
    taken = {one["subset"]: one for one in made["taken"]}
    assert set(taken) == {"roots_fr_clair", f"roots_fr_{HOSTILE}"}
    rows = pl.read_parquet(out / "taken" / taken["roots_fr_clair"]["name"])
    assert len(rows) == taken["roots_fr_clair"]["documents"] == 30
    assert set(rows["subset_licence"]) == {"etalab-2.0"}
    for file, digest in rows.select("file", "file_sha256").unique().iter_rows():
        assert hashlib.sha256((roots / file).read_bytes()).hexdigest() == digest


def test_what_is_taken_is_a_source_that_nobody_attests_yet(report):
    made, out = report
    for one in made["taken"]:
        card = load_card(out / "taken" / f"{one['name']}.toml")
        assert card.rights.attested_by is None
        documents = list(read(out / "taken" / card.path, card))
        assert len(documents) == one["documents"]
        stated = {(s.stated_by, s.expression) for d in documents for s in d.licences}
        assert stated == {("distributor", "etalab-2.0" if one["subset"] == "roots_fr_clair" else "cc0-1.0")}


def test_the_same_review_gives_the_same_bytes(roots, evaluation, tmp_path):
    for place in ("one", "two"):
        for name in ("roots_fr_clair", "roots_fr_evaluation"):
            shutil.copytree(roots / name, tmp_path / place / "roots" / name)
        review(tmp_path / place / "roots", tmp_path / place / "out", Asked(sample=5, evaluation=evaluation))
    for path in (tmp_path / "one" / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / "out" / path.name).read_bytes()


class NoBar:
    def advance(self, amount):
        pass

    def note(self, text):
        pass


def test_a_sample_is_the_same_however_the_files_are_cut(tmp_path):
    texts = [story(n, 3) for n in range(40)]
    write(tmp_path / "whole" / "a", texts, "license: mit")
    write(tmp_path / "cut" / "a", texts[::-1], "license: mit", "parquet")
    reading = Card(title="a", reader="huggingface", path=".")
    chosen = []
    for form in ("whole", "cut"):
        (one,) = find_subsets(tmp_path / form, reading).subsets
        counted = count(one, reading, 7, NoBar())
        assert write_sample(one, counted, reading, None, (), tmp_path / f"{form}.parquet") == 7
        chosen.append(set(pl.read_parquet(tmp_path / f"{form}.parquet")["text"]))
    assert chosen[0] == chosen[1]


def test_a_damaged_shard_refuses_its_subset_and_names_the_file(tmp_path):
    write(tmp_path / "d" / "good", [story(n) for n in range(12)], "license: cc0-1.0\nlanguage: fr")
    write(tmp_path / "d" / "bad", [story(n) for n in range(12)], "license: cc0-1.0", "parquet")
    broken = tmp_path / "d" / "bad" / "data" / "train-00001.parquet"
    broken.write_bytes(broken.read_bytes()[:-40])
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    assert made["unreadable"] == 1
    assert subset(made, "bad")["verdict"] == "refuse"
    (said,) = [r["en"] for r in subset(made, "bad")["reasons"] if r["code"] == "unreadable"]
    assert "bad/data/train-00001.parquet" in said
    assert subset(made, "good")["verdict"] == "usable"
    # Errors are English by design: in French the page says what happened and quotes them.
    (dit,) = [r["fr"] for r in subset(made, "bad")["reasons"] if r["code"] == "unreadable"]
    assert dit.startswith("Un de ses fichiers ne peut pas être lu. Le message d'erreur (en anglais)")
    assert "«\u202fbad/data/train-00001.parquet: the Parquet file cannot be read" in dit
    assert dit.endswith("\u202f»")


def test_the_french_page_says_places_classes_duties_and_kinds_of_data_in_french(tmp_path):
    texts = [f"{story(n)} Écrire à n{n}@orange.fr." for n in range(12)]
    write(tmp_path / "d" / "a", texts, "license: cc-by-4.0\nlanguage: fr")
    row = {"text": story(99), "license": "cc-by-4.0"}
    (tmp_path / "d" / "a" / "more.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    review(tmp_path / "d", tmp_path / "out", Asked())
    page = (tmp_path / "out" / "report.fr.html").read_text("utf-8")
    for word in (
        "a/README.md, ligne ",
        "lignes (1)",
        "(valide)",
        "indiquer d&#39;où vient le texte",
        "courriel",
    ):
        assert word in page, word
    for word in (", line ", "rows (", "(valid)", "attribution", ">email<"):
        assert word not in page, word
    english = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "a/README.md, line " in english
    assert "asks for: say where the text comes from" in english


def test_a_name_that_reads_like_a_place_is_not_translated(tmp_path):
    write(tmp_path / "d" / "b, line {which}", [story(n) for n in range(12)], "license: mit\nlanguage: fr")
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    (stated,) = subset(made, "b, line {which}")["licence"]["statements"]
    assert stated["where"]["fr"].startswith("b, line {which}/README.md, ligne ")


def test_every_word_that_a_page_shows_for_a_code_stands_in_both_languages():
    with (resources.files("hemicycle.rights") / "licences.csv").open(encoding="utf-8", newline="") as file:
        duties = {duty for row in csv.DictReader(file) for duty in row["obligations"].split()}
    codes = {f"class {name}" for name in CLASSES} | {f"mask {kind}" for kind in KINDS}
    for language in PAGES:
        assert not (codes | {f"duty {duty}" for duty in duties - {"evidence"}}) - words(language).keys()


def test_a_file_of_unknown_form_keeps_a_subset_from_being_usable(tmp_path):
    write(tmp_path / "d" / "a", [story(n) for n in range(12)], "license: cc0-1.0\nlanguage: fr")
    (tmp_path / "d" / "a" / "more.arrow").write_bytes(b"ARROW1")
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    assert subset(made, "a")["unread"] == ["a/more.arrow"]
    assert subset(made, "a")["verdict"] == "review"


def test_a_row_that_states_a_worse_licence_than_its_card_decides(tmp_path):
    write(tmp_path / "d" / "a", [story(n) for n in range(12)], "license: cc0-1.0\nlanguage: fr")
    row = {"text": story(99), "license": "cc-by-nc-4.0"}
    (tmp_path / "d" / "a" / "more.jsonl").write_text(json.dumps(row) + "\n", "utf-8")
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    assert subset(made, "a")["verdict"] == "refuse"
    assert "rows (1)" in {s["place"] for s in subset(made, "a")["licence"]["statements"]}


def test_two_cards_that_differ_are_a_question(tmp_path):
    write(tmp_path / "d" / "a", [story(n) for n in range(12)], "license: cc0-1.0\nlanguage: fr")
    table = "| Dataset | License |\n|---|---|\n| a | MIT |\n"
    (tmp_path / "d" / "README.md").write_text(f"---\npretty_name: x\n---\n\n{table}", "utf-8")
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    assert "statements-differ" in {r["code"] for r in subset(made, "a")["reasons"]}
    assert subset(made, "a")["verdict"] == "review"


def test_a_subset_under_a_stricter_licence_than_the_umbrella_contradicts_it(tmp_path):
    write(tmp_path / "d" / "a", [story(n) for n in range(12)], "license: cc-by-sa-4.0\nlanguage: fr")
    made = review(tmp_path / "d", tmp_path / "out", Asked(umbrella="CC-BY-4.0"))
    assert "contradicts-umbrella" in {r["code"] for r in subset(made, "a")["reasons"]}


def test_the_only_card_is_the_card_of_every_folder(tmp_path):
    write(tmp_path / "d" / "data", [story(n) for n in range(12)], None)
    (tmp_path / "d" / "README.md").write_text("---\nlanguage:\n- fr\nlicense: mit\n---\n", "utf-8")
    made = review(tmp_path / "d", tmp_path / "out", Asked())
    assert subset(made, "data")["licence"]["expression"] == "MIT"
    assert subset(made, "data")["verdict"] == "usable with duties"


def test_a_link_out_of_the_data_set_is_refused(tmp_path):
    write(tmp_path / "d" / "a", [story(1)], "license: mit")
    (tmp_path / "secret.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "d" / "a" / "more.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(InputError, match="out of the folder"):
        review(tmp_path / "d", tmp_path / "out", Asked())


def test_an_empty_folder_is_no_data_set(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError):
        review(tmp_path / "d", tmp_path / "out", Asked())


def test_the_command_line_ends_with_the_code_of_what_it_met(roots, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "small" / "vague", [story(n) for n in range(4)], "license: unknown")
    code, out, _ = call("review", "small")
    assert code == 0
    assert "vague: review" in out
    assert (tmp_path / "small-review" / "report.html").is_file()
    assert call("review", roots, "--out", tmp_path / "taken")[0] == 2
    assert call("review", roots, "--all", "--sample", 3)[0] == 2
    assert call("review", roots, "--report", roots / "report")[0] == 2
    assert call("review", roots, "--kind", "novel")[0] == 2
    code, _, err = call("review", "small", "--kind", "vage=debate")
    assert code == 2
    assert "there is no subset “vage”" in err
    assert "Did you mean “vague”? Subsets: vague." in err
    assert call("review", tmp_path / "nowhere")[0] == 2
    write(tmp_path / "d" / "bad", ["x"], "license: mit")
    (tmp_path / "d" / "bad" / "shard-0.jsonl").write_text("{", "utf-8")
    assert call("review", tmp_path / "d")[0] == 1


def test_a_question_is_found_whatever_its_case_and_typography(evaluation):
    asked, _ = read_evaluations(evaluation)
    texts = pa.array([f"{story(1)} {QUESTION.upper()}", story(2), QUESTION[:40]], pa.large_string())
    assert hits(texts, asked).tolist() == [[True, False], [False, False], [False, False]]


def test_a_run_does_not_go_on_from_one_text_into_the_next(evaluation):
    half = len(QUESTION) // 2
    texts = pa.array([QUESTION[:half], QUESTION[half:]], pa.large_string())
    assert not hits(texts, read_evaluations(evaluation)[0]).any()


def test_a_folder_without_evaluations_is_a_wrong_call(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DeclarationError, match="no evaluation file"):
        read_evaluations(tmp_path)


def test_the_texts_of_a_json_file_are_found_however_deep_they_stand(tmp_path):
    paragraph = {"context": story(3), "qas": [{"id": "q1", "question": QUESTION}]}
    (tmp_path / "piaf.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}), "utf-8")
    (tmp_path / "twice.json").write_text(json.dumps({"a": QUESTION})[:-1] + ', "a": "x"}', "utf-8")
    asked, unread = read_evaluations(tmp_path)
    texts = pa.array([QUESTION, story(3), story(2)], pa.large_string())
    assert hits(texts, asked).tolist() == [[True, True], [True, False], [False, False]]
    assert [(one.items, one.short) for one in asked] == [(1, 0), (2, 1)]
    assert unread == []


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}\n{"a": 2}', "[" * 100_000, "\ud800"])
def test_a_json_file_that_is_none_is_refused_by_name(tmp_path, text):
    (tmp_path / "piaf.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=r"piaf\.json"):
        read_evaluations(tmp_path)


def test_evaluation_files_of_another_form_are_named(roots, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(roots / "roots_fr_clair", tmp_path / "d" / "roots_fr_clair")
    make_evaluation(tmp_path / "asked")
    (tmp_path / "asked" / "<b>.xlsx").write_bytes(b"PK")
    code, _, err = call("review", "d", "--evaluation", "asked")
    assert code == 0
    assert "not read of the evaluations: <b>.xlsx" in err
    made = tmp_path / "d-review"
    assert json.loads((made / "report.json").read_text("utf-8"))["evaluations_unread"] == ["<b>.xlsx"]
    for page in ("report.html", "report.fr.html"):
        assert "&lt;b&gt;.xlsx" in (made / page).read_text("utf-8")


def test_every_bound_has_its_sentence_and_every_sentence_is_complete():
    facts = {"what": "w", "spdx": "MIT", "en": "e", "fr": "f"}
    assert set(bounds()) <= set(sentences())
    for code in sentences():
        assert "{" not in Reason(code, 0, facts, 0.5).sentence("en") + Reason(code, 0, facts).sentence("fr")


def test_a_finding_counts_from_its_bound_on():
    assert [bounds()["known"].level(share) for share in (0, 0.49, 0.5, 0.9, 1)] == [0, 0, 2, 3, 3]
    assert [bounds()["personal"].level(share) for share in (0, 0.001, 0.2, 1)] == [0, 1, 2, 2]


HEADS = st.text(st.characters(codec="utf-8"), max_size=200) | st.sampled_from(
    ["license:", "license: [", "license:\n- mit\n- x", "language: [fr, 3]", "configs:\n- config_name: <b>"]
)


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(st.lists(HEADS, max_size=5), st.text(st.characters(codec="utf-8"), max_size=100))
def test_no_card_makes_the_reading_of_statements_fail(lines, body):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "d"
        (folder / "a").mkdir(parents=True)
        (folder / "a" / "x.jsonl").write_text('{"text": "x"}\n')
        card = "---\n" + "\n".join(lines) + f"\n---\n{body}"
        for path in (folder, folder / "a"):
            (path / "README.md").write_text(card, "utf-8")
        dataset = find_subsets(folder, Card(title="a", reader="huggingface", path="."))
        policy = default_policy()
        found = stated(dataset.subsets[0], dataset, read_cards(dataset, policy, None), {}, policy)
        assert found.expression is None or not check_expression(found.expression)
        if not found.statements:
            assert VERDICTS[verdict(found.reasons)] == "refuse"
        for reason in found.reasons:
            assert reason.sentence("en")
            assert reason.sentence("fr")


def test_a_text_that_two_subsets_have_is_taken_once(tmp_path):
    shared = [story(n) for n in range(6)]
    write(tmp_path / "d" / "a", [*shared, shared[0]], "license: cc0-1.0\nlanguage: fr")
    write(tmp_path / "d" / "b", [*shared, story(50)], "license: cc0-1.0\nlanguage: fr")
    made = review(tmp_path / "d", tmp_path / "out", Asked(sample=None), taken=tmp_path / "taken")
    assert subset(made, "a")["duplicates"]["exact_inside"] == 1
    assert subset(made, "b")["duplicates"]["near_elsewhere"] == 6
    assert [one["documents"] for one in made["taken"]] == [6, 1]


def test_the_bounds_on_the_page_are_those_of_the_table():
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text("utf-8")
    table = page.split("|---|---|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    told = [[cell.strip() for cell in row.strip("|").split("|")][2:] for row in table]
    assert told == [
        [
            "–" if least is None else "any" if least == 0 else f"{least:g}"
            for least in (b.duty, b.review, b.refuse)
        ]
        for b in bounds().values()
    ]
