"""What a card asks to have masked is masked in texts and titles and counted; no value goes further."""

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from hemicycle.curate import annotate_source, names_presidio
from hemicycle.curate.names_presidio import MARK, Names, provenance
from hemicycle.curate.personal import mask
from hemicycle.documents import Document, Part, write_documents
from hemicycle.errors import DeclarationError, InputError
from tests.curate.test_corpus import clear

ADDRESS, NAME = "12 rue de la Paix, 75002 Paris", "Inès Carpentier"
TEXT = f"{NAME} habite {ADDRESS} depuis 2013."


def analyze(text, **_):
    """Stands for Presidio: it knows one name."""
    at = text.find(NAME)
    return [SimpleNamespace(start=at, end=at + len(NAME))] if at >= 0 else []


@pytest.fixture
def model(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    folder.mkdir()
    monkeypatch.setattr(names_presidio, "load", lambda _: Names(SimpleNamespace(analyze=analyze)))
    return folder


def annotated(tmp_path, text=TEXT, **more):
    """Kind → text, title and title of the part; and the figures."""
    parts = (Part(0, len(text), title=text),)
    texts = [
        Document(kind, text, parts=parts, title=text, language="fr", kind=kind) for kind in ("web", "debate")
    ]
    write_documents(tmp_path / "documents.parquet", "s", texts)
    clear(tmp_path / "documents.parquet", tmp_path / "cleared.parquet")
    out = tmp_path / "out"
    out.mkdir()
    figures = annotate_source(
        tmp_path / "documents.parquet", tmp_path / "cleared.parquet", out, tmp_path / "work", **more
    )
    rows = pl.read_parquet(out / "00000.parquet")
    told = {row["kind"]: [row["text"], row["title"], row["parts"][0]["title"]] for row in rows.to_dicts()}
    return told, figures


def test_nothing_that_is_not_asked_for_is_masked(tmp_path):
    told, figures = annotated(tmp_path)
    assert told == dict.fromkeys(("web", "debate"), [TEXT] * 3)
    assert figures["personal"] == {}


def test_an_address_that_is_asked_for_is_masked_in_every_kind(tmp_path):
    told, figures = annotated(tmp_path, also=["address"])
    masked = TEXT.replace(ADDRESS, "1 rue de l’Exemple")
    assert told == dict.fromkeys(("web", "debate"), [masked] * 3)
    assert figures["personal"] == {"address": 2}
    assert "Paix" not in str(figures)


def test_a_name_that_is_asked_for_is_masked_but_never_in_a_debate(tmp_path, model):
    told, figures = annotated(tmp_path, also=["name"], names_model=model)
    assert told == {"web": [TEXT.replace(NAME, MARK)] * 3, "debate": [TEXT] * 3}
    assert figures["personal"] == {"name": 1}
    assert "Carpentier" not in str(figures)


def test_both_go_together_with_what_is_always_masked(tmp_path, model):
    told, figures = annotated(tmp_path, also=["address", "name"], names_model=model)
    assert told["web"][0] == f"{MARK} habite 1 rue de l’Exemple depuis 2013."
    assert figures["personal"] == {"address": 2, "name": 1}


def test_a_number_that_a_shortened_name_brings_near_its_word_is_masked(tmp_path, model, monkeypatch):
    name, read = "Maximilienne-Bérengère de La Rochefoucauld-Montmorency-Laval", []

    def analyze(text, **_):
        read.append(text)
        return [SimpleNamespace(start=(at := text.index(name)), end=at + len(name))]

    monkeypatch.setattr(names_presidio, "load", lambda _: Names(SimpleNamespace(analyze=analyze)))
    text = f"Écrire à a.b@orange.fr. Assurance sociale de {name} : 130 692 544, merci."
    told, figures = annotated(tmp_path, text, also=["name"], names_model=model)
    after = f"Écrire à nom@exemple.invalid. Assurance sociale de {MARK} : 000 111 222, merci."
    assert told["web"] == [after] * 3
    assert figures["personal"] == {"email": 2, "identity": 1, "name": 1}
    assert set(read) == {text}, "a model reads no marks"


@pytest.mark.parametrize("around", ["{} (at) orange.fr", "{}@orange.fr", "12 rue {}", "12 rue de la Paix {}"])
def test_no_rule_takes_the_mark_of_a_name_apart(around):
    text = around.format(MARK)
    assert MARK in mask(text, np.zeros(0, np.int64), "web", also=["address"])[0]


def test_what_names_are_found_by_is_told_and_another_model_is_another(tmp_path, monkeypatch):
    monkeypatch.setattr(
        names_presidio.importlib.metadata, "version", {"presidio-analyzer": "2.2.360", "spacy": "3.8.7"}.get
    )
    (tmp_path / "config.cfg").write_text("[nlp]\n")
    (tmp_path / "meta.json").write_text(json.dumps({"name": "core_news_md", "version": "3.8.0"}))
    told = provenance(tmp_path)
    assert (told["presidio-analyzer"], told["spacy"]) == ("2.2.360", "3.8.7")
    assert (told["model"]["name"], told["model"]["version"]) == ("core_news_md", "3.8.0")
    assert str(tmp_path) not in str(told), "where it lies may tell of a home"
    (tmp_path / "weights").write_bytes(b"other")
    assert provenance(tmp_path)["model"]["digest"] != told["model"]["digest"]


@pytest.mark.parametrize("meta", [None, "", "[]", "{}", "[" * 100_000, '{"name": "n"}'])
def test_a_model_that_does_not_say_what_it_is_is_refused(tmp_path, monkeypatch, meta):
    monkeypatch.setattr(names_presidio.importlib.metadata, "version", lambda _: "1")
    with pytest.raises(InputError, match="no spaCy model is in this folder"):
        provenance(tmp_path)
    (tmp_path / "config.cfg").write_text("[nlp]\n")
    if meta is not None:
        (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(InputError, match="cannot be read"):
        provenance(tmp_path)


def test_without_the_extra_what_names_are_found_by_cannot_be_told(tmp_path, monkeypatch):
    def missing(name):
        raise names_presidio.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(names_presidio.importlib.metadata, "version", missing)
    with pytest.raises(DeclarationError, match="needs Presidio") as told:
        provenance(tmp_path)
    assert "hemicycle[privacy]" in told.value.remedy
