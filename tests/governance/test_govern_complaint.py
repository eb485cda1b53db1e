"""The verb: a complaint from its opening to the register, with real keys and ssh-keygen."""

import io
import json
import shutil
import subprocess
from datetime import timedelta

import pytest
from click.testing import CliRunner

from hemicycle.cli import cli
from hemicycle.errors import DeclarationError, HemicycleError, InputError, IntegrityError, RightsError
from hemicycle.governance import decisions
from hemicycle.governance.sshsig import sign_with_ssh_keygen
from tests.flow.small import DECLARATION, make_project

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")

OPEN = ["open", "--category", "copyright", "--subject", "sittings", "--text", "Not free."]
SOLO = DECLARATION
GOVERNED = DECLARATION.replace('license = "Apache-2.0"', 'license = "Apache-2.0"\ngovernance = "declared"')
PEOPLE = (("claire", "legal"), ("amin", "governance"), ("nora", "governance"), ("zoe", "data"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for who, _ in PEOPLE:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / who], check=True)
    return folder


@pytest.fixture
def project(tmp_path, keys):
    folder = make_project(tmp_path / "p", GOVERNED)
    (folder / "governance.toml").write_text(people(keys, *PEOPLE))
    for who, _ in PEOPLE:
        shutil.copy(keys / who, tmp_path)
        shutil.copy(keys / f"{who}.pub", tmp_path)
    return folder


def people(keys, *who):
    text = ""
    for person, role in who:
        line = (keys / f"{person}.pub").read_text().strip()
        text += f'[people.{person}]\nname = "{person} X"\norganisation = "of {person}"\nkeys = ["{line}"]\n'
        text += f'roles = [{{ role = "{role}", from = 2020-01-01 }}]\n'
    return text


