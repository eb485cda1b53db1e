"""A corpus holds each admitted document once, or says why not; and nothing but its documents shows in it."""

import random
import shutil
import subprocess

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.curate import annotate_source, make_corpus
from hemicycle.curate.annotate import NAMES
from hemicycle.curate.language_model import model_provenance
from hemicycle.curate.rules import load_sets
from hemicycle.digests import sha256_text
from hemicycle.documents import Document, Part, corpus_shards, parquet_writer, read_batches, write_documents
from hemicycle.engines import Local
from hemicycle.engines.on_ray import OnRay
from hemicycle.engines.slurm import Slurm
from hemicycle.errors import InputError, IntegrityError, RightsError
from hemicycle.rights.cleared import CLEARED
from hemicycle.sites import Site
from hemicycle.store import digest_files

FRENCH = [rule for rules in load_sets(["french"]) for rule in rules.rules]

#: Enough words that two texts drawn from them are no near copies.
WORDS = (
    "le la les de du des et à dans par pour sur avec que qui ne pas est sont il elle nous vous se ce "
    "cette eau rivière commune voisine président collègue commission ministre réponse session "
    "automne séance budget loi article amendement vote scrutin groupe territoire village montagne "
    "forêt usine école hôpital travail impôt dépense recette projet rapport avis débat question "
    "parole silence mémoire histoire paix guerre droit devoir "
).split()


def prose(n, length=60):
    draw = random.Random(n)
    return " ".join(draw.choice(WORDS) for _ in range(length)).capitalize() + "."


def documents(count, start=0, **more):
    return [Document(str(n), prose(n), language="fr", **more) for n in range(start, start + count)]


def clear(path, out, admitted=None, rank=0):
    """What the gate would say of a source: all of it, or these ids, with one rank."""
    with parquet_writer(out, CLEARED) as writer:
        for batch in read_batches(path, ["id", "digest"]):
            ids = batch["id"].to_pylist()
            passes = [admitted is None or i in admitted for i in ids]
            columns = [batch["id"], batch["digest"], passes, [rank] * len(ids), ["CC0-1.0"] * len(ids)]
            writer.write_table(
                pa.table([pa.array(c) if isinstance(c, list) else c for c in columns], schema=CLEARED)
            )


def annotated(tmp_path, sources, admitted=None, ranks=None, engine=None, name="annotated"):
    folders = {}
    for source, items in sources.items():
        folder = tmp_path / f"documents-{source}"
        folder.mkdir(parents=True, exist_ok=True)
        path, gate = folder / "documents.parquet", folder / "cleared.parquet"
        write_documents(path, source, items)
        clear(path, gate, admitted, (ranks or {}).get(source, 0))
        folders[source] = tmp_path / name / source
        folders[source].mkdir(parents=True)
        annotate_source(path, gate, folders[source], tmp_path / f"{name}-work" / source, engine=engine)
    return folders


def build(tmp_path, sources, *, held_out=0.1, name="out", rules=FRENCH, near=True, engine=None, **gate):
    folders = annotated(tmp_path, sources, engine=engine, name=f"{name}-annotated", **gate)
    out = tmp_path / name
    out.mkdir()
    figures = make_corpus(
        folders, out, tmp_path / f"{name}-work", rules=rules, held_out=held_out, near=near, engine=engine
    )
    return out, figures


def rows(out, part, source):
    return [
        row
        for path in corpus_shards(out, part)
        if path.parent.name == source
        for row in pq.read_table(path).to_pylist()
    ]


def whys(out, *sources):
    return {r["id"]: r["why"] for s in sources for r in rows(out, "dropped", s)}


def test_every_admitted_document_is_kept_or_dropped_with_a_reason_and_no_other_is_read(tmp_path):
    bad = Document("court", "Trop court.", language="fr")
    sources = {"a": [*documents(8), bad], "b": documents(4, start=6)}
    admitted = [f"a:{n}" for n in range(8)] + ["a:court"] + [f"b:{n}" for n in range(6, 9)]
    out, figures = build(tmp_path, sources, admitted=admitted)
    kept = [r["id"] for s in "ab" for r in rows(out, "kept", s)]
    dropped = whys(out, "a", "b")
    assert sorted([*kept, *dropped]) == sorted(admitted)
    assert dropped["a:court"] == ["french/too-short", "french/not-french"]
    assert dropped["b:6"] == ["duplicate-of:a:6"]
    assert figures["totals"]["documents"] == len(kept) == 9
    assert figures["sources"]["b"]["why"] == {"duplicate-of": 2}
    assert set(figures["rules"]) == {"french/too-short", "french/not-french"}


