"""A work somebody asks about: a text, a book or a PDF, or a refusal that says what to give instead."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hemicycle.errors import DeclarationError, InputError
from hemicycle.sources import text as text_source
from hemicycle.sources.works import read_work

from .made_pdf import made_pdf
from .test_epub import _encryption, book


def write(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_a_text_is_read_without_its_byte_order_mark_and_told_by_its_bytes(tmp_path: Path) -> None:
    data = "\ufeffLe puits\r\nest à sec.".encode()
    work = read_work(write(tmp_path, "puits.txt", data))
    assert (work.name, work.kind, work.text) == ("puits.txt", "text", "Le puits\nest à sec.")
    assert work.sha256 == hashlib.sha256(data).hexdigest()


def test_a_book_is_read_in_its_order_and_has_its_title(tmp_path: Path) -> None:
    work = read_work(write(tmp_path, "puits.EPUB", book()))
    assert (work.kind, work.title) == ("epub", "Le puits")
    assert work.text.startswith("Un\n\nLe début.\n\nDeux")


def test_a_word_that_a_pdf_divides_at_a_line_end_is_one_word(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    lines = ["Le texte que le gouver-", "nement a déposé hier"]
    work = read_work(write(tmp_path, "texte.pdf", made_pdf(lines)))
    assert (work.kind, work.text) == ("pdf", "Le texte que le gouvernement a déposé hier")


@pytest.mark.parametrize(
    ("name", "data", "said", "remedy"),
    [
        ("a.txt", "Été".encode("latin-1"), "is not UTF-8", "iconv"),
        ("a.txt", "Été".encode("utf-16"), "UTF-16|is not UTF-8", "iconv -f UTF-16 -t UTF-8"),
        ("a.txt", "Été".encode("utf-16-le"), "UTF-16|is not UTF-8", "iconv -f UTF-16LE -t UTF-8"),
        ("a.txt", "Été là".encode("utf-16-be"), "NUL", "iconv -f UTF-16BE -t UTF-8"),
        ("a.txt", "Été".encode("utf-32"), "UTF-32|NUL|is not UTF-8", "iconv -f UTF-32 -t UTF-8"),
        ("a.docx", b"PK\x03\x04\x14\x00\x06\x00" + 90 * b"abc", r"from \.docx files", r"\.txt file .*plain"),
        ("a.html", "<html><p>Été</p></html>".encode("latin-1"), "is not utf-8", "encoding that it states"),
        ("a.html", b"<html><p>Le puits", "never closes", "whole page"),
        ("a.epub", b"PK", "damaged", "without a lock"),
        (
            "a.epub",
            book(**{"META-INF/encryption.xml": _encryption("OEBPS/text/one.xhtml")}),
            "encrypted",
            "lock",
        ),
        (
            "a.epub",
            book(**{"OEBPS/text/one.xhtml": b"<p>" + b" " * 5_000_000 + b"</p>"}),
            "200 times",
            "lock",
        ),
        ("a.pdf", made_pdf([], pictures=frozenset({0})), "scan without its text", "text layer"),
        ("a.pdf", made_pdf(["x y z"], locked=True), "encrypted", "without a password"),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_remedy_is_not_a_card(
    tmp_path: Path, name: str, data: bytes, said: str, remedy: str
) -> None:
    if name.endswith(".pdf"):
        pytest.importorskip("pypdfium2")
    with pytest.raises(InputError, match=said) as caught:
        read_work(write(tmp_path, name, data))
    assert str(caught.value.place).startswith(str(tmp_path / name))
    assert caught.value.remedy is not None
    assert re.search(remedy, caught.value.remedy)
    assert "card" not in caught.value.remedy


@pytest.mark.parametrize("text", ["", " \n\n", "… — !"])
def test_a_file_without_a_word_is_a_wrong_call(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeclarationError, match="the file holds no word"):
        read_work(write(tmp_path, "vide.txt", text.encode()))


def test_of_a_page_what_its_reader_reads_is_the_text(tmp_path: Path) -> None:
    page = "<html><nav>Menu</nav><p>L&rsquo;&eacute;t&eacute;, la&nbsp;s&#233;ance<p>est ouverte.</html>"
    work = read_work(write(tmp_path, "été.HTM", page.encode()))
    assert (work.kind, work.text) == ("html", "L’été, la\u00a0séance\n\nest ouverte.")


CODED = {
    "a.rtf": rb"{\rtf1\ansi La s\'e9ance est ouverte\par}",
    "a.tex": b"% TeX\n\n  \\documentclass{book}\nLa s\\'eance",
    "a.fb2": "<FictionBook><p>La séance</p></FictionBook>".encode(),
    "a.odt": b"PK\x03\x04",
    "a.ps": b"%!PS-Adobe\n(La s\\351ance) show",
    "a.xml": b"<TEI/>",
    "a.doc": b"\xd0\xcf\x11\xe0",
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("suffix", ["", ".txt", None])
def test_codes_are_not_taken_for_words_whatever_the_file_is_called(
    tmp_path: Path, name: str, suffix: str | None
) -> None:
    other = name if suffix is None else f"œuvre{suffix}"
    with pytest.raises(InputError, match=r"codes in |is not UTF-8|is NUL") as caught:
        read_work(write(tmp_path, other, b"\xef\xbb\xbf" * (suffix == ".txt") + CODED[name]))
    assert caught.value.remedy is not None
    assert ".epub" in caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.4 foo bar endobj",
        b"PK\x03\x04mot",
        b"\n <!DOCTYPE html><p>La s&eacute;ance",
        b"<?xml version='1.0'?><p>La</p>",
        b"<html><p>La",
        b"<!doctype html>La",
        b"% a\n \n% b\n\\documentstyle{book}",
    ],
)
def test_a_text_that_begins_as_another_kind_does_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="begins as one of another kind"):
        read_work(write(tmp_path, "a.txt", data))


@pytest.mark.parametrize("name", ["puits.md", "puits.Markdown"])
@pytest.mark.parametrize(
    "text",
    [
        "---\ntitle: Le puits\nauthor: Ada Martin\nlicense: CC0-1.0\n---\n\n# Un\n\nAu fond du puits.\n",
        "---\n\nUn trait, puis le texte.\n",
        "# Le puits\n\n---\nfin: non\n---\n",
    ],
)
def test_a_markdown_work_is_what_its_source_makes_of_it(tmp_path: Path, name: str, text: str) -> None:
    path = write(tmp_path, name, text.encode())
    card = SimpleNamespace(include=("**/*",), exclude=())
    (document,) = text_source.read(tmp_path, card)  # type: ignore[arg-type]
    work = read_work(path)
    assert work.text == document.text
    assert "Ada Martin" not in work.text
    assert work.title in (None, "Le puits")


def test_a_markdown_work_whose_header_states_a_licence_strangely_is_read(tmp_path: Path) -> None:
    text = "---\ntitle: Le puits\nmeta:\n  license: CC0-1.0\n---\nAu fond.\n"
    work = read_work(write(tmp_path, "puits.md", text.encode()))
    assert (work.title, work.text) == ("Le puits", "Au fond.\n")


@pytest.mark.parametrize(
    "text",
    [
        "<p class='a'>La s&eacute;ance</p>",
        "</div>La",
        "Un mot <br/> un autre",
        "<lg><l>Un vers</l></lg>",
        "<p>" + 60 * "mot " + "</p>\n" + "<p>" + 30 * "mot " + "</p>",
    ],
)
def test_a_text_with_tags_among_its_words_is_refused_unless_it_is_markdown(tmp_path: Path, text: str) -> None:
    for name in ("a.txt", "a", "a.v2"):
        with pytest.raises(InputError, match="tags among the words"):
            read_work(write(tmp_path, name, text.encode()))
    assert read_work(write(tmp_path, "a.md", text.encode())).text == text


def test_a_tag_here_and_there_makes_no_page_of_a_text(tmp_path: Path) -> None:
    text = 200 * "mot " + "<i>le vase</i>" + 200 * " mot"
    assert read_work(write(tmp_path, "a.txt", text.encode())).text == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chat.txt", "<jean> bonjour\n<anne> bonjour jean"),
        ("piece.txt", "<Entre HAMLET>\nÊtre ou ne pas être."),
        ("lien.txt", "<https://example.org/a/>\nUne page. <ada@example.org>"),
        ("README.md", '<p align="center">\n  Projet\n</p>'),
        ("notes.markdown", "<!-- toc -->\n# Notes"),
        ("pg1342.txt.utf-8", "It is a truth"),
        ("pg1342.txt.utf8", "It is a truth"),
        ("pg1342.UTF_8", "It is a truth"),
        ("M. Dupont", "Un discours"),
        ("memoire v1.2", "Un mémoire"),
        ("journal.1789", "Un jour"),
        ("example.org", "Une page"),
    ],
)
def test_a_text_is_not_refused_for_its_name_or_one_sign(tmp_path: Path, name: str, text: str) -> None:
    work = read_work(write(tmp_path, name, text.encode()))
    assert (work.kind, work.text) == ("text", text)


def test_the_encoding_in_a_name_hides_no_other_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"from \.tex files"):
        read_work(write(tmp_path, "a.tex.utf-8", b"La"))
    with pytest.raises(InputError, match="NUL"):
        read_work(write(tmp_path, "a.bin", b"La\0"))
    header = b"---\ntitle: Le puits\n---\nAu fond."
    assert read_work(write(tmp_path, "a.md.utf-8", header)).text == "Au fond."


@pytest.mark.parametrize(
    "data",
    [
        2**16 * b"\n",
        20_000 * b"%\n",
        b"%" + 2**16 * b"\n",
        2**15 * b"<a",
        2**14 * b"<a =",
        b"<a " + 900 * b"= ",
    ],
    ids=["lines", "comments", "a comment", "open", "attributes", "equals"],
)
def test_no_beginning_takes_long_to_be_judged(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, "a.txt", data + b"> mot")
    began = time.process_time()
    assert read_work(path).text.endswith("mot")
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "data", [b"<< Qui vive ? >>", b"< 3 mots", b"1 < 2", b"{ Note } 100 % PS", b"PKP, roman"]
)
def test_a_sign_at_the_beginning_is_no_markup(tmp_path: Path, data: bytes) -> None:
    assert read_work(write(tmp_path, "a.txt", data)).text == data.decode()


def test_a_page_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="begins as one of another kind"):
        read_work(write(tmp_path, "a.html", CODED["a.rtf"]))


def test_what_can_be_read_only_once_is_no_work(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(DeclarationError, match="no ordinary file") as caught:
        read_work(tmp_path / "a.txt")
    assert "Save the work" in str(caught.value.remedy)


def test_the_bytes_that_are_signed_for_are_those_that_were_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "a.txt", b"un mot")

    def read(path: Path, place: str) -> str:
        path.write_bytes(b"un autre")
        return "un autre"

    monkeypatch.setattr("hemicycle.sources.text.read_utf8", read)
    with pytest.raises(InputError, match="changed while it was read"):
        read_work(path)


def test_a_name_that_is_no_text_is_spelled_out(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9t\xe9.txt"))
    path.write_bytes(b"un mot")
    assert read_work(path).name == r"\udce9t\udce9.txt"
