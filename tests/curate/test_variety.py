"""Varieties: what is learnt is tried on documents that were not, and the table says how well."""

import contextlib
import dataclasses
import json
import random
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import variety
from hemicycle.curate.variety import Sample, load_variety, save_variety, spelled, train_variety
from hemicycle.errors import InputError

SENTENCES = tomllib.loads(Path(__file__).with_name("varieties.toml").read_text("utf-8"))
NEUTRAL = tomllib.loads(Path(__file__).with_name("quotations.toml").read_text("utf-8"))["fr"]


def documents(name, source, count, seed=0):
    """Documents of neutral French with four sentences of a variety in each."""
    rng = random.Random(f"{name}{source}{seed}")
    for i in range(count):
        lines = rng.sample(NEUTRAL, 5) + rng.sample(SENTENCES[name], 4)
        rng.shuffle(lines)
        yield Sample(name, source, f"{source}:{i // 2}", f"{source}:{i}", "\n".join(lines))


@pytest.fixture(scope="module")
def declared():
    return [
        *documents("fr-FR", "an", 40),
        *documents("fr-FR", "senat", 30),
        *documents("fr-BE", "chambre", 40),
        *documents("fr-CH", "conseil", 40),
        *documents("fr-CA", "quebec", 20),
    ]


@pytest.fixture(scope="module")
def trained(declared):
    return train_variety(declared)


def test_held_out_documents_are_told_apart_by_their_regional_words(trained):
    _, report = trained
    assert {name: report.recall(name) for name in report.tried} == dict.fromkeys(SENTENCES, 1.0)
    assert report.confusion["fr-BE"] == {"fr-BE": report.tried["fr-BE"]}


def test_a_second_source_is_held_out_whole_and_else_whole_groups_are(trained, declared):
    _, report = trained
    assert report.held_out["fr-FR"] in ("source an", "source senat")
    out = report.held_out["fr-FR"].removeprefix("source ")
    assert report.tried["fr-FR"] == sum(s.source == out for s in declared)
    assert report.held_out["fr-BE"] == "groups"
    assert (report.learnt["fr-BE"], report.tried["fr-BE"]) == (32, 8)


def test_what_tells_a_variety_can_be_read(trained):
    _, report = trained
    assert {"tantô", "n gsm"} <= set(report.telling["fr-BE"])
    assert {"canto", "huita"} <= set(report.telling["fr-CH"])
    assert "comté" in report.telling["fr-CA"]
    assert "soixa" in report.telling["fr-FR"]
    for grams in report.telling.values():
        assert not any(a in b for a in grams for b in grams if a != b)


def test_a_guess_is_made_with_its_margin_and_none_where_nothing_is_known(trained):
    model, _ = trained
    assert model.guess(" ".join(SENTENCES["fr-BE"]))[0] == "fr-BE"
    assert model.guess(" ".join(SENTENCES["fr-CA"]))[1] > 1
    assert model.guess("東京都議会") == (None, 0.0)
    assert model.guess("") == (None, 0.0)


def test_the_order_of_documents_changes_nothing(declared, trained):
    shuffled = list(declared)
    random.Random(3).shuffle(shuffled)
    model, report = train_variety(iter(shuffled))
    assert report == trained[1]
    assert model.grams.tobytes() == trained[0].grams.tobytes()
    assert model.counts.tobytes() == trained[0].counts.tobytes()


def test_a_large_source_gives_a_sample_that_its_order_does_not_change(monkeypatch):
    monkeypatch.setattr(variety, "A_SOURCE", 10)
    every = [*documents("fr-FR", "an", 60), *documents("fr-BE", "chambre", 60)]
    _, report = train_variety(every)
    assert report.learnt["fr-FR"] + report.tried["fr-FR"] == 10
    assert train_variety(every[::-1])[1] == report


def test_a_variety_of_one_group_is_learnt_but_not_tried():
    one = [dataclasses.replace(s, group="one") for s in documents("fr-CA", "quebec", 4)]
    _, report = train_variety([*documents("fr-FR", "an", 10), *one])
    assert report.held_out["fr-CA"] is None
    assert report.recall("fr-CA") is None
    assert report.learnt["fr-CA"] == 4


def test_the_report_is_json(trained):
    assert json.loads(json.dumps(dataclasses.asdict(trained[1])))["tried"]["fr-BE"] == 8


def test_one_variety_is_nothing_to_tell_apart():
    with pytest.raises(InputError, match="two or more"):
        train_variety(documents("fr-FR", "an", 5))


def test_too_few_words_are_an_error():
    with pytest.raises(InputError, match="too few"):
        train_variety([Sample("fr-FR", "a", "a", "a", "oui"), Sample("fr-BE", "b", "b", "b", "non")])


def test_a_saved_model_is_the_same_model_and_the_same_bytes(trained, tmp_path):
    model, _ = trained
    save_variety(model, tmp_path / "one.npz")
    save_variety(model, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    again = load_variety(tmp_path / "one.npz")
    text = " ".join(SENTENCES["fr-CH"])
    assert again.guess(text) == model.guess(text)


def test_a_file_that_is_no_model_is_refused(trained, tmp_path):
    model, _ = trained
    path = tmp_path / "model.npz"
    save_variety(model, path)
    data = path.read_bytes()
    for broken in (b"", b"PK\x03\x04", data[: len(data) // 2], data[:-30]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="no model of varieties"):
            load_variety(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_variety(tmp_path / "absent.npz")


def test_a_packed_file_is_refused_unread(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, about=np.zeros(10_000_000, np.uint8), grams=np.zeros(3, np.uint32))
    with pytest.raises(InputError, match="no model of varieties"):
        load_variety(path)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_file_with_changed_bytes_is_a_model_or_an_input_error(trained, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("changed") / "model.npz"
    small = variety.VarietyModel(("a", "b"), np.array([65, 70], np.uint32), np.ones((2, 2), np.int64))
    save_variety(small, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        load_variety(path).guess("oui")


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_gram_spells_what_stands_in_the_text(text):
    symbols = variety._symbols(text)
    letters = "".join(variety.ALPHABET[s] if s != variety._OTHER else "\0" for s in symbols)
    expected = {letters[i : i + n] for n in variety.ORDERS for i in range(len(letters) - n + 1)}
    found = variety._grams(symbols)
    assert {spelled(g) for g in found.tolist()} == {gram for gram in expected if "\0" not in gram}
    assert (np.diff(found.astype(np.int64)) > 0).all()


def test_case_figures_and_typography_are_not_variety():
    assert variety._symbols("L’ÉTÉ  1981").tolist() == variety._symbols("l'été\n2024").tolist()


def test_french_sittings_are_told_from_a_constructed_belgian_chamber(samples):
    sittings = []
    for path in sorted((samples / "assemblee-2013" / "tei").glob("*.xml"))[:8]:
        text = " ".join("".join(ET.parse(path).getroot().itertext()).split())[:60_000]
        sittings.append(Sample("fr-FR", "assemblee-2013", path.stem, path.stem, text))
    for path in sorted((samples / "constitution").glob("*.md")):
        sittings.append(
            Sample("fr-FR", "constitution", path.stem, path.stem, path.read_text("utf-8")[:20_000])
        )
    _, report = train_variety([*sittings, *documents("fr-BE", "chambre", 60)])
    assert report.held_out["fr-FR"].startswith("source ")
    assert report.recall("fr-FR") >= 0.8
    assert report.recall("fr-BE") == 1
