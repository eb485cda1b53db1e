"""The page of a report: one static file in French and in English, without a script, beside its pictures."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2

from hemicycle.curate.report_pictures import bound_name, composition_name, pictures
from hemicycle.pages import load_page
from hemicycle.store import write_aside
from hemicycle.typeset import Language, format_number, format_percent


def write_report(report: Mapping[str, Any], out: Path) -> None:
    """Write `index.html`, `report.json` and `pictures/*.png`: equal reports, equal bytes.

    Pictures of an earlier report that this one lacks are deleted. Raises DeclarationError without matplotlib.
    """
    made = dict(pictures(report))
    for old in out.glob("pictures/*.png"):
        if old.name not in made:
            old.unlink()
    for name, png in made.items():
        write_aside(out / "pictures" / name, png)
    write_aside(out / "report.json", f"{report_json(report)}\n".encode())
    page: str = _template().render(report=report, pictures=made.keys())
    write_aside(out / "index.html", page.encode("utf-8"))


def report_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, indent=1)


@functools.cache
def _template() -> jinja2.Template:
    filters: dict[str, Callable[..., Any]] = {
        "number": _number,
        "share": lambda part, whole, language: format_percent(part / whole if whole else 0, language),
        "percent": lambda share, language: "–" if share is None else format_percent(share, language),
        "name": _name,
        "composition_name": composition_name,
        "bound_name": bound_name,
    }
    return load_page(Path(__file__).with_name("report.html.jinja"), filters, text=_TEXT)


def _number(value: float | None, language: Language) -> str:
    if isinstance(value, float) and not value.is_integer():
        return format_number(value, language, decimals=4)
    return format_number(None if value is None else int(value), language)


def _name(name: str | None, language: Language, table: str) -> str:
    """A name in a table: as it is but for the few that are words of ours there."""
    words: dict[str | None, str] = {None: _TEXT[language]["unknown"], **_TEXT[language][table]}
    return words.get(name, str(name))


_TEXT: dict[Language, dict[str, Any]] = {
    "fr": {
        "title": "Rapport de curation",
        "unknown": "non indiqué",
        "amounts": ("documents", "caractères", "tokens"),
        "plain": {},
        "share": "part des caractères",
        "training": "Tokens : ceux de l’apprentissage, par le tokeniseur",
        "made_of": "De quoi le corpus est fait",
        "parts": {
            "right": "Par droit",
            "source": "Par source",
            "language": "Par langue déclarée",
            "period": "Par période",
            "kind": "Par genre",
        },
        "picture": "Graphique en barres des lignes du tableau qui suit",
        "left_out": "Ce qui a été laissé de côté, et pourquoi",
        "by_rights": "Par les droits",
        "no_rights": "Les droits n’ont rien retenu.",
        "by_rules": "Par les règles de qualité",
        "rules_note": (
            "Un document peut enfreindre plusieurs règles : il est alors compté à chacune. "
            "« Seule » compte ceux qu’aucune autre règle n’aurait écartés."
        ),
        "no_rules": "Aucune règle n’a rien écarté.",
        "copies": "Copies, et textes trop longs",
        "no_copies": "Aucune copie et aucun texte trop long n’ont été trouvés.",
        "heads_rights": ("source", "verdict", "raison", "documents", "caractères"),
        "heads_rules": ("règle", "gardé si", "raison", "documents", "seule", "caractères"),
        "heads_plain": ("raison", "documents", "caractères"),
        "personal": "Données personnelles masquées",
        "no_personal": "Rien n’a été masqué.",
        "heads_personal": ("genre", "documents", "marques"),
        "languages": "Langues trouvées dans les textes",
        "mixed": "documents en plusieurs langues :",
        "contradicted": "documents dont la langue principale n’est pas la langue déclarée :",
        "heads_languages": ("langue", "caractères"),
        "varieties": "Variétés",
        "varieties_note": (
            "Une ligne : la variété déclarée de documents mis de côté ; une colonne : ce que le modèle en "
            "dit. Où ce sont des groupes d’une même source, les sujets aident le modèle."
        ),
        "held_out": "mis de côté",
        "recall": "justes",
        "no_guess": "aucune",
        "too_few": "Trop peu de documents pour apprendre.",
        "telling": "séquences les plus parlantes",
        "bounds": "Les bornes, une à une",
        "bounds_note": (
            "Bleu : gardé ; gris : écarté ; trait : la borne. Chaque document mesuré est compté, même s’il "
            "est parti pour une autre raison. Les valeurs extrêmes (0,5 % de chaque côté) sont dans la "
            "première et la dernière barre."
        ),
        "histogram": "Histogramme de la mesure",
        "counts": ("gardés", "écartés", "sans valeur"),
        "sides": {"kept": "Juste gardés", "broken": "Juste écartés"},
        "heads_examples": ("document", "valeur", "début du texte"),
        "right": {"term-over": "droits des auteurs expirés", "by-decision": "décision signée"},
        "reason": {
            "duplicate-of": "copie exacte",
            "near-duplicate-of": "copie proche",
            "too-long": "texte trop long",
        },
        "mask": {
            "email": "courriel",
            "phone": "téléphone",
            "ip": "adresse IP",
            "iban": "IBAN",
            "card": "carte de paiement",
            "identity": "numéro d’identité",
            "plate": "immatriculation",
            "address": "adresse",
            "name": "nom",
        },
    },
    "en": {
        "title": "Report of curation",
        "unknown": "not stated",
        "amounts": ("documents", "characters", "tokens"),
        "plain": {},
        "share": "share of characters",
        "training": "Tokens: those to train on, by the tokenizer",
        "made_of": "What the corpus is made of",
        "parts": {
            "right": "By right",
            "source": "By source",
            "language": "By declared language",
            "period": "By period",
            "kind": "By kind",
        },
        "picture": "Bar chart of the lines of the table below",
        "left_out": "What was left out, and why",
        "by_rights": "By rights",
        "no_rights": "Rights held nothing back.",
        "by_rules": "By rules of quality",
        "rules_note": (
            "A document may break several rules and counts under each. “Alone” counts those that no other "
            "rule would have dropped."
        ),
        "no_rules": "No rule dropped anything.",
        "copies": "Copies, and texts that are too long",
        "no_copies": "No copy and no text that is too long was found.",
        "heads_rights": ("source", "verdict", "reason", "documents", "characters"),
        "heads_rules": ("rule", "kept if", "reason", "documents", "alone", "characters"),
        "heads_plain": ("reason", "documents", "characters"),
        "personal": "Personal data masked",
        "no_personal": "Nothing was masked.",
        "heads_personal": ("kind", "documents", "marks"),
        "languages": "Languages found in the texts",
        "mixed": "documents in several languages:",
        "contradicted": "documents whose main language is not the declared one:",
        "heads_languages": ("language", "characters"),
        "varieties": "Varieties",
        "varieties_note": (
            "A row: the declared variety of documents that were held out; a column: what the model says of "
            "them. Where groups of one source are held out, their subjects help the model."
        ),
        "held_out": "held out",
        "recall": "correct",
        "no_guess": "none",
        "too_few": "Too few documents to learn from.",
        "telling": "most telling sequences",
        "bounds": "The bounds, one by one",
        "bounds_note": (
            "Blue: kept; grey: dropped; line: the bound. Every measured document counts, even where it went "
            "for another reason. Extreme values (0.5% at each end) are in the first and the last bar."
        ),
        "histogram": "Histogram of the measure",
        "counts": ("kept", "dropped", "without a value"),
        "sides": {"kept": "Just kept", "broken": "Just dropped"},
        "heads_examples": ("document", "value", "beginning of the text"),
        "right": {"term-over": "authors’ term over", "by-decision": "signed decision"},
        "reason": {
            "duplicate-of": "exact copy",
            "near-duplicate-of": "near copy",
            "too-long": "text too long",
        },
        "mask": {
            "email": "e-mail",
            "phone": "telephone",
            "ip": "IP address",
            "iban": "IBAN",
            "card": "payment card",
            "identity": "identity number",
            "plate": "registration of a vehicle",
        },
    },
}
