"""What a base lets out: its licence, who read it, and what its own README says."""

import pytest

from hemicycle.project import Base
from hemicycle.rights.bases import judge_base
from hemicycle.rights.policy import default_policy

RAIL = "LicenseRef-scancode-bigscience-rail-1.0"
GEMMA = "LicenseRef-scancode-gemma-tou-2024-04-01"


def judge(licence, stated=None, attested="Camille Test", license="Apache-2.0"):
    base = Base(path="x", licence=licence, attested_by=attested)
    return judge_base("bloom", base, stated, license, default_policy())


def test_weights_from_bloom_do_not_go_out_under_apache_and_the_clause_is_named():
    judged = judge(RAIL, "bigscience-bloom-rail-1.0")
    assert judged.verdict == "deny"
    (sentence,) = judged.sentences()
    assert "Weights cannot be released under Apache-2.0" in sentence
    assert "Clause: Section III" in sentence
    named = f"base bloom: BigScience-BLOOM-RAIL-1.0 ({RAIL})"
    assert judged.line("Apache-2.0") == f"{named}; weights made from it may not go out under Apache-2.0"


def test_weights_from_bloom_go_out_under_blooms_licence():
    judged = judge(RAIL, "bigscience-bloom-rail-1.0", license=RAIL)
    assert (judged.verdict, judged.sentences()) == ("allow", [])
    assert "may go out under" in judged.line(RAIL)


@pytest.mark.parametrize("stated", [None, "apache-2.0", "Apache License 2.0"])
def test_a_base_under_apache_that_somebody_read_lets_an_apache_release_out(stated):
    assert judge("Apache-2.0", stated).verdict == "allow"


def test_without_a_licence_nothing_is_known_and_nothing_goes_out():
    judged = judge(None, "apache-2.0")
    assert judged.verdict == "deny"
    assert "has no licence that is known" in judged.sentences()[0]
    assert judged.line("MIT").startswith("base bloom: no licence declared;")


def test_a_licence_that_nobody_answers_for_is_held_back():
    judged = judge("Apache-2.0", "apache-2.0", attested=None)
    assert (judged.verdict, judged.reasons) == ("review", ("not-attested",))


@pytest.mark.parametrize(
    ("declared", "stated", "same"),
    [
        ("Apache-2.0", "mit", False),
        ("MIT", "cc-by-nc-4.0", False),
        ("Apache-2.0", "other", False),
        ("Apache-2.0", "apache-2.0, mit", False),
        (RAIL, "other", True),
        (GEMMA, "gemma", True),
        ("LicenseRef-scancode-llama-3.1-license-2024", "llama3.1", True),
        ("LicenseRef-scancode-llama-3.1-license-2024", "llama2", False),
        ("CC-BY-SA-4.0", "cc-by-sa-4.0", True),
    ],
)
def test_a_readme_that_says_otherwise_holds_it_back_and_both_are_quoted(declared, stated, same):
    judged = judge(declared, stated, license=declared)
    assert judged.reasons == (() if same else ("base-licence-drift",))
    if not same:
        assert judged.verdict != "allow"
        assert f"Declared: {declared}; there: {stated}." in judged.sentences()[-1]


def test_a_licence_that_forbids_commerce_lets_nothing_out():
    assert judge("CC-BY-NC-4.0", license="CC-BY-NC-4.0").verdict == "deny"
