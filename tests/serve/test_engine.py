"""The embedded engine: greedy parity with transformers, seeds, context, whole characters."""

from __future__ import annotations

import itertools
import math
import socket
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM

from hemicycle.errors import DeclarationError, InputError
from hemicycle.serve import Engine, Params, load_engine
from hemicycle.serve import embedded as embedded_module
from hemicycle.serve.embedded import choose
from hemicycle.serve.pieces import Writer, byte_pieces

from .conftest import PARAGRAPH, make_model


def written(engine: Engine, prompt: str | list[int], params: Params) -> str:
    return "".join(chunk.text for chunk in engine.generate(prompt, params))


def test_a_model_taught_a_paragraph_recites_it_and_stops(taught_engine: Engine) -> None:
    chunks = list(taught_engine.generate("La séance", Params(max_tokens=250, temperature=0)))
    assert "La séance" + "".join(chunk.text for chunk in chunks) == PARAGRAPH
    assert chunks[-1].finish == "stop"


def test_greedy_tokens_and_logprobs_equal_a_full_pass_without_cache(
    random_engine: Engine, random_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_module, "SLICE", 5)
    prompt = random_engine.encode("Chacun sait combien la Dourelle")
    params = Params(max_tokens=12, temperature=0, logprobs=3, echo=True)
    scores = [score for chunk in random_engine.generate(prompt, params) for score in chunk.scores]

    model = AutoModelForCausalLM.from_pretrained(random_folder, dtype=torch.float32)
    pieces = byte_pieces(Tokenizer.from_file(str(random_folder / "tokenizer.json")), "")
    ids = list(prompt)
    for _ in range(12):
        ids.append(int(model(torch.tensor([ids])).logits[0, -1, : len(pieces)].argmax()))
    logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0, :, : len(pieces)], dim=-1).detach()

    assert [score.token.data for score in scores] == [pieces[number] for number in ids]
    assert math.isnan(scores[0].token.logprob)
    for place, score in enumerate(scores[1:], 1):
        assert score.token.logprob == pytest.approx(float(logprobs[place - 1, ids[place]]), abs=1e-4)
        assert score.top[0].logprob == pytest.approx(float(logprobs[place - 1].max()), abs=1e-4)
        assert len(score.top) == 3


def test_a_seed_repeats_and_another_seed_differs(random_engine: Engine) -> None:
    texts = [written(random_engine, "Nous", Params(40, temperature=1.5, seed=s)) for s in (7, 7, 8)]
    assert texts[0] == texts[1] != texts[2]


def test_no_chunk_holds_half_a_character(taught_engine: Engine) -> None:
    for length in range(1, 30):
        assert "\ufffd" not in written(taught_engine, "Chacun", Params(length, temperature=0))


def test_a_prompt_that_ends_inside_a_character_is_completed_by_the_answer(taught_engine: Engine) -> None:
    whole = taught_engine.encode("La séance")
    pieces = taught_engine._pieces  # type: ignore[attr-defined]
    eacute = [pieces.index(bytes([byte])) for byte in "é".encode()]
    prompt = taught_engine.encode("La s") + eacute[:1]
    assert b"".join(pieces[i] for i in prompt) == b"La s\xc3"
    writer = Writer(b"".join(pieces[i] for i in prompt[-4:]))
    assert writer.add(pieces[eacute[1]]).text == "é"
    assert whole


def test_a_stop_string_across_tokens_ends_the_answer_before_it(taught_engine: Engine) -> None:
    chunks = list(
        taught_engine.generate("La séance", Params(200, temperature=0, stop=("du jour app", "zzz")))
    )
    assert "".join(chunk.text for chunk in chunks) == " est ouverte. L’ordre "
    assert chunks[-1].finish == "stop"


def test_the_context_bounds_the_answer_and_the_prompt(random_engine: Engine) -> None:
    prompt = random_engine.encode("eau ") * 200
    full = prompt[: random_engine.context - 3]
    chunks = list(random_engine.generate(full, Params(50, temperature=0)))
    assert sum(chunk.generated for chunk in chunks) <= 3
    with pytest.raises(DeclarationError, match="context"):
        list(random_engine.generate(prompt[: random_engine.context + 1], Params(1)))


