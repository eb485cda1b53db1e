"""ELTeC: header and table together, and where they disagree the safer of the two."""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.layers import term_of
from hemicycle.sources.eltec import read
from hemicycle.sources.tei import read as read_tei

from .damage import spoilt

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="eltec", path=".", include=["**/*.xml", "*_metadata.tsv"])
COLUMNS = "xmlid\tauthor-name\tauthor-birth\tauthor-death\tauthor-ids\tfirst-edition\n"


def novel(folder: Path, author: str, line: str | None, first="1853"):
    (folder / "level1").mkdir(exist_ok=True)
    edition = (
        f'<sourceDesc><bibl type="firstEdition"><date>{first}</date></bibl></sourceDesc>' if first else ""
    )
    (folder / "level1" / "FRA09901_Forest.xml").write_text(
        f'<TEI xml:id="FRA09901"><teiHeader><fileDesc><titleStmt><title>Le moulin</title>{author}</titleStmt>'
        '<publicationStmt><availability><licence target="https://creativecommons.org/licenses/by/4.0/"/>'
        f"</availability></publicationStmt>{edition}</fileDesc></teiHeader>"
        "<text><body><p>Il pleuvait.</p></body></text></TEI>",
        "utf-8",
    )
    if line is not None:
        (folder / "X_metadata.tsv").write_text(COLUMNS + line, "utf-8")
    (found,) = read(folder, CARD)
    return found


def line(birth="1801", death="1880", ids="viaf:11 wikidata:missing", first="1853"):
    return f"FRA09901\tForest, Aline\t{birth}\t{death}\t{ids}\t{first}\n"


@pytest.mark.parametrize(
    ("header", "row", "author"),
    [
        ("(1801-1880)", line(), Author("Forest, Aline", "author", 1801, 1880, ("viaf:11",), 1853)),
        ("", line(), Author("Forest, Aline", "author", 1801, 1880, ("viaf:11",), 1853)),
        (
            "(1801-1880)",
            line(death="1960"),
            Author("Forest, Aline", "author", 1801, 1960, ("viaf:11",), 1853),
        ),
        ("(1801-1960)", line(), Author("Forest, Aline", "author", None, None, (), None)),
        ("(1801-1880)", line("1805"), Author("Forest, Aline", "author", None, 1880, ("viaf:11",), 1853)),
        ("(NA)", line("NA", "NA"), Author("Forest, Aline", "author", None, None, ("viaf:11",), 1853)),
        ("(1801-1880)", line(first="1851-1854"), Author("Forest, Aline", "author", 1801, 1880, ("viaf:11",))),
        (
            "(1801-1880)",
            line(first="1851-1853"),
            Author("Forest, Aline", "author", 1801, 1880, ("viaf:11",), 1853),
        ),
        ("(1801-1880)", line("", "", "", ""), Author("Forest, Aline", "author", 1801, 1880, (), 1853)),
    ],
)
def test_what_header_and_table_say_together(tmp_path, header, row, author):
    (found,) = novel(tmp_path, f"<author>Forest, Aline {header}</author>", row).authors
    if header == "(1801-1960)":
        assert found.death == 1960, "the later of the two"
    else:
        assert found == author


@pytest.mark.parametrize(
    ("header", "row"),
    [("(1801-1880)", line(death="NA")), ("(1801-1880)", line(death="1880?")), ("(1801-?)", line())],
)
def test_a_year_against_an_unknown_one_holds_the_novel(tmp_path, header, row):
    found = novel(tmp_path, f"<author>Forest, Aline {header}</author>", row)
    assert (found.authors[0].death, found.authors[0].flags[0]) == (None, "contradictory-dates")
    assert term_of(found.authors, "FR", date(2026, 11, 22)).verdict == "review"


