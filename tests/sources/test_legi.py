"""Law of the DILA: one version a document, increments obeyed, nothing lost from whatever stands in a file."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, write_documents
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.legi import legal_document, plain_path, read, removed_paths, validity
from tests.sources.made_tar import tar

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="legi", path=".")
TOP = "legi/global/code_et_TNC_en_vigueur/code_en_vigueur/LEGI/TEXT/00/LEGITEXT000000000001"


def article(
    identity: str = "LEGIARTI000000000001",
    text: str = "<p>Nul ne ferme une fontaine.</p>",
    *,
    state: str = "VIGUEUR",
    since: str = "2031-01-01",
    until: str = "2999-01-01",
    versions: str = "",
    more: str = "",
) -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ARTICLE><META><META_COMMUN><ID>{identity}</ID><ANCIEN_ID/><ORIGINE>LEGI</ORIGINE>
<URL>article/{identity}.xml</URL><NATURE>Article</NATURE></META_COMMUN>
<META_SPEC><META_ARTICLE><NUM>L. 3-1</NUM><ETAT>{state}</ETAT><DATE_DEBUT>{since}</DATE_DEBUT>
<DATE_FIN>{until}</DATE_FIN><TYPE>AUTONOME</TYPE></META_ARTICLE></META_SPEC></META>
<CONTEXTE><TEXTE cid="LEGITEXT000000000001" nature="CODE">
<TITRE_TXT debut="2000-01-01" fin="2020-01-01" id_txt="LEGITEXT000000000001">Code ancien</TITRE_TXT>
<TITRE_TXT debut="2020-01-01" fin="2999-01-01" id_txt="LEGITEXT000000000001">Code des fontaines</TITRE_TXT>
<TM><TITRE_TM debut="2020-01-01" fin="2999-01-01" id="LEGISCTA1">Livre Ier : Des eaux</TITRE_TM>
<TM><TITRE_TM debut="2020-01-01" fin="2999-01-01" id="LEGISCTA2">Titre II</TITRE_TM></TM></TM></TEXTE>
</CONTEXTE>
<VERSIONS>{versions}</VERSIONS>
<BLOC_TEXTUEL><CONTENU>{text}</CONTENU></BLOC_TEXTUEL>{more}
<LIENS><LIEN cidtexte="JORF1" sens="cible">LOI n° 1 - art. 2 (V)</LIEN></LIENS></ARTICLE>""".encode()


def version(identity: str, since: str) -> str:
    return (
        f'<VERSION etat="VIGUEUR"><LIEN_ART debut="{since}" fin="" id="{identity}" num="L. 3-1"/></VERSION>'
    )


def document(data: bytes) -> Document:
    found = legal_document(data, "a.xml")[1]
    assert found is not None
    return found


def shown(found: Document) -> list[tuple[str | None, str]]:
    return [(part.kind, found.text[part.start : part.end]) for part in found.parts]


def archive(folder: Path, name: str, files: dict[str, bytes]) -> None:
    (folder / name).write_bytes(gzip.compress(tar(files)))


def read_all(folder: Path, card: Card = CARD) -> list[Document]:
    return list(read(folder, card))


def test_an_article_reads_as_it_stands_in_the_code():
    found = document(
        article(
            text='<p>Toute <a href="x" id="y">fontaine</a> est publique.<br/><br/>Nul ne la ferme.</p>'
            "<p>1° L’été ;<br/>2° L’hiver.</p>",
            more="<NOTA><CONTENU><p>Entre en vigueur au 1<sup>er</sup> janvier.</p></CONTENU></NOTA>",
        )
    )
    assert found.text == (
        "Toute fontaine est publique.\nNul ne la ferme.\n\n1° L’été ;\n2° L’hiver.\n\n"
        "Entre en vigueur au 1er janvier."
    )
    assert shown(found) == [
        ("paragraph", "Toute fontaine est publique.\nNul ne la ferme."),
        ("paragraph", "1° L’été ;\n2° L’hiver."),
        ("note", "Entre en vigueur au 1er janvier."),
    ]
    assert found.id == "LEGIARTI000000000001"
    assert {(p.anchor, p.title) for p in found.parts} == {("LEGIARTI000000000001", "Article L. 3-1")}
    assert found.title == (
        "Code des fontaines > Livre Ier : Des eaux > Titre II > "
        "Article L. 3-1 (VIGUEUR, depuis le 2031-01-01)"
    )
    assert (found.date, found.kind, found.origin) == ("2031-01-01", "law", "a.xml")


