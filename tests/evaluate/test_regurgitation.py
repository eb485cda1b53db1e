"""A model that learnt a text by heart gives it back, and the rate says so; of held-out text it gives none."""

import itertools
import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from hemicycle.cli.summary import print_regurgitation
from hemicycle.evaluate.spans import Encoder
from hemicycle.evaluate.verbatim import measure_regurgitation
from hemicycle.evaluate.verbatim.generate import Writer
from hemicycle.evaluate.verbatim.passages import _evenly, draw_from_index, kind_of
from hemicycle.evaluate.verbatim.regurgitation import Lengths
from hemicycle.evaluate.verbatim.wording import regurgitation_notes, regurgitation_table
from hemicycle.serve import Params, load_engine
from hemicycle.trace import build_index, open_index

CONTEXT = 64
VOCABULARY = [f"{a}{b}{c}" for a in "bdfgl" for b in "aeiou" for c in "mnrs"]


def prose(seed, count=260):
    rng = random.Random(seed)
    return " ".join(rng.choice(VOCABULARY) for _ in range(count)) + "."


@pytest.fixture(scope="module")
def text(corpus):
    """Two sources; what `b` says once, `a` says three times."""
    texts = [("a:0", "a", prose(1)), *((f"b:{n}", "b", prose(2)) for n in range(3))]
    rows = [(number, source, "train", said) for number, source, said in texts]
    rows += [(f"c:{n}", "c", "held-out", prose(10 + n)) for n in range(3)]
    return corpus("debats", rows)


@pytest.fixture(scope="module")
def index(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    build_index([text], folder)
    return folder


def texts_of(corpus):
    tables = [pq.read_table(path) for path in sorted(corpus.glob("kept/*/*.parquet"))]
    return [row for table in tables for row in table.to_pylist()]


@pytest.fixture(scope="module")
def learnt(text, tmp_path_factory):
    """A small model with every training text by heart."""
    folder = tmp_path_factory.mktemp("models") / "papegai"
    folder.mkdir()
    rows = [row for row in texts_of(text) if row["split"] == "train"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator([row["text"] for row in rows], trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}), "utf-8")
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    ids = [torch.tensor(tokenizer.encode(row["text"]).ids) for row in rows[:2]]
    stream = [one[at : at + CONTEXT] for one in ids for at in range(len(one) - CONTEXT + 1)]
    batches, dice = torch.stack(stream), torch.Generator().manual_seed(1)
    steps = 300
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.0)
    fall = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for _ in range(steps):
        chosen = batches[torch.randint(len(batches), (16,), generator=dice)]
        model(input_ids=chosen, labels=chosen).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        fall.step()
    model.save_pretrained(folder)
    exposure(folder, [row["id"] for row in rows])
    return folder


def exposure(folder, documents):
    table = pa.table({"document": documents, "source": [one.partition(":")[0] for one in documents]})
    pq.write_table(table, folder / "exposure.parquet")


