"""Parquet: rows as documents, a Hemicycle corpus taken back whole, damage named."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.documents import Author, Document, Part, StatedLicence, write_documents
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import parquet

CARD = Card(title="T", reader="parquet", path="t")


def write(path: Path, table: pa.Table, rows_a_group: int = 1000) -> None:
    pq.write_table(table, path, row_group_size=rows_a_group)


def test_rows_are_documents_across_row_groups(tmp_path: Path) -> None:
    texts = [f"Texte {n}." for n in range(200)]
    write(tmp_path / "a.parquet", pa.table({"text": texts, "n": range(200)}), rows_a_group=7)
    found = list(parquet.read(tmp_path, CARD))
    assert [d.text for d in found] == texts
    assert found[8].origin == "a.parquet#R9"


def test_a_corpus_of_hemicycle_is_taken_back_whole(tmp_path: Path) -> None:
    documents = [
        Document(
            origin="s.xml#1",
            text="Bonjour à tous.",
            parts=(Part(0, 7, "a1", "turn", "Mme Untel", "chair", 12.5, " Ouverture "), Part(8, 15)),
            title="Séance",
            authors=(Author("Victor Hugo", "author", 1802, 1885, ("pseudonymous",)), Author("X", "editor")),
            date="1871-03",
            language="fr",
            variety="fr-FR",
            kind="debate",
            licences=(StatedLicence("origin", "etalab-2.0", "https://…"), StatedLicence("file", "CC0-1.0")),
            group="séances",
            id="debats:s.xml#1",
            confidence=0.93,
        ),
        Document(origin="vide", text="", id="debats:vide", group="debats:vide"),
    ]
    write_documents(tmp_path / "debats.parquet", "debats", documents)
    assert list(parquet.read(tmp_path, CARD)) == documents


def test_a_column_of_licences_in_a_foreign_file_is_its_distributors_word(tmp_path: Path) -> None:
    stated = [{"stated_by": "file", "expression": "CC0-1.0", "evidence": None}]
    write(tmp_path / "a.parquet", pa.table({"text": ["Un."], "licences": [stated]}))
    (document,) = parquet.read(tmp_path, CARD)
    assert [(s.stated_by, s.expression) for s in document.licences] == [("distributor", "CC0-1.0")]


def test_an_author_that_is_null_stays_unknown(tmp_path: Path) -> None:
    authors = [{"name": "Victor Hugo", "death": 1885}, None, {"name": None, "death": 1700}]
    write(tmp_path / "a.parquet", pa.table({"text": ["Un."], "authors": [authors]}))
    (document,) = parquet.read(tmp_path, CARD)
    assert document.authors == (Author("Victor Hugo", death=1885), Author(""), Author(""))


def test_large_strings_dictionaries_and_integer_ids_are_taken(tmp_path: Path) -> None:
    table = pa.table(
        {
            "corps": pa.array(["Un.", "Deux."], pa.large_string()),
            "cle": pa.array([7, 8], pa.int32()),
            "license": pa.array(["MIT", None]).dictionary_encode(),
            "date": pa.array([0, 1], pa.date32()),
        }
    )
    write(tmp_path / "a.parquet", table)
    card = Card(title="T", reader="parquet", path="t", text_field="corps", id_field="cle")
    one, two = parquet.read(tmp_path, card)
    assert (one.id, one.text, one.date) == ("7", "Un.", "1970-01-01")
    assert [s.expression for s in one.licences] == ["MIT"]
    assert two.licences == ()


def test_a_missing_text_column_is_said_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"contenu": ["x"]}))
    with pytest.raises(
        InputError, match=r"a\.parquet: there is no column “text” for the text; columns: contenu"
    ):
        list(parquet.read(tmp_path, CARD))


@pytest.mark.parametrize(("value", "said"), [(None, "nothing"), (b"\xff", "bytes"), (3, "a number")])
def test_a_text_that_is_not_text_is_refused_with_its_row(tmp_path: Path, value: object, said: str) -> None:
    write(tmp_path / "a.parquet", pa.table({"text": [value]}))
    with pytest.raises(InputError, match=f"a.parquet, row 1: the field “text” holds {said}"):
        list(parquet.read(tmp_path, CARD))


def test_bytes_that_are_not_utf_8_in_a_string_column_are_refused_with_their_row(tmp_path: Path) -> None:
    broken = pa.array([b"bon", b"bon", b"\xe9t\xe9"]).view(pa.string())
    write(tmp_path / "a.parquet", pa.table({"text": broken}))
    with pytest.raises(InputError, match=r"a.parquet, row 3: a value cannot be read"):
        list(parquet.read(tmp_path, CARD))


def test_dropped_documents_do_not_come_back_by_accident(tmp_path: Path) -> None:
    write_documents(tmp_path / "a.parquet", "s", [Document(origin="o", text="x")])
    table = pq.read_table(tmp_path / "a.parquet")
    write(tmp_path / "a.parquet", table.append_column("why", pa.array([["too-short"]])))
    with pytest.raises(InputError, match="documents that a corpus dropped"):
        list(parquet.read(tmp_path, CARD))


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"pas du parquet", b"PAR1" + b"\0" * 64 + b"PAR1"])
def test_a_file_that_is_not_parquet_is_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(damage)
    with pytest.raises(InputError, match=r"a\.parquet: the Parquet file cannot be read"):
        list(parquet.read(tmp_path, CARD))


def test_a_flipped_byte_is_never_read_as_another_text(tmp_path: Path) -> None:
    documents = [Document(origin=f"o{n}", text=f"Le texte numéro {n}. " * 20, id=f"s:{n}") for n in range(50)]
    path = tmp_path / "a.parquet"
    write_documents(path, "s", documents)
    whole = path.read_bytes()
    chance = random.Random(7)
    refusals = 0
    for _ in range(120):
        at = chance.randrange(len(whole))
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        try:
            texts = [d.text for d in parquet.read(tmp_path, CARD)]
        except InputError:
            refusals += 1
        else:
            assert texts == [d.text for d in documents]
    assert refusals > 60