def test_the_title_of_the_text_is_the_one_of_the_day():
    assert (document(article(since="2005-01-01")).title or "").startswith("Code ancien > ")


@pytest.mark.parametrize(
    ("state", "since", "until", "said"),
    [
        ("VIGUEUR", "2031-01-01", "2999-01-01", "VIGUEUR, depuis le 2031-01-01"),
        ("ABROGE", "2031-01-01", "2032-01-01", "ABROGE, du 2031-01-01 au 2032-01-01"),
        ("VIGUEUR_DIFF", "2222-02-22", "2999-01-01", "VIGUEUR_DIFF"),
        ("", "", "2032-01-01", "jusqu’au 2032-01-01"),
        ("", "rubbish", "", ""),
    ],
)
def test_sentinel_days_are_no_days(state: str, since: str, until: str, said: str):
    assert validity(state, since, until) == said


def test_versions_of_an_article_are_one_group_named_after_the_earliest():
    both = version("LEGIARTI000000000009", "2001-01-01") + version("LEGIARTI000000000001", "2031-01-01")
    groups = {
        document(article("LEGIARTI000000000009", versions=both)).group,
        document(article("LEGIARTI000000000001", versions=both)).group,
        # A file that an increment did not refresh does not know the later version.
        document(
            article("LEGIARTI000000000009", versions=version("LEGIARTI000000000009", "2001-01-01"))
        ).group,
    }
    assert groups == {"LEGIARTI000000000009"}


TEXT = """<TEXTE_VERSION><META><META_COMMUN><ID>LEGITEXT000000000002</ID><NATURE>DECRET</NATURE></META_COMMUN>
<META_SPEC><META_TEXTE_CHRONICLE><CID>JORFTEXT000000000002</CID><DATE_PUBLI>2031-02-03</DATE_PUBLI>
</META_TEXTE_CHRONICLE><META_TEXTE_VERSION><TITRE>Décret n° 1</TITRE>
<TITREFULL>Décret n° 1 du 2 février 2031</TITREFULL>
<ETAT>VIGUEUR</ETAT><DATE_DEBUT/><DATE_FIN/></META_TEXTE_VERSION></META_SPEC></META>
<VISAS><CONTENU>Vu la loi ;<br/>Vu l’avis,</CONTENU></VISAS>
<SIGNATAIRES><CONTENU><p>Ada Bel</p></CONTENU></SIGNATAIRES>
<TP><CONTENU/></TP></TEXTE_VERSION>"""


def test_what_stands_around_the_articles_of_a_text_is_a_document():
    found = document(TEXT.encode())
    assert shown(found) == [("visas", "Vu la loi ;\nVu l’avis,"), ("signatures", "Ada Bel")]
    assert found.title == "Décret n° 1 du 2 février 2031 (VIGUEUR)"
    assert (found.date, found.group) == ("2031-02-03", "JORFTEXT000000000002")


