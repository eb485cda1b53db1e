"""What a model learns of French in three minutes on this machine, beside `xz` on the same held-out documents.

The corpus is French documentation out of Debian packages, fetched by apt and kept in FOLDER, curated as any
corpus of ours is: cleaned, held to the rules of its kind, without near copies, every twentieth group of
documents held out by the digest of its name. Rights are left out, as nothing of it is published: this
measures the trainer, and `hemicycle clear` refuses several of these manuals.

The clock runs from the resolution of the budget (compiling, timing a few steps) to the model on disk, with an
empty cache of compiled code.

Only the minutes are given: shape, batch and rates follow from them, unless they are given too.

    python bench/french.py [FOLDER] [--minutes 3] [--layers 4 --width 192 --heads 3 --context 256]
                           [--batch 2048] [--vocab 4096] [--keep OUT]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from cleared import write_cleared
from hemicycle.curate import annotate_source, make_corpus
from hemicycle.curate.rules import load_sets
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.engines import Local
from hemicycle.evaluate import bits, compressors
from hemicycle.progress import Lines, Terminal
from hemicycle.project import Budget, Card, Model
from hemicycle.sources.apt import fetch_packages
from hemicycle.sources.read import read_source
from hemicycle.tokens import Phase, make_plan, tokenize, train_tokenizer
from hemicycle.train import Job, derive_recipe, derive_shape, resolve_run
from hemicycle.train.choices import choices
from hemicycle.train.derive import derive, machine_rate
from hemicycle.train.loop import train
from peers import cache_folder

PACKAGES = (
    "aptitude-doc-fr debian-edu-doc-fr debian-handbook debian-reference-fr developers-reference-fr "
    "gimp-help-fr gnome-user-docs libreoffice-help-fr lilypond-doc-html-fr maint-guide-fr manpages-fr "
    "manpages-fr-dev"
).split()
PAGES = [
    "usr/share/**/fr/**",
    "usr/share/doc/debian-handbook/html/fr-FR/*.html",
    "usr/share/doc/maint-guide-fr/html/*.html",
    "**/*.fr.html",
]
SIZES = ("layers", "width", "heads", "context")
PROMPTS = ["Pour ouvrir un document, ", "La commande ", "Le fichier de configuration "]


def corpus_of(folder: Path) -> Path:
    """The curated corpus; made once."""
    corpus = folder / "corpus"
    if not corpus.exists():
        progress = Terminal() if sys.stderr.isatty() else Lines()
        for name in ("source", "annotated", "work", "aside"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir(parents=True)
        fetch_packages(PACKAGES, folder / "debs", folder / "apt")
        card = Card(title="manuals", reader="debian", packages=PACKAGES, include=PAGES, kind="manual")
        print("read:", read_source("manuals", card, folder / "debs", folder / "source", progress=progress))
        write_cleared(folder / "source")
        annotate_source(
            folder / "source" / "documents.parquet",
            folder / "source" / "cleared.parquet",
            folder / "annotated",
            folder / "work",
            engine=Local(None),
            progress=progress,
        )
        rules = [rule for one in load_sets(["by-kind"], folder, place="bench") for rule in one.rules]
        made = make_corpus(
            {"manuals": folder / "annotated"}, folder / "aside", folder / "work", rules=rules, held_out=0.05
        )
        print("corpus:", made["sources"]["manuals"])
        (folder / "aside").rename(corpus)
    return corpus


def held_out(corpus: Path) -> Iterator[str]:
    for path in corpus_shards(corpus):
        for batch in read_batches(path, ["text", "split"]):
            yield from batch.filter(pc.not_equal(batch["split"], "train"))["text"].to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train three minutes on French manuals and measure.")
    parser.add_argument("folder", type=Path, nargs="?", default=cache_folder() / "french")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--keep", type=Path, help="where to keep the model")
    parser.add_argument("--batch", type=int, help="tokens of a batch")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--matrix-rate", type=float)
    parser.add_argument("--vocab", type=int, default=4096)
    for name in SIZES:
        parser.add_argument(f"--{name}", type=int)
    given = parser.parse_args()
    corpus = corpus_of(given.folder)
    texts = list(held_out(corpus))
    size = sum(len(text.encode("utf-8")) for text in texts)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        for part in ("tokenizer", "tokens", "plan", "out", "scratch"):
            (here / part).mkdir()
        vocabulary = train_tokenizer(corpus, here / "tokenizer", vocab=given.vocab)["vocabulary"]
        told = tokenize(corpus, here / "tokenizer", here / "tokens")
        architecture = {name: getattr(given, name) for name in SIZES if getattr(given, name) is not None}
        training = {"rate": given.rate, "matrix_rate": given.matrix_rate}
        model = Model.model_validate(
            {
                "corpora": {"c": 1.0},
                "tokenizer": "t",
                "architecture": architecture or None,
                "budget": {"minutes": given.minutes},
                "batch_tokens": given.batch,
                "training": {k: v for k, v in training.items() if v is not None},
            }
        )
        began = time.monotonic()
        derived = derive(model, vocabulary, told["tokens"], lambda: machine_rate(None))
        shape = derive_shape(derived.architecture, vocabulary)
        recipe = derive_recipe(model.model_copy(update={"batch_tokens": derived.batch_tokens}), shape)
        for choice in choices(model, derived, shape, recipe):
            print(choice)
        run = resolve_run(shape, recipe, Budget(minutes=given.minutes), 1, cache=here / "compiled")
        resolved = time.monotonic() - began
        phase = Phase(
            "main", run.steps * recipe.rows(shape.context) * shape.context, {"c": 1.0}, shape.context
        )
        make_plan(
            {"c": here / "tokens"}, [phase], here / "plan", batch_tokens=recipe.batch_tokens, seed=model.seed
        )
        job = Job(
            name="french",
            plan=here / "plan",
            tokens={"c": here / "tokens"},
            tokenizer=here / "tokenizer",
            out=here / "out",
            scratch=here / "scratch",
            log=here / "log",
            shape=shape,
            recipe=recipe,
            run=run,
            cache=here / "compiled",
        )
        figures = train(job)
        took = time.monotonic() - began
        loaded = bits.load(here / "out")
        nats = sum(float(scored.nats.sum()) for scored in loaded.score(texts))
        ours, xz = nats / 0.6931471805599453 / size, compressors.xz_bits(texts) / size
        print(
            f"corpus: {told['documents']} documents, {told['tokens']:,} tokens of "
            f"{told['bytes_per_token']} bytes;"
        )
        print(f"held out: {len(texts)} documents, {size:,} bytes")
        print(
            f"{shape.parameters / 1e6:.2f} M parameters, {run.steps} steps, {figures['tokens']:,} tokens, "
            f"{run}"
        )
        print(f"{took:.0f} s, of which {resolved:.0f} s to resolve; {figures['tokens_per_second']} tokens/s")
        print(f"bits per byte: {ours:.3f}; xz -9 {xz:.3f}; below xz by {xz - ours:.3f}")
        _write(here / "out")
        if given.keep:
            shutil.copytree(here / "out", given.keep)


def _write(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    auto: Any = AutoModelForCausalLM
    model, tokenizer = auto.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(ids, max_new_tokens=60, do_sample=True, temperature=0.7, top_k=40)
        print("|", tokenizer.decode(out[0], skip_special_tokens=True).replace("\n", " ⏎ "))


if __name__ == "__main__":
    main()
