"""Deposits of HAL: a licence for each or none, full texts before abstracts, nothing without its record."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document, StatedLicence
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.rights.licences import check_expression
from hemicycle.sources.hal import deposit_licence, read

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="hal", path=".")

RECORD = {
    "docid": "3100001",
    "halId_s": "hal-03100001",
    "uri_s": "https://hal.science/hal-03100001",
    "title_s": ["Des fontaines", "On fountains"],
    "authFullName_s": ["Ada Bel", "Hugues Tarn"],
    "licence_s": "http://creativecommons.org/licenses/by/4.0/",
    "abstract_s": ["L'eau coule.", "Water flows."],
    "fr_abstract_s": ["L'eau coule."],
    "en_abstract_s": ["Water flows."],
    "producedDate_s": "2031-02-03",
    "language_s": ["fr"],
}
TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>F</title></titleStmt>
<publicationStmt><availability><licence target="https://creativecommons.org/licenses/by/4.0/"/></availability>
</publicationStmt></fileDesc></teiHeader><text><body><div xml:id="s1"><head>Un</head>
<p>L'eau coule bien.</p></div></body></text></TEI>"""


def write(folder: Path, records: list[object], texts: dict[str, str] | None = None) -> list[Document]:
    answer = {"response": {"numFound": len(records), "start": 0, "docs": records}}
    (folder / "page-1.json").write_text(json.dumps(answer), "utf-8")
    for name, text in (texts or {}).items():
        (folder / name).write_text(text, "utf-8")
    return list(read(folder, CARD))


def test_abstracts_alone_are_documents_each_in_its_language(tmp_path: Path) -> None:
    found = write(tmp_path, [RECORD])
    assert [(d.language, d.text, d.id) for d in found] == [
        ("fr", "L'eau coule.", "hal:hal-03100001/abstract-1"),
        ("en", "Water flows.", "hal:hal-03100001/abstract-2"),
    ]
    assert {d.group for d in found} == {"hal:hal-03100001"}
    assert found[0].authors == (Author("Ada Bel", published=2031), Author("Hugues Tarn", published=2031))
    assert found[0].licences == (
        StatedLicence(
            "origin",
            "CC-BY-4.0",
            "https://hal.science/hal-03100001, licence_s: http://creativecommons.org/licenses/by/4.0/",
        ),
    )
    assert (found[0].title, found[0].date, found[0].kind) == ("Des fontaines", "2031-02-03", "other")
    assert found[0].parts[0].anchor == "https://hal.science/hal-03100001"


@pytest.mark.parametrize("name", ["hal-03100001.txt", "hal-03100001v2.txt", "3100001.txt"])
def test_a_full_text_takes_the_place_of_the_abstracts(tmp_path: Path, name: str) -> None:
    [found] = write(tmp_path, [RECORD], {name: "L'eau coule, et rien d'autre."})
    assert (found.text, found.language, found.id) == (
        "L'eau coule, et rien d'autre.",
        "fr",
        "hal:hal-03100001",
    )


def test_a_full_text_in_tei_keeps_its_parts_and_its_licence(tmp_path: Path) -> None:
    [found] = write(tmp_path, [RECORD | {"licence_s": None}], {"hal-03100001.tei.xml": TEI})
    assert found.text == "Un\n\nL'eau coule bien."
    assert [(licence.stated_by, licence.expression) for licence in found.licences] == [
        ("edition", "CC-BY-4.0")
    ]
    assert any(
        p.kind == "paragraph" and found.text[p.start : p.end] == "L'eau coule bien." for p in found.parts
    )


def test_a_file_of_tei_without_a_text_leaves_the_abstracts(tmp_path: Path) -> None:
    empty = TEI[: TEI.index("<text>")] + "</TEI>"
    assert len(write(tmp_path, [RECORD], {"hal-03100001.tei.xml": empty})) == 2


