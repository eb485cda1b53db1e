"""`hemicycle rights optout` as people call it; and the page that describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hemicycle.cli.rights_optout import optout
from hemicycle.errors import DeclarationError
from hemicycle.rights.optout import protocols

DOCS = Path(__file__).resolve().parents[3] / "docs"


def call(*words: str | Path) -> str:
    done = CliRunner().invoke(optout, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def values(*words: str | Path) -> dict[str, str]:
    pages: list[dict[str, Any]] = json.loads(call(*words, "--json"))["pages"]
    return {Path(page["file"]).name: page["value"] for page in pages}


def test_without_the_files_of_their_site_pages_can_reserve_and_not_permit(samples) -> None:
    assert values(samples / "optout") == {
        "cc_link.html": "unread",
        "noai_reversed.html": "reserved",
        "prose_clause.html": "unread",
        "tdm_open.html": "unread",
        "tdm_reserved.html": "reserved",
    }


def test_the_files_of_a_site_decide_by_the_address_of_the_page(samples) -> None:
    page, folder = samples / "optout/prose_clause.html", samples / "optout"
    tdmrep = ["--tdmrep", folder / "tdmrep.json"]
    robots = ["--robots", folder / "robots/nosdeputes.robots.txt"]
    both = [*tdmrep, *robots]
    for path, options, said in [
        ("/presse/x", tdmrep, "reserved"),
        ("/ouvert/x", tdmrep, "unread"),
        ("/ouvert/x", both, "allowed"),
        ("/recherche/x", robots, "reserved"),
        ("/autre", both, "unknown"),
    ]:
        assert values(page, "--url", f"https://exemple.fr{path}", *options) == {page.name: said}


def test_json_has_every_signal_with_its_evidence(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text('<meta name="robots" content="noai">')
    (found,) = json.loads(call(page, "--json", "--header", "TDM-Reservation: 0"))["pages"]
    assert (found["value"], found["url"]) == ("reserved", "https://example.org/a.html")
    assert [(s["protocol"], s["value"]) for s in found["signals"]] == [
        ("robots", "unread"),
        ("tdmrep", "unread"),
        ("tdmrep", "allowed"),
        ("noai", "reserved"),
    ]
    assert set(found["signals"][0]) == {
        "protocol", "version", "value", "place", "quote", "sha256", "retrieved",
    }  # fmt: skip


def test_text_from_a_page_cannot_move_the_cursor(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text('<meta name="robots" content="noai \x1b[2J">')
    assert "\x1b" not in call(page)


def test_a_rsl_file_is_given_by_its_address(tmp_path: Path) -> None:
    page, licence, robots = tmp_path / "a.html", tmp_path / "rsl.xml", tmp_path / "robots.txt"
    tdmrep = tmp_path / "tdmrep.json"
    page.write_text("<p>x</p>")
    tdmrep.write_text("[]")
    robots.write_text("License: /rsl.xml\n")
    licence.write_text(
        '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>'
        '<permits type="usage">all</permits></license></content></rsl>'
    )
    site = ["--robots", robots, "--tdmrep", tdmrep, "--rsl", "https://example.org/rsl.xml", licence]
    assert values(page, *site) == {"a.html": "allowed"}


@pytest.mark.parametrize("words", [["--header", "x"], ["--url", "x"], ["--url", "https://a.example/", "."]])
def test_a_wrong_call_is_refused(tmp_path: Path, words: list[str]) -> None:
    for name in ("a.html", "b.html"):
        (tmp_path / name).write_text("")
    pages = [str(tmp_path) if word == "." else word for word in words]
    with pytest.raises(DeclarationError):
        call(tmp_path / "a.html", *pages)


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="no page"):
        call(tmp_path)


def test_the_page_lists_the_protocols_in_the_versions_that_are_read() -> None:
    text = (DOCS / "optout.md").read_text("utf-8")
    for key, protocol in protocols().items():
        assert f"| `{key}` | {protocol.name} | {protocol.version} |" in text
