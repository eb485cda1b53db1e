"""What was checked in words, French and English: tables to print, and notes.

Plain data in, plain data out; nothing is computed here, so no sentence can contradict the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hemicycle.typeset import Language, format_number, format_percent

_WORDS: dict[str, dict[Language, str]] = {
    "set": {"en": "set", "fr": "jeu"},
    "items": {"en": "items", "fr": "questions"},
    "clean": {"en": "clean", "fr": "intactes"},
    "partly": {"en": "partly", "fr": "en partie"},
    "contaminated": {"en": "contaminated", "fr": "contaminées"},
    "with_answer": {"en": "with answer", "fr": "avec réponse"},
    "unjudged": {"en": "not judged", "fr": "non jugées"},
    "share": {"en": "words found", "fr": "mots trouvés"},
    "longest": {"en": "longest", "fr": "plus long"},
    "passages_of": {"en": "{set}, passages", "fr": "{set}, passages"},
    "held_out": {"en": "held out of {source}", "fr": "tenu à l’écart de {source}"},
    "training": {"en": "training text", "fr": "texte d’entraînement"},
    "prefix": {"en": "prefix", "fr": "amorce"},
    "passages": {"en": "passages", "fr": "passages"},
    "exact": {"en": "exact continuation", "fr": "suite exacte"},
    "in_words": {"en": "words in ≥ {n}", "fr": "mots en ≥ {n}"},
    "longest_span": {"en": "longest, words", "fr": "plus long, mots"},
    "tokens": {"en": "{n} tokens", "fr": "{n} jetons"},
    "copies": {"en": "{n} in the training text", "fr": "{n} dans le texte d’entraînement"},
    "all": {"en": "training text", "fr": "texte d’entraînement"},
    "control": {"en": "held out (control)", "fr": "tenu à l’écart (témoin)"},
}

_NOTES: dict[str, dict[Language, str]] = {
    "verdicts": {
        "en": "A word is found where it lies in a span of {min_words} words or more that stands, word for word, "
        "in the training text. Partly contaminated: {partly} of the words or more; contaminated: {wholly} or "
        "more.",
        "fr": "Un mot est trouvé s’il est dans un passage d’au moins {min_words} mots qui figure mot pour mot "
        "dans le texte d’entraînement. Contaminée en partie : {partly} des mots ou plus ; contaminée : "
        "{wholly} ou plus.",
    },
    "short": {
        "en": "An item of {fewest} to {most} words is contaminated where it stands whole, which may be chance: "
        "{n} of {short}. Shorter ones are not judged.",
        "fr": "Une question de {fewest} à {most} mots est contaminée si elle figure en entier, ce qui peut être "
        "un hasard : {n} sur {short}. Les plus courtes ne sont pas jugées.",
    },
    "answer": {
        "en": "With answer: an answer stands within {within} words of the match, in a document that holds it.",
        "fr": "Avec réponse : une réponse se trouve à moins de {within} mots du passage, dans un document qui "
        "le contient.",
    },
    "no_set": {
        "en": "No evaluation set from elsewhere is declared, so none was checked.",
        "fr": "Aucun jeu d’évaluation venu d’ailleurs n’est déclaré ; aucun n’a été contrôlé.",
    },
    "not_read": {
        "en": "Not checked, because of their form: {names}.",
        "fr": "Non contrôlés, en raison de leur forme : {names}.",
    },
    "upstream": {
        "en": "{model} began as {base}, whose training text is not known and was not searched.",
        "fr": "{model} est parti de {base}, dont le texte d’entraînement n’est pas connu et n’a pas été "
        "cherché.",
    },
    "elsewhere": {
        "en": "{n} held-out documents are training text of another corpus; they are measured on nowhere and "
        "were not checked.",
        "fr": "{n} documents tenus à l’écart sont du texte d’entraînement d’un autre corpus ; rien n’est mesuré "
        "sur eux et ils n’ont pas été contrôlés.",
    },
    "verbatim": {
        "en": "Verbatim copies only: case, accents, punctuation and line breaks are set aside, paraphrase and "
        "translation are not found.",
        "fr": "Copies mot pour mot seulement : majuscules, accents, ponctuation et sauts de ligne ne comptent "
        "pas ; paraphrases et traductions ne sont pas trouvées.",
    },
    "drawn": {
        "en": "Passages are drawn from documents that the model read, as evenly as can be over sources and over "
        "how often the passage stands in the training text; figures over all passages are weighted back to the "
        "training text as it is.",
        "fr": "Les passages sont tirés de documents que le modèle a lus, aussi également que possible selon la "
        "source et le nombre de copies du passage dans le texte d’entraînement ; les chiffres d’ensemble sont "
        "ramenés par pondération au texte d’entraînement tel qu’il est.",
    },
    "exact_is": {
        "en": "The model is given the tokens before a place in a document and goes on, always with the likeliest "
        "token. Exact: its first {target} tokens are those of the document. Spans are looked for in "
        "the first {generated} tokens.",
        "fr": "Le modèle reçoit les jetons qui précèdent un endroit d’un document et il continue, toujours "
        "par le jeton le plus probable. Exacte : ses {target} premiers jetons sont ceux du document. Les "
        "passages sont cherchés dans les {generated} premiers jetons.",
    },
    "no_length": {
        "en": "Prefixes of {lengths} tokens do not fit into its context and were left out.",
        "fr": "Les amorces de {lengths} jetons ne tiennent pas dans son contexte et ont été laissées de côté.",
    },
    "fewer": {
        "en": "{n} passages were found where {wanted} were asked for.",
        "fr": "{n} passages ont été trouvés sur {wanted} demandés.",
    },
    "formula": {
        "en": "Held-out documents are the control: the model never read them, so what is verbatim there is "
        "formula, not memory.",
        "fr": "Les documents tenus à l’écart servent de témoin : le modèle ne les a jamais lus ; ce qui y est "
        "mot pour mot est formule, non mémoire.",
    },
    "no_control": {
        "en": "No held-out document is long enough for a control.",
        "fr": "Aucun document tenu à l’écart n’est assez long pour servir de témoin.",
    },
    "interval": {
        "en": "Intervals of 95 % by bootstrap over documents where there are at least {enough}, else over "
        "passages; none with fewer than {fewest}. Where nothing was found, the upper end is that of the exact "
        "binomial interval.",
        "fr": "Intervalles à 95 % par bootstrap sur les documents quand il y en a au moins {enough}, sinon sur "
        "les passages ; aucun en dessous de {fewest}. Là où rien n’a été trouvé, la borne haute est celle de "
        "l’intervalle binomial exact.",
    },
    "lower_bound": {
        "en": "Other prompts, sampling or whoever looks longer may get more out: these are lower bounds.",
        "fr": "D’autres amorces, un tirage au sort ou une recherche plus longue peuvent en faire sortir "
        "davantage : ce sont des bornes inférieures.",
    },
}


def contamination_notes(
    text: Mapping[str, Any], results: Mapping[str, Any], language: Language
) -> list[str]:
    """What a reader must know beside the figures of one training text."""
    method, sets = results["method"], text["sets"]
    said = [
        _say(
            "verdicts",
            language,
            min_words=method["min_words"],
            partly=format_percent(method["partly"], language),
            wholly=format_percent(method["contaminated"], language),
        )
    ]
    if short := sum(one["question"]["short"] for one in sets):
        hit = sum(one["question"]["short_contaminated"] for one in sets)
        bounds = {"fewest": method["fewest_words"], "most": method["min_words"] - 1}
        said.append(_say("short", language, n=hit, short=short, **bounds))
    if any(one["with_answer"] is not None for one in sets):
        said.append(_say("answer", language, within=method["answer_within_words"]))
    if not sets:
        said.append(_say("no_set", language))
    if results["not_read"]:
        said.append(_say("not_read", language, names=", ".join(results["not_read"])))
    if results["trained_elsewhere"]:
        said.append(_say("elsewhere", language, n=results["trained_elsewhere"]))
    said += _upstream(text["models"], results, language)
    return [*said, _say("verbatim", language)]


def _upstream(models: Iterable[str], results: Mapping[str, Any], language: Language) -> list[str]:
    bases = results["upstream"]
    return [_say("upstream", language, model=m, base=bases[m]) for m in models if m in bases]


def contamination_table(text: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then a line a set, the passages it asks about, and what each source holds out, all against
    one training text."""
    columns = ("set", "items", "clean", "partly", "contaminated", "with_answer", "unjudged", "share", "longest")
    lines = [[_word(name, language) for name in columns]]
    for one in (*text["sets"], *text["held_out"]):
        name = set_name(one["set"], language)
        lines.append([name, *_shares(one["items"], one["question"], one["with_answer"], language)])
        if one["context"]:
            name = _word("passages_of", language, set=name)
            lines.append([name, *_shares(one["items"], one["context"], None, language)])
    return lines


