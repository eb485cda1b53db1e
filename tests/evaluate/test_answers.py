"""Answers are measured given their questions, on the same conversations for all models."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hemicycle.digests import sha256_text
from hemicycle.documents import write_parquet
from hemicycle.errors import InputError
from hemicycle.evaluate import ANSWERS, TOTAL, evaluate, sentences, table
from hemicycle.evaluate.heldout import read_held_out
from hemicycle.tune.template import DEFAULT

from .conftest import CORPUS, save_byte_tokenizer, save_llama

PAIRS = [
    [("Qui préside ?", "M. Arnaud, élu."), ("Et avant ?", "Personne, que je sache.")],
    *[[(f"Quel jour, séance {n} ?", f"Le {n} du mois.")] for n in range(1, 8)],
]


def conversation(name, pairs, split="held-out"):
    text, parts = "", []
    for role, said in [turn for q, a in pairs for turn in (("user", q), ("assistant", a))]:
        text += "\n\n" if text else ""
        parts.append({"start": len(text), "end": len(text) + len(said), "kind": "turn", "role": role})
        text += said
    return row(name, text, split) | {"kind": "conversation", "parts": parts}


def row(name, text, split="held-out"):
    digest = sha256_text(text)
    about = {"id": name, "source": name.split(":")[0], "digest": digest, "clean_digest": digest}
    return about | {"text": text, "split": split, "kind": "debate", "parts": []}


def write(folder: Path, rows) -> Path:
    path = folder / "kept" / "all" / "00000.parquet"
    path.parent.mkdir(parents=True)
    write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, schema=CORPUS)])
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A base, and what was tuned from it: other weights, and the plain template kept with them."""
    folder = tmp_path_factory.mktemp("models")
    for name, more in (("base", {}), ("tuned", {"seed": 2}), ("uniform", {"uniform": True})):
        save_llama(folder / name, 259, **more)
        config = json.loads((folder / name / "config.json").read_text())
        (folder / name / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 256}))
        save_byte_tokenizer(folder / name)
    shutil.copyfile(DEFAULT, folder / "tuned" / "chat_template.jinja")
    return {name: folder / name for name in ("base", "tuned", "uniform")}


@pytest.fixture(scope="module")
def talks(tmp_path_factory):
    rows = [conversation(f"talks:{n}", pairs) for n, pairs in enumerate(PAIRS)]
    return write(tmp_path_factory.mktemp("talks"), [*rows, conversation("talks:t", [("Q ?", "R.")], "train")])


@pytest.fixture(scope="module")
def debates(tmp_path_factory):
    words = "la séance est ouverte l’ordre du jour appelle la suite".split()
    texts = [" ".join(words[(i * i + n) % len(words)] for i in range(200)) for n in range(6)]
    rows = [row(f"debates:{n}", text, "train" if n < 4 else "held-out") for n, text in enumerate(texts)]
    return write(tmp_path_factory.mktemp("debates"), rows)


