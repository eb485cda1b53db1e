from __future__ import annotations

import gzip
import lzma
import tarfile
from pathlib import Path

import pytest

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.project import Card, load_card
from hemicycle.sources import deb as deb_module
from hemicycle.sources import tarred
from hemicycle.sources.deb import control_fields, gunzip, walk
from hemicycle.sources.debian import read
from tests.sources.made_deb import NOTICE, PACKERS, ar, make_deb, tar

CARDS = Path(__file__).resolve().parents[2] / "examples/petit-hemicycle/sources"
PAGE = b"<html><head><title>T</title></head><body><p>Une page.</p></body></html>"
MPL = NOTICE.format(licence="MPL-2.0").encode()


def card(*include: str, exclude: tuple[str, ...] = ()) -> Card:
    return Card(
        title="t", reader="debian", packages=["pp"], include=list(include) or ["**/*"], exclude=list(exclude)
    )


def origins(folder: Path, chosen: Card) -> list[str]:
    return [d.origin for d in read(folder, chosen)]


def only(folder: Path, chosen: Card) -> Document:
    (document,) = read(folder, chosen)
    return document


@pytest.mark.parametrize("packed", sorted(PACKERS))
def test_a_package_is_read_however_it_is_packed(tmp_path: Path, packed: str) -> None:
    files = {"usr/share/doc/p/copyright": MPL, "usr/share/doc/p/a.html": PAGE}
    path = make_deb(tmp_path, "p", files, version="4:7.4-1", packed=packed)
    assert control_fields(path)["Version"] == "4:7.4-1"
    document = only(tmp_path, card())
    assert document.origin == "p/usr/share/doc/p/a.html"
    assert (document.title, document.text, document.kind) == ("T", "Une page.", "manual")
    assert document.licences[0].expression == "MPL-2.0"
    assert document.licences[0].evidence == "usr/share/doc/p/copyright, Files: *, License: MPL-2.0"
    assert document.row("s")["id"] == "s:p/usr/share/doc/p/a.html"


def test_patterns_choose_pages_by_their_path_in_the_package(tmp_path: Path) -> None:
    make_deb(
        tmp_path, "p", {f"usr/help/{n}": PAGE for n in ("fr/a.html", "fr/x/b.html", "de/a.html", "fr/i.png")}
    )
    assert origins(tmp_path, card("usr/help/fr/**")) == ["p/usr/help/fr/a.html", "p/usr/help/fr/x/b.html"]
    assert origins(tmp_path, card("usr/help/fr/*.html")) == ["p/usr/help/fr/a.html"]
    assert origins(tmp_path, card("usr/**/a.html", exclude=("**/de/**",))) == ["p/usr/help/fr/a.html"]
    assert origins(tmp_path, card("usr/help/f?/a.html")) == ["p/usr/help/fr/a.html"]
    assert origins(tmp_path, card("help/**")) == []


def test_every_kind_of_page_is_read_and_the_rest_passed_over(tmp_path: Path) -> None:
    page = b'<page xmlns="http://projectmallard.org/1.0/" id="%s"><title>%s</title><p>%s</p></page>'
    mallard = page % (b"m", b"M", b'Voir <link xref="n"/>.')
    other = page % (b"n", b"Autre", b"n")
    man = gzip.compress(b".TH X 1\n.SH NOM\nx \\- rien\n")
    make_deb(
        tmp_path,
        "p",
        {
            "usr/share/help/fr/m.page": mallard,
            "usr/share/help/fr/n.page": other,
            "usr/share/help/fr/legal.xml": b"<license xmlns='http://projectmallard.org/1.0/'/>",
            "usr/share/doc/p/g.html.gz": gzip.compress(PAGE),
            "usr/share/doc/p/toc.html": b"<html><body><h1>Index</h1></body></html>",
            "usr/share/doc/p/x.1": b"not a man page: not in man/",
            "usr/share/man/fr/man1/x.1.gz": man,
            "usr/share/man/fr/man1/so.1.gz": gzip.compress(b".so man1/x.1\n"),
            "usr/share/doc/p/i.png": b"\x89PNG",
        },
    )
    found = {d.origin.rpartition("/")[2]: d.text for d in read(tmp_path, card())}
    assert found == {
        "m.page": "M\n\nVoir «\u00a0Autre\u00a0».",
        "n.page": "Autre\n\nn",
        "g.html.gz": "Une page.",
        "x.1.gz": "NOM\n\nx - rien",
    }


