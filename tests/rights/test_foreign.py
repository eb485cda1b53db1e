"""Reading somebody else's table: columns, kinds of files, data cards, and what is refused."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.rights import foreign
from hemicycle.rights.foreign import KINDS, Row, read_table

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

CARD = """---
pretty_name: 'Le grand corpus'   # of the village
license: cc-by-sa-4.0
configs:
- config_name: debats
  data_files: "debats/*.parquet"
- config_name: chansons
  license: other
  data_files:
  - split: train
    path: x
language: [fr, br]
---
# Le grand corpus

```
| Example | License |
|---|---|
| not a row | MIT |
```

| Figure | n |
|---|--:|
| words | 3 |

| Part | **Licence** | Where |
|:--|:-:|---|
| Débats | [Licence Ouverte 2.0](https://example.org/a "b") | a |
| Contes | `CC BY-NC-SA 4.0` | b \\| c |
| Vidéos | TODO<br>see site |
"""


def write(folder, name, text):
    path = folder / name
    path.write_text(text, "utf-8") if isinstance(text, str) else path.write_bytes(text)
    return path


def cells(table):
    return [(row.name, row.cell) for row in table.rows]


# ── columns ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "heading",
    ["license", "Licence", "License(s)", "licence(s)", "LICENSES", "Data license", "licence_stated", "SPDX"],
)
def test_the_usual_headings_are_guessed(tmp_path, heading):
    table = read_table(write(tmp_path, "t.csv", f"id,{heading},license url,license notes\na,MIT,u,n\n"), {})
    assert (table.column, table.guessed, cells(table)) == (heading, True, [("a", "MIT")])


@pytest.mark.parametrize(
    "head", ["a,b", "license,licence", "code license,data license", "license_url,b", "license,license"]
)
def test_where_no_column_or_several_could_be_it_the_columns_are_listed(tmp_path, head):
    with pytest.raises(DeclarationError, match=rf"Columns: “{head.split(',')[0]}”"):
        read_table(write(tmp_path, "t.csv", f"{head}\nx,y\n"), {})


def test_a_column_that_is_named_is_taken_and_one_that_is_not_there_is_asked_back(tmp_path):
    path = write(tmp_path, "t.csv", "code license,data license,who\nMIT,CC-BY-4.0,me\n")
    table = read_table(path, {"licence": "Data License", "name": "who"})
    assert (table.guessed, cells(table)) == (False, [("me", "CC-BY-4.0")])
    for wrong in ({"licence": "dta license"}, {"licence": "data license", "name": "whom"}):
        with pytest.raises(DeclarationError, match="Did you mean"):
            read_table(path, wrong)
    with pytest.raises(DeclarationError, match="licence, name"):
        read_table(path, {"colour": "who"})


def test_a_heading_that_stands_twice_names_no_column(tmp_path):
    path = write(tmp_path, "t.csv", "name,l,l\na,MIT,ISC\n")
    with pytest.raises(DeclarationError, match="no one column"):
        read_table(path, {"licence": "l"})


# ── kinds of files ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", 'name,licence\na,"MIT, ISC"\n\nb,\n'),
        ("t.csv", '\ufeffname;licence\r\na;"MIT, ISC"\r\nb;\r\n'),
        ("t.TSV", "name\tlicence\na\tMIT, ISC\nb\t\n"),
        ("t.json", '[{"name": "a", "licence": ["MIT", "ISC"]}, {"name": "b"}]'),
        (
            "t.json",
            '{"v": 1, "datasets": [{"name": "a", "licence": "MIT, ISC"}, {"name": "b", "licence": null}]}',
        ),
        ("t.jsonl", '{"name": "a", "licence": "MIT, ISC"}\n\n{"name": "b"}\n'),
        ("t.md", "| name | licence |\n|---|---|\n| a | MIT, ISC |\n| b | |\n"),
    ],
)
def test_the_same_rows_are_read_from_every_kind_of_file(tmp_path, name, text):
    table = read_table(write(tmp_path, name, text), {})
    assert table.rows == (Row(1, "a", "MIT, ISC"), Row(2, "b", ""))


def test_a_row_that_ends_early_has_an_empty_cell_and_is_not_left_out(tmp_path):
    table = read_table(write(tmp_path, "t.csv", "name,licence\na\nb,MIT,x\n"), {})
    assert cells(table) == [("a", ""), ("b", "MIT")]


def test_an_object_as_licence_gives_its_identifier(tmp_path):
    rows = [{"name": "a", "license": {"spdx_id": "MIT", "url": "u"}}, {"name": "b", "license": {"url": "u"}}]
    assert cells(read_table(write(tmp_path, "t.json", json.dumps(rows)), {})) == [("a", "MIT"), ("b", "{…}")]


# ── data cards ───────────────────────────────────────────────────────────────────────────────────


def test_a_card_gives_its_own_licence_those_of_configurations_and_those_of_its_tables(tmp_path):
    table = read_table(write(tmp_path, "README.md", CARD), {})
    assert cells(table) == [
        ("Le grand corpus", "cc-by-sa-4.0"),
        ("chansons", "other"),
        ("Débats", "Licence Ouverte 2.0"),
        ("Contes", "CC BY-NC-SA 4.0"),
        ("Vidéos", "TODO, see site"),
    ]
    assert (table.column, table.umbrella) == ("license, Licence", "cc-by-sa-4.0")


@pytest.mark.parametrize(
    ("head", "licence"),
    [
        ("license: mit", "mit"),
        ("license: [mit, cc-by-4.0]", "mit, cc-by-4.0"),
        ("license:\n- mit\n- cc-by-4.0", "mit, cc-by-4.0"),
        ("license: other\nlicense_name: bloom-rail", "bloom-rail"),
        ("license: >\n  all rights\n  reserved", "all rights reserved"),
        ("tags: [license]\nlicense: 'mit' # why", "mit"),
    ],
)
def test_the_head_of_a_card_states_a_licence_in_several_ways(tmp_path, head, licence):
    assert read_table(write(tmp_path, "c.md", f"---\n{head}\n---\nText.\n"), {}).umbrella == licence


def test_a_card_without_any_licence_is_asked_back_with_its_columns(tmp_path):
    path = write(tmp_path, "c.md", "---\ntags: x\n---\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    with pytest.raises(DeclarationError, match="“a”, “b”"):
        read_table(path, {})


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("t.csv", b"name,licence\na,\xe9\n", "line 2"),
        ("t.csv", b"\n\n", "empty"),
        ("t.csv", b'name,licence\na,"' + b"x" * 2**25 + b'"', "line"),
        ("t.json", b"[" * 100_000, "JSON"),
        ("t.json", b'{"a": [{}], "b": [{}]}', "not clear"),
        ("t.json", b'{"rows": 3}', "no list"),
        ("t.json", b"[]", "no list"),
        ("t.json", b'[{"licence": "MIT"}, 3]', "row 2"),
        ("t.json", b"[" + b"9" * 5000 + b"]", "JSON"),
        ("t.jsonl", b'{"licence": "MIT"}\n{"licence"\n', "line 2"),
        ("t.jsonl", b"\n", "empty"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name, data, said):
    with pytest.raises(InputError, match=said):
        read_table(write(tmp_path, name, data), {})


def test_a_kind_of_file_that_is_not_known_is_refused_and_so_is_one_that_is_not_there(tmp_path):
    with pytest.raises(DeclarationError, match=r"\.csv"):
        read_table(write(tmp_path, "t.xlsx", "x"), {})
    with pytest.raises(DeclarationError, match="cannot be read"):
        read_table(tmp_path / "absent.csv", {})


def test_a_table_of_too_many_bytes_or_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="MiB"):
        read_table(write(tmp_path, "t.csv", "name,licence\n" + "a,MIT\n" * 1000), {})
    monkeypatch.undo()
    monkeypatch.setattr(foreign, "MAX_ROWS", 10)
    for name, text in (
        ("t.csv", "name,licence\n" + "a,MIT\n" * 11),
        ("t.json", json.dumps([{"licence": "MIT"}] * 11)),
        ("t.jsonl", '{"licence": "MIT"}\n' * 11),
        ("t.md", "| a | licence |\n|---|---|\n" + "| a | MIT |\n" * 11),
    ):
        with pytest.raises(InputError, match="rows"):
            read_table(write(tmp_path, name, text), {})


def test_half_characters_in_json_become_something_that_can_be_printed(tmp_path):
    table = read_table(write(tmp_path, "t.json", '[{"name": "a", "licence": "\\ud800MIT"}]'), {})
    assert table.rows[0].cell == "?MIT"


WORDS = 'name licence license: MIT , ; --- " { } [ ] : \\ configs: - ` ``` \x00 \ufeff null 1e999 | |---|---|'
FRAGMENTS = st.sampled_from([*WORDS.split(" "), " ", "\n", "\r", "\t"])


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.binary(max_size=200) | st.lists(FRAGMENTS, max_size=40).map(lambda parts: "".join(parts).encode()),
    st.sampled_from(KINDS),
)
def test_no_bytes_give_anything_but_a_table_or_an_error_with_a_sentence(tmp_path_factory, data, kind):
    path = write(tmp_path_factory.getbasetemp(), f"fuzz{kind}", data)
    try:
        table = read_table(path, {})
    except HemicycleError:
        return
    assert [row.number for row in table.rows] == list(range(1, len(table.rows) + 1))
    for row in table.rows:
        (row.name + row.cell + table.column).encode("utf-8")
