from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from hemicycle.errors import InputError
from hemicycle.evaluate.spans import Encoder

from .conftest import save_byte_tokenizer


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("byte-level")
    save_byte_tokenizer(folder)
    return Encoder(folder)


@pytest.fixture(scope="module")
def byte_fallback(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """As sentencepiece models are: a sign for the space, also before the text; unknown letters as bytes."""
    folder = tmp_path_factory.mktemp("byte-fallback")
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "l", "a", "o", "i"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return Encoder(folder)


@given(st.text())
def test_bytes_that_tokens_add_are_those_of_the_text(byte_level, byte_fallback, text):
    for encoder in (byte_level, byte_fallback):
        encoded = encoder.encode(text)
        assert encoded.sizes.sum() == len(text.encode("utf-8"))
        assert (encoded.starts == encoded.sizes.cumsum() - encoded.sizes).all()
        assert (encoded.sizes >= 0).all()


def test_a_character_over_several_tokens_is_counted_byte_by_byte(byte_level):
    encoded = byte_level.encode("é€es😀")
    assert encoded.sizes.tolist() == [1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert encoded.starts.tolist() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert not encoded.altered


def test_offsets_of_other_vocabularies_count_a_character_once(byte_fallback):
    encoded = byte_fallback.encode("la €i")
    # ▁ l a ▁ <0xE2> <0x82> <0xAC> i: the sign before the text adds nothing of its own.
    assert encoded.ids.size == 8
    assert encoded.sizes.sum() == 7
    assert encoded.starts[-1] == 6
    assert not encoded.altered


def test_marks_inside_a_text_are_plain_characters(byte_level):
    encoded = byte_level.encode("a<|end|>b")
    assert encoded.ids.size == len("a<|end|>b")
    assert encoded.ids.min() >= 2
    assert not encoded.altered


def test_truncation_asked_for_by_the_file_is_not_done(tmp_path):
    save_byte_tokenizer(tmp_path)
    stated = json.loads((tmp_path / "tokenizer.json").read_text("utf-8"))
    stated["truncation"] = {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(stated), "utf-8")
    assert Encoder(tmp_path).encode("a long text").ids.size == len("a long text")


def test_a_tokenizer_that_loses_capitals_is_found_out(tmp_path):
    save_byte_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = Encoder(tmp_path)
    assert not encoder.encode("le sénat").altered
    lost = encoder.encode("Le Sénat")
    assert lost.altered
    assert lost.sizes.sum() == len("Le Sénat".encode())


def test_what_a_tokenizer_trims_at_the_end_counts_all_the_same(tmp_path):
    save_byte_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Strip(left=False, right=True)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoded = Encoder(tmp_path).encode("oui   ")
    assert encoded.sizes.tolist() == [1, 1, 4]
    assert encoded.altered


def test_unknown_words_are_found_out(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"ab": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(".."), "isolated")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    encoder = Encoder(tmp_path)
    assert not encoder.encode("abab").altered
    assert encoder.encode("abcd").altered


@pytest.mark.parametrize(
    ("stated", "config", "expected"),
    [
        ({"bos_token": "<|begin|>", "eos_token": "<|end|>"}, {}, 0),
        ({"bos_token": {"content": "<|begin|>"}}, {}, 0),
        ({"bos_token": None, "eos_token": "<|end|>"}, {"bos_token_id": 0}, 1),
        ({}, {"bos_token_id": 1}, 1),
        ({}, {"bos_token_id": 7, "eos_token_id": 1}, 1),
        ({}, {"bos_token_id": None, "eos_token_id": [1, 0]}, 1),
        ({"bos_token": "<s>"}, {"bos_token_id": 999_999}, None),
    ],
)
def test_a_text_begins_with_bos_else_eos_else_nothing(
    tmp_path: Path, stated: dict[str, object], config: dict[str, object], expected: int | None
):
    save_byte_tokenizer(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated), "utf-8")
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    assert Encoder(tmp_path).begin == expected


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x00\x00", b'{"model": 3}'])
def test_a_broken_tokenizer_file_is_named(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError) as caught:
        Encoder(tmp_path)
    assert caught.value.place == str(tmp_path / "tokenizer.json")
