"""People and roles: a file that a lawyer can read, and that cannot say two things."""

import contextlib
import os
from datetime import UTC, date, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError
from hemicycle.governance.people import (
    ROLES,
    Office,
    Person,
    add_person,
    load_governance,
    new_governance,
    parse_governance,
)
from hemicycle.governance.rules import load_rules
from hemicycle.ledger.signatures import PublicKey
from tests.governance.signing import public_line as key

TOGETHER = load_rules("default").together
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


FILE = f"""\
rules = "default"
[people.claire]
name = "Claire Martin"
organisation = "Université de Lorraine"
keys = ["{key("claire")} claire@laptop"]
roles = [{{ role = "legal", rank = "lead", from = 2026-01-01, until = 2027-12-31 }}]

[people.amin]
name = "Amin Diallo"
organisation = "Une association"
keys = ["{key("amin")}", "{key("amin, old")} amin@old"]
roles = [
  {{ role = "data", from = 2026-03-01 }},
  {{ role = "model", rank = "member", from = 2026-03-01 }},
  {{ role = "model", rank = "colead", from = 2026-06-01, until = 2026-06-30 }},
]
"""


def governance(text=FILE):
    return parse_governance(text.encode(), "governance.toml")


def test_a_role_is_held_from_its_first_day_to_its_last_both_included():
    claire = governance().people["claire"]
    held = [claire.holds("legal", date(*day)) for day in [(2025, 12, 31), (2026, 1, 1)]]
    assert held == [None, "lead"]
    held = [claire.holds("legal", date(*day)) for day in [(2027, 12, 31), (2028, 1, 1)]]
    assert held == ["lead", None]
    assert claire.holds("data", date(2026, 5, 1)) is None


def test_a_rank_that_is_not_named_is_lead_and_the_highest_of_two_counts():
    amin = governance().people["amin"]
    assert amin.holds("data", date(2030, 1, 1)) == "lead"
    assert amin.holds("model", date(2026, 5, 31)) == "member"
    assert amin.holds("model", date(2026, 6, 15)) == "colead"


def test_a_moment_counts_as_its_day_in_utc():
    claire = governance().people["claire"]
    eve_in_paris = datetime.fromisoformat("2026-01-01T00:30:00+01:00")
    assert claire.holds("legal", eve_in_paris) is None
    assert claire.holds("legal", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)) == "lead"


def test_a_key_leads_to_its_one_holder_whatever_its_comment():
    declared = governance()
    assert declared.holder(PublicKey.parse(key("amin, old").encode(), "x")).id == "amin"
    assert declared.holder(PublicKey.parse(key("claire").encode() + b" other words", "x")).id == "claire"
    assert declared.holder(PublicKey.parse(key("a stranger").encode(), "x")) is None


def test_two_people_may_share_a_role():
    text = FILE.replace('role = "data", from', 'role = "legal", from')
    people = governance(text).people.values()
    assert [p.holds("legal", date(2026, 5, 1)) for p in people] == ["lead", "lead"]


def test_a_key_of_two_people_is_refused():
    with pytest.raises(DeclarationError, match="stands twice, with “claire” and with “amin”"):
        governance(FILE.replace(key("amin, old"), key("claire")))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("organisation =", "organization =", "Did you mean “organisation”?"),
        ("rules =", "rule =", "Did you mean “rules”?"),
        ("from = 2026-01-01", "form = 2026-01-01", "unknown key “form”. Did you mean “from”?"),
        ("from = 2026-01-01, ", "", "“from” is missing"),
        ("from = 2026-01-01", 'from = "2026-01-01"', "must be a day such as 2026-01-31"),
        ("from = 2026-01-01", "from = 0", "must be a day such as 2026-01-31"),
        ("from = 2026-01-01", "from = 2028-01-01", "ends on 2027-12-31, before it begins"),
        ('role = "legal"', 'role = "law"', "'legal'"),
        ('rank = "lead"', 'rank = "chief"', "'lead', 'colead' or 'member'"),
        ("[people.claire]", "[people.Claire]", "must be a name of lower-case letters"),
        ('name = "Claire Martin"', 'name = ""', "must not be empty"),
        ('name = "Claire Martin"', 'name = "Claire\\nMartin"', "one line of plain text"),
        ('name = "Claire Martin"', 'name = "\\u202eClaire"', "one line of plain text"),
        ('name = "Claire Martin"\n', "", "people.claire.name” is missing"),
        ('organisation = "Université de Lorraine"\n', "", "people.claire.organisation” is missing"),
        (key("claire"), "ssh-ed25519 AAAA", "not an OpenSSH public key"),
        (key("claire"), "~/.ssh/id_ed25519.pub", "not the one line of an OpenSSH public key"),
        (key("claire"), f"sk-{key('claire')}", "on a security key"),
        (key("claire"), key("claire") + "\\n" + key("amin"), "is not the one line"),
        (key("claire"), "", "is not the one line"),
        ("[people.claire]", "[[people]]", "people: must be a table"),
        (FILE, "people = 3", "people: must be a table"),
        ("roles = [{", "roles = [[{", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_meant(old, new, said):
    assert old in FILE
    with pytest.raises(DeclarationError) as error:
        governance(FILE.replace(old, new, 1))
    assert said in str(error.value)
    assert error.value.place.startswith("governance.toml")


def test_a_key_of_another_kind_is_refused_by_its_name():
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    with pytest.raises(DeclarationError, match="ecdsa-sha2-nistp256"):
        governance(FILE.replace(key("claire"), line))


def test_the_line_of_the_mistake_is_named(tmp_path):
    path = tmp_path / "governance.toml"
    path.write_text(FILE.replace("Amin Diallo", ""), "utf-8")
    with pytest.raises(DeclarationError) as error:
        load_governance(path)
    assert error.value.place == f"{path}, line 9"


def test_a_file_that_is_not_there_or_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(DeclarationError, match="does not exist"):
        load_governance(tmp_path / "governance.toml")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(DeclarationError, match="not a plain file"):
            load_governance(path)


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xff",
        b"rules = " + b"9" * 5_000,
        b"rules = " + b"[" * 100_000,
        b".".join([b"a"] * 60_000) + b" = 1",
        b"#" * (1 << 20),
        b"[people." + b"a" * 1_000 + b"]",
        b"rules = nan",
        b'people.claire.roles = [3, "x", {from = 2026-01-01}]',
    ],
)
def test_hostile_files_are_refused_at_once(hostile):
    with pytest.raises(DeclarationError):
        parse_governance(hostile, "governance.toml")


