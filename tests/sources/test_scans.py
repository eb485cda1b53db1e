"""Scans through Tesseract, where it is there; without it, and for what is no image, a sentence says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import scans
from hemicycle.sources.read import read_source

CARD = Card(title="t", reader="scans", path=".", language="fr")
#: Without accents, which the type of the drawing library need not have.
LEFT = [
    "Le Roi ouvre la session",
    "devant la Chambre. Le pro-",
    "jet est lu par le mi-",
    "nistre de la guerre.",
]
RIGHT = ["Un membre du centre lit", "une lettre du maire et", "demande le renvoi au", "bureau de la Chambre."]


def installed() -> bool:
    if shutil.which("tesseract") is None:
        return False
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    return "fra" in (listed.stdout + listed.stderr).split()


needs_tesseract = pytest.mark.skipif(not installed(), reason="Tesseract and its French model are not here")


def scan(path: Path) -> None:
    """Draw two columns of print; the type is that of whatever drawing library is here."""
    drawing = pytest.importorskip("PIL.ImageDraw")
    image_of, type_of = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageFont")
    image = image_of.new("L", (1400, 700), 255)
    pen, letters = drawing.Draw(image), type_of.load_default(40)
    for x, lines in ((60, LEFT), (760, RIGHT)):
        for n, text in enumerate(lines):
            pen.text((x, 150 + n * 70), text, font=letters, fill=0)
    image.save(path, dpi=(300, 300))


@needs_tesseract
def test_a_page_of_two_columns_is_read_and_the_statement_says_by_what(tmp_path):
    raw, out = tmp_path / "raw" / "1889-11-26", tmp_path / "out"
    raw.mkdir(parents=True)
    out.mkdir()
    scan(raw / "p1.png")
    (found,) = scans.read(tmp_path / "raw", CARD)
    assert found.text.startswith(
        "Le Roi ouvre la session devant la Chambre. Le projet est lu par le ministre de la guerre."
    )
    assert "Un membre du centre lit une lettre du maire et demande" in found.text.replace("\n\n", " ")
    assert found.confidence is not None
    assert found.confidence > 0.8
    assert (found.origin, found.date, found.parts[0].anchor) == ("1889-11-26", "1889-11-26", "p1")
    assert list(scans.read(tmp_path / "raw", CARD)) == [found], "the same image gives the same page"
    tools = read_source("s", CARD, tmp_path / "raw", out)["tools"]
    assert sorted(tools) == ["fra.traineddata", "tesseract"]
    assert len(tools["fra.traineddata"]) == 64


@needs_tesseract
def test_a_list_of_files_under_the_name_of_an_image_is_not_followed(tmp_path):
    (tmp_path / "a.png").write_text("/etc/hostname.png\n")
    with pytest.raises(InputError, match="no image of a kind that is read"):
        list(scans.read(tmp_path, CARD))


@needs_tesseract
@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"P5 99999999 99999999 255\n", b"II*\0\1"]
)
def test_a_damaged_image_is_refused_with_its_place(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError) as error:
        list(scans.read(tmp_path, CARD))
    assert error.value.place == "a.png"


@needs_tesseract
def test_a_damaged_pdf_is_refused(tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(InputError, match="cannot be drawn"):
        list(scans.read(tmp_path, CARD))


def test_without_tesseract_the_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as error:
        list(scans.read(tmp_path, CARD))
    assert "Tesseract" in error.value.what
    assert "tesseract-ocr and tesseract-ocr-fra" in (error.value.remedy or "")


def test_a_language_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="no model of Tesseract"):
        list(scans.read(tmp_path, CARD.model_copy(update={"language": "tlh"})))
