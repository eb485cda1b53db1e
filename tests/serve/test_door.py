"""The door and the queue: hosts, tokens, sizes, headers, silence in the logs, turns, clients who leave."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.serve import Chunk, Engine, Params, create_app
from hemicycle.serve.engine import Message

from .conftest import HTTP, Served

ServeFixture = Callable[..., Served]
ASK = {"model": "slow", "prompt": "eau", "max_tokens": 64}


class SlowEngine:
    """Writes “.” at the pace of the test, and remembers who was served and who was left."""

    name, context, chat = "slow", 64, False

    def __init__(self, seconds: float = 0.02, *, waits: bool = False) -> None:
        self.seconds = seconds
        self.go = threading.Event()
        if not waits:
            self.go.set()
        self.served: list[str] = []
        self.closed = threading.Event()
        self.at_once = 0
        self.most_at_once = 0

    def encode(self, text: str) -> list[int]:
        return [ord(character) for character in text]

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        return self.encode(messages[-1].content)

    def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.served.append("".join(chr(int(number)) for number in prompt))
        self.go.wait(10)
        try:
            for _ in range(params.max_tokens):
                time.sleep(self.seconds)
                yield Chunk(".", 1)
            yield Chunk(finish="length")
        finally:
            self.at_once -= 1
            self.closed.set()


def wait_until_held(served: Served, number: int) -> None:
    """Until so many requests are served or wait."""
    deadline = time.monotonic() + 10
    while f"hemicycle_requests_held {number}\n" not in HTTP.get(f"{served.url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:80", 200),
        ("[::1]:8000", 200),
        ("modele.example.fr", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8000", 421),
        ("", 421),
    ],
)
def test_only_known_names_are_answered(serve: ServeFixture, host: str, status: int) -> None:
    served = serve(SlowEngine(), allowed_hosts=["modele.example.fr"])
    assert HTTP.get(f"{served.url}/health", headers={"host": host}).status_code == status


def test_a_token_opens_the_api_while_page_and_health_stay_open(serve: ServeFixture) -> None:
    served = serve(SlowEngine(0), token="ouvre-toi")
    for path in ("/v1/models", "/v1/project", "/metrics"):
        refused = HTTP.get(served.url + path)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        for wrong in ("Bearer non", "Basic ouvre-toi", "Bearer"):
            assert HTTP.get(served.url + path, headers={"authorization": wrong}).status_code == 401
        right = {"authorization": "bearer ouvre-toi"}
        assert HTTP.get(served.url + path, headers=right).status_code == 200
    for path in ("/", "/health", "/page/page.js"):
        assert HTTP.get(served.url + path).status_code == 200
    assert HTTP.post(f"{served.url}/v1/completions", json=ASK).status_code == 401


@pytest.mark.parametrize("token", ["sésame", "two words", "line\n"])
def test_a_token_that_no_header_can_carry_is_refused_at_once(token: str) -> None:
    with pytest.raises(DeclarationError, match="token"):
        create_app(SlowEngine(), about={}, token=token)


def test_a_body_that_is_too_large_is_refused_however_it_comes(serve: ServeFixture) -> None:
    served = serve(SlowEngine(0), max_body=1000)
    large = json.dumps({**ASK, "user": "x" * 2000}).encode()
    headers = {"content-type": "application/json"}

    def piecemeal() -> Iterator[bytes]:
        for at in range(0, len(large), 100):
            yield large[at : at + 100]

    for content in (large, piecemeal()):
        got = HTTP.post(f"{served.url}/v1/completions", content=content, headers=headers)
        assert got.status_code == 413
        assert got.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"model": NaN}'])
def test_a_body_that_is_no_request_is_a_plain_400(serve: ServeFixture, body: bytes) -> None:
    served = serve(SlowEngine(0))
    got = HTTP.post(
        f"{served.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert got.status_code == 400
    assert got.json()["error"]["type"] == "invalid_request_error"


def test_a_form_of_another_site_cannot_speak_to_the_model(serve: ServeFixture) -> None:
    engine = SlowEngine(0)
    served = serve(engine)
    got = HTTP.post(
        f"{served.url}/v1/completions",
        content=json.dumps(ASK),
        headers={"content-type": "text/plain", "origin": "https://evil.example"},
    )
    assert got.status_code == 400
    assert engine.served == []
    flight = HTTP.options(
        f"{served.url}/v1/completions",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )
    assert flight.status_code == 405
    assert not any(name.startswith("access-control") for name in flight.headers)


def test_every_answer_carries_the_headers_of_the_door(serve: ServeFixture) -> None:
    served = serve(SlowEngine(0))
    for path in ("/", "/page/page.js", "/health", "/nowhere"):
        headers = HTTP.get(served.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_what_people_write_and_read_is_in_no_log(
    serve: ServeFixture,
    random_engine: Engine,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Failing(SlowEngine):
        def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
            raise RuntimeError("".join(chr(int(number)) for number in prompt))

    caplog.set_level(logging.DEBUG)
    secret = "mot-de-passe-zebre"
    served = serve(random_engine)
    answer = HTTP.post(
        f"{served.url}/v1/completions", json={"model": "random", "prompt": secret, "temperature": 0}
    ).json()["choices"][0]["text"]
    HTTP.post(f"{served.url}/v1/completions", json={"model": "random", "prompt": secret, "n": -1})
    failed = HTTP.post(f"{serve(Failing()).url}/v1/completions", json={**ASK, "prompt": secret})
    assert failed.status_code == 500
    assert "RuntimeError" in caplog.text, "the failure itself is told"
    captured = capfd.readouterr()
    for log in (caplog.text, captured.out, captured.err):
        assert secret not in log
        assert answer.strip() not in log or not answer.strip()


def test_an_engine_that_fails_in_the_middle_says_so_in_the_stream(serve: ServeFixture) -> None:
    class Breaking(SlowEngine):
        def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
            yield Chunk("a", 1)
            raise IntegrityError("the model gives NaN")

    served = serve(Breaking())
    lines = HTTP.post(f"{served.url}/v1/completions", json={**ASK, "stream": True}).text.split("\n\n")
    assert json.loads(lines[0][6:])["choices"][0]["text"] == "a"
    assert json.loads(lines[1][6:])["error"]["message"] == "the model gives NaN"
    whole = HTTP.post(f"{served.url}/v1/completions", json=ASK)
    assert (whole.status_code, whole.json()["error"]["message"]) == (500, "the model gives NaN")


def test_one_generation_at_a_time_first_come_first_served(serve: ServeFixture) -> None:
    engine = SlowEngine(0.0005, waits=True)
    served = serve(engine)
    with ThreadPoolExecutor(8) as pool:
        asked = []
        for number in range(6):
            ask = {**ASK, "prompt": str(number)}
            asked.append(pool.submit(HTTP.post, f"{served.url}/v1/completions", json=ask))
            wait_until_held(served, number + 1)
        engine.go.set()
        assert all(future.result().status_code == 200 for future in asked)
    assert engine.served == [str(number) for number in range(6)]
    assert engine.most_at_once == 1


def test_a_request_with_many_answers_lets_others_in_between(serve: ServeFixture) -> None:
    engine = SlowEngine(0.0005, waits=True)
    served = serve(engine)
    with ThreadPoolExecutor(2) as pool:
        many = pool.submit(HTTP.post, f"{served.url}/v1/completions", json={**ASK, "prompt": "m", "n": 4})
        wait_until_held(served, 1)
        one = pool.submit(HTTP.post, f"{served.url}/v1/completions", json={**ASK, "prompt": "o"})
        wait_until_held(served, 2)
        engine.go.set()
        assert len(many.result().json()["choices"]) == 4
        assert one.result().status_code == 200
    assert engine.served == ["m", "o", "m", "m", "m"]


def test_a_full_queue_says_when_to_come_back(serve: ServeFixture) -> None:
    engine = SlowEngine(0, waits=True)
    served = serve(engine, max_waiting=1)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(HTTP.post, f"{served.url}/v1/completions", json=ASK) for _ in range(2)]
        wait_until_held(served, 2)
        refused = HTTP.post(f"{served.url}/v1/completions", json=ASK)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]["code"] == "busy"
        engine.go.set()
        assert [future.result().status_code for future in asked] == [200, 200]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_who_leaves_ends_the_generation(serve: ServeFixture, stream: bool) -> None:
    engine = SlowEngine(0.05)
    served = serve(engine)
    ask = {**ASK, "stream": stream}
    if stream:
        with HTTP.stream("POST", f"{served.url}/v1/completions", json=ask) as response:
            next(response.iter_lines())
    else:
        with pytest.raises(httpx.ReadTimeout):
            HTTP.post(f"{served.url}/v1/completions", json=ask, timeout=0.3)
    assert engine.closed.wait(1.5), "64 pieces would have taken 3.2 seconds"
    assert HTTP.post(f"{served.url}/v1/completions", json={**ASK, "max_tokens": 1}).status_code == 200


def test_a_client_who_leaves_the_queue_is_never_served(serve: ServeFixture) -> None:
    engine = SlowEngine(0, waits=True)
    served = serve(engine, max_waiting=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(HTTP.post, f"{served.url}/v1/completions", json={**ASK, "prompt": "a"})
        wait_until_held(served, 1)
        with pytest.raises(httpx.ReadTimeout):
            HTTP.post(f"{served.url}/v1/completions", json={**ASK, "prompt": "b"}, timeout=0.3)
        wait_until_held(served, 1)
        engine.go.set()
        last = HTTP.post(f"{served.url}/v1/completions", json={**ASK, "prompt": "c", "max_tokens": 1})
        assert (first.result().status_code, last.status_code) == (200, 200)
    assert engine.served == ["a", "c"]


def test_a_client_who_does_not_read_holds_up_nobody(serve: ServeFixture) -> None:
    engine = SlowEngine(0.001)
    served = serve(engine)
    with HTTP.stream("POST", f"{served.url}/v1/completions", json={**ASK, "stream": True}) as idle:
        assert idle.status_code == 200
        started = time.monotonic()
        assert HTTP.post(f"{served.url}/v1/completions", json=ASK).status_code == 200
        assert time.monotonic() - started < 2
        assert "".join(idle.iter_text()).count('"text": "."') == 64


def test_metrics_count_requests_and_tokens_but_no_invented_routes(serve: ServeFixture) -> None:
    served = serve(SlowEngine(0))
    HTTP.post(f"{served.url}/v1/completions", json={**ASK, "max_tokens": 5})
    for number in range(3):
        HTTP.get(f"{served.url}/made-up-{number}")
    text = HTTP.get(f"{served.url}/metrics").text
    assert 'hemicycle_requests_total{route="/v1/completions",status="200"} 1' in text
    assert 'hemicycle_requests_total{route="other",status="404"} 3' in text
    assert 'hemicycle_tokens_total{kind="generated"} 5' in text
    assert 'hemicycle_tokens_total{kind="prompt"} 3' in text
    assert "hemicycle_requests_held 0" in text
    assert "made-up" not in text
