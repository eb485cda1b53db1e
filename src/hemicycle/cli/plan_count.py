"""Numbers as people write them in plans: 6.7B, 1T, 800k, 6.7e9."""

from __future__ import annotations

import math
from typing import Any

import click

from hemicycle.plan.estimate import Line
from hemicycle.project.declared import count

#: More parameters, tokens, hours or euros than this are a slip.
MOST = 1e18


class Finite(click.FloatRange):
    """A number in a range; `nan` is in none, and click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        read = float(super().convert(value, param, ctx))
        if not math.isfinite(read):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return read


class Count(click.ParamType[float]):
    """A number such as 6.7B, 1T or 6.7e9, above zero."""

    name = "NUMBER"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            read = float(value)
        except ValueError:
            try:
                read = float(str(count(value)))
            except ValueError:
                self.fail(f"{value!r} is not a number such as 6.7B, 1T or 6.7e9", param, ctx)
        if not (0 < read <= MOST):
            self.fail(f"{value!r} is not above zero, or too much", param, ctx)
        return read


class Modality(click.ParamType[Line]):
    """``audio=2B``: a name and its tokens."""

    name = "NAME=TOKENS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Line:
        name, _, tokens = value.partition("=")
        if not name or not tokens:
            self.fail(f"{value!r} is not of the form audio=2B", param, ctx)
        return Line(name, Count().convert(tokens, param, ctx))
