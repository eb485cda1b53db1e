"""Running heads go, in spite of errors of recognition; what is said at the edge of pages stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hemicycle.sources.running_heads import running_heads

HEADS = [
    "CHAMBRE DES DÉPUTÉS. — SÉANCE DU 26 NOVEMBRE 1889",
    "CHAMBRE DES DEPUTÉS — SÉANCE DU 26 NOVEMBRE 1889.",
    "CHAMBBE DES DÉPUTÉS. — SEANCE DU 26 N0VEMBRE 1889",
    "CHAMBRE DES DÉPUTES. - SÉANGE DU 2G NOVEMBRE l889",
    "CHAMBRE DES DÉPUTÉS. — SÉANCE DU 27 NOVEMBRE 1889",
]
BODY = [
    ["M. Dupré demande la parole.", "Elle lui est donnée.", "Il monte à la tribune."],
    ["Le projet est renvoyé", "à la commission du budget", "qui en fera rapport."],
    ["On passe à la discussion", "de l'article premier,", "dont il est donné lecture."],
    ["Plusieurs voix s'élèvent", "contre l'amendement", "de M. le rapporteur."],
    ["L'ordre du jour", "appelle la suite", "de la délibération."],
]


def test_heads_and_numbers_that_go_up_are_found():
    pages = [[head, f"— {175 + n} —", *body] for n, (head, body) in enumerate(zip(HEADS, BODY, strict=True))]
    assert running_heads(pages) == [{0, 1}] * 5


def test_numbers_at_the_foot_and_in_roman_are_found():
    pages = [[*body, roman] for body, roman in zip(BODY, ["xii", "xiii", "xiv", "xv", "xvi"], strict=True)]
    assert running_heads(pages) == [{3}] * 5


def test_heads_of_left_and_right_pages_differ():
    pages = [[["LIVRE PREMIER.", "CHAPITRE DEUX."][n % 2], *BODY[n % 5][n // 5 :]] for n in range(10)]
    assert all(0 in found for found in running_heads(pages))


def test_applause_at_the_foot_of_every_page_is_no_head():
    pages = [[*body, "(Applaudissements à gauche.)"] for body in BODY]
    assert running_heads(pages) == [set()] * 5


def test_a_line_on_two_pages_and_a_lone_number_stay():
    pages = [["Rapport du comité.", *BODY[0]], ["Rapport du comité.", *BODY[1]], ["1889", *BODY[2]], BODY[3]]
    assert running_heads(pages) == [set()] * 4


def test_nothing_below_a_line_that_stays_is_taken():
    pages = [[body[0], head, *body[1:]] for head, body in zip(HEADS, BODY, strict=True)]
    assert running_heads(pages) == [set()] * 5


@given(st.lists(st.lists(st.text("abé1 (i", min_size=1, max_size=9), max_size=7), max_size=9))
def test_only_lines_near_the_edge_are_ever_taken(pages):
    for lines, found in zip(pages, running_heads(pages), strict=True):
        assert found <= {n for n in range(len(lines)) if n < 3 or n >= len(lines) - 3}
