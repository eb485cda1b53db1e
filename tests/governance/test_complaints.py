"""Complaints: every step in its order, entered, signed by who may; nothing of the complainant in public."""

import csv
import io
import json
import os
import stat
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.digests import canonical_json, sha256_bytes
from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.governance.admission import admit_governance
from hemicycle.governance.complaint_entry import admit_steps, read_complaints
from hemicycle.governance.complaint_files import private_file, sweep, write_opening, write_step
from hemicycle.governance.complaint_step import Public, deadlines, deadlines_of
from hemicycle.governance.complaints import Complaint, Taken, first_step, granted, next_step
from hemicycle.governance.in_force import people_in_force
from hemicycle.governance.people import parse_governance
from hemicycle.governance.register import write_register
from hemicycle.ledger import Ledger
from hemicycle.typeset import flatten
from tests.governance.signing import armour, private_key, public_line, sign

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
OPENED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TODAY = date(2026, 3, 10)
#: Who works where, and which roles they hold in 2026.
PEOPLE = {
    "claire": ("Université", ["legal"]),
    "amin": ("Ville", ["governance"]),
    "nora": ("Archives", ["governance:colead"]),
    "zoe": ("Université", ["legal:member", "governance:member"]),
    "dana": ("Maison d’édition", ["data", "legal"]),
}


def people(changes=None):
    text = ""
    for who, (organisation, roles) in (PEOPLE | (changes or {})).items():
        offices = ", ".join(
            f'{{ role = "{role}", rank = "{rank or "lead"}", from = 2026-01-01, until = 2026-12-31 }}'
            for role, _, rank in (word.partition(":") for word in roles)
        )
        text += f'[people.{who}]\nname = "{who.title()} X"\norganisation = "{organisation}"\n'
        text += f'keys = ["{public_line(who)}"]\nroles = [{offices}]\n'
    return text


class Desk:
    """A ledger, the people in force, and complaints that are entered at once."""

    def __init__(self, folder, governed=True):
        self.ledger = Ledger(folder / "ledger", folder / "key")
        self.complaints = folder / "complaints"
        self.people = folder / "governance.toml"
        self.parties = ("Éditions du Nord",)
        self.governance = None
        if governed:
            self.people.write_text(people(), "utf-8")
            self.governance = admit_governance(self.ledger, self.people, folder / "approvals", OPENED)

    def admit(self, now):
        refused = admit_steps(self.ledger, self.complaints, self.governance, now, lambda _: self.parties)
        return {r.file: r.why for r in refused}

    def open(
        self, days=0, *, contact="Jeanne Aubert, jeanne@example.org", sign_as=None, enter=True, **changes
    ):
        now = OPENED + timedelta(days)
        private = private_file(contact, "5a" * 32) if contact else None
        asked = {
            "category": "copyright",
            "subject": ["romans:notre-dame"],
            "text": "The edition is not free.",
            "now": now,
            "private": private,
        }
        step = first_step(self.complaints, **(asked | changes))
        write_opening(self.complaints, step, private, self.signed(step, *([sign_as] if sign_as else [])))
        if enter:
            assert self.admit(now) == {}
            return self.get(step.complaint)
        return self.complaints / step.complaint

    def signed(self, step, *signers):
        """`signers`: PERSON:ROLE."""
        found = {}
        for who, _, role in (word.partition(":") for word in signers):
            made = sign(step.to_bytes(), f"hemicycle-{role}".encode(), key=private_key(who))
            found[f"{step.stem}.{who}.{role}.sig"] = armour(made)
        return found

    def draft(self, complaint, step, *signers, days, by="", **words):
        """The next step, signed and not yet entered, some days after the opening."""
        author = by if by != "" else signers[0].partition(":")[0] if signers else None
        words = {"text": "because", "now": OPENED + timedelta(days), "parties": self.parties} | words
        if step in ("appeal", "close"):
            words["parties"] = ()
        made = next_step(complaint, step, by=author, **words)
        write_step(complaint.folder, made, self.signed(made, *signers))
        return made

    def take(self, complaint, step, *signers, days, **words):
        self.draft(complaint, step, *signers, days=days, **words)
        refused = self.admit(OPENED + timedelta(days))
        assert refused == {}, refused
        return self.get(complaint.id)

    def refused(self, complaint, step, *signers, days, **words):
        """What is said of a step that does not enter; it is taken away again."""
        made = self.draft(complaint, step, *signers, days=days, **words)
        refused = self.admit(OPENED + timedelta(days))
        assert self.get(complaint.id) == complaint
        for file in complaint.folder.glob(f"{made.stem}.*"):
            file.unlink()
        return next(iter(refused.values()), "waiting")

    def get(self, id):
        return self.read().complaints[id]

    def read(self):
        return read_complaints(self.ledger, self.complaints)

    def findings(self):
        return [str(finding) for finding in self.read().findings]

    def decided(self, outcome="granted", *, days=0, **words):
        complaint = self.take(self.open(days, **words), "triage", "amin:governance", days=days + 1)
        signers = ["claire:legal"] if outcome == "granted" else ["claire:legal", "nora:governance"]
        return self.take(complaint, "decide", *signers, days=days + 3, outcome=outcome)


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def test_the_first_step_is_the_year_s_next_number_and_due_for_triage_in_fourteen_days(desk):
    first = desk.open()
    assert first.folder == desk.complaints / "2026-001"
    assert json.loads((first.folder / "01-open.json").read_bytes()) == {
        "complaint": "2026-001",
        "step": "open",
        "number": 1,
        "before": "0" * 64,
        "date": "2026-03-02T09:30:00+00:00",
        "by": None,
        "due": "2026-03-16",
        "text": "The edition is not free.",
        "public": {
            "category": "copyright",
            "subject": ["romans:notre-dame"],
            "outcome": None,
            "parties": [],
        },
        "private": sha256_bytes((first.folder / "private.json").read_bytes()),
    }
    assert desk.open().id == "2026-002"
    assert desk.open(305).id == "2027-001"
    assert sorted(f.name for f in desk.complaints.iterdir()) == ["2026-001", "2026-002", "2027-001"]


