"""What an SPDX expression allows, and what is wrong with it."""

import dataclasses
import re
from datetime import date

import license_expression
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.rights.explanations import explanations
from hemicycle.rights.licences import (
    LONGEST_EXPRESSION,
    check_expression,
    find_licence,
    judge_expression,
    licences,
)
from hemicycle.rights.policy import SEVERITY, USES, default_policy

POLICY = default_policy()
SPDX = sorted(
    entry["spdx_license_key"]
    for entry in license_expression.get_license_index()
    if entry.get("spdx_license_key")
    and not entry.get("is_exception")
    and not entry.get("is_deprecated")
    and not entry["spdx_license_key"].startswith("LicenseRef-")
)
EXPRESSIONS = st.recursive(
    st.sampled_from(
        [licence.id for licence in licences() if "*" not in licence.id] + ["CC-BY-4.0", "GPL-2.0-only"]
    ),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=6,
)


def verdicts(expression):
    judged = judge_expression(expression, POLICY)
    return tuple(judged[use].verdict for use in USES)


# ── the table ────────────────────────────────────────────────────────────────────────────────────


def test_every_line_says_where_it_comes_from_and_when_it_was_checked():
    assert len(licences()) >= 60
    for licence in licences():
        assert re.match(r"https://\S+$", licence.source), licence.id
        assert date.fromisoformat(licence.checked_on) >= date(2026, 1, 1), licence.id
        assert licence.confidence in ("known", "counsel"), licence.id
        assert licence.licence_class, licence.id


def test_every_id_stands_once_and_is_one_that_spdx_knows():
    ids = [licence.id for licence in licences()]
    assert len(set(ids)) == len(ids)
    for licence in licences():
        if licence.id.startswith("LicenseRef-"):
            example = licence.id.replace("*", "EXAMPLE.7")
            assert check_expression(example) is None
            assert find_licence(example) is licence
        elif "*" in licence.id:
            assert any(find_licence(spdx) is licence for spdx in SPDX), f"{licence.id} covers nothing"
        else:
            assert licence.id in SPDX, licence.id


def test_no_spdx_licence_is_covered_by_two_lines_for_all_versions():
    from hemicycle.rights.licences import _version_lines

    for spdx in SPDX:
        assert sum(bool(pattern.fullmatch(spdx)) for pattern, _ in _version_lines()) <= 1, spdx


def test_what_a_name_suggests_the_table_denies():
    for spdx in SPDX:
        if re.search(r"-NC-|-NC$|NonCommercial|Noncommercial|-ND-", spdx):
            assert "allow" not in verdicts(spdx), spdx


def test_nicknames_belong_to_one_licence_each():
    names = [name.lower() for licence in licences() for name in licence.also_called]
    assert len(set(names)) == len(names)


# ── worked examples ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expression", "train", "redistribute", "weights"),
    [
        ("CC0-1.0", "allow", "allow", "allow"),
        ("etalab-2.0", "allow", "allow", "allow"),
        ("CC-BY-3.0-DE", "allow", "allow", "allow"),
        ("Apache-2.0", "allow", "allow", "allow"),
        ("MPL-2.0", "allow", "allow", "allow"),
        ("CC-PDM-1.0", "allow", "allow", "allow"),
        ("ODC-By-1.0", "allow", "allow", "allow"),
        ("EUPL-1.2", "allow", "allow", "allow"),
        ("CC-BY-3.0-IGO", "allow", "allow", "allow"),
        ("CC-BY-NC-SA-3.0-IGO", "deny", "deny", "deny"),
        ("LGPLLR", "review", "allow", "review"),
        ("LicenseRef-contract-2026-07.a", "review", "review", "review"),
        ("LicenseRef-PD-FR", "review", "review", "review"),
        ("CC-BY-SA-3.0", "allow", "allow", "allow"),
        ("ODbL-1.0", "allow", "allow", "allow"),
        ("GPL-3.0-or-later", "review", "allow", "review"),
        ("GPL-3.0+", "review", "allow", "review"),
        ("AGPL-3.0-only", "review", "allow", "review"),
        ("GFDL-1.3-or-later", "review", "allow", "review"),
        ("GFDL-1.3-no-invariants-only", "review", "allow", "review"),
        ("CC-BY-ND-4.0", "deny", "review", "deny"),
        ("CC-BY-NC-4.0", "deny", "deny", "deny"),
        ("CC-BY-NC-SA-4.0", "deny", "deny", "deny"),
        ("LicenseRef-scancode-bigscience-rail-1.0", "deny", "review", "deny"),
        ("LicenseRef-somebody", "deny", "deny", "deny"),
        ("Beerware", "deny", "deny", "deny"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "deny", "deny", "deny"),
    ],
)
def test_a_licence_is_judged_by_use(expression, train, redistribute, weights):
    assert verdicts(expression) == (train, redistribute, weights)