def test_a_link_is_another_name_and_not_another_page(tmp_path: Path) -> None:
    make_deb(
        tmp_path,
        "a-doc",
        {"usr/share/doc/a-doc/html": "../../a/fr", "usr/share/doc/a-doc/again": "html/p.html"},
    )
    make_deb(
        tmp_path, "a", {"usr/share/a/fr/p.html": PAGE, "usr/share/a/fr/q.html": "/usr/share/a/fr/p.html"}
    )
    assert origins(tmp_path, card("usr/share/doc/a-doc/html/**")) == ["a/usr/share/a/fr/p.html"]
    assert origins(tmp_path, card("**/q.html")) == ["a/usr/share/a/fr/p.html"]
    assert origins(tmp_path, card("**/again", "**/p.html")) == ["a/usr/share/a/fr/p.html"]


def test_a_copyright_file_behind_a_link_is_found_in_the_other_package(tmp_path: Path) -> None:
    make_deb(tmp_path, "help-fr", {"usr/share/doc/help-fr": "help-common", "usr/share/h/a.html": PAGE})
    make_deb(tmp_path, "help-common", {"usr/share/doc/help-common/copyright": MPL})
    stated = only(tmp_path, card("usr/share/h/**")).licences[0]
    assert stated.expression == "MPL-2.0"
    assert (stated.evidence or "").startswith("usr/share/doc/help-common/copyright, ")


def test_nothing_is_stated_where_the_copyright_file_is_missing_or_free_text(tmp_path: Path) -> None:
    make_deb(tmp_path / "a", "p", {"usr/a.html": PAGE})
    make_deb(tmp_path / "b", "p", {"usr/a.html": PAGE, "usr/share/doc/p/copyright": b"You may copy this."})
    make_deb(tmp_path / "c", "p", {"usr/a.html": PAGE, "usr/share/doc/p/copyright": "../../nowhere"})
    assert only(tmp_path / "a", card()).licences == ()
    assert only(tmp_path / "b", card()).licences == ()
    assert only(tmp_path / "c", card()).licences == ()


def test_a_page_no_stanza_covers_is_stated_to_be_unstated(tmp_path: Path) -> None:
    notice = MPL.replace(b"Files: *", b"Files: debian/*")
    make_deb(tmp_path, "p", {"usr/a.html": PAGE, "usr/share/doc/p/copyright": notice})
    assert only(tmp_path, card()).licences[0].expression == "LicenseRef-debian-unstated"


def test_a_page_states_its_own_language_and_licence(tmp_path: Path) -> None:
    page = b"<html lang='en-GB'><body><p>x <a rel='license' href='https://creativecommons.org/licenses/by-nc/4.0/'>l</a></p></body></html>"
    make_deb(tmp_path, "p", {"usr/a.html": page})
    document = only(tmp_path, card())
    assert document.language == "en-GB"
    assert document.licences[0].expression == "CC-BY-NC-4.0"
    assert (
        document.licences[0].evidence == "usr/a.html, link to https://creativecommons.org/licenses/by-nc/4.0/"
    )


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    make_deb(tmp_path, "b", {"usr/b.html": PAGE})
    make_deb(tmp_path, "a", {"usr/z.html": PAGE, "usr/a.html": PAGE})
    assert origins(tmp_path, card()) == ["a/usr/z.html", "a/usr/a.html", "b/usr/b.html"]
    assert list(read(tmp_path, card())) == list(read(tmp_path, card()))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Debian package"):
        list(read(tmp_path, card()))


def test_a_page_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    make_deb(tmp_path, "p", {"usr/a.page": b"<page>\n<p>"})
    with pytest.raises(InputError) as error:
        list(read(tmp_path, card()))
    assert (error.value.place or "").startswith("p_1.0-1_all.deb: usr/a.page, line ")


def special(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "usr/../../x"])
def test_a_name_that_leaves_the_package_is_refused(tmp_path: Path, name: str) -> None:
    make_deb(tmp_path, "p", {"x": special(name)})
    with pytest.raises(InputError, match="leads out of the package"):
        list(read(tmp_path, card()))


def test_links_out_of_the_package_and_in_circles_lead_nowhere(tmp_path: Path) -> None:
    links = {
        "usr/a.html": "../../../../etc/passwd",
        "usr/b.html": "c.html",
        "usr/c.html": "b.html",
        "d": "d/d",
    }
    make_deb(tmp_path, "p", links | {"usr/ok.html": PAGE})
    assert origins(tmp_path, card()) == ["p/usr/ok.html"]


def test_hard_links_devices_and_sparse_files_are_not_pages(tmp_path: Path) -> None:
    make_deb(
        tmp_path,
        "p",
        {
            "usr/ok.html": PAGE,
            "usr/hard.html": special("usr/hard.html", tarfile.LNKTYPE, "usr/ok.html"),
            "usr/null.html": special("usr/null.html", tarfile.CHRTYPE),
        },
    )
    assert origins(tmp_path, card()) == ["p/usr/ok.html"]


