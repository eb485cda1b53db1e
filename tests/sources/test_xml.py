"""XML from outside: every kind of bad file is refused with its name and line, and a text keeps its parts."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.documents import Part
from hemicycle.errors import InputError
from hemicycle.sources.xml import SPACES, Assembly, name_of, parse, read_bytes, words_of

BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]>\n"
)

BAD = {
    "empty": (b"", 1),
    "no XML at all": (b"Bonjour\n", 1),
    "truncated": (b"<a>\n<b>x</b>\n<c>", 3),
    "tags crossed": (b"<a>\n\n<b></a>", 3),
    "NUL byte": (b"<a>\n\nx\0y</a>", 3),
    "NUL bytes behind": (b"<a>\n</a>\n\0\0\0", 3),
    "declared UTF-8, is Latin-1": ('<?xml version="1.0"?>\n<a>\né</a>'.encode("latin-1"), 3),
    "declared Latin-1, is UTF-8": ('<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>\né</a>'.encode(), 3),
    "declared UTF-16, is ASCII": (b'<?xml version="1.0" encoding="UTF-16"?>\n<a/>', 1),
    "declared in no encoding known": (b'<?xml version="1.0" encoding="UTF-99"?>\n<a/>', 1),
    "entity bomb in the text": (BILLION_LAUGHS + b"<a>&l11;</a>", 2),
    "entity bomb in an attribute": (BILLION_LAUGHS + b'<a b="&l11;"/>', 1),
    "small entity in an attribute": (BILLION_LAUGHS + b'<a b="&l2;"/>', 1),
    "entities declared, none used": (BILLION_LAUGHS + b"<a/>", 1),
    "external entity": (b'<!DOCTYPE a\n[<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 2),
    "parameter entity": (b'<!DOCTYPE a [\n<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><a/>', 2),
    "undeclared entity": (b"<a>\n&eacute;t&eacute;</a>", 2),
    "entity of an external DTD": (b'<!DOCTYPE a SYSTEM "a.dtd">\n<a>\n&eacute;</a>', 3),
    "entity of an external DTD in an attribute": (b'<!DOCTYPE a SYSTEM "a.dtd">\n<a b="&eacute;"/>', 2),
    "nested too deeply": (b"<a>\n" * 300 + b"</a>" * 300, 256),
    "one text of 11 MB": (b"<a>" + b"x" * 11_000_000 + b"</a>", 1),
    "one attribute of 11 MB": (b'<a b="' + b"x" * 11_000_000 + b'"/>', 1),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_xml_is_refused_with_its_file_and_line(case):
    data, line = BAD[case]
    with pytest.raises(InputError) as error:
        parse(data, "sub/bad.xml")
    file, number = error.value.place.rsplit(", line ", 1)
    assert file == "sub/bad.xml"
    # libxml2 counts the line of an entity bomb inside the entity, so a line more or less is right too.
    assert abs(int(number) - line) <= (1 if "bomb" in case or "deep" in case else 0)
    assert error.value.remedy


def test_an_external_entity_is_never_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("sesame")
    with pytest.raises(InputError) as error:
        parse(f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>'.encode(), "a.xml")
    assert "sesame" not in str(error.value)


def test_a_document_type_without_entities_is_no_obstacle():
    assert parse(b'<!DOCTYPE TEI SYSTEM "nowhere.dtd">\n<TEI>a &amp; b</TEI>', "a.xml").text == "a & b"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
def test_a_file_in_its_declared_encoding_is_read(encoding):
    declared = encoding.removesuffix("-sig")
    text = f'<?xml version="1.0" encoding="{declared}"?><a>été, nº 5</a>'
    assert parse(text.encode(encoding), "a.xml").text == "été, nº 5"


def test_comments_and_instructions_leave_the_words_whole():
    root = parse(b"<a>x<!-- c -->y<?pi z?>w<![CDATA[<k>]]></a>", "a.xml")
    assert (root.text, len(root)) == ("xyw<k>", 0)


def test_depth_just_below_the_limit_is_read():
    assert sum(1 for _ in parse(b"<a>" * 250 + b"</a>" * 250, "a.xml").iter()) == 250


def test_a_line_number_beyond_65535_is_right():
    with pytest.raises(InputError, match="line 100001"):
        parse(b"<a>" + b"\n" * 100_000 + b"<b></a>", "a.xml")


def test_a_file_beyond_the_limit_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "line.xml"
    with path.open("wb") as file:
        file.write(b"<a>")
        file.truncate(200_000_000)  # sparse: one line of 200 MB that takes no room on the disk
    tracemalloc.start()
    with pytest.raises(InputError, match="bigger than 1,000,000 bytes") as error:
        read_bytes(path, "line.xml", limit=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.place == "line.xml"
    assert peak < 4_000_000


def test_a_file_of_exactly_the_limit_is_read(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(b"<a>1234</a>")
    assert read_bytes(path, "a.xml", limit=11) == b"<a>1234</a>"
    with pytest.raises(InputError):
        read_bytes(path, "a.xml", limit=10)


def test_names_come_without_namespace_and_words_as_one_line():
    root = parse(b'<a xmlns="urn:x"> un\n  <b>deux</b> </a>', "a.xml")
    assert (name_of(root), name_of(root[0]), words_of(root), words_of(None)) == ("a", "b", "un deux", "")


def test_white_space_is_squeezed_and_no_break_spaces_stay():
    text = Assembly()
    text.add("  Vraiment\n\t")
    text.add("oui\N{NO-BREAK SPACE}!  ")
    text.separate("\n\n")
    text.separate("\n")
    text.add("\N{NO-BREAK SPACE}Suite\vligne")
    assert text.finish()[0] == "Vraiment oui\N{NO-BREAK SPACE}!\n\nSuite\nligne"


def test_pieces_without_space_between_them_stay_one_word():
    text = Assembly()
    for piece in ("1", "", "er", " janvier"):
        text.add(piece)
    assert text.finish()[0] == "1er janvier"


def test_outer_parts_come_before_inner_ones_and_empty_ones_do_not_come():
    text = Assembly()
    with text.part(Part(0, 0, kind="turn")):
        text.add(" Oui. ")
        with text.part(Part(0, 0, kind="stage")):
            text.add("(Rires.)")
        with text.part(Part(0, 0, kind="note")):
            text.add("  ")
    words, parts = text.finish()
    assert [(p.kind, words[p.start : p.end]) for p in parts] == [
        ("turn", "Oui. (Rires.)"),
        ("stage", "(Rires.)"),
    ]


WORDS = st.text(alphabet="aé.  \n\t\N{NO-BREAK SPACE}(", max_size=6)


@given(
    st.lists(st.tuples(st.sampled_from(["", " ", "\n", "\n\n"]), st.lists(WORDS, max_size=3)), max_size=12)
)
def test_every_letter_is_kept_once_and_no_part_touches_white_space(blocks):
    text = Assembly()
    for separator, pieces in blocks:
        text.separate(separator)
        with text.part(Part(0, 0, kind="paragraph")):
            for piece in pieces:
                text.add(piece)
    words, parts = text.finish()
    given_words = "".join(piece for _, pieces in blocks for piece in pieces)
    assert "".join(words.split()) == "".join(given_words.split())
    for part in parts:
        assert part.start < part.end <= len(words)
        assert words[part.start] not in SPACES
        assert words[part.end - 1] not in SPACES
