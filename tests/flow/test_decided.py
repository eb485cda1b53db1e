"""A governed project from its first clearance to its release: who must sign what before it goes on."""

import json
import shutil
from datetime import timedelta

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.errors import DeclarationError, HemicycleError, RightsError
from hemicycle.gate import Undecided
from hemicycle.release import check_release
from tests.flow.test_governance import PEOPLE, Project
from tests.governance.signing import armour, private_key, public_line, sign


def person(who, organisation, *roles):
    held = ", ".join(f'{{ role = "{role}", from = 2026-01-01 }}' for role in roles)
    return (
        f'\n[people.{who}]\nname = "{who.title()}"\norganisation = "{organisation}"\n'
        f'keys = ["{public_line(who)}"]\nroles = [{held}]\n'
    )


EVERYBODY = (
    PEOPLE
    + person("ines", "Laboratoire", "model")
    + person("oscar", "Calcul", "compute", "evaluation")
    + person("nora", "Archives", "governance")
    + person("zoe", "Archives", "governance")
)
RELEASING = [("ines", "model"), ("oscar", "evaluation"), ("claire", "legal"), ("nora", "governance")]


class Governed(Project):
    def decide(self, what, *signers):
        for who, role in signers:
            key = self.folder.parent / who
            key.touch()
            said = self.run(
                "govern", "sign", *what, "--role", role, "--key", str(key), "--reason", "read and agreed"
            )
        return said


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = Governed(tmp_path / "essai", monkeypatch)
    (project.folder / "governance.toml").write_text(EVERYBODY, "utf-8")
    return project


def blocked(project, match):
    with pytest.raises(Undecided, match=match) as refused:
        project.run("release")
    assert refused.value.exit_code == 3
    return refused.value


def test_a_model_is_trained_and_a_release_made_once_each_is_decided_and_the_release_shows_by_whom(project):
    with pytest.raises(RightsError, match="nothing to sign: "):
        project.decide(["run", "petit"], ("ines", "model"))
    project.cleared()

    error = blocked(project, "the training of “petit” is not decided: nobody has signed")
    assert error.remedy == "To sign: model, compute, with `hemicycle govern sign run petit`."
    with pytest.raises(RightsError, match="nothing to sign: "):
        project.decide(["release", "v0"], ("ines", "model"))
    assert project.decide(["run", "petit"], ("ines", "model"))["missing"] == ["compute"]
    assert "To sign: compute," in blocked(project, "signatures are missing").remedy
    with pytest.raises(HemicycleError, match="does not hold the role"):
        project.decide(["run", "petit"], ("nora", "compute"))
    assert project.decide(["run", "petit"], ("oscar", "compute"))["state"] == "standing"

    blocked(project, "the release “v0” is not decided: nobody has signed")
    with pytest.raises(RightsError, match="nothing to sign: model petit is made"):
        project.decide(["run", "petit"], ("ines", "model"))
    said = project.decide(["release", "v0"], *RELEASING[:3])
    assert (said["state"], said["missing"]) == ("proposed", ["governance"])
    blocked(project, "signatures are missing")
    assert project.decide(["release", "v0"], RELEASING[3])["state"] == "standing"
    project.run("release")
    assert project.run("govern", "check")["wrong"] == []

    release = project.folder / "releases" / "v0"
    assert check_release(release)[0] == []
    for file, says in (("DATA.md", "26 November 2026"), ("DATA.fr.md", "26 novembre 2026")):
        card = (release / file).read_text("utf-8")
        assert f"Claire Martin (`claire`), `legal`, {says}".replace("26 Nov", "26 Nov") in card
        for who in ("ines", "oscar", "claire", "nora", "amir"):
            assert f"(`{who}`)" in card
    copied = {p.name for p in (release / "approvals").iterdir()}
    assert copied == {p.name for p in (project.folder / "approvals").iterdir()}

    without_what_a_release_must_carry(project, release)
    another_plan_needs_another_decision(project)


def without_what_a_release_must_carry(project, release):
    """The publisher's own key signs these; what they lack is what the decisions lack."""
    from hemicycle.ledger import Ledger
    from hemicycle.release.manifest import MANIFEST, open_manifest
    from hemicycle.store import digest_files

    key = Ledger(release / "ledger", project.folder / ".hemicycle" / "solo.key").signing_key

    def findings(change):
        copy = project.folder.parent / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(release, copy)
        change(copy)
        manifest = open_manifest((copy / MANIFEST).read_bytes(), key.public, "")
        (copy / MANIFEST).unlink()
        files = {f.path: f.sha256 for f in digest_files(copy)}
        from dataclasses import replace

        (copy / MANIFEST).write_bytes(replace(manifest, files=files).seal(key))
        return {f.file.partition(".")[0].rpartition("-")[0]: f.what for f in check_release(copy)[0]}

    assert findings(lambda copy: None) == {}
    gone = findings(lambda copy: next((copy / "approvals").glob("release-v0-*.legal.sig")).unlink())
    assert gone == {"approvals/release-v0": "the signature that entered the journal is missing or changed"}

    def people(copy):
        (file,) = (copy / "ledger" / "governance").iterdir()
        file.write_bytes(file.read_bytes().replace(b"Archives", b"Archivos"))

    assert "the file that the journal names is missing or changed" in findings(people).values()


