"""Doubts: what should make somebody look twice at a choice before a budget is spent on it."""

from __future__ import annotations

from collections.abc import Sequence

from hemicycle.plan.choices import OPTIMAL, Choice, Task
from hemicycle.plan.flags import Flag
from hemicycle.plan.laws import Law
from hemicycle.plan.wording import Told

#: Up to so many times, text that is read again is worth nearly what new text is (Muennighoff et al. 2023).
MOST_EPOCHS = 4.0
#: A ladder whose interval of the best size has ends further apart leaves it open.
OPEN = 4.0


def doubts(task: Task, choices: Sequence[Choice], asked: Law | None) -> list[Flag]:
    """Of the choices by the law that decides; `asked`: the law that was to decide."""
    law = task.laws[0]
    best = next(choice for choice in choices if choice.name == OPTIMAL)
    found = [
        _of_ladder(task, law, asked),
        _of_grid(task, best),
        _of_epochs(choices),
        _of_data(task, law),
        _of_size(law, choices),
        *(flag for flag in best.estimate.flags if flag.name == "OVER_ALLOCATION"),
    ]
    if task.unique is not None and not law.repeats and (best.epochs or 0) > 1:
        found.append(Flag("REPEATS_BORROWED", {"law": law.name}))
    if task.others:
        names = ", ".join(dict.fromkeys(line.name for line in task.others))
        found.append(Flag("ENCODERS_NOT_COUNTED", {"names": names}))
    return [flag for flag in found if flag is not None]


def _of_ladder(task: Task, law: Law, asked: Law | None) -> Flag | None:
    if asked is not None and asked != law and asked.farthest:
        told: dict[str, Told] = {"farthest_flop": asked.farthest, "flop": task.flop, "law": law.name}
        return Flag("LADDER_TOO_SMALL", told)
    if law.doubt is not None and law.doubt > OPEN:
        return Flag("LADDER_LEAVES_IT_OPEN", {"times": law.doubt})
    return None


def _of_grid(task: Task, best: Choice) -> Flag | None:
    if best.shape not in (task.sizes[0], task.sizes[-1]):
        return None
    name = "NO_SMALLER_SIZE" if best.shape == task.sizes[0] else "NO_LARGER_SIZE"
    return Flag(name, {"size": best.shape})


def _of_epochs(choices: Sequence[Choice]) -> Flag | None:
    many = [choice for choice in choices if choice.epochs is not None and choice.epochs > MOST_EPOCHS]
    if not many:
        return None
    listed = ", ".join(f"{choice.name} {choice.epochs:.1f}" for choice in many)
    return Flag("TOO_MANY_EPOCHS", {"most": MOST_EPOCHS, "choices": listed})


def _of_data(task: Task, law: Law) -> Flag | None:
    """Whether twice the text lowers the loss by more than twice the compute does."""
    if task.unique is None:
        return None
    now = task.best(law, task.flop)[1]
    by_compute = now - task.best(law, 2 * task.flop)[1]
    by_text = now - float(task.losses(law, task.flop, 2 * task.unique).min())
    if by_text <= by_compute:
        return None
    return Flag("TEXT_IS_SHORT", {"tokens": 2 * task.unique, "text": by_text, "compute": by_compute})


def _of_size(law: Law, choices: Sequence[Choice]) -> Flag | None:
    largest = max(choice.shape.parameters for choice in choices)
    # A ladder is made to be extrapolated: how far is asked of its FLOP.
    if law.farthest is not None or largest <= law.largest:
        return None
    told: dict[str, str | float] = {
        "parameters": float(largest),
        "largest": float(law.largest),
        "law": law.name,
    }
    return Flag("BEYOND_THE_FIT", told)
