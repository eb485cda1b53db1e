"""A corpus holds each admitted document once, or says why not."""

import polars as pl
import pyarrow.parquet as pq
import pytest

from hemicycle.curate import curate, load_rules
from hemicycle.curate.measures import COLUMNS
from hemicycle.curate.rules import annotate
from hemicycle.documents import Document, Part, write_documents
from hemicycle.errors import InputError, RightsError
from hemicycle.store import digest_files

PROSE = (
    "Monsieur le président, mes chers collègues, l'eau de nos rivières n'est pas une marchandise, et la "
    "commission propose que les communes puissent en décider avec leurs voisines. Elle a été entendue sur ce "
    "point par le ministre, qui nous a promis une réponse pour la session d'automne numéro {n}."
)


def prose(n):
    return PROSE.format(n=n)


def build(tmp_path, sources, admitted=None, held_out=0.1, name="out"):
    documents = {}
    for source, items in sources.items():
        folder = tmp_path / f"documents-{source}"
        folder.mkdir(exist_ok=True)
        documents[source] = folder / "documents.parquet"
        write_documents(documents[source], source, items)
    rows = pl.concat(pl.read_parquet(p, columns=["source", "id", "digest"]) for p in documents.values())
    if admitted is not None:
        rows = rows.filter(pl.col("id").is_in(admitted))
    rows.write_parquet(tmp_path / "admitted.parquet")
    out, scratch = tmp_path / name, tmp_path / f"{name}-scratch"
    out.mkdir()
    scratch.mkdir()
    figures = curate(documents, tmp_path / "admitted.parquet", out, scratch, held_out=held_out)
    return out, figures


def rows(out, part, source):
    return pq.read_table(out / part / f"{source}.parquet").to_pylist()


def documents(count, start=0, **more):
    return [Document(str(n), prose(n), language="fr", **more) for n in range(start, start + count)]


def test_every_admitted_document_is_kept_or_dropped_with_a_reason_and_no_other_is_read(tmp_path):
    bad = Document("court", "Trop court.", language="fr")
    sources = {"a": [*documents(8), bad], "b": documents(4, start=6)}
    admitted = [f"a:{n}" for n in range(8)] + ["a:court"] + [f"b:{n}" for n in range(6, 9)]
    out, figures = build(tmp_path, sources, admitted)
    kept = [r["id"] for s in "ab" for r in rows(out, "kept", s)]
    dropped = {r["id"]: r["why"] for s in "ab" for r in rows(out, "dropped", s)}
    assert sorted([*kept, *dropped]) == sorted(admitted)
    assert "french/too-short" in dropped["a:court"]
    assert dropped["b:6"] == ["duplicate-of:a:6"]
    assert figures["totals"]["documents"] == len(kept) == 9


def test_the_oldest_copy_stays_whatever_the_order_of_sources(tmp_path):
    sources = {
        "a": [Document("new", prose(1), language="fr", date="2020")],
        "b": [Document("old", prose(1), language="fr", date="1990"), *documents(3, start=5)],
    }
    out, _ = build(tmp_path, sources)
    assert rows(out, "dropped", "a")[0]["why"] == ["duplicate-of:b:old"]


def test_groups_are_never_split_and_each_source_of_two_groups_holds_something_out(tmp_path):
    items = [Document(str(n), prose(n), language="fr", group=f"g{n // 4}") for n in range(40)]
    out, _ = build(tmp_path, {"a": items, "b": documents(2, start=100)}, held_out=0.2)
    splits = {}
    for row in rows(out, "kept", "a"):
        splits.setdefault(row["group"], set()).add(row["split"])
    assert all(len(s) == 1 for s in splits.values())
    for source in "ab":
        assert {r["split"] for r in rows(out, "kept", source)} == {"train", "held-out"}


def test_the_split_of_a_group_does_not_change_when_others_come_or_go(tmp_path):
    few, _ = build(tmp_path, {"a": documents(60)}, held_out=0.2, name="few")
    many, _ = build(tmp_path, {"a": documents(90)}, held_out=0.2, name="many")
    before = {r["id"]: r["split"] for r in rows(few, "kept", "a")}
    after = {r["id"]: r["split"] for r in rows(many, "kept", "a")}
    assert all(after[i] == s for i, s in before.items())


def test_parts_point_at_the_cleaned_text_and_all_measures_are_kept(tmp_path):
    text = "Titre\u00ad\n\n\n\n" + prose(1)
    at = text.index("Monsieur")
    item = Document("1", text, language="fr", parts=(Part(at, at + 8, "x"),))
    out, _ = build(tmp_path, {"a": [item, *documents(2, start=5)]})
    row = next(r for r in rows(out, "kept", "a") if r["id"] == "a:1" and r["parts"])
    part = row["parts"][0]
    assert row["text"][part["start"] : part["end"]] == "Monsieur"
    assert {s["name"] for s in row["signals"]} == set(COLUMNS)


def test_building_twice_gives_the_same_bytes(tmp_path):
    sources = {"a": documents(20), "b": documents(20, start=10)}
    first, _ = build(tmp_path, sources, name="one")
    second, _ = build(tmp_path, sources, name="two")
    assert digest_files(first) == digest_files(second)


def test_an_empty_admitted_set_is_a_matter_of_rights(tmp_path):
    with pytest.raises(RightsError, match="no document is cleared"):
        build(tmp_path, {"a": documents(2)}, admitted=[])


def test_one_id_in_two_sources_is_refused(tmp_path):
    sources = {s: [Document("x", prose(n), language="fr", id="same")] for n, s in enumerate("ab")}
    with pytest.raises(InputError, match="both have a document 'same'"):
        build(tmp_path, sources)


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (prose(1), []),
        ("Trop court.", ["french/too-short", "french/not-french"]),
        (
            "The quick brown fox jumps over lazy dogs while many other animals watch from far away hills "
            "and wonder what happens next there.",
            ["french/not-french"],
        ),
        ("la " * 3 + "1234567890 !!!! " * 40, ["french/few-letters", "french/not-french"]),
        ("le mot de la fin est dit dans la salle\n" * 10, ["french/repeated-lines"]),
        ("", [r.name for r in load_rules()]),
    ],
)
def test_each_rule_by_a_worked_example(text, broken):
    batch = pl.DataFrame({"text": [text], "language": ["fr"]})
    assert annotate(batch, load_rules())["why"].to_list() == [broken]


def test_a_document_in_another_language_need_not_be_french():
    english = (
        "Members of the committee heard from several witnesses about water quality and public funding " * 2
    )
    batch = pl.DataFrame({"text": [english], "language": ["en"]})
    assert annotate(batch, load_rules())["why"].to_list() == [[]]
