"""An extended tokenizer keeps every old id, loses no text, and says what each new token stands for."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from hemicycle.errors import DeclarationError, InputError
from hemicycle.tokens import BEGIN, END, extend_tokenizer, load_tokenizer, tokenize
from hemicycle.tokens.extend import _letter, _read_back, base_files
from tests.conftest import write_corpus

ENGLISH = [
    "the house of commons is the lower house",
    "a member of the house said that the motion is lost",
] * 5
FRENCH = [
    f"L’élève disait\u202f: «\u00a0la séance n° {n} est levée\u00a0», l'eau qu'il boit 👍" for n in range(30)
]
FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)


def byte_level():
    """As GPT-2: one mark, which ends and begins."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(ENGLISH, trainer)
    return made, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}


def sentencepiece():
    """As Llama 2: no cut before merging, ▁ for a space, bytes for what is unknown."""
    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.train_from_iterator(
        ENGLISH, trainers.BpeTrainer(vocab_size=330, special_tokens=specials, show_progress=False)
    )
    state = json.loads(made.to_str()) | {"pre_tokenizer": None}
    # In the published files the bytes are ordinary tokens.
    state["added_tokens"] = [token for token in state["added_tokens"] if token["id"] < 3]
    made = Tokenizer.from_str(json.dumps(state))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return made, {"bos_token": {"content": "<s>"}, "eos_token": "</s>"}


@pytest.fixture(scope="module")
def french(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("french"), {"a": FRENCH})


@pytest.fixture(scope="module", params=[byte_level, sentencepiece])
def extended(request, french, tmp_path_factory):
    """Base folder, extended folder, figures."""
    base, out = tmp_path_factory.mktemp("base"), tmp_path_factory.mktemp("extended")
    made, config = request.param()
    made.save(str(base / "tokenizer.json"))
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    return base, out, extend_tokenizer(french, base, out, add=40)


def told(folder):
    return json.loads((folder / "extension.json").read_text())


def test_old_ids_are_unchanged_and_new_ones_come_behind(extended):
    base, out, figures = extended
    old, new = load_tokenizer(base).get_vocab(), load_tokenizer(out).get_vocab()
    assert {token: new[token] for token in old} == old
    added = told(out)["added"]
    assert [one["id"] for one in added] == list(range(len(old), len(old) + len(added)))
    assert {one["token"]: one["id"] for one in added} == {t: n for t, n in new.items() if t not in old}
    assert (figures["base_vocabulary"], figures["added"]) == (len(old), len(added))
    assert 20 <= len(added) <= 40


def test_french_takes_fewer_tokens(extended):
    _, _, figures = extended
    assert figures["bytes_per_token"] > 1.2 * figures["base_bytes_per_token"]


def test_new_tokens_stand_for_old_ones(extended):
    base, out, _ = extended
    before, after = load_tokenizer(base), load_tokenizer(out)
    pieces = {one["id"]: one["pieces"] for one in told(out)["added"]}
    for text in [*FRENCH, *ENGLISH]:
        ids = after.encode(text, add_special_tokens=False).ids
        spread = [old for number in ids for old in pieces.get(number, [number])]
        assert spread == before.encode(text, add_special_tokens=False).ids


def test_any_text_comes_back_from_the_extended_one(extended):
    base, out, _ = extended
    before, after = load_tokenizer(base), load_tokenizer(out)

    @FUZZ
    @given(st.text(st.characters(codec="utf-8")) | st.text("éle’' ▁sa👍L\n", max_size=40))
    def check(text):
        # What the base loses (▁ in a text is a space to SentencePiece) is not for us to mend.
        back = before.decode(before.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)
        ids = after.encode(text, add_special_tokens=False).ids
        assert after.decode(ids, skip_special_tokens=False) == back

    check()


def test_no_new_token_crosses_words_or_joins_bytes(extended):
    _, out, _ = extended
    for one in told(out)["added"]:
        assert "▁" not in one["token"][1:]
        assert "Ġ" not in one["token"][1:]
        assert "<0x" not in one["token"]


def test_a_corpus_is_tokenised_with_the_marks_of_the_base(extended, french, tmp_path):
    _, out, _ = extended
    figures = tokenize(french, out, tmp_path)
    assert (figures["documents"], figures["encoder"]) == (30, "tokenizers")


def test_extending_twice_gives_the_same_bytes(extended, french, tmp_path):
    base, out, _ = extended
    extend_tokenizer(french, base, tmp_path, add=40)
    for path in out.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_base_without_marks_gets_ours(french, tmp_path):
    base, out = tmp_path / "base", tmp_path / "out"
    base.mkdir()
    out.mkdir()
    byte_level()[0].save(str(base / "tokenizer.json"))
    extend_tokenizer(french, base, out, add=5)
    loaded = load_tokenizer(out)
    assert (loaded.token_to_id(BEGIN), loaded.token_to_id(END)) == (305, 306)
    assert not {305, 306} & set(loaded.encode(f"{BEGIN}{END}", add_special_tokens=False).ids)
    assert tokenize(french, out, tmp_path)["documents"] == 30


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{" * 100_000,
        b'{"model": {}}',
        b'{"model": {"type": "BPE", "vocab": {}, "merges": []}}',
        b'{"model": {"type": "Unigram", "vocab": [], "unk_id": 0}}',
        b'{"model": {"type": "BPE", "byte_fallback": true, "vocab": {"a": 0}, "merges": [3]}}',
        b'{"model": {"type": "BPE", "byte_fallback": true, "vocab": {"a": -1}, "merges": []}}',
    ],
)
def test_what_is_no_such_tokenizer_is_refused(french, tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(InputError):
        extend_tokenizer(french, tmp_path, tmp_path / "out", add=5)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match=r"tokenizer\.json"):
        base_files(tmp_path)


@given(st.lists(st.integers(0, 1_000_000), max_size=20))
def test_letters_of_the_other_alphabet_read_back(ids):
    assert _read_back("".join(map(_letter, ids))) == tuple(ids)
