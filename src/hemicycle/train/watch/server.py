"""The server of the pages: on this machine only, reading only.

It answers GET of ``/`` (all runs), ``/NAME`` (one) and ``/NAME.json`` (its figures). A stranger's page that
the user has open could point its own name at 127.0.0.1 and read what is here (DNS rebinding), so the Host
header must be this machine's own.
"""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from hemicycle.errors import HemicycleError
from hemicycle.train.watch.page import render_index, render_run
from hemicycle.train.watch.runs import figures, find_runs, read_run
from hemicycle.train.watch.words import WORDS
from hemicycle.typeset import Language

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def make_server(logs: Path, port: int) -> ThreadingHTTPServer:
    """A server of the runs whose logs lie in a folder, listening on 127.0.0.1; `serve_forever` runs it.

    Raises HemicycleError where the port is taken.
    """

    class Handler(_Handler):
        folder = logs

    try:
        return _Server(("127.0.0.1", port), Handler)
    except OSError as error:
        raise HemicycleError(
            f"cannot listen there: {error.strerror}",
            place=f"127.0.0.1:{port}",
            remedy="Choose another --port.",
        ) from None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET


class _Handler(BaseHTTPRequestHandler):
    folder: Path
    server_version = "hemicycle"
    sys_version = ""
    #: Seconds a client has to send its request.
    timeout = 30

    def do_GET(self) -> None:
        if self._host() not in LOCAL_HOSTS:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server is reached as localhost only")
            return
        name = unquote(self.path.partition("?")[0]).removeprefix("/")
        try:
            answer = self._answer(name)
        except HemicycleError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", str(error))
            return
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such training")
            return
        self._send(HTTPStatus.OK, *answer)

    def _answer(self, name: str) -> tuple[str, str] | None:
        """Media type and text for a path; None where there is nothing."""
        names = find_runs(self.folder)
        if not name:
            runs = [run for run in (read_run(self.folder / name) for name in names) if run is not None]
            return "text/html", render_index(runs, first=self._language(), served=True)
        # A path is only ever a name that was found, so none leads out of the folder.
        found = name if name in names else name.removesuffix(".json")
        run = read_run(self.folder / found) if found in names else None
        if run is None:
            return None
        if found != name:
            return "application/json", json.dumps(figures(run), ensure_ascii=False)
        return "text/html", render_run(run, first=self._language(), served=True)

    def _host(self) -> str:
        """The host asked for, without its port."""
        host = self.headers.get("host", "").lower()
        return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host

    def _language(self) -> Language:
        """French, unless the browser prefers English."""
        wished = [tag.strip()[:2].lower() for tag in self.headers.get("accept-language", "").split(",")]
        return next(("fr" if language == "fr" else "en" for language in wished if language in WORDS), "fr")

    def _send(self, status: HTTPStatus, media: str, text: str) -> None:
        body = text.encode("utf-8")
        self.send_response(status)
        self.send_header("content-type", f"{media}; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a page that is open asks every few seconds."""
