"""An override from its signature to its end: who may sign what, and what is told of it meanwhile."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.cli.session import Session
from hemicycle.errors import DeclarationError, RightsError
from hemicycle.flow import USES
from hemicycle.rights.lifting import lets_through
from tests.flow.test_decided import EVERYBODY, Governed

LIFTS = ("--lifts", "licence-copyleft", "--reason", "an opinion")
FIRST = "CRSINV1L1S2031O1N001"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Texts under a licence that people must decide on, and a clearance that stands."""
    project = Governed(tmp_path / "essai", monkeypatch)
    (project.folder / "governance.toml").write_text(EVERYBODY, "utf-8")
    card = project.folder / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("CC0-1.0", "GPL-3.0-or-later"), "utf-8")
    project.cleared()
    return project


def override(project, *words):
    project.signed("override", "claire", "legal", *LIFTS, *words)
    return project.signed("override", "nora", "governance", *LIFTS, *words)


def shown(project, *words):
    return CliRunner().invoke(cli, [*words, "--project", str(project.folder)]).stdout


def of_status(project):
    (row,) = project.run("clear", "status")["sources"]
    return row


def test_clear_says_which_key_an_override_lifts(project):
    said = shown(project, "clear")
    assert (
        "    `hemicycle clear override sittings --lifts licence-copyleft` lifts it, signed."
        in said.splitlines()
    )
    assert project.run("clear")["sources"][0]["liftable"] == ["licence-copyleft"]


def test_an_override_is_told_from_its_first_signature_to_its_last_day(project):
    project.signed("override", "claire", "legal", *LIFTS, "--until", "2026-12-20")
    (written,) = (project.folder / "approvals").glob("override-*.json")
    assert json.loads(written.read_bytes())["expires"] == "2026-12-20"
    (told,) = of_status(project)["overrides"]
    assert (told["state"], told["missing"], told["lifts"]) == (
        "proposed",
        ["governance"],
        ["licence-copyleft"],
    )
    told = "the override of licence-copyleft is still to be signed by governance"
    assert told in shown(project, "clear")
    assert told in shown(project, "clear", "status")

    override_file = project.signed("override", "nora", "governance", *LIFTS)["decision"]
    assert project.admitted() == 8
    (told,) = project.run("clear")["sources"][0]["overrides"]
    assert (told["decision"], told["state"], told["expires"]) == (override_file, "standing", "2026-12-20")
    assert "the override of licence-copyleft is in force until 2026-12-20" in shown(project, "clear")
    assert of_status(project)["state"] == "cleared"


def test_an_override_that_ended_closes_the_gate_and_is_named_with_what_stands_on_it(project):
    override(project, "--until", "2026-12-20")
    project.run("curate")
    project.now += timedelta(days=60)
    assert project.code("clear") == 3
    said = shown(project, "clear").splitlines()
    at = said.index(
        "  sittings: the override of licence-copyleft ended on 2026-12-20; "
        "documents are held again for licence-copyleft"
    )
    assert said[at + 1] == "  sittings: made of it so far: corpus debats"
    row = of_status(project)
    assert (row["state"], row["stands_on_it"]) == ("lapsed", ["corpus debats"])
    assert row["overrides"][0]["missed"] == ["licence-copyleft"]


def test_an_override_that_another_took_over_or_that_nothing_needs_any_more_is_told_no_longer(project):
    override(project, "--until", "2026-12-20")
    project.now += timedelta(days=60)
    override(project, "--until", "2027-06-30")
    assert project.admitted() == 8
    (told,) = of_status(project)["overrides"]
    assert (told["state"], told["expires"]) == ("standing", "2027-06-30")


def test_an_override_of_one_document_is_missed_although_another_document_has_one(project):
    override(project, "--document", FIRST, "--until", "2026-12-20")
    project.now += timedelta(days=60)
    override(project, "--document", FIRST.replace("001", "002"))
    row = project.run("clear")["sources"][0]
    assert row["admitted"] == 1
    assert [(o["state"], o["missed"]) for o in row["overrides"]] == [
        ("expired", ["licence-copyleft"]),
        ("standing", []),
    ]


def test_an_override_that_ended_before_it_was_complete_is_not_signed_any_more(project):
    first = project.signed("override", "claire", "legal", *LIFTS, "--until", "2026-12-01")
    project.now += timedelta(days=60)
    again = project.signed("override", "claire", "legal", *LIFTS)
    assert again["decision"] != first["decision"]
    assert [o["decision"] for o in of_status(project)["overrides"]] == [again["decision"]]


@pytest.mark.parametrize(
    ("words", "says", "remedy"),
    [
        (("--lifts", "unknown-death"), "it takes a fact", "To be lifted of sittings: licence-copyleft."),
        (
            ("--lifts", "licence-copylfet"),
            "held for “licence-copylfet”",
            "To be lifted of sittings: licence-copyleft.",
        ),
        (
            ("--lifts", "term-contested"),
            "held for “term-contested”",
            "To be lifted of sittings: licence-copyleft.",
        ),
        ((*LIFTS, "--document", f"{FIRST}x"), f"no document “{FIRST}x”", f"Did you mean “{FIRST}”?"),
        ((*LIFTS, "--until", "2026-11-29"), "would never hold: today is 2026-11-29", "Give a later --until."),
    ],
)
def test_an_override_that_would_lift_nothing_is_not_signed(project, words, says, remedy):
    with pytest.raises(DeclarationError, match=says) as refused:
        project.signed("override", "claire", "legal", *words, "--reason", "an opinion")
    assert refused.value.remedy == remedy
    assert not list((project.folder / "approvals").glob("override-*"))


def test_an_override_is_signed_for_verdicts_of_today(project):
    card = project.folder / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("GPL-3.0-or-later", "GPL-3.0-only"), "utf-8")
    with pytest.raises(RightsError, match="not computed, or no longer those of today"):
        project.signed("override", "claire", "legal", *LIFTS)


def test_a_release_rests_on_the_overrides_that_lift_something_and_on_no_other(project):
    needed = override(project)["decision"]
    project.run("curate")
    assert behind(project) == [needed]
    card = project.folder / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("GPL-3.0-or-later", "CC0-1.0"), "utf-8")
    project.cleared()
    project.run("curate")
    assert project.admitted() == 8
    assert of_status(project)["overrides"][0]["state"] == "standing", "it stands, and nothing needs it"
    assert behind(project) == []


def behind(project):
    """The overrides that a release of the project as it is would name."""
    session = Session(project.folder)
    made = {str(o.step).split()[0]: o for o in session.pipeline().look(session.flow.up_to("clear"))}
    rights, admitted = made["rights"], made["admitted"]
    model = SimpleNamespace(
        subject=SimpleNamespace(name="petit"), inputs={"order": {"digest": "-"}}, digest="-"
    )

    def lifts(source, lifted):
        return lets_through(source, rights.folder, [admitted.folder / "admitted.parquet"], USES, lifted)

    told = session.flow.gate.behind("v0", [model], {"sittings": rights.statement}, lifts)
    return [one.entry.file for one in told if one.decision.kind == "override"]
