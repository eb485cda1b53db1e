"""Pages out of WARC files: which become documents, under what name, with what evidence."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes
from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.optout import combine
from hemicycle.rights.optout.marks import MOST_MARKS
from hemicycle.sources.fetch_site import collect_urls
from hemicycle.sources.html_text import page_text
from hemicycle.sources.warc import WarcWriter
from hemicycle.sources.web_pages import cleaned, read

from .site import running

ON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SITE = "https://site.example"
CARD = Card(title="t", reader="text", path="x")


def page(words: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body><p>{words}</p></body></html>".encode()


class Crawl:
    """A WARC file in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer = WarcWriter(folder, "crawl").__enter__()

    def silent(self) -> Crawl:
        """Neither of a site's files is there."""
        for path in ("/robots.txt", "/.well-known/tdmrep.json"):
            self.put(path, b"", status=404)
        return self

    def put(
        self,
        url: str,
        body: bytes,
        *,
        days: int = 0,
        status: int = 200,
        kind: str = "text/html",
        more: str = "",
        truncated: bool = False,
    ) -> Crawl:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{more}\r\n".encode()
        address = url if "://" in url else SITE + url
        self.writer.response(address, ON + timedelta(days=days), head, body, truncated=truncated)
        return self

    def read(self) -> list[Document]:
        self.writer.__exit__()
        return list(read(self.folder, CARD))


@pytest.fixture
def crawl(tmp_path: Path) -> Crawl:
    return Crawl(tmp_path)


def test_a_visit_becomes_files_and_the_files_become_documents(tmp_path: Path) -> None:
    with running() as site:
        site.file("/robots.txt", "User-agent: *\nDisallow: /shut\n\nUser-agent: GPTBot\nDisallow: /presse/\n")
        site.file("/.well-known/tdmrep.json", '[{"location": "/open/", "tdm-reservation": 0}]')
        words = "<p>Un article de presse, assez long pour en être un, et qui parle du budget.</p>" * 4
        site.html("/presse/a", f"<html lang=fr><title>La presse</title><body><h1>Titre</h1>{words}</body>")
        site.html(
            "/open/b",
            '<link rel="license" href="https://creativecommons.org/licenses/by/4.0/"><p>Ouvert.</p>',
        )
        site.html("/c", "<p>Ni l’un ni l’autre.</p>")
        urls = [f"{site.address}{path}" for path in ("/presse/a", "/open/b", "/c", "/shut")]
        found = collect_urls(
            urls, tmp_path / "out", tmp_path / "scratch", sleep=lambda s: None, now=lambda: ON
        )
    assert [url for url, _ in found.refused] == [urls[3]]
    documents = list(read(tmp_path / "out", CARD))
    assert [d.origin for d in documents] == urls[:3]
    assert [combine(d.reservations) for d in documents] == ["reserved", "allowed", "unknown"]
    first, second, _ = documents
    assert (first.title, first.language, first.kind) == ("La presse", "fr", "web")
    assert first.retrieved == "2026-11-26T12:00:00Z"
    assert [part.kind for part in first.parts][:2] == ["heading", "paragraph"]
    assert first.text.startswith("Titre\n\nUn article de presse, assez long")
    assert [s.expression for s in second.licences] == ["CC-BY-4.0"]
    robots = first.reservations[0]
    assert (robots.protocol, robots.value, robots.retrieved) == ("robots", "reserved", "2026-11-26T12:00:00Z")
    assert "GPTBot" in (robots.quote or "")
    for document in documents:
        document.row("s")


def test_every_page_has_an_entry_for_robots_and_for_tdmrep_even_where_the_crawl_has_neither(
    crawl: Crawl,
) -> None:
    (document,) = crawl.put("/a", page("Une page.")).read()
    assert [(r.protocol, r.value) for r in document.reservations] == [
        ("robots", "unread"),
        ("tdmrep", "unread"),
        ("tdmrep", "unknown"),
    ]
    assert document.reservations[2].place == f"{SITE}/a, page"
    assert document.reservations[2].sha256 == sha256_bytes(page("Une page."))


