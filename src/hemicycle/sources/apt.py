"""Fetch Debian packages as an ordinary user, through the machine's own apt and its trusted keys.

apt is given folders of its own for lists, cache and state, so nothing of the system is changed, no lock
of the system is taken and no root is needed; what it reads of the system is where packages come from and
which keys sign them. As root, downloads run without apt's own sandbox user, who could not enter a
project's folder.

The traps avoided: ``apt-get update`` calls it a success when nothing could be reached; an unreachable
network keeps it trying for minutes; and a name it does not know is quietly taken for a pattern.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hemicycle.digests import sha256_file
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.sources.deb import walk
from hemicycle.store import locked, write_aside

#: Seconds without one byte arriving after which the network counts as unreachable.
PATIENCE = 45.0

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_DOC = "usr/share/doc/"

#: What apt would do after an update for the system's sake is none of our business.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::Languages;
Acquire::Languages { "none"; };
"""
_OPTIONS = (
    "Acquire::http::Timeout=15",
    "Acquire::https::Timeout=15",
    "Acquire::ftp::Timeout=15",
    "Acquire::Retries=1",
    "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    "Acquire::IndexTargets::deb::DEP-11-icons-small::DefaultEnabled=false",
    "Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled=false",
    "Acquire::IndexTargets::deb::DEP-11-icons-large::DefaultEnabled=false",
    "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled=false",
    "APT::Sandbox::User=root",
    "Dpkg::Use-Pty=false",
)


@dataclass(frozen=True)
class FetchedPackage:
    """A package as it was fetched.

    Attributes:
        file: its file name in the folder of the source.
        size: bytes.
        url: where apt found it, without user names and passwords. It stands in no artefact, since mirrors
            differ and the package does not.
    """

    name: str
    version: str
    architecture: str
    file: str
    sha256: str
    size: int
    url: str


