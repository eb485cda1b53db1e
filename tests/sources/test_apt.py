"""apt is played by a script on PATH that offers the packages of a folder."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from hemicycle.errors import InputError
from hemicycle.sources import apt
from hemicycle.sources.apt import fetch_packages
from tests.sources.made_deb import NOTICE, make_deb

FAKE = """#!{python}
import hashlib, json, os, pathlib, shutil, sys, time
args = sys.argv[1:]
options = dict(args[i + 1].split("=", 1) for i, a in enumerate(args) if a == "-o")
words = [a for i, a in enumerate(args) if not a.startswith("-") and args[i - 1] not in ("-o", "-c")]
pool = pathlib.Path({pool!r})
with open(pool / "calls", "a") as log:
    log.write(json.dumps(words + ["--print-uris"] * ("--print-uris" in args)) + "\\n")
if (pool / "hangs").exists():
    time.sleep(60)
if words[0] == "update":
    if (pool / "unreachable").exists():
        print("Err:1 http://deb.example bookworm InRelease")
        print("W: Failed to fetch http://deb.example  Could not resolve 'deb.example'")
        sys.exit(0)
    lists = pathlib.Path(options["Dir::State::lists"])
    (lists / "deb.example_Packages").write_text("Package: p")
    sys.exit(0)
offered = {{}}
for deb in sorted(pool.glob("*.deb")):
    name, version, _ = deb.name.split("_")
    offered[name] = offered[name + "=" + version.replace("%3a", ":")] = deb
for word in words[1:]:
    if word not in offered:
        print("E: Unable to locate package " + word)
        sys.exit(100)
for word in words[1:]:
    deb = offered[word]
    if "--print-uris" in args:
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        size = deb.stat().st_size
        print(f"'http://me:secret@deb.example/{{deb.name}}' {{deb.name}} {{size}} SHA256:{{digest}}")
    else:
        data = deb.read_bytes()
        pathlib.Path(deb.name).write_bytes(data[:-1] if (pool / "corrupts").exists() else data)
"""


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, programs = tmp_path / "pool", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    program = programs / "apt-get"
    program.write_text(FAKE.format(python=sys.executable, pool=str(folder)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    notice = NOTICE.format(licence="Expat").encode()
    make_deb(folder, "alone", {"usr/share/doc/alone/copyright": notice}, version="4:1.0-1")
    make_deb(folder, "help-fr", {"usr/share/doc/help-fr": "help-common"})
    make_deb(folder, "help-common", {"usr/share/doc/help-common/copyright": "../help-data/copyright"})
    make_deb(folder, "help-data", {"usr/share/doc/help-data/copyright": notice})
    return folder


def calls(pool: Path) -> list[list[str]]:
    return [json.loads(line) for line in (pool / "calls").read_text().splitlines()]


def test_packages_arrive_with_their_digests_and_a_list_of_them(pool: Path, tmp_path: Path) -> None:
    (package,) = fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")
    data = (tmp_path / "into" / "alone_4%3a1.0-1_all.deb").read_bytes()
    assert (package.name, package.version, package.architecture) == ("alone", "4:1.0-1", "all")
    assert (package.sha256, package.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert package.url == "http://deb.example/alone_4%3a1.0-1_all.deb"
    listed = json.loads((tmp_path / "into" / "packages.json").read_text())
    assert listed == [
        {
            "architecture": "all",
            "file": package.file,
            "name": "alone",
            "sha256": package.sha256,
            "size": package.size,
            "version": "4:1.0-1",
        }
    ]
    assert sorted(os.listdir(tmp_path / "into")) == ["alone_4%3a1.0-1_all.deb", "packages.json"]


def test_the_package_behind_a_linked_copyright_file_comes_too(pool: Path, tmp_path: Path) -> None:
    packages = fetch_packages(["help-fr"], tmp_path / "into", tmp_path / "work")
    assert [p.name for p in packages] == ["help-common", "help-data", "help-fr"]


def test_the_lists_are_read_once_for_all_sources_of_a_run(pool: Path, tmp_path: Path) -> None:
    fetch_packages(["alone"], tmp_path / "a", tmp_path / "work")
    fetch_packages(["help-data"], tmp_path / "b", tmp_path / "work")
    assert [c[0] for c in calls(pool)].count("update") == 1


def test_old_lists_are_read_again_when_they_no_longer_serve(pool: Path, tmp_path: Path) -> None:
    fetch_packages(["alone"], tmp_path / "a", tmp_path / "work")
    with pytest.raises(InputError, match="Unable to locate package missing"):
        fetch_packages(["missing"], tmp_path / "b", tmp_path / "work")
    assert [c[0] for c in calls(pool)].count("update") == 2


def test_fetching_twice_gives_the_same_folder(pool: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        fetch_packages(["help-fr", "alone", "alone"], tmp_path / name, tmp_path / f"work-{name}")
    first, second = ({p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("a", "b"))
    assert first == second


def test_a_pinned_version_is_asked_for_and_missed_when_gone(pool: Path, tmp_path: Path) -> None:
    (package,) = fetch_packages(
        ["alone"], tmp_path / "a", tmp_path / "work", pinned={"alone": "4:1.0-1", "x": "1"}
    )
    assert package.version == "4:1.0-1"
    assert ["download", "alone=4:1.0-1"] in calls(pool)
    with pytest.raises(InputError, match=r"alone=0\.9") as error:
        fetch_packages(["alone"], tmp_path / "b", tmp_path / "work", pinned={"alone": "0.9"})
    assert "hemicycle.lock" in (error.value.remedy or "")


def test_an_unknown_package_is_named(pool: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E: Unable to locate package no-such") as error:
        fetch_packages(["alone", "no-such"], tmp_path / "into", tmp_path / "work")
    assert error.value.exit_code == 1
    assert not list((tmp_path / "into").glob("*.deb"))


@pytest.mark.parametrize("name", ["-o", "a b", "Upper", "x", "../x", "a=1", "a/sid"])
def test_what_is_no_name_never_reaches_apt(pool: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no name of a Debian package"):
        fetch_packages([name], tmp_path / "into", tmp_path / "work")
    assert not (pool / "calls").exists()


def test_an_update_that_reached_nothing_is_a_failure_though_apt_says_otherwise(
    pool: Path, tmp_path: Path
) -> None:
    (pool / "unreachable").touch()
    with pytest.raises(InputError, match="could not reach") as error:
        fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")
    assert "deb.example" in error.value.what
    (pool / "unreachable").unlink()
    assert fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")


def test_a_network_that_never_answers_is_given_up(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "PATIENCE", 0.5)
    (pool / "hangs").touch()
    with pytest.raises(InputError, match="received nothing"):
        fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")


def test_a_package_with_the_wrong_digest_is_refused(pool: Path, tmp_path: Path) -> None:
    (pool / "corrupts").touch()
    with pytest.raises(InputError, match="digest"):
        fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")
    assert not list((tmp_path / "into").glob("*.deb"))


def test_a_machine_without_apt_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no apt-get") as error:
        fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")
    assert "optional" in (error.value.remedy or "")


def test_apt_keeps_to_its_own_folders_and_needs_no_root(pool: Path, tmp_path: Path) -> None:
    fetch_packages(["alone"], tmp_path / "into", tmp_path / "work")
    configuration = (tmp_path / "work" / "apt" / "apt.conf").read_text()
    assert "#clear APT::Update::Post-Invoke;" in configuration
    assert (tmp_path / "work" / "apt" / "state" / "lists" / "deb.example_Packages").is_file()
