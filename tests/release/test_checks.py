"""A release shows what was checked of its own model, and says what was not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from hemicycle.errors import IntegrityError
from hemicycle.project import Declaration
from hemicycle.release import check_release

from .miniature import HOSTILE, Miniature


def counted(**changes: int) -> dict[str, int]:
    told = {"clean": 7, "partly": 2, "contaminated": 1, "unjudged": 0, "short": 0, "short_contaminated": 0}
    return {**told, "words": 200, "found": 30, "longest": 21, **changes}


def checked(folder: Path) -> Path:
    """The results of a check of two training texts, as the stage writes them."""
    folder.mkdir(parents=True)
    one = {
        "set": HOSTILE,
        "items": 10,
        "question": counted(),
        "with_answer": counted(clean=0),
        "answered": 10,
    }
    held = {
        "set": "held-out:sittings",
        "items": 10,
        "question": counted(),
        "with_answer": None,
        "answered": 0,
    }
    texts = [
        {
            "training": name,
            "models": [model],
            "documents": 4,
            "words": 900,
            "sets": [{**one, "context": None}],
            "held_out": [{**held, "context": None}],
            "notes": {"en": [f"A note on {model} | <b>"], "fr": [f"Une note sur {model}"]},
        }
        for name, model in (("debats", "petit"), ("secret", "autre"))
    ]
    results = {"training": texts, "not_read": [], "upstream": {}, "trained_elsewhere": 0, "method": {}}
    (folder / "contamination.json").write_text(json.dumps(results), "utf-8")
    pl.DataFrame({"training": ["debats", "secret"], "document": ["a", "b"]}).write_parquet(
        folder / "items.parquet"
    )
    write_pictures(folder, "contamination")
    return folder


def write_pictures(folder: Path, stem: str) -> None:
    """One of all models, and one of each."""
    for name in (stem, f"{stem}.petit", f"{stem}.autre"):
        (folder / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())


def given_back(folder: Path) -> Path:
    folder.mkdir(parents=True)
    exact = {"value": 0.125, "low": 0.0625, "high": 0.25, "count": 5}
    row = {"passages": 40, "documents": 9, "exact": exact, "in_8": exact, "in_25": None, "longest": 33}
    rows: list[dict[str, Any]] = [
        {"by": by, "value": value, "prefix": prefix, **row}
        for prefix in (16, 32)
        for by, value in (("all", ""), ("copies", "10+"), ("source", "sittings"), ("control", ""))
    ]
    about = {"rows": rows, "lengths": [16, 32], "target_tokens": 50, "notes": {"en": ["n"], "fr": ["n"]}}
    results = {"models": {"petit": about, "autre": about}, "upstream": {}, "method": {}}
    (folder / "regurgitation.json").write_text(json.dumps(results), "utf-8")
    pl.DataFrame({"model": ["petit", "autre"], "document": ["a", "b"]}).write_parquet(
        folder / "passages.parquet"
    )
    write_pictures(folder, "regurgitation")
    return folder


def test_both_cards_show_what_was_found_and_what_comes_out(miniature: Miniature, tmp_path: Path) -> None:
    out = miniature.release(
        tmp_path / "v0",
        contamination={"base": checked(tmp_path / "c")},
        regurgitation={"base": given_back(tmp_path / "r")},
    )
    english, french = ((out / page).read_text("utf-8") for page in ("README.md", "README.fr.md"))
    assert "| 10 | 7 | 2 | 1 | 3 | 0 | 15.0% | 21 |" in english
    assert "| held out of sittings | 10 | 7 | 2 | 1 | – | 0 | 15.0% | 21 |" in english
    assert "| 10+ × in the training text | 32 | 40 | 12.5% \\[6.2%, 25.0%\\] |" in english
    assert "| 10+ × in the training text | 16 |" not in english
    assert english.count("| held out (control) |") == 2
    assert "| tenu à l’écart (témoin) | 16 | 40 | 12,5\u202f% \\[6,2\u202f%\u202f; 25,0\u202f%\\] |" in french
    assert "<script>" not in english + french
    assert check_release(out)[0] == []


def test_where_nothing_was_judged_no_share_was_found(miniature: Miniature, tmp_path: Path) -> None:
    folder = checked(tmp_path / "c")
    results = json.loads((folder / "contamination.json").read_text("utf-8"))
    nothing = counted(clean=0, partly=0, contaminated=0, unjudged=10, words=0, found=0, longest=0)
    for text in results["training"]:
        for one in (*text["sets"], *text["held_out"]):
            one |= {"question": nothing, "with_answer": None}
    (folder / "contamination.json").write_text(json.dumps(results), "utf-8")
    out = miniature.release(tmp_path / "v0", contamination={"base": folder})
    for page, held in (("README.md", "held out of"), ("README.fr.md", "tenu à l’écart de")):
        card = (out / page).read_text("utf-8")
        assert f"| {held} sittings | 10 | 0 | 0 | 0 | – | 10 | – | 0 |" in card
        assert card.count("| 10 | 0 | 0 | 0 | – | 10 | – | 0 |") == 2


def test_nothing_of_other_models_is_published(miniature: Miniature, tmp_path: Path) -> None:
    out = miniature.release(
        tmp_path / "v0",
        contamination={"base": checked(tmp_path / "c")},
        regurgitation={"base": given_back(tmp_path / "r")},
    )
    folder = out / "evaluation" / "base"
    assert pl.read_parquet(folder / "items.parquet")["document"].to_list() == ["a"]
    assert pl.read_parquet(folder / "passages.parquet")["document"].to_list() == ["a"]
    for stem in ("contamination", "regurgitation"):
        assert (folder / f"{stem}.png").read_bytes().endswith(f"{stem}.petit".encode())
    for file in ("contamination.json", "regurgitation.json"):
        written = (folder / file).read_text("utf-8")
        assert "autre" not in written
        assert "secret" not in written


def test_what_was_not_measured_and_not_checked_is_said(miniature: Miniature, tmp_path: Path) -> None:
    told = miniature.declaration.model_dump(mode="json", by_alias=True)
    told["models"]["autre"] = told["models"]["petit"]
    told["evaluations"]["autre"] = {"models": ["autre"], "sets": [{"path": "sets/piaf | v1.json"}]}
    miniature.declaration = Declaration.model_validate(told)
    out = miniature.release(tmp_path / "v0")
    english, french = ((out / page).read_text("utf-8") for page in ("README.md", "README.fr.md"))
    assert "Not measured." in english
    assert "Non mesuré." in french
    assert "not looked for in the training text of this one: piaf \\| v1.json (autre)." in english
    assert "Is what it was measured on" not in english
    bare = miniature.release(tmp_path / "v1", evaluations={})
    assert "No evaluation of this model is declared" in (bare / "README.md").read_text("utf-8")
    assert "Aucune évaluation de ce modèle n’est déclarée" in (bare / "README.fr.md").read_text("utf-8")


@pytest.mark.parametrize("text", ["{", "{}", '{"training": []}'])
def test_results_that_cannot_be_read_stop_a_release(miniature: Miniature, tmp_path: Path, text: str) -> None:
    folder = checked(tmp_path / "c")
    (folder / "contamination.json").write_text(text, "utf-8")
    with pytest.raises(IntegrityError, match=r"contamination\.json: the results cannot be read"):
        miniature.release(tmp_path / "v0", contamination={"base": folder})
