"""EPUB books: chapters in the order of reading, who made them, under what right, and hostile files."""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.rights.optout import combine
from hemicycle.sources.epub import read

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="epub", path=".", include=["**/*"])

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
SAID = (
    '<dc:title>Le puits</dc:title><dc:language>fr</dc:language><dc:creator id="a">Forest, Aline (1801-1880)'
    '</dc:creator><dc:contributor id="t">Marin, Luc</dc:contributor>'
    '<meta refines="#t" property="role" scheme="marc:relators">trl</meta><dc:date>2031-05-04</dc:date>'
)
PAGES = {
    "nav.xhtml": "<nav><ol><li>Un</li></ol></nav>",
    "text/two.xhtml": '<h1 id="c2">Deux</h1><p>La suite\N{NO-BREAK SPACE}!</p>',
    "text/one.xhtml": "<h1>Un</h1><p>Le début.</p>",
}


def package(said: str = SAID, spine: tuple[str, ...] = ("one", "two"), version: str = "3.0") -> str:
    return (
        f'<package xmlns="http://www.idpf.org/2007/opf" version="{version}" unique-identifier="i">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">'
        f'{said}</metadata><manifest><item id="nav" href="nav.xhtml" properties="nav" '
        'media-type="application/xhtml+xml"/><item id="two" href="text/two.xhtml" '
        'media-type="application/xhtml+xml"/><item id="one" href="text/one.xhtml" '
        'media-type="application/xhtml+xml"/><item id="css" href="a.css" media-type="text/css"/></manifest>'
        f"<spine><itemref idref='nav'/>{''.join(f'<itemref idref={name!r}/>' for name in spine)}</spine>"
        "</package>"
    )


def book(opf: str | None = None, **members: str | bytes) -> bytes:
    """A book in bytes; `members` by name replace those of a whole one."""
    held: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": opf or package(),
    }
    for name, body in PAGES.items():
        held[f"OEBPS/{name}"] = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
    held |= members
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in held.items():
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_one(folder: Path, data: bytes) -> Document:
    (folder / "a.epub").write_bytes(data)
    (document,) = read(folder, CARD)
    document.row("s")
    return document


def test_a_book_is_its_chapters_in_the_order_of_reading(tmp_path: Path) -> None:
    found = read_one(tmp_path, book())
    assert found.text == "Un\n\nLe début.\n\nDeux\n\nLa suite\N{NO-BREAK SPACE}!"
    chapters = [p for p in found.parts if p.kind == "chapter"]
    assert [(p.anchor, p.title, found.text[p.start : p.end][:6]) for p in chapters] == [
        ("text/one.xhtml", "Un", "Un\n\nLe"),
        ("text/two.xhtml", "Deux", "Deux\n\n"),
    ]
    inner = [p for p in found.parts if p.kind != "chapter"]
    assert [(p.anchor, found.text[p.start : p.end]) for p in inner][2] == ("text/two.xhtml#c2", "Deux")


def test_a_book_says_who_made_it_and_when(tmp_path: Path) -> None:
    found = read_one(tmp_path, book())
    assert [(a.name, a.role, a.birth, a.death) for a in found.authors] == [
        ("Forest, Aline", "author", 1801, 1880),
        ("Marin, Luc", "translator", None, None),
    ]
    assert (found.title, found.language, found.date) == ("Le puits", "fr", "2031-05-04")
    assert (found.licences, found.reservations) == ((), ())


def test_the_attributes_of_epub_2_say_the_same(tmp_path: Path) -> None:
    said = (
        '<dc:title>x</dc:title><dc:creator opf:role="aut">A</dc:creator>'
        '<dc:creator opf:role="ill">B</dc:creator>'
        '<dc:contributor opf:role="bkp">logiciel</dc:contributor><dc:contributor>C</dc:contributor>'
        '<dc:date opf:event="modification">2032-01-01</dc:date>'
        '<dc:date opf:event="publication">1931</dc:date>'
    )
    found = read_one(tmp_path, book(package(said, version="2.0")))
    assert [(a.name, a.role) for a in found.authors] == [
        ("A", "author"),
        ("B", "illustrator"),
        ("logiciel", "encoder"),
        ("C", "contributor"),
    ]
    assert found.date == "1931"


