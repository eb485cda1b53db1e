"""A web source from its sites to the gate: evidence of opt-outs, and what a later look changes."""

import json
import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from click.testing import CliRunner

from hemicycle.cli.clear import command as clear
from hemicycle.cli.rights import explain
from hemicycle.cli.session import How, Session
from hemicycle.errors import HemicycleError, IntegrityError
from tests.sources.site import running


def today():
    """Asked each time: a run of the tests may go past midnight."""
    return datetime.now(UTC).date()


WORDS = "La séance est ouverte et le rapporteur présente les conclusions de la commission des finances. " * 12

OPEN = "User-agent: hemicycle\nAllow: /\n\nUser-agent: *\nDisallow: /prive/\n"
SHUT = "User-agent: CCBot\nDisallow: /\n\nUser-agent: *\nAllow: /\n"

DECLARATION = """
[project]
name = "toile"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.pages]
sources = ["site"]
held_out = 0.0
"""

CARD = """
title = "Un site"
reader = "web"
urls = ["{site}/un.html", "{site}/deux.html"]
kind = "web"

[rights]
licence = "CC-BY-4.0"
attested_by = "A. Tester"
evidence = ["read on the site"]

[rights.terms]
url = "{site}/cgu.html"
read_on = 2026-11-20
verdict = "allow"
by = "A. Tester"
"""


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr("hemicycle.sources.web.PAUSE", 0.0)
    with running() as site:
        site.file("/robots.txt", OPEN)
        for number, name in enumerate(("un", "deux")):
            head = f"<html lang='fr'><head><title>{name}</title></head>"
            site.html(f"/{name}.html", f"{head}<body><h1>{name}</h1><p>{WORDS} {number}</p></body></html>")
        yield site


@pytest.fixture
def folder(site, tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "hemicycle.toml").write_text(DECLARATION, "utf-8")
    (tmp_path / "sources" / "site.toml").write_text(CARD.format(site=site.address), "utf-8")
    return tmp_path


def run(folder, day=None, *, verb="curate", offline=False):
    """State of each stage, and how many documents the gate let through."""
    session = Session(folder)
    pipeline = session.pipeline(How(offline=offline))
    pipeline.today = lambda: day or today()
    outcomes = pipeline.run(session.flow.up_to(verb))
    states = {o.step.stage: o.state for o in outcomes}
    admitted = next(o.statement.figures["admitted"] for o in outcomes if o.step.stage == "admitted")
    return states, admitted


def reasons(folder):
    path = max((folder / "build" / "rights").iterdir(), key=lambda p: p.stat().st_mtime) / "rights.parquet"
    return set(pl.read_parquet(path).filter(use="train")["explanation"])


def test_pages_that_their_sites_let_in_pass_with_evidence_and_nothing_is_asked_again_for_a_month(
    site, folder
):
    states, admitted = run(folder)
    assert (states["corpus"], admitted) == ("built", 2)
    asked = len(site.asked)
    states, _ = run(folder, today() + timedelta(days=29), offline=True)
    assert set(states.values()) == {"fresh"}
    assert len(site.asked) == asked


def test_a_reservation_made_later_closes_the_gate_at_the_next_look(site, folder):
    run(folder)
    site.file("/robots.txt", SHUT)
    with pytest.raises(HemicycleError, match="no document of corpus"):
        run(folder, today() + timedelta(days=30))
    assert reasons(folder) == {"opt-out-reserved"}
    evidence = list((folder / "build" / "optout").glob("*/recheck-*.warc.gz"))
    assert len(evidence) == 1


def test_another_byte_of_robots_txt_that_changes_no_verdict_rebuilds_no_corpus(site, folder):
    run(folder)
    site.file("/robots.txt", OPEN + "\n# a comment\n")
    states, admitted = run(folder, today() + timedelta(days=30))
    assert (states["optout"], states["corpus"], admitted) == ("built", "fresh", 2)
    assert {"/un.html", "/deux.html"} <= set(site.asked[-4:]), "pages are asked again too"


def test_a_reservation_that_one_page_makes_later_closes_the_gate_for_that_page(site, folder, monkeypatch):
    run(folder)
    page = site.answers["/un.html"]
    site.html("/un.html", page.body.decode().replace("<head>", '<head><meta name="robots" content="noai">'))
    states, admitted = run(folder, today() + timedelta(days=30))
    assert (states["corpus"], admitted) == ("built", 1)
    (reserved,) = (r for r in told(folder, "un.html", monkeypatch) if r["value"] == "reserved")
    assert reserved["quote"] == "robots: noai"


def test_a_page_that_is_gone_keeps_what_its_site_says_and_one_that_fails_closes(site, folder, monkeypatch):
    run(folder)
    del site.answers["/un.html"]
    site.file("/deux.html", b"", 403)
    assert run(folder, today() + timedelta(days=30))[1] == 1
    assert reasons(folder) == {"licence-allow", "opt-out-unread"}
    assert told(folder, "un.html", monkeypatch)[-1]["quote"] == "the server answered 404"


