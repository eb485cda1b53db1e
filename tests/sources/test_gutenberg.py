"""Project Gutenberg: the frame comes off exactly, and nobody unknown becomes free."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card, CardRights
from hemicycle.rights.cases import Case
from hemicycle.rights.finding import find
from hemicycle.rights.layers import relevant, term_of
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import default_policy
from hemicycle.sources.gutenberg import read, unframed

from .damage import spoilt
from .made_tar import tar

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="gutenberg", path=".")
NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:pgterms="http://www.gutenberg.org/2009/pgterms/" '
    'xmlns:marcrel="http://id.loc.gov/vocabulary/relators/"'
)
START = "*** START OF THE PROJECT GUTENBERG EBOOK LE MOULIN BLEU ***"
END = "*** END OF THE PROJECT GUTENBERG EBOOK LE MOULIN BLEU ***"
HEADER = "The Project Gutenberg eBook of Le moulin bleu\n\nTitle: Le moulin bleu\n\nAuthor: Aline Forest\n\n"
TEXT = "LE MOULIN BLEU\n\n\nI\n\nIl pleuvait sur l'étang.\n  Personne ne vint."
BOOK = f"{HEADER}{START}\n\n\n{TEXT}\n\n\n{END}\n\nThe licence follows.\n*** START: FULL LICENSE ***\n"


def agent(name, birth="", death="", number=1):
    years = f"<pgterms:birthdate>{birth}</pgterms:birthdate>" if birth else ""
    years += f"<pgterms:deathdate>{death}</pgterms:deathdate>" if death else ""
    inner = f"<pgterms:name>{name}</pgterms:name>{years}"
    return f'<pgterms:agent rdf:about="2009/agents/{number}">{inner}</pgterms:agent>'


def record(number=7, people="", rights="Public domain in the USA.", language="fr") -> str:
    people = people or f"<dcterms:creator>{agent('Forest, Aline', 1801, 1880)}</dcterms:creator>"
    return (
        f'<rdf:RDF {NAMESPACES}><pgterms:ebook rdf:about="ebooks/{number}">{people}'
        f"<dcterms:issued>2004-02-01</dcterms:issued><dcterms:rights>{rights}</dcterms:rights>"
        f"<dcterms:language><rdf:Description><rdf:value>{language}</rdf:value></rdf:Description>"
        f"</dcterms:language><dcterms:title>Le moulin bleu</dcterms:title></pgterms:ebook></rdf:RDF>"
    )


def document(folder: Path, book: str | bytes = BOOK, rdf: str | None = None, name="pg7.txt") -> Document:
    (folder / name).write_bytes(book if isinstance(book, bytes) else book.encode())
    if rdf is not None:
        (folder / "pg7.rdf").write_text(rdf, "utf-8")
    (found,) = read(folder, CARD)
    return found


def refusal(folder: Path, book: str | bytes, rdf: str | None = None, name="pg7.txt") -> InputError:
    with pytest.raises(InputError) as error:
        document(folder, book, rdf, name)
    return error.value


def verdict(found: Document) -> str:
    return term_of(found.authors, "FR", date(2026, 11, 22)).verdict


# The frame


def test_a_book_is_what_stands_between_the_marks(tmp_path):
    found = document(tmp_path, BOOK, record())
    assert found.text == TEXT
    assert found.title == "Le moulin bleu"
    assert found.authors == (Author("Forest, Aline", "author", 1801, 1880),)
    assert (found.language, found.date, found.id) == ("fr", None, "gutenberg:7")
    assert found.group == "author:Forest, Aline"
    assert verdict(found) == "allow"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "***START OF THE PROJECT GUTENBERG EBOOK LE MOULIN BLEU***",
            "***END OF THE PROJECT GUTENBERG EBOOK X***",
        ),
        (
            "*** START OF THIS PROJECT GUTENBERG EBOOK LE\nMOULIN BLEU ***",
            "*** END OF THIS PROJECT GUTENBERG EBOOK A\nB ***",
        ),
        (
            "*** START OF THE PROJECT GUTENBERG ETEXT LE MOULIN ***",
            "*** END OF THE PROJECT GUTENBERG ETEXT X ***",
        ),
        (
            "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
            "End of the Project Gutenberg Etext of Le moulin bleu",
        ),
        (START, f"End of Project Gutenberg's Le moulin bleu, by Aline Forest\n\n{END}"),
        (f"{START}\n\nProduced by A. B. and the\nDistributed Team at http://a.example\n\n", END),
        (START, f"Fin de Project Gutenberg's Le moulin bleu\n\n{END}"),
    ],
)
def test_the_marks_have_these_variants(before, after):
    assert unframed(f"{HEADER}{before}\n\n{TEXT}\n\n{after}\n\nLicence.", "a")[1] == TEXT


def test_a_text_that_begins_like_a_credit_is_not_cut():
    text = "Produits de la ferme.\n\nThis was no file."
    assert unframed(f"{START}\n{text}\n{END}", "a")[1] == text


@pytest.mark.parametrize(
    ("book", "what"),
    [
        (TEXT, "are missing"),
        (f"{HEADER}{START}\n{TEXT}", "do not stand once each"),
        (f"{HEADER}{TEXT}\n{END}", "do not stand once each"),
        (f"{END}\n{TEXT}\n{START}", "do not stand once each"),
        (f"{START}\n{TEXT}\n{END}\n{START}\n{TEXT}\n{END}", "(2)"),
        ("", "are missing"),
    ],
)
def test_a_book_whose_frame_is_not_whole_is_refused(tmp_path, book, what):
    assert what in refusal(tmp_path, book).what


def test_a_text_freed_of_its_frame_is_taken_where_the_catalogue_knows_it(tmp_path):
    assert document(tmp_path, TEXT, record()).text == TEXT
    assert "are missing" in refusal(tmp_path, TEXT + "\nProject Gutenberg License", record()).what


# Who made it


def test_without_a_record_a_book_has_no_authors_and_is_not_free(tmp_path):
    found = document(tmp_path)
    assert (found.authors, found.licences, found.title) == ((), (), "Le moulin bleu")
    assert verdict(found) == "review"


def test_translators_and_others_keep_their_roles_and_years(tmp_path):
    people = (
        f"<marcrel:trl>{agent('Marin, Luc', 1850, 1930, 2)}</marcrel:trl>"
        f"<dcterms:creator>{agent('Forest, Aline', 1801, 1880)}</dcterms:creator>"
        f"<marcrel:aui>{agent('Aube, Jean', 1870, '', 3)}</marcrel:aui>"
        '<marcrel:ill rdf:resource="2009/agents/2"/><marcrel:xyz rdf:resource="2009/agents/9"/>'
        f"<marcrel:pbl>{agent('Dupont frères', number=4)}</marcrel:pbl>"
    )
    found = document(tmp_path, BOOK, record(people=people))
    assert found.authors == (
        Author("Forest, Aline", "author", 1801, 1880),
        Author("Marin, Luc", "translator", 1850, 1930),
        Author("Aube, Jean", "preface", 1870),
        Author("Marin, Luc", "illustrator", 1850, 1930),
        Author("", "xyz"),
    )
    assert verdict(found) == "review"


@pytest.mark.parametrize(
    "words", ["TRADUIT DE L'ANGLAIS PAR L. MARIN", "Traduction nouvelle", "translated by X"]
)
def test_a_translation_that_the_record_does_not_know_of_is_held(tmp_path, words):
    found = document(tmp_path, BOOK.replace("\n\n\nI\n", f"\n\n{words}\n\nI\n"), record())
    assert found.authors[-1] == Author("", "translator")
    assert verdict(found) == "review"


def test_a_name_that_only_the_header_gives_is_held(tmp_path):
    found = document(
        tmp_path, BOOK.replace("Aline Forest", "Aline Forest\n\nTranslator: Luc Marin"), record()
    )
    assert found.authors[-1] == Author("Luc Marin", "translator")
    assert verdict(found) == "review"


def test_years_that_the_record_gives_twice_are_none(tmp_path):
    twice = agent("Forest, Aline", 1801, 1880).replace(
        "<pgterms:deathdate>", "<pgterms:deathdate>1960</pgterms:deathdate><pgterms:deathdate>"
    )
    found = document(tmp_path, BOOK, record(people=f"<dcterms:creator>{twice}</dcterms:creator>"))
    assert found.authors == (Author("Forest, Aline", "author", 1801, None, ("contradictory-dates",)),)
    assert verdict(found) == "review"


@pytest.mark.parametrize("name", ["Anonymous", "Unknown", "Various"])
def test_nobody_is_not_free(tmp_path, name):
    found = document(tmp_path, BOOK, record(people=f"<dcterms:creator>{agent(name)}</dcterms:creator>"))
    assert verdict(found) == "review"


# What is stated


@pytest.mark.parametrize("rights", ["Public domain in the USA.", "None", ""])
def test_a_statement_about_one_country_is_no_licence(tmp_path, rights):
    assert document(tmp_path, BOOK, record(rights=rights)).licences == ()


def test_a_book_in_copyright_says_so(tmp_path):
    words = "Copyrighted. Read the copyright notice inside this book for details."
    assert document(tmp_path, BOOK, record(rights=words)).licences == (
        StatedLicence("file", "LicenseRef-all-rights-reserved", f"pg7.rdf: dcterms:rights “{words}”"),
    )
    (stated,) = document(
        tmp_path, BOOK.replace("\nTitle", "\nThis is a COPYRIGHTED eBook.\n\nTitle"), record()
    ).licences
    assert stated.expression == "LicenseRef-all-rights-reserved"


@pytest.mark.parametrize(
    ("rdf", "train"),
    [
        (record(), "allow"),
        (None, "deny"),
        (record(people=f"<dcterms:creator>{agent('Forest, Aline', 1801)}</dcterms:creator>"), "deny"),
        (record(people=f"<dcterms:creator>{agent('Forest, Aline', 1901, 1960)}</dcterms:creator>"), "deny"),
        (record(people=f"<dcterms:creator>{agent('Anonymous')}</dcterms:creator>"), "deny"),
        (record(rights="Copyrighted. Read the copyright notice inside this book for details."), "deny"),
    ],
)
def test_a_signed_card_lets_through_what_is_free_by_its_term_and_nothing_else(tmp_path, rdf, train):
    found = document(tmp_path, BOOK, rdf)
    case = Case(tuple((x.stated_by, x.expression) for x in found.licences), relevant(found.authors))
    policy, term = default_policy(), term_of(found.authors, "FR", date(2026, 11, 22))
    findings = find(
        case, CardRights(attested_by="A. B."), policy, lambda e: judge_expression(e, policy), term
    )
    assert findings["train"].verdict == train


# Files


def test_records_are_read_in_place_from_archives_and_others_are_passed_over(tmp_path):
    members = [(f"cache/epub/{n}/pg{n}.rdf", b"<broken" if n == 8 else record(n).encode()) for n in (7, 8, 9)]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf-files.tar", tar(members))
    flat = io.BytesIO()
    with zipfile.ZipFile(flat, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    forms = {
        "rdf-files.tar.gz": gzip.compress(tar(members)),
        "a.tar.zip": buffer.getvalue(),
        "a.zip": flat.getvalue(),
    }
    for name, data in forms.items():
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_bytes(data)
        assert document(folder).authors == (Author("Forest, Aline", "author", 1801, 1880),), name


def test_two_records_that_disagree_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pg7.rdf").write_text(record(language="en"))
    assert refusal(tmp_path, BOOK, record()).what == "book 7 has another record in a/pg7.rdf"
    (tmp_path / "a" / "pg7.rdf").write_text(record())
    assert document(tmp_path, BOOK, record()).language == "fr"


def test_the_number_is_that_of_the_name_and_of_the_header(tmp_path):
    stated = BOOK.replace("Title:", "Release date: 1 May 2004 [eBook #8]\n\nTitle:")
    assert "says that it is book 8" in refusal(tmp_path, stated).what
    assert document(tmp_path, stated.replace("#8", "#7"), record()).authors
    (tmp_path / "pg7.txt").unlink()
    assert document(tmp_path, stated.replace("#8", "#7"), record(), name="moulin.txt").id == "gutenberg:7"
    assert "a second time" in refusal(tmp_path, BOOK, name="7-0.txt").what


def test_the_bytes_say_their_encoding_before_the_header_does(tmp_path):
    claimed = BOOK.replace("Title:", "Character set encoding: ISO-8859-1\n\nTitle:")
    assert document(tmp_path, claimed.encode("utf-8")).text == TEXT
    assert document(tmp_path, claimed.encode("latin-1")).text == TEXT
    assert document(tmp_path, claimed.replace("\n", "\r\n").encode("utf-8-sig")).text == TEXT
    assert refusal(tmp_path, BOOK.encode("latin-1")).place == "pg7.txt, line 15"
    assert "is not" in refusal(tmp_path, claimed.replace("étang", "œil").encode("cp1252")).what
    assert "UTF-8" in refusal(tmp_path, claimed.replace("ISO-8859-1", "Klingon").encode("latin-1")).what
    assert "NUL" in refusal(tmp_path, BOOK.encode("utf-16")).what


def test_other_files_are_refused(tmp_path):
    (tmp_path / "pg7.epub").write_bytes(b"x")
    assert "neither a book" in refusal(tmp_path, BOOK).what


@pytest.mark.parametrize(
    "rdf",
    [
        "",
        "<a/>",
        record()[:300],
        record().replace("ebooks/7", "ebooks/x"),
        '<!DOCTYPE a [<!ENTITY b "c">]>' + record(),
        "<a>" * 400 + "</a>" * 400,
    ],
)
def test_a_record_that_cannot_be_read_is_refused(tmp_path, rdf):
    assert refusal(tmp_path, BOOK, rdf).place.startswith("pg7.rdf")


def test_every_word_between_the_marks_is_kept_once(tmp_path):
    """Counted on lines, without the reader's own expressions."""
    words = [f"mot{n}" for n in range(500)]
    body = "\n".join(" ".join(words[n : n + 9]) for n in range(0, 500, 9))
    lines = f"{HEADER}{START}\n{body}\n{END}\n".split("\n")
    between = lines[lines.index(START) + 1 : lines.index(END)]
    found = document(tmp_path, "\n".join(lines), record())
    assert re.findall(r"\S+", found.text) == " ".join(between).split()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_damage_gives_a_document_or_a_refusal(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("pg")
    for name, text in (("pg7.txt", BOOK), ("pg7.rdf", record())):
        damaged = bytearray(text.encode())
        for _ in range(data.draw(st.integers(0, 4))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        (folder / name).write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        for found in read(folder, CARD):
            found.row("s")
    except InputError:
        pass


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_damage_to_book_or_catalogue_frees_a_protected_author(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("pg")
    late = record(people=f"<dcterms:creator>{agent('Forest, Aline', 1901, 1980)}</dcterms:creator>")
    (folder / "pg7.txt").write_bytes(spoilt(data, BOOK))
    (folder / "pg7.rdf").write_bytes(spoilt(data, late))
    with contextlib.suppress(InputError):
        assert "allow" not in map(verdict, read(folder, CARD))