def test_a_page_that_speaks_is_its_own_evidence_and_stands_there_once(crawl: Crawl) -> None:
    html = page("Une page.", '<meta name="tdm-reservation" content="1">')
    (document,) = crawl.silent().put("/a", html).read()
    assert [r.value for r in document.reservations if r.sha256 == sha256_bytes(html)] == ["reserved"]


def test_only_pages_that_were_there_become_documents(crawl: Crawl) -> None:
    crawl.put("/404", page("x"), status=404).put("/302", page("x"), status=302, more="Location: /a\r\n")
    crawl.put("/pdf", b"%PDF", kind="application/pdf").put("/txt", b"x", kind="text/plain")
    crawl.put("/a", page("Une page."), kind="text/html; charset=utf-8")
    crawl.put("/b", page("Deux."), kind="application/xhtml+xml")
    crawl.put("dns:site.example", page("x"))
    assert [d.origin for d in crawl.read()] == [f"{SITE}/a", f"{SITE}/b"]


def test_a_page_is_judged_by_the_robots_nearest_in_time(crawl: Crawl) -> None:
    shut, free = b"User-agent: *\nDisallow: /\n", b"User-agent: hemicycle\nAllow: /\n"
    crawl.put("/.well-known/tdmrep.json", b"", status=404)
    crawl.put("/robots.txt", free, days=-30, kind="text/plain").put(
        "/robots.txt", shut, days=2, kind="text/plain"
    )
    crawl.put("/old", page("Ancienne."), days=-20).put("/new", page("Nouvelle.")).put(
        "/later", page("Tard."), days=9
    )
    assert [combine(d.reservations) for d in crawl.read()] == ["allowed", "reserved", "reserved"]


def test_a_robots_that_moved_is_found_where_it_went(crawl: Crawl) -> None:
    crawl.put("/robots.txt", b"", status=301, more="Location: https://www.site.example/robots.txt\r\n")
    crawl.put("https://www.site.example/robots.txt", b"User-agent: *\nDisallow: /\n", kind="text/plain")
    (document,) = crawl.put("/a", page("Une page.")).read()
    assert document.reservations[0].value == "reserved"
    assert document.reservations[0].place == f"{SITE}/robots.txt"


def test_robots_files_that_lead_round_in_a_circle_are_unread(crawl: Crawl) -> None:
    crawl.put("/robots.txt", b"", status=301, more="Location: /robots.txt\r\n")
    (document,) = crawl.put("/a", page("Une page.")).read()
    assert document.reservations[0].value == "unread"


def test_rsl_files_of_the_crawl_are_read_and_other_xml_is_not_kept(crawl: Crawl) -> None:
    crawl.put("/robots.txt", b"License: /rsl.xml\n", kind="text/plain").put(
        "/map.xml", b"<urlset/>", kind="text/xml"
    )
    crawl.put(
        "/rsl.xml",
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
        b'<prohibits type="usage">all</prohibits></license></content></rsl>',
        kind="text/xml",
    )
    (document,) = crawl.put("/a", page("Une page.")).read()
    assert [r.protocol for r in document.reservations if r.value == "reserved"] == ["rsl"]


def test_of_an_address_met_again_the_newest_page_is_the_document(crawl: Crawl) -> None:
    crawl.put("/a", page("Nouvelle."), days=2).put("/a#part", page("Ancienne."), days=1)
    crawl.put("/a?utm_source=x", page("Première."))
    (document,) = crawl.read()
    assert (document.origin, document.text) == (f"{SITE}/a", "Nouvelle.")


def test_an_address_loses_what_counts_visitors_and_nothing_else() -> None:
    assert cleaned("HTTPS://Site.Example:443/A?b=1&utm_source=x&fbclid=y&c#d") == f"{SITE}/A?b=1&c"
    assert cleaned(SITE) == f"{SITE}/"
    assert cleaned("http://[::1") == "http://[::1"


