"""A complaint that was granted is told of until what it asks for is out."""

import json

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from tests.flow.test_decided import EVERYBODY, Governed
from tests.governance.signing import armour, private_key, sign

FIRST = "CRSINV1L1S2031O1N001"


class Complained(Governed):
    def complain(self, subject, outcome="granted"):
        """Open, examine and decide a complaint; returns its number."""
        words = ("--category", "copyright", "--subject", subject, "--text", "The edition is not free")
        number = self.run("govern", "complaint", "open", *words)["complaint"]
        self.take("triage", number, who="nora", more=("--party", "Jeanne Aubert"))
        self.take("decide", number, outcome, who="claire")
        return number

    def take(self, *words, who, more=()):
        key = self.folder.parent / who
        key.touch()
        text = () if words[0] == "sign" else ("--text", "read")
        return self.run("govern", "complaint", *words, "--as", who, "--key", str(key), *text, *more)

    def told(self):
        return self.run("clear")["granted"]


def complained(folder, monkeypatch, people):
    """A project of these people, who sign the steps of complaints without ssh-keygen."""
    project = Complained(folder, monkeypatch)
    (project.folder / "governance.toml").write_text(people, "utf-8")

    def keygen(key, namespace, file):
        return armour(sign(file.read_bytes(), namespace.encode(), key=private_key(key.stem)))

    monkeypatch.setattr("hemicycle.cli.complaint_steps.sign_with_ssh_keygen", keygen)
    return project


@pytest.fixture
def project(tmp_path, monkeypatch):
    project = complained(tmp_path / "essai", monkeypatch, EVERYBODY)
    project.cleared()
    project.run("clear")
    return project


@pytest.mark.parametrize("subject", [FIRST, "sittings"])
def test_what_was_granted_is_told_as_long_as_it_is_let_through(project, subject):
    assert project.told() == []
    number = project.complain(subject)
    assert project.told() == [{"complaint": number, "subject": subject, "source": "sittings"}]
    said = f"  complaint {number} was granted, and {subject} is still let through with sittings"
    assert said in CliRunner().invoke(cli, ["clear", "--project", str(project.folder)]).stdout.splitlines()
    status = ["status", str(project.folder)]
    assert said in CliRunner().invoke(cli, status).stdout.splitlines()
    assert json.loads(CliRunner().invoke(cli, [*status, "--json"]).stdout)["granted"] == project.told()
    project.take("close", number, who="nora")
    assert project.told() != []
    project.signed("revoke", "claire", "legal", "--reason", "the complaint")
    assert project.told() == []


def test_a_document_that_was_left_out_is_told_until_its_complaint_is_closed(project):
    number = project.complain(FIRST)
    (project.folder / "sittings" / f"{FIRST}.xml").unlink()
    assert project.told() == [{"complaint": number, "subject": FIRST, "source": None}]
    project.take("close", number, who="nora")
    assert project.told() == []
