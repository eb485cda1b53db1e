from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from license_expression import get_spdx_licensing

from hemicycle.sources.dep5 import parse_copyright, spdx

SPDX = get_spdx_licensing()
SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/debian"
HEADER = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"


def parsed(body: str):
    notice = parse_copyright(HEADER + body, "usr/share/doc/p/copyright")
    assert notice is not None
    return notice


@pytest.mark.parametrize(
    ("short", "expression"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("gpl-3+", "GPL-3.0-or-later"),
        ("GPL", "GPL-1.0-or-later"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("AGPL-3.0-only", "AGPL-3.0-only"),
        ("GFDL-1.3+", "GFDL-1.3-or-later"),
        ("GFDL-NIV-1.2+", "GFDL-1.2-no-invariants-or-later"),
        ("CC-BY-SA-3.0", "CC-BY-SA-3.0"),
        ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"),
        ("MPL-2.0", "MPL-2.0"),
        ("Expat", "MIT"),
        ("MIT/X11", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GPL-2+ or CC-BY-SA-3.0", "GPL-2.0-or-later OR CC-BY-SA-3.0"),
        ("MPL-1.1 or GPL-2 or LGPL-2", "MPL-1.1 OR GPL-2.0-only OR LGPL-2.0-only"),
        ("GPL-2 and Expat or ISC", "GPL-2.0-only AND MIT OR ISC"),
        ("GPL-2 or Artistic, and BSD-3-clause", "(GPL-2.0-only OR Artistic-1.0-Perl) AND BSD-3-Clause"),
        ("Expat and/or ISC", "MIT OR ISC"),
        ("GPL-3+ with Font exception", "GPL-3.0-or-later WITH Font-exception-2.0"),
    ],
)
def test_short_names_become_spdx(short: str, expression: str) -> None:
    assert spdx(short) == expression


@pytest.mark.parametrize("short", ["Expat, ISC", "Expat/ISC", "Expat / ISC"])
def test_a_comma_or_slash_alone_is_read_as_and(short: str) -> None:
    assert spdx(short) == "MIT AND ISC"


@pytest.mark.parametrize(
    ("short", "expression"),
    [
        ("(CC0-1.0 or Expat) and proprietary", "(CC0-1.0 OR MIT) AND LicenseRef-debian-proprietary"),
        (
            "(GPL-2+ or Artistic) and CC-BY-NC-4.0",
            "(GPL-2.0-or-later OR Artistic-1.0-Perl) AND CC-BY-NC-4.0",
        ),
        ("CC-BY-NC-4.0 and(GPL-2|Artistic)", "CC-BY-NC-4.0 AND (GPL-2.0-only OR Artistic-1.0-Perl)"),
        ("Zlib and (GPL-2 or (Expat, and ISC))", "Zlib AND (GPL-2.0-only OR MIT AND ISC)"),
        ("(perl) and Expat", "(Artistic-1.0-Perl OR GPL-1.0-or-later) AND MIT"),
        ("((Expat))", "MIT"),
    ],
)
def test_brackets_group(short: str, expression: str) -> None:
    assert spdx(short) == expression


@pytest.mark.parametrize(
    "short",
    [
        "Expat or ISC) and proprietary",
        "(Expat or ISC and proprietary",
        "Expat (or ISC)",
        "Expat or ISC (see below)",
        "ISC or () or Expat",
        "Expat or",
        "and Expat",
        "Expat or or ISC",
        "[GPL-2 or Expat or ISC] and proprietary",
        "GPL-2 or Expat or ISC; and proprietary",
        "(" * 5_000 + "Expat" + ")" * 5_000,
    ],
)
def test_what_does_not_fit_together_is_one_unknown_licence_never_a_choice(short: str) -> None:
    assert re.fullmatch(r"LicenseRef-debian-[A-Za-z0-9.-]+", spdx(short))


@settings(deadline=None)
@given(
    st.recursive(
        st.sampled_from(["Expat", "ISC", "Zlib", "proprietary"]),
        lambda inner: st.tuples(inner, st.sampled_from(["or", "and"]), inner).map(
            lambda t: f"({t[0]}) {t[1]} ({t[2]})"
        ),
        max_leaves=6,
    )
)
def test_a_choice_within_brackets_means_what_it_means_in_spdx(short: str) -> None:
    """Debian's brackets and operators, read by the library for SPDX, mean the same."""
    written = short.replace("Expat", "MIT").replace("proprietary", "LicenseRef-debian-proprietary")
    assert SPDX.is_equivalent(SPDX.parse(spdx(short)), SPDX.parse(written))


@pytest.mark.parametrize(
    ("short", "expression"),
    [
        ("other", "LicenseRef-debian-other"),
        ("public-domain", "LicenseRef-debian-public-domain"),
        ("GPL-9+", "LicenseRef-debian-GPL-9plus"),
        ("CC-BY-SA", "LicenseRef-debian-CC-BY-SA"),
        ("GPL-2 with restrictions", "LicenseRef-debian-GPL-2-with-restrictions"),
        ("Expat and beer-ware", "MIT AND LicenseRef-debian-beer-ware"),
        ("", "LicenseRef-debian-unstated"),
    ],
)
def test_a_name_the_table_does_not_know_is_never_taken_for_another(short: str, expression: str) -> None:
    assert spdx(short) == expression


def test_an_exception_without_a_spdx_name_is_left_out_since_it_only_permits_more() -> None:
    assert spdx("GPL-2+ with OpenSSL exception") == "GPL-2.0-or-later"


def test_every_name_of_the_table_is_spdx() -> None:
    table = tomllib.loads(files("hemicycle.sources").joinpath("dep5_names.toml").read_text("utf-8"))
    for name in table["names"].values():
        assert SPDX.validate(name, strict=True).errors == [], name
    for name in table["exceptions"].values():
        assert SPDX.validate(f"GPL-2.0-or-later WITH {name}", strict=True).errors == [], name
    assert all(key == key.lower() for part in ("names", "exceptions") for key in table[part])


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(list("GPL-23+orandwith, /|()éX.\t")), max_size=40))
def test_any_words_give_an_expression_that_parses(short: str) -> None:
    expression = spdx(short)
    assert SPDX.parse(expression) is not None


