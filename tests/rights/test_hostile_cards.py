"""Cards and files of authors that somebody spoilt: an error with a sentence, and never a permission."""

import os
import re
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.errors import DeclarationError
from hemicycle.project import load_card
from hemicycle.rights.authority import load_authority
from hemicycle.rights.cases import Case
from hemicycle.rights.finding import find
from hemicycle.rights.layers import term_of
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import USES, default_policy

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
TODAY = date(2026, 11, 22)
POLICY = default_policy()

LICENCE, NAME = 'licence = "CC0-1.0"', 'attested_by = "Claire"'
CARD = ['title = "t"', 'reader = "text"', 'path = "."', "[rights]", LICENCE, NAME, 'covers = "text"']
NOISE = r"""
#|"|[|]]|licence = |covers = 'edition'|blocked = 'x'|[rights]|[x]|= 1|distributor = 'CC0-1.0'|attested_by = ''
licence = ''|licence = 'free'|licence = 'CC-BY-NC-4.0'|rights.licence|terms = {}|generators = [1]|exclude = []
""".replace("\n", "|").split("|")


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.sampled_from([LICENCE, NAME]),
    st.sets(st.sampled_from(CARD), max_size=1),
    st.lists(st.tuples(st.integers(0, 8), st.sampled_from(NOISE) | st.text(max_size=20)), max_size=3),
)
def test_no_noise_makes_up_the_licence_or_the_name_that_a_card_lacks(tmp_path_factory, lacking, more, noise):
    lines = [line for line in CARD if line != lacking and line not in more]
    for place, words in noise:
        lines.insert(place, words)
    path = tmp_path_factory.getbasetemp() / "noise.toml"
    path.write_text("\n".join(lines), "utf-8", errors="replace")
    try:
        card = load_card(path)
    except DeclarationError:
        return
    authors = (Author("A", death=1980),)
    term = term_of(authors, "FR", TODAY)
    case = Case((), authors)
    findings = find(case, card.rights, POLICY, lambda e: judge_expression(e, POLICY), term)
    assert {findings[use].verdict for use in USES} <= {"deny", "review"}


HEAD = b"name,birth,death,flags,ids,source,checked_on\n"
LINE = b'"Forest, Aline",1901,1980,,viaf:11,https://example.org/,2026-11-22\n'


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(LINE) - 1), st.binary(max_size=3)), max_size=4))
def test_no_damage_to_the_file_of_authors_frees_one(tmp_path_factory, damage):
    line = LINE
    for place, noise in damage:
        line = line[:place] + re.sub(rb"[0-9]", b"x", noise) + line[place + len(noise) :]
    path = tmp_path_factory.getbasetemp() / "authors.csv"
    path.write_bytes(HEAD + line)
    try:
        known = load_authority(path)
    except DeclarationError:
        return
    for author in (
        Author("Aline Forest"),
        Author("x", flags=("viaf:11",)),
        Author("Forest, Aline", birth=1901),
    ):
        assert term_of([known.complete(author)], "FR", TODAY).verdict != "allow"
