"""The order of blocks on a page: column by column, between what runs across."""

from __future__ import annotations

import os
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.sources.columns import Box, gutter, reading_order, side_by_side

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def test_two_columns_under_a_heading_are_read_one_after_the_other():
    heading, foot = Box(0, 0, 100, 8), Box(0, 95, 100, 99)
    left = [Box(0, 10, 48, 40), Box(0, 42, 48, 90)]
    right = [Box(52, 10, 100, 40), Box(52, 42, 100, 90)]
    printed = [heading, left[0], right[0], left[1], right[1], foot]
    assert reading_order(printed) == [0, 1, 3, 2, 4, 5]


def test_three_columns_and_a_title_across_the_middle():
    across = Box(0, 50, 99, 55)
    above = [Box(34 * n, 0, 34 * n + 31, 45) for n in range(3)]
    below = [Box(34 * n, 60, 34 * n + 31, 95) for n in range(3)]
    printed = [below[2], above[1], across, below[0], above[0], above[2], below[1]]
    assert [printed[n] for n in reading_order(printed)] == [*above, across, *below]


def test_a_signature_to_the_right_below_a_short_line_is_no_column():
    printed = [Box(0, 0, 100, 10), Box(0, 12, 30, 20), Box(70, 24, 100, 30)]
    assert reading_order(printed) == [0, 1, 2]
    assert reading_order([printed[0], Box(70, 12, 100, 18), Box(0, 20, 30, 26)]) == [0, 1, 2]


def test_columns_that_reach_a_little_into_each_other_are_still_columns():
    left, right = [Box(0, 0, 50, 20), Box(0, 22, 49, 40)], [Box(48, 0, 100, 20), Box(51, 22, 100, 40)]
    assert reading_order([left[0], right[0], left[1], right[1]]) == [0, 2, 1, 3]


def test_without_a_box_the_order_of_the_file_stays():
    assert reading_order([Box(0, 50, 10, 60), None, Box(0, 0, 10, 10)]) == [0, 1, 2]


def test_lines_beside_each_other_are_seen():
    assert side_by_side([Box(0, 0, 40, 10), Box(50, 1, 90, 11)])
    assert not side_by_side([Box(0, 0, 40, 10), Box(50, 11, 90, 21)])


NUMBERS = st.integers(0, 60)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), NUMBERS, NUMBERS, NUMBERS, NUMBERS)))
def test_every_box_is_read_once_and_an_ordered_page_stays(boxes):
    order = reading_order(boxes)
    assert sorted(order) == list(range(len(boxes)))
    again = [boxes[n] for n in order]
    assert [again[n] for n in reading_order(again)] == again


def row(y: int, *places: tuple[int, int]) -> list[Box]:
    return [Box(left, y, right, y + 10) for left, right in places]


def test_a_block_read_straight_through_two_columns_is_cut_between_them():
    rows = [row(20 * n, (0, 20), (24, 45 - n), (60 + n, 80), (84, 100)) for n in range(3)]
    cut = gutter(rows)
    assert cut is not None
    assert 45 < cut < 60
    assert gutter(rows[:1]) is None, "one line may have a gap"
    assert gutter(rows[:1], [52.0]) == 52.5, "but not where the page is cut"


def test_a_list_with_its_figures_and_close_words_are_not_cut():
    assert gutter([row(20 * n, (0, 20), (24, 45), (80, 90)) for n in range(4)]) is None
    assert gutter([row(20 * n, (0, 20), (24, 45), (50, 70), (74, 90)) for n in range(4)]) is None
    assert gutter([]) is None


def seconds(words: int) -> float:
    """To look for a gutter in two lines with a strip behind each word, none of which parts prose from prose:
    strips grow, so the widest is tried first and all the others after it."""
    places, x = [], 0
    for n in range(words):
        places.append((x, x + 10))
        x += 30 + n
    # Single words on lines of their own make every side short of words.
    rows = [row(0, *places), *(row(20 * n, (0, 10)) for n in range(1, words))]
    begin = time.process_time()
    assert gutter(rows) is None
    return time.process_time() - begin


def test_a_block_with_a_strip_behind_each_word_takes_time_in_proportion():
    few = min(seconds(1_000) for _ in range(3))
    assert min(seconds(16_000) for _ in range(3)) < 64 * few, "the square would be 256 times the time"


def test_of_many_cuts_of_a_page_the_one_in_the_strip_is_found():
    rows = [row(0, (0, 20), (24, 45), (60, 80), (84, 100))]
    assert gutter(rows, [float(n) for n in range(200, 5_000)]) is None
    assert gutter(rows, [-1.0, 45.5, *(float(n) for n in range(200, 5_000))]) == 52.5