def another_plan_needs_another_decision(project):
    declaration = project.folder / "hemicycle.toml"
    declaration.write_text(declaration.read_text("utf-8").replace('"20k"', '"21k"'), "utf-8")
    blocked(project, "what was decided is no longer what is to be done")
    (row,) = [s for s in status(project) if (s["stage"], s["name"]) == ("model", "petit")]
    assert row["state"] == "blocked"


def status(project):
    done = CliRunner().invoke(cli, ["status", str(project.folder), "--json"])
    return json.loads(done.stdout)["steps"]


def test_signatures_without_a_decision_for_their_source_do_not_make_a_release(project):
    """What `check_released` holds against a journal beyond the decisions themselves."""
    from hemicycle.cli.session import Session
    from hemicycle.governance.check import check_released
    from hemicycle.ledger import Statement, Subject

    project.cleared()
    project.signed("sign", "amir", "data", "--reason", "later than the wait")
    session = Session(project.folder)
    (rights,) = [s for s in session.ledger.current().values() if s.subject.stage == "rights"]
    inputs = {"order": {"artefact": "order/petit", "digest": "0" * 64}}
    model = Statement(Subject("model", "petit", "k"), (), False, {}, inputs, {}, {})
    found = check_released(session.ledger, session.flow.gate.approvals, "v0", [model], {"sittings": rights})
    assert [f.file for f in found] == ["run-petit", "release-v0"]
    figures = {**rights.figures, "verdicts_digest": "f" * 64}
    other = Statement(rights.subject, (), True, rights.declaration, {}, figures, {})
    found = check_released(session.ledger, session.flow.gate.approvals, "v0", [model], {"sittings": other})
    assert [f.file for f in found] == ["run-petit", "release-v0", "clear-sittings"]


def test_a_solo_project_is_asked_for_no_decision(built):
    card = (built[0] / "releases" / "v0" / "DATA.md").read_text("utf-8")
    assert "## Decisions" not in card
    assert "solo: one person’s key" in card


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "which run is not said"),
        (["release", "v1"], "there is no release “v1”"),
        (["policy", "petit"], "takes no name"),
        (["policy"], "the first one is signed by nobody"),
        (["governance"], "the first one is signed by nobody"),
    ],
)
def test_what_cannot_be_signed_is_said(project, words, says):
    with pytest.raises(DeclarationError, match=says):
        project.decide(words, ("nora", "governance"))


def test_a_policy_changes_once_two_of_governance_have_signed_and_ten_days_have_gone(project):
    from pathlib import Path

    from hemicycle.rights import policy

    project.cleared()
    project.run("clear")
    with pytest.raises(DeclarationError, match="in force already"):
        project.decide(["policy"], ("nora", "governance"))
    declaration = project.folder / "hemicycle.toml"
    text = declaration.read_text("utf-8").replace("[corpora", 'policy = "policy.toml"\n\n[corpora', 1)
    declaration.write_text(text, "utf-8")
    default = (Path(policy.__file__).parent / "policy.default.toml").read_text("utf-8")
    (project.folder / "policy.toml").write_text(default + "# ours\n", "utf-8")
    said = project.decide(["policy"], ("nora", "governance"), ("zoe", "governance"))
    assert said["state"] == "cooling"
    with pytest.raises(RightsError, match=r"policy\.toml was changed"):
        project.run("clear")
    project.now += timedelta(days=10)
    assert project.admitted() == 8
    assert project.run("govern", "check")["wrong"] == []


def test_a_signature_made_for_a_run_does_not_pass_for_a_release(project):
    project.cleared()
    blocked(project, "nobody has signed")
    project.decide(["run", "petit"], ("ines", "model"))
    (decision,) = (project.folder / "approvals").glob("run-petit-*.json")
    false = decision.with_name(f"{decision.stem}.oscar.compute.sig")
    signed = sign(decision.read_bytes(), b"hemicycle-evaluation", key=private_key("oscar"))
    false.write_bytes(armour(signed))
    project.run("clear")
    assert "for “hemicycle-evaluation”, not for" in project.run("clear", "status")["refused"][0]["why"]


def test_a_shape_changed_in_the_lock_is_another_training_than_the_one_signed(project):
    project.cleared()
    blocked(project, "is not decided: nobody has signed")
    project.decide(["run", "petit"], ("ines", "model"))
    assert project.decide(["run", "petit"], ("oscar", "compute"))["state"] == "standing"
    lock = project.folder / "hemicycle.lock"
    text = lock.read_text("utf-8")
    assert "layers = 2" in text
    lock.write_text(text.replace("layers = 2", "layers = 3"), "utf-8")
    blocked(project, "the training of “petit” is not decided")
