"""A verb of several verbs, one of which may be left out."""

from __future__ import annotations

from typing import Any

import click

from hemicycle.errors import UnknownNameError, did_you_mean


class DefaultGroup(click.Group):
    """A group whose first word may be left out: what is no verb of its own belongs to the verb `default`."""

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing and not args:
            # The shell asks what may stand here: the verbs, as well as what the default one takes.
            return super().parse_args(ctx, args)
        first = args[0] if args else ""
        if first not in self.commands and first not in ("-h", "--help"):
            args = [self.default, *args]
            # For `invoke`, which no longer sees the words.
            ctx.meta[__name__] = first
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UnknownNameError as error:
            meant = did_you_mean(ctx.meta.get(__name__, ""), self.commands)
            remedy = " ".join(filter(None, (meant, error.remedy)))
            raise UnknownNameError(error.what, place=error.place, remedy=remedy) from None
