from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
import yaml
from markdown_it import MarkdownIt

from hemicycle.errors import IntegrityError, RightsError
from hemicycle.ledger import Statement
from hemicycle.release import check_release
from hemicycle.release.coverage import cover
from hemicycle.store import digest_files

from .miniature import (
    CONTEXT,
    EXPOSURE,
    HOSTILE,
    READ,
    RIGHTS,
    ROWS,
    STEPS,
    Miniature,
    build_miniature,
    rights_rows,
    write,
)

PAGES = ("README.md", "README.fr.md", "DATA.md", "DATA.fr.md", "ATTRIBUTION.md")
#: A number as a page shows it, in English or in French; digits inside names and addresses are not numbers.
NUMBER = re.compile(r"(?<![\w.:/#-])\d+(?:[,\u202f]\d{3})*(?:[.,]\d+)?(?![\w-])")


def numbers(page: str, language: str) -> list[float]:
    """All numbers of a page, in its order: without front matter, addresses and code."""
    page = re.sub(r"^---\n.*?\n---\n", "", page, flags=re.S)
    page = re.sub(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>|&#\d+;|\\\[|\\\]", " ", page, flags=re.S)
    found = []
    for shown in NUMBER.findall(page):
        plain = shown.replace("\u202f", "").replace(",", ".") if language == "fr" else shown.replace(",", "")
        found.append(float(plain))
    return found


@pytest.mark.parametrize("page", ["README", "DATA"])
def test_french_and_english_pages_show_the_same_numbers(released: Path, page: str):
    english = numbers((released / f"{page}.md").read_text("utf-8"), "en")
    french = numbers((released / f"{page}.fr.md").read_text("utf-8"), "fr")
    assert len(english) > 30
    assert sorted(english) == sorted(french)


def row(page: str, first_cell: str) -> list[str]:
    """The cells of the first table row that begins so."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {first_cell} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(("language", "file"), [("en", "DATA.md"), ("fr", "DATA.fr.md")])
def test_the_data_card_shows_what_the_ledger_states(released: Path, language: str, file: str):
    page = (released / file).read_text("utf-8")
    statements = [
        json.loads(p.read_bytes()) for p in sorted((released / "ledger/statements").rglob("*.json"))
    ]
    figures = {s["predicate"]["stage"]: s["predicate"]["figures"] for s in statements}
    corpus = figures["corpus"]["sources"]["sittings"]
    total = row(page, "**All**" if language == "en" else "**Ensemble**")
    assert numbers(" ".join(total), language) == [4, figures["model"]["tokens"], 100]
    held = [float(c.replace(",", "").replace("\u202f", "")) for c in row(page, "`sittings`")[1:]]
    tokens = figures["tokens"]["sources"]["sittings"]["tokens"]
    assert held == [0, 3, corpus["dropped"], corpus["held_out"], corpus["train"], tokens]
    assert sum(c["characters"] for c in figures["corpus"]["sources"].values()) in numbers(page, language)


@pytest.mark.parametrize(("language", "file"), [("en", "README.md"), ("fr", "README.fr.md")])
def test_the_model_card_shows_what_the_ledger_states(released: Path, language: str, file: str):
    page = (released / file).read_text("utf-8")
    statement = next((released / "ledger/statements/model").iterdir())
    figures = json.loads(statement.read_bytes())["predicate"]["figures"]
    shown = numbers(page, language)
    assert {figures["parameters"], figures["tokens"], figures["steps"]} <= set(shown)
    # 2.7726 nats a token are 4.00 bits.
    assert 4.0 in shown
    assert numbers(" ".join(row(page, "**petit**")), language) == [2.35, 2.30, 2.39]


@pytest.mark.parametrize(
    ("steps", "en", "fr"),
    [
        (
            1,
            "1 had nothing to learn, for example because its texts were withdrawn, and left the model",
            "1 n’avait rien à apprendre, par exemple parce que ses textes ont été retirés, et a laissé",
        ),
        (
            2,
            "2 had nothing to learn, for example because their texts were withdrawn, and left the model",
            "2 n’avaient rien à apprendre, par exemple parce que leurs textes ont été retirés, et ont laissé",
        ),
    ],
)
def test_the_model_card_says_how_many_steps_had_nothing_to_learn(
    steps: int, en: str, fr: str, tmp_path: Path
) -> None:
    mini = build_miniature(tmp_path)
    model = mini.statements["model/petit"]
    figures = {**model.figures, "learning_steps": model.figures["steps"] - steps}
    mini.statements["model/petit"] = replace(model, figures=figures)
    released = mini.release(tmp_path / "v0")
    english, french = ((released / name).read_text("utf-8") for name in ("README.md", "README.fr.md"))
    assert f"Of the {model.figures['steps']} steps, {en}" in english
    assert "The loss over the last twentieth of the others was 4.00 bits per token." in english
    assert f"Sur {model.figures['steps']} étapes, {fr}" in french
    assert "Sur le dernier vingtième des autres, la perte a été de 4,00 bits" in french.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("stating", "en", "fr"),
    [
        (4, "none; each file states its own", "aucune ; chaque fichier indique la sienne"),
        (3, "none; the files state one for 3 of 4 documents", "les fichiers en indiquent une pour 3 sur 4"),
        (0, "none, and the files state none", "aucune, et les fichiers n’en indiquent aucune"),
    ],
)
def test_the_data_card_says_whether_the_files_state_a_licence(
    stating: int, en: str, fr: str, tmp_path: Path
) -> None:
    mini = build_miniature(tmp_path)
    path = mini.folders["rights/manuals"] / "rights.parquet"
    ids = [f"manuals:{letter}.html" for letter in "abcd"[:stating]]
    own = pl.when(pl.col("id").is_in(ids)).then("statements").otherwise(pl.lit([], pl.List(pl.String)))
    pl.read_parquet(path).with_columns(own.alias("statements")).write_parquet(path)
    released = mini.release(tmp_path / "v0")
    assert f"Licence stated on the card: {en}\n" in (released / "DATA.md").read_text("utf-8")
    assert fr in (released / "DATA.fr.md").read_text("utf-8").replace("\u202f", " ").replace("\xa0", " ")


def test_the_data_card_shows_that_evidence_is_missing(released: Path):
    for file, missing in (
        ("DATA.md", "- Evidence: none given on the card\n"),
        ("DATA.fr.md", "- Preuve : aucune n’est donnée par la fiche\n"),
    ):
        page = (released / file).read_text("utf-8").replace("\u202f", " ").replace("\xa0", " ")
        assert page.count(missing) == 1, "of two sources, one gives it"


@pytest.mark.parametrize("file", ["README.fr.md", "DATA.fr.md"])
def test_the_french_cards_use_the_words_of_the_french_pages(file: str, released: Path):
    page = re.sub(r"```.*?```|`[^`]*`", "", (released / file).read_text("utf-8"), flags=re.S)
    assert not re.findall(r"\btokens?\b|(?:\d\W|dernier |les )pas\b", page, re.I)
    assert "jetons" in page


def test_hostile_titles_make_no_heading_link_image_or_html(released: Path):
    for file in PAGES:
        text = (released / file).read_text("utf-8")
        body = re.sub(r"^---\n.*?\n---\n", "", text, flags=re.S)
        tokens = MarkdownIt("commonmark").enable("table").parse(body)
        inner = [child for token in tokens for child in token.children or []]
        assert not [t for t in tokens + inner if t.type in ("html_block", "html_inline", "hr")], file
        addresses = [str(t.attrs["href"]) for t in inner if t.type == "link_open"]
        addresses += [str(t.attrs["src"]) for t in inner if t.type == "image"]
        allowed = re.compile(
            r"https://(www\.apache|www\.etalab|creativecommons|spdx|data\.example)\S+"
            r"|[A-Z]+(\.fr)?\.md|\w+\.png|evaluation/base/comparison\.png"
        )
        assert all(allowed.fullmatch(a) for a in addresses), (file, addresses)
        headings = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
        assert "Titre" not in headings
        assert "\u202e" not in text
        assert "\x07" not in text
        assert sum(t.tag == "h1" for t in tokens if t.type == "heading_open") == 1


def test_hostile_titles_keep_their_table_rows_whole(released: Path):
    for file in PAGES:
        tokens = MarkdownIt("commonmark").enable("table").parse((released / file).read_text("utf-8"))
        width = 0
        for i, token in enumerate(tokens):
            if token.type == "tr_open":
                end = next(j for j in range(i, len(tokens)) if tokens[j].type == "tr_close")
                cells = sum(t.type in ("td_open", "th_open") for t in tokens[i:end])
                width = cells if tokens[i - 1].type == "thead_open" else width
                assert cells == width


def test_front_matter_is_what_the_hub_expects(released: Path):
    text = (released / "README.md").read_text("utf-8")
    parsed = yaml.safe_load(text.split("---\n")[1])
    assert parsed["license"] == "apache-2.0"
    assert parsed["language"] == ["fr"]
    assert parsed["library_name"] == "transformers"
    assert set(parsed) == {"license", "language", "library_name", "pipeline_tag", "tags"}


def test_every_token_read_leads_to_a_source_and_a_right(released: Path):
    rows = pl.read_parquet(released / "documents.parquet")
    assert dict(rows.select("id", "tokens").iter_rows()) == READ
    assert rows["tokens"].sum() == CONTEXT * STEPS * ROWS
    assert set(rows["verdict"]) == {"allow"}
    licences = dict(rows.select("id", "licence").iter_rows())
    assert licences["manuals:b.html"] == "GPL-3.0-or-later OR MIT"
    hostile = rows.filter(pl.col("id") == "sittings:1.xml").to_dicts()[0]
    assert hostile["title"] == HOSTILE
    assert hostile["authors"] == ["Anne | <b>Onyme</b>"]


def test_every_refused_document_is_listed(released: Path):
    rows = pl.read_parquet(released / "refused.parquet").to_dicts()
    assert [(r["corpus"], r["id"], r["licence"]) for r in rows] == [
        ("debats", "manuals:d.html", "CC-BY-NC-4.0")
    ]


def test_attribution_says_share_alike_plainly(released: Path):
    page = (released / "ATTRIBUTION.md").read_text("utf-8")
    assert "## Share-alike" in page
    assert "1 document was read under licences that ask for adaptations" in page
    assert "unsettled" in page
    assert "certified" not in page


def test_the_wording_claims_no_more_than_was_checked(released: Path):
    for file in PAGES:
        assert not re.search(r"certif|guarantee|garanti|lawful|licite", (released / file).read_text("utf-8"))
    assert "nobody else reviewed it" in (released / "README.md").read_text("utf-8")


def test_no_private_key_is_released(miniature: Miniature, tmp_path: Path):
    (miniature.ledger.folder / "keys").mkdir(exist_ok=True)
    (miniature.ledger.folder / "keys" / "solo").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    out = miniature.release(tmp_path / "v0")
    assert [p.name for p in (out / "ledger" / "keys").iterdir()] == ["solo.pub"]
    assert not [p for p in out.rglob("*") if p.is_file() and b"PRIVATE KEY" in p.read_bytes()]


def test_the_signed_statement_names_every_file_and_anchors_the_journal(miniature: Miniature, tmp_path: Path):
    out = miniature.release(tmp_path / "v0")
    envelope = json.loads((out / "release.json").read_bytes())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:hemicycle:release:v1"
    named = {entry["name"]: entry["digest"]["sha256"] for entry in statement["subject"]}
    assert named == {f.path: f.sha256 for f in digest_files(out) if f.path != "release.json"}
    predicate = statement["predicate"]
    assert predicate["journal"]["head"] == miniature.ledger.journal.head
    assert predicate["model"] == {"name": "petit", "digest": miniature.statements["model/petit"].digest}
    assert (predicate["license"], predicate["governance"]) == ("Apache-2.0", "solo")


def test_two_releases_of_one_ledger_are_equal(miniature: Miniature, tmp_path: Path):
    first, second = miniature.release(tmp_path / "a"), miniature.release(tmp_path / "b")
    assert digest_files(first) == digest_files(second)


def test_a_document_without_a_right_stops_the_release(miniature: Miniature, tmp_path: Path):
    rows = rights_rows("sittings")
    for changed in (
        [r for r in rows if (r["id"], r["jurisdiction"]) != ("sittings:2.xml", "BE")],
        [{**r, "verdict": "review"} if r["id"] == "sittings:2.xml" else r for r in rows],
        [{**r, "digest": "0" * 64} if r["id"] == "sittings:2.xml" else r for r in rows],
    ):
        write(miniature.folders["rights/sittings"] / "rights.parquet", RIGHTS, changed)
        with pytest.raises(RightsError, match=r"sittings:2\.xml"):
            miniature.release(tmp_path / f"v{len(list(tmp_path.iterdir()))}")


def test_a_denied_redistribution_does_not_stop_weights(miniature: Miniature, tmp_path: Path):
    rows = [{**r, "verdict": "deny"} if r["use"] == "redistribute" else r for r in rights_rows("sittings")]
    write(miniature.folders["rights/sittings"] / "rights.parquet", RIGHTS, rows)
    assert check_release(miniature.release(tmp_path / "v0"))[0] == []


def test_different_legs_in_different_places_are_both_relied_on(miniature: Miniature, tmp_path: Path):
    rows = rights_rows("manuals")
    for entry in rows:
        if entry["id"] == "manuals:a.html" and entry["jurisdiction"] == "FR":
            entry |= {"licence": None, "basis": "term", "obligations": ["evidence"]}
        if entry["id"] == "manuals:b.html" and entry["use"] == "train":
            entry |= {"licence": "ISC"}
    write(miniature.folders["rights/manuals"] / "rights.parquet", RIGHTS, rows)
    out = miniature.release(tmp_path / "v0")
    found = {r["id"]: r for r in pl.read_parquet(out / "documents.parquet").to_dicts()}
    assert found["manuals:a.html"]["basis"] == "licence+term"
    assert "evidence" in found["manuals:a.html"]["obligations"]
    assert found["manuals:b.html"]["licence"] == "(GPL-3.0-or-later OR MIT) AND ISC"
    assert "authors’ term is over" in (out / "DATA.md").read_text("utf-8")
    assert "droits des auteurs expirés" in (out / "DATA.fr.md").read_text("utf-8")


def test_a_document_read_in_two_corpora_is_one_row(miniature: Miniature, tmp_path: Path):
    steps = [("sittings:1.xml", 3, 9, 40), ("sittings:1.xml", 1, 5, 2), ("sittings:2.xml", 0, 0, 7)]
    names = ("document", "first_step", "last_step", "tokens")
    rows = [{**dict(zip(names, s, strict=True)), "source": "sittings", "rows": 1} for s in steps]
    write(tmp_path / "exposure.parquet", EXPOSURE, rows)
    corpus = miniature.folders["corpus/debats"]
    rights = {"sittings": miniature.folders["rights/sittings"]}
    covered = cover({"petit": tmp_path / "exposure.parquet"}, {"a": corpus, "b": corpus}, rights, ["FR"])
    found = list(covered.select("id", "first_step", "last_step", "tokens").iter_rows())
    assert found == [("sittings:1.xml", 1, 9, 42), ("sittings:2.xml", 0, 0, 7)]


def test_a_document_that_was_held_out_cannot_have_been_read(miniature: Miniature, tmp_path: Path):
    row = {"document": "sittings:3.xml", "source": "sittings", "first_step": 0, "last_step": 0}
    write(tmp_path / "exposure.parquet", EXPOSURE, [{**row, "rows": 1, "tokens": 5}])
    corpora = {"debats": miniature.folders["corpus/debats"]}
    with pytest.raises(IntegrityError, match="do not hold for training"):
        cover({"petit": tmp_path / "exposure.parquet"}, corpora, {}, ["FR"])


def test_figures_that_contradict_each_other_stop_the_release(miniature: Miniature, tmp_path: Path):
    tokens = miniature.statements["tokens/debats.fr"]
    wrong = {"sources": {**tokens.figures["sources"], "sittings": {"documents": 3, "tokens": 1_234}}}
    changed = Statement(
        tokens.subject, tokens.files, True, tokens.declaration, tokens.inputs, wrong, tokens.made
    )
    statements = {**miniature.statements, "tokens/debats.fr": changed}
    with pytest.raises(IntegrityError, match=r"contradict.*sittings.* is 2 .* and 3"):
        miniature.release(tmp_path / "v0", statements=statements)


def test_a_model_that_is_not_the_ledgers_stops_the_release(miniature: Miniature, tmp_path: Path):
    weights = miniature.folders["model/petit"] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(IntegrityError, match="not the file that the ledger states"):
        miniature.release(tmp_path / "v0")


def test_a_model_that_brings_its_own_card_stops_the_release(tmp_path: Path):
    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "README.md").write_text("Certified lawful.")

    with pytest.raises(IntegrityError, match="writes itself"):
        build_miniature(tmp_path / "project", fill).release(tmp_path / "v0")


def test_the_release_folder_loads_in_transformers(tmp_path: Path):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def fill(folder: Path) -> None:
        config = transformers.LlamaConfig(
            vocab_size=300,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=16,
        )
        transformers.LlamaForCausalLM(config).save_pretrained(folder)

    out = build_miniature(tmp_path / "project", fill).release(tmp_path / "v0")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(out, local_files_only=True)
    assert loaded.config.hidden_size == 16
    assert check_release(out)[0] == []


@pytest.mark.parametrize(
    ("file", "card", "said", "short"),
    [
        (
            "DATA.md",
            "README.md",
            "### Withdrawn",
            "1 document was withdrawn from the data, and this model did",
        ),
        ("DATA.fr.md", "README.fr.md", "### Retirés", "1 document a été retiré des données"),
    ],
)
def test_the_cards_say_how_many_documents_of_a_source_were_withdrawn(
    file: str, card: str, said: str, short: str, tmp_path: Path
) -> None:
    plain = build_miniature(tmp_path / "a").release(tmp_path / "plain")
    mini = build_miniature(tmp_path / "b", withdrawn=["manuals:0.html"])
    page = (mini.release(tmp_path / "v0") / file).read_text("utf-8")
    assert said in page
    assert "\n| `manuals` | 1 |\n" in page
    assert not any("\n\n\n" in (tmp_path / "v0" / name).read_text("utf-8") for name in (file, card))
    assert said not in (plain / file).read_text("utf-8")
    assert short in (tmp_path / "v0" / card).read_text("utf-8").replace("\u202f", " ").replace("\xa0", " ")


def test_the_place_of_withdrawn_text_is_empty_only_where_it_had_one(tmp_path: Path) -> None:
    after = (
        "The training data were made after that, without them; this model did not read them.",
        "ensuite, sans",
    )
    before = (
        "in the training data already, its place there is empty; this model did not",
        "sa place y est vide",
    )
    for name, said, unsaid in (("plain", after, before), ("emptied", before, after)):
        mini = build_miniature(tmp_path / name, withdrawn=["manuals:0.html"], emptied=name == "emptied")
        out = mini.release(tmp_path / name / "v0")
        pages = [(out / page).read_text("utf-8") for page in ("DATA.md", "DATA.fr.md")]
        assert all(words in page for words, page in zip(said, pages, strict=True))
        assert not any(words in page for words, page in zip(unsaid, pages, strict=True))


def test_a_withdrawn_document_that_was_read_stops_a_release(tmp_path: Path) -> None:
    mini = build_miniature(tmp_path, withdrawn=["manuals:a.html"])
    with pytest.raises(IntegrityError, match="withdrawn documents that were read"):
        mini.release(tmp_path / "v0")


def test_a_count_of_withdrawn_documents_that_the_list_does_not_bear_out_is_refused(tmp_path: Path) -> None:
    mini = build_miniature(tmp_path, withdrawn=["manuals:0.html"])
    (mini.folders["corpus/debats"] / "withdrawn.parquet").unlink()
    with pytest.raises(IntegrityError, match="documents of manuals withdrawn is 1"):
        mini.release(tmp_path / "v0")
