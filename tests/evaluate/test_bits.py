from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaForCausalLM

from hemicycle.errors import InputError
from hemicycle.evaluate import bits
from hemicycle.evaluate.heldout import cut

from .conftest import save_llama

TEXT = "Messieurs, la séance est ouverte ; l’ordre du jour appelle la suite de la discussion. <|end|> 😀"


def bits_per_byte(scored: bits.Scored) -> float:
    return float(scored.nats.sum() / math.log(2) / scored.sizes.sum())


def test_uniform_model_by_hand(uniform):
    (scored,) = bits.load(uniform).score(["été es"])
    # é t é ␠ es: 2 + 1 + 2 + 1 + 1 tokens, 8 bytes, log2(259) bits a token.
    assert scored.sizes.tolist() == [1, 1, 1, 1, 1, 1, 2]
    np.testing.assert_allclose(scored.nats, math.log(259), rtol=1e-6)
    assert bits_per_byte(scored) == pytest.approx(7 * math.log2(259) / 8, rel=1e-6)


def test_vocabulary_does_not_matter_for_a_uniform_model_of_bytes(tmp_path):
    found = []
    for name, words, pattern in [("one", ["a", "b"], "."), ("two", ["aa", "ab", "ba", "bb"], "..")]:
        save_llama(tmp_path / name, len(words), uniform=True)
        tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
        tokenizer.save(str(tmp_path / name / "tokenizer.json"))
        (scored,) = bits.load(tmp_path / name).score(["abbaabab" * 20])
        assert not scored.altered
        found.append(bits_per_byte(scored))
    assert found == pytest.approx([1.0, 1.0], rel=1e-6)


@given(st.integers(0, 300), st.integers(2, 40))
def test_windows_score_every_item_but_the_first_once_with_half_a_context(length, context):
    scored = []
    for window in bits.windows(length, context):
        assert window.stop - window.start <= context
        for item in range(window.first, window.stop + 1):
            assert item - window.start >= min(item, context - context // 2)
            scored.append(item)
    assert scored == list(range(1, length))


def test_a_text_within_the_context_costs_the_loss_that_transformers_computes(llama):
    model = LlamaForCausalLM.from_pretrained(llama)
    (scored,) = bits.load(llama).score(["Messieurs, la séance."])
    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    ids = torch.tensor([[0, *tokenizer.encode("Messieurs, la séance.").ids]])
    assert ids.shape[1] <= 32
    with torch.inference_mode():
        loss = model(ids, labels=ids).loss
    assert scored.nats.sum() == pytest.approx(float(loss) * (ids.shape[1] - 1), rel=1e-5)
    assert scored.nats.std() > 0.5  # the weights are random, not uniform


def test_a_long_text_costs_what_reading_its_windows_one_by_one_gives(llama):
    model = LlamaForCausalLM.from_pretrained(llama)
    tokenizer = Tokenizer.from_file(str(llama / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    ids = [0, *tokenizer.encode(TEXT).ids]
    expected = []
    for target in range(1, len(ids)):
        # windows start at 0, 16, 32 …; a token is scored in the first that holds it and what is before it
        start = 0 if target <= 32 else 16 * math.ceil((target - 32) / 16)
        with torch.inference_mode():
            logits = model(torch.tensor([ids[start:target]])).logits[0, -1]
        expected.append(-float(torch.log_softmax(logits.double(), -1)[ids[target]]))
    (scored,) = bits.load(llama).score([TEXT])
    assert len(expected) > 80
    np.testing.assert_allclose(scored.nats, expected, rtol=1e-3, atol=1e-4)
    assert scored.sizes.sum() == len(TEXT.encode("utf-8"))


def test_the_company_of_other_texts_changes_nothing(llama, monkeypatch):
    texts = [TEXT[:n] for n in (70, 3, 0, 41, 96, 5)] * 9
    heard: list[int] = []
    model = bits.load(llama)
    together = list(model.score(texts, heard.append))
    assert sum(heard) == sum(len(text.encode("utf-8")) for text in texts)
    monkeypatch.setattr(bits, "LOGITS_AT_ONCE", 1)
    alone = [one for text in texts[:6] for one in model.score([text])]
    for one, other in zip(together[:6], alone, strict=True):
        np.testing.assert_allclose(one.nats, other.nats, rtol=1e-3, atol=1e-4)


def test_bits_of_blocks_sum_to_those_of_the_text(llama):
    text = TEXT * 60
    document = cut("d", "s", text)
    (scored,) = bits.load(llama).score([text])
    blocks = scored.bits_between(document.byte_ends)
    assert blocks.size == document.ends.size == 3
    assert blocks.sum() == pytest.approx(scored.nats.sum() / math.log(2))
    edge = int(document.byte_ends[0])
    assert blocks[0] == pytest.approx(scored.nats[scored.starts < edge].sum() / math.log(2))


def test_a_token_over_the_edge_of_a_block_counts_where_its_first_byte_lies():
    scored = bits.Scored(
        np.array([1.0, 2.0, 4.0]) * math.log(2), np.array([0, 3, 6]), np.array([3, 3, 3]), altered=False
    )
    np.testing.assert_allclose(scored.bits_between(np.array([5, 9])), [3.0, 4.0])


def test_bfloat16_stays_near(llama):
    (exact,) = bits.load(llama).score([TEXT])
    (near,) = bits.load(llama, autocast=True).score([TEXT])
    assert (near.nats != exact.nats).any()
    assert bits_per_byte(near) == pytest.approx(bits_per_byte(exact), rel=0.02)


@pytest.fixture
def copy(llama, tmp_path):
    return shutil.copytree(llama, tmp_path / "copy")


def test_missing_weights_are_refused_not_invented(copy):
    weights = load_file(copy / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"1 of the model's tensors .* model\.layers\.1\.mlp\.up_proj"):
        bits.load(copy)


def test_weights_of_another_shape_are_refused(copy):
    config = json.loads((copy / "config.json").read_text("utf-8"))
    config["vocab_size"] = 300
    (copy / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(InputError):
        bits.load(copy)


def test_pickled_weights_are_not_opened(copy):
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot load"):
        bits.load(copy)


def test_truncated_weights_are_refused(copy):
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot load") as caught:
        bits.load(copy)
    assert caught.value.place == str(copy)


def test_a_model_that_gives_no_numbers_is_refused(copy):
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="no number"):
        list(bits.load(copy).score(["a"]))


def test_a_tokenizer_of_another_model_is_refused(copy, tmp_path):
    save_llama(tmp_path / "small", 100)
    shutil.copy(copy / "tokenizer.json", tmp_path / "small")
    with pytest.raises(InputError, match="the model has 100 tokens"):
        list(bits.load(tmp_path / "small").score(["été"]))


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        bits.load(tmp_path)
