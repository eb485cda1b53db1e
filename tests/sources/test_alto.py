"""ALTO pages as one text: columns, heads, divided words, METS; damaged files are read or refused."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources import read as stage
from hemicycle.sources import scanned
from hemicycle.sources.alto import pages_of, read
from hemicycle.sources.xml import parse

from .damage import spoilt

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="alto", path=".")
HEADS = ["CHAMBRE DES DÉPUTÉS", "CHAMBBE DES DÉPUTES", "CHAMBRE DES DEPUTÉS."]


def at(x: int, y: int, width: int = 450, height: int = 30) -> str:
    return f'HPOS="{x}" VPOS="{y}" WIDTH="{width}" HEIGHT="{height}"'


def line(text: str, place: str = "") -> str:
    words = "<SP/>".join(f'<String CONTENT={quoteattr(w)} WC="0.9"/>' for w in text.split())
    return f"<TextLine {place}>{words}</TextLine>"


def block(x: int, y: int, *lines: str, width: int = 450) -> str:
    inner = "".join(line(text, at(x, y + 40 * n, width)) for n, text in enumerate(lines))
    return f"<TextBlock {at(x, y, width, 40 * len(lines))}>{inner}</TextBlock>"


def alto(*blocks: str) -> str:
    inner = "".join(blocks)
    return (
        '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Layout><Page><PrintSpace>'
        f"{inner}</PrintSpace></Page></Layout></alto>"
    )


def documents(folder: Path, files: dict[str, str | bytes]) -> list[Document]:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(folder, CARD))


def test_an_issue_in_two_columns_on_three_pages_is_one_text(tmp_path):
    def page(n: int, left: list[str], right: list[str]) -> str:
        return alto(
            block(0, 0, HEADS[n], width=950),
            block(500, 50, *right),
            block(0, 50, *left),
            block(400, 900, str(175 + n), width=60),
        )

    pages = {
        "1889-11-26/p8.xml": page(
            0, ["La séance est ou-", "verte à deux heures."], ["M. Dupré pose des ques-"]
        ),
        "1889-11-26/p9.xml": page(1, ["tions au ministre, qui", "répond."], ["Il dit que la loi"]),
        "1889-11-26/p10.xml": page(2, ["sera votée."], ["La séance est levée."]),
    }
    (found,) = documents(tmp_path, pages)
    assert found.text == (
        "La séance est ouverte à deux heures.\n\nM. Dupré pose des questions au ministre, qui répond.\n\n"
        "Il dit que la loi sera votée.\n\nLa séance est levée."
    )
    assert [(p.anchor, found.text[p.start : p.end]) for p in found.parts][1:3] == [
        ("p8", "M. Dupré pose des questions"),
        ("p9", "au ministre, qui répond."),
    ]
    assert (found.origin, found.date, found.title) == ("1889-11-26", "1889-11-26", "1889-11-26")
    assert found.confidence == pytest.approx(0.9)
    assert dict(found.counts) == {"running_heads": 6, "mended_words": 2}


def test_the_statement_counts_and_the_row_keeps_the_confidence(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "raw" / "p.xml").write_text(alto(block(0, 0, "les ques-", "tions")), "utf-8")
    counts = stage.read_source("s", CARD, tmp_path / "raw", tmp_path / "out")
    assert (counts["documents"], counts["mended_words"]) == (1, 1)


def test_a_block_that_holds_two_columns_is_read_down_each(tmp_path):
    rows = [("Un soir", "au loin"), ("il pleut", "il tonne")]
    lines = "".join(
        line(left, at(0, 40 * n, 300)) + line(right, at(400, 40 * n, 300))
        for n, (left, right) in enumerate(rows)
    )
    (found,) = documents(tmp_path, {"a.xml": alto(f"<TextBlock>{lines}</TextBlock>")})
    assert found.text == "Un soir il pleut au loin il tonne"


def test_before_1800_long_s_is_read_and_after_it_an_f_stays(tmp_path):
    text = "C'eft ainfi, auffi ſûr que l'Aſſemblée"
    old, new = documents(tmp_path, {f"{year}/a.xml": alto(block(0, 0, text)) for year in (1790, 1890)})
    assert old.text == "C'est ainsi, aussi sûr que l'Assemblée"
    assert new.text == "C'eft ainfi, auffi sûr que l'Assemblée"


METS = (
    '<mets xmlns="http://www.loc.gov/METS/" xmlns:xlink="http://www.w3.org/1999/xlink"><fileSec><fileGrp>'
    '<file ID="A"><FLocat xlink:href="alto/b.xml"/></file><file ID="B"><FLocat xlink:href="file://alto/a.xml"/>'
    '</file></fileGrp></fileSec><structMap TYPE="PHYSICAL"><div><div ORDER="1"><fptr FILEID="A"/></div>'
    '<div ORDER="2"><fptr FILEID="B"/></div></div></structMap></mets>'
)


def test_mets_orders_the_pages_and_a_page_it_does_not_name_is_refused(tmp_path):
    pages = {"v/a.xml": alto(block(0, 0, "Fin.")), "v/b.xml": alto(block(0, 0, "Début."))}
    assert documents(tmp_path, {**pages, "v/mets.xml": METS})[0].text == "Début.\n\nFin."
    with pytest.raises(InputError, match="does not name this page"):
        documents(tmp_path, {"v/c.xml": alto(block(0, 0, "x"))})


def test_a_margin_below_stands_behind_the_print(tmp_path):
    margin = alto("<TextBlock>" + line("note") + "</TextBlock>").replace("PrintSpace", "BottomMargin")
    both = margin.replace(
        "</Page>", f"<PrintSpace><TextBlock>{line('texte')}</TextBlock></PrintSpace></Page>"
    )
    assert documents(tmp_path, {"a.xml": both})[0].text == "texte\n\nnote"


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"a.xml": "<a/>"}, "not “alto”"),
        ({"a.txt": "x"}, "no page by its name"),
        ({"a.xml": alto()}, "no page holds a word"),
        ({"a.xml": alto('<String CONTENT="x"/>')}, "outside of the lines"),
        ({"a.xml": alto(block(0, 0, "x"))[:-20]}, "not well-formed"),
        ({"a.xml": alto(block(0, 0, "x")).encode() + b"\0"}, "NUL"),
        (
            {"a.xml": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + alto(block(0, 0, "é")).encode()},
            "UTF-8",
        ),
        ({"a.xml": '<!DOCTYPE alto [<!ENTITY a "b">]>' + alto(block(0, 0, "x"))}, "entities"),
        ({"v/m.xml": METS, "v/n.xml": METS}, "two METS"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, files, what):
    with pytest.raises(InputError) as error:
        documents(tmp_path, files)
    assert what in error.value.what


def test_a_volume_longer_than_one_document_may_be_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hemicycle.sources.scanned.TEXT_LIMIT", 20)
    pages = {f"v/{n}.xml": alto(block(0, 0, f"mots numéro {n}")) for n in range(3)}
    with pytest.raises(InputError, match="more than 20 characters"):
        documents(tmp_path, pages)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_a_damaged_page_is_read_or_refused_and_nothing_else(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("alto")
    page = alto(block(0, 0, "les ques-", "tions"), block(500, 0, "peut-", "être"))
    files = {"v/p1.xml": spoilt(data, page), "v/p2.xml": page, "v/mets.xml": spoilt(data, METS)}
    with contextlib.suppress(HemicycleError):
        for found in documents(folder, files if data.draw(st.booleans()) else dict(list(files.items())[:2])):
            found.row("s")


def test_lines_read_straight_through_two_columns_are_parted(tmp_path):
    def words(y: int, *stated: tuple[int, str]) -> str:
        inner = "<SP/>".join(f'<String {at(x, y, 90, 30)} CONTENT="{word}"/>' for x, word in stated)
        return f"<TextLine {at(0, y, 700, 30)}>{inner}</TextLine>"

    lines = words(0, (0, "on"), (100, "passe"), (500, "il"), (600, "est"))
    lines += words(40, (0, "aux"), (100, "ques-"), (500, "donné"), (600, "lec-"))
    last = words(80, (0, "tions"), (500, "ture"))
    blocks = [f"<TextBlock {at(0, 0, 700, 80)}>{lines}</TextBlock>"]
    blocks += [f"<TextBlock {at(0, 80, 700, 30)}>{last}</TextBlock>"]
    (found,) = documents(tmp_path, {"a.xml": alto(*blocks)})
    assert found.text == "on passe aux questions\n\nil est donné lecture"


def test_a_line_of_many_words_takes_time_in_proportion():
    def seconds(words: int) -> float:
        root = parse(alto(f"<TextBlock>{line('a ' * words)}</TextBlock>").encode(), "a.xml")
        begin = time.process_time()
        (page,) = pages_of(root, "a.xml", "a")
        assert len(page.blocks[0].lines[0].text) == 2 * words - 1
        return time.process_time() - begin

    few = min(seconds(2_000) for _ in range(3))
    many = min(seconds(16_000) for _ in range(3))
    assert many < 28 * few, "eight times the words: 64 times the time would be their square"


def many_columns(columns):
    words, x = "", 0
    for n in range(columns, 0, -1):
        words += f'<String CONTENT="a" {at(x, 0, 10)}/>'
        x += 30 + 10 + n
    return alto(f"<TextBlock>{f'<TextLine>{words}</TextLine>' * 2}</TextBlock>")


def test_a_line_of_a_thousand_columns_loses_no_word(tmp_path):
    (found,) = documents(tmp_path, {"p1.xml": many_columns(2_100)})
    assert found.text.split() == ["a"] * 4_200


def test_a_block_of_a_column_a_word_is_looked_at_a_fixed_number_of_times(monkeypatch):
    looked = []
    real = scanned.gutter
    monkeypatch.setattr(scanned, "gutter", lambda rows, known=(): looked.append(1) or real(rows, known))
    (page,) = pages_of(parse(many_columns(2_000).encode(), "a.xml"), "a.xml", "a")
    cut = scanned._parted(page).blocks
    assert len(cut) == scanned.MOST_COLUMNS
    assert sum(len(line.words) for block in cut for line in block.lines) == 4_000
    assert len(looked) < 2 * scanned.MOST_COLUMNS
