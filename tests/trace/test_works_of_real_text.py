"""Whole novels, as a text, a book and a PDF with other typography: found, each in its document."""

import re
import textwrap
import xml.sax.saxutils
from pathlib import Path

import pytest

from hemicycle.documents import Document
from hemicycle.sources.works import read_work
from hemicycle.trace import Tracer, build_index, open_index
from hemicycle.trace.works import trace_work
from tests.sources.made_pdf import made_pdf
from tests.sources.test_epub import book, package
from tests.trace.typography import all_of_them, typographic

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "samples" / "literature"
#: Characters of a line, lines of a page.
WIDTH, LINES = 80, 50


@pytest.fixture(scope="module")
def novels() -> dict[str, str]:
    files = sorted(SAMPLES.glob("FRA0[1-2]*.xml"))
    if not files:
        pytest.skip("the sample texts are not here")
    return {path.name: words_of(path.read_text("utf-8")) for path in files}


def words_of(tei: str) -> str:
    body = re.sub(r"^.*?<body>", "", tei, flags=re.DOTALL)
    paragraphs = [re.sub(r"<[^>]*>", " ", p) for p in re.findall(r"<p\b.*?</p>", body, re.DOTALL)]
    return "\n\n".join(xml.sax.saxutils.unescape(" ".join(p.split())) for p in paragraphs)


@pytest.fixture(scope="module")
def tracer(tmp_path_factory, write_corpus, novels) -> Tracer:
    folder = tmp_path_factory.mktemp("novels")
    read = {name: text for name, text in list(novels.items())[:-1]}
    corpus = write_corpus(folder / "corpus", {"novels": [Document(n, t) for n, t in read.items()]})
    build_index([corpus], folder / "index")
    return Tracer(open_index(folder / "index"), [corpus])


def as_text(text: str) -> tuple[str, bytes]:
    return "novel.txt", ("\ufeff" + all_of_them(text)).encode()


def as_book(text: str) -> tuple[str, bytes]:
    """Two pages of the order of reading; paragraphs of a novel with the printer's spaces and apostrophes."""
    paragraphs = [f"<p>{xml.sax.saxutils.escape(p)}</p>" for p in typographic(text).split("\n\n")]
    half = len(paragraphs) // 2
    pages = {"one": paragraphs[:half], "two": paragraphs[half:]}
    members = {f"OEBPS/text/{n}.xhtml": f"<html><body>{''.join(p)}</body></html>" for n, p in pages.items()}
    return "novel.epub", book(package(), **members)


def as_page(text: str) -> tuple[str, bytes]:
    """A page of the web with its menu, every letter beyond ASCII as an entity."""
    paragraphs = "".join(f"<p>{xml.sax.saxutils.escape(p)}" for p in typographic(text).split("\n\n"))
    page = f"<html><head><title>Un roman</title></head><nav>Accueil</nav><body>{paragraphs}</body></html>"
    return "novel.html", page.encode("ascii", "xmlcharrefreplace")


def as_pdf(text: str) -> tuple[str, bytes]:
    """Pages of fifty lines with a running head and a number, words divided where the line is full."""
    lines = hyphenated(text.encode("cp1252", "ignore").decode("cp1252"))
    pages = [lines[at : at + LINES] for at in range(0, len(lines), LINES)]
    return "novel.pdf", made_pdf(*(["Le roman", *page, str(n)] for n, page in enumerate(pages, 1)))


def hyphenated(text: str) -> list[str]:
    lines = []
    for paragraph in text.split("\n\n"):
        lines += textwrap.wrap(re.sub(r"(\w{4})(\w{4})", "\\1\u00ad\\2", paragraph), WIDTH) or []
    divided = []
    carried = ""
    for line in lines:
        line = carried + line
        carried = ""
        first, hyphen, second = line.rpartition("\u00ad")
        # The last divisible word of a line that has one at its end is divided there.
        if hyphen and " " not in second and second.isalpha():
            line, carried = f"{first}-", second + " "
        divided.append(line.replace("\u00ad", ""))
    return [*divided, carried] if carried else divided


@pytest.mark.parametrize("form", [as_text, as_page, as_book, as_pdf], ids=lambda f: f.__name__)
def test_a_novel_in_another_dress_is_found_in_its_document(tracer, novels, tmp_path, form):
    if form is as_pdf:
        pytest.importorskip("pypdfium2")
    for name in list(novels)[:2]:
        file, data = form(novels[name])
        (tmp_path / file).write_bytes(data)
        text = read_work(tmp_path / file).text
        traced = trace_work(tracer, text)
        assert traced.coverage >= 0.99
        assert traced.documents[0].id == f"novels:{name}"
        assert traced.documents[0].words / traced.words >= 0.99
        assert traced.documents[0].known is not None


def test_a_novel_that_is_not_in_the_corpus_is_hardly_found(tracer, novels):
    traced = trace_work(tracer, list(novels.values())[-1])
    assert traced.words > 10_000
    assert traced.coverage < 0.01
