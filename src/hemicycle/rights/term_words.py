"""A term of protection in words: the arithmetic, the rows it rests on, and what follows, in two languages."""

from __future__ import annotations

from datetime import date

from hemicycle.rights.explanations import Language, explain
from hemicycle.rights.term import ALWAYS, Lengthened, Reckoning, TermVerdict
from hemicycle.typeset import format_date

_SENTENCES: dict[str, dict[Language, str]] = {
    "term": {
        "en": "{length} from 1 January {first}, after the {event} in {year}: {day}{reason} [{ids}; {law}].",
        "fr": "{length} à compter du 1er janvier {first}, après {event} en {year} : {day}{reason} "
        "[{ids} ; {law}].",
    },
    "none": {
        "en": "No right of its own ({reason}) [{ids}; {law}].",
        "fr": "Aucun droit propre ({reason}) [{ids} ; {law}].",
    },
    "former": {
        "en": "The former term of {length}{added}: {day}; it still ran on {past} and ends later, so it "
        "counts [{ids}].",
        "fr": "L’ancienne durée de {length}{added} : {day} ; elle courait encore au {past} et finit plus "
        "tard, elle s’applique donc [{ids}].",
    },
    "argued": {
        "en": "A reading of the law gives {length}{added}: {day} [{ids}].",
        "fr": "Une lecture de la loi donne {length}{added} : {day} [{ids}].",
    },
    "compared": {
        "en": "As a foreign work it may be protected no longer than at home, until {day} [{ids}].",
        "fr": "Œuvre étrangère, elle peut n’être protégée que comme dans son pays, jusqu’au {day} [{ids}].",
    },
    "ends": {
        "en": "The year of publication is not known; the shortest and the longest reckoning are given.",
        "fr": "Année de publication inconnue ; le calcul le plus court et le plus long sont donnés.",
    },
    "free": {"en": "Free from {day}.", "fr": "Libre à compter du {day}."},
    "safe": {
        "en": "All readings agree from {day} on.",
        "fr": "Toutes les lectures s’accordent à compter du {day}.",
    },
}
_EVENTS: dict[str, dict[Language, str]] = {
    "death": {"en": "death", "fr": "le décès"},
    "publication": {"en": "publication", "fr": "la publication"},
}
_ADDED: dict[Language, str] = {"en": " and {length} ({reason})", "fr": " et {length} ({reason})"}


def tell(verdict: TermVerdict, language: Language) -> str:
    """One paragraph on a verdict: how each day came about, then what it means on the day asked about."""
    said = []
    if len(verdict.reckonings) == 2 and verdict.reckonings[0].days != verdict.reckonings[1].days:
        said.append(_SENTENCES["ends"][language])
    for reckoning in verdict.reckonings:
        said += _reckoning(reckoning, language)
    if verdict.free_from not in (None, ALWAYS):
        said.append(_SENTENCES["free"][language].format(day=_day(verdict.free_from, language)))
    if verdict.safe_from is not None and verdict.safe_from != verdict.free_from:
        said.append(_SENTENCES["safe"][language].format(day=_day(verdict.safe_from, language)))
    said.append(explain(verdict.explanation, language))
    return " ".join(dict.fromkeys(said))


def _reckoning(reckoning: Reckoning, language: Language) -> list[str]:
    rule = reckoning.rule
    reason = rule.reasons[language]
    if rule.counted_from == "none":
        return [_SENTENCES["none"][language].format(reason=reason, ids=rule.name, law=rule.law)]
    said = [
        _SENTENCES["term"][language].format(
            length=_length(rule.years, rule.days, language),
            first=reckoning.counted_from + 1,
            event=_EVENTS[rule.counted_from][language],
            year=reckoning.counted_from,
            day=_day(reckoning.ends, language),
            reason=f" ({reason})" if reason else "",
            ids=rule.name,
            law=rule.law,
        )
    ]
    said += [_beside(one, language) for one in reckoning.beside if one.stands]
    if reckoning.compared is not None:
        comparison, day = reckoning.compared
        said.append(_SENTENCES["compared"][language].format(day=_day(day, language), ids=comparison.name))
    return said


def _beside(one: Lengthened, language: Language) -> str:
    counts = "engine" in one.rule.readings and one.rule.runs_past is not None
    added = "".join(
        _ADDED[language].format(length=_length(e.years, e.days, language), reason=e.reasons[language])
        for e in one.added
    )
    return _SENTENCES["former" if counts else "argued"][language].format(
        length=_length(one.rule.years, one.rule.days, language),
        added=added,
        day=_day(one.ends, language),
        past=_day(one.rule.runs_past, language) if one.rule.runs_past else "",
        ids=" + ".join(r.name for r in (one.rule, *one.added)),
    )


def _length(years: int, days: int, language: Language) -> str:
    spans = {"en": ("{} years", "{} days", " and "), "fr": ("{} ans", "{} jours", " et ")}[language]
    parts = [spans[0].format(years)] + ([spans[1].format(days)] if days else [])
    return spans[2].join(parts)


def _day(day: date, language: Language) -> str:
    return format_date(day.isoformat(), language)
