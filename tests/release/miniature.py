"""A project in miniature, with real statements, journal and signatures, made up to the point of release.

Two sources: sittings under one licence, handbooks whose files state their own. One sitting is held out,
one handbook was dropped, one refused. Titles are hostile on purpose: whatever a test does, it does to a
release that had to cope with them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.curate.corpus import CORPUS, DROPPED
from hemicycle.curate.rules import load_sets
from hemicycle.curate.withdrawn import LISTED, WITHDRAWN
from hemicycle.digests import sha256_text
from hemicycle.ledger import Ledger, Statement, Subject
from hemicycle.project import Card, Declaration
from hemicycle.release import make_release
from hemicycle.rights.admit import ADMITTED, REFUSED
from hemicycle.rights.decide import SCHEMA as RIGHTS
from hemicycle.store import digest_files
from hemicycle.tokens.exposure import EXPOSURE

HOSTILE = (
    "Séance | <script>alert(1)</script> [clic](https://evil.example) `rm`\n\n# Titre\n---\nlicense: mit\n"
    "![x](y) *gras* $\\frac$ https://evil.example www.evil.example \u202etrunas\x07 &amp;"
)
#: source → documents: (id, split or None for dropped or refused, licence, tokens read).
SITTINGS = [("sittings:1.xml", "train"), ("sittings:2.xml", "train"), ("sittings:3.xml", "held-out")]
CONTEXT, STEPS, ROWS = 16, 50, 4


@dataclass
class Miniature:
    """Everything `make_release` wants, and the folder it all stands in."""

    root: Path
    ledger: Ledger
    declaration: Declaration
    cards: dict[str, Card]
    statements: dict[str, Statement] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)

    def record(
        self,
        stage: str,
        name: str,
        inputs: dict[str, str],
        figures: dict[str, Any],
        declared: dict[str, Any] | None = None,
    ) -> None:
        """Enter an artefact whose files already stand in its folder; `inputs`: role → stage/name."""
        folder = self.folders[f"{stage}/{name}"]
        statement = Statement(
            Subject(stage, name, sha256_text(f"{stage} {name} {sorted(inputs.values())}")),
            tuple(digest_files(folder)),
            True,
            {"declared": declared or {}, "resolved": {}},
            {
                role: {"artefact": str(self.statements[i].subject), "digest": self.statements[i].digest}
                for role, i in inputs.items()
            },
            figures,
            {"ended": "2026-11-22T10:00:00+00:00"},
        )
        self.ledger.record(statement.to_bytes())
        self.statements[f"{stage}/{name}"] = statement

    def folder(self, stage: str, name: str) -> Path:
        path = self.root / "build" / stage / name
        path.mkdir(parents=True)
        self.folders[f"{stage}/{name}"] = path
        return path

    def release(self, out: Path, **changes: Any) -> Path:
        arguments: dict[str, Any] = {
            "name": "v0",
            "declaration": self.declaration,
            "cards": self.cards,
            "model": self.folders["model/petit"],
            "statements": self.statements,
            "corpora": {"debats": self.folders["corpus/debats"]},
            "rights": {s: self.folders[f"rights/{s}"] for s in ("sittings", "manuals")},
            "refused": {"debats": self.folders["admitted/debats"]},
            "evaluations": {"base": self.folders["evaluation/base"]},
            "ledger": self.ledger,
        }
        out.mkdir(parents=True)
        make_release(out, **{**arguments, **changes})
        return out


def document(source: str, identifier: str, title: str, split: str | None) -> dict[str, Any]:
    text = f"Texte de {identifier}. " * 3
    return {
        "id": identifier,
        "text": text,
        "digest": sha256_text(text),
        "source": source,
        "origin": identifier.split(":")[1],
        "group": identifier,
        "parts": [],
        "title": title,
        "authors": [
            {"name": "Anne | <b>Onyme</b>", "role": "author", "birth": None, "death": None, "flags": []}
        ],
        "date": None,
        "language": "fr",
        "variety": None,
        "kind": "debate",
        "licences": [],
        "clean_digest": sha256_text(text),
        "split": split,
        "signals": [],
    }


DOCUMENTS = {
    "sittings": [
        document("sittings", "sittings:1.xml", HOSTILE, "train"),
        document("sittings", "sittings:2.xml", "Deuxième séance", "train"),
        document("sittings", "sittings:3.xml", "Troisième séance", "held-out"),
    ],
    "manuals": [
        document("manuals", "manuals:a.html", "Manuel A", "train"),
        document("manuals", "manuals:b.html", "Manuel B", "train"),
        document("manuals", "manuals:c.html", "Manuel C", None),
        document("manuals", "manuals:d.html", "Manuel D", None),
    ],
}
LICENCES = {
    "manuals:a.html": ("CC-BY-SA-3.0", ["attribution", "keep-shard-licence", "share-alike", "state-changes"]),
    "manuals:b.html": ("GPL-3.0-or-later OR MIT", ["notice"]),
    "manuals:c.html": ("MIT", ["notice"]),
    "manuals:d.html": ("CC-BY-NC-4.0", []),
}
READ = {"sittings:1.xml": 1_500, "sittings:2.xml": 700, "manuals:a.html": 600, "manuals:b.html": 400}
assert sum(READ.values()) == CONTEXT * STEPS * ROWS


def rights_rows(source: str, jurisdictions: tuple[str, ...] = ("FR", "BE")) -> list[dict[str, Any]]:
    rows = []
    for doc in DOCUMENTS[source]:
        licence, obligations = LICENCES.get(doc["id"], ("etalab-2.0", ["attribution", "date-of-update"]))
        denied = doc["id"] == "manuals:d.html"
        for jurisdiction in jurisdictions:
            for use in ("train", "redistribute", "weights"):
                rows.append(
                    {
                        "id": doc["id"],
                        "digest": doc["digest"],
                        "jurisdiction": jurisdiction,
                        "use": use,
                        "verdict": "deny" if denied else "allow",
                        "obligations": obligations,
                        "licence": licence,
                        "basis": "licence",
                        "rules": [f"licences/{licence}@2026-11-22"],
                        "free_from": None,
                        "safe_from": None,
                        "explanation": "licence-nc" if denied else "licence-allow",
                        "statements": [f"{'file' if doc['id'] in LICENCES else 'card'}: {licence}"],
                        "as_of": "2026-11-22",
                    }
                )
    return rows


def write(path: Path, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def make_tiny_model(folder: Path) -> None:
    """Files by the names of a model's, with nothing in them that could be loaded."""
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")


