"""A work somebody asks about: a text, a book or a PDF, or a refusal that says what to give instead."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from hemicycle.errors import DeclarationError, InputError
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
        ("a.docx", b"PK\x03\x04\x14\x00\x06\x00" + 90 * b"abc", "NUL", r"^[^`]*\.epub or \.pdf"),
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
