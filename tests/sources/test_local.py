"""Files from a folder of one's own: which are taken, their fingerprint, their copy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError, InputError
from hemicycle.project import Card
from hemicycle.sources import local
from hemicycle.sources.local import copy_in, fingerprint, selection

LATER = 4_000_000_000 * 10**9


def card(*include: str, exclude: tuple[str, ...] = (), reader: str = "text") -> Card:
    return Card(
        title="Mes textes", reader=reader, path="x", include=list(include or ["**/*"]), exclude=list(exclude)
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name in ("a.txt", "b/c.txt", "b/d.md", "brouillons/e.txt", ".git/config", "b/.caché.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"texte de {name}")
    return folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose content is read, as it happens."""
    names: list[str] = []
    real = sha256_file

    def watched(path: Path) -> str:
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(local, "sha256_file", watched)
    return names


def names(source: Path, chosen: Card) -> list[str]:
    return [name for name, _ in selection(source, chosen)]


def test_patterns_choose_and_hidden_files_stay_out(source: Path) -> None:
    assert names(source, card()) == ["a.txt", "b/c.txt", "b/d.md", "brouillons/e.txt"]
    assert names(source, card("**/*.txt", exclude=("brouillons/*",))) == ["a.txt", "b/c.txt"]


def test_the_copy_is_the_selection_and_nothing_else(source: Path, tmp_path: Path) -> None:
    copy_in(source, tmp_path / "into", card("**/*.txt"))
    copied = sorted(
        p.relative_to(tmp_path / "into").as_posix() for p in (tmp_path / "into").rglob("*") if p.is_file()
    )
    assert copied == ["a.txt", "b/c.txt", "brouillons/e.txt"]
    assert (tmp_path / "into/b/c.txt").read_text() == "texte de b/c.txt"


def test_a_path_may_be_one_file(source: Path, tmp_path: Path) -> None:
    copy_in(source / "b" / "d.md", tmp_path / "into", card())
    assert os.listdir(tmp_path / "into") == ["d.md"]


