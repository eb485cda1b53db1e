"""Of each document of a source: whether it goes on, how well it is cleared, and by which right."""

import polars as pl
import pytest

from hemicycle.documents import Document, write_documents
from hemicycle.rights import admit
from hemicycle.rights.cleared import clear_source


def cleared(tmp_path, verdicts, **more):
    """Rows of (admitted, rank, right) for one document of each (verdict, licence, basis, obligations)."""
    write_documents(
        tmp_path / "documents.parquet", "s", [Document(str(n), "t") for n in range(len(verdicts))]
    )
    told = pl.read_parquet(tmp_path / "documents.parquet", columns=["id", "digest"])
    rows = [
        {
            "id": identity,
            "digest": digest,
            "jurisdiction": "FR",
            "use": use,
            "verdict": verdict,
            "explanation": "because",
            "licence": licence,
            "basis": basis,
            "obligations": obligations,
        }
        for (identity, digest), (verdict, licence, basis, obligations) in zip(
            told.rows(), verdicts, strict=True
        )
        for use in ("train", "weights")
    ]
    schema = {"licence": pl.String, "basis": pl.String, "obligations": pl.List(pl.String)}
    pl.DataFrame(rows, schema_overrides=schema).write_parquet(tmp_path / "rights.parquet")
    clear_source("s", tmp_path / "documents.parquet", tmp_path, ["FR"], tmp_path, **more)
    return pl.read_parquet(tmp_path / "cleared.parquet").select("admitted", "rank", "right").rows()


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (("allow", "CC0-1.0", "licence", []), (True, 0, "CC0-1.0")),
        (("allow", "CC-BY-4.0", "licence", ["attribution"]), (True, 1, "CC-BY-4.0")),
        (("allow", None, "term", []), (True, 0, "term-over")),
        (("allow", "CC-BY-4.0", "licence+term", ["attribution"]), (True, 1, "CC-BY-4.0")),
        (("deny", "CC-BY-NC-4.0", "licence", []), (False, 2, None)),
    ],
)
def test_the_right_is_the_licence_or_else_the_end_of_the_term(tmp_path, verdict, expected):
    assert cleared(tmp_path, [verdict]) == [expected]


def test_what_only_a_decision_lets_through_says_so(tmp_path):
    lifted = {"s": [("because", None)]}
    rows = cleared(tmp_path, [("review", None, "none", []), ("review", "MIT", "licence", [])], lifted=lifted)
    assert rows == [(True, 2, "by-decision"), (True, 2, "MIT")]


REFUSED = [
    ("allow", "CC0-1.0", "licence", []),
    ("review", "MIT", "licence", []),
    ("deny", "CC-BY-NC-4.0", "licence", []),
]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"lifted": {"s": [("because", None)]}},
        {"lifted": {"s": [("because", ["s:1"])]}},
        {"held": {"s": "x"}},
    ],
)
def test_a_source_lets_through_what_its_corpus_does(tmp_path, more):
    cleared(tmp_path, REFUSED, **more)
    admit({"s": tmp_path}, ["FR"], tmp_path / "corpus", **more)
    told = pl.read_parquet(tmp_path / "cleared.parquet").filter("admitted")["id"].to_list()
    assert told == pl.read_parquet(tmp_path / "corpus" / "admitted.parquet")["id"].to_list()


def test_a_new_reason_of_a_refusal_changes_nothing_that_is_annotated_by(tmp_path):
    cleared(tmp_path, REFUSED)
    before = (tmp_path / "cleared.parquet").read_bytes()
    rights = pl.read_parquet(tmp_path / "rights.parquet").with_columns(explanation=pl.lit("another"))
    rights.write_parquet(tmp_path / "rights.parquet")
    clear_source("s", tmp_path / "documents.parquet", tmp_path, ["FR"], tmp_path)
    assert (tmp_path / "cleared.parquet").read_bytes() == before
