"""What enters the journal of decisions and signatures, and what is refused, each with its own words."""

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import sha256_bytes
from hemicycle.errors import IntegrityError
from hemicycle.governance.admission import admit_decisions, admit_governance, entered_files
from hemicycle.governance.check import check_decisions, check_released
from hemicycle.governance.decisions import Decision, seen, write_decision
from hemicycle.governance.people import Person
from hemicycle.governance.rules import load_rules
from hemicycle.governance.signer import is_organisation, is_person
from hemicycle.governance.sshsig import parse_sshsig
from hemicycle.governance.standing import clearance, read_entries, standings
from hemicycle.ledger import Ledger, Statement, Subject
from tests.governance.signing import armour, private_key, public_line, sign

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
SEEN = {"verdicts": "a" * 64, "card": "b" * 64}

PEOPLE = f"""
rules = "default"

[people.claire]
name = "Claire Martin"
organisation = "Université de Lorraine"
keys = ["{public_line("claire")}"]
roles = [
    {{ role = "legal", from = 2026-01-01, until = 2026-12-31 }},
    {{ role = "data", from = 2026-01-01 }},
]

[people.amir]
name = "Amir Benali"
organisation = "Ville de Lyon"
keys = ["{public_line("amir")}"]
roles = [
    {{ role = "data", rank = "colead", from = 2026-01-01 }},
    {{ role = "governance", from = 2026-01-01 }},
]

[people.zoe]
name = "Zoé Petit"
organisation = "Archives"
keys = ["{public_line("zoe")}"]
roles = [
    {{ role = "legal", rank = "member", from = 2026-01-01 }},
    {{ role = "governance", from = 2026-01-01 }},
]
"""


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
KEYS = "type subject covers author parties reason head made expires summary lifts documents".split()
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=10),
    max_leaves=20,
)


class Desk:
    """A project's ledger, its file of people and its approvals."""

    def __init__(self, folder):
        self.ledger = Ledger(folder / "ledger", folder / "key")
        self.people = folder / "governance.toml"
        self.people.write_text(PEOPLE, "utf-8")
        self.approvals = folder / "approvals"
        self.approvals.mkdir()
        self.admit()

    def admit(self, now=NOW):
        governance = admit_governance(self.ledger, self.people, self.approvals, now)
        return {r.file: r.why for r in admit_decisions(self.ledger, self.approvals, governance, now)}

    def decide(self, kind="clear", subject="romans", covers=SEEN, **more):
        said = {
            "author": "Paul Auteur",
            "parties": (),
            "reason": "",
            "head": self.ledger.journal.head,
            "made": NOW.isoformat(),
            **more,
        }
        return write_decision(self.approvals, Decision(kind, subject, covers, **said))

    def sign(self, decision, who, role, *, as_role=None, message=None):
        data = decision.read_bytes() if message is None else message
        signed = sign(data, f"hemicycle-{as_role or role}".encode(), key=private_key(who))
        path = self.approvals / f"{decision.stem}.{who}.{role}.sig"
        path.write_bytes(armour(signed))
        return path

    def standing(self, now):
        rules = load_rules("default")
        return standings(read_entries(self.ledger.journal.lines(), self.approvals), rules, now)

    def clearance(self, now, covers=SEEN):
        return clearance("romans", covers, self.standing(now)).explanation


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def cleared(desk, covers=SEEN, **more):
    decision = desk.decide(covers=covers, **more)
    desk.sign(decision, "amir", "data")
    desk.sign(decision, "claire", "legal")
    assert desk.admit() == {}
    return decision


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_two_people_of_two_roles_clear_a_source_after_three_days(desk):
    cleared(desk)
    assert desk.clearance(NOW + timedelta(hours=71)) == "clearance-cooling"
    assert desk.clearance(NOW + timedelta(hours=72)) == "cleared"


def test_the_same_person_signing_twice_is_refused(desk):
    decision = desk.decide()
    desk.sign(decision, "claire", "legal")
    desk.sign(decision, "claire", "data")
    assert list(desk.admit().values()) == ["claire has signed this decision already; one person signs once"]
    assert desk.clearance(NOW + timedelta(days=9)) == "clearance-incomplete"


