"""Verdicts for every document of a source, as a table."""

import importlib
import json
import os
from datetime import date

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle import documents as ground
from hemicycle.digests import sha256_file
from hemicycle.documents import Author, Document, Reservation, StatedLicence, write_documents, write_parquet
from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.project import Card, CardRights
from hemicycle.rights import decide
from hemicycle.rights.cases import Cases
from hemicycle.rights.decide import SCHEMA
from hemicycle.rights.explanations import explanations
from hemicycle.rights.optout import over_time, strictest
from hemicycle.rights.policy import USES

TODAY = date(2026, 11, 22)


def card(**rights):
    return Card(title="t", reader="text", path=".", rights=CardRights(**{"attested_by": "Claire", **rights}))


def decided(folder, docs, rights=None, jurisdictions=("FR",), on=TODAY):
    folder.mkdir(parents=True, exist_ok=True)
    write_documents(folder / "documents.parquet", "s", docs)
    figures = decide(
        folder / "documents.parquet", card(**(rights or {})), "s", jurisdictions, on, folder / "out"
    )
    return pl.read_parquet(folder / "out" / "rights.parquet"), figures


def novel(name, *authors, licence=None):
    licences = (StatedLicence("edition", licence),) if licence else ()
    return Document(name, f"Text of {name}.", authors=authors, licences=licences)


def test_a_scan_that_its_library_calls_public_domain_is_a_layer_whose_row_is_named(tmp_path):
    sand = Author("Sand", birth=1804, death=1876)
    scanned = Document(
        "a", "T", authors=(sand,), licences=(StatedLicence("scan", "LicenseRef-public-domain"),)
    )
    read = {"url": "https://example.org/", "read_on": TODAY, "verdict": "allow", "by": "Claire"}
    rows, _ = decided(tmp_path, [scanned, novel("b", sand)], {"covers": "edition", "terms": read})
    told = {
        id: (verdict, why) for id, verdict, why in rows.select("id", "verdict", "explanation").iter_rows()
    }
    assert told == {"s:a": ("review", "rule-awaits-counsel"), "s:b": ("deny", "no-edition-licence")}
    assert rows.filter(id="s:a")["rules"][0].to_list() == [
        "terms/FR-70@2026-11-22",
        "terms/FR-SCAN@2026-11-26",
    ]


def test_a_row_holds_what_the_contract_says(tmp_path):
    sand = Author("Sand", birth=1804, death=1876)
    rows, _ = decided(tmp_path, [novel("a", sand)], {"licence": "CC-BY-4.0", "covers": "edition"})
    assert rows.columns == SCHEMA.names
    assert rows["use"].to_list() == list(USES)
    assert rows.row(0, named=True) == {
        "id": "s:a",
        "digest": ground.sha256_text("Text of a."),
        "jurisdiction": "FR",
        "use": "train",
        "verdict": "allow",
        "obligations": ["attribution", "state-changes"],
        "licence": "CC-BY-4.0",
        "basis": "licence+term",
        "rules": ["licences/CC-BY-*@2026-11-22", "terms/FR-70@2026-11-22"],
        "free_from": "1947-01-01",
        "safe_from": "1947-01-01",
        "explanation": "licence-and-term",
        "statements": ["card: CC-BY-4.0"],
        "as_of": "2026-11-22",
        "characters": 10,
    }


def test_every_document_gets_its_own_verdict_in_its_own_place(tmp_path):
    docs = [
        novel("free", Author("A", death=1900)),
        novel("protected", Author("B", death=1960)),
        novel("unknown", Author("C")),
        novel("closed", Author("D", death=1900), licence="CC-BY-NC-4.0"),
        novel("free too", Author("E", death=1900)),
    ]
    rows, _ = decided(tmp_path, docs, {"licence": "CC-BY-4.0", "covers": "edition"}, ["FR", "BE", "MG"])
    assert len(rows) == 5 * 3 * 3
    french = rows.filter(jurisdiction="FR", use="train")
    assert french["id"].to_list() == [f"s:{d.origin}" for d in docs]
    assert french["explanation"].to_list() == [
        "licence-and-term", "protected-until", "unknown-death", "licence-nc", "licence-and-term",
    ]  # fmt: skip
    malagasy = rows.filter(jurisdiction="MG", use="train")
    assert malagasy["explanation"].to_list() == ["no-term-rule"] * 3 + ["licence-nc", "no-term-rule"]


