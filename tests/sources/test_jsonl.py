"""JSON Lines and rows: what is taken, what is left out, what is refused where."""

from __future__ import annotations

import gzip
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import SCHEMA, Author, Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.layers import term_of as term
from hemicycle.sources import jsonl
from hemicycle.sources.rows import document_of_row

CARD = Card(title="T", reader="jsonl", path="t")


def read_lines(folder: Path, data: bytes, name: str = "a.jsonl", card: Card = CARD) -> list[Document]:
    (folder / name).write_bytes(data)
    return list(jsonl.read(folder, card))


def of_row(**row: Any) -> Document:
    return document_of_row({"text": "Bonjour.", **row}, CARD, origin="f", anchor="L1", place="f, line 1")


def refused(folder: Path, data: bytes, name: str = "a.jsonl") -> str:
    with pytest.raises(InputError) as caught:
        read_lines(folder, data, name)
    return str(caught.value)


def test_ids_of_a_corpus_built_elsewhere_are_kept(tmp_path: Path) -> None:
    found = read_lines(
        tmp_path, b'{"id": "x-1", "text": "Un."}\n\n{"id": 2, "text": "Deux."}\n{"text": "Trois."}'
    )
    assert [(d.id, d.origin, d.text) for d in found] == [
        ("x-1", "a.jsonl#x-1", "Un."),
        ("2", "a.jsonl#2", "Deux."),
        (None, "a.jsonl#L4", "Trois."),
    ]


