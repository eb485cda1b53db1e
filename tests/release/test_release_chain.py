"""A release answers for the whole chain: what earlier models read, and the base of which nothing is known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from hemicycle.errors import IntegrityError, RightsError
from hemicycle.project import Declaration
from hemicycle.release import check_release
from hemicycle.tokens import EXPOSURE

from .miniature import CONTEXT, Miniature, build_miniature, write
from .test_make_release import numbers

#: What the second model reads, beside what the first one read: a document of both, in a run of its own.
SECOND = {"sittings:1.xml": 500, "manuals:a.html": 300}
RAIL = "LicenseRef-scancode-bigscience-rail-1.0"


def continued(mini: Miniature, base: str | None = None) -> Miniature:
    """The miniature's model gone on with, as “suite”; `base`: licence of a base that the first began as."""
    told = mini.declaration.model_dump(mode="json", by_alias=True)
    first = told["models"]["petit"]
    second = {"method": "continue", "from": "petit", "corpora": {"debats": 1.0}, "budget": first["budget"]}
    told["models"]["suite"] = second
    told["releases"]["v0"]["model"] = "suite"
    told["evaluations"]["base"]["models"] = ["suite"]
    inputs = {"order": "order/petit", "debats": "tokens/debats.fr"}
    if base is not None:
        told["bases"] = {
            "vieux": {"hf": f"maison/vieux@{'0' * 40}", "licence": base, "attested_by": "Camille Test"}
        }
        first |= {"method": "continue", "from": "vieux", "architecture": None, "tokenizer": None}
        folder = mini.folder("base", "vieux")
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "LICENSE.md").write_text("You shall not …")
        figures = {
            "family": "bloom",
            "shape": {"parameters": 7_000_000},
            "revision": "0" * 40,
            "stated_licence": "bigscience-bloom-rail-1.0",
        }
        mini.record("base", "vieux", {}, figures)
        (mini.folder("tokens", "debats.vieux") / "tokens-00000.bin").write_bytes(b"\0" * 8)
        by_source = {s: {"documents": 2, "tokens": 500} for s in ("sittings", "manuals")}
        mini.record("tokens", "debats.vieux", {"corpus": "corpus/debats"}, {"sources": by_source})
        inputs["debats"] = "tokens/debats.vieux"
        petit = mini.statements["model/petit"]
        mini.record("model", "petit", {**inputs, "base": "base/vieux"}, petit.figures)
    mini.declaration = Declaration.model_validate(told)
    folder = mini.folder("model", "suite")
    for file in ("model.safetensors", "config.json", "tokenizer.json", "loss.png"):
        shutil.copyfile(mini.folders["model/petit"] / file, folder / file)
    shape = {"family": "bloom", "layers": 2, "width": 16, "heads": 2, "context": CONTEXT, "vocabulary": 300}
    tokens = sum(SECOND.values())
    (folder / "training.json").write_text(json.dumps({"shape": shape, "tokens": tokens}))
    rows = [
        {"document": d, "source": d.split(":")[0], "first_step": 0, "last_step": 9, "rows": 1, "tokens": t}
        for d, t in SECOND.items()
    ]
    write(folder / "exposure.parquet", EXPOSURE, rows)
    path = mini.folders["evaluation/base"] / "results.json"
    results = json.loads(path.read_text())
    row = {"model": "suite", "base": "petit", "corpus": "debats", "before": 2.25, "after": 2.5}
    change = {"difference": 0.25, "low": 0.125, "high": 0.375, "differs": True}
    path.write_text(json.dumps({**results, "forgetting": [{**row, **change}]}))
    figures = {**mini.statements["model/petit"].figures, "tokens": tokens, "steps": 10}
    mini.record("model", "suite", {**inputs, "base": "model/petit"}, figures)
    return mini


def release(mini: Miniature, out: Path, **changes: object) -> Path:
    folders = mini.folders
    given = {"model": folders["model/suite"], "before": {"petit": folders["model/petit"]}}
    return mini.release(out, **{**given, "base": folders.get("base/vieux"), **changes})


def test_every_document_of_the_chain_has_a_row_for_each_model_that_read_it(
    miniature: Miniature, tmp_path: Path
):
    folder = release(continued(miniature), tmp_path / "v0")
    rows = pl.read_parquet(folder / "documents.parquet")
    assert rows.group_by("model").agg(pl.sum("tokens")).sort("model").rows() == [
        ("petit", 3_200),
        ("suite", 800),
    ]
    assert rows.filter(id="sittings:1.xml")["model"].to_list() == ["petit", "suite"]
    findings, facts = check_release(folder)
    assert not findings
    assert (facts["documents"], facts["tokens"]) == (4, 4_000), "a document read twice is one document"
    assert "upstream-unknown" not in facts


@pytest.mark.parametrize(("page", "said"), [("README.md", "in 2 runs"), ("README.fr.md", "en 2 fois")])
def test_the_card_says_what_the_model_was_made_from(
    page: str, said: str, miniature: Miniature, tmp_path: Path
):
    text = (release(continued(miniature), tmp_path / "v0") / page).read_text("utf-8")
    assert said in text
    assert "| `petit` | " in text
    assert "scratch" not in text
    assert "zéro" not in text
    assert "upstream-unknown" not in text