# ── who complains ────────────────────────────────────────────────────────────────────────────────


def test_who_complains_stands_in_a_file_that_git_ignores_and_nowhere_else(desk, tmp_path):
    complaint = desk.decided()
    private = json.loads((complaint.folder / "private.json").read_bytes())
    assert private == {"contact": "Jeanne Aubert, jeanne@example.org", "salt": "5a" * 32}
    assert (complaint.folder / ".gitignore").read_text() == "private.json\n"
    write_register([complaint], tmp_path / "register", TODAY)
    public = [f for f in tmp_path.rglob("*") if f.is_file() and f.name != "private.json"]
    assert {"journal.jsonl", "index.html", "01-open.json"} <= {f.name for f in public}
    assert not [f for f in public if b"Jeanne" in f.read_bytes() or b"jeanne@" in f.read_bytes()]


def test_the_private_file_is_its_owner_s_alone_from_its_first_byte(desk, monkeypatch):
    modes = {}
    whole = os.fsync

    def seen(fd):
        name = os.readlink(f"/proc/self/fd/{fd}")
        modes.setdefault(name.rpartition("/")[2], stat.S_IMODE(os.fstat(fd).st_mode))
        whole(fd)

    monkeypatch.setattr(os, "fsync", seen)
    before = os.umask(0)
    try:
        desk.open()
    finally:
        os.umask(before)
    assert modes[f".private.json.{os.getpid()}.aside"] == 0o600
    assert modes["private.json"] == 0o600


def test_the_digest_of_the_private_file_cannot_be_guessed_from_a_name():
    assert private_file("Jeanne Aubert") != private_file("Jeanne Aubert")


def test_a_complaint_without_a_name_has_no_private_file(desk):
    complaint = desk.open(contact=None)
    assert complaint.last.private is None
    assert not (complaint.folder / "private.json").exists()


def test_the_private_file_may_be_gone_but_not_changed_or_published(desk):
    complaint = desk.open()
    private = complaint.folder / "private.json"
    (complaint.folder / ".gitignore").unlink()
    (finding,) = desk.findings()
    assert "would be published" in finding
    (complaint.folder / ".gitignore").write_text("private.json\n")
    private.write_bytes(private.read_bytes().replace(b"Jeanne", b"Jeannine"))
    (finding,) = desk.findings()
    assert "it is not what the first step names" in finding
    private.unlink()
    assert desk.findings() == []


# ── steps and their order ────────────────────────────────────────────────────────────────────────


def test_a_complaint_taken_to_its_end_stands(desk):
    complaint = desk.take(desk.decided(), "close", "amin:governance", days=5)
    assert desk.findings() == []
    assert [s.due for s in complaint.steps] == ["2026-03-16", "2026-03-30", "2026-03-19", None]
    assert [s.public.outcome for s in complaint.steps] == [None, None, "granted", "granted"]
    assert complaint.day_of("decide") == date(2026, 3, 5)
    assert [line.kind for line in desk.ledger.journal.lines()] == ["governance", *["complaint"] * 4]


def test_what_was_granted_is_to_be_withdrawn_and_nothing_else(desk):
    complaints = [
        desk.decided(subject=["romans:b", "romans:a"]),
        desk.decided("partly-granted", days=3, subject=["an-15"]),
        desk.decided("refused", days=6, subject=["an-16"]),
        desk.take(
            desk.open(9, subject=["an-17"]),
            "close",
            "claire:legal",
            "amin:governance",
            days=9,
            outcome="withdrawn",
        ),
        desk.open(9, subject=["textes"]),
    ]
    assert granted(complaints) == ["an-15", "romans:a", "romans:b"]
    assert desk.findings() == []


def test_a_complaint_is_overdue_from_the_day_after_its_due_day_until_it_is_closed(desk):
    complaint = desk.open()
    assert not complaint.overdue(date(2026, 3, 16))
    assert complaint.overdue(date(2026, 3, 17))
    words = {"days": 40, "outcome": "withdrawn"}
    closed = desk.take(complaint, "close", "claire:legal", "amin:governance", **words)
    assert not closed.overdue(date(2027, 1, 1))


def test_triage_in_february_leaves_less_than_a_month_to_decide():
    assert deadlines_of(date(2026, 1, 31)).due("triage", date(2026, 1, 31), TODAY) == date(2026, 2, 28)


def test_the_deadlines_are_dated_in_order_and_within_a_month():
    assert [d.start for d in deadlines()] == sorted({d.start for d in deadlines()})
    assert all(0 < d.triage < d.decide <= 28 and d.close > 0 for d in deadlines())
    assert all(0 < d.review <= 28 and d.appeal >= 30 for d in deadlines())


