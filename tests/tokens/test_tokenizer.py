"""The tokenizer loses nothing and cannot be fooled by its own marks."""

from hypothesis import given
from hypothesis import strategies as st

from hemicycle.digests import sha256_file
from hemicycle.tokens import BEGIN, END, load_tokenizer, train_tokenizer


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
