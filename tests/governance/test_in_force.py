"""Files of people and policies in force: each but the first by a decision, made for it, and used once."""

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, InputError, RightsError
from hemicycle.governance.admission import admit_decisions, admit_governance
from hemicycle.governance.check import check_decisions
from hemicycle.governance.clock import TIMED
from hemicycle.governance.in_force import admit_file, in_force, people_in_force
from hemicycle.governance.people import parse_governance
from hemicycle.ledger import Ledger
from hemicycle.ledger.journal import Journal
from tests.governance.signing import public_line
from tests.governance.test_admission import NOW, PEOPLE, Desk, cleared

CHANGED = PEOPLE.replace("Archives", "Archives de France")
WAIT = timedelta(days=10)
FIELDS = ("file", "sha256", "entered", "decision", "person", "role")
TIMES = [NOW.isoformat(), "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59+00:00", "2026-11-27", "20261127"]
VALUES = st.sampled_from([None, 5, [], {}, "", "..", "f" * 64, "legal", *TIMES]) | st.text(max_size=5)
LINES = st.tuples(st.sampled_from(TIMED), st.dictionaries(st.sampled_from(FIELDS), VALUES))


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def approve(desk, text, now, *, before=None):
    """Two of governance sign that a file of people is to be in force; what lies there stays as it is."""
    before = before or in_force(desk.ledger.journal.lines(), "governance").sha256
    covers = {"governance": sha256_bytes(text.encode("utf-8")), "replaces": before}
    decision = desk.decide("governance", "project", covers, author=None)
    desk.sign(decision, "amir", "governance")
    desk.sign(decision, "zoe", "governance")
    people = people_in_force(desk.ledger)
    assert admit_decisions(desk.ledger, desk.approvals, people, now) == []
    return decision


def put(desk, text, now):
    desk.people.write_text(text, "utf-8")
    return desk.admit(now)


def wrong(desk):
    return [f.why for f in check_decisions(desk.ledger, desk.approvals)]


def test_people_change_only_by_a_decision_of_two_leads_of_governance_after_ten_days(desk):
    with pytest.raises(RightsError, match=r"governance\.toml was changed, and no standing decision says so"):
        put(desk, CHANGED, NOW)
    decision = approve(desk, CHANGED, NOW)
    with pytest.raises(RightsError):
        put(desk, CHANGED, NOW + timedelta(days=9))
    assert put(desk, CHANGED, NOW + WAIT) == {}
    last = [line for line in desk.ledger.journal.lines() if line.kind == "governance"][-1]
    assert last.content["decision"] == decision.name
    assert wrong(desk) == []


def test_an_approved_file_cannot_be_put_back_once_another_was_approved(desk):
    """Somebody left with the third file; the second, with them in it, was approved too."""
    approve(desk, CHANGED, NOW)
    put(desk, CHANGED, NOW + WAIT)
    approve(desk, PEOPLE + "# third\n", NOW + WAIT)
    put(desk, PEOPLE + "# third\n", NOW + 2 * WAIT)
    with pytest.raises(RightsError):
        put(desk, CHANGED, NOW + 3 * WAIT)
    with pytest.raises(RightsError):
        put(desk, PEOPLE, NOW + 3 * WAIT)


def test_a_decision_is_used_once_even_where_what_it_replaces_is_in_force_again(desk):
    approve(desk, CHANGED, NOW)
    spare = approve(desk, CHANGED + "# spare\n", NOW)
    put(desk, CHANGED, NOW + WAIT)
    approve(desk, PEOPLE, NOW + WAIT)
    put(desk, PEOPLE, NOW + 2 * WAIT)
    for text in (CHANGED, CHANGED + "# spare\n"):
        with pytest.raises(RightsError):
            put(desk, text, NOW + 3 * WAIT)
    assert spare.exists()
    approve(desk, CHANGED, NOW + 3 * WAIT)
    assert put(desk, CHANGED, NOW + 4 * WAIT) == {}
    assert wrong(desk) == []


def test_a_decision_that_replaces_another_file_than_the_one_in_force_does_nothing(desk):
    approve(desk, CHANGED, NOW, before="0" * 64)
    with pytest.raises(RightsError):
        put(desk, CHANGED, NOW + WAIT)


def forge(desk, text, now, **more):
    """What somebody with the ledger's key can write."""
    data = text.encode("utf-8")
    digest = sha256_bytes(data)
    file = f"governance/{digest[:16]}.toml"
    desk.ledger.keep(file, data)
    content = {"file": file, "sha256": digest, "entered": now.isoformat(), **more}
    desk.ledger.enter("governance", content)


