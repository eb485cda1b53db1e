"""PDF files: words by page, what their metadata say of rights, and files that are none or hostile."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.rights.optout import combine, pdf_metadata
from hemicycle.sources import pdf_text as child
from hemicycle.sources.pdf import fold, read, written
from hemicycle.sources.xmp import MOST_PACKETS, packets

from .made_pdf import made_pdf

pytest.importorskip("pypdfium2")

CARD = Card(title="t", reader="pdf", path=".", include=["**/*"])
#: A child process a file: a tenth of the usual number of examples.
FUZZ = max(10, int(os.environ.get("HEMICYCLE_FUZZ", "200")) // 10)


def xmp(inside: str, attributes: str = "") -> bytes:
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tdm="http://www.w3.org/ns/tdmrep#" '
        'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" '
        f"{attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def read_one(folder: Path, data: bytes, name: str = "a.pdf") -> Document:
    (folder / name).write_bytes(data)
    (document,) = read(folder, CARD)
    document.row("s")
    return document


def test_a_pdf_is_a_document_with_a_part_a_page(tmp_path: Path) -> None:
    data = made_pdf(
        ["La séance est ouverte.", "« Oui ! » dit-il."],
        ["Deuxième page."],
        title="Un rapport",
        language="fr-CH",
    )
    found = read_one(tmp_path, data)
    assert found.text == "La séance est ouverte.\n« Oui ! » dit-il.\n\nDeuxième page."
    assert [(p.kind, p.anchor, found.text[p.start : p.end][-5:]) for p in found.parts] == [
        ("page", "page=1", "t-il."),
        ("page", "page=2", "page."),
    ]
    assert (found.title, found.language, found.origin) == ("Un rapport", "fr-CH", "a.pdf")
    assert (found.licences, found.reservations, found.authors) == ((), (), ())


def test_a_sentence_broken_by_the_margin_and_by_a_hyphen_is_one_again(tmp_path: Path) -> None:
    found = read_one(tmp_path, made_pdf(["Le conseil a décidé de repor-", "ter la vente du", "beffroi."]))
    assert found.text == "Le conseil a décidé de reporter la vente du beffroi."


def test_a_hyphen_stays_where_the_file_writes_the_word_with_it_or_a_pronoun_follows() -> None:
    text, _ = written(["L’arc-en\ufffeciel et l’arc-en-ciel. Peut\ufffeil venir ? Le porte\ufffemanteau."])
    assert text == "L’arc-en-ciel et l’arc-en-ciel. Peut-il venir ? Le portemanteau."


def test_running_heads_and_page_numbers_go_and_are_counted(tmp_path: Path) -> None:
    said = ["La vente du beffroi est reportée.", "Personne ne s’oppose au devis.", "Un banc sera repeint.",
            "Le maire remercie les voisins.", "On se quitte tard."]  # fmt: skip
    pages = [[f"CONSEIL DU BEFFROI {n}", line, f"– {n} –"] for n, line in enumerate(said, 11)]
    found = read_one(tmp_path, made_pdf(*pages))
    assert "CONSEIL" not in found.text
    assert found.text.startswith("La vente du beffroi est reportée.")
    assert found.counts == (("running_heads", 10),)


def test_a_page_that_is_one_endless_word_takes_no_time_to_speak_of() -> None:
    begin = time.process_time()
    text, _ = written(["a" * 3_000_000 + " " + "a-" * 500_000])
    assert len(text) == 4_000_001
    assert time.process_time() - begin < 10


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["Article 1er", "Le maire signe."], "Article 1er\nLe maire signe."),
        (["a" * 70, "Fin."], "a" * 70 + " Fin."),
        (["a" * 70, "- un point"], "a" * 70 + "\n- un point"),
        (["Vers un,", "Vers deux."], "Vers un,\nVers deux."),
        (["un", "", "", "deux"], "un\n\ndeux"),
    ],
)
def test_lines_are_folded_only_where_a_sentence_goes_on(lines: list[str], text: str) -> None:
    assert fold("\n".join(lines)) == text


@pytest.mark.parametrize("packed", [False, True])
def test_metadata_give_authors_day_licence_and_reservation(tmp_path: Path, packed: bool) -> None:
    said = xmp(
        "<dc:format>application/pdf</dc:format>"
        "<dc:creator><rdf:Seq><rdf:li>Marin, Luc (1870-1916)</rdf:li></rdf:Seq></dc:creator>"
        "<dc:date><rdf:Seq><rdf:li>2031-04-02T10:00:00Z</rdf:li></rdf:Seq></dc:date>"
        '<dc:rights><rdf:Alt><rdf:li xml:lang="fr">Tous droits réservés</rdf:li></rdf:Alt></dc:rights>',
        'tdm:reservation="1" xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/"',
    )
    found = read_one(tmp_path, made_pdf(["Un texte."], xmp=said, packed=packed))
    assert [(a.name, a.birth, a.death) for a in found.authors] == [("Marin, Luc", 1870, 1916)]
    assert found.date == "2031-04-02"
    assert found.licences == (
        StatedLicence("file", "CC-BY-4.0", "a.pdf, XMP: https://creativecommons.org/licenses/by/4.0/"),
        StatedLicence("file", "Tous droits réservés", "a.pdf, XMP: Tous droits réservés"),
    )
    assert combine(found.reservations) == "reserved"
    assert found.reservations[0].place == "a.pdf, XMP"


@pytest.mark.parametrize(
    "broken",
    [
        made_pdf(["x"], xmp=xmp("<dc:open>")),
        made_pdf(["x"], xmp=xmp(""), packed=True).replace(b"/FlateDecode", b"/LZWDecode  "),
        made_pdf(["x"], xmp=xmp(""), packed=True).replace(b"x\x9c", b"zz"),
        made_pdf(["x"], xmp=b"<a/>" * 2),
        b"%PDF " + b"<x:xmpmeta" * 3,
        b"%PDF " + b"/Subtype /XML " * (MOST_PACKETS + 1),
    ],
)
def test_metadata_that_cannot_be_read_are_unread_and_not_absent(broken: bytes) -> None:
    assert not packets(broken).whole
    assert "tdm:reservation" in pdf_metadata(broken)


def test_metadata_of_a_picture_bind_and_do_not_name_the_file() -> None:
    picture = xmp(
        "<dc:creator><rdf:Seq><rdf:li>Photographe</rdf:li></rdf:Seq></dc:creator>"
        "<dc:rights>Moi seul</dc:rights>"
    )
    own = xmp("<dc:format>application/pdf</dc:format><dc:title>Le rapport</dc:title>")
    found = packets(own + picture)
    assert found.own().get("title") == ["Le rapport"]
    assert "creator" not in found.own()
    assert found.rights() == ["Moi seul"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (made_pdf(["x y z"], locked=True), "encrypted"),
        (made_pdf([], [], pictures=frozenset({0, 1})), "2 of 2 pages hold no words: this is a scan"),
        (made_pdf(["Tampon de la bibliothèque"], [], [], pictures=frozenset({0, 1, 2})), "2 of 3 pages"),
        (made_pdf([]), "1 of 1 pages hold no words"),
        (b"", "no PDF"),
        (b"%PDF-1.7\n", "no PDF"),
        ("Bonjour".encode("utf-16"), "no PDF"),
    ],
)
def test_what_is_no_readable_text_is_refused_with_its_place(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=rf"^a\.pdf: .*{message}"):
        read_one(tmp_path, data)


def test_a_scan_is_sent_to_the_reader_of_scans(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_one(tmp_path, made_pdf([], pictures=frozenset({0})))
    assert 'reader = "scans"' in str(caught.value.remedy)


def test_plates_between_pages_of_words_do_not_make_a_scan(tmp_path: Path) -> None:
    found = read_one(tmp_path, made_pdf(["Un texte."], [], ["La suite."], pictures=frozenset({1})))
    assert [p.anchor for p in found.parts] == ["page=1", "page=3"]


def test_a_file_that_takes_too_long_or_is_killed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "SECONDS", 0.001)
    with pytest.raises(InputError, match="could not be read within"):
        read_one(tmp_path, made_pdf(["x y"]))


def test_a_file_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.txt: this is not a PDF"):
        read_one(tmp_path, b"x", "a.txt")


def test_without_its_library_the_reader_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden/pypdfium2"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "in").mkdir()
    with pytest.raises(DeclarationError, match=r"hemicycle\[documents\]"):
        read_one(tmp_path / "in", made_pdf(["x y"]))


WHOLE = made_pdf(["La séance est ouverte."], xmp=xmp("<dc:title>x</dc:title>"), packed=True)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=6)), max_size=6),
    st.integers(0, len(WHOLE)),
)
def test_altered_files_give_a_document_or_an_error(
    tmp_path: Path, changes: list[tuple[int, bytes]], cut: int
) -> None:
    data = WHOLE
    for at, new in changes:
        data = data[:at] + new + data[at + len(new) :]
    with contextlib.suppress(HemicycleError):
        read_one(tmp_path, data[:cut] if cut % 2 else data)


PIECES = st.sampled_from(
    [b"<x:xmpmeta", b"</x:xmpmeta>", b"/Subtype /XML", b"/Filter /FlateDecode", b" obj ", b">> stream\n",
     b"endstream", b"<a>", b"x\x9c", b"[", b"]"]
)  # fmt: skip


@settings(max_examples=FUZZ * 10, deadline=None)
@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_any_bytes_give_metadata_or_say_that_they_could_not_be_read(data: bytes) -> None:
    assert isinstance(pdf_metadata(data), dict)
