"""A model of any family can be asked."""

from pathlib import Path

import pytest

from hemicycle.evaluate import bits
from hemicycle.serve import Params, load_engine
from tests.train.bases import CONTEXT, FAMILIES, make_base


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_of_each_family_writes_and_is_measured_within_its_context(
    family: str, tokenizer: Path, tmp_path: Path
) -> None:
    folder = make_base(tmp_path / family, family, tokenizer)
    engine = load_engine(folder)
    assert engine.context == CONTEXT
    chunks = list(engine.generate("la séance est", Params(max_tokens=6, temperature=0)))
    assert chunks[-1].finish in ("length", "stop")
    model = bits.load(folder)
    assert model.context == CONTEXT
    (scored,) = model.score(["la séance est ouverte " * 40])
    # Weights are random: a token costs about as much as a blind guess.
    assert scored.nats.mean() == pytest.approx(5.77, abs=0.5)
