"""The ladder: small models with the target's proportions, at a stated share of its cost."""

import json

import pytest

from hemicycle.errors import DeclarationError
from hemicycle.project import Architecture
from hemicycle.train.budget import FEW_STEPS
from hemicycle.train.forecast import forecast
from hemicycle.train.ladder import BUDGETS, RUNGS, SHARE, SIZES, Rung, arithmetic, derive_ladder, shrink
from hemicycle.train.shape import derive_shape

LARGE = Rung(Architecture(layers=16, width=1_024, heads=16, context=1_024), 2**17, 50_000)
#: What three minutes on two cores come to: two thirds of it are the embedding.
DIAL = Rung(Architecture(layers=2, width=96, heads=3, context=256), 4_096, 732)
SMALL = Rung(Architecture(layers=4, width=192, heads=3, context=256), 2_048, 600)


def flop(rung, vocabulary):
    return derive_shape(rung.architecture, vocabulary).flop_per_token() * rung.tokens


def test_all_rungs_together_cost_a_tenth_of_the_target():
    ladder = derive_ladder(LARGE, 32_768, 1_024)
    cost = sum(flop(rung, 32_768) for rung in ladder.rungs) / flop(LARGE, 32_768)
    assert ladder.share == pytest.approx(cost)
    assert ladder.share == pytest.approx(SHARE, rel=0.15)


@pytest.mark.parametrize(("run", "vocabulary"), [(LARGE, 32_768), (SMALL, 4_096), (DIAL, 4_096)])
def test_rungs_are_of_several_sizes_with_two_budgets_each_and_steps_enough(run, vocabulary):
    rungs = derive_ladder(run, vocabulary, run.architecture.context).rungs
    assert len(rungs) == RUNGS
    sizes = [derive_shape(rung.architecture, vocabulary).parameters for rung in rungs]
    assert len(set(sizes)) == len(SIZES)
    assert sizes == sorted(sizes, reverse=True)
    for first, second in zip(rungs[::2], rungs[1::2], strict=True):
        assert first.architecture == second.architecture
        assert second.tokens / first.tokens == pytest.approx(BUDGETS[1], rel=0.05)
    assert all(rung.steps >= FEW_STEPS for rung in rungs)
    assert all(rung.batch_tokens <= run.batch_tokens for rung in rungs)


def test_a_short_training_takes_the_share_that_its_least_rung_needs():
    short = Rung(SMALL.architecture, 2_048, 400)
    assert derive_ladder(short, 4_096, 256).share > 1.5 * SHARE


def test_a_step_of_a_rung_reads_whole_rows_of_the_longest_stage():
    rungs = derive_ladder(Rung(LARGE.architecture, 2**17, 50_000), 32_768, 4_096).rungs
    assert all(rung.batch_tokens % 4_096 == 0 for rung in rungs)
    assert all(rung.steps >= FEW_STEPS for rung in rungs)


def test_a_training_too_short_for_a_ladder_is_refused():
    with pytest.raises(DeclarationError, match="would cost more than the model"):
        derive_ladder(Rung(SMALL.architecture, 2_048, 100), 4_096, 256)


def test_a_smaller_model_keeps_the_proportions():
    target = Architecture(
        kind="qwen3", layers=24, width=1_536, heads=24, kv_heads=6, feed_forward=4_096, context=512
    )
    small = shrink(target, 32_768, derive_shape(target, 32_768).parameters / 8)
    assert small.kind == "qwen3"
    assert small.width / small.layers == pytest.approx(1_536 / 24, rel=0.1)
    assert 44 <= small.width // small.heads <= 96
    assert small.heads == 4 * (small.kv_heads or 0)
    assert small.feed_forward / small.width == pytest.approx(4_096 / 1_536, rel=0.05)
    assert small.context == 512


def test_small_rungs_are_not_compiled_and_take_a_whole_batch_at_once():
    run = {
        "seed": 3,
        "precision": "bf16",
        "compiled": True,
        "threads": 2,
        "micro_tokens": 2_048,
        "steps": 600,
    }
    rungs = derive_ladder(SMALL, 4_096, 256).rungs
    least = arithmetic(run, rungs[-1], 4_096)
    assert (least.seed, least.precision, least.threads, least.steps) == (3, "bf16", 2, rungs[-1].steps)
    assert not least.compiled
    assert least.micro_tokens == rungs[-1].batch_tokens
    assert arithmetic(run, derive_ladder(LARGE, 32_768, 1_024).rungs[0], 32_768).compiled


def test_the_forecast_is_a_function_of_the_rungs(tmp_path):
    target = derive_shape(SMALL.architecture, 4_096)
    rungs = {}
    for number, rung in enumerate(derive_ladder(SMALL, 4_096, 256).rungs, 1):
        parameters = derive_shape(rung.architecture, 4_096).parameters
        told = {
            "parameters": parameters,
            "tokens": rung.tokens,
            "bits_per_byte": 0.8 + 20 / parameters**0.3 + 60 / rung.tokens**0.35,
        }
        rungs[f"petit.{number}"] = tmp_path / str(number)
        rungs[f"petit.{number}"].mkdir()
        (rungs[f"petit.{number}"] / "rung.json").write_text(json.dumps(told))
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        facts = forecast(rungs, target, SMALL.tokens, tmp_path / name)
        made.append([(tmp_path / name / file).read_bytes() for file in ("scaling.json", "scaling.png")])
    assert made[0] == made[1]
    said = json.loads(made[0][0])
    assert said == facts
    true = 0.8 + 20 / target.parameters**0.3 + 60 / SMALL.tokens**0.35
    assert said["target"]["predicted"]["value"] == pytest.approx(true, rel=1e-3)
    assert [point["name"] for point in said["points"]] == sorted(rungs)
