"""The declaration: `hemicycle.toml` and the source cards, typed and validated; and the lock.

Everything here can be read by a lawyer; nothing here is code. A wrong or unknown key is refused with the
file, the line and what was probably meant.
"""

from hemicycle.project.card import Card, CardRights
from hemicycle.project.declaration import Declaration, StoreLimit
from hemicycle.project.declared import Declared, Name
from hemicycle.project.lock import LOCK, Lock
from hemicycle.project.model import Architecture, Base, Budget, Lora, Mix, Model, Stage, Training
from hemicycle.project.project import AUTHORS, DECLARATION, Project, find_project, load_card, load_project
from hemicycle.project.toml import declaration_error, load_toml, read_toml

__all__ = [
    "AUTHORS",
    "DECLARATION",
    "LOCK",
    "Architecture",
    "Base",
    "Budget",
    "Card",
    "CardRights",
    "Declaration",
    "Declared",
    "Lock",
    "Lora",
    "Mix",
    "Model",
    "Name",
    "Project",
    "Stage",
    "StoreLimit",
    "Training",
    "declaration_error",
    "find_project",
    "load_card",
    "load_project",
    "load_toml",
    "read_toml",
]
