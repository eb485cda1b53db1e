"""The gate: who goes on, who does not, and why."""

from datetime import date

import polars as pl
import pytest

from hemicycle.documents import Author, Document, write_documents
from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.project import Card, CardRights
from hemicycle.rights import admit, decide
from hemicycle.rights.lifting import lets_through

TRAIN_AND_WEIGHTS = [("FR", "train"), ("FR", "weights")]


def written(folder, rows):
    """A rights table of (id, jurisdiction, use, verdict)."""
    folder.mkdir(parents=True)
    columns = ["id", "digest", "jurisdiction", "use", "verdict", "explanation", "licence"]
    pl.DataFrame(
        [(i, f"digest of {i}", j, u, v, f"because {v}", "MIT") for i, j, u, v in rows],
        schema=dict.fromkeys(columns, pl.String),
        orient="row",
    ).write_parquet(folder / "rights.parquet")
    return folder


def through(out):
    return pl.read_parquet(out / "admitted.parquet")["id"].to_list()


def refused(out):
    return {row[1]: row[2:4] for row in pl.read_parquet(out / "refused.parquet").iter_rows()}


def test_a_document_needs_allow_in_every_jurisdiction_and_use(tmp_path):
    asked = [(j, u) for j in ("FR", "BE") for u in ("train", "weights")]
    rows = [("all", j, u, "allow") for j, u in asked]
    rows += [
        (f"{j} {u}", a, b, "review" if (a, b) == (j, u) else "allow") for j, u in asked for a, b in asked
    ]
    folder = written(tmp_path / "s", rows)
    figures = admit({"s": folder}, ["FR", "BE"], tmp_path)
    assert through(tmp_path) == ["all"]
    assert refused(tmp_path) == {f"{j} {u}": ("review", "because review") for j, u in asked}
    assert figures["sources"]["s"] == {"admitted": 1, "refused": 4, "reasons": {"because review": 4}}


def test_a_use_that_is_not_asked_for_does_not_refuse(tmp_path):
    rows = [
        ("a", "FR", u, v) for u, v in (("train", "allow"), ("weights", "allow"), ("redistribute", "deny"))
    ]
    folder = written(tmp_path / "s", rows)
    admit({"s": folder}, ["FR"], tmp_path / "two")
    admit({"s": folder}, ["FR"], tmp_path / "three", uses=("train", "weights", "redistribute"))
    assert (through(tmp_path / "two"), through(tmp_path / "three")) == (["a"], [])


def test_the_worst_verdict_is_the_reason(tmp_path):
    rows = [("a", "FR", "train", "review"), ("a", "FR", "weights", "deny")]
    admit({"s": written(tmp_path / "s", rows)}, ["FR"], tmp_path)
    assert refused(tmp_path) == {"a": ("deny", "because deny")}


def test_a_missing_verdict_refuses(tmp_path):
    rows = [("half", "FR", "train", "allow"), ("elsewhere", "BE", "train", "allow")]
    rows += [("bad half", "FR", "train", "review")]
    admit({"s": written(tmp_path / "s", rows)}, ["FR"], tmp_path)
    assert through(tmp_path) == []
    assert refused(tmp_path) == {
        "half": ("deny", "not-decided"),
        "elsewhere": ("deny", "not-decided"),
        "bad half": ("review", "because review"),
    }


@pytest.mark.parametrize("word", ["Allow", "allowed", "", None, "cleared"])
def test_a_word_that_is_no_verdict_refuses(tmp_path, word):
    rows = [("a", "FR", "train", "allow"), ("a", "FR", "weights", word)]
    admit({"s": written(tmp_path / "s", rows)}, ["FR"], tmp_path)
    assert through(tmp_path) == []
    assert "a" in refused(tmp_path)


def test_two_answers_to_one_question_count_as_the_worse(tmp_path):
    rows = [("a", *asked, "allow") for asked in TRAIN_AND_WEIGHTS] + [("a", "FR", "train", "deny")]
    admit({"s": written(tmp_path / "s", rows)}, ["FR"], tmp_path)
    assert refused(tmp_path) == {"a": ("deny", "because deny")}


def test_an_answer_given_twice_does_not_stand_in_for_a_missing_one(tmp_path):
    rows = [("a", "FR", "train", "allow")] * 2
    admit({"s": written(tmp_path / "s", rows)}, ["FR"], tmp_path)
    assert refused(tmp_path) == {"a": ("deny", "not-decided")}


