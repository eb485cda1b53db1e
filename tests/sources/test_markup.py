from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.sources.markup import mallard_titles, read_html, read_xml
from hemicycle.sources.page import Page
from hemicycle.sources.trees import DECLARED_WITHIN

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/debian"


def html(body: str, head: str = "") -> Page:
    return read_html(f"<html><head>{head}</head><body>{body}</body></html>".encode(), "p.html")


def mallard(body: str, titles: dict[str, str] | None = None) -> Page:
    names = 'xmlns="http://projectmallard.org/1.0/" xmlns:if="http://projectmallard.org/if/1.0/"'
    page = read_xml(f'<page {names} id="p">{body}</page>'.encode(), "p.page", titles)
    assert page is not None
    return page


def docbook(body: str) -> Page:
    page = read_xml(f"<article>{body}</article>".encode(), "p.xml")
    assert page is not None
    return page


def test_headings_paragraphs_and_lists_are_kept_and_the_rest_is_not() -> None:
    page = html(
        "<nav>Menu</nav><header>Site</header><script>x()</script><div class='toc'><p>Table</p></div>"
        "<h1>Titre</h1><p>Un\n  <b>paragraphe</b>&nbsp;: voici<br>deux lignes.</p><!-- no -->"
        "<ul><li>un</li><li><p>deux</p><p>suite</p><ol><li>a</li><li>b</li></ol></li></ul>"
        "<dl><dt>terme</dt><dd>sens</dd></dl><p hidden>caché</p><footer>Pied</footer>",
        "<title>La page</title><style>p{}</style>",
    )
    assert page.title == "La page"
    assert page.text == (
        "Titre\n\nUn paragraphe\u00a0: voici\ndeux lignes.\n\n"
        "- un\n- deux\n  suite\n  1. a\n  2. b\nterme\n    sens"
    )


def test_each_block_is_a_part_with_its_anchor_and_the_title_it_stands_under() -> None:
    page = html(
        "<div class='section' id='s1'><h2><a id='h'></a>Un</h2><p id='p1'>A</p><p>B</p>"
        "<div class='sidebar'><p class='title'>Encadré</p><p>C</p></div><p>D</p></div><p>E</p>"
    )
    found = [(page.text[p.start : p.end], p.kind, p.anchor, p.title) for p in page.parts]
    assert found == [
        ("Un", "heading", "h", "Un"),
        ("A", "paragraph", "p1", "Un"),
        ("B", "paragraph", "h", "Un"),
        ("Encadré", "heading", "h", "Encadré"),
        ("C", "paragraph", "h", "Encadré"),
        ("D", "paragraph", "h", "Un"),
        ("E", "paragraph", None, None),
    ]


def test_a_table_is_rows_and_a_table_of_layout_is_what_its_cells_hold() -> None:
    page = html(
        "<table><caption>T</caption><thead><tr><th></th><th>A</th></tr></thead>"
        "<tr><td>1</td><td> 2 </td></tr></table>"
        "<table><tr><td><img src='i'></td><td><p>Note</p><ul><li>x</li></ul></td></tr></table>"
    )
    assert page.text == "T\n\nA\n\n1 | 2\n\nNote\n\n- x"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<ul> perdu <li>a</li></ul>", "perdu\n- a"),
        (
            "<ol><li>a</li> et <b>puis</b> ceci<li>b</li> fin</ol><p>Z</p>",
            "1. a\net puis ceci\n2. b\nfin\n\nZ",
        ),
        ("<ul><li>a</li><!-- no --> reste</ul> suite", "- a\nreste\n\nsuite"),
        ("<dl>avant<dt>t</dt>entre<dd>d</dd>après</dl>", "avant\nt\nentre\n    d\naprès"),
        ("<ul><li><ul>x<li>y</li></ul></li></ul>", "- x\n  - y"),
        (
            "<table>un <i>deux</i> trois<tr><td>a</td><td>b</td></tr>fin</table>Z",
            "un deux trois\n\na | b\n\nfin\n\nZ",
        ),
        ("<table><tbody>t<tr><td>a</td><td>b</td></tr></tbody></table>", "t\n\na | b"),
        ("<table><tr>x<td>a</td>y<td>b</td></tr></table>", "x\n\na\n\ny\n\nb"),
        ("<table><tr><td>a</td><span>y</span><td>b</td></tr></table>", "a\n\ny\n\nb"),
        ("<table><ul><li>a</li></ul><tr><td>b</td><td>c</td></tr></table>", "- a\n\nb | c"),
    ],
)
def test_words_outside_items_and_cells_are_not_lost(body: str, text: str) -> None:
    assert html(body).text == text