def test_the_evidence_says_how_they_disagree(tmp_path):
    found = novel(tmp_path, "<author>Forest, Aline (1801-1880)</author>", line(death="1890"))
    assert found.licences[0].evidence.endswith(
        "; X_metadata.tsv, line 2: death 1880 in the header, 1890 here"
    )
    found = novel(tmp_path, "<author>Forest, Aline (1801-1880)</author>", line())
    assert "header" not in found.licences[0].evidence


def test_ids_of_the_header_stand(tmp_path):
    author = '<author ref="viaf:5">Forest, Aline (1801-1880)</author>'
    found = novel(tmp_path, author, line(ids="viaf:11 wikidata:Q3"))
    assert found.authors[0].flags == ("viaf:5", "wikidata:Q3")


def test_of_two_authors_none_is_completed(tmp_path):
    found = novel(tmp_path, "<author>Forest, Aline</author><author>Marin, Luc</author>", line())
    assert [(a.name, a.death) for a in found.authors] == [("Forest, Aline", None), ("Marin, Luc", None)]


def test_without_a_table_or_a_line_the_header_stands_alone(tmp_path):
    author = "<author>Forest, Aline (1801-1880)</author>"
    alone = novel(tmp_path, author, None)
    assert alone == novel(tmp_path, author, line().replace("FRA09901", "FRA00001"))
    assert alone.authors == (Author("Forest, Aline", "author", 1801, 1880, (), 1853),)


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("", "no column “xmlid”"),
        ("xmlid\tauthor-birth\n", "no column “author-death”"),
        (COLUMNS + "FRA09901\t1801\n", "2 cells under 6 columns"),
        (COLUMNS + line() + line(death="1881"), "has another line"),
        (COLUMNS + line("x" * 200_000), "cannot be read"),
        ("a\0b", "NUL"),
        ("é".encode("latin-1"), "UTF-8"),
    ],
)
def test_a_table_that_cannot_be_relied_on_is_refused(tmp_path, table, what):
    (tmp_path / "X_metadata.tsv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(InputError) as error:
        novel(tmp_path, "<author>Forest, Aline</author>", None)
    assert what in error.value.what
    assert error.value.place.startswith("X_metadata.tsv")


YEARS = st.sampled_from(["", "NA", "1801", "1880", "1960", "1880?", "tbc"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(YEARS, YEARS, YEARS, YEARS)
def test_no_death_is_earlier_than_any_that_is_stated(
    tmp_path_factory, birth, death, table_birth, table_death
):
    header = f"({birth}-{death})"
    found = novel(
        tmp_path_factory.mktemp("e"),
        f"<author>Forest, Aline {header}</author>",
        line(table_birth, table_death),
    )
    stated = [int(y) for y in (death, table_death) if y.isdigit()]
    if found.authors[0].death is not None:
        assert found.authors[0].death == max(stated)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_damage_to_the_table_frees_an_author_whom_it_alone_dates(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("e")
    (folder / "X_metadata.tsv").write_bytes(spoilt(data, COLUMNS + line("1901", "1980", first="1953")))
    try:
        found = novel(folder, "<author>Forest, Aline</author>", None)
    except InputError:
        return
    assert term_of(found.authors, "FR", date(2026, 11, 22)).verdict != "allow"


def test_the_real_collection_reads_as_its_headers_and_its_table_do(samples):
    """Counted with the csv module alone."""
    folder = samples / "literature"
    card = Card(title="t", reader="eltec", path=".", include=["*.xml", "*_metadata.tsv"])
    with (folder / "ELTeC-fra_metadata.tsv").open(encoding="utf-8") as file:
        rows = {row["filename"]: row for row in csv.DictReader(file, delimiter="\t")}
    found = list(read(folder, card))
    assert [d.text for d in found] == [
        d.text for d in read_tei(folder, Card(title="t", reader="tei", path=".", include=["*.xml"]))
    ]
    assert len(found) == 20
    for document in found:
        row = rows[Path(document.origin).stem]
        (author,) = document.authors
        assert [str(author.birth), str(author.death)] == [row["author-birth"], row["author-death"]]
    assert rows["FRA07301_Valgand"]["author-death"] == "NA"
