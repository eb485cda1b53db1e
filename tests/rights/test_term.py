"""When the rights in one work end: the worked examples, and the laws that hold for every work."""

import itertools
import os
import re
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.rights.term import NEVER, Lifetime, Work, judge
from hemicycle.rights.term_rules import (
    WORK_KINDS,
    find_jurisdiction,
    jurisdictions,
    rules_for,
    term_rules,
    turning_years,
)

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
TODAY = date(2026, 11, 22)
COUNTRIES = ["FR", "BE", "CH", "LU", "CA", "CA-QC", "US", "ES", "DE", "SN", "CI", "MG"]
EVERY_ROW = frozenset(rule.id for rules in term_rules().values() for rule in rules)


def by(*deaths, published=None, mplf=False, **facts):
    return Work(tuple(Lifetime(None, d, mplf) for d in deaths), published=published, **facts)


# ── the tables ───────────────────────────────────────────────────────────────────────────────────


def test_every_row_names_its_law_its_source_and_its_date():
    for rule in itertools.chain.from_iterable(term_rules().values()):
        assert rule.law, rule.name
        assert re.match(r"https://\S+$", rule.source), rule.name
        assert date.fromisoformat(rule.checked_on) >= date(2026, 1, 1), rule.name
        assert rule.name.startswith(f"{rule.rules}-")
        if rule.part == "extension":
            assert all(rule.reasons.values()), rule.name


def test_every_set_has_a_term_for_a_single_author():
    for name, rules in term_rules().items():
        assert any(r.part == "term" and r.counted_from == "death" for r in rules), name


def test_the_states_of_oapi_are_named_one_by_one():
    states = {code for code, found in jurisdictions().items() if found.rules in ("OAPI", "SN")}
    assert states == set("BJ BF CM CF KM CG CI GA GN GW GQ ML MR NE SN TD TG".split())


def test_a_part_of_a_country_has_its_countrys_rules_unless_it_has_a_row():
    assert rules_for("BE-WAL") == rules_for("BE")
    assert rules_for("CA-QC") == rules_for("CA")
    assert find_jurisdiction("QC") is None


def test_the_years_that_may_turn_a_french_verdict_are_those_of_the_wars():
    assert {1914, 1915, 1920, 1921, 1947, 1948} <= set(turning_years("FR"))


# ── worked examples ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "work", "plain", "free"),
    [
        ("Alcools", by(1918, published=1913, mplf=True), "2013-09-30", "2013-10-01"),
        ("Ève", by(1914, published=1913, mplf=True), "2009-09-30", "2009-10-01"),
        ("Le Grand Meaulnes", by(1914, published=1913, mplf=True), "2009-09-30", "2009-10-01"),
        ("La Guerre des boutons", by(1915, published=1912, mplf=True), "2010-09-30", "2010-10-01"),
        ("Le Petit Prince", by(1944, published=1943, mplf=True), "2033-05-01", "2033-05-01"),
        ("Du côté de chez Swann", by(1922, published=1913), "1993-01-01", "1993-01-01"),
        ("Le Blé en herbe", by(1954, published=1923), "2025-01-01", "2025-01-01"),
        ("Charmes", by(1945, published=1922), "2016-01-01", "2016-01-01"),
        ("Boléro", by(1937, published=1928, music=True), "2016-04-30", "2016-05-01"),
        ("Pavane", by(1937, published=1900, music=True), "2022-09-30", "2022-10-01"),
        ("Clair de lune", by(1918, published=1905, music=True), "2003-09-30", "2003-10-01"),
        ("L’Étranger", by(1960, published=1942), "2031-01-01", "2031-01-01"),
        ("Voyage au bout de la nuit", by(1961, published=1932), "2032-01-01", "2032-01-01"),
        ("Paris au XXe siècle", by(1905, published=1994, posthumous=True), "2020-01-01", "2020-01-01"),
        ("a collective dictionary", by(published=1954, kind="collective"), "2025-01-01", "2025-01-01"),
        ("an anonymous work", by(published=1960, kind="anonymous"), "2031-01-01", "2031-01-01"),
    ],
)
def test_a_french_work_is_free_on_a_known_day(title, work, plain, free):
    judged = judge(work, "FR", TODAY)
    assert (judged.earliest, judged.free_from) == (date.fromisoformat(plain), date.fromisoformat(free))


