"""The authority file: it completes what sources leave open, and overrules nothing."""

from __future__ import annotations

import contextlib
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.errors import DeclarationError
from hemicycle.rights.authority import Authority, load_authority, normal_name
from hemicycle.rights.layers import term_of

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
HEAD = "name,birth,death,flags,ids,source,checked_on\n"
FOREST = '"Forest, Aline",1801,1880,,viaf:11 bnf:cb12345678z,register of L.,2026-11-22\n'
MARIN = '"Marin, Luc de",1870,1916,mort-pour-la-france,wikidata:Q42,https://a.example/marin,2026-11-22\n'
TWO_DUPONTS = '"Dupont, Jean",1800,1850,,viaf:1,x,2026-11-22\n"Dupont, Jean",1900,1980,,viaf:2,x,2026-11-22\n'


def authority(folder: Path, *lines: str, head: str = HEAD) -> Authority:
    (folder / "authors.csv").write_text(head + "".join(lines), "utf-8")
    return load_authority(folder / "authors.csv")


def refusal(folder: Path, *lines: str, head: str = HEAD) -> DeclarationError:
    with pytest.raises(DeclarationError) as error:
        authority(folder, *lines, head=head)
    return error.value


# Completing


def test_an_author_without_years_is_completed_by_id_and_the_text_is_free(tmp_path):
    known = authority(tmp_path, FOREST, MARIN)
    found = known.complete(Author("A. F.", flags=("viaf:11",)))
    assert found == Author("A. F.", "author", 1801, 1880, ("viaf:11", "bnf:cb12345678z"))
    assert term_of((found,), "FR", date(2026, 11, 22)).verdict == "allow"


@pytest.mark.parametrize(
    "name", ["Aline Forest", "Forest, Aline", "FOREST, ALINE", "forest,  Aline [dite A.]"]
)
def test_an_author_is_found_by_name_in_either_order(tmp_path, name):
    assert authority(tmp_path, FOREST).complete(Author(name, "translator")).death == 1880


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Balzac, Honoré de", "Honoré de Balzac"),
        ("de Balzac, Honoré", "Honoré de Balzac"),
        ("Agoult, Marie d’", "Marie d'Agoult"),
        ("Saint-Exupéry, Antoine de", "ANTOINE DE SAINT-EXUPERY"),
        ("Dumas, Alexandre, fils", "Alexandre Dumas (fils)"),
        ("Lœwe, Ève", "Eve Loewe"),
    ],
)
def test_names_that_are_one(one, other):
    assert normal_name(one) == normal_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Jean Paul", "Paul Jean"), ("Dumas, Alexandre", "Dumas, Alexandre, fils"), ("Luc Marin", "Luce Marin")],
)
def test_names_that_are_two(one, other):
    assert normal_name(one) != normal_name(other)


def test_a_name_that_two_people_have_finds_neither(tmp_path):
    known = authority(tmp_path, TWO_DUPONTS)
    assert known.complete(Author("Jean Dupont")) == Author("Jean Dupont")
    assert known.complete(Author("Jean Dupont", flags=("VIAF: 2",))).death == 1980


def test_a_person_with_another_id_of_the_scheme_is_another_person(tmp_path):
    author = Author("Aline Forest", flags=("viaf:99",))
    assert authority(tmp_path, FOREST).complete(author) == author
    assert authority(tmp_path, FOREST).complete(Author("Aline Forest", flags=("gnd:99",))).death == 1880


def test_a_flag_that_lengthens_the_term_is_added_once(tmp_path):
    known = authority(tmp_path, MARIN)
    assert known.complete(Author("Luc de Marin", "author", 1870, 1916, ("mplf",))).flags == (
        "mplf",
        "wikidata:Q42",
    )
    found = known.complete(Author("", "author", 1870, 1916, ("Q42",)))
    assert found.flags == ("Q42", "mort-pour-la-france")


def test_nobody_and_strangers_stay_as_they_are(tmp_path):
    known = authority(tmp_path, FOREST)
    for author in (Author(""), Author("Luc Marin", flags=("viaf:5",)), Author("...")):
        assert known.complete(author) == author


# Contradictions


@pytest.mark.parametrize(
    "author",
    [
        Author("Forest, Aline", death=1879),
        Author("Forest, Aline", birth=1802),
        Author("Forest, Aline", birth=1802, death=1880),
        Author("X", death=1879, flags=("viaf:11",)),
    ],
)
def test_a_contradiction_makes_the_death_unknown_and_holds_the_document(tmp_path, author):
    found = authority(tmp_path, FOREST).complete(author)
    assert (found.birth, found.death) == (author.birth, None)
    assert found.flags[-1] == "contradictory-dates"
    verdict = term_of((found,), "FR", date(2026, 11, 22))
    assert (verdict.verdict, verdict.explanation) == ("review", "flagged-author")


def test_ids_of_two_people_on_one_author_are_a_contradiction(tmp_path):
    found = authority(tmp_path, FOREST, MARIN).complete(Author("Forest", flags=("viaf:11", "wikidata:Q42")))
    assert (found.death, found.flags[-1]) == (None, "contradictory-dates")