def test_a_text_that_is_nearly_another_goes_and_names_it_and_comes_back_once_that_is_gone(tmp_path):
    longer = prose(1, 300)
    sources = {
        "a": [Document("first", longer, language="fr"), *documents(3, start=5)],
        "b": [Document("second", longer.replace("eau", "onde", 1), language="fr"), *documents(3, start=9)],
    }
    out, _ = build(tmp_path, sources)
    assert whys(out, "a", "b") == {"b:second": ["near-duplicate-of:a:first"]}
    assert [r["copies"] for r in rows(out, "kept", "a")] == [1, 0, 0, 0]
    without = [f"a:{n}" for n in (5, 6, 7)] + ["b:second", "b:9", "b:10", "b:11"]
    out, _ = build(tmp_path, sources, admitted=without, name="again")
    assert whys(out, "a", "b") == {}
    out, _ = build(tmp_path, sources, near=False, name="equal-only")
    assert whys(out, "a", "b") == {}


def test_the_better_cleared_copy_stays_and_then_the_oldest(tmp_path):
    sources = {
        "a": [Document("new", prose(1), language="fr", date="2020")],
        "b": [Document("old", prose(1), language="fr", date="1990"), *documents(3, start=5)],
    }
    out, _ = build(tmp_path, sources)
    assert whys(out, "a") == {"a:new": ["duplicate-of:b:old"]}
    out, _ = build(tmp_path, sources, ranks={"b": 1}, name="duties")
    assert whys(out, "b") == {"b:old": ["duplicate-of:a:new"]}


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
    text = "Titre\u00ad\n\n\n\nMonsieur " + prose(1)
    at = text.index("Monsieur")
    item = Document("1", text, language="fr", parts=(Part(5, 6, "gone"), Part(at, at + 8, "x")))
    out, _ = build(tmp_path, {"a": [*documents(2, start=5), item]})
    row = next(r for r in rows(out, "kept", "a") if r["id"] == "a:1")
    (part,) = row["parts"]
    assert row["text"][part["start"] : part["end"]] == "Monsieur"
    assert set(row["signals"]) == set(NAMES)
    assert [r["language"] for r in row["languages"]] == ["fr"]


class Killed(Exception):
    pass


class KilledOnce(Local):
    """Killed when this share of the tasks of one function is done."""

    def __init__(self, function, share):
        super().__init__(1)
        self.function, self.share = function, share

    def map(self, function, tasks, folder, **more):
        if not function.endswith(f":{self.function}"):
            return super().map(function, tasks, folder, **more)
        super().map(function, tasks[: int(self.share * len(tasks))], folder, **more)
        raise Killed


def killed_and_resumed(folder, sources, function, share):
    """What a pipeline does: the content of a killed stage is thrown away, its scratch folder is kept."""

    def attempt(engine):
        out, annotated_to = folder / "out", folder / "annotated"
        for content in (out, annotated_to):
            shutil.rmtree(content, ignore_errors=True)
            content.mkdir(parents=True)
        folders = {}
        for source, items in sources.items():
            path = folder / f"{source}.parquet"
            write_documents(path, source, items)
            clear(path, folder / f"{source}.cleared")
            folders[source] = annotated_to / source
            folders[source].mkdir()
            work = folder / "work" / source
            annotate_source(path, folder / f"{source}.cleared", folders[source], work, engine=engine)
        make_corpus(folders, out, folder / "work-of-corpus", rules=FRENCH, held_out=0.1, engine=engine)
        return out

    folder.mkdir()
    with pytest.raises(Killed):
        attempt(KilledOnce(function, share))
    return attempt(Local(1))


