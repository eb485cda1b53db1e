"""Solutions: the choices are what they say they are, and no budget is misspent."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.budget import Budget
from hemicycle.plan.estimate import Line
from hemicycle.plan.laws import Law, find_law, loss, optimum
from hemicycle.plan.solve import solve
from hemicycle.plan.solve_picture import draw
from hemicycle.units import of

PRICE = of(2, "EUR/GPU-h")
HERE = assume("there", find_chip("h100"), 512, said=Said(price=PRICE))
#: GPU-hours of the final run that come to so many FLOP where half of the peak is reached.
SURE = assume("there", find_chip("h100"), None, said=Said(utilisation=0.5, experiments=1.5))


def hours(flop):
    return Budget(gpu_hours=flop / (0.5 * 989e12 * 3_600), whole=False)


def chosen(solution):
    return {choice.name: choice for choice in solution.decided}


def flags(solution):
    return [flag.name for flag in solution.flags]


def test_chinchillas_budget_makes_a_model_of_its_size():
    best = chosen(solve(hours(5.76e23), SURE))["compute-optimal"]
    assert best.law.name == "besiroglu-2024"
    assert best.shape.parameters == pytest.approx(70e9, rel=0.1)
    assert best.tokens == pytest.approx(1.4e12, rel=0.1)
    assert best.tokens / best.shape.parameters == pytest.approx(20, rel=0.15)


@given(st.floats(3e19, 3e25))
@settings(max_examples=30, deadline=None)
def test_the_best_of_the_shapes_is_within_a_hundredth_of_the_closed_form_by_every_law(flop):
    for choice in solve(hours(flop), SURE).choices:
        if choice.name == "compute-optimal":
            least = loss(choice.law, *optimum(choice.law, flop))
            assert least * (1 - 1e-9) <= choice.loss <= 1.01 * least


@given(st.floats(1e19, 1e25), st.floats(1.05, 50), st.sampled_from([None, 1e9, 1e11, 1e13]))
@settings(max_examples=30, deadline=None)
def test_a_larger_budget_never_gives_a_worse_loss(flop, times, unique):
    less, more = (solve(hours(f), SURE, unique_tokens=unique) for f in (flop, times * flop))
    assert chosen(more)["compute-optimal"].loss <= chosen(less)["compute-optimal"].loss


@given(st.floats(1e19, 1e25), st.floats(1e8, 1e13), st.floats(1, 50))
@settings(max_examples=30, deadline=None)
def test_more_text_never_gives_a_worse_loss(flop, unique, times):
    less, more = (solve(hours(flop), SURE, unique_tokens=u) for u in (unique, times * unique))
    assert chosen(more)["compute-optimal"].loss <= chosen(less)["compute-optimal"].loss + 1e-12


def test_all_choices_spend_the_budget_and_not_more():
    solution = solve(Budget(eur=1_000_000), HERE, served_tokens=1e12, unique_tokens=1e12)
    assert len(solution.choices) == 3 * 3
    for choice in solution.choices:
        assert choice.to_json()["project"]["cost_eur"]["expected"] == pytest.approx(1e6, rel=1e-5)
        assert choice.flop <= solution.task.flop


def test_the_over_trained_one_is_the_smallest_within_a_hundredth_of_the_least_loss():
    solution = solve(hours(1e23), SURE)
    choice, best = chosen(solution)["over-trained"], chosen(solution)["compute-optimal"]
    assert choice.shape.parameters < best.shape.parameters / 2
    assert choice.loss <= 1.01 * best.loss
    smaller = [s for s in solution.task.sizes if s.parameters < choice.shape.parameters]
    tokens = [1e23 / 6 / shape.parameters for shape in smaller]
    every = [loss(choice.law, s.parameters, d) for s, d in zip(smaller, tokens, strict=True)]
    assert min(every) > 1.01 * best.loss
    assert choice.judged[0].above == pytest.approx(choice.loss / best.loss - 1)


def test_a_model_that_will_serve_is_smaller_and_the_more_so_the_more_it_serves():
    sizes = [
        chosen(solve(hours(1e23), SURE, served_tokens=served))["lifetime"].shape.parameters
        for served in (1e6, 1e12, 1e13, 1e14)
    ]
    assert sizes == sorted(sizes, reverse=True)
    best = chosen(solve(hours(1e23), SURE))["compute-optimal"]
    assert sizes[0] == pytest.approx(best.shape.parameters, rel=0.1)
    assert sizes[-1] < best.shape.parameters / 2


def test_the_lifetime_choice_says_what_the_compute_optimal_one_of_its_loss_would_take():
    choice = chosen(solve(hours(1e23), SURE, served_tokens=1e13))["lifetime"]
    law = choice.law
    # The compute-optimal model of that loss, by bisection on the closed form.
    few, many = 1e22, 1e23
    for _ in range(100):
        middle = (few * many) ** 0.5
        few, many = (few, middle) if loss(law, *optimum(law, middle)) < choice.loss else (middle, many)
    instead = many + 2 * optimum(law, many)[0] * 1e13
    whole = 1e23 + 2 * choice.shape.parameters * 1e13
    said = 100 * choice.reason.told["share"]
    assert f"{said:.1f}% more" in choice.reason.sentence()
    # Of shapes there are not as many as the closed form has sizes.
    assert said == pytest.approx(100 * (instead / whole - 1), abs=5)
    assert said == pytest.approx(90, abs=5)


def test_the_largest_reads_twenty_tokens_a_parameter_and_the_next_one_would_not():
    # By this law the best reads more than twice as many.
    solution = solve(hours(1e23), SURE, law=find_law("hoffmann-2022"))
    choice = chosen(solution)["largest"]
    # sqrt(1e23 / 120) = 2.89e10
    assert choice.shape.parameters == pytest.approx(2.887e10, rel=0.03)
    after = solution.task.sizes[solution.task.sizes.index(choice.shape) + 1]
    assert choice.tokens >= 20 * choice.shape.parameters
    assert 1e23 / 6 / after.parameters < 20 * after.parameters


def test_no_largest_is_told_where_the_best_reads_no_more_than_it_would():
    solution = solve(hours(1e23), SURE)
    best = chosen(solution)["compute-optimal"]
    assert best.tokens < 20 * best.shape.parameters
    assert "largest" not in chosen(solution)


def test_text_that_is_short_is_read_several_times_and_more_of_it_is_advised():
    solution = solve(hours(1e23), SURE, unique_tokens=5e9)
    best = chosen(solution)["compute-optimal"]
    assert solution.law.repeats
    assert best.epochs == pytest.approx(best.tokens / 5e9)
    assert best.epochs > 4
    assert {"TOO_MANY_EPOCHS", "TEXT_IS_SHORT"} <= set(flags(solution))
    assert {"TOO_MANY_EPOCHS", "TEXT_IS_SHORT"}.isdisjoint(
        flags(solve(hours(1e21), SURE, unique_tokens=1e13))
    )


def test_short_text_makes_the_best_model_smaller_than_without_end():
    """Muennighoff et al. 2023, figure 1: what is left to spend goes to epochs before it goes to size."""
    law = find_law("muennighoff-2023")
    short, endless = (
        chosen(solve(hours(1e23), SURE, law=law, unique_tokens=unique))["compute-optimal"]
        for unique in (3e10, 1e15)
    )
    assert short.shape.parameters < endless.shape.parameters
    assert short.loss > endless.loss


def test_sound_and_pictures_are_lines_of_their_own_and_leave_less_for_text():
    lines = (Line("audio", 100_000 * 3_600 * 12.5), Line("images", 1e8 * 256))
    # 1e5 x 3600 x 12.5 = 4.5e9, 1e8 x 256 = 2.56e10
    assert [line.tokens for line in lines] == [4.5e9, 2.56e10]
    solution = solve(hours(1e23), SURE, others=lines)
    best = chosen(solution)["compute-optimal"]
    told = best.to_json()["lines"]
    assert [line["name"] for line in told] == ["text", "audio", "images"]
    assert told[1]["flop"] == pytest.approx(6 * best.shape.parameters * 4.5e9)
    assert sum(line["flop"] for line in told) == pytest.approx(1e23)
    assert best.tokens == pytest.approx(1e23 / 6 / best.shape.parameters - 3.01e10)
    assert best.loss > chosen(solve(hours(1e23), SURE))["compute-optimal"].loss
    assert flags(solution).count("ENCODERS_NOT_COUNTED") == 1


LADDER = Law(
    "ladder", 0.5, 100.0, 100.0, 0.5, 0.5, "made up", 1e6, unit="bits per byte", farthest=1e20, doubt=9.0
)


def test_a_ladder_decides_as_far_as_it_is_believed_and_says_its_doubt():
    near = solve(hours(9e19), SURE, law=LADDER)
    assert near.law == LADDER
    assert {choice.law.name for choice in near.choices} > {"ladder", "besiroglu-2024"}
    assert near.to_json()["choices"][0]["unit"] == "bits per byte"
    assert flags(near) == ["LADDER_LEAVES_IT_OPEN"]
    far = solve(hours(1e21), SURE, law=LADDER)
    assert far.law.name == "besiroglu-2024"
    assert "ladder" not in {choice.law.name for choice in far.choices}
    assert flags(far) == ["LADDER_TOO_SMALL"]


def test_repeats_by_a_law_that_was_not_fitted_to_them_are_said_to_be_borrowed():
    assert "REPEATS_BORROWED" in flags(solve(hours(9e19), SURE, law=LADDER, unique_tokens=1e9))


def test_a_budget_at_the_end_of_the_sizes_and_one_beyond_the_fit_are_flagged():
    assert "NO_SMALLER_SIZE" in flags(solve(hours(1e15), SURE))
    assert "NO_LARGER_SIZE" in flags(solve(hours(1e30), SURE))
    assert "BEYOND_THE_FIT" in flags(solve(hours(1e24), SURE))
    assert flags(solve(hours(1e22), SURE)) == []


def test_the_uncertainty_of_utilisation_moves_the_size_by_its_square_root_at_most():
    solution = solve(Budget(gpu_hours=300_000), HERE)
    by_utilisation, by_all = solution.spreads
    reached = HERE.reached
    for end in ("low", "high"):
        share = float((getattr(reached, end) / reached.expected).magnitude)
        size = getattr(by_utilisation, end).parameters / by_utilisation.expected.parameters
        assert size == pytest.approx(share**0.5126, rel=0.1)
    assert by_all.low.parameters < by_utilisation.low.parameters
    assert by_all.high.parameters > by_utilisation.high.parameters


def test_curves_fall_and_the_best_of_all_sizes_lies_below_each():
    solution = solve(Budget(gpu_hours=300_000), HERE)
    best, *shapes = solution.curves
    for curve in solution.curves:
        values = [point.loss for point in curve.points]
        assert values == sorted(values, reverse=True)
        assert all(point.low <= point.loss <= point.high for point in curve.points)
    least = {point.flop: point.loss for point in best.points}
    assert all(point.loss >= least[point.flop] - 1e-9 for curve in shapes for point in curve.points)
    # On the budget, the curve has the cost of the budget: 300 000 h at 2 EUR.
    spent = np.interp(solution.task.flop, [p.flop for p in best.points], [p.cost_eur for p in best.points])
    assert spent == pytest.approx(600_000, rel=1e-3)


def test_a_solution_is_json_of_finite_figures_with_what_it_takes_for_granted():
    law = find_law("hoffmann-2022")
    solution = solve(Budget(eur=5e5, days=60), HERE, law=law, unique_tokens=1e11, served_tokens=1e12)
    told = json.loads(json.dumps(solution.to_json(), allow_nan=False))
    assert told["binding"] in ("eur", "days")
    assert told["law"] == "hoffmann-2022"
    assert {"utilisation", "price", "experiments"} <= {each["name"] for each in told["assumptions"]}
    assert [choice["name"] for choice in told["choices"][:4]] == [
        "compute-optimal",
        "over-trained",
        "lifetime",
        "largest",
    ]
    assert all(choice["reason"] for choice in told["choices"])
    assert told["choices"][0]["losses"][0] == {
        "law": "hoffmann-2022",
        "loss": told["choices"][0]["loss"],
        "unit": "nats per token of its own tokenizer",
        "above": 0,
    }


@pytest.mark.parametrize(
    "told",
    [
        {"unique_tokens": 0},
        {"served_tokens": -1},
        {"above": float("nan")},
        {"others": (Line("images", 0),)},
        {"others": (Line("images", 256e15),)},
    ],
)
def test_what_cannot_be_planned_with_is_refused(told):
    with pytest.raises(DeclarationError):
        solve(hours(1e20), SURE, **told)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("place", [HERE, dataclasses.replace(HERE, price=None)])
def test_the_picture_is_a_function_of_the_solution(language, place):
    solution = solve(Budget(gpu_hours=1e5), place, served_tokens=1e12)
    one, two = draw(solution, language), draw(solution, language)
    assert one == two
    assert one.startswith(b"\x89PNG")


def test_pictures_in_french_and_english_differ():
    solution = solve(Budget(gpu_hours=1e5), HERE)
    assert draw(solution, "en") != draw(solution, "fr")
