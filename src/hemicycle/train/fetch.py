"""Bring a base in: the files of a model in a folder or on a hub, and nothing that could run.

Weights come as safetensors alone. Opening a pickle (`pytorch_model.bin`) can run whatever its maker put
there, so a model that has no other form is refused; code beside a model is never copied.
"""

from __future__ import annotations

from pathlib import Path

from hemicycle.errors import InputError
from hemicycle.hub import fetch_snapshot
from hemicycle.project import Base, Card
from hemicycle.rights.cards import read_card
from hemicycle.sources.local import copy_in, fingerprint

#: What is taken of a model: weights under the names that `transformers` loads, configuration, tokenizer, and
#: what its maker says of its licence.
FILES = [
    "config.json",
    "generation_config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "README.md",
    "LICENSE*",
    "LICENCE*",
    "license*",
    "NOTICE*",
]
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
#: A README beyond this says nothing that is read here.
LARGEST_README = 4_000_000

# Reading a folder of one's own is done in one place, and that goes by a card.
_WANTED = Card(title="base", reader="text", path=".", include=FILES)


def fetch_base(base: Base, project: Path, out: Path, *, offline: bool) -> None:
    """Fill `out` with the files of a base.

    Raises:
        DeclarationError: a hub is asked for and its library is not installed.
        InputError: the model cannot be had, or is not one that could be begun from.
    """
    if base.path is not None:
        folder = (project / base.path).resolve()
        check_folder(folder)
        copy_in(folder, out, _WANTED)
        return
    if offline:
        raise InputError(
            "it was not collected yet, and --offline forbids fetching it",
            remedy="Run `hemicycle collect` once where there is a network.",
        )
    name = str(base.hf)
    repository, _, commit = name.partition("@")
    fetch_snapshot(name, repository, commit, out, what="model", patterns=FILES)
    check_folder(out)


def fingerprint_base(base: Base, project: Path, cache: Path) -> str:
    """The digest that `fetch_base` would give the artefact of a base in a folder.

    Raises InputError where the folder holds no model that could be begun from.
    """
    folder = (project / str(base.path)).resolve()
    check_folder(folder)
    return fingerprint(folder, _WANTED, cache)


def check_folder(folder: Path) -> None:
    """Refuse a folder that lacks what a base must have. Raises InputError."""
    if not (folder / "config.json").is_file():
        raise InputError(
            "this is not a model's folder: it has no config.json",
            place=str(folder),
            remedy="Name the folder of a model as transformers saves it, or as a hub gives it.",
        )
    if any(path.is_symlink() for pattern in FILES for path in folder.glob(pattern)):
        raise InputError(
            "the folder holds links, as a hub's cache does, and what they lead to may change",
            place=str(folder),
            remedy="`hf download ORG/NAME --revision COMMIT --local-dir FOLDER` makes a folder of files.",
        )
    if not any(folder.glob("model*.safetensors")):
        pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        raise InputError(
            f"its weights are pickles ({pickles[0]}), and opening one can run whatever is in it"
            if pickles
            else "it has no weights: there is no model*.safetensors",
            place=str(folder),
            remedy="Take the model as safetensors; where its maker gives none, convert it on a machine that "
            "holds nothing else: load it with transformers, then `save_pretrained`.",
        )
    if not (folder / "tokenizer.json").is_file():
        raise InputError(
            "it has no tokenizer.json, which says how its text is cut",
            place=str(folder),
            remedy="Load its tokenizer with transformers' AutoTokenizer and `save_pretrained` it there.",
        )


def stated_licence(folder: Path) -> str | None:
    """What the head of a model's README says its licence is, as written; None where it says nothing."""
    path = folder / "README.md"
    if not path.is_file() or path.stat().st_size > LARGEST_README:
        return None
    return read_card(path.read_text("utf-8", errors="replace")).licence or None