@pytest.mark.parametrize(
    ("country", "free"), [("BE", 2015), ("LU", 2015), ("DE", 2015), ("CA", 1995), ("CA-QC", 1995)]
)
def test_the_little_prince_is_free_elsewhere(country, free):
    assert judge(by(1944, published=1943, mplf=True), country, TODAY).free_from == date(free, 1, 1)


def test_the_little_prince_is_contested_in_france_until_2045():
    prince = by(1944, published=1943, mplf=True)
    judged = judge(prince, "FR", TODAY)
    assert (judged.verdict, judged.safe_from, judged.contested) == ("deny", date(2045, 1, 1), True)
    between = judge(prince, "FR", date(2033, 5, 1))
    assert (between.verdict, between.explanation) == ("review", "term-contested")
    assert judge(prince, "FR", date(2044, 12, 31)).verdict == "review"
    assert judge(prince, "FR", date(2045, 1, 1)).verdict == "allow"


def test_an_opera_of_two_is_contested_where_the_former_term_of_one_ends_later():
    judged = judge(by(1937, 1954, published=1925, music=True), "FR", TODAY)
    assert (judged.verdict, judged.contested) == ("review", True)
    assert (judged.free_from, judged.safe_from) == (date(2025, 1, 1), date(2033, 5, 1))


def test_a_work_of_several_waits_for_the_last_of_them():
    judged = judge(by(1944, 1957, 1989, published=1937), "FR", TODAY)
    assert (judged.verdict, judged.free_from) == ("deny", date(2060, 1, 1))


def test_a_reading_that_no_longer_matters_is_not_contested():
    alcools = judge(by(1918, published=1913, mplf=True), "FR", TODAY)
    assert (alcools.verdict, alcools.contested) == ("allow", False)
    assert judge(by(1918, published=1913, mplf=True), "FR", date(2018, 1, 1)).contested


@pytest.mark.parametrize(("death", "free"), [(1971, "2022-01-01"), (1972, "2043-01-01")])
def test_what_was_free_in_canada_by_2022_stayed_so_and_nothing_enters_before_2043(death, free):
    assert judge(by(death), "CA", TODAY).free_from == date.fromisoformat(free)


def test_an_american_book_of_1930_is_free_where_it_is_hosted_and_one_of_1931_is_not():
    assert judge(by(1960, published=1930), "US", TODAY).free_from == date(2026, 1, 1)
    assert judge(by(1960, published=1931), "US", TODAY).free_from == date(2027, 1, 1)
    assert judge(by(1960), "US", TODAY).explanation == "unknown-publication"


def test_spain_gives_eighty_years_to_those_who_died_before_1988():
    assert judge(by(1950), "ES", TODAY).free_from == date(2031, 1, 1)


@pytest.mark.parametrize(
    ("published", "protected"),
    [(1920, range(1932, 1945)), (1921, range(1938, 1945)), (1947, range(1938, 1945))],
)
def test_who_died_for_france_is_protected_today_from_a_known_year_on(published, protected):
    """By the arithmetic of the articles; the safe reading protects longer."""
    free = {
        d: judge(by(d, published=published, mplf=True, posthumous=d < published), "FR", TODAY).free_from
        for d in range(1915, 1945)
    }
    assert [d for d, day in free.items() if day > TODAY] == list(protected)


