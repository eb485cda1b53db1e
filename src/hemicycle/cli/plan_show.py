"""Plans on the terminal, and as a page where one is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import print_json
from hemicycle.cli.tables import lines, print_table, relative
from hemicycle.plan.estimate_told import flag_pieces
from hemicycle.plan.flags import Flag
from hemicycle.plan.told import Heading, Piece, Sentence, Table
from hemicycle.typeset import Language, format_quantity

_PAGE = click.option(
    "--page",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the page, in English and French, to be read or printed.",
)


def page_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return _PAGE(function)


def show(
    tell: Callable[[Language], Iterable[Piece]],
    told: Mapping[str, Any],
    *,
    as_json: bool,
    page: Path | None,
    title: str = "",
) -> None:
    """Print what is told, as JSON where that is asked for; and write the page where one is."""
    if page is not None:
        from hemicycle.plan.page import PAGES, write_page

        write_page(page, title, tell, told, datetime.now(UTC).date())
        click.echo(f"wrote {relative(page / PAGES['en'])}", err=True)
    if as_json:
        print_json(told)
        return
    print_pieces(tell("en"))


def print_pieces(pieces: Iterable[Piece]) -> None:
    """Sentences and tables, without what is for a page only."""
    kept: Heading | None = None
    for piece in pieces:
        if isinstance(piece, Heading):
            kept = piece
        elif isinstance(piece, Sentence):
            _head(kept)
            kept = None
            name = f"{click.style(piece.name, fg='yellow')}: " if piece.name else ""
            click.echo(name + lines(piece.text))
        elif isinstance(piece, Table) and not piece.page_only and piece.rows:
            _head(kept)
            kept = None
            print_table(piece.head, piece.rows)
            click.echo()


def _head(heading: Heading | None) -> None:
    """A heading is printed with the first piece below it that a terminal shows."""
    if heading is not None:
        click.echo(click.style(lines(heading.text), bold=True))


def show_flags(flags: Iterable[Flag]) -> None:
    print_pieces(flag_pieces(flags, "en"))


def short(number: float, unit: str = "") -> str:
    """Three digits and a unit, with plain spaces."""
    return format_quantity(number, unit, "en").replace("\u00a0", " ").strip()
