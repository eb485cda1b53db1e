"""Dumps of Wikipedia and Wikisource: pages without apparatus, licences as stated, nobody unknown free."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.layers import term_of
from hemicycle.sources import reader

from .made_tar import tar

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="wikipedia", path=".")
BY_SA = {
    "name": "Creative Commons Attribution-Share Alike 4.0",
    "identifier": "CC-BY-SA-4.0",
    "url": "https://creativecommons.org/licenses/by-sa/4.0/",
}
BODY = (
    '<section data-mw-section-id="0" id="mwAQ"><p id="mwAg">L\'<b id="mwAw">étang bleu</b> est un étang.'
    '<sup about="#mwt3" class="mw-ref reference" id="cite_ref-1"><a href="#c"><span>[1]</span></a></sup>'
    " Fin.</p>"
    "</section>"
    '<section data-mw-section-id="1"><h2 id="Histoire">Histoire</h2><p id="mwBB">On le creusa.</p>'
    '<ul><li>un</li><li>deux</li></ul><div class="navbox">Palette des étangs</div>'
    '<div style="display: none">caché</div></section>'
)


def page(identifier=1, body=BODY, **fields):
    return {
        "name": "Étang bleu",
        "identifier": identifier,
        "date_modified": "2026-02-03T04:05:06Z",
        "url": "https://fr.example.org/wiki/Étang_bleu",
        "namespace": {"name": "Article", "identifier": 0},
        "in_language": {"identifier": "fr", "name": "français"},
        "is_part_of": {"identifier": "frwiki"},
        "license": [BY_SA],
        "article_body": {
            "html": f'<!DOCTYPE html><html><head><meta charset="iso-8859-1"/><title>Étang bleu</title>'
            f'<link rel="dc:isVersionOf" href="#"/></head><body lang="fr">{body}</body></html>',
            "wikitext": "'''étang'''",
        },
        **fields,
    }


def documents(folder: Path, *rows, name="wikipedia", data: bytes | None = None):
    text = (
        data
        if data is not None
        else "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows).encode()
    )
    (folder / "a.ndjson").write_bytes(text)
    return list(reader(name)(folder, CARD))


def refusal(folder: Path, *rows, **more) -> InputError:
    with pytest.raises(InputError) as error:
        documents(folder, *rows, **more)
    return error.value


# Wikipedia


def test_an_article_is_its_text_with_headings_as_anchors(tmp_path):
    (found,) = documents(tmp_path, page())
    assert found.text == "L'étang bleu est un étang. Fin.\n\nHistoire\n\nOn le creusa.\n\n- un\n- deux"
    assert [(p.kind, p.anchor, p.title) for p in found.parts] == [
        ("paragraph", None, None),
        ("heading", "Histoire", "Histoire"),
        ("paragraph", "Histoire", "Histoire"),
        ("paragraph", "Histoire", "Histoire"),
        ("paragraph", "Histoire", "Histoire"),
    ]
    assert (found.id, found.origin) == ("frwiki:1", "https://fr.example.org/wiki/Étang_bleu")
    assert (found.title, found.date, found.language, found.kind) == (
        "Étang bleu",
        "2026-02-03",
        "fr",
        "encyclopedia",
    )
    (stated,) = found.licences
    assert (stated.stated_by, stated.expression) == ("file", "CC-BY-SA-4.0")
    assert stated.evidence.startswith("a.ndjson, line 1: license CC-BY-SA-4.0")
    assert found.authors == ()


def test_a_formula_stands_once_as_tex(tmp_path):
    math = (
        '<p>Soit <span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;">'
        '<math alttext="{\\displaystyle x^{2}}"><semantics><mi>x</mi><mn>2</mn><annotation>x^{2}</annotation>'
        '</semantics></math></span><img class="mwe-math-fallback-image-inline" alt="x2"/></span>, positif.'
    )
    (found,) = documents(tmp_path, page(body=math))
    assert found.text == "Soit {\\displaystyle x^{2}}, positif."


def test_other_namespaces_redirects_and_second_revisions_are_left_out(tmp_path):
    redirect = page(3, '<link rel="mw:PageProp/redirect" href="./Étang"/><p>x</p>')
    rows = [
        page(1),
        page(2, namespace={"identifier": 10}),
        redirect,
        page(1, "<p>Autre révision.</p>"),
        "",
        page(4, namespace=None),
        page(5, article_body={"html": ""}),
        page(1, is_part_of={"identifier": "frwikisource"}),
    ]
    assert [d.id for d in documents(tmp_path, *rows)] == ["frwiki:1", "frwiki:4", "frwikisource:1"]


@pytest.mark.parametrize(
    ("stated", "expressions"),
    [
        ([BY_SA], ["CC-BY-SA-4.0"]),
        ([{"url": "https://creativecommons.org/licenses/by-sa/3.0/"}], ["CC-BY-SA-3.0"]),
        ([{"name": "CC BY-SA 3.0"}], ["CC-BY-SA-3.0"]),
        ([{"identifier": "CC0-1.0", "url": BY_SA["url"]}], ["CC0-1.0", "CC-BY-SA-4.0"]),
        ([BY_SA, {"identifier": "GFDL-1.3-or-later"}], ["CC-BY-SA-4.0", "GFDL-1.3-or-later"]),
        ([{"name": "Fair use", "identifier": "fair use"}], ["fair use"]),
        (BY_SA, ["CC-BY-SA-4.0"]),
        (None, []),
        ([], []),
    ],
)
def test_licences_are_those_that_the_line_states(tmp_path, stated, expressions):
    (found,) = documents(tmp_path, page(license=stated))
    assert [licence.expression for licence in found.licences] == expressions


@pytest.mark.parametrize("stated", ["CC0", [None], [{}], [{"identifier": 3}], [["CC0-1.0"]], 7])
def test_a_licence_that_cannot_be_read_is_refused(tmp_path, stated):
    assert "cannot be read" in refusal(tmp_path, page(license=stated)).what


def test_dumps_are_read_where_they_stand(tmp_path):
    lines = [json.dumps(page(n)).encode() for n in (1, 2, 3)]
    members = [("frwiki_0.ndjson", lines[0] + b"\n" + lines[1]), ("frwiki_1.ndjson", lines[2] + b"\n")]
    (tmp_path / "frwiki-NS0.json.tar.gz").write_bytes(gzip.compress(tar(members)))
    assert [d.id for d in reader("wikipedia")(tmp_path, CARD)] == ["frwiki:1", "frwiki:2", "frwiki:3"]
    members[1] = (members[1][0], b"{\n")
    (tmp_path / "frwiki-NS0.json.tar.gz").write_bytes(gzip.compress(tar(members)))
    with pytest.raises(InputError) as error:
        list(reader("wikipedia")(tmp_path, CARD))
    assert error.value.place == "frwiki-NS0.json.tar.gz#frwiki_1.ndjson, line 1"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("[" * 100_000, "nested"),
        (page(identifier="1"), "identifier"),
        (page(namespace={"identifier": None}), "identifier"),
        (page(namespace=3), "no object"),
        (page(article_body={"wikitext": "x"}), "no HTML"),
        (page(article_body="<p>"), "no object"),
        (page(body="a\0b"), "NUL"),
        (page(body="<div>" * 500 + "x" + "</div>" * 500), "deep"),
        (page(body="a\ud800b"), "half a character"),
    ],
)
def test_a_line_that_is_no_page_is_refused_with_its_place(tmp_path, row, what):
    error = refusal(tmp_path, page(7), row)
    assert what in error.what
    assert error.place.startswith("a.ndjson, line 2")


def test_wrong_encodings_and_cut_files_are_refused(tmp_path):
    whole = json.dumps(page(), ensure_ascii=False)
    assert "UTF-8" in refusal(tmp_path, data=whole.encode("latin-1")).what
    assert "not JSON" in refusal(tmp_path, data=whole.encode()[:-10]).what
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(whole.encode())[:-20])
    assert "cannot be read on" in refusal(tmp_path, page()).what
    (tmp_path / "b.ndjson.gz").rename(tmp_path / "b.xml")
    assert "not a dump" in refusal(tmp_path, page()).what


def test_an_entity_in_a_page_is_no_bomb(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><p>&b;&b;&b;</p>'
    row = page()
    row["article_body"]["html"] = bomb
    with contextlib.suppress(InputError):
        (found,) = documents(tmp_path, row)
        assert len(found.text) < 200


def test_every_word_of_a_page_is_there_once(tmp_path):
    """Counted on the words put in, without the reader's own walk."""
    words = iter(f"mot{n}" for n in range(1_000))
    pieces, put = [], []
    for tag in ["p", "h2", "li", "td", "blockquote", "dd", "figcaption", "span", "b", "unknown-tag"] * 20:
        word = next(words)
        put.append(word)
        pieces.append(f"<div><{tag}>{word}</{tag}></div>")
    (found,) = documents(tmp_path, page(body="".join(pieces)))
    assert sorted(re.findall(r"mot\d+", found.text)) == sorted(put)