def build_miniature(
    root: Path,
    fill_model: Callable[[Path], None] = make_tiny_model,
    withdrawn: Sequence[str] = (),
    emptied: bool = False,
) -> Miniature:
    """`withdrawn`: ids of documents that left the corpus; `emptied`: after its tokens were made."""
    declaration = Declaration.model_validate(
        {
            "project": {"name": "petit-hemicycle", "jurisdictions": ["FR", "BE"], "license": "Apache-2.0"},
            "corpora": {"debats": {"sources": ["sittings", "manuals", "absents"]}},
            "tokenizers": {"fr": {"corpus": "debats", "vocab": 300}},
            "models": {
                "petit": {
                    "corpora": {"debats": 1.0},
                    "tokenizer": "fr",
                    "architecture": {
                        "kind": "llama",
                        "layers": 2,
                        "width": 16,
                        "heads": 2,
                        "context": CONTEXT,
                    },
                    "budget": {"tokens": CONTEXT * STEPS * ROWS},
                }
            },
            "evaluations": {"base": {"models": ["petit"]}},
            "releases": {"v0": {"model": "petit", "title": "Petit | hémicycle <i>v0</i>"}},
        }
    )
    cards = {
        "sittings": Card.model_validate(
            {
                "title": HOSTILE,
                "publisher": "Assemblée\n| fictive",
                "reader": "syceron",
                "path": "sittings",
                "attribution": "Assemblée fictive, [séances](javascript:alert(1)), mise à jour 2031",
                "rights": {
                    "licence": "etalab-2.0",
                    "attested_by": "Camille Test",
                    "evidence": ["https://data.example.org/licence", "javascript:alert(1)"],
                },
            }
        ),
        "manuals": Card.model_validate(
            {
                "title": "Manuels libres",
                "reader": "debian",
                "packages": ["manuels"],
                "rights": {"attested_by": "Camille Test"},
            }
        ),
        "absents": Card.model_validate({"title": "Absents", "reader": "text", "path": "x", "optional": True}),
    }
    mini = Miniature(root, Ledger(root / "ledger", root / "home" / "key"), declaration, cards)
    for source in ("sittings", "manuals"):
        _make_source(mini, source)
    _make_corpus(mini, withdrawn)
    _make_model(mini, fill_model, {"before": "0" * 64} if emptied else {})
    return mini


def _make_source(mini: Miniature, source: str) -> None:
    (mini.folder("raw", source) / "files.bin").write_text(source)
    packages = {"packages": {"manuels": "1.0-2"}} if source == "manuals" else {}
    mini.record("raw", source, {}, {"files": 1, "bytes": 8, **packages})
    (mini.folder("documents", source) / "documents.parquet").write_text(f"documents of {source}")
    found = len(DOCUMENTS[source])
    mini.record("documents", source, {"raw": f"raw/{source}"}, {"documents": found, "characters": 9})
    write(mini.folder("rights", source) / "rights.parquet", RIGHTS, rights_rows(source))
    mini.record("rights", source, {"documents": f"documents/{source}"}, {})


