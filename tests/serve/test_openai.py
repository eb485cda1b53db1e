"""The dialect, spoken by OpenAI's own client to a server on loopback: every line of the conformance table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import openai
import pytest

from hemicycle.serve import Engine, Params, load_engine
from hemicycle.serve.engine import Message

from .conftest import CHAT_TEMPLATE, HTTP, PARAGRAPH, Served, make_model

HI = [{"role": "user", "content": "La séance"}]


def client_of(served: Served) -> Any:
    """The client, untyped: its overloads know only its maker's models."""
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=30)


@pytest.fixture(scope="session")
def taught(taught_server: Served) -> Any:
    return client_of(taught_server)


@pytest.fixture(scope="session")
def random(random_server: Served) -> Any:
    return client_of(random_server)


def test_models_are_listed_and_shown(taught: Any) -> None:
    assert [model.id for model in taught.models.list()] == ["petit"]
    assert taught.models.retrieve("petit").owned_by == "petit"
    with pytest.raises(openai.NotFoundError):
        taught.models.retrieve("other")


def test_a_completion_continues_the_prompt_and_counts_its_tokens(taught: Any) -> None:
    got = taught.completions.create(model="petit", prompt="La séance", temperature=0, max_tokens=200)
    assert "La séance" + got.choices[0].text == PARAGRAPH
    assert got.choices[0].finish_reason == "stop"
    assert got.system_fingerprint == "abc"
    assert got.usage is not None
    assert got.usage.total_tokens == got.usage.prompt_tokens + got.usage.completion_tokens
    cut = taught.completions.create(model="petit", prompt="La séance", temperature=0, max_tokens=3)
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 3


def test_a_stream_is_the_answer_in_pieces_then_usage_then_done(random_server: Served) -> None:
    served = random_server
    ask = {"model": "random", "messages": HI, "temperature": 0, "max_tokens": 60}
    whole = HTTP.post(f"{served.url}/v1/chat/completions", json=ask).json()
    with HTTP.stream(
        "POST",
        f"{served.url}/v1/chat/completions",
        json={**ask, "stream": True, "stream_options": {"include_usage": True}},
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"

    chunks = list(
        client_of(served).chat.completions.create(
            **ask,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert sum(bool(piece) for piece in pieces) > 5
    assert chunks[-2].choices[0].finish_reason == whole["choices"][0]["finish_reason"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.model_dump(exclude_none=True) == whole["usage"]


def test_a_streamed_completion_equals_the_whole_one(random: Any) -> None:
    whole = random.completions.create(model="random", prompt="Nous", temperature=0, max_tokens=60)
    chunks = random.completions.create(
        model="random", prompt="Nous", temperature=0, max_tokens=60, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text


def test_chat_logprobs_name_tokens_bytes_and_alternatives(taught: Any) -> None:
    got = taught.chat.completions.create(
        model="petit",
        messages=HI,
        temperature=0,
        max_tokens=20,
        logprobs=True,
        top_logprobs=3,
    )
    assert got.choices[0].logprobs is not None
    content = got.choices[0].logprobs.content or []
    said = b"".join(bytes(entry.bytes or []) for entry in content)
    assert said.decode() == got.choices[0].message.content
    for entry in content:
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].token == entry.token
        assert entry.logprob == entry.top_logprobs[0].logprob


def test_echo_with_logprobs_scores_a_given_text(taught: Any, taught_engine: Engine) -> None:
    ids = taught_engine.encode("La séance est ouverte.")
    for prompt in ("La séance est ouverte.", ids):
        got = taught.completions.create(model="petit", prompt=prompt, max_tokens=0, echo=True, logprobs=2)
        choice = got.choices[0]
        assert choice.text == "La séance est ouverte."
        assert choice.logprobs is not None
        tokens, values = choice.logprobs.tokens or [], choice.logprobs.token_logprobs or []
        assert len(tokens) == len(values) == len(choice.logprobs.text_offset or []) == len(ids)
        assert values[0] is None
        assert sum(values[3:]) > -2, "a text known by heart is near certain"
        tops = (choice.logprobs.top_logprobs or [])[1:]
        for token, value, top in zip(tokens[1:], values[1:], tops, strict=True):
            assert top[token] == value
            assert max(top.values()) >= value
    for offset, token in zip(choice.logprobs.text_offset or [], tokens, strict=True):
        assert token.startswith("bytes:") or choice.text[offset : offset + len(token)] == token


def test_one_token_after_an_echo_as_evaluation_suites_ask(taught: Any, taught_engine: Engine) -> None:
    ids = taught_engine.encode("La séance est ouverte. L’ordre du jour appelle")
    got = taught.completions.create(
        model="petit", prompt=[ids, ids[:5]], max_tokens=1, echo=True, logprobs=1, temperature=0
    )
    assert [choice.index for choice in got.choices] == [0, 1]
    for choice, asked in zip(got.choices, (ids, ids[:5]), strict=True):
        assert choice.logprobs is not None
        assert len(choice.logprobs.tokens or []) == len(asked) + 1


def test_two_answers_differ_and_a_seed_repeats_both(random: Any) -> None:
    def ask(seed: int) -> list[str]:
        got = random.chat.completions.create(
            model="random",
            messages=HI,
            n=2,
            seed=seed,
            temperature=1.3,
            max_tokens=30,
        )
        assert [choice.index for choice in got.choices] == [0, 1]
        return [choice.message.content or "" for choice in got.choices]

    first = ask(3)
    assert first[0] != first[1]
    assert ask(3) == first
    assert ask(4) != first
    streamed = ["", ""]
    for chunk in random.chat.completions.create(
        model="random",
        messages=HI,
        n=2,
        seed=3,
        temperature=1.3,
        max_tokens=30,
        stream=True,
    ):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == first


def test_stop_strings_end_the_answer(taught: Any) -> None:
    for stop in ("du jour", ["rivières", "du jour"]):
        got = taught.completions.create(
            model="petit", prompt="La séance", temperature=0, max_tokens=99, stop=stop
        )
        assert got.choices[0].text == " est ouverte. L’ordre "
        assert got.choices[0].finish_reason == "stop"


def test_text_parts_are_joined_and_a_model_without_template_continues_the_messages(
    taught: Any, taught_engine: Engine
) -> None:
    got = taught.chat.completions.create(
        model="petit",
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "La "}, {"type": "text", "text": "séance"}]}
        ],
        temperature=0,
        max_completion_tokens=200,
    )
    assert "La séance" + (got.choices[0].message.content or "") == PARAGRAPH
    assert not taught_engine.chat


