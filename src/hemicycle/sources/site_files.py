"""What the sites of a crawl said of themselves: their robots.txt, tdmrep.json and RSL files, by time.

The files come from the crawl itself, so that a page is judged by what its site said when it was fetched: of
several answers the one nearest in time. Their bytes go to a temporary file; in memory stay addresses, times
and offsets.
"""

from __future__ import annotations

import functools
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from hemicycle.errors import InputError
from hemicycle.rights.optout import Fetched, robots_address, tdmrep_address
from hemicycle.rights.optout.protocols import protocol
from hemicycle.rights.optout.signals import stamp
from hemicycle.rights.optout.tdmrep import WELL_KNOWN
from hemicycle.sources.warc import Record

_SITE_PATHS = ("/robots.txt", WELL_KNOWN)
_RSL = protocol("rsl").namespace.encode()
_MAX_HOPS = 5
#: Bytes kept of one file: more than is read of any, so that a longer one is seen to be longer.
KEPT = 2**20 + 1
_DAWN = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Answer:
    date: datetime
    status: int | None
    location: str
    offset: int
    length: int
    truncated: bool


def is_site_file(record: Record) -> bool:
    """Whether a response may be one of the files that sites speak by, or leads to one."""
    if record.kind != "response" or record.status is None:
        return False
    try:
        path = urllib.parse.urlsplit(record.url).path
    except ValueError:
        return False
    return (
        "rsl+xml" in record.header("content-type").lower()
        or path in _SITE_PATHS
        or path.lower().endswith(".xml")
    )


class SiteFiles:
    """The files of all sites of a crawl. A context: its temporary file goes with it."""

    def __init__(self) -> None:
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115
        self._answers: dict[str, list[_Answer]] = {}
        self._read = functools.lru_cache(maxsize=32)(self._read_spool)

    def __enter__(self) -> SiteFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self._spool.close()

    def add(self, record: Record) -> None:
        """Keep an answer; one whose packing cannot be undone is kept as one that could not be had.

        XML that is no RSL is of no interest here, and sites have much of it.
        """
        status: int | None = record.status
        try:
            body = record.content()
        except InputError:
            body, status = b"", None
        path = urllib.parse.urlsplit(record.url).path
        if path not in _SITE_PATHS and status == 200 and _RSL not in body:
            return
        offset = self._spool.seek(0, 2)
        self._spool.write(body[:KEPT])
        self._answers.setdefault(record.url, []).append(
            _Answer(
                record.date or _DAWN,
                status,
                record.header("location"),
                offset,
                min(len(body), KEPT),
                record.truncated or len(body) > KEPT,
            )
        )

    def robots(self, url: str, on: datetime) -> Fetched | None:
        """The robots.txt for a page fetched at a time; None where the crawl has none."""
        return self.get(robots_address(url), on)

    def tdmrep(self, url: str, on: datetime) -> Fetched | None:
        return self.get(tdmrep_address(url), on)

    def get(self, address: str, on: datetime) -> Fetched | None:
        """The answer nearest in time, the earlier of two; redirects lead on to what they led to."""
        at = address
        for _ in range(_MAX_HOPS + 1):
            answers = self._answers.get(at)
            if not answers:
                return None
            answer = min(answers, key=lambda a: (abs(a.date - on), a.date))
            if answer.status not in (301, 302, 303, 307, 308) or not answer.location:
                return self._fetched(address, answer)
            try:
                at = urllib.parse.urljoin(at, answer.location)
            except ValueError:
                return None
        return None

    def _fetched(self, address: str, answer: _Answer) -> Fetched:
        body = self._read(answer.offset, answer.length)
        return Fetched(address, answer.status, body, (), stamp(answer.date), answer.truncated)

    def _read_spool(self, offset: int, length: int) -> bytes:
        self._spool.seek(offset)
        return self._spool.read(length)

    def at(self, on: datetime) -> Mapping[str, Fetched]:
        """All files by address, as they were at a time."""
        return _AtTime(self, on)


class _AtTime(Mapping[str, Fetched]):
    def __init__(self, files: SiteFiles, on: datetime) -> None:
        self._files, self._on = files, on

    def __getitem__(self, address: str) -> Fetched:
        found = self._files.get(address, self._on)
        if found is None:
            raise KeyError(address)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._files._answers)

    def __len__(self) -> int:
        return len(self._files._answers)
