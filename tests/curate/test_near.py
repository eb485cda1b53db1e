"""Signatures are what they are said to be: on every machine, in every batch, and as alike as the texts."""

import hashlib
import math
import os
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.near import BANDS, SHINGLE, TYPE, VALUES, signatures, to_arrow

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
WORD = st.integers(0, 6)
TEXTS = st.lists(st.lists(WORD, max_size=12), max_size=6)
HASHES = [0, *(int.from_bytes(hashlib.sha256(b"%d" % i).digest()[:8]) for i in range(1, 7))]


def sign(texts):
    """Signatures of texts given as lists of word hashes."""
    offsets = np.cumsum([0, *map(len, texts)])
    return signatures(np.array([w for t in texts for w in t], np.uint64), offsets)


def pairs_of_similarity(count, runs, common, seed):
    """Pairs of texts of `runs` distinct runs of words each, `common` of them in both."""
    words = np.random.default_rng(seed)
    length = runs + SHINGLE - 1
    both = words.integers(1, 2**64 - 1, (count, 2, length), dtype=np.uint64)
    shared = common + SHINGLE - 1 if common else 0
    both[:, 1, :shared] = both[:, 0, :shared]
    return signatures(both.reshape(-1), np.arange(0, both.size + 1, length)).reshape(count, 2, BANDS)


def equal_bytes(a, b):
    return int((a.view(np.uint8) == b.view(np.uint8)).sum())


def test_known_answers():
    keys = sign([[1, 2, 3, 4, 5, 6], [7], [], [0, 0]])
    assert [hex(k) for k in keys[0, :2]] == ["0x35152e91f05d366", "0xfc47c12d0d11ae6b"]
    assert [hex(k) for k in keys[1, :2]] == ["0x42b4fd3dcfa1581c", "0x454718f2f4649f26"]
    assert not keys[2:].any()


@pytest.mark.parametrize("length", [5, 6, 511, 512, 513, 1020, 1021])
def test_a_slow_reading_of_the_definition_gives_the_same_bytes(length):
    """Runs are compared some hundreds at a time."""
    full = 2**64 - 1

    def mix(n):
        n = (n ^ n >> 30) * 0xBF58476D1CE4E5B9 & full
        n = (n ^ n >> 27) * 0x94D049BB133111EB & full
        return n ^ n >> 31

    words = [mix(i) for i in range(1, length + 1)]
    runs = []
    for start in range(len(words) - 4):
        number = 5
        for word in words[start : start + 5]:
            number = (number ^ word) * 0x9E3779B97F4A7C15 & full
        runs.append(mix(number) >> 32)
    expected = bytearray()
    for i in range(112):
        factor, summand = mix(2 * i + 1) & 0xFFFFFFFF | 1, mix(2 * i + 2) & 0xFFFFFFFF
        smallest = min((factor * run + summand) & 0xFFFFFFFF for run in runs)
        expected.append(mix(i << 32 | smallest) >> 56)
    assert sign([words])[0].astype("<u8").tobytes() == bytes(expected)


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS, st.integers(0, 6))
def test_a_signature_does_not_depend_on_the_batch(texts, cut):
    texts = [[HASHES[w] for w in text] for text in texts]
    whole = sign(texts)
    assert (np.concatenate([sign(texts[:cut]), sign(texts[cut:])]) == whole).all()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(WORD, max_size=12), st.lists(WORD, max_size=12))
def test_texts_of_the_same_runs_have_the_same_signature_and_others_have_not(one, other):
    def runs(text):
        words = [w for w in text if w]
        size = min(5, len(words))
        return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}

    a, b = sign([[HASHES[w] for w in one], [HASHES[w] for w in other]])
    assert (runs(one) == runs(other)) == bool((a == b).all())


@pytest.mark.parametrize("runs", [4, 25, 120])
@pytest.mark.parametrize("similarity", [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9])
def test_detection_and_agreement_follow_the_curve(runs, similarity):
    count = 2_000
    common = round(2 * runs * similarity / (1 + similarity))
    jaccard = common / (2 * runs - common)
    keys = pairs_of_similarity(count, runs, common, seed=runs)
    byte = jaccard + (1 - jaccard) / 256
    found = 1 - (1 - byte**8) ** 14
    seen = (keys[:, 0] == keys[:, 1]).any(axis=1).sum()
    # Four and a half standard deviations, and one pair for the rare ones.
    assert abs(seen - count * found) <= 4.5 * math.sqrt(count * found * (1 - found)) + 1
    agreement = sum(equal_bytes(a, b) for a, b in keys)
    spread = math.sqrt(count * VALUES * byte * (1 - byte))
    # Bytes of one pair are not quite independent in texts of a few runs.
    assert abs(agreement - count * VALUES * byte) <= 6 * spread


def test_the_column_has_a_leaf_for_each_band():
    keys = sign([[1, 2, 3], [], [4] * 9])
    column = to_arrow(keys)
    assert column.type == TYPE
    assert len(TYPE) == BANDS
    assert (np.column_stack([leaf.to_numpy() for leaf in column.flatten()]) == keys).all()
    assert pa.table({"near": to_arrow(sign([]))}).num_rows == 0


def test_rensa_estimates_the_same_similarities(samples):
    """A second implementation, with hash functions of its own, sees what ours sees."""
    rensa = pytest.importorskip("rensa")
    text = next(samples.rglob("*.xml")).read_text("utf-8", "replace")[:60_000]
    words = re.findall(r"\w+", re.sub(r"<[^>]*>", " ", text).lower())[:1_900]
    assert len(words) == 1_900
    number = {w: int.from_bytes(hashlib.sha256(w.encode()).digest()[:8]) for w in words}
    differences = []
    for start in range(0, 900, 100):
        one, other = words[:1000], words[start : start + 1000]
        keys = sign([[number[w] for w in one], [number[w] for w in other]])
        ours = (equal_bytes(*keys) / VALUES - 1 / 256) / (1 - 1 / 256)
        theirs = []
        for part in (one, other):
            found = rensa.RMinHash(num_perm=VALUES, seed=1)
            found.update([" ".join(part[i : i + 5]) for i in range(len(part) - 4)])
            theirs.append(found)
        differences.append(ours - theirs[0].jaccard(theirs[1]))
    # Two estimates of standard deviation 0.047 at most.
    assert max(map(abs, differences)) < 5 * 0.047 * math.sqrt(2)
    assert abs(sum(differences)) / len(differences) < 0.05
