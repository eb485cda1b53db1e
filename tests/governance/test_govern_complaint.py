"""The verb: a complaint from its opening to the register, with a real key and ssh-keygen."""

import json
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from hemicycle.cli.govern_complaint import complaint
from hemicycle.errors import DeclarationError, HemicycleError, InputError, IntegrityError

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")

OPEN = ["open", "--category", "copyright", "--subject", "romans:notre-dame", "--text", "Not free."]


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "hemicycle.toml").write_text("")
    people = ""
    for who, role in (("claire", "legal"), ("amin", "governance")):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / who], check=True)
        line = (tmp_path / f"{who}.pub").read_text().strip()
        people += f'[people.{who}]\nname = "{who}"\norganisation = "O"\nkeys = ["{line}"]\n'
        people += f'roles = [{{ role = "{role}", from = 2020-01-01 }}]\n'
    (folder / "governance.toml").write_text(people)
    return folder


def call(project, *words):
    """Standard output and exit code; errors of ours come out as they are."""
    done = CliRunner().invoke(complaint, [*words, "--project", str(project)])
    if isinstance(done.exception, HemicycleError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout, done.exit_code


def opened(project, *more):
    said, code = call(project, *OPEN, *more)
    assert code == 0
    return said.strip()


def signed(project, *words, who):
    key = str(project.parent / who)
    return call(project, *words, "--as", who, "--key", key, "--text", "because")


def test_from_opening_to_the_register(project):
    number = opened(project, "--name", "Jeanne Aubert")
    assert signed(project, "triage", number, who="amin") == (f"{number}\n", 0)
    assert signed(project, "decide", number, "granted", who="claire") == (f"{number}\n", 0)
    said, code = call(project, "list", "--json")
    assert (code, json.loads(said)["withdraw"]) == (0, ["romans:notre-dame"])
    assert signed(project, "close", number, who="amin") == (f"{number}\n", 0)
    said, code = call(project, "list")
    assert code == 0
    assert "closed, granted" in said
    said, code = call(project, "register", "--json")
    assert json.loads(said) == {"folder": str(project / "register"), "complaints": 1}
    assert "acceptée" in (project / "register" / "index.html").read_text("utf-8")


def test_where_a_signature_is_wrong_nothing_is_published_or_to_be_withdrawn(project):
    number = opened(project)
    signed(project, "triage", number, who="claire")
    signed(project, "decide", number, "granted", who="claire")
    (project / "complaints" / number / "03-decide.json.sig").unlink()
    said, code = call(project, "list", "--json")
    told = json.loads(said)
    assert (code, told["withdraw"], len(told["findings"])) == (1, [], 1)
    with pytest.raises(IntegrityError, match=r"03-decide.json.sig: the file is missing"):
        call(project, "register")
    assert not (project / "register").exists()


def test_who_may_not_sign_is_told_before_a_passphrase_is_asked_for(project):
    number = opened(project)
    signed(project, "triage", number, who="amin")
    with pytest.raises(DeclarationError, match="“amin” holds no role that signs this"):
        signed(project, "decide", number, "granted", who="amin")
    with pytest.raises(DeclarationError, match="there is no “clair”") as error:
        call(project, "close", number, "--as", "clair", "--key", "k", "--text", "x")
    assert error.value.remedy == "Did you mean “claire”?"
    key = str(project.parent / "amin")
    with pytest.raises(IntegrityError, match="signed by “amin”, while the step names “claire”"):
        call(project, "decide", number, "refused", "--as", "claire", "--key", key, "--text", "x")


def test_a_withdrawn_complaint_is_closed_without_a_decision(project):
    number = opened(project, "--as", "claire")
    with pytest.raises(DeclarationError, match="closed without a decision"):
        signed(project, "close", number, who="amin")
    assert signed(project, "close", number, "--withdrawn", who="amin")[1] == 0
    assert json.loads(call(project, "list", "--json")[0])["complaints"][0]["outcome"] == "withdrawn"


def test_a_key_in_the_agent_alone_is_not_found_without_one(project, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    number = opened(project)
    (project.parent / "amin").unlink()
    key = str(project.parent / "amin.pub")
    with pytest.raises(InputError, match="ssh-keygen did not sign"):
        call(project, "triage", number, "--as", "amin", "--key", key, "--text", "x")


def test_an_unknown_number_is_a_sentence(project):
    opened(project)
    with pytest.raises(DeclarationError, match=r"there is no complaint “\.\./2026”"):
        signed(project, "triage", "../2026", who="amin")


def test_a_project_without_people_can_be_complained_about_and_its_register_published(project):
    (project / "governance.toml").unlink()
    opened(project)
    assert call(project, "register")[1] == 0
    assert call(project, "list")[1] == 0
