"""Measures: what is known of a text's quality, as numbers; no number is good or bad here.

A measure has a name, perhaps an argument (`duplicate_ngrams(5)`), and one line that says what it is. All
measures of all texts are computed at once, over the words and lines of the batch, and stored under their
names: rules put bounds on them later, and a bound is moved without reading a text again.

Names and definitions are datatrove's where it has the measure, denominators included. A share of nothing (of
the words of a text without words) is no number, NaN, and breaks whatever bound is put on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.curate import lines, repeats, vocabulary
from hemicycle.curate.lines import count_lines
from hemicycle.curate.ngrams import DUPLICATE_SIZES, TOP_SIZES, repeated_characters
from hemicycle.curate.repeats import count_repeats
from hemicycle.curate.vocabulary import count_words
from hemicycle.curate.words import WORDS, Bytes, Definition, Places, Words, split_words, text_buffers

#: Another number: another value of some measure for the same text and the same words.
MEASURES_VERSION = 1

#: Of a longer text only so many bytes from its beginning are measured: more tells nothing new of its quality,
#: and a text of gigabytes must not take the memory of all its words.
MEASURED_BYTES = 16 << 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Everything counted of a batch, one row a text."""

    line: npt.NDArray[np.int64]
    word: npt.NDArray[np.int64]
    repeat: npt.NDArray[np.int64]
    top: npt.NDArray[np.int64]
    duplicate: npt.NDArray[np.int64]

    def __getitem__(self, name: str) -> Floats:
        """A column by the name of its count, of the lines where no ``word.`` or ``repeat.`` stands before."""
        table, _, count = name.rpartition(".")
        if table == "word":
            return self.word[:, vocabulary.Count[count]].astype(np.float64)
        if table == "repeat":
            return self.repeat[:, repeats.Count[count]].astype(np.float64)
        return self.line[:, lines.Count[count]].astype(np.float64)


@dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        en, fr: what it is, in one line.
        arguments: the arguments it is taken with; none for a measure without.
    """

    name: str
    en: str
    fr: str
    arguments: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names its values are stored under."""
        return tuple(f"{self.name}({a})" for a in self.arguments) if self.arguments else (self.name,)


@dataclass(frozen=True)
class Counted(Measure):
    """A measure for which words and lines suffice; `compute` takes it of the counts of a batch and the
    argument."""

    compute: Callable[[Counts, str], Floats]


def _share(part: Floats, whole: Floats) -> Floats:
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _one(name: str) -> Callable[[Counts, str], Floats]:
    return lambda counts, _: counts[name]


def _ratio(part: str, whole: str) -> Callable[[Counts, str], Floats]:
    return lambda counts, _: _share(counts[part], counts[whole])


def _top(counts: Counts, argument: str) -> Floats:
    return _share(counts.top[:, TOP_SIZES.index(int(argument))].astype(np.float64), counts["CHARACTERS"])


def _duplicate(counts: Counts, argument: str) -> Floats:
    return _share(
        counts.duplicate[:, DUPLICATE_SIZES.index(int(argument))].astype(np.float64), counts["CHARACTERS"]
    )


def _without(part: str, whole: str) -> Callable[[Counts, str], Floats]:
    """The share of those without the part."""
    return lambda counts, _: _share(counts[whole] - counts[part], counts[whole])