STRUCTURE = b"""<TEXTELR><META><META_COMMUN><ID>LEGITEXT000000000002</ID></META_COMMUN></META>
<STRUCT><LIEN_SECTION_TA id="LEGISCTA1">Livre Ier</LIEN_SECTION_TA><LIEN_ART id="LEGIARTI1" num="1"/></STRUCT>
</TEXTELR>"""
SECTION = b"""<SECTION_TA><ID>LEGISCTA000000000001</ID><TITRE_TA>Livre Ier</TITRE_TA><STRUCTURE_TA>
<LIEN_ART id="LEGIARTI1"/></STRUCTURE_TA><CONTEXTE><TEXTE><TITRE_TXT>Code</TITRE_TXT></TEXTE></CONTEXTE>
</SECTION_TA>"""


JOURNAL = """<JO><META><META_COMMUN><ID>JORFCONT000000000001</ID></META_COMMUN></META>
<STRUCTURE_TXT><TM niv="1"><TITRE_TM>Décrets</TITRE_TM><LIEN_TXT idtxt="JORFTEXT1" titretxt="Décret"/></TM>
</STRUCTURE_TXT></JO>""".encode()


def test_tables_of_contents_make_no_document_and_do_not_hide_the_text_of_the_same_id(tmp_path: Path):
    for name, data in {
        "1.xml": STRUCTURE,
        "2.xml": SECTION,
        "3.xml": TEXT.encode(),
        "4.xml": JOURNAL,
    }.items():
        (tmp_path / name).write_bytes(data)
    assert [d.id for d in read_all(tmp_path)] == ["LEGITEXT000000000002"]


def test_a_judgement_is_read_by_the_same_code():
    data = """<TEXTE_JURI_JUDI><META><META_COMMUN><ID>JURITEXT000000000001</ID></META_COMMUN>
    <META_SPEC><META_JURI><TITRE>Cour, 7 janvier 2031, 30-1</TITRE><DATE_DEC>2031-01-07</DATE_DEC></META_JURI>
    </META_SPEC></META>
    <TEXTE><BLOC_TEXTUEL><CONTENU>Attendu que<br/>l’eau coule ;</CONTENU></BLOC_TEXTUEL>
    <SOMMAIRE><SCT ID="1" TYPE="PRINCIPAL">FONTAINE</SCT><ANA ID="1">Cours de l’eau.</ANA></SOMMAIRE></TEXTE>
    <LIENS/></TEXTE_JURI_JUDI>"""
    found = document(data.encode())
    assert found.text == "Attendu que\nl’eau coule ;\n\nFONTAINE\n\nCours de l’eau."
    assert (found.title, found.date) == ("Cour, 7 janvier 2031, 30-1", "2031-01-07")


def test_elements_nobody_foresaw_are_read():
    found = document(
        article(
            text="avant<ALINEA>un</ALINEA><ALINEA>deux</ALINEA><MAIN>trois</MAIN><header>quatre</header>"
            '<form id="DisplayArea">cinq</form><P>six<BR/>sept</P><mot>hu</mot>it<pre/>neuf',
            more="<AUTRE>dix<NOTE_X>onze</NOTE_X>douze</AUTRE>",
        )
    )
    assert found.text.split() == "avant un deux trois quatre cinq six sept huit neuf dix onze douze".split()


def test_articles_inside_a_structure_are_read():
    data = """<TEXTE><ID>JORFTEXT000000000003</ID><STRUCT><TITRE_TA>Titre Ier</TITRE_TA><ARTICLE><NUM>1</NUM>
    <BLOC_TEXTUEL><CONTENU><p>Nul ne la ferme.</p></CONTENU></BLOC_TEXTUEL></ARTICLE></STRUCT></TEXTE>"""
    assert document(data.encode()).text == "Titre Ier\n\n1\n\nNul ne la ferme."


def test_a_table_keeps_its_rows():
    table = "<table><tr><th>Eau</th><th>Prix</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert document(article(text=table)).text == "Eau | Prix\n1 | 2"


