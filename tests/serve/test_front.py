"""The page's files, its language, what it says of the project, and the trace route."""

from __future__ import annotations

import inspect
import itertools
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import httpx
import pytest

from hemicycle.cli.serve import address
from hemicycle.errors import IntegrityError
from hemicycle.serve import trace_api
from hemicycle.serve.front import PAGE, load_texts, preferred

from .conftest import HTTP, PARAGRAPH, Served
from .engines import Scripted
from .tracing import ABOUT, TextTracer

ServeFixture = Callable[..., Served]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("fr-BE", "fr"),
        ("en-GB,en;q=0.9", "en"),
        ("en;q=0.5,fr;q=0.9", "fr"),
        ("de,en;q=0.8", "en"),
        ("de,it", "fr"),
        ("fr,en", "fr"),
        ("en;q=0", "fr"),
        ("*", "fr"),
        ("en;q=nonsense", "fr"),
    ],
)
def test_the_page_is_french_unless_english_is_asked_first(header: str, language: str) -> None:
    assert preferred(header) == language


def test_the_page_comes_filled_in_the_language_asked(serve: ServeFixture) -> None:
    url = serve(Scripted("a")).url
    french = HTTP.get(url, headers={"accept-language": "fr"}).text
    english = HTTP.get(url, headers={"accept-language": "en"}).text
    assert '<html lang="fr">' in french
    assert "Sources de cette réponse" in french
    assert '<html lang="en">' in english
    assert "Sources of this answer" in english
    assert '<html lang="en">' in HTTP.get(f"{url}/?lang=en", headers={"accept-language": "fr"}).text
    assert "{{" not in french + english


def test_a_file_that_did_not_change_is_not_sent_again(serve: ServeFixture) -> None:
    url = serve(Scripted("a")).url
    first = HTTP.get(f"{url}/page/page.js")
    again = HTTP.get(f"{url}/page/page.js", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert HTTP.get(f"{url}/page/..%2fapp.py").status_code == 404


def test_both_languages_have_the_same_words_and_places_to_fill() -> None:
    texts = load_texts()
    assert texts["fr"].keys() == texts["en"].keys()
    for key, french in texts["fr"].items():
        english = texts["en"][key]
        assert set(re.findall(r"\{\w+\}", french)) == set(re.findall(r"\{\w+\}", english)), key
        assert french.strip(), key
        assert english.strip(), key


def test_french_words_keep_french_typography() -> None:
    for key, text in load_texts()["fr"].items():
        assert not re.search(r" [:;!?»%]|« |'|\.\.\.", text), key
        assert not re.search(r"\w[:;!?]( |$)", text), key


def test_every_word_the_page_asks_for_exists() -> None:
    known = set(load_texts()["fr"]) | {"lang"}
    html = (PAGE / "index.html").read_text("utf-8")
    script = (PAGE / "page.js").read_text("utf-8")
    assert set(re.findall(r"\{\{(\w+)\}\}", html)) <= known
    assert set(re.findall(r'data-(?:text|label)="(\w+)"', html)) <= known
    asked = set(re.findall(r'(?:say|row)\("(\w+)"|words\("\w+", "(\w+)"', script))
    assert {a or b for a, b in asked} <= known
    assert {
        f"{key}_{form}" for key in re.findall(r'count\("(\w+)"', script) for form in ("one", "other")
    } <= known


def test_nothing_from_outside_becomes_html_and_no_other_host_is_named() -> None:
    for path in PAGE.iterdir():
        text = path.read_text("utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|\bstyle=", text)
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)\w+\.\w+", text), path
        assert not re.search(r"\son\w+=", text), path


def _palettes() -> dict[str, dict[str, str]]:
    light, dark = re.split(r"@media \(prefers-color-scheme: dark\)", (PAGE / "page.css").read_text("utf-8"))
    dark = dark.split("* { box-sizing")[0]
    read = {
        name: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))
        for name, css in (("l", light), ("d", dark))
    }
    return {"light": read["l"], "dark": {**read["l"], **read["d"]}}


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio and relative luminance."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_reaches_aa(scheme: str) -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    colours = _palettes()[scheme]
    words = ("ink", "soft", "velvet", "good", "bad", "doubt")
    grounds = ("ground", "panel", "sheet")
    for word, ground in itertools.product(words, grounds):
        assert _contrast(colours[word], colours[ground]) >= 4.5, (word, ground)
    assert _contrast(colours["on-velvet"], colours["velvet"]) >= 4.5
    marks = ["edge", *(f"hue-{i}" for i in range(7))]
    for mark, ground in itertools.product(marks, grounds):
        assert _contrast(colours[mark], colours[ground]) >= 3, (mark, ground)