@pytest.mark.parametrize(
    ("step", "words", "said"),
    [
        ("decide", {"outcome": "granted"}, "“decide” cannot follow “open”; “triage” or “close” can"),
        ("review", {"outcome": "granted"}, "“review” cannot follow “open”"),
        ("appeal", {}, "“appeal” cannot follow “open”"),
        ("close", {}, "closed without a decision"),
        ("close", {"outcome": "granted"}, "closed without a decision"),
        ("triage", {"outcome": "granted"}, "has no outcome yet"),
        ("open", {}, "cannot be step 2"),
        ("triage", {"category": "libel"}, "public.category"),
        ("triage", {"subject": ["two\nlines"]}, "one line of plain text"),
        ("triage", {"subject": ["a\u202egnp.exe"]}, "one line of plain text"),
        ("triage", {"subject": [""]}, "at least 1 character"),
        ("triage", {"parties": ["two\nlines"]}, "one line of plain text"),
        ("triage", {"parties": []}, "it does not say who complains or is complained about"),
        ("triage", {"text": ""}, "text: "),
        ("triage", {"text": "\udcff"}, "the text is no text"),
        ("triage", {"by": "Claire M."}, "by: "),
        ("triage", {"by": None}, "names nobody who took it"),
        ("triage", {"now": OPENED - timedelta(seconds=1)}, "before the step before it"),
    ],
)
def test_a_step_out_of_order_or_of_wrong_words_is_not_made(desk, step, words, said):
    given = {"by": "amin", "text": "x", "now": OPENED, "parties": ["Éditions du Nord"]} | words
    with pytest.raises(DeclarationError) as error:
        next_step(desk.open(), step, **given)
    assert said in str(error.value)


def test_what_was_decided_is_not_changed_by_closing_or_appealing(desk):
    complaint = desk.decided("refused")
    for step in ("close", "appeal"):
        for words in ({"outcome": "granted"}, {"subject": ["an-15"]}, {"category": "other"}):
            with pytest.raises(DeclarationError, match="changes what was decided"):
                next_step(complaint, step, by="amin", text="x", now=OPENED + timedelta(9), **words)
    closed = desk.take(complaint, "close", "claire:legal", days=9)
    with pytest.raises(DeclarationError, match="“appeal” can"):
        next_step(closed, "decide", by="claire", text="x", now=OPENED + timedelta(9), outcome="granted")


def test_who_grants_a_part_says_so_and_does_not_do_it_alone(desk):
    complaint = desk.take(desk.open(subject=["an-15", "an-16"]), "triage", "amin:governance", days=1)
    words = {"by": "claire", "text": "x", "now": OPENED + timedelta(2)}
    with pytest.raises(DeclarationError, match="it leaves a part out"):
        next_step(complaint, "decide", outcome="granted", subject=["an-15"], **words)
    assert next_step(complaint, "decide", outcome="partly-granted", subject=["an-15"], **words)
    assert next_step(complaint, "decide", outcome="granted", subject=["an-16", "an-15", "an-17"], **words)


def test_who_examines_a_complaint_adds_to_its_subject_and_takes_nothing_out_of_it(desk):
    """Else one person would refuse a part that it takes two roles to refuse."""
    complaint = desk.open(subject=["an-15", "an-16"])
    made = desk.draft(complaint, "triage", "amin:governance", days=1, subject=["an-17", "an-15"])
    assert made.public.subject == ("an-15", "an-16", "an-17")
    narrowed = made.model_copy(update={"public": made.public.model_copy(update={"subject": ("an-15",)})})
    (complaint.folder / "02-triage.json").unlink()
    write_step(complaint.folder, narrowed, desk.signed(narrowed, "amin:governance"))
    (said,) = desk.admit(OPENED + timedelta(1)).values()
    assert said == "it leaves a part out, which is to refuse that part, and for those who decide"


def test_who_is_concerned_cannot_be_left_out_later(desk):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    made = next_step(
        complaint, "decide", by="claire", text="x", now=OPENED + timedelta(2), outcome="granted",
        parties=["Other"],
    )  # fmt: skip
    narrowed = made.model_copy(update={"public": made.public.model_copy(update={"parties": ("Other",)})})
    write_step(complaint.folder, narrowed, desk.signed(narrowed, "claire:legal"))
    desk.parties = ()
    assert "leaves out somebody who complains" in desk.admit(OPENED + timedelta(2))["2026-001/03-decide.json"]


# ── who signs ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("signer", "said"),
    [
        ("claire:governance", "claire does not hold the role “governance”"),
        ("zoe:legal", "zoe holds the role “legal” as member only"),
        ("dana:data", "“triage” is signed by governance or legal, not by data"),
        ("stranger:legal", "is nobody's in governance.toml"),
    ],
)
def test_only_a_lead_or_colead_of_the_role_signs(desk, signer, said):
    assert said in desk.refused(desk.open(), "triage", signer, days=1)


def test_only_legal_grants(desk):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    said = desk.refused(complaint, "decide", "nora:governance", days=2, outcome="granted")
    assert said == "“decide” is signed by legal, not by governance"


def test_who_examined_a_complaint_does_not_decide_it(desk):
    complaint = desk.take(desk.open(), "triage", "claire:legal", days=1)
    said = desk.refused(complaint, "decide", "claire:legal", days=2, outcome="granted")
    assert said == "claire signed “triage”, and others sign “decide”"
    said = desk.refused(complaint, "decide", "dana:legal", "claire:legal", days=2, outcome="refused")
    assert said == "claire signed “triage”, and others sign “decide”"
    assert desk.take(complaint, "decide", "dana:legal", days=2, outcome="granted").last.step == "decide"


