"""Words divided at line ends: joined, or left with the hyphen that is theirs; no letter is ever lost."""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.sources.hyphens import SIGNS, close_inner, keeps_hyphen, lexicon, mend

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
KNOWN = Counter({"dit": 3, "président": 2, "questions": 1, "bien-aimé": 2, "porte-voix": 1, "va": 1})


@pytest.mark.parametrize(
    ("lines", "mended"),
    [
        (["les ques-", "tions du jour"], ["les questions", "du jour"]),
        (["on par-", "la, puis rien"], ["on parla,", "puis rien"]),
        (["il vint peut-", "être hier"], ["il vint peut-être", "hier"]),
        (["le vice-", "président lit"], ["le vice-président", "lit"]),
        (["oui, dit-", "il alors"], ["oui, dit-il", "alors"]),
        (["où va-t-", "on ?"], ["où va-t-on", "?"]),
        (["celui-", "ci parle"], ["celui-ci", "parle"]),
        (["en Seine-", "Inférieure"], ["en Seine-Inférieure", ""]),
        (["LA CONSTITU-", "TION"], ["LA CONSTITUTION", ""]),
        (["de 1789-", "1790 à"], ["de 1789-1790", "à"]),
        (["l'in-", "cons-", "titutionnel"], ["l'inconstitutionnel", "", ""]),
        (["on ques¬", "tionne"], ["on questionne", ""]),
        (["peut¬", "être"], ["peutêtre", ""]),
        (["le bien-", "aimé roi"], ["le bien-aimé", "roi"]),
        (["un procès-ver-", "bal lu"], ["un procès-verbal", "lu"]),
        (["ques-", "", "tions"], ["questions", "", ""]),
        (["oui -", "mais"], ["oui -", "mais"]),
        (["la par-", "M. Dupré"], ["la par-", "M. Dupré"]),
        (["fin de page -", "12 francs"], ["fin de page -", "12 francs"]),
        (["ques-", "(1) Voir"], ["ques-", "(1) Voir"]),
        (["an 1790-", "mais"], ["an 1790-", "mais"]),
        (["ques-"], ["ques-"]),
        ([], []),
    ],
)
def test_how_lines_are_mended(lines, mended):
    assert mend(lines, KNOWN)[0] == mended


def test_what_the_producer_says_counts_before_what_is_known():
    assert mend(["porte-", "voix"], KNOWN)[0] == ["porte-voix", ""]
    assert mend(["porte-", "voix"], KNOWN, {0: "portevoix"})[0] == ["portevoix", ""]
    assert mend(["porte-", "voix"], KNOWN, {0: ""})[0] == ["porte-", "voix"]
    assert mend(["porte-", "voix"], KNOWN, {0: "tout autre"})[0] == ["porte-voix", ""]


def test_halves_of_words_are_not_known_words():
    assert lexicon(["les ques-", "tions du bien-aimé", "bien-aimé"]) == {"les": 1, "du": 1, "bien-aimé": 2}


def test_the_document_decides_between_two_forms():
    assert keeps_hyphen("contre", "temps", Counter({"contre-temps": 2, "contretemps": 1}))
    assert not keeps_hyphen("contre", "temps", Counter({"contre-temps": 1, "contretemps": 2}))


def test_inner_hyphens_close_only_where_the_word_stands_whole():
    known = lexicon(["le rapport, les rapports, nationale, dit-il, dénonciation"])
    text = "les rap-ports, nâtib-nale, une dénon -ciation, dit-il, peut-être, natio-nale"
    assert close_inner(text, known) == (
        "les rapports, nâtib-nale, une dénonciation, dit-il, peut-être, nationale"
    )


LINES = st.lists(
    st.lists(st.sampled_from("ques- tions peut- être, a - dit- il Été 12- 7 ¬".split()))
    .map(" ".join)
    .flatmap(lambda line: st.sampled_from([line, line.replace(" ", ""), line + "-", f"  {line} "])),
    max_size=8,
)


def bare(lines: list[str]) -> str:
    return re.sub(f"[{SIGNS}\\s]", "", "".join(lines))


@settings(max_examples=EXAMPLES, deadline=None)
@given(LINES | st.lists(st.text("ab-¬\u00adÉ1 ,\n", max_size=12), max_size=8))
def test_nothing_but_hyphens_and_spaces_is_lost_and_a_second_time_changes_nothing(lines):
    mended, taken = mend(lines, KNOWN)
    assert bare(mended) == bare(lines)
    assert len(mended) == len(lines)
    assert mend(mended, KNOWN) == (mended, [])
    assert (mended == lines) == (not taken)


def test_a_page_of_lone_hyphens_is_quick():
    mended, _ = mend(["a-"] * 200_000, KNOWN)
    assert bare(mended) == "a" * 200_000
