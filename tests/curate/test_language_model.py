"""The kernel says what py3langid says, on any machine and in any batch, and says where its model is from."""

import io
import json
import lzma
import math
import os
import random
import tomllib
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from hemicycle.curate import language_model, language_score
from hemicycle.curate.language_model import DEFAULT, load_identifier, model_provenance
from hemicycle.curate.language_score import KEPT
from hemicycle.errors import DeclarationError, InputError

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
QUOTATIONS = tomllib.loads(Path(__file__).with_name("quotations.toml").read_text("utf-8"))
KNOWN_LABELS = ["fr", "wa", "ht", "gcf"]
KNOWN_CONFIDENCES = [
    "0x1.e48e220000000p-1",
    "0x1.55fea80000000p-6",
    "0x1.c673600000000p-8",
    "0x1.a50ab80000000p-8",
]


def stretches(texts):
    encoded = [text.encode() for text in texts]
    bounds = np.cumsum([0, *map(len, encoded)])
    return np.frombuffer(b"".join(encoded), np.uint8), bounds[:-1], bounds[1:]


def found(texts, identifier):
    likeliest = identifier.likeliest(*stretches(texts))
    return [identifier.languages[i] for i in likeliest.labels[:, 0]], likeliest


@pytest.fixture(scope="module")
def library():
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(DEFAULT))
    return identifier


@pytest.fixture(scope="module")
def texts():
    """Some thousand: whole sentences, cut ones, two in one, in capitals, with signs of many scripts."""
    rng = random.Random(1)
    sentences = [s for language in QUOTATIONS.values() for s in language]
    odd = "ΑΒΓαβγ İıŒœ ﬁ ẞß 東京 Привет ДУМА עברית ქართული 𝐀𝒷 🎉 1,5 % <b>x</b> n° 3"
    made = []
    for _ in range(3000):
        one, other = rng.choice(sentences), rng.choice(sentences)
        at = rng.randrange(len(one))
        text = one[at : at + rng.randrange(2, 120)]
        kind = rng.randrange(6)
        text = {0: text.upper(), 1: one + " " + other, 2: text + rng.choice(odd.split())}.get(kind, text)
        made.append(unicodedata.normalize("NFC", text))
    return [*made, *sentences, *odd.split(), odd, odd.upper(), "x" * 70_000, "la " * 9_000]


def test_labels_are_those_of_the_library_and_confidences_are_close(texts, library):
    labels, likeliest = found(texts, load_identifier())
    expected = [library.classify(text) for text in texts]
    assert labels == [label for label, _ in expected]
    np.testing.assert_allclose(likeliest.confidence[:, 0], [c for _, c in expected], rtol=1e-4)


def test_the_four_likeliest_are_those_of_the_library_in_its_order(texts, library):
    identifier = load_identifier()
    _, likeliest = found(texts[:300], identifier)
    for i, text in enumerate(texts[:300]):
        ranks = library.rank(text)[:KEPT]
        probabilities = [p for _, p in ranks]
        if min(np.diff(probabilities) * -1) > 1e-4:  # closer ones are a matter of rounding
            assert [identifier.languages[n] for n in likeliest.labels[i]] == [name for name, _ in ranks]
        np.testing.assert_allclose(likeliest.confidence[i], probabilities, rtol=1e-3, atol=1e-6)


def test_a_restriction_of_one_identifier_is_none_of_another():
    german = ["Die Sitzung ist eröffnet, und das Wort hat der Berichterstatter."]
    romance = load_identifier(("fr", "es", "it", "pt"))
    assert found(german, romance)[0] != ["de"]
    assert found(german, load_identifier())[0] == ["de"]


def test_a_stretch_is_scored_alike_whatever_stands_beside_it(texts):
    identifier = load_identifier()
    whole = identifier.likeliest(*stretches(texts[:200]))
    for i in (0, 7, 199):
        alone = identifier.likeliest(*stretches([texts[i]]))
        for column, one in zip(whole, alone, strict=True):
            assert column[i].tobytes() == one[0].tobytes()


def test_known_answers_to_the_last_bit():
    identifier = load_identifier()
    _, likeliest = found(["la séance est ouverte.", "LA SÉANCE EST OUVERTE.", ""], identifier)
    assert [identifier.languages[i] for i in likeliest.labels[0]] == KNOWN_LABELS
    assert [float(x).hex() for x in likeliest.confidence[0]] == KNOWN_CONFIDENCES
    assert likeliest.gaps[1].tobytes() == likeliest.gaps[0].tobytes()
    assert likeliest.gaps[2].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("x", [0.0, -1e-9, -0.5, -1.0, -7.25, -31.9])
def test_the_exponential_is_right_to_twelve_digits(x):
    assert language_score._exponential(x) == pytest.approx(math.exp(x), rel=1e-12)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_utf8_have_an_answer_too(data):
    buffer = np.frombuffer(data, np.uint8)
    likeliest = load_identifier().likeliest(buffer, np.array([0]), np.array([len(data)]))
    assert 0 < likeliest.confidence[0, 0] <= 1


def test_provenance_names_the_file_its_digest_and_what_is_known_of_its_training():
    provenance = json.loads(json.dumps(model_provenance()))
    assert (provenance["package"], provenance["licence"]) == ("py3langid", "BSD-3-Clause")
    assert provenance["sha256"].startswith("f4f4a2c3465ca1f0")
    assert {"fr", "br", "oc", "la", "eu", "ca"} <= set(provenance["languages"])
    assert "co" not in provenance["languages"]
    assert "Leipzig" in provenance["training"]


def test_a_language_that_the_model_lacks_is_refused_by_name():
    with pytest.raises(DeclarationError, match="no language “co”"):
        load_identifier(("fr", "en", "it", "oc", "co"))


def test_more_languages_than_a_block_of_columns_are_told_apart_as_by_the_library(texts):
    known = sorted(load_identifier().known)[:90]
    library = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    library.set_languages(known)
    labels, _ = found(texts[::10], load_identifier(tuple(known)))
    assert labels == [library.classify(text)[0] for text in texts[::10]]


@pytest.mark.parametrize("logarithms", [[[-3.0], [-0.001]], [[0.0], [-20.0]], [[np.nan]], [[-np.inf]]])
def test_numbers_that_sixteen_bits_cannot_add_are_refused(logarithms):
    with pytest.raises(InputError, match="not laid out"):
        language_model._table(np.array(logarithms, np.float16), "model.npz.xz")


def test_telling_apart_needs_languages_to_tell_apart():
    with pytest.raises(DeclarationError, match="4 or more, not 1"):
        load_identifier(("fr",))


def test_a_missing_package_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(language_model, "PACKAGE", "py3langid_absent")
    with pytest.raises(InputError, match=r"not installed.*\n.*pip install"):
        model_provenance()


def packed(**changes):
    data, place = language_model._file()
    arrays = {**language_model._unpack(data, place), **changes}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return lzma.compress(buffer.getvalue(), preset=0)


@pytest.mark.parametrize(
    "change",
    [
        {"out_feat": None},
        {"out_feat": np.array([5], np.int32)},
        {"nextmove": np.full(256, 1 << 30, np.uint32)},
        {"pc": np.zeros(3, np.float32)},
    ],
)
def test_a_model_of_another_make_is_refused_before_it_is_walked(change):
    with pytest.raises(InputError, match="not laid out"):
        language_model._unpack(packed(**change), "model.npz.xz")


def test_a_truncated_model_is_refused():
    data, place = language_model._file()
    for cut in (0, 10, len(data) // 2):
        with pytest.raises(InputError, match="not laid out"):
            language_model._unpack(data[:cut], place)
