"""What goes is a near copy of what stays, and the order of rows has no say in it."""

import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import twins
from hemicycle.curate.near import BANDS, COLUMN, TYPE, VALUES, signatures, to_arrow
from hemicycle.curate.twins import (
    AGREE,
    band_pairs,
    equal_pairs,
    join,
    near_duplicates,
    portions,
    settle,
)
from hemicycle.documents import write_parquet
from hemicycle.errors import InputError

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
SCHEMA = pa.schema([pa.field(COLUMN, TYPE)])


def drifting(count, seed, length=60):
    """Signatures of texts in chains: each a few words away from one before it, or new, or empty."""
    random = np.random.default_rng(seed)
    texts = []
    for _ in range(count):
        kind = random.random()
        if texts and kind < 0.6:
            text = texts[random.integers(len(texts))].copy()
            for _ in range(random.integers(0, 3)):
                text[random.integers(len(text))] = random.integers(1, 2**63)
        elif kind < 0.65:
            text = np.zeros(length, np.uint64)
        else:
            text = random.integers(1, 2**63, length).astype(np.uint64)
        texts.append(text)
    return signatures(np.concatenate(texts), np.arange(0, count * length + 1, length))


def write(folder, keys, cuts=()):
    files = []
    for i, part in enumerate(np.split(keys, sorted(cuts))):
        files.append(folder / f"{i}.parquet")
        groups = [part[:7], part[7:]]
        write_parquet(files[-1], SCHEMA, [pa.table([to_arrow(g)], schema=SCHEMA) for g in groups])
    return files


def found(folder, keys, places, cuts=(), takes_part=None):
    order = np.argsort(places)
    if takes_part is not None:
        order = order[takes_part[order]]
    return near_duplicates(write(folder, keys, cuts), order, folder / "scratch")


def by_the_definition(keys, places, takes_part):
    """Every row in turn against every kept one."""
    twin = np.full(len(keys), -1)
    kept = []
    for row in np.argsort(places):
        if not takes_part[row]:
            continue
        alike = [
            (-int((keys[row].view(np.uint8) == keys[other].view(np.uint8)).sum()), places[other], other)
            for other in kept
            if ((keys[row] == keys[other]) & (keys[row] > 0)).any()
        ]
        alike = [a for a in alike if -a[0] >= AGREE]
        if alike:
            twin[row] = min(alike)[2]
        else:
            kept.append(row)
    return twin


