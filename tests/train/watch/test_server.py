"""The server: runs and nothing else, to this machine and nobody else."""

import http.client
import json
import threading

import pytest

from hemicycle.errors import HemicycleError
from hemicycle.train.watch.server import make_server


@pytest.fixture
def port(logs, training):
    training("petit").run(20)
    server = make_server(logs, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def ask(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def test_pages_and_figures_are_served(port):
    answer, page = ask(port, "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'href="/petit#fr"' in page
    assert ask(port, "/petit")[1].count("<figure") > 10
    answer, text = ask(port, "/petit.json")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert json.loads(text)["step"] == 20


def test_a_page_begins_in_the_language_the_browser_prefers(port):
    assert '<html lang="en">' in ask(port, "/petit", accept_language="de-DE,en;q=0.8,fr;q=0.5")[1]
    assert '<html lang="fr">' in ask(port, "/petit", accept_language="fr-CA,fr;q=0.9,en;q=0.8")[1]
    assert '<html lang="fr">' in ask(port, "/petit")[1]


@pytest.mark.parametrize(
    "path",
    [
        "/other",
        "/../petit",
        "/petit/run.json",
        "/%2e%2e/train/petit",
        "/petit%00",
        "/run.json",
        "/.json",
    ],
)
def test_nothing_else_is_there(port, path):
    assert ask(port, path)[0].status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_done(port, method):
    assert ask(port, "/", method)[0].status == 501


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", "", "[::2]"]
)
def test_a_page_under_a_strangers_name_gets_nothing(port, host):
    answer, body = ask(port, "/petit.json", host=host)
    assert answer.status == 421
    assert "step" not in body.replace("misdirected", "")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8090", "127.0.0.1:8090", "[::1]:8090"])
def test_this_machine_is_answered_by_any_of_its_names(port, host):
    assert ask(port, "/petit.json", host=host)[0].status == 200


def test_every_answer_forbids_frames_and_storing(port):
    for path in ("/", "/petit.json", "/other"):
        headers = ask(port, path)[0].headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "Python" not in headers["server"]


def test_a_broken_log_is_said_and_the_server_lives(port, logs):
    part = next((logs / "petit").glob("steps-*.parquet"))
    part.write_bytes(b"PAR1")
    answer, body = ask(port, "/petit")
    assert answer.status == 500
    assert "cannot be read" in body
    assert ask(port, "/other")[0].status == 404


def test_a_port_in_use_is_said(port, logs):
    with pytest.raises(HemicycleError, match=f"127.0.0.1:{port}: cannot listen there"):
        make_server(logs, port)