def test_what_is_dropped_still_parts_the_words_around_it(tmp_path):
    body = '<div>un<div class="navbox">x</div>deux <span class="noprint">y</span>trois</div>'
    (found,) = documents(tmp_path, page(body=body))
    assert found.text == "un\n\ndeux trois"


def test_a_page_full_of_marks_is_read_in_time(tmp_path):
    body = "<p>" + '<sup class="reference">1</sup>a' * 20_000 + "</p>"
    (found,) = documents(tmp_path, page(body=body))
    assert found.text == "a" * 20_000


# Wikisource

HEADER = (
    '<div id="ws-data" class="ws-noexport" style="display:none"><span id="ws-type">book</span>'
    '<span id="ws-title">Le Moulin</span><span id="ws-author">{author}</span>'
    '<span class="ws-translator">{translator}</span><span id="ws-year">1871</span></div>'
)


def transcription(folder, author="", translator="", **fields):
    body = HEADER.format(author=author, translator=translator)
    body += (
        '<p>Il pleuvait.<span class="pagenum ws-pagenum">12</span></p><div class="ws-noexport">Suite</div>'
    )
    (found,) = documents(folder, page(body=body, name="Le Moulin/I", **fields), name="wikisource")
    return found


def test_a_transcription_names_its_author_and_the_licence_is_the_edition_s(tmp_path):
    found = transcription(tmp_path, '<a href="./Auteur:Aline_Forest">Aline Forest</a>')
    assert found.text == "Il pleuvait."
    assert found.authors == (Author("Aline Forest"),)
    assert [(x.stated_by, x.expression) for x in found.licences] == [("edition", "CC-BY-SA-4.0")]
    assert (found.title, found.date, found.group, found.kind) == (
        "Le Moulin/I",
        "1871",
        "work:Le Moulin",
        None,
    )
    assert term_of(found.authors, "FR", date(2026, 11, 22)).verdict == "review"