def fetch_packages(
    packages: Sequence[str],
    into: Path,
    work: Path,
    *,
    progress: Progress = QUIET,
    pinned: Mapping[str, str] | None = None,
) -> list[FetchedPackage]:
    """Fetch packages, and those that their copyright files are links into, and list them sorted by name.

    Args:
        packages: names of binary packages.
        into: folder that receives the ``.deb`` files and ``packages.json``.
        work: folder for apt's lists and for downloads under way; lists found there are used again.
        pinned: version by package name; what is not pinned is fetched in the version apt prefers.

    Raises:
        InputError: no apt, nothing reachable, a package or version not offered, or a wrong digest.
    """
    with locked(work / "apt" / "lock", lambda holder: None):
        apt = _Apt(work / "apt", progress)
        wanted, fetched = sorted(set(packages)), dict[str, FetchedPackage]()
        into.mkdir(parents=True, exist_ok=True)
        while wanted:
            for package in apt.fetch(wanted, pinned or {}):
                shutil.move(apt.downloads / package.file, into / package.file)
                fetched[package.name] = package
            wanted = sorted(
                {n for p in fetched.values() for n in _notice_holders(into / p.file)} - set(fetched)
            )
    found = [fetched[name] for name in sorted(fetched)]
    listed = [{k: v for k, v in asdict(p).items() if k != "url"} for p in found]
    text = json.dumps(listed, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_aside(into / "packages.json", text.encode("utf-8"))
    return found


def _notice_holders(deb: Path) -> Iterator[str]:
    """Packages that hold the copyright file of this one, where that file or its folder is a link."""
    for member, _ in walk(deb):
        target = member.target or ""
        if (
            member.kind == "link"
            and re.fullmatch(r"usr/share/doc/[^/]+(/copyright)?", member.path)
            and target.startswith(_DOC)
        ):
            yield target.removeprefix(_DOC).partition("/")[0]


class _Apt:
    """The apt of this machine, with folders of its own under `folder`."""

    def __init__(self, folder: Path, progress: Progress) -> None:
        program = shutil.which("apt-get")
        if program is None:
            raise InputError(
                "there is no apt-get on this machine, and Debian packages are fetched with it",
                remedy="Collect this source on Debian or Ubuntu, or declare it optional in its card.",
            )
        self.downloads = folder / "downloads"
        self._folder, self._progress, self._updated = folder, progress, False
        state, cache = folder / "state", folder / "cache"
        for path in (
            state / "lists" / "partial",
            cache / "archives" / "partial",
            folder / "log",
            self.downloads,
        ):
            path.mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        configuration = folder / "apt.conf"
        write_aside(configuration, _CONFIGURATION.encode("ascii"))
        own = (
            f"Dir::State={state}",
            f"Dir::State::lists={state / 'lists'}",
            f"Dir::State::status={state / 'status'}",
            f"Dir::Cache={cache}",
            f"Dir::Log={folder / 'log'}",
        )
        self._command = [program, "-q", "-y", "-c", str(configuration)]
        for option in (*own, *_OPTIONS):
            self._command += ["-o", option]

    def fetch(self, names: Sequence[str], pinned: Mapping[str, str]) -> list[FetchedPackage]:
        """Download packages of these names and check their digests."""
        for name in names:
            if not _NAME.fullmatch(name):
                raise InputError(f"“{name}” is no name of a Debian package")
        asked = [f"{name}={pinned[name]}" if name in pinned else name for name in names]
        self._update(again=False)
        try:
            return self._download(names, asked)
        except InputError:
            if self._updated:
                raise
            # The lists were brought in by an earlier call; the mirror may have moved on since.
            self._update(again=True)
            return self._download(names, asked)

    def _update(self, *, again: bool) -> None:
        done = self._folder / "updated"
        if done.exists() and not again:
            return
        done.unlink(missing_ok=True)
        with self._progress.start("reading Debian's package lists", None, "B") as bar:
            code, output = self._run(["update"], bar)
        lists = [p for p in (self._folder / "state" / "lists").glob("*_Packages*") if p.stat().st_size]
        if code or not lists:
            raise InputError(
                f"apt could not reach a place that offers packages: {_complaint(output)}",
                remedy="Check the network and apt's sources, or declare the source optional in its card.",
            )
        self._updated = True
        write_aside(done, b"")

    def _download(self, names: Sequence[str], asked: Sequence[str]) -> list[FetchedPackage]:
        with self._progress.start("looking packages up", None) as bar:
            code, output = self._run(["download", "--print-uris", *asked], bar)
        offered = list(_offers(output))
        if code or sorted(p.name for p in offered) != sorted(names):
            raise InputError(
                f"apt does not offer what was asked for ({', '.join(asked)}): {_complaint(output)}",
                remedy="Check the name, and that apt's sources offer it; a version that is no longer offered "
                "must be taken out of hemicycle.lock or be fetched from an archive of old packages.",
            )
        total = sum(p.size for p in offered)
        with self._progress.start(f"fetching {len(offered)} packages", float(total), "B") as bar:
            code, output = self._run(["download", *asked], bar)
        if code:
            raise InputError(
                f"apt could not fetch {', '.join(asked)}: {_complaint(output)}", remedy="Try again later."
            )
        for package in offered:
            path = self.downloads / package.file
            if not path.is_file() or sha256_file(path) != package.sha256:
                path.unlink(missing_ok=True)
                raise InputError(
                    "the downloaded package has not the digest that the package list gives",
                    place=package.file,
                    remedy="Collect the source again.",
                )
        return offered

    def _run(self, arguments: Sequence[str], bar: Bar) -> tuple[int, str]:
        """Run apt-get, and end it when nothing arrives for too long. Returns exit code and all output."""
        environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive"}
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [*self._command, *arguments],
                cwd=self.downloads,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                stalled = self._wait(process, bar)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            output.seek(0)
            text = output.read(1 << 20).decode("utf-8", "replace")
        if stalled:
            raise InputError(
                f"apt received nothing for {PATIENCE:.0f} seconds",
                remedy="Check the network, or declare the source optional in its card.",
            )
        return process.returncode, text

    def _wait(self, process: subprocess.Popen[bytes], bar: Bar) -> bool:
        """Wait for apt while bytes keep arriving; True where they stopped."""
        before, last = self._received(), time.monotonic()
        while True:
            try:
                process.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                received = self._received()
                if received != before:
                    bar.advance(max(0, received - before))
                    before, last = received, time.monotonic()
                elif time.monotonic() - last > PATIENCE:
                    return True
            else:
                bar.advance(max(0, self._received() - before))
                return False

    def _received(self) -> int:
        total = 0
        for root, _, files in os.walk(self._folder):
            for name in files:
                try:
                    total += os.lstat(os.path.join(root, name)).st_size
                except FileNotFoundError:  # apt renames what it has finished
                    continue
        return total


def _offers(output: str) -> Iterator[FetchedPackage]:
    """What ``apt-get download --print-uris`` prints: address, file name, size and digest, one a line."""
    for line in output.splitlines():
        match = re.fullmatch(r"'([^']+)' (\S+_\S+_\S+\.deb) (\d+) SHA256:([0-9a-f]{64})", line.strip())
        if match and "/" not in match[2]:
            name, version, architecture = match[2].removesuffix(".deb").split("_")
            yield FetchedPackage(
                name=name,
                version=urllib.parse.unquote(version),
                architecture=architecture,
                file=match[2],
                sha256=match[4],
                size=int(match[3]),
                url=re.sub(r"//[^/@]*@", "//", match[1]),
            )


def _complaint(output: str) -> str:
    """apt's own first error, or failing that its first warning."""
    lines = [line.strip() for line in output.splitlines()]
    for mark in ("E:", "Err:", "W:"):
        for line in lines:
            if line.startswith(mark):
                return line
    return "it does not say why"