def test_an_empty_prompt_begins_a_text(random_engine: Engine) -> None:
    assert random_engine.encode("") == [0]


def test_a_model_with_missing_weights_is_refused(tmp_path: Path) -> None:
    make_model(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    name = max(name for name in tensors if "layers" in name)
    save_file(
        {k: v for k, v in tensors.items() if k != name}, tmp_path / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(InputError, match=f"such as {name}"):
        load_engine(tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_is_no_model_is_refused_by_name(tmp_path: Path, missing: str) -> None:
    folder = make_model(tmp_path / "m")
    (folder / missing).unlink()
    with pytest.raises(InputError, match="m"):
        load_engine(folder)


def test_loading_never_opens_a_connection(random_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert load_engine(random_folder, name="petit").name == "petit"
    with pytest.raises(InputError):
        load_engine(Path("somebody/some-model"))


def test_code_in_a_model_folder_is_not_run(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    config = (
        (folder / "config.json")
        .read_text("utf-8")
        .replace(
            '"model_type": "llama"',
            '"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}',
        )
    )
    (folder / "config.json").write_text(config, "utf-8")
    (folder / "evil.py").write_text("open('run', 'w')\n", "utf-8")
    with pytest.raises(InputError):
        load_engine(folder)
    assert not Path("run").exists()


def test_top_p_and_top_k_keep_only_the_likeliest() -> None:
    logits = torch.log(torch.tensor([0.1, 0.5, 0.25, 0.15]))
    dice = torch.Generator().manual_seed(0)

    def drawn(**options: float) -> set[int]:
        params = Params(1, **options)  # type: ignore[arg-type]
        return {choose(logits, params, dice) for _ in range(300)}

    assert drawn() == {0, 1, 2, 3}
    assert drawn(top_k=2) == {1, 2}
    assert drawn(top_p=0.7) == {1, 2}
    assert drawn(top_p=0.8) == {1, 2, 3}
    assert drawn(top_p=0.001) == {1}
    assert drawn(temperature=0) == {1}


def test_sentencepiece_tokens_become_bytes() -> None:
    tokenizer = Tokenizer(
        models.BPE(
            vocab={"<s>": 0, "<0xC3>": 1, "<0xA9>": 2, "▁le": 3, "s": 4}, merges=[], byte_fallback=True
        )
    )
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    assert byte_pieces(tokenizer, "") == [b"", b"\xc3", b"\xa9", b" le", b"s"]


def test_a_tokenizer_of_another_kind_is_refused() -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(InputError, match="neither"):
        byte_pieces(tokenizer, "here")


@given(
    text=st.text(alphabet=st.sampled_from("aéœ€😀 \u202f"), max_size=30),
    stop=st.lists(st.text(alphabet="aé€", min_size=1, max_size=3), max_size=3),
    cuts=st.lists(st.integers(0, 120), max_size=40),
)
def test_however_bytes_are_cut_the_text_is_that_before_the_first_stop(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    data = text.encode()
    writer = Writer()
    writer.watch(stop)
    out, finish = "", None
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for left, right in itertools.pairwise(edges):
        chunk = writer.add(data[left:right])
        out, finish = out + chunk.text, chunk.finish
        assert "\ufffd" not in chunk.text
        if finish:
            break
    else:
        out += writer.finish("length").text
    ends = [text.index(s) for s in stop if s in text]
    assert out == (text[: min(ends)] if ends else text)
    assert (finish == "stop") == bool(ends)


def test_bytes_that_are_no_text_are_shown_as_such_and_a_half_at_the_end_is_left_out() -> None:
    writer = Writer()
    assert writer.add(b"a\xff b").text == "a\ufffd b"
    assert writer.add(b"\xe2\x82").text == ""
    assert writer.finish("length").text == ""
