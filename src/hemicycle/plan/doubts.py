"""Doubts: what should make somebody look twice at a choice before a budget is spent on it."""

from __future__ import annotations

from collections.abc import Sequence

from hemicycle.plan.choices import OPTIMAL, Choice, Task
from hemicycle.plan.flags import Flag
from hemicycle.plan.laws import Law
from hemicycle.plan.shapes import short

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
    ]
    if task.unique is not None and not law.repeats and (best.epochs or 0) > 1:
        found.append(
            Flag(
                "REPEATS_BORROWED",
                f"what text is worth when it is read again was not fitted with {law.name}: the constants are "
                "those of another law",
                "Take the choice by muennighoff-2023 as a second opinion.",
            )
        )
    if task.others:
        names = " and ".join(dict.fromkeys(line.name for line in task.others))
        found.append(
            Flag(
                "ENCODERS_NOT_COUNTED",
                f"tokens of {names} are counted as read by the model alone; what encodes them is not "
                "counted, and the laws say nothing of what they teach",
                "Plan the encoders as a work of their own.",
            )
        )
    return [flag for flag in found if flag is not None]


def _of_ladder(task: Task, law: Law, asked: Law | None) -> Flag | None:
    if asked is not None and asked != law and asked.farthest:
        return Flag(
            "LADDER_TOO_SMALL",
            f"the ladder is believed up to {asked.farthest:.3g} FLOP, and {task.flop:.3g} are to be spent, "
            f"so {law.name} decides",
            "Make a ladder of larger models: a thousandth of the budget for its largest is enough.",
        )
    if law.doubt is not None and law.doubt > OPEN:
        return Flag(
            "LADDER_LEAVES_IT_OPEN",
            f"by the ladder's own interval the best size for its target may be one of two that differ "
            f"{law.doubt:.2g} times",
            "Add rungs, or take a published law's choice as a second opinion.",
        )
    return None


def _of_grid(task: Task, best: Choice) -> Flag | None:
    if best.shape not in (task.sizes[0], task.sizes[-1]):
        return None
    which = "smallest" if best.shape == task.sizes[0] else "largest"
    return Flag(
        "SIZES_END",
        f"the best size is the {which} there is to choose, {best.shape.name}: one beyond may be better",
        "A smaller vocabulary leaves room for smaller models."
        if which == "smallest"
        else "Check the budget: no published model is as large.",
    )


def _of_epochs(choices: Sequence[Choice]) -> Flag | None:
    many = [choice for choice in choices if choice.epochs is not None and choice.epochs > MOST_EPOCHS]
    if not many:
        return None
    listed = ", ".join(f"{choice.name} {choice.epochs:.1f}" for choice in many)
    return Flag(
        "TOO_MANY_EPOCHS",
        f"the text is read more than {MOST_EPOCHS:g} times, and each time teaches less: {listed}",
        "Look for more text, or spend less.",
    )


def _of_data(task: Task, law: Law) -> Flag | None:
    """Whether twice the text lowers the loss by more than twice the compute does."""
    if task.unique is None:
        return None
    now = task.best(law, task.flop)[1]
    by_compute = now - task.best(law, 2 * task.flop)[1]
    by_text = now - float(task.losses(law, task.flop, 2 * task.unique).min())
    if by_text <= by_compute:
        return None
    return Flag(
        "TEXT_IS_SHORT",
        f"twice the text, {short(2 * task.unique)} tokens, would lower the loss by {by_text:.3g}, and twice "
        f"the compute by {by_compute:.3g}",
        "Spend on text (collecting, clearing, other languages) before spending on hours.",
    )


def _of_size(law: Law, choices: Sequence[Choice]) -> Flag | None:
    largest = max(choice.shape.parameters for choice in choices)
    # A ladder is made to be extrapolated: how far is asked of its FLOP.
    if law.farthest is not None or largest <= law.largest:
        return None
    return Flag(
        "BEYOND_THE_FIT",
        f"{short(largest)} parameters are more than the {short(law.largest)} of the largest model that "
        f"{law.name} was fitted to",
        "Take the size as a range, between what the laws choose.",
    )
