"""Public speeches: words joined to their descriptions, speakers as authors, nothing passed over silently."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.vie_publique import read

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="vie-publique", path=".")

SPEECH = {
    "id": "100001",
    "titre": "Déclaration de Mme Ada Bel, ministre des eaux, sur les fontaines, à Tarn le 3 mars 2031.",
    "url": "https://www.vie-publique.fr/discours/100001-declaration-de-mme-ada-bel-3-mars-2031",
    "domaine": "Discours dans l'actualité",
    "prononciation": "2031-03-03",
    "intervenants": [{"nom": "BEL Ada", "qualite": "FRANCE. Ministre des eaux"}],
    "auteur_moral": None,
    "circonstance": "Inauguration d'une fontaine",
    "descripteurs": ["EAU"],
    "resume": "Un résumé qui n'est pas du texte.",
    "mise_en_ligne": "2031-03-04",
}
PAGE = """<!DOCTYPE html><html lang="fr"><head><meta charset="utf-8"><title>Déclaration</title></head>
<body><nav>Menu</nav><main><h1>Déclaration</h1><p>Prononcé le 3 mars 2031</p>
<div class="field clearfix field--name-field-texte-integral field--type-text-long">
<p>Mesdames, Messieurs,</p><p>L'eau est à tous.<br>Je vous remercie.</p></div><p>Partager</p></main>
</body></html>"""


def write(
    folder: Path, speeches: list[object], pages: dict[str, str | bytes] | None = None
) -> list[Document]:
    (folder / "vp_discours.json").write_text(json.dumps(speeches, ensure_ascii=False), "utf-8")
    for name, page in (pages or {}).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(page if isinstance(page, bytes) else page.encode())
    return list(read(folder, CARD))


def test_a_page_is_joined_to_its_description(tmp_path: Path) -> None:
    [found] = write(tmp_path, [SPEECH], {"pages/100001.html": PAGE})
    assert found.text == "Mesdames, Messieurs,\n\nL'eau est à tous.\nJe vous remercie."
    assert found.title == SPEECH["titre"]
    assert found.authors == (Author("BEL Ada", role="speaker"),)
    assert (found.date, found.kind, found.id) == ("2031-03-03", "speech", "vie-publique:100001")
    assert found.origin == "pages/100001.html#100001"
    assert [(p.anchor, p.kind, p.speaker, p.title) for p in found.parts] == [
        (SPEECH["url"], "paragraph", "BEL Ada", "Inauguration d'une fontaine")
    ] * 2


def test_a_page_is_also_known_by_the_end_of_its_address(tmp_path: Path) -> None:
    name = "100001-declaration-de-mme-ada-bel-3-mars-2031"
    assert len(write(tmp_path, [SPEECH], {f"{name}.html": PAGE})) == 1


def test_words_in_the_manifest_itself_are_read_page_by_page(tmp_path: Path) -> None:
    with_text = SPEECH | {"texte": ["Un.\nDeux.\n\n  \nTrois.", "", "Quatre."]}
    [found] = write(tmp_path, [with_text])
    assert found.text == "Un.\nDeux.\n\nTrois.\n\nQuatre."
    assert [found.text[p.start : p.end] for p in found.parts] == ["Un.\nDeux.", "Trois.", "Quatre."]
    [found] = write(tmp_path, [SPEECH | {"texte_integral": "<p>Un &amp; deux.</p><p>Trois.</p>"}])
    assert found.text == "Un & deux.\n\nTrois."


def test_speeches_without_words_make_no_document(tmp_path: Path) -> None:
    assert (
        write(tmp_path, [SPEECH, SPEECH | {"id": 7, "texte": None}, SPEECH | {"id": 8, "texte": "<p></p>"}])
        == []
    )


def test_an_interview_has_no_speaker_of_its_parts(tmp_path: Path) -> None:
    interview = SPEECH | {
        "titre": "Interview de Mme Ada Bel à Radio Tarn",
        "texte": "Une question ? Une réponse.",
    }
    [found] = write(tmp_path, [interview])
    assert found.parts[0].speaker is None
    assert found.authors == (Author("BEL Ada", role="speaker"),)


def test_where_nobody_is_named_the_body_speaks(tmp_path: Path) -> None:
    communique = SPEECH | {
        "intervenants": [{"nom": None, "qualite": None}],
        "auteur_moral": ["Conseil des ministres"],
        "texte": "Le conseil a délibéré.",
    }
    [found] = write(tmp_path, [communique])
    assert found.authors == (Author("Conseil des ministres", role="speaker", flags=("collective",)),)


def test_every_speech_with_words_is_there_once(tmp_path: Path) -> None:
    speeches = [
        SPEECH | {"id": str(n), "url": f"https://x/{n}-a", "texte": f"mot {n}" if n % 3 else ""}
        for n in range(90)
    ]
    pages = {f"pages/{n}.txt": f"page {n}" for n in range(0, 90, 6)}
    found = write(tmp_path, speeches, pages)
    assert sorted(d.text for d in found) == sorted(
        [f"mot {n}" for n in range(90) if n % 3] + [f"page {n}" for n in range(0, 90, 6)]
    )


@pytest.mark.parametrize(
    ("speeches", "pages", "message"),
    [
        ([SPEECH, SPEECH], {}, "a second time"),
        ([SPEECH | {"id": None}], {}, "has no id"),
        ([SPEECH | {"id": True}], {}, "has no id"),
        ([SPEECH], {"pages/9.html": PAGE}, "no object of the manifest is of this page"),
        ([SPEECH], {"pages/100001.html": PAGE, "a/100001.htm": PAGE}, "two pages of the name"),
        (
            [SPEECH],
            {"100001.html": PAGE, "100001-declaration-de-mme-ada-bel-3-mars-2031.html": PAGE},
            "two pages",
        ),
        (
            [SPEECH],
            {"100001.html": "<html><body><p>Prove that you are human</p></body></html>"},
            "no element of class",
        ),
        ([SPEECH], {"100001.html": PAGE.replace("</main>", PAGE[PAGE.index("<div") :])}, "2 element"),
        ([SPEECH], {"100001.html": PAGE.encode("latin-1")}, "not utf-8"),
        ([SPEECH], {"100001.html": PAGE.replace("tous", "to\0us")}, "NUL"),
        ([SPEECH], {"100001.txt": b"\xff"}, "not UTF-8"),
        ([SPEECH], {"100001.html": PAGE.replace("<p>Mes", "<div>" * 500 + "<p>Mes")}, "deep"),
        ([SPEECH], {"100001.txt": " \n"}, "holds no words"),
        ([SPEECH], {"100001.pdf": b"x"}, "neither the manifest"),
        ([SPEECH | {"intervenants": "BEL Ada"}], {}, None),
        ([SPEECH | {"intervenants": [{"nom": 3}], "texte": "x"}], {}, "name of a speaker is not text"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, speeches, pages, message) -> None:
    if message is None:
        assert write(tmp_path, speeches, pages) == []  # without words, nothing else is looked at
        return
    with pytest.raises(InputError, match=message) as caught:
        write(tmp_path, speeches, pages)
    assert caught.value.place


def test_pages_without_a_manifest_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.html").write_text(PAGE)
    with pytest.raises(InputError, match="no manifest"):
        list(read(tmp_path, CARD))


json_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.lists(st.text(max_size=5), max_size=3)
)


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(SPEECH)), json_values), st.text(max_size=60))
def test_any_description_gives_a_document_or_an_error(tmp_path: Path, changes, words: str) -> None:
    with contextlib.suppress(HemicycleError):
        for found in write(tmp_path, [SPEECH | {"texte": words} | changes]):
            found.row("s")


@settings(max_examples=FUZZ, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(PAGE) - 1), st.text(max_size=10))
def test_any_page_gives_a_document_or_an_error(tmp_path: Path, position: int, new: str) -> None:
    with contextlib.suppress(HemicycleError):
        write(tmp_path, [SPEECH], {"100001.html": PAGE[:position] + new + PAGE[position + len(new) :]})