def test_verdicts_on_two_texts_under_one_id_refuse(tmp_path):
    folder = written(tmp_path / "s", [("a", *asked, "allow") for asked in TRAIN_AND_WEIGHTS])
    table = pl.read_parquet(folder / "rights.parquet")
    table.with_columns(digest=pl.Series(["one", "two"])).write_parquet(folder / "rights.parquet")
    admit({"s": folder}, ["FR"], tmp_path)
    assert refused(tmp_path) == {"a": ("deny", "not-decided")}


def test_what_is_admitted_is_sorted_and_says_source_and_digest(tmp_path):
    rows = [(i, *asked, "allow") for i in ("b", "a") for asked in TRAIN_AND_WEIGHTS]
    sources = {name: written(tmp_path / name, rows) for name in ("z", "y")}
    figures = admit(sources, ["FR"], tmp_path)
    assert pl.read_parquet(tmp_path / "admitted.parquet").rows() == [
        (source, i, f"digest of {i}") for source in ("y", "z") for i in ("a", "b")
    ]
    assert (figures["admitted"], figures["refused"]) == (4, 0)


def test_a_later_day_with_the_same_verdicts_gives_the_same_bytes(tmp_path):
    card = Card(
        title="t",
        reader="text",
        path=".",
        rights=CardRights(licence="CC-BY-4.0", covers="edition", attested_by="Claire"),
    )
    docs = [Document(n, n, authors=(Author("A", death=d),)) for n, d in (("free", 1900), ("held", 1960))]
    write_documents(tmp_path / "documents.parquet", "s", docs)
    found = {}
    for day in (date(2026, 11, 22), date(2030, 12, 31), date(2031, 1, 1)):
        folder = tmp_path / day.isoformat()
        decide(tmp_path / "documents.parquet", card, "s", ["FR"], day, folder / "rights")
        admit({"s": folder / "rights"}, ["FR"], folder)
        found[day.isoformat()] = (folder / "admitted.parquet").read_bytes()
        found[f"{day.isoformat()} refused"] = (folder / "refused.parquet").read_bytes()
    assert found["2026-11-22"] == found["2030-12-31"] != found["2031-01-01"]
    assert found["2026-11-22 refused"] == found["2030-12-31 refused"]


def test_an_empty_set_is_a_result(tmp_path):
    none = admit({}, ["FR"], tmp_path / "none")
    assert (none["admitted"], none["refused"], through(tmp_path / "none")) == (0, 0, [])
    empty = admit({"s": written(tmp_path / "s", [])}, ["FR"], tmp_path / "empty")
    assert (empty["admitted"], empty["sources"]["s"]["reasons"]) == (0, {})


@pytest.mark.parametrize(("jurisdictions", "uses"), [([], ["train"]), (["FR"], []), (["FR"], ["trane"])])
def test_asking_for_nothing_does_not_admit_everything(tmp_path, jurisdictions, uses):
    folder = written(tmp_path / "s", [("a", "FR", "train", "allow")])
    with pytest.raises(DeclarationError):
        admit({"s": folder}, jurisdictions, tmp_path, uses=uses)


def test_rights_that_cannot_be_read_stop_the_gate(tmp_path):
    with pytest.raises(IntegrityError, match=r"rights of s cannot be read"):
        admit({"s": tmp_path / "nowhere"}, ["FR"], tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "rights.parquet").write_bytes(b"PAR1")
    with pytest.raises(IntegrityError, match=r"rights\.parquet"):
        admit({"s": tmp_path / "s"}, ["FR"], tmp_path)


def test_only_what_lets_an_admitted_document_through_is_lifted_for_something(tmp_path):
    code = "licence-copyleft"
    rows = [(i, *asked, "review") for i in ("held", "through") for asked in TRAIN_AND_WEIGHTS]
    folder = written(tmp_path / "s", [*rows, *(("free", *asked, "allow") for asked in TRAIN_AND_WEIGHTS)])
    table = pl.read_parquet(folder / "rights.parquet").with_columns(explanation=pl.lit(code))
    table.write_parquet(folder / "rights.parquet")
    admit({"s": folder}, ["FR"], tmp_path, lifted={"s": [(code, ["through"])]})
    assert through(tmp_path) == ["free", "through"]

    def lets(*lifted, source="s"):
        return lets_through(
            source, folder, [tmp_path / "admitted.parquet"], ["train", "weights"], list(lifted)
        )

    assert lets((code, None))
    assert lets((code, ["through"]))
    assert not lets((code, ["held"])), "it is refused all the same"
    assert not lets((code, ["free"])), "nothing holds it"
    assert not lets(("term-contested", None))
    assert not lets((code, None), source="another")
    assert not lets()
