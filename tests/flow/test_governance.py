"""A project that several people govern: what their decisions let through, and what closes the gate again."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.digests import sha256_file
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.governance import decisions
from hemicycle.rights import policy
from tests.flow.small import DECLARATION, make_project
from tests.governance.signing import armour, private_key, public_line, sign

START = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)

PEOPLE = f"""
rules = "default"

[people.claire]
name = "Claire Martin"
organisation = "Université de Lorraine"
keys = ["{public_line("claire")}"]
roles = [{{ role = "legal", from = 2026-01-01 }}]

[people.amir]
name = "Amir Benali"
organisation = "Ville de Lyon"
keys = ["{public_line("amir")}"]
roles = [{{ role = "data", from = 2026-01-01 }}]
"""


class Project:
    """A governed project, a clock that is moved by hand, and people who sign without ssh-keygen."""

    def __init__(self, folder, monkeypatch):
        corpora = DECLARATION.replace(
            'license = "Apache-2.0"', 'license = "Apache-2.0"\ngovernance = "declared"'
        )
        self.folder = make_project(folder, corpora)
        (self.folder / "governance.toml").write_text(PEOPLE, "utf-8")
        self.now = START
        monkeypatch.setattr(decisions, "now_utc", lambda: self.now)

        def keygen(key, namespace, file):
            return armour(sign(file.read_bytes(), namespace.encode(), key=private_key(key.stem)))

        monkeypatch.setattr("hemicycle.cli.signing.sign_with_ssh_keygen", keygen)

    def run(self, *words):
        done = CliRunner().invoke(
            cli, [*words, "--project", str(self.folder), "--json"], standalone_mode=False
        )
        if isinstance(done.exception, HemicycleError):
            raise done.exception
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return json.loads(done.stdout)

    def code(self, *words):
        """The exit code alone, as a shell sees it."""
        return CliRunner().invoke(cli, [*words, "--project", str(self.folder)]).exit_code

    def signed(self, verb, who, role, *words, source="sittings"):
        key = self.folder.parent / who
        key.touch()
        return self.run("clear", verb, source, "--role", role, "--key", str(key), *words)

    def cleared(self):
        self.run("clear")
        self.signed("sign", "amir", "data")
        self.signed("sign", "claire", "legal")
        self.now += timedelta(days=3)

    def admitted(self):
        return self.run("clear")["sources"][0]["admitted"]

    def state(self):
        (row,) = self.run("clear", "status")["sources"]
        return row["state"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    return Project(tmp_path / "essai", monkeypatch)


def test_nothing_passes_before_two_people_of_two_roles_have_signed_and_three_days_have_gone(project):
    assert project.admitted() == 0
    said = project.signed("sign", "amir", "data")
    assert (said["state"], said["missing"]) == ("proposed", ["legal"])
    assert project.admitted() == 0
    assert project.signed("sign", "claire", "legal")["state"] == "cooling"
    assert project.admitted() == 0
    project.now += timedelta(days=3)
    assert project.admitted() == 8


def test_a_signature_a_new_day_or_another_decision_rebuilds_nothing_that_stands_on_the_same_documents(
    project,
):
    project.cleared()
    first = {s["stage"]: s for s in project.run("curate")["steps"]}
    project.signed("sign", "claire", "legal", "--reason", "once more")
    project.now += timedelta(days=400)
    again = {s["stage"]: s for s in project.run("curate")["steps"]}
    assert again["corpus"]["state"] == "fresh"
    assert again["corpus"]["digest"] == first["corpus"]["digest"]


@pytest.mark.parametrize("what", ["card", "texts"])
def test_another_card_or_other_texts_close_the_gate_and_the_difference_is_told(project, what):
    project.cleared()
    assert project.admitted() == 8
    if what == "card":
        card = project.folder / "sources" / "sittings.toml"
        card.write_text(card.read_text("utf-8").replace("CC0-1.0", "CC-BY-4.0"), "utf-8")
    else:
        (project.folder / "sittings" / "CRSINV1L1S2031O1N008.xml").unlink()
    assert project.admitted() == 0
    assert project.state() == "outrun"
    (row,) = project.run("clear", "diff")["sources"]
    assert any("because of evidence" in change for change in row["changes"])
    project.signed("sign", "amir", "data")
    project.signed("sign", "claire", "legal")
    project.now += timedelta(days=3)
    assert project.admitted() == (8 if what == "card" else 7)
    assert project.run("clear", "diff")["sources"][0]["changes"] == []


def test_a_revoked_source_closes_the_gate_at_once_and_what_stands_on_it_is_named(project):
    project.cleared()
    project.run("curate")
    said = project.signed("revoke", "claire", "legal", "--reason", "a notice of the holder")
    assert said["state"] == "standing"
    assert said["stands_on_it"] == ["corpus debats"]
    assert project.admitted() == 0
    assert project.state() == "revoked"
    with pytest.raises(HemicycleError, match="no document of corpus") as refused:
        project.run("curate")
    assert refused.value.exit_code == 3


def test_an_attester_cannot_clear_their_own_card(project):
    card = project.folder / "sources" / "sittings.toml"
    card.write_text(
        card.read_text("utf-8").replace("The Hemicycle authors, who wrote them", "Claire Martin"), "utf-8"
    )
    project.run("clear")
    with pytest.raises(HemicycleError, match="authors do not sign"):
        project.signed("sign", "claire", "legal")
    assert not list((project.folder / "approvals").glob("*.sig"))


def test_a_decision_tampered_with_after_it_entered_stops_the_run_as_an_integrity_error(project):
    project.cleared()
    project.admitted()
    (decision,) = (project.folder / "approvals").glob("*.json")
    decision.write_bytes(decision.read_bytes().replace(b'"reason": ""', b'"reason": "x"'))
    with pytest.raises(IntegrityError, match="changed after it entered") as stopped:
        project.run("clear")
    assert stopped.value.place == str(decision)
    assert sha256_file(decision) in stopped.value.what


def test_a_flipped_byte_of_a_signature_that_entered_stops_the_run_as_an_integrity_error(project):
    project.cleared()
    project.admitted()
    signature = next((project.folder / "approvals").glob("*.claire.*.sig"))
    whole = signature.read_bytes()
    signature.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for verb in ("clear", "curate", "release"):
        with pytest.raises(IntegrityError, match="changed after it entered") as stopped:
            project.run(verb)
        assert stopped.value.place == str(signature)


def test_what_would_be_signed_must_have_been_computed(project):
    with pytest.raises(HemicycleError, match="not computed") as refused:
        project.signed("sign", "claire", "legal")
    assert refused.value.exit_code == 3


def test_clear_leaves_with_3_while_decisions_hold_everything_and_with_0_once_something_passes(project):
    assert project.code("clear") == 3
    assert project.code("clear", "sittings") == 3
    project.cleared()
    assert project.code("clear") == 0


def test_what_stands_on_a_source_is_named_when_the_gate_closes(project):
    project.cleared()
    project.run("curate")
    project.signed("revoke", "claire", "legal", "--reason", "a notice of the holder")
    (row,) = project.run("clear")["sources"]
    assert row["stands_on_it"] == ["corpus debats"]
    for _ in range(2):
        with pytest.raises(HemicycleError, match="made of its sources so far: corpus debats"):
            project.run("tokenize")
    said = CliRunner().invoke(cli, ["clear", "--project", str(project.folder)])
    assert "  sittings: made of it so far: corpus debats" in said.stdout.splitlines()


def test_a_changed_policy_needs_a_decision(project):
    project.cleared()
    project.run("clear")
    declaration = project.folder / "hemicycle.toml"
    text = declaration.read_text("utf-8")
    changed = text.replace("[corpora", 'policy = "policy.toml"\n\n[corpora', 1)
    declaration.write_text(changed, "utf-8")
    default = (Path(policy.__file__).parent / "policy.default.toml").read_text("utf-8")
    (project.folder / "policy.toml").write_text(default + "# ours\n", "utf-8")
    with pytest.raises(HemicycleError, match=r"policy\.toml was changed") as refused:
        project.run("clear")
    assert refused.value.exit_code == 3
    kept = refused.value.remedy.split('"')[1]
    declaration.write_text(changed.replace("policy.toml", kept), "utf-8")
    assert project.admitted() == 8


@pytest.mark.parametrize("summary", [{"rules": 5}, {"rules": [5]}, {"verdicts": []}, {"verdicts": {"FR": 1}}])
def test_figures_that_are_none_are_an_integrity_error(project, summary):
    from dataclasses import replace

    from hemicycle.governance.decisions import Decision, write_decision

    project.run("clear")
    project.signed("sign", "amir", "data")
    (path,) = (project.folder / "approvals").glob("*.json")
    decision = replace(Decision.from_bytes(path.read_bytes(), ""), summary=summary)
    write_decision(project.folder / "approvals", decision)
    project.run("clear")
    with pytest.raises(IntegrityError, match="not those of a source"):
        project.run("clear", "diff")


def test_a_change_of_a_licence_row_is_told_apart_from_rules_and_dates():
    from hemicycle import gate

    before = ["licences/MIT@2026-11-22", "licences/GPL-3.0-only@2026-11-22", "terms/FR-70@2026-11-22"]
    after = ["licences/MIT@2027-01-01", "licences/CC0-1.0@2026-11-22", "terms/FR-70@2027-01-01"]
    assert gate._changed_rows(before, after) == [
        "because of licences: CC0-1.0 is used now",
        "because of licences: GPL-3.0-only is no longer used",
        "because of licences: MIT is of 2027-01-01, was of 2026-11-22",
        "because of rules: terms/FR-70 is of 2027-01-01, was of 2026-11-22",
    ]


def test_a_declared_governance_without_its_file_and_a_file_in_a_solo_project_are_refused(project):
    (project.folder / "governance.toml").rename(project.folder / "elsewhere")
    with pytest.raises(HemicycleError, match=r"there is no governance\.toml"):
        project.run("clear")
    (project.folder / "elsewhere").rename(project.folder / "governance.toml")
    declaration = project.folder / "hemicycle.toml"
    declaration.write_text(declaration.read_text("utf-8").replace('governance = "declared"', ""), "utf-8")
    with pytest.raises(HemicycleError, match="declares itself solo"):
        project.run("clear")


def test_a_change_of_people_is_decided_while_the_new_file_lies_there(project):
    people = PEOPLE.replace('role = "legal"', 'role = "legal", from = 2026-01-01 }, { role = "governance"')
    people = people.replace('role = "data"', 'role = "data", from = 2026-01-01 }, { role = "governance"')
    (project.folder / "governance.toml").write_text(people, "utf-8")
    project.run("clear")
    changed = people.replace("Ville de Lyon", "Métropole de Lyon")
    (project.folder / "governance.toml").write_text(changed, "utf-8")
    with pytest.raises(HemicycleError, match="no standing decision says so"):
        project.run("clear")
    for who in ("claire", "amir"):
        (project.folder.parent / who).touch()
        key = str(project.folder.parent / who)
        said = project.run("govern", "sign", "--role", "governance", "--key", key, "--reason", "a new name")
    assert said["state"] == "cooling"
    project.now += timedelta(days=9)
    with pytest.raises(HemicycleError, match="no standing decision says so"):
        project.run("clear")
    project.now += timedelta(days=1)
    project.run("clear")
    assert project.run("govern", "check")["wrong"] == []


def test_one_source_alone_is_shown_as_decisions_leave_it(project):
    project.run("clear")
    assert project.run("clear", "sittings")["sources"][0]["admitted"] == 0
    project.cleared()
    assert project.run("clear", "sittings")["sources"][0]["admitted"] == 8


def test_a_revocation_holds_while_it_waits_to_be_ratified(project):
    project.cleared()
    project.signed("revoke", "claire", "legal", "--reason", "a notice")
    (row,) = project.run("clear", "status")["sources"]
    assert (row["state"], row["ratify_by"]) == (
        "revoked",
        (project.now + timedelta(days=14)).date().isoformat(),
    )
    project.signed("revoke", "amir", "data", "--reason", "a notice")
    (row,) = project.run("clear", "status")["sources"]
    assert (row["state"], "ratify_by" in row) == ("revoked", False)


def test_a_second_notice_after_a_new_clearance_revokes_again(project):
    project.cleared()
    for _ in range(2):
        project.signed("revoke", "claire", "legal", "--reason", "a notice")
        assert project.state() == "revoked"
        project.signed("sign", "amir", "data", "--reason", f"settled on {project.now}")
        project.signed("sign", "claire", "legal", "--reason", f"settled on {project.now}")
        project.now += timedelta(days=3)
        assert project.state() == "cleared"
    assert project.admitted() == 8


def test_one_person_cannot_declare_the_project_their_own_again(project):
    project.cleared()
    (project.folder / "governance.toml").unlink()
    declaration = project.folder / "hemicycle.toml"
    text = declaration.read_text("utf-8").replace('governance = "declared"', 'governance = "solo"')
    declaration.write_text(text, "utf-8")
    with pytest.raises(HemicycleError, match="several people govern") as refused:
        project.run("clear")
    assert refused.value.exit_code == 3


def test_signatures_that_are_none_stop_the_run_although_the_journal_names_their_signers(project):
    from hemicycle.cli.session import Session
    from hemicycle.digests import sha256_bytes

    project.run("clear")
    project.signed("sign", "amir", "data")
    session = Session(project.folder)
    (decision,) = session.flow.gate.approvals.glob("*.json")
    path = session.flow.gate.approvals / f"{decision.stem}.claire.legal.sig"
    path.write_bytes(b"nothing")
    content = {"file": path.name, "sha256": sha256_bytes(b"nothing"), "decision": decision.name}
    more = {"person": "claire", "role": "legal", "entered": project.now.isoformat()}
    session.ledger.enter("signature", content | more)
    project.now += timedelta(days=3)
    with pytest.raises(IntegrityError, match=r"not an SSH signature|armour"):
        project.run("clear")


def test_what_a_governed_project_makes_says_so(project):
    project.cleared()
    project.run("curate")
    from hemicycle.cli.session import Session

    made = {s.made["governance"] for s in Session(project.folder).ledger.current().values()}
    assert made == {"declared"}


def test_verify_names_a_decision_that_is_no_longer_what_entered(project):
    project.cleared()
    project.admitted()
    (decision,) = (project.folder / "approvals").glob("*.json")
    decision.write_bytes(decision.read_bytes().replace(b'"reason": ""', b'"reason": "x"'))
    done = CliRunner().invoke(cli, ["verify", str(project.folder), "--json"])
    assert done.exit_code == 1
    assert decision.name in {f["file"].rpartition("/")[2] for f in json.loads(done.stdout)["findings"]}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_people_are_entered_and_sign_with_their_own_keys(tmp_path):
    import subprocess

    declaration = DECLARATION.replace(
        'license = "Apache-2.0"', 'license = "Apache-2.0"\ngovernance = "declared"'
    )
    folder = make_project(tmp_path / "essai", declaration)

    def run(*words):
        done = CliRunner().invoke(cli, [*words, "--project", str(folder)], standalone_mode=False)
        if done.exception:
            raise done.exception
        return done.stdout

    run("govern", "init")
    for who, role in (("claire", "legal"), ("amir", "data:colead")):
        key = tmp_path / who
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        run("govern", "add", who, "--name", who.title(), "--organisation", f"of {who}",
            "--key", f"{key}.pub", "--role", role)  # fmt: skip
    run("clear")
    assert "still to sign: legal" in run(
        "clear", "sign", "sittings", "--role", "data", "--key", str(tmp_path / "amir")
    )
    said = run("clear", "sign", "sittings", "--role", "legal", "--key", str(tmp_path / "claire"))
    assert "cooling from" in said
    assert "every decision in the journal holds" in run("govern", "check")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("clear-sittings-{}.claire.legal.sig", "not an armoured SSH signature"),
        ("note.txt", "neither a decision nor a signature"),
    ],
)
def test_a_file_among_the_approvals_that_is_refused_makes_the_check_fail(project, name, why):
    project.run("clear")
    project.signed("sign", "amir", "data")
    assert project.code("govern", "check") == 0
    (decision,) = (project.folder / "approvals").glob("*.json")
    decision.with_name(name.format(decision.stem[-12:])).write_bytes(b"nothing")
    assert project.code("govern", "check") == 1
    (refused,) = project.run("govern", "check")["refused"]
    assert why in refused


def test_whoever_is_entered_after_the_founding_is_said_not_to_be_in_force_and_how_to_go_on(project):
    person = ("--name", "Erin Roy", "--organisation", "Archives", "--key", public_line("erin"))
    project.run("clear")
    said = project.run("govern", "add", "erin", *person)
    assert "`hemicycle govern sign governance`" in said["to_do"]
    with pytest.raises(HemicycleError, match="no standing decision says so") as stopped:
        project.run("clear")
    assert stopped.value.remedy == said["to_do"]
    kept, file = said["to_do"].rpartition("copy ")[2].rstrip(".").split(" back to ")
    shutil.copyfile(project.folder / kept, project.folder / file)
    project.run("clear")


def test_whoever_is_entered_before_the_founding_needs_nothing_more(project):
    person = ("--name", "Erin Roy", "--organisation", "Archives", "--key", public_line("erin"))
    said = project.run("govern", "add", "erin", *person)
    assert said["to_do"] is None


def test_the_status_names_who_must_sign_where_nobody_has_or_the_facts_moved_on(project):
    project.run("clear")
    (row,) = project.run("clear", "status")["sources"]
    assert (row["state"], row["missing"]) == ("missing", ["data", "legal"])
    project.cleared()
    card = project.folder / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("CC0-1.0", "CC-BY-4.0"), "utf-8")
    project.run("clear")
    (row,) = project.run("clear", "status")["sources"]
    assert (row["state"], row["missing"]) == ("outrun", ["data", "legal"])


def test_the_status_of_a_revoked_source_is_that_of_the_revocation(project):
    project.cleared()
    revoked = project.signed("revoke", "claire", "legal", "--reason", "a notice")
    (row,) = project.run("clear", "status")["sources"]
    assert (row["decision"], row["effective"]) == (revoked["decision"], project.now.isoformat())
    assert [(s["person"], s["role"]) for s in row["signed"]] == [("claire", "legal")]
    assert (row["missing"], row["overdue"]) == (["data"], False)


def test_a_ratification_that_is_overdue_is_said_to_be(project):
    def said():
        return CliRunner().invoke(cli, ["clear", "status", "--project", str(project.folder)]).stdout

    project.cleared()
    project.signed("revoke", "claire", "legal", "--reason", "a notice")
    project.now += timedelta(days=14)
    assert "the revocation is to be ratified by 2026-12-13" in said()
    project.now += timedelta(days=1)
    assert "the revocation was to be ratified by 2026-12-13, and is not" in said()
    assert project.run("clear", "status")["sources"][0]["overdue"]


def test_a_withdrawal_takes_effect_once_somebody_of_legal_has_signed_it(project):
    project.cleared()
    project.run("curate")
    (corpus,) = (project.folder / "build" / "corpus").iterdir()
    document = sorted(pq.read_table(next(corpus.rglob("kept/*/*.parquet")))["id"].to_pylist())[0]
    said = project.run("withdraw", document, "--do", "--reason", "Notice of 3 March")
    assert not said["withdrawn"]
    assert [one["missing"] for one in said["decisions"]] == [["legal"]]
    assert said["steps"] == []
    assert project.run("curate")["steps"][-1]["state"] == "fresh"
    key = project.folder.parent / "claire"
    key.touch()
    words = ("--role", "legal", "--key", str(key), "--reason", "Read")
    with pytest.raises(HemicycleError, match="no withdrawal of “siting”"):
        project.run("govern", "sign", "withdraw", "siting", *words)
    assert project.run("govern", "sign", "withdraw", "sittings", *words)["state"] == "standing"
    said = project.run("withdraw", document, "--do")
    assert said["withdrawn"]
    assert len(said["decisions"]) == 1
    (after,) = set((project.folder / "build" / "corpus").iterdir()) - {corpus}
    assert pq.read_table(after / "withdrawn.parquet")["id"].to_pylist() == [document]


def test_what_waits_to_be_signed_stands_for_no_other_withdrawal_and_is_named(project):
    project.cleared()
    project.run("curate")
    (corpus,) = (project.folder / "build" / "corpus").iterdir()
    first, second, *_ = sorted(pq.read_table(next(corpus.rglob("kept/*/*.parquet")))["id"].to_pylist())
    assert project.code("withdraw", "sittings", "--do", "--reason", "All of it") == 3
    said = project.run("withdraw", first, "--do", "--reason", "The author's notice")
    assert [one["file"] for one in said["decisions"]] == [
        path.name
        for path in (project.folder / "approvals").glob("withdraw-*.json")
        if first in path.read_text()
    ]
    project.run("withdraw", second, "--do", "--reason", "Another's notice")
    key = project.folder.parent / "claire"
    key.touch()
    words = ("--role", "legal", "--key", str(key), "--reason", "Read")
    with pytest.raises(HemicycleError, match=f"3 withdrawals of “sittings” wait .*{second}"):
        project.run("govern", "sign", "withdraw", "sittings", *words)
    (file,) = [one["file"] for one in said["decisions"]]
    done = CliRunner().invoke(
        cli, ["govern", "sign", "withdraw", file, *words, "--project", str(project.folder)]
    )
    assert done.exit_code == 0, done.output
    assert f"to withdraw: sittings, {first} (The author's notice)" in done.output
    assert project.run("withdraw", first)["withdrawn"]
    assert not project.run("withdraw", second)["withdrawn"]
    # Those that wait are told in the order in which they were written, and nothing is written anew.
    again = project.run("withdraw", second, "--do", "--reason", "Another's notice")
    assert [one["missing"] for one in again["decisions"]] == [["legal"]]
    assert len(list((project.folder / "approvals").glob("withdraw-*.json"))) == 3
