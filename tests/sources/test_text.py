"""Plain text and Markdown: what is read, and what is refused where."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import text
from hemicycle.sources.text import bcp47, front_matter, iso_date, read_utf8

CARD = Card(title="T", reader="text", path="t", include=["**/*"])
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_one_file_is_one_document_in_the_order_of_paths(tmp_path: Path) -> None:
    write(tmp_path, "b.txt", "Été.\n".encode())
    write(tmp_path, "a/z.md", b"Rien.\n")
    found = list(text.read(tmp_path, CARD))
    assert [(d.origin, d.text) for d in found] == [("a/z.md", "Rien.\n"), ("b.txt", "Été.\n")]


def test_byte_order_mark_and_windows_line_ends_are_not_text(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", b"\xef\xbb\xbfun\r\ndeux\rtrois\n")
    assert read_utf8(path, "a.txt") == "un\ndeux\ntrois\n"


def test_latin_1_is_refused_with_byte_and_line(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", b"ligne\n\xe9t\xe9\n")
    with pytest.raises(InputError) as caught:
        list(text.read(tmp_path, CARD))
    assert str(caught.value).startswith("a.txt, line 2: byte 6 (0xe9) is not UTF-8\n")


@pytest.mark.parametrize("before", [text.PIECE_BYTES - 2, text.PIECE_BYTES - 1, text.PIECE_BYTES])
def test_offset_is_right_where_a_character_is_cut_between_pieces(tmp_path: Path, before: int) -> None:
    good = b"a" * (before - 1) + b"\n" + "é".encode()
    path = write(tmp_path, "good.txt", good)
    assert read_utf8(path, "good.txt") == good.decode()
    path = write(tmp_path, "bad.txt", good + b"\xff")
    with pytest.raises(InputError, match=rf"^bad.txt, line 2: byte {len(good)} \(0xff\)"):
        read_utf8(path, "bad.txt")


def test_a_character_cut_at_the_end_of_the_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", b"abc\xc3")
    with pytest.raises(InputError, match=r"byte 3 \(0xc3\) is not UTF-8"):
        read_utf8(path, "a.txt")


def test_utf_16_and_nul_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="byte 4 is NUL"):
        read_utf8(write(tmp_path, "n.txt", b"a\nbc\0"), "n.txt")
    with pytest.raises(InputError, match="NUL"):
        read_utf8(write(tmp_path, "u.txt", "Été".encode("utf-16-le")), "u.txt")


def test_a_file_above_the_bound_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(64 * 2**30)
        file.seek(0)
        file.write(b"a" * (3 * 2**20))
    tracemalloc.start()
    with pytest.raises(InputError, match="larger than 2 MiB"):
        read_utf8(path, "huge.txt", max_bytes=2 * 2**20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_a_single_line_of_40_mb_is_one_document(tmp_path: Path) -> None:
    write(tmp_path, "long.txt", "é".encode() * 20_000_000)
    (document,) = text.read(tmp_path, CARD)
    assert len(document.text) == 20_000_000


def test_another_kind_of_file_is_refused_not_skipped(tmp_path: Path) -> None:
    write(tmp_path, "loi.pdf", b"%PDF")
    with pytest.raises(InputError, match=r"loi\.pdf: this is not a text file"):
        list(text.read(tmp_path, CARD))


def test_markdown_header_gives_title_date_authors_and_licence(tmp_path: Path) -> None:
    header = """---
title: "Le Titre : un essai"
date: 1931-03
auteurs:
  - Jeanne Untel
  - 'Paul Ailleurs'
language: fr-CH
license: CC-BY-NC-4.0 # non commercial
---

# Chapitre