def test_what_an_earlier_model_read_needs_its_right_too(miniature: Miniature, tmp_path: Path):
    mini = continued(miniature)
    (exposure,) = mini.folders["model/petit"].glob("exposure.parquet")
    rows = pl.read_parquet(exposure).to_dicts()
    denied = {**rows[0], "document": "manuals:d.html", "source": "manuals"}
    write(exposure, EXPOSURE, [*rows, denied])
    with pytest.raises(IntegrityError, match=r"manuals:d\.html"):
        release(mini, tmp_path / "v0")


def test_rights_lost_since_an_earlier_model_read_stop_the_release(miniature: Miniature, tmp_path: Path):
    mini = continued(miniature)
    table = mini.folders["rights/manuals"] / "rights.parquet"
    rows = pl.read_parquet(table)
    lost = pl.col("id") == "manuals:b.html"
    changed = rows.with_columns(
        pl.when(lost).then(pl.lit("deny")).otherwise(pl.col("verdict")).alias("verdict")
    )
    assert "manuals:b.html" not in SECOND, "only the first model read it"
    changed.write_parquet(table)
    with pytest.raises(RightsError, match=r"manuals:b\.html"):
        release(mini, tmp_path / "v0")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("README.md", r"| `debats` | `petit` | 2.25 | 2.50 | 0.25 \[0.12, 0.38\] |"),
        ("README.fr.md", "| `debats` | `petit` | 2,25 | 2,50 | 0,25 \\[0,12\u202f; 0,38\\] |"),
    ],
)
def test_the_card_shows_what_was_forgotten(page: str, said: str, miniature: Miniature, tmp_path: Path):
    text = (release(continued(miniature), tmp_path / "v0") / page).read_text("utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `debats` |"))
    assert row == said


@pytest.mark.parametrize("file", ["exposure.parquet", "training.json"])
def test_the_account_of_an_earlier_model_is_checked_as_the_model_s_own(
    file: str, miniature: Miniature, tmp_path: Path
):
    folder = release(continued(miniature), tmp_path / "v0")
    (folder / "before" / "petit" / file).unlink()
    findings, _ = check_release(folder)
    assert f"before/petit/{file}" in {finding.file for finding in findings}


def test_a_base_is_named_with_its_licence_wherever_the_release_speaks_of_what_it_read(
    miniature: Miniature, tmp_path: Path
):
    folder = release(continued(miniature, RAIL), tmp_path / "v0")
    findings, facts = check_release(folder)
    assert not findings
    assert facts["upstream-unknown"] == "vieux"
    for page in ("README.md", "README.fr.md", "DATA.md", "DATA.fr.md"):
        assert "`upstream-unknown`" in (folder / page).read_text("utf-8"), page
    head = (folder / "README.md").read_text("utf-8").split("---")[1]
    assert 'base_model: "maison/vieux"' in head
    assert "upstream-unknown" in head
    for page in ("ATTRIBUTION.md", "NOTICE", "LICENSE-WEIGHTS.txt", "README.md", "README.fr.md"):
        assert RAIL in (folder / page).read_text("utf-8"), page
    assert (folder / "base" / "LICENSE.md").read_text() == "You shall not …"
    assert "base/LICENSE.md" in (folder / "NOTICE").read_text("utf-8")
    assert not (folder / "base" / "model.safetensors").exists()


def test_french_and_english_pages_of_a_chain_show_the_same_numbers(miniature: Miniature, tmp_path: Path):
    folder = release(continued(miniature, RAIL), tmp_path / "v0")
    english = numbers((folder / "README.md").read_text("utf-8"), "en")
    french = numbers((folder / "README.fr.md").read_text("utf-8"), "fr")
    assert sorted(english) == sorted(french)
    assert 7_000_000 in english


def test_of_withdrawn_text_no_card_says_that_a_base_did_not_read_it(tmp_path: Path) -> None:
    mini = continued(build_miniature(tmp_path / "mini", withdrawn=["manuals:0.html"]), RAIL)
    out = release(mini, tmp_path / "v0")
    for page, said in (
        ("README.md", "what was trained here did not read it. Whether `vieux` had read it is not known."),
        (
            "README.fr.md",
            "les entraînements faits ici ne l’ont pas lu. On ne sait pas si `vieux` l’avait lu.",
        ),
        ("DATA.md", "what was trained here did not read them, and whether `vieux` had is not known. What"),
        (
            "DATA.fr.md",
            "les entraînements faits ici ne les ont pas lus, et on ne sait pas si `vieux` les avait",
        ),
    ):
        text = (out / page).read_text("utf-8")
        assert said in text
        assert "this model did not read" not in text
        assert "ce modèle ne l" not in text
    assert "kept for evaluation and never read here." in (out / "DATA.md").read_text("utf-8")
