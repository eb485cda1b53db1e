"""A report counts every document once, shows both sides of a bound, and lets no stranger write into it."""

import dataclasses
import json
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hemicycle.curate import report_bounds, report_pictures
from hemicycle.curate.report import Inputs, make_report
from hemicycle.curate.report_page import write_report
from hemicycle.curate.rules import Bound
from hemicycle.documents import Document, corpus_shards, write_documents
from hemicycle.errors import DeclarationError
from hemicycle.project import Card
from hemicycle.rights import decide
from tests.curate.test_corpus import FRENCH, build, prose

HOSTILE = "<script>alert(1)</script> \u202e$x$ | \x1b[31m"


def inputs(corpus, **more):
    return Inputs(**{"corpus": corpus, "rights": {}, "refused": None, "tokens": None, "reasons": {}, **more})


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Two sources: debates of 1889 and of 1912 with one copy and two short notes; a law of unknown date."""
    folder = tmp_path_factory.mktemp("report")
    old = [Document(str(n), prose(n), language="fr", date="1889-03-14", kind="debate") for n in range(6)]
    new = [Document(str(n), prose(n), language="fr", date="1912", kind="debate") for n in range(6, 10)]
    copy = [Document("copy", prose(9), language="fr", date="1913", kind="debate")]
    short = [Document(f"short-{n}", prose(n, 10 + n), language="fr", kind="debate") for n in range(2)]
    law = [Document("1", prose(50), language="fr", kind="law")]
    out, figures = build(folder, {"debats": [*old, *new, *copy, *short], "lois": law}, near=False)
    return out, figures


def test_every_part_adds_up_to_the_whole(mixed):
    out, figures = mixed
    report = make_report("c", inputs(out), FRENCH)
    assert report["totals"]["documents"] == figures["totals"]["documents"] == 11
    assert report["totals"]["characters"] == figures["totals"]["characters"]
    for lines in report["composition"].values():
        assert sum(line["documents"] for line in lines) == 11
        assert sum(line["characters"] for line in lines) == figures["totals"]["characters"]


def test_parts_are_named_as_the_documents_name_them(mixed):
    parts = make_report("c", inputs(mixed[0]), FRENCH)["composition"]
    named = {part: [(line["name"], line["documents"]) for line in lines] for part, lines in parts.items()}
    assert named["period"] == [("1880-1889", 6), ("1910-1919", 4), (None, 1)]
    assert named["source"] == [("debats", 10), ("lois", 1)]
    assert named["kind"] == [("debate", 10), ("law", 1)]
    assert named["right"] == [("CC0-1.0", 11)]


def test_what_went_is_told_by_rule_and_by_copy(mixed):
    left = make_report("c", inputs(mixed[0]), FRENCH)["left_out"]
    short = next(line for line in left["rules"] if line["name"] == "french/too-short")
    assert short["documents"] == 2
    assert short["keep"] == "words >= 20"
    assert [(line["name"], line["documents"], line["alone"]) for line in left["copies"]] == [
        ("duplicate-of", 1, 1)
    ]
    assert left["other"] == []


def test_the_nearest_documents_on_both_sides_of_a_bound_are_shown(mixed):
    report = make_report("c", inputs(mixed[0]), FRENCH)
    bound = next(b for b in report["bounds"] if b["name"] == "french/too-short")
    # The texts of 10 and 11 words are held to it, the copy and the kept ones are all of 60.
    assert (bound["kept"], bound["broken"], bound["missing"]) == (12, 2, 0)
    assert [(e["id"], e["value"]) for e in bound["examples"]["broken"]] == [
        ("debats:short-1", 11.0),
        ("debats:short-0", 10.0),
    ]
    kept = bound["examples"]["kept"]
    assert len(kept) == 3
    assert all(e["value"] == 60.0 and len(e["text"]) <= 200 for e in kept)
    assert sum(bound["histogram"]["counts"]) == 14


def test_refusals_have_their_sentence_and_their_characters_and_no_text_is_opened_for_them(mixed, tmp_path):
    card = Card(title="t", reader="text", path=".")
    texts = [Document("x", "abc"), Document("y", "éé")]
    write_documents(tmp_path / "d.parquet", "debats", texts)
    decide(tmp_path / "d.parquet", card, "debats", ["FR", "BE"], date(2026, 11, 22), tmp_path)
    (tmp_path / "d.parquet").unlink()
    refused = {"source": "debats", "verdict": "deny", "explanation": "no-right", "licence": None}
    rows = [{**refused, "id": "debats:x"}, {**refused, "id": "debats:y"}]
    pl.DataFrame(rows).write_parquet(tmp_path / "refused.parquet")
    given = inputs(
        mixed[0],
        refused=tmp_path / "refused.parquet",
        rights={"debats": tmp_path / "rights.parquet"},
        reasons={"no-right": {"en": "No right.", "fr": "Aucun droit."}},
    )
    [line] = make_report("c", given, FRENCH)["left_out"]["rights"]
    assert (line["documents"], line["characters"], line["fr"]) == (2, 5, "Aucun droit.")
    unmeasured = dataclasses.replace(given, rights={})
    [line] = make_report("c", unmeasured, FRENCH)["left_out"]["rights"]
    assert (line["documents"], line["characters"]) == (2, None), "and no length is made up"


def test_each_shard_is_read_once_for_all_rules(mixed, monkeypatch):
    read = Counter()
    real = report_bounds._measured

    def counted(path, columns):
        read[path] += 1
        return real(path, columns)

    monkeypatch.setattr(report_bounds, "_measured", counted)
    assert len(FRENCH) > 2
    report_bounds.look_at_bounds(mixed[0], FRENCH)
    assert sorted(read) == sorted(corpus_shards(mixed[0]) + corpus_shards(mixed[0], "dropped"))
    assert set(read.values()) == {1}


def test_what_is_kept_of_a_measure_does_not_grow_with_the_documents_and_draws_the_same_bars():
    rule = next(r for r in FRENCH if r.name == "french/too-short")
    rule = dataclasses.replace(rule, bound=Bound("share", 0.5, None), kinds=None, language=None)
    rows = np.random.default_rng(1)
    look, every = report_bounds._Look(rule), []
    for _ in range(20):
        values = rows.random(20_000)
        every.append(values)
        shard = pl.DataFrame({"share": values}).with_columns(
            id=pl.lit("x"), row=pl.lit(0), kind=pl.lit("law"), language=pl.lit("fr")
        )
        look.take(Path("shard"), shard)
    exact = np.concatenate(every)
    assert len(look.values) < 20_000
    kept = int((exact >= 0.5).sum())
    assert look.counts == {"kept": kept, "broken": len(exact) - kept, "missing": 0}
    drawn = report_bounds._histogram(look.values, look.often, rule.bound)
    low, high = np.quantile(exact, [0.005, 0.995], method="lower")
    assert (drawn["low"], drawn["high"]) == (pytest.approx(low, rel=1e-3), pytest.approx(high, rel=1e-3))
    counts, _ = np.histogram(np.clip(exact, low, high), np.linspace(low, high, 41))
    assert drawn["counts"] == pytest.approx(counts.tolist(), rel=0.1)


def test_tokens_are_those_of_the_documents_that_are_kept(mixed, tmp_path):
    ids = [f"debats:{n}" for n in range(10)]
    table = pl.DataFrame({"id": ids, "source": ["debats"] * 10, "tokens": [7] * 10})
    table.write_parquet(tmp_path / "documents.parquet")
    report = make_report("c", inputs(mixed[0], tokens=("fr4k", tmp_path / "documents.parquet")), FRENCH)
    assert report["totals"]["tokens"] == 70
    assert {line["name"]: line["tokens"] for line in report["composition"]["source"]} == {
        "debats": 70,
        "lois": 0,
    }


def test_equal_corpora_give_equal_bytes_and_an_old_picture_goes(mixed, tmp_path):
    report = make_report("c", inputs(mixed[0]), FRENCH)
    for name in ("one", "two"):
        (tmp_path / name / "pictures").mkdir(parents=True)
        (tmp_path / name / "pictures" / "bound-old.rule.png").write_bytes(b"old")
        write_report(report, tmp_path / name)
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert not any(path.name == "bound-old.rule.png" for path in one)
    assert json.loads((tmp_path / "one" / "report.json").read_text()) == report
    page = (tmp_path / "one" / "index.html").read_text()
    pictures = {str(path) for path in one if path.suffix == ".png"}
    assert pictures == {part.split('"')[0] for part in page.split('src="')[1:]}
    assert all(' alt="' in tag.split(">")[0] for tag in page.split("<img")[1:])


def test_what_strangers_wrote_stays_text(tmp_path):
    odd = [
        Document(
            f"{HOSTILE}{n}",
            f"{HOSTILE} {prose(n)}",
            language=f"fr-{HOSTILE}{n}",
            kind=HOSTILE,
            date="١٨٨٩" if n % 2 else HOSTILE,
        )
        for n in range(60)
    ]
    out, _ = build(tmp_path, {"odd": odd}, near=False, held_out=0)
    report = make_report("c", inputs(out), FRENCH)
    assert len(report["composition"]["language"]) == 41
    assert report["composition"]["language"][-1]["name"] == "… +20"
    write_report(report, tmp_path / "page")
    page = (tmp_path / "page" / "index.html").read_text()
    assert "<script" not in page
    assert not any(sign in page for sign in "\u202e\x1b")


def test_declared_varieties_are_tried_against_each_other(tmp_path):
    def speech(variety, n, word):
        text = " ".join([f"{word} {w}" for w in prose(n, 400).split()])
        return Document(f"{variety}-{n}", text, language="fr", variety=variety, kind="debate")

    texts = [speech("fr-FR", n, "soixante-dix") for n in range(12)]
    texts += [speech("fr-BE", n, "septante") for n in range(20, 32)]
    out, _ = build(tmp_path, {"s": texts}, near=False, rules=[])
    [trial] = make_report("c", inputs(out), [])["varieties"]
    found = {v["name"]: v["guessed"] for v in trial["varieties"]}
    assert found == {"fr-BE": {"fr-BE": 2}, "fr-FR": {"fr-FR": 2}}


def test_one_variety_needs_no_trial(mixed):
    assert make_report("c", inputs(mixed[0]), FRENCH)["varieties"] == []


def test_without_matplotlib_the_error_says_what_to_install(mixed, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(DeclarationError, match="matplotlib") as told:
        write_report(make_report("c", inputs(mixed[0]), FRENCH), tmp_path)
    assert "hemicycle[train]" in told.value.remedy
    assert not list(tmp_path.iterdir())


def test_a_rule_that_no_document_is_held_to_is_left_out(mixed):
    rule = next(r for r in FRENCH if r.language is None)
    none_held = dataclasses.replace(rule, kinds=("speech",))
    assert make_report("c", inputs(mixed[0]), [none_held])["bounds"] == []


def test_a_measure_without_a_value_counts_as_broken_and_is_in_no_bar(mixed):
    rule = next(r for r in FRENCH if r.name == "french/too-short")
    missing = dataclasses.replace(rule, bound=Bound("confidence", 0.5, None))
    [bound] = make_report("c", inputs(mixed[0]), [missing])["bounds"]
    assert (bound["kept"], bound["broken"], bound["missing"]) == (0, 14, 14)
    assert bound["histogram"] is None
    assert bound["examples"] == {"kept": [], "broken": []}


def test_an_axis_counts_in_words_of_its_size_and_an_unknown_period_is_named(monkeypatch):
    drawn = []
    monkeypatch.setattr(report_pictures, "png_of", lambda figure: drawn.append(figure) or b"")
    line = {"documents": 1, "characters": 5_000_000, "tokens": None}
    lines = [{**line, "name": "1880-1889"}, {**line, "name": None}]
    list(report_pictures.pictures({"composition": {"period": lines}, "bounds": []}))
    (axes,) = drawn[0].axes
    drawn[0].canvas.draw()
    assert axes.get_xlabel() == "char. (× 1 000 000)"
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert "4" in ticks
    assert axes.xaxis.get_offset_text().get_text() == ""
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1880-1889", "non indiqué / not stated"]


def test_documents_are_counted_in_whole_numbers(monkeypatch):
    drawn = []
    monkeypatch.setattr(report_pictures, "png_of", lambda figure: drawn.append(figure) or b"")
    for most in (1, 3, 12):
        spread = {"low": 0.0, "high": 2.0, "counts": [most, 1]}
        bound = {"name": "a/b", "measure": "words", "at_least": 1.0, "at_most": None, "histogram": spread}
        list(report_pictures.pictures({"composition": {}, "bounds": [bound]}))
        ticks = drawn[-1].axes[0].get_yticks()
        assert all(tick == round(tick) for tick in ticks), ticks
