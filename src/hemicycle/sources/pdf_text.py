"""The words of a PDF, and its pages as images, read by PDFium in a process of its own.

A PDF is a program for a printer, and PDFium a big library in C++: a hostile file may crash it, send it round
in circles or make it ask for all memory. So a child process reads one file, or draws one page, with bounds on
its time and memory that the system keeps, and says what it found as JSON. Whatever becomes of the child, the
parent gets pages or an error.

    python -P -m hemicycle.sources.pdf_text FILE
    python -P -m hemicycle.sources.pdf_text FILE NUMBER IMAGE
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, InputError

#: Seconds of CPU and bytes of address space that one child may take; seconds that it may take in all.
CPU_SECONDS, MEMORY, SECONDS = 120, 4 * 2**30, 600
MOST_PAGES = 20_000
MOST_CHARACTERS = 16 * 2**20

#: Points to an inch at which a page is drawn, and the most that one may have.
DENSITY = 300
POINTS = 100_000_000


@dataclass(frozen=True)
class PdfPage:
    """The words of a page, lines ended by a line feed, and whether it holds a picture.

    Where a line was broken inside a word, U+FFFE stands for the hyphen and the line end.
    """

    text: str
    picture: bool


@dataclass(frozen=True)
class PdfText:
    pages: tuple[PdfPage, ...]
    title: str
    author: str
    language: str


def pdf_text(path: Path, place: str) -> PdfText:
    """Read one file.

    Raises:
        DeclarationError: the library is not installed.
        InputError: the file is encrypted, damaged, or takes more than the bounds.
    """
    said = _said(place, path)
    pages = tuple(PdfPage(text, picture) for text, picture in said["pages"])
    return PdfText(pages, said["title"], said["author"], said["language"])


def draw_page(path: Path, number: int, image: Path, place: str) -> bool:
    """Draw one page, the first being 1, in shades of grey as PNM; False where the file has fewer pages.

    Raises:
        DeclarationError: the library is not installed.
        InputError: the file is encrypted or damaged, or the page takes more than the bounds.
    """
    return bool(_said(place, path, number, image)["drawn"])


def _said(place: str, path: Path, *page: int | Path) -> dict[str, Any]:
    """What a child says of a file, or of the page that it is to draw."""
    module = "hemicycle.sources.pdf_text"
    command = [sys.executable, "-P", "-m", module, str(path.resolve()), *map(str, page)]
    said: dict[str, Any] = {"problem": "unread"}
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        if done.returncode == 0:
            said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        pass  # it was stopped, or stopped by itself in the middle of a word
    if "problem" in said:
        raise _refusal(said["problem"], place)
    return said


def _refusal(problem: str, place: str) -> DeclarationError | InputError:
    if problem == "library":
        return DeclarationError(
            "the library that reads PDF files is not installed", remedy="pip install 'hemicycle[documents]'"
        )
    what, remedy = {
        "encrypted": (
            "the file is encrypted",
            "Ask its publisher for one that is not; who has its password may save it without.",
        ),
        "damaged": ("this is no PDF, or it is damaged", "Fetch it again and compare its digest."),
        "long": (
            f"the file has more than {MOST_PAGES:,} pages or {MOST_CHARACTERS:,} characters",
            "Split it into its documents.",
        ),
        "large": (
            f"the page has no size, or more than {POINTS:,} points at {DENSITY} to an inch",
            "Give the pages of the file as images.",
        ),
    }.get(
        problem,
        (
            f"the file could not be read within {CPU_SECONDS} seconds and {MEMORY // 2**30} GiB",
            "It is damaged or made to exhaust its readers: leave it out with `exclude` in the card.",
        ),
    )
    return InputError(what, place=place, remedy=remedy)


def _bound() -> None:
    import resource

    for kind, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _answer(path: str, *page: str) -> dict[str, Any]:
    """What the child says: pages, whether the page was drawn, or a problem."""
    try:
        import pypdfium2
        import pypdfium2.raw as pdfium
    except ImportError:
        return {"problem": "library"}
    try:
        document = pypdfium2.PdfDocument(path)
        if len(document) > MOST_PAGES:
            return {"problem": "long"}
        return _draw(document, int(page[0]), Path(page[1])) if page else _read(document, pdfium)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
        return {"problem": "encrypted" if locked else "damaged"}


def _draw(document: Any, number: int, image: Path) -> dict[str, Any]:
    if number > len(document):
        return {"drawn": False}
    page = document[number - 1]
    width, height = (math.ceil(side * DENSITY / 72) for side in page.get_size())
    if not 0 < width * height <= POINTS:
        return {"problem": "large"}
    grey = page.render(scale=DENSITY / 72, grayscale=True)
    points = memoryview(grey.buffer)
    with image.open("wb") as out:
        out.write(f"P5 {grey.width} {grey.height} 255\n".encode())
        for start in range(0, grey.stride * grey.height, grey.stride):
            out.write(points[start : start + grey.width])
    return {"drawn": True}


def _read(document: Any, pdfium: Any) -> dict[str, Any]:
    if pdfium.FPDF_GetSecurityHandlerRevision(document.raw) >= 0:
        return {"problem": "encrypted"}
    pages: list[tuple[str, bool]] = []
    characters = 0
    for number in range(len(document)):
        page = document[number]
        sheet = page.get_textpage()
        text = sheet.get_text_range().replace("\r\n", "\n").replace("\r", "\n")
        picture = any(True for _ in page.get_objects([pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3))
        sheet.close()
        page.close()
        characters += len(text)
        if characters > MOST_CHARACTERS:
            return {"problem": "long"}
        pages.append((text, picture))
    told = document.get_metadata_dict()
    return {
        "pages": pages,
        "title": told.get("Title", ""),
        "author": told.get("Author", ""),
        "language": _language(document, pdfium),
    }


def _language(document: Any, pdfium: Any) -> str:
    """The language that the file states for all of it; empty where it states none."""
    import ctypes

    length = pdfium.FPDFCatalog_GetLanguage(document.raw, None, 0)
    if not 2 < length <= 200:
        return ""
    buffer = ctypes.create_string_buffer(length)
    pdfium.FPDFCatalog_GetLanguage(document.raw, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length)
    return buffer.raw.decode("utf-16-le", "ignore").rstrip("\0")


if __name__ == "__main__":
    _bound()
    json.dump(_answer(*sys.argv[1:]), sys.stdout)