def test_who_examined_a_complaint_does_not_decide_it_under_another_name_either(desk):
    complaint = desk.take(desk.open(), "triage", "claire:legal", days=1)
    renamed = people().replace("[people.claire]", "[people.clara]").encode()
    digest = sha256_bytes(renamed)
    desk.ledger.keep(f"governance/{digest[:16]}.toml", renamed)
    content = {"sha256": digest, "entered": (OPENED + timedelta(1)).isoformat()}
    desk.ledger.enter("governance", content)
    desk.governance = people_in_force(desk.ledger)
    made = desk.draft(complaint, "decide", by="clara", days=2, outcome="granted")
    (signature,) = desk.signed(made, "claire:legal").values()
    (complaint.folder / "03-decide.clara.legal.sig").write_bytes(signature)
    (said,) = desk.admit(OPENED + timedelta(2)).values()
    assert said == "clara signed “triage”, as claire, and others sign “decide”"


@pytest.mark.parametrize("outcome", ["refused", "partly-granted"])
def test_a_refusal_counts_only_with_two_people_of_two_roles(desk, outcome):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    words = {"days": 2, "outcome": outcome}
    assert desk.refused(complaint, "decide", "claire:legal", **words) == "waiting"
    assert desk.refused(complaint, "decide", "claire:legal", "dana:legal", **words) == "waiting"
    decided = desk.take(complaint, "decide", "claire:legal", "nora:governance", **words)
    assert {(s.person, s.role) for s in decided.taken[-1].signed} == {
        ("claire", "legal"),
        ("nora", "governance"),
    }


def test_one_person_of_two_roles_is_one_signer(tmp_path):
    desk = Desk(tmp_path)
    desk.governance = parse_governance(
        people({"claire": ("Université", ["legal", "governance"])}).encode(), ""
    )
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    said = desk.refused(complaint, "decide", "claire:governance", "claire:legal", days=2, outcome="refused")
    assert said == "claire has signed this step already; one person signs once"


def test_a_complaint_that_one_person_calls_taken_back_stays_open(desk):
    complaint = desk.open()
    assert desk.refused(complaint, "close", "amin:governance", days=1, outcome="withdrawn") == "waiting"


@pytest.mark.parametrize("party", ["Maison d’ÉDITION", "dana", "Dana X"])
def test_who_is_complained_about_or_works_there_signs_no_step(desk, party):
    desk.parties = (party,)
    complaint = desk.open()
    said = desk.refused(complaint, "triage", "dana:legal", days=1)
    assert said == f"dana is, or is of, {party}, who complains or is complained about"
    complaint = desk.take(complaint, "triage", "amin:governance", days=1)
    desk.parties = ()
    said = desk.refused(complaint, "decide", "dana:legal", days=2, outcome="granted")
    assert "who complains or is complained about" in said


def test_a_member_who_complains_does_not_decide_and_neither_do_their_colleagues(desk):
    complaint = desk.open(by="zoe", sign_as="zoe:legal")
    complaint = desk.take(complaint, "triage", "amin:governance", days=1)
    said = desk.refused(complaint, "decide", "claire:legal", days=2, outcome="granted")
    assert said == "claire is, or is of, Université, who complains or is complained about"
    assert desk.take(complaint, "decide", "dana:legal", days=2, outcome="granted")


def test_nobody_complains_in_the_name_of_a_member(desk):
    desk.open(by="claire", enter=False)
    assert desk.admit(OPENED) == {}
    assert desk.read().complaints == {}
    for file in (desk.complaints / "2026-001").iterdir():
        file.unlink()
    (desk.complaints / "2026-001").rmdir()
    folder = desk.open(by="claire", sign_as="amin:governance", enter=False)
    assert "says that claire takes this step" in next(iter(desk.admit(OPENED).values()))
    assert folder.is_dir()


def test_a_step_that_does_not_name_those_of_its_card_is_refused(desk):
    complaint = desk.open()
    desk.draft(complaint, "triage", "amin:governance", days=1, parties=["Somebody else"])
    assert desk.admit(OPENED + timedelta(1)) == {
        "2026-001/02-triage.json": "it does not name Éditions du Nord as concerned, whom the card of its "
        "subject names"
    }


def test_a_signer_cannot_sign_in_the_name_of_another(desk):
    complaint = desk.open()
    made = desk.draft(complaint, "triage", days=1, by="amin")
    signature = next(iter(desk.signed(made, "claire:legal").values()))
    (complaint.folder / "02-triage.amin.legal.sig").write_bytes(signature)
    said = desk.admit(OPENED + timedelta(1))
    assert said == {"2026-001/02-triage.amin.legal.sig": "the file says amin, and the key is that of claire"}


def test_a_step_waits_for_who_it_says_took_it(desk):
    complaint = desk.open()
    assert desk.refused(complaint, "triage", "claire:legal", days=1, by="amin") == "waiting"


def test_a_signer_out_of_office_when_the_step_enters_does_not_count(desk):
    complaint = desk.open(303)
    desk.draft(complaint, "triage", "amin:governance", days=304)
    said = desk.admit(OPENED + timedelta(306))
    assert list(said.values()) == ["amin does not hold the role “governance” on 2027-01-02"]


def test_a_changed_file_of_people_gives_nobody_the_right_to_sign(desk):
    """A stranger who writes themselves into governance.toml is still nobody to the journal."""
    complaint = desk.open()
    desk.people.write_text(people({"eve": ("E", ["legal"])}), "utf-8")
    assert "nobody's in governance.toml" in desk.refused(complaint, "triage", "eve:legal", days=1)
    desk.governance = parse_governance(people({"eve": ("E", ["legal"])}).encode(), "")
    desk.draft(complaint, "triage", "eve:legal", days=1)
    desk.admit(OPENED + timedelta(1))
    assert any("nobody's in governance.toml" in finding for finding in desk.findings())


def test_a_project_of_one_person_can_be_complained_about_and_decides_nothing(tmp_path):
    desk = Desk(tmp_path, governed=False)
    complaint = desk.open()
    said = desk.refused(complaint, "triage", "amin:governance", days=1)
    assert said == "nobody governs this project who could sign a step"


