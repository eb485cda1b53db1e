"""A project: a folder with a declaration, its cards and its lock."""

from __future__ import annotations

from pathlib import Path

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project.card import Card
from hemicycle.project.declaration import Declaration
from hemicycle.project.toml import load_toml, place_of

DECLARATION = "hemicycle.toml"

#: The project's own file of authors, for years that sources leave open.
AUTHORS = "authors.csv"


class Project:
    """A folder with a `hemicycle.toml`, its cards and its lock."""

    def __init__(self, folder: Path, declaration: Declaration, cards: dict[str, Card]) -> None:
        self.folder = folder
        self.declaration = declaration
        self.cards = cards

    def place(self, *keys: str) -> str:
        """The file of the declaration and the line of a key, for an error."""
        return place_of(self.folder / DECLARATION, keys)

    @property
    def name(self) -> str:
        return self.declaration.project.name

    @property
    def build(self) -> Path:
        store = self.declaration.project.store
        return (
            (self.folder / Path(store).expanduser()).resolve() / self.name if store else self.folder / "build"
        )

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` that holds a declaration."""
    start = start.resolve()
    for folder in [start, *start.parents]:
        if (folder / DECLARATION).is_file():
            return folder
    raise DeclarationError(
        f"no {DECLARATION} here or above",
        place=str(start),
        remedy="Make a project with `hemicycle new FOLDER`, or name the folder of one.",
    )


def load_project(folder: Path) -> Project:
    """Read and check the declaration and every card that a corpus names."""
    declaration = load_toml(folder / DECLARATION, Declaration)
    _check_law(folder / DECLARATION, declaration)
    cards: dict[str, Card] = {}
    cards_folder = folder / "sources"
    for corpus_name, corpus in declaration.corpora.items():
        for source in corpus.sources:
            path = cards_folder / f"{source}.toml"
            if not path.is_file():
                known = sorted(p.stem for p in cards_folder.glob("*.toml"))
                raise DeclarationError(
                    f"source “{source}” has no card sources/{source}.toml",
                    place=place_of(folder / DECLARATION, ("corpora", corpus_name, "sources")),
                    remedy=did_you_mean(source, known) or f"Cards present: {', '.join(known) or 'none'}.",
                )
            if source not in cards:
                cards[source] = load_card(path)
    return Project(folder, declaration, cards)


def _check_law(path: Path, declaration: Declaration) -> None:
    """Refuse a country that the rights room has no rule for, and a licence of weights that is none."""
    from hemicycle.rights.licences import check_expression
    from hemicycle.rights.policy import find_policy
    from hemicycle.rights.term_rules import jurisdictions, rules_for

    project = declaration.project
    known = sorted(code for code, found in jurisdictions().items() if found.rules)
    for country in project.jurisdictions:
        if not rules_for(country):
            raise DeclarationError(
                f"there are no rules of law for “{country}” yet, and what is unknown is not allowed",
                place=place_of(path, ("project", "jurisdictions")),
                remedy=f"Known jurisdictions: {', '.join(known)}.",
            )
    find_policy(project.policy, path.parent)
    stated: dict[tuple[str, ...], str] = {("project", "license"): project.license}
    stated |= {("bases", n, "licence"): base.licence for n, base in declaration.bases.items() if base.licence}
    for keys, expression in stated.items():
        if problem := check_expression(expression):
            raise DeclarationError(problem.what, place=place_of(path, keys), remedy=problem.remedy)


def load_card(path: Path) -> Card:
    """Read and check one source card, its reader and its licence expressions included."""
    from hemicycle.rights.licences import check_expression
    from hemicycle.sources import READERS

    card = load_toml(path, Card)
    if card.reader not in READERS:
        raise DeclarationError(
            f"there is no reader “{card.reader}”",
            place=place_of(path, ("reader",)),
            remedy=did_you_mean(card.reader, READERS) or f"Readers: {', '.join(sorted(READERS))}.",
        )
    stated = [(key, getattr(card.rights, key)) for key in ("licence", "distributor")]
    stated += [("generators", generator.licence) for generator in card.rights.generators]
    for key, expression in stated:
        problem = check_expression(expression) if expression is not None else None
        if problem:
            raise DeclarationError(problem.what, place=place_of(path, ("rights", key)), remedy=problem.remedy)
    return card