def test_a_signer_out_of_office_when_the_signature_enters_is_refused(desk):
    decision = desk.decide()
    late = desk.sign(decision, "claire", "legal")
    refused = desk.admit(datetime(2027, 1, 1, tzinfo=UTC))
    assert refused == {late.name: "claire does not hold the role “legal” on 2027-01-01"}


def test_what_entered_while_its_signer_was_in_office_stays(desk):
    cleared(desk)
    assert desk.clearance(datetime(2027, 6, 1, tzinfo=UTC)) == "cleared"
    assert check_decisions(desk.ledger, desk.approvals) == []


def test_a_signature_made_for_another_purpose_is_refused(desk):
    decision = desk.decide()
    wrong = desk.sign(decision, "claire", "legal", as_role="data")
    assert desk.admit() == {wrong.name: "signed for “hemicycle-data”, not for “hemicycle-legal”"}


def test_a_decision_that_was_tampered_with_is_refused(desk):
    decision = desk.decide()
    desk.sign(decision, "claire", "legal")
    decision.write_bytes(decision.read_bytes().replace(b"a" * 64, b"c" * 64))
    refused = desk.admit()
    assert "changed after it was written" in refused[decision.name]
    renamed = decision.with_name(Decision.from_bytes(decision.read_bytes(), "").stem + ".json")
    decision.rename(renamed)
    moved = desk.approvals / f"{renamed.stem}.claire.legal.sig"
    (desk.approvals / f"{decision.stem}.claire.legal.sig").rename(moved)
    assert "the signature does not fit" in desk.admit()[moved.name]


def test_a_signature_copied_to_another_decision_is_refused_and_its_own_is_named(desk):
    one, other = desk.decide(), desk.decide(subject="sittings")
    signature = desk.sign(one, "claire", "legal")
    copy = desk.approvals / f"{other.stem}.claire.legal.sig"
    shutil.copyfile(signature, copy)
    assert desk.admit() == {copy.name: f"it is a signature of another decision, {one.name}, copied here"}


def test_a_decision_on_a_head_that_never_was_is_refused(desk):
    decision = desk.decide(head="f" * 64)
    signature = desk.sign(decision, "claire", "legal")
    refused = desk.admit()
    assert refused[decision.name] == "it was made on a head that this journal never had"
    assert refused[signature.name] == "the decision it signs is not here, or was refused"


def test_the_author_of_the_card_cannot_clear_it(desk):
    for author in ("Claire Martin", "claire"):
        decision = desk.decide(author=author)
        signature = desk.sign(decision, "claire", "legal")
        assert "authors do not sign" in desk.admit()[signature.name]


def test_a_signer_of_the_organisation_it_is_about_does_not_count(desk):
    decision = desk.decide(parties=("ville de  LYON",))
    signature = desk.sign(decision, "amir", "data")
    assert "is of Ville de Lyon, which this decision is about" in desk.admit()[signature.name]


@pytest.mark.parametrize(
    ("written", "party"),
    [
        ("Université", "Universite\u0301"),
        ("Maison d’édition", "maison d'e\u0301dition"),
        ("L'Archive", "L\u02bcArchive"),
        ("ＥＤＦ", "EDF"),
    ],
)
def test_an_interest_is_not_hidden_by_how_an_accent_or_an_apostrophe_is_encoded(written, party):
    for name, other in ((written, party), (party, written)):
        person = Person("claire", name, name, (), ())
        assert is_organisation(other, person)
        assert is_person(other, person)
    assert not is_organisation("Universite", Person("claire", "", "Université", (), ()))


def test_a_member_who_leads_nothing_does_not_sign_for_the_role(desk):
    signature = desk.sign(desk.decide(), "zoe", "legal")
    assert "holds the role “legal” as member only" in desk.admit()[signature.name]