def set_name(name: str, language: Language) -> str:
    """What a set is called for people; that of held-out documents bears the name of their source."""
    head, sign, source = name.partition("held-out:")
    return _word("held_out", language, source=source) if sign and not head else name


def _shares(
    items: int, counted: Mapping[str, Any], answered: Mapping[str, Any] | None, language: Language
) -> list[str]:
    def n(value: int) -> str:
        return format_number(value, language)

    beside = "–" if answered is None else n(answered["partly"] + answered["contaminated"])
    share = format_percent(counted["found"] / counted["words"], language) if counted["words"] else "–"
    hit = n(counted["contaminated"])
    if judged := items - counted["unjudged"]:
        hit += f" ({format_percent(counted['contaminated'] / judged, language)})"
    return [
        n(items),
        n(counted["clean"]),
        n(counted["partly"]),
        hit,
        beside,
        n(counted["unjudged"]),
        share,
        n(counted["longest"]),
    ]


def regurgitation_notes(name: str, results: Mapping[str, Any], language: Language) -> list[str]:
    """What a reader must know beside the figures of one model."""
    method, model = results["method"], results["models"][name]
    shown = {"target": model["target_tokens"], "generated": model["generated_tokens"]}
    said = [_say("exact_is", language, **shown), _say("drawn", language), _say("formula", language)]
    if model["lengths_left_out"]:
        lengths = ", ".join(format_number(one, language) for one in model["lengths_left_out"])
        said.append(_say("no_length", language, lengths=lengths))
    if model["passages"] < method["passages"]:
        said.append(_say("fewer", language, n=model["passages"], wanted=method["passages"]))
    if not model["control_passages"]:
        said.append(_say("no_control", language))
    said += _upstream([name], results, language)
    bounds = {"enough": method["documents_for_document_bootstrap"], "fewest": method["fewest_units"]}
    return [*said, _say("interval", language, **bounds), _say("lower_bound", language)]