def test_figures_count_documents_and_characters_by_verdict_and_reason(tmp_path):
    docs = [novel("a", Author("A", death=1900)), novel("bb", Author("B", death=1960))]
    _, figures = decided(tmp_path, docs, {"licence": "CC-BY-4.0", "covers": "edition"})
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["documents"], figures["characters"], figures["combinations"]) == (2, 21, 2)
    assert figures["verdicts"]["FR"]["train"] == {
        "allow": {"documents": 1, "characters": 10},
        "review": {"documents": 0, "characters": 0},
        "deny": {"documents": 1, "characters": 11},
    }
    assert figures["reasons"]["FR"]["weights"] == {
        "licence-and-term": {"documents": 1, "characters": 10},
        "protected-until": {"documents": 1, "characters": 11},
    }


# ── until when ───────────────────────────────────────────────────────────────────────────────────


def test_verdicts_hold_until_the_next_author_is_free(tmp_path):
    docs = [novel("a", Author("A", death=1960)), novel("b", Author("B", death=1957)), novel("c", Author("C"))]
    edition = {"licence": "CC-BY-4.0", "covers": "edition"}
    _, figures = decided(tmp_path, docs, edition)
    assert figures["holds_until"] == "2028-01-01"
    eve, _ = decided(tmp_path / "eve", docs, edition, on=date(2027, 12, 31))
    then, figures = decided(tmp_path / "then", docs, edition, on=date(2028, 1, 1))
    now, _ = decided(tmp_path / "now", docs, edition)
    assert now.drop("as_of").equals(eve.drop("as_of"))
    assert not now.drop("as_of").equals(then.drop("as_of"))
    assert figures["holds_until"] == "2031-01-01"


def test_verdicts_that_no_day_can_change_hold_for_ever(tmp_path):
    camus = Author("Camus", death=1960)
    for number, rights in enumerate(
        [{"licence": "etalab-2.0"}, {"licence": "CC-BY-NC-4.0", "covers": "edition"}, {"attested_by": None}]
    ):
        docs = [novel("a", camus if number == 0 else Author("A", death=1900))]
        assert decided(tmp_path / str(number), docs, rights)[1]["holds_until"] is None


def test_a_term_that_ends_under_a_closed_licence_changes_no_verdict_but_its_reason(tmp_path):
    docs = [novel("a", Author("Camus", death=1960))]
    closed = {"licence": "CC-BY-NC-4.0", "covers": "edition"}
    rows, figures = decided(tmp_path, docs, closed)
    assert set(rows["explanation"]) == {"protected-until"}
    assert figures["holds_until"] == "2031-01-01"


# ── many documents ───────────────────────────────────────────────────────────────────────────────


def many(path, number, row_group=50_000):
    """`number` documents under three licences by people of forty years of death, in one file."""
    at = pl.int_range(number, eager=True).alias("i")
    frame = pl.DataFrame(at).select(
        id=pl.format("s:{}", "i"),
        text=pl.lit("abc"),
        digest=pl.format("{}", "i"),
        authors=pl.concat_list(
            pl.struct(
                name=pl.format("author {}", "i"),
                role=pl.lit("author"),
                birth=(1830 + pl.col("i") % 40).cast(pl.Int32),
                death=(1900 + pl.col("i") % 40).cast(pl.Int32),
                flags=pl.concat_list(pl.format("viaf:{}", "i")),
            )
        ),
        licences=pl.concat_list(
            pl.struct(
                stated_by=pl.lit("edition"),
                expression=pl.Series(["CC0-1.0", "CC-BY-4.0", "CC-BY-NC-4.0"]).gather(at % 3),
                evidence=pl.format("file {}", "i"),
            )
        ),
    )
    table = frame.to_arrow()
    columns = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(number, f.type)
        for f in ground.SCHEMA
    ]
    whole = pa.table(columns, schema=ground.SCHEMA)
    write_parquet(path, ground.SCHEMA, (whole.slice(i, row_group) for i in range(0, number, row_group)))