def test_a_key_that_is_nobodys_and_a_name_that_is_not_the_keys_are_refused(desk):
    decision = desk.decide()
    stranger = desk.sign(decision, "stranger", "legal")
    assert "nobody's in governance.toml" in desk.admit()[stranger.name]
    stranger.unlink()
    signature = desk.sign(decision, "claire", "legal")
    false = signature.rename(signature.with_name(f"{decision.stem}.amir.legal.sig"))
    assert desk.admit() == {false.name: "the file says amir, and the key is that of claire"}


def test_every_refusal_has_its_own_words(desk):
    """Nobody should have to guess which of the rules was broken."""
    decision = desk.decide()
    desk.sign(decision, "zoe", "legal")
    desk.sign(decision, "stranger", "data")
    desk.sign(decision, "amir", "data", message=b"other")
    (desk.approvals / "note.txt").write_text("hello")
    refused = desk.admit()
    assert len(refused) == len(set(refused.values())) == 4


# ── what entered is kept ─────────────────────────────────────────────────────────────────────────


def test_a_file_that_entered_and_was_changed_or_taken_away_is_an_integrity_error(desk):
    decision = cleared(desk)
    for name in sorted(entered_files(desk.ledger.journal)):
        path = desk.approvals / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + b" \n")
        with pytest.raises(IntegrityError, match="changed after it entered"):
            desk.admit()
        assert [f.file for f in check_decisions(desk.ledger, desk.approvals)] or name != decision.name
        path.unlink()
        with pytest.raises(IntegrityError, match="missing"):
            desk.admit()
        path.write_bytes(whole)
    assert check_decisions(desk.ledger, desk.approvals) == []


# ── what decisions come to ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("changed", [{"verdicts": "c" * 64}, {"card": "c" * 64}])
def test_a_decision_does_not_cover_other_verdicts_or_another_card(desk, changed):
    cleared(desk)
    later = NOW + timedelta(days=4)
    assert desk.clearance(later) == "cleared"
    assert desk.clearance(later, SEEN | changed) == "clearance-outrun"


def test_a_revocation_takes_effect_at_once_and_a_new_clearance_after_it_holds(desk):
    cleared(desk)
    later = NOW + timedelta(days=4)
    revoke = desk.decide("revoke", covers={}, author=None, reason="a notice")
    desk.sign(revoke, "claire", "legal")
    assert desk.admit(later) == {}
    assert desk.clearance(later) == "clearance-revoked"
    again = desk.decide(reason="the notice was withdrawn")
    desk.sign(again, "amir", "data")
    desk.sign(again, "claire", "legal")
    assert desk.admit(later) == {}
    assert desk.clearance(later + timedelta(days=3)) == "cleared"


def test_a_clearance_made_before_a_revocation_is_revoked_however_late_it_was_signed(desk):
    early = desk.decide()
    revoke = desk.decide("revoke", covers={}, author=None, reason="a notice")
    desk.sign(revoke, "claire", "legal")
    assert desk.admit() == {}
    desk.sign(early, "amir", "data")
    desk.sign(early, "claire", "legal")
    assert desk.admit() == {}
    assert desk.clearance(NOW + timedelta(days=9)) == "clearance-revoked"


def test_a_line_of_the_journal_without_a_signature_behind_it_is_found(desk):
    decision = desk.decide()
    desk.admit()
    for who, role in (("amir", "data"), ("claire", "legal")):
        path = desk.approvals / f"{decision.stem}.{who}.{role}.sig"
        path.write_bytes(b"nothing")
        content = {"file": path.name, "sha256": sha256_bytes(b"nothing"), "decision": decision.name}
        desk.ledger.enter("signature", {**content, "person": who, "role": role, "entered": NOW.isoformat()})
    assert len(check_decisions(desk.ledger, desk.approvals)) == 2


