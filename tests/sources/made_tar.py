"""Tar archives made for tests."""

from __future__ import annotations

import gzip
import io
import tarfile


def tar(members: dict[str, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=fmt) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def taz(members: dict[str, bytes], inner: str = "AN_2031001.tar") -> bytes:
    """An archive as the DILA makes them: gzip of a tar that holds a tar."""
    return gzip.compress(tar({inner: tar(members)}), mtime=0)
