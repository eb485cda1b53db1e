"""Complaints: every step in its order, dated, signed by who may; nothing of the complainant in public."""

import contextlib
import csv
import io
import json
import os
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.digests import canonical_json, sha256_bytes
from hemicycle.errors import DeclarationError, HemicycleError, IntegrityError
from hemicycle.governance.complaint_step import deadlines, deadlines_of
from hemicycle.governance.complaints import (
    add_step,
    check_complaint,
    check_complaints,
    granted,
    load_complaint,
    load_complaints,
    next_step,
    open_complaint,
)
from hemicycle.governance.people import parse_governance
from hemicycle.governance.register import write_register
from hemicycle.typeset import flatten
from tests.governance.signing import armour, private_key, public_line, sign

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
OPENED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TODAY = date(2026, 3, 10)
PEOPLE = {"claire": "legal", "amin": "governance", "dana": "data"}
GOVERNANCE = parse_governance(
    "".join(
        f'[people.{who}]\nname = "{who}"\norganisation = "O"\nkeys = ["{public_line(who)}"]\n'
        f'roles = [{{ role = "{role}", from = 2026-01-01, until = 2026-12-31 }}]\n'
        for who, role in PEOPLE.items()
    ).encode(),
    "governance.toml",
)


def opened(folder, **changes):
    asked = {
        "category": "copyright",
        "subject": ["romans:notre-dame"],
        "text": "The edition is not free.",
        "now": OPENED,
        "name": "Jeanne Aubert",
        "contact": "jeanne@example.org",
        "salt": "5a" * 32,
    }
    return open_complaint(folder, **(asked | changes))


def take(complaint, step, who, days, *, role=None, **words):
    """The next step, signed by somebody in the role they hold, some days after the opening."""
    made = next_step(complaint, step, by=who, text="because", now=OPENED + timedelta(days), **words)
    namespace = f"hemicycle-{role or PEOPLE[who]}"
    signature = armour(sign(made.to_bytes(), namespace.encode(), key=private_key(who)))
    return add_step(complaint, made, signature, GOVERNANCE)


def decided(folder, outcome="granted", **words):
    complaint = take(opened(folder), "triage", "amin", 1)
    return take(complaint, "decide", "claire", 3, outcome=outcome, **words)


def test_the_first_step_is_the_year_s_next_number_and_due_for_triage_in_fourteen_days(tmp_path):
    first = opened(tmp_path)
    assert first.folder == tmp_path / "2026-001"
    assert json.loads((first.folder / "01-open.json").read_bytes()) == {
        "complaint": "2026-001",
        "step": "open",
        "number": 1,
        "before": "0" * 64,
        "date": "2026-03-02T09:30:00+00:00",
        "by": None,
        "due": "2026-03-16",
        "text": "The edition is not free.",
        "public": {"category": "copyright", "subject": ["romans:notre-dame"], "outcome": None},
        "private": sha256_bytes((first.folder / "private.json").read_bytes()),
    }
    assert opened(tmp_path).id == "2026-002"
    assert opened(tmp_path, now=datetime(2027, 1, 1, tzinfo=UTC)).id == "2027-001"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["2026-001", "2026-002", "2027-001"]
    assert [c.id for c in load_complaints(tmp_path)] == ["2026-001", "2026-002", "2027-001"]


def test_who_complains_stands_in_a_file_that_git_ignores_and_nowhere_else(tmp_path):
    complaint = decided(tmp_path)
    private = json.loads((complaint.folder / "private.json").read_bytes())
    assert (private["name"], private["contact"]) == ("Jeanne Aubert", "jeanne@example.org")
    assert (complaint.folder / "private.json").stat().st_mode & 0o077 == 0
    assert (complaint.folder / ".gitignore").read_text() == "private.json\n"
    write_register([complaint], tmp_path / "register", TODAY)
    public = [f for f in tmp_path.rglob("*") if f.is_file() and f.name != "private.json"]
    assert public
    assert not [f for f in public if b"Jeanne" in f.read_bytes() or b"jeanne@" in f.read_bytes()]