def test_the_project_is_told_as_the_operator_gave_it(serve: ServeFixture) -> None:
    got = HTTP.get(f"{serve(Scripted('a', chat=False), about=ABOUT).url}/v1/project").json()
    assert got["title"] == ABOUT["title"]
    assert got["sources"] == ABOUT["sources"]
    assert got["model"] == {"id": "scripted", "context": 512, "chat": False}
    assert got["traces"] is False


def test_a_trace_is_given_as_the_index_found_it(serve: ServeFixture) -> None:
    tracer = TextTracer()
    url = serve(Scripted("a"), tracer=tracer).url
    got = HTTP.post(f"{url}/v1/trace", json={"text": PARAGRAPH, "prompt": "La séance", "min_words": 6}).json()
    assert tracer.asked == [(PARAGRAPH, "La séance", 6)]
    span = got["spans"][0]
    assert PARAGRAPH[span["start"] : span["end"]] == span["text"]
    document = span["documents"][0]
    shown = document["excerpt"][document["needle_start"] : document["needle_end"]]
    assert shown.startswith("La séance est ouverte")
    assert document["right"]["verdict"] == "allow"


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/x-www-form-urlencoded"}])
def test_a_body_without_its_content_type_is_told_which(serve: ServeFixture, headers: dict[str, str]) -> None:
    url = f"{serve(Scripted('a'), tracer=TextTracer()).url}/v1/trace"
    got = HTTP.post(url, content=b'{"text": "a"}', headers=headers)
    assert got.status_code == 400
    assert "content-type: application/json" in got.json()["error"]["message"]
    listed = HTTP.post(url, json=["a"])
    assert listed.json()["error"]["message"] == "the body is not a JSON object"


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "a", "min_words": 0}, {"text": "a", "max": 3}])
def test_a_trace_of_nothing_is_refused(serve: ServeFixture, body: dict[str, Any]) -> None:
    got = HTTP.post(f"{serve(Scripted('a'), tracer=TextTracer()).url}/v1/trace", json=body)
    assert got.status_code == 400
    assert got.json()["error"]["code"] == "invalid_value"


def test_without_an_index_a_trace_says_so(serve: ServeFixture) -> None:
    got = HTTP.post(f"{serve(Scripted('a')).url}/v1/trace", json={"text": "a"})
    assert (got.status_code, got.json()["error"]["code"]) == (501, "no_index")


def test_an_index_that_fails_is_told_as_such(serve: ServeFixture) -> None:
    class Broken(TextTracer):
        def trace(self, text: str, *, prompt: str, min_words: int) -> Any:
            raise IntegrityError("the corpus is not the one that was indexed", place="/srv/secret")

    got = HTTP.post(f"{serve(Scripted('a'), tracer=Broken()).url}/v1/trace", json={"text": "a"})
    assert got.status_code == 503
    assert got.json()["error"]["message"] == "the corpus is not the one that was indexed"
    assert "secret" not in got.text