def call(project, *words, stdin=None):
    """Standard output and exit code; errors of ours come out as they are."""
    done = CliRunner().invoke(
        cli, ["govern", "complaint", *words, "--project", str(project)], input=stdin, standalone_mode=False
    )
    if isinstance(done.exception, HemicycleError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout, done.return_value if done.exception is None and done.return_value else done.exit_code


def opened(project, *more, stdin=None):
    said, code = call(project, *OPEN, *more, stdin=stdin)
    assert code == 0
    return said.strip()


def signed(project, *words, who):
    return call(project, *words, "--as", who, "--key", str(project.parent / who))


def take(project, *words, who):
    return signed(project, *words, "--text", "because", who=who)


def verify(project):
    done = CliRunner().invoke(cli, ["verify", str(project), "--json"])
    return {f["file"].rpartition("/")[2]: f["what"] for f in json.loads(done.stdout)["findings"]}


def test_from_opening_to_the_register(project):
    number = opened(project)
    assert take(project, "triage", number, who="amin") == (f"{number}\n", 0)
    assert take(project, "decide", number, "granted", who="claire") == (f"{number}\n", 0)
    said, code = call(project, "list", "--json")
    told = json.loads(said)
    assert (code, told["withdraw"], told["findings"]) == (0, ["sittings"], [])
    assert "The Hemicycle authors" in told["complaints"][0]["parties"]
    assert take(project, "close", number, who="amin") == (f"{number}\n", 0)
    said, code = call(project, "list")
    assert code == 0
    assert "closed, granted" in said
    said, code = call(project, "register", "--json")
    assert json.loads(said) == {"folder": str(project / "register"), "complaints": 1}
    assert "acceptée" in (project / "register" / "index.html").read_text("utf-8")
    assert verify(project) == {}


def test_a_refusal_waits_for_its_second_signer_and_an_appeal_is_decided_by_another(project):
    number = opened(project)
    take(project, "triage", number, who="amin")
    take(project, "decide", number, "refused", who="claire")
    told = json.loads(call(project, "list", "--json")[0])
    assert told["complaints"][0]["step"] == "triage"
    assert told["waiting"] == {number: "03-decide.json is still to be signed by governance"}
    with pytest.raises(DeclarationError, match=r"03-decide\.json has not entered the journal"):
        take(project, "decide", number, "granted", who="claire")
    with pytest.raises(RightsError, match="claire has signed this step already"):
        signed(project, "sign", number, who="claire")
    with pytest.raises(RightsError, match="amin signed “triage”"):
        signed(project, "sign", number, who="amin")
    signed(project, "sign", number, who="nora")
    said, code = call(project, "appeal", number, "--text", "The preface is of 1998", "--json")
    assert (code, json.loads(said)["step"], json.loads(said)["outcome"]) == (0, "appeal", "refused")
    with pytest.raises(RightsError, match="nora signed “decide”, and others sign “review”"):
        take(project, "decide", number, "refused", who="nora")
    take(project, "decide", number, "granted", who="amin")
    told = json.loads(call(project, "list", "--json")[0])
    assert (told["complaints"][0]["step"], told["withdraw"]) == ("review", ["sittings"])
    with pytest.raises(DeclarationError, match="waits for a signature"):
        signed(project, "sign", number, who="nora")


def test_what_was_left_by_a_killed_process_is_gone_with_the_next_that_writes(project):
    number = opened(project)
    left = project / "complaints" / number / ".private.json.4242.aside"
    left.write_bytes(b"Jeanne")
    assert call(project, "list")[1] == 0
    assert verify(project) == {}
    take(project, "triage", number, who="amin")
    assert not left.exists()


def while_signing(monkeypatch, done):
    """Do something while `ssh-keygen` waits for the first passphrase."""
    waiting = [done]

    def sign(*words):
        while waiting:
            waiting.pop()()
        return sign_with_ssh_keygen(*words)

    monkeypatch.setattr("hemicycle.cli.complaint_steps.sign_with_ssh_keygen", sign)


@pytest.mark.parametrize("later", [("triage",), ("close", "--withdrawn")])
def test_a_step_that_enters_while_another_waits_for_its_passphrase_stays(project, monkeypatch, later):
    number = opened(project)
    while_signing(monkeypatch, lambda: take(project, "triage", number, who="amin"))
    with pytest.raises(InputError, match=f"complaint {number} went on while this was signed"):
        take(project, later[0], number, *later[1:], who="nora")
    told = json.loads(call(project, "list", "--json")[0])
    assert (told["complaints"][0]["step"], told["waiting"], told["findings"]) == ("triage", {}, [])
    assert not list((project / "complaints" / number).glob("*.nora.*"))
    assert verify(project) == {}


def test_a_signature_on_a_step_that_was_drafted_anew_in_the_meantime_is_not_written(project, monkeypatch):
    number = opened(project)
    take(project, "triage", number, who="amin")
    take(project, "decide", number, "refused", who="claire")

    def anew():
        for file in (project / "complaints" / number).glob("03-decide.*"):
            file.unlink()
        signed(project, "decide", number, "refused", "--text", "other words", who="claire")

    while_signing(monkeypatch, anew)
    with pytest.raises(InputError, match="went on while this was signed"):
        signed(project, "sign", number, who="nora")
    signed(project, "sign", number, who="nora")
    assert json.loads(call(project, "list", "--json")[0])["complaints"][0]["step"] == "decide"


def test_a_copy_without_the_ledger_s_key_writes_over_no_step_either(project, monkeypatch):
    number = opened(project)
    (project / ".hemicycle" / "solo.key").rename(project / "key")
    while_signing(monkeypatch, lambda: take(project, "triage", number, who="amin"))
    with pytest.raises(InputError, match="went on while this was signed"):
        take(project, "triage", number, who="nora")
    assert sorted(f.name for f in (project / "complaints" / number).glob("02*")) == [
        "02-triage.amin.governance.sig",
        "02-triage.json",
    ]


def test_name_and_contact_come_from_a_file_or_standard_input_and_from_no_option(project, tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_bytes(b"\xef\xbb\xbfJeanne Aubert\njeanne@example.org\n")
    for words, stdin in (
        (["--contact-file", str(letter)], None),
        (["--contact-file", "-"], "Jeanne Aubert\njeanne@example.org\n"),
    ):
        folder = project / "complaints" / opened(project, *words, stdin=stdin)
        private = folder / "private.json"
        assert json.loads(private.read_bytes())["contact"] == "Jeanne Aubert\njeanne@example.org"
        assert private.stat().st_mode & 0o077 == 0
    public = [f for f in project.rglob("*") if f.is_file() and f.name != "private.json"]
    assert not [f for f in public if b"Jeanne" in f.read_bytes()]
    said = CliRunner().invoke(cli, ["govern", "complaint", "open", "--help"]).stdout
    assert "--name" not in said
    assert "--contact " not in said


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "says nothing"), (b" \n", "says nothing"), (b"\xff", "not UTF-8"), (b"x" * 10_001, "10000 bytes")],
)
def test_a_contact_that_is_none_is_refused_and_nothing_is_opened(project, data, said):
    with pytest.raises(DeclarationError, match=said):
        call(project, *OPEN, "--contact-file", "-", stdin=io.BytesIO(data))
    assert not (project / "complaints").exists()


