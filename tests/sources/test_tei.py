"""TEI: novels, plays and debates; and nothing lost or doubled on real files, counted with another parser."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.tei import read
from hemicycle.sources.tei_header import licence_expression, lifetime

SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples"
SITTINGS = sorted((SAMPLES / "assemblee-2013/tei").glob("*.xml"))
NOVELS = sorted((SAMPLES / "literature").glob("*.xml"))
CARD = Card(title="t", reader="tei", path=".", include=["**/*.xml"])
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
TEI = 'xmlns="http://www.tei-c.org/ns/1.0" xmlns:x="urn:own"'


def documents(folder: Path, tei: str) -> list[Document]:
    (folder / "a.xml").write_text(tei, "utf-8")
    return list(read(folder, CARD))


def document(folder: Path, text: str, header: str = "") -> Document:
    (found,) = documents(folder, f"<TEI {TEI}><teiHeader>{header}</teiHeader><text>{text}</text></TEI>")
    return found


def shown(found: Document) -> list[tuple[str | None, str]]:
    return [(part.kind, found.text[part.start : part.end]) for part in found.parts]


def kinds(found: Document, kind: str) -> list[Part]:
    return [part for part in found.parts if part.kind == kind]


def words(text: str) -> str:
    """Letters and signs without white space: how two readings are compared."""
    return re.sub(r"\s", "", text)


# The layout


def test_a_novel_reads_as_its_pages_do(tmp_path):
    found = document(
        tmp_path,
        '<front><div type="liminal"><p>À ma <hi>mère</hi>.</p></div></front>'
        '<body><div type="group"><head>Combray</head><div type="chapter" xml:id="c1"><head>I</head>'
        "<p>Il\n  lut <emph>ceci</emph> :<pb/></p><quote><l>Vers un,</l>\n<l>vers deux.</l></quote>"
        "<p>Puis<ref>(1)</ref> rien.</p></div></div></body>"
        '<back><div type="notes"><note xml:id="n1">(1) Ou presque.</note></div></back>',
    )
    assert found.text == (
        "À ma mère.\n\nCombray\n\nI\n\nIl lut ceci :\n\n"
        "Vers un,\nvers deux.\n\nPuis(1) rien.\n\n(1) Ou presque."
    )
    assert [(p.kind, p.anchor, p.title) for p in found.parts] == [
        ("front", None, None),
        ("section", None, None),
        ("paragraph", None, None),
        ("section", None, "Combray"),
        ("heading", None, "Combray"),
        ("chapter", "c1", "I"),
        ("heading", None, "I"),
        ("paragraph", None, "I"),
        ("quote", None, "I"),
        ("verse", None, "I"),
        ("paragraph", None, "I"),
        ("back", None, None),
        ("section", None, None),
        ("note", "n1", None),
    ]


def test_a_play_keeps_names_apart_from_words_and_directions(tmp_path):
    found = document(
        tmp_path,
        '<body><div type="scene"><head>Scène I</head><stage>Un salon.</stage>'
        '<sp who="#a"><speaker>ALCESTE</speaker><stage>(bas)</stage><l>Moi,</l><l>je veux ;</l></sp>'
        "<sp><speaker>PHILINTE.</speaker><p>Mais <stage>il rit</stage> quoi ?</p><p>Dites.</p></sp>"
        "</div></body>",
    )
    assert found.text == (
        "Scène I\n\n(Un salon.)\n\nALCESTE. – (bas) Moi,\nje veux ;\n\n"
        "PHILINTE. – Mais (il rit) quoi ?\n\nDites."
    )
    assert [(p.speaker, found.text[p.start : p.end]) for p in kinds(found, "turn")] == [
        ("ALCESTE", "(bas) Moi,\nje veux ;"),
        ("PHILINTE", "Mais (il rit) quoi ?\n\nDites."),
    ]
    assert [w for kind, w in shown(found) if kind == "stage"] == ["(Un salon.)", "(bas)", "(il rit)"]


def test_directions_kept_in_attributes_are_read_where_they_stand(tmp_path):
    found = document(
        tmp_path,
        '<body><sp><speaker>le président</speaker><x:metadata interventiontype="régulation"><p>. Bien. '
        '<x:interruption type="Rires" text="Rires à droite."/> Suite.</p></x:metadata></sp>'
        '<sp><speaker>Anne Bel,<w>rapporteure</w>.</speaker><x:metadata interventiontype="intervention" '
        'corresp="http://a.fr/s.asp#INTER_4"><p>...</p><p>(Elle sort.)</p></x:metadata></sp></body>',
    )
    assert found.text == (
        "le président. – Bien. (Rires à droite.) Suite.\n\nAnne Bel, rapporteure. – ...\n\n(Elle sort.)"
    )
    assert [(p.speaker, p.role, p.anchor) for p in kinds(found, "turn")] == [
        ("le président", "chair", None),
        ("Anne Bel", "rapporteure", "INTER_4"),
    ]
    assert [w for kind, w in shown(found) if kind == "stage"] == ["(Rires à droite.)", "(Elle sort.)"]


def test_utterances_take_the_name_announced_before_them(tmp_path):
    found = document(
        tmp_path,
        '<body><div><note type="speaker">Mme la présidente.</note><u who="#PA1" ana="#regular" xml:id="u1">'
        '<seg xml:id="s1">Oui. <kinesic type="applause"><desc>Bravo</desc></kinesic></seg></u>'
        '<u who="#PA2" ana="#guest"><seg>Non.</seg></u><note type="speaker">Resté seul</note></div></body>',
        "<profileDesc><particDesc><listPerson><person xml:id='PA2'><persName>Luc Pré</persName></person>"
        "</listPerson></particDesc></profileDesc>",
    )
    assert found.text == "Mme la présidente. – Oui. (Bravo)\n\nNon.\n\nResté seul"
    assert [(p.speaker, p.role, p.anchor) for p in kinds(found, "turn")] == [
        ("Mme la présidente", "chair", "u1"),
        ("Luc Pré", "guest", None),
    ]
    assert [p.anchor for p in kinds(found, "paragraph")] == ["s1"]


def test_those_who_speak_are_authors_with_the_years_of_the_list_of_persons(tmp_path):
    (tmp_path / "X-listPerson.xml").write_text(
        f"<listPerson {TEI}><person xml:id='PA2'><persName><surname>Pré</surname><forename>Luc</forename>"
        "</persName><sex value='M'/><birth when='1801-02-03'/><death when='1870'/><idno type='URI'>x</idno>"
        "</person></listPerson>",
        "utf-8",
    )
    found = document(
        tmp_path,
        '<body><div><note type="speaker">Mme la présidente.</note>'
        '<u who="#PA1" ana="#chair"><seg>Un.</seg></u><u who="#PA2"><seg>Deux.</seg></u>'
        '<note type="speaker">Mme Ada Bel.</note>'
        '<u who="#PA1"><seg>Trois.</seg></u><u who="#DupontJan"><seg>Quatre.</seg></u><u><seg>Cinq.</seg></u>'
        "</div></body>",
    )
    assert found.authors == (
        Author("Mme Ada Bel", role="speaker", flags=("PA1",)),
        Author("Luc Pré", role="speaker", birth=1801, death=1870, flags=("PA2",)),
        Author("DupontJan", role="speaker"),
    )


BELGIAN = (
    '<body><div><head xml:lang="fr">Eau</head><head xml:lang="nl">Water</head>'
    '<note type="speaker">Jan Pré</note><u who="#JP" xml:lang="nl" xml:id="u1"><seg xml:lang="fr">Un.'
    '<kinesic><desc xml:lang="en">Bravo</desc></kinesic></seg><seg xml:lang="nl">Twee.</seg>'
    '<vocal><desc>Lawaai</desc></vocal> los <seg xml:lang="fre">Trois.</seg></u>'
    '<note type="speaker">Ada Bel</note><u who="#AB" xml:lang="fr"><seg xml:lang="nl">Vier.</seg></u>'
    "<gap reason='editorial'><desc>SAMPLING</desc></gap></div></body>"
)


def test_a_sitting_in_two_languages_is_two_documents_and_loses_nothing(tmp_path):
    (tmp_path / "a.xml").write_text(
        f'<TEI {TEI} xml:lang="nl"><teiHeader/><text>{BELGIAN}</text></TEI>', "utf-8"
    )
    card = CARD.model_copy(update={"variety": "fr-BE"})
    french, dutch = read(tmp_path, card)
    assert french.text == "Eau\n\nJan Pré. – Un. (Bravo)\n\nTrois."
    assert dutch.text == "Water\n\nJan Pré. – Twee. (Lawaai) los\n\nAda Bel. – Vier.\n\n[…]"
    assert [(d.origin, d.language, d.variety) for d in (french, dutch)] == [
        ("a.xml#fr", "fr", "fr-BE"),
        ("a.xml#nl", "nl", "nl-BE"),
    ]
    assert french.group == dutch.group == "sitting:a.xml"
    assert [a.name for a in dutch.authors] == ["Jan Pré", "Ada Bel"]
    assert [a.name for a in french.authors] == ["Jan Pré"]


def test_a_sitting_in_one_language_has_that_of_its_segments_whatever_stands_above(tmp_path):
    (found,) = documents(
        tmp_path,
        f'<TEI {TEI} xml:lang="nl"><teiHeader/><text><body><u who="#A" xml:lang="nl"><seg xml:lang="fr">Oui.'
        "</seg></u></body></text></TEI>",
    )
    assert (found.origin, found.language, found.group) == ("a.xml", "fr", None)


def test_where_no_utterance_says_who_speaks_the_name_is_before_the_first_full_stop(tmp_path):
    found = document(
        tmp_path,
        "<body><div><u><seg>M. Paul A. Dupré. Je demande la parole. Oui.</seg></u>"
        "<u><seg>M. le président. Bien.</seg></u><u><seg>Ces mots n’ont pas de nom. Non.</seg></u>"
        "</div></body>",
    )
    assert found.text == (
        "M. Paul A. Dupré. – Je demande la parole. Oui.\n\nM. le président. – Bien.\n\n"
        "Ces mots n’ont pas de nom. Non."
    )
    assert [(p.speaker, p.role) for p in kinds(found, "turn")] == [
        ("M. Paul A. Dupré", None),
        ("M. le président", "chair"),
        (None, None),
    ]


SPOKEN = st.recursive(
    st.sampled_from(["seg", "head", "note", "kinesic", "x:own"]).map(lambda name: (name, [])),
    lambda inner: st.tuples(st.sampled_from(["u", "div", "seg", "kinesic"]), st.lists(inner, max_size=4)),
    max_leaves=14,
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(SPOKEN, max_size=4), st.randoms(use_true_random=False))
def test_every_word_of_a_sitting_in_several_languages_is_in_one_document(tmp_path_factory, trees, chance):
    count = 0

    def word() -> str:
        nonlocal count
        if chance.random() < 0.3:
            return ""
        count += 1
        return f" w{count:03} "

    def xml(node: tuple[str, list]) -> str:
        name, children = node
        stated = chance.choice(["", ' xml:lang="fr"', ' xml:lang="nl"', ' xml:lang="de"'])
        return f"<{name}{stated}>{word()}{''.join(map(xml, children))}</{name}>{word()}"

    body = f"<TEI {TEI}><teiHeader/><text><body>{''.join(map(xml, trees))}</body></text></TEI>"
    found = documents(tmp_path_factory.mktemp("tei"), body)
    read_words = re.findall(r"w\d+", " ".join(one.text for one in found))
    assert Counter(read_words) == Counter(f"w{n:03}" for n in range(1, count + 1))
    assert len({one.origin for one in found}) == len(found)


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("<p>un<lb/>deux, trois<lb break='no'/>fois</p>", "un deux, troisfois"),
        ("<p>a<choice><sic>b</sic><corr>c</corr></choice>d</p>", "acd"),
        ("<p>a <choice><abbr>M.</abbr><expan>Monsieur</expan></choice></p>", "a M."),
        ("<p>a <app><rdg>x</rdg><lem>y</lem></app></p>", "a y"),
        ("<p>a <choice><orig>x</orig><seg>y</seg></choice></p>", "a x"),
        ("<p>a<del>b</del><add>c</add> <fw>titre courant</fw>d</p>", "ac d"),
        ("<p>le verbe <gap/>, puis</p>", "le verbe […], puis"),
        ("<p>a<gap unit='graphic'/>b</p>", "ab"),
        ("<p>n<hi rend='sup'>os</hi> 3, V<hi rend='sup'>e</hi>, n°<sup>s</sup> 4</p>", "n°s 3, Ve, n°s 4"),
        ("<p>avant<note>la note</note> après</p><p>fin</p>", "avant après\n\nla note\n\nfin"),
        ("<p>avant<l>vers</l><l>vers</l>après</p>", "avant\nvers\nvers\naprès"),
        ("<list><head>Tête</head><item>un</item><item>deux</item></list>", "Tête\nun\ndeux"),
        ("<table><row><cell>a</cell><cell>b</cell></row></table>", "a | b"),
        ("<lg><head>Titre</head><l>a</l><l>b</l></lg><lg><l>c</l></lg>", "Titre\n\na\nb\n\nc"),
        ("<x:inconnu>mots <p>dedans</p> encore</x:inconnu>", "mots\n\ndedans\n\nencore"),
        ("<figure><head>Fig. 1</head><figDesc>un chat</figDesc></figure>", "Fig. 1"),
        ("<p>&#160;</p><p/><p>x</p>", "x"),
        ("<u><p>a</p><speaker>B</speaker></u>", "B. – a"),
    ],
)
def test_mixed_content_is_read_once_and_in_order(tmp_path, written, printed):
    assert document(tmp_path, f"<body><div>{written}</div></body>").text == printed


# The header


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("Audoux, Marguerite (1863-1937)", ("Audoux, Marguerite", 1863, 1937)),
        ("Sand, George [Aurore Dupin] (1804–1876)", ("Sand, George [Aurore Dupin]", 1804, 1876)),
        ("Untel (1849-)", ("Untel", 1849, None)),
        ("Untel (1849-?)", ("Untel", 1849, None)),
        ("Untel (?-1900)", ("Untel", None, 1900)),
        ("Untel (1840-1900?)", ("Untel", 1840, None)),
        ("Untel (1840-19..)", ("Untel", 1840, None)),
        ("Untel (NA)", ("Untel", None, None)),
        ("Untel (NA-NA)", ("Untel", None, None)),
        ("Untel (fils)", ("Untel (fils)", None, None)),
        ("Untel", ("Untel", None, None)),
    ],
)
def test_years_that_are_not_plainly_stated_are_unknown(stated, expected):
    assert lifetime(stated) == expected


def test_authors_with_their_years_ids_and_the_translator_beside_them(tmp_path):
    found = document(
        tmp_path,
        "<body><p>x</p></body>",
        "<fileDesc><titleStmt><title>Œuvre : édition ELTeC</title>"
        '<author ref="viaf:7 wikidata:missing">Bel, Anne (1801-1870)</author>'
        "<author><persName><forename>Luc</forename> <surname>Pré</surname></persName>"
        '<idno type="wikidata">Q5</idno><date from="1810" to="1799"/></author><author>Anonyme</author>'
        "<respStmt><resp>Traduction</resp><name>Zoé Lin (1820-1899)</name></respStmt>"
        "<respStmt><resp>Encoding</resp><name>Max</name></respStmt></titleStmt></fileDesc>",
    )
    assert found.title == "Œuvre"
    assert found.authors == (
        Author("Bel, Anne", birth=1801, death=1870, flags=("viaf:7",)),
        Author("Luc Pré", birth=1810, death=None, flags=("wikidata:Q5",)),
        Author("Anonyme", flags=("anonymous",)),
        Author("Zoé Lin", role="translator", birth=1820, death=1899),
    )
    assert found.group == "author:Bel, Anne"


def test_an_institution_makes_no_group(tmp_path):
    header = "<fileDesc><titleStmt><author>Assemblée nationale</author></titleStmt></fileDesc>"
    assert document(tmp_path, "<body/>", header).group is None


FIRST = "<fileDesc><sourceDesc><bibl type='firstEdition'><date>{}</date></bibl></sourceDesc></fileDesc>"
PRINT = "<fileDesc><sourceDesc><bibl type='printSource'><date>1946</date></bibl></sourceDesc></fileDesc>"
ENCODED = "<fileDesc><publicationStmt><date when='2021-04-09'/></publicationStmt></fileDesc>"
CREATED = "<profileDesc><creation>{}</creation></profileDesc>"
SET = "<profileDesc><settingDesc><setting>{}</setting></settingDesc></profileDesc>"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (FIRST.format("1913"), "1913"),
        (FIRST.format("1862-1863"), "1863"),
        (PRINT, None),
        (ENCODED, None),
        (CREATED.format("<date>vendredi 1<x:s>er</x:s> février 2013</date>"), "2013-02-01"),
        (CREATED.format("<date>31 février 2013</date>"), None),
        (CREATED.format("<date when='1889-03'/>"), "1889-03"),
        (SET.format("<date when='2022-06-28T15:00:00'>le 28</date>"), "2022-06-28"),
        ("", None),
    ],
)
def test_the_date_is_that_of_the_work_and_never_of_its_encoding(tmp_path, header, expected):
    assert document(tmp_path, "<body/>", header).date == expected


def test_the_language_is_a_bcp_47_tag(tmp_path):
    (found,) = documents(tmp_path, f'<TEI {TEI} xml:lang="fre"><teiHeader/><text><p>x</p></text></TEI>')
    assert found.language == "fr"
    assert document(tmp_path, "<body/>").language is None


@pytest.mark.parametrize(
    ("stated", "expression"),
    [
        ("CC by, http://creativecommons.org/licenses/by/3.0/fr/", "CC-BY-3.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/2.0/fr/", "CC-BY-NC-SA-2.0-FR"),
        ("https://creativecommons.org/licenses/by-sa/3.0/de/deed.fr", "CC-BY-SA-3.0-DE"),
        ("https://creativecommons.org/licenses/by-nd/4.0/deed.fr", "CC-BY-ND-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
        ("Licence Ouverte / Etalab 2.0", "etalab-2.0"),
        ("https://creativecommons.org/licenses/by/", None),
        ("Tous droits réservés", None),
    ],
)
def test_licences_in_addresses_and_prose_become_spdx_ids(stated, expression):
    assert licence_expression(stated) == expression


def stated(folder: Path, availability: str) -> list[tuple[str, str | None]]:
    header = f"<fileDesc><publicationStmt>{availability}</publicationStmt></fileDesc>"
    found = document(folder, "<body/>", header).licences
    assert all(licence.stated_by == "edition" for licence in found)
    return [(licence.expression, licence.evidence) for licence in found]


def test_a_licence_comes_with_its_file_line_and_words(tmp_path):
    assert stated(
        tmp_path,
        "<availability>\n<p>Made from pages of a.fr</p><p>CC by, http://creativecommons.org/licenses/by/3.0/fr/</p>"
        "</availability>",
    ) == [("CC-BY-3.0", "a.xml, line 2: CC by, http://creativecommons.org/licenses/by/3.0/fr/")]


def test_a_contradictory_status_is_recorded_beside_the_licence(tmp_path):
    address = "https://creativecommons.org/licenses/by/4.0/"
    assert stated(
        tmp_path, f'<availability status="restricted"><licence target="{address}"/></availability>'
    ) == [("CC-BY-4.0", f"a.xml, line 1: {address}; availability status “restricted”")]


@pytest.mark.parametrize(
    ("availability", "expression"),
    [
        ("<availability><p>Tous droits réservés.</p></availability>", "Tous droits réservés."),
        ("<availability><licence>Usage privé</licence></availability>", "Usage privé"),
        ("<availability status='restricted'/>", "restricted"),
    ],
)
def test_words_that_are_no_known_licence_are_passed_on_as_they_are(tmp_path, availability, expression):
    assert [e for e, _ in stated(tmp_path, availability)] == [expression]


def test_no_words_no_licence(tmp_path):
    assert stated(tmp_path, "<availability status='free'/>") == []


# Files


def test_a_corpus_file_holds_several_documents_under_its_licence(tmp_path):
    licence = '<licence target="https://creativecommons.org/licenses/by/4.0/"/>'
    found = documents(
        tmp_path,
        f"<teiCorpus {TEI}><teiHeader><fileDesc><publicationStmt><availability>{licence}</availability>"
        '</publicationStmt></fileDesc></teiHeader><TEI xml:id="d1"><text><p>un</p></text></TEI>'
        "<TEI><text><p>deux</p></text></TEI></teiCorpus>",
    )
    assert [(d.origin, d.text, d.licences[0].expression) for d in found] == [
        ("a.xml#d1", "un", "CC-BY-4.0"),
        ("a.xml#2", "deux", "CC-BY-4.0"),
    ]


@pytest.mark.parametrize("tei", ["<html/>", "<TEI><text>", ""])
def test_what_is_not_tei_is_refused_with_file_and_line(tmp_path, tei):
    with pytest.raises(InputError) as error:
        documents(tmp_path, tei)
    assert error.value.place == "a.xml, line 1"


def test_the_deepest_tree_that_parses_is_read(tmp_path):
    depth = 240
    assert document(tmp_path, "<div>" * depth + "<p>fond</p>" + "</div>" * depth).text == "fond"
    assert document(tmp_path, "<p>" + "<hi>" * depth + "fond" + "</hi>" * depth + "</p>").text == "fond"


NAMES = [
    *("p", "div", "quote", "lg", "l", "hi", "q", "note", "list", "item", "stage", "x:own", "sp", "u", "seg"),
    *(
        "table",
        "row",
        "cell",
        "head",
        "ab",
        "castItem",
        "figure",
        "label",
        "front",
        "speaker",
        "kinesic",
        "desc",
    ),
]
TREES = st.recursive(
    st.sampled_from(NAMES).map(lambda name: (name, [])),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3)),
    max_leaves=12,
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(TREES, max_size=4), st.randoms(use_true_random=False))
def test_every_word_of_any_tree_is_read_exactly_once(tmp_path_factory, trees, chance):
    count = 0

    def word() -> str:
        nonlocal count
        if chance.random() < 0.4:
            return ""
        count += 1
        return f" w{count:03} "

    def xml(node: tuple[str, list]) -> str:
        name, children = node
        return f"<{name}>{word()}{''.join(xml(child) for child in children)}</{name}>{word()}"

    found = document(tmp_path_factory.mktemp("tei"), f"<body>{''.join(map(xml, trees))}</body>")
    assert Counter(re.findall(r"w\d+", found.text)) == Counter(f"w{n:03}" for n in range(1, count + 1))


# Real files, counted by a parser of another family


class Sitting:
    """Expat's own reading of one sitting of 2013: speeches, directions, headings, paragraphs, in order."""

    def __init__(self, path: Path) -> None:
        self.types: list[str] = []
        self.names: list[str] = []
        self.speeches: list[str] = []
        self.headings: list[str] = []
        self.paragraphs: list[str] = []
        self.attributes: list[str] = []
        self.alone: list[str] = []
        self._stack: list[str] = []
        self._run = ""
        parser = expat.ParserCreate(namespace_separator="}")
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = self.characters
        parser.Parse(path.read_bytes(), True)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.split("}")[-1]
        self._stack.append(name)
        if name == "metadata":
            self.types.append(attributes["interventiontype"])
            self.names.append("")
            self.speeches.append("")
        if name in ("head", "p", "speaker"):
            self._run = ""
        if name == "interruption":
            self.attributes.append(attributes["text"])
            self.speeches[-1] += f"({attributes['text']})"

    def characters(self, text: str) -> None:
        if "text" in self._stack:
            self._run += text
            if "metadata" in self._stack:
                self.speeches[-1] += text
            elif not {"head", "p", "speaker"} & set(self._stack):
                assert not text.strip()

    def end(self, tag: str) -> None:
        name = self._stack.pop()
        if "text" not in self._stack:
            return
        if name == "head" and self._run.strip():
            self.headings.append(self._run)
        elif name == "speaker":
            self._name = self._run
        elif name == "metadata":
            self.names[-1] = self._name
        elif name == "p" and "metadata" in self._stack:
            if re.fullmatch(r"\([^()]*(\([^()]*\)[^()]*)*\)", self._run.strip()):
                self.alone.append(self._run)
        elif name == "p" and self._run.strip():
            self.paragraphs.append(self._run)


