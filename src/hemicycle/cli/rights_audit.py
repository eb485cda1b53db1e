"""`hemicycle rights audit`: what the licence cells of somebody else's table say."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import json_option, print_json
from hemicycle.cli.tables import cell, print_table
from hemicycle.errors import DeclarationError
from hemicycle.rights.audit import CLASSES, Audit, as_object, audit
from hemicycle.rights.foreign import read_table
from hemicycle.rights.policy import default_policy

_SHOWN = 60


@click.command("audit")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="ROLE=NAME",
    help="Which column is the licence's (licence=NAME) or the row's name (name=NAME); else guessed.",
)
@click.option("--umbrella", metavar="SPDX", help="The licence that the whole is declared to be under.")
@json_option
def command(file: Path, columns: tuple[str, ...], umbrella: str | None, as_json: bool) -> None:
    """Audit the licence cells of FILE: a CSV, TSV, JSON or JSONL table, or a data card in Markdown.

    Rows that are not valid SPDX, or do not go under the umbrella, are listed with what to write instead.
    Nothing is fetched. The project's own sources are not touched.

    \b
    Examples:
      hemicycle rights audit sources.csv
      hemicycle rights audit sources.csv --column licence="Data license" --umbrella CC-BY-4.0
      hemicycle rights audit README.md --json
    """
    table = read_table(file, _columns(columns))
    found = audit(table, default_policy(), umbrella)
    if as_json:
        print_json(as_object(found, file.as_posix().encode("utf-8", "replace").decode()))
        return
    how = "guessed; --column licence=NAME says otherwise" if found.guessed else "as asked"
    click.echo(f"licences read from the column “{cell(found.column[:_SHOWN])}” ({how})", err=True)
    if found.umbrella is not None:
        click.echo(f"umbrella: {cell(found.umbrella)}", err=True)
    _print(found)


def _columns(given: tuple[str, ...]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in given:
        role, sign, name = text.partition("=")
        role = "licence" if role.strip().lower() == "license" else role.strip().lower()
        if not sign or not name.strip() or role in columns:
            what = "this names no column" if role not in columns else "this column is named twice"
            raise DeclarationError(what, place=f"--column {text}", remedy="Write --column licence=NAME.")
        columns[role] = name
    return columns


def _print(found: Audit) -> None:
    for item in found.cells:
        if item.classes == ("valid",):
            continue
        named = f"{cell(_short(item.name))}: " if item.name else ""
        shown = cell(_short(" ".join(item.cell.split()))) or "(empty)"
        click.echo(f"row {item.row}, {named}{click.style(shown, bold=True)}  [{', '.join(item.classes)}]")
        if item.suggestion is not None:
            click.echo(f"  {cell(item.suggestion)}")
        for contradiction in item.contradicts or ():
            click.echo(f"  {cell(contradiction.part)}: {contradiction.sentence}")
    totals = found.totals()
    print_table(["class", "rows"], [["all", len(found.cells)], *([name, totals[name]] for name in CLASSES)])


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