def test_the_digest_of_the_private_file_cannot_be_guessed_from_a_name(tmp_path):
    one, two = (opened(tmp_path, salt=None).last.private for _ in range(2))
    assert one != two


def test_a_complaint_without_a_name_has_no_private_file(tmp_path):
    complaint = opened(tmp_path, name=None, contact=None)
    assert complaint.last.private is None
    assert not (complaint.folder / "private.json").exists()


def test_a_complaint_taken_to_its_end_stands(tmp_path):
    complaint = take(decided(tmp_path), "close", "amin", 5)
    assert check_complaint(complaint.folder, GOVERNANCE, TODAY) == []
    assert load_complaint(complaint.folder) == complaint
    assert [s.due for s in complaint.steps] == ["2026-03-16", "2026-03-30", "2026-03-19", None]
    assert [s.public.outcome for s in complaint.steps] == [None, None, "granted", "granted"]
    assert complaint.day_of("decide") == date(2026, 3, 5)


def test_what_was_granted_is_to_be_withdrawn_and_nothing_else(tmp_path):
    complaints = [
        decided(tmp_path, subject=["romans:b", "romans:a"]),
        decided(tmp_path, "partly-granted", subject=["an-15"]),
        decided(tmp_path, "refused", subject=["an-16"]),
        take(opened(tmp_path, subject=["an-17"]), "close", "amin", 2, outcome="withdrawn"),
        opened(tmp_path, subject=["textes"]),
    ]
    assert granted(complaints) == ["an-15", "romans:a", "romans:b"]
    assert check_complaints(tmp_path, GOVERNANCE, TODAY) == []


def test_a_complaint_is_overdue_from_the_day_after_its_due_day_until_it_is_closed(tmp_path):
    complaint = opened(tmp_path)
    assert not complaint.overdue(date(2026, 3, 16))
    assert complaint.overdue(date(2026, 3, 17))
    assert not take(complaint, "close", "amin", 40, outcome="withdrawn").overdue(date(2027, 1, 1))


def test_triage_in_february_leaves_less_than_a_month_to_decide(tmp_path):
    complaint = opened(tmp_path, now=datetime(2026, 1, 31, tzinfo=UTC))
    assert deadlines_of(date(2026, 1, 31)).due("triage", date(2026, 1, 31), TODAY) == date(2026, 2, 28)
    assert complaint.last.due == "2026-02-14"


def test_the_deadlines_are_dated_in_order_and_within_a_month():
    assert [d.start for d in deadlines()] == sorted({d.start for d in deadlines()})
    assert all(0 < d.triage < d.decide <= 28 and d.close > 0 for d in deadlines())


@pytest.mark.parametrize(
    ("step", "words", "said"),
    [
        ("decide", {"outcome": "granted"}, "“decide” cannot follow “open”; “triage” or “close” can"),
        ("close", {}, "closed without a decision"),
        ("close", {"outcome": "granted"}, "closed without a decision"),
        ("triage", {"outcome": "granted"}, "has no outcome yet"),
        ("open", {}, "cannot be step 2"),
        ("triage", {"category": "libel"}, "public.category"),
        ("triage", {"subject": ["two\nlines"]}, "one line of plain text"),
        ("triage", {"subject": [""]}, "at least 1 character"),
        ("triage", {"text": ""}, "text: "),
        ("triage", {"text": "\udcff"}, "the text is no text"),
        ("triage", {"by": "Claire M."}, "by: "),
        ("triage", {"now": OPENED - timedelta(seconds=1)}, "before the step before it"),
    ],
)
def test_a_step_out_of_order_or_of_wrong_words_is_not_made(tmp_path, step, words, said):
    complaint = opened(tmp_path)
    with pytest.raises(DeclarationError) as error:
        next_step(complaint, step, **({"by": "amin", "text": "x", "now": OPENED} | words))
    assert said in str(error.value)