def test_words_outside_the_items_of_mallard_and_docbook_are_not_lost() -> None:
    terms = "<terms><item>av<title>T</title>un <em>deux</em><p>trois</p>fin</item></terms>"
    assert mallard(terms).text == "    av\nT\n    un deux\n    trois\n    fin"
    keys = "<p><keyseq>Tenir <key>Ctrl</key><key>C</key></keyseq></p>"
    assert mallard(keys).text == "Tenir+Ctrl+C"
    nested = "<row><entry>a</entry><entrytbl><tbody><row><entry>b</entry></row></tbody></entrytbl></row>"
    table = f"<informaltable><tgroup><tbody>{nested}</tbody></tgroup></informaltable>"
    assert docbook(table).text == "a\n\nb"
    with pytest.raises(InputError, match="entity"):
        read_xml(
            b'<!DOCTYPE article SYSTEM "a.dtd"><article><itemizedlist>&perdu;</itemizedlist></article>', "p"
        )


def test_words_of_a_table_inside_a_heading_stay_apart() -> None:
    page = mallard("<title>T <table>x<tr><td>a</td><td>b</td>c</tr>d</table></title>")
    assert page.text == "T x a b c d"


def test_no_word_of_a_page_of_lists_and_tables_is_lost_or_doubled() -> None:
    names = st.sampled_from("ul ol dl li dt dd table tbody tr td th p b div h2 pre".split())
    trees = st.recursive(
        st.just(None), lambda inner: st.tuples(names, st.lists(inner, max_size=4)), max_leaves=25
    )

    @settings(max_examples=FUZZ, deadline=None)
    @given(trees)
    def holds(tree: object) -> None:
        count = iter(range(10_000))

        def written(node: object) -> str:
            word = f" w{next(count)} "
            if not isinstance(node, tuple):
                return word
            return f"<{node[0]}>{word}{''.join(map(written, node[1]))}</{node[0]}> w{next(count)} "

        found = re.findall(r"w[0-9]+", html(written(tree)).text)
        assert sorted(found) == sorted(f"w{n}" for n in range(next(count)))

    holds()


def test_code_keeps_its_lines_and_loses_its_margin() -> None:
    page = html("<p>Voici :</p><pre>\n    if x:\n\n        y()  \n</pre>")
    assert page.text == "Voici :\n\nif x:\n\n    y()"


def test_libreoffice_help_shows_the_default_of_a_switch_and_no_navigation() -> None:
    page = html(
        "<header>Aide LibreOffice</header><aside>Contenu</aside><div id='DisplayArea'><a name='bm'></a>"
        "<h1 id='hd_1'><a name='x'></a>Coller</h1><p id='par_1'>Pressez <span class='switchinline'>"
        "<span hidden='true' id='MAC1' class='MAC'>Commande</span>"
        "<span hidden='true' id='default1'>Ctrl</span>"
        "</span>+V.</p><div class='relatedtopics'><p>Rubriques connexes</p></div></div>"
        "<footer><div id='DEBUG'>debug</div></footer>"
    )
    assert page.text == "Coller\n\nPressez Ctrl+V."
    assert [p.anchor for p in page.parts] == ["hd_1", "par_1"]