def test_where_a_signature_is_wrong_nothing_goes_on_is_published_or_to_be_withdrawn(project):
    number = opened(project)
    take(project, "triage", number, who="amin")
    take(project, "decide", number, "granted", who="claire")
    signature = project / "complaints" / number / "03-decide.claire.legal.sig"
    signature.unlink()
    said, code = call(project, "list", "--json")
    told = json.loads(said)
    assert (code, told["withdraw"], len(told["findings"])) == (1, [], 1)
    missing = "the signature of a step that entered the journal is missing"
    for words in (["register"], OPEN):
        with pytest.raises(IntegrityError, match=missing):
            call(project, *words)
    assert not (project / "register").exists()
    assert verify(project) == {signature.name: missing}
    done = CliRunner().invoke(cli, ["clear", "--project", str(project)], standalone_mode=False)
    assert isinstance(done.exception, IntegrityError)


def test_verify_tells_a_changed_step_from_a_missing_one(project):
    number = opened(project)
    step = project / "complaints" / number / "01-open.json"
    step.write_bytes(step.read_bytes().replace(b"Not free", b"Not fair"))
    assert verify(project) == {"01-open.json": "the step was changed after it entered the journal"}
    shutil.rmtree(step.parent)
    assert verify(project) == {"01-open.json": "the step that entered the journal is missing"}


def test_who_may_not_sign_is_told_before_a_passphrase_is_asked_for(project):
    number = opened(project)
    with pytest.raises(RightsError, match="“zoe” holds no role that signs this") as refused:
        take(project, "triage", number, who="zoe")
    assert refused.value.exit_code == 3
    take(project, "triage", number, who="amin")
    with pytest.raises(RightsError, match="“amin” holds no role that signs this"):
        take(project, "decide", number, "granted", who="amin")
    with pytest.raises(DeclarationError, match="there is no “clair”") as error:
        call(project, "close", number, "--as", "clair", "--key", "k", "--text", "x", "--withdrawn")
    assert error.value.remedy == "Did you mean “claire”?"
    key = str(project.parent / "amin")
    with pytest.raises(RightsError, match="the file says claire, and the key is that of amin"):
        call(project, "decide", number, "refused", "--as", "claire", "--key", key, "--text", "x")
    assert not list((project / "complaints" / number).glob("03-*"))


def test_whose_own_source_is_complained_about_does_not_examine_it(project):
    card = project / "sources" / "sittings.toml"
    card.write_text(card.read_text("utf-8").replace("The Hemicycle authors", "Of Amin", 1), "utf-8")
    number = opened(project)
    with pytest.raises(RightsError, match="amin is, or is of, Of Amin, who complains or is complained"):
        take(project, "triage", number, who="amin")


def test_a_document_s_source_says_whose_affair_it_is_and_an_address_needs_a_party(project):
    CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    words = ["open", "--category", "other", "--text", "x", "--subject"]
    said, _ = call(project, *words, "CRSINV1L1S2031O1N001", "--json")
    assert "The Hemicycle authors" in json.loads(said)["parties"]
    said, _ = call(project, *words, "CRSINV1L1S2031O1N001.xml", "--json")
    assert "The Hemicycle authors" in json.loads(said)["parties"]
    number = call(project, *words, "https://example.org/page")[0].strip()
    with pytest.raises(DeclarationError, match="does not say who complains or is complained about"):
        take(project, "triage", number, who="amin")
    take(project, "triage", number, "--party", "Example", who="amin")


