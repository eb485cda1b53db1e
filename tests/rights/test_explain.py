"""`hemicycle rights explain` of a document, for the project's day or another, and how its id is found."""

import json
import shutil

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.errors import DeclarationError

PROJECT = """[project]
name = "romans"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.romans]
sources = ["romans"]
"""
CARD = """title = "Romans"
path = "files"
{reader}

[rights]
licence = "CC-BY-4.0"
covers = "edition"
attested_by = "Claire"
evidence = ["read at its place"]
"""
LINES = [
    {"key": "free", "body": "Un soir.", "author": {"name": "A", "death": 1945}},
    {"key": "free-too", "body": "Un matin.", "author": {"name": "A", "birth": 1880, "death": 1945}},
    {"key": "cut", "body": "Un midi.", "author": {"name": "B", "death": 195}},
    {"key": "negative", "body": "Une nuit.", "author": {"name": "C", "death": -5}},
    {"key": "two-digits", "body": "Un jour.", "author": {"name": "D", "death": 54}},
]


def project(folder, reader):
    (folder / "sources").mkdir(parents=True)
    (folder / "files").mkdir()
    (folder / "hemicycle.toml").write_text(PROJECT, "utf-8")
    (folder / "sources" / "romans.toml").write_text(CARD.format(reader=reader), "utf-8")
    return folder


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    reader = 'reader = "jsonl"\ntext_field = "body"\nid_field = "key"'
    folder = project(tmp_path_factory.mktemp("records") / "p", reader)
    lines = "".join(json.dumps(line) + "\n" for line in LINES)
    (folder / "files" / "romans.jsonl").write_text(lines, "utf-8")
    run("clear", folder)
    return folder


def run(verb, folder, *words):
    done = CliRunner().invoke(cli, [*verb.split(), *words, "--project", str(folder)], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def verdicts(folder, document, *words):
    told = json.loads(run("rights explain", folder, document, *words, "--json"))
    return {row["jurisdiction"]: row["verdict"] for row in told["verdicts"] if "train" in row["uses"]}


def test_a_document_is_judged_anew_for_another_day_and_other_countries(records):
    """Dead in 1945: free in France in 2016, in Canada in 1996."""
    assert verdicts(records, "free") == {"FR": "allow"}
    assert verdicts(records, "free", "--in", "ca,FR") == {"FR": "allow", "CA": "allow"}
    assert verdicts(records, "free", "--on", "2015-12-31") == {"FR": "deny"}
    assert verdicts(records, "free", "--on", "2015-06-01", "--in", "FR,CA") == {"FR": "deny", "CA": "allow"}
    assert verdicts(records, "free", "--on", "2016-01-01") == {"FR": "allow"}
    said = run("rights explain", records, "free", "--on", "2015-06-01")
    assert "1 January 2016" in said
    assert "The term of protection still runs." in said


def test_judging_anew_writes_nothing(records):
    def files():
        return {path: path.stat().st_mtime_ns for path in records.rglob("*") if path.is_file()}

    before = files()
    verdicts(records, "free", "--on", "2015-06-01", "--in", "FR,CA")
    assert files() == before


def test_a_document_can_be_judged_anew_before_its_rights_are_those_of_today(records, tmp_path):
    """A changed policy or card leaves the computed rights behind, not the documents."""
    copy = shutil.copytree(records, tmp_path / "p")
    card = copy / "sources" / "romans.toml"
    card.write_text(card.read_text("utf-8").replace("CC-BY-4.0", "CC-BY-NC-4.0"), "utf-8")
    with pytest.raises(DeclarationError, match="whose rights are computed"):
        verdicts(copy, "free")
    assert verdicts(copy, "free", "--on", "2026-01-01") == {"FR": "deny"}


@pytest.mark.parametrize("words", [["--in", "XX"], ["--in", ""]])
def test_a_country_that_is_not_known_is_refused(records, words):
    with pytest.raises(DeclarationError):
        verdicts(records, "free", *words)


def test_a_year_that_lost_digits_admits_no_document(records):
    for document in ("cut", "negative", "two-digits"):
        assert verdicts(records, document) == {"FR": "review"}


def test_every_document_can_be_listed_with_its_id_and_why_it_is_refused(records):
    source = json.loads(run("clear", records, "--documents", "--json"))["sources"][0]
    assert [(d["id"], d["admitted"], d["verdict"], d["reason"]) for d in source["listed"]] == [
        ("cut", False, "review", "implausible-dates"),
        ("free", True, "allow", "licence-and-term"),
        ("free-too", True, "allow", "licence-and-term"),
        ("negative", False, "review", "implausible-dates"),
        ("two-digits", False, "review", "implausible-dates"),
    ]
    said = run("clear", records, "--documents")
    assert "two-digits no review implausible-dates" in " ".join(said.split())
    assert "two-digits" not in run("clear", records)
    for document in source["listed"]:
        verdicts(records, document["id"])


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("DIGITS", "Did you mean “two-digits”?"),
        ("romans:cut", "Did you mean “cut”?"),
        ("free-", "Did you mean “free-too”?"),
        ("fre", "Did you mean “free” or “free-too”?"),
        ("nothing like it", "`hemicycle clear --documents` lists the ids of documents."),
    ],
)
def test_an_id_that_is_not_there_comes_with_the_nearest(records, written, remedy):
    with pytest.raises(DeclarationError) as error:
        verdicts(records, written)
    assert error.value.remedy == remedy


def test_the_novel_of_an_author_dead_in_1945_is_denied_for_france_in_2015(samples, tmp_path):
    """The document itself, as its edition gives the dates, and both countries today."""
    folder = project(tmp_path / "p", 'reader = "tei"\ninclude = ["*.xml"]')
    shutil.copy(samples / "literature" / "FRA01002_DelarueMardrus.xml", folder / "files")
    run("clear", folder)
    novel = "romans:FRA01002_DelarueMardrus.xml"
    both = ["--in", "FR,CA"]
    assert verdicts(folder, novel, "--on", "2015-06-01", *both) == {"FR": "deny", "CA": "allow"}
    assert verdicts(folder, novel, "--on", "2026-11-26", *both) == {"FR": "allow", "CA": "allow"}
    assert verdicts(folder, novel, *both) == {"FR": "allow", "CA": "allow"}
    with pytest.raises(DeclarationError) as error:
        verdicts(folder, "FRA01002")
    assert error.value.remedy == f"Did you mean “{novel}”?"