def test_words_beside_the_alternatives_of_a_choice_are_kept() -> None:
    page = html(
        "<p>Pressez <span class='switchinline'>la touche <span id='MAC1'>Commande</span> ou plutôt "
        "<span id='default1'>Ctrl</span> et la lettre</span> V.</p>"
    )
    assert page.text == "Pressez la touche ou plutôt Ctrl et la lettre V."
    choice = (
        "<if:choose>Soit <if:when test='platform:x'><p>autre</p></if:when> soit <p>ici</p> enfin</if:choose>"
    )
    assert mallard(f"<title>T</title>{choice}").text == "T\n\nSoit soit\n\nici\n\nenfin"


def test_a_page_of_links_alone_is_no_prose() -> None:
    assert not html("<h1>Index</h1><div class='index'><p>a</p></div>").is_prose
    assert html("<p>a</p>").is_prose


def test_mallard_credits_licence_and_conditions_are_read() -> None:
    page = mallard(
        "<info><license href='http://creativecommons.org/licenses/by-sa/3.0/'><p>CC</p></license><desc>résumé</desc>"
        "<credit type='author copyright'><name>Ann</name><email>a@b.c</email></credit>"
        "<credit type='translator'><name>Zoé</name></credit></info><title>Titre</title>"
        "<p>Tapez <keyseq><key>Ctrl</key><key>C</key></keyseq>, "
        "puis <guiseq><gui>A</gui><gui>B</gui></guiseq>.</p>"
        "<if:choose><if:when test='platform:x'><p>autre</p></if:when><p>ici</p></if:choose>"
        "<p if:test='!platform:x'>aussi</p><p if:test='platform:x'>non</p><links type='topic'/>"
        "<terms><item><title>Mot</title><p>Sens</p></item></terms>"
    )
    assert page.text == "Titre\n\nTapez Ctrl+C, puis A ▸ B.\n\nici\n\naussi\n\nMot\n    Sens"
    assert [(a.name, a.role) for a in page.authors] == [("Ann", "author"), ("Zoé", "translator")]
    assert [s.expression for s in page.licences] == ["CC-BY-SA-3.0"]
    assert "@" not in page.text


def test_a_mallard_link_without_text_shows_the_title_of_its_page() -> None:
    other = b"""<page xmlns="http://projectmallard.org/1.0/" id="o"><title>L'autre</title>
    <section id="s"><title>Sa section</title></section></page>"""
    titles = mallard_titles(other, "o.page")
    assert titles == {"o": "L'autre", "o#s": "Sa section"}
    page = mallard("<p>Voir <link xref='o#s'/> et <link xref='o'>ici</link>.</p>", titles)
    assert page.text == "Voir «\u00a0Sa section\u00a0» et ici."


def test_docbook_is_read() -> None:
    page = docbook(
        "<articleinfo><title>Guide</title><author><surname>X</surname></author></articleinfo>"
        "<section id='s'><title>Un</title><para>Dire <quote>oui</quote>"
        "<footnote><para>ou non</para></footnote>."
        "<itemizedlist><listitem><para>a</para></listitem></itemizedlist></para><indexterm><primary>i</primary></indexterm>"
        "<variablelist><varlistentry><term>t</term><listitem><para>d</para></listitem></varlistentry></variablelist>"
        "<procedure><step><para>un</para></step><step><para>deux</para></step></procedure>"
        "<note><para>n</para></note><screen>$ ls\n  x</screen></section>"
    )
    assert page.title == "Guide"
    assert page.text == (
        "Guide\n\nUn\n\nDire «\u00a0oui\u00a0» (ou non).\n\n- a\nt\n    d\n1. un\n2. deux\n\nn\n\n$ ls\n  x"
    )
    assert page.parts[2].anchor == "s"


def test_xml_that_is_no_page_is_passed_over() -> None:
    assert read_xml(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "p") is None
    assert read_xml(b"<license xmlns='http://projectmallard.org/1.0/'><p>x</p></license>", "p") is None


