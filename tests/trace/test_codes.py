"""Codes: bytes that sort as what they stand for, and that no other code begins."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.trace.codes import beginning, encode, make_code


def spelled(codes, lengths) -> list[bytes]:
    return [int(c).to_bytes(int(n), "big") for c, n in zip(codes, lengths, strict=True)]


def check(weights) -> list[bytes]:
    codes = spelled(*make_code(np.array(weights, np.int64)))
    assert codes == sorted(codes)
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))
    return codes


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=700))
def test_codes_stand_in_order_and_none_begins_another(weights):
    codes = check(weights)
    assert max(map(len, codes)) <= (1 if len(codes) <= 256 else 3)


@pytest.mark.parametrize("count", [1, 256, 257, 65_536, 65_537, 300_000])
def test_symbols_of_one_weight_have_as_many_bytes_as_it_takes(count):
    codes = check([1] * count)
    assert sum(map(len, codes)) <= count * next(n for n in range(1, 5) if count <= 256**n)


def test_what_is_frequent_is_short():
    weights = [10**6 // (1 + rank) for rank in np.random.default_rng(1).permutation(40_000)]
    codes = check([max(1, weight) for weight in weights])
    bytes_each = sum(w * len(c) for w, c in zip(weights, codes, strict=True)) / sum(weights)
    assert bytes_each < 1.6


@given(st.lists(st.integers(0, 400), max_size=60))
def test_suffixes_of_codes_sort_as_suffixes_of_symbols(symbols):
    codes, lengths = make_code(1 + np.arange(300)[::-1] ** 3)
    numbers = np.array(symbols, np.uint32)
    # The last code is that of all numbers from there on.
    known = np.minimum(numbers, 299).astype(int)
    out = np.empty(int(lengths[known].sum()), np.uint8)
    begins = np.empty(len(out), np.int32)
    encode(numbers, codes, lengths, out, begins)
    order = np.array(sorted(range(len(out)), key=lambda i: out[i:].tobytes()), np.int64)
    found = np.empty(len(out) + 1, np.int32)
    found = found[: beginning(order, begins, found)]
    assert found.tolist() == sorted(range(len(known)), key=lambda i: known[i:].tolist())
