"""The ways in which copies of one French text differ without differing in words."""

import re
import textwrap
import unicodedata


def typographic(text: str) -> str:
    text = text.replace("'", "’")
    return re.sub(r" (?=[:;!?»])|(?<=«) ", "\u00a0", text)


def rewrapped(text: str) -> str:
    return textwrap.fill(text, 30, break_on_hyphens=False)


def ligatures(text: str) -> str:
    return text.replace("ffl", "ﬄ").replace("ff", "ﬀ").replace("fi", "ﬁ")


def unaccented_capitals(text: str) -> str:
    return text.upper().translate(str.maketrans("ÀÂÇÉÈÊÎÏÔÛ", "AACEEEIIOU"))


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def softly_hyphenated(text: str) -> str:
    return re.sub(r"(?<=[a-zé]{3})(?=[a-z]{3})", "\u00ad", text)


def every_other_sentence_in_capitals(text: str) -> str:
    sentences = text.split(". ")
    return ". ".join(s.upper() if i % 2 else s for i, s in enumerate(sentences))


def all_of_them(text: str) -> str:
    for edit in (softly_hyphenated, typographic, ligatures, unaccented_capitals, rewrapped, decomposed):
        text = edit(text)
    return text


EDITS = (
    typographic,
    rewrapped,
    every_other_sentence_in_capitals,
    str.upper,
    ligatures,
    unaccented_capitals,
    decomposed,
    softly_hyphenated,
)
