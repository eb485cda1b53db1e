"""The solution to look at: loss over what is spent, and beside it what another size would lose.

On the left the least loss for each budget by the law that decides, with the band that utilisation makes of
it, and the loss of the chosen shapes. All choices spend the same and stand above each other there; on the
right they stand apart, over their sizes, with what each law says of these. Losses of two laws do not compare,
so there the share above each law's own least is drawn.
"""

from __future__ import annotations

from typing import Any

from hemicycle.pictures import new_figure, png_of
from hemicycle.plan.choices import LARGEST, LIFETIME, OPTIMAL, OVER_TRAINED
from hemicycle.plan.laws import NATS
from hemicycle.plan.solve import Curve, Point, Solution
from hemicycle.plan.told import many
from hemicycle.plan.wording import words
from hemicycle.typeset import Language, format_number
from hemicycle.units import number

INK, BEST, PALE = "#1f2933", "#1f4e79", "#b8c0c8"
MARKS = {OPTIMAL: ("D", "#c05a1c"), OVER_TRAINED: ("o", "#2f7d4f"), LIFETIME: ("s", "#7a4f79")}
MARKS |= {LARGEST: ("^", "#7a6a2f")}
LINES = ("-", "--", ":", "-.")


def draw(solution: Solution, language: Language) -> bytes:
    """The picture as PNG. Raises DeclarationError without matplotlib."""
    figure = new_figure(11, 5, "plan")
    left, right = figure.subplots(1, 2)
    # First: a scale that is set brings ticks of its own.
    left.set_xscale("log")
    right.set_xscale("log")
    _over_cost(left, solution, language)
    _over_size(right, solution, language)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(lambda y, _: _plain(y, language))
        for text in axes.legend(frameon=False, fontsize=8).get_texts():
            text.set_parse_math(False)
    return png_of(figure)


def _over_cost(axes: Any, solution: Solution, language: Language) -> None:
    named = words(language)
    best, *shapes = solution.curves
    for index, curve in enumerate(shapes):
        label = None if index else named["picture_chosen"]
        axes.plot(_spent(curve), [p.loss for p in curve.points], color=PALE, linewidth=1, label=label)
    reached = solution.task.place.reached
    shares = [
        format_number(100 * number(end, ""), language, decimals=0) for end in (reached.low, reached.high)
    ]
    low, high = [p.low for p in best.points], [p.high for p in best.points]
    band = named["picture_band"].format(*shares)
    axes.fill_between(_spent(best), low, high, color=BEST, alpha=0.18, linewidth=0, label=band)
    axes.plot(
        _spent(best), [p.loss for p in best.points], color=BEST, linewidth=1.8, label=named["picture_best"]
    )
    for choice in solution.decided:
        spent = choice.estimate.project if solution.budget.whole else choice.estimate.run
        marker, colour = MARKS[choice.name]
        at = number(spent.cost_eur.expected, "EUR") if spent.cost_eur else None
        at = number(spent.gpu_hours.expected, "GPU-h") if at is None else at
        axes.plot([at], [choice.loss], marker, color=colour, markersize=6, linestyle="none")
    # The shapes' curves leave the picture where they read next to nothing.
    axes.set_ylim(min(low) - 0.1 * (max(high) - min(low)), max(high))
    what = named["gpu_hours"] if best.points[0].cost_eur is None else "€"
    whose = named["project" if solution.budget.whole else "final_run"]
    axes.set_xlabel(f"{whose}{named['colon']} {what}", fontsize=9, parse_math=False)
    unit = named["picture_nats" if solution.law.unit == NATS else "picture_bits"]
    axes.set_ylabel(f"{named['loss']} ({unit})", fontsize=9, parse_math=False)


def _spent(curve: Curve) -> list[float]:
    def of(point: Point) -> float:
        return point.gpu_hours if point.cost_eur is None else point.cost_eur

    return [of(point) for point in curve.points]


def _over_size(axes: Any, solution: Solution, language: Language) -> None:
    named = words(language)
    for valley, line in zip(solution.valleys, LINES, strict=False):
        sizes, above = zip(*valley.points, strict=True)
        colour, label = (BEST if valley.law == solution.law else PALE), valley.law.name
        percents = [100 * share for share in above]
        axes.plot([n / 1e9 for n in sizes], percents, line, color=colour, linewidth=1.4, label=label)
    for choice in solution.decided:
        marker, colour = MARKS[choice.name]
        size = choice.shape.parameters / 1e9
        label = f"{named[choice.name]}{named['colon']} {many(choice.shape.parameters, language)}"
        at = [100 * choice.judged[0].above]
        axes.plot([size], at, marker, color=colour, markersize=7, linestyle="none", label=label)
    axes.xaxis.set_major_formatter(lambda x, _: _plain(x, language))
    axes.set_xlabel(f"{named['parameters']} (10⁹)", fontsize=9)
    axes.set_ylabel(named["picture_above"], fontsize=9)


def _plain(tick: float, language: Language) -> str:
    """A tick: no more digits than it has."""
    shown = f"{float(f'{tick:.4g}'):g}"
    return shown.replace(".", ",") if language == "fr" else shown