def test_an_unknown_year_of_publication_is_reckoned_both_ways_where_it_matters():
    judged = judge(by(1944, mplf=True), "FR", TODAY)
    assert (judged.verdict, judged.contested) == ("review", True)
    assert (judged.free_from, judged.safe_from) == (date(2025, 1, 1), date(2045, 1, 1))
    music = judge(by(1937, music=True), "FR", TODAY)
    assert (music.free_from, music.safe_from) == (date(2008, 1, 1), date(2022, 10, 1))
    assert music.verdict == "allow"
    assert judge(by(1955), "FR", TODAY).safe_from == date(2026, 1, 1)
    assert judge(by(1900, posthumous=True), "FR", TODAY).explanation == "unknown-publication"


def test_an_anonymous_author_who_is_known_after_all_has_the_ordinary_term():
    revealed = judge(by(1955, published=1940, kind="pseudonymous"), "FR", TODAY)
    assert revealed.free_from == date(2026, 1, 1)
    hidden = judge(by(None, published=1940, kind="pseudonymous"), "FR", TODAY)
    assert hidden.free_from == date(2011, 1, 1)


@pytest.mark.parametrize("country", ["FR", "BE", "CH", "LU", "DE", "ES", "CA", "SN", "CI"])
@pytest.mark.parametrize("kind", ["anonymous", "pseudonymous"])
@pytest.mark.parametrize(
    "people",
    [
        (Lifetime(None, 1985), Lifetime()),
        (Lifetime(), Lifetime(1900)),
        (Lifetime(1900),),
        (Lifetime(mplf=True),),
    ],
)
def test_who_is_known_in_part_is_known_and_one_death_is_not_enough(country, kind, people):
    """Counted from the publication the work would have been free for years."""
    judged = judge(Work(people, kind, 1930), country, TODAY, confirmed=EVERY_ROW)
    assert (judged.verdict, judged.explanation) == ("review", "unknown-death")


def test_several_who_are_known_behind_their_pseudonyms_made_a_work_of_collaboration():
    judged = judge(by(1940, 1950, published=1930, kind="pseudonymous"), "FR", TODAY)
    assert (judged.explanation, judged.rules) == ("rule-awaits-counsel", ("terms/FR-COL@2026-11-22",))


def test_a_foreign_work_is_contested_where_home_frees_it_sooner():
    american = Work((Lifetime(None, 1960, nationality="US"),), published=1925, origin="US")
    judged = judge(american, "FR", TODAY)
    assert (judged.free_from, judged.safe_from) == (date(2021, 1, 1), date(2031, 1, 1))
    assert (judged.verdict, judged.contested) == ("review", True)
    for other in (
        Work((Lifetime(None, 1960, nationality="BE"),), published=1925, origin="US"),
        Work((Lifetime(None, 1960),), published=1925, origin="US"),
        Work((Lifetime(None, 1960, nationality="US"),), published=1925),
    ):
        assert judge(other, "FR", TODAY).free_from == date(2031, 1, 1)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (by(None), "unknown-death"),
        (by(1900, None), "unknown-death"),
        (Work(), "no-author"),
        (by(kind="collective"), "unknown-publication"),
        (by(kind="anonymous"), "unknown-publication"),
        (by(None, kind="audiovisual"), "unknown-death"),
        (Work((Lifetime(1900, 1850),)), "implausible-dates"),
        (Work((Lifetime(1700, 1900),)), "implausible-dates"),
        (by(2027), "implausible-dates"),
        (by(0), "implausible-dates"),
        (by(published=0, kind="anonymous"), "implausible-dates"),
        (by(1900, published=0), "implausible-dates"),
        (by(1900, published=2027), "implausible-dates"),
        (Work((Lifetime(1900, 1950),), published=1890), "implausible-dates"),
        (by(54), "implausible-dates"),
        (by(195), "implausible-dates"),
        (by(-5), "implausible-dates"),
        (by(-1945), "implausible-dates"),
        (by(999, published=1000), "implausible-dates"),
        (Work((Lifetime(12, 54),)), "implausible-dates"),
        (Work((Lifetime(187, 195),)), "implausible-dates"),
        (by(1955, 195), "implausible-dates"),
        (by(1955, published=193), "implausible-dates"),
        (by(published=195, kind="collective"), "implausible-dates"),
        (by(published=880, kind="anonymous"), "implausible-dates"),
        (by(published=195, kind="recording"), "implausible-dates"),
        (Work((Lifetime(195),), "collective", 1960), "implausible-dates"),
    ],
)
def test_what_is_unknown_or_cannot_be_is_put_up_for_review(work, why):
    judged = judge(work, "FR", TODAY)
    assert (judged.verdict, judged.explanation, judged.free_from) == ("review", why, None)