_MEASURES = (
    # How much there is
    Counted("characters", "Characters (code points).", "Caractères (points de code).", _one("CHARACTERS")),
    Counted(
        "words",
        "Words that are not signs only; an elision (l') is a word.",
        "Mots qui ne sont pas que des signes ; une élision (l') est un mot.",
        _one("word.WORDS"),
    ),
    Counted(
        "sentences",
        "Ends of sentences: . ! ? … after a letter and before a space; an abbreviation counts.",
        "Fins de phrase : . ! ? … après une lettre et avant une espace ; une abréviation compte.",
        _one("SENTENCES"),
    ),
    # Words
    Counted(
        "mean_word_length",
        "Mean length, in characters, of the words that are not signs only.",
        "Longueur moyenne, en caractères, des mots qui ne sont pas que des signes.",
        _ratio("word.WORD_CHARACTERS", "word.WORDS"),
    ),
    Counted(
        "longest_word",
        "Characters of the longest stretch without a space.",
        "Caractères de la plus longue suite sans espace.",
        _one("LONGEST_UNSPACED"),
    ),
    Counted(
        "words_with_letter",
        "Share of all words, signs too, that have a letter.",
        "Part de tous les mots, signes compris, qui ont une lettre.",
        _ratio("word.WITH_LETTER", "word.ALL"),
    ),
    Counted(
        "stop_words",
        "How many different stop words of a short list there are (fr: 18 of FineWeb-2; en: 8 of Gopher).",
        "Combien de mots vides différents d'une liste courte figurent (fr : 18, FineWeb-2 ; en : 8, Gopher).",
        lambda counts, language: counts[f"word.STOP_{language.upper()}"],
        arguments=("fr", "en"),
    ),
    Counted(
        "french_share",
        "Share of the words that are French function words (le, de, qui, ne …).",
        "Part des mots qui sont des mots grammaticaux français (le, de, qui, ne…).",
        _ratio("word.FRENCH", "word.WORDS"),
    ),
    # Characters
    Counted(
        "letter_share",
        "Share of letters among the characters that are not spaces.",
        "Part des lettres parmi les caractères autres que les espaces.",
        _ratio("LETTERS", "VISIBLE"),
    ),
    Counted(
        "digit_share",
        "Share of digits among the characters that are not spaces.",
        "Part des chiffres parmi les caractères autres que les espaces.",
        _ratio("DIGITS", "VISIBLE"),
    ),
    Counted(
        "symbol_share",
        "Hashes and ellipses, for each word that is not signs only.",
        "Dièses et points de suspension, par mot qui n'est pas que des signes.",
        lambda counts, _: _share(counts["HASHES"] + counts["ELLIPSES"], counts["word.WORDS"]),
    ),
    Counted(
        "hashes_per_word",
        "Hash signs, for each word, signs too.",
        "Dièses par mot, signes compris.",
        _ratio("HASHES", "word.ALL"),
    ),
    Counted(
        "ellipses_per_word",
        "Ellipses (… or three dots), for each word, signs too.",
        "Points de suspension (… ou trois points) par mot, signes compris.",
        _ratio("ELLIPSES", "word.ALL"),
    ),
    Counted("curly_brackets", "Opening curly brackets.", "Accolades ouvrantes.", _one("CURLY")),
    Counted(
        "bracketed_share",
        "Share of the visible characters that stand in round or square brackets, within a line.",
        "Part des caractères visibles qui sont entre parenthèses ou crochets, dans une ligne.",
        _ratio("BRACKETED", "VISIBLE"),
    ),
    # Lines
    Counted(
        "bullet_lines",
        "Share of all lines that begin with • or -.",
        "Part de toutes les lignes qui commencent par • ou -.",
        _ratio("BULLET_LINES", "LINES"),
    ),
    Counted(
        "ellipsis_lines",
        "Share of all lines that end in an ellipsis.",
        "Part de toutes les lignes qui finissent par des points de suspension.",
        _ratio("ELLIPSIS_LINES", "LINES"),
    ),
    Counted(
        "lines_ending_in_punctuation",
        "Share of the lines that are not empty that end in a mark which ends sentences (. ! ? …).",
        "Part des lignes non vides qui finissent par une marque de fin de phrase (. ! ?).",
        _ratio("ENDED_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "short_lines",
        f"Share of the lines that are not empty that have at most {lines.SHORT} characters.",
        f"Part des lignes non vides qui ont au plus {lines.SHORT} caractères.",
        _ratio("SHORT_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "newlines_per_word",
        "Line ends, for each word, signs too.",
        "Fins de ligne par mot, signes compris.",
        _ratio("NEWLINES", "word.ALL"),
    ),
    Counted(
        "lines_without_end_mark",
        "Share of the lines that are not empty that do not end in . ? ! \" ' or », or end in three dots.",
        "Part des lignes non vides qui ne finissent pas par . ? ! \" ' ou », ou finissent par trois points.",
        _without("MARKED_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "lines_of_few_words",
        f"Share of the lines that are not empty that have fewer than {lines.FEW_WORDS} words between spaces.",
        f"Part des lignes non vides qui ont moins de {lines.FEW_WORDS} mots entre espaces.",
        _ratio("FEW_WORD_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "javascript_lines",
        "Share of the lines that are not empty that hold “javascript”.",
        "Part des lignes non vides où figure « javascript ».",
        _ratio("JAVASCRIPT_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "policy_lines",
        "Share of the lines that are not empty that speak of terms of use, privacy policies or cookies.",
        "Part des lignes non vides qui parlent de conditions d'utilisation, de vie privée ou de cookies.",
        _ratio("POLICY_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "lorem_ipsum",
        "Lines that hold “lorem ipsum”.",
        "Lignes où figure « lorem ipsum ».",
        _one("LOREM_IPSUM"),
    ),
    Counted(
        "c4_lines",
        "Share of the lines that are not empty that C4 would keep.",
        "Part des lignes non vides que C4 garderait.",
        _ratio("C4_LINES", "VISIBLE_LINES"),
    ),
    Counted(
        "c4_sentences",
        "Ends of sentences in the lines that C4 would keep.",
        "Fins de phrase dans les lignes que C4 garderait.",
        _one("C4_SENTENCES"),
    ),
    # Repetition
    Counted(
        "duplicate_lines",
        "Share of the lines that repeat an earlier one; runs of line ends count as one.",
        "Part des lignes qui répètent une ligne précédente ; des fins de ligne à la suite comptent pour une.",
        _ratio("repeat.DUPLICATE_PIECES", "repeat.PIECES"),
    ),
    Counted(
        "duplicate_line_characters",
        "Characters of the lines that repeat an earlier one, of all characters.",
        "Caractères des lignes qui répètent une ligne précédente, parmi tous les caractères.",
        _ratio("repeat.DUPLICATE_PIECE_CHARACTERS", "CHARACTERS"),
    ),
    Counted(
        "duplicate_line_characters_without_breaks",
        "Characters of the lines that are not empty and repeat an earlier one, of all but line ends.",
        "Caractères des lignes non vides qui en répètent une précédente, parmi tous sauf les fins de ligne.",
        lambda counts, _: _share(
            counts["repeat.DUPLICATE_VISIBLE_CHARACTERS"], counts["CHARACTERS"] - counts["NEWLINES"]
        ),
    ),
    Counted(
        "duplicate_paragraphs",
        "Share of the paragraphs (between empty lines) that repeat an earlier one.",
        "Part des paragraphes (entre lignes vides) qui répètent un paragraphe précédent.",
        _ratio("repeat.DUPLICATE_PARAGRAPHS", "repeat.PARAGRAPHS"),
    ),
    Counted(
        "duplicate_paragraph_characters",
        "Characters of the paragraphs that repeat an earlier one, of all characters.",
        "Caractères des paragraphes qui répètent un paragraphe précédent, parmi tous les caractères.",
        _ratio("repeat.DUPLICATE_PARAGRAPH_CHARACTERS", "CHARACTERS"),
    ),
    Counted(
        "top_ngram",
        "Characters of the most frequent sequence of so many words (signs too), of all characters.",
        "Caractères de la plus fréquente suite de tant de mots (signes compris), parmi tous les caractères.",
        _top,
        arguments=tuple(map(str, TOP_SIZES)),
    ),
    Counted(
        "duplicate_ngrams",
        "Characters in sequences of so many words (signs too) that stood before, of all characters.",
        "Caractères des suites de tant de mots (signes compris) déjà vues, parmi tous les caractères.",
        _duplicate,
        arguments=tuple(map(str, DUPLICATE_SIZES)),
    ),
    # Text out of a scanner
    Counted(
        "vowelless_words",
        "Share of the words with a letter that have three letters or more, not all capitals, and no vowel.",
        "Part des mots à lettres qui ont trois lettres ou plus, pas toutes capitales, et aucune voyelle.",
        _ratio("word.VOWELLESS", "word.WITH_LETTER"),
    ),
    Counted(
        "isolated_letters",
        "Share of the words with a letter that are one letter, no word by itself and no abbreviation.",
        "Part des mots à lettres qui sont une lettre seule, ni mot ni abréviation.",
        _ratio("word.ISOLATED", "word.WITH_LETTER"),
    ),
    Counted(
        "mixed_words",
        "Share of the words with a letter in which a digit follows a letter (l0i), save 20h30 and 2e.",
        "Part des mots à lettres où un chiffre suit une lettre (l0i), sauf 20h30 et 2e.",
        _ratio("word.MIXED", "word.WITH_LETTER"),
    ),
    Counted(
        "unlikely_runs",
        "Four times one letter, six consonants, or an odd sign between letters, for each word with a letter.",
        "Quatre fois une lettre, six consonnes, ou un signe étrange entre lettres, par mot à lettres.",
        _ratio("word.UNLIKELY", "word.WITH_LETTER"),
    ),
    Counted(
        "hyphen_lines",
        "Share of the lines that are not empty that end in a hyphen: words still cut at line ends.",
        "Part des lignes non vides qui finissent par un trait d'union : mots encore coupés.",
        _ratio("HYPHEN_LINES", "VISIBLE_LINES"),
    ),
    # Speech
    Counted(
        "fillers",
        "Share of the words that are fillers (euh, ben, hein …).",
        "Part des mots qui sont des hésitations (euh, ben, hein…).",
        _ratio("word.FILLERS", "word.WORDS"),
    ),
    Counted(
        "repeated_words",
        "Share of the words that repeat the word before them (“nous nous” and “vous vous” do not count).",
        "Part des mots qui répètent le mot précédent (« nous nous » et « vous vous » ne comptent pas).",
        _ratio("word.REPEATED", "word.WORDS"),
    ),
    Counted(
        "timecode_lines",
        "Share of the lines that are not empty that hold a time code (00:00:00).",
        "Part des lignes non vides où figure un code temporel (00:00:00).",
        _ratio("TIMECODE_LINES", "VISIBLE_LINES"),
    ),
)


#: Measures that need more than words and lines; `annotate` takes them.
_OF_SCANS = (
    Measure(
        "ocr_quality",
        "How much the text looks like print that was read right, 0 to 1, by its runs of three letters.",
        "Combien le texte ressemble à un imprimé bien reconnu, de 0 à 1, par ses suites de trois lettres.",
    ),
    Measure(
        "confidence",
        "How sure the recognition of print was of its words, 0 to 1; missing where nothing was recognised.",
        "Confiance moyenne de la reconnaissance dans ses mots, de 0 à 1 ; absente d'un texte non numérisé.",
    ),
)

_OF_LANGUAGE = (
    Measure(
        "language_confidence",
        "How sure the model is of the main language, 0 to 1.",
        "Confiance du modèle dans la langue principale, de 0 à 1.",
    ),
    Measure(
        "language_share",
        "Share of the characters in the main language; below 1 the text is mixed.",
        "Part des caractères dans la langue principale ; sous 1, le texte est mêlé.",
    ),
    Measure(
        "languages",
        "How many languages there are.",
        "Combien de langues s'y trouvent.",
    ),
    Measure(
        "foreign_share",
        "Share of the characters in another language than the source declares.",
        "Part des caractères dans une autre langue que celle que la source déclare.",
    ),
    Measure(
        "language_contradicted",
        "1 where the main language is not the one that the source declares.",
        "1 si la langue principale n'est pas celle que la source déclare.",
    ),
)

#: All measures, by name.
MEASURES: Mapping[str, Measure] = {m.name: m for m in (*_MEASURES, *_OF_LANGUAGE, *_OF_SCANS)}
#: The names under which the values of `measure` are stored, in their order.
COLUMNS: tuple[str, ...] = tuple(column for measure in _MEASURES for column in measure.columns)


def measures_version(definition: Definition = "french") -> str:
    """What the values of measures depend on besides the text."""
    return f"measures {MEASURES_VERSION}, words {WORDS} ({definition})"


def measured_part(data: Bytes, offsets: Places) -> tuple[Bytes, Places]:
    """The texts, each cut to `MEASURED_BYTES` at a whole character; the same arrays where none is longer."""
    sizes = np.diff(offsets)
    if not len(sizes) or sizes.max() <= MEASURED_BYTES:
        return data, offsets
    pieces = []
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        stop = min(end, begin + MEASURED_BYTES)
        while begin < stop < end and data[stop] & 0xC0 == 0x80:
            stop -= 1
        pieces.append(data[begin:stop])
    return np.concatenate(pieces), np.cumsum([0, *map(len, pieces)])


def measure_words(data: Bytes, offsets: Places, words: Words) -> dict[str, Floats]:
    """All measures of a batch whose words are at hand, but those of languages, by the name of their column.

    Hand in `measured_part` of the batch where texts may be long.
    """
    counts = Counts(
        count_lines(data, offsets),
        count_words(data, words),
        count_repeats(data, offsets),
        *repeated_characters(data, words),
    )
    values: dict[str, Floats] = {}
    for measure_ in _MEASURES:
        arguments = measure_.arguments or ("",)
        for column, argument in zip(measure_.columns, arguments, strict=True):
            values[column] = measure_.compute(counts, argument)
    return values


def measure(texts: pa.Array | pa.ChunkedArray, definition: Definition = "french") -> dict[str, Floats]:
    """All measures of a column of texts, by the name of their column. Texts are independent of each other."""
    data, offsets = measured_part(*text_buffers(texts))
    return measure_words(data, offsets, split_words(data, offsets, definition))
