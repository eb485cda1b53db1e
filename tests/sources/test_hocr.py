"""hOCR pages as one text, whoever wrote them; what is cut short or no hOCR is refused."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.hocr import read

from .damage import spoilt

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="hocr", path=".")


def line(text: str, x: int, y: int) -> str:
    words = " ".join(
        f"<span class='ocrx_word' title='x_wconf {80 + 10 * (n % 2)}'>{word}</span>"
        for n, word in enumerate(text.split())
    )
    return f"<span class='ocr_line' title='bbox {x} {y} {x + 400} {y + 30}; baseline 0 0'>{words}</span>"


def paragraph(x: int, y: int, *lines: str) -> str:
    inner = "".join(line(text, x, y + 40 * n) for n, text in enumerate(lines))
    return f"<p class='ocr_par' lang='fra' title='bbox {x} {y} {x + 400} {y + 40 * len(lines)}'>{inner}</p>"


def hocr(*pages: str) -> str:
    inner = "".join(
        f"<div class='ocr_page' title='image \"x\"; bbox 0 0 900 900'>{page}</div>" for page in pages
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional'
        '//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd"><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title/></head><body>{inner}</body></html>"
    )


def documents(folder: Path, files: dict[str, str | bytes]) -> list[Document]:
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(folder, CARD))


def test_two_columns_on_two_pages_of_one_file(tmp_path):
    first = paragraph(500, 0, "M. Dupré pose des ques-") + paragraph(0, 0, "La séance est ou-", "verte.")
    (found,) = documents(tmp_path, {"1889.hocr": hocr(first, paragraph(0, 0, "tions à tous."))})
    assert found.text == "La séance est ouverte.\n\nM. Dupré pose des questions à tous."
    assert [p.anchor for p in found.parts] == ["1889", "1889", "1889#2"]
    assert found.date == "1889"
    assert found.confidence == pytest.approx((80 * 8 + 90 * 5) / 1300, abs=0.02)


def test_a_producer_that_closes_little_and_knows_no_words_is_read(tmp_path):
    page = (
        "<html><body><div class='ocr_page extra'><div class=ocr_carea title='bbox 0 0 9 9'>"
        "<span class=ocr_line>L'eau&nbsp;: <b>vive</b></span><br><span class=ocr_line>coule.</span>"
        "</div></div></body></html>"
    )
    (found,) = documents(tmp_path, {"a.html": page})
    assert (found.text, found.confidence) == ("L'eau\u00a0: vive coule.", None)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (hocr(paragraph(0, 0, "a b"))[:-8], "cut short"),
        ("<html><body><p>mots</p></body></html>", "this is no hOCR"),
        (hocr("<span class='ocrx_word'>perdu</span>"), "outside of the lines"),
        (hocr(""), "no page holds a word"),
        (hocr(paragraph(0, 0, "é")).encode("latin-1"), "not UTF-8"),
        (hocr(paragraph(0, 0, "a")) + "\0", "NUL"),
        ("<html>" + "<div>" * 300 + "</html>", "deep"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, content, what):
    with pytest.raises(InputError) as error:
        documents(tmp_path, {"a.hocr": content})
    assert what in error.value.what


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_a_damaged_page_is_read_or_refused_and_nothing_else(tmp_path_factory, data):
    page = hocr(paragraph(0, 0, "les ques-", "tions") + paragraph(500, 0, "peut-", "être"), "")
    with contextlib.suppress(HemicycleError):
        for found in documents(tmp_path_factory.mktemp("hocr"), {"a.hocr": spoilt(data, page)}):
            found.row("s")