def canonical(address: str) -> str:
    return f'<link rel="canonical" href="{address}">'


def test_a_canonical_name_on_the_same_host_is_the_origin(crawl: Crawl) -> None:
    crawl.put("/?p=1", page("Un.", canonical("/un"))).put(
        "/?p=2", page("Deux.", canonical("https://other.example/2"))
    )
    assert [d.origin for d in crawl.read()] == [f"{SITE}/un", f"{SITE}/?p=2"]


def test_pages_that_all_claim_the_name_of_the_front_page_are_not_lost(crawl: Crawl) -> None:
    crawl.put("/", page("Accueil.")).put("/1", page("Un.", canonical("/"))).put(
        "/2", page("Deux.", canonical("/"))
    )
    crawl.put("/3", page("Trois.", canonical("/x"))).put("/4", page("Quatre.", canonical("/x")))
    assert [d.origin for d in crawl.read()] == [f"{SITE}{p}" for p in ("/", "/1", "/2", "/x", "/4")]


def test_a_name_that_another_page_of_the_crawl_has_is_left_to_it(crawl: Crawl) -> None:
    crawl.put("/1", page("Un.", canonical("/"))).put("/", page("Accueil."))
    assert [d.origin for d in crawl.read()] == [f"{SITE}/1", f"{SITE}/"]


def test_one_text_under_two_addresses_of_one_name_is_one_document(crawl: Crawl) -> None:
    crawl.put("/?p=1", page("Un.", canonical("/un"))).put("/?p=1&x=y", page("Un.", canonical("/un")))
    assert [d.origin for d in crawl.read()] == [f"{SITE}/un"]


def test_title_date_and_language_are_what_the_page_states(crawl: Crawl) -> None:
    date = '<meta property="article:published_time" content="2024-03-05T10:00:00+01:00">'
    head = f"<title>  Un\n titre </title>{date}"
    crawl.put("/a", page("x", head).replace(b"<html>", b'<html lang="fr_CA">'))
    crawl.put(
        "/b",
        page('<time pubdate datetime="2024-02">février</time> x', '<meta name="date" content="2024-99-99">'),
    )
    first, second = crawl.read()
    assert (first.title, first.date, first.language) == ("Un titre", "2024-03-05", "fr-CA")
    assert (second.title, second.date, second.language) == (None, "2024-02", None)


def test_a_page_is_unpacked_and_decoded_as_it_declares(crawl: Crawl) -> None:
    latin = page("Séance levée.").decode().encode("latin-1")
    crawl.put(
        "/a", gzip.compress(latin), kind="text/html; charset=ISO-8859-1", more="Content-Encoding: gzip\r\n"
    )
    crawl.put("/b", latin)
    first, second = crawl.read()
    assert first.text == "Séance levée."
    assert second.text == "S�ance lev�e."


def test_no_break_spaces_survive() -> None:
    written = page_text(
        "<p>«\u00a0Oui\u202f!\u00a0» dit-il&nbsp;: n° 12&#8239;% et voilà une phrase assez longue.</p>"
    )
    assert (
        written.text
        == "«\u00a0Oui\u202f!\u00a0» dit-il\u00a0: n° 12\u202f% et voilà une phrase assez longue."
    )


def test_menus_and_footers_are_left_out_lists_and_tables_are_kept() -> None:
    html = (
        "<html><body><nav><a href=/>Accueil</a><a href=/b>Rubriques</a></nav><article><h1>Budget</h1>"
        + "<p>Le budget est adopté après une longue discussion des articles.</p>" * 3
        + "<ul><li>premier point</li><li>second point</li></ul>"
        "<table><tr><th>Année</th><th>Somme</th></tr><tr><td>2024</td><td>12</td></tr></table></article>"
        "<footer>Mentions légales</footer></body></html>"
    )
    text = page_text(html).text
    assert "Accueil" not in text
    assert "Mentions" not in text
    assert "- premier point\n" in text
    assert "2024 | 12" in text
    assert text.startswith("Budget\n\nLe budget")