# ── appeals ──────────────────────────────────────────────────────────────────────────────────────


def test_an_appeal_is_decided_by_people_other_than_those_of_the_decision(desk):
    complaint = desk.decided("refused")
    assert complaint.appeal_until == date(2026, 4, 4)
    complaint = desk.take(complaint, "appeal", days=20)
    assert (complaint.last.due, complaint.last.by, complaint.appeal_until) == ("2026-04-19", None, None)
    assert complaint.public.outcome == "refused"
    said = desk.refused(complaint, "review", "nora:governance", days=21, outcome="refused")
    assert said == "nora signed “decide”, and others sign “review”"
    said = desk.refused(complaint, "review", "dana:legal", days=21, outcome="granted")
    assert said == "“review” is signed by governance, not by legal"
    complaint = desk.take(complaint, "review", "amin:governance", days=21, outcome="granted")
    assert granted([complaint]) == ["romans:notre-dame"]
    complaint = desk.take(complaint, "close", "claire:legal", days=22)
    assert desk.findings() == []
    with pytest.raises(DeclarationError, match="appealed against already"):
        next_step(complaint, "appeal", by=None, text="x", now=OPENED + timedelta(23))


def test_an_appeal_is_in_time_until_the_thirtieth_day_after_the_decision_closed_or_not(desk):
    closed = desk.take(desk.decided("refused"), "close", "claire:legal", days=5)
    last = datetime(2026, 4, 4, 23, 59, tzinfo=UTC)
    with pytest.raises(DeclarationError, match="the time to appeal ended on 2026-04-04"):
        next_step(closed, "appeal", by=None, text="x", now=last + timedelta(minutes=1))
    assert next_step(closed, "appeal", by=None, text="x", now=last).number == 5
    assert desk.take(closed, "appeal", days=33).last.step == "appeal"


def test_the_time_to_appeal_runs_from_the_entry_of_the_decision_and_not_from_its_date(desk):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    desk.draft(complaint, "decide", "claire:legal", days=3, outcome="granted")
    desk.admit(OPENED + timedelta(13))
    assert desk.get(complaint.id).appeal_until == date(2026, 4, 14)


def test_an_appeal_that_is_dated_in_time_and_enters_too_late_does_not_enter(desk):
    complaint = desk.decided("refused")
    made = desk.draft(complaint, "appeal", days=5)
    assert desk.admit(OPENED + timedelta(34)) == {
        "2026-001/04-appeal.json": "the time to appeal ended on 2026-04-04"
    }
    entered = (OPENED + timedelta(34)).isoformat()
    content = {"file": "2026-001/04-appeal.json", "sha256": sha256_bytes(made.to_bytes()), "signatures": {}}
    desk.ledger.enter("complaint", content | {"entered": entered})
    assert desk.findings() == ["2026-001/04-appeal.json: the time to appeal ended on 2026-04-04"]


def test_what_was_taken_back_cannot_be_appealed_against(desk):
    words = {"days": 2, "outcome": "withdrawn"}
    closed = desk.take(desk.open(), "close", "claire:legal", "amin:governance", **words)
    with pytest.raises(DeclarationError, match="no decision to appeal against"):
        next_step(closed, "appeal", by=None, text="x", now=OPENED + timedelta(3))


def test_a_member_who_appeals_does_not_decide_on_it(desk):
    complaint = desk.take(desk.decided("refused"), "appeal", "amin:governance", days=5)
    said = desk.refused(complaint, "review", "amin:governance", days=6, outcome="granted")
    assert said == "amin is, or is of, amin, who complains or is complained about"


# ── what entered is kept ─────────────────────────────────────────────────────────────────────────


def test_a_step_that_was_changed_or_taken_away_after_it_entered_is_an_integrity_error(desk):
    complaint = desk.decided("refused")
    names = {
        "01-open.json": "the step",
        "02-triage.json": "the step",
        "02-triage.amin.governance.sig": "the signature of a step",
        "03-decide.json": "the step",
        "03-decide.claire.legal.sig": "the signature of a step",
        "03-decide.nora.governance.sig": "the signature of a step",
    }
    present = {f.name for f in complaint.folder.iterdir()}
    assert present == {*names, "private.json", ".gitignore"}
    for name, what in names.items():
        path = complaint.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + b" \n")
        assert f"2026-001/{name}: {what} was changed after it entered the journal" in desk.findings()
        with pytest.raises(IntegrityError, match="was changed after it entered the journal"):
            desk.admit(OPENED + timedelta(9))
        assert desk.read().complaints == {}
        path.unlink()
        assert f"2026-001/{name}: {what} that entered the journal is missing" in desk.findings()
        path.write_bytes(whole)
    assert desk.findings() == []


def test_a_step_that_lies_there_is_never_written_over(desk):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    whole = (complaint.folder / "02-triage.json").read_bytes()
    with pytest.raises(InputError, match="this step is there already"):
        write_step(complaint.folder, complaint.last.model_copy(update={"text": "other"}), {})
    assert (complaint.folder / "02-triage.json").read_bytes() == whole


def test_a_complaint_that_was_taken_away_whole_is_found(desk):
    for _ in range(3):
        desk.open(contact=None)
    (desk.complaints / "2026-003").rename(desk.complaints / "elsewhere")
    assert desk.findings() == [
        "2026-003/01-open.json: the step that entered the journal is missing",
        "elsewhere: this does not belong here",
    ]


