"""Licences of wholes: manifests, what a release follows from, and what goes under an umbrella."""

import os
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError, HemicycleError, RightsError
from hemicycle.rights.aggregate import Part, follows, manifest, passes_on, release_rules
from hemicycle.rights.explanations import explanations
from hemicycle.rights.licences import check_expression, judge_expression, licences
from hemicycle.rights.policy import USES, Condition, default_policy

POLICY = default_policy()
RAIL = "LicenseRef-scancode-bigscience-rail-1.0"
EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
IDS = [
    *[licence.id for licence in licences() if "*" not in licence.id],
    *"CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-BY-NC-4.0 GPL-3.0-only LicenseRef-contract-1 Beerware".split(),
]
EXPRESSIONS = st.recursive(
    st.sampled_from(IDS),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=5,
)
KINDS = st.sampled_from(["source", "base-model", "generator"])


def source(licence, name="a source"):
    return Part(name, "source", licence)


def base(licence, name="a base"):
    return Part(name, "base-model", licence)


def reasons(declared, *parts, policy=POLICY):
    return [blocker.reason for blocker in follows(declared, parts, policy)]


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_every_class_has_a_line_for_each_way_and_every_line_a_source_and_a_day():
    classes = {licence.licence_class for licence in licences()} | {"unknown"}
    for way in ("copy", "training", "model"):
        assert {rule.part for rule in release_rules() if (rule.way, rule.declared) == (way, "*")} == classes
    for rule in release_rules():
        assert rule.source.startswith("https://"), rule
        assert date.fromisoformat(rule.checked_on) >= date(2026, 1, 1), rule
        assert rule.declared in classes | {"*"}, rule
        assert (rule.reason in explanations()) == (rule.answer in ("same", "no", "clash")), rule


def test_no_line_stands_twice():
    keys = [(rule.way, rule.part, rule.declared) for rule in release_rules()]
    assert len(set(keys)) == len(keys)


# ── manifests ────────────────────────────────────────────────────────────────────────────────────


def test_the_licence_of_a_whole_is_all_of_its_parts_sorted_each_once():
    assert manifest(["MIT", "CC-BY-4.0", "mit", "etalab-2.0"]) == "CC-BY-4.0 AND MIT AND etalab-2.0"


def test_or_legs_are_bracketed_and_and_legs_taken_apart():
    assert manifest(["MIT OR ISC", "CC-BY-4.0 AND MIT"]) == "CC-BY-4.0 AND (ISC OR MIT) AND MIT"
    assert manifest(["MIT OR (Zlib AND ISC)"]) == "(ISC AND Zlib) OR MIT"


@pytest.mark.parametrize("parts", [[], ["MIT", "Mixed"], ["NOASSERTION"], [""], ["(" * 9000]])
def test_a_part_whose_licence_is_not_known_has_no_manifest(parts):
    with pytest.raises(RightsError):
        manifest(parts)


@given(st.lists(EXPRESSIONS, min_size=1, max_size=3))
def test_a_manifest_is_an_expression_that_judges_as_its_parts_do_and_is_its_own_manifest(parts):
    whole = manifest(parts)
    assert check_expression(whole) is None
    assert manifest([whole]) == whole == manifest(reversed(parts))
    both, one = judge_expression(whole, POLICY), judge_expression(" AND ".join(parts), POLICY)
    assert [both[use].verdict for use in USES] == [one[use].verdict for use in USES]


# ── releases of weights ──────────────────────────────────────────────────────────────────────────


def test_weights_made_from_free_attributed_and_noted_sources_go_out_under_apache():
    given_ = ["CC0-1.0", "etalab-2.0", "CC-BY-4.0", "MIT", "MPL-2.0", "EUPL-1.2", "CC-BY-SA-4.0", "ODbL-1.0"]
    assert follows("Apache-2.0", [source(licence) for licence in given_], POLICY) == []


