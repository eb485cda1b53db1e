"""Packing loses no token, cuts what it says it cuts, and fills rows as well as a plain best fit does."""

from bisect import bisect_left, insort

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hemicycle.tokens import packing
from hemicycle.tokens.packing import pack

lengths = st.lists(st.integers(1, 120), min_size=1, max_size=80)


def packed(sizes, context, fill, apart=0):
    """Documents of the given sizes, `apart` addresses between one and the next, packed."""
    tokens = np.array(sizes, np.int64)
    begins = np.cumsum(tokens + apart) - tokens
    return begins, tokens, pack(begins, tokens, context, fill=fill)


def rows_of(made):
    return [
        list(zip(made.begins[a:b].tolist(), made.tokens[a:b].tolist(), strict=True))
        for a, b in zip(made.bounds[:-1], made.bounds[1:], strict=True)
    ]


@settings(max_examples=200, deadline=None)
@given(
    sizes=lengths, context=st.integers(1, 50), fill=st.booleans(), at_once=st.sampled_from([1, 7, 1 << 22])
)
@example(sizes=[52, 51, 103], context=50, fill=False, at_once=1 << 22)
def test_every_token_but_a_first_is_a_target_once_and_rows_have_room(sizes, context, fill, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "PACKED_TOGETHER", at_once)
        begins, tokens, made = packed(sizes, context, fill, apart=3)
    targets, seen = [], set()
    for row in rows_of(made):
        assert row
        assert sum(n for _, n in row) <= context + 1
        for begin, n in row:
            document = int(np.searchsorted(begins, begin, side="right")) - 1
            assert begin + n <= begins[document] + tokens[document], "a piece is of one document"
            targets += range(begin + 1, begin + n)
            seen |= set(range(begin, begin + n))
    every = {a for b, n in zip(begins.tolist(), sizes, strict=True) for a in range(b, b + n)}
    assert seen == every
    assert sorted(targets) == sorted(every - set(begins.tolist()))


@settings(max_examples=200, deadline=None)
@given(sizes=lengths, context=st.integers(1, 50))
def test_whole_cuts_no_document_that_fits_and_a_longer_one_as_seldom_as_can_be(sizes, context):
    begins, tokens, made = packed(sizes, context, fill=False)
    pieces = np.bincount(np.searchsorted(begins, made.begins, side="right") - 1)
    assert pieces.tolist() == [max(1, -(-(n - 1) // context)) for n in sizes]
    assert made.cut == (tokens > context + 1).sum()


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 51), min_size=1, max_size=80))
def test_whole_takes_as_many_rows_as_a_best_fit_by_search(sizes):
    _, _, made = packed(sizes, 50, fill=False)
    rooms, rows = [], 0
    for size in sorted(sizes, reverse=True):
        at = bisect_left(rooms, size)
        if at < len(rooms):
            insort(rooms, rooms.pop(at) - size)
        else:
            rows += 1
            insort(rooms, 51 - size)
    assert len(made.bounds) - 1 == rows


@settings(max_examples=200, deadline=None)
@given(sizes=lengths, context=st.integers(1, 400))
def test_best_fit_leaves_less_than_a_32nd_of_any_row_but_one_and_cuts_few(sizes, context):
    begins, _, made = packed(sizes, context, fill=True)
    rooms = sorted(context + 1 - sum(n for _, n in row) for row in rows_of(made))
    assert all(room < max(2, (context + 1) // packing.SMALLEST_ROOM) for room in rooms[:-1])
    assert len(made.bounds) <= len(packed(sizes, context, fill=False)[2].bounds)
    pieces = np.bincount(np.searchsorted(begins, made.begins, side="right") - 1)
    assert made.cut == (pieces > 1).sum()


def test_documents_of_two_thirds_of_a_row_show_what_each_packing_is_for():
    # 300 documents of 20 in rows of 30: alone each wastes a third; filled up, two rows hold three.
    _, _, whole = packed([20] * 300, 29, fill=False)
    _, _, filled = packed([20] * 300, 29, fill=True)
    assert (len(whole.bounds) - 1, whole.cut) == (300, 0)
    rows = len(filled.bounds) - 1
    assert rows < 210
    assert 0 < filled.cut <= rows / 2 + 1


def test_many_documents_fill_rows_to_a_thousandth():
    sizes = np.random.default_rng(0).lognormal(5, 1, 20_000).astype(np.int64) + 2
    _, _, made = packed(sizes, 2048, fill=False)
    held = np.add.reduceat(made.tokens, made.bounds[:-1])
    assert 1 - held.sum() / (2049 * len(held)) < 0.001
