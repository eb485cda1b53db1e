"""The Journal officiel's reports: a sitting out of several files, each paragraph once. Constructed files."""

from __future__ import annotations

import contextlib
import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.dila_debats import read, stated_date
from tests.sources.made_tar import tar, taz

CARD = Card(title="t", reader="dila-debats", path=".")
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

SPEAKER = (
    '<Orateur href="http://www.assemblee-nationale.fr/14/tribun/fiches_id/{}.asp"><Nom>{}</Nom></Orateur>'
)


def report(content: str, day: str = "Mardi-07-10-Octobre-2031", number: str = "12") -> bytes:
    return (
        "<PublicationDAN><Metadonnees><DateParution>Mercredi-08-10-Octobre-2031</DateParution></Metadonnees>"
        f"<CompteRendu><Metadonnees><DateSeance>{day}</DateSeance><NumSeance>{number}</NumSeance></Metadonnees>"
        f"<Quantiemes><Journee>Séance du mardi 7 octobre 2031</Journee></Quantiemes>"
        f"<Contenu><Sommaire><Para>Eau</Para></Sommaire>{content}</Contenu></CompteRendu></PublicationDAN>"
    ).encode()


def para(words: str, key: str = "", ident: str = "") -> str:
    return f'<Para Ident="{ident}" idsyceron="{key}">{words}</Para>'


def documents(folder, *members: bytes) -> list[Document]:
    (folder / "AN_2031001.taz").write_bytes(taz({f"CRI_{n}.xml": m for n, m in enumerate(members, 1)}))
    return list(read(folder, CARD))


def document(folder, content: str) -> Document:
    (found,) = documents(folder, report(content))
    return found


def test_a_sitting_reads_as_the_journal_prints_it(tmp_path):
    found = document(
        tmp_path,
        "<PresidentSeance>PRÉSIDENCE DE MME ADA BEL<QualitePresident> vice-présidente</QualitePresident>"
        '</PresidentSeance><Section><TitreStruct Ident="T1"><Intitule>Eau</Intitule></TitreStruct>'
        + para("<Orateur><Nom>Mme la présidente.</Nom></Orateur> La séance est ouverte.", "1")
        + para(f"{SPEAKER.format(721202, 'M. Luc Pré.')} Un mot. <Italique>(Rires.)</Italique>", "2")
        + para("La suite.", "2")
        + "<SousSection1><TitreStruct><Intitule>Air</Intitule></TitreStruct>"
        + para(
            "<Orateur><Nom>Mme Zoé Lin,</Nom></Orateur> <QualiteMouvement>ministre.</QualiteMouvement> Non.",
            "3",
        )
        + "<ResultatVote><NombreVotants><Libelle>Votants</Libelle><Valeur>4</Valeur></NombreVotants>"
        "</ResultatVote></SousSection1>"
        + para("n<Exposant>o</Exposant> 3", "", "SN9")
        + "</Section><Nota>Rectifié.</Nota>",
    )
    assert found.text == (
        "Séance du mardi 7 octobre 2031\n\nPRÉSIDENCE DE MME ADA BEL vice-présidente\n\nEau\n\n"
        "Mme la présidente. – La séance est ouverte.\n\nM. Luc Pré. – Un mot. (Rires.)\n\nLa suite.\n\n"
        "Air\n\nMme Zoé Lin, ministre. – Non.\n\nVotants 4\n\nMme Zoé Lin, ministre. – n° 3\n\nRectifié."
    )
    assert [(p.kind, p.speaker, p.role, p.anchor, p.title) for p in found.parts][2:] == [
        ("heading", None, None, "T1", "Eau"),
        ("turn", "Mme la présidente", "chair", "1", "Eau"),
        ("turn", "M. Luc Pré", None, "2", "Eau"),
        ("stage", None, None, "2", "Eau"),
        ("turn", "M. Luc Pré", None, "2", "Eau"),
        ("heading", None, None, None, "Air"),
        ("turn", "Mme Zoé Lin", "ministre", "3", "Air"),
        ("paragraph", None, None, None, "Air"),
        ("turn", "Mme Zoé Lin", "ministre", "SN9", "Eau"),
        ("paragraph", None, None, None, "Séance du mardi 7 octobre 2031"),
    ]
    assert found.authors == (Author("M. Luc Pré", role="speaker", flags=("PA721202",)),)
    assert (found.origin, found.date) == ("AN_2031001.taz#2031-10-07, 12", "2031-10-07")
    assert found.title == "Séance du mardi 7 octobre 2031 (séance n° 12)"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Mercredi-22-05-Mai-2013", "2013-05-22"),
        ("2013-01-15+01:00", "2013-01-15"),
        ("20130115", "2013-01-15"),
        ("mardi 7 octobre 2031", "2031-10-07"),
        ("Mercredi-32-05-Mai-2013", None),
        ("hier", None),
    ],
)
def test_dates_of_the_journal(written, read_as):
    assert stated_date(written) == read_as


