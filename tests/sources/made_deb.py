"""Debian packages made by hand, for tests: an ar archive of two tars."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": lambda data: pa.Codec("zstd").compress(data, asbytes=True),
}

NOTICE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2026 Somebody
License: {licence}
"""


def tar(files: Mapping[str, bytes | str | tarfile.TarInfo]) -> bytes:
    """A tar of files; a value that is a str is where a symbolic link leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
                continue
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
            archive.addfile(info)
    return out.getvalue()


def ar(members: Mapping[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
            + data
            + b"\n" * (len(data) % 2)
        )
    return out


def make_deb(
    folder: Path,
    name: str,
    files: Mapping[str, bytes | str | tarfile.TarInfo],
    *,
    version: str = "1.0-1",
    packed: str = ".xz",
) -> Path:
    """Write ``NAME_VERSION_all.deb`` and return its path."""
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nDescription: a test\n .\n More: of it\n"
    )
    pack = PACKERS[packed]
    data = ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{packed}": pack(tar({"./control": control.encode()})),
            f"data.tar{packed}": pack(tar({f"./{path}": content for path, content in files.items()})),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{version.replace(':', '%3a')}_all.deb"
    path.write_bytes(data)
    return path