Texte.
"""
    write(tmp_path, "a.md", header.encode())
    (document,) = text.read(tmp_path, CARD)
    assert document.title == "Le Titre : un essai"
    assert document.date == "1931-03"
    assert document.authors == (Author("Jeanne Untel"), Author("Paul Ailleurs"))
    assert document.language == "fr-CH"
    assert document.licences == (StatedLicence("file", "CC-BY-NC-4.0", "a.md, line 8"),)
    assert document.text == "# Chapitre\n\nTexte.\n"


def test_without_a_header_the_first_heading_is_the_title(tmp_path: Path) -> None:
    write(tmp_path, "a.md", b"# Discours de mai #\n\nMesdames.\n")
    write(tmp_path, "b.txt", b"# Ceci n'est pas un titre\n")
    a, b = text.read(tmp_path, CARD)
    assert (a.title, b.title) == ("Discours de mai", None)
    assert a.text == "# Discours de mai #\n\nMesdames.\n"


@pytest.mark.parametrize(
    "prose",
    [
        "---\nUne phrase sans deux-points.\n---\nSuite.\n",
        "---\ntitle: jamais fermé\n",
        "---\n",
        "----\ntitle: x\n---\n",
        " ---\ntitle: x\n---\n",
    ],
)
def test_a_rule_at_the_top_is_not_a_header(prose: str) -> None:
    assert front_matter(prose) is None


def test_a_value_set_in_below_its_key_is_its_value_and_nested_tables_are_not() -> None:
    header = front_matter("---\nlicense:\n  cc-by-nc-4.0\nextra:\n  license: mit\n  - x: y\n---\n")
    assert header is not None
    assert header.all("license") == ("cc-by-nc-4.0",)
    assert header.unread_licence == 5


LONG = "".join(f"cle{n}: x\n" for n in range(300))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("---\nUne phrase.\nlicense: CC-BY-NC-4.0\n---\n", 3),
        ("---\ntitle: x\nlicense:CC-BY-NC-4.0\n---\n", 3),
        ("---\ntitle: jamais fermé\nLicence : tous droits réservés\n", 3),
        ("---  \n{license: CC-BY-NC-4.0}\n---\n", 2),
        (f"---\n{LONG}license: CC-BY-NC-4.0\n---\n", 302),
        ("---\nextra:\n  license: CC-BY-NC-4.0\n---\n", 3),
        ("---\nextra:\n  - licences: CC-BY-NC-4.0\n---\n", 3),
        ("---\nextra:\n  'license' : CC-BY-NC-4.0\n---\n", 3),
        ("---\nextra: {a: b, license: CC-BY-NC-4.0}\n---\n", 2),
        ("---\nlicense:\n  name: CC-BY-NC-4.0\n---\n", 3),
        ("---\nlicense:\n- name: CC-BY-NC-4.0\n---\n", 3),
        ("---\nlicense: >\n  CC0-1.0\n  for the code only\n---\n", 4),
        ("---\nlicense: [CC0-1.0,\n  CC-BY-NC-4.0]\n---\n", 3),
    ],
)
def test_a_licence_in_a_header_that_cannot_be_read_is_refused_never_passed_over(
    tmp_path: Path, header: str, line: int
) -> None:
    write(tmp_path, "a.md", f"{header}\nTexte.\n".encode())
    with pytest.raises(InputError, match=rf"^a\.md, line {line}: the header seems to state a licence"):
        list(text.read(tmp_path, CARD))


@pytest.mark.parametrize(
    ("header", "stated"),
    [
        ("---\nlicences: [CC-BY-4.0, CC-BY-NC-4.0]\n---\n", ["CC-BY-4.0", "CC-BY-NC-4.0"]),
        ("---\t\nLicense:\n  # chosen in May\n  MIT\n\n---\n", ["MIT"]),
        ('---\nlicense: "CC0-1.0" for code, CC-BY-NC-4.0\n---\n', ['"CC0-1.0" for code, CC-BY-NC-4.0']),
        ("---\ntitle: Licence, mode d’emploi\nlicense: ~\n# license: MIT\n---\nlicense: MIT\n", []),
        ("---\nUne phrase.\n---\nlicense: MIT\n", []),
        ("\n---\nlicense: MIT\n---\n", []),
    ],
)
def test_what_a_header_states_of_the_licence_is_taken_whole(
    tmp_path: Path, header: str, stated: list[str]
) -> None:
    write(tmp_path, "a.md", header.encode())
    (document,) = text.read(tmp_path, CARD)
    assert [s.expression for s in document.licences] == stated


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("copyright: Tous droits réservés Untel\n", 2),
        ("title: x\nCopyright: © 2024 Jean Untel. All Rights Reserved.\n", 3),
        ("rights: all rights reserved\n", 2),
        ("rights: 'Reserved'\n", 2),
        ("droits: réservés\n", 2),
        ("droits: Tous droits de traduction, d’adaptation et de reproduction réservés\n", 2),
        ("copyright: tous droits re\u0301serve\u0301s\n", 2),
        ("copyright: 2020 Jean\n  Tous droits réservés.\n", 3),
        ("copyright:\n- 2020 Jean\n- Tout droit réservé\n", 4),
    ],
)
def test_all_rights_reserved_in_a_header_is_a_statement_of_the_file(
    tmp_path: Path, header: str, line: int
) -> None:
    write(tmp_path, "a.md", f"---\n{header}---\nUn texte.\n".encode())
    (document,) = text.read(tmp_path, CARD)
    assert document.licences == (
        StatedLicence("file", "LicenseRef-all-rights-reserved", f"a.md, line {line}"),
    )
    assert document.text == "Un texte.\n"


def test_a_reservation_stands_beside_the_licence_of_the_same_header(tmp_path: Path) -> None:
    write(tmp_path, "a.md", b"---\nlicense: CC-BY-4.0\nrights: All rights reserved\n---\nUn texte.\n")
    (document,) = text.read(tmp_path, CARD)
    assert [s.expression for s in document.licences] == ["CC-BY-4.0", "LicenseRef-all-rights-reserved"]


@pytest.mark.parametrize(
    "header",
    [
        "copyright: 2020 Jean",
        "rights: Some rights reserved",
        "rights: No rights reserved",
        "droits: certains droits réservés",
        "title: Tous droits réservés",
        "droits: Domaine public",
    ],
)
def test_what_reserves_nothing_states_nothing(tmp_path: Path, header: str) -> None:
    write(tmp_path, "a.md", f"---\n{header}\n---\nUn texte.\n".encode())
    (document,) = text.read(tmp_path, CARD)
    assert document.licences == ()


@pytest.mark.parametrize(
    ("header", "line"), [("extra:\n  rights: all rights reserved", 3), ("Une phrase.\ndroits: réservés", 3)]
)
def test_a_reservation_that_is_not_the_documents_is_never_passed_over(
    tmp_path: Path, header: str, line: int
) -> None:
    write(tmp_path, "a.md", f"---\n{header}\n---\nUn texte.\n".encode())
    with pytest.raises(InputError, match=rf"^a\.md, line {line}: the header seems to state a licence"):
        list(text.read(tmp_path, CARD))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1889", "1889"),
        ("1889-03", "1889-03"),
        ("1889-03-14", "1889-03-14"),
        ("2024-02-29T10:00:00Z", "2024-02-29"),
        ("2023-02-29", None),
        ("1889-13", None),
        ("14/03/1889", None),
        ("1889 environ", None),
        (1889, None),
        ("", None),
    ],
)
def test_only_iso_dates_are_dates(written: object, read: str | None) -> None:
    assert iso_date(written) == read


def test_language_tags() -> None:
    assert [bcp47(t) for t in ("fr", "fr_CH", "zh-Hant", "French", "", 3)] == [
        "fr",
        "fr-CH",
        "zh-Hant",
        None,
        None,
        None,
    ]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 7))
def test_any_bytes_are_read_exactly_or_refused_at_the_byte_python_names(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, piece: int
) -> None:
    path = write(tmp_path_factory.mktemp("any"), "a.txt", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "PIECE_BYTES", piece)
        try:
            expected = data.decode("utf-8")
            bad = None
        except UnicodeDecodeError as error:
            bad = error.start
        if bad is None and b"\0" not in data:
            plain = expected.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
            assert read_utf8(path, "a.txt") == plain
        else:
            with pytest.raises(InputError) as caught:
                read_utf8(path, "a.txt")
            if b"\0" not in data:
                assert f"byte {bad} " in caught.value.what


@settings(deadline=None)
@given(st.text(alphabet="-ab: #\n\"'[],|", max_size=80))
def test_a_header_takes_nothing_of_the_body_away(body: str) -> None:
    header = front_matter("---\ntitle: x\n---\n\n" + body)
    assert header is not None
    assert header.body == body.lstrip("\n")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
def test_articles_of_the_constitution_are_read_without_their_header() -> None:
    card = Card(title="C", reader="text", path="c", include=["article_*.md"])
    found = {d.origin: d for d in text.read(SAMPLES / "constitution", card)}
    article = found["article_11.md"]
    assert article.title == "Article 11"
    assert article.text.startswith("# Article 11\n\nLe Président de la République, sur proposition")
    assert "LEGIARTI" not in article.text[:500]
    assert len(found) == 6
