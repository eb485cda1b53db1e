"""Files from the web, against a server of our own that cuts, stalls, changes and lies."""

from __future__ import annotations

import email.utils
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.sources import download as download_module
from hemicycle.sources import web
from hemicycle.sources.download import Downloaded, download, file_names

BODY = bytes(range(256)) * 4000
Script = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Plays the next script of its server; the last one again when they run out."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        scripts = self.server.scripts
        (scripts.pop(0) if len(scripts) > 1 else scripts[0])(self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.scripts: list[Script] = [give()]
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def give(body: bytes = BODY, etag: str | None = '"v1"', cut: int | None = None, **headers: str) -> Script:
    """Serve `body`, or the range asked for if the validator holds; close after `cut` bytes of the answer."""

    def script(handler: Handler) -> None:
        asked = handler.headers.get("Range")
        validators = (etag, headers.get("Last_Modified"))
        start = 0
        if asked and handler.headers.get("If-Range") in validators:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) - start))
        if etag:
            handler.send_header("ETag", etag)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body[start:][:cut])
        handler.close_connection = cut is not None

    return script


def answer(status: int, **headers: str) -> Script:
    def script(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    return script


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def fetch(tmp_path: Path, slept: list[float]) -> Callable[..., list[Downloaded]]:
    def run(*urls: str, **options: Any) -> list[Downloaded]:
        options.setdefault("digests", {})
        options.setdefault("sleep", slept.append)
        return download(urls, tmp_path / "into", tmp_path / "work", **options)

    return run


Fetch = Callable[..., list[Downloaded]]


def kill(seconds: float) -> None:
    """In the place of a pause: the process ends here."""
    raise KeyboardInterrupt


def test_a_file_arrives_whole_with_what_the_server_says_of_it(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    server.scripts = [give(Last_Modified="Thu, 09 Jun 2022 10:00:00 GMT")]
    url = server.address + "/15/syseron.xml.zip"
    (found,) = fetch(url, digests={url: sha256_bytes(BODY).upper()})
    assert found == Downloaded(
        url, "syseron.xml.zip", len(BODY), sha256_bytes(BODY), '"v1"', "Thu, 09 Jun 2022 10:00:00 GMT"
    )
    assert (tmp_path / "into" / "syseron.xml.zip").read_bytes() == BODY
    assert server.seen[0][1]["user-agent"].startswith("Hemicycle/")
    assert list((tmp_path / "into").iterdir()) == [tmp_path / "into" / "syseron.xml.zip"]


def test_a_cut_connection_is_resumed_where_it_was_cut(
    server: Server, fetch: Fetch, slept: list[float]
) -> None:
    server.scripts = [give(cut=300_000), give(cut=400_000), give()]
    (found,) = fetch(server.address + "/a.zip")
    assert found.sha256 == sha256_bytes(BODY)
    assert [headers.get("range") for _, headers in server.seen] == [None, "bytes=300000-", "bytes=700000-"]
    assert server.seen[1][1]["if-range"] == '"v1"'
    assert slept[0] == 1.0


def test_a_killed_process_is_resumed_by_the_next(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.scripts = [give(cut=300_000)]

    with pytest.raises(KeyboardInterrupt):
        fetch(server.address + "/a.zip", sleep=kill)
    assert list((tmp_path / "into").iterdir()) == []
    server.scripts = [give()]
    (found,) = fetch(server.address + "/a.zip")
    assert server.seen[-1][1]["range"] == "bytes=300000-"
    assert found.sha256 == sha256_bytes(BODY)


def test_what_a_power_cut_left_behind_the_last_flush_is_not_trusted(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    server.scripts = [give(cut=300_000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(server.address + "/a.zip", sleep=kill)
    (part,) = (tmp_path / "work").glob("*.part")
    with part.open("ab") as file:
        file.write(bytes(50_000))
    server.scripts = [give()]
    (found,) = fetch(server.address + "/a.zip")
    assert server.seen[-1][1]["range"] == "bytes=300000-"
    assert found.sha256 == sha256_bytes(BODY)


def test_a_part_shorter_than_its_record_is_begun_again(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.scripts = [give(cut=300_000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(server.address + "/a.zip", sleep=kill)
    (part,) = (tmp_path / "work").glob("*.part")
    part.write_bytes(BODY[:200_000])
    server.scripts = [give()]
    (found,) = fetch(server.address + "/a.zip")
    assert "range" not in server.seen[-1][1]
    assert found.sha256 == sha256_bytes(BODY)


def test_nothing_is_recorded_as_arrived_before_it_was_flushed(
    server: Server, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "FLUSHED_EVERY", 100_000)
    flushed, recorded = [0], [0]
    fsync, save = os.fsync, download_module._Transfer._save

    def flush(number: int) -> None:
        fsync(number)
        if os.readlink(f"/proc/self/fd/{number}").endswith(".part"):
            flushed.append(os.fstat(number).st_size)

    def record(self: Any, state: Any) -> None:
        assert state.kept <= flushed[-1]
        recorded.append(state.kept)
        save(self, state)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(download_module._Transfer, "_save", record)
    fetch(server.address + "/a.zip")
    assert max(recorded) == len(BODY)
    assert len({kept for kept in recorded if 0 < kept < len(BODY)}) >= 3


def test_a_finished_file_is_not_fetched_again(server: Server, fetch: Fetch) -> None:
    url = server.address + "/a.zip"
    first = fetch(url)
    assert fetch(url) == first
    assert len(server.seen) == 1


def test_a_finished_file_that_was_touched_since_is_fetched_again(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    url = server.address + "/a.zip"
    fetch(url)
    (tmp_path / "into" / "a.zip").write_bytes(b"autre chose")
    (found,) = fetch(url)
    assert (len(server.seen), found.sha256) == (2, sha256_bytes(BODY))


def test_a_file_that_changes_between_the_halves_is_begun_again(server: Server, fetch: Fetch) -> None:
    new = b"nouveau " * 50_000
    server.scripts = [give(cut=300_000), give(new, '"v2"')]
    (found,) = fetch(server.address + "/a.zip")
    assert (found.sha256, found.etag, found.size) == (sha256_bytes(new), '"v2"', len(new))


def test_a_server_that_ignores_the_condition_is_caught_by_the_etag(server: Server, fetch: Fetch) -> None:
    new = b"nouveau!" * (len(BODY) // 8)

    def careless(handler: Handler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 300000-{len(new) - 1}/{len(new)}")
        handler.send_header("Content-Length", str(len(new) - 300_000))
        handler.send_header("ETag", '"v2"')
        handler.end_headers()
        handler.close_connection = True

    server.scripts = [give(cut=300_000), careless, give(new, '"v2"')]
    (found,) = fetch(server.address + "/a.zip")
    assert found.sha256 == sha256_bytes(new)
    assert "range" not in server.seen[-1][1]


def test_a_wrong_half_is_seen_by_the_declared_digest_and_the_file_begun_again(
    server: Server, fetch: Fetch
) -> None:
    url = server.address + "/a.zip"
    spoiled = BODY[:500_000] + b"!" * (len(BODY) - 500_000)
    server.scripts = [give(cut=300_000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(url, digests={"a.zip": sha256_bytes(BODY)}, sleep=kill)
    server.scripts = [give(spoiled), give()]
    (found,) = fetch(url, digests={"a.zip": sha256_bytes(BODY)})
    assert found.sha256 == sha256_bytes(BODY)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"v1"'}, {"Last_Modified": "now"}])
def test_without_a_safe_validator_nothing_is_resumed(
    server: Server, fetch: Fetch, headers: dict[str, str]
) -> None:
    now = email.utils.formatdate(time.time() + 30, usegmt=True)  # not before the answer, however slow
    sent: dict[str, Any] = {k: now if v == "now" else v for k, v in headers.items()}
    server.scripts = [give(etag=None, cut=300_000, **sent), give()]
    (found,) = fetch(server.address + "/a.zip")
    assert "range" not in server.seen[1][1]
    assert found.sha256 == sha256_bytes(BODY)


def test_an_old_last_modified_is_a_safe_validator(server: Server, fetch: Fetch) -> None:
    date = "Fri, 28 Jun 2024 00:00:00 GMT"
    server.scripts = [give(etag=None, cut=300_000, Last_Modified=date), give(etag=None, Last_Modified=date)]
    (found,) = fetch(server.address + "/a.zip")
    assert server.seen[1][1]["if-range"] == date
    assert found.sha256 == sha256_bytes(BODY)


def test_a_body_that_is_always_cut_at_the_same_place_fails_and_says_what_is_kept(
    server: Server, fetch: Fetch, slept: list[float]
) -> None:
    server.scripts = [give(cut=0)]
    with pytest.raises(InputError) as caught:
        fetch(server.address + "/a.zip")
    assert "6 tries brought nothing more" in caught.value.what
    assert len(server.seen) == 6
    assert [s for s in slept if s >= 1.0] == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_tries_begin_anew_while_the_file_grows(
    server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_module, "GAIN", 50_000)
    server.scripts = [give(cut=60_000)]
    (found,) = fetch(server.address + "/a.zip")
    assert found.sha256 == sha256_bytes(BODY)
    assert len(server.seen) == -(-len(BODY) // 60_000)


def test_unavailable_then_there(server: Server, fetch: Fetch, slept: list[float]) -> None:
    server.scripts = [answer(503), answer(429, Retry_After="7"), give()]
    (found,) = fetch(server.address + "/a.zip")
    assert found.size == len(BODY)
    assert [s for s in slept if s >= 1.0] == [1.0, 7.0]


def test_retry_after_may_be_a_date_and_may_be_too_long() -> None:
    headers = httpx.Headers(
        {"Retry-After": "Fri, 28 Jun 2024 00:01:30 GMT", "Date": "Fri, 28 Jun 2024 00:00:00 GMT"}
    )
    assert web.retry_after(headers) == 90.0
    refused = web.refusal(httpx.Response(503, headers={"Retry-After": "86400"}), "u")
    assert isinstance(refused, InputError)
    assert "asks to come back in 86400 s" in refused.what


@pytest.mark.parametrize(
    ("status", "said", "remedy"),
    [
        (404, "404 Not Found", "look up the address"),
        (403, "403 Forbidden", "does not give this file to programs"),
    ],
)
def test_a_refusal_is_not_repeated_and_says_what_to_do(
    server: Server, fetch: Fetch, status: int, said: str, remedy: str
) -> None:
    server.scripts = [answer(status)]
    with pytest.raises(InputError) as caught:
        fetch(server.address + "/a.zip")
    assert said in str(caught.value)
    assert remedy in str(caught.value)
    assert caught.value.place == server.address + "/a.zip"
    assert len(server.seen) == 1


def test_a_wrong_digest_is_refused_and_nothing_is_kept(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"its SHA-256 is {sha256_bytes(BODY)}, the card says {'0' * 64}"):
        fetch(server.address + "/a.zip", digests={"a.zip": "0" * 64})
    assert list((tmp_path / "into").iterdir()) == []
    assert not list((tmp_path / "work").glob("*.part"))


@pytest.mark.parametrize(
    ("digests", "said"),
    [
        ({"b.zip": "0" * 64}, "none of the addresses and file names"),
        ({"a.zip": "sha256:00"}, "is not a SHA-256"),
        ({"a.zip": "0" * 64, "http://x.fr/a.zip": "1" * 64}, "two different digests"),
    ],
)
def test_a_digest_that_checks_nothing_is_a_wrong_declaration(
    fetch: Fetch, digests: dict[str, str], said: str
) -> None:
    with pytest.raises(DeclarationError, match=said):
        fetch("http://x.fr/a.zip", digests=digests)


def test_too_large_is_refused_by_the_header_and_by_the_bytes(
    server: Server, fetch: Fetch, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="the most one file may have is 1000"):
        fetch(server.address + "/a.zip", max_bytes=1000)

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    server.scripts = [endless]
    with pytest.raises(InputError, match="the most one file may have is 1000000"):
        fetch(server.address + "/b.zip", max_bytes=1_000_000)
    assert sum(p.stat().st_size for p in (tmp_path / "work").glob("*.part")) <= 1_000_000


def test_a_chunked_body_that_stops_early_is_not_taken_for_whole(server: Server, fetch: Fetch) -> None:
    def cut(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\nabcde\r\n")
        handler.close_connection = True

    server.scripts = [cut, give(b"abcdefgh")]
    (found,) = fetch(server.address + "/a.txt")
    assert found.size == 8


def test_a_body_packed_against_our_wish_is_refused(server: Server, fetch: Fetch) -> None:
    server.scripts = [give(Content_Encoding="gzip")]
    with pytest.raises(InputError, match="packs the file"):
        fetch(server.address + "/a.txt")


def test_a_full_disk_is_said_and_the_next_run_goes_on(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    url = server.address + "/a.zip"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))  # files end here, as on a full disk
    try:
        with pytest.raises(HemicycleError, match=r"the disk is full: .*\n  Make room and run again"):
            fetch(url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    (part,) = (tmp_path / "work").glob("*.part")
    assert part.read_bytes() == BODY[:300_000]
    (found,) = fetch(url)
    assert server.seen[-1][1]["range"] == "bytes=300000-"
    assert found.sha256 == sha256_bytes(BODY)


def test_a_disk_too_small_is_refused_before_the_first_byte(
    server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(HemicycleError, match="the disk is full"):
        fetch(server.address + "/a.zip")


def test_a_damaged_state_means_a_new_beginning(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    server.scripts = [give(cut=300_000)]
    with pytest.raises(KeyboardInterrupt):
        fetch(server.address + "/a.zip", sleep=kill)
    (state,) = (tmp_path / "work").glob("*.json")
    state.write_bytes(b'{"url": ')
    server.scripts = [give()]
    (found,) = fetch(server.address + "/a.zip")
    assert "range" not in server.seen[-1][1]
    assert found.sha256 == sha256_bytes(BODY)


def test_requests_to_one_host_are_a_pause_apart(server: Server, fetch: Fetch, slept: list[float]) -> None:
    server.scripts = [give(b"x")]
    fetch(*(f"{server.address}/{n}.txt" for n in range(3)))
    assert len(slept) == 2
    assert all(0.5 < seconds <= web.PAUSE for seconds in slept)


def test_redirects_are_followed_and_the_card_s_address_is_kept(server: Server, fetch: Fetch) -> None:
    server.scripts = [answer(302, Location="/ailleurs/b.zip"), give()]
    (found,) = fetch(server.address + "/a.zip")
    assert (found.url, found.file_name, found.size) == (server.address + "/a.zip", "a.zip", len(BODY))
    assert [path for path, _ in server.seen] == ["/a.zip", "/ailleurs/b.zip"]


def test_redirects_in_a_circle_end(server: Server, fetch: Fetch) -> None:
    server.scripts = [answer(302, Location="/a.zip")]
    with pytest.raises(InputError, match="more than 5 redirects"):
        fetch(server.address + "/a.zip")
    assert len(server.seen) == web.MAX_REDIRECTS + 1


PUBLIC = {"exemple.fr": ["93.184.216.34"], "autre.fr": ["2606:2800:220:1::1"], "interne.fr": ["10.0.0.7"]}


@pytest.mark.parametrize(
    ("start", "location", "refused"),
    [
        ("http://exemple.fr/a", "https://autre.fr/a", None),
        ("https://exemple.fr/a", "http://exemple.fr/a", "less safe"),
        ("http://exemple.fr/a", "file:///etc/passwd", "less safe"),
        ("http://exemple.fr/a", "ftp://autre.fr/a", "less safe"),
        ("http://exemple.fr/a", "http://u:p@autre.fr/a", "less safe"),
        ("http://exemple.fr/a", "http://127.0.0.1/a", "private network"),
        ("http://exemple.fr/a", "http://[::1]/a", "private network"),
        ("http://exemple.fr/a", "http://[::ffff:10.0.0.1]/a", "private network"),
        ("http://exemple.fr/a", "http://169.254.169.254/meta", "private network"),
        ("http://exemple.fr/a", "http://localhost./a", "private network"),
        ("http://exemple.fr/a", "https://interne.fr/a", "private network"),
        ("http://interne.fr/a", "http://10.0.0.8/a", None),
    ],
)
def test_a_redirect_never_leads_to_another_kind_of_address(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, start: str, location: str, refused: str | None
) -> None:
    monkeypatch.setattr(web, "addresses", lambda host: PUBLIC.get(host, [host] if host[-1].isdigit() else []))
    visited = []

    def respond(request: httpx.Request) -> httpx.Response:
        visited.append(str(request.url))
        if len(visited) == 1:
            return httpx.Response(302, headers={"Location": location})
        return httpx.Response(200, stream=httpx.ByteStream(b"oui"))

    client = httpx.Client(transport=httpx.MockTransport(respond))
    if refused:
        with pytest.raises(InputError, match=refused):
            fetch(start, client=client)
        assert visited == [start]
    else:
        assert fetch(start, client=client)[0].size == 3
        assert visited == [start, location]


def test_a_redirect_to_what_is_not_an_address_fails(server: Server, fetch: Fetch) -> None:
    server.scripts = [answer(302, Location="http://[")]
    with pytest.raises(InputError, match="6 tries brought nothing more"):
        fetch(server.address + "/a.zip")


def test_hosts_by_the_address_they_have() -> None:
    assert web.is_private("127.0.0.1")
    assert web.is_private("2130706433")
    assert web.is_private("100.64.0.1")
    assert not web.is_private("8.8.8.8")


@pytest.mark.parametrize(
    ("found", "address"),
    [
        (["93.184.215.14", "2606:2800::1"], "93.184.215.14"),
        (["93.184.215.14", "10.0.0.8"], None),
        (["::ffff:127.0.0.1"], None),
        ([], None),
    ],
)
def test_a_host_is_public_where_all_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch, found: list[str], address: str | None
) -> None:
    monkeypatch.setattr(web, "addresses", lambda host: found)
    assert web.public_address("site.example") == address
    assert web.public_address("site.localhost.") is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://x.fr/15/vp/syseron.xml.zip", "syseron.xml.zip"),
        ("https://x.fr/", "index"),
        ("https://x.fr", "index"),
        ("https://x.fr/a/?id=3", "a"),
        ("https://x.fr/a%2F..%2F..%2Fetc%2Fpasswd", "a_.._.._etc_passwd"),
        ("https://x.fr/..%2f..%2fb", "_.._b"),
        ("https://x.fr/.bashrc", "bashrc"),
        ("https://x.fr/d%C3%A9bats%20du%201er.txt", "débats_du_1er.txt"),
        ("https://x.fr/a%00b%0A.txt", "a_b_.txt"),
        ("https://x.fr/" + "l" * 500 + ".tar.gz", "l" * 113 + ".tar.gz"),
    ],
)
def test_file_names_come_from_addresses_safely(url: str, name: str) -> None:
    assert file_names([url]) == {url: name}


def test_equal_names_are_told_apart_in_any_order() -> None:
    urls = [f"https://x.fr/{n}/syseron.xml.zip" for n in (15, 16)] + [
        "https://x.fr/Syseron.XML.zip",
        "https://x.fr/b",
    ]
    names = file_names(urls)
    assert len({name.casefold() for name in names.values()}) == 4
    assert names == file_names(urls[::-1])
    assert all(n.lower().endswith(".xml.zip") for n in list(names.values())[:3])
    assert names["https://x.fr/b"] == "b"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_path_gives_a_name_inside_the_folder(path: str) -> None:
    name = download_module._file_name("https://x.fr/" + path)
    assert name not in ("", ".", "..")
    assert not name.startswith(".")
    assert len(name.encode("utf-8")) <= download_module.MAX_NAME_BYTES
    assert Path("into", name).parent == Path("into")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x.fr/a", "x.fr/a", "https://", "https://u:secret@x.fr/a", "http://["]
)
def test_what_is_not_an_open_address_is_a_wrong_declaration(fetch: Fetch, url: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        fetch(url)
    assert "secret" not in str(caught.value)


def test_an_address_given_twice_is_a_wrong_declaration(fetch: Fetch) -> None:
    with pytest.raises(DeclarationError, match="given twice"):
        fetch("https://x.fr/a", "https://x.fr/a")
