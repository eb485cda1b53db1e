"""`hemicycle rights`: what it prints for people and for programs."""

import json

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.errors import DeclarationError


def run(*words):
    done = CliRunner().invoke(cli, ["rights", *words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done


def test_the_little_prince_in_three_places():
    words = ["term", "--death", "1944", "--published", "1943", "--mplf", "--in", "FR,BE,CA-QC"]
    said = json.loads(run(*words, "--on", "2026-11-26", "--json").stdout)["jurisdictions"]
    assert list(said) == ["FR", "BE", "CA-QC"]
    french = said["FR"]
    assert (french["verdict"], french["free_from"], french["safe_from"], french["contested"]) == (
        "deny", "2033-05-01", "2045-01-01", True
    )  # fmt: skip
    assert "terms/FR-W2@2026-11-22" in french["rules"]
    assert "1 May 2033" in french["explanation"]
    assert "1er mai 2033" in french["explanation_fr"]
    assert (said["BE"]["verdict"], said["BE"]["free_from"]) == ("review", "2015-01-01")
    assert (said["CA-QC"]["verdict"], said["CA-QC"]["free_from"]) == ("allow", "1995-01-01")


def test_several_deaths_are_one_work_of_several():
    words = ["term", "--death", "1937", "--death", "1954", "--music", "--published", "1925", "--in", "FR"]
    said = json.loads(run(*words, "--on", "2026-11-26", "--json").stdout)["jurisdictions"]["FR"]
    assert (said["verdict"], said["free_from"], said["safe_from"]) == ("review", "2025-01-01", "2033-05-01")
    assert run(*words, "--on", "2026-11-26").stdout.startswith("FR  review, contested")


def test_the_day_asked_about_is_the_day_judged_for():
    words = ["term", "--death", "1945", "--in", "FR,CA", "--on", "2015-06-01", "--json"]
    said = json.loads(run(*words).stdout)["jurisdictions"]
    assert (said["FR"]["verdict"], said["CA"]["verdict"]) == ("deny", "allow")


@pytest.mark.parametrize("death", [[], ["--death", "?"]])
def test_an_unknown_death_is_put_up_for_review(death):
    said = json.loads(run("term", *death, "--in", "FR,MG", "--json").stdout)["jurisdictions"]
    assert [said[c]["reason"] for c in ("FR", "MG")] == ["unknown-death", "no-term-rule"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--death", "1944", "--in", "FRR"], "no jurisdiction"),
        (["--death", "long ago", "--in", "FR"], "not a year"),
        (["--birth", "1900", "--in", "FR"], "more --birth than --death"),
        (["--death", "1944", "--in", "FR", "--origin", "XX"], "no jurisdiction"),
    ],
)
def test_what_cannot_be_meant_is_refused(words, what):
    with pytest.raises(DeclarationError, match=what):
        run("term", *words)


def test_a_rail_base_gives_no_apache_release_and_the_clause_is_named():
    rail = "bloom=LicenseRef-scancode-bigscience-rail-1.0"
    done = CliRunner().invoke(cli, ["rights", "release", "Apache-2.0", "--base-model", rail, "--json"])
    assert done.exit_code == 3
    said = json.loads(done.stdout)
    assert (said["follows"], said["blockers"][0]["name"]) == (False, "bloom")
    assert "paragraphs 4" in said["blockers"][0]["clause"]


def test_of_five_hundred_sources_the_one_that_blocks_is_named():
    sources = [word for n in range(499) for word in ("--source", f"s{n}=etalab-2.0")]
    done = CliRunner().invoke(
        cli, ["rights", "release", "Apache-2.0", *sources, "--source", "plays=CC-BY-NC-SA-4.0", "--json"]
    )
    assert done.exit_code == 3
    assert [b["name"] for b in json.loads(done.stdout)["blockers"]] == ["plays"]


def test_what_follows_says_under_which_licences_the_texts_stand():
    words = ["--source", "a=CC-BY-4.0", "--source", "b=CC-BY-SA-4.0"]
    said = json.loads(run("release", "Apache-2.0", *words, "--json").stdout)
    assert (said["follows"], said["corpus"]) == (True, "CC-BY-4.0 AND CC-BY-SA-4.0")