def test_a_file_of_people_that_no_decision_explains_is_found_and_its_people_do_not_count(desk):
    forge(desk, PEOPLE.replace(public_line("zoe"), public_line("mallory")), NOW)
    decision = desk.decide()
    signature = desk.sign(decision, "mallory", "data")
    content = {"file": decision.name, "sha256": sha256_bytes(decision.read_bytes())}
    desk.ledger.enter("decision", content | {"entered": NOW.isoformat()})
    content = {"file": signature.name, "sha256": sha256_bytes(signature.read_bytes())}
    signer = {"decision": decision.name, "person": "zoe", "role": "data", "entered": NOW.isoformat()}
    desk.ledger.enter("signature", content | signer)
    unexplained, nobody = wrong(desk)
    assert unexplained == "no decision that stood then put it in the place of the one before"
    assert nobody.endswith("is nobody's in governance.toml")


@pytest.mark.parametrize("early", [timedelta(), timedelta(days=9)])
def test_a_line_that_names_a_decision_before_its_waiting_time_has_passed_is_found(desk, early):
    decision = approve(desk, CHANGED, NOW)
    forge(desk, CHANGED, NOW + early, decision=decision.name)
    assert wrong(desk) == ["no decision that stood then put it in the place of the one before"]


def test_a_used_decision_that_a_later_line_names_again_is_found(desk):
    first = approve(desk, CHANGED, NOW)
    put(desk, CHANGED, NOW + WAIT)
    approve(desk, PEOPLE, NOW + WAIT)
    put(desk, PEOPLE, NOW + 2 * WAIT)
    assert wrong(desk) == []
    forge(desk, CHANGED, NOW + 2 * WAIT, decision=first.name)
    assert wrong(desk) == ["no decision that stood then put it in the place of the one before"]


@pytest.mark.parametrize("sha256", ["../../../../etc", 5, None, "f" * 64])
def test_a_line_that_names_no_file_of_the_ledger_is_a_finding(desk, sha256):
    desk.ledger.enter("governance", {"file": "x", "sha256": sha256, "entered": NOW.isoformat()})
    assert len(wrong(desk)) == 1


def test_a_policy_is_founded_once_and_changes_as_the_people_do(desk, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("first", "utf-8")
    admit_file(desk.ledger, "policy", policy, policy.read_bytes(), desk.approvals, NOW)
    policy.write_text("second", "utf-8")
    with pytest.raises(RightsError, match=r"policy\.toml was changed") as refused:
        admit_file(desk.ledger, "policy", policy, policy.read_bytes(), desk.approvals, NOW)
    assert (tmp_path / refused.value.remedy.split('"')[1]).read_text() == "first"
    covers = {"policy": sha256_bytes(b"second"), "replaces": sha256_bytes(b"first")}
    decision = desk.decide("policy", "project", covers, author=None)
    for who in ("amir", "zoe"):
        desk.sign(decision, who, "governance")
    assert desk.admit(NOW) == {}
    with pytest.raises(RightsError):
        admit_file(
            desk.ledger, "policy", policy, policy.read_bytes(), desk.approvals, NOW + timedelta(days=9)
        )
    admit_file(desk.ledger, "policy", policy, policy.read_bytes(), desk.approvals, NOW + WAIT)
    assert wrong(desk) == []
    policy.write_text("first", "utf-8")
    with pytest.raises(RightsError):
        admit_file(desk.ledger, "policy", policy, policy.read_bytes(), desk.approvals, NOW + 2 * WAIT)


def test_people_who_would_decide_by_a_table_that_is_not_there_do_not_come_into_force(tmp_path):
    ledger, path = Ledger(tmp_path / "ledger", tmp_path / "key"), tmp_path / "governance.toml"
    path.write_text(PEOPLE.replace('"default"', '"defalt"'), "utf-8")
    with pytest.raises(DeclarationError, match="there is no table of rules “defalt”"):
        admit_governance(ledger, path, tmp_path / "approvals", NOW)
    assert ledger.journal.lines() == []


def test_the_people_who_come_into_force_are_those_that_were_checked(desk, tmp_path, monkeypatch):
    """The file is read once: what takes its place after it was checked does not enter."""
    ledger, whole = Ledger(tmp_path / "new" / "ledger", tmp_path / "new" / "key"), desk.people.read_bytes()

    def check(data, place, *more):
        desk.people.write_bytes(b"people = 5")
        return parse_governance(data, place, *more)

    monkeypatch.setattr("hemicycle.governance.admission.parse_governance", check)
    admit_governance(ledger, desk.people, desk.approvals, NOW)
    assert in_force(ledger.journal.lines(), "governance").sha256 == sha256_bytes(whole)


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(TIMED), st.dictionaries(st.sampled_from(FIELDS), VALUES)), max_size=4)
)
def test_whatever_a_journal_says_it_is_checked_to_its_end(lines):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        desk.decide()
        for kind, content in lines:
            desk.ledger.enter(kind, content)
        assert len(wrong(desk)) <= len(lines)


