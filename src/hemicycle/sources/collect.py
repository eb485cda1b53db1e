"""Collect: bring a source's files in, from a folder, from the web, from Debian, or from a hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Card
from hemicycle.store import list_files


def collect(
    card: Card,
    project: Path,
    out: Path,
    scratch: Path,
    *,
    pinned: Mapping[str, str],
    offline: bool,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Fill `out` with the files of a source and return figures: files, bytes, packages or downloads.

    `pinned` maps a Debian package to the version the lock wants. Raises InputError where the files cannot
    be had.
    """
    figures: dict[str, Any] = {}
    local = card.path is not None and not card.path.startswith("hf:")
    if offline and not local:
        raise InputError(
            "it was not collected yet, and --offline forbids fetching it",
            remedy="Run `hemicycle collect` once where there is a network.",
        )
    if card.packages:
        from hemicycle.sources.apt import fetch_packages

        fetched = fetch_packages(card.packages, out, scratch, progress=progress, pinned=pinned)
        figures["packages"] = {p.name: p.version for p in fetched}
    elif card.urls and card.reader == "web":
        from hemicycle.sources.fetch_site import collect_urls

        pages = collect_urls(card.urls, out, scratch, progress=progress)
        figures |= {"pages": pages.pages, "refused": pages.refused, "failed": pages.failed}
    elif card.urls:
        from hemicycle.sources.download import download

        files = download(card.urls, out, scratch, digests=card.digests, progress=progress)
        figures["downloads"] = [
            {"url": f.url, "file": f.file_name, "sha256": f.sha256, "etag": f.etag} for f in files
        ]
    elif local:
        from hemicycle.sources.local import copy_in

        copy_in((project / str(card.path)).resolve(), out, card)
    else:
        from hemicycle.sources.huggingface import fetch_dataset

        include = () if card.include == ["**/*"] else card.include
        figures["commit"] = fetch_dataset(str(card.path), out, include=include)
    names = list_files(out)
    if not names:
        raise InputError(
            "the source has no files",
            place=card.path or "",
            remedy="Look at the card's path, include and exclude.",
        )
    return {**figures, "files": len(names), "bytes": sum((out / n).stat().st_size for n in names)}
