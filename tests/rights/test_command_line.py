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


def test_every_row_comes_with_its_source_its_day_and_how_sure_it_is():
    words = ["term", "--death", "1944", "--published", "1943", "--mplf", "--in", "FR,BE,CA,MG"]
    said = json.loads(run(*words, "--on", "2026-11-26", "--json").stdout)["jurisdictions"]
    for judged in said.values():
        assert [row["id"] for row in judged["sources"]] == judged["rules"]
    war = next(row for row in said["FR"]["sources"] if row["id"].startswith("terms/FR-W2"))
    assert war == {
        "id": "terms/FR-W2@2026-11-22",
        "source": "https://www.legifrance.gouv.fr/codes/id/LEGITEXT000006069414",
        "checked_on": "2026-11-22",
        "confidence": "known",
    }
    sure = {code: judged["confidence"] for code, judged in said.items()}
    assert sure == {"FR": "counsel", "BE": "counsel", "CA": "known", "MG": None}
    named = "  CA-50: known, checked on 2026-11-22, https://laws-lois.justice.gc.ca/fra/lois/C-42/\n"
    assert named in run(*words, "--explain").stdout
    assert named not in run(*words).stdout


def test_who_died_for_france_is_somebody_known():
    words = ["term", "--kind", "anonymous", "--mplf", "--published", "1913", "--in", "FR", "--json"]
    assert json.loads(run(*words).stdout)["jurisdictions"]["FR"]["reason"] == "unknown-death"


def test_a_scan_and_a_recording_can_be_asked_about():
    scan = run("term", "--kind", "scan", "--in", "FR").stdout
    assert "No right of its own (a faithful reproduction) [FR-SCAN;" in scan
    assert "Free from" not in scan
    recording = run("term", "--kind", "recording", "--published", "1990", "--in", "FR", "--json").stdout
    assert json.loads(recording)["jurisdictions"]["FR"]["free_from"] == "2061-01-01"


def test_an_ended_term_is_told_of_works_without_authors_too():
    said = run(
        "term", "--kind", "collective", "--published", "1954", "--in", "FR", "--on", "2024-12-31"
    ).stdout
    assert "The term of protection still runs." in " ".join(said.split())
    said = run(
        "term", "--kind", "collective", "--published", "1954", "--in", "FR", "--on", "2025-01-01"
    ).stdout
    assert "author" not in said


def test_a_comparison_with_the_terms_at_home_is_told_where_it_shortens_something():
    words = [
        "--published",
        "1928",
        "--nationality",
        "US",
        "--origin",
        "US",
        "--in",
        "FR",
        "--on",
        "2026-11-28",
    ]
    assert "at home" not in run("term", "--death", "1937", *words).stdout
    assert "at home" in run("term", "--death", "1961", *words).stdout


def test_without_a_day_the_day_in_utc_is_judged_for(monkeypatch):
    from datetime import UTC, datetime

    import hemicycle.cli.rights as module

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            assert tz is UTC
            return cls(2026, 1, 1, 0, 30, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Clock)
    assert json.loads(run("term", "--death", "1955", "--in", "FR", "--json").stdout)["on"] == "2026-01-01"


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
        (["--death", "1944", "--in", ""], "names no country"),
        (["--death", "1944", "--in", " , "], "names no country"),
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


def test_a_release_of_nothing_is_nothing_to_judge():
    with pytest.raises(DeclarationError, match="nothing is named"):
        run("release", "Apache-2.0")


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


STRICT = """name = "strict"
version = "2026-11-26"
unattested = "deny"
drift = "deny"
terms_unread = "deny"
[opt_out]
unknown = "deny"
age_days = 30
[conditional]
"""


def test_a_release_is_judged_by_the_policy_of_the_file_the_project_or_the_package(tmp_path, monkeypatch):
    """Share-alike text lets weights out by the default policy, and not where the policy is silent."""
    words = ["rights", "release", "Apache-2.0", "--source", "wiki=CC-BY-SA-4.0", "--json"]

    def asked(*more):
        done = CliRunner().invoke(cli, [*words, *more])
        return done.exit_code, json.loads(done.stdout)["policy"]

    project, elsewhere = tmp_path / "p", tmp_path / "e"
    (project / "sources").mkdir(parents=True)
    elsewhere.mkdir()
    (project / "strict.toml").write_text(STRICT, "utf-8")
    (project / "hemicycle.toml").write_text(
        '[project]\nname = "p"\njurisdictions = ["FR"]\nlicense = "Apache-2.0"\npolicy = "strict.toml"\n',
        "utf-8",
    )
    monkeypatch.chdir(elsewhere)
    assert asked() == (0, "policy/default@2026-11-22")
    assert asked("--policy", str(project / "strict.toml")) == (3, "policy/strict@2026-11-26")
    monkeypatch.chdir(project / "sources")
    assert asked() == (3, "policy/strict@2026-11-26")


def test_a_policy_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="does not exist"):
        run("release", "Apache-2.0", "--policy", str(tmp_path / "none.toml"))
