"""`hemicycle new`: start a project from a template."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from hemicycle.cli.session import json_option, print_json


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--template", type=click.Choice(["petit", "french"]), default="petit", show_default=True)
@click.option("--name", help="Name of the project; by default that of the folder.")
@json_option
def command(folder: Path, template: str, name: str | None, as_json: bool) -> None:
    """Start a project in FOLDER from a template.

    `petit` is a commented skeleton for texts of your own. `french` is the real thing: cards that point at
    the official open-data archives of the Assemblée nationale, French novels and documentation.

    \b
    Examples:
      hemicycle new my-project
      hemicycle new hemicycle-fr --template french
    """
    from hemicycle.templates import create_project

    files = create_project(folder, template, name)
    if as_json:
        print_json({"folder": str(folder), "files": [str(f) for f in files]})
        return
    for file in files:
        click.echo(file)
    run = shlex.join(["hemicycle", "run", str(folder)])
    click.echo(f"\nRead {folder / 'hemicycle.toml'}, fill in the cards, then: {run}", err=True)
