"""Reports of the Sénat: tags and words in their order, well-formed or not. The files are constructed."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.senat import day, read
from hemicycle.sources.zipped import XmlFile

CARD = Card(title="t", reader="senat", path=".")
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

HEAD = (
    '<?xml version="1.0" encoding="ISO-8859-1"?>\n<cri:cri xmlns:cri="http://senat.fr/schemas/thb/cri" '
    'xmlns="http://www.w3.org/1999/xhtml">\n'
)


def report(content: str) -> bytes:
    return f"{HEAD}{content}\n</cri:cri>\n".encode("iso-8859-1", "xmlcharrefreplace")


def document(content: str) -> Document:
    return day(XmlFile("cri/d20311007.xml", report(content)))


def said(name: str, words: str, attributes: str = "") -> str:
    inside = f'<cri:intervenant id="i1" {attributes}>{name}{words}</cri:intervenant>'
    return f'<div class="intervenant">{inside}</div>'


NAMED = '<span class="orateur_nom"><cri:orateurnom>{}</cri:orateurnom></span>'
STAGE = (
    '<span class="info_entre_parentheses"><cri:infoentreparentheses>({})</cri:infoentreparentheses></span>'
)


def test_a_day_reads_as_it_is_printed():
    found = document(
        '<cri:titreS1 libelle="Eau"><p class="titre_S1">Eau &amp; air</p></cri:titreS1>'
        + said(
            "",
            f'<p id="p1">{NAMED.format("Mme la présidente.")} La séance est ouverte.</p>',
            'nom="Ada BEL" civ="Mme" qua="président de séance" mat="11111A"',
        )
        + said(
            "",
            f'<p id="p2">{NAMED.format("M. Luc Pré,")} <span class="orateur_qualite">ministre.</span> Un '
            f"mot.&#160;{STAGE.format('Rires.')}</p><p>La suite.</p><p>{STAGE.format('Bruit.')}</p>",
            'nom="Luc PRÉ" civ="M." qua="ministre"',
        )
        + "<p>Il en est ainsi.</p>"
        + said("", "<p>Non&#146;!</p>", 'nom="Zoé LIN" civ="Mme" qua="UC" mat="19591F"')
    )
    assert found.text == (
        "Eau & air\n\nMme la présidente. – La séance est ouverte.\n\n"
        "M. Luc Pré, ministre. – Un mot.\N{NO-BREAK SPACE}(Rires.)\n\nLa suite.\n\n(Bruit.)\n\n"
        "Il en est ainsi.\n\nMme Zoé LIN, UC. – Non’!"
    )
    assert [(p.kind, p.speaker, p.role, p.anchor) for p in found.parts] == [
        ("heading", None, None, None),
        ("turn", "Mme la présidente", "chair", "p1"),
        ("turn", "M. Luc Pré", "ministre", "p2"),
        ("stage", None, None, "p2"),
        ("turn", "M. Luc Pré", "ministre", None),
        ("stage", None, None, None),
        ("paragraph", None, None, None),
        ("turn", "Mme Zoé LIN", "UC", "i1"),
    ]
    assert (found.date, found.title, found.kind) == ("2031-10-07", "Sénat, séance du 2031-10-07", "debate")
    assert found.authors == (
        Author("Mme la présidente", role="speaker", flags=("senat:11111A",)),
        Author("Mme Zoé LIN", role="speaker", flags=("senat:19591F",)),
    )


def test_tags_that_are_never_closed_lose_no_word():
    found = document("<div><div><p>Un <b>deux<p>trois</i></div><table><tr><td>a<td><p>b</table>quatre")
    assert found.text == "Un deux\n\ntrois\n\na | b\n\nquatre"


def test_comments_scripts_and_heads_are_no_words_and_sections_of_data_are():
    found = document(
        "<head><title>x</title></head><script>if (a<b) {}</script><!-- <p>y</p> --><p><![CDATA[a & b]]></p>"
    )
    assert found.text == "a & b"


def test_the_day_is_that_of_the_file_name_or_else_of_the_words():
    data = report("<p>Séance du mardi 7 octobre 2031</p>")
    assert day(XmlFile("cri.zip", data, "cri/d20311008.xml")).date == "2031-10-08"
    assert day(XmlFile("d20319999.xml", data)).date == "2031-10-07"
    assert day(XmlFile("a.xml", data)).date == "2031-10-07"


def test_days_are_read_inside_the_zip_and_a_day_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "cri.zip", "w") as archive:
        archive.writestr("cri/d20311007.xml", report("<p>Un.</p>"))
        archive.writestr("cri/d20311008.xml", report("<p>Deux.</p>"))
    assert [(d.origin, d.text) for d in read(tmp_path, CARD)] == [
        ("cri.zip#cri/d20311007.xml", "Un."),
        ("cri.zip#cri/d20311008.xml", "Deux."),
    ]
    (tmp_path / "d20311007.xml").write_bytes(report("<p>Trois.</p>"))
    with pytest.raises(InputError, match="a second time"):
        list(read(tmp_path, CARD))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (report("<p>x</p>")[:-12], "cut short"),
        (report("<p>x</p>").replace(b"thb/cri", b"other"), "namespace"),
        (report("<p>\0</p>"), "NUL"),
        (report("é").decode("latin-1").encode("utf-8"), "UTF-8"),
        (report("<p>é</p>").replace(b"ISO-8859-1", b"UTF-8"), "not UTF-8"),
        (report("<!-- x"), "comment"),
        (report("<head>x"), "never closed"),
        (report('<!DOCTYPE a [<!ENTITY b "c">]>'), "entities"),
        (b"", "namespace"),
    ],
)
def test_a_bad_report_is_refused_with_its_file(data, what):
    with pytest.raises(InputError, match=what) as error:
        day(XmlFile("sub/d20311007.xml", data))
    assert error.value.place.startswith("sub/d20311007.xml")


TAGS = st.sampled_from(
    [
        *"<p> </p> <div> </div> <cri:intervenant> </cri:intervenant> <b> </b> <sup> </sup> <br/>".split(),
        *"<td> <tr> </table> <h2> </span>".split(),
        '<cri:intervenant nom="X" civ="M.">',
        '<p class="titre_S1">',
        '<span class="orateur_nom">',
        '<span class="info_entre_parentheses">',
    ]
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.one_of(TAGS, st.sampled_from(["w.", "M. w.", "w,", "(w)", "w"])), max_size=40))
def test_every_word_of_any_sequence_of_tags_is_read_exactly_once(tokens):
    count = 0
    pieces = []
    for token in tokens:
        if "w" in token and not token.startswith("<"):
            token = token.replace("w", f" w{count:03} ")
            count += 1
        pieces.append(token)
    found = document("".join(pieces))
    assert sorted(re.findall(r"w\d+", found.text)) == [f"w{n:03}" for n in range(count)]
    found.row("s")


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=9)), max_size=6))
def test_a_damaged_report_is_read_or_refused_and_nothing_else(damage):
    data = report(said(NAMED.format("M. X."), f"<p>Oui {STAGE.format('Bruit')}</p>", 'mat="1"'))
    for at, noise in damage:
        data = data[:at] + noise + data[at + len(noise) :]
    with contextlib.suppress(HemicycleError):
        day(XmlFile("d20311007.xml", data)).row("s")


@pytest.mark.parametrize(
    "many", ["<i>", "<", "<!", "(", "<p>", "<span class='orateur_nom'>M. A</span>, ", "</i>"]
)
def test_a_hostile_page_costs_no_square_of_its_length(many):
    document(f"<p>{many * 100_000}")
