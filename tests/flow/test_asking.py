"""A built model asked from the command line: its files are checked; what cannot be done is said plainly."""

import json
import shutil
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.flow.test_withdrawn import decide, indexed


@pytest.mark.parametrize(
    "words", [("trace", "--answer", "La séance"), ("serve", "--port", "0")], ids=["trace", "serve"]
)
def test_weights_that_are_not_those_of_the_ledger_are_not_asked(copy, call, words):
    weights = next((copy / "build" / "model").glob("petit-*/model.safetensors"))
    whole = bytearray(weights.read_bytes())
    whole[-100] ^= 1
    weights.write_bytes(whole)
    code, out, err = call(*words, "--project", copy)
    assert code == 1
    assert out == ""
    assert err.startswith(f"error: {weights}: the content differs from what the ledger states: SHA-256 ")
    assert "\n  Restore it from a copy" in err


def test_after_a_withdrawal_tokens_are_those_of_the_model_that_is_built(copy, call):
    document = indexed(copy)[0]
    decide(copy, {document: "0"})
    code, out, err = call("trace", "La séance est ouverte", "--unit", "tokens", "--json", "--project", copy)
    assert code == 0, err
    told = json.loads(out)
    assert told["words"] > 0
    assert document not in {d["id"] for span in told["spans"] for d in span["documents"]}


def test_no_index_of_tokens_is_built_for_a_model_that_is_not(copy, call):
    shutil.rmtree(next((copy / "build" / "model").glob("petit-*")))
    code, _, err = call("trace", "La séance est ouverte", "--unit", "tokens", "--project", copy)
    assert code == 1
    assert "is not built" in err
    assert len(list((copy / "build" / "index").iterdir())) == 1


@pytest.mark.parametrize("text", ["", " … ", "?!"])
def test_a_text_without_a_word_is_a_wrong_call(built, call, text):
    code, out, err = call("trace", text, "--project", built[0])
    assert (code, out) == (2, "")
    assert "no word" in err


@pytest.mark.parametrize("host", ["127.0.0.1", "203.0.113.7", "no.such.host.invalid"])
def test_where_it_cannot_listen_no_address_is_shown(built, call, host, monkeypatch):
    monkeypatch.setenv("HEMICYCLE_TOKEN", "secret")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = call("serve", "--project", built[0], "--host", host, "--port", port)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {host}:{port}: cannot listen there: ")
    assert "--port" in err
    assert "http" not in err


def test_the_address_shown_is_that_of_a_server_that_listens_and_ctrl_c_ends_it(built):
    words = [sys.executable, "-m", "hemicycle", "serve", "--project", str(built[0]), "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        url = next(word for word in process.stderr.readline().split() if word.startswith("http"))
        assert httpx.get(f"{url}/health", timeout=60, trust_env=False).json() == {"status": "ok"}
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(60)
    assert code == 0
    assert process.stderr.read() == ""
