"""Auditing somebody else's licence table: classes of cells, lists, totals, the umbrella, and the command."""

import csv
import json
import os
import random

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.cli.rights_audit import command
from hemicycle.errors import DeclarationError
from hemicycle.rights.audit import CLASSES, as_object, audit
from hemicycle.rights.explanations import explanations
from hemicycle.rights.foreign import ForeignTable, Row
from hemicycle.rights.licences import Problem, check_expression, read_expression
from hemicycle.rights.names import guess, habits, read_name
from hemicycle.rights.policy import default_policy

POLICY = default_policy()
EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))

#: A table kept by hand, of the usual proportions: 145 rows, of which 82 are valid as they are written.
KEPT_BY_HAND = {
    "CC-BY-4.0": 30,
    "CC0-1.0": 15,
    "cc-by-sa-4.0": 10,
    "MIT": 9,
    "Apache-2.0": 8,
    "CC-BY-1.0": 5,
    "CC-BY-SA-3.0": 4,
    "CC-BY-NC-4.0": 1,
    "Unknown": 12,
    "Mixed": 6,
    "Other": 4,
    "dep. on country": 3,
    "OGD": 2,
    "government": 1,
    "NC": 1,
    "Mixed, CC-BY-SA, CC-BY-NC-SA, CC0": 1,
    "CC-BY-SA": 6,
    "CC-BY": 4,
    "odc-by": 4,
    "CC-BY-SA， CC-BY": 1,
    "PDM": 1,
    "Openrail": 1,
    "GPL": 1,
    "Apache 2.0": 4,
    "CC BY 4.0": 4,
    "Apache-2": 2,
    "CC0 1.0 Universal": 2,
    "MIT, CC-BY-4.0": 2,
    "Etalab Open License 2.0": 1,
}


def kept_by_hand():
    cells = [cell for cell, times in KEPT_BY_HAND.items() for _ in range(times)]
    random.Random(1789).shuffle(cells)
    rows = [Row(n, f"grenier-{n:03}", cell) for n, cell in enumerate(cells, 1)]
    return ForeignTable("License(s)", True, tuple(rows))


def table(*cells, umbrella=None):
    return ForeignTable("licence", True, tuple(Row(n, "", c) for n, c in enumerate(cells, 1)), umbrella)


def one(cell, umbrella=None):
    return audit(table(cell), POLICY, umbrella).cells[0]


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_habits_are_dated_and_what_they_name_exists():
    assert habits()["checked_on"] >= "2026-01-01"
    for name, meant in habits()["families"].items():
        assert name == name.lower(), name
        for identifier in meant:
            assert check_expression(identifier) is None, identifier