@pytest.mark.parametrize(
    ("stated", "expression"),
    [
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/3.0/", "CC-BY-NC-ND-3.0"),
        ("http://creativecommons.org/licenses/by-sa/", "LicenseRef-CC-BY-SA-unversioned"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("http://hal.archives-ouvertes.fr/licences/etalab/", "etalab-2.0"),
        ("http://hal.archives-ouvertes.fr/licences/copyright/", "LicenseRef-all-rights-reserved"),
        ("http://hal.archives-ouvertes.fr/licences/publicDomain/", "LicenseRef-public-domain"),
        ("https://about.hal.science/hal-authorisation-v1/", "LicenseRef-hal-authorisation"),
        ("Autre chose ?", "LicenseRef-hal-Autre-chose"),
        ("???", "LicenseRef-hal-unreadable"),
    ],
)
def test_a_statement_becomes_an_expression(stated: str, expression: str) -> None:
    assert deposit_licence(stated) == expression


@settings(max_examples=FUZZ)
@given(st.text(max_size=80))
def test_every_statement_is_an_expression_and_none_turns_free_by_chance(stated: str) -> None:
    assert check_expression(deposit_licence(stated)) is None
    assert deposit_licence("x" + stated.replace("c", "").replace("C", "")).startswith(
        ("LicenseRef-", "etalab")
    )


@pytest.mark.parametrize("empty", [None, "", [], [""]])
def test_an_empty_licence_is_no_statement(tmp_path: Path, empty: object) -> None:
    assert write(tmp_path, [RECORD | {"licence_s": empty}])[0].licences == ()


def test_an_abstract_whose_language_is_not_told_is_undetermined(tmp_path: Path) -> None:
    record = {k: v for k, v in RECORD.items() if not k.endswith("_abstract_s")}
    assert [d.language for d in write(tmp_path, [record])] == ["und", "und"]
    assert [d.language for d in write(tmp_path, [record | {"abstract_s": "L'eau coule."}])] == ["fr"]


def test_overlapping_answers_double_nothing_and_contradictions_are_refused(tmp_path: Path) -> None:
    assert len(write(tmp_path, [RECORD, RECORD])) == 2
    with pytest.raises(InputError, match="described in another way"):
        write(tmp_path, [RECORD, RECORD | {"licence_s": "x"}])


def test_every_deposit_with_words_is_there_once(tmp_path: Path) -> None:
    records = [
        {"docid": n, "halId_s": f"hal-{n:08}", "abstract_s": [f"mot {n}"] if n % 4 else []}
        for n in range(100)
    ]
    texts = {f"hal-{n:08}v3.txt": f"texte {n}" for n in range(0, 100, 8)}
    found = write(tmp_path, records, texts)
    assert sorted(d.text for d in found) == sorted(
        [f"mot {n}" for n in range(100) if n % 4] + [f"texte {n}" for n in range(0, 100, 8)]
    )


@pytest.mark.parametrize(
    ("records", "texts", "message"),
    [
        ([{"title_s": "x"}], {}, "neither halId_s nor docid"),
        ([RECORD], {"hal-9.txt": "x"}, "no deposit among the answers"),
        ([RECORD], {"hal-03100001v1.txt": "x", "hal-03100001v2.txt": "y"}, "several texts"),
        ([RECORD], {"hal-03100001.pdf": "x"}, "PDF files are not read"),
        ([RECORD], {"hal-03100001.tei.xml": TEI[:-30]}, "not well-formed"),
        ([RECORD], {"hal-03100001.xml": "<html/>"}, "not “TEI”"),
        ([RECORD], {"hal-03100001.txt": "a\0b"}, "NUL"),
        ([1], {}, "not an answer"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, records, texts, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        write(tmp_path, records, texts)
    assert caught.value.place


@pytest.mark.parametrize(
    "answer", ["[]", '{"error": {"msg": "x"}}', '{"response": {"docs": {}}}', '{"a', "é"]
)
def test_an_answer_of_another_form_is_refused(tmp_path: Path, answer: str) -> None:
    (tmp_path / "a.json").write_bytes(answer.encode("latin-1"))
    with pytest.raises(InputError, match=r"^a\.json"):
        list(read(tmp_path, CARD))


fields = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=8), max_size=3)
)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(RECORD)), fields))
def test_any_record_gives_documents_or_an_error(tmp_path: Path, changes) -> None:
    with contextlib.suppress(HemicycleError):
        for found in write(tmp_path, [RECORD | changes]):
            found.row("s")
            assert all(check_expression(licence.expression) is None for licence in found.licences)
