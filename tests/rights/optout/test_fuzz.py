"""Noise and mutilated files: never another error than ours, never a permission that nobody wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hemicycle.rights.optout import (
    Fetched,
    combine,
    epub_metadata,
    may_visit,
    pdf_metadata,
    read_signals,
    stated_licences,
    wanted_files,
)

from .conftest import FUZZ

ON = datetime(2026, 11, 26, tzinfo=UTC)
SITE = "https://site.example"

#: Pieces that make noise look like the real thing, without any that would permit.
PIECES = [
    b"User-agent: *\n", b"User-agent: GPTBot\n", b"Disallow: /\n", b"Disallow: /a$\n", b"Content-Usage: ",
    b"Content-Signal: ", b"train-ai=n", b"ai-train=no", b"search=y", b"License: /l.xml\n", b"\xef\xbb\xbf",
    b"\xff\xfe", b"\0", b"[", b"{", b'"location": "/"', b'"tdm-reservation": 1', b"}", b"]", b",", b"<meta ",
    b"name=robots ", b"content=noai", b">", b"<!--", b"-->", b"<script>", b"<link rel=license href=", b"&#0;",
    b"<rsl xmlns='https://rslstandard.org/rsl'>", b"<content url='/'>", b"<license>",
    b"<prohibits type='usage'>", b"all",
    b"</license>", b"</content>", b"</rsl>", b"\r", b"\n", b"=", b";", b"*", b"%", b"\xe2\x80\xa8",
]  # fmt: skip
NOISE = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)), max_size=40).map(b"".join)
URLS = st.one_of(
    st.sampled_from([f"{SITE}/a", f"{SITE}/a?b=%zz", "http://[::1", "", "//x", f"{SITE}:99999/"]),
    st.text(max_size=30).map(lambda t: f"{SITE}/{t}"),
    st.text(max_size=30),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Content-Usage", "Content-Signal", "TDM-Reservation", "X-Robots-Tag", "Link", "Content-Type"]
        ),
        st.text(max_size=40),
    ),
    max_size=5,
)
#: What any permission must be written with, in one protocol or another.
PERMITS = re.compile(rb"allow|=\s*y|permits|reservation\D*0|dis[a-z]*\s*:?\s*[\r\n]", re.IGNORECASE)


@given(URLS, NOISE, NOISE, NOISE, NOISE, HEADERS)
@FUZZ
def test_noise_gives_findings_and_no_permission(
    url: str, html: bytes, robots: bytes, tdmrep: bytes, rsl: bytes, headers: list[tuple[str, str]]
) -> None:
    found = read_signals(
        url,
        html=html,
        headers=headers,
        robots=Fetched(f"{SITE}/robots.txt", 200, robots),
        tdmrep=Fetched(f"{SITE}/.well-known/tdmrep.json", 200, tdmrep),
        rsl={f"{SITE}/l.xml": Fetched(f"{SITE}/l.xml", 200, rsl)},
        on=ON,
    )
    assert {"robots", "tdmrep"} <= {r.protocol for r in found}
    for r in found:
        "".join([r.place, r.quote or ""]).encode("utf-8")
    text = b"\n".join(
        [html, robots, tdmrep, rsl, *(f"{k}: {v}".encode("utf-8", "replace") for k, v in headers)]
    )
    if not PERMITS.search(text):
        assert combine(found) != "allowed"


@given(st.binary(max_size=300), URLS)
@FUZZ
def test_any_bytes_are_read_in_every_place(data: bytes, url: str) -> None:
    epub_metadata(data)
    pdf_metadata(b"<x:xmpmeta xmlns:x='a'>" + data + b"</x:xmpmeta>")
    stated_licences(url, data)
    wanted_files(url, data, {"link": data.decode("latin-1")})
    if url.startswith(f"{SITE}/"):
        may_visit(url, Fetched(f"{SITE}/robots.txt", 200, data))
