"""The Chambre of 1889 in AGODA's TEI: whole words, names once, and a day that is not the encoding's.

The files are constructed after the layout of the publisher's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.agoda import read

from .damage import spoilt

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="agoda", path=".")
SITTING = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc>
<titleStmt><title type="main"/></titleStmt>
<publicationStmt><availability status="restricted" n="cc-by"><licence>http://creativecommons.org/licenses/by/4.0/
</licence></availability><date when="2022-06-03"/></publicationStmt></fileDesc>
<profileDesc><settingDesc><setting>
<date>mardi 26 novembre</date></setting></settingDesc></profileDesc></teiHeader>
<text ana="#FR_3R_5L_1889-11-26"><body><div type="contents"><pb n="175"/><head>SOMMAIRE</head>
<list><item>Procès verbal : MM. <persName>Paul Dupré</persName>.</item></list></div>
<div><note type="opening">La séance est ouverte à deux heures.</note>
<u><seg>M. Paul Dupré. Je pose deux ques-
tions à M. le vice-
président, peut-<lb/>être trois.</seg><seg>Elles sont du gou-<pb n="176"/>vernement.
<incident><desc>(Très bien !)</desc></incident></seg></u>
<u><seg>M. Paul Dupre. Encore un mot.</seg></u><u><seg>M. Paul Dupré. Merci au vice-président.</seg></u>
<u><seg>M. le président. Votre question est <quote>sans objet</quote>.</seg></u></div></body></text></TEI>"""


def documents(folder: Path, content: str | bytes, name: str = "a.xml") -> list[Document]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(folder, CARD))


def test_a_sitting_of_1889(tmp_path):
    (found,) = documents(tmp_path, SITTING)
    assert found.text == (
        "SOMMAIRE\nProcès verbal : MM. Paul Dupré.\n\nLa séance est ouverte à deux heures.\n\n"
        "M. Paul Dupré. – Je pose deux questions à M. le vice-président, peut-être trois.\n\n"
        "Elles sont du gouvernement. (Très bien !)\n\nM. Paul Dupre. – Encore un mot.\n\n"
        "M. Paul Dupré. – Merci au vice-président.\n\nM. le président. – Votre question est sans objet."
    )
    assert [(p.speaker, p.role) for p in found.parts if p.kind == "turn"] == [
        ("M. Paul Dupré", None),
        ("M. Paul Dupre", None),
        ("M. Paul Dupré", None),
        ("M. le président", "chair"),
    ]
    assert [found.text[p.start : p.end] for p in found.parts if p.kind == "stage"] == ["(Très bien !)"]
    assert found.authors == (Author("M. Paul Dupré", "speaker", published=1889),)
    assert (found.date, found.title) == ("1889-11-26", "Chambre des députés, séance du 1889-11-26")
    assert found.counts == (("mended_words", 4),)
    (licence,) = found.licences
    assert (licence.stated_by, licence.expression) == ("edition", "CC-BY-4.0")
    assert "availability status “restricted”" in (licence.evidence or "")


def test_a_stated_day_counts_before_names_and_the_path_comes_last(tmp_path):
    stated = SITTING.replace("<date>mardi 26 novembre", '<date when="1889-11-27">')
    assert documents(tmp_path, stated)[0].date == "1889-11-27"
    bare = SITTING.replace(' ana="#FR_3R_5L_1889-11-26"', "")
    assert documents(tmp_path, bare)[0].date is None
    (tmp_path / "a.xml").unlink()
    assert documents(tmp_path, bare, "1889-11-28.xml")[0].date == "1889-11-28"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (SITTING[:-20], "not well-formed"),
        ("<teiCorpus/>", "“teiCorpus”"),
        ("<TEI><text/></TEI>", "no word"),
        (SITTING + "\0", "NUL"),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + SITTING, "UTF-8"),
        ('<!DOCTYPE TEI [<!ENTITY a "b">]>' + SITTING, "entities"),
        ("<TEI><text>" + "<div>" * 400 + "</div>" * 400 + "</text></TEI>", "not well-formed"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, content, what):
    with pytest.raises(InputError) as error:
        documents(tmp_path, content)
    assert what in error.value.what


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_a_damaged_sitting_is_read_or_refused_and_nothing_else(tmp_path_factory, data):
    with contextlib.suppress(HemicycleError):
        for found in documents(tmp_path_factory.mktemp("agoda"), spoilt(data, SITTING)):
            found.row("s")
