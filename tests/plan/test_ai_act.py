"""The AI Act by operations: known models fall where they do, and no verdict says more than was looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.arithmetic.chips import find_chip
from hemicycle.plan.ai_act import Base, Compute, Openness, judge
from hemicycle.plan.ai_act_rules import rules
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.estimate import Line, Work, estimate
from hemicycle.units import between, of, sure

OPEN = Openness(licence=True, weights=True, architecture=True, usage=True, free=True)
BLOOM = Base("BLOOM-176B", flop=6 * 176.2e9 * 366e9)
TEXT = ("language",)


def flop(parameters, tokens):
    return Compute(sure(of(6 * parameters * tokens, "FLOP")))


def stands(found):
    return {each.duty: each.status for each in found.duties}


@pytest.mark.parametrize(
    ("parameters", "tokens", "answer"),
    [
        (176.2e9, 366e9, "reached"),
        (6.707e9, 3.12e12, "reached"),
        (7e9, 1e12, "below"),
        (1e9, 1e12, "below"),
    ],
)
def test_bloom_and_lucie_are_general_purpose_and_small_trainings_are_not(parameters, tokens, answer):
    found = judge(flop(parameters, tokens), generates=TEXT)
    assert found.verdict("general_purpose").answer == answer
    assert found.verdict("systemic").answer == "below"
    assert found.verdict("modifier") is None


def test_who_continues_bloom_becomes_provider_past_122_billion_tokens():
    before, after = (judge(flop(176.2e9, tokens), base=BLOOM) for tokens in (121.9e9, 122.1e9))
    assert before.verdict("modifier").answer == "below"
    assert after.verdict("modifier").answer == "reached"
    nothing = judge(flop(176.2e9, 1), base=BLOOM, parameters=176.2e9)
    assert nothing.verdict("modifier").tokens_more == pytest.approx(122e9, rel=1e-6)


def test_who_continues_7_billion_parameters_of_unknown_origin_becomes_provider_past_782_billion_tokens():
    unknown = Base("from somewhere")
    found = judge(flop(7.1e9, 1e9), base=unknown, parameters=7.1e9)
    assert found.verdict("modifier").answer == "below"
    assert 1e9 + found.verdict("modifier").tokens_more == pytest.approx(782e9, rel=1e-3)
    assert judge(flop(7.1e9, 783e9), base=unknown).verdict("modifier").answer == "reached"
    assert {"base_flop", "base_risk"} <= set(found.not_checked)


def test_of_a_base_with_systemic_risk_the_third_is_of_the_higher_threshold_and_the_risk_is_inherited():
    base = Base("a large one", systemic=True)
    below = judge(flop(7.1e9, 783e9), base=base)
    assert below.verdict("modifier").threshold == pytest.approx(1e25 / 3)
    assert below.verdict("systemic") is None
    past = judge(flop(700e9, 1e12), base=base)
    assert past.verdict("modifier").answer == past.verdict("systemic").answer == "reached"
    assert past.verdict("systemic").inherited
    assert stands(past)["notification"] == stands(past)["systemic"] == "due"


def test_one_provider_who_trains_on_has_one_model_and_all_its_operations_count():
    own = Base("our own", flop=0.9e23, own=True)
    found = judge(flop(7e9, 0.5e12), base=own, generates=TEXT)
    assert found.verdict("modifier") is None
    assert found.verdict("general_purpose").answer == "reached"
    assert not found.modifies


def test_a_base_below_the_threshold_is_added_and_the_doubt_is_told():
    found = judge(flop(7e9, 0.5e12), base=Base("a small one", flop=0.9e23), generates=TEXT)
    assert found.verdict("general_purpose").answer == "reached"
    assert "small_base" in found.not_checked


def test_a_range_over_a_threshold_is_near_with_the_tokens_that_are_missing():
    compute = Compute(between(0.8e23, 0.9e23, 1.2e23, "FLOP"))
    verdict = judge(compute, parameters=7e9, generates=TEXT).verdict("general_purpose")
    assert verdict.answer == "near"
    assert verdict.tokens_more == pytest.approx(0.1e23 / (6 * 7e9))


def test_the_whole_project_widens_only_the_upper_end_and_only_where_it_is_asked():
    place = assume("h100", find_chip("h100"), 8, said=Said())
    found = estimate(Work("m", 7e9, (Line("text", 1e12),)), place)
    alone = Compute(found.run.flop)
    whole = Compute(found.run.flop, project=found.project.flop)
    assert judge(alone).verdict("general_purpose").answer == "below"
    assert judge(whole).verdict("general_purpose").answer == "near"
    assert whole.updates.expected == alone.updates.expected


def test_data_that_a_model_wrote_counts_for_systemic_risk_and_for_nothing_else():
    wrote = Compute(sure(of(0.9e25, "FLOP")), contributing=sure(of(0.2e25, "FLOP")))
    found = judge(wrote, generates=TEXT)
    assert found.verdict("systemic").answer == "reached"
    assert "contributing" not in found.not_checked
    small = Compute(sure(of(0.9e23, "FLOP")), contributing=sure(of(0.2e23, "FLOP")))
    assert judge(small, generates=TEXT).verdict("general_purpose").answer == "below"
    assert "contributing" in judge(flop(7e9, 1e12)).not_checked


def test_below_the_threshold_all_is_voluntary_and_no_representative_is_needed():
    assert stands(judge(flop(7e9, 1e12), generates=TEXT)) == {
        "documentation": "voluntary",
        "downstream": "voluntary",
        "copyright": "voluntary",
        "summary": "voluntary",
        "representative": "not_due",
        "notification": "not_due",
        "systemic": "not_due",
    }


def test_a_free_release_is_exempt_from_documentation_and_never_from_copyright_and_summary():
    assert stands(judge(flop(176.2e9, 366e9), generates=TEXT, openness=OPEN)) == {
        "documentation": "exempt",
        "downstream": "exempt",
        "copyright": "due",
        "summary": "due",
        "representative": "exempt",
        "notification": "not_due",
        "systemic": "not_due",
    }


def test_a_restricted_release_owes_all_and_a_representative_from_outside_the_union():
    restricted = Openness(licence=False, weights=True)
    inside, outside = (
        stands(judge(flop(176.2e9, 366e9), generates=TEXT, openness=restricted, in_union=union))
        for union in (True, False)
    )
    assert [inside[duty] for duty in ("documentation", "downstream", "copyright", "summary")] == ["due"] * 4
    assert inside["representative"] == "not_due"
    assert outside["representative"] == "due"


def test_past_the_higher_threshold_no_licence_exempts():
    found = stands(judge(flop(1e12, 2e12), generates=TEXT, openness=OPEN, in_union=False))
    assert set(found.values()) == {"due"}


def test_what_was_not_looked_at_leaves_duties_open_and_is_listed():
    found = judge(flop(176.2e9, 366e9))
    told = stands(found)
    assert told["documentation"] == told["downstream"] == told["representative"] == "depends"
    assert told["copyright"] == told["summary"] == "due"
    assert {"generates", "openness", "union", "generality", "market", "designation"} <= set(found.not_checked)
    looked = judge(flop(176.2e9, 366e9), generates=TEXT, openness=OPEN, in_union=True)
    assert not {"generates", "openness", "union"} & set(looked.not_checked)
    assert "generality" in looked.not_checked


def test_one_failed_condition_is_enough_and_all_must_be_looked_at():
    assert Openness(licence=False).met is False
    assert Openness(True, True, True, True).met is None
    assert OPEN.met is True


def test_a_model_of_weather_is_outside_whatever_it_takes():
    found = judge(flop(1e12, 2e12), generates=())
    assert found.verdict("general_purpose").answer == "outside"
    assert found.verdict("systemic").answer == "outside"
    assert set(stands(found).values()) == {"voluntary", "not_due"}


def test_on_top_of_an_own_model_of_unknown_operations_nothing_is_said_to_be_below():
    found = judge(flop(7e9, 1e12), base=Base("our own", own=True), generates=TEXT, parameters=7e9)
    assert found.verdict("general_purpose").answer == "unknown"
    assert found.verdict("general_purpose").tokens_more is None
    assert stands(found)["copyright"] == "depends"


def test_an_estimate_within_the_margin_of_the_guidelines_is_to_be_counted_again():
    close, far = (judge(Compute(sure(of(n, "FLOP"))), generates=TEXT) for n in (0.8e23, 0.6e23))
    assert close.verdict("general_purpose").within_margin
    assert not far.verdict("general_purpose").within_margin
    assert any("count again" in each for each in close.sentences("en"))
    assert not any("count again" in each for each in far.sentences("en"))


def test_rules_are_dated_and_have_their_sources():
    known = rules()
    assert known.thresholds.general_purpose.flop == 1e23
    assert known.thresholds.systemic.flop == 1e25
    assert known.modifier.one_in == 3
    assert known.dates.applies.isoformat() == "2025-08-02"
    assert all(each.source for each in (*known.duties.values(), known.modifier, known.counting))


@given(
    low=st.floats(1e20, 1e26),
    more=st.floats(1, 10),
    most=st.floats(1, 10),
    base=st.one_of(
        st.none(),
        st.builds(
            Base,
            st.just("b"),
            flop=st.one_of(st.none(), st.floats(1e20, 1e26)),
            systemic=st.sampled_from([None, True, False]),
            own=st.booleans(),
        ),
    ),
    generates=st.sampled_from([None, (), TEXT]),
    openness=st.sampled_from([None, OPEN, Openness(licence=False)]),
    in_union=st.sampled_from([None, True, False]),
)
def test_every_case_can_be_told_in_both_languages_and_more_operations_never_owe_less(
    low, more, most, base, generates, openness, in_union
):
    compute = Compute(between(low, low * more, low * more * most, "FLOP"))
    case = {"base": base, "generates": generates, "openness": openness, "in_union": in_union}
    found = judge(compute, parameters=7e9, **case)
    assert len(found.sentences("en")) == len(found.sentences("fr"))
    assert found.to_json()["verdicts"]
    rank = {"outside": 0, "below": 0, "unknown": 1, "near": 1, "reached": 2}
    larger = judge(Compute(compute.training + compute.training), parameters=7e9, **case)
    for before in found.verdicts:
        assert rank[before.answer] <= rank[larger.verdict(before.about).answer]