@pytest.mark.parametrize("wrong", [{"person": "zoe"}, {"role": "data"}, {"decision": "other"}])
def test_a_line_that_names_another_signer_role_or_decision_than_its_signature_is_found(desk, wrong):
    """`standings` believes the person and the role of the line."""
    decision, other = desk.decide(), desk.decide(subject="sittings")
    assert desk.admit() == {}
    path = desk.sign(decision, "claire", "legal")
    content = {"file": path.name, "sha256": sha256_bytes(path.read_bytes()), "decision": decision.name}
    content |= {"person": "claire", "role": "legal", "entered": NOW.isoformat()} | wrong
    content["decision"] = other.name if "decision" in wrong else decision.name
    desk.ledger.enter("signature", content)
    (found,) = check_decisions(desk.ledger, desk.approvals)
    assert found.why == "the journal names another signer or decision than the signature does"


@pytest.mark.parametrize("author", ["Paul Auteur", None])
def test_a_release_s_clearance_must_name_the_attester_of_the_card_as_its_author(desk, author):
    rights = statement("rights", figures={"verdicts_digest": "a" * 64}, attested_by=author)
    cleared(desk, seen(rights) | {"author": ""}, author=None)
    later = desk.decide("release", "v0", {})
    content = {"file": later.name, "sha256": sha256_bytes(later.read_bytes())}
    desk.ledger.enter("decision", content | {"entered": (NOW + timedelta(days=4)).isoformat()})
    model = statement("model", inputs={"order": {"digest": "c" * 64}})
    found = check_released(desk.ledger, desk.approvals, "v0", [model], {"romans": rights})
    assert ("clear-romans" in {f.file for f in found}) == (author is not None)


def statement(stage, *, attested_by=None, **more):
    declaration = {"declared": {"rights": {"attested_by": attested_by}}}
    return Statement(Subject(stage, "romans", "0" * 64), (), True, declaration, **more)


@pytest.mark.parametrize(
    ("kind", "covers", "more"),
    [
        ("clear", {**SEEN, "author": "Claire Martin"}, {"author": None}),
        ("clear", {**SEEN, "publisher": "Ville de Lyon"}, {}),
        ("clear", {"verdicts": 5}, {}),
        ("override", {"lifts": 5, "documents": None}, {}),
        ("override", {"lifts": ["term-contested"], "author": ""}, {}),
        ("override", {"lifts": ["term-contested"], "publisher": "Ville de Lyon"}, {}),
        ("override", {"lifts": ["term-contested"], "publisher": 5}, {}),
        ("override", {"lifts": ["term-contested"], "documents": "doc-1"}, {}),
        ("revoke", {}, {"expires": "2027-01-01"}),
    ],
)
def test_a_decision_that_contradicts_itself_or_covers_what_it_cannot_is_refused(desk, kind, covers, more):
    decision = desk.decide(kind, covers=covers, **more)
    assert desk.admit() == {decision.name: "this is not a decision"}


def test_a_folder_by_the_name_of_a_signature_is_refused(desk):
    decision = desk.decide()
    folder = desk.approvals / f"{decision.stem}.claire.legal.sig"
    folder.mkdir()
    assert desk.admit() == {folder.name: "this is neither a decision nor a signature"}


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(st.one_of(st.binary(max_size=300), JSON.map(lambda value: json.dumps(value).encode())))
def test_no_bytes_make_anything_but_a_decision_or_an_integrity_error(data):
    try:
        written = Decision.from_bytes(data, "somewhere").to_bytes()
    except IntegrityError:
        written = data
    assert written == data