@pytest.mark.parametrize(
    ("licence", "reason"),
    [
        ("CC-BY-NC-4.0", "licence-nc"),
        ("CC-BY-ND-4.0", "licence-nd"),
        ("JSON", "licence-restricted"),
        ("C-UDA-1.0", "licence-restricted"),
        ("LicenseRef-all-rights-reserved", "licence-reserved"),
        ("GPL-3.0-only", "licence-copyleft"),
        ("GFDL-1.3-or-later", "licence-copyleft-document"),
        ("LicenseRef-contract-7", "licence-grant"),
        ("LicenseRef-public-domain", "licence-review"),
        ("EUPL-1.1", "licence-awaits-counsel"),
        ("Beerware", "release-unknown"),
        ("Mixed", "release-unknown"),
        ("", "release-unknown"),
        (None, "release-unknown"),
    ],
)
def test_a_source_that_does_not_let_weights_out_is_named_with_the_reason(licence, reason):
    assert reasons("Apache-2.0", source(licence)) == [reason]


def test_one_non_commercial_source_in_500_is_named_and_nothing_else():
    sources = [source("CC-BY-4.0", f"source {n}") for n in range(500)]
    sources[317] = source("CC-BY-NC-SA-4.0", "conversations")
    (blocker,) = follows("Apache-2.0", sources, POLICY)
    assert blocker.part == sources[317]
    assert "“conversations” is under CC-BY-NC-SA-4.0" in blocker.en
    assert "«\u00a0conversations\u00a0» est sous CC-BY-NC-SA-4.0" in blocker.fr


def test_a_release_of_a_bloom_under_apache_fails_and_the_clause_is_named():
    (blocker,) = follows("Apache-2.0", [base(RAIL, "bloom"), source("CC-BY-4.0")], POLICY)
    assert blocker.reason == "release-own-licence-only"
    assert blocker.clause == "Section III, paragraphs 4 (a) and 5; Attachment A"
    assert blocker.clause in blocker.en
    assert blocker.clause in blocker.fr


def test_a_restricted_base_or_generator_gives_its_own_licence_and_no_other():
    restricted = [licence.id for licence in licences() if licence.licence_class == "use-restricted"]
    for kind in ("base-model", "generator"):
        for licence in restricted:
            part = Part("x", kind, licence)
            assert reasons(licence, part) == []
            assert reasons("Apache-2.0", part) == ["release-own-licence-only"]
            other = next(x for x in restricted if x != licence)
            assert reasons(other, part) == ["release-own-licence-only"]


def test_a_copyleft_base_gives_the_same_licence_or_a_later_one_where_it_says_so():
    assert reasons("GPL-3.0-only", base("GPL-3.0-only")) == []
    assert reasons("GPL-3.0-only", base("GPL-2.0-or-later")) == []
    assert reasons("GPL-3.0-only", base("GPL-2.0-only")) == ["release-same-licence"]
    assert reasons("Apache-2.0", base("GPL-3.0-only")) == ["release-same-licence"]
    assert reasons("CC-BY-SA-4.0", base("CC-BY-SA-3.0")) == []
    assert reasons("CC-BY-SA-3.0", base("CC-BY-SA-4.0")) == ["release-same-licence"]
    assert reasons("CC-BY-SA-4.0", base("CC-BY-SA-1.0")) == ["release-same-licence"]
    assert reasons("Apache-2.0", base("MPL-2.0")) == ["release-same-licence"]


def test_a_base_model_whose_licence_is_not_known_blocks():
    for unknown in (None, "", "Llama", "Beerware"):
        assert reasons("Apache-2.0", base(unknown)) == ["release-unknown"]


def test_a_permissive_base_does_not():
    assert reasons("Apache-2.0", base("MIT"), base("Apache-2.0"), base("CC-BY-4.0"), base("CC0-1.0")) == []


@pytest.mark.parametrize("declared", ["CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0", RAIL, "JSON"])
def test_share_alike_text_and_a_declared_licence_that_restricts_further_exclude_each_other(declared):
    assert reasons(declared, source("CC-BY-SA-4.0")) == ["release-further-restriction"]
    assert reasons(declared, source("CC-BY-4.0")) == []


def test_share_alike_text_blocks_under_a_declared_licence_that_nobody_looked_at():
    assert reasons("Beerware", source("CC-BY-SA-4.0")) == ["release-declared-unknown"]