def test_what_was_decided_is_not_changed_by_closing(tmp_path):
    complaint = decided(tmp_path, "refused")
    for words in ({"outcome": "granted"}, {"subject": ["an-15"]}, {"category": "other"}):
        with pytest.raises(DeclarationError, match="closing changes what was decided"):
            next_step(complaint, "close", by="amin", text="x", now=OPENED + timedelta(9), **words)
    closed = take(complaint, "close", "claire", 9)
    with pytest.raises(DeclarationError, match="nothing can"):
        next_step(closed, "decide", by="claire", text="x", now=OPENED + timedelta(9), outcome="granted")


@pytest.mark.parametrize(
    ("who", "role", "said"),
    [
        ("amin", "legal", "“amin” did not hold the role legal"),
        ("amin", "governance", "signed for “hemicycle-governance”, not for “hemicycle-legal”"),
        ("dana", "legal", "“dana” did not hold the role legal"),
        ("dana", "data", "signed for “hemicycle-data”"),
        ("stranger", "legal", "a key that governance.toml does not know"),
    ],
)
def test_only_a_lawyer_decides(tmp_path, who, role, said):
    complaint = take(opened(tmp_path), "triage", "claire", 1)
    with pytest.raises(IntegrityError, match=said):
        take(complaint, "decide", who, 2, role=role, outcome="granted")
    assert [f.name for f in complaint.folder.glob("03*")] == []


def test_a_signer_cannot_sign_in_the_name_of_another(tmp_path):
    complaint = opened(tmp_path)
    made = next_step(complaint, "triage", by="amin", text="x", now=OPENED)
    signature = armour(sign(made.to_bytes(), b"hemicycle-legal", key=private_key("claire")))
    with pytest.raises(IntegrityError, match="signed by “claire”, while the step names “amin”"):
        add_step(complaint, made, signature, GOVERNANCE)


def test_a_signer_out_of_office_does_not_count(tmp_path):
    complaint = opened(tmp_path, now=datetime(2027, 1, 4, tzinfo=UTC))
    made = next_step(complaint, "triage", by="amin", text="x", now=datetime(2027, 1, 5, tzinfo=UTC))
    signature = armour(sign(made.to_bytes(), b"hemicycle-governance", key=private_key("amin")))
    with pytest.raises(IntegrityError, match="did not hold the role governance on 2027-01-05"):
        add_step(complaint, made, signature, GOVERNANCE)


def test_a_missing_signature_and_a_broken_chain_are_found(tmp_path):
    complaint = decided(tmp_path)
    (complaint.folder / "02-triage.json.sig").unlink()
    assert check_complaint(complaint.folder, GOVERNANCE, TODAY) == [
        f"{complaint.folder}/02-triage.json.sig: the file is missing"
    ]
    first = complaint.folder / "01-open.json"
    first.write_bytes(first.read_bytes().replace(b"not free", b"very free"))
    broken = "02-triage.json: the chain is broken: it does not name the 01-open.json that is here"
    assert f"{complaint.folder}/{broken}" in check_complaint(complaint.folder, GOVERNANCE, TODAY)
    with pytest.raises(IntegrityError, match="chain is broken"):
        load_complaint(complaint.folder)


def test_a_step_from_tomorrow_is_found(tmp_path):
    complaint = decided(tmp_path)
    assert check_complaint(complaint.folder, GOVERNANCE, date(2026, 3, 4)) == [
        f"{complaint.folder}/03-decide.json: it is dated 2026-03-05, after today"
    ]


