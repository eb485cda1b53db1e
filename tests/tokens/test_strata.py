"""A mix gives each stratum its share of rows, reads none too often, and loses no document without a word."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.errors import InputError
from hemicycle.project import Declaration, Mix
from hemicycle.tokens import Mixture, Order, Phase, exposure, make_plan, shortfalls, tokenize
from hemicycle.tokens.strata import fill
from tests.tokens.replay import as_exposure, replayed_exposure, row_pieces

CONTEXT, ROWS = 16, 4

#: Language, date and right of documents, by turns: strata of each kind lie between one another.
STATED = [
    ("fr", "1889-03-14", "CC0-1.0"),
    ("fr-BE", "1912", "etalab-2.0"),
    ("br", "1959-01-08", "term-over"),
    (None, "١٨٨٩", "CC0-1.0"),
]


@pytest.fixture(scope="module")
def mixed(tokenizer, tmp_path_factory):
    """Tokens of two sources in small shards, with languages, dates and rights by turns."""
    folder = tmp_path_factory.mktemp("mixed")
    for source, count in (("a", 24), ("b", 6)):
        rows = []
        for n in range(count):
            language, date, right = STATED[n % 4]
            text = f"la séance {source} {n} est ouverte " * (3 + n % 5)
            row = {
                "id": f"{source}:{n}",
                "text": text,
                "source": source,
                "split": "train",
                "clean_digest": "x",
            }
            rows.append({**row, "language": language, "date": date, "right": right})
        path = folder / "corpus" / "kept" / source / "00000.parquet"
        path.parent.mkdir(parents=True)
        write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
    (folder / "tokens").mkdir()
    tokenize(folder / "corpus", tokenizer, folder / "tokens", shard_tokens=300)
    assert len(list((folder / "tokens").glob("*.bin"))) > 2
    return folder / "tokens"


def plan(folder, tokens, by, shares, steps=5, epochs=1000.0, seed=1, packing="split"):
    """The one phase of a plan."""
    folder.mkdir(exist_ok=True)
    phase = Phase(
        "main", steps * ROWS * CONTEXT, {"c": 1.0}, CONTEXT, packing, mix=Mixture(by, shares, epochs)
    )
    made = make_plan({"c": tokens}, [phase], folder, batch_tokens=ROWS * CONTEXT, seed=seed)
    return made["phases"][0]


def labels_read(folder, tokens, column):
    """Of each row that is read, the values of a column over the documents it holds."""
    order = Order(folder, {"c": tokens})
    values = {d["id"]: d[column] for d in pq.read_table(tokens / "documents.parquet").to_pylist()}
    for row in order.sequence.tolist():
        yield {values[name] for _, name, _, _ in row_pieces(order, row)}


def test_fill_gives_each_its_share_and_the_others_what_one_cannot_take():
    assert fill(10, [3, 1, 1], [10, 10, 10]) == [6, 2, 2]
    # The first can take 2 only; the other 8 are shared out as 1 to 1, then as 1 to 3.
    assert fill(10, [3, 1, 1], [2, 10, 10]) == [2, 4, 4]
    assert fill(10, [3, 1, 3], [2, 10, 10]) == [2, 2, 6]
    assert fill(10, [1, 1], [0, 10]) == [0, 10]
    with pytest.raises(ValueError, match="9 is less than 10"):
        fill(10, [1, 1], [4, 5])


@given(
    parts=st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 500)), min_size=1, max_size=8),
    part=st.floats(0, 1),
)
def test_fill_sums_up_keeps_limits_and_lets_nobody_below_a_smaller_share(parts, part):
    shares, limits = [p[0] for p in parts], [p[1] for p in parts]
    total = int(sum(limits) * part)
    given_ = fill(total, shares, limits)
    assert sum(given_) == total
    assert all(0 <= g <= limit for g, limit in zip(given_, limits, strict=True))
    # Nobody has more for its share than who could still take more: to the row, for rows are whole.
    most = max((g - 1) / s for g, s in zip(given_, shares, strict=True))
    for g, s, limit in zip(given_, shares, limits, strict=True):
        assert g == limit or (g + 1) / s >= most - 1e-9


@pytest.mark.parametrize(
    ("by", "shares", "column", "labels"),
    [
        ("source", {"a": 1, "b": 3}, "source", {"a": {"a"}, "b": {"b"}}),
        (
            "right",
            {"CC0-1.0": 1, "term-over": 3},
            "right",
            {"CC0-1.0": {"CC0-1.0"}, "term-over": {"term-over"}},
        ),
        ("language", {"fr": 1, "br": 3}, "language", {"fr": {"fr", "fr-BE"}, "br": {"br"}}),
        (
            "period",
            {"1789-1914": 1, "unstated": 3},
            "date",
            {"1789-1914": {"1889-03-14", "1912"}, "unstated": {"١٨٨٩"}},
        ),
    ],
)
def test_a_quarter_of_the_rows_is_a_quarter_and_no_row_is_of_two_strata(
    mixed, tmp_path, by, shares, column, labels
):
    figures = plan(tmp_path, mixed, by, shares)
    assert {line["label"]: line["read"] for line in figures["strata"]} == dict(
        zip(shares, (ROWS * 5 // 4, ROWS * 5 * 3 // 4), strict=True)
    )
    counted = dict.fromkeys(labels, 0)
    for held in labels_read(tmp_path, mixed, column):
        [label] = [name for name, values in labels.items() if held <= values]
        counted[label] += 1
    assert counted == {line["label"]: line["read"] for line in figures["strata"]}


def test_what_the_mix_leaves_out_is_named_with_its_documents(mixed, tmp_path):
    figures = plan(tmp_path, mixed, "period", {"1880-1900": 1})
    assert {name: left["documents"] for name, left in figures["unused"]["c"].items()} == {
        "outside": 15,
        "unstated": 7,
    }
    assert shortfalls({"phases": [figures]}) == ["of corpus c the mix leaves out outside, unstated"]


def test_a_stratum_at_its_limit_gives_what_it_has_and_the_plan_says_so(mixed, tmp_path):
    free = plan(tmp_path / "free", mixed, "source", {"a": 1, "b": 9})
    of_b = next(line for line in free["strata"] if line["label"] == "b")
    assert of_b["epochs"] > 1
    figures = plan(tmp_path / "held", mixed, "source", {"a": 1, "b": 9}, epochs=1)
    a, b = figures["strata"]
    assert (b["read"], b["epochs"]) == (b["rows"], 1.0)
    assert a["read"] == 5 * ROWS - b["rows"]
    [said] = shortfalls({"phases": [figures]})
    assert said.startswith("“b” of corpus c gives")
    assert "not 90.0%" in said


def test_a_run_that_no_stratum_can_fill_is_refused(mixed, tmp_path):
    with pytest.raises(InputError, match=r"in 1 epochs"):
        plan(tmp_path, mixed, "source", {"a": 1, "b": 1}, steps=1000, epochs=1)


@pytest.mark.parametrize(
    ("by", "label", "remedy"),
    [
        ("right", "etalab-2.1", "Did you mean “etalab-2.0”?"),
        ("language", "oc", "There are: br, fr, unstated."),
    ],
)
def test_a_label_that_no_document_has_is_refused_with_what_there_is(mixed, tmp_path, by, label, remedy):
    with pytest.raises(InputError, match=label) as told:
        plan(tmp_path, mixed, by, {label: 1})
    assert told.value.remedy == remedy


def test_a_source_that_was_not_obtained_gives_its_share_to_the_others(mixed, tmp_path):
    figures = plan(tmp_path, mixed, "source", {"a": 1, "absent": 1})
    assert [(line["label"], line["read"]) for line in figures["strata"]] == [("a", 5 * ROWS)]


@settings(max_examples=25, deadline=None)
@given(
    share=st.floats(0.02, 0.98),
    steps=st.integers(1, 60),
    seed=st.integers(0, 99),
    by=st.sampled_from(["source", "right", "language"]),
    packing=st.sampled_from(["split", "best-fit", "whole"]),
)
def test_a_mix_keeps_its_shares_to_the_row_and_exposure_adds_up(
    mixed, tmp_path_factory, share, steps, seed, by, packing
):
    folder = tmp_path_factory.mktemp("p")
    names = {"source": ("a", "b"), "right": ("CC0-1.0", "term-over"), "language": ("fr", "br")}[by]
    figures = plan(
        folder,
        mixed,
        by,
        dict(zip(names, (share, 1 - share), strict=True)),
        steps,
        seed=seed,
        packing=packing,
    )
    assert all(abs(line["read"] - line["asked"] * steps * ROWS) <= 1 for line in figures["strata"])
    order = Order(folder, {"c": mixed})
    assert as_exposure(exposure(folder, {"c": mixed})) == replayed_exposure(order)


def test_documents_that_do_not_stand_together_do_not_see_one_another(mixed, tmp_path):
    plan(tmp_path, mixed, "right", {"term-over": 1}, steps=4)
    opened, changes = Order(tmp_path, {"c": mixed}), 0
    for step in range(4):
        batch = opened.batch(step)
        change = batch.documents_BT[:, 1:] != batch.documents_BT[:, :-1]
        changes += int(change.sum())
        # Numbers inside a row count from 0 although the corpus has other documents between them.
        assert (np.diff(batch.documents_BT, axis=1)[change] == 1).all()
        assert (batch.targets_BT[:, :-1][change] == -100).all()
        assert (batch.positions_BT[:, 1:][change] == 0).all()
    assert changes


@pytest.mark.parametrize(
    ("mix", "problem"),
    [
        ({"by": "period", "shares": {"1914-1789": 1}}, "is no period"),
        ({"by": "period", "shares": {"1789-1914": 1, "1914-1958": 1}}, "a year in common"),
        ({"by": "right", "shares": {"MIT": 1e300}}, "less than or equal"),
        ({"by": "right", "shares": {}}, "at least 1"),
    ],
)
def test_a_mix_that_is_none_is_refused(mix, problem):
    with pytest.raises(ValueError, match=problem):
        Mix.model_validate(mix)


def test_a_mix_names_sources_of_the_corpora_only():
    declared = {
        "project": {"name": "p", "jurisdictions": ["FR"], "license": "MIT"},
        "corpora": {"c": {"sources": ["debats"]}},
        "tokenizers": {"t": {"corpus": "c", "vocab": 300}},
        "models": {
            "m": {
                "corpora": {"c": 1.0},
                "tokenizer": "t",
                "architecture": {"layers": 1, "width": 16, "heads": 1, "context": 16},
                "budget": {"tokens": 100},
                "mix": {"by": "source", "shares": {"debat": 1}},
            }
        },
    }
    with pytest.raises(ValueError, match="Did you mean “debats”"):
        Declaration.model_validate(declared)