@pytest.mark.slow
def test_workers_order_and_kills_do_not_show_in_the_bytes(tmp_path, monkeypatch):
    """One worker, two, Ray, shards in another order, a run that was killed half-way: the same files."""
    monkeypatch.setattr("hemicycle.curate.source.SHARD_BYTES", (20_000, 20_000))
    monkeypatch.setattr("hemicycle.engines.local._WORTH_A_PROCESS", 0)
    monkeypatch.setattr("hemicycle.documents.ROWS_A_GROUP", 30)
    sources = {"a": documents(300, kind="web"), "b": documents(200, start=250, kind="debate")}
    one, _ = build(tmp_path, sources, name="one", engine=Local(1))
    assert len(corpus_shards(one)) > 6
    two, _ = build(tmp_path, sources, name="two", engine=Local(2))

    class Backwards(Local):
        def map(self, function, tasks, folder, **more):
            return super().map(function, tasks[::-1], folder, **more)[::-1]

    back, _ = build(tmp_path, sources, name="back", engine=Backwards(1))

    for name, half in (
        ("clean_shard", 0.5),
        ("recount_shard", 0.5),
        ("annotate_shard", 0.5),
        ("annotate_shard", 1.0),
        ("deal", 0.5),
        ("deal", 1.0),
    ):
        resumed = killed_and_resumed(tmp_path / f"{name}-{half}", sources, name, half)
        assert digest_files(resumed) == digest_files(one), f"killed after {half} of {name}"
    assert digest_files(one) == digest_files(two) == digest_files(back)
    pytest.importorskip("ray")
    cluster, _ = build(tmp_path, sources, name="ray", engine=OnRay(2))
    assert digest_files(cluster) == digest_files(one)