def plain(text: str) -> str:
    """Words without white space, and with one way to write n°."""
    return words(text).replace("°", "o")


@pytest.fixture(scope="module")
def sittings() -> list[tuple[Sitting, Document]]:
    if not SITTINGS:
        pytest.skip("the samples are not here")
    found = list(read(SITTINGS[0].parent, CARD))
    return [(Sitting(path), one) for path, one in zip(SITTINGS, found, strict=True)]


def test_21_sittings_of_2013_lose_and_double_nothing(sittings):
    """Speech by speech, letter by letter; then what is left over is printed names and nothing else."""
    stops = 0
    for count, found in sittings:
        turns = kinds(found, "turn")
        outside = [p for p in kinds(found, "paragraph") if not any(t.start <= p.start < t.end for t in turns)]
        expected = []
        for speech in map(plain, count.speeches):
            stop = speech.startswith(".") and not speech.startswith("..")
            expected.append(speech[stop:])
            stops += stop
        assert [plain(found.text[p.start : p.end]) for p in turns] == expected
        assert [plain(found.text[p.start : p.end]) for p in kinds(found, "heading")] == list(
            map(plain, count.headings)
        )
        assert [plain(found.text[p.start : p.end]) for p in outside] == list(map(plain, count.paragraphs))
        assert Counter(plain(found.text[p.start : p.end]) for p in kinds(found, "stage")) == Counter(
            [f"({plain(text)})" for text in count.attributes] + list(map(plain, count.alone))
        )
        leaves = sorted([*turns, *outside, *kinds(found, "heading")], key=lambda p: p.start)
        ends = [0, *(p.end for p in leaves)]
        left = "".join(
            found.text[a:b] for a, b in zip(ends, [*(p.start for p in leaves), len(found.text)], strict=True)
        )
        assert re.sub(r"[\s,.:–]", "", left) == re.sub(r"[\s,.:–]", "", "".join(count.names))
    assert stops == 30  # the full stop of the printed name, left in front of the words by the edition