@pytest.mark.parametrize(
    ("written", "identifier"),
    [
        ("Apache 2.0", "Apache-2.0"),
        ("Apache-2", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("CC\u2011BY\u20114.0", "CC-BY-4.0"),
        ("by-nc-sa 4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY-SA-NC 4.0", "CC-BY-NC-SA-4.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("CC-BY-SA 3.0 IGO", "CC-BY-SA-3.0-IGO"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("CC0", "CC0-1.0"),
        ("Etalab Open License 2.0", "etalab-2.0"),
        ("Licence Ouverte / Open Licence 2.0", "etalab-2.0"),
        ("LO 2.0", "etalab-2.0"),
        ("PDM 1.0", "CC-PDM-1.0"),
        ("OGL v3", "OGL-UK-3.0"),
        ("ODC-BY 1.0", "ODC-By-1.0"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-3.0 or later", "GPL-3.0-or-later"),
        ("EUPL 1.1", "EUPL-1.1"),
        ("The MIT License", "MIT"),
        ("MIT License (MIT)", "MIT"),
        ("LGPL-LR", "LGPLLR"),
        ("Licence Ouverte v2.0 (Etalab)", "etalab-2.0"),
        ("CC-BY-4.0 (CC-BY)", "CC-BY-4.0"),
        ("Llama 3 community licence", "LicenseRef-llama-3-license-2024"),
        ("Meta Llama 3 Community License Agreement", "LicenseRef-llama-3-license-2024"),
        ("Llama 3.1 Community License", "LicenseRef-scancode-llama-3.1-license-2024"),
        ("domaine public", "LicenseRef-public-domain"),
        ("Tous droits réservés", "LicenseRef-all-rights-reserved"),
        ("https://creativecommons.org/licenses/by-sa/4.0/deed.fr", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
    ],
)
def test_one_licence_by_another_name_is_an_alias_with_the_name_to_write(written, identifier):
    cell = one(written)
    assert "alias" in cell.classes
    assert "valid" not in cell.classes
    assert cell.expression == identifier
    assert cell.suggestion == f"Write “{identifier}”."


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CC-BY-SA", "CC-BY-SA-4.0"),
        ("CC BY", "CC-BY-3.0"),
        ("odc-by", "ODC-By-1.0"),
        ("Apache", "Apache-2.0"),
        ("GPL", "GPL-2.0-or-later"),
        ("GPLv3", "GPL-3.0-or-later"),
        ("LGPL", "LGPL-2.1-only"),
        ("BSD", "BSD-3-Clause"),
        ("PDM", "CC-PDM-1.0"),
        ("Openrail", "LicenseRef-scancode-bigscience-open-rail-m"),
        ("Licence Ouverte", "etalab-2.0"),
        ("OGL 2.0", "OGL-Canada-2.0"),
        ("ODbL", "ODbL-1.0"),
        ("Gemma", "LicenseRef-scancode-gemma-tou-2024-04-01"),
    ],
)
def test_a_family_without_its_version_is_no_licence_yet(written, meant):
    cell = one(written)
    assert cell.classes == ("unversioned",)
    assert (cell.expression, cell.licences) == (None, ())
    assert set(cell.uses.values()) == {"deny"}
    assert meant in cell.suggestion


@pytest.mark.parametrize(
    "written",
    [
        *("Unknown", "Mixed", "Other", "OGD", "government", "see website", "TODO", "", "  ", "n/a", "-", "?"),
        *(
            "dep. on country",
            "depends on the country",
            "not specified",
            "Inconnu",
            "pas précisé",
            "cc",
            "Open",
        ),
        *(
            "per-file",
            "by title",
            "NOASSERTION",
            "none",
            "see paper, or ask the authors",
            "Unknown, see site",
        ),
    ],
)
def test_what_nobody_could_look_up_is_vague(written):
    cell = one(written)
    assert cell.classes == ("vague",)
    assert set(cell.uses.values()) == {"deny"}
    assert cell.suggestion


@pytest.mark.parametrize("written", ["CC-BY-1.0", "mit", "cc-by-sa-4.0", "MIT OR Apache-2.0", "LicenseRef-x"])
def test_an_expression_is_valid_without_regard_to_case(written):
    cell = one(written)
    assert (cell.classes, cell.suggestion) == (("valid",), None)


@pytest.mark.parametrize(
    ("written", "others"),
    [
        ("NC", {"vague"}),
        ("research only", {"vague"}),
        ("CC-BY-NC-4.0", {"valid"}),
        ("NCGL-UK-2.0", {"valid"}),
        ("PolyForm-Noncommercial-1.0.0", {"valid"}),
        ("CC BY-NC-SA", {"unversioned"}),
        ("MIT, CC BY-NC 4.0", {"list", "alias"}),
        ("free for non-commercial use", {"vague"}),
        ("Usage non commercial", {"vague"}),
        ("pas d'usage commercial", {"vague"}),
        ("Usage commercial interdit", {"vague"}),
        ("aucune utilisation commerciale", {"vague"}),
        ("https://creativecommons.org/licenses/by-nc-nd/3.0/fr/", {"other"}),
        ("CC-BY-NC-ND-3.0-FR", {"other"}),
    ],
)
def test_any_part_that_forbids_commerce_makes_the_cell_non_commercial(written, others):
    assert set(one(written).classes) == {"noncommercial"} | others


@pytest.mark.parametrize("written", ["NCSA", "Commercial", "concept licence", "MIT", "Roots dataset"])
def test_letters_that_only_look_like_it_do_not(written):
    assert "noncommercial" not in one(written).classes


@pytest.mark.parametrize(
    "written", ["Roots dataset", "Open Edition Books", "MIT-style", "A, B or C", "x" * 5000]
)
def test_a_name_that_is_not_known_is_other(written):
    cell = one(written)
    assert cell.classes == ("other",)
    assert cell.suggestion


# ── lists ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "expression"),
    [
        ("MIT, CC-BY-4.0", "CC-BY-4.0 AND MIT"),
        ("MIT； CC-BY-4.0", "CC-BY-4.0 AND MIT"),
        ("MIT / Apache-2.0", "Apache-2.0 AND MIT"),
        ("MIT & ISC + Zlib", "ISC AND MIT AND Zlib"),
        ("CC-BY-4.0 (data); MIT (code)", "CC-BY-4.0 AND MIT"),
        ("CC BY 4.0 et MIT", "CC-BY-4.0 AND MIT"),
        ("MIT or Apache 2.0", "Apache-2.0 OR MIT"),
        ("MIT, ISC ou Apache 2.0", "Apache-2.0 OR ISC OR MIT"),
        ("MIT or ISC, Apache 2.0", "Apache-2.0 AND ISC AND MIT"),
        ("GPL-3.0 or later, MIT", "GPL-3.0-or-later AND MIT"),
        ("GPL-2.0+, MIT", "GPL-2.0-or-later AND MIT"),
        ("MIT OR ISC, CC BY 4.0", "CC-BY-4.0 AND ISC AND MIT"),
    ],
)
def test_a_list_binds_as_a_whole_unless_it_says_or(written, expression):
    cell = one(written)
    assert "list" in cell.classes
    assert "valid" not in cell.classes
    assert cell.expression == expression


def test_a_family_beside_one_of_its_licences_is_another_part_unless_it_stands_in_brackets():
    assert one("CC-BY-4.0 (CC-BY)", umbrella="CC-BY-4.0").classes == ("alias",)
    for cell in ("CC-BY-4.0, CC-BY", "CC-BY (CC-BY-4.0), MIT", "CC-BY-4.0 (CC-BY-SA)", "MIT (CC-BY)"):
        assert "unversioned" in one(cell).classes


def test_an_address_whose_licence_is_not_known_is_named_as_it_stands_in_the_cell():
    cell = one("https://creativecommons.org/licenses/by-nc-nd/3.0/fr/", umbrella="etalab-2.0")
    assert "“https://creativecommons.org/licenses/by-nc-nd/3.0/fr/” is not known here." in cell.suggestion
    assert [(c.part, c.reason) for c in cell.contradicts] == [
        ("https://creativecommons.org/licenses/by-nc-nd/3.0/fr/", "release-nc")
    ]


@pytest.mark.parametrize("written", ["Foo Bar", "bogus licence", "Licence libre", "Our terms"])
def test_no_identifier_is_suggested_for_a_name_that_is_like_none(written):
    assert "Did you mean" not in f"{check_expression(written).remedy} {guess(written)}"


def test_a_list_with_a_part_that_is_no_licence_has_no_expression():
    cell = one("Mixed, CC-BY-SA, CC-BY-NC-SA, CC0")
    assert cell.classes == ("alias", "list", "unversioned", "vague", "noncommercial")
    assert (cell.expression, cell.licences) == (None, ("CC0-1.0",))
    assert cell.uses == {"train": "deny", "redistribute": "deny", "weights": "deny"}


def test_a_list_with_a_full_width_comma_is_one():
    assert one("CC-BY-SA， CC-BY").classes == ("list", "unversioned")


def test_verdicts_are_those_of_the_expression():
    assert one("Apache 2.0").uses["weights"] == "allow"
    assert one("MIT, GPL-3.0-only").uses == {"train": "review", "redistribute": "allow", "weights": "review"}


# ── totals ───────────────────────────────────────────────────────────────────────────────────────


def test_a_table_kept_by_hand_is_counted_as_by_hand():
    found = audit(kept_by_hand(), POLICY)
    assert len(found.cells) == 145
    assert found.totals() == {
        "valid": 82,
        "alias": 14,
        "list": 4,
        "unversioned": 19,
        "vague": 30,
        "noncommercial": 3,
        "other": 0,
        "contradictory": None,
    }
    assert [cell.classes for cell in found.cells if cell.cell == "CC-BY-1.0"] == [("valid",)] * 5


def test_under_a_share_alike_umbrella_every_row_that_is_no_licence_and_the_non_commercial_one_contradict():
    found = audit(kept_by_hand(), POLICY, "CC-BY-SA-4.0")
    # 30 vague, 19 unversioned of which one is also vague, and CC-BY-NC-4.0.
    assert found.totals()["contradictory"] == 30 + 19 - 1 + 1


# ── umbrellas ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "umbrella", "reasons"),
    [
        ("CC BY 4.0", "CC-BY-SA-4.0", []),
        ("CC-BY-SA-3.0", "cc-by-sa-4.0", []),
        ("CC-BY-SA-4.0", "Apache-2.0", ["release-same-licence"]),
        ("CC-BY-SA", "Apache-2.0", ["release-same-licence"]),
        ("CC-BY", "Apache-2.0", ["release-unversioned"]),
        ("CC BY-NC-SA", "CC-BY-SA-4.0", ["release-nc"]),
        ("NC", "CC-BY-4.0", ["release-nc"]),
        ("NC", "CC-BY-NC-4.0", ["release-unknown"]),
        ("Openrail", "MIT", ["release-own-licence-only"]),
        ("Unknown", "CC0-1.0", ["release-unknown"]),
        ("MIT or CC BY-NC 4.0", "MIT", []),
        ("MIT, CC BY-NC 4.0", "MIT", ["release-nc"]),
    ],
)
def test_a_row_contradicts_the_umbrella_or_it_does_not(written, umbrella, reasons):
    cell = one(written, umbrella)
    assert [c.reason for c in cell.contradicts] == reasons
    assert ("contradictory" in cell.classes) == bool(reasons)