class _Words(HTMLParser):
    """Words inside the content, counted by another parser than the reader's."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.inside = 0

    def handle_starttag(self, tag, attrs):
        self.inside += tag in ("bloc_textuel", "nota")

    def handle_endtag(self, tag):
        self.inside -= tag in ("bloc_textuel", "nota")

    def handle_data(self, data):
        if self.inside:
            self.words += data.split()


words = st.text(alphabet="abcéàœ’°«»", min_size=1, max_size=8)
blocks = st.recursive(
    words.map(lambda w: f" {w} "),
    lambda inner: st.tuples(
        st.sampled_from(
            ["p", "div", "b", "a", "ul", "li", "table", "tr", "td", "dl", "dd", "blockquote", "X", "q1"]
        ),
        st.lists(inner, max_size=4),
    ).map(lambda pair: f"<{pair[0]}>{' '.join(pair[1])}</{pair[0]}><br/>"),
    max_leaves=12,
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(blocks, min_size=1, max_size=5), blocks)
def test_no_word_is_lost_or_doubled_however_the_content_nests(content: list[str], nota: str):
    data = article(text="".join(content), more=f"<NOTA><CONTENU>{nota}</CONTENU></NOTA>")
    other = _Words()
    other.feed(data.decode())
    found = legal_document(data, "a.xml")[1]
    read_words = re.sub(r"(?<!\S)[-|](?!\S)", " ", found.text).split() if found else []
    assert read_words == other.words


# Archives


def test_increments_replace_and_take_away(tmp_path: Path):
    a, b, c = (f"{TOP}/article/LEGIARTI00000000000{n}" for n in (1, 2, 3))
    archive(
        tmp_path,
        "Freemium_legi_global_20310101-140000.tar.gz",
        {
            f"{a}.xml": article("LEGIARTI000000000001", "un"),
            f"{b}.xml": article("LEGIARTI000000000002", "deux"),
            f"{c}.xml": article("LEGIARTI000000000003", "trois"),
        },
    )
    archive(
        tmp_path,
        "LEGI_20310102-210000.tar.gz",
        {
            f"20310102-210000/{a}.xml": article("LEGIARTI000000000001", "un, revu"),
            "20310102-210000/liste_suppression_legi.dat": f"{b}\n{a} D\n".encode(),
        },
    )
    archive(
        tmp_path,
        "LEGI_20310103-210000.tar.gz",
        {"20310103-210000/liste_suppression_legi_dossier.dat": f"{TOP}/article/absent\n".encode()},
    )
    assert [(d.id, d.text) for d in read_all(tmp_path)] == [
        ("LEGIARTI000000000001", "un, revu"),
        ("LEGIARTI000000000003", "trois"),
    ]


def test_a_folder_that_is_taken_away_goes_with_all_that_is_in_it(tmp_path: Path):
    moved = TOP.replace("en_vigueur/LEGI", "non_vigueur/LEGI")
    archive(
        tmp_path,
        "legi_global_20310101-140000.tar.gz",
        {
            f"{TOP}/article/1.xml": article("LEGIARTI000000000001", "un"),
            f"{moved}/article/1.xml": article("LEGIARTI000000000001", "un"),
            f"{TOP}/article/2.xml": article("LEGIARTI000000000002", "deux"),
            f"{TOP}0/article/3.xml": article("LEGIARTI000000000003", "trois"),
        },
    )
    archive(tmp_path, "LEGI_20310102-210000.tar.gz", {"liste_suppression_legi.dat": f"{TOP}\n".encode()})
    assert [(d.id, d.text) for d in read_all(tmp_path)] == [
        ("LEGIARTI000000000001", "un"),
        ("LEGIARTI000000000003", "trois"),
    ]


def test_one_id_under_two_paths_is_one_document(tmp_path: Path):
    archive(tmp_path, "x.tar.gz", {"a/1.xml": article(text="un"), "b/1.xml": article(text="un")})
    found = read_all(tmp_path)
    assert [d.text for d in found] == ["un"]
    assert write_documents(tmp_path / "d.parquet", "s", found) == 1


def test_the_order_of_several_archives_must_be_known(tmp_path: Path):
    archive(tmp_path, "a.tar.gz", {})
    archive(tmp_path, "LEGI_20310102-210000.tar.gz", {})
    with pytest.raises(InputError, match=r"^a.tar.gz: the name of the archive holds no day"):
        read_all(tmp_path)


def test_an_increment_older_than_the_full_archive_is_refused(tmp_path: Path):
    archive(tmp_path, "LEGI_20310102-210000.tar.gz", {})
    archive(tmp_path, "Freemium_legi_global_20310103-210000.tar.gz", {})
    with pytest.raises(InputError, match=r"^LEGI_20310102-210000.tar.gz: this archive is older"):
        read_all(tmp_path)


def test_a_list_that_is_not_understood_is_refused_with_its_line():
    assert removed_paths(b"20310102-210000/legi/a.xml\r\n\nlegi/b D\n", "l") == ["legi/a", "legi/b"]
    assert plain_path("20310102-210000/legi/a.xml") == "legi/a"
    for line in ("legi/a b c", "/etc/passwd", "legi/../../a"):
        with pytest.raises(InputError, match=r"^l, line 2: "):
            removed_paths(f"legi/x\n{line}\n".encode(), "l")


def test_an_unpacked_list_is_refused_rather_than_passed_over(tmp_path: Path):
    (tmp_path / "liste_suppression_legi.dat").write_text("legi/a\n")
    with pytest.raises(InputError, match="whether it was obeyed"):
        read_all(tmp_path)


def test_companions_are_passed_over_and_other_files_refused(tmp_path: Path):
    archive(tmp_path, "a.tar.gz", {"WARNING.pdf": b"x", "a.xml": article()})
    assert len(read_all(tmp_path)) == 1
    archive(tmp_path, "a.tar.gz", {"a.xml": article(), "b.sqlite": b"x"})
    with pytest.raises(InputError, match=r"^a.tar.gz#b.sqlite: "):
        read_all(tmp_path)
    (tmp_path / "c.csv").write_text("x")
    with pytest.raises(InputError, match=r"^c.csv: the card selects"):
        read_all(tmp_path, CARD.model_copy(update={"include": ["*.csv"]}))


# Hostile files


BOMB = b'<!DOCTYPE ARTICLE [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (article()[:-40], "not well-formed"),
        (article(text="été").decode().encode("latin-1"), "not well-formed"),
        (article().replace(b"UTF-8", b"ISO-8859-1").replace(b"Nul", "É".encode()), "its bytes are UTF-8"),
        (article().replace(b"fontaine", b"font\0ine"), "NUL"),
        (article().replace(b"<ARTICLE>", BOMB + b"<ARTICLE>"), "declares entities"),
        (article(text="&nbsp;"), "entity|Entity"),
        (article(text="<p>" * 9_000 + "</p>" * 9_000), "not well-formed"),
        (b"<ARTICLE><META/></ARTICLE>", "no META/META_COMMUN/ID"),
        (b"<html><body>x</body></html>", "no META/META_COMMUN/ID"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(data: bytes, message: str):
    with pytest.raises(InputError, match=message) as caught:
        legal_document(data, "a.xml")
    assert (caught.value.place or "").startswith("a.xml")


GOOD = article(
    text="<p>Été <b>x</b></p><table><tr><td>1</td></tr></table>", versions=version("A", "2001-01-01")
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=10)), max_size=4))
def test_altered_bytes_give_a_document_or_an_error(changes):
    data = bytearray(GOOD)
    for position, new in changes:
        data[position : position + len(new)] = new
    with contextlib.suppress(HemicycleError):
        found = legal_document(bytes(data), "a.xml")[1]
        if found is not None:
            found.row("s")


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_list_gives_paths_or_an_error(data: bytes):
    with contextlib.suppress(HemicycleError):
        assert all(not path.startswith("/") for path in removed_paths(data, "l"))