def test_share_alike_may_be_trained_on_and_its_shard_keeps_its_licence():
    judged = judge_expression("CC-BY-SA-4.0", POLICY)
    assert judged["train"].obligations == (
        "attribution",
        "keep-shard-licence",
        "share-alike",
        "state-changes",
    )
    assert judged["train"].rules == ("licences/CC-BY-SA-*@2026-11-22", POLICY.rule)
    assert "keep-shard-licence" not in judged["redistribute"].obligations


def test_mozilla_licence_asks_for_notices_and_source():
    assert judge_expression("MPL-2.0", POLICY)["train"].obligations == ("notice", "source")


def test_licence_ouverte_asks_for_the_date_of_last_update():
    assert judge_expression("etalab-2.0", POLICY)["train"].obligations == ("attribution", "date-of-update")


def test_of_an_or_the_most_permissive_leg_is_elected_and_the_other_named():
    for expression in ("GPL-2.0-or-later OR CC-BY-SA-3.0", "CC-BY-SA-3.0 or GPL-2.0+"):
        judged = judge_expression(expression, POLICY)
        for use in USES:
            assert judged[use].elected == "CC-BY-SA-3.0"
            assert "GPL-2.0-or-later" in (judged[use].why or "")
            assert not any("GPL" in rule for rule in judged[use].rules)


def test_wikipedia_is_used_under_its_share_alike_leg():
    assert judge_expression("GFDL-1.3-or-later OR CC-BY-SA-3.0", POLICY)["train"].elected == "CC-BY-SA-3.0"


def test_of_an_and_the_worst_leg_decides_and_all_duties_bind():
    judged = judge_expression("etalab-2.0 AND CC-BY-3.0", POLICY)["train"]
    assert (judged.verdict, judged.elected) == ("allow", "CC-BY-3.0 AND etalab-2.0")
    assert judged.obligations == ("attribution", "date-of-update", "state-changes")
    assert judge_expression("CC0-1.0 AND CC-BY-NC-4.0", POLICY)["train"].reason == "licence-nc"


def test_an_election_inside_an_and_is_made_leg_by_leg():
    judged = judge_expression("(MIT OR CC-BY-NC-4.0) AND (GPL-2.0-only OR CC-BY-4.0)", POLICY)["train"]
    assert (judged.verdict, judged.elected) == ("allow", "CC-BY-4.0 AND MIT")


# ── what awaits a lawyer ─────────────────────────────────────────────────────────────────────────


def test_a_line_that_awaits_a_lawyer_never_allows():
    waiting = [licence for licence in licences() if licence.confidence == "counsel"]
    assert waiting
    for licence in waiting:
        expression = licence.id.replace("EUPL-*", "EUPL-1.1").replace("*", "FR")
        judged = judge_expression(expression, POLICY)
        for use in USES:
            assert judged[use].verdict != "allow", licence.id
            if licence.entries[use] == "allow":
                assert (judged[use].verdict, judged[use].reason) == ("review", "licence-awaits-counsel")


def test_a_line_that_the_project_s_lawyer_confirmed_says_what_it_says():
    line = find_licence("EUPL-1.1")
    assert line.confidence == "counsel"
    confirmed = dataclasses.replace(POLICY, confirmed=frozenset({line.rule}))
    judged = judge_expression("EUPL-1.1", confirmed)["train"]
    assert (judged.verdict, judged.reason) == ("allow", "licence-allow")
    assert judged.rules == (line.rule, POLICY.rule)
    assert judge_expression("EPL-2.0", confirmed)["train"].reason == "licence-awaits-counsel"


def test_confirming_an_older_reading_of_a_line_confirms_nothing():
    older = find_licence("EUPL-1.1").rule.replace("@2026", "@2025")
    confirmed = dataclasses.replace(POLICY, confirmed=frozenset({older}))
    assert judge_expression("EUPL-1.1", confirmed)["train"].verdict == "review"


def test_what_the_policy_chose_is_no_matter_of_confirmation(monkeypatch):
    from hemicycle.rights import licences as room

    line = dataclasses.replace(find_licence("CC-BY-SA-4.0"), confidence="counsel")
    monkeypatch.setattr(room, "find_licence", lambda _: line)
    judged = judge_expression("CC-BY-SA-4.0", POLICY)
    assert [judged[use].verdict for use in USES] == ["allow", "review", "allow"]


def test_a_grant_waits_for_the_decision_that_says_what_it_allows():
    judged = judge_expression("LicenseRef-contract-12 AND CC-BY-4.0", POLICY)["train"]
    assert (judged.verdict, judged.reason) == ("review", "licence-grant")


def test_a_lookalike_of_a_grant_is_none():
    for lookalike in (
        "LicenseRef-contract",
        "LicenseRef-contracts-12",
        "DocumentRef-x:LicenseRef-contract-1",
    ):
        assert verdicts(lookalike) == ("deny", "deny", "deny")


