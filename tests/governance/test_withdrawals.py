"""Withdrawals as decisions: who signs, what they cover, and that what one person withdrew stays so."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from hemicycle.errors import IntegrityError
from hemicycle.gate import Gate
from hemicycle.governance import load_rules, standings, withdrawn_by
from hemicycle.governance.decisions import WHOLE, Decision
from hemicycle.governance.standing import Entry, Signed

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
RULES = load_rules("default")


def decision(documents, source="romans", **changed):
    about = {"kind": "withdraw", "subject": source, "covers": {"documents": documents}, "author": None}
    rest = {"parties": (), "reason": "x", "head": "0" * 64, "made": NOW.isoformat()}
    return Decision(**{**about, **rest, **changed})


def entry(documents, *roles, alone=False, source="romans"):
    signed = tuple(Signed(f"p{n}", role, NOW, n + 2) for n, role in enumerate(roles))
    return Entry("f.json", decision(documents, source), NOW, signed, 1, alone)


def state(one):
    return standings([one], RULES, NOW)[0].state


def test_one_signature_of_legal_is_enough_and_takes_effect_at_once():
    assert state(entry(WHOLE)) == "proposed"
    assert state(entry(WHOLE, "data")) == "proposed"
    assert state(entry(WHOLE, "legal")) == "standing"


def test_it_has_no_last_day():
    one = standings([entry(WHOLE, "legal")], RULES, NOW + timedelta(days=40_000))[0]
    assert (one.state, one.ends) == ("standing", None)


def test_what_a_project_of_one_person_withdrew_needs_no_signature_ever_after():
    assert state(entry(WHOLE, alone=True)) == "standing"


def test_they_are_told_in_the_order_in_which_they_came_into_force(monkeypatch):
    def signed(name, entered, then):
        signature = Signed("p", "legal", NOW + timedelta(days=then), 9)
        return Entry(name, decision(WHOLE), NOW + timedelta(days=entered), (signature,), 1)

    entries = [signed("first", 0, 5), signed("second", 1, 2), signed("third", 6, 6), entry(WHOLE)]
    gate = Gate.__new__(Gate)
    told = standings(entries, RULES, NOW + timedelta(days=9))
    monkeypatch.setattr(gate, "decided_withdrawals", lambda: told)
    assert [one.entry.file for one in gate.withdrawals()] == ["second", "first", "third"]


def test_withdrawals_add_up_and_a_whole_source_holds_all_its_documents():
    told = standings(
        [
            entry({"romans:1": "a"}, alone=True),
            entry({"romans:2": "b"}, alone=True),
            entry(WHOLE, alone=True, source="lettres"),
            entry({"lettres:1": "c"}, alone=True, source="lettres"),
            entry({"romans:3": "d"}),
        ],
        RULES,
        NOW,
    )
    found = withdrawn_by(told)
    assert found == {"romans": frozenset({"romans:1", "romans:2"}), "lettres": None}


@pytest.mark.parametrize(
    "changed",
    [
        {"covers": {}},
        {"covers": {"documents": {}}},
        {"covers": {"documents": "some"}},
        {"covers": {"documents": ["romans:1"]}},
        {"covers": {"documents": {"romans:1": 3}}},
        {"covers": {"documents": WHOLE, "more": "x"}},
        {"expires": "2027-01-01"},
    ],
    ids=lambda changed: json.dumps(changed),
)
def test_a_withdrawal_covers_documents_or_a_whole_source_and_does_not_expire(changed):
    sound = decision({"romans:1": "a"})
    assert Decision.from_bytes(sound.to_bytes(), "x") == sound
    with pytest.raises(IntegrityError):
        Decision.from_bytes(decision(WHOLE, **changed).to_bytes(), "x")