def test_the_policy_decides_on_share_alike_sources():
    strict = replace(
        default_policy(), name="strict", conditional={"share-alike": Condition({"weights": "deny"})}
    )
    assert reasons("Apache-2.0", source("CC-BY-SA-4.0"), policy=strict) == ["licence-share-alike"]


def test_of_a_part_with_or_one_leg_is_enough_and_with_and_all_bind():
    assert reasons("Apache-2.0", source("GPL-3.0-only OR MIT")) == []
    assert reasons("Apache-2.0", source("CC-BY-NC-4.0 AND MIT AND CC-BY-ND-4.0")) == [
        "licence-nc",
        "licence-nd",
    ]


def test_of_a_declared_or_every_leg_must_follow_and_of_an_and_one_unless_another_clashes():
    assert reasons(f"Apache-2.0 AND {RAIL}", base(RAIL)) == []
    assert reasons(f"Apache-2.0 OR {RAIL}", base(RAIL)) == ["release-own-licence-only"]
    assert reasons(f"CC-BY-SA-4.0 AND {RAIL}", base("CC-BY-SA-4.0")) == ["release-further-restriction"]


def test_a_declared_licence_that_cannot_be_read_is_a_mistake_of_the_call():
    with pytest.raises(DeclarationError, match=r"Apache-2\.0"):
        follows("Apache 2.0", [], POLICY)


@settings(max_examples=EXAMPLES, deadline=None)
@given(EXPRESSIONS, st.lists(st.tuples(KINDS, EXPRESSIONS), max_size=4))
def test_the_order_of_the_parts_changes_no_blocker_and_another_part_never_helps(declared, stated):
    parts = [Part(str(n), kind, licence) for n, (kind, licence) in enumerate(stated)]
    found = follows(declared, parts, POLICY)
    assert sorted(found, key=repr) == sorted(follows(declared, parts[::-1], POLICY), key=repr)
    assert found == [b for part in parts for b in follows(declared, [part], POLICY)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.text(max_size=40) | EXPRESSIONS,
    st.text(max_size=40),
    KINDS,
    st.text(max_size=40) | EXPRESSIONS | st.none(),
)
def test_no_text_gives_anything_but_blockers_or_an_error_with_a_sentence(declared, name, kind, licence):
    if check_expression(declared) is not None:
        with pytest.raises(HemicycleError):
            follows(declared, [Part(name, kind, licence)], POLICY)
        return
    found = follows(declared, [Part(name, kind, licence)], POLICY)
    assert found or check_expression(licence or "") is None
    assert all(b.en.endswith(".") and b.fr.endswith(".") for b in found)


# ── umbrellas ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("licence", "umbrella", "reason"),
    [
        ("CC-BY-4.0", "CC-BY-SA-4.0", None),
        ("CC-BY-4.0", "CC0-1.0", "release-attribution-lost"),
        ("CC0-1.0", "CC-BY-4.0", None),
        ("CC-BY-SA-3.0", "CC-BY-SA-4.0", None),
        ("CC-BY-SA-4.0", "CC-BY-4.0", "release-same-licence"),
        ("ODbL-1.0", "CC-BY-SA-4.0", "release-same-licence"),
        ("CC-BY-NC-4.0", "CC-BY-SA-4.0", "release-nc"),
        ("CC-BY-NC-4.0", "CC-BY-NC-SA-4.0", None),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-4.0", "release-nc"),
        ("CC-BY-ND-4.0", "CC-BY-4.0", "release-nd"),
        ("CC-BY-SA-4.0", "MIT AND CC-BY-SA-4.0", None),
        ("CC-BY-4.0", "CC-BY-4.0 AND CC0-1.0", None),
        (RAIL, "Apache-2.0", "release-own-licence-only"),
        ("LicenseRef-contract-1", "Apache-2.0", "licence-grant"),
        ("Beerware", "Apache-2.0", "release-unknown"),
        (None, "CC0-1.0", "release-unknown"),
    ],
)
def test_a_work_goes_under_an_umbrella_or_it_does_not(licence, umbrella, reason):
    assert [found for found, _ in passes_on(licence, umbrella)] == ([reason] if reason else [])
