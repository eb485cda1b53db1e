from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import DeclarationError, InputError
from hemicycle.evaluate import TOTAL, evaluate, ngram, report, sentences, table

WORDS = "la séance est ouverte l’ordre du jour appelle la suite de la discussion du projet de loi".split()


def sitting(number: int, length: int) -> str:
    """Text that differs from one number to the next, from the words of a chamber."""
    return " ".join(WORDS[(i * i + number * i + i // 7) % len(WORDS)] for i in range(length)) + "."


@pytest.fixture(scope="module")
def debates(corpus):
    rows = [(f"debats:{i}", "debats", "train", sitting(i, 300)) for i in range(12)]
    rows += [(f"debats:{i}", "debats", "held-out", sitting(i, 700)) for i in range(12, 15)]
    rows += [
        ("droit:1", "droit", "train", sitting(50, 300)),
        ("droit:2", "droit", "held-out", sitting(51, 500)),
    ]
    return corpus("corpus", rows)


@pytest.fixture(scope="module")
def out(llama, uniform, debates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    evaluate({"petit": llama}, {"debats": debates}, folder, compare=[uniform])
    return folder


@pytest.fixture(scope="module")
def results(out):
    return json.loads((out / "results.json").read_text("utf-8"))


def test_every_model_and_baseline_has_a_row_for_every_source_and_the_whole(results):
    names = ["petit", "uniform", *(f"character n-gram of order {n}" for n in range(3, 8)), "xz -9"]
    assert [(row["source"], row["name"]) for row in results["rows"]] == [
        (source, name) for source in (TOTAL, "debats", "droit") for name in names
    ]
    kinds = {row["name"]: row["kind"] for row in results["rows"]}
    assert (kinds["petit"], kinds["uniform"], kinds["xz -9"]) == ("model", "compared", "baseline")
    texts = [sitting(i, 700) for i in range(12, 15)] + [sitting(51, 500)]
    whole = results["rows"][0]
    assert whole["bytes"] == sum(len(text.encode("utf-8")) for text in texts)
    assert whole["documents"] == 4


def test_figures_are_what_models_should_give(results):
    total = {row["name"]: row for row in results["rows"] if row["source"] == TOTAL}
    # a uniform model pays log2(259) for every byte, less where “es” saves one
    assert 7.8 < total["uniform"]["bits_per_byte"] <= 8.017
    assert total["petit"]["bits_per_byte"] > total["character n-gram of order 5"]["bits_per_byte"]
    learnt = ngram.train([*(sitting(i, 300) for i in range(12)), sitting(50, 300)])
    held_out = [*(sitting(i, 700) for i in range(12, 15)), sitting(51, 500)]
    bits = sum(costs.sum(axis=1) for costs in learnt.bits(held_out))
    for order in report.ORDERS:
        expected = bits[order - 1] / total["petit"]["bytes"]
        assert total[f"character n-gram of order {order}"]["bits_per_byte"] == pytest.approx(
            expected, abs=1e-6
        )
    for row in total.values():
        if row["name"] == "xz -9":
            assert row["low"] is row["high"] is row["unit"] is None
        else:
            assert row["low"] <= row["bits_per_byte"] <= row["high"]
            assert row["unit"] == "block"


def test_blocks_add_up_to_the_rows(results, out):
    blocks = pl.read_parquet(out / "blocks.parquet")
    sums = blocks.group_by("name", "source").agg(pl.col("bits").sum(), pl.col("bytes").sum())
    found = {(name, source): bits / size for name, source, bits, size in sums.iter_rows()}
    for row in results["rows"]:
        if row["source"] != TOTAL and row["name"] != "xz -9":
            assert found[row["name"], row["source"]] == pytest.approx(row["bits_per_byte"], abs=1e-5)
    order_5 = blocks.filter(name="character n-gram of order 5", document="debats:13")
    learnt = ngram.train([*(sitting(i, 300) for i in range(12)), sitting(50, 300)])
    costs = learnt.bits([sitting(13, 700)])[0][4]
    ends = [0, *order_5["end"]]
    assert order_5.height > 1
    assert order_5["bits"].to_list() == pytest.approx([costs[i:j].sum() for i, j in pairwise(ends)], abs=1e-3)
    assert pl.read_parquet(out / "results.parquet").to_dicts() == results["rows"]


def test_contrasts_pair_models_and_the_best_ngram(results):
    best = min(
        (row for row in results["rows"] if row["source"] == TOTAL and "n-gram" in row["name"]),
        key=lambda row: row["bits_per_byte"],
    )["name"]
    total = [one for one in results["contrasts"] if one["source"] == TOTAL]
    assert [(one["first"], one["second"]) for one in total] == [
        ("petit", "uniform"),
        ("petit", best),
        ("uniform", best),
    ]
    values = {row["name"]: row["bits_per_byte"] for row in results["rows"] if row["source"] == TOTAL}
    for one in total:
        assert one["difference"] == pytest.approx(values[one["first"]] - values[one["second"]], abs=2e-6)
        assert one["beyond_interval"] == (not one["low"] <= 0 <= one["high"])
        assert one["p"] <= one["p_holm"]
    assert total[2]["differs"] is True
    # droit has two blocks: too few to say anything
    droit = [one for one in results["contrasts"] if one["source"] == "droit"]
    assert all(one["p"] is None and one["differs"] is None for one in droit)


def test_figures_returned_are_the_totals(llama, debates, tmp_path):
    figures = evaluate({"petit": llama}, {"debats": debates}, tmp_path)
    rows = json.loads((tmp_path / "results.json").read_text("utf-8"))["rows"]
    assert figures["bits_per_byte"] == {
        row["name"]: row["bits_per_byte"] for row in rows if row["source"] == TOTAL
    }
    assert figures["held_out"]["documents"] == 4


def test_twice_the_same_bytes_and_no_trace_of_where(out, llama, uniform, debates, tmp_path):
    evaluate({"petit": llama}, {"debats": debates}, tmp_path, compare=[uniform])
    made = [{path.name: path.read_bytes() for path in sorted(f.iterdir())} for f in (out, tmp_path)]
    assert list(made[0]) == ["blocks.parquet", "comparison.png", "results.json", "results.parquet"]
    assert made[0] == made[1]
    for place in (out, llama.parent, uniform.parent, debates):
        assert not any(str(place).encode() in content for content in made[0].values())


def test_the_picture_is_one(out):
    head = (out / "comparison.png").read_bytes()
    assert head.startswith(b"\x89PNG\r\n")
    assert b"Matplotlib" not in head
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    assert width > 900
    assert height > 300


def test_a_model_from_elsewhere_carries_a_caution(results):
    (note,) = (note for note in results["notes"]["en"] if note.startswith("uniform"))
    assert note == "uniform: its training text is unknown: the held-out text may be in it."
    (note,) = (note for note in results["notes"]["fr"] if note.startswith("uniform"))
    assert note.startswith("uniform\u00a0: son texte d’entraînement est inconnu\u202f; ")


def test_held_out_documents_that_a_model_read_are_counted_and_said(llama, debates, tmp_path):
    exposed = tmp_path / "exposed"
    exposed.mkdir()
    for path in llama.iterdir():
        (exposed / path.name).write_bytes(path.read_bytes())
    pq.write_table(pa.table({"document": ["debats:1", "debats:12"]}), exposed / "exposure.parquet")
    evaluate({"petit": exposed}, {"debats": debates}, tmp_path)
    made = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert made["models"]["petit"]["held_out_documents_read_in_training"] == 1
    assert any("1 of the held-out documents were read in training" in note for note in made["notes"]["en"])


def test_held_out_documents_that_a_tokenizer_was_learnt_on_are_not_measured_and_it_is_said(
    debates, corpus, tmp_path
):
    learnt = corpus(
        "learnt", [("debats:12", "debats", "train", "revu"), ("x:1", "x", "train", sitting(51, 500))]
    )
    figures = evaluate({}, {"debats": debates}, tmp_path, tokenizer_corpora={"learnt": learnt})
    assert figures["held_out"]["documents"] == 2
    assert figures["held_out"]["trained_elsewhere"] == 2
    made = json.loads((tmp_path / "results.json").read_text("utf-8"))
    for language, said in (
        ("en", "that a tokenizer was learnt on"),
        ("fr", "sur lequel un découpage a été appris"),
    ):
        (note,) = (note for note in made["notes"][language] if said in note)
        assert note.startswith("2 ")
    measured = pl.read_parquet(tmp_path / "blocks.parquet")["document"].unique()
    assert sorted(measured) == ["debats:13", "debats:14"]


def test_a_model_without_an_account_of_its_reading_carries_a_caution(results):
    assert results["models"]["petit"]["held_out_documents_read_in_training"] is None
    assert any(note.startswith("petit: it has no account") for note in results["notes"]["en"])


def test_baselines_alone_need_no_model(debates, tmp_path):
    figures = evaluate({}, {"debats": debates}, tmp_path)
    assert len(figures["bits_per_byte"]) == 6


def test_names_that_meet_are_told_apart_by_the_folder_above(tmp_path):
    elsewhere = tmp_path / "maison" / "petit"
    named = report._named({"petit": tmp_path / "petit-123"}, [elsewhere])
    assert list(named) == ["petit", "maison/petit"]
    with pytest.raises(DeclarationError, match="maison/petit"):
        report._named({"petit": tmp_path / "petit-123"}, [elsewhere, elsewhere])


def test_a_corpus_without_held_out_documents_stops_before_any_model_is_read(corpus, tmp_path):
    folder = corpus("corpus", [("a:1", "a", "train", "un")])
    with pytest.raises(InputError, match="holds no document out"):
        evaluate({"petit": Path("absent")}, {"corpus": folder}, tmp_path)


def test_the_table_speaks_french_and_english(results):
    french, english = table(results, "fr"), table(results, "en")
    assert french[0] == ["", "ensemble", "debats", "droit"]
    assert english[0] == ["", "all", "debats", "droit"]
    row = {line[0]: line for line in english}["character n-gram of order 5"]
    same = {line[0]: line for line in french}["n-grammes de caractères, ordre 5"]
    assert same[1] == row[1].replace(", ", "\u202f; ").replace(".", ",")
    whole = next(row for row in results["rows"] if row["name"] == "petit")
    assert english[1][1] == f"{whole['bits_per_byte']:.2f} [{whole['low']:.2f}, {whole['high']:.2f}]"
    assert "[" not in english[-1][1]


def test_sentences_claim_only_what_differs(results):
    said = sentences(results, "en")
    assert len(said) == len(results["contrasts"])
    assert any(
        one.startswith("uniform needs more bits than character n-gram of order") and "(all)" in one
        for one in said
    )
    assert all("too little held-out text" in one for one in said if "(droit)" in one)
    assert any("demande plus de bits que n-grammes" in one for one in sentences(results, "fr"))


def test_where_nothing_could_be_tested_neither_a_difference_nor_its_absence_is_claimed(results):
    contrast = {
        "first": "petit",
        "second": "character n-gram of order 7",
        "source": "lettres",
        "difference": 1.02,
        "low": None,
        "high": None,
        "differs": None,
    }
    (english,), (french,) = (sentences({"contrasts": [contrast]}, language) for language in ("en", "fr"))
    assert english == (
        "petit against character n-gram of order 7 (lettres): 1.02; "
        "too little held-out text to say whether this is chance"
    )
    assert french == (
        "petit face à n-grammes de caractères, ordre 7 (lettres)\u00a0: 1,02\u202f; "
        "trop peu de texte tenu à l’écart pour exclure le hasard"
    )


def test_progress_hears_every_byte(llama, debates, tmp_path):
    heard: dict[str, float] = {}

    class Bar:
        def __init__(self, what: str, total: float | None) -> None:
            self.what, self.total = what, total

        def __enter__(self) -> Bar:
            heard[self.what] = 0.0
            return self

        def __exit__(self, *_: object) -> None:
            assert self.total is None or heard[self.what] == self.total

        def advance(self, amount: float) -> None:
            heard[self.what] += amount

        def note(self, text: str) -> None: ...

    class Heard:
        def start(self, what: str, total: float | None, unit: str = "") -> Bar:
            return Bar(what, total)

        def say(self, text: str) -> None: ...

    evaluate({"petit": llama}, {"debats": debates}, tmp_path, progress=Heard())
    assert heard["evaluate petit"] > 10_000
    assert heard["character n-gram"] > 20_000