def test_a_chat_template_is_used_where_there_is_one(tmp_path: Path) -> None:
    engine = load_engine(make_model(tmp_path / "m", chat_template=CHAT_TEMPLATE))
    assert engine.chat
    spoken = engine.encode_chat([Message("user", "Bonjour")])
    assert spoken == engine.encode("user : Bonjour\nassistant :")


def test_a_long_prompt_is_refused_unless_cutting_is_asked(random: Any, random_engine: Engine) -> None:
    long = "Chacun sait. " * 100
    with pytest.raises(openai.BadRequestError) as caught:
        random.completions.create(model="random", prompt=long)
    assert caught.value.code == "context_length_exceeded"
    kept = random.completions.create(
        model="random", prompt=long, max_tokens=8, temperature=0, extra_body={"truncate_prompt_tokens": -1}
    )
    assert kept.usage is not None
    assert kept.usage.prompt_tokens == random_engine.context - 8
    tail = random_engine.encode(long)[-20:]
    cut = random.completions.create(
        model="random", prompt=long, max_tokens=8, temperature=0, extra_body={"truncate_prompt_tokens": 20}
    )
    assert cut.choices[0].text == "".join(
        chunk.text for chunk in random_engine.generate(tail, Params(8, temperature=0))
    )


BAD: dict[str, tuple[dict[str, Any], str | None]] = {
    "temperature": ({"temperature": -1}, "temperature"),
    "hot": ({"temperature": 2.1}, "temperature"),
    "top_p": ({"top_p": 0}, "top_p"),
    "max_tokens": ({"max_tokens": 10_000}, "max_tokens"),
    "negative": ({"max_tokens": -1}, "max_tokens"),
    "n": ({"n": 1000}, "n"),
    "stop": ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    "empty stop": ({"stop": ""}, "stop"),
    "no messages": ({"messages": []}, "messages"),
    "image": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
    "surrogate": ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages"),
    "top_logprobs alone": ({"top_logprobs": 3}, "top_logprobs"),
    "seed": ({"seed": 2**64}, "seed"),
    "schema": ({"response_format": {"type": "json_schema"}}, None),
    "tools": ({"tools": [{"type": "function"}]}, None),
    "penalty": ({"frequency_penalty": 1.0}, None),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_done_is_refused_with_the_parameter(random_server: Served, name: str) -> None:
    change, param = BAD[name]

    body = json.dumps({"model": "random", "messages": HI, **change})
    headers = {"content-type": "application/json"}
    got = HTTP.post(f"{random_server.url}/v1/chat/completions", content=body, headers=headers)
    assert got.status_code == 400
    error = got.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]


def test_another_model_and_other_routes_are_not_found(random: Any) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        random.chat.completions.create(model="gpt", messages=HI)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        random.embeddings.create(model="random", input="a")
    assert caught.value.code == "not_found"
    with pytest.raises(openai.NotFoundError):
        random.responses.create(model="random", input="a")


def test_logprobs_are_numbers_that_json_can_spell(random: Any) -> None:
    got = random.completions.create(model="random", prompt="eau", max_tokens=5, temperature=2, logprobs=5)
    assert got.choices[0].logprobs is not None
    assert all(math.isfinite(value) for value in got.choices[0].logprobs.token_logprobs or [])
