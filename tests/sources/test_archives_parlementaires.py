"""Volumes of the Archives parlementaires: a document a sitting, and the rest. The files are constructed."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document, StatedLicence
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.archives_parlementaires import read

CARD = Card(title="t", reader="archives-parlementaires", path=".")
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

VOLUME = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE TEI.2 PUBLIC "-//TEI P4//ELEMENTS TEI Lite XML ver. 1//EN" "teixlite.dtd">
<TEI.2><teiHeader><fileDesc><titleStmt><title>Tome 99</title></titleStmt><publicationStmt><availability>
<p>CC BY-NC 3.0</p></availability></publicationStmt></fileDesc></teiHeader><text>
<front><div type="frontpiece"><pb n="" id="x_00_0001"/><p>ARCHIVES</p></div></front>
<body><div1 type="volume" n="99"><pb n="1" id="x_00_0002"/><head>TOME 99</head>
<div2 type="session"><pb n="2" id="x_00_0003"/><head>SÉANCE DU MATIN</head>
<p><date value="1790-06-01">1 juia 1790</date>, à neuf heures.</p>
<sp><speaker>M. Dupré.</speaker><p>Je demande.</p><pb n="3" id="x_00_0004"/><p>Encore.</p></sp>
<sp><speaker/><p>Nul ne sait qui.</p></sp><sp><p>Ni ici.</p></sp>
<div3 type="annexe"><head>ANNEXE</head><list><item>un</item><item id="own">deux</item></list></div3></div2>
<div2 type="session"><head>SÉANCE DU SOIR</head><p><date value="1790-06-01">soir</date></p>
<sp><speaker>M. le Président.</speaker><p>La séance est levée.</p></sp></div2></div1></body>
<back><div1 type="volume" n="99"><div2 type="contents"><pb n="9" id="x_00_0009"/><head>TABLE</head></div2>
</div1></back></text></TEI.2>"""


def documents(folder: Path, volume: str) -> list[Document]:
    (folder / "v.xml").write_text(volume, "utf-8")
    return list(read(folder, CARD))


def test_a_volume_is_a_document_a_sitting_and_one_for_the_rest(tmp_path):
    morning, evening, table, rest = documents(tmp_path, VOLUME)
    assert morning.text == (
        "SÉANCE DU MATIN\n\n1 juia 1790, à neuf heures.\n\nM. Dupré. – Je demande.\n\nEncore.\n\n"
        "Nul ne sait qui.\n\nNi ici.\n\nANNEXE\nun\ndeux"
    )
    assert evening.text == "SÉANCE DU SOIR\n\nsoir\n\nM. le Président. – La séance est levée."
    assert (table.text, rest.text) == ("TABLE", "ARCHIVES\n\nTOME 99")
    assert [(d.origin, d.date, d.title) for d in (morning, evening, table, rest)] == [
        ("v.xml#x_00_0003", "1790-06-01", "Archives parlementaires, tome 99, séance du 1790-06-01"),
        ("v.xml#x_00_0004", "1790-06-01", "Archives parlementaires, tome 99, séance du 1790-06-01"),
        ("v.xml#x_00_0009", None, "Archives parlementaires, tome 99, TABLE"),
        ("v.xml#volume", None, "Archives parlementaires, tome 99, hors séances"),
    ]
    assert [(p.anchor, p.speaker) for p in morning.parts if p.kind == "turn"] == [
        ("x_00_0003", "M. Dupré"),
        ("x_00_0004", None),
        ("x_00_0004", None),
    ]
    assert [p.anchor for p in morning.parts if p.kind == "paragraph"] == ["x_00_0003", "x_00_0004", "own"]
    assert morning.authors == (Author("M. Dupré", role="speaker", published=1790),)
    assert evening.authors == ()
    assert [(x.stated_by, x.expression) for x in morning.licences] == [("edition", "CC-BY-NC-3.0")]
    assert isinstance(morning.licences[0], StatedLicence)


def test_two_sittings_of_one_page_have_two_origins(tmp_path):
    twice = re.sub(r"<pb n=\"3\".*?/>", "", VOLUME)
    assert [d.origin for d in documents(tmp_path, twice)][:2] == ["v.xml#x_00_0003", "v.xml#x_00_0003-2"]


def test_a_day_that_is_in_no_calendar_is_unknown(tmp_path):
    found = documents(tmp_path, VOLUME.replace("1790-06-01", "1790-06-31"))
    assert [d.date for d in found] == [None] * 4


@pytest.mark.parametrize(
    ("volume", "what"),
    [
        (VOLUME[:-20], "well-formed"),
        (VOLUME.replace('type="volume"', ""), "0 “div1”"),
        ("<html/>", "root element"),
        (VOLUME.replace("TOME 99<", "&mdash;<"), "entity"),
        (VOLUME.replace("<p>ARCHIVES", "<p>" + "<q>" * 300), "well-formed"),
        (VOLUME.replace("TOME", "\0"), "NUL"),
    ],
)
def test_a_bad_volume_is_refused_with_its_place(tmp_path, volume, what):
    with pytest.raises(InputError, match=what) as error:
        documents(tmp_path, volume)
    assert error.value.place.startswith("v.xml, line")


NAMES = "p div1 div2 div3 sp speaker head list item note q pb stage front".split()
TREES = st.recursive(
    st.sampled_from(NAMES).map(lambda name: (name, [])),
    lambda inner: st.tuples(st.sampled_from(NAMES), st.lists(inner, max_size=3)),
    max_leaves=14,
)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(TREES, max_size=4), st.randoms(use_true_random=False))
def test_every_word_of_any_volume_is_in_one_document(tmp_path_factory, trees, chance):
    count = 0

    def word() -> str:
        nonlocal count
        if chance.random() < 0.4:
            return ""
        count += 1
        return f" w{count:03} "

    def xml(node: tuple[str, list]) -> str:
        name, children = node
        stated = f' id="p{chance.randint(0, 3)}"' if chance.random() < 0.5 else ""
        return f"<{name}{stated}>{word()}{''.join(map(xml, children))}</{name}>{word()}"

    volume = f'<TEI.2><text><body><div1 type="volume">{"".join(map(xml, trees))}</div1></body></text></TEI.2>'
    found = documents(tmp_path_factory.mktemp("volume"), volume)
    counted: Counter[str] = Counter()
    parser = expat.ParserCreate()
    parser.CharacterDataHandler = lambda text: counted.update(re.findall(r"w\d+", text))
    parser.buffer_text = True
    parser.Parse(volume, True)
    assert Counter(re.findall(r"w\d+", " ".join(one.text for one in found))) == counted
    assert len({one.origin for one in found}) == len(found)


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1_500), st.binary(max_size=9)), max_size=6))
def test_a_damaged_volume_is_read_or_refused_and_nothing_else(tmp_path_factory, damage):
    data = VOLUME.encode()
    for at, noise in damage:
        data = data[:at] + noise + data[at + len(noise) :]
    folder = tmp_path_factory.mktemp("volume")
    (folder / "v.xml").write_bytes(data)
    with contextlib.suppress(HemicycleError):
        for found in read(folder, CARD):
            found.row("s")