NOISE = st.binary(max_size=20) | JSON.map(lambda value: json.dumps(value).encode())


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(st.integers(0, 2), st.integers(0, 2_000), NOISE)
def test_no_bytes_in_the_approvals_clear_what_nobody_signed(tmp_path_factory, number, place, noise):
    """A decision that two people signed, one of the three files spoilt; and the spoilt bytes as decisions."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    decision = desk.decide()
    path = [decision, desk.sign(decision, "amir", "data"), desk.sign(decision, "claire", "legal")][number]
    good = path.read_bytes()
    place %= len(good)
    bad = good[:place] + noise + good[place + len(noise) :]
    path.write_bytes(bad)
    for kind in ("clear", "override"):
        (desk.approvals / f"{kind}-romans-{sha256_bytes(bad)[:12]}.json").write_bytes(bad)
    desk.admit()
    found = clearance("romans", SEEN, desk.standing(NOW + timedelta(days=30)))
    assert found.lifts == ()
    assert found.explanation != "cleared" or _reads_the_same(good, bad)


def _reads_the_same(good, bad):
    """White space in the armour of a signature, and what noise left as it was."""
    try:
        return good == bad or parse_sshsig(good, "x.sig") == parse_sshsig(bad, "x.sig")
    except IntegrityError:
        return False


def test_an_override_lifts_its_reasons_until_its_day(desk):
    cleared(desk)
    override = desk.decide(
        "override", covers={"lifts": ["term-contested"], "documents": None}, expires="2026-12-31", reason="x"
    )
    desk.sign(override, "claire", "legal")
    desk.sign(override, "zoe", "governance")
    assert desk.admit() == {}

    def lifts(day):
        return clearance("romans", SEEN, desk.standing(day)).lifts

    assert lifts(NOW + timedelta(days=4)) == (("term-contested", None),)
    assert lifts(datetime(2026, 12, 30, 23, tzinfo=UTC)) == (("term-contested", None),)
    assert lifts(datetime(2026, 12, 31, tzinfo=UTC)) == ()


@pytest.mark.parametrize(
    ("card", "lifts"),
    [
        ({"author": "Paul Auteur", "publisher": ""}, (("term-contested", None),)),
        ({"author": "Paul Auteur", "publisher": "Archives"}, ()),
        ({"author": "Zoé Petit", "publisher": ""}, ()),
    ],
)
@pytest.mark.parametrize("stated", [True, False])
def test_an_override_lifts_nothing_where_the_card_names_others_than_it_does(desk, card, lifts, stated):
    """One that was written by hand could else leave out whose affair it is, and be signed by them."""
    cleared(desk, SEEN | card, author=card["author"], parties=(card["publisher"],))
    said = {"lifts": ["term-contested"], "documents": None}
    said |= {"author": "Paul Auteur", "publisher": ""} if stated else {}
    override = desk.decide("override", covers=said, reason="x")
    desk.sign(override, "claire", "legal")
    desk.sign(override, "zoe", "governance")
    assert desk.admit() == {}
    found = clearance("romans", SEEN | card, desk.standing(NOW + timedelta(days=4)))
    assert (found.explanation, found.lifts) == ("cleared", lifts if stated else ())


def test_an_override_without_a_day_ends_after_a_year(desk):
    override = desk.decide("override", covers={"lifts": ["term-contested"], "documents": None}, reason="x")
    desk.sign(override, "claire", "legal")
    desk.sign(override, "zoe", "governance")
    desk.admit()
    (one,) = desk.standing(NOW + timedelta(days=364))
    assert one.state == "standing"
    (one,) = desk.standing(NOW + timedelta(days=365))
    assert one.state == "expired"


def test_a_decision_about_another_source_clears_nothing(desk):
    decision = desk.decide(subject="sittings")
    desk.sign(decision, "amir", "data")
    desk.sign(decision, "claire", "legal")
    desk.admit()
    assert desk.clearance(NOW + timedelta(days=4)) == "clearance-missing"


def test_a_decision_reads_back_and_no_byte_of_it_is_free(desk):
    path = desk.decide()
    data = path.read_bytes()
    assert Decision.from_bytes(data, "").to_bytes() == data
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            other = Decision.from_bytes(changed, "")
        except IntegrityError:
            continue
        assert other != Decision.from_bytes(data, "")
    assert replace(Decision.from_bytes(data, ""), reason="y").stem != path.stem


def test_the_row_of_a_refused_file_spells_out_what_does_not_print_in_its_name(desk):
    desk.approvals.mkdir(exist_ok=True)
    (desk.approvals / "a\nrefused: nothing\x1b[2J").write_text("")
    assert desk.admit() == {r"a\nrefused: nothing\x1b[2J": "this is neither a decision nor a signature"}
