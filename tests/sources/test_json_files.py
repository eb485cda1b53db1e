"""JSON from outside: strict, and a long list in little memory."""

from __future__ import annotations

import contextlib
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError
from hemicycle.sources import json_files
from hemicycle.sources.json_files import json_objects, json_value, words_of_value

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def objects(path: Path, data: bytes) -> list[tuple[int, dict]]:
    path.write_bytes(data)
    return list(json_objects(path, path.name))


def test_objects_come_one_by_one_with_their_numbers(tmp_path: Path) -> None:
    data = '\ufeff [ {"a": "é"} ,\n{"b": [1, {"c": null}]}]\n'.encode()
    assert objects(tmp_path / "a.json", data) == [(1, {"a": "é"}), (2, {"b": [1, {"c": None}]})]


def test_an_empty_list_holds_nothing(tmp_path: Path) -> None:
    assert objects(tmp_path / "a.json", b" [ ] ") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a list"),
        (b'{"a": 1}', "not a list"),
        (b"[1]", "object 1: this is not an object"),
        (b'[{"a": 1}', "object 1: neither a comma nor the end"),
        (b'[{"a": 1}]]', "after the end"),
        (b'[{"a": 1}, ]', "object 2: this is not an object"),
        (b'[{"a": 1', "object 1: this is not JSON"),
        (b'[{"a": 1, "a": 2}]', "the key 'a' stands twice"),
        (b'[{"a": NaN}]', "NaN is not JSON"),
        (b'[{"a": "\xe9"}]', "not UTF-8"),
        (b'[{"a": "\0"}]', "NUL"),
        (b'[{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'[{"a": ' + b"9" * 10_000 + b"}]", "a number cannot be read"),
    ],
)
def test_what_is_not_a_list_of_objects_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        objects(tmp_path / "a.json", data)


def test_an_object_without_an_end_is_refused_at_the_bound(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(json_files, "MAX_OBJECT", 2**21)
    with pytest.raises(InputError, match="longer than 2 MiB"):
        objects(tmp_path / "a.json", b'[{"a": "' + b"x" * 2**23)


def test_a_long_list_needs_the_memory_of_one_object(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"id": n, "text": "mot " * 2_500} for n in range(3_000)]))
    tracemalloc.start()
    assert sum(len(found["text"]) for _, found in json_objects(path, "a.json")) == 30_000_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 2**20 < path.stat().st_size


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    [(_, found)] = objects(tmp_path / "a.json", b'[{"a": "\\ud800"}]')
    with pytest.raises(InputError, match="half a character"):
        words_of_value(found["a"], "a.json")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=5), st.integers(1, 40))
def test_a_list_reads_as_it_was_written_whatever_the_pieces(tmp_path: Path, written, piece: int) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(written, ensure_ascii=False, indent=1).replace("\0", ""), "utf-8")
    before, json_files._PIECE = json_files._PIECE, piece
    try:
        assert [found for _, found in json_objects(path, "a.json")] == written == json_value(path, "a.json")
    finally:
        json_files._PIECE = before


@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet='[]{}",:\\u0é 1e-NaN\n', max_size=60).map(str.encode) | st.binary(max_size=60))
def test_rubbish_gives_objects_or_an_error(tmp_path: Path, data: bytes) -> None:
    for read in (lambda p: list(json_objects(p, "a.json")), lambda p: json_value(p, "a.json")):
        path = tmp_path / "a.json"
        path.write_bytes(data)
        with contextlib.suppress(HemicycleError):
            read(path)