def test_what_cannot_be_looked_up_is_examined_by_nobody_until_it_can(project):
    CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    words = ["open", "--category", "other", "--text", "x", "--subject"]
    shutil.rmtree(project / "build")
    number = call(project, *words, "CRSINV1L1S2031O1N001")[0].strip()
    with pytest.raises(InputError, match="the documents of sittings are not here") as error:
        take(project, "triage", number, "--party", "Somebody", who="amin")
    assert error.value.remedy == "`hemicycle clear` makes them again."
    named = opened(project)
    assert take(project, "triage", named, who="amin")[1] == 0
    (project / ".hemicycle" / "solo.key").rename(project / "key")
    take(project, "triage", number, "--party", "Somebody", who="amin")
    (project / "key").rename(project / ".hemicycle" / "solo.key")
    done = CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    assert "the documents of sittings are not here" in done.stderr
    done = CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    assert "it does not name The Hemicycle authors as concerned" in done.stderr
    told = json.loads(call(project, "list", "--json")[0])
    assert {c["complaint"]: c["step"] for c in told["complaints"]} == {number: "open", named: "triage"}


def test_documents_that_are_not_what_the_ledger_says_name_nobody(project):
    CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    (documents,) = (project / "build" / "documents").rglob("documents.parquet")
    documents.write_bytes(documents.read_bytes()[:-100])
    with pytest.raises(IntegrityError, match="the content differs from what the ledger states") as error:
        call(project, "open", "--category", "other", "--text", "x", "--subject", "https://example.org/page")
    assert error.value.place == str(documents)


def test_people_who_wrote_themselves_into_the_file_sign_nothing(project):
    number = opened(project)
    text = (project / "governance.toml").read_text().replace('role = "data"', 'role = "legal"')
    (project / "governance.toml").write_text(text)
    with pytest.raises(RightsError, match="“zoe” holds no role that signs this"):
        take(project, "triage", number, who="zoe")
    assert take(project, "triage", number, who="amin")[1] == 0


def test_a_withdrawn_complaint_is_closed_without_a_decision_by_two(project):
    number = opened(project)
    with pytest.raises(DeclarationError, match="closed without a decision"):
        take(project, "close", number, who="amin")
    take(project, "close", number, "--withdrawn", who="amin")
    assert json.loads(call(project, "list", "--json")[0])["complaints"][0]["step"] == "open"
    signed(project, "sign", number, who="claire")
    assert json.loads(call(project, "list", "--json")[0])["complaints"][0]["outcome"] == "withdrawn"


def test_a_member_signs_their_own_complaint(project):
    with pytest.raises(DeclarationError, match="who takes a step signs it"):
        opened(project, "--as", "zoe")
    number = opened(project, "--as", "zoe", "--key", str(project.parent / "zoe"))
    assert [f.name for f in (project / "complaints" / number).glob("*.sig")] == ["01-open.zoe.data.sig"]


def test_a_copy_without_the_ledger_s_key_writes_files_that_its_keeper_enters(project):
    number = opened(project)
    key = project / ".hemicycle" / "solo.key"
    key.rename(project / "key")
    take(project, "triage", number, who="amin")
    told = json.loads(call(project, "list", "--json")[0])
    assert told["waiting"] == {
        number: "02-triage.json counts once whoever keeps the ledger runs `hemicycle clear`"
    }
    (project / "key").rename(key)
    CliRunner().invoke(cli, ["clear", "--project", str(project)], catch_exceptions=False)
    told = json.loads(call(project, "list", "--json")[0])
    assert (told["complaints"][0]["step"], told["waiting"]) == ("triage", {})


def test_the_last_day_to_appeal_is_told_and_kept(project, monkeypatch):
    number = opened(project)
    take(project, "triage", number, who="amin")
    take(project, "decide", number, "granted", who="claire")
    now = decisions.now_utc()
    said = json.loads(call(project, "list", "--json")[0])["complaints"][0]["appeal_until"]
    assert said == str((now + timedelta(30)).date())
    monkeypatch.setattr(decisions, "now_utc", lambda: now + timedelta(31))
    with pytest.raises(DeclarationError, match=f"the time to appeal ended on {said}"):
        call(project, "appeal", number, "--text", "late")


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
        take(project, "triage", "../2026", who="amin")


def test_a_project_without_people_can_be_complained_about_and_its_register_published(tmp_path):
    project = make_project(tmp_path / "p", SOLO)
    number = opened(project)
    assert call(project, "register")[1] == 0
    assert call(project, "list")[1] == 0
    with pytest.raises(DeclarationError, match="the project is solo"):
        call(project, "triage", number, "--as", "amin", "--key", "k", "--text", "x")
    assert verify(project) == {}
