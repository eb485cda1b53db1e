"""The quality of recognised text: falls as letters go wrong, whatever case, spelling and batch."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.ocr_quality import ocr_qualities, ocr_quality, plausible

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CLEAN = (
    "La séance est ouverte à deux heures et demie. Le procès-verbal de la précédente est lu et adopté. "
    "L'ordre du jour appelle la discussion du projet de loi sur les chemins vicinaux, que la commission, "
    "après l'avoir examiné, propose de renvoyer au ministre. M. Dupré demande la parole et rappelle qu'aucun "
    "crédit n'a été voté depuis l'année dernière pour l'entretien des ponts. "
)
OLD = (
    "On disoit autrefois que le Roi étoit françois ; les tems sont changés, & les enfans des pays voisins "
    "connoissoient l'appétit des païsans, qui n'avoient plus besoin de ses loix."
)
RATES = (0, 0.02, 0.1, 0.3)
MISREAD = "fait lectdre d'une lëttfë dàtëé de Llfflôurs, 29 fcbài* cdntènânt déBohcià^"


def spoilt(text: str, rate: float, seed: int) -> str:
    chance = random.Random(seed)
    return "".join(chance.choice("iîl1t'.*fbu") if chance.random() < rate else letter for letter in text)


def test_clean_text_is_nearly_one_and_old_spelling_no_worse():
    assert ocr_quality(CLEAN) > 0.97
    assert ocr_quality(OLD) > 0.95
    assert ocr_quality(CLEAN.upper()) == ocr_quality(CLEAN)


def test_a_speech_of_1790_as_it_was_misread_is_half_or_less():
    assert ocr_quality(MISREAD) < 0.55


def test_quality_falls_with_every_step_of_error():
    means = [
        np.mean([ocr_quality(spoilt(CLEAN * 5, rate, n)) for n in range(5)]) for rate in (0, 0.02, 0.1, 0.3)
    ]
    assert means == sorted(means, reverse=True)
    assert min(np.subtract(means[:-1], means[1:])) > 0.05


@pytest.mark.parametrize(
    ("text", "quality"),
    [
        ("", 0.0),
        ("12 345 — 1er, 19e ; …", 0.0),
        ("|| ~~ ■", 0.0),
        ("le", 1.0),
        ("à M. y o", 1.0),
        ("l'eau d’or", 1.0),
        ("q", 0.0),
        ("dEs", 0.0),
        ("c0mme", 0.0),
        ("mot m|t", 0.5),
        ("e\u0301te\u0301 été", 1.0),
        ("ἀγορά", 0.0),
    ],
)
def test_worked_examples(text, quality):
    assert ocr_quality(text) == pytest.approx(quality)


def test_the_table_is_of_letters_and_edges():
    table = plausible()
    assert table[17 * 27 + 21], "_qu begins words"
    assert not table[17 * 27 + 17]
    assert 1_000 < table.sum() < 8_000


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text("aeqùÉ1|' \n’\u00a0ſœ𝔄", max_size=30), max_size=6))
def test_any_cut_into_batches_gives_the_same(texts):
    parts = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    together = ocr_qualities(np.frombuffer(b"".join(parts), np.uint8), offsets)
    assert list(together) == [ocr_quality(text) for text in texts]
    assert all(0 <= value <= 1 for value in together)