def test_nothing_is_built_on_a_step_that_does_not_hold(desk):
    """Not even what could begin anew: a line that opens the same complaint again."""
    desk.take(desk.open(), "triage", "amin:governance", days=1)
    opening, triage = (line.content for line in desk.ledger.journal.lines()[1:])
    again = {"entered": triage["entered"]}
    desk.ledger.enter("complaint", {**opening, **again})
    desk.ledger.enter("complaint", {**opening, **again})
    assert desk.read().complaints == {}
    assert desk.findings() == ["2026-001/01-open.json: step 1 follows step 2"]


def test_a_complaint_that_is_a_link_is_found(desk, tmp_path):
    complaint = desk.open()
    complaint.folder.rename(tmp_path / "elsewhere")
    complaint.folder.symlink_to(tmp_path / "elsewhere")
    assert "2026-001/01-open.json: this is not a plain file" in desk.findings()
    assert "2026-001: this is not the folder of a complaint" in desk.findings()


def test_a_line_of_the_journal_with_nothing_behind_it_is_found(desk):
    """Whoever keeps the ledger cannot make a decision of what nobody signed."""
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=1)
    made = desk.draft(complaint, "decide", "claire:legal", days=2, outcome="refused")
    content = {
        "file": "2026-001/03-decide.json",
        "sha256": sha256_bytes(made.to_bytes()),
        "signatures": {},
        "entered": (OPENED + timedelta(2)).isoformat(),
    }
    desk.ledger.enter("complaint", content)
    assert "2026-001/03-decide.json: it entered without the signature of legal, governance" in desk.findings()
    with pytest.raises(IntegrityError):
        desk.admit(OPENED + timedelta(3))


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"file": "../../etc/passwd", "sha256": "", "signatures": {}, "entered": "2026-01-01T00:00:00+00:00"},
        {"file": "2026-001/01-open.json", "sha256": "", "signatures": [], "entered": 5},
        {"file": "2026-001/01-open.json", "sha256": 5, "signatures": 5, "entered": "2026-01-01"},
        {
            "file": "2026-001/01-open.json",
            "sha256": "",
            "signatures": {"../x.sig": ""},
            "entered": "2026-01-01T00:00:00+00:00",
        },
        {"file": "2026-001/01-open.json", "sha256": "", "signatures": {}, "entered": "2026-01-01T00:00:00"},
    ],
)
def test_a_line_that_does_not_say_what_it_should_is_a_finding(desk, content):
    desk.ledger.enter("complaint", content)
    assert desk.findings() == [
        "line 2 of the journal: this line does not say what the line of a complaint's step says"
    ]


@pytest.mark.parametrize("entered", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "3000-01-01"])
def test_a_time_at_which_nothing_can_have_entered_is_a_finding(desk, entered):
    complaint = desk.open()
    made = desk.draft(complaint, "triage", "amin:governance", days=1)
    signatures = desk.signed(made, "amin:governance")
    content = {
        "file": "2026-001/02-triage.json",
        "sha256": sha256_bytes(made.to_bytes()),
        "signatures": {name: sha256_bytes(data) for name, data in signatures.items()},
        "entered": entered,
    }
    desk.ledger.enter("complaint", content)
    assert desk.findings() == [
        "line 3 of the journal: this line does not say what the line of a complaint's step says"
    ]


def test_a_step_does_not_enter_before_what_entered_last_and_brings_nobody_back_into_office(desk):
    desk.open(305)
    folder = desk.open(300, enter=False)
    with pytest.raises(InputError, match="the clock says 2026-12-27 09:30 UTC, and the journal goes on to"):
        desk.admit(OPENED + timedelta(300))
    assert desk.admit(OPENED + timedelta(305) - timedelta(minutes=4)) == {}
    assert desk.get(folder.name).taken[-1].entered == OPENED + timedelta(305)


@pytest.mark.parametrize("early", [timedelta(days=40), timedelta(seconds=1)])
def test_a_step_whose_line_goes_back_in_time_is_found(desk, early):
    """Here behind the line that names the people; behind another complaint's is the same."""
    step = desk.open(-40, enter=False) / "01-open.json"
    content = {"file": "2026-001/01-open.json", "sha256": sha256_bytes(step.read_bytes()), "signatures": {}}
    desk.ledger.enter("complaint", content | {"entered": (OPENED - early).isoformat()})
    (finding,) = desk.findings()
    assert finding.startswith("2026-001/01-open.json: it entered before the line that it follows")
    assert desk.read().complaints == {}


def test_a_step_entered_twice_is_found(desk):
    desk.open()
    line = desk.ledger.journal.lines()[-1]
    desk.ledger.enter("complaint", {**line.content, "entered": (OPENED + timedelta(1)).isoformat()})
    assert any("step 1 follows step 1" in finding for finding in desk.findings())


def test_a_step_dated_after_its_entry_or_before_the_step_before_does_not_enter(desk):
    complaint = desk.take(desk.open(), "triage", "amin:governance", days=2)
    made = desk.draft(complaint, "decide", "claire:legal", days=3, outcome="granted")
    (said,) = desk.admit(OPENED + timedelta(2, hours=23)).values()
    assert said.startswith("it is dated 2026-03-05T09:30:00+00:00, and it enters at 2026-03-05T08:30")
    early = made.model_copy(update={"date": "2026-03-02T09:30:00+00:00", "due": "2026-03-16"})
    (complaint.folder / "03-decide.json").unlink()
    write_step(complaint.folder, early, desk.signed(early, "claire:legal"))
    (said,) = desk.admit(OPENED + timedelta(4)).values()
    assert "before the step before it" in said