def test_a_path_that_stands_twice_is_refused(tmp_path: Path) -> None:
    make_deb(tmp_path, "p", {"usr/a.html": PAGE, "usr/./a.html": PAGE})
    with pytest.raises(InputError, match="twice"):
        list(read(tmp_path, card()))


def test_a_bomb_is_refused_before_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_module, "MAX_UNPACKED", 1 << 20)
    make_deb(tmp_path, "p", {"usr/a.png": bytes(4 << 20), "usr/b.html": PAGE})
    with pytest.raises(InputError, match="unpacks to more than"):
        list(read(tmp_path, card()))


def test_a_page_too_large_to_be_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_deb(tmp_path, "p", {"usr/a.html": b" " * 5000 + PAGE, "usr/b.html": PAGE})
    monkeypatch.setattr(deb_module, "MAX_FILE", 4096)
    with pytest.raises(InputError, match="bigger than 4,096 bytes") as error:
        list(read(tmp_path, card()))
    assert (error.value.place or "").endswith("usr/a.html")


def test_an_endless_name_and_endless_members_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    header.size = 3 << 30
    raw = ar({"debian-binary": b"2.0\n", "control.tar": b"", "data.tar": header.tobuf(tarfile.GNU_FORMAT)})
    (tmp_path / "p_1_all.deb").write_bytes(raw)
    with pytest.raises(InputError, match="endless name"):
        list(walk(tmp_path / "p_1_all.deb"))
    path = make_deb(tmp_path, "q", {f"f{n}": b"" for n in range(20)})
    monkeypatch.setattr(deb_module, "MAX_MEMBERS", 10)
    with pytest.raises(InputError, match="more than 10 members"):
        list(walk(path))


@pytest.mark.parametrize("cut", [4, 60, 100, 200, 300, -30, -1])
@pytest.mark.parametrize("packed", sorted(PACKERS))
def test_a_truncated_package_is_refused(tmp_path: Path, cut: int, packed: str) -> None:
    path = make_deb(tmp_path, "p", {"usr/a.html": PAGE * 9}, packed=packed)
    whole = path.read_bytes().rstrip(b"\n")
    path.write_bytes(whole[:cut])
    with pytest.raises(InputError):
        list(read(tmp_path, card()))


def test_a_broken_entry_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    data = bytearray(tar({"usr/a.html": PAGE, "usr/b.html": PAGE}))
    data[1024:1034] = b"garbage!!!"
    control = tar({"./control": b"Package: p\nVersion: 1\n"})
    (tmp_path / "p_1_all.deb").write_bytes(
        ar({"debian-binary": b"2.0\n", "control.tar": control, "data.tar.xz": lzma.compress(bytes(data))})
    )
    with pytest.raises(InputError, match="no proper header"):
        list(read(tmp_path, card()))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"PK\x03\x04",
        ar({"debian-binary": b"2.0\n"}),
        ar({"data.tar.br": b"x"}),
        b"!<arch>\nnonsense" * 9,
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "p_1_all.deb").write_bytes(raw)
    with pytest.raises(InputError) as error:
        list(read(tmp_path, card()))
    assert error.value.place == "p_1_all.deb"


def test_a_gzip_bomb_and_a_cut_gzip_file_are_refused() -> None:
    with pytest.raises(InputError, match="unpacks to more than"):
        gunzip(gzip.compress(bytes(1 << 20)), "p", 1000)
    with pytest.raises(InputError, match="too early"):
        gunzip(gzip.compress(b"x" * 1000)[:-6], "p")
    with pytest.raises(InputError, match="not a gzip file"):
        gunzip(b"plain", "p")


def test_xz_that_asks_for_too_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_deb(tmp_path, "p", {"usr/a.html": PAGE})
    monkeypatch.setattr(tarred, "XZ_MEMORY", 1 << 16)
    with pytest.raises(InputError, match="Memory usage limit"):
        list(walk(path))


def test_the_demos_cards_are_optional_attested_and_state_no_licence_of_their_own() -> None:
    for name in ("libreoffice-help-fr", "debian-handbook", "gnome-user-docs", "manpages-fr"):
        read_card = load_card(CARDS / f"{name}.toml")
        assert read_card.packages == [name]
        assert (read_card.reader, read_card.kind, read_card.optional) == ("debian", "manual", True)
        assert read_card.rights.licence is None
        assert read_card.rights.attested_by == "Hemicycle's authors (demo)"
        assert f"usr/share/doc/{name}/copyright" in read_card.rights.evidence[0]
