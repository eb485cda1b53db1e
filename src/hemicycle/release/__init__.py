"""Release: a model with its dossier, in one folder that anybody can check with nothing else.

`make_release` puts model, cards, attribution, pictures and a copy of the ledger together and signs the
list of all files. Every figure in a card comes from one `Facts` object, computed from statements and
artefacts, so no two pages can contradict each other. `check_release` is for whoever receives the folder.
"""

from hemicycle.release.check import check_release
from hemicycle.release.make import make_release

__all__ = ["check_release", "make_release"]