@settings(max_examples=max(20, EXAMPLES // 5), deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_what_goes_is_what_the_definition_says_in_any_order_and_any_cut(tmp_path_factory, seed, data):
    count = 60
    keys = drifting(count, seed)
    random = np.random.default_rng(seed + 1)
    places, takes_part = random.permutation(count), random.random(count) < 0.9
    expected = by_the_definition(keys, places, takes_part)
    shuffle = np.array(data.draw(st.permutations(range(count))))
    cuts = data.draw(st.lists(st.integers(0, count), max_size=3))
    result = found(tmp_path_factory.mktemp("near"), keys[shuffle], places[shuffle], cuts, takes_part[shuffle])
    back = np.where(result < 0, -1, shuffle[result])
    assert (back == expected[shuffle]).all()
    # A row that goes has a twin that stays.
    assert (result[result[result >= 0]] == -1).all()


def test_the_samples_of_chains_do_have_rows_that_go_and_chains_that_end():
    keys = drifting(300, 1)
    twin = settle(keys)
    groups = join(300, [equal_pairs(keys[:, band]) for band in range(BANDS)])
    assert 50 < (twin >= 0).sum() < 200
    kept = twin < 0
    # Several kept rows in one group: those that single linkage would have taken for copies.
    assert len(np.unique(groups[kept])) < kept.sum() - 10


def test_a_chain_keeps_both_ends_that_are_not_alike():
    """A is like B and B like C; once B went for A, C stays, for nothing in the corpus is like it."""
    key = np.arange(1, BANDS + 1, dtype=np.uint64) * np.uint64(0x0101010101010101)
    a = key.copy()
    b = key.copy()
    b[:3] = 0x7777777777777777
    c = b.copy()
    c[3:6] = 0x5555555555555555
    assert VALUES - 24 >= AGREE > VALUES - 48
    assert settle(np.stack([a, b, c])).tolist() == [-1, 0, -1]
    assert settle(np.stack([b, a, c])).tolist() == [-1, 0, 0]


def test_no_rows_at_all_are_no_matter(tmp_path):
    assert len(near_duplicates([], np.empty(0, np.int64), tmp_path)) == 0


def test_forms_that_are_half_alike_stay_though_many_share_a_key():
    """What keys alone would do to texts made by filling in a form."""
    random = np.random.default_rng(8)
    form, count = random.integers(1, 2**63, 60), 600
    texts = np.concatenate([np.tile(form, (count, 1)), random.integers(1, 2**63, (count, 40))], axis=1)
    keys = signatures(texts.reshape(-1).astype(np.uint64), np.arange(0, texts.size + 1, 100))
    assert (settle(keys, agree=0) >= 0).sum() > count // 5
    assert (settle(keys) == -1).all()


def test_two_empty_texts_are_no_copies_of_each_other(tmp_path):
    assert (found(tmp_path, np.zeros((4, BANDS), np.uint64), range(4)) == -1).all()


def test_a_shared_key_alone_does_not_make_a_copy(tmp_path):
    keys = np.random.default_rng(3).integers(1, 2**63, (2, BANDS)).astype(np.uint64)
    keys[1, 5] = keys[0, 5]
    assert len(band_pairs(write(tmp_path, keys), 5, np.ones(2, bool))) == 1
    assert (found(tmp_path, keys, [0, 1]) == -1).all()


def test_the_twin_is_the_kept_row_that_agrees_most_not_the_first():
    keys = np.arange(1, BANDS + 1, dtype=np.uint64) * np.uint64(0x0101010101010101)
    first, second, third = keys.copy(), keys.copy(), keys.copy()
    first[:3] = 0x7777777777777777
    second[-2:] = 0x5555555555555555
    assert settle(np.stack([first, second, third]), agree=80).tolist() == [-1, -1, 1]


@pytest.mark.parametrize("count", [10, 3 * twins.CROWD])
def test_a_key_of_many_different_texts_costs_no_square_and_their_copies_are_still_found(count):
    random = np.random.default_rng(count)
    keys = random.integers(1, 2**63, (count, BANDS)).astype(np.uint64)
    keys[:, 0] = 42
    copies = keys.copy()
    copies[:, 7:9] = 43
    twin = settle(np.concatenate([keys, copies]))
    assert (twin[:count] == -1).all()
    assert (twin[count:] == np.arange(count)).all()


def test_pairs_join_rows_into_groups_whatever_their_order():
    pairs = np.array([[5, 6], [0, 9], [6, 7], [9, 7], [2, 3]], np.uint32)
    expected = [0, 1, 2, 2, 4, 0, 0, 0, 8, 0]
    assert join(10, [pairs]).tolist() == expected
    assert join(10, [pairs[i : i + 1, ::-1] for i in (3, 1, 4, 0, 2)]).tolist() == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=20))
def test_equal_keys_are_joined_and_zero_is_no_key(keys):
    groups = join(len(keys), [equal_pairs(np.array(keys, np.uint64))])
    for i, key in enumerate(keys):
        assert groups[i] == (keys.index(key) if key else i)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_portions_hold_whole_groups_once(labels, limit):
    groups = np.array([labels.index(label) for label in labels], np.uint32)
    seen = list(portions(groups, limit))
    rows = np.concatenate([np.empty(0, np.int64), *seen])
    assert sorted(rows) == [i for i, label in enumerate(labels) if labels.count(label) > 1]
    for some in seen:
        assert all((groups[some] == g).sum() == labels.count(labels[g]) for g in groups[some])
        assert len(some) <= limit + max(map(labels.count, labels))


def test_portions_change_nothing(tmp_path, monkeypatch):
    keys = drifting(200, 5)
    places = np.random.default_rng(6).permutation(200)
    whole = found(tmp_path, keys, places)
    monkeypatch.setattr(twins, "PORTION", 3)
    assert (found(tmp_path, keys, places) == whole).all()


def test_files_with_another_number_of_rows_are_refused(tmp_path):
    files = write(tmp_path, drifting(5, 1))
    for count in (4, 6):
        with pytest.raises(InputError, match="rows"):
            band_pairs(files, 0, np.ones(count, bool))


def test_a_million_rows_take_forty_bytes_each(tmp_path):
    import tracemalloc

    keys = np.random.default_rng(0).integers(1, 2**63, (1_000_000, 1)).astype(np.uint64)
    pairs = equal_pairs(keys[:2, 0])
    join(2, [pairs])
    tracemalloc.start()
    join(len(keys), (equal_pairs(keys[:, 0]) for _ in range(BANDS)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 40 * len(keys)
