"""The page of rules: every set, every bound, why it stands and where it comes from, for who decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hemicycle.curate.measures import MEASURED_BYTES, MEASURES
from hemicycle.curate.rules import RuleSet, load_kinds

_HEAD = """\
# Rules of quality · Règles de qualité

*Made from the sets of rules of the package by `hemicycle.curate.rules_page`; do not edit.*

A document stays in a corpus where it keeps every rule of the sets that apply to it. Whatever it breaks, it
is kept aside with the names of all the rules it broke and the values it had: nothing disappears. A rule binds
one measure; the measures are defined at the end of this page. Bounds are policy: they can be moved, and what
would then be kept or dropped is known without reading a text again.

Un document reste dans un corpus s'il respecte chaque règle des jeux qui s'appliquent à lui. Ce qui en
enfreint une est mis de côté avec le nom de toutes les règles enfreintes et les valeurs mesurées : rien ne
disparaît. Une règle borne une mesure ; les mesures sont définies à la fin de cette page. Les bornes sont un
choix : on peut les déplacer, et savoir ce qui serait alors gardé ou écarté sans relire un seul texte.
"""


def rules_page(sets: Sequence[RuleSet]) -> str:
    """The page of all sets, in Markdown, English and French side by side."""
    return "\n".join([_HEAD, _kinds_table(), *map(_set_block, sets), _measures_table(MEASURES)])


def some_sets(sets: Sequence[RuleSet]) -> str:
    """These sets alone, with the measures that they bind."""
    bound = {rule.bound.column.partition("(")[0] for one in sets for rule in one.rules}
    return "\n".join([*map(_set_block, sets), _measures_table([name for name in MEASURES if name in bound])])


def _kinds_table() -> str:
    rows = [(f"`{kind}`", ", ".join(f"`{n}`" for n in names)) for kind, names in sorted(load_kinds().items())]
    return (
        "## Which sets apply · Quels jeux s'appliquent\n\n"
        + (
            "Where a corpus names no sets, each document is held to those of its kind.\n"
            "Si un corpus ne nomme aucun jeu, chaque document suit ceux de son genre.\n\n"
        )
        + _table(("Kind · Genre", "Sets · Jeux"), rows)
    )


def _set_block(rule_set: RuleSet) -> str:
    rows = []
    for rule in rule_set.rules:
        only = f" ({rule.language})" if rule.language else ""
        name = rule.name.partition("/")[2]
        rows.append((f"`{name}`{only}", f"`{rule.keep}`", rule.why_en, rule.why_fr, rule.source))
    return (
        f"## `{rule_set.name}`\n\n"
        f"Version {rule_set.version}, {rule_set.date.isoformat()}. {rule_set.en}\n{rule_set.fr}\n\n"
        + _table(("Rule · Règle", "Kept · Gardé si", "Dropped because", "Écarté parce que", "Source"), rows)
    )


def _measures_table(names: Iterable[str]) -> str:
    rows = []
    for measure in map(MEASURES.__getitem__, names):
        arguments = f"({', '.join(measure.arguments)})" if measure.arguments else ""
        rows.append((f"`{measure.name}{arguments}`", measure.en, measure.fr))
    return (
        "## Measures · Mesures\n\n"
        f"A rule with a language in brackets holds only for documents in it. Of a text of more than "
        f"{MEASURED_BYTES >> 20} MiB only the beginning is measured.\n"
        f"Une règle avec une langue entre parenthèses ne vaut que pour elle. D'un texte de plus de "
        f"{MEASURED_BYTES >> 20} Mio, seul le début est mesuré.\n\n"
        + _table(("Measure · Mesure", "What it is", "Ce que c'est"), rows)
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(_cell, line)) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
