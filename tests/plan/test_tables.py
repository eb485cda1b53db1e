"""The dated tables: each figure has a source and the day on which somebody last looked."""

import csv
from datetime import date
from pathlib import Path

import pytest

import hemicycle.arithmetic
import hemicycle.plan

ROOMS = [Path(room.__file__).parent for room in (hemicycle.arithmetic, hemicycle.plan)]
TABLES = sorted(path for room in ROOMS for path in room.glob("*.csv") if path.name != "wording.csv")


def test_all_tables_are_looked_at():
    assert {path.stem for path in TABLES} >= {"chips", "factors", "laws", "prices", "pue", "runs", "shares"}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_has_a_source_and_a_day_that_has_been(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert len(row["source"].strip()) > 5
        # The project is no older.
        assert date(2026, 1, 1) <= date.fromisoformat(row["checked_on"]) <= date.today()