def test_the_last_stanza_that_matches_a_source_file_wins() -> None:
    notice = parsed(
        "Files: *\nCopyright: a\nLicense: GPL-2+\n\n"
        "Files: doc/*\nCopyright: b\nLicense: CC-BY-SA-3.0\n\n"
        "Files: doc/?.txt\n doc/code\\*.c\nCopyright: c\nLicense: Expat\n"
    )
    assert [notice.of_source_file(p).licence for p in ("a.c", "doc/x/y.html", "doc/a.txt", "doc/ab.txt")] == [
        "GPL-2+",
        "CC-BY-SA-3.0",
        "Expat",
        "CC-BY-SA-3.0",
    ]
    assert notice.of_source_file("doc/code*.c").licence == "Expat"
    assert notice.of_source_file("doc/code1.c").licence == "CC-BY-SA-3.0"


def test_comments_blanks_and_stanzas_that_touch_are_read() -> None:
    notice = parse_copyright(
        " Format: http://dep.debian.net/deps/dep5/\n# a comment\nUpstream-Name: x\n\n"
        "https://example.org/stray\nFiles: *\nCopyright: a\nLicense:\n GPL-2+\n"
        "Files: b/*, c/*\nCopyright: b\nLicense: MPL-2.0\n The text.\n .\n# not text\n More text.\n\n"
        "License: GPL-2+\n On Debian systems …\n .\n the rest\n",
        "p",
    )
    assert notice is not None
    assert [(s.files, s.licence) for s in notice.stanzas] == [(("*",), "GPL-2+"), (("b/*", "c/*"), "MPL-2.0")]
    assert notice.texts == {"GPL-2+": "On Debian systems …\n\nthe rest"}


