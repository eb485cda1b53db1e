"""The register: what was complained about, what became of it and when, for everybody to read.

One page without a script, in French and in English, and the same as a table. It shows the days of the steps
and what is due; the texts of the steps and the parties stay out, for somebody may have put a name into one.
Subjects were written by strangers: on the page they are text and never links, each kept from turning its
neighbours around, and in the table no cell begins as a formula, which a spreadsheet would run.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any, get_args

import jinja2

from hemicycle.governance.complaint_step import StepName
from hemicycle.governance.complaints import Complaint
from hemicycle.pages import load_page
from hemicycle.store import write_aside
from hemicycle.typeset import Language, count, flatten, format_date

#: Longer subjects are cut, and of more subjects than this a row shows the first and counts the rest.
LONGEST, MOST_SUBJECTS = 200, 50

#: What opens a formula in a spreadsheet, in half and in full width.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")

COLUMNS = (
    "complaint",
    "category",
    "subject",
    "opened",
    "triaged",
    "decided",
    "appealed",
    "reviewed",
    "closed",
    "outcome",
    "due",
    "overdue",
    "appeal_until",
    "as_of",
)

STEPS: tuple[StepName, ...] = get_args(StepName)

#: Word of a step file → its words in French and in English.
WORDS: dict[str, dict[Language, str]] = {
    "copyright": {"fr": "droit d’auteur", "en": "copyright"},
    "related-right": {"fr": "droit voisin", "en": "related right"},
    "database": {"fr": "droit des bases de données", "en": "database right"},
    "licence": {"fr": "licence", "en": "licence"},
    "opt-out": {"fr": "opposition à la fouille", "en": "opt-out"},
    "personal-data": {"fr": "données personnelles", "en": "personal data"},
    "other": {"fr": "autre", "en": "other"},
    "granted": {"fr": "acceptée", "en": "granted"},
    "partly-granted": {"fr": "acceptée en partie", "en": "granted in part"},
    "refused": {"fr": "refusée", "en": "refused"},
    "withdrawn": {"fr": "retirée par son auteur", "en": "withdrawn by who made it"},
    "open": {"fr": "ouverte", "en": "open"},
    "triage": {"fr": "à l’examen", "en": "under examination"},
    "appeal": {"fr": "en recours", "en": "under appeal"},
}


def write_register(complaints: Iterable[Complaint], out: Path, today: date) -> None:
    """Write `index.html` and `complaints.csv` into a folder: equal complaints on an equal day, equal bytes.

    What is published is believed, so `read_complaints` must have found nothing wrong.
    """
    ordered = sorted(complaints, key=lambda c: (c.id[:4], int(c.id[5:])))
    page = _template().render(complaints=ordered, today=today, late=sum(c.overdue(today) for c in ordered))
    write_aside(out / "index.html", page.encode("utf-8"))
    write_aside(out / "complaints.csv", _table(ordered, today).encode("utf-8"))


def _table(complaints: Iterable[Complaint], today: date) -> str:
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(COLUMNS)
    for complaint in complaints:
        subjects = complaint.public.subject
        shown = [_harmless(flatten(subject, LONGEST)) for subject in subjects[:MOST_SUBJECTS]]
        if len(subjects) > MOST_SUBJECTS:
            shown.append(f"and {len(subjects) - MOST_SUBJECTS} more")
        days = [complaint.day_of(step) for step in STEPS]
        table.writerow(
            [
                complaint.id,
                complaint.public.category,
                " | ".join(shown),
                *(day or "" for day in days),
                complaint.public.outcome or "",
                complaint.last.due or "",
                "yes" if complaint.overdue(today) else "no",
                complaint.appeal_until or "",
                today,
            ]
        )
    return text.getvalue()


def _harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe before what would begin one."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


@functools.cache
def _template() -> jinja2.Template:
    filters: dict[str, Callable[..., Any]] = {
        "day": lambda day, language: format_date(str(day), language),
        "line": lambda text: flatten(text, LONGEST),
        "word": _word,
        "complaints": _complaints,
    }
    page = Path(__file__).with_name("register.html.jinja")
    return load_page(page, filters, most=MOST_SUBJECTS, text=_TEXT, steps=STEPS)


def _word(code: str, language: Language) -> str:
    return WORDS[code][language]


def _complaints(value: int, language: Language) -> str:
    one, many = _TEXT[language]["nouns"]
    return count(value, one, many, language)


_TEXT: dict[Language, dict[str, Any]] = {
    "fr": {
        "title": "Registre des réclamations",
        "as_of": "À la date du",
        "none": "Aucune réclamation n’a été faite.",
        "nouns": ("réclamation", "réclamations"),
        "late": "dont en retard :",
        "overdue": "en retard",
        "due": "à traiter avant la fin du",
        "appeal": "recours possible jusqu’à la fin du",
        "more": "autres",
        "heads": (
            *("Numéro", "Motif", "Objet", "Ouverte", "Examinée", "Décidée"),
            *("Recours", "Décidée sur recours", "Close", "État"),
        ),
    },
    "en": {
        "title": "Register of complaints",
        "as_of": "As of",
        "none": "No complaint has been made.",
        "nouns": ("complaint", "complaints"),
        "late": "of which overdue:",
        "overdue": "overdue",
        "due": "due by the end of",
        "appeal": "appeal possible until the end of",
        "more": "more",
        "heads": (
            *("Number", "Ground", "Subject", "Opened", "Examined", "Decided"),
            *("Appealed", "Decided on appeal", "Closed", "State"),
        ),
    },
}
