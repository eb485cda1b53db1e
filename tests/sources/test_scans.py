"""Scans through Tesseract, where it is there; without it, and for what is no image, a sentence says so."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import pdf_text, scans
from hemicycle.sources.read import read_source
from hemicycle.sources.volumes import File

from .made_pdf import made_pdf

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
    with pytest.raises(InputError, match="damaged"):
        list(scans.read(tmp_path, CARD))


def nested_forms(depth: int, media: bytes = b"[0 0 99 99]") -> bytes:
    """A PDF whose page draws a form that draws another ten times, and so on: ten to the power of `depth`."""
    tens = b" ".join([b"/X Do"] * 10)
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R "
        b"/Resources << /XObject << /X 5 0 R >> >> >>" % media,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(tens), tens),
    ]
    for number in range(5, 5 + depth):
        drawn = b"0 0 9 9 re f" if number == 4 + depth else tens
        bodies.append(
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 99 99] /Resources << /XObject << /X %d 0 R >> >> "
            b"/Length %d >>\nstream\n%s\nendstream" % (number + 1, len(drawn), drawn)
        )
    objects = b"".join(b"%d 0 obj\n%s\nendobj\n" % (n, body) for n, body in enumerate(bodies, 1))
    return b"%PDF-1.7\n" + objects + b"trailer\n<< /Size %d /Root 1 0 R >>\n%%%%EOF\n" % (len(bodies) + 1)


def pages_drawn(path: Path) -> list[tuple[str, bytes]]:
    scratch = path.parent / "scratch"
    scratch.mkdir()
    return [(f.place, f.path.read_bytes()) for f in scans._drawn(File(path, path.name), scratch)]


def test_the_pages_of_a_pdf_are_drawn_at_300_points_to_an_inch(tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(made_pdf(["Une page."], [], pictures=frozenset({1})))
    (first, ink), (second, grey) = pages_drawn(tmp_path / "a.pdf")
    assert (first, second) == ("a.pdf, page 1", "a.pdf, page 2")
    head = b"P5 2480 3509 255\n"
    assert ink.startswith(head)
    assert len(ink) == len(head) + 2480 * 3509
    assert 0 < sum(point < 128 for point in ink[len(head) :]) < 100_000, "a line of black on white"
    assert grey[len(head) + 1000 * 2480 + 1240] == 255, "the picture begins 550 points above the foot"
    assert grey[len(head) + 2500 * 2480 + 1240] == 128


def test_a_pdf_whose_forms_draw_each_other_without_end_is_stopped(tmp_path, monkeypatch):
    pytest.importorskip("pypdfium2")
    monkeypatch.setattr(pdf_text, "SECONDS", 3)
    (tmp_path / "a.pdf").write_bytes(nested_forms(12))
    begin = time.monotonic()
    with pytest.raises(InputError, match="could not be read within") as error:
        pages_drawn(tmp_path / "a.pdf")
    assert time.monotonic() - begin < 60
    assert error.value.place == "a.pdf, page 1"
    assert "exclude" in (error.value.remedy or "")


def test_forms_a_few_deep_are_drawn(tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(nested_forms(2))
    assert [place for place, _ in pages_drawn(tmp_path / "a.pdf")] == ["a.pdf, page 1"]


def test_a_page_too_large_to_draw_is_refused(tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(nested_forms(1, b"[0 0 9999 9999]"))
    with pytest.raises(InputError, match="more than 100,000,000 points"):
        pages_drawn(tmp_path / "a.pdf")


def test_without_tesseract_the_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError) as error:
        list(scans.read(tmp_path, CARD))
    assert "Tesseract" in error.value.what
    assert "tesseract-ocr and tesseract-ocr-fra" in (error.value.remedy or "")


def test_a_language_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="no model of Tesseract"):
        list(scans.read(tmp_path, CARD.model_copy(update={"language": "tlh"})))