@pytest.mark.parametrize("country", ["FR", "CA"])
def test_where_nobody_is_named_no_year_of_death_is_asked_for(country):
    """Canada's rows have conditions on the death, so that none of them applies; those of France have none."""
    assert judge(Work(published=1900), country, TODAY).explanation == "no-author"
    assert judge(by(None, published=1900), country, TODAY).explanation == "unknown-death"


@pytest.mark.parametrize(
    "work",
    [
        by(1000),
        Work((Lifetime(742, 804),), published=790),
        Work((Lifetime(946, 1003),)),
        Work((Lifetime(-427, -347),), published=-380),
    ],
)
def test_who_lived_before_the_year_1000_is_free_where_both_years_of_the_life_are_known(work):
    """Alcuin, Gerbert d’Aurillac, Plato."""
    assert judge(work, "FR", TODAY).verdict == "allow"


def test_canada_has_no_rule_for_collective_works_and_says_so():
    assert judge(by(published=1900, kind="collective"), "CA", TODAY).explanation == "no-term-rule"


def test_what_came_out_soon_after_its_author_died_is_posthumous_whether_somebody_says_so_or_not():
    assert judge(by(1950, published=1953), "CA", TODAY).explanation == "no-term-rule"
    assert judge(by(1850, published=1853), "FR", TODAY) == judge(
        by(1850, published=1853, posthumous=True), "FR", TODAY
    )


@pytest.mark.parametrize("country", ["FR", "DE", "CA", "US"])
def test_what_came_out_long_after_has_another_author_unless_somebody_says_that_it_is_posthumous(country):
    """Allais as the metadata of ELTeC have him: 1829 to 1871, the novel of 1902."""
    held = judge(by(1871, published=1902), country, TODAY, confirmed=EVERY_ROW)
    assert (held.verdict, held.explanation, held.free_from) == ("review", "published-after-death", None)
    assert judge(by(1877, published=1902), "FR", TODAY).verdict == "allow"
    assert judge(by(1905, published=2010, posthumous=True), "FR", TODAY).free_from == date(2036, 1, 1)


def test_what_lies_beyond_the_calendar_is_never_free():
    judged = judge(by(9990), "FR", date(9999, 12, 31))
    assert (judged.verdict, judged.free_from) == ("deny", NEVER)


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────

YEARS = st.integers(min_value=1700, max_value=2060)
DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31))
LIVES = st.builds(
    Lifetime,
    birth=st.none() | YEARS,
    death=st.none() | YEARS,
    mplf=st.booleans(),
    nationality=st.sampled_from([None, "FR", "US", "CA", "??"]),
)
WORKS = st.builds(
    Work,
    contributors=st.lists(LIVES, max_size=3).map(tuple),
    kind=st.sampled_from(WORK_KINDS),
    published=st.none() | YEARS,
    posthumous=st.booleans(),
    music=st.booleans(),
    origin=st.sampled_from([None, "US", "FR", "CA", "MG", "??"]),
)
IN = st.sampled_from(COUNTRIES)


def allowed(work, country, day, confirmed=EVERY_ROW):
    """With every row confirmed, so that the laws are tried on what would otherwise wait for a lawyer."""
    return judge(work, country, day, confirmed=confirmed).verdict == "allow"


