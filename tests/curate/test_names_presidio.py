"""Persons' names: only with the extra, only where the policy asks, never over the network."""

import socket

import numpy as np
import pytest

from hemicycle.curate import names_presidio
from hemicycle.curate.names_presidio import MARK, load
from hemicycle.errors import DeclarationError, InputError

POINTS = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    pytest.importorskip("presidio_analyzer")
    spacy = pytest.importorskip("spacy")
    model = spacy.blank("fr")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PER", "pattern": "Inès Carpentier"}])
    folder = tmp_path_factory.mktemp("model")
    model.to_disk(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield load(folder)


def refuse(*_):
    raise AssertionError("the network was used")


def test_a_name_on_a_web_page_is_masked_and_points_follow(names):
    text = "Écrit par Inès Carpentier, à Valbrune."
    after, points, counts = names.mask(text, np.array([0, text.index("à Val")]), "web")
    assert after == f"Écrit par {MARK}, à Valbrune."
    assert after[points[1] :] == "à Valbrune."
    assert counts == {"name": 1}


def test_a_name_in_a_debate_stays(names):
    text = "Mme Inès Carpentier. Je demande la parole."
    assert names.mask(text, POINTS, "debate") == (text, POINTS, {})


def test_masking_twice_is_masking_once(names):
    once = names.mask("Inès Carpentier et Inès Carpentier", POINTS, None)
    assert once[2] == {"name": 2}
    assert names.mask(once[0], POINTS, None)[2] == {}


def test_a_text_longer_than_a_model_reads_is_read_in_pieces(names, monkeypatch):
    monkeypatch.setattr(names_presidio, "_PIECE", 40)
    text = "Inès Carpentier a écrit ceci hier.\n" * 20 + "x" * 100
    assert names.mask(text, POINTS, None)[2] == {"name": 20}


def test_pieces_make_the_text_again():
    for text in ("", "a" * 120_000, "mot " * 40_000, "ligne\n" * 30_000):
        pieces = list(names_presidio._pieces(text))
        assert "".join(piece for _, piece in pieces) == text
        assert all(text[start : start + len(piece)] == piece for start, piece in pieces)
        assert all(len(piece) <= 50_000 for _, piece in pieces)


def test_a_folder_without_a_model_says_what_to_give(tmp_path):
    pytest.importorskip("presidio_analyzer")
    with pytest.raises(InputError, match=r"config\.cfg"):
        load(tmp_path)


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "presidio_analyzer", None)
    with pytest.raises(DeclarationError, match="privacy"):
        load(tmp_path)
