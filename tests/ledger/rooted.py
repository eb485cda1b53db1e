"""A ledger with the root of a small corpus, made without the flow, and proofs over it."""

from dataclasses import dataclass
from pathlib import Path

from hemicycle.flow import fingerprints, normalisation, words_digest
from hemicycle.ledger import Ledger, Statement, Subject
from hemicycle.ledger.prove import make_proof
from hemicycle.ledger.roots import Keys, Opened, Root, make_root, open_root
from hemicycle.store import digest_files
from tests.conftest import write_corpus

SALT = bytes(range(32))
CORPUS_DIGEST = "c0" * 32

TEXTS = [f"Séance n° {n} : l’ordre du jour appelle la discussion du budget, chapitre {n}." for n in range(9)]


def root_of(folder, sources, held_out=(), salt=SALT, corpus_digest=CORPUS_DIGEST):
    """The roots artefact of a corpus with these texts; returns its folder and its figures."""
    corpus = write_corpus(folder / "corpus", sources, held_out)
    out = folder / "roots"
    out.mkdir()
    figures = make_root(
        corpus,
        out,
        name="debats",
        corpus_digest=corpus_digest,
        keys=Keys.derive(salt, corpus_digest),
        words_digest=words_digest,
        normalisation=normalisation(),
    )
    return out, figures


@dataclass
class Rooted:
    """A ledger in which the root of a corpus stands."""

    ledger: Ledger
    statement: Statement
    opened: Opened
    keys: Keys

    def prove(self, text):
        return self.prove_about(fingerprints(text))

    def prove_about(self, about):
        return make_proof(self.ledger, self.statement, self.opened, self.keys, about)


def statement_on(artefact, figures, **changes):
    parts = {
        "subject": Subject("roots", "debats", "ab" * 32),
        "files": tuple(digest_files(artefact)),
        "rebuildable": True,
        "declaration": {},
        "inputs": {"corpus": {"artefact": "corpus/debats-000000000000", "digest": CORPUS_DIGEST}},
        "figures": figures,
    }
    return Statement(**(parts | changes))


def make_rooted(folder: Path, sources=None, held_out=("a:1",)) -> Rooted:
    artefact, figures = root_of(folder, {"a": TEXTS} if sources is None else sources, held_out)
    ledger = Ledger(folder / "ledger", folder / "key")
    ledger.note_dropped([Subject("model", "before", "0" * 64)])
    statement = ledger.record(statement_on(artefact, figures).to_bytes())
    for name in ("after", "later"):
        ledger.note_dropped([Subject("model", name, "0" * 64)])
    root = Root.from_json(figures, "figures")
    return Rooted(ledger, statement, open_root(artefact, root), Keys.derive(SALT, CORPUS_DIGEST))
