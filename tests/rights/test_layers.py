"""From which day a text is free of the rights of all who contributed to it."""

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.rights.layers import bare, relevant
from hemicycle.rights.layers import term_of as term

TODAY = date(2026, 11, 22)
YEARS = st.integers(min_value=-800, max_value=2200)
DAYS = st.dates(min_value=date(1800, 1, 1), max_value=date(2300, 12, 31))
AUTHORS = st.lists(
    st.builds(
        Author,
        name=st.just("A"),
        role=st.sampled_from(["author", "translator", "editor", "encoder", "speaker", ""]),
        birth=st.none() | YEARS,
        death=st.none() | YEARS,
        flags=st.sampled_from([(), ("viaf:7391951",), ("PA1592",), ("mort-pour-la-france",), ("anonymous",)]),
    ),
    max_size=4,
)


def died(*years):
    return [Author(f"author {year}", death=year) for year in years]


# ── worked examples ──────────────────────────────────────────────────────────────────────────────


def test_author_dead_in_1955_is_free_on_1_january_2026():
    assert term(died(1955), "FR", date(2026, 1, 1)).verdict == "allow"


def test_author_dead_in_1955_is_protected_on_31_december_2025():
    eve = term(died(1955), "FR", date(2025, 12, 31))
    assert (eve.verdict, eve.explanation) == ("deny", "protected-until")
    assert eve.free_from == eve.safe_from == eve.changes_on == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("work", "death", "free"),
    [
        ("Du côté de chez Swann", 1922, date(1993, 1, 1)),
        ("Charmes", 1945, date(2016, 1, 1)),
        ("Le Blé en herbe", 1954, date(2025, 1, 1)),
        ("L’Étranger", 1960, date(2031, 1, 1)),
        ("Voyage au bout de la nuit", 1961, date(2032, 1, 1)),
    ],
)
def test_a_novel_is_free_on_a_known_day(work, death, free):
    judged = term(died(death), "FR", TODAY)
    assert judged.free_from == free, work
    assert judged.rules == ("terms/FR-70@2026-11-22",)


@pytest.mark.parametrize("jurisdiction", ["BE", "CH", "LU", "DE", "SN"])
def test_a_rule_that_awaits_a_lawyer_lets_nothing_pass_until_it_is_confirmed(jurisdiction):
    judged = term(died(1955), jurisdiction, date(2026, 1, 1))
    assert (judged.verdict, judged.explanation) == ("review", "rule-awaits-counsel")
    assert judged.free_from == date(2026, 1, 1)
    confirmed = frozenset(judged.rules)
    assert term(died(1955), jurisdiction, date(2026, 1, 1), confirmed=confirmed).verdict == "allow"
    assert term(died(1956), jurisdiction, date(2026, 1, 1), confirmed=confirmed).verdict == "deny"


def test_the_last_survivor_counts():
    assert term(died(1950, 1960), "FR", TODAY).free_from == date(2031, 1, 1)


def test_several_authors_make_a_collaboration_and_an_author_with_a_translator_does_not():
    """The rule on collaborations awaits a lawyer; two layers of one hand each do not."""
    assert term(died(1900, 1910), "FR", TODAY).explanation == "rule-awaits-counsel"
    assert term(died(1900, 1900), "FR", TODAY).explanation == "rule-awaits-counsel"
    layers = [Author("A", death=1900), Author("T", "translator", death=1910)]
    assert term(layers, "FR", TODAY).verdict == "allow"


@pytest.mark.parametrize("role", ["translator", "illustrator", "preface", "editor"])
def test_a_text_whose_author_is_not_named_is_not_free_by_who_worked_on_it(role):
    assert term([Author("T", role, death=1900)], "FR", TODAY).explanation == "no-author"


def test_of_two_layers_held_back_for_two_reasons_what_nobody_can_lift_is_told():
    contested = Author("A", death=1930, flags=("mplf",), published=1910)
    on = date(2026, 1, 1)
    assert term([contested], "FR", on).explanation == "term-contested"
    both = [contested, Author("T", "translator")]
    assert term(both, "FR", on).explanation == "unknown-death"


def test_those_who_speak_are_authors_of_their_own_words():
    speakers = [Author(f"S{year}", "speaker", death=year) for year in (1900, 1910, 1920)]
    assert term(speakers, "FR", TODAY).verdict == "allow"
    assert term([*speakers, Author("S", "speaker", death=1980)], "FR", TODAY).verdict == "deny"


def test_flags_reach_the_rules_by_either_name():
    for flag in ("mort-pour-la-france", "mplf"):
        prince = Author("A", birth=1900, death=1944, flags=(flag, "viaf:54151065"), published=1943)
        judged = term([prince], "FR", TODAY)
        assert (judged.verdict, judged.free_from, judged.safe_from, judged.contested) == (
            "deny", date(2033, 5, 1), date(2045, 1, 1), True
        )  # fmt: skip


def test_years_of_publication_that_contradict_each_other_are_no_year():
    music = [Author(n, death=1937, flags=("music",), published=y) for n, y in (("A", 1900), ("B", 1930))]
    alone = [Author(n, death=1937, flags=("music",)) for n in "AB"]
    assert term(music, "FR", TODAY) == term(alone, "FR", TODAY)


def test_a_translator_counts_and_a_pure_encoder_does_not():
    balzac = Author("Balzac", death=1850)
    assert term([balzac, Author("T", "translator", death=1990)], "FR", TODAY).verdict == "deny"
    assert term([balzac, Author("T", "editor")], "FR", TODAY).explanation == "unknown-death"
    assert term([balzac, Author("T", "encoder")], "FR", TODAY).verdict == "allow"
    assert term([balzac, Author("T", "a role nobody foresaw")], "FR", TODAY).verdict == "review"


