"""A shell for documented commands: `hemicycle` runs in this process, the rest under bash.

Starting Python and torch anew for each of a hundred commands would take minutes; a command with a pipe or a
redirection goes through bash all the same, and so through the installed entry point.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from hemicycle import cli
from hemicycle.governance import decisions

_OPERATORS = set("|&;<>")


@dataclass(frozen=True)
class Done:
    """What a command came to; `output` is stdout and stderr together."""

    code: int
    output: str


class Shell:
    """Remembers the folder it stands in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, *, later: float = 0) -> Done:
        """Run a command; waiting times are judged `later` hours ahead, save in what bash runs."""
        words = shlex.split(command)
        operators = shlex.shlex(command, posix=True, punctuation_chars=True)
        if words[0] == "cd":
            self.folder = (self.folder / words[1]).resolve(strict=True)
            return Done(0, "")
        if words[0] == "hemicycle" and not any(set(word) <= _OPERATORS for word in operators if word):
            return self._here(words, timedelta(hours=later))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        return Done(done.returncode, done.stdout)

    def _here(self, words: list[str], ahead: timedelta) -> Done:
        said = io.StringIO()
        code = 0
        now = decisions.now_utc

        def then() -> datetime:
            return now() + ahead

        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            mock.patch.object(sys, "argv", words),
            # Else click names the program after how the tests were called.
            mock.patch.object(cli.cli, "main", functools.partial(cli.cli.main, prog_name=words[0])),
            mock.patch.dict(os.environ, {"COLUMNS": "80"}),
            mock.patch.object(decisions, "now_utc", then),
        ):
            try:
                cli.main()
            except SystemExit as stop:
                code = int(stop.code or 0)
        return Done(code, said.getvalue())