@pytest.mark.slow
def test_two_hundred_thousand_documents_need_one_decision_a_distinct_case(tmp_path, monkeypatch):
    room = importlib.import_module("hemicycle.rights.decide")
    found, judged = [], []
    find, judge = room.find, room.judge_expression
    monkeypatch.setattr(room, "find", lambda *a, **k: found.append(a) or find(*a, **k))
    monkeypatch.setattr(room, "judge_expression", lambda *a: judged.append(a) or judge(*a))
    many(tmp_path / "documents.parquet", 200_000)
    figures = decide(tmp_path / "documents.parquet", card(), "s", ["FR", "CA"], TODAY, tmp_path)
    assert figures["documents"] == 200_000
    assert figures["combinations"] == 3 * 40
    assert len(found) == 2 * 3 * 40
    assert len(judged) == 3
    rows = pl.scan_parquet(tmp_path / "rights.parquet").filter(jurisdiction="CA", use="train")
    verdicts = rows.select("id", "verdict").collect()
    assert verdicts["id"].to_list() == [f"s:{i}" for i in range(200_000)]
    assert verdicts["verdict"].head(6).to_list() == ["allow", "allow", "deny"] * 2
    assert figures["verdicts"]["CA"]["train"]["deny"]["documents"] == 66_666


PEOPLE = st.builds(
    Author,
    name=st.sampled_from(["A", "B"]),
    role=st.sampled_from(["author", "translator", "encoder"]),
    birth=st.none() | st.integers(1800, 1960),
    death=st.none() | st.integers(1850, 2030),
    flags=st.sampled_from([(), ("viaf:1",), ("anonymous",)]),
)
STATED = st.builds(
    StatedLicence,
    st.sampled_from(["file", "edition", "origin", "distributor"]),
    st.sampled_from(["CC0-1.0", "CC-BY-NC-4.0", "GPL-2.0-only OR CC-BY-4.0", "a\nb", 'x"}\u2028{"', "\x1f"]),
)
DOCUMENTS = st.lists(
    st.tuples(st.lists(PEOPLE, max_size=3), st.lists(STATED, max_size=3)), min_size=1, max_size=8
).map(
    lambda drawn: [
        Document(str(i), f"{i}", authors=tuple(a), licences=tuple(s)) for i, (a, s) in enumerate(drawn)
    ]
)


@settings(max_examples=25, deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False), st.sampled_from([{}, {"licence": "etalab-2.0"}]))
def test_no_verdict_depends_on_order_or_sharding(tmp_path_factory, docs, random, rights):
    folder = tmp_path_factory.mktemp("order")
    together, _ = decided(folder / "all", docs, rights)
    shuffled, _ = decided(folder / "shuffled", random.sample(docs, len(docs)), rights)
    apart = pl.concat(decided(folder / d.origin, [d], rights)[0] for d in docs)
    assert together.sort("id", "use").equals(shuffled.sort("id", "use"))
    assert together.equals(apart)
    assert set(together["explanation"]) <= set(explanations())


def test_nothing_inside_a_licence_can_pass_for_another_statement(tmp_path):
    inside = 'CC-BY-NC-4.0"}\n{"stated_by":"file","expression":"CC0-1.0'
    rows, _ = decided(tmp_path, [Document("a", "t", licences=(StatedLicence("file", inside),))])
    assert set(rows["explanation"]) == {"licence-unreadable"}


# ── hostile and damaged input ────────────────────────────────────────────────────────────────────