class Waiting(TextTracer):
    """Begins a trace, and ends none until it may `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.running = threading.Event(), threading.Semaphore(0)

    def trace(self, text: str, *, prompt: str, min_words: int) -> Any:
        self.running.release()
        assert self.go.wait(10)
        return super().trace(text, prompt=prompt, min_words=min_words)


def test_what_waiting_traces_hold_is_bounded_and_the_next_is_told_to_come_back(
    serve: ServeFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer = Waiting()
    room = trace_api.AT_ONCE + 2
    monkeypatch.setattr(trace_api, "MAX_HELD", room * len(PARAGRAPH))
    url = f"{serve(Scripted('a'), tracer=tracer).url}/v1/trace"
    with ThreadPoolExecutor(room + 3) as pool:
        asked = [pool.submit(HTTP.post, url, json={"text": PARAGRAPH}) for _ in range(room + 3)]
        refused = [future.result() for _, future in zip(range(3), as_completed(asked), strict=False)]
        for got in refused:
            assert (got.status_code, got.json()["error"]["code"]) == (503, "busy")
            assert int(got.headers["retry-after"]) > 0
        assert all(tracer.running.acquire(timeout=10) for _ in range(trace_api.AT_ONCE))
        assert not tracer.running.acquire(blocking=False), "more run than may"
        tracer.go.set()
        assert sorted(future.result().status_code for future in asked) == [200] * room + [503] * 3
    assert HTTP.post(url, json={"text": PARAGRAPH}).status_code == 200


def test_long_traces_leave_turns_to_short_ones(serve: ServeFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_api, "LONG", 10)
    tracer = Waiting()
    url = f"{serve(Scripted('a'), tracer=tracer).url}/v1/trace"
    with ThreadPoolExecutor(2 * trace_api.AT_ONCE) as pool:
        asked = [pool.submit(HTTP.post, url, json={"text": PARAGRAPH}) for _ in range(trace_api.AT_ONCE)]
        assert all(tracer.running.acquire(timeout=10) for _ in range(trace_api.LONG_AT_ONCE))
        assert not tracer.running.acquire(timeout=0.5), "more long ones run than may"
        short = pool.submit(HTTP.post, url, json={"text": "a"})
        assert tracer.running.acquire(timeout=10)
        tracer.go.set()
        assert [future.result().status_code for future in [*asked, short]] == [200] * (trace_api.AT_ONCE + 1)


def test_a_trace_is_written_as_json_where_it_holds_nobody_up(serve: ServeFixture) -> None:
    threads = set()

    class Told(TextTracer):
        def trace(self, text: str, *, prompt: str, min_words: int) -> Any:
            threads.add(threading.get_ident())
            found = super().trace(text, prompt=prompt, min_words=min_words)
            write = found.to_json

            class Result:
                def to_json(self) -> Any:
                    threads.add(threading.get_ident())
                    return write()

            return Result()

    assert HTTP.post(f"{serve(Scripted('a'), tracer=Told()).url}/v1/trace", json={"text": "a"}).is_success
    assert len(threads) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"text": "a" * 200_001}, "text: String should have at most 200000 characters"),
        ({"text": "a", "prompt": "a" * 200_001}, "prompt: String should have at most 200000 characters"),
        ({"text": ""}, "text: String should have at least 1 character"),
        ({"text": "a", "min_words": True}, "min_words: Input should be a valid integer"),
        ({"text": "a", "min_words": "8"}, "min_words: Input should be a valid integer"),
        ({"text": "a", "min_words": 0}, "min_words: Input should be greater than or equal to 1"),
    ],
)
def test_a_trace_that_may_not_be_is_told_why(serve: ServeFixture, body: dict[str, Any], told: str) -> None:
    got = HTTP.post(f"{serve(Scripted('a'), tracer=TextTracer()).url}/v1/trace", json=body)
    assert got.status_code == 400
    assert got.json()["error"]["message"] == told


def test_a_trace_whose_client_left_is_not_computed(
    serve: ServeFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracer = Waiting()
    url = f"{serve(Scripted('a'), tracer=tracer).url}/v1/trace"
    with ThreadPoolExecutor(trace_api.AT_ONCE) as pool:
        asked = [pool.submit(HTTP.post, url, json={"text": PARAGRAPH}) for _ in range(trace_api.AT_ONCE)]
        assert all(tracer.running.acquire(timeout=10) for _ in range(trace_api.AT_ONCE))
        with pytest.raises(httpx.ReadTimeout), httpx.Client(trust_env=False, verify=False) as client:
            client.post(url, json={"text": "parti"}, timeout=0.5)
        tracer.go.set()
        assert [future.result().status_code for future in asked] == [200] * trace_api.AT_ONCE
    assert HTTP.post(url, json={"text": "resté"}).status_code == 200
    assert {text for text, _, _ in tracer.asked} == {PARAGRAPH, "resté"}


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("localhost", "http://localhost:8080"),
        ("::1", "http://[::1]:8080"),
    ],
)
def test_the_address_shown_is_one_that_a_browser_takes(host: str, shown: str) -> None:
    assert address(host, 8080) == shown
    assert httpx.URL(shown).port == 8080


def test_the_index_of_this_package_is_a_tracer() -> None:
    trace = pytest.importorskip("hemicycle.trace")
    inspect.signature(trace.Tracer.trace).bind(None, "text", prompt="p", min_words=8)
    assert callable(trace.Trace.to_json)