def test_without_an_umbrella_nothing_is_said_of_contradictions():
    assert one("Unknown").contradicts is None


def test_what_a_card_declares_for_the_whole_is_its_umbrella_unless_another_is_given():
    parts = table("cc-by-sa-4.0", "CC BY-NC-SA 4.0", umbrella="cc-by-sa-4.0")
    assert audit(parts, POLICY).totals()["contradictory"] == 1
    assert audit(parts, POLICY, "CC-BY-NC-SA-4.0").totals()["contradictory"] == 1
    assert audit(table("MIT", umbrella="other"), POLICY).umbrella is None


def test_an_umbrella_that_is_no_expression_is_refused_with_what_was_meant():
    with pytest.raises(DeclarationError, match=r"Apache-2\.0"):
        audit(table("MIT"), POLICY, "Apache 2.0")


# ── whatever is in a cell ────────────────────────────────────────────────────────────────────────

PIECES = st.sampled_from(
    [
        *KEPT_BY_HAND,
        "(",
        ")",
        ",",
        " or ",
        " and ",
        "+",
        "/",
        ";",
        " ",
        "https://",
        "CC",
        "4.0",
        "v",
        "\x00",
        "GNU",
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.text(max_size=80) | st.lists(PIECES, max_size=12).map("".join), st.sampled_from([None, "CC-BY-4.0"])
)
def test_no_cell_makes_the_audit_fail_and_what_is_not_understood_is_denied(text, umbrella):
    cell = one(text, umbrella)
    spelling = set(cell.classes) & {"alias", "list", "unversioned", "vague", "other"}
    assert ("valid" in cell.classes) != bool(spelling)
    assert cell.classes == tuple(name for name in CLASSES if name in cell.classes)
    assert ("valid" in cell.classes) == (not isinstance(read_expression(text.strip()), Problem))
    assert (cell.suggestion is None) == ("valid" in cell.classes)
    if cell.expression is None:
        assert set(cell.uses.values()) == {"deny"}
    else:
        assert check_expression(cell.expression) is None
    assert all(c.reason in explanations() for c in cell.contradicts or ())
    json.dumps(as_object(audit(table(text), POLICY, umbrella), "x"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.text(max_size=60))
def test_no_text_makes_a_name_unreadable(text):
    assert read_name(text).text == text
    assert guess(text).endswith((".", "?"))


# ── the command ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "sheet.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "License(s)", "License URL"])
        writer.writerows([row.name, row.cell, ""] for row in kept_by_hand().rows)
    return path


def run(*words):
    return CliRunner().invoke(command, [str(word) for word in words])


def test_the_command_gives_one_object_with_totals_and_every_cell(sheet):
    done = run(sheet, "--umbrella", "CC-BY-SA-4.0", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (told["rows"], told["valid"], told["vague"], told["unversioned"]) == (145, 82, 30, 19)
    assert (told["noncommercial"], told["contradictory"], told["other"]) == (3, 49, 0)
    assert (told["column"], told["umbrella"]) == ("License(s)", "CC-BY-SA-4.0")
    row = next(cell for cell in told["cells"] if cell["cell"] == "CC BY 4.0")
    assert row["name"].startswith("grenier-")
    assert {key: value for key, value in row.items() if key not in ("row", "name")} == {
        "cell": "CC BY 4.0",
        "classes": ["alias"],
        "expression": "CC-BY-4.0",
        "licences": ["CC-BY-4.0"],
        "suggestion": "Write “CC-BY-4.0”.",
        "train": "allow",
        "redistribute": "allow",
        "weights": "allow",
        "contradicts": [],
    }


def test_the_command_says_which_column_it_took_and_lists_what_is_to_be_mended(sheet):
    done = run(sheet)
    assert "License(s)" in done.stderr
    assert "Write “etalab-2.0”." in done.stdout
    assert "CC-BY-1.0  [" not in done.stdout


def test_the_command_does_not_let_a_cell_move_the_cursor(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("name,licence\n\x1b[2Jx,\x1b[31mMIT\u202e\n", "utf-8")
    done = run(path)
    assert "\x1b[2J" not in done.output
    assert "\u202e" not in done.output


@pytest.mark.parametrize("flag", ["License(s)", "licence=", "colour=x", "=x"])
def test_a_column_flag_that_names_none_is_refused(sheet, flag):
    assert isinstance(run(sheet, "--column", flag).exception, DeclarationError)


def test_a_column_is_named_once(sheet):
    done = run(sheet, "--column", "licence=License(s)", "--column", "license=License URL")
    assert isinstance(done.exception, DeclarationError)
