"""The long s: letters become letters, an f is changed only where its word says so; all can be undone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hemicycle.sources.long_s import mend, plain_letters, undo

OLD = "C'eft ainfi que les tems font durs, & on préfent auffi au Roi françois ; il étoit préfent. Fes loix."


def test_long_s_and_ligatures_are_letters_and_oe_stays():
    assert plain_letters("Aſſemblée, ﬁn, ﬂeur, aﬃche, cœur") == "Assemblée, fin, fleur, affiche, cœur"


def test_words_that_are_none_are_put_right_and_spelling_stays():
    text, changes = mend(OLD)
    assert text == (
        "C'est ainsi que les tems font durs, & on préfent aussi au Roi françois ; il étoit préfent. Ses loix."
    )
    assert [change.before for change in changes] == ["eft", "ainfi", "auffi", "Fes"]
    assert undo(text, changes) == OLD


def test_the_document_says_which_word_is_meant():
    text, _ = mend(f"{OLD} Il est présent, présent et présent.")
    assert "étoit présent" in text
    assert "préfent" not in text


def test_words_of_both_letters_stay():
    both = "C'eft auffi ainfi : ils sont, sont, sont ; ils font le fait qu'on sait, sait, sait."
    assert mend(both)[0].endswith("ils sont, sont, sont ; ils font le fait qu'on sait, sait, sait.")


def test_a_text_that_is_not_misread_is_not_touched():
    text = "Il fit une affaire ; c'eft une faute."
    assert mend(text) == (text, ())


@given(
    st.lists(st.sampled_from(["eft", "auffi", "Ainfi", "FES", "préfent", "présent", "fait", "İf", "ﬁ", "."]))
)
def test_whatever_is_changed_can_be_undone(words):
    text = " ".join(words)
    mended, changes = mend(text)
    assert len(mended) == len(text)
    assert undo(mended, changes) == text
    assert mended.lower().replace("f", "s") == text.lower().replace("f", "s")