def test_21_sittings_of_2013_class_by_class(sittings):
    types: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    read_letters: Counter[str] = Counter()
    chairs = directions = alone = headings = 0
    for count, found in sittings:
        types.update(count.types)
        for kind, speech, part in zip(count.types, count.speeches, kinds(found, "turn"), strict=True):
            letters[kind] += len(plain(speech))
            read_letters[kind] += len(plain(found.text[part.start : part.end]))
        chairs += sum(p.role == "chair" for p in kinds(found, "turn"))
        directions += len(count.attributes)
        alone += len(count.alone)
        headings += len(kinds(found, "heading"))
        assert len(kinds(found, "stage")) == len(count.attributes) + len(count.alone)
        assert len(kinds(found, "turn")) == len(count.speeches)
    assert types == {"intervention": 6691, "interruption": 5972, "régulation": 4277}
    assert chairs == types["régulation"]
    assert (directions, headings) == (3886, 489)
    assert alone > 300
    assert {k: letters[k] - read_letters[k] for k in letters} == {
        "régulation": 24,
        "intervention": 4,
        "interruption": 2,
    }


def test_a_sitting_of_2013_has_its_date_licence_and_title(sittings):
    by_origin = {found.origin: found for _, found in sittings}
    found = by_origin["20130119.xml"]
    assert (found.date, found.title) == (
        "2013-01-29",
        "Mariage pour tous - Troisième séance du mardi 29 janvier 2013",
    )
    assert found.authors == (Author("Assemblée nationale"),)
    assert found.licences == (
        StatedLicence(
            "edition",
            "CC-BY-3.0",
            "20130119.xml, line 20: XML Encoding copyrights: CC by, http://creativecommons.org/licenses/by/3.0/fr/",
        ),
    )
    assert by_origin["20130124.xml"].date == "2013-02-01"
    assert all(one.date and one.group is None for one in by_origin.values())


