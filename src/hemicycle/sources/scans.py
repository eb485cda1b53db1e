"""Images of pages, read by Tesseract with the model of the card's language: one document a folder.

PNG, TIFF, JPEG, PNM and PDF; the pages of a file are pages of its folder's document, those of a file beside
no folder a document of their own. What Tesseract writes is ALTO, and goes the way of `alto`. Tesseract and
its models are programs of the system, found when a source asks for them; their version and the model's digest
are figures of the stage (`tools`). One thread, no clock and no dictionary of the user's: equal images give
equal pages, as long as both are the same.

The traps: a file that is no image is read by Tesseract as a list of names of images, wherever they lie, so
the first bytes are looked at before it runs; a few bytes may stand for an image of a billion points, so its
memory, the size of what it writes and its time are bounded. The pages of a PDF are drawn within the bounds of
`pdf_text`, each in a process of its own.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.digests import sha256_file
from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.sources.alto import pages_of
from hemicycle.sources.pdf_text import draw_page
from hemicycle.sources.scanned import Page, put_together
from hemicycle.sources.volumes import File, Volume, document_of, volumes
from hemicycle.sources.xml import FILE_LIMIT, parse, read_bytes

if TYPE_CHECKING:
    from hemicycle.project import Card

IMAGES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".pbm", ".pgm", ".ppm")
_STARTS = (b"\x89PNG\r\n", b"II*\0", b"MM\0*", b"\xff\xd8\xff", b"P4", b"P5", b"P6")

#: Tesseract's names of languages, and Debian's packages of them.
_MODELS = {
    "fr": "fra", "la": "lat", "en": "eng", "de": "deu", "it": "ita", "es": "spa", "pt": "por", "ca": "cat",
    "nl": "nld", "br": "bre", "oc": "oci", "eu": "eus", "co": "cos", "lb": "ltz",
}  # fmt: skip

#: For one file: seconds, and KiB of memory.
SECONDS = 1_800
MEMORY = 4 * 2**20


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a folder of images.

    Raises:
        DeclarationError: a file is a PDF, and the library that draws its pages is not installed.
        InputError: Tesseract or its model is not there, a file is no image, or Tesseract fails on it.
    """
    model = _model(card.language)
    for volume in volumes(folder, card, (*IMAGES, ".pdf")):
        yield document_of(volume, put_together(_pages(volume, model), volume.origin, volume.date))


def tools(card: Card) -> dict[str, str]:
    """The version of Tesseract and the digest of its model, for the statement of the stage."""
    model = _model(card.language)
    version = _tesseract("--version").split("\n", 1)[0].strip()
    return {
        "tesseract": version.removeprefix("tesseract "),
        f"{model}.traineddata": sha256_file(_file(model)),
    }


def _pages(volume: Volume, model: str) -> Iterator[Page]:
    for file in volume.files:
        with tempfile.TemporaryDirectory() as scratch:
            if file.path.suffix.lower() == ".pdf":
                for number, drawn in enumerate(_drawn(file, Path(scratch)), 1):
                    yield from _recognised(drawn, model, f"{file.path.stem}#{number}")
            else:
                yield from _recognised(file, model, file.path.stem)


def _recognised(file: File, model: str, anchor: str) -> Iterator[Page]:
    with file.path.open("rb") as image:
        if not image.read(8).startswith(_STARTS):
            raise InputError(
                "this is no image of a kind that is read (PNG, TIFF, JPEG, PNM)",
                place=file.place,
                remedy="Convert it, or leave it out with `exclude` in the source card.",
            )
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "page.xml"
        options = ("-l", model, "--psm", "3", "-c", "tessedit_create_alto=1", "-c", "tessedit_create_txt=0")
        _tesseract(str(file.path.resolve()), "stdout", *options, out=out, place=file.place)
        yield from pages_of(parse(read_bytes(out, file.place), file.place), file.place, anchor)


def _model(language: str) -> str:
    """The name of the model of a language. Raises InputError where Tesseract or the model is not there."""
    model = _MODELS.get(language.split("-")[0].lower())
    if model is None:
        raise InputError(
            f"no model of Tesseract is known for the language “{language}”",
            remedy=f"Languages known: {', '.join(_MODELS)}.",
        )
    packages = f"tesseract-ocr and tesseract-ocr-{model}"
    if shutil.which("tesseract") is None:
        raise InputError(
            "Tesseract, which reads scans, is not installed", remedy=f"Install {packages} (Debian's names)."
        )
    if not _file(model).is_file():
        raise InputError(f"Tesseract has no model “{model}”", remedy=f"Install {packages} (Debian's names).")
    return model


def _file(model: str) -> Path:
    """Where the model lies: the folder that Tesseract names before its list of languages."""
    named = re.search(r'"([^"\n]+)"', _tesseract("--list-langs"))
    return Path(named[1] if named else "/") / f"{model}.traineddata"


def _tesseract(*words: str, out: Path | None = None, place: str | None = None) -> str:
    """Run Tesseract within bounds and return what it says, or write it to `out`."""
    kept = {key: os.environ[key] for key in ("PATH", "TESSDATA_PREFIX") if key in os.environ}
    bounded = 'ulimit -v "$0" && ulimit -f "$1" && shift && exec tesseract "$@"'
    command = ["sh", "-c", bounded, str(MEMORY), str(FILE_LIMIT // 512), *words]
    with tempfile.TemporaryFile() if out is None else out.open("w+b") as said:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT if out is None else subprocess.PIPE,
                timeout=SECONDS,
                env={**kept, "OMP_THREAD_LIMIT": "1", "LC_ALL": "C"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError(
                f"Tesseract took more than {SECONDS} seconds",
                place=place,
                remedy="Split the file into its pages.",
            ) from None
        if done.returncode:
            why = (done.stderr or b"").decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
            raise InputError(
                f"Tesseract could not read it ({why or f'exit code {done.returncode}'})",
                place=place,
                remedy="Look at the image; leave it out with `exclude` in the source card.",
            )
        if out is not None:
            return ""
        said.seek(0)
        return said.read(1_000_000).decode("utf-8", "replace")


def _drawn(file: File, scratch: Path) -> Iterator[File]:
    """The pages of a PDF as images, one on disk at a time."""
    image = scratch / "page.pgm"
    for number in itertools.count(1):
        place = f"{file.place}, page {number}"
        if not draw_page(file.path, number, image, place):
            return
        yield File(image, place)
