"""From which day a text is free of the rights of all who contributed to it."""

import itertools
import os
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.rights.layers import FLAGS, bare, relevant
from hemicycle.rights.layers import term_of as term
from hemicycle.rights.term_rules import term_rules

TODAY = date(2026, 11, 22)
FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
#: Reasons that another author's years, or the lack of them, can take away.
UNLIKELY = ("published-after-death", "no-author")
YEARS = st.integers(min_value=-800, max_value=2200)
DAYS = st.dates(min_value=date(1800, 1, 1), max_value=date(2300, 12, 31))
AUTHORS = st.lists(
    st.builds(
        Author,
        name=st.just("A"),
        role=st.sampled_from(
            "author translator editor encoder speaker scanner performer broadcaster critical-editor".split()
        ),
        birth=st.none() | YEARS,
        death=st.none() | YEARS,
        flags=st.sampled_from(
            [(), ("viaf:7391951",), ("PA1592",), *((f,) for f in FLAGS if f != "posthumous")]
        ),
        published=st.none() | YEARS,
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


@pytest.mark.parametrize("role", ["text", "speech", "Speech 0", "speaker 0"])
def test_a_role_named_like_a_layer_is_no_author(role):
    assert term([Author("A", role, death=1900)], "FR", TODAY).explanation == "no-author"


@pytest.mark.parametrize("role", ["scan", "recording", "broadcast", "critical-edition", "scanner 1"])
def test_a_role_named_like_a_right_of_others_is_a_layer_of_its_own(role):
    assert beside(role, "DE", published=1900) == ("review", "unknown-death", None)


def test_a_role_with_a_number_is_not_taken_for_one_of_several_scanners():
    people = [SAND, Author("S", "scanner"), Author("N", "scanner 1"), Author("N", "scanner 2")]
    assert term(people, "FR", TODAY, confirmed=EVERY_ROW).explanation == "unknown-death"


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


def test_the_years_of_a_life_bear_each_other_out_in_a_text_too():
    """Dates that agree are left out where they say nothing more; here they do."""
    assert term([Author("Alcuin", birth=742, death=804)], "FR", TODAY).verdict == "allow"
    for death in (54, 195, -5):
        judged = term([SAND, Author("T", "translator", death=death)], "FR", TODAY)
        assert (judged.verdict, judged.explanation) == ("review", "implausible-dates")


def test_an_eighty_year_rule_would_be_wrong_both_ways():
    """Deaths 1946 to 1954 are free today, which a rule of eighty years would throw away."""
    free = [year for year in range(1900, 1970) if term(died(year), "FR", TODAY).verdict == "allow"]
    assert free == list(range(1900, 1956))


# ── neighbouring rights ──────────────────────────────────────────────────────────────────────────

EVERY_ROW = frozenset(rule.id for rules in term_rules().values() for rule in rules)
SAND = Author("Sand", birth=1804, death=1876)


def beside(role, country="FR", on=TODAY, confirmed=EVERY_ROW, **facts):
    """A free text of Sand's beside which somebody else did something."""
    judged = term([SAND, Author("N", role, **facts)], country, on, confirmed=confirmed)
    return judged.verdict, judged.explanation, judged.free_from and judged.free_from.isoformat()


def test_a_faithful_scan_adds_no_right_where_a_row_says_so():
    for country in ("FR", "DE", "BE", "LU"):
        assert beside("scanner", country) == ("allow", "term-free", "1947-01-01")
        assert beside("scanner", country, confirmed=frozenset())[:2] == ("review", "rule-awaits-counsel")
    assert beside("scanner", "CH") == ("review", "no-term-rule", None)


def test_spain_protects_mere_photographs_and_a_scan_may_be_one():
    assert beside("scanner", "ES", published=2000) == ("allow", "term-free", "2026-01-01")
    assert beside("scanner", "ES", published=2001) == ("deny", "neighbouring-right", "2027-01-01")
    assert beside("scanner", "ES") == ("review", "unknown-publication", None)


def test_what_an_optical_reader_makes_of_a_scan_is_the_text():
    assert beside("ocr") == ("allow", "term-free", "1947-01-01")


def test_a_scan_of_a_protected_text_is_a_protected_text():
    camus = [Author("Camus", death=1960), Author("BnF", "scanner")]
    assert term(camus, "FR", TODAY, confirmed=EVERY_ROW).verdict == "deny"


@pytest.mark.parametrize("role", ["performer", "narrator", "producer"])
@pytest.mark.parametrize("country", ["FR", "BE", "LU", "ES", "DE"])
def test_a_recording_is_protected_for_seventy_years_from_its_publication(role, country):
    assert beside(role, country, published=1955) == ("allow", "term-free", "2026-01-01")
    assert beside(role, country, published=1956) == ("deny", "neighbouring-right", "2027-01-01")
    assert beside(role, published=1955, confirmed=frozenset())[:2] == ("review", "rule-awaits-counsel")


def test_a_recording_of_which_nobody_knows_when_it_came_out_is_put_up_for_review():
    assert beside("performer", death=1900) == ("review", "unknown-publication", None)


@pytest.mark.parametrize("country", ["FR", "BE", "LU", "ES", "DE"])
def test_a_broadcast_is_protected_for_fifty_years(country):
    assert beside("broadcaster", country, published=1975) == ("allow", "term-free", "2026-01-01")
    assert beside("broadcaster", country, published=1976) == ("deny", "neighbouring-right", "2027-01-01")


def test_no_rule_on_books_frees_a_recording():
    """The American rows hold for works of every kind, and sound recordings have another law there."""
    judged = term(
        [Author("A", death=1880, published=1900), Author("P", "performer", published=1900)],
        "US", TODAY, confirmed=EVERY_ROW,
    )  # fmt: skip
    assert (judged.verdict, judged.explanation) == ("review", "no-term-rule")


def test_a_critical_edition_waits_for_its_thirty_years_and_for_the_death_of_who_made_it():
    edition = {"published": 1950}
    assert beside("critical-editor", "DE", death=1950, **edition) == ("allow", "term-free", "2021-01-01")
    assert beside("critical-editor", "DE", death=1980, **edition) == ("deny", "protected-until", "2051-01-01")
    assert beside("critical-editor", "DE", **edition) == ("review", "unknown-death", None)
    late = {"death": 1950, "published": 1998, "flags": ("posthumous",)}
    assert beside("critical-editor", "DE", **late) == ("deny", "neighbouring-right", "2029-01-01")
    assert beside("critical-editor", "FR", death=1950, **edition) == ("review", "no-term-rule", None)


# ── who is not named, beside who is ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("flag", ["anonymous", "pseudonymous", "collective"])
def test_who_is_not_named_frees_nobody_beside_him(flag):
    """Alone the work of 1950 has seventy years from its publication; with somebody who died in 1985, or of
    whom nothing but the name is known, it has not."""
    hidden = Author("?", flags=(flag,), published=1950)
    assert term([hidden], "FR", TODAY, confirmed=EVERY_ROW).verdict == "allow"
    for named in (Author("B", death=1985, published=1950), Author("B", published=1950)):
        judged = term([named, hidden], "FR", TODAY, confirmed=EVERY_ROW)
        assert (judged.verdict, judged.explanation) == ("review", "unknown-death")


@pytest.mark.parametrize("known", [{"birth": 1900}, {"flags": ("anonymous", "mplf")}])
def test_who_was_born_in_a_known_year_is_known(known):
    author = Author("?", **{"flags": ("anonymous",), "published": 1950, **known})
    judged = term([author], "FR", TODAY, confirmed=EVERY_ROW)
    assert (judged.verdict, judged.explanation) == ("review", "unknown-death")


def test_a_body_s_part_waits_for_its_publication_whoever_died_beside_it():
    body, author = Author("Académie", flags=("collective",), death=1850), Author("A", death=1850)
    for people in ([body], [body, author]):
        judged = term(people, "FR", TODAY, confirmed=EVERY_ROW)
        assert (judged.verdict, judged.explanation) == ("review", "unknown-publication")


@pytest.mark.parametrize(
    "wrong", [{"published": 2030}, {"birth": 1800, "published": 1700}, {"published": 0}, {"death": 0}]
)
def test_years_that_cannot_be_right_are_not_hidden_by_an_author_beside_them(wrong):
    people = [Author("A", **{"death": 1850} | wrong), Author("B", death=1850)]
    for some in (people[:1], people):
        judged = term(some, "FR", TODAY, confirmed=EVERY_ROW)
        assert (judged.verdict, judged.explanation) == ("review", "implausible-dates")


def test_a_film_is_no_collective_work():
    film = [Author("Studio", flags=("collective", "audiovisual"), published=1950)]
    assert term(film, "FR", TODAY, confirmed=EVERY_ROW).explanation == "unknown-death"


def test_nobody_speaks_after_his_death():
    robespierre = Author("Robespierre", "speaker", death=1794)
    assert term([robespierre], "FR", TODAY).verdict == "allow"
    for year, why in ((1794, "term-free"), (1795, "implausible-dates")):
        spoke = Author("Robespierre", "speaker", death=1794, published=year)
        assert term([spoke], "FR", TODAY).explanation == why


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@given(YEARS.filter(bool), YEARS.filter(bool), DAYS)
def test_a_later_death_never_frees_earlier(one, other, day):
    early, late = sorted((one, other))
    if term(died(late), "FR", day).verdict == "allow":
        judged = term(died(early), "FR", day)
        # A year so early stands for nothing alone, and is held back.
        assert judged.verdict == "allow" or (early < 1000 and judged.explanation == "implausible-dates")


COUNTRIES = st.sampled_from(["FR", "DE", "CH", "ES", "CA", "US", "SN", "CI"])


@given(AUTHORS, DAYS)
def test_unknown_never_allows(authors, day):
    named = [a for a in authors if (a.role, a.flags) in (("author", ()), ("translator", ()), ("editor", ()))]
    if any(a.death is None for a in named) or not any(map(bare, authors)):
        assert term(authors, "FR", day, confirmed=EVERY_ROW).verdict != "allow"


@settings(max_examples=FUZZ, deadline=None)
@given(AUTHORS, COUNTRIES, DAYS)
def test_one_more_author_never_frees(authors, country, day):
    def judged(people):
        return term(people, country, day, confirmed=EVERY_ROW)

    if judged(authors).verdict != "allow":
        return
    for dropped in range(len(authors)):
        fewer = authors[:dropped] + authors[dropped + 1 :]
        less = judged(fewer)
        if any(map(bare, fewer)) and less.explanation not in UNLIKELY:
            assert less.verdict == "allow"


@settings(max_examples=FUZZ, deadline=None)
@given(AUTHORS, COUNTRIES, DAYS)
def test_an_unknown_author_more_frees_nothing_earlier(authors, country, day):
    for flags in ((), ("anonymous",), ("pseudonymous",), ("collective",)):
        before = term(authors, country, day, confirmed=EVERY_ROW)
        after = term([*authors, Author("?", flags=flags)], country, day, confirmed=EVERY_ROW)
        assert after.verdict != "allow" or before.verdict == "allow" or before.explanation in UNLIKELY
        if before.free_from and after.free_from:
            assert after.free_from >= before.free_from
            assert after.safe_from >= before.safe_from


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