def test_nulls_in_a_damaged_table_never_allow(tmp_path):
    blank = {"name": None, "role": None, "birth": None, "death": None, "flags": None}
    free = {**blank, "name": "A", "role": "author", "death": 1900}
    licence = {"stated_by": None, "expression": None, "evidence": None}
    rows = [
        {"id": "1", "text": "t", "digest": "d", "authors": [free, None], "licences": []},
        {"id": "2", "text": "t", "digest": "d", "authors": [free, blank], "licences": None},
        {"id": "3", "text": None, "digest": "d", "authors": None, "licences": None},
        {"id": "4", "text": "t", "digest": "d", "authors": [{**free, "flags": [None]}], "licences": []},
        {"id": "5", "text": "t", "digest": "d", "authors": [free], "licences": [licence]},
        {"id": "6", "text": "t", "digest": "d", "authors": [free], "licences": [None]},
        {"id": "7", "text": "t", "digest": "d", "authors": [free], "licences": []},
    ]
    table = pa.Table.from_pylist(rows, schema=ground.SCHEMA)
    write_parquet(tmp_path / "d.parquet", ground.SCHEMA, [table])
    decide(tmp_path / "d.parquet", card(), "s", ["FR"], TODAY, tmp_path)
    verdicts = pl.read_parquet(tmp_path / "rights.parquet").filter(use="train")["verdict"].to_list()
    assert verdicts == ["deny"] * 6 + ["allow"]


def test_a_source_without_documents_has_rights_without_rows(tmp_path):
    rows, figures = decided(tmp_path, [])
    assert rows.height == 0
    assert (figures["documents"], figures["holds_until"]) == (0, None)
    assert figures["verdicts"]["FR"]["train"]["allow"] == {"documents": 0, "characters": 0}


def test_equal_documents_give_equal_bytes(tmp_path):
    docs = [novel("a", Author("A", death=1900)), novel("b", Author("B"))]
    decided(tmp_path / "one", docs, jurisdictions=["FR", "BE"])
    decided(tmp_path / "two", docs, jurisdictions=["BE", "FR", "BE"])
    one, two = ((tmp_path / n / "out" / "rights.parquet").read_bytes() for n in ("one", "two"))
    assert one == two