@given(WORKS, IN, DAYS, st.data())
def test_a_later_death_never_frees_earlier(work, country, day, data):
    from dataclasses import replace

    dated = [n for n, c in enumerate(work.contributors) if c.death is not None]
    if not dated or work.posthumous:
        return
    if work.published is not None and work.published > min(work.contributors[n].death for n in dated):
        return  # Posthumous works have a term of their own, counted from the publication.
    number = data.draw(st.sampled_from(dated))
    one = work.contributors[number]
    later = replace(one, death=data.draw(st.integers(one.death, 2060)))
    people = (*work.contributors[:number], later, *work.contributors[number + 1 :])
    if allowed(replace(work, contributors=people), country, day) and allowed_facts(work, day):
        assert allowed(work, country, day)


def allowed_facts(work, day):
    """Whether the years are such that a person can have lived them; others are held back whatever happens."""
    return judge(work, "FR", day).explanation != "implausible-dates"


@given(WORKS, IN, DAYS, YEARS)
def test_a_later_publication_never_frees_an_anonymous_or_collective_work_earlier(work, country, day, year):
    from dataclasses import replace

    for kind in ("anonymous", "collective"):
        early = replace(work, kind=kind, published=min(year, work.published or year), contributors=())
        late = replace(early, published=max(year, work.published or year))
        if allowed(late, country, day):
            assert allowed(early, country, day)


def test_a_later_publication_can_free_others_earlier_through_the_extensions():
    before, after = (judge(by(1944, published=y, mplf=True), "FR", TODAY) for y in (1920, 1921))
    assert after.free_from < before.free_from


@given(WORKS, IN, DAYS)
def test_unknown_never_allows(work, country, day):
    from dataclasses import replace

    if work.kind == "scan":
        return  # Of a scan there is nothing to know: it is judged beside the text.
    unknown = replace(work, contributors=(*work.contributors, Lifetime()), published=None)
    assert not allowed(unknown, country, day)
    assert not allowed(replace(work, contributors=(), published=None), country, day)


@settings(max_examples=FUZZ, deadline=None)
@given(WORKS, IN, DAYS)
def test_an_unknown_co_author_never_frees_earlier(work, country, day):
    from dataclasses import replace

    def judged(kind, people):
        return judge(replace(work, kind=kind, contributors=people), country, day, confirmed=EVERY_ROW)

    for kind in WORK_KINDS:
        before = judged(kind, work.contributors)
        after = judged(kind, (*work.contributors, Lifetime()))
        if before.explanation in ("published-after-death", "no-author"):
            continue
        assert after.verdict != "allow" or before.verdict == "allow"
        if before.free_from and after.free_from:
            assert after.free_from >= before.free_from
            assert after.safe_from >= before.safe_from


