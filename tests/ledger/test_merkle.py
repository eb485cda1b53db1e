"""The tree is the one of RFC 9162, and a path is good for one leaf at one place under one root."""

import hashlib
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.ledger.merkle import EMPTY, Tree, is_included, leaf_hash, node_hash

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def by_definition(leaves):
    """RFC 9162, 2.1.1, word for word: split at the largest power of two smaller than the number of leaves."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def path_by_definition(index, leaves):
    """RFC 9162, 2.1.3.1."""
    if len(leaves) <= 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*path_by_definition(index, leaves[:k]), by_definition(leaves[k:])]
    return [*path_by_definition(index - k, leaves[k:]), by_definition(leaves[:k])]


def some(count):
    return [i.to_bytes(2, "big") for i in range(count)]


def test_the_roots_of_no_leaf_and_of_one_are_those_of_the_definition():
    assert Tree([]).root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Tree([b""]).root.hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_three_leaves_by_hand_the_odd_one_rises():
    a, b, c = map(leaf_hash, (b"a", b"b", b"c"))
    tree = Tree([b"a", b"b", b"c"])
    assert tree.root == node_hash(node_hash(a, b), c)
    assert tree.path(0) == [b, c]
    assert tree.path(1) == [a, c]
    assert tree.path(2) == [node_hash(a, b)]


def test_the_root_is_that_of_the_recursive_definition_from_0_to_1023_leaves():
    leaves = some(1023)
    for count in range(1024):
        assert Tree(leaves[:count]).root == by_definition(leaves[:count]), count


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 21, 64, 100, 127])
def test_every_path_is_that_of_the_recursive_definition(count):
    leaves = some(count)
    tree = Tree(leaves)
    for index in range(count):
        path = tree.path(index)
        assert path == path_by_definition(index, leaves)
        assert is_included(leaves[index], index, count, path, tree.root)


def test_doubling_the_last_leaf_changes_the_root():
    assert Tree([b"a", b"b", b"c"]).root != Tree([b"a", b"b", b"c", b"c"]).root


def test_a_node_cannot_be_passed_off_as_a_leaf():
    a, b = leaf_hash(b"a"), leaf_hash(b"b")
    tree = Tree([b"a", b"b"])
    assert not is_included(a + b, 0, 1, [], tree.root)


def test_no_leaves_hold_nothing():
    assert Tree([]).root == EMPTY
    assert not is_included(b"", 0, 0, [], EMPTY)
    with pytest.raises(IndexError):
        Tree([]).path(0)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70, unique=True), st.data())
def test_a_path_holds_for_its_leaf_its_place_and_its_root_and_for_no_other(leaves, data):
    tree = Tree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = tree.path(index)
    assert is_included(leaves[index], index, len(leaves), path, tree.root)
    other = data.draw(st.integers(0, len(leaves) - 1).filter(lambda i: i != index) | st.just(-1))
    assert not is_included(leaves[index], other, len(leaves), path, tree.root)
    assert not is_included(leaves[index] + b"\x00", index, len(leaves), path, tree.root)
    assert not is_included(leaves[index], index, len(leaves), [*path, EMPTY], tree.root)
    assert not is_included(leaves[index], index, len(leaves), path, EMPTY)
    if path:
        assert not is_included(leaves[index], index, len(leaves), path[:-1], tree.root)
        at = data.draw(st.integers(0, len(path) - 1))
        flipped = bytes([path[at][0] ^ data.draw(st.integers(1, 255)), *path[at][1:]])
        assert not is_included(
            leaves[index], index, len(leaves), [*path[:at], flipped, *path[at + 1 :]], tree.root
        )
        shorter = [*path[:at], path[at][:-1], *path[at + 1 :]]
        assert not is_included(leaves[index], index, len(leaves), shorter, tree.root)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=40), st.lists(st.binary(max_size=3), max_size=40))
def test_two_lists_have_one_root_only_where_they_are_equal(first, second):
    assert (Tree(first).root == Tree(second).root) == (first == second)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.binary(max_size=70),
    st.integers(-(2**70), 2**70),
    st.integers(-(2**70), 2**70),
    st.lists(st.binary(max_size=40), max_size=80),
    st.binary(max_size=40),
)
def test_any_claim_gets_an_answer(data, index, leaves, path, root):
    assert not is_included(data, index, leaves, path, root)


def test_a_hundred_thousand_leaves_take_under_a_second_of_cpu():
    leaves = [i.to_bytes(32, "big") for i in range(100_000)]
    began = time.process_time()
    assert len(Tree(leaves)) == 100_000
    assert time.process_time() - began < 1
