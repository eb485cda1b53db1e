"""`hemicycle serve`: an API and a page."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from pathlib import Path

import click

from hemicycle.cli.session import Session, project_option
from hemicycle.errors import HemicycleError


@click.command()
@click.argument("model", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option("--name", "names", multiple=True, help="A name this server is reached under, beside localhost.")
@project_option
def command(model: str | None, host: str, port: int, names: tuple[str, ...], folder: Path) -> None:
    """Serve MODEL (by default the last one declared): an OpenAI-compatible API, and a page in French and
    English that shows for each answer the training documents it matches and the rights they stand under.

    Clients must send the bearer token in the environment variable HEMICYCLE_TOKEN, if it is set; it must
    be set to listen beyond this machine. Nothing that is asked or answered is kept.

    \b
    Examples:
      hemicycle serve
      hemicycle serve petit --port 9000 --project examples/petit-hemicycle
    """
    from hemicycle.cli.asking import Watched, open_model

    token = os.environ.get("HEMICYCLE_TOKEN") or None
    if host not in ("127.0.0.1", "::1", "localhost") and not token:
        raise HemicycleError(
            f"listening on {host} lets others in",
            remedy="Set HEMICYCLE_TOKEN to a secret that clients must send, then call again.",
        )
    try:
        import uvicorn

        from hemicycle.serve import create_app, load_engine
    except ImportError as error:
        raise HemicycleError(f"serving needs {error.name}", remedy="pip install 'hemicycle[serve]'") from None
    _open_many_files()
    with listen(host, port) as listener:
        asked = open_model(Session(folder), model)
        app = create_app(
            load_engine(asked.folder, name=asked.name),
            tracer=Watched(asked),
            about=asked.about,
            token=token,
            allowed_hosts=names,
        )
        click.echo(
            f"{asked.about['title']}: {address(host, listener.getsockname()[1])}  (Ctrl-C ends)", err=True
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
            if not server.started:
                raise HemicycleError("the server did not start", remedy="What it said stands above.")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there, opened before the model is loaded: a port in use is known at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        told = isinstance(error, OSError) and error.errno
        why = os.strerror(told) if told and told > 0 else getattr(error, "strerror", None) or error
        raise HemicycleError(
            f"cannot listen there: {why}",
            place=address(host, port).removeprefix("http://"),
            remedy="Choose another --port, or with --host an address that this machine has.",
        ) from None


def _open_many_files() -> None:
    """Let this process have as many files open as it may ever have: each of a thousand clients is one, and
    those of the index and the corpus come on top."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # A system may name more than it gives; then what there was stays.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def address(host: str, port: int) -> str:
    """Where a browser finds the server; an IPv6 address stands in brackets (RFC 3986, section 3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
