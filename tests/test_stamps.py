"""A stamp is believed only where a change would show by another."""

import os

import pytest

from hemicycle.ledger import Statement, Subject
from hemicycle.stamps import COARSEST_STEP_NS, Stamps, settled, stamp_of
from hemicycle.store import digest_files

SECOND = 10**9


def statement_about(folder, name="a"):
    return Statement(Subject("stage", name, "0" * 64), tuple(digest_files(folder)), True, None)


def test_a_stamp_younger_than_a_step_of_the_clock_is_not_believed():
    stamp = [1, 100 * SECOND, 100 * SECOND, 7]
    assert not settled(stamp, 100 * SECOND)
    assert not settled(stamp, 100 * SECOND + COARSEST_STEP_NS)
    assert settled(stamp, 100 * SECOND + COARSEST_STEP_NS + 1)


def test_a_stamp_from_the_future_is_not_believed():
    assert not settled([1, 10**20, 100 * SECOND, 7], 200 * SECOND)


def test_a_file_whose_old_time_was_set_back_has_another_stamp(tmp_path):
    file = tmp_path / "file"
    file.write_text("one")
    os.utime(file, ns=(10**18, 10**18))
    before = stamp_of(file)
    file.write_text("two")
    os.utime(file, ns=(10**18, 10**18))
    after = stamp_of(file)
    assert after[:2] == before[:2]
    assert after != before


def test_what_is_remembered_of_one_artefact_says_nothing_of_another(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "one" / "file").write_text("one")
    (tmp_path / "two" / "file").write_text("two")
    stamps = Stamps(tmp_path / "cache")
    one, two = statement_about(tmp_path / "one"), statement_about(tmp_path / "two")
    stamps.keep(one, {"file": [3, 1, 1, 7]}, 10**18)
    assert stamps.known(one) == {"file": [3, 1, 1, 7]}
    assert stamps.known(two) == {}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', b'{"version":1,"artefact":"x","files":[]}', b"\xff"]
)
def test_a_damaged_cache_remembers_nothing(tmp_path, content):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_text("one")
    stamps, about = Stamps(tmp_path / "cache"), statement_about(tmp_path / "one")
    stamps.keep(about, {"file": [3, 1, 1, 7]}, 10**18)
    (cache,) = (p for p in (tmp_path / "cache").rglob("*") if p.is_file())
    cache.write_bytes(content)
    assert stamps.known(about) == {}


def test_a_cache_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    (tmp_path / "one").mkdir()
    Stamps(tmp_path / "cache").keep(statement_about(tmp_path / "one"), {"file": [3, 1, 1, 7]}, 10**18)
