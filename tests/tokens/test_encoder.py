"""The fast way gives the ids of the published tokenizer, or is not taken."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.tokens import BEGIN, END, load_tokenizer, train_tokenizer
from hemicycle.tokens import tokenizer as tokenizer_module
from hemicycle.tokens.encoder import PROBES, encoder_of, fast_encoder, library_encoder, prove
from hemicycle.tokens.tokenizer import build_tokenizer
from tests.conftest import write_corpus

FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)


def test_any_text_has_equal_ids_and_comes_back(tokenizer):
    loaded = load_tokenizer(tokenizer)
    fast, library = fast_encoder(loaded), library_encoder(loaded)

    @FUZZ
    @given(st.text(st.characters(codec="utf-8")))
    def check(text):
        ids = fast([text])[0]
        assert np.array_equal(ids, library([text])[0])
        assert loaded.decode(ids.tolist(), skip_special_tokens=False) == text

    check()


@pytest.mark.slow
def test_both_engines_cut_alike_around_every_character(tokenizer):
    loaded = load_tokenizer(tokenizer)
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    # Between a letter and a digit, and after a space, characters of different classes are cut differently.
    texts = [
        "".join(f"la{c}12 {c}!" for c in every[first : first + 4_000])
        for first in range(0, len(every), 4_000)
    ]
    for ours, theirs in zip(fast_encoder(loaded)(texts), library_encoder(loaded)(texts), strict=True):
        assert np.array_equal(ours, theirs)


def test_every_byte_that_utf8_has_is_in_the_probes():
    seen = set("".join(PROBES).encode("utf-8"))
    assert seen == set(range(256)) - {0xC0, 0xC1, *range(0xF5, 0x100)}


def test_marks_in_a_text_are_plain_characters_both_ways(tokenizer):
    loaded = load_tokenizer(tokenizer)
    marks = {loaded.token_to_id(BEGIN), loaded.token_to_id(END)}
    text = f"avant {END} après {BEGIN}<|endoftext|>"
    for encode in (fast_encoder(loaded), library_encoder(loaded)):
        ids = encode([text])[0].tolist()
        assert not marks & set(ids)
        assert loaded.decode(ids, skip_special_tokens=False) == text


def test_what_is_learnt_is_proven_and_then_encoded_the_fast_way(tokenizer):
    proof = json.loads((tokenizer / "proof.json").read_text())
    assert (proof["encoder"], proof["differs"]) == ("tiktoken", None)
    assert encoder_of(tokenizer).engine == "tiktoken"


def test_without_a_proof_the_library_encodes(tokenizer, tmp_path):
    shutil.copytree(tokenizer, tmp_path / "t")
    (tmp_path / "t" / "proof.json").unlink()
    assert encoder_of(tmp_path / "t").engine == "tokenizers"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"other": 1}'])
def test_a_proof_that_is_none_is_refused(tokenizer, tmp_path, content):
    shutil.copytree(tokenizer, tmp_path / "t")
    (tmp_path / "t" / "proof.json").write_bytes(content)
    with pytest.raises(InputError, match="proof"):
        encoder_of(tmp_path / "t")


def test_a_difference_is_found_and_said(tokenizer, monkeypatch):
    loaded = load_tokenizer(tokenizer)
    right = fast_encoder(loaded)

    def wrong(texts):
        return [
            ids[:-1] if "est ouverte" in text else ids for text, ids in zip(texts, right(texts), strict=True)
        ]

    monkeypatch.setattr("hemicycle.tokens.encoder.fast_encoder", lambda _: wrong)
    proof = prove(loaded, ["budget", "la séance est ouverte"])
    assert (proof["encoder"], proof["differs"]) == ("tokenizers", "text 1")


def test_a_vocabulary_under_another_pattern_is_not_taken_for_ours(tokenizer):
    state = json.loads((tokenizer / "tokenizer.json").read_text())
    state["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{L}+|\P{L}+"
    other = type(load_tokenizer(tokenizer)).from_str(json.dumps(state))
    assert fast_encoder(other) is None


def test_merges_are_read_back_from_tokens_as_they_were_made():
    # ab, then abc from ab and c; a token learnt twice, and one that its bytes do not lead to, are left out.
    made = build_tokenizer([b"ab", b"abc", b"ab", b"xyz", b"abcabc"], 400)
    state = json.loads(made.to_str())["model"]
    assert [list(merge) for merge in state["merges"]] == [["a", "b"], ["ab", "c"], ["abc", "abc"]]
    assert [state["vocab"][t] for t in ("ab", "abc", "abcabc")] == [258, 259, 260]


def test_neither_the_order_of_documents_nor_the_batches_change_what_is_learnt(tmp_path, monkeypatch):
    texts = [f"la séance n° {n} est levée, l’élu {n % 7} s’en va" for n in range(60)]
    files = []
    for name, order, waiting in (("one", 1, 256), ("other", -1, 3)):
        monkeypatch.setattr(tokenizer_module, "WAITING", waiting)
        corpus = write_corpus(tmp_path / name, {"a": texts[::order]})
        (tmp_path / f"t-{name}").mkdir()
        train_tokenizer(corpus, tmp_path / f"t-{name}", vocab=420)
        files.append((tmp_path / f"t-{name}" / "tokenizer.json").read_bytes())
    assert files[0] == files[1]


def test_only_the_named_sources_are_learnt_from(tmp_path):
    corpus = write_corpus(tmp_path / "c", {"stays": ["oui oui oui"] * 9, "leaves": ["zzzz zzzz"] * 9})
    (tmp_path / "t").mkdir()
    figures = train_tokenizer(corpus, tmp_path / "t", vocab=300, sources=["stays"])
    vocabulary = load_tokenizer(tmp_path / "t").get_vocab()
    assert "Ġoui" in vocabulary
    assert "zz" not in vocabulary
    assert figures["training_characters"] == 99


def test_of_a_corpus_too_large_every_second_document_is_read(tmp_path, monkeypatch):
    corpus = write_corpus(tmp_path / "c", {"a": [f"texte numéro {n:04d} " * 20 for n in range(40)]})
    sample = tokenizer_module.Sample(corpus)
    whole = "".join(sample)
    monkeypatch.setattr(tokenizer_module, "LEARNT_BYTES", len(whole.encode()) * 2 // 3)
    some = "".join(tokenizer_module.Sample(corpus))
    assert "0000" in some
    assert "0001" not in some
    assert len(some) == len(whole) // 2


def test_under_another_cut_a_text_is_encoded_whole(tokenizer, tmp_path):
    shutil.copytree(tokenizer, tmp_path / "t")
    state = json.loads((tokenizer / "tokenizer.json").read_text())
    state["normalizer"] = {"type": "Prepend", "prepend": "\u2581"}
    (tmp_path / "t" / "tokenizer.json").write_text(json.dumps(state))
    text = "la séance est ouverte " * 5_000
    ids = load_tokenizer(tmp_path / "t").encode(text, add_special_tokens=False).ids
    assert encoder_of(tmp_path / "t").ids(text).tolist() == ids
    assert len(encoder_of(tokenizer).ids(text)) == len(ids) - 3
