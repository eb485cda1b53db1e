"""The results in words, French and English: a table to print, the differences as sentences, the notes.

Plain data in, plain data out; nothing is computed here, so no sentence can contradict the files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

#: The scope over all sources. A star, because a source may be called anything a name can be, “total” too.
TOTAL = "*"
#: The scope of the answers of held-out conversations: no name of a source either.
ANSWERS = "?"
#: Columns of the table past the total; the largest sources are shown.
MOST_SOURCES = 6

Language = Literal["fr", "en"]

_NOTES: dict[str, dict[Language, str]] = {
    "measure": {
        "en": "Bits per byte of the held-out text: {documents} documents, {bytes} bytes, {blocks} blocks of "
        "about {block} characters. Lower is better.",
        "fr": "Bits par octet du texte tenu à l’écart : {documents} documents, {bytes} octets, {blocks} "
        "blocs d’environ {block} caractères. Le plus bas est le meilleur.",
    },
    "answers": {
        "en": "Answers: {answers} answers of {conversations} held-out conversations, {bytes} bytes. Bits are "
        "those of an answer given all that stands before it, in the model’s own chat template, or in the "
        "plain one where it has none.",
        "fr": "Réponses : {answers} réponses de {conversations} conversations tenues à l’écart, {bytes} "
        "octets. Les bits sont ceux d’une réponse, tout ce qui la précède étant donné, dans le gabarit de "
        "dialogue du modèle, ou dans le gabarit simple s’il n’en a pas.",
    },
    "not_taken": {
        "en": "{n} held-out conversations were left out: the template or the tokenizer of a model does not "
        "take them.",
        "fr": "{n} conversations tenues à l’écart ont été laissées de côté : le gabarit ou le découpage d’un "
        "modèle ne les accepte pas.",
    },
    "interval": {
        "en": "Intervals of 95 % by bootstrap over documents where there are at least {enough}, else over "
        "blocks (these say how sure a figure is for these documents, not for others); none with fewer "
        "than {fewest}.",
        "fr": "Intervalles à 95 % par bootstrap sur les documents quand il y en a au moins {enough}, sinon "
        "sur les blocs (ils disent alors la précision pour ces documents-ci, non pour d’autres) ; aucun en "
        "dessous de {fewest}.",
    },
    "ngram": {
        "en": "Character n-grams (Witten–Bell; order n looks n − 1 characters back) counted on the training "
        "split: {counted} characters.",
        "fr": "n-grammes de caractères (Witten-Bell ; l’ordre n regarde n − 1 caractères en arrière) comptés "
        "sur le texte d’entraînement : {counted} caractères.",
    },
    "sampled": {
        "en": "They counted evenly spaced stretches only: {counted} of {offered} characters.",
        "fr": "Ils n’ont compté que des passages régulièrement espacés : {counted} caractères sur {offered}.",
    },
    "xz": {
        "en": "xz sees no training text, only the held-out text itself; it has no interval.",
        "fr": "xz ne voit aucun texte d’entraînement, seulement le texte tenu à l’écart ; il "
        "n’a pas d’intervalle.",
    },
    "elsewhere": {
        "en": "{n} held-out documents were left out: another of the corpora, or one that a tokenizer was "
        "learnt on, trains on them.",
        "fr": "{n} documents tenus à l’écart ont été laissés de côté : un autre des corpus, ou un corpus sur "
        "lequel un découpage a été appris, les emploie pour l’entraînement.",
    },
    "unknown": {
        "en": "{name}: its training text is unknown: the held-out text may be in it.",
        "fr": "{name} : son texte d’entraînement est inconnu ; le texte tenu à l’écart peut s’y trouver.",
    },
    "read": {
        "en": "{name}: {n} of the held-out documents were read in training; its figures are too good.",
        "fr": "{name} : {n} des documents tenus à l’écart ont été lus pendant l’entraînement ; ses "
        "chiffres sont trop bons.",
    },
    "unaccounted": {
        "en": "{name}: it has no account of the documents it read, so nothing shows that the held-out "
        "text is new to it.",
        "fr": "{name} : aucun relevé des documents lus ; rien ne montre que le texte tenu à l’écart "
        "lui est nouveau.",
    },
    "altered": {
        "en": "{name}: its tokenizer does not give the text of {n} documents back; its figures are too good.",
        "fr": "{name} : son découpage ne restitue pas le texte de {n} documents ; ses chiffres "
        "sont trop bons.",
    },
    "blind": {
        "en": "{name}: it has no token to begin a text with; a document’s first token is charged as a "
        "blind guess.",
        "fr": "{name} : aucune marque de début de texte ; le premier jeton d’un document est compté comme "
        "tiré au hasard.",
    },
}


def name_in(name: str, language: Language) -> str:
    """The name of a series as people read it; models keep their own."""
    if language == "fr" and (match := re.fullmatch(r"character n-gram of order (\d+)", name)):
        return f"n-grammes de caractères, ordre {match[1]}"
    return name


def scope_in(source: str, language: Language) -> str:
    said: dict[str, dict[Language, str]] = {
        TOTAL: {"fr": "ensemble", "en": "all"},
        ANSWERS: {"fr": "réponses", "en": "answers"},
    }
    return said[source][language] if source in said else source


def scopes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is shown of the rows: all sources, the answers, and the largest sources one by one."""
    sizes = {row["source"]: row["bytes"] for row in rows}
    sources = [scope for scope in sizes if scope not in (TOTAL, ANSWERS)]
    largest = sorted(sources, key=lambda source: (-sizes[source], source))[:MOST_SOURCES]
    whole = [scope for scope in (TOTAL, ANSWERS) if scope in sizes]
    return [*whole, *(largest if len(sources) > 1 else [])]