#: What becomes of a year when a digit or two, or the sign, goes wrong.
MISHAPS = {
    "lost its last digit": lambda year: year // 10,
    "lost its last two": lambda year: year // 100,
    "lost its century": lambda year: year % 100,
    "was negated": lambda year: -year,
    "lost its last digit and was negated": lambda year: -(year // 10),
}


@settings(max_examples=FUZZ, deadline=None)
@given(WORKS, IN, DAYS, st.sampled_from(sorted(MISHAPS)), st.data())
def test_a_year_that_lost_digits_or_its_sign_frees_nothing(work, country, day, mishap, data):
    """Whichever years of a work the mishap befell, one or all of them."""
    from dataclasses import replace

    befallen = []

    def written(year):
        if year is None or not data.draw(st.booleans()):
            return year
        befallen.append(year)
        return MISHAPS[mishap](year)

    lives = tuple(replace(c, birth=written(c.birth), death=written(c.death)) for c in work.contributors)
    wrong = replace(work, contributors=lives, published=written(work.published))
    if befallen and allowed_facts(work, day):
        assert judge(wrong, country, day, confirmed=EVERY_ROW).explanation == "implausible-dates"


@given(WORKS, IN, DAYS, st.data())
def test_a_year_that_lost_its_millennium_frees_nothing_alone(work, country, day, data):
    """954 for 1954: only where both years of every life lost it, does nothing tell."""
    from dataclasses import replace

    dated = [n for n, c in enumerate(work.contributors) if c.death in range(1900, 2000)]
    if not dated or work.kind == "scan":
        return
    number = data.draw(st.sampled_from(dated))
    one = work.contributors[number]
    wrong = replace(one, death=one.death - 1000)
    people = (*work.contributors[:number], wrong, *work.contributors[number + 1 :])
    assert not allowed(replace(work, contributors=people), country, day)


@given(WORKS, DAYS)
def test_a_rule_that_nobody_confirmed_never_allows(work, day):
    for country in COUNTRIES:
        if allowed(work, country, day, confirmed=frozenset()):
            rules = {r.rule for r in judge(work, country, day).reckonings}
            assert all(rule.confidence == "known" for rule in rules)


@given(WORKS, IN, DAYS, DAYS)
def test_a_later_day_never_turns_allow_into_anything_else(work, country, one, other):
    early, late = sorted((one, other))
    if allowed(work, country, early):
        assert allowed(work, country, late)


@given(WORKS, IN, DAYS)
def test_the_order_of_contributors_changes_nothing(work, country, day):
    from dataclasses import replace

    judged = [
        judge(replace(work, contributors=order), country, day)
        for order in itertools.permutations(work.contributors)
    ]
    assert all(verdict == judged[0] for verdict in judged)


@given(WORKS, IN, DAYS)
def test_the_readings_come_in_order(work, country, day):
    judged = judge(work, country, day)
    if judged.free_from is not None:
        assert judged.earliest <= judged.free_from <= judged.safe_from
        assert (judged.verdict == "deny") == (day < judged.free_from)
        assert not judged.contested or judged.verdict != "allow"


@given(WORKS, IN, DAYS)
def test_knowing_the_year_of_publication_never_leads_outside_the_readings_without_it(work, country, day):
    from dataclasses import replace

    deaths = [c.death for c in work.contributors if c.death is not None]
    if work.published is not None and deaths and work.published > max(deaths):
        return  # It came out after their deaths, which says more than a year.
    blind = judge(replace(work, published=None, posthumous=False), country, day)
    seeing = judge(replace(work, posthumous=False), country, day)
    if blind.safe_from is None or seeing.safe_from is None:
        return
    assert seeing.earliest <= seeing.safe_from <= blind.safe_from
    at_home = judge(replace(work, published=None, posthumous=False, origin=None), work.origin or "FR", day)
    if at_home.free_from is not None:  # Else nothing is compared, and the term here is told.
        assert blind.earliest <= seeing.earliest


def test_a_home_that_cannot_be_reckoned_without_the_year_of_publication_is_not_compared():
    book = {"published": 1700, "origin": "US"}
    seeing = judge(Work((Lifetime(death=1726, nationality="US"),), **book), "FR", TODAY)
    blind = judge(Work((Lifetime(death=1726, nationality="US"),), origin="US"), "FR", TODAY)
    assert (seeing.free_from, seeing.safe_from) == (date(1796, 1, 1), date(1797, 1, 1))
    assert blind.earliest == blind.free_from == blind.safe_from == date(1797, 1, 1)


@given(WORKS, IN, DAYS, st.integers(min_value=1, max_value=400))
def test_a_verdict_holds_until_the_day_it_names_and_not_on_it(work, country, day, years):
    judged = judge(work, country, day)

    def reading(on):
        then = judge(work, country, on)
        return then.verdict, then.explanation

    if judged.changes_on is None:
        assert reading(date(min(9999, day.year + years), 1, 1)) == reading(day)
    else:
        assert judged.changes_on > day
        assert reading(judged.changes_on) != reading(day)
        assert reading(judged.changes_on - timedelta(days=1)) == reading(day)
