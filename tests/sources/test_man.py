from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.sources.man import read_man
from hemicycle.sources.page import Page

SAMPLES = Path(__file__).resolve().parents[3] / "shared/samples/debian/manpages-fr/man/fr"


def man(source: str) -> Page:
    page = read_man(source.encode(), "p.1")
    assert page is not None
    return page


def test_a_page_is_headings_paragraphs_and_terms() -> None:
    page = man(
        '.\\" -*- coding: UTF-8 -*-\n.TH LS 1 "mai 2023" x\n.SH NOM\nls \\- lister\n'
        ".SH DESCRIPTION\nListe les \\fBfichiers\\fP\\ ;\nle reste.\n.PP\nEncore.\n"
        '.TP\n\\fB\\-a\\fP, \\fB\\-\\-all\\fP\ntout,\n.I même\ncaché\n.TP\n.BR \\-l " long"\nformat long\n'
        ".SH VOIR AUSSI\n.BR cp (1),\n.BR mv (1)\n"
    )
    assert page.title == "LS(1)"
    assert page.text == (
        "NOM\n\nls - lister\n\nDESCRIPTION\n\nListe les fichiers\u00a0; le reste.\n\nEncore.\n\n"
        "-a, --all\n    tout, même caché\n-l long\n    format long\n\nVOIR AUSSI\n\ncp(1), mv(1)"
    )
    assert [(p.kind, p.title) for p in page.parts][:2] == [("heading", "NOM"), ("paragraph", "NOM")]


def test_bullets_nesting_and_links() -> None:
    page = man(
        ".SH A\n.IP \\(bu 2\nun\n.IP \\[bu]\ndeux\n.RS\n.IP 1.\nx\n.RE\n"
        ".PP\nVoir\n.UR https://e.org\nle site\n.UE .\n"
    )
    assert page.text == "A\n\n- un\n- deux\n  1. x\n\nVoir le site <https://e.org>."


def test_listings_keep_their_lines_and_tables_become_rows() -> None:
    page = man(
        ".SH A\n.nf\nint main(void)\n{\n    return 0;\n}\n.fi\n"
        ".TS\ntab(:);\nl l\nl lx.\nNom:Sens\n_\na:T{\nun\nmot\nT}\n.TE\n"
    )
    assert page.text == "A\n\nint main(void)\n{\n    return 0;\n}\n\nNom | Sens\na | un mot"


def test_macros_strings_and_conditions_are_worked_out() -> None:
    page = man(
        '.de XX   \\" takes two\n\\fB\\\\$1\\fP et \\\\$2\n..\n.ds No \\(lqmonde\\(rq\n.nr x 3\n'
        '.SH A\n.XX un "deux trois"\n.if t imprimé\n.if n écran\n'
        ".ie t \\{\\\nnon\n.\\}\n.el \\{\\\noui \\nx\n.\\}\n"
        "bonjour \\*(No \\*[No]\n.ig\ncaché\n..\n"
    )
    assert page.text == "A\n\nun et deux trois écran oui 3 bonjour “monde” “monde”"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("\\(aq\\e\\[u00E9]\\['e]\\(:o\\[em]\\~x", "'\\éé" + "ö—\u00a0x"),
        ("a\\fIb\\fR\\f(CWc\\fP\\s-1d\\s0\\h'1'\\v'-.4m'e\\&.", "abcde."),
        ("t\\%rait\\-d'union\\|\\^\\c\nsuite", "trait-d'unionsuite"),
        ("\\o'ab' \\N'65' \\w'mot'x", "a A x"),
    ],
)
def test_escapes(source: str, text: str) -> None:
    assert man(f".SH A\n{source}\n").text == f"A\n\n{text}"


def test_a_page_that_stands_for_another_is_none() -> None:
    assert read_man(b'.\\" see\n.so man1/other.1\n', "p") is None


def test_the_licence_a_comment_names_is_reported() -> None:
    page = man('.\\" SPDX-License-Identifier: Linux-man-pages-copyleft\n.\\" other\n.SH A\nx\n')
    assert [(s.stated_by, s.expression) for s in page.licences] == [("file", "Linux-man-pages-copyleft")]


def test_mdoc_is_read_too() -> None:
    page = man(
        ".Dd mai 2023\n.Dt NSCD 8\n.Os\n.Sh NOM\n.Nm nscd\n.Nd démon\n.Sh SYNOPSIS\n"
        ".Nm\n.Op Fl v\n.Op Fl f Ar fichier\n"
        ".Sh OPTIONS\n.Bl -tag -width x\n.It Fl v , Fl Fl verbose\nParle de\n.Dq tout .\n"
        ".It Pa /etc\nUn dossier.\n.El\n"
        ".Pp\nVoir\n.Xr ls 1 .\n"
    )
    assert page.title == "NSCD(8)"
    assert page.text == (
        "NOM\n\nnscd — démon\n\nSYNOPSIS\n\nnscd [-v] [-f fichier]\n\nOPTIONS\n\n"
        "-v, --verbose\n    Parle de “tout”.\n/etc\n    Un dossier.\n\nVoir ls(1)."
    )


@pytest.mark.parametrize(
    "source",
    [
        ".de A\n.A\n.A\n..\n.A\n",
        ".de A\n.A \\\\$* \\\\$* x\n..\n.A x\n",
        ".ds a xxxxxxxxxx\n"
        + "".join(f".ds {y} " + f"\\*{x}" * 40 + "\n" for x, y in zip("abcdefg", "bcdefgh", strict=True))
        + "\\*h\n",
        ".ds a \\*a\n\\*a\n",
        "x" * 100_000 + "\n",
    ],
)
def test_a_page_without_end_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="without end"):
        read_man(source.encode(), "p.1")


def test_a_wrong_encoding_names_the_line() -> None:
    with pytest.raises(InputError) as error:
        read_man(b".SH A\n\xe9t\xe9\n", "p.1")
    assert error.value.place == "p.1, line 2"
    page = read_man('.\\" -*- coding: ISO-8859-1 -*-\n.SH A\nété\n'.encode("latin-1"), "p.1")
    assert page is not None
    assert page.text == "A\n\nété"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(list(".'\\\"{}[]()*nfdeisTSEPHRxt $1\n")), max_size=200))
def test_any_page_is_read_or_refused(source: str) -> None:
    try:
        page = read_man(source.encode(), "p.1")
    except InputError:
        return
    for part in page.parts if page else ():
        assert 0 <= part.start < part.end <= len(page.text)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples")
def test_translated_pages_are_clean() -> None:
    pages = {f.name: read_man(gzip.decompress(f.read_bytes()), f.name) for f in sorted(SAMPLES.rglob("*.gz"))}
    assert len(pages) == 9
    for name, page in pages.items():
        assert page is not None, name
        assert page.text.startswith("NOM\n\n"), name
        assert "\\f" not in page.text, name
        assert ".TP" not in page.text, name
    nptl = pages["nptl.7.gz"]
    assert nptl is not None
    assert "- SIGRTMIN est réglé à la valeur 34 (plutôt que 32)\u00a0;" in nptl.text