def test_the_card_names_the_fields_of_text_and_id(tmp_path: Path) -> None:
    card = Card(title="T", reader="jsonl", path="t", text_field="contenu", id_field="cle")
    (document,) = read_lines(tmp_path, '{"contenu": "Été", "cle": "k", "id": "non"}'.encode(), card=card)
    assert (document.text, document.id) == ("Été", "k")


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson"])
def test_compressed_files_read_as_plain_ones(tmp_path: Path, suffix: str) -> None:
    data = b'\xef\xbb\xbf{"text": "Un."}\r\n{"text": "Deux."}\r\n'
    if suffix.endswith(".gz"):
        data = gzip.compress(data)
    if suffix.endswith(".zst"):
        data = pa.Codec("zstd").compress(data, asbytes=True)
    assert [d.text for d in read_lines(tmp_path, data, "a" + suffix)] == ["Un.", "Deux."]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_cut_short_or_of_garbage_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    lines = "".join(f'{{"text": "ligne {n}"}}\n' for n in range(50_000)).encode()
    packed = gzip.compress(lines) if suffix == ".gz" else pa.Codec("zstd").compress(lines, asbytes=True)
    name = "a.jsonl" + suffix
    assert refused(tmp_path, packed[: len(packed) // 2], name).startswith(f"{name}, after line ")
    assert refused(tmp_path, b"pas un paquet", name).startswith(f"{name}, after line 0: the file cannot")


def test_metadata_is_taken_by_its_usual_names() -> None:
    document = of_row(
        title="Titre",
        date="1931-04-01T00:00:00",
        url="https://exemple.fr/1",
        language="fr_FR",
        kind="press",
        license="CC-BY-4.0",
        authors=[
            "Jeanne Untel",
            {"name": "Paul", "role": "translator", "birth": 1850, "death": 1930.0, "flags": ["x"]},
        ],
    )
    assert document == Document(
        origin="f#L1",
        text="Bonjour.",
        parts=(Part(0, 8, anchor="https://exemple.fr/1"),),
        title="Titre",
        authors=(Author("Jeanne Untel"), Author("Paul", "translator", 1850, 1930, ("x",))),
        date="1931-04-01",
        language="fr-FR",
        kind="press",
        licences=(StatedLicence("distributor", "CC-BY-4.0", "f, line 1, field “license”"),),
    )


def test_descriptions_in_another_form_are_left_out() -> None:
    plain = of_row()
    assert of_row(title=5, date="avril 1931", language="French", kind="blog", author=" ", url=None) == plain
    assert of_row(parts=[{"start": "0", "end": 3}], authors=[], origin="ailleurs", title="  ") == plain


def test_every_licence_of_a_row_counts() -> None:
    stated = of_row(license=["MIT", "CC-BY-NC-4.0"], licence="etalab-2.0").licences
    assert [s.expression for s in stated] == ["MIT", "CC-BY-NC-4.0", "etalab-2.0"]
    assert {s.stated_by for s in stated} == {"distributor"}
    assert of_row(license=None, licence="").licences == ()


@pytest.mark.parametrize("licence", [3, True, {"name": "MIT"}, [["MIT"]]])
def test_a_licence_that_cannot_be_read_is_refused_never_dropped(licence: object) -> None:
    with pytest.raises(InputError, match="f, line 1: the field “license” holds"):
        of_row(license=licence)
    with pytest.raises(InputError, match="“licences” does not say"):
        of_row(licences=[licence])


HUGO = {"name": "Victor Hugo", "birth": 1802, "death": 1885}


def verdict(document: Document) -> tuple[str, str]:
    judged = term(document.authors, "FR", date(2026, 11, 22))
    return judged.verdict, judged.explanation


def test_a_free_text_by_one_known_author_is_free() -> None:
    assert verdict(of_row(authors=[HUGO])) == ("allow", "term-free")


@pytest.mark.parametrize(
    "other",
    [
        {"nom": "Traducteur"},
        {"name": 42, "birth": 1700, "death": 1750},
        {"name": " ", "death": 1750},
        {},
        42,
        None,
        "",
        ["Anne Bel"],
    ],
)
def test_an_author_who_cannot_be_read_stays_unknown_and_the_text_is_not_free(other: object) -> None:
    document = of_row(authors=[HUGO, other])
    assert document.authors == (Author("Victor Hugo", "author", 1802, 1885), Author(""))
    assert verdict(document) == ("review", "unknown-death")
    assert verdict(of_row(author=other if other else [other])) == ("review", "unknown-death")


def test_the_field_author_adds_to_authors_and_repeats_nobody() -> None:
    assert verdict(of_row(authors=[HUGO], author="Anne Bel")) == ("review", "unknown-death")
    assert len(of_row(authors=[HUGO], author="Victor Hugo").authors) == 1
    assert len(of_row(authors=[HUGO], author={"name": "Victor Hugo", "death": 1985}).authors) == 2


def test_a_string_of_flags_is_one_flag() -> None:
    document = of_row(authors=[HUGO | {"flags": "contradictory-dates"}])
    assert document.authors[0].flags == ("contradictory-dates",)
    assert verdict(document) == ("review", "flagged-author")
    assert verdict(of_row(authors=[HUGO | {"flags": "viaf:9847974"}])) == ("allow", "term-free")


@pytest.mark.parametrize("flags", [1, True, {"mort-pour-la-france": True}, [1914], [None], "\ud800"])
def test_flags_that_cannot_be_read_are_refused_with_file_and_line(flags: object) -> None:
    with pytest.raises(InputError, match="f, line 1: "):
        of_row(authors=[HUGO | {"flags": flags}])


@pytest.mark.parametrize("year", [9e9, 1802.5, "1802", True, -10_000, [1802], {"year": 1802}, math.nan])
def test_a_year_that_is_stated_and_cannot_be_read_puts_the_text_up_for_review(year: object) -> None:
    birth = of_row(authors=[{"name": "A", "birth": year, "death": 1900}])
    assert birth.authors == (Author("A", death=1900, flags=("unreadable-year",)),)
    assert verdict(birth) == ("review", "flagged-author")
    assert verdict(of_row(authors=[{"name": "A", "birth": 1850, "death": year}]))[0] == "review"


def test_a_year_that_is_not_stated_casts_no_doubt() -> None:
    for nothing in (None, "", " "):
        assert verdict(of_row(authors=[{"name": "A", "birth": nothing, "death": 1900}]))[0] == "allow"


@pytest.mark.parametrize("claimed", ["file", "origin", "edition", "somebody"])
def test_a_foreign_row_has_no_say_in_who_speaks(claimed: str) -> None:
    stated = {"stated_by": claimed, "expression": "CC0-1.0", "evidence": "page 3"}
    (licence,) = of_row(licences=[stated]).licences
    assert (licence.stated_by, licence.expression) == ("distributor", "CC0-1.0")
    assert licence.evidence == f"page 3 (stated, the row says, by “{claimed}”)"


def test_only_a_whole_row_of_a_hemicycle_corpus_says_who_speaks() -> None:
    row = Document(origin="o", text="Bonjour.", licences=(StatedLicence("file", "CC0-1.0", "page 3"),)).row(
        "debats"
    )
    assert of_row(**row).licences == (StatedLicence("file", "CC0-1.0", "page 3"),)
    for column in sorted(set(SCHEMA.names) - {"text", "licences"}):
        partial = {name: value for name, value in row.items() if name != column}
        assert [s.stated_by for s in of_row(**partial).licences] == ["distributor"], column
    with pytest.raises(InputError, match="does not have the digest"):
        of_row(**row | {"digest": "0" * 64})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "this is not JSON"),
        (b'{"text": "a"} {"text": "b"}', "this is not JSON: Extra data"),
        (b'["a"]', "the line holds a list, not an object"),
        (b"null", "nothing (null)"),
        (b'{"text": "a", "text": "b"}', "the key “text” stands twice"),
        (b'{"text": "a", "x": {"y": 1, "y": 2}}', "the key “y” stands twice"),
        (b'{"text": "a", "score": NaN}', "NaN is not JSON"),
        (b'{"text": "a", "score": -Infinity}', "-Infinity is not JSON"),
        (b'{"text": 5}', "the field “text” holds a number, not a text"),
        (b'{"text": null}', "the field “text” holds nothing (null), not a text"),
        (b'{"text": ["a"]}', "holds a list, not a text"),
        (b'{"Text": "a"}', "there is no field “text” for the text; fields here: Text"),
        (b'{"text": "ab\\ud83d"}', "character 2 of the field “text” is half of a surrogate pair (U+D83D)"),
        (b'{"text": "a", "id": "\\udc00"}', "character 0 of the field “id”"),
        (b'{"text": "a", "id": true}', "the field “id” holds a truth value, not an id"),
        (b'{"text": "a", "id": ""}', "the field “id” holds a string, not an id"),
        (b'{"text": "\xe9"}', "byte 10 of the line (0xe9) is not UTF-8"),
        (b'{"text": "a\0"}', "this is not JSON"),
        (b"[" * 200_000, "the JSON is nested too deeply"),
        (b'{"text": "a", "n": ' + b"9" * 5_000 + b"}", "a number cannot be read"),
        (b'{"text": "abc", "parts": [{"start": 0, "end": 4}]}', "a part (0 to 4) lies outside the text"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line(tmp_path: Path, line: bytes, said: str) -> None:
    message = refused(tmp_path, b'{"text": "bon"}\n' + line + b"\n")
    assert message.startswith("a.jsonl, line 2: ")
    assert said in message


def test_a_whole_surrogate_pair_is_a_character(tmp_path: Path) -> None:
    (document,) = read_lines(tmp_path, b'{"text": "\\ud83d\\ude00", "title": "\\ud800 x"}')
    assert (document.text, document.title) == ("😀", "? x")


def test_a_line_above_the_bound_is_refused_before_it_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "a"}\n')
        file.truncate(64 * 2**30)
    with pytest.raises(InputError, match=r"^a.jsonl, line 2: the line is longer than 1 MiB"):
        list(jsonl.lines(path, "a.jsonl", max_bytes=2**20))


def test_another_kind_of_file_is_refused_not_skipped(tmp_path: Path) -> None:
    assert "a.json: this is not a JSON Lines file" in refused(tmp_path, b"{}", "a.json")


def test_a_row_of_a_hemicycle_corpus_keeps_its_origin_and_must_keep_its_text() -> None:
    row = Document(origin="seance.xml#12", text="Bonjour.", id="debats:seance.xml#12").row("debats")
    assert of_row(**row).origin == "seance.xml#12"
    with pytest.raises(InputError, match="does not have the digest"):
        of_row(**row | {"text": "Bonsoir."})


def test_a_cleaned_text_answers_to_its_clean_digest() -> None:
    row = Document(origin="o", text="Bonjour.").row("debats")
    cleaned = row | {"digest": "0" * 64, "clean_digest": row["digest"]}
    assert of_row(**cleaned).origin == "o"


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["id", "title", "date", "url", "language", "license", "licences", "authors", "parts", "kind"]
        )
        | st.text(max_size=3),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    ),
    st.text(max_size=20),
)
def test_any_json_object_is_a_storable_document_or_an_input_error(fields: dict[str, Any], text: str) -> None:
    row = json.loads(json.dumps({**fields, "text": text}))
    try:
        document = document_of_row(row, CARD, origin="f", anchor="L1", place="f, line 1")
    except InputError:
        return
    stored = document.row("s")
    assert stored["text"] == text
    json.dumps(stored, ensure_ascii=False).encode("utf-8")