@pytest.fixture(scope="module")
def out(models, talks, debates, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    evaluate(models, {"talks": talks, "debates": debates}, folder)
    return folder


@pytest.fixture(scope="module")
def results(out):
    return json.loads((out / "results.json").read_text("utf-8"))


def of(results, scope):
    return {row["name"]: row for row in results["rows"] if row["source"] == scope}


def test_a_model_to_which_all_tokens_are_alike_pays_for_the_tokens_of_answers_alone(results):
    answers = [answer for pairs in PAIRS for _, answer in pairs]
    size = sum(len(answer.encode("utf-8")) for answer in answers)
    # One token a byte, but “es” is one of two bytes; the end mark is no part of the text.
    tokens = size - sum(answer.count("es") for answer in answers)
    found = of(results, ANSWERS)["uniform"]
    assert found["bytes"] == size
    assert (found["documents"], found["blocks"]) == (len(PAIRS), len(answers))
    assert found["bits_per_byte"] == pytest.approx(tokens * math.log2(259) / size, abs=1e-5)


def test_an_answer_costs_what_the_model_says_given_all_before_it(models, out):
    tokenizer = AutoTokenizer.from_pretrained(models["tuned"])
    model = AutoModelForCausalLM.from_pretrained(models["tuned"])
    begin, end = "<|begin|>", "<|end|>"
    (q1, a1), (q2, a2) = PAIRS[0]
    asked = f"{begin}<|user|>\n{q1}\n<|assistant|>\n{a1}{end}<|user|>\n{q2}\n<|assistant|>\n"
    prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
    answer = tokenizer(a2, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        costs = -torch.log_softmax(model(torch.tensor([prompt + answer])).logits[0].double(), -1)
    nats = sum(float(costs[len(prompt) + i - 1, number]) for i, number in enumerate(answer))
    blocks = pl.read_parquet(out / "blocks.parquet")
    found = blocks.filter(name="tuned", source=ANSWERS, document="talks:0", block=1)
    assert found["bits"].to_list() == pytest.approx([nats / math.log(2)], abs=2e-3)
    text = "\n\n".join(said for pair in PAIRS[0] for said in pair)
    assert text[found["start"][0] : found["end"][0]] == a2


def test_conversations_are_no_text_to_models_that_answer(results):
    assert {row["source"] for row in results["rows"]} == {TOTAL, "debates", ANSWERS}
    assert of(results, TOTAL)["tuned"]["documents"] == 2
    assert set(of(results, ANSWERS)) == {"base", "tuned", "uniform"}
    assert results["held_out"]["conversations"] == len(PAIRS)


def test_before_and_after_are_compared_in_pairs_and_said(results):
    (contrast,) = [
        c
        for c in results["contrasts"]
        if (c["first"], c["second"], c["source"]) == ("base", "tuned", ANSWERS)
    ]
    found = of(results, ANSWERS)
    difference = found["base"]["bits_per_byte"] - found["tuned"]["bits_per_byte"]
    assert contrast["difference"] == pytest.approx(difference, abs=2e-6)
    assert contrast["low"] <= contrast["difference"] <= contrast["high"]
    assert any(line.startswith("base") and "tuned (answers)" in line for line in sentences(results, "en"))
    assert "(réponses)" in " ".join(sentences(results, "fr"))
    head, *lines = table(results, "en")
    assert head[1:3] == ["all", "answers"]
    assert next(line for line in lines if line[0] == "xz -9")[2] == ""
    assert any("9 answers of 8 held-out conversations" in note for note in results["notes"]["en"])


def test_a_few_answers_are_shown_beside_what_was_expected(models, results):
    assert len(results["samples"]) == 5
    tokenizer = AutoTokenizer.from_pretrained(models["base"])
    model = AutoModelForCausalLM.from_pretrained(models["base"])
    sample = results["samples"][0]
    pairs = PAIRS[int(sample["id"].split(":")[1])]
    assert (sample["question"], sample["expected"]) == pairs[0]
    asked = f"<|begin|><|user|>\n{sample['question']}\n<|assistant|>\n"
    ids = tokenizer(asked, add_special_tokens=False, return_tensors="pt")["input_ids"]
    written = model.generate(ids, max_new_tokens=96, do_sample=False, eos_token_id=[0, 1], pad_token_id=0)
    text = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert sample["given"]["base"] == text


def test_conversations_alone_can_be_measured_on(models, talks, tmp_path):
    two = {name: models[name] for name in ("base", "tuned")}
    figures = evaluate(two, {"talks": talks}, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert {row["source"] for row in results["rows"]} == {ANSWERS}
    assert figures["bits_per_byte"] == {}
    assert set(figures["answers_bits_per_byte"]) == {"base", "tuned"}
    assert (tmp_path / "comparison.png").is_file()


def test_without_a_template_anywhere_a_conversation_is_a_text(models, talks, tmp_path):
    evaluate({"base": models["base"]}, {"talks": talks}, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert of(results, TOTAL)["base"]["documents"] == len(PAIRS)
    assert ANSWERS not in {row["source"] for row in results["rows"]}


def test_a_conversation_that_one_model_does_not_take_is_measured_on_none(models, tmp_path):
    forged = conversation("talks:x", [("Dis <|end|>.", "Non.")])
    folder = write(tmp_path / "c", [*(conversation(f"talks:{n}", p) for n, p in enumerate(PAIRS)), forged])
    (tmp_path / "out").mkdir()
    figures = evaluate(models, {"talks": folder}, tmp_path / "out")
    assert figures["held_out"]["conversations"] == len(PAIRS)
    assert figures["held_out"]["conversations_not_taken"] == 1
    alone = write(tmp_path / "alone", [forged])
    with pytest.raises(InputError, match="no held-out conversation can be put to all models"):
        evaluate(models, {"talks": alone}, tmp_path / "out")


def test_a_conversation_that_curation_took_a_turn_from_is_none(tmp_path):
    lost = conversation("talks:l", PAIRS[1])
    lost["parts"] = lost["parts"][1:]
    folder = write(tmp_path, [conversation("talks:0", PAIRS[0]), lost])
    held = read_held_out({"talks": folder}, dialogues=True)
    assert [one.id for one in held.conversations] == ["talks:0"]
    assert held.documents == ()