class Novel:
    """Expat's own reading of one novel: its letters in order, and how many blocks of each name hold any."""

    def __init__(self, path: Path) -> None:
        self.text = ""
        self.blocks: Counter[str] = Counter()
        self.letters: Counter[str] = Counter()
        self.chapters = 0
        self._open: list[tuple[str, int]] = []
        parser = expat.ParserCreate(namespace_separator="}")
        parser.StartElementHandler, parser.EndElementHandler = self.start, self.end
        parser.CharacterDataHandler = self.characters
        parser.Parse(path.read_bytes(), True)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.split("}")[-1]
        if self._open or name == "text":
            self._open.append((name, len(self.text)))
            self.chapters += name == "div" and attributes.get("type") == "chapter"
            if name == "gap" and attributes.get("unit") != "graphic":
                self.text += "[…]"

    def characters(self, text: str) -> None:
        if self._open:
            self.text += words(text)

    def end(self, tag: str) -> None:
        if self._open:
            name, start = self._open.pop()
            self.blocks[name] += len(self.text) > start
            self.letters[name] += len(self.text) - start


@pytest.fixture(scope="module")
def novels() -> list[tuple[Novel, Document]]:
    if not NOVELS:
        pytest.skip("the samples are not here")
    found = list(read(NOVELS[0].parent, CARD))
    return [(Novel(path), one) for path, one in zip(NOVELS, found, strict=True)]


