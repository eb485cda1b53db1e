"""The example where its Debian packages cannot be had: no apt, no network, or none allowed."""

import json
import shutil
import sys

import pytest

from tests.flow.conftest import hemicycle
from tests.flow.small import EXAMPLE
from tests.sources.made_deb import NOTICE, make_deb
from tests.sources.test_apt import FAKE

#: Whole runs, each of some seconds.
pytestmark = pytest.mark.slow

DEBIAN = ["debian-handbook", "gnome-user-docs", "libreoffice-help-fr", "manpages-fr"]

#: As apt speaks, and leaves, where no host can be looked up: it calls that a success.
UNREACHABLE = """#!/bin/sh
echo "Err:1 http://archive.example/debian bookworm InRelease"
echo "  Temporary failure resolving 'archive.example'"
echo "W: Failed to fetch http://archive.example/debian/dists/bookworm/InRelease  Temporary failure resolving"
echo "W: Some index files failed to download. They have been ignored, or old ones used instead."
exit 0
"""

PAGE = """<html><head><title>Le cahier</title></head><body><h1>Le système</h1><p>{text}</p></body></html>"""
TEXT = "L’administrateur lit la page qui suit, et met à jour les paquets de la machine avant la nuit. " * 20


@pytest.fixture
def example(tmp_path):
    """The example's declaration, its cards and its sittings, nothing built."""
    folder = tmp_path / "example"
    folder.mkdir()
    for name in ("hemicycle.toml", "sources", "sittings"):
        source = EXAMPLE / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    return folder


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder that is the whole PATH; empty, so that there is no apt-get."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(programs, script):
    (programs / "apt-get").write_text(script)
    (programs / "apt-get").chmod(0o755)


def apt_that_offers_the_handbook(programs, pool):
    page = PAGE.format(text=TEXT).encode("utf-8")
    files = {
        "usr/share/doc/debian-handbook/html/fr-FR/systeme.html": page,
        "usr/share/doc/debian-handbook/copyright": NOTICE.format(licence="CC-BY-SA-3.0").encode(),
    }
    make_deb(pool, "debian-handbook", files)
    put(programs, FAKE.format(python=sys.executable, pool=str(pool)))


def only_the_handbook_of_debian(example):
    """The example with the sittings and one Debian source, which is not optional."""
    toml, card = example / "hemicycle.toml", example / "sources" / "debian-handbook.toml"
    names = '"gnome-user-docs", "libreoffice-help-fr", "manpages-fr"'
    assert names in toml.read_text("utf-8")
    toml.write_text(toml.read_text("utf-8").replace(f", {names}", ""), "utf-8")
    assert "optional = true" in card.read_text("utf-8")
    card.write_text(card.read_text("utf-8").replace("optional = true\n", ""), "utf-8")


def kept(done):
    """Source → number of kept documents, from the JSON of `curate`."""
    sources = json.loads(done.stdout)["corpus"]["debats"]["sources"]
    return {name: figures["documents"] for name, figures in sources.items()}


@pytest.mark.parametrize(
    ("apt", "reason"),
    [
        (None, "there is no apt-get on this machine"),
        (UNREACHABLE, "apt could not reach a place that offers packages: Err:1 http://archive.example"),
    ],
    ids=["no apt", "no network"],
)
def test_without_debian_the_sittings_go_on_and_the_french_template_is_named(apt, reason, example, programs):
    if apt:
        put(programs, apt)
    done = hemicycle("curate", "--project", example)
    for name in DEBIAN:
        assert f"– raw {name}  not obtained: {reason}" in done.stderr
        assert f"– rights {name}  skipped: " in done.stderr
    assert "✗" not in done.stderr
    assert ", ".join(DEBIAN) + " could not be obtained here; the rest goes on without." in done.stdout
    assert "`hemicycle new FOLDER --template french`" in done.stdout
    assert kept(hemicycle("curate", "--project", example, "--json")) == {"sittings": 8}
    assert hemicycle("verify", example).returncode == 0


def test_collect_and_clear_tell_the_reason_of_each(example, programs):
    collected = hemicycle("collect", "--project", example).stdout
    cleared = hemicycle("clear", "--project", example).stdout
    for name in DEBIAN:
        reason = f"  {name}: there is no apt-get on this machine, and Debian packages are fetched with it\n"
        assert reason in collected
        assert reason in cleared
    assert "--template french" in collected
    assert "--template french" in cleared


def test_offline_with_nothing_collected_optional_sources_are_passed_over(example):
    done = hemicycle("curate", "--project", example, "--offline", "--json")
    assert "debian-handbook  not obtained: it was not collected yet, and --offline" in done.stderr
    assert kept(done) == {"sittings": 8}


def test_offline_with_nothing_collected_a_source_that_is_not_optional_is_a_failure(example):
    only_the_handbook_of_debian(example)
    done = hemicycle("curate", "--project", example, "--offline", check=False)
    assert done.returncode == 1
    assert (
        "error: source debian-handbook: it was not collected yet, and --offline forbids fetching it\n"
        "  Run `hemicycle collect` once where there is a network.\n"
    ) in done.stderr
    done = hemicycle("curate", "--project", example, "--offline", "--keep-going", "--json", check=False)
    assert done.returncode == 1
    assert kept(done) == {"sittings": 8}


def test_once_collected_offline_is_enough(example, programs, tmp_path):
    only_the_handbook_of_debian(example)
    apt_that_offers_the_handbook(programs, tmp_path / "pool")
    hemicycle("collect", "--project", example)
    (programs / "apt-get").unlink()
    done = hemicycle("curate", "--project", example, "--offline", "--json")
    assert kept(done) == {"debian-handbook": 1, "sittings": 8}
    assert hemicycle("verify", example).returncode == 0


def test_a_source_that_can_be_had_again_joins_the_others(example, programs, tmp_path):
    put(programs, UNREACHABLE)
    assert kept(hemicycle("curate", "--project", example, "--json")) == {"sittings": 8}
    apt_that_offers_the_handbook(programs, tmp_path / "pool")
    assert kept(hemicycle("curate", "--project", example, "--json")) == {"debian-handbook": 1, "sittings": 8}


def test_where_an_optional_source_never_came_all_the_rest_is_up_to_date(example, programs):
    hemicycle("curate", "--project", example)
    again = json.loads(hemicycle("curate", "--project", example, "--dry-run", "--json").stdout)
    states = {f"{s['stage']} {s['name']}": s["state"] for s in again["steps"]}
    assert states["raw debian-handbook"] == "not-obtained"
    assert states["corpus debats"] == "fresh"


def test_a_project_with_archives_of_its_own_is_not_sent_to_them(tmp_path):
    new = hemicycle("new", tmp_path / "francais", "--template", "french")
    assert new.returncode == 0
    done = hemicycle("collect", "--project", tmp_path / "francais", "--offline", "--keep-going", check=False)
    assert "could not be obtained here; the rest goes on without.\n" in done.stdout
    assert "--template french" not in done.stdout
