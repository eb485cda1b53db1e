"""Numbers and their nouns, as the command line writes them."""

from hemicycle.cli.tables import at_steps, counted


def test_one_is_no_plural_and_one_step_no_range():
    assert [counted(n, "word", "words") for n in (0, 1, 2_000)] == ["0 words", "1 word", "2 000 words"]
    assert at_steps(35, 35) == "at step 35"
    assert at_steps(1, 1_046) == "at steps 1–1 046"