def test_the_card_of_a_dataset_comes_along_though_no_pattern_names_it(source: Path) -> None:
    (source / "README.md").write_text("---\nlicense: mit\n---\n")
    assert names(source, card("b/*.md", reader="huggingface")) == ["README.md", "b/d.md"]
    assert names(source, card("b/*.md")) == ["b/d.md"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^/.*/absent does not exist"):
        copy_in(tmp_path / "absent", tmp_path / "into", card())


def test_an_empty_selection_is_an_error_not_an_empty_source(source: Path) -> None:
    with pytest.raises(InputError, match=r"no file in .* matches include = \['\*\.jsonl'\]"):
        selection(source, card("*.jsonl"))


@pytest.mark.parametrize("pattern", ["../*", "b/../../x", "/etc/*", "", "a**b/*"])
def test_a_pattern_that_leads_out_is_a_wrong_declaration(source: Path, pattern: str) -> None:
    with pytest.raises(DeclarationError, match=r"(?i)pattern"):
        selection(source, card("a.txt", pattern))


def test_a_pipe_that_a_pattern_selects_is_refused_by_its_name(source: Path) -> None:
    os.mkfifo(source / "b" / "tube.txt")
    os.mkfifo(source / ".caché.txt")
    with pytest.raises(InputError, match=r"^b/tube\.txt: this is no ordinary file"):
        selection(source, card())
    assert names(source, card("*.txt")) == ["a.txt"]
    assert "b/tube.txt" not in names(source, card(exclude=("b/tube.txt",)))


def test_links_inside_the_folder_are_taken_as_what_they_lead_to(source: Path, tmp_path: Path) -> None:
    (source / "lien.txt").symlink_to("a.txt")
    copy_in(source, tmp_path / "into", card("*.txt"))
    assert not (tmp_path / "into/lien.txt").is_symlink()
    assert (tmp_path / "into/lien.txt").read_text() == "texte de a.txt"


@pytest.mark.parametrize(
    ("link", "target", "said"),
    [
        ("lien.txt", "../secret.txt", "out of the folder"),
        ("dossier", "..", "out of the folder"),
        ("b/lien.txt", "../../secret.txt", "out of the folder"),
        ("perdu.txt", "nulle-part.txt", "nowhere"),
        ("boucle.txt", "boucle.txt", "nowhere"),
    ],
)
def test_links_that_leave_the_folder_are_refused_unless_left_out(
    source: Path, tmp_path: Path, link: str, target: str, said: str
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (source / link).symlink_to(target)
    with pytest.raises(InputError, match=f"{link}: the link leads {said}"):
        copy_in(source, tmp_path / "into", card())
    assert not (tmp_path / "into").exists()
    assert link not in names(source, card(exclude=(link,)))


def test_a_link_to_a_folder_of_the_source_is_no_escape(source: Path) -> None:
    (source / "encore").symlink_to("b")
    assert "b/c.txt" in names(source, card())


def test_a_name_that_is_not_utf_8_is_refused(source: Path) -> None:
    Path(os.fsdecode(os.fsencode(source) + b"/\xe9t\xe9.txt")).write_text("x")
    with pytest.raises(InputError, match=r"the file name b'\\xe9t\\xe9.txt' is not UTF-8"):
        selection(source, card())


def test_the_fingerprint_is_of_names_and_content_not_of_place_or_time(source: Path, tmp_path: Path) -> None:
    first = fingerprint(source, card("**/*.txt"), tmp_path / "cache.json")
    copy_in(source, tmp_path / "into", card("**/*.txt"))
    assert fingerprint(tmp_path / "into", card(), tmp_path / "other.json") == first


@pytest.mark.parametrize(
    "change",
    [
        lambda source: (source / "a.txt").write_text("texte de A.txt"),
        lambda source: (source / "a.txt").rename(source / "z.txt"),
        lambda source: (source / "a.txt").unlink(),
        lambda source: (source / "neuf.txt").write_text("neuf"),
    ],
)
def test_any_change_of_the_selection_changes_the_fingerprint(
    source: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    cache = tmp_path / "cache.json"
    before = fingerprint(source, card("**/*.txt"), cache, now=lambda: LATER)
    change(source)
    assert fingerprint(source, card("**/*.txt"), cache, now=lambda: LATER) != before


def test_a_second_call_reads_no_content(source: Path, tmp_path: Path, hashed: list[str]) -> None:
    cache = tmp_path / "cache.json"
    first = fingerprint(source, card(), cache, now=lambda: LATER)
    assert len(hashed) == 4
    written = cache.stat().st_mtime_ns
    assert fingerprint(source, card(), cache, now=lambda: LATER) == first
    assert len(hashed) == 4
    assert cache.stat().st_mtime_ns == written


def test_a_file_just_written_is_read_again_as_its_times_could_hide_a_change(
    source: Path, tmp_path: Path, hashed: list[str]
) -> None:
    cache = tmp_path / "cache.json"
    now = (source / "a.txt").stat().st_mtime_ns + 1
    fingerprint(source, card("a.txt"), cache, now=lambda: now)
    fingerprint(source, card("a.txt"), cache, now=lambda: now)
    assert hashed == ["a.txt", "a.txt"]


def test_a_change_behind_a_restored_time_is_seen(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    path = source / "a.txt"
    stat = path.stat()
    before = fingerprint(source, card("a.txt"), cache, now=lambda: LATER)
    path.write_text("texte de A.txt")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    if path.stat().st_ctime_ns == stat.st_ctime_ns:
        pytest.skip("this file system tells times too coarsely")
    assert fingerprint(source, card("a.txt"), cache, now=lambda: LATER) != before


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 1}',
        b'{"version": 1, "files": {"x": [1]}}',
        b'{"version": 1, "files": 3}',
    ],
)
def test_a_damaged_cache_is_made_anew(source: Path, tmp_path: Path, hashed: list[str], damage: bytes) -> None:
    cache = tmp_path / "cache.json"
    first = fingerprint(source, card(), cache, now=lambda: LATER)
    good = cache.read_bytes()
    cache.write_bytes(damage)
    assert fingerprint(source, card(), cache, now=lambda: LATER) == first
    assert cache.read_bytes() == good


def test_one_cache_serves_several_sources_and_forgets_what_is_gone(
    source: Path, tmp_path: Path, hashed: list[str]
) -> None:
    cache, other = tmp_path / "cache.json", tmp_path / "autre"
    copy_in(source, other, card())
    for folder in (source, other):
        fingerprint(folder, card(), cache, now=lambda: LATER)
    (source / "a.txt").unlink()
    hashed.clear()
    for folder in (source, other):
        fingerprint(folder, card(), cache, now=lambda: LATER)
    assert hashed == []
    assert "source/a.txt" not in cache.read_text()
    assert "autre/a.txt" in cache.read_text()


def test_a_file_that_changes_while_it_is_read_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def growing(path: Path) -> str:
        with path.open("a") as file:
            file.write("+")
        return "0" * 64

    monkeypatch.setattr(local, "sha256_file", growing)
    with pytest.raises(InputError, match=r"a\.txt: the file changes while it is read"):
        fingerprint(source, card("a.txt"), tmp_path / "cache.json")


def test_thousands_of_files_are_looked_at_quickly(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for n in range(3000):
        path = source / f"{n % 50:02}" / f"{n}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(n))
    assert len(selection(source, card())) == 3000
    first = fingerprint(source, card(), tmp_path / "cache.json")
    assert fingerprint(source, card(), tmp_path / "cache.json") == first
