"""A bound that is tried moves the rules it names, all of them, and says which."""

import pytest

from hemicycle.curate.retune import retuned
from hemicycle.curate.rules import BY_KIND, load_sets
from hemicycle.errors import DeclarationError

RULES = [rule for one in load_sets([BY_KIND]) for rule in one.rules]


def moved(*changes):
    after = retuned(RULES, changes)
    return {new.name for old, new in zip(RULES, after, strict=True) if new is not old}


def test_a_short_name_moves_the_rule_in_every_set_that_has_it():
    every = {rule.name for rule in RULES if rule.name.endswith("/too-short")}
    assert len(every) > 1
    assert moved("too-short: words >= 3") == every


def test_a_full_name_moves_one_rule():
    name = next(rule.name for rule in RULES if rule.name.endswith("/too-short"))
    assert moved(f"{name}: words >= 3") == {name}


@pytest.mark.parametrize("typed", ["to-short: words >= 3", "parliamentary/to-short: words >= 3"])
def test_a_slip_in_either_form_of_a_name_is_answered_with_that_form(typed):
    with pytest.raises(DeclarationError, match="moves no rule") as caught:
        retuned(RULES, [typed])
    assert typed.partition(":")[0].replace("to-", "too-") in caught.value.remedy


@pytest.mark.parametrize("typed", ["too-short", "french/too-short:"])
def test_a_rule_without_a_bound_is_answered_with_an_example_of_one(typed):
    with pytest.raises(DeclarationError, match="no bound") as caught:
        retuned(RULES, [typed])
    assert f"“{typed.rstrip(':')}: words >= " in caught.value.remedy
