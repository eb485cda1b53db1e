"""Articles of law in Markdown: the law and its notes, never the lists of links behind them."""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.markdown_frontmatter import plain, read, versions

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="markdown-frontmatter", path=".", include=["article_*.md"])

HEADER = """---
Nature: Article
Numéro: 3
Type: AUTONOME
État: VIGUEUR
Date de début: 2031-01-01
Date de fin: 2999-01-01
Identifiant: LEGIARTI000000000001
Origine: LEGI
---
"""
BODY = """
# Article 3

Nul ne ferme
une fontaine.<br />

Elle est à tous : 1<sup>er</sup> janvier,
<i
  >toujours</i
>, sauf :
- l'été ;
- l'hiver,
  quand il gèle.


### Nota

Voir [la loi](https://x/y) \\*.
"""
LISTS = """
<details>
  <summary><h2>Références</h2></summary>

  ### Articles faisant référence
  <ul><li><a href="x">Décret n° 1</a> CITATION</li></ul>
  <details><summary>Plus</summary>plus</details>
</details>

<details>
  <summary><h2>Autres formats</h2></summary>
* [JSON](x)
</details>
"""


def only(text: str) -> Document:
    [found] = versions(text, "titre_i/article_3.md")
    return found


def test_an_article_is_read_without_its_lists() -> None:
    found = only(HEADER + BODY + LISTS)
    assert found.text == (
        "Article 3\n\nNul ne ferme une fontaine.\n\n"
        "Elle est à tous : 1er janvier, toujours, sauf :\n- l'été ;\n- l'hiver, quand il gèle.\n\n"
        "Nota\n\nVoir la loi *."
    )
    assert [(p.kind, p.title) for p in found.parts] == [
        ("heading", "Article 3"),
        ("paragraph", "Article 3"),
        ("paragraph", "Article 3"),
        ("heading", "Nota"),
        ("note", "Nota"),
    ]
    assert {p.anchor for p in found.parts} == {found.id} == {"LEGIARTI000000000001"}
    assert found.title == "Article 3 (VIGUEUR, depuis le 2031-01-01)"
    assert (found.date, found.kind, found.group) == ("2031-01-01", "law", "titre_i#3")


def test_lists_cut_short_run_to_the_end_of_the_file() -> None:
    text = HEADER + BODY + LISTS
    whole = only(text)
    for end in range(len(HEADER + BODY) + 40, len(text), 37):
        cut = only(text[:end])
        assert cut.text == whole.text or cut.text.startswith(whole.text)
    assert only(text[: text.index("Décret") + 3]).text == whole.text


def test_folded_text_that_is_no_list_is_read() -> None:
    assert (
        only(HEADER + "<details><summary>Annexe</summary>\n\nUn tableau.</details>").text
        == "Annexe\n\nUn tableau."
    )


def test_versions_one_after_the_other_are_documents_of_one_group() -> None:
    older = HEADER.replace("0001\n", "0002\n").replace("2999", "2032").replace("VIGUEUR", "ABROGE")
    found = list(versions(HEADER + "Un : deux.\n\n---\nTrois.\n" + older + "Quatre.\n", "a/b.md"))
    assert [(d.id, d.text) for d in found] == [
        ("LEGIARTI000000000001", "Un : deux.\n\n--- Trois."),
        ("LEGIARTI000000000002", "Quatre."),
    ]
    assert {d.group for d in found} == {"a#3"}
    assert found[1].title == "Article 3 (ABROGE, du 2031-01-01 au 2032-01-01)"


def test_a_licence_of_the_file_is_reported_with_its_line() -> None:
    stated = HEADER.replace("Origine: LEGI", "Licence: etalab-2.0")
    assert only(stated + "Un.").licences == (
        StatedLicence("file", "etalab-2.0", "titre_i/article_3.md, line 9"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"# Article 3\n\nUn.\n", "does not begin with a header"),
        (b"Avant.\n" + HEADER.encode() + b"Un.", "does not begin with a header"),
        (HEADER.encode().replace(b"Identifiant: LEGI", b"Rien: LEGI"), "does not begin with a header"),
        (HEADER.encode()[:-5], "does not begin with a header"),
        (
            HEADER.encode().replace(b"Origine: LEGI", b"Rights:\n  licence:\n    - x"),
            "seems to state a licence",
        ),
        (HEADER.encode("latin-1"), "not UTF-8"),
        (HEADER.encode("utf-16"), "NUL|not UTF-8"),
        (HEADER.encode() + b"a\0b", "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "article_3.md").write_bytes(text)
    with pytest.raises(InputError, match=message) as caught:
        list(read(tmp_path, CARD))
    assert (caught.value.place or "").startswith("article_3.md")


def test_one_version_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("article_3.md", "article_4.md"):
        (tmp_path / name).write_text(HEADER + "Un.", "utf-8")
    with pytest.raises(
        InputError, match=r"^article_4.md: the version LEGIARTI000000000001 is here a second time"
    ):
        list(read(tmp_path, CARD))


@pytest.mark.parametrize(
    "piece",
    [
        "---\nx: y\n",
        "<details><summary>Références</summary>",
        "# ",
        "**a ",
        "[a](",
        "<",
        "\n",
        "[",
        "#",
        "a\n",
        "\\",
    ],
)
def test_long_files_made_to_cost_much_do_not(piece: str) -> None:
    started = time.process_time()
    list(versions(HEADER + piece * (300_000 // len(piece)), "a.md"))
    assert time.process_time() - started < 5


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.text(alphabet="abcé", min_size=1, max_size=6), min_size=1, max_size=12), st.randoms())
def test_no_word_is_lost_or_doubled_by_marks_and_broken_lines(words: list[str], random) -> None:
    marks = [
        "{}",
        "<i>{}</i>",
        "**{}**",
        "[{}](http://x)",
        "{}<br />",
        "\n\n### {}\n\n",
        "- {}",
        "<p>{}</p>",
        "{}\n",
    ]
    body = "".join(random.choice(marks).format(word) + random.choice([" ", "\n", "\n\n"]) for word in words)
    assert re.findall(r"[abcé]+", plain(body)[0]) == words


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="-#:<>/details summary br[]()*\\\n&;é\v", max_size=200))
def test_any_body_gives_parts_that_fit(body: str) -> None:
    with contextlib.suppress(HemicycleError):
        for found in versions(HEADER + body, "a.md"):
            found.row("s")
            assert all(
                found.text[p.start : p.end] == found.text[p.start : p.end].strip() for p in found.parts
            )


def test_the_articles_of_the_constitution(samples: Path) -> None:
    found = {d.id: d for d in read(samples / "constitution", CARD)}
    assert len(found) == 6
    article = found["LEGIARTI000006527533"]
    # 200 kB of file, 432 links to decrees that publish a treaty, two sentences of law.
    assert article.text.count("\n\n") == 2
    assert article.title == "Article 52 (VIGUEUR, depuis le 1958-10-05)"
    for path in (samples / "constitution").glob("article_*.md"):
        # Words counted from the file itself: between the header and the first list, tags and marks apart.
        body = path.read_text("utf-8").split("---\n", 2)[2].split("<details>")[0]
        other = re.sub(r"<[^>]*>|[#]", "", body).split()
        read_words = next(d.text for d in found.values() if d.origin.startswith(path.name)).split()
        assert read_words == other
