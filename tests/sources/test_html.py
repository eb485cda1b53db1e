"""HTML files in a folder: the page proper, its title, language, day and licence."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import StatedLicence
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.html import document_of_page, read

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="html", path=".")

ACT = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr"><head><title>L_2031001FR.xml</title>
<meta name="DC.date" content="2031-01-02T10:00+01:00"/><style>p {color: red}</style></head>
<body><p class="oj-doc-ti" id="d1">RÈGLEMENT (UE) 2031/1</p>
<p class="oj-normal">considérant ce qui suit&#160;:</p>
<table><tr><td><p>(1)</p></td><td><p>L’eau est à tous.</p></td></tr></table>
<div class="eli-subdivision" id="art_1"><p class="oj-ti-art">Article premier</p><p>Nul ne la ferme.</p></div>
<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY</a></body></html>"""


def test_an_act_of_the_union_is_read_from_its_page() -> None:
    found = document_of_page(ACT.encode(), "a.xhtml")
    assert found.text == (
        "RÈGLEMENT (UE) 2031/1\n\nconsidérant ce qui suit\N{NO-BREAK SPACE}:\n\n(1) | L’eau est à tous.\n\n"
        "Article premier\n\nNul ne la ferme.\n\nCC BY"
    )
    assert (found.title, found.language, found.date) == ("L_2031001FR.xml", "fr", "2031-01-02")
    assert found.parts[0].anchor == "d1"
    assert found.licences == (
        StatedLicence("file", "CC-BY-4.0", "a.xhtml, link to https://creativecommons.org/licenses/by/4.0/"),
    )


def test_one_page_is_one_document_in_the_order_of_paths(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text("<p>b</p>")
    (tmp_path / "a.htm").write_text("<nav>x</nav><main><p>a</p></main><footer>y</footer>")
    assert [(d.origin, d.text, d.language) for d in read(tmp_path, CARD)] == [
        ("a.htm", "a", None),
        ("b.html", "b", None),
    ]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.html", b"<html><body><script>1</script></body></html>", "no words"),
        ("a.html", b"", "empty"),
        ("a.html", b"<p>\xe9t\xe9</p>", r"^a.html, line 1: byte 3 is not utf-8"),
        ("a.html", '<meta charset="latin-1"><p>été</p>'.encode().replace(b"latin-1", b"rot13"), "unknown"),
        ("a.html", b"<p>a\0b</p>", "NUL"),
        ("a.html", b"<div>" * 1000 + b"x", "deep"),
        ("a.xhtml", ACT[:-40].encode(), "never closes it"),
        ("a.html", b"<html><body><p>whole</p><p>hal", "never closes it"),
        ("a.pdf", b"x", "not a page by its name"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(read(tmp_path, CARD))


def test_an_entity_bomb_is_not_expanded() -> None:
    entities = '<!DOCTYPE html [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    page = f'<?xml version="1.0"?>{entities}<html><body><p>x&b;</p></body></html>'
    found = document_of_page(page.encode(), "a.xhtml")
    assert found.text.count("aaaaaaaa") <= 1  # the declaration itself, where a browser too would show it


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(ACT) - 1), st.text(max_size=8)), max_size=4))
def test_altered_pages_give_a_document_or_an_error(changes: list[tuple[int, str]]) -> None:
    page = ACT
    for position, new in changes:
        page = page[:position] + new + page[position + len(new) :]
    with contextlib.suppress(HemicycleError):
        document_of_page(page.encode("utf-8", "surrogatepass"), "a.xhtml").row("s")


@settings(max_examples=FUZZ, deadline=None)
@given(st.binary(max_size=120))
def test_rubbish_gives_a_document_or_an_error(data: bytes) -> None:
    with contextlib.suppress(HemicycleError):
        document_of_page(data, "a.html").row("s")


def test_pages_of_the_handbook_are_read(samples: Path) -> None:
    pages = samples / "debian/handbook/doc"
    found = list(read(pages, CARD))
    assert len(found) == len(list(pages.rglob("*.html"))) == 12
    assert all(d.title and len(d.text) > 1000 for d in found)
