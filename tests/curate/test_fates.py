"""What becomes of documents: which are held out, which copies go, and that order cannot matter."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.fates import FACTS, decide_fates, reasons
from hemicycle.errors import InputError


def facts(*rows):
    """Rows of (id, clean_digest, rank, date, group, passes); what is left out has no copies."""
    full = []
    for row in rows:
        doc, digest, rank, date, group, passes = [*row, *[None] * (6 - len(row))]
        full.append(
            {
                "source": doc[0],
                "id": doc,
                "group": group or doc,
                "date": date,
                "clean_digest": digest or f"text of {doc}",
                "rank": rank or 0,
                "passes": passes is not False,
            }
        )
    return pl.DataFrame(full, schema=FACTS)


def gone(frame, fates):
    said = reasons(fates, frame["id"], range(len(frame)))
    return {doc: why for doc, why in zip(frame["id"], said, strict=True) if why}


def test_the_better_cleared_copy_stays_then_the_older_then_the_first():
    frame = facts(
        ("a1", "x", 1, "1990"), ("b1", "x", 0, "2020"),
        ("a2", "y", 0, "2020"), ("b2", "y", 0, "1990"),
        ("a3", "z", 0, None), ("b3", "z", 0, "2001"),
        ("a4", "w"), ("b4", "w"),
    )  # fmt: skip
    assert gone(frame, decide_fates(frame, 0, None)) == {
        "a1": "duplicate-of:b1",
        "a2": "duplicate-of:b2",
        "a3": "duplicate-of:b3",
        "b4": "duplicate-of:a4",
    }


def test_a_document_that_failed_a_rule_is_nobodys_copy():
    frame = facts(("a1", "x", 0, "1990", None, False), ("b1", "x", 0, "2000"))
    assert gone(frame, decide_fates(frame, 0, None)) == {}


def test_what_went_for_an_equal_text_names_what_stays_in_the_end():
    frame = facts(("a1", "x"), ("a2", "x"), ("b1", "y"))

    def near(order):
        assert list(order) == [0, 2]
        return np.array([2, -1, -1])

    fates = decide_fates(frame, 0, near)
    assert gone(frame, fates) == {"a1": "near-duplicate-of:b1", "a2": "near-duplicate-of:b1"}
    assert fates.copies.tolist() == [0, 0, 2]


def test_documents_of_one_group_are_held_out_together_and_no_source_without_any():
    frame = facts(*((f"a{n}", None, 0, None, f"g{n % 5}") for n in range(50)), ("b1",), ("b2",), ("c1",))
    out = decide_fates(frame, 0.01, None).held_out
    by_source = dict(zip(frame["id"], out, strict=True))
    assert len({(r["group"], o) for r, o in zip(frame.to_dicts(), out, strict=True)}) == 8
    assert sum(by_source[f"a{n}"] for n in range(5)) == 1
    assert by_source["b1"] != by_source["b2"]
    assert not by_source["c1"]
    assert not decide_fates(frame, 0.0, None).held_out.any()


def test_one_id_in_two_sources_is_refused():
    frame = facts(("a1",), ("b1",)).with_columns(id=pl.lit("same"))
    with pytest.raises(InputError, match="sources a and b both have a document 'same'"):
        decide_fates(frame, 0.1, None)


documents = st.lists(
    st.tuples(
        st.sampled_from("xyz"), st.integers(0, 2), st.sampled_from([None, "1990", "2000"]),
        st.sampled_from([None, "g", "h"]), st.booleans(),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(deadline=None)
@given(documents, st.randoms(use_true_random=False), st.sampled_from([0.0, 0.3]))
def test_the_order_of_documents_changes_nothing(rows, random, held_out):
    rows = [(f"{'ab'[n % 2]}{n}", *row) for n, row in enumerate(rows)]
    frame = facts(*rows)
    fates = decide_fates(frame, held_out, None)
    random.shuffle(rows)
    shuffled = facts(*rows)
    again = decide_fates(shuffled, held_out, None)
    assert gone(frame, fates) == gone(shuffled, again)
    assert dict(zip(frame["id"], fates.held_out, strict=True)) == dict(
        zip(shuffled["id"], again.held_out, strict=True)
    )
    # Every row that goes names one that stays, and every text that passed is there once.
    staying = {r[0] for r in rows if r[5]} - set(gone(frame, fates))
    assert {why.split(":")[1] for why in gone(frame, fates).values()} <= staying
    assert len({r[1] for r in rows if r[5]}) == len(staying)
