"""`hemicycle new`: start a project from a template, or a source from a card that is ready."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from hemicycle.cli.session import json_option, print_json
from hemicycle.cli.tables import print_table, relative
from hemicycle.errors import DeclarationError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option("--template", type=click.Choice(["petit", "french"]), default="petit", show_default=True)
@click.option("--name", help="Name of the project; by default that of the folder.")
@click.option("--card", metavar="NAME", help="Add this ready card to the project FOLDER (or the one here).")
@click.option("--cards", "list_cards", is_flag=True, help="List the cards that are ready.")
@json_option
def command(
    folder: Path | None, template: str, name: str | None, card: str | None, list_cards: bool, as_json: bool
) -> None:
    """Start a project in FOLDER from a template, or add a ready source card to one.

    `petit` is a commented skeleton for texts of your own. `french` is the real thing: cards that point at
    the official open-data archives of the Assemblée nationale, French novels and documentation. Whoever
    uses a card reads the licence at its place and signs; until then nothing of it passes.

    \b
    Examples:
      hemicycle new my-project
      hemicycle new hemicycle-fr --template french
      hemicycle new --cards
      hemicycle new my-project --card constitution
    """
    if list_cards:
        _list(as_json)
    elif card is not None:
        _add(folder or Path(), card, as_json)
    elif folder is None:
        raise DeclarationError("there is no folder to make a project in", remedy="hemicycle new FOLDER")
    else:
        _create(folder, template, name, as_json)


def _create(folder: Path, template: str, name: str | None, as_json: bool) -> None:
    from hemicycle.templates import create_project

    files = create_project(folder, template, name)
    if as_json:
        print_json({"folder": str(folder), "files": [str(f) for f in files]})
        return
    for file in files:
        click.echo(file)
    run = shlex.join(["hemicycle", "run", str(folder)])
    click.echo(f"\nRead {folder / 'hemicycle.toml'}, fill in the cards, then: {run}", err=True)


def _add(folder: Path, name: str, as_json: bool) -> None:
    from hemicycle.project import find_project
    from hemicycle.templates import add_card

    path = add_card(find_project(folder), name)
    if as_json:
        print_json({"file": str(path)})
        return
    click.echo(relative(path))
    click.echo(f"Read it, fill in what it asks for, and name “{name}” in the sources of a corpus.", err=True)


def _list(as_json: bool) -> None:
    from hemicycle.templates import cards

    known = cards()
    if as_json:
        print_json(
            {
                "cards": [
                    {
                        "name": name,
                        "title": card.title,
                        "reader": card.reader,
                        "licence": card.rights.licence,
                        "blocked": card.rights.blocked,
                        "tested_on": card.tested_on,
                    }
                    for name, card in known.items()
                ]
            }
        )
        return
    print_table(
        ["card", "reader", "licence", "tried on", "title"],
        [
            [
                name,
                card.reader,
                "blocked" if card.rights.blocked else card.rights.licence or "none yet",
                f"{card.tested_on} files" if card.tested_on else None,
                card.title,
            ]
            for name, card in known.items()
        ],
    )