@pytest.mark.parametrize(
    ("author", "why"),
    [
        (Author("A"), "unknown-death"),
        (Author("A", birth=1700), "unknown-death"),
        (Author("A", flags=("anonymous",)), "unknown-publication"),
        (Author("A", death=1900, flags=("collective",)), "unknown-publication"),
        (Author("A", death=1900, flags=("mort-pour-la-france-1914",)), "flagged-author"),
        (Author("A", birth=1900, death=1850), "implausible-dates"),
        (Author("A", birth=1700, death=1900), "implausible-dates"),
        (Author("A", death=2027), "implausible-dates"),
        (Author("A", birth=2030), "implausible-dates"),
    ],
)
def test_what_the_rule_does_not_reach_is_put_up_for_review(author, why):
    judged = term([author], "FR", TODAY)
    assert (judged.verdict, judged.explanation, judged.free_from) == ("review", why, None)


def test_a_jurisdiction_without_a_rule_is_put_up_for_review():
    for jurisdiction in ("MG", "QC", "XX", ""):
        assert term(died(1800), jurisdiction, TODAY).explanation == "no-term-rule"


def test_nobody_named_is_nobody_free():
    assert term([], "FR", TODAY).explanation == "no-author"
    assert term([Author("E", "encoder", death=1800)], "FR", TODAY).explanation == "no-author"


def test_an_authority_id_among_the_flags_says_nothing_of_the_term():
    assert term(
        [Author("Sand", death=1876, flags=("viaf:46766944", "wikidata:Q3816"))], "FR", TODAY
    ).verdict == ("allow")


@pytest.mark.parametrize(
    "flag",
    [
        "PA1592",
        "senat:98018H",
        "Q3816",
        "viaf:46766944",
        "VIAF:46766944",
        "isni:0000 0001 2120 4441",
        "bnf:cb11900979p",
        "gnd:11854023-8",
        "idref:02692760X",
        "orcid:0000-0002-1694-233X",
        "lccn:n 79018834",
    ],
)
def test_an_authority_id_is_one_of_a_closed_list(flag):
    assert term([Author("A", death=1876, flags=(flag,))], "FR", TODAY).verdict == "allow"


@pytest.mark.parametrize(
    "flag",
    [
        "mpf:1914",
        "MPF1914",
        "mort:1914-1918",
        "senat:1914",
        "senat:mort",
        "viaf:",
        "viaf:mort-en-1914",
        "wikidata:",
        "PA",
        "Q",
        "WW2",
        "",
    ],
)
def test_every_other_flag_is_put_up_for_review_however_like_an_id_it_looks(flag):
    judged = term([Author("A", death=1900, flags=(flag,))], "FR", TODAY)
    assert (judged.verdict, judged.explanation) == ("review", "flagged-author")


def test_ancients_and_far_futures_do_not_leave_the_calendar():
    assert term([Author("Plato", birth=-427, death=-347)], "FR", TODAY).verdict == "allow"
    assert term(died(9900), "FR", date(9999, 12, 31)).verdict == "allow"
    assert term(died(9998), "FR", date(9999, 12, 31)).verdict == "deny"
    assert term(died(2_000_000_000), "FR", TODAY).verdict == "review"


def test_an_eighty_year_rule_would_be_wrong_both_ways():
    """Deaths 1946 to 1954 are free today, which a rule of eighty years would throw away."""
    free = [year for year in range(1900, 1970) if term(died(year), "FR", TODAY).verdict == "allow"]
    assert free == list(range(1900, 1956))


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@given(YEARS, YEARS, DAYS)
def test_a_later_death_never_frees_earlier(one, other, day):
    early, late = sorted((one, other))
    if term(died(late), "FR", day).verdict == "allow":
        assert term(died(early), "FR", day).verdict == "allow"


@given(AUTHORS, DAYS)
def test_unknown_never_allows(authors, day):
    if any(bare(a) and a.death is None for a in authors) or not any(map(bare, authors)):
        assert term(authors, "FR", day).verdict != "allow"


@given(AUTHORS, DAYS)
def test_one_more_author_never_frees(authors, day):
    for dropped in range(len(authors)):
        fewer = authors[:dropped] + authors[dropped + 1 :]
        if any(map(bare, fewer)) and term(authors, "FR", day).verdict == "allow":
            assert term(fewer, "FR", day).verdict == "allow"


@given(AUTHORS, DAYS, DAYS)
def test_a_later_day_never_takes_a_freedom_back(authors, one, other):
    early, late = sorted((one, other))
    if term(authors, "FR", early).verdict == "allow":
        assert term(authors, "FR", late).verdict == "allow"


@given(AUTHORS, DAYS)
def test_the_order_of_authors_and_their_names_change_nothing(authors, day):
    judged = {term(order, "FR", day) for order in itertools.islice(itertools.permutations(authors), 6)}
    assert judged == {term(relevant(authors), "FR", day)}


@given(AUTHORS, DAYS, st.integers(min_value=1, max_value=400))
def test_a_verdict_holds_until_the_day_it_names_and_not_on_it(authors, day, years):
    judged = term(authors, "FR", day)

    def reading(on):
        then = term(authors, "FR", on)
        return then.verdict, then.explanation

    if judged.changes_on is None:
        assert reading(date(min(9999, day.year + years), 1, 1)) == reading(day)
    else:
        assert judged.changes_on > day
        assert reading(judged.changes_on) != reading(day)
        assert reading(judged.changes_on - timedelta(days=1)) == reading(day)
