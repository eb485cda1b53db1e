"""Words divided at the end of a line, made whole again: « ques-\\ntions » is « questions ».

The trap is the hyphen that belongs to the word: « peut-\\nêtre » and « vice-\\nprésident » lose it under any
rule that only joins, and a word wrongly joined is one that no reader would know. What decides is, in this
order:

1. the sign: ``¬`` and the soft hyphen only ever divide;
2. a short list of compounds, then the document itself: the form that stands elsewhere in it, not divided;
3. the shape: an inverted pronoun behind a known word (« dit-\\nil »), a capital behind a name
   (« Seine-\\nInférieure »), figures on both sides (« 1789-\\n1790 ») keep the hyphen;
4. else the word is joined: most hyphens at the end of a line are the printer's.

A word is put on the line it begins on, so that lines stay lines and can be told apart by page. Nothing but
hyphens and white space is ever taken away, and what has been mended is not mended a second time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

#: Signs of division. The first and the last are also hyphens of words.
SIGNS = "-¬\u00ad\u2010"
_ONLY_DIVIDE = "¬\u00ad"

_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")

#: A piece of a word on either side of a division. Longer runs of letters are no words.
_PIECE = r"[^\W_]{1,60}(?:[-\u2010][^\W_]{1,60}){0,3}"
_FIRST = re.compile(rf"(?<![^\W_])({_PIECE})([{SIGNS}])$")
_SECOND = re.compile(rf"\s*({_PIECE})(?![^\W_])")
_WINDOW = 250

COMPOUNDS = frozenset(
    """
    peut-être c'est-à-dire est-à-dire vis-à-vis au-dessus au-dessous au-delà au-dehors au-dedans au-devant
    là-dessus là-dessous là-bas là-haut ci-dessus ci-dessous ci-après ci-devant ci-joint ci-contre ci-inclus
    par-dessus par-dessous par-delà par-devant par-là avant-hier après-demain après-midi avant-garde
    arrière-garde arrière-pensée contre-amiral contre-projet contre-proposition vice-président vice-amiral
    sous-préfet sous-secrétaire sous-lieutenant sous-officier sous-préfecture procès-verbal procès-verbaux
    chef-lieu chefs-lieux demi-heure non-seulement non-lieu quelques-uns quelques-unes sur-le-champ
    tout-à-fait tout-à-coup long-temps pot-de-vin hors-d'œuvre chef-d'œuvre grand-père grand-mère
    gardes-nationales états-généraux états-unis grande-bretagne ex-ministre ex-président ex-préfet plus-value
    laissez-passer sauf-conduit mot-à-mot dix-sept dix-huit dix-neuf vingt-deux vingt-trois vingt-quatre
    vingt-cinq vingt-six vingt-sept vingt-huit vingt-neuf quatre-vingt quatre-vingts quatre-vingt-dix
    """.split()
)

#: What stands behind a hyphen without being a word of its own.
_CLITICS = frozenset(
    """
    je tu il elle on nous vous ils elles ce moi toi lui leur y en le la les ci là même mêmes
    t-il t-elle t-on t-ils t-elles
    """.split()
)
_BEFORE_CLITICS = frozenset("celui celle ceux celles lui elle eux moi toi soi nous vous elles cet".split())
_PREFIXES = frozenset("vice demi quasi saint sainte outre arrière mi non".split())


def lexicon(lines: Iterable[str]) -> Counter[str]:
    """How often each word stands whole in some lines, in lower case; halves of divided words are no words."""
    found: Counter[str] = Counter()
    divided = False
    for line in lines:
        stripped = line.strip()
        if not stripped:
            continue
        words = [match[0].casefold() for match in _WORD.finditer(stripped)]
        if divided:
            words = words[1:]
        divided = stripped[-1] in SIGNS
        found.update(words[:-1] if divided else words)
    return found


def keeps_hyphen(first: str, second: str, known: Mapping[str, int]) -> bool:
    """Whether the hyphen between two halves of a word at a line end belongs to the word."""
    joined, hyphened = (first + second).casefold(), f"{first}-{second}".casefold()
    if hyphened in COMPOUNDS:
        return True
    whole, apart = known.get(joined, 0), known.get(hyphened, 0)
    if whole or apart:
        return apart > whole
    if first[-1].isdigit() and second[0].isdigit():
        return True
    before, after = first.casefold().rpartition("-")[2], second.casefold()
    if after in _CLITICS and (before in _BEFORE_CLITICS or before == "t" or known.get(before, 0) > 0):
        return True
    if before in _PREFIXES and known.get(after, 0) > 0:
        return True
    return second[0].isupper() and not first[-1].isupper()


def mend(
    lines: Sequence[str], known: Mapping[str, int], said: Mapping[int, str] | None = None
) -> tuple[list[str], list[int]]:
    """The lines with every divided word on the line it begins on; a line that had no more is left empty.

    Also returned, one for each word: the number of the line that its second half was taken from.

    Args:
        known: the words of the document (`lexicon`).
        said: what the producer says of the word that a line ends with: the whole word, or the empty string
            where its second half is missing.
    """
    out, taken = list(lines), []
    before = ends = None
    for number in range(len(out)):
        if not out[number].strip():
            continue
        if before is not None and ends is not None:
            word = (said or {}).get(ends)
            while joined := _joined(out[before], out[number], known, word):
                out[before], out[number] = joined
                taken.append(number)
        ends = number
        if out[number].strip():
            before = number
    return out, taken


def _joined(line: str, following: str, known: Mapping[str, int], said: str | None) -> tuple[str, str] | None:
    """Both lines after the word between them is whole; None where there is none."""
    line = line.rstrip()
    if said == "" or not line or line[-1] not in SIGNS:
        return None
    first = _FIRST.search(line, max(0, len(line) - _WINDOW))
    second = _SECOND.match(following)
    if not first or not second or not _one_word(first[1], second[1]):
        return None
    keep = first[2] not in _ONLY_DIVIDE and _kept(first[1], second[1], known, said)
    tail = re.match(r"\S*", following[second.end() :])
    behind = second.end() + (tail.end() if tail else 0)
    word = f"{first[1]}{'-' if keep else ''}{second[1]}"
    return line[: first.start()] + word + following[second.end() : behind], following[behind:].lstrip()


def _kept(first: str, second: str, known: Mapping[str, int], said: str | None) -> bool:
    if said and _letters(said).endswith(_letters(first + second)):
        return f"{first}-{second}".casefold() in said.casefold()
    return keeps_hyphen(first, second, known)


def _letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word).casefold()


def _one_word(first: str, second: str) -> bool:
    """Whether two pieces may be one word at all: no figure and a word, no half and a name."""
    if first[-1].isdigit() != second[0].isdigit():
        return False
    return second[0].islower() or second[0].isdigit() or (first[0].isupper() and len(first) > 1)


def close_inner(text: str, known: Mapping[str, int]) -> str:
    """A text whose line ends are lost, with the hyphens that stood at them taken out: « rap-ports ».

    Only where the whole word stands elsewhere in the document, no less often than with its hyphen.
    """

    def word(match: re.Match[str]) -> str:
        first, second = match[1], match[2]
        spaced = match[0] != f"{first}-{second}"
        whole, apart = known.get((first + second).casefold(), 0), known.get(f"{first}-{second}".casefold(), 0)
        kept = f"{first}-{second}".casefold() in COMPOUNDS or second.casefold() in _CLITICS
        return match[0] if kept or whole < max(1, 0 if spaced else apart) else first + second

    return re.sub(r"(?<![\w-])([^\W\d_]{2,60}) ?- ?([^\W\d_]{2,60})(?![\w-])", word, text)
