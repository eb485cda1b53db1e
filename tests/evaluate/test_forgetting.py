"""What a model lost of what it began from: paired differences by corpus, said only where they hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hemicycle.evaluate import evaluate, forgetting_table
from hemicycle.evaluate.forgetting import forgetting
from hemicycle.evaluate.heldout import cut, read_held_out
from hemicycle.tokens import EXPOSURE


def documents(corpora: list[set[str]]) -> list:
    """One document of one block and 100 bytes for each set of corpora that hold it out."""
    return [cut(f"d:{i}", "s", "x" * 100, held_by) for i, held_by in enumerate(corpora)]


def test_the_difference_is_after_less_before_on_each_corpus_by_hand():
    held = documents([{"old"}] * 6 + [{"new"}] * 6)
    before, after = np.full(12, 200.0), np.array([260.0] * 6 + [150.0] * 6)
    rows = forgetting(held, {"suite": after, "petit": before}, {"suite": "petit"})
    assert [(r["corpus"], r["before"], r["after"], r["difference"]) for r in rows] == [
        ("new", 2.0, 1.5, -0.5),
        ("old", 2.0, 2.6, 0.6),
    ]
    assert all(r["differs"] and r["documents"] == 6 and r["bytes"] == 600 for r in rows)
    assert rows[1]["low"] == pytest.approx(0.6), "every block differs by the same"


def test_a_document_that_two_corpora_hold_out_counts_for_both():
    held = documents([{"old", "new"}, {"new"}])
    bits = {"suite": np.array([100.0, 300.0]), "petit": np.array([100.0, 100.0])}
    rows = {r["corpus"]: r for r in forgetting(held, bits, {"suite": "petit"})}
    assert (rows["old"]["difference"], rows["new"]["difference"]) == (0.0, 1.0)
    assert rows["old"]["differs"] is None, "one block is too little to tell"


def test_a_difference_within_chance_is_not_said_to_be_one():
    held = documents([{"old"}] * 30)
    noise = np.random.default_rng(0).normal(0, 40, 30)
    bits = {"suite": 200 + noise, "petit": np.full(30, 200.0)}
    results = {"forgetting": forgetting(held, bits, {"suite": "petit"})}
    assert results["forgetting"][0]["differs"] is False
    assert forgetting_table(results, "en")[1][-1] == "no difference shown"
    assert forgetting_table(results, "fr")[1][-1] == "aucune différence établie"


def test_no_model_that_began_from_another_is_no_table():
    assert forgetting(documents([{"a"}]), {"petit": np.ones(1)}, {}) == []
    assert forgetting_table({"forgetting": []}, "en") == []


def test_what_only_an_unread_corpus_trains_on_is_measured_all_the_same(corpus):
    own = corpus("own", [("a:1", "a", "held-out", "un"), ("a:2", "a", "train", "deux")])
    other = corpus("other", [("a:1", "a", "train", "un"), ("b:1", "b", "held-out", "trois")])
    held = read_held_out({"own": own}, unread={"other": other})
    assert [(one.id, one.corpora) for one in held.documents] == [
        ("a:1", frozenset({"own"})),
        ("b:1", frozenset({"other"})),
    ]
    # What a model was trained on is no measure of it, whoever holds it out.
    third = corpus("third", [("a:2", "a", "held-out", "deux"), ("c:1", "c", "held-out", "quatre")])
    assert [d.id for d in read_held_out({"own": own}, unread={"third": third}).documents] == ["a:1", "c:1"]


@pytest.fixture(scope="module")
def two(corpus):
    def texts(source: str, word: str) -> list[tuple[str, str, str, str]]:
        rows = [(f"{source}:{i}", source, "held-out", f"{word} {i} " * 40) for i in range(8)]
        return [*rows, (f"{source}:t", source, "train", f"{word} et {word} " * 200)]

    return {"vieux": corpus("vieux", texts("a", "séance")), "neuf": corpus("neuf", texts("b", "roman"))}


def with_account(folder: Path, model: Path, read: list[str]) -> Path:
    shutil.copytree(model, folder)
    rows = [
        {"document": d, "source": "a", "first_step": 0, "last_step": 0, "rows": 1, "tokens": 1} for d in read
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows, EXPOSURE), folder / "exposure.parquet")
    return folder


def test_a_model_is_measured_beside_its_base_on_the_text_of_both(two, llama, uniform, tmp_path):
    base = with_account(tmp_path / "petit", uniform, ["a:t", "a:0"])
    model = with_account(tmp_path / "suite", llama, ["b:t"])
    out = tmp_path / "out"
    out.mkdir()
    figures = evaluate({"suite": model}, two, out, bases={"petit": base}, began={"suite": "petit"})
    results = json.loads((out / "results.json").read_text())
    kinds = {row["name"]: row["kind"] for row in results["rows"]}
    assert (kinds["suite"], kinds["petit"]) == ("model", "base")
    rows = {(r["name"], r["source"]): r["bits_per_byte"] for r in results["rows"]}
    for row, source in zip(results["forgetting"], ("b", "a"), strict=True):
        assert row["corpus"] == {"a": "vieux", "b": "neuf"}[source]
        assert (row["before"], row["after"]) == (rows["petit", source], rows["suite", source])
    assert figures["forgetting"] == results["forgetting"]
    read = {n: m["held_out_documents_read_in_training"] for n, m in results["models"].items()}
    assert read == {"suite": 1, "petit": 1}, "what the base read, the model has read"
    assert not any("unknown" in note for note in results["notes"]["en"])


def test_a_model_begun_from_a_base_of_which_nothing_is_known_carries_the_caution_too(
    two, llama, uniform, tmp_path
):
    model = with_account(tmp_path / "suite", llama, ["b:t"])
    out = tmp_path / "out"
    out.mkdir()
    evaluate({"suite": model}, two, out, bases={"bloom": uniform}, began={"suite": "bloom"})
    results = json.loads((out / "results.json").read_text())
    said = [note for note in results["notes"]["en"] if "its training text is unknown" in note]
    assert [note.split(":")[0] for note in said] == ["suite", "bloom"]
    assert results["models"]["suite"]["held_out_documents_read_in_training"] is None