@pytest.mark.parametrize(
    ("written", "authors"),
    [
        ("", ()),
        ("?", ()),
        ("Aline Forest", (Author("Aline Forest"),)),
        ("Aline Forest (1801-1880)", (Author("Aline Forest", "author", 1801, 1880),)),
        ('<a href="#">Aline Forest</a> (1801-18..)', (Author("Aline Forest", "author", 1801),)),
        ('<a href="#">A. F.</a> et <a href="#">L. M.</a>', (Author("A. F."), Author("L. M."))),
        ('<a href="#">A. F.</a> et L. M.', (Author("A. F. et L. M."),)),
        ('<a href="#">Anonyme</a>', (Author("Anonyme", flags=("anonymous",)),)),
    ],
)
def test_whom_a_header_names(tmp_path, written, authors):
    found = transcription(tmp_path, written)
    assert found.authors == authors
    if not any(a.death for a in authors):
        assert term_of(found.authors, "FR", date(2026, 11, 22)).verdict == "review"


def test_a_translator_is_another_layer(tmp_path):
    found = transcription(tmp_path, "Aline Forest (1801-1880)", "Luc Marin")
    assert found.authors[1] == Author("Luc Marin", "translator")
    assert term_of(found.authors, "FR", date(2026, 11, 22)).verdict == "review"


def test_a_link_in_the_text_never_licenses_the_text(tmp_path):
    body = '<p>Voir <a rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">ceci</a>.</p>'
    (found,) = documents(tmp_path, page(body=body), name="wikisource")
    assert {x.stated_by for x in found.licences} == {"edition"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(page())), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*page(), "x"]), JSON, max_size=3), st.text(max_size=60), st.booleans()
)
def test_any_line_gives_a_document_or_a_refusal(tmp_path_factory, fields, body, wikisource):
    folder = tmp_path_factory.mktemp("wiki")
    try:
        found = documents(
            folder, page(body=body, **{}) | fields, name="wikisource" if wikisource else "wikipedia"
        )
    except InputError:
        return
    for one in found:
        one.row("s")
        for words in (one.text, one.title or "", one.origin, one.group or "", *(a.name for a in one.authors)):
            words.encode()