# ── what is wrong with an expression ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("LO", "etalab-2.0"),
        ("Licence Ouverte 2.0", "etalab-2.0"),
        ("Etalab Open License 2.0", "etalab-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("odc-by", "ODC-By-1.0"),
        ("PDM", "CC-PDM-1.0"),
        ("Openrail", "bigscience-open-rail-m"),
        ("etalab2.0", "etalab-2.0"),
        ("CC-BY-SA", "Say which version: CC-BY-SA-1.0"),
        ("GPL-3", "Say which version: GPL-3.0-only, GPL-3.0-or-later"),
        ("CC-0", "Did you mean “CC0-1.0”?"),
        ("GPLv3", "Say which version: GPL-3.0-only, GPL-3.0-or-later"),
        ("gpl3+", "Say which version: GPL-3.0-only, GPL-3.0-or-later"),
        ("EUPL v1.2", "Did you mean “EUPL-1.2”?"),
        ("MIT, CC-BY-4.0", "AND"),
        ("CC-BY-SA， CC-BY", "AND"),
        ("MIT WITH clspath-exception-2.0", "Classpath-exception-2.0"),
        ("NOASSERTION", "Leave the key out"),
        ("", "Leave the key out"),
    ],
)
def test_a_problem_comes_with_what_was_probably_meant(written, meant):
    problem = check_expression(written)
    assert problem is not None
    assert meant in (problem.remedy or "")
    assert verdicts(written) == ("deny", "deny", "deny")


@pytest.mark.parametrize(
    "expression", ["MIT", "cc0-1.0", "Beerware", "LicenseRef-contract-12", "(MIT)", " MIT\n"]
)
def test_a_well_formed_expression_has_no_problem_even_where_the_table_lacks_it(expression):
    assert check_expression(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "()",
        "MIT()",
        "((",
        "MIT AND",
        "WITH",
        "MIT ISC",
        "(MIT OR ISC) WITH x",
        "Classpath-exception-2.0",
        "MIT\x00",
        "LicenseRef-MIT_Discord",
        "true",
        "MIT+",
        "x" * 900,
        "(" * 5000 + "MIT" + ")" * 5000,
        "MIT AND " * 5000 + "MIT",
    ],
)
def test_malformed_text_is_a_problem_never_an_exception(expression):
    problem = check_expression(expression)
    assert problem is not None
    assert len(problem.what) < 300
    assert problem.what.isprintable()
    assert verdicts(expression) == ("deny", "deny", "deny")


def test_nesting_as_deep_as_the_length_allows_is_read():
    depth = (LONGEST_EXPRESSION - 3) // 2
    assert verdicts("(" * depth + "MIT" + ")" * depth) == ("allow", "allow", "allow")


def test_a_nickname_another_tool_knows_is_not_followed():
    nicknamed = judge_expression("LicenseRef-MIT-Bootstrap", POLICY)["train"]
    assert (nicknamed.verdict, nicknamed.reason) == ("deny", "licence-not-in-table")


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=60)  # a suggestion compares with every identifier
@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail_and_gibberish_is_never_allowed(text):
    problem = check_expression(text)
    judged = judge_expression(text, POLICY)
    if problem is not None:
        assert all(judged[use].verdict == "deny" for use in USES)


@settings(deadline=None, max_examples=60)  # a suggestion compares with every identifier
@given(
    st.lists(
        st.sampled_from("MIT CC-BY-4.0 AND OR WITH ( ) , NOT + : GPL-2.0+ LicenseRef-x x \x85".split(" "))
    )
)
def test_no_heap_of_tokens_makes_the_reader_fail(tokens):
    text = " ".join(tokens)
    if check_expression(text) is not None:
        assert verdicts(text) == ("deny", "deny", "deny")


@given(EXPRESSIONS, EXPRESSIONS)
def test_and_is_as_strict_as_its_strictest_leg_and_or_as_lenient_as_its_most_lenient(left, right):
    for use, a, b, both, either in zip(
        USES,
        verdicts(left),
        verdicts(right),
        verdicts(f"{left} AND {right}"),
        verdicts(f"{left} OR {right}"),
        strict=True,
    ):
        assert SEVERITY[both] == max(SEVERITY[a], SEVERITY[b]), use
        assert SEVERITY[either] == min(SEVERITY[a], SEVERITY[b]), use


@given(EXPRESSIONS, EXPRESSIONS, st.sampled_from(["AND", "OR"]))
def test_the_order_of_legs_changes_nothing(left, right, operator):
    assert judge_expression(f"{left} {operator} {right}", POLICY) == judge_expression(
        f"{right} {operator} {left}", POLICY
    )


@given(EXPRESSIONS)
def test_a_judgement_explains_itself_and_what_it_elects_is_an_expression_with_the_same_verdict(expression):
    judged = judge_expression(expression, POLICY)
    assert check_expression(judged.expression) is None
    for use in USES:
        assert judged[use].reason in explanations()
        assert judge_expression(judged[use].elected, POLICY)[use].verdict == judged[use].verdict
