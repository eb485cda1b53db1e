"""Files from the Hugging Face hub, at a commit."""

from __future__ import annotations

import errno
import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hemicycle.errors import DeclarationError, InputError

#: Errors of this machine and not of the hub: a full disk, no leave to write.
LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def fetch_snapshot(
    name: str,
    repository: str,
    revision: str,
    into: Path,
    *,
    what: Literal["dataset", "model"],
    patterns: Sequence[str] | None,
) -> str:
    """Bring the files of a repository that match `patterns` (all: None) into a folder; returns their commit.

    Args:
        name: as it is declared, for errors.

    Raises:
        DeclarationError: the library that fetches is not installed.
        InputError: the hub does not give it.
    """
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        raise DeclarationError(
            f"“{name}” is on a hub, and the library that fetches from it is not installed",
            remedy="pip install 'hemicycle[train]'",
        ) from None
    into.mkdir(parents=True, exist_ok=True)
    try:
        commit: str | None = hub.HfApi().repo_info(repository, repo_type=what, revision=revision).sha
        if not commit:
            raise ValueError("the hub names no commit for this revision")
        hub.snapshot_download(
            repository, repo_type=what, revision=commit, local_dir=str(into), allow_patterns=patterns
        )
    except Exception as error:  # which library of HTTP raises here depends on the hub library's version
        if isinstance(error, OSError) and error.errno in LOCAL:
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"the hub does not give the {what}: {said[0]}",
            place=name,
            remedy=f"Check the name and the revision; a gated {what} also wants `hf auth login`.",
        ) from error
    shutil.rmtree(into / ".cache", ignore_errors=True)
    return commit