def test_a_birth_after_the_death_of_the_file_is_a_contradiction(tmp_path):
    line = "Aline Forest,,1880,,,x,2026-11-22\n"
    assert authority(tmp_path, line).complete(Author("Aline Forest", birth=1900)).death is None


def test_a_line_without_a_death_frees_nobody(tmp_path):
    line = "Aline Forest,1801,,,,x,2026-11-22\n"
    found = authority(tmp_path, line).complete(Author("Aline Forest"))
    assert term_of((found,), "FR", date(2026, 11, 22)).verdict == "review"


YEARS = st.none() | st.integers(1780, 1960)
AUTHORS = st.builds(
    Author,
    st.sampled_from(["Forest, Aline", "Aline Forest", "Marin, Luc de", "Jean Dupont", "", "Zoé"]),
    st.sampled_from(["author", "translator"]),
    YEARS,
    YEARS,
    st.lists(st.sampled_from(["viaf:11", "viaf:1", "viaf:2", "wikidata:Q42", "Q42", "mplf"])).map(tuple),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AUTHORS)
def test_completing_never_turns_a_stated_death_into_another_and_twice_is_once(tmp_path_factory, author):
    known = authority(tmp_path_factory.mktemp("a"), FOREST, MARIN, TWO_DUPONTS)
    found = known.complete(author)
    if author.death is not None:
        assert found.death in (author.death, None)
        assert (found.death is None) == ("contradictory-dates" in found.flags)
    if author.birth is not None:
        assert found.birth == author.birth
    assert found.flags[: len(author.flags)] == author.flags
    assert (found.name, found.role, found.published) == (author.name, author.role, author.published)
    assert known.complete(found) == found


# The file


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Aline Forest,1801,1880,,,,2026-11-22\n", "has no source"),
        ("Aline Forest,1801,1880,,, ,2026-11-22\n", "has no source"),
        (",1801,1880,,,x,2026-11-22\n", "names nobody"),
        ("Anonyme,1801,1880,,,x,2026-11-22\n", "names nobody"),
        ("Aline Forest,1801,1880?,,,x,2026-11-22\n", "death “1880?” is not a year"),
        ("Aline Forest,vers 1801,,,,x,2026-11-22\n", "is not a year"),
        ("Aline Forest,1880,1801,,,x,2026-11-22\n", "nobody lived from 1880 to 1801"),
        ("Aline Forest,1801,1980,,,x,2026-11-22\n", "nobody lived"),
        ("Aline Forest,1801,1880,mort-pour-la-françe,,x,2026-11-22\n", "no rule knows the flag"),
        ("Aline Forest,1801,1880,,viaf:,x,2026-11-22\n", "is not an authority id"),
        ("Aline Forest,1801,1880,,,x,22/11/2026\n", "is not a day"),
        ("Forest, Aline,1801,1880,,,x,2026-11-22\n", "8 cells under 7 columns"),
        ("Aline Forest,1801,1880,,viaf:11,x,2026-11-22\n", "stands on line 2 too"),
        ('"Aline\n', "is not CSV"),
        ("Aline\0,1801,1880,,,x,2026-11-22\n", "NUL"),
    ],
)
def test_a_line_that_cannot_be_relied_on_is_refused_with_its_line(tmp_path, line, what):
    error = refusal(tmp_path, FOREST, line)
    assert what in error.what
    assert error.place == f"{tmp_path / 'authors.csv'}, line 3"


@pytest.mark.parametrize(
    ("head", "what"),
    [
        ("", "no line of column names"),
        (HEAD.replace("source,", ""), "“source” is missing"),
        (HEAD.replace("death", "deaht"), "no column “deaht”"),
        (HEAD.replace("ids", "ids,published"), "no column “published”"),
        (HEAD.replace("ids", "ids,ids"), "stands twice"),
    ],
)
def test_the_columns_are_these(tmp_path, head, what):
    assert what in refusal(tmp_path, head=head).what


def test_comments_and_empty_lines_are_passed_over_and_lines_still_counted(tmp_path):
    error = refusal(
        tmp_path, '# note\n\n"Forest,\nAline",1801,1880,,,x,2026-11-22\n', "A B,,x,,,x,2026-11-22\n"
    )
    assert error.place.endswith("line 6")


def test_wrong_files_are_refused(tmp_path):
    with pytest.raises(DeclarationError, match="cannot be read"):
        load_authority(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(HEAD.encode() + "Zoé,1,2,,,x,2026-11-22".encode("latin-1"))
    with pytest.raises(DeclarationError, match=r"line 2: byte 47 is not UTF-8"):
        load_authority(tmp_path / "a.csv")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_a_file_or_a_sentence(tmp_path_factory, data, headed):
    path = tmp_path_factory.mktemp("a") / "a.csv"
    path.write_bytes((HEAD.encode() if headed else b"") + data)
    with contextlib.suppress(DeclarationError):
        load_authority(path).complete(Author("x"))
