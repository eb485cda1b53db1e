"""A stage whose code changed must say whether it would make something else of the same input.

`stages.json` pins, for each stage, its version and a digest of the code that makes its artefact (comments and
docstrings apart). When this fails: raise the stage's number in `flow.VERSIONS` if old artefacts are not what
the new code would make; then run with HEMICYCLE_REGENERATE=1 and commit both.
"""

import ast
import hashlib
import json
import os
from pathlib import Path

import hemicycle
from hemicycle.flow import VERSIONS

PACKAGE = Path(hemicycle.__file__).parent
PINNED = Path(__file__).with_name("stages.json")
ORDER = [
    "tokens/plan.py",
    "tokens/cutting.py",
    "tokens/packing.py",
    "tokens/schedule.py",
    "tokens/strata.py",
    "tokens/rows.py",
]
#: Sizes that a shape is made of, and the micro batch that a process holds.
SIZES = [
    f"arithmetic/{name}.py" for name in ("configuration", "families", "weights", "flop", "memory", "process")
]
VERBATIM, HELD_OUT = "evaluate/verbatim", ["evaluate/heldout.py"]
CODE = {
    "raw": ["sources/collect.py", "sources/local.py", "sources/download.py", "sources/apt.py"],
    "documents": ["documents.py", "hub.py", "sources", "rights/optout"],
    "base": ["hub.py", "pretrained.py", "train/fetch.py", "train/base.py"],
    "optout": ["sources/recheck.py", "sources/fetch_site.py", "rights/optout"],
    "rights": ["rights", "rights/optout"],
    "admitted": ["rights/admit.py", "gate.py", "governance/standing.py"],
    "cleared": ["rights/cleared.py", "rights/admit.py", "gate.py", "governance/standing.py"],
    "annotated": ["curate"],
    "corpus": ["curate"],
    "tokenizer": ["tokens/tokenizer.py", "tokens/encoder.py", "tokens/pattern.py", "tokens/extend.py"],
    "dialogues": [
        "tokens/dialogues.py",
        "tokens/tokenize.py",
        "tokens/encoder.py",
        "tokens/megatron.py",
        "tune",
    ],
    "tokens": [
        *(f"tokens/{name}.py" for name in ("tokenize", "encoder", "pattern", "megatron", "holes")),
    ],
    "order": ORDER,
    "model": ["train", "pretrained.py", *SIZES],
    "rung": [
        "train",
        *SIZES,
        *ORDER,
        "evaluate/single.py",
        "evaluate/bits.py",
        "evaluate/heldout.py",
        "evaluate/spans.py",
        "pretrained.py",
        "flow/ladders.py",
    ],
    "scaling": ["train/scaling.py", "train/forecast.py", "train/ladder.py", "flow/ladders.py"],
    "before-after": ["evaluate", "tune", "pretrained.py"],
    "index": [
        *(f"trace/{name}.py" for name in ("build", "codes", "cut", "folds", "index", "shards")),
        *(f"trace/{name}.py" for name in ("vocabulary", "words")),
    ],
    "roots": ["ledger/roots.py", "ledger/merkle.py", "trace/folds.py", "trace/words.py"],
    "evaluation": ["evaluate", "tune", "pretrained.py"],
    "contamination": [
        *HELD_OUT,
        *(f"{VERBATIM}/{name}.py" for name in ("contamination", "judging", "options", "sets")),
        "trace/texts.py",
    ],
    "regurgitation": [
        *HELD_OUT,
        "evaluate/bootstrap.py",
        "evaluate/spans.py",
        "pretrained.py",
        "trace/texts.py",
        *(f"{VERBATIM}/{name}.py" for name in ("generate", "passages", "regurgitation")),
    ],
    "release": ["release"],
}


def code_digest(places):
    files = []
    for place in places:
        path = PACKAGE / place
        files += sorted(path.glob("*.py")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            first = body[0] if isinstance(body, list) and body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.Pass()
        digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


def test_every_stage_has_pinned_code():
    assert set(CODE) == set(VERSIONS)


def test_changed_code_has_been_thought_about():
    now = {stage: {"version": VERSIONS[stage], "code": code_digest(CODE[stage])} for stage in CODE}
    if os.environ.get("HEMICYCLE_REGENERATE"):
        PINNED.write_text(json.dumps(now, indent=1) + "\n")
    pinned = json.loads(PINNED.read_text())
    changed = sorted(stage for stage in now if now[stage] != pinned[stage])
    assert not changed, f"{changed}: see the head of {Path(__file__).name}"
