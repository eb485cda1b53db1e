"""Tar archives made for tests."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable


def tar(
    members: dict[str, bytes] | Iterable[tuple[str, bytes]],
    fmt: int = tarfile.PAX_FORMAT,
    kind: bytes = tarfile.REGTYPE,
) -> bytes:
    """A tar of the members, which are links or devices where `kind` says so."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as archive:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            if kind != tarfile.REGTYPE:
                info.linkname, info.size = "/etc/passwd", 0
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def taz(members: dict[str, bytes], inner: str = "AN_2031001.tar") -> bytes:
    """An archive as the DILA makes them: gzip of a tar that holds a tar."""
    return gzip.compress(tar({inner: tar(members)}), mtime=0)