def figure(value: float, language: Language, decimals: int = 2) -> str:
    shown = f"{value:.{decimals}f}".replace("-", "−")
    return shown.replace(".", ",") if language == "fr" else shown


def interval(value: float, low: float | None, high: float | None, language: Language) -> str:
    """A value with its interval: ``1.86 [1.84, 1.89]``, ``1,86 [1,84 ; 1,89]``."""
    if low is None or high is None:
        return figure(value, language)
    between = "\u202f; " if language == "fr" else ", "
    return f"{figure(value, language)} [{figure(low, language)}{between}{figure(high, language)}]"


def table(results: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then one line a model or baseline: its name, and what it has in each of the `scopes`."""
    rows = results["rows"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    cells = {(row["name"], row["source"]): row for row in rows}
    shown = scopes(rows)
    lines = [["", *(scope_in(scope, language) for scope in shown)]]
    for name in names:
        found = [cells.get((name, scope)) for scope in shown]
        said = [interval(r["bits_per_byte"], r["low"], r["high"], language) if r else "" for r in found]
        lines.append([name_in(name, language), *said])
    return lines


def forgetting_table(results: Mapping[str, Any], language: Language) -> list[list[str]]:
    """A heading, then one line a model and corpus: bits per byte of what it began from, its own, and what
    that comes to. Empty where no model began from another."""
    if not results["forgetting"]:
        return []
    heads: dict[Language, list[str]] = {
        "en": ["model", "began from", "held-out text of", "before", "after", "difference", ""],
        "fr": ["modèle", "parti de", "texte tenu à l’écart de", "avant", "après", "différence", ""],
    }
    words: dict[Language, list[str]] = {
        "en": ["gained", "forgotten", "no difference shown", "too little text to tell"],
        "fr": ["gagné", "oublié", "aucune différence établie", "trop peu de texte pour le dire"],
    }
    gained, forgotten, equal, untold = words[language]
    lines = [heads[language]]
    for row in results["forgetting"]:
        verdict = untold if row["differs"] is None else equal
        if row["differs"]:
            verdict = gained if row["difference"] < 0 else forgotten
        shown = interval(row["difference"], row["low"], row["high"], language)
        figures = [figure(row["before"], language), figure(row["after"], language), shown]
        lines.append([row["model"], row["base"], row["corpus"], *figures, verdict])
    return lines


def sentences(results: Mapping[str, Any], language: Language) -> list[str]:
    """Each contrast as a sentence; a difference is claimed only where Holm's correction leaves it.

    Where there was too little text for an interval nothing was tested, and neither a difference nor the lack
    of one is claimed.
    """
    said = []
    for one in results["contrasts"]:
        first, second = name_in(one["first"], language), name_in(one["second"], language)
        where = scope_in(one["source"], language)
        shown = interval(one["difference"], one["low"], one["high"], language)
        verb, untested = {"en": "cannot be told from", "fr": "ne se distingue pas de"}[language], ""
        if one["differs"] is None:
            verb = {"en": "against", "fr": "face à"}[language]
            untested = {
                "en": "; too little held-out text to say whether this is chance",
                "fr": "\u202f; trop peu de texte tenu à l’écart pour exclure le hasard",
            }[language]
        elif one["differs"]:
            better = one["difference"] < 0
            verb = {
                "en": "needs fewer bits than" if better else "needs more bits than",
                "fr": "demande moins de bits que" if better else "demande plus de bits que",
            }[language]
        colon = "\u00a0: " if language == "fr" else ": "
        said.append(f"{first} {verb} {second} ({where}){colon}{shown}{untested}")
    return said


def notes(results: Mapping[str, Any], language: Language) -> list[str]:
    """What a reader must know beside the figures; cautions about single models come last."""
    held, method, ngram = results["held_out"], results["method"], results["ngram"]
    said = []
    if held["documents"]:
        shown = {"documents": held["documents"], "bytes": held["bytes"], "blocks": held["blocks"]}
        said.append(_say("measure", language, **shown, block=method["block_characters"]))
    if held["answers"]:
        shown = {"answers": held["answers"], "conversations": held["conversations"]}
        said.append(_say("answers", language, **shown, bytes=held["answer_bytes"]))
    if held["conversations_not_taken"]:
        said.append(_say("not_taken", language, n=held["conversations_not_taken"]))
    enough, fewest = method["documents_for_document_bootstrap"], method["fewest_units"]
    said.append(_say("interval", language, enough=enough, fewest=fewest))
    if held["documents"]:
        counted, offered = ngram["training_characters_counted"], ngram["training_characters"]
        said.append(_say("ngram", language, counted=counted))
        if counted < offered:
            said.append(_say("sampled", language, counted=counted, offered=offered))
        said.append(_say("xz", language))
    if held["trained_elsewhere"]:
        said.append(_say("elsewhere", language, n=held["trained_elsewhere"]))
    for name, model in results["models"].items():
        read = model["held_out_documents_read_in_training"]
        if model["kind"] == "compared" or _upstream(results, name):
            said.append(_say("unknown", language, name=name))
        elif read is None:
            said.append(_say("unaccounted", language, name=name))
        if read:
            said.append(_say("read", language, name=name, n=read))
        if model["documents_altered_by_tokenizer"]:
            said.append(_say("altered", language, name=name, n=model["documents_altered_by_tokenizer"]))
        if not model["begins_with_a_mark"]:
            said.append(_say("blind", language, name=name))
    return said


def _upstream(results: Mapping[str, Any], name: str) -> bool:
    """Whether a model is a base that gives no account of what it read, or began as one."""
    models, at = results["models"], name
    while models[at]["began_from"] is not None:
        at = models[at]["began_from"]
    return bool(models[at]["kind"] == "base" and models[at]["held_out_documents_read_in_training"] is None)


def _say(key: str, language: Language, **values: int | str) -> str:
    thousands = "\u202f" if language == "fr" else ","
    shown = {k: f"{v:,}".replace(",", thousands) if isinstance(v, int) else v for k, v in values.items()}
    said = _NOTES[key][language].format(**shown)
    return _spaced(said) if language == "fr" else said


def _spaced(french: str) -> str:
    """French typography: a sign that stands after a space never begins a line."""
    return french.replace(" :", "\u00a0:").replace(" ;", "\u202f;").replace(" %", "\u202f%")