def test_rights_are_stated_as_they_stand_and_a_reservation_binds(tmp_path: Path) -> None:
    said = (
        SAID + "<dc:rights>Tous droits réservés</dc:rights>"
        '<link rel="cc:license" href="https://creativecommons.org/licenses/by-sa/4.0/"/>'
        '<meta property="dcterms:rights">© 2031 Éditions du Puits</meta>'
        '<meta property="tdm:reservation">1</meta>'
    )
    found = read_one(tmp_path, book(package(said)))
    assert [s.expression for s in found.licences] == [
        "Tous droits réservés",
        "CC-BY-SA-4.0",
        "© 2031 Éditions du Puits",
    ]
    assert found.licences[0] == StatedLicence(
        "file", "Tous droits réservés", "a.epub, package: Tous droits réservés"
    )
    assert combine(found.reservations) == "reserved"


def test_what_is_not_in_the_order_of_reading_is_left_out(tmp_path: Path) -> None:
    assert read_one(tmp_path, book(package(spine=("two",)))).text.startswith("Deux")


def _encryption(name: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
        'xmlns="http://www.w3.org/2001/04/xmlenc#"><CipherData>'
        f'<CipherReference URI="{name}"/></CipherData></EncryptedData></encryption>'
    )


def test_a_locked_page_is_refused_and_a_disguised_font_is_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of the 2 pages are encrypted"):
        read_one(tmp_path, book(**{"META-INF/encryption.xml": _encryption("OEBPS/text/one.xhtml")}))
    read_one(tmp_path, book(**{"META-INF/encryption.xml": _encryption("OEBPS/font.otf")}))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"x", "damaged"),
        (book()[:-80], "damaged"),
        (book(**{"META-INF/container.xml": "<a/>"}), "does not hold it"),
        (book(package().replace("text/one", "../../../etc/one")), "does not hold it"),
        (
            book(package().replace("text/one.xhtml", "../../one.xhtml"), **{"../one.xhtml": "<p>x</p>"}),
            "climbs out",
        ),
        (book(**{"OEBPS/text/one.xhtml": b"<p>" + b" " * 5_000_000 + b"</p>"}), "200 times"),
        (book(**{"OEBPS/text/one.xhtml": b"<p>\xe9</p>"}), "not utf-8"),
        (book(**{"OEBPS/text/one.xhtml": b"<p>a\0b</p>"}), "NUL"),
        (book(**{"OEBPS/text/one.xhtml": b"<div>" * 1000}), "deep"),
        (book(package(spine=())), "names no page"),
        (book('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "entities"),
    ],
)
def test_what_is_damaged_or_hostile_is_refused_with_its_place(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=rf"^a\.epub.*{message}"):
        read_one(tmp_path, data)


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    data = book(**{"OEBPS/text/oneB.xhtml": "<p>x</p>"}).replace(b"oneB.xhtml", b"one.xhtml\0")
    with pytest.raises(InputError, match="two members of this name"):
        read_one(tmp_path, data)


def test_the_pages_of_a_book_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hemicycle.sources.epub.TEXT_LIMIT", 150)
    with pytest.raises(InputError, match="come to more than"):
        read_one(tmp_path, book())


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"a\.txt: this is not an EPUB"):
        list(read(tmp_path, CARD))


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1200), st.text(max_size=8)), max_size=5), st.booleans())
def test_altered_books_give_a_document_or_an_error(
    tmp_path: Path, changes: list[tuple[int, str]], inside: bool
) -> None:
    opf = package()
    for at, new in changes:
        opf = opf[:at] + new + opf[at + len(new) :]
    data = book(opf.encode("utf-8", "replace").decode()) if inside else book()
    if not inside:
        for at, new in changes:
            data = data[:at] + new.encode("utf-8", "replace") + data[at + len(new) :]
    with contextlib.suppress(HemicycleError):
        read_one(tmp_path, data)