def measure(model, text, index, out, scratch, **changes):
    out.mkdir(parents=True)
    scratch.mkdir(parents=True, exist_ok=True)
    asked = {"passages": 24, "prefixes": [4, 16, 512], "seed": 1, **changes}
    measure_regurgitation(
        {"papegai": model},
        {"debats": index},
        {"debats": text},
        {"papegai": "debats"},
        out,
        scratch,
        exposures={"papegai": [model / "exposure.parquet"]},
        **asked,
    )
    return json.loads((out / "regurgitation.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def measured(learnt, text, index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    return measure(learnt, text, index, folder / "out", folder / "scratch"), folder


def rows(results, by, prefix=16):
    return [r for r in results["models"]["papegai"]["rows"] if (r["by"], r["prefix"]) == (by, prefix)]


def test_what_was_learnt_by_heart_comes_out_and_what_was_not_does_not(measured):
    (trained,), (control,) = rows(measured[0], "all"), rows(measured[0], "control")
    assert trained["exact"]["value"] > 0.9
    assert trained["in_8"]["value"] > 0.9
    assert trained["longest"] >= 8
    assert (control["exact"]["value"], control["exact"]["count"]) == (0.0, 0)
    # Nothing was found: the upper end says how little that shows.
    assert 0 < control["exact"]["high"] < 0.2


def test_rates_are_told_by_source_and_by_copies(measured):
    results, folder = measured
    assert {row["value"] for row in rows(results, "source")} == {"a", "b"}
    assert [row["value"] for row in rows(results, "copies")] == ["1", "2–3"]
    passages = pq.read_table(folder / "out" / "passages.parquet").to_pylist()
    of_training = [row for row in passages if row["of"] == "training" and row["prefix"] == 16]
    assert {(row["source"], row["copies"]) for row in of_training} == {("a", 1), ("b", 3)}
    # Half of what was drawn is of a quarter of the text; weights say so.
    assert sum(row["source"] == "a" for row in of_training) == 12
    share = sum(row["weight"] for row in of_training if row["source"] == "a")
    assert 0.15 < share / sum(row["weight"] for row in of_training) < 0.35
    assert {row["document"].partition(":")[0] for row in passages if row["of"] == "held-out"} == {"c"}


def test_no_text_is_written_and_lengths_without_room_are_named(measured):
    results, folder = measured
    model = results["models"]["papegai"]
    assert (model["lengths"], model["lengths_left_out"]) == ([4, 16], [512])
    assert "512" in " ".join(model["notes"]["fr"])
    words = prose(1).split()
    for file in ("regurgitation.json", "passages.parquet"):
        written = (folder / "out" / file).read_bytes()
        assert not any(f"{a} {b}".encode() in written for a, b in itertools.pairwise(words))
    for language in ("en", "fr"):
        head, *lines = regurgitation_table(model, language)
        assert {len(line) for line in lines} == {len(head)}


def test_a_model_that_never_saw_the_text_gives_nothing_back(learnt, text, index, tmp_path):
    shutil.copytree(learnt, tmp_path / "blank")
    torch.manual_seed(2)
    model = LlamaForCausalLM(LlamaConfig.from_pretrained(learnt))
    model.save_pretrained(tmp_path / "blank")
    results = measure(tmp_path / "blank", text, index, tmp_path / "out", tmp_path / "scratch", prefixes=[16])
    (trained,) = rows(results, "all")
    assert trained["exact"]["count"] == 0
    assert trained["in_8"] is None or trained["in_8"]["value"] == 0.0


def test_only_documents_that_were_read_give_passages(learnt, text, index):
    drawn = draw_from_index(
        open_index(index), [text], Encoder(learnt), 20, before=8, target=16, read={"a:0"}, seed=1
    )
    assert {one.document for one in drawn} == {"a:0"}
    none = draw_from_index(
        open_index(index), [text], Encoder(learnt), 20, before=8, target=16, read=(), seed=1
    )
    assert none == []


def test_a_measurement_that_was_killed_goes_on_from_what_was_written(
    learnt, text, index, measured, tmp_path, monkeypatch
):
    asked = []
    write = Writer.write

    def killed(self, ids_BK, most):
        asked.append(len(ids_BK))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return write(self, ids_BK, most)

    monkeypatch.setattr(Writer, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        measure(learnt, text, index, tmp_path / "cut", tmp_path / "scratch")
    measure(learnt, text, index, tmp_path / "again", tmp_path / "scratch")
    # Two of four batches were kept.
    assert len(asked) == 5
    again = (tmp_path / "again" / "passages.parquet").read_bytes()
    assert again == (measured[1] / "out" / "passages.parquet").read_bytes()


def test_a_batch_writes_what_the_engine_writes_for_each(learnt, text):
    writer, engine = Writer(learnt), load_engine(learnt)
    ids = np.stack([writer.encoder.encode(prose(seed)).ids[5:21] for seed in (1, 2, 30)])
    written = writer.write(ids, 20)
    for prompt, found in zip(ids, written, strict=True):
        params = Params(max_tokens=20, temperature=0.0)
        said = "".join(chunk.text for chunk in engine.generate(prompt.tolist(), params))
        kept, _ = writer.until_mark(found)
        assert writer.encoder.text(kept) == said


@pytest.mark.parametrize(
    ("context", "asked", "prefixes", "target", "written"),
    [
        (4096, [16, 32, 64, 128], (16, 32, 64, 128), 50, 100),
        (256, [16, 32, 64, 128], (16, 32, 64, 128), 50, 100),
        (64, [16, 32, 64, 128], (16, 32), 32, 32),
        (16, [16, 32], (8,), 8, 8),
    ],
)
def test_lengths_are_those_that_the_context_has_room_for(context, asked, prefixes, target, written):
    found = Lengths.within(context, asked)
    assert (found.prefixes, found.target, found.written) == (prefixes, target, written)
    assert found.prefixes[-1] + found.written <= context


@given(st.lists(st.integers(0, 50), max_size=12), st.integers(0, 400))
def test_strata_share_as_evenly_as_they_can(limits, total):
    given_ = _evenly(limits, total)
    assert sum(given_) == min(total, sum(limits))
    assert all(0 <= mine <= limit for mine, limit in zip(given_, limits, strict=True))
    # Whoever has less than another by more than one gives all it has.
    most = max(given_, default=0)
    assert all(mine == limit for mine, limit in zip(given_, limits, strict=True) if mine < most - 1)


def test_kinds_of_copies():
    assert [kind_of(n) for n in (1, 2, 3, 4, 9, 10, 500)] == ["1", "2–3", "2–3", "4–9", "4–9", "10+", "10+"]


def test_of_a_base_nobody_says_that_it_never_read_the_control():
    method = {"passages": 1, "documents_for_document_bootstrap": 5, "fewest_units": 3}
    model = {
        "target_tokens": 50,
        "generated_tokens": 64,
        "lengths_left_out": [],
        "passages": 1,
        "control_passages": 1,
    }
    results = {"models": {"petit": model}, "upstream": {"petit": "vieux"}, "method": method}
    for language, never, unknown in (
        ("en", "never read", "Whether vieux had is not known"),
        ("fr", "jamais lus", "On ne sait pas si vieux les avait lus"),
    ):
        assert never not in " ".join(regurgitation_notes("petit", results, language))
        assert unknown in " ".join(regurgitation_notes("petit", results, language))
        assert never in " ".join(regurgitation_notes("petit", {**results, "upstream": {}}, language))


def test_the_table_in_a_terminal_says_the_same_of_a_base(measured, capsys):
    results, _ = measured
    print_regurgitation({**results, "upstream": {"papegai": "vieux"}})
    assert "may be formula, or memory of vieux" in capsys.readouterr().out
    print_regurgitation({**results, "upstream": {}})
    assert "is formula, not memory" in capsys.readouterr().out