def test_a_deadline_given_away_by_hand_does_not_enter(desk):
    folder = desk.open(enter=False)
    path = folder / "01-open.json"
    path.write_bytes(path.read_bytes().replace(b"2026-03-16", b"2036-03-16"))
    (said,) = desk.admit(OPENED).values()
    assert said == "it is due on 2036-03-16; the deadlines say 2026-03-16 at the latest"


def test_strays_links_and_pipes_are_found_and_not_followed(desk):
    complaint = desk.open(contact=None)
    (complaint.folder / "01-open.json.sig").write_bytes(b"")
    (complaint.folder / "notes.txt").write_bytes(b"")
    (complaint.folder / "a\nb\udcff").write_bytes(b"")
    os.mkfifo(complaint.folder / "02-triage.json")
    (complaint.folder / "03-decide.json").symlink_to("/dev/zero")
    os.mkfifo(complaint.folder / "private.json")
    assert set(desk.findings()) == {
        "2026-001/01-open.json.sig: this does not belong here",
        "2026-001/notes.txt: this does not belong here",
        "2026-001/a b\ufffd: this does not belong here",
        "2026-001/private.json: this is not a plain file",
    }
    refused = desk.admit(OPENED)
    assert refused["2026-001/02-triage.json"] == "this is not a plain file"
    assert desk.get("2026-001") == complaint


def test_what_a_killed_process_left_is_no_finding_and_is_swept_with_the_contact_in_it(desk):
    complaint = desk.open()
    left = desk.complaints / ".opening-4242"
    left.mkdir()
    (left / "private.json").write_bytes(private_file("Jeanne Aubert"))
    (complaint.folder / ".02-triage.json.4242.aside").write_bytes(b"x")
    (complaint.folder / ".hidden").write_bytes(b"x")
    assert desk.findings() == ["2026-001/.hidden: this does not belong here"]
    sweep(desk.complaints)
    assert {f.name for f in desk.complaints.iterdir()} == {"2026-001"}
    assert {f.name for f in complaint.folder.iterdir()} == {
        "01-open.json", "private.json", ".gitignore", ".hidden"
    }  # fmt: skip
    sweep(desk.complaints / "not there")


def test_a_complaint_under_another_number_does_not_enter(desk):
    folder = desk.open(contact=None, enter=False)
    folder.rename(desk.complaints / "2026-007")
    assert desk.admit(OPENED) == {"2026-007/01-open.json": "it belongs to complaint 2026-001"}


def test_where_nobody_complained_there_is_nothing_to_find(desk):
    assert (desk.findings(), desk.admit(OPENED)) == ([], {})


STEP = {
    "complaint": "2026-001",
    "step": "open",
    "number": 1,
    "before": "0" * 64,
    "date": "2026-03-02T09:30:00+00:00",
    "by": None,
    "due": "2026-03-16",
    "text": "x",
    "public": {"category": "other", "subject": ["a"], "outcome": None, "parties": []},
    "private": None,
}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"9" * 100_000,
        b"x" * (2 << 20),
        canonical_json(STEP),
        json.dumps(STEP).encode() + b"\n",
        canonical_json(STEP | {"more": 1}) + b"\n",
        canonical_json(STEP | {"number": True}) + b"\n",
        canonical_json(STEP | {"number": "1"}) + b"\n",
        canonical_json(STEP | {"date": "2026-02-30T09:30:00+00:00"}) + b"\n",
        canonical_json(STEP | {"date": "0000-01-01T00:00:00+00:00"}) + b"\n",
        canonical_json(STEP | {"date": "2026-03-02"}) + b"\n",
        canonical_json(STEP | {"due": None}) + b"\n",
        canonical_json(STEP | {"complaint": "../../x"}) + b"\n",
        canonical_json(STEP | {"complaint": "2027-001"}) + b"\n",
        canonical_json(STEP).replace(b'"x"', b'"\\ud800"') + b"\n",
        canonical_json(STEP).replace(b'"x"', b'"x","text":"y"') + b"\n",
    ],
)
def test_hostile_steps_do_not_enter_and_raise_nothing_else(desk, data):
    folder = desk.complaints / "2026-001"
    folder.mkdir(parents=True)
    (folder / "01-open.json").write_bytes(data)
    assert list(desk.admit(OPENED)) == ["2026-001/01-open.json"]
    assert desk.read().complaints == {}
    (folder / "01-open.json").write_bytes(canonical_json(STEP) + b"\n")
    assert desk.admit(OPENED) == {}


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_complaint_that_entered_can_change_unseen(tmp_path, data):
    desk = Desk(tmp_path, governed=False)
    folder = desk.complaints / "2026-001"
    if not folder.exists():
        whole = Desk(tmp_path)
        whole.take(whole.decided(), "close", "amin:governance", days=5)
    file = data.draw(st.sampled_from(sorted(f.name for f in folder.iterdir() if f.name != ".gitignore")))
    whole = (folder / file).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    kept = data.draw(st.integers(at, len(whole)))
    changed = whole[:at] + data.draw(st.binary(max_size=6)) + whole[kept:]
    try:
        (folder / file).write_bytes(changed)
        assert bool(desk.findings()) == (changed != whole)
    finally:
        (folder / file).write_bytes(whole)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_step_that_waits_can_change_and_enter(tmp_path, data):
    """Neither step nor signature: what enters is what was signed, however the armour's lines are broken."""
    desk = Desk(tmp_path, governed=not (tmp_path / "governance.toml").exists())
    if desk.governance is not None:
        desk.draft(desk.open(), "triage", "amin:governance", days=1)
    desk.governance = parse_governance(people().encode(), "")
    folder = desk.complaints / "2026-001"
    file = data.draw(st.sampled_from(["02-triage.json", "02-triage.amin.governance.sig"]))
    whole = (folder / file).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + data.draw(st.binary(max_size=6)) + whole[data.draw(st.integers(at, len(whole))) :]
    entered = {}
    desk.ledger.enter = lambda kind, content: entered.update(content)
    try:
        (folder / file).write_bytes(changed)
        desk.admit(OPENED + timedelta(1))
        assert bool(entered) == (changed == whole) or b"".join(changed.split()) == b"".join(whole.split())
    finally:
        (folder / file).write_bytes(whole)


