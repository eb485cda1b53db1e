"""`hemicycle watch`: how trainings go."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.errors import DeclarationError, InputError, did_you_mean


@click.command()
@click.argument("model", required=False)
@project_option
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--once", type=click.Path(dir_okay=False, path_type=Path), help="Write the page to a file instead."
)
@click.option(
    "--to",
    "sink",
    type=(click.Choice(["tensorboard", "mlflow"]), str),
    metavar="SINK PLACE",
    help="Hand the figures to `tensorboard` (PLACE: a folder) or `mlflow` (PLACE: a tracking URI) instead.",
)
@json_option
def command(
    model: str | None, folder: Path, port: int, once: Path | None, sink: tuple[str, str] | None, as_json: bool
) -> None:
    """Show how MODEL's training goes, or that of all models: a page on this machine, in French and English.

    It reads the logs that `hemicycle train` writes: start and end it at any time, before, during and after
    them. A sink follows a training until it ends.

    \b
    Examples:
      hemicycle watch
      hemicycle watch petit --once petit.html
      hemicycle watch petit --to tensorboard boards
    """
    from hemicycle.train.watch import figures, find_runs, render_index, render_run
    from hemicycle.train.watch.runs import read_run

    session = Session(folder)
    logs = session.store.trainings
    names = find_runs(logs)
    if model is not None and model not in names:
        _explain(session, model, names)
    wanted = names if model is None else [model]
    runs = [run for run in (read_run(logs / name) for name in wanted) if run is not None]
    if as_json:
        print_json({run.name: figures(run) for run in runs})
    elif sink is not None:
        if len(wanted) != 1:
            raise DeclarationError(
                "a sink follows one training",
                remedy=f"Name one of {', '.join(names)}." if names else "None has begun here.",
            )
        _follow(logs / wanted[0], *sink)
    elif once is not None:
        from hemicycle.store import write_aside

        page = render_run(runs[0]) if len(runs) == 1 else render_index(runs)
        write_aside(once, page.encode("utf-8"))
        click.echo(f"wrote {once}", err=True)
    else:
        _serve(logs, model, port)


def _explain(session: Session, model: str, names: list[str]) -> None:
    """Say why there is no log of that name."""
    declared = session.project.declaration.models
    if model not in declared:
        raise DeclarationError(
            f"no model is called “{model}”",
            remedy=did_you_mean(model, [*declared, *names]) or "`hemicycle status` lists what is declared.",
        )
    raise InputError(
        f"model {model} has no log here: it has not begun to train, or its log was deleted",
        remedy=f"`hemicycle train {model}` trains it; without a name, `hemicycle watch` waits for it.",
    )


def _serve(logs: Path, model: str | None, port: int) -> None:
    from urllib.parse import quote

    from hemicycle.train.watch.server import make_server

    with make_server(logs, port) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}/{quote(model or '')}"
        click.echo(f"{address}  (Ctrl-C ends)", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


def _follow(log: Path, kind: str, place: str) -> None:
    from hemicycle.train.watch.sinks import follow, open_sink

    click.echo(f"following {log.name} until it ends  (Ctrl-C ends sooner)", err=True)
    with contextlib.suppress(KeyboardInterrupt):
        sent = follow(log, open_sink(kind, place, log))
        click.echo(f"handed over {sent} steps", err=True)