def _make_corpus(mini: Miniature, withdrawn: Sequence[str]) -> None:
    folder = mini.folder("admitted", "debats")
    every = [doc for docs in DOCUMENTS.values() for doc in docs]
    through = [
        {k: doc[k] for k in ("source", "id", "digest")} for doc in every if doc["id"] != "manuals:d.html"
    ]
    write(folder / "admitted.parquet", ADMITTED, through)
    refused = {
        "source": "manuals",
        "id": "manuals:d.html",
        "verdict": "deny",
        "explanation": "licence-nc",
        "licence": "CC-BY-NC-4.0",
    }
    write(folder / "refused.parquet", REFUSED, [refused])
    mini.record("admitted", "debats", {s: f"rights/{s}" for s in DOCUMENTS}, {"admitted": 6, "refused": 1})
    folder = mini.folder("corpus", "debats")
    figures = {}
    for source, docs in DOCUMENTS.items():
        kept = [doc for doc in docs if doc["split"]]
        dropped = [
            {**doc, "why": ["french/too-short", "french/symbols"]}
            for doc in docs
            if doc["id"] == "manuals:c.html"
        ]
        write(folder / "kept" / source / "00000.parquet", CORPUS, kept)
        write(folder / "dropped" / source / "00000.parquet", DROPPED, dropped)
        held_out = sum(doc["split"] == "held-out" for doc in kept)
        figures[source] = {
            "documents": len(kept),
            "characters": sum(len(doc["text"]) for doc in kept),
            "train": len(kept) - held_out,
            "held_out": held_out,
            "dropped": len(dropped),
            "dropped_characters": sum(len(doc["text"]) for doc in dropped),
            "why": {"french/too-short": 1, "french/symbols": 1} if dropped else {},
        }
    inputs = {source: f"documents/{source}" for source in DOCUMENTS} | {"admitted": "admitted/debats"}
    rules = {r.name: {"en": r.why_en, "fr": r.why_fr} for s in load_sets(["french"]) for r in s.rules}
    if withdrawn:
        rows = [{"id": one, "source": one.split(":")[0], "split": "train"} for one in withdrawn]
        write(folder / WITHDRAWN, LISTED, rows)
    left = dict(Counter(one.split(":")[0] for one in withdrawn))
    mini.record("corpus", "debats", inputs, {"sources": figures, "rules": rules, "withdrawn": left})


def _make_model(mini: Miniature, fill_model: Callable[[Path], None], before: dict[str, str]) -> None:
    (mini.folder("tokenizer", "fr") / "tokenizer.json").write_text("{}")
    mini.record("tokenizer", "fr", {"corpus": "corpus/debats"}, {"vocabulary": 300})
    (mini.folder("tokens", "debats.fr") / "tokens-00000.bin").write_bytes(b"\0" * 8)
    by_source = {"sittings": {"documents": 2, "tokens": 1_234}, "manuals": {"documents": 2, "tokens": 567}}
    inputs = {"corpus": "corpus/debats", "tokenizer": "tokenizer/fr"}
    mini.record("tokens", "debats.fr", inputs, {"sources": by_source, **before})
    (mini.folder("order", "petit") / "plan.json").write_text("{}")
    inputs = {"debats": "tokens/debats.fr", "tokenizer": "tokenizer/fr"}
    mini.record("order", "petit", inputs, {"steps": STEPS})
    folder = mini.folder("model", "petit")
    fill_model(folder)
    shape = {"family": "llama", "layers": 2, "width": 16, "heads": 2, "context": CONTEXT, "vocabulary": 300}
    tokens = CONTEXT * STEPS * ROWS
    (folder / "training.json").write_text(json.dumps({"shape": shape, "tokens": tokens}))
    read = [
        {
            "document": d,
            "source": d.split(":")[0],
            "first_step": i,
            "last_step": STEPS - 1,
            "rows": 2,
            "tokens": t,
        }
        for i, (d, t) in enumerate(READ.items())
    ]
    write(folder / "exposure.parquet", EXPOSURE, read)
    (folder / "loss.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    figures = {
        "parameters": 5_234_176,
        "steps": STEPS,
        "tokens": tokens,
        "flop": 1_234_567_890_123,
        "training_loss": 2.7726,
    }
    mini.record("model", "petit", {**inputs, "order": "order/petit"}, figures)
    folder = mini.folder("evaluation", "base")
    scores = [("petit", "model", "*", 2.345, 2.301, 2.391), ("xz -9", "baseline", "*", 3.1, None, None)]
    scores += [("character n-gram of order 3", "baseline", "*", 2.5, 2.4, 2.6)]
    scores += [("petit", "model", s, 2.345, 2.301, 2.391) for s in ("manuals", "sittings")]
    names = ("name", "kind", "source", "bits_per_byte", "low", "high")
    notes = {"en": ["1,000 blocks of 5 | documents."], "fr": ["1\u202f000 blocs de 5 | documents."]}
    rows = [dict(zip(names, s, strict=True)) for s in scores]
    results = {"rows": rows, "notes": notes, "forgetting": []}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "comparison.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    mini.record("evaluation", "base", {"model petit": "model/petit", "corpus debats": "corpus/debats"}, {})
