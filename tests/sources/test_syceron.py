"""Sittings: the printed layout, who speaks, what is inherited, and nothing lost or doubled on real files."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.syceron import person_id, read, sitting, takes_the_chair
from hemicycle.sources.zipped import XmlFile

ROOT = Path(__file__).resolve().parents[2]
CONSTRUCTED = ROOT.parent / "shared/samples/assemblee-syceron-constructed"
DEMO = ROOT / "examples/petit-hemicycle/sittings"
CARD = Card(title="t", reader="syceron", path=".")
NAMESPACE = "http://schemas.assemblee-nationale.fr/referentiel"


def report(content: str, metadata: str = "", namespace: str = f' xmlns="{NAMESPACE}"') -> bytes:
    return (
        f"<compteRendu{namespace}><uid>CRS1</uid><metadonnees>{metadata}</metadonnees>"
        f"<contenu>{content}</contenu></compteRendu>"
    ).encode()


def paragraph(words: str, name: str = "", number: str = "", office: str = "", **attributes: str) -> str:
    stated = "".join(f' {key}="{value}"' for key, value in attributes.items())
    speaker = (
        f"<orateur><nom>{name}</nom><id>{number}</id><qualite>{office}</qualite></orateur>" if name else ""
    )
    return f"<paragraphe{stated}><orateurs>{speaker}</orateurs><texte>{words}</texte></paragraphe>"


def document(content: str, metadata: str = "") -> Document:
    return sitting(XmlFile("a.xml", report(content, metadata)))


def shown(found: Document) -> list[tuple[str | None, str]]:
    return [(part.kind, found.text[part.start : part.end]) for part in found.parts]


def test_the_text_reads_as_the_report_is_printed():
    found = document(
        "<point id_syceron='1'><texte>Eau</texte>"
        + paragraph("La parole est à Mme la ministre.", "Mme la présidente", "1")
        + paragraph("Un mot.", "Mme Ada Bel", "2", "ministre des eaux")
        + paragraph("Un autre.", "Mme Ada Bel", "2", "ministre des eaux")
        + paragraph("<italique>(Sourires.)</italique>", code_style="Info Italiques")
        + paragraph("Merci&#160;!", "Mme la présidente", "1")
        + "</point>"
    )
    assert found.text == (
        "Eau\n\n"
        "Mme la présidente. – La parole est à Mme la ministre.\n\n"
        "Mme Ada Bel, ministre des eaux. – Un mot.\n\n"
        "Un autre.\n\n"
        "(Sourires.)\n\n"
        "Mme la présidente. – Merci\N{NO-BREAK SPACE}!"
    )
    assert shown(found) == [
        ("heading", "Eau"),
        ("turn", "La parole est à Mme la ministre."),
        ("turn", "Un mot."),
        ("turn", "Un autre."),
        ("stage", "(Sourires.)"),
        ("turn", "Merci\N{NO-BREAK SPACE}!"),
    ]
    assert [(p.speaker, p.role) for p in found.parts if p.kind == "turn"] == [
        ("Mme la présidente", "chair"),
        ("Mme Ada Bel", "ministre des eaux"),
        ("Mme Ada Bel", "ministre des eaux"),
        ("Mme la présidente", "chair"),
    ]


def test_anchor_and_time_are_those_of_the_paragraph():
    part = document('<paragraphe id_syceron="77"><texte stime="926.62">Oui.</texte></paragraphe>').parts[0]
    assert (part.anchor, part.time, part.kind, part.speaker) == ("77", 926.62, "paragraph", None)


@pytest.mark.parametrize(
    ("name", "role", "stated", "chair"),
    [
        ("Mme la présidente", "", "", True),
        ("M. le président", "", "", True),
        ("M.\N{NO-BREAK SPACE}le président.", "", "", True),
        ("M. le président d’âge", "", "", True),
        ("M. Hugues Tarn", "", "president", True),
        ("M. Hugues Tarn", "président de la commission des lois", "", False),
        ("M. Hugues Tarn", "président de la commission des lois", "president", False),
        ("M. le président de la commission des lois", "", "", False),
        ("Mme la présidente Untel", "", "", False),
    ],
)
def test_the_chair_is_known_by_its_printed_name(name, role, stated, chair):
    assert takes_the_chair(name, role, stated) is chair


@pytest.mark.parametrize(
    ("stated", "identity"),
    [("942", "PA942"), ("PA942", "PA942"), (" PA0 ", "PA0"), ("", None), (None, None), ("x", None)],
)
def test_an_id_with_and_without_its_prefix_is_the_same(stated, identity):
    assert person_id(stated) == identity


def test_speakers_are_listed_once_with_their_ids_and_several_voices_are_nobody():
    found = document(
        paragraph("Un.", "Mme la présidente", "7")
        + paragraph("Deux.", "M. X", "8", id_acteur="PA8")
        + paragraph("Trois.", "Plusieurs députés", "0", id_acteur="PA0")
        + paragraph("Quatre.", "Mme Y", "7")
        + paragraph("Cinq.", "Mme la présidente", "7")
    )
    assert found.authors == (
        Author("Mme Y", role="speaker", flags=("PA7",)),
        Author("M. X", role="speaker", flags=("PA8",)),
    )
    assert [p.role for p in found.parts] == ["chair", None, "several", None, "chair"]


def test_a_name_left_out_is_the_one_that_stood_with_the_id_before():
    found = document(
        paragraph("Un.", "M. X", "8")
        + '<paragraphe id_acteur="PA8"><orateurs/><texte>Deux.</texte></paragraphe>'
        '<paragraphe id_acteur="PA9"><texte>Trois.</texte></paragraphe>'
    )
    assert [p.speaker for p in found.parts] == ["M. X", "M. X", "PA9"]


def test_two_speakers_of_one_paragraph_are_both_named():
    two = "<orateur><nom>M. X</nom><id>1</id></orateur><orateur><nom>Mme Y</nom><id>2</id></orateur>"
    found = document(f"<paragraphe><orateurs>{two}</orateurs><texte>Non !</texte></paragraphe>")
    assert found.parts[0].speaker == "M. X et Mme Y"
    assert len(found.authors) == 2


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("n[[o]]&#160;14", "n°\N{NO-BREAK SPACE}14"),
        ("n[[os]] 14 et 15", "n°s 14 et 15"),
        ("n[[o]]s 14 et 15", "n°s 14 et 15"),
        ("N<exposant>o</exposant> 3", "N° 3"),
        ("n<sup>os</sup> 3 et 4", "n°s 3 et 4"),
        ("le 1[[er]] mai, le XXI<exposant>e</exposant> siècle", "le 1er mai, le XXIe siècle"),
        ("un<exposant>o</exposant>", "uno"),
        ("une ligne<br/>une autre", "une ligne\nune autre"),
        ("a [b] [[c", "a [b] [[c"),
    ],
)
def test_superscripts_in_all_their_spellings(written, printed):
    assert document(paragraph(written, "M. X")).text == f"M. X. – {printed}"


@pytest.mark.parametrize(
    ("words", "stages"),
    [
        ("Bien. <italique>(Rires.)</italique> Suite.", ["(Rires.)"]),
        ("Bien. (<italique>Rires</italique>.) Suite.", ["(Rires.)"]),
        ("Bien. <italique>(Rires.) (Bruit.)</italique>", ["(Rires.)", "(Bruit.)"]),
        ("Un (petit) mot dans <italique>Le Monde (du soir)</italique>.", []),
        ("<italique>(M. X (SRC) applaudit.)</italique> Bon.", ["(M. X (SRC) applaudit.)"]),
        ("Bon. <italique>(Jamais fermé</italique> et la suite", ["(Jamais fermé"]),
        ("(La séance est ouverte.)", ["(La séance est ouverte.)"]),
    ],
)
def test_stage_directions_are_told_from_other_parentheses(words, stages):
    found = document(paragraph(words, "M. X"))
    assert [w for kind, w in shown(found) if kind == "stage"] == stages


def test_a_paragraph_inherits_from_the_nearest_point_that_declares():
    inner = "<point nivpoint='3'><texte>Amendement n[[o]] 31</texte>" + paragraph("Un.") + "</point>"
    silent = "<point nivpoint='3'>" + paragraph("Deux.") + "</point>"
    found = document(
        "<point bibard=' (n[[o]] 14)' valeur=' (n[[o]] 14)'>"
        "<titreStruct><intitule>Eau</intitule></titreStruct>"
        f"<point art='2'><texte>Article 2</texte>{inner}{silent}</point></point>" + paragraph("Trois.")
    )
    assert [(p.title, w) for p, (kind, w) in zip(found.parts, shown(found), strict=True)] == [
        ("Eau (n° 14)", "Eau (n° 14)"),
        ("Article 2 (n° 14)", "Article 2"),
        ("Amendement n° 31, article 2 (n° 14)", "Amendement n° 31"),
        ("Amendement n° 31, article 2 (n° 14)", "Un."),
        ("Article 2 (n° 14)", "Deux."),
        (None, "Trois."),
    ]


def test_opening_change_of_chair_and_end_are_read_and_the_summary_is_not():
    found = document(
        "<quantiemes><journee>Séance du jeudi</journee></quantiemes>"
        "<ouvertureSeance>" + paragraph("Un.", "M. X") + "</ouvertureSeance>"
        "<changementPresidence><texte>Présidence de Mme Y</texte></changementPresidence>"
        "<finSeance>" + paragraph("Deux.", "M. X") + "</finSeance>",
        metadata="<sommaire><intitule>Eau</intitule></sommaire>",
    )
    assert found.text == "Séance du jeudi\n\nM. X. – Un.\n\nPrésidence de Mme Y\n\nM. X. – Deux."


def test_title_date_and_id_come_from_the_metadata():
    found = document(
        paragraph("Un."),
        "<dateSeance>20311007150000000</dateSeance><dateSeanceJour>mardi 7 octobre 2031</dateSeanceJour>"
        "<numSeanceJour>Première</numSeanceJour><version>avant_JO</version>",
    )
    assert (found.id, found.date, found.kind) == ("CRS1", "2031-10-07", "debate")
    assert found.title == "Première séance du mardi 7 octobre 2031 (CRS1, avant_JO)"


def test_a_date_in_words_serves_where_there_is_no_other():
    assert document("", "<dateSeanceJour>samedi 1er février 2031</dateSeanceJour>").date == "2031-02-01"


def test_the_older_layout_without_namespace_reads_the_same():
    content = "<point><texte>Eau</texte>" + paragraph("Un.", "M. X", "1") + "</point>"
    old = sitting(XmlFile("a.xml", report(content, namespace="")))
    assert (old.text, old.parts) == (document(content).text, document(content).parts)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (report(paragraph("x")).replace(b"<texte>", b'<texte stime="midi">'), "stime"),
        (report(paragraph("x")).replace(b"<texte>", b'<texte stime="-1">'), "stime"),
        (report("", "<dateSeance>20311332</dateSeance>"), "dateSeance"),
        (report("", "<dateSeance>hier</dateSeance>"), "dateSeance"),
        (b"<TEI/>", "root element"),
        (b"<compteRendu/>", "no “contenu”"),
        (report("")[:-9], "well-formed"),
    ],
)
def test_a_bad_report_is_refused_with_file_and_line(data, what):
    with pytest.raises(InputError, match=what) as error:
        sitting(XmlFile("sub/a.xml", data))
    assert re.fullmatch(r"sub/a\.xml, line 1", error.value.place)


def test_sittings_inside_a_zip_are_named_by_their_uid(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("xml/a.xml", report(paragraph("Un.")))
        archive.writestr("xml/b.xml", report(paragraph("Deux.")).replace(b"CRS1", b"CRS2"))
    assert [(d.origin, d.id, d.text) for d in read(tmp_path, CARD)] == [
        ("all.zip#CRS1", "CRS1", "Un."),
        ("all.zip#CRS2", "CRS2", "Deux."),
    ]


def test_a_sitting_that_is_there_twice_is_refused(tmp_path):
    (tmp_path / "a.xml").write_bytes(report(paragraph("Un.")))
    (tmp_path / "b.xml").write_bytes(report(paragraph("Un, revu.")))
    with pytest.raises(InputError, match=r"a second time: it was read in a\.xml") as error:
        list(read(tmp_path, CARD))
    assert error.value.place == "b.xml"


def test_a_bad_member_of_a_zip_is_named(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xml/a.xml", "<compteRendu>\n<uid>")
    (tmp_path / "all.zip").write_bytes(buffer.getvalue())
    with pytest.raises(InputError) as error:
        list(read(tmp_path, CARD))
    assert error.value.place == "all.zip#xml/a.xml, line 2"


TREES = st.recursive(
    st.sampled_from(["paragraphe", "texte", "italique", "journee"]).map(lambda name: (name, [])),
    lambda inner: st.tuples(
        st.sampled_from(
            ["point", "ouvertureSeance", "paragraphe", "texte", "italique", "exposant", "inconnu"]
        ),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(TREES)
def test_every_word_of_any_tree_is_read_exactly_once(tree):
    count = 0

    def word() -> str:
        nonlocal count
        count += 1
        return f" w{count:03} "

    def xml(node: tuple[str, list]) -> str:
        name, children = node
        return f"<{name}>{word()}{''.join(xml(child) for child in children)}</{name}>{word()}"

    content = xml(tree)
    assert re.findall(r"w\d+", document(content).text) == [f"w{n:03}" for n in range(1, count + 1)]


def plain(text: str | None) -> str:
    """Letters and signs only, with the notations of n° brought to one: how the two counts are compared."""
    return re.sub(r"\[\[|\]\]|\s", "", text or "").replace("°", "o")


def files() -> list[Path]:
    return sorted(CONSTRUCTED.glob("*.xml")) + sorted(DEMO.glob("*.xml"))


@pytest.mark.skipif(not files(), reason="no sittings to read")
@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_real_sittings_lose_and_double_nothing(path):
    """An independent count with another parser: every paragraph and heading, in order, letter for letter."""
    root = ElementTree.parse(path).getroot()
    content = root.find(f"{{{NAMESPACE}}}contenu")
    headings, paragraphs, speakers = [], [], []
    inside = {id(e) for p in content.iter(f"{{{NAMESPACE}}}paragraphe") for e in p.iter()}
    inside |= {id(e) for t in content.iter(f"{{{NAMESPACE}}}texte") for e in t.iter() if e is not t}
    for element in content.iter():
        name = element.tag.split("}")[1]
        if name == "paragraphe":
            paragraphs.append(plain("".join(element.find(f"{{{NAMESPACE}}}texte").itertext())))
            speakers.append(
                plain("".join(n.text or "" for n in element.iter(f"{{{NAMESPACE}}}nom"))).rstrip(".")
            )
        elif id(element) not in inside and plain(element.text):
            headings.append(plain("".join(element.itertext())) if name == "texte" else plain(element.text))
    found = sitting(XmlFile(path.name, path.read_bytes()))
    at = {
        kind: [p for p in found.parts if p.kind == kind] for kind in ("heading", "turn", "paragraph", "stage")
    }
    alone = [
        s for s in at["stage"] if not any(t.start <= s.start < t.end for t in at["turn"] + at["paragraph"])
    ]
    read_back = sorted([*at["turn"], *at["paragraph"], *alone], key=lambda p: p.start)
    assert [plain(found.text[p.start : p.end]) for p in read_back] == paragraphs
    assert [plain(p.speaker) for p in read_back if p.kind == "turn"] == [
        s for s, p in zip(speakers, read_back, strict=True) if p.kind == "turn"
    ]
    assert [p.anchor for p in read_back] == [
        e.get("id_syceron") for e in content.iter(f"{{{NAMESPACE}}}paragraphe")
    ]
    numbers = [plain(found.text[p.start : p.end]) for p in at["heading"]]
    assert [re.sub(r"\(nos?[\d,]+\)$", "", n) for n in numbers] == headings
    # What lies in no part is printed names and nothing else.
    covered = sorted([*read_back, *at["heading"]], key=lambda p: p.start)
    between = [
        found.text[a:b]
        for a, b in zip([0, *(p.end for p in covered)], [p.start for p in covered], strict=False)
    ]
    assert all(gap.strip() == "" or gap.endswith(". – ") for gap in between)
    assert covered[-1].end == len(found.text)


@pytest.mark.skipif(not CONSTRUCTED.is_dir(), reason="the samples are not here")
def test_the_constructed_sitting_has_its_known_figures():
    (found,) = read(CONSTRUCTED, CARD)
    turns = [p for p in found.parts if p.kind == "turn"]
    times = [p.time for p in found.parts if p.time is not None]
    assert (found.date, found.id, len(turns)) == ("2013-01-29", "CRSANR5L14S2013O1N119", 274)
    assert times == sorted(times)
    # The attribute marks 9 of the chair's paragraphs; the printed name finds them all.
    assert sum(p.role == "chair" for p in turns) == 15


@pytest.mark.skipif(not DEMO.is_dir(), reason="the demo is not here")
def test_all_sittings_of_the_demo_read():
    found = list(read(DEMO, CARD))
    assert len(found) == len(list(DEMO.glob("*.xml"))) > 0
    for one in found:
        assert one.date
        assert one.row("demo")["digest"]
        assert any(p.role == "chair" for p in one.parts)
        assert any(p.kind == "stage" for p in one.parts)