def test_20_novels_lose_and_double_nothing(novels):
    for count, found in novels:
        assert words(found.text) == count.text


def test_20_novels_class_by_class(novels):
    total: Counter[str] = Counter()
    for count, found in novels:
        letters = {
            kind: sum(len(words(found.text[p.start : p.end])) for p in kinds(found, kind))
            for kind in ("paragraph", "heading", "note", "quote", "chapter")
        }
        assert len(kinds(found, "paragraph")) == count.blocks["p"] + count.blocks["trailer"]
        assert letters["paragraph"] == count.letters["p"] + count.letters["trailer"]
        assert len(kinds(found, "heading")) == count.blocks["head"]
        assert letters["heading"] == count.letters["head"]
        assert len(kinds(found, "note")) == count.blocks["note"]
        assert letters["note"] == count.letters["note"]
        assert len(kinds(found, "quote")) == count.blocks["quote"]
        assert letters["quote"] == count.letters["quote"]
        assert len(kinds(found, "chapter")) == count.chapters
        verse = sum(found.text[p.start : p.end].count("\n") + 1 for p in kinds(found, "verse"))
        assert verse == count.blocks["l"]
        total.update({"paragraphs": count.blocks["p"], "chapters": count.chapters, "lines": verse})
    assert total["lines"] == 130
    assert total["paragraphs"] > 31_000
    assert total["chapters"] > 400


