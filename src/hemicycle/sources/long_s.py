"""The long s of old print, and the f that recognition makes of it. Spelling is never touched.

``ſ`` is an s and becomes one, ligatures become their letters (œ and æ are letters of their own and stay).
« Tems », « françois », « étoit » stay as they are.

The trap is the f: « eft » is *est*, but « fait » is a word, and « font » may be *sont*. A word is changed
only if it says itself what it is: by the short list of forms that are no French words, or where the document
also has the word with its s, at least as often, and the form with f is no common word. And only in a document
that misreads the letter at all (`SIGNS_OF_IT` words of the list), which its reader knows to be printed before
1800. An s at the end of a word was never long, so an f there is one. Every change keeps the length of the
text and is listed, so that `undo` gives the text back.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LIGATURES = str.maketrans(
    {"ſ": "s", "ﬅ": "st", "ﬆ": "st", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"}
)

#: Words of `_MISREAD` that a document must hold before anything is changed in it.
SIGNS_OF_IT = 3

#: Forms that are no words, and what they are misread from.
_MISREAD = {
    "eft": "est", "fes": "ses", "fe": "se", "fi": "si", "fon": "son", "fans": "sans", "auffi": "aussi",
    "ainfi": "ainsi", "fouvent": "souvent", "puiffance": "puissance",
    "puiffe": "puisse", "prefque": "presque", "lorfque": "lorsque", "puifque": "puisque", "jufque": "jusque",
    "jufqu": "jusqu", "lorfqu": "lorsqu", "puifqu": "puisqu", "chofe": "chose", "chofes": "choses",
    "foit": "soit", "feroit": "seroit", "feront": "seront", "perfonne": "personne",
    "perfonnes": "personnes", "juftice": "justice", "fuivant": "suivant", "fujet": "sujet", "plufieurs":
    "plusieurs", "affemblée": "assemblée", "meffieurs": "messieurs", "monfieur": "monsieur",
    "raifon": "raison", "caufe": "cause", "fociété": "société", "befoin": "besoin", "inftant": "instant",
    "hiftoire": "histoire", "efprit": "esprit", "conftitution": "constitution", "confeil": "conseil",
    "fyftême": "systême", "ufage": "usage", "fecond": "second", "feul": "seul", "feule": "seule",
    "pofer": "poser", "laiffer": "laisser", "paffer": "passer", "fentiment": "sentiment",
}  # fmt: skip

#: Words with an f that also have a neighbour with an s; which of the two is meant, letters cannot say.
_AMBIGUOUS = frozenset(
    """
    fa fer fers feu feux fin fins foi fois fou fous font fond fonds fort forts fut fût fait faits faire faut
    faux fur fiers fier fille filles fils figne feint feinte foin soin fonder fauve fauver fente fentes fera
    feras ferai ferez ferons fuite fuites fauteur fauteurs foule faine feins fausse feuil faveur faveurs
    défunt défaut offert offrir affaire affaires effet effets enfant enfants enfin
    """.split()
)
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Change:
    """One word that was changed: where it begins in the text, and what stood there."""

    start: int
    before: str


def plain_letters(text: str) -> str:
    """Long s and typographic ligatures as the letters they stand for."""
    return text.translate(LIGATURES)


def corrections(words: Mapping[str, int]) -> dict[str, str]:
    """For words in lower case with their counts: which are misread, and what they are."""
    if sum(words.get(word, 0) for word in _MISREAD) < SIGNS_OF_IT:
        return {}
    found = {word: right for word, right in _MISREAD.items() if word in words}
    for word, count in words.items():
        if "f" not in word[:-1] or word in found or word in _AMBIGUOUS or len(word) > 30:
            continue
        better = {w for w in _readings(word) if words.get(w, 0) >= count and w not in _MISREAD}
        if len(better) == 1:
            found[word] = better.pop()
    return found


def _readings(word: str) -> Iterable[str]:
    """The word with some of its f read as s; of a pair, both. At most four places are tried."""
    places = [match.span() for match in re.finditer(r"f+", word) if match.end() < len(word)][:4]
    for chosen in range(1, 1 << len(places)):
        letters = list(word)
        for number, (start, end) in enumerate(places):
            if chosen >> number & 1:
                letters[start:end] = "s" * (end - start)
        yield "".join(letters)


def mend(text: str) -> tuple[str, tuple[Change, ...]]:
    """The text with misread long s put right, and the list of changes. Its length stays."""
    right = corrections(Counter(word.lower() for word in _WORD.findall(text)))
    changes: list[Change] = []

    def word(match: re.Match[str]) -> str:
        known = right.get(match[0].lower())
        if known is None or len(known) != len(match[0]):
            return match[0]
        changes.append(Change(match.start(), match[0]))
        return "".join(
            ("S" if old == "F" else "s") if new == "s" and old in "fF" else old
            for old, new in zip(match[0], known, strict=True)
        )

    return (_WORD.sub(word, text) if right else text), tuple(changes)


def undo(text: str, changes: Iterable[Change]) -> str:
    """The text as it was before `mend`."""
    out = list(text)
    for change in changes:
        out[change.start : change.start + len(change.before)] = change.before
    return "".join(out)