def test_a_step_dated_before_the_one_before_is_found_though_it_is_signed(tmp_path):
    complaint = take(opened(tmp_path), "triage", "amin", 2)
    made = next_step(complaint, "decide", by="claire", text="x", now=OPENED + timedelta(3), outcome="refused")
    early = made.model_copy(update={"date": "2026-03-02T09:30:00+00:00"})
    signature = armour(sign(early.to_bytes(), b"hemicycle-legal", key=private_key("claire")))
    (complaint.folder / "03-decide.json").write_bytes(early.to_bytes())
    (complaint.folder / "03-decide.json.sig").write_bytes(signature)
    findings = check_complaint(complaint.folder, GOVERNANCE, TODAY)
    assert any("before the step before it" in finding for finding in findings)


def test_a_deadline_given_away_by_hand_is_found(tmp_path):
    complaint = opened(tmp_path)
    path = complaint.folder / "01-open.json"
    path.write_bytes(path.read_bytes().replace(b"2026-03-16", b"2036-03-16"))
    (finding,) = check_complaint(complaint.folder, GOVERNANCE, TODAY)
    assert finding.endswith("it is due on 2036-03-16; the deadlines say 2026-03-16 at the latest")


def test_the_private_file_may_be_gone_but_not_changed_or_published(tmp_path):
    complaint = opened(tmp_path)
    private = complaint.folder / "private.json"
    (complaint.folder / ".gitignore").unlink()
    (finding,) = check_complaint(complaint.folder, GOVERNANCE, TODAY)
    assert "would be published" in finding
    (complaint.folder / ".gitignore").write_text("private.json\n")
    private.write_bytes(private.read_bytes().replace(b"Jeanne", b"Jeannine"))
    (finding,) = check_complaint(complaint.folder, GOVERNANCE, TODAY)
    assert "it is not what the first step names" in finding
    private.unlink()
    assert check_complaint(complaint.folder, GOVERNANCE, TODAY) == []


def test_strays_links_and_pipes_are_found_and_not_followed(tmp_path):
    complaint = opened(tmp_path, name=None, contact=None)
    (complaint.folder / "01-open.json.sig").write_bytes(b"")
    (complaint.folder / "notes.txt").write_bytes(b"")
    os.mkfifo(complaint.folder / "02-triage.json")
    (complaint.folder / "03-decide.json").symlink_to("/dev/zero")
    os.mkfifo(complaint.folder / "private.json")
    findings = check_complaint(complaint.folder, GOVERNANCE, TODAY)
    told = {f.removeprefix(f"{complaint.folder}/") for f in findings}
    assert told == {
        "01-open.json.sig: this does not belong here",
        "notes.txt: this does not belong here",
        "02-triage.json: this is not a plain file",
        "03-decide.json: this is not a plain file",
        "private.json: this is not a plain file",
    }


def test_a_complaint_that_was_taken_away_leaves_a_gap(tmp_path):
    for _ in range(3):
        opened(tmp_path, name=None, contact=None)
    for file in (tmp_path / "2026-002").iterdir():
        file.unlink()
    (tmp_path / "2026-002").rename(tmp_path / "elsewhere")
    assert check_complaints(tmp_path, GOVERNANCE, TODAY) == [
        f"{tmp_path}: complaint 2026-002 is missing",
        f"{tmp_path}/elsewhere: this does not belong here",
    ]


def test_a_complaint_under_another_number_is_found(tmp_path):
    complaint = opened(tmp_path, name=None, contact=None)
    complaint.folder.rename(tmp_path / "2026-007")
    findings = check_complaint(tmp_path / "2026-007", GOVERNANCE, TODAY)
    assert findings == [f"{tmp_path}/2026-007/01-open.json: it belongs to complaint 2026-001"]


def test_an_empty_folder_is_no_complaint(tmp_path):
    (tmp_path / "2026-001").mkdir()
    assert check_complaints(tmp_path, GOVERNANCE, TODAY) == [
        f"{tmp_path}/2026-001/01-open.json: there is no complaint here: the first step is missing"
    ]
    assert check_complaints(tmp_path / "nowhere", GOVERNANCE, TODAY) == []