def test_20_novels_have_their_authors_years_and_dates(novels):
    by_origin = {found.origin: found for _, found in novels}
    swann = by_origin["FRA03601_Proust.xml"]
    assert (swann.title, swann.date, swann.language) == ("Du côté de chez Swann", "1913", "fr")
    assert swann.authors == (
        Author(
            "Proust, Marcel",
            birth=1871,
            death=1922,
            flags=("viaf:32001793", "wikidata:Q7199"),
            published=1913,
        ),
    )
    assert swann.group == "author:Proust, Marcel"
    assert swann.licences[0].expression == "CC-BY-4.0"
    assert all(len(one.authors) == 1 and one.authors[0].death and one.date for one in by_origin.values())


def test_years_of_death_agree_with_the_table_beside_the_novels(novels):
    rows = [
        row.split("\t")
        for row in (SAMPLES / "literature/ELTeC-fra_metadata.tsv").read_text("utf-8").splitlines()
    ]
    column = rows[0].index("author-death")
    stated = {row[1]: row[column] for row in rows[1:]}
    for _, found in novels:
        name = unicodedata.normalize("NFC", found.origin.removesuffix(".xml"))
        assert stated[name] == str(found.authors[0].death)


@pytest.mark.skipif(not (SAMPLES / "refuse/plays-nc").is_dir(), reason="the samples are not here")
def test_a_play_under_a_non_commercial_licence_says_so():
    (found,) = read(SAMPLES / "refuse/plays-nc", CARD)
    assert {licence.expression for licence in found.licences} == {"CC-BY-NC-SA-4.0"}
    assert (found.date, found.authors[0].name, found.authors[0].death) == ("1879", "Jean Aicard", None)
    assert sum(found.text[p.start : p.end].count("\n") + 1 for p in kinds(found, "verse")) >= 206
    assert len(kinds(found, "stage")) == 8


@pytest.mark.skipif(not (SAMPLES / "parlamint-fr").is_dir(), reason="the samples are not here")
def test_an_excerpt_of_parlamint_reads():
    (found,) = read(SAMPLES / "parlamint-fr", CARD)
    assert [p.speaker for p in kinds(found, "turn")] == ["PA606171", "PA721908"]
    assert [found.text[p.start : p.end] for p in kinds(found, "stage")] == ["(Applaudissements)"] * 2
    assert (found.date, found.licences[0].expression) == ("2022-06-28", "CC-BY-4.0")