def regurgitation_table(model: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then the rows of one model: each prefix on the training text and on the control; then, with
    the longest prefix, each number of copies and each source."""
    spans = sorted(int(key.removeprefix("in_")) for key in model["rows"][0] if key.startswith("in_"))
    lines = [
        [
            "",
            _word("prefix", language),
            _word("passages", language),
            _word("exact", language),
            *(_word("in_words", language, n=str(n)) for n in spans),
            _word("longest_span", language),
        ]
    ]
    longest = max(row["prefix"] for row in model["rows"])
    for row in model["rows"]:
        if row["by"] in ("source", "copies") and row["prefix"] != longest:
            continue
        lines.append(
            [
                scope(row, language),
                _word("tokens", language, n=format_number(row["prefix"], language)),
                format_number(row["passages"], language),
                rate(row["exact"], language),
                *(rate(row[f"in_{n}"], language) for n in spans),
                format_number(row["longest"], language),
            ]
        )
    return lines


def scope(row: Mapping[str, Any], language: Language) -> str:
    """What a row is about."""
    if row["by"] == "copies":
        return _word("copies", language, n=f"{row['value']} ×")
    return str(row["value"]) if row["by"] == "source" else _word(row["by"], language)


def rate(figure: Mapping[str, Any] | None, language: Language) -> str:
    """A share with its interval: ``1.2% [0.4%, 2.5%]``."""
    if figure is None:
        return "–"
    shown = format_percent(figure["value"], language)
    if figure["low"] is None:
        return shown
    between = "\u202f; " if language == "fr" else ", "
    return (
        f"{shown} [{between.join(format_percent(figure[end], language) for end in ('low', 'high'))}]"
    )


def _word(key: str, language: Language, **values: str) -> str:
    return _WORDS[key][language].format(**values)


def _say(key: str, language: Language, **values: int | str) -> str:
    shown = {k: format_number(v, language) if isinstance(v, int) else v for k, v in values.items()}
    said = _NOTES[key][language].format(**shown)
    # French typography: a sign that stands after a space never begins a line.
    return said.replace(" :", "\u00a0:").replace(" ;", "\u202f;").replace(" %", "\u202f%") if (
        language == "fr"
    ) else said
