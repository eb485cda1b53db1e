"""The journal finds whatever was done to it."""

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.digests import canonical_json
from hemicycle.errors import IntegrityError
from hemicycle.ledger import Journal, Ledger, Subject
from hemicycle.ledger.verify import check_ledger


def journal_of(path, count):
    journal = Journal(path)
    for i in range(count):
        journal.append("note", {"n": i, "text": "séance n° 1"})
    return journal


def test_an_untouched_journal_reads_back(tmp_path):
    journal = journal_of(tmp_path / "j", 5)
    assert [line.content["n"] for line in journal.lines()] == list(range(5))
    assert journal.head == journal.lines()[-1].digest


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_changed_byte_is_found_wherever_it_is(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("j") / "j"
    journal = journal_of(path, 4)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert journal.read()[1], f"byte {place} was changed unseen"


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_line_taken_out_of_the_middle_is_found(tmp_path, number):
    journal = journal_of(tmp_path / "j", 4)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    del lines[number]
    journal.path.write_bytes(b"".join(lines))
    with pytest.raises(IntegrityError):
        journal.lines()


def test_a_line_slipped_in_with_a_right_digest_is_a_second_head(tmp_path):
    journal = journal_of(tmp_path / "j", 3)
    second = journal.lines()[1].digest
    forged = Journal(tmp_path / "forged")
    forged.append("note", {"n": "forged"}, heads=(second,))
    lines = journal.path.read_bytes().splitlines(keepends=True)
    lines.insert(2, forged.path.read_bytes())
    journal.path.write_bytes(b"".join(lines))
    assert "not the last" in journal.read()[1][0][1]


def test_a_line_put_twice_is_found(tmp_path):
    journal = journal_of(tmp_path / "j", 2)
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join([*lines, lines[-1]]))
    assert journal.read()[1]


def test_a_tail_cut_off_by_a_crash_is_mended_and_nothing_whole_is_lost(tmp_path):
    whole = journal_of(tmp_path / "whole", 3).path.read_bytes()
    ends = [i + 1 for i, b in enumerate(whole) if b == 10]
    for cut in range(ends[1] + 1, len(whole)):
        journal = Journal(tmp_path / "j")
        journal.path.write_bytes(whole[:cut])
        assert journal.mend_torn_tail()
        kept = len(journal.lines())
        assert kept == (3 if cut == len(whole) - 1 else 2)


def copies(tmp_path, ours_more, theirs_more):
    """Two ledgers' journals that began alike and went on by so many lines."""
    ours = journal_of(tmp_path / "a", 2)
    theirs = Journal(tmp_path / "b")
    theirs.path.write_bytes(ours.path.read_bytes())
    for journal, count in ((ours, ours_more), (theirs, theirs_more)):
        for i in range(count):
            journal.append("note", {"n": i, "in": journal.path.name})
    return ours, theirs


def test_two_copies_that_went_on_apart_are_joined_by_a_line_naming_both_heads(tmp_path):
    ours, theirs = copies(tmp_path, 1, 2)
    heads = (ours.head, theirs.head)
    lines = ours.lines_to_join(theirs)
    ours.write(lines)
    last = ours.lines()[-1]
    assert (len(lines), last.kind, last.heads) == (3, "merge", heads)
    assert ours.lines_to_join(theirs) == [], "merging again changes nothing"


def test_a_copy_that_only_went_on_needs_no_merge_line(tmp_path):
    ours, theirs = copies(tmp_path, 0, 1)
    ours.write(ours.lines_to_join(theirs))
    assert ours.path.read_bytes() == theirs.path.read_bytes()


def test_journals_of_two_projects_do_not_merge(tmp_path):
    ours, theirs = Journal(tmp_path / "a"), Journal(tmp_path / "b")
    ours.append("note", {"n": 1})
    theirs.append("note", {"n": 2})
    with pytest.raises(IntegrityError, match="different projects"):
        ours.lines_to_join(theirs)


def ledger_of(folder):
    ledger = Ledger(folder / "ledger", folder / "key")
    for n in range(3):
        ledger.note_dropped([Subject("stage", f"x{n}", "0" * 64)])
    return ledger


def test_a_line_signed_for_but_not_yet_written_is_written_at_the_next_start(tmp_path):
    ledger = ledger_of(tmp_path)
    whole = ledger.journal.path.read_bytes()
    for cut in range(whole.rindex(b"\n", 0, -1) + 1, len(whole)):
        ledger.journal.path.write_bytes(whole[:cut])
        ledger.recover()
        assert ledger.journal.path.read_bytes() == whole


def test_two_lost_lines_or_a_line_more_than_was_signed_for_are_refused(tmp_path):
    ledger = ledger_of(tmp_path)
    whole = ledger.journal.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ledger.journal.path.write_bytes(b"".join(lines[:-2]))
    with pytest.raises(IntegrityError, match="tail was lost"):
        ledger.recover()
    ledger.journal.path.write_bytes(whole)
    ledger.journal.append("statement", {"file": "forged.json", "sha256": "0"})
    with pytest.raises(IntegrityError, match="added to"):
        ledger.recover()
    findings, _ = check_ledger(ledger)
    assert any("after the signed head" in f.what for f in findings)


def test_a_merge_that_was_interrupted_is_finished_at_the_next_start(tmp_path):
    ours = ledger_of(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    theirs = Ledger(tmp_path / "b" / "ledger", tmp_path / "b" / "key")
    ours.note_dropped([Subject("stage", "ours", "0" * 64)])
    theirs.note_dropped([Subject("stage", "theirs", "0" * 64)])
    before = ours.journal.path.read_bytes()
    ours.merge(theirs.journal)
    merged = ours.journal.path.read_bytes()
    for cut in range(len(before), len(merged)):
        ours.journal.path.write_bytes(merged[:cut])
        ours.recover()
        assert ours.journal.path.read_bytes() == merged


def test_a_line_of_deeply_nested_json_is_a_finding_and_no_crash(tmp_path):
    journal = journal_of(tmp_path / "j", 1)
    with journal.path.open("ab") as f:
        f.write(b"[" * 100_000 + b"\n" + json.dumps({"kind": 1}).encode() + b"\n")
    assert len(journal.read()[1]) == 2


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "statement", "before": [["x"]], "content": {}, "digest": "0"},
        {"kind": "statement", "before": ["0" * 64], "content": [], "digest": "0"},
        {"kind": 3, "before": ["0" * 64], "content": {}, "digest": 4},
        {"kind": "statement", "before": {}, "content": {}, "digest": None},
        [],
    ],
)
def test_nonsense_in_a_line_is_a_finding(tmp_path, line):
    (tmp_path / "j").write_bytes(canonical_json(line) + b"\n")
    assert Journal(tmp_path / "j").read()[1]


def test_a_journal_that_names_a_statement_outside_the_ledger_is_refused(tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    ledger = Ledger(tmp_path / "ledger")
    ledger.journal.append("statement", {"file": "../../secret.json", "sha256": "0"})
    with pytest.raises(IntegrityError, match="outside the ledger"):
        ledger.current()