def test_documents_that_are_no_parquet_are_refused_with_their_place(tmp_path):
    (tmp_path / "documents.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(IntegrityError, match=r"documents\.parquet"):
        decide(tmp_path / "documents.parquet", card(), "s", ["FR"], TODAY, tmp_path)
    with pytest.raises(IntegrityError, match=r"none\.parquet"):
        decide(tmp_path / "none.parquet", card(), "s", ["FR"], TODAY, tmp_path)


def test_rights_in_no_jurisdiction_are_not_decided(tmp_path):
    with pytest.raises(DeclarationError, match="no jurisdiction"):
        decide(tmp_path / "documents.parquet", card(), "s", [], TODAY, tmp_path)


def test_an_author_whom_the_source_leaves_without_years_is_found_in_the_projects_own_file(tmp_path):
    docs = [novel("a", Author("Delarue-Mardrus, Lucie")), novel("b", Author("Nobody Known"))]
    write_documents(tmp_path / "documents.parquet", "s", docs)
    authors = tmp_path / "authors.csv"
    authors.write_text(
        "name,birth,death,flags,ids,source,checked_on\n"
        "Lucie Delarue-Mardrus,1874,1945,,,https://example.org/notice,2026-11-20\n",
        "utf-8",
    )
    edition = card(licence="CC-BY-4.0", covers="edition")

    def told(**options):
        decide(tmp_path / "documents.parquet", edition, "s", ["FR"], TODAY, tmp_path, **options)
        rows = pl.read_parquet(tmp_path / "rights.parquet").filter(use="train")
        return dict(rows.select("id", "explanation").iter_rows())

    assert told() == {"s:a": "unknown-death", "s:b": "unknown-death"}
    assert told(authority=authors) == {"s:a": "licence-and-term", "s:b": "unknown-death"}


def test_the_file_of_authors_counts_for_the_sources_that_it_completes_and_for_no_other(tmp_path):
    authors = tmp_path / "authors.csv"
    authors.write_text(
        "name,birth,death,flags,ids,source,checked_on\nSand,1804,1876,,,https://example.org,2026-11-20\n",
        "utf-8",
    )

    def completed(*people):
        write_documents(tmp_path / "documents.parquet", "s", [novel("a", *people)])
        edition = card(licence="CC-BY-4.0", covers="edition")
        documents = tmp_path / "documents.parquet"
        return decide(documents, edition, "s", ["FR"], TODAY, tmp_path, authority=authors)["authors"]

    assert completed(Author("Sand")) == sha256_file(authors)
    assert completed(Author("Sand", birth=1804, death=1876)) is None
    assert completed(Author("Nobody Known")) is None


def test_the_digest_of_the_verdicts_is_that_of_texts_verdicts_and_reasons_for_review_only(tmp_path):
    def digest(docs, on=TODAY, **rights):
        _, figures = decided(tmp_path, docs, rights or {"licence": "CC-BY-4.0", "covers": "edition"}, on=on)
        return figures["verdicts_digest"]

    first = digest([novel("a", Author("A", death=1950))])
    assert digest([novel("a", Author("B", death=1951))]) == first
    assert digest([novel("a", Author("A", death=1950))], on=date(2026, 1, 5)) == first
    assert digest([novel("a", Author("A", death=1956))]) != first
    assert digest([novel("a", Author("A", death=1950)), novel("b", Author("A", death=1950))]) != first


WORDS = st.sampled_from(["allowed", "unknown", "unread", "reserved", "allowed\nunknown", '"}', ""])


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(st.lists(st.tuples(st.lists(WORDS, max_size=4), st.none() | WORDS), min_size=1, max_size=6))
def test_cases_hold_what_the_law_makes_of_a_document_s_findings_and_of_a_later_look(documents):
    rows = [
        Document(f"{n}", "x", reservations=tuple(Reservation("robots", "v", w, "p") for w in said)).row("s")
        for n, (said, _) in enumerate(documents)
    ]
    batch = pa.Table.from_pylist(rows, schema=ground.SCHEMA)
    later = pl.DataFrame(
        [(row["id"], word) for row, (_, word) in zip(rows, documents, strict=True)],
        schema={"id": pl.String, "value": pl.String},
        orient="row",
    )
    cases = Cases(rechecked=later)
    numbers = cases.numbers(batch)
    for number, (said, word) in zip(numbers, documents, strict=True):
        looks = [strictest(said)] * bool(said) + [word] * bool(word)
        assert cases.cases[number].reservation == (over_time(looks) if looks else "")


def test_files_from_an_address_wait_for_their_holder_s_words_and_pages_for_evidence(tmp_path):
    write_documents(tmp_path / "documents.parquet", "s", [Document("a", "Un texte.")])
    rights = CardRights(licence="CC0-1.0", attested_by="Claire", terms=None)
    for reader, verdict, why in (
        ("text", "review", "download-not-offered"),
        ("web", "deny", "no-opt-out-evidence"),
    ):
        card = Card(title="t", reader=reader, urls=["https://data.example/a.txt"], rights=rights)
        figures = decide(tmp_path / "documents.parquet", card, "s", ["FR"], TODAY, tmp_path / reader)
        assert list(figures["reasons"]["FR"]["train"]) == [why]
        assert figures["verdicts"]["FR"]["train"][verdict]["documents"] == 1


def test_two_reasons_for_review_are_two_digests(tmp_path):
    """Who signed while one reason held a document back has not seen the other."""
    contested = novel("a", Author("A", birth=1900, death=1944, flags=("mort-pour-la-france",)))
    seen = {}
    for licence in ("GPL-3.0-only", "GFDL-1.3-only"):
        rows, figures = decided(tmp_path, [contested], {"licence": licence})
        assert set(rows.filter(use="train")["verdict"]) == {"review"}
        seen[rows.filter(use="train")["explanation"][0]] = figures["verdicts_digest"]
    assert len(seen) == len(set(seen.values())) == 2