BOMB = (
    '<!DOCTYPE page [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {y} "{f"&{x};" * 10}">' for x, y in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><page xmlns="http://projectmallard.org/1.0/" id="p">\n<p>&i;</p></page>'
)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<page xmlns='http://projectmallard.org/1.0/'><p>x", "Premature end"),
        (BOMB.encode(), "ntity"),
        (b"<!DOCTYPE article [<!ENTITY a 'x'>]><article><para>&a;</para></article>", "entity &a;"),
        (b"<article>\n<para>a\x00b</para></article>", "NUL"),
        (b"<?xml version='1.0' encoding='utf-8'?>\n<article>\xe9</article>", "is not utf-8"),
        (b"<?xml version='1.0' encoding='unicode_escape'?><article/>", "encoding"),
        (b"", "empty"),
        (b"<article>" + b"<para>" * 1500 + b"x" + b"</para>" * 1500 + b"</article>", "depth"),
        (b"<article>" + b"<emphasis>" * 160 + b"x" + b"</emphasis>" * 160 + b"</article>", "deep"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><article>&x;</article>', "x"),
    ],
)
def test_broken_or_hostile_xml_is_refused_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as error:
        read_xml(data, "d.deb: p.page")
    assert error.value.place is not None
    assert error.value.place.startswith("d.deb: p.page")
    assert said in error.value.what


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>" + b"<div>" * 3000 + b"x" + b"</div>" * 3000 + b"<p>after</p></body></html>",
        b"<html><body><p>a\x00b</p></body></html>",
        b"<html><head><meta charset='utf-8'></head><body>\xe9</body></html>",
        b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><p>cut sh',
        b"",
    ],
)
def test_html_that_the_parser_would_shorten_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read_html(data, "p.html")


def test_a_declared_encoding_is_taken_at_its_word() -> None:
    data = "<html><head><meta charset=iso-8859-15></head><p>cœur à 5 €</p></html>".encode("iso-8859-15")
    assert read_html(data, "p").text == "cœur à 5 €"


@pytest.mark.parametrize("before", [2034, DECLARED_WITHIN - 30, DECLARED_WITHIN - 4])
def test_an_encoding_after_a_long_comment_is_found_whole_or_not_at_all(before: int) -> None:
    page = "<html><!--" + "x" * before + "--><head><meta charset=utf-8></head><p>cœur</p></html>"
    assert read_html(page.encode("utf-8"), "p").text == "cœur"


def test_xhtml_that_is_not_quite_xml_is_read_as_html() -> None:
    page = read_html(b'<?xml version="1.0"?><html><body><p>a&nbsp;b<br></p></body></html>', "p")
    assert page.text == "a\u00a0b"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(list("<>/&;\"'=! pdivulitrablehecok-\n\u00a0é")), max_size=120))
def test_any_html_is_read_or_refused_and_parts_tile_the_text(text: str) -> None:
    try:
        page = read_html(b"<html><body>" + text.encode() + b"</body></html>", "p")
    except InputError:
        return
    ends = 0
    for part in page.parts:
        assert ends <= part.start < part.end <= len(page.text)
        ends = part.end
    covered = "".join(page.text[p.start : p.end] for p in page.parts)
    assert len(covered.strip()) <= len(page.text)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples")
def test_the_handbooks_pages_are_clean_french_prose() -> None:
    folder = SAMPLES / "handbook/doc/debian-handbook/html/fr-FR"
    pages = {f.name: read_html(f.read_bytes(), f.name) for f in sorted(folder.glob("*.html"))}
    assert len(pages) == 12
    quotas = pages["sect.quotas.html"]
    assert quotas.title is not None
    assert quotas.title.endswith("Les quotas")
    for page in pages.values():
        assert page.is_prose
        assert "Précédent" not in page.text
        assert "Niveau supérieur" not in page.text
        assert "Download the ebook" not in page.text
        assert all(part.anchor for part in page.parts)