@settings(max_examples=FUZZ, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_a_traceback(data):
    text = FILE.encode()
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, len(text)))
    damaged = text[:at] + data.draw(st.binary(max_size=8)) + text[end:]
    with contextlib.suppress(DeclarationError):
        assert parse_governance(damaged, "x").gaps(date(2026, 5, 1), TOGETHER)


days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@settings(max_examples=FUZZ, deadline=None)
@given(start=days, end=days, on=days)
def test_holding_a_role_is_being_between_its_days(start, end, on):
    held = Person("p", "P", "O", (), (Office("data", "colead", start, end),)).holds("data", on)
    assert (held == "colead") == (start <= on <= end)


def test_gaps_name_roles_without_a_head_and_people_whose_roles_ended():
    gaps = governance().gaps(date(2028, 1, 1), TOGETHER)
    assert "legal has neither a lead nor a colead" in gaps
    assert "model has neither a lead nor a colead" in gaps
    assert "data has neither a lead nor a colead" not in gaps
    assert "Claire Martin holds no role any more: the last one ended on 2027-12-31" in gaps


def test_one_person_in_two_roles_that_sign_together_is_a_gap_once():
    text = FILE.replace('role = "data", from', 'role = "legal", from')
    gaps = governance(text).gaps(date(2026, 5, 1), TOGETHER)
    assert [g for g in gaps if "must be" in g] == [
        "Amin Diallo holds model and legal, which sign together and must be different people"
    ]
    assert not [g for g in governance().gaps(date(2026, 5, 1), TOGETHER) if "must be" in g]


def test_people_without_a_key_or_a_role_are_gaps():
    text = '[people.eve]\nname = "Ève"\norganisation = "aucune"\nkeys = []\n'
    assert governance(text).gaps(date(2026, 5, 1), TOGETHER)[-2:] == [
        "Ève has no key and cannot sign",
        "Ève holds no role",
    ]


def test_a_full_house_has_no_gaps():
    text = "".join(
        f'[people.p{n}]\nname = "P {n}"\norganisation = "O"\nkeys = ["{key(role)}"]\n'
        f'roles = [{{ role = "{role}", from = 2026-01-01 }}]\n'
        for n, role in enumerate(ROLES)
    )
    assert governance(text).gaps(date(2026, 5, 1), TOGETHER) == []


def test_a_new_file_names_nobody_and_a_person_added_keeps_its_comments(tmp_path):
    path = tmp_path / "governance.toml"
    new_governance(path)
    assert load_governance(path).people == {}
    with pytest.raises(DeclarationError, match="exists already"):
        new_governance(path)
    before = path.read_bytes()
    office = Office("legal", "lead", date(2026, 1, 1), date(2027, 12, 31))
    for person in ("claire", "amin"):
        add_person(
            path, person, name=f"“{person}”", organisation='A "B"', keys=[key(person)], offices=[office]
        )
    assert path.read_bytes().startswith(before)
    claire = load_governance(path).people["claire"]
    assert (claire.name, claire.organisation, claire.offices) == ("“claire”", 'A "B"', (office,))
    assert list(load_governance(path).people) == ["claire", "amin"]


@pytest.mark.parametrize(
    ("person", "name", "keys", "said"),
    [
        ("claire", "Claire", [key("new")], "is there already"),
        ("eve", "Eve", [key("claire")], "stands twice"),
        ("eve", "", [key("new")], "must not be empty"),
        ("Eve", "Eve", [key("new")], "must be a name of lower-case letters"),
        ("eve", "Eve", ["ssh-rsa AAAA"], "only ssh-ed25519"),
        ("eve", "\udcff", [key("new")], "no text"),
    ],
)
def test_adding_what_is_wrong_leaves_the_file_alone(tmp_path, person, name, keys, said):
    path = tmp_path / "governance.toml"
    path.write_text(FILE.rstrip("\n"), "utf-8")
    with pytest.raises(DeclarationError, match=said):
        add_person(path, person, name=name, organisation="O", keys=keys)
    assert path.read_text("utf-8") == FILE.rstrip("\n")


def test_a_file_without_a_last_line_end_can_be_added_to(tmp_path):
    path = tmp_path / "governance.toml"
    path.write_text(FILE.rstrip("\n"), "utf-8")
    added = add_person(path, "eve", name="Ève", organisation="O", keys=[key("eve")])
    assert list(added.people) == ["claire", "amin", "eve"]
    assert path.read_text("utf-8").startswith(FILE)
