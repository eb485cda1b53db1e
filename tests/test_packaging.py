"""The package as it is installed: whole, and quick to start."""

import importlib.util
import os
import resource
import shutil
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from hemicycle.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "hemicycle"
#: Libraries that take longer to load than a person waits for a page of help.
HEAVY = {"fastapi", "matplotlib", "numba", "polars", "pyarrow", "tokenizers", "torch", "transformers"}
LOADED = """
import contextlib, io, sys
from hemicycle.cli import main
sys.argv = ["hemicycle", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def package_files():
    """Every file of the package, relative to `src`, with ``/``."""
    files = (p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return sorted(p.relative_to(ROOT / "src").as_posix() for p in files)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed here")
    out = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, "-w", out, ROOT], check=True)
    (built,) = out.glob("hemicycle-*.whl")
    return built


def test_the_package_has_data_of_every_kind_it_needs():
    kinds = {path.rpartition("/")[2].rpartition(".")[2] for path in package_files()}
    assert {"csv", "toml", "jinja", "html", "js", "css", "json", "svg", "gitignore", "typed"} <= kinds
    assert "hemicycle/templates/petit/textes/LISEZ-MOI" in package_files()


def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if ".dist-info/" not in n]
    assert sorted(names) == package_files()


def test_from_the_wheel_alone_a_project_can_be_begun(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        (entry_points,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "hemicycle = hemicycle.cli:main" in archive.read(entry_points).decode("utf-8")
    for template in ("petit", "french"):
        subprocess.run(
            [sys.executable, "-m", "hemicycle", "new", tmp_path / template, "--template", template],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        )
        assert (tmp_path / template / ".gitignore").is_file()
        assert list((tmp_path / template / "sources").glob("*.toml"))


def test_git_ignores_no_file_of_the_package():
    """What git ignores stays out of the wheel, without a word."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    paths = "\0".join(f"src/{path}" for path in package_files())
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        input=paths,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (asked.returncode, asked.stdout) == (1, ""), asked.stderr


def loaded_by(*words):
    """The libraries that a command loads."""
    done = subprocess.run([sys.executable, "-c", LOADED, *words], check=True, capture_output=True, text=True)
    names = set(done.stdout.split())
    assert "click" in names
    return names


def test_help_loads_no_heavy_library():
    assert loaded_by("--help") & (HEAVY | {"pydantic", "httpx", "lxml", "cryptography"}) == set()


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_loads_no_engine(verb):
    assert loaded_by(verb, "--help") & HEAVY <= {"pyarrow"}, "documents are Arrow, engines wait for work"


def test_help_takes_less_than_three_tenths_of_a_second_of_processor_time():
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "hemicycle", "--help"],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert statistics.median(times) < 0.3
