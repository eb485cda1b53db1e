"""A dataset folder: its card's licence on every document, its data files, and fetching one by name."""

from __future__ import annotations

import csv
import gzip
import sys
import types
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.documents import StatedLicence
from hemicycle.errors import DeclarationError, InputError
from hemicycle.project import Card
from hemicycle.sources import huggingface
from hemicycle.sources.huggingface import fetch_dataset

CARD = Card(title="Jeu", reader="huggingface", path="x")
README = """---
language:
- fr
license: cc-by-4.0
size_categories: [1K<n<10K]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
dataset_info:
  features:
  - name: text
    dtype: string
---

# Jeu de données
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text(README)
    (tmp_path / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (tmp_path / "LICENSE").write_text("…")
    pq.write_table(pa.table({"text": ["Un.", "Deux."]}), tmp_path / "data" / "train-00000.parquet")
    return tmp_path


def test_every_document_carries_what_the_card_says_of_the_licence(folder: Path) -> None:
    (folder / "data" / "plus.jsonl").write_text('{"text": "Trois.", "license": "CC0-1.0"}\n')
    found = list(huggingface.read(folder, CARD))
    said = StatedLicence("distributor", "cc-by-4.0", "README.md, line 4")
    assert [(d.origin, d.text) for d in found] == [
        ("data/plus.jsonl#L1", "Trois."),
        ("data/train-00000.parquet#R1", "Un."),
        ("data/train-00000.parquet#R2", "Deux."),
    ]
    assert found[0].licences == (
        said,
        StatedLicence("distributor", "CC0-1.0", "data/plus.jsonl, line 1, field “license”"),
    )
    assert found[1].licences == (said,)


@pytest.mark.parametrize(
    ("header", "expressions"),
    [
        ("license: mit", ["mit"]),
        ("license:\n- mit\n- cc-by-nc-4.0", ["mit", "cc-by-nc-4.0"]),
        ('license: [mit, "etalab-2.0"]', ["mit", "etalab-2.0"]),
        ("license:\n  cc-by-nc-4.0", ["cc-by-nc-4.0"]),
        ("license:", []),
        ("language: fr", []),
    ],
)
def test_licences_are_read_in_every_form_a_card_writes_them(
    folder: Path, header: str, expressions: list[str]
) -> None:
    (folder / "README.md").write_text(f"---\n{header}\n---\nTexte.\n")
    assert [s.expression for s in huggingface.stated_licences(folder)] == expressions


def test_other_licences_come_with_the_name_and_the_link_given(folder: Path) -> None:
    (folder / "README.md").write_text(
        "---\nlicense: other\nlicense_name: ma-licence\nlicense_link: https://exemple.fr/l\n---\n"
    )
    (stated,) = huggingface.stated_licences(folder)
    assert stated.expression == "other"
    assert (
        stated.evidence == "README.md, line 2 (license_name: ma-licence; license_link: https://exemple.fr/l)"
    )


def test_without_a_card_nothing_is_stated(folder: Path) -> None:
    (folder / "README.md").write_text("# Sans en-tête\nlicense: mit\n")
    assert huggingface.stated_licences(folder) == ()
    (folder / "README.md").unlink()
    assert huggingface.stated_licences(folder) == ()


def test_a_header_that_cannot_be_read_is_refused_as_it_may_state_a_licence(folder: Path) -> None:
    (folder / "README.md").write_text("---\n{license: cc-by-nc-4.0}\n---\n")
    with pytest.raises(InputError, match="it may state a licence"):
        list(huggingface.read(folder, CARD))


def test_csv_rows_are_documents_even_when_a_field_spans_lines(folder: Path) -> None:
    (folder / "data" / "train-00000.parquet").unlink()
    (folder / "data" / "a.csv.gz").write_bytes(gzip.compress(b'id,text,license\n7,"Un,\ndeux.",\n8,"",mit\n'))
    one, two = huggingface.read(folder, CARD)
    assert (one.id, one.text, len(one.licences)) == ("7", "Un,\ndeux.", 1)
    assert (two.id, two.text, two.licences[1].evidence) == ("8", "", "data/a.csv.gz, line 4, field “license”")


def test_long_fields_are_read_and_the_limit_of_others_stays_as_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = b"x" * (before + 1)
    (tmp_path / "a.csv").write_bytes(b'text\n%b\n%b\n"open' % (long, long))
    documents = huggingface.read(tmp_path, CARD)
    for _ in range(2):
        assert len(next(documents).text) == before + 1
        assert csv.field_size_limit() == before
    with pytest.raises(InputError):
        next(documents)
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"text\na,b\n", r"a\.csv, line 2: the row has 2 fields, the header 1"),
        (b'text\n"jamais ferm\xc3\xa9\n', r"a\.csv, line 2: this is not CSV"),
        (b"text,text\na,b\n", r"a\.csv, line 1: two columns have the same name"),
        (b"contenu\na\n", r"a\.csv, line 2: there is no field “text”"),
        (b"text\n\xe9\n", r"a\.csv, line 2: byte 0 of the line \(0xe9\) is not UTF-8"),
    ],
)
def test_a_bad_csv_is_refused_with_its_line(folder: Path, data: bytes, said: str) -> None:
    (folder / "data" / "a.csv").write_bytes(data)
    with pytest.raises(InputError, match=said):
        list(huggingface.read(folder, CARD))


def test_data_no_reader_knows_is_refused_and_no_data_is_too(folder: Path) -> None:
    (folder / "data" / "a.arrow").write_bytes(b"ARROW1")
    with pytest.raises(InputError, match=r"data/a\.arrow: no reader knows \.arrow files"):
        list(huggingface.read(folder, CARD))
    (folder / "data" / "a.arrow").unlink()
    (folder / "data" / "train-00000.parquet").unlink()
    with pytest.raises(InputError, match="no data file is selected"):
        list(huggingface.read(folder, CARD))


def fake_hub(
    monkeypatch: pytest.MonkeyPatch, sha: str | None = "c0ffee", error: Exception | None = None
) -> list[dict[str, object]]:
    calls: list[dict[str, object]] = []

    class HfApi:
        def repo_info(self, repo: str, repo_type: str, revision: str) -> types.SimpleNamespace:
            assert repo_type == "dataset"
            if error:
                raise error
            calls.append({"repo": repo, "revision": revision})
            return types.SimpleNamespace(sha=sha)

    def snapshot_download(repo: str, *, local_dir: str, **options: object) -> str:
        calls.append({"repo": repo, **options})
        Path(local_dir, "README.md").write_text(README)
        Path(local_dir, ".cache").mkdir()
        return local_dir

    hub = types.ModuleType("huggingface_hub")
    vars(hub).update(HfApi=HfApi, snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return calls


def test_a_name_is_fetched_at_the_commit_its_revision_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_hub(monkeypatch)
    assert fetch_dataset("hf:org/jeu@main", tmp_path / "into") == "c0ffee"
    assert calls == [
        {"repo": "org/jeu", "revision": "main"},
        {"repo": "org/jeu", "repo_type": "dataset", "revision": "c0ffee", "allow_patterns": None},
    ]
    assert [p.name for p in (tmp_path / "into").iterdir()] == ["README.md"]


def test_patterns_of_the_card_are_asked_for_with_the_dataset_s_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_hub(monkeypatch)
    fetch_dataset("hf:org/jeu@v1", tmp_path, include=["**/*.parquet"])
    assert calls[1]["allow_patterns"] == ["**/*.parquet", "*.parquet", "README.md"]


@pytest.mark.parametrize(
    "name", ["hf:org/jeu", "org", "hf:../jeu@main", "hf:org/jeu@../x", "hf:a/b/c@main", ""]
)
def test_a_name_without_a_revision_is_a_wrong_declaration(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeclarationError, match="Write hf:ORG/NAME@REVISION"):
        fetch_dataset(name, tmp_path)


def test_without_the_library_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DeclarationError, match=r"pip install 'hemicycle\[train\]'"):
        fetch_dataset("hf:org/jeu@main", tmp_path)


@pytest.mark.parametrize("error", [httpx.ConnectError("no route"), OSError("gated"), ValueError("bad name")])
def test_a_hub_that_does_not_give_is_an_input_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fake_hub(monkeypatch, error=error)
    with pytest.raises(InputError, match=f"hf:org/jeu@main: the hub does not give the dataset: {error}"):
        fetch_dataset("hf:org/jeu@main", tmp_path)


def test_a_hub_that_names_no_commit_is_not_asked_for_whatever_is_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_hub(monkeypatch, sha=None)
    with pytest.raises(InputError, match="names no commit"):
        fetch_dataset("hf:org/jeu@main", tmp_path)
    assert len(calls) == 1


def test_a_licence_nested_in_a_card_is_refused_rather_than_passed_over(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nextra:\n  license: mit\n---\n", "utf-8")
    with pytest.raises(InputError, match="it may state a licence"):
        huggingface.stated_licences(tmp_path)