def slurm_partition():
    """The default partition of the Slurm at hand, where one answers."""
    try:
        asked = subprocess.run(["sinfo", "--noheader", "--format=%P %a"], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return next((line.split("*")[0] for line in asked.stdout.splitlines() if line.endswith("* up")), None)


@pytest.mark.slow
@pytest.mark.skipif(not slurm_partition(), reason="no Slurm answers here")
def test_a_job_array_makes_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr("hemicycle.curate.source.SHARD_BYTES", (20_000, 20_000))
    monkeypatch.setattr("hemicycle.documents.ROWS_A_GROUP", 30)
    sources = {"a": documents(120, kind="web")}
    site = Site(scheduler="slurm", partition=slurm_partition(), time="00:10:00", memory="2G")
    arrays, _ = build(tmp_path, sources, name="slurm", engine=Slurm(site))
    here, _ = build(tmp_path, sources, name="here")
    assert digest_files(arrays) == digest_files(here)


@pytest.mark.slow
def test_the_cut_into_batches_does_not_show_in_any_row(tmp_path, monkeypatch):
    sources = {"a": documents(50, kind="manual")}
    whole = pq.read_table(annotated(tmp_path / "w", sources)["a"])
    monkeypatch.setattr("hemicycle.curate.source.BATCH_BYTES", 500)
    assert pq.read_table(annotated(tmp_path / "s", sources)["a"]) == whole


def test_a_text_that_is_not_that_of_its_digest_is_not_annotated(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    path = folder / "documents.parquet"
    write_documents(path, "a", documents(3))
    table = pq.read_table(path)
    forged = table.set_column(1, "text", pa.array(["autre chose"] * 3, pa.large_string()))
    pq.write_table(forged, path)
    clear(path, folder / "cleared.parquet")
    with pytest.raises(IntegrityError, match="is not that of its digest"):
        annotate_source(path, folder / "cleared.parquet", tmp_path, tmp_path / "work")


def test_workers_with_different_models_of_languages_make_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("hemicycle.curate.source.SHARD_BYTES", (2_000, 2_000))
    monkeypatch.setattr("hemicycle.documents.ROWS_A_GROUP", 5)
    true = model_provenance()
    versions = iter(range(100))
    monkeypatch.setattr(
        "hemicycle.curate.source.model_provenance", lambda: true | {"version": str(next(versions))}
    )
    with pytest.raises(IntegrityError, match=r"different models of languages: py3langid 0 .*py3langid 1 "):
        annotated(tmp_path, {"a": documents(20)})


def test_a_text_too_long_for_one_document_is_set_aside_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("hemicycle.documents.CHARACTERS_A_GROUP", 700)
    monkeypatch.setattr("hemicycle.curate.admitted.LONGEST", 5_000)
    monkeypatch.setattr("hemicycle.curate.corpus.LONGEST", 5_000)
    endless = "a  b\n\n\n\n" * 1_000
    title = "Écrire à jean.dupont@wanadoo.fr"
    long = Document("long", endless, title=title, parts=(Part(0, 4, title=title),), language="fr")
    items = [*documents(2), long, *documents(2, start=5)]
    out, _ = build(tmp_path, {"a": items})
    (row,) = rows(out, "dropped", "a")
    assert (row["why"], row["text"], row["clean_digest"]) == (["too-long"], None, sha256_text(endless))
    assert 8_000 <= row["signals"]["characters"] < 8_100
    assert "wanadoo" not in str(row)
    assert [r["id"] for r in rows(out, "kept", "a")] == ["a:0", "a:1", "a:5", "a:6"]


def test_what_a_source_repeats_is_taken_out_and_told(tmp_path):
    menu = "Accueil · Actualités · Nous écrire"
    pages = [Document(str(n), f"{menu}\n{prose(n)}", language="fr", kind="web") for n in range(12)]
    folder = tmp_path / "documents"
    folder.mkdir()
    path = folder / "documents.parquet"
    write_documents(path, "site", pages)
    clear(path, folder / "cleared.parquet")
    figures = annotate_source(path, folder / "cleared.parquet", folder, tmp_path / "work")
    table = pl.read_parquet(folder / "00000.parquet")
    assert figures["boilerplate_passages"] == 1
    assert menu not in str(figures), "what cannot be taken back holds no text of a source"
    passages = pl.read_parquet(folder / "boilerplate" / "passages.parquet")
    assert passages.select("passage", "documents").rows() == [(menu, 12)]
    assert not table["text"].str.contains("Accueil").any()
    assert table["signals"].struct.field("boilerplate_passages").to_list() == [1.0] * 12


def test_an_empty_admitted_set_is_a_matter_of_rights(tmp_path):
    with pytest.raises(RightsError, match="no document is cleared"):
        build(tmp_path, {"a": documents(2)}, admitted=[])


def test_one_id_in_two_sources_is_refused(tmp_path):
    sources = {s: [Document("x", prose(n), language="fr", id="same")] for n, s in enumerate("ab")}
    with pytest.raises(InputError, match="both have a document 'same'"):
        build(tmp_path, sources)


def test_ten_copies_of_a_text_repeat_nothing_but_the_text(tmp_path):
    text = "Bonjour à tous.\nVoici la page."
    same = [Document(f"m{n}", text, language="fr", kind="web") for n in range(10)]
    other = [Document(str(n), prose(n), language="fr", kind="web") for n in range(20)]
    out, _ = build(tmp_path, {"a": [*same, *other]}, rules=[])
    assert sum(row["text"] == text for row in rows(out, "kept", "a")) == 1


def test_personal_data_is_masked_in_titles_too(tmp_path):
    line = "Écrire à jean.dupont@wanadoo.fr pour la suite."
    text = f"{line} {prose(1)}"
    parts = (Part(0, len(line), title=line),)
    item = Document("1", text, title=line, language="fr", kind="web", parts=parts)
    out, _ = build(tmp_path, {"a": [item, *documents(2, start=5)]})
    assert b"wanadoo" not in b"".join(str(r).encode() for r in rows(out, "kept", "a"))
    (row,) = (r for r in rows(out, "kept", "a") if r["id"] == "a:1")
    assert "nom@exemple.invalid" in row["title"] == row["parts"][0]["title"]


def conversation(name, *turns):
    """A conversation as its reader makes it of (role, text)."""
    parts, at = [], 0
    for role, text in turns:
        parts.append(Part(at, at + len(text), kind="turn", role=role))
        at += len(text) + 2
    text = "\n\n".join(text for _, text in turns)
    return Document(name, text, parts=tuple(parts), language="fr", kind="conversation")


def test_a_conversation_may_be_short_and_differ_from_others_in_a_figure_alone(tmp_path):
    asked = "Combien de voix l'amendement numéro {} a-t-il obtenues lors du scrutin public de la séance ?"
    items = [
        conversation(str(n), ("user", asked.format(n)), ("assistant", f"Il en a obtenu {7 * n}."))
        for n in range(10, 20)
    ]
    items += [conversation("bref", ("user", "3 + 4 ?"), ("assistant", "7."))]
    rules = [rule for rules in load_sets(["by-kind"]) for rule in rules.rules]
    _, figures = build(tmp_path, {"dialogues": items}, rules=rules)
    assert figures["sources"]["dialogues"]["documents"] == len(items)


def test_what_every_system_is_told_makes_no_two_conversations_copies(tmp_path):
    told = ("system", prose(0, 600))
    items = [
        conversation(str(n), told, ("user", prose(n, 20)), ("assistant", prose(1000 + n, 20)))
        for n in range(1, 6)
    ]
    again = conversation(
        "again", ("system", prose(99, 200)), ("user", prose(1, 20)), ("assistant", prose(1001, 20))
    )
    _, figures = build(tmp_path, {"dialogues": [*items, again]}, rules=[])
    assert figures["sources"]["dialogues"]["documents"] == 5
    assert set(figures["sources"]["dialogues"]["why"]) == {"near-duplicate-of"}
