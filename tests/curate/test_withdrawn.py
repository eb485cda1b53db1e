"""A corpus without some documents: every other row and file as it was, and figures that still add up."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.curate import CORPUS, DROPPED, Leaving, leave_out
from hemicycle.curate.annotate import NAMES
from hemicycle.curate.corpus import _add, _count, _no_counts, totals
from hemicycle.curate.withdrawn import rows_withdrawn
from hemicycle.digests import sha256_text
from hemicycle.documents import corpus_shards, write_parquet
from hemicycle.store import digest_files

SIZES = {"a": (5, 2), "b": (4, 3), "c": (1, 0)}


def row(source, number, why=None):
    text = f"{source} {number} " * (number + 1)
    signals = {name: 1.0 for name in NAMES} | {"characters": float(len(text)), "words": float(2 * number + 2)}
    digest = sha256_text(text)
    about = {
        "id": f"{source}:{number}",
        "source": source,
        "text": text,
        "digest": digest,
        "clean_digest": digest,
    }
    split = "held-out" if number == 1 else "train"
    return {**about, "signals": signals, "split": split, "copies": 0} | ({} if why is None else {"why": why})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for source, (kept, dropped) in SIZES.items():
        rows = {
            "kept": ([row(source, n) for n in range(kept)], CORPUS),
            "dropped": (
                [row(source, n, ["length", f"duplicate-of:a:{n}"][n % 2 :]) for n in range(9, 9 + dropped)],
                DROPPED,
            ),
        }
        for part, (told, schema) in rows.items():
            path = folder / part / source / "00000.parquet"
            path.parent.mkdir(parents=True)
            write_parquet(path, schema, [pa.Table.from_pylist(told, schema)])
    return folder, figures_of(folder)


def figures_of(folder):
    """Counts from the rows that are there, as the corpus itself counts them."""
    sources = {}
    for source in sorted(SIZES):
        sources[source] = _no_counts()
        parts = []
        for part, schema in (("kept", CORPUS), ("dropped", DROPPED)):
            paths = [p for p in corpus_shards(folder, part) if p.parent.name == source]
            parts.append(pa.concat_tables([schema.empty_table(), *map(pq.read_table, paths)]))
        counts = _no_counts()
        _count(counts, *parts)
        _add(sources[source], counts)
    return {"sources": sources, "totals": totals(sources), "rules": {"length": {}}}


IDS = [f"{s}:{n}" for s, (kept, dropped) in SIZES.items() for n in [*range(kept), *range(9, 9 + dropped)]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(ids=st.sets(st.sampled_from([*IDS, "a:99"])), whole=st.sets(st.sampled_from(sorted(SIZES))))
def test_the_figures_are_those_of_the_rows_that_are_left(corpus, tmp_path_factory, ids, whole):
    folder, figures = corpus
    out = tmp_path_factory.mktemp("out")
    withdrawn = {
        s: Leaving(frozenset(i for i in ids if i.startswith(s)), frozenset()) for s in SIZES
    } | dict.fromkeys(whole)
    found = leave_out(folder, out, withdrawn, figures)
    left = found.pop("withdrawn")
    assert found == figures_of(out)
    there = {
        one
        for part in ("kept", "dropped")
        for p in corpus_shards(out, part)
        for one in pq.read_table(p)["id"].to_pylist()
    }
    gone = {one for one in IDS if one in ids or one[0] in whole}
    assert there == set(IDS) - gone
    assert set(pq.read_table(out / "withdrawn.parquet")["id"].to_pylist()) == gone
    assert sum(left.values()) == len(gone)
    assert {p.name for p in (out / "kept").iterdir()} == set(SIZES) - whole


def test_files_that_lose_no_row_are_the_same_and_two_steps_are_as_one(corpus, tmp_path):
    folder, figures = corpus
    once = {"a": Leaving(frozenset({"a:2"}), frozenset())}
    both = {"a": Leaving(frozenset({"a:2", "a:9"}), frozenset())}
    leave_out(folder, tmp_path / "one", once, figures)
    before, after = ({f.path: f for f in digest_files(each)} for each in (folder, tmp_path / "one"))
    changed = {path for path in before if before[path] != after.get(path)}
    assert changed == {"kept/a/00000.parquet"}
    leave_out(folder, tmp_path / "two", both, figures)
    leave_out(folder, tmp_path / "again", both, figures)
    assert digest_files(tmp_path / "two") == digest_files(tmp_path / "again")


def test_a_text_stays_out_whatever_its_document_is_called(corpus, tmp_path):
    folder, figures = corpus
    texts = frozenset({sha256_text("a 2 a 2 a 2 "), sha256_text("b 0 ")})
    found = leave_out(folder, tmp_path / "out", {"a": Leaving(frozenset({"a:7"}), texts)}, figures)
    assert pq.read_table(tmp_path / "out" / "withdrawn.parquet")["id"].to_pylist() == ["a:2"]
    assert found["withdrawn"] == {"a": 1}


def test_an_id_is_withdrawn_of_its_own_source_alone():
    rows = [("romans", "1"), ("romans", "2"), ("lettres", "9"), ("presse", "1")]
    table = pa.table({"source": [source for source, _ in rows], "id": [one for _, one in rows]})
    gone = rows_withdrawn(table, {"romans": frozenset({"1"}), "lettres": None})
    assert gone.to_pylist() == [True, False, True, False]
    assert rows_withdrawn(table, {}).to_pylist() == [False] * 4