STEP = {
    "complaint": "2026-001",
    "step": "open",
    "number": 1,
    "before": "0" * 64,
    "date": "2026-03-02T09:30:00+00:00",
    "by": None,
    "due": "2026-03-16",
    "text": "x",
    "public": {"category": "other", "subject": ["a"], "outcome": None},
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
def test_hostile_steps_are_findings_and_nothing_else(tmp_path, data):
    folder = tmp_path / "2026-001"
    folder.mkdir()
    (folder / "01-open.json").write_bytes(canonical_json(STEP) + b"\n")
    assert check_complaint(folder, GOVERNANCE, TODAY) == []
    (folder / "01-open.json").write_bytes(data)
    assert check_complaint(folder, GOVERNANCE, TODAY)
    with pytest.raises(IntegrityError):
        load_complaint(folder)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_a_signed_complaint_can_change_unseen(tmp_path, data):
    folder = tmp_path / "2026-001"
    if not folder.exists():
        take(decided(tmp_path), "close", "amin", 5)
    file = data.draw(st.sampled_from(sorted(f.name for f in folder.iterdir() if f.name != ".gitignore")))
    whole = (folder / file).read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    kept = data.draw(st.integers(at, len(whole)))
    changed = whole[:at] + data.draw(st.binary(max_size=6)) + whole[kept:]
    try:
        (folder / file).write_bytes(changed)
        found = check_complaint(folder, GOVERNANCE, TODAY)
        # The one freedom there is: how the lines of an armoured signature are broken.
        broken_otherwise = file.endswith(".sig") and changed.split() == whole.split()
        assert bool(found) == (changed != whole) or broken_otherwise or _same_armour(changed, whole)
        with contextlib.suppress(HemicycleError):
            load_complaint(folder)
    finally:
        (folder / file).write_bytes(whole)


def _same_armour(one, other):
    return b"SIGNATURE" in other and b"".join(one.split()) == b"".join(other.split())


HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "@SUM(A1)",
    "＝1+1",
    "-1",
    "é&“»",
]


def test_the_register_shows_outcomes_and_delays_and_runs_nothing(tmp_path):
    first = decided(tmp_path, "partly-granted", subject=HOSTILE)
    second = opened(tmp_path, category="opt-out")
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
        "overdue",
        "en retard",
        "2 March 2026",
        "2 mars 2026",
    ):
        assert words in page
    assert "The edition is not free" not in page
    assert "claire" not in page


def test_no_cell_of_the_register_s_table_is_a_formula(tmp_path):
    write_register([decided(tmp_path, subject=HOSTILE)], tmp_path / "register", TODAY)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "register" / "complaints.csv").read_text("utf-8"))))
    (row,) = rows
    assert row["subject"].startswith("<script>alert(1)</script> | '=HYPERLINK")
    assert not [p for p in row["subject"].split(" | ") if p[0] in "=+-@＝＋－＠"]
    assert (row["complaint"], row["opened"], row["decided"], row["closed"]) == (
        "2026-001",
        "2026-03-02",
        "2026-03-05",
        "",
    )
    assert (row["outcome"], row["due"], row["overdue"]) == ("granted", "2026-03-19", "no")


def test_equal_complaints_make_an_equal_register(tmp_path):
    complaints = [decided(tmp_path), opened(tmp_path)]
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
    try:
        complaint = opened(tmp_path, subject=subjects, name=None, contact=None)
    except DeclarationError:
        return
    write_register([complaint], tmp_path / "register", TODAY)
    (row,) = csv.DictReader(io.StringIO((tmp_path / "register" / "complaints.csv").read_text("utf-8")))
    assert row["subject"][0] not in "=+-@\t\r＝＋－＠"
    seen = Tags()
    seen.feed((tmp_path / "register" / "index.html").read_text("utf-8"))
    assert seen.tags <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "nav",
        "a",
        "main",
        "section",
        "h1",
    } | {
        "p",
        "h2",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "br",
        "strong",
        "time",
    }
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
