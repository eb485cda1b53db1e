"""Peers, each in an environment of its own: what they need never meets what we need.

The environments stand in HEMICYCLE_PEERS, or in the user's cache folder; one is made where it is absent or
was made of other requirements.
"""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

DATATROVE = (
    *("datatrove==0.10.1", "spacy==3.8.18", "nltk==3.10.4", "tokenizers==0.23.3"),
    *("numba", "orjson", "ftfy==6.3.1", "pyarrow", "xxhash<4"),
)


def cache_folder() -> Path:
    """Where benches keep what they make once."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "hemicycle"


def peers_folder() -> Path:
    return Path(os.environ.get("HEMICYCLE_PEERS") or cache_folder() / "peers")


def made_python_of(name: str) -> Path | None:
    """The interpreter of a peer's environment, where it has been made."""
    python = peers_folder() / name / "bin" / "python"
    return python if python.with_name("made").is_file() else None


def python_of(name: str, requirements: Sequence[str]) -> Path:
    """The interpreter of a peer's environment; the environment is made where it is not there yet."""
    folder = peers_folder() / name
    made, wanted = folder / "bin" / "made", "\n".join(requirements)
    if not made.is_file() or made.read_text("utf-8") != wanted:
        print(f"making an environment for {name} in {folder}")
        venv.create(folder, clear=True, with_pip=True)
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, *requirements], check=True)
        made.write_text(wanted, "utf-8")
    return folder / "bin" / "python"