def test_the_card_says_what_finds_the_main_text(crawl: Crawl) -> None:
    pytest.importorskip("resiliparse")
    words = "<p>Le budget est adopté après une longue discussion des articles.</p>" * 4
    html = f"<html><body><article>{words}<ul><li>un point</li><li>deux</li></ul></article></body></html>"
    (careful,) = crawl.put("/a", html.encode()).read()
    (fast,) = read(crawl.folder, CARD.model_copy(update={"extractor": "fast"}))
    assert ("- un point" in careful.text, "un point" in fast.text) == (True, False)


def test_a_page_nested_too_deep_for_the_parser_loses_no_word() -> None:
    text = page_text("<p>Début.</p>" + "<div>" * 3_000 + "<p>Au fond.</p>").text
    assert text == "Début.\n\nAu fond."


def test_a_page_without_a_word_is_a_document_without_text(crawl: Crawl) -> None:
    crawl.put("/a", b"").put("/b", page("")).put("/c", b"<script>var x</script>")
    assert [d.text for d in crawl.read()] == ["", "", ""]


def test_a_page_of_which_a_crawl_has_the_beginning_or_too_many_marks_is_not_allowed(crawl: Crawl) -> None:
    allows = '<meta name="tdm-reservation" content="0">'
    crawl.silent().put("/a", page("Entière.", allows)).put("/b", page("Coupée.", allows), truncated=True)
    crawl.put("/c", page("Bourrée.", allows + '<meta name="a" content="b">' * (MOST_MARKS + 1)))
    said = [combine(document.reservations) for document in crawl.read()]
    assert said == ["allowed", "unread", "unread"]


def test_a_file_of_another_kind_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(InputError, match=r"x\.txt"):
        list(read(tmp_path, CARD))


def test_a_page_too_big_is_refused_with_file_and_offset(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hemicycle.sources.web_pages.BODY_LIMIT", 1_000)
    with pytest.raises(InputError, match=r"crawl-00000.warc.gz, offset \d+: the page"):
        crawl.put("/a", b"x" * 1_001).read()


def test_a_page_packed_in_an_unknown_way_is_refused_with_file_and_offset(crawl: Crawl) -> None:
    with pytest.raises(InputError, match=r"crawl-00000.warc.gz, offset \d+: the answer is packed"):
        crawl.put("/a", b"x", more="Content-Encoding: br\r\n").read()


def test_a_cut_file_is_refused(crawl: Crawl, tmp_path: Path) -> None:
    crawl.put("/a", page("Une page."))
    crawl.read()
    path = tmp_path / "crawl-00000.warc.gz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"crawl-00000.warc.gz, offset \d+"):
        list(read(tmp_path, CARD))


TAGS = st.sampled_from(
    ["<p>", "</p>", "<div>", "</div>", "<table>", "<td>", "<li>", "<ul>", "<h1>", "<a rel=canonical href='",
     "'>", "<link rel=canonical href=", "<base href=", "<meta charset=", "<title>", "<!--", "&nbsp;", "\0",
     "<svg>", "<math>", "<template>", "<textarea>", "<plaintext>", "\ue0a0", "\u00a0", "é", "<br>", "mot "]
)  # fmt: skip


@given(st.lists(st.one_of(TAGS, st.text(max_size=8)), max_size=60).map("".join))
@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
def test_any_page_becomes_a_document_with_parts_that_fit(tmp_path_factory, html: str) -> None:
    folder = tmp_path_factory.mktemp("crawl")
    (document,) = Crawl(folder).put("/a", html.encode("utf-8", "replace")).read()
    document.row("s")
    assert {"robots", "tdmrep"} <= {r.protocol for r in document.reservations}
