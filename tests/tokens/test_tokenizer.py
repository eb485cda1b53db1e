"""The tokenizer loses nothing and cannot be fooled by its own marks."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.digests import sha256_file
from hemicycle.tokens import BEGIN, END, load_tokenizer, marks, train_tokenizer


def test_any_text_comes_back_as_it_was(tokenizer):
    encoder = load_tokenizer(tokenizer)

    @given(st.text(st.characters(codec="utf-8")))
    def check(text):
        ids = encoder.encode(text, add_special_tokens=False).ids
        assert encoder.decode(ids, skip_special_tokens=False) == text

    check()


def test_a_mark_inside_a_text_is_plain_characters(tokenizer):
    encoder = load_tokenizer(tokenizer)
    marks = {encoder.token_to_id(BEGIN), encoder.token_to_id(END)}
    ids = encoder.encode(f"avant {END} après {BEGIN}", add_special_tokens=False).ids
    assert not marks & set(ids)
    assert encoder.decode(ids, skip_special_tokens=False) == f"avant {END} après {BEGIN}"


def test_training_twice_gives_the_same_bytes(corpus, tokenizer, tmp_path):
    train_tokenizer(corpus, tmp_path, vocab=320)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert sha256_file(tmp_path / name) == sha256_file(tokenizer / name)


def test_transformers_loads_it_with_both_marks(tokenizer):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    assert (loaded.bos_token, loaded.eos_token) == (BEGIN, END)
    ids = loaded("l'eau n° 12")["input_ids"]
    assert ids[0] == loaded.bos_token_id, "a prompt begins as a document does"
    assert loaded.decode(ids, skip_special_tokens=True) == "l'eau n° 12"


def test_elisions_are_cut_after_the_apostrophe(tokenizer):
    encoder = load_tokenizer(tokenizer)
    for apostrophe in "'’":
        pieces = encoder.pre_tokenizer.pre_tokenize_str(f"de l{apostrophe}eau")
        assert [span for _, span in pieces] == [(0, 2), (2, 5), (5, 8)]


@pytest.mark.parametrize(
    ("tokenizer_says", "model_says", "framed_by"),
    [
        ({"bos_token": None, "eos_token": END}, {}, (1, 1)),  # Qwen
        ({"model_max_length": 1024}, {"bos_token_id": 1, "eos_token_id": 1}, (1, 1)),  # GPT-2
        ({}, {"bos_token_id": 0, "eos_token_id": [1, 9]}, (0, 1)),
        ({"bos_token": {"content": BEGIN}, "eos_token": END}, {"eos_token_id": 7}, (0, 1)),
    ],
)
def test_a_model_s_tokenizer_frames_documents_as_the_model_is_used_to(
    tokenizer_says, model_says, framed_by, tokenizer, tmp_path
):
    shutil.copyfile(tokenizer / "tokenizer.json", tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_says))
    (tmp_path / "config.json").write_text(json.dumps(model_says))
    assert marks(tmp_path, load_tokenizer(tmp_path)) == framed_by