def test_files_that_overlap_are_one_sitting_and_nothing_is_doubled(tmp_path):
    first = para("<Orateur><Nom>M. A.</Nom></Orateur> Un.", "1") + para("Deux.", "1") + para("Trois.", "2")
    second = para("Deux bis.", "3") + "<Nota>Rectifié.</Nota>"
    (found,) = documents(
        tmp_path, report(first), report(first + second), report("<Nota>Rectifié.</Nota>" + first)
    )
    assert found.text == (
        "Séance du mardi 7 octobre 2031\n\nM. A. – Un.\n\nDeux.\n\nTrois.\n\nM. A. – Deux bis.\n\nRectifié."
    )


def test_other_words_under_the_same_key_are_told(tmp_path):
    with pytest.raises(InputError, match="paragraph 7 has other words") as error:
        documents(tmp_path, report(para("Un.", "7")), report(para("Un, revu.", "7")))
    assert error.value.place == "AN_2031001.taz#AN_2031001.tar/CRI_2.xml, line 1"
    card = CARD.model_copy(update={"exclude": ["AN_2031001.taz#*CRI_1.xml"]})
    assert [d.text.split("\n\n")[-1] for d in read(tmp_path, card)] == ["Un, revu."]


def test_several_sittings_in_one_archive_are_several_documents(tmp_path):
    found = documents(tmp_path, report(para("Un.", "1")), report(para("Deux.", "2"), number="13"))
    assert [d.origin.partition("#")[2] for d in found] == ["2031-10-07, 12", "2031-10-07, 13"]


def test_a_sitting_in_two_archives_is_refused(tmp_path):
    documents(tmp_path, report(para("Un.", "1")))
    (tmp_path / "AN_2031002.tar").write_bytes(tar({"CRI_1.xml": report(para("Un.", "1")), "a.pdf": b"%"}))
    with pytest.raises(InputError, match=r"a second time: it was read in AN_2031001\.taz"):
        list(read(tmp_path, CARD))


def test_a_loose_file_is_read_and_other_files_are_refused(tmp_path):
    (tmp_path / "CRI_1.xml").write_bytes(report(para("Un.", "1")))
    assert len(list(read(tmp_path, CARD))) == 1
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(InputError, match="neither"):
        list(read(tmp_path, CARD))


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (report(para("x"))[:-9], "well-formed"),
        (b"<TEI/>", "CompteRendu"),
        (report("\0"), "NUL"),
        (report("é").decode().encode("latin-1"), "well-formed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + report("&b;"), "entities"),
        (report("<Section>" * 400), "well-formed"),
    ],
)
def test_a_bad_report_is_refused_with_its_place(tmp_path, member, what):
    with pytest.raises(InputError, match=what) as error:
        documents(tmp_path, member)
    assert error.value.place.startswith("AN_2031001.taz#AN_2031001.tar/CRI_1.xml, line")


def test_an_archive_without_reports_and_a_damaged_one_are_refused(tmp_path):
    (tmp_path / "a.taz").write_bytes(taz({"a.pdf": b"%PDF"}))
    with pytest.raises(InputError, match="no file CRI_"):
        list(read(tmp_path, CARD))
    (tmp_path / "a.taz").write_bytes(taz({"CRI_1.xml": report("")})[:200])
    with pytest.raises(InputError, match="damaged"):
        list(read(tmp_path, CARD))


NAMES = "Para Section SousSection1 TitreStruct Italique Orateur Nom QualiteMouvement Inconnu Nota".split()
TREES = st.recursive(
    st.sampled_from(NAMES).map(lambda name: (name, [])),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3)),
    max_leaves=12,
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(TREES, max_size=4), st.randoms(use_true_random=False))
def test_every_word_of_any_tree_is_read_exactly_once_from_two_equal_files(tmp_path_factory, trees, chance):
    """Words of names and offices (n) may be printed again before a later paragraph; others (w) may not."""
    count = 0

    def word(letter: str) -> str:
        nonlocal count
        if chance.random() < 0.4:
            return ""
        count += 1
        return chance.choice([" {}{:03} ", "M. {}{:03}. ", "{}{:03}, ", "({}{:03})"]).format(letter, count)

    def xml(node: tuple[str, list], letter: str = "w") -> str:
        name, children = node
        inside = "n" if name in ("Orateur", "Nom", "QualiteMouvement", "Italique") else letter
        return f"<{name}>{word(inside)}{''.join(xml(c, inside) for c in children)}</{name}>{word(letter)}"

    member = report("".join(map(xml, trees)))
    (found,) = documents(tmp_path_factory.mktemp("dila"), member, member)
    given_words = re.findall(r"\bw\d+", member.decode())
    assert sorted(re.findall(r"\bw\d+", found.text)) == sorted(given_words)
    assert set(re.findall(r"\bn\d+", found.text)) == set(re.findall(r"\bn\d+", member.decode()))


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.binary(max_size=9)), max_size=6))
def test_a_damaged_report_is_read_or_refused_and_nothing_else(tmp_path_factory, damage):
    data = report(para(f"{SPEAKER.format(1, 'M. X.')} Oui <Italique>(Bruit.)</Italique>", "1"))
    for at, noise in damage:
        data = data[:at] + noise + data[at + len(noise) :]
    with contextlib.suppress(HemicycleError):
        for found in documents(tmp_path_factory.mktemp("dila"), data, data):
            found.row("s")
