"""How the layers of one case come together."""

import dataclasses
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.documents import Author
from hemicycle.project import CardRights
from hemicycle.rights.explanations import explanations
from hemicycle.rights.finding import Case, find
from hemicycle.rights.layers import PUBLIC_DOMAIN_SCAN, with_scanner
from hemicycle.rights.layers import term_of as term
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import LIFTABLE, MINING, SEVERITY, USES, default_policy

POLICY = default_policy()
TODAY = date(2026, 11, 22)
SAND = Author("Sand", birth=1804, death=1876)
CAMUS = Author("Camus", birth=1913, death=1960)
STATEMENTS = st.lists(
    st.tuples(
        st.sampled_from(["file", "edition", "scan", "origin", "distributor", "somebody", ""]),
        st.sampled_from(["etalab-2.0", "CC-BY-4.0", "CC-BY-NC-4.0", "GPL-2.0-only", "CC0-1.0", "free", ""]),
    )
    | st.just(PUBLIC_DOMAIN_SCAN),
    max_size=4,
)
LICENCES = st.sampled_from([None, "etalab-2.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "LO"])


def found(
    statements=(),
    authors=(),
    use="train",
    attested_by="Claire",
    said="",
    policy=POLICY,
    confirmed=frozenset(),
    **card,
):
    of_source = {key: card.pop(key) for key in ("web", "download") if key in card}
    rights = CardRights(attested_by=attested_by, **card)
    people = tuple(with_scanner(authors, statements))
    case = Case(tuple(statements), people, said)
    judged = term(people, "FR", TODAY, confirmed=confirmed)
    return find(case, rights, policy, lambda e: judge_expression(e, policy), judged, **of_source)[use]


def told(**arguments):
    finding = found(**arguments)
    return finding.verdict, finding.explanation


def test_the_cards_licence_is_that_of_every_document():
    finding = found(licence="etalab-2.0")
    assert (finding.verdict, finding.explanation) == ("allow", "licence-allow")
    assert (finding.basis, finding.licence) == ("licence", "etalab-2.0")
    assert finding.rules == ("licences/etalab-2.0@2026-11-22",)
    assert finding.obligations == ("attribution", "date-of-update")


def test_a_source_that_states_nothing_is_denied():
    for use in USES:
        finding = found(use=use)
        assert (finding.verdict, finding.explanation) == ("deny", "no-licence")
        assert (finding.basis, finding.licence, finding.rules) == ("none", None, ())


def test_a_licence_that_nobody_attests_is_put_up_for_review():
    for nobody in (None, "", "  "):
        finding = found(licence="etalab-2.0", attested_by=nobody)
        assert (finding.verdict, finding.explanation) == ("review", "not-attested")
        assert POLICY.rule in finding.rules


def test_a_missing_attestation_does_not_soften_a_refusal():
    assert told(licence="CC-BY-NC-4.0", attested_by=None) == ("deny", "licence-nc")


def test_a_files_own_licence_specialises_the_cards_and_both_are_quoted():
    finding = found([("file", "CC-BY-SA-3.0")], licence="CC-BY-4.0")
    assert (finding.verdict, finding.licence) == ("allow", "CC-BY-SA-3.0")
    assert finding.statements == ("card: CC-BY-4.0", "file: CC-BY-SA-3.0")
    assert told(statements=[("file", "CC-BY-NC-4.0")], licence="etalab-2.0") == ("deny", "licence-nc")


@pytest.mark.parametrize(
    "general", ["CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC-BY-4.0", "GPL-2.0-or-later", "libre"]
)
def test_a_file_that_gives_more_than_its_origin_or_card_is_put_up_for_review(general):
    drift = ("review", "licence-drift")
    by_file = ("file", "CC0-1.0")
    assert told(statements=[by_file], licence=general) == drift
    assert told(statements=[by_file, ("origin", general)]) == drift
    assert told(statements=[by_file, ("origin", general)], licence="CC0-1.0") == drift
    assert told(statements=[by_file, ("origin", "CC0-1.0")], licence=general) == drift
    assert told(statements=[("origin", "CC0-1.0")], licence=general) == drift
    assert told(statements=[by_file], authors=[SAND], licence=general, covers="edition") == drift
    finding = found([by_file], licence=general)
    assert finding.statements == (f"card: {general}", "file: CC0-1.0")
    assert POLICY.rule in finding.rules


def test_a_file_that_drops_one_duty_of_its_card_is_put_up_for_review():
    assert told(statements=[("file", "CC-BY-4.0")], licence="etalab-2.0") == ("review", "licence-drift")


def test_a_file_is_held_against_the_leg_that_its_card_elects():
    allowed = ("allow", "licence-allow")
    either = "GPL-2.0-or-later OR CC-BY-SA-3.0"
    assert told(statements=[("file", "CC-BY-SA-3.0")], licence=either) == allowed
    assert told(statements=[("file", either)], licence="CC-BY-SA-3.0") == allowed
    assert told(statements=[("file", either)], licence="GPL-2.0-or-later") == ("review", "licence-drift")


def test_a_file_of_a_source_that_states_nothing_speaks_alone():
    assert told(statements=[("file", "MPL-2.0 OR CC-BY-SA-3.0")]) == ("allow", "licence-allow")


def test_the_debian_handbook_is_used_under_its_share_alike_leg():
    finding = found([("file", "GPL-2.0-or-later OR CC-BY-SA-3.0")])
    assert (finding.verdict, finding.licence) == ("allow", "CC-BY-SA-3.0")


def test_two_licences_in_one_file_both_bind():
    assert told(statements=[("file", "MIT"), ("file", "CC-BY-ND-4.0")]) == ("deny", "licence-nd")


def test_a_licence_that_is_no_expression_does_not_fall_back_to_the_cards():
    assert told(statements=[("file", "")], licence="etalab-2.0") == ("deny", "licence-unreadable")
    assert told(statements=[("file", "libre")], licence="etalab-2.0") == ("deny", "licence-unreadable")


def test_an_edition_stands_on_its_licence_and_on_its_authors_term():
    finding = found(authors=[SAND], licence="CC-BY-4.0", covers="edition")
    assert (finding.verdict, finding.explanation) == ("allow", "licence-and-term")
    assert (finding.basis, finding.licence) == ("licence+term", "CC-BY-4.0")
    assert finding.rules == ("licences/CC-BY-*@2026-11-22", "terms/FR-70@2026-11-22")
    assert finding.free_from == finding.safe_from == date(1947, 1, 1)


def test_an_open_edition_of_a_protected_text_is_denied():
    finding = found(authors=[CAMUS], licence="CC-BY-4.0", covers="edition")
    assert (finding.verdict, finding.explanation) == ("deny", "protected-until")
    assert finding.free_from == date(2031, 1, 1)
    assert finding.obligations == ()


def test_an_open_edition_of_a_text_by_nobody_known_is_put_up_for_review():
    assert told(licence="CC-BY-4.0", covers="edition") == ("review", "no-author")
    assert told(authors=[Author("A")], licence="CC-BY-4.0", covers="edition") == ("review", "unknown-death")


def test_a_closed_edition_of_a_free_text_is_denied():
    assert told(authors=[SAND], licence="CC-BY-NC-SA-4.0", covers="edition") == ("deny", "licence-nc")
    assert told(statements=[("edition", "CC-BY-NC-SA-4.0")], authors=[SAND]) == ("deny", "licence-nc")


def test_a_card_of_an_edition_without_a_licence_is_denied():
    assert told(authors=[SAND], covers="edition") == ("deny", "no-edition-licence")


def test_the_licence_of_the_text_and_that_of_its_encoding_both_bind():
    finding = found([("edition", "CC-BY-3.0")], licence="etalab-2.0")
    assert (finding.verdict, finding.licence) == ("allow", "etalab-2.0 AND CC-BY-3.0")
    assert finding.obligations == ("attribution", "date-of-update", "state-changes")


def test_a_free_text_without_any_licence_rests_on_the_term_alone():
    finding = found(authors=[SAND])
    assert (finding.verdict, finding.explanation, finding.basis) == ("allow", "term-free", "term")
    assert told(authors=[CAMUS]) == ("deny", "protected-until")
    assert told(authors=[Author("A")]) == ("deny", "no-licence")


@pytest.mark.parametrize(
    ("origin", "distributor", "verdict", "why"),
    [
        ("etalab-2.0", "etalab-2.0", "allow", "licence-allow"),
        ("CC-BY-4.0", "CC-BY-3.0", "allow", "licence-allow"),
        ("etalab-2.0", "ODC-By-1.0", "review", "licence-drift"),
        ("etalab-2.0", "CC-BY-NC-SA-4.0", "review", "licence-drift"),
        ("CC-BY-4.0", "CC0-1.0", "review", "licence-drift"),
        ("etalab-2.0", "LO", "review", "licence-drift"),
        ("CC-BY-NC-4.0", "CC0-1.0", "deny", "licence-nc"),
    ],
)
def test_origin_and_distributor_may_differ_in_name_but_not_in_verdict_or_duties(
    origin, distributor, verdict, why
):
    finding = found(licence=origin, distributor=distributor)
    assert (finding.verdict, finding.explanation) == (verdict, why)
    assert finding.statements == (f"card (distributor): {distributor}", f"card: {origin}")
    assert told(statements=[("distributor", distributor)], licence=origin) == (verdict, why)


def test_a_distributor_who_repeats_the_licence_of_the_edition_does_not_drift():
    finding = found([("edition", "CC-BY-3.0")], licence="etalab-2.0", distributor="CC-BY-3.0")
    assert finding.verdict == "allow"


def test_a_distributor_alone_licenses_nothing():
    assert told(distributor="CC0-1.0") == ("deny", "distributor-only")
    assert told(statements=[("distributor", "etalab-2.0")]) == ("deny", "distributor-only")


def test_a_distributors_terms_bind_his_edition_of_a_free_text():
    assert told(authors=[SAND], distributor="CC-BY-NC-4.0") == ("deny", "licence-nc")
    assert told(authors=[SAND], distributor="CC-BY-4.0") == ("allow", "licence-and-term")


def test_who_is_none_of_the_four_known_can_forbid_but_not_permit():
    assert told(statements=[("uploader", "CC0-1.0")]) == ("review", "no-author")
    assert told(statements=[("uploader", "CC-BY-NC-4.0")], licence="etalab-2.0") == ("deny", "licence-nc")


def test_a_statement_of_any_length_is_quoted_in_part():
    finding = found([("file", "x" * 100_000)])
    assert finding.verdict == "deny"
    assert max(len(finding.licence), *map(len, finding.statements)) <= 1_000


@given(
    STATEMENTS, LICENCES, LICENCES, st.sampled_from(["text", "edition"]), st.sampled_from(USES), st.randoms()
)
def test_the_order_of_statements_changes_nothing(statements, licence, distributor, covers, use, random):
    shuffled = random.sample(statements, len(statements))
    card = {"licence": licence, "distributor": distributor, "covers": covers, "use": use}
    assert found(statements, **card) == found(shuffled, **card)


@given(STATEMENTS, LICENCES, LICENCES, st.sampled_from(["text", "edition"]), st.sampled_from(USES))
def test_every_finding_rests_on_something_and_explains_itself(statements, licence, distributor, covers, use):
    finding = found(statements, [SAND], use, licence=licence, distributor=distributor, covers=covers)
    assert finding.explanation in explanations()
    if finding.verdict == "allow":
        assert finding.basis != "none"
        assert finding.rules
    if licence is None and not any(who != "distributor" for who, _ in statements):
        assert finding.basis != "licence"


@given(
    STATEMENTS,
    st.sampled_from(["file", "origin"]),
    LICENCES.filter(lambda licence: licence is not None),
    st.sampled_from(["text", "edition"]),
    st.sampled_from(USES),
)
def test_no_file_or_origin_allows_what_the_card_alone_does_not(statements, who, licence, covers, use):
    card = {"licence": licence, "covers": covers, "use": use}
    if found(authors=[SAND], **card).verdict != "allow":
        assert found([*statements, (who, "CC0-1.0")], [SAND], **card).verdict != "allow"


@given(STATEMENTS, LICENCES, LICENCES, st.sampled_from(["text", "edition"]), st.sampled_from(USES))
def test_one_more_closed_statement_never_opens(statements, licence, distributor, covers, use):
    card = {"licence": licence, "distributor": distributor, "covers": covers, "use": use}
    for who in ("edition", "file", "uploader"):
        closed = found([*statements, (who, "CC-BY-NC-4.0")], [SAND], **card)
        assert SEVERITY[closed.verdict] == SEVERITY["deny"]


def test_a_reason_that_a_decision_can_lift_hides_none_that_none_can():
    finding = found(licence="GFDL-1.3-only", attested_by=None)
    assert (finding.verdict, finding.explanation) == ("review", "not-attested")


def test_of_several_reasons_that_decisions_can_lift_one_decision_lifts_none():
    assert told(licence="GFDL-1.3-only") == ("review", "licence-copyleft-document")
    assert told(licence="GFDL-1.3-only AND EPL-2.0") == ("review", "several-reasons")


def test_a_text_whose_term_is_contested_says_so_where_no_licence_is_stated():
    contested = Author("A", death=1930, flags=("mplf",), published=1910)
    assert told(authors=[contested]) == ("review", "term-contested")


# ── scans ────────────────────────────────────────────────────────────────────────────────────────

SCAN_ROW = frozenset({"terms/FR-SCAN@2026-11-26"})


def gallica(verdict=None, **arguments):
    """A novel of a free author, scanned by a library that calls its scan public domain; its terms of use as a
    person read them, if anybody did."""
    read = {"url": "https://example.org/terms", "read_on": TODAY, "by": "Claire", "verdict": verdict}
    card = {"statements": [PUBLIC_DOMAIN_SCAN], "authors": [SAND], "covers": "edition", **arguments}
    return told(**card, terms=read if verdict else None)


@pytest.mark.parametrize("use", USES)
def test_a_scan_in_the_public_domain_is_used_as_the_librarys_terms_are_read(use):
    assert gallica(use=use, confirmed=SCAN_ROW) == ("review", "terms-not-read")
    assert gallica("deny", use=use, confirmed=SCAN_ROW) == ("deny", "terms-of-use")
    assert gallica("review", use=use, confirmed=SCAN_ROW) == ("review", "terms-of-use")
    assert gallica("allow", use=use, confirmed=SCAN_ROW) == ("allow", "term-free")


def test_that_a_scan_has_no_right_of_its_own_awaits_a_lawyer():
    assert gallica("allow") == ("review", "rule-awaits-counsel")


def test_a_scan_frees_no_text_whose_authors_are_protected_or_unknown():
    assert gallica("allow", confirmed=SCAN_ROW, authors=[CAMUS]) == ("deny", "protected-until")
    assert gallica("allow", confirmed=SCAN_ROW, authors=[Author("A")]) == ("review", "unknown-death")
    assert gallica("allow", confirmed=SCAN_ROW, authors=[]) == ("review", "no-author")


def test_a_library_that_reserves_its_scan_as_well_as_calling_it_free_has_reserved_it():
    both = [PUBLIC_DOMAIN_SCAN, ("scan", "LicenseRef-all-rights-reserved")]
    assert gallica("allow", confirmed=SCAN_ROW, statements=both) == ("deny", "licence-reserved")


def test_a_scan_beside_a_text_under_a_licence_is_no_public_domain_that_anybody_reckoned():
    assert told(statements=[PUBLIC_DOMAIN_SCAN], licence="etalab-2.0", confirmed=SCAN_ROW) == (
        "review", "terms-not-read"
    )  # fmt: skip
    read = {"url": "https://example.org/terms", "read_on": TODAY, "by": "Claire", "verdict": "allow"}
    assert told(statements=[PUBLIC_DOMAIN_SCAN], licence="etalab-2.0", terms=read, confirmed=SCAN_ROW) == (
        "review", "licence-review"
    )  # fmt: skip


def test_a_policy_that_reads_silence_as_consent_does_not_read_a_gap_so():
    lenient = dataclasses.replace(POLICY, opt_out_unknown="allow")
    assert told(licence="CC0-1.0", said="unknown", policy=lenient) == ("allow", "licence-allow")
    assert told(licence="CC0-1.0", said="unread", policy=lenient) == ("review", "opt-out-unread")
    assert told(licence="CC0-1.0", said="unread") == ("deny", "opt-out-unread")
    assert told(licence="CC0-1.0", said="unread", use="redistribute") == ("allow", "licence-allow")
    assert "opt-out-unread" not in LIFTABLE


def test_a_download_waits_for_the_words_by_which_its_holder_offers_it():
    offered = {"url": "https://data.example/", "quote": "Données à télécharger", "read_on": TODAY}
    for use in MINING:
        source = {"licence": "CC0-1.0", "download": True, "use": use}
        assert told(**source) == ("review", "download-not-offered")
        assert told(**source, offered=offered) == ("allow", "licence-allow")
    assert told(licence="CC0-1.0", download=True, use="redistribute") == ("allow", "licence-allow")
    assert "download-not-offered" not in LIFTABLE
