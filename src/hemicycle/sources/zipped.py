"""The XML files of a source, loose or inside zip files, one after the other.

The traps of a zip: a member's declared size is a claim (so the bytes are counted while they are
inflated), a few kilobytes may inflate to a terabyte, and a name may climb out of the folder. Nothing is
ever written to disk here, but a zip with such names was made with intent or by accident, and is refused.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.xml import FILE_LIMIT, read_bytes, too_big

if TYPE_CHECKING:
    from hemicycle.project import Card

#: XML with repeated tags deflates to a fiftieth at most; a hundred thousand bytes may do better by chance.
RATIO_LIMIT = 200
RATIO_FREE_BYTES = 100_000

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)


@dataclass(frozen=True)
class XmlFile:
    """One XML file as it was found.

    Attributes:
        path: of the file on disk, relative to the folder of the source, with ``/``.
        member: its name inside the zip file at `path`, or None.
    """

    path: str
    data: bytes
    member: str | None = None

    @property
    def place(self) -> str:
        """How messages name the file."""
        return f"{self.path}#{self.member}" if self.member else self.path


def xml_files(folder: Path, card: Card, limit: int = FILE_LIMIT) -> Iterator[XmlFile]:
    """The selected files in the order of their paths; members of a zip in the order of their names.

    Raises:
        InputError: a selected file is neither XML nor zip (by its name), is bigger than `limit`, or a zip
            is damaged or hostile.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".xml":
            yield XmlFile(origin, read_bytes(path, origin, limit))
        elif path.suffix.lower() == ".zip":
            yield from _members(path, origin, limit)
        else:
            raise InputError(
                "the card selects this file, and it is neither .xml nor .zip",
                place=origin,
                remedy='Say in the source card which files are meant, e.g. include = ["**/*.xml"].',
            )


def open_zip(path: Path, origin: str) -> zipfile.ZipFile:
    """The zip file at a path. Raises InputError where it is none."""
    try:
        return zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise _damaged(origin, error) from None


def member_names(path: Path, origin: str) -> list[str]:
    """The names that a zip file says its members have, without reading any. Raises InputError as above."""
    with open_zip(path, origin) as archive:
        return archive.namelist()


def inflated(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, limit: int) -> bytes:
    """The bytes of one member of any kind. Raises InputError: damaged, hostile or above `limit`."""
    _check_member(info, place, limit)
    return _inflate(archive, info, place, limit)


def _members(path: Path, origin: str, limit: int) -> Iterator[XmlFile]:
    with open_zip(path, origin) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        names = Counter(info.filename for info in infos)
        for info in sorted(infos, key=lambda info: info.filename):
            _check(info, f"{origin}#{info.filename}", names, limit)
            yield XmlFile(origin, _inflate(archive, info, f"{origin}#{info.filename}", limit), info.filename)


def _check(info: zipfile.ZipInfo, place: str, names: Counter[str], limit: int) -> None:
    """Refuse what the directory of the zip already gives away of a member that should be XML."""
    if not _climbs_out(info.filename) and not info.filename.lower().endswith(".xml"):
        raise InputError(
            "the zip file holds something that is not XML",
            place=place,
            remedy="Unpack it, and say in the source card which files are meant.",
        )
    if names[info.filename] > 1:
        raise InputError("the zip file holds two members of this name", place=place)
    _check_member(info, place, limit)


def _climbs_out(name: str) -> bool:
    return (
        PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name
    )


def _check_member(info: zipfile.ZipInfo, place: str, limit: int) -> None:
    if _climbs_out(info.filename):
        raise InputError(
            "the name of this member climbs out of the zip file",
            place=place,
            remedy="Do not use this file; ask its publisher for a clean one.",
        )
    if info.flag_bits & 1:
        raise InputError("the member is encrypted", place=place, remedy="Unpack it with its password first.")
    if info.file_size > limit:
        raise too_big(place, limit)
    _check_ratio(info, info.file_size, place)


def _check_ratio(info: zipfile.ZipInfo, inflated: int, place: str) -> None:
    if inflated > RATIO_FREE_BYTES and inflated > RATIO_LIMIT * max(info.compress_size, 1):
        raise InputError(
            f"the member inflates to more than {RATIO_LIMIT} times its size: this is no text",
            place=place,
            remedy="Do not use this file; ask its publisher for a clean one.",
        )


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, limit: int) -> bytes:
    """The bytes of one member, counted as they come, whatever the directory of the zip says."""
    try:
        with archive.open(info) as member:
            data = member.read(limit + 1)
    except _DAMAGE as error:
        raise _damaged(place, error) from None
    if len(data) > limit:
        raise too_big(place, limit)
    _check_ratio(info, len(data), place)
    return data


def _damaged(place: str, error: Exception) -> InputError:
    return InputError(
        f"the zip file is damaged: {error}", place=place, remedy="Fetch it again and compare its digest."
    )