@pytest.mark.parametrize(
    "text",
    [
        "This package was debianized by …\n\nLicense: GPL-2+\n\nFiles: *\nLicense: GPL-2+\n",
        "Format: something of our own\n\nFiles: *\nLicense: Expat\n",
        HEADER,
        "",
    ],
)
def test_free_text_is_not_guessed_at(text: str) -> None:
    assert parse_copyright(text, "p") is None


def test_a_page_has_the_licence_of_the_star_stanza_and_says_where_it_stands() -> None:
    stated = parsed("Files: *\nLicense: GPL-2+ or CC-BY-SA-3.0\n").of_installed_file("usr/share/doc/p/a.html")
    assert stated is not None
    assert stated.stated_by == "file"
    assert stated.expression == "GPL-2.0-or-later OR CC-BY-SA-3.0"
    assert stated.evidence == "usr/share/doc/p/copyright, Files: *, License: GPL-2+ or CC-BY-SA-3.0"


MAN = (
    "Files: *\nLicense: GPL-3+\n\n"
    "Files: po/es/man1/ls.1.po\nLicense: Expat\n\n"
    "Files: po/fr/man1/ls.1.po po/fr/man1/cp.1.po\nLicense: GPL-2\n\n"
    "Files: po/fr/man2/ls.1.po\nLicense: ISC\n"
)


def test_a_stanza_that_names_the_page_speaks_alone() -> None:
    stated = parsed(MAN).of_installed_file("usr/share/man/fr/man1/ls.1.gz")
    assert stated is not None
    assert stated.expression == "GPL-2.0-only"
    assert "po/fr/man1/ls.1.po" in (stated.evidence or "")


def test_a_stanza_for_another_language_never_speaks_for_the_page() -> None:
    stated = parsed(
        "Files: *\nLicense: GPL-3+\n\nFiles: po/es/man1/mv.1.po\nLicense: Expat\n"
    ).of_installed_file("usr/share/man/fr/man1/mv.1.gz")
    assert stated is not None
    assert stated.expression == "GPL-3.0-or-later"


def test_stanzas_that_could_apply_and_disagree_bind_together() -> None:
    notice = parsed(
        "Files: *\nLicense: GPL-2 or Artistic\n\nFiles: src/other/page.html\nLicense: CC-BY-NC-4.0\n\n"
        "Files: help/*\nLicense: CC-BY-SA-3.0\n"
    )
    named = notice.of_installed_file("usr/share/doc/p/page.html")
    folder = notice.of_installed_file("usr/share/help/fr/p/index.page")
    assert named is not None
    assert folder is not None
    assert named.expression == "(GPL-2.0-only OR Artistic-1.0-Perl) AND CC-BY-NC-4.0"
    assert folder.expression == "(GPL-2.0-only OR Artistic-1.0-Perl) AND CC-BY-SA-3.0"
    assert "all of them bind" in (named.evidence or "")


def test_a_page_that_no_stanza_covers_has_no_statement() -> None:
    assert parsed("Files: debian/*\nLicense: GPL-2\n").of_installed_file("usr/share/doc/p/a.html") is None


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples")
def test_the_888_stanzas_of_manpages_fr_are_read() -> None:
    notice = parse_copyright((SAMPLES / "manpages-fr/copyright").read_text("utf-8"), "c")
    assert notice is not None
    assert len(notice.stanzas) == 888
    stated = notice.of_installed_file("usr/share/man/fr/man1/gencat.1.gz")
    assert stated is not None
    assert stated.expression == "GPL-3.0-or-later"
    assert "po/fr/man1/gencat.1.po" in (stated.evidence or "")


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples")
def test_the_handbook_offers_a_choice() -> None:
    notice = parse_copyright((SAMPLES / "handbook/copyright").read_text("utf-8"), "c")
    assert notice is not None
    stated = notice.of_installed_file("usr/share/doc/debian-handbook/html/fr-FR/foreword.html")
    assert stated is not None
    assert stated.expression == "GPL-2.0-or-later OR CC-BY-SA-3.0"
    assert set(notice.texts) == {"GPL-2.0+", "CC-BY-SA-3.0"}