# ── the register ─────────────────────────────────────────────────────────────────────────────────

HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "@SUM(A1)",
    "＝1+1",
    "-1",
    "é&“»",
]


def test_the_register_shows_outcomes_and_delays_and_runs_nothing(desk, tmp_path):
    first = desk.decided("partly-granted", subject=HOSTILE)
    second = desk.open(3, category="opt-out")
    write_register([second, first], tmp_path / "register", date(2026, 4, 1))
    page = (tmp_path / "register" / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.index("2026-001") < page.index("2026-002")
    assert '<section id="fr" lang="fr">' in page
    assert '<section id="en" lang="en">' in page
    for words in (
        "granted in part",
        "acceptée en partie",
        "<strong>overdue</strong>, due by the end of 19 March 2026",
        "<strong>en retard</strong>, à traiter avant la fin du 19 mars 2026",
        "appeal possible until the end of 4 April 2026",
        "recours possible jusqu’à la fin du 4 avril 2026",
    ):
        assert words in page
    assert "The edition is not free" not in page
    assert "claire" not in page
    assert "Éditions" not in page


def test_the_register_shows_an_appeal_and_when_its_decision_is_due(desk, tmp_path):
    complaint = desk.take(desk.decided("refused"), "appeal", days=20)
    write_register([complaint], tmp_path, date(2026, 4, 20))
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "refused, under appeal<br><strong>overdue</strong>, due by the end of 19 April 2026" in page
    assert "refusée, en recours<br><strong>en retard</strong>" in page
    assert "appeal possible" not in page
    (row,) = csv.DictReader(io.StringIO((tmp_path / "complaints.csv").read_text("utf-8")))
    assert (row["appealed"], row["reviewed"], row["due"], row["overdue"], row["appeal_until"]) == (
        "2026-03-22",
        "",
        "2026-04-19",
        "yes",
        "",
    )


def test_no_cell_of_the_register_s_table_is_a_formula(desk, tmp_path):
    write_register([desk.decided(subject=HOSTILE)], tmp_path / "register", TODAY)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "register" / "complaints.csv").read_text("utf-8")))
    assert row["subject"].startswith("<script>alert(1)</script> | '=HYPERLINK")
    assert not [p for p in row["subject"].split(" | ") if p[0] in "=+-@＝＋－＠"]
    assert (row["complaint"], row["opened"], row["decided"], row["closed"]) == (
        "2026-001",
        "2026-03-02",
        "2026-03-05",
        "",
    )
    assert (row["outcome"], row["due"], row["overdue"], row["appeal_until"]) == (
        "granted",
        "2026-03-19",
        "no",
        "2026-04-04",
    )


def test_neither_line_breaks_nor_what_turns_text_around_leave_their_cell(desk, tmp_path):
    """Even from a step that was never checked: the page trusts nobody before it."""
    subject = "a\u202egnp\u2066.exe\n</td></tr>\r\n<b onclick=x>=1\u2028"
    step = desk.open().last
    public = Public.model_construct(category="other", subject=(subject,), outcome=None, parties=())
    complaint = Complaint(tmp_path, (Taken(step.model_copy(update={"public": public}), OPENED, ()),))
    write_register([complaint], tmp_path / "register", TODAY)
    page = (tmp_path / "register" / "index.html").read_text("utf-8")
    table = (tmp_path / "register" / "complaints.csv").read_text("utf-8")
    shown = "agnp.exe &lt;/td&gt;&lt;/tr&gt; &lt;b onclick=x&gt;=1"
    assert f"<bdi>{shown}</bdi>" in page
    assert table.count("\n") == 2
    assert not {*"\u202e\u2066\u2028\r"} & {*page, *table}


def test_equal_complaints_make_an_equal_register(desk, tmp_path):
    complaints = [desk.decided(), desk.open(3)]
    for order, name in ((complaints, "a"), (complaints[::-1], "b")):
        write_register(order, tmp_path / name, TODAY)
    for file in ("index.html", "complaints.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_an_empty_register_says_so(tmp_path):
    write_register([], tmp_path / "register", TODAY)
    page = (tmp_path / "register" / "index.html").read_text("utf-8")
    assert "No complaint has been made" in page
    assert "Aucune réclamation" in page


@settings(
    max_examples=min(FUZZ, 200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3))
def test_whatever_a_subject_says_it_is_refused_or_shown_as_text(tmp_path, subjects):
    words = {"category": "other", "text": "x", "now": OPENED}
    try:
        step = first_step(tmp_path / "complaints", subject=subjects, **words)
    except DeclarationError:
        return
    write_register([Complaint(tmp_path, (Taken(step, OPENED, ()),))], tmp_path / "register", TODAY)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "register" / "complaints.csv").read_text("utf-8")))
    assert row["subject"][0] not in "=+-@\t\r＝＋－＠"
    seen = Tags()
    seen.feed((tmp_path / "register" / "index.html").read_text("utf-8"))
    known = (
        "html head meta title style body nav a main section h1 p table thead tbody tr th td br strong time"
    )
    assert seen.tags <= {*known.split(), "bdi"}
    assert all(flatten(subject, 200) in seen.text for subject in subjects)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data