def told(folder, page, monkeypatch):
    """What `rights explain`, called a month later, says that was found when a page was asked again."""
    make = Session.pipeline

    def later(self, **options):
        pipeline = make(self, **options)
        pipeline.today = lambda: today() + timedelta(days=30)
        return pipeline

    monkeypatch.setattr(Session, "pipeline", later)
    site = re.search(r"http://[^/]+", (folder / "sources" / "site.toml").read_text("utf-8"))[0]
    said = CliRunner().invoke(explain, [f"site:{site}/{page}", "--project", str(folder), "--json"])
    return json.loads(said.stdout)["asked_again"]


def test_evidence_that_is_too_old_and_may_not_be_fetched_stops_the_run(folder):
    run(folder)
    with pytest.raises(HemicycleError, match="older than the 30 days") as stopped:
        run(folder, today() + timedelta(days=30), offline=True)
    assert stopped.value.exit_code == 3


@pytest.mark.parametrize(
    ("robots", "why"),
    [("User-agent: *\nDisallow: /prive/\n", "opt-out-unknown"), (None, "opt-out-unknown")],
)
def test_a_site_that_says_nothing_of_mining_is_excluded(site, folder, robots, why):
    if robots is None:
        del site.answers["/robots.txt"]
    else:
        site.file("/robots.txt", robots)
    with pytest.raises(HemicycleError, match="no document of corpus"):
        run(folder)
    assert reasons(folder) == {why}


@pytest.mark.parametrize(
    ("terms", "why"), [("deny", "terms-of-use"), ("review", "terms-of-use"), (None, "terms-not-read")]
)
def test_terms_of_use_count_as_a_person_read_them_and_unread_ones_hold_everything(folder, terms, why):
    card = folder / "sources" / "site.toml"
    text = card.read_text("utf-8")
    text = text.split("[rights.terms]")[0] if terms is None else text.replace('"allow"', f'"{terms}"')
    card.write_text(text, "utf-8")
    with pytest.raises(HemicycleError, match="no document of corpus"):
        run(folder)
    assert reasons(folder) == {why}


def test_a_policy_of_the_project_may_read_silence_otherwise(site, folder):
    from pathlib import Path

    import hemicycle.rights

    default = Path(hemicycle.rights.__file__).with_name("policy.default.toml").read_text("utf-8")
    del site.answers["/robots.txt"]
    policy = default.replace('unknown = "deny"', 'unknown = "allow"').replace('"default"', '"ours"')
    (folder / "policy.toml").write_text(policy, "utf-8")
    declaration = folder / "hemicycle.toml"
    text = declaration.read_text("utf-8").replace(
        'license = "Apache-2.0"', 'license = "Apache-2.0"\npolicy = "policy.toml"'
    )
    declaration.write_text(text, "utf-8")
    assert run(folder)[1] == 2


DOWNLOAD = """
title = "Un recueil"
reader = "text"
urls = ["{site}/recueil.txt"]

[rights]
licence = "CC-BY-4.0"
attested_by = "A. Tester"
evidence = ["read on the site"]
"""
OFFER = """
[rights.offered]
url = "{site}/telecharger"
quote = "Le recueil est offert au téléchargement."
read_on = 2026-11-20
"""


def test_a_download_passes_with_its_holder_s_words_and_clear_shows_them_or_says_what_is_missing(site, folder):
    site.file("/recueil.txt", f"{WORDS}\n")
    card = folder / "sources" / "site.toml"
    card.write_text(DOWNLOAD.format(site=site.address), "utf-8")
    said = CliRunner().invoke(clear, ["--project", str(folder)]).stdout
    assert "site: 1 refused. The files were fetched from an address" in said
    assert "quote it as offered (url, quote, read_on) under [rights] of sources/site.toml." in said
    card.write_text((DOWNLOAD + OFFER).format(site=site.address), "utf-8")
    said = CliRunner().invoke(clear, ["--project", str(folder)]).stdout
    assert "“Le recueil est offert au téléchargement.”" in said
    assert f"({site.address}/telecharger, read on 2026-11-20)" in said
    (row,) = json.loads(CliRunner().invoke(clear, ["--project", str(folder), "--json"]).stdout)["sources"]
    assert (row["admitted"], row["offered"]["read_on"]) == (1, "2026-11-20")


def test_an_offer_without_a_word_is_a_wrong_card(site, folder):
    card = (DOWNLOAD + OFFER).replace("Le recueil est offert au téléchargement.", " ")
    (folder / "sources" / "site.toml").write_text(card.format(site=site.address), "utf-8")
    with pytest.raises(HemicycleError, match=r"line 13: rights\.offered\.quote: must not be empty"):
        Session(folder)


def test_evidence_of_opt_outs_that_was_changed_stops_the_next_run(site, folder):
    run(folder)
    (evidence,) = (folder / "build" / "optout").glob("*/optout.parquet")
    whole = evidence.read_bytes()
    evidence.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(IntegrityError, match="differs from what the ledger states") as stopped:
        run(folder, verb="clear")
    assert stopped.value.place == str(evidence)