# ── the clock ────────────────────────────────────────────────────────────────────────────────────


def test_nothing_enters_before_what_entered_last(desk):
    cleared(desk)
    desk.sign(desk.decide(subject="sittings"), "amir", "data")
    with pytest.raises(InputError, match="the clock says 2026-11-25 09:00 UTC, and the journal"):
        desk.admit(NOW - timedelta(days=1))


def test_a_decision_does_not_enter_before_a_complaint_that_entered_last(desk):
    content = {"file": "2026-001/01-open.json", "entered": (NOW + timedelta(days=1)).isoformat()}
    desk.ledger.enter("complaint", content)
    with pytest.raises(InputError, match="and the journal goes on to 2026-11-27 09:00 UTC"):
        cleared(desk)
    decision = desk.decide(subject="sittings")
    content = {"file": decision.name, "sha256": sha256_bytes(decision.read_bytes())}
    desk.ledger.enter("decision", content | {"entered": NOW.isoformat()})
    (why,) = wrong(desk)
    assert why.startswith("it entered before the line that it follows")


def test_a_clock_a_little_behind_enters_at_the_time_of_the_last_line(desk):
    cleared(desk)
    desk.sign(desk.decide(subject="sittings"), "amir", "data")
    assert desk.admit(NOW - timedelta(minutes=4)) == {}
    assert desk.ledger.journal.lines()[-1].content["entered"] == NOW.isoformat()
    assert wrong(desk) == []


def test_a_line_that_goes_back_in_time_is_found(desk):
    decision = desk.decide()
    content = {"file": decision.name, "sha256": sha256_bytes(decision.read_bytes())}
    desk.ledger.enter("decision", content | {"entered": (NOW - timedelta(seconds=1)).isoformat()})
    (why,) = wrong(desk)
    assert why.startswith("it entered before the line that it follows")


def test_copies_of_a_project_that_went_on_apart_may_tell_their_times_in_either_order(desk, tmp_path):
    shutil.copytree(desk.ledger.folder, tmp_path / "copy" / "ledger")
    shutil.copyfile(tmp_path / "key", tmp_path / "copy" / "key")
    copy = Ledger(tmp_path / "copy" / "ledger", tmp_path / "copy" / "key")
    governance = people_in_force(copy)
    desk.decide(subject="theirs")
    assert admit_decisions(copy, desk.approvals, governance, NOW + timedelta(hours=1)) == []
    theirs = next(desk.approvals.glob("clear-theirs-*"))
    moved = theirs.rename(tmp_path / theirs.name)
    desk.decide(subject="ours")
    assert desk.admit(NOW + timedelta(hours=2)) == {}
    moved.rename(theirs)
    desk.ledger.merge(Journal(copy.journal.path))
    assert wrong(desk) == []
    decision = desk.decide(subject="after")
    content = {"file": decision.name, "sha256": sha256_bytes(decision.read_bytes())}
    between = NOW + timedelta(hours=1, minutes=30)
    desk.ledger.enter("decision", content | {"entered": between.isoformat()})
    (why,) = wrong(desk)
    assert why == f"it entered before the line that it follows, which is of {NOW + timedelta(hours=2)}"


# ── one key ──────────────────────────────────────────────────────────────────────────────────────


def test_a_key_that_passed_to_another_name_between_two_signatures_signs_once(desk):
    decision = desk.decide()
    desk.sign(decision, "claire", "legal")
    assert desk.admit() == {}
    renamed = PEOPLE.replace("[people.claire]", "[people.clara]")
    approve(desk, renamed, NOW)
    assert put(desk, renamed, NOW + WAIT) == {}
    again = desk.sign(decision, "claire", "data")
    again = again.rename(again.with_name(again.name.replace(".claire.", ".clara.")))
    (why,) = desk.admit(NOW + WAIT).values()
    assert why.startswith("the key of clara has signed this decision already, as clear-romans-")
    lines = {"file": again.name, "sha256": sha256_bytes(again.read_bytes()), "decision": decision.name}
    entered = (NOW + WAIT).isoformat()
    desk.ledger.enter("signature", lines | {"person": "clara", "role": "data", "entered": entered})
    assert [w.startswith("the key of clara") for w in wrong(desk)] == [True]
