"""Files from the web: whole and verified, however often the line is cut.

What has arrived is kept in a work folder, so that the next try, of this process or of the next one, asks
for the rest only (RFC 9110, sections 13.1.5 and 14.2). The trap is a file that changes upstream between the
two halves: the rest is asked for under the condition that the validator (a strong ETag, or a Last-Modified
that is safe to use) is still the same, and when it is not, the file is begun again. The other trap is a power
cut, after which a file may have its length and not its bytes: only what was flushed to disk counts as having
arrived. A file takes its final name once its length and its digest are right.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import shutil
import time
import unicodedata
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from hemicycle.digests import sha256_file, sha256_text
from hemicycle.errors import DeclarationError, HemicycleError, InputError, did_you_mean
from hemicycle.progress import QUIET, Progress
from hemicycle.sources.web import TIMEOUT, TryAgainError, Visit, check_address, http_date, refusal
from hemicycle.store import write_aside

MAX_BYTES = 128 * 2**30
#: Failures in a row without `GAIN` bytes of progress before giving up; and failures in all.
TRIES = 6
GAIN = 2**20
TRIES_IN_ALL = 1_000
LONGEST_BACKOFF = 60.0
#: Bytes after which what has arrived is flushed to disk; a kill costs no more.
FLUSHED_EVERY = 64 * 2**20

#: Longer names trouble file systems, which count bytes and know 255 of them.
MAX_NAME_BYTES = 120


@dataclass(frozen=True)
class Downloaded:
    """One file that arrived whole.

    Attributes:
        file_name: in the folder.
        size: bytes.
        etag, last_modified: as the server gave them; None where it did not.
    """

    url: str
    file_name: str
    size: int
    sha256: str
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class _State:
    """What is known of a transfer, kept beside its bytes in the work folder.

    Attributes:
        validator: a value for If-Range; None where the server gave none that is safe.
        total: length of the whole file in bytes, where the server said it.
        kept: bytes of the part that were on disk when this was written.
        sha256: of the finished file; None while it is on its way.
    """

    url: str
    validator: str | None = None
    total: int | None = None
    kept: int = 0
    etag: str | None = None
    last_modified: str | None = None
    sha256: str | None = None


def download(
    urls: Sequence[str],
    into: Path,
    work: Path,
    *,
    digests: Mapping[str, str],
    progress: Progress = QUIET,
    client: httpx.Client | None = None,
    sleep: Callable[[float], None] = time.sleep,
    max_bytes: int = MAX_BYTES,
) -> list[Downloaded]:
    """Fetch every address into the folder `into`, one after the other; return them in the order given.

    Called again after a crash, it goes on where it stopped: finished files are checked, not fetched.

    Args:
        work: folder of partial files and their states, on the same file system as `into`.
        digests: SHA-256 by address or by file name (see `file_names`), for those that are known.
        client: for tests, or for a proxy of one's own; redirects are followed here, not by it.
        max_bytes: the most one file may have.

    Raises:
        DeclarationError: an address or a digest in the card cannot be right.
        InputError: the server does not give the file, or gives another one.
        HemicycleError: the disk is full.
    """
    names = file_names(urls)
    expected = _expected(names, digests)
    into.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if client is None:
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            client = stack.enter_context(httpx.Client(timeout=TIMEOUT, limits=limits))
        visit = Visit(client, sleep)
        done = []
        for url, name in names.items():
            transfer = _Transfer(url, into / name, work, expected.get(url), max_bytes)
            done.append(transfer.finished() or transfer.run(visit, progress))
        return done


def file_names(urls: Sequence[str]) -> dict[str, str]:
    """A safe file name for each address, from the last segment of its path.

    Addresses whose names would be the same, capitals aside, all get eight digits of their digest, so that
    their order does not matter.

    Raises:
        DeclarationError: an address is given twice or is not one of the web.
    """
    for url in urls:
        check_address(url)
    if len(set(urls)) != len(urls):
        raise DeclarationError("the address is given twice", place=Counter(urls).most_common(1)[0][0])
    plain = {url: _file_name(url) for url in urls}
    counts = Counter(name.casefold() for name in plain.values())
    return {
        url: _numbered(name, sha256_text(url)[:8]) if counts[name.casefold()] > 1 else name
        for url, name in plain.items()
    }


def _file_name(url: str) -> str:
    """Letters, digits and `-_.+` of the last segment; never hidden, never empty, never long."""
    segment = urllib.parse.urlsplit(url).path.rstrip("/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", urllib.parse.unquote(segment, errors="replace"))
    name = re.sub(r"[^\w.+-]", "_", name).lstrip(".")
    while len(name.encode("utf-8")) > MAX_NAME_BYTES:
        stem, dot, suffixes = name.partition(".")
        name = stem[:-1] + dot + suffixes if len(stem) > 8 else name[:-1]
    return name or "index"


def _numbered(name: str, number: str) -> str:
    stem, dot, suffixes = name.partition(".")
    return f"{stem}-{number}{dot}{suffixes}"


def _expected(names: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, str]:
    """The declared digest of each address. A digest of nothing would check nothing, so it is refused."""
    by_key = {name: url for url, name in names.items()} | {url: url for url in names}
    expected: dict[str, str] = {}
    for key, digest in digests.items():
        if key not in by_key:
            raise DeclarationError(
                f"there is a digest for “{key}”, which is none of the addresses and file names of the card",
                remedy=did_you_mean(key, by_key) or f"File names: {', '.join(sorted(names.values()))}.",
            )
        if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            raise DeclarationError(f"the digest of “{key}” is not a SHA-256 (64 hexadecimal digits)")
        if expected.setdefault(by_key[key], digest.lower()) != digest.lower():
            raise DeclarationError(f"two different digests are given for “{by_key[key]}”")
    return expected


class _Transfer:
    """One file on its way: its bytes and its state in the work folder, then its final name."""

    def __init__(self, url: str, target: Path, work: Path, expected: str | None, max_bytes: int) -> None:
        key = sha256_text(url)[:16]
        self.url, self.target, self.expected, self.max_bytes = url, target, expected, max_bytes
        self.part, self.state_file = work / f"{key}.part", work / f"{key}.json"
        self.state = self._load()

    def finished(self) -> Downloaded | None:
        """The file, if an earlier run finished it and nothing touched it since."""
        digest = self.state.sha256
        if digest is None or self.expected not in (None, digest):
            return None
        for path in (self.target, self.part):
            if path.is_file() and sha256_file(path) == digest:
                return self._place(path, digest)
        return None

    def run(self, visit: Visit, progress: Progress) -> Downloaded:
        """Fetch, trying again where a failure may pass; verify; give the final name."""
        with _disk_errors(self.url):
            if self.state.sha256 or self._size() < self.state.kept:
                self._restart()
            elif self._size() > self.state.kept:
                os.truncate(self.part, self.state.kept)
            resumed = self._size() > 0
            self._fetch(visit, progress)
            digest = sha256_file(self.part)
            if self.expected not in (None, digest) and resumed:
                self._restart()
                self._fetch(visit, progress)
                digest = sha256_file(self.part)
            if self.expected not in (None, digest):
                self._restart()
                raise InputError(
                    f"this is not the file declared: its SHA-256 is {digest}, the card says {self.expected}",
                    place=self.url,
                    remedy="If the publisher changed it and you accept the change, correct `digests`.",
                )
            self._save(dataclasses.replace(self.state, sha256=digest))
            return self._place(self.part, digest)

    def _fetch(self, visit: Visit, progress: Progress) -> None:
        """Bring the part to its full length. Tries are counted anew whenever `GAIN` bytes were gained."""
        tries, mark = 0, self._size()
        for _ in range(TRIES_IN_ALL):
            try:
                return self._attempt(visit, progress)
            except TryAgainError as error:
                why, asked, size = str(error), error.wait, self._size()
                tries, mark = (1, size) if size - mark >= GAIN else (tries + 1, min(mark, size))
            if tries >= TRIES:
                break
            wait = asked if asked is not None else min(LONGEST_BACKOFF, 2.0 ** (tries - 1))
            with progress.start(f"{self.target.name}: {why}; again in {wait:.0f} s", None):
                visit.sleep(wait)
        raise InputError(
            f"{why}; {tries} tries brought nothing more",
            place=self.url,
            remedy=f"Run again later: the {self._size()} bytes that arrived are kept.",
        )

    def _attempt(self, visit: Visit, progress: Progress) -> None:
        have, total = self._size(), self.state.total
        if have and (self.state.validator is None or (total is not None and have > total)):
            self._restart()
            have = 0
        if have and have == total:
            return
        headers = {}
        if have and self.state.validator:
            headers = {"Range": f"bytes={have}-", "If-Range": self.state.validator}
        with visit.get(self.url, headers) as response:
            if response.status_code == 200:
                self._begin(response)
                self._receive(response, 0, progress)
            elif response.status_code == 206 and self._continues(response, have):
                self._receive(response, have, progress)
            elif response.status_code in (206, 416):
                self._restart()
                raise TryAgainError("the server does not give the rest that was asked for", 0.0)
            else:
                raise refusal(response, self.url)

    def _begin(self, response: httpx.Response) -> None:
        """Note what the server says of the file; what had arrived of another version goes."""
        headers = response.headers
        if headers.get("content-encoding", "identity") != "identity":
            raise InputError(
                f"the server packs the file ({headers['content-encoding']}) though it was asked not to",
                place=self.url,
                remedy="Fetch the file yourself and name it with `path`.",
            )
        length = headers.get("content-length", "")
        total = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
        self._restart()
        if total is not None and total > self.max_bytes:
            raise self._too_large(total)
        if total is not None and total > shutil.disk_usage(self.part.parent).free:
            raise OSError(errno.ENOSPC, f"the file has {total} bytes")
        etag, modified = headers.get("etag"), headers.get("last-modified")
        self._save(_State(self.url, _validator(headers), total, etag=etag, last_modified=modified))

    def _continues(self, response: httpx.Response, have: int) -> bool:
        """Whether a 206 is the rest of the very file whose beginning is here."""
        found = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)", response.headers.get("content-range", ""))
        return (
            have > 0
            and found is not None
            and int(found[1]) == have
            and (found[2] == "*" or self.state.total in (None, int(found[2])))
            and response.headers.get("etag", self.state.etag) == self.state.etag
        )

    def _receive(self, response: httpx.Response, start: int, progress: Progress) -> None:
        size, total = start, self.state.total
        with (
            progress.start(f"downloading {self.target.name}", total / 1e6 if total else None, "MB") as bar,
            self.part.open("ab" if start else "wb") as file,
        ):
            bar.advance(start / 1e6)
            # Pieces as they come: a chosen size would hold back, and lose, what a cut leaves incomplete.
            try:
                for piece in response.iter_raw():
                    size += len(piece)
                    if size > self.max_bytes:
                        raise self._too_large(size)
                    file.write(piece)
                    bar.advance(len(piece) / 1e6)
                    if size - self.state.kept >= FLUSHED_EVERY:
                        self._keep(file)
            finally:
                self._keep(file)
        if total is not None and size < total:
            raise TryAgainError(f"the connection ended after {size} of {total} bytes")
        if total is not None and size > total:
            self._restart()
            raise TryAgainError(f"the server sent {size} bytes and had announced {total}")

    def _keep(self, file: BinaryIO) -> None:
        """Flush what has arrived, then record it: in this order a power cut leaves no false record."""
        try:
            file.flush()
        finally:  # what a full disk still took is kept
            os.fsync(file.fileno())
            self._save(dataclasses.replace(self.state, kept=os.fstat(file.fileno()).st_size))

    def _too_large(self, size: int) -> InputError:
        return InputError(
            f"the file has {size} bytes or more; the most one file may have is {self.max_bytes}",
            place=self.url,
            remedy="If it is what you want, fetch it yourself and name it with `path`.",
        )

    def _place(self, path: Path, digest: str) -> Downloaded:
        if path != self.target:
            shutil.move(path, self.target)
        size = self.target.stat().st_size
        return Downloaded(self.url, self.target.name, size, digest, self.state.etag, self.state.last_modified)

    def _restart(self) -> None:
        self.part.unlink(missing_ok=True)
        self._save(_State(self.url))

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _load(self) -> _State:
        """The state of an earlier run; that of a file not begun where there is none that can be read."""
        try:
            state = _State(**json.loads(self.state_file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return _State(self.url)
        return state if state.url == self.url else _State(self.url)

    def _save(self, state: _State) -> None:
        self.state = state
        write_aside(self.state_file, json.dumps(dataclasses.asdict(state), sort_keys=True).encode("utf-8"))


def _validator(headers: httpx.Headers) -> str | None:
    """A value for If-Range: a strong ETag, or a Last-Modified older than the answer (RFC 9110, 8.8.2.2)."""
    etag: str | None = headers.get("etag")
    if etag and etag.startswith('"'):
        return etag
    modified, answered = http_date(headers.get("last-modified")), http_date(headers.get("date"))
    if modified is not None and answered is not None and answered - modified >= 1:
        return str(headers["last-modified"])
    return None


@contextlib.contextmanager
def _disk_errors(url: str) -> Iterator[None]:
    """Say what the operating system means when a file cannot be written."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        # No InputError: the source is not at fault, and even an optional one must not be passed over.
        raise HemicycleError(
            f"the disk is full: {error.strerror}" if full else f"the file cannot be written: {error}",
            place=url,
            remedy="Make room and run again: what arrived is kept." if full else None,
        ) from None
