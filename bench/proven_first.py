"""What it costs in quality to read revocable sources last: one small model on the same text, both ways.

Sittings, novels and the Constitution are read by the project's readers and cut into pieces, of which every
tenth is held out. Then, with each seed, one model reads all in a shuffled order, and one for each set of
sources that may be taken back, with those last (`reading = "proven-first"`): a tenth of the text, which
resembles what stays, and two fifths, which are a domain of their own. All have one budget, and everything
else alike. What is compared are bits per byte of held-out text, source by source; differences are paired by
seed.

    PYTHONPATH=src python bench/proven_first.py SAMPLES --out FILE
        [--tokens 500k] [--layers 3] [--width 128] [--seeds 3] [--revocable novels-b] [--revocable sittings]

SAMPLES holds the folders assemblee-2013/tei, literature and constitution. About ten minutes on two cores as
it stands; on a graphics card the model and the budget are larger unless they are said.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from hemicycle.curate import CORPUS
from hemicycle.digests import sha256_text
from hemicycle.documents import write_parquet
from hemicycle.evaluate import bits
from hemicycle.project import Architecture, Budget, Card, Model
from hemicycle.project.declared import count
from hemicycle.sources import reader
from hemicycle.tokens import Phase, make_plan, redo_of, tokenize, train_tokenizer
from hemicycle.train import Shape, derive_recipe, derive_shape, resolve_run
from hemicycle.train.job import Job
from hemicycle.train.loop import train
from hemicycle.train.machine import accelerators

#: Source → folder, reader, files, and which of its documents: novels are two sources of one kind.
SOURCES: dict[str, tuple[str, str, str, slice]] = {
    "constitution": ("constitution", "markdown-frontmatter", "article*.md", slice(None)),
    "novels-a": ("literature", "eltec", "*.xml", slice(0, 16)),
    "novels-b": ("literature", "eltec", "*.xml", slice(16, None)),
    "sittings": ("assemblee-2013/tei", "tei", "*.xml", slice(None)),
}
#: Characters of a piece, about; every so many-th is held out, and so many of a source are measured on.
PIECE, HELD_OUT, MEASURED = 10_000, 10, 20
VOCABULARY, CONTEXT = 4_096, 256
#: Layers, width and tokens where nobody says them: on a processor, and on a graphics card.
SMALL, LARGE = (3, 128, 500_000), (8, 512, 20_000_000)


def pieces(text: str) -> Iterator[str]:
    """A text in pieces of whole lines, so that each source has many."""
    piece, size = [], 0
    for line in text.splitlines(keepends=True):
        piece.append(line)
        size += len(line)
        if size >= PIECE:
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        yield "".join(piece)


def make_corpus(samples: Path, out: Path) -> dict[str, list[str]]:
    """Write the training text as a corpus; returns source → held-out pieces."""
    held: dict[str, list[str]] = defaultdict(list)
    for source, (folder, how, files, which) in SOURCES.items():
        card = Card(title=source, reader=how, path=".", include=[files])
        documents = list(reader(how)(samples / folder, card))[which]
        rows = []
        for at, text in enumerate(piece for one in documents for piece in pieces(one.text)):
            if at % HELD_OUT == HELD_OUT - 1:
                held[source].append(text)
                continue
            digest = sha256_text(text)
            rows.append(
                {
                    "id": f"{source}:{at:04}",
                    "text": text,
                    "digest": digest,
                    "clean_digest": digest,
                    "source": source,
                    "origin": str(at),
                    "group": f"{source}:{at:04}",
                    "language": "fr",
                    "kind": "other",
                    "split": "train",
                }
            )
        path = out / "kept" / source / "00000.parquet"
        path.parent.mkdir(parents=True)
        write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
        if not held[source]:
            # Too small to hold anything out of: it is read, and not measured.
            del held[source]
    # At even distances, so that all documents of a source have their say.
    return {source: texts[:: -(-len(texts) // MEASURED)] for source, texts in held.items()}


def run_once(
    here: Path, tokens: Path, shape: Shape, model: Model, seed: int, reading: str, revocable: Sequence[str]
) -> tuple[Path, dict[str, float]]:
    """Plan and train once; returns the model, and source → share of the run that is redone without it."""
    recipe, total = derive_recipe(model, shape), int(model.budget.tokens or 0)
    for part in ("plan", "model", "scratch", "log"):
        (here / part).mkdir(parents=True)
    phase = Phase("main", total, {"c": 1.0}, CONTEXT, "split", reading)  # type: ignore[arg-type]
    make_plan(
        {"c": tokens},
        [phase],
        here / "plan",
        batch_tokens=recipe.batch_tokens,
        seed=seed,
        revocable=revocable,
    )
    job = Job(
        name=here.name,
        plan=here / "plan",
        tokens={"c": tokens},
        tokenizer=here.parent / "tokenizer",
        out=here / "model",
        scratch=here / "scratch",
        log=here / "log",
        shape=shape,
        recipe=recipe,
        run=resolve_run(shape, recipe, Budget(tokens=total), seed),
    )
    train(job)
    return here / "model", {s: share for s, (_, share) in redo_of(here / "plan", {"c": tokens}).items()}


def measure(model: Path, held: dict[str, list[str]]) -> dict[str, float]:
    """Bits per byte of a model on the held-out text of each source, and of all (*)."""
    loaded, nats, sizes = bits.load(model), dict[str, float](), dict[str, int]()
    for source, texts in held.items():
        nats[source] = math.fsum(float(one.nats.sum()) for one in loaded.score(texts))
        sizes[source] = sum(len(text.encode("utf-8")) for text in texts)
    nats["*"], sizes["*"] = math.fsum(nats.values()), sum(sizes.values())
    return {source: nats[source] / math.log(2) / sizes[source] for source in nats}


def table(results: dict[str, Any]) -> Iterator[str]:
    """The table for people: a line a set of revocable sources and a source."""
    yield (
        f"{'last':12} {'share':>6} {'redone':>7}  {'held out of':14} {'shuffled':>9} {'last':>7} "
        f"{'difference':>11}  by seed"
    )
    for name, one in results["last"].items():
        for source, row in one["sources"].items():
            each = ", ".join(f"{value:+.4f}" for value in row["differences"])
            yield (
                f"{name:12} {one['share']:6.1%} {one['redone']:7.1%}  {source:14} {row['shuffled']:9.4f} "
                f"{row['proven_first']:7.4f} {row['difference']:+11.4f}  {each}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare proven-first with shuffled reading.")
    parser.add_argument("samples", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file")
    parser.add_argument("--tokens", type=count, help="of each training, such as 500k")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--batch", type=count, default=8_192)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--revocable", action="append", help="sources joined by +; may be given several times"
    )
    given = parser.parse_args()
    on_card = bool(accelerators())
    layers, width, total = LARGE if on_card else SMALL
    layers, width, total = given.layers or layers, given.width or width, given.tokens or total
    architecture = Architecture(layers=layers, width=width, heads=max(1, width // 64), context=CONTEXT)
    sets = {"shuffled": [], **{one: one.split("+") for one in given.revocable or ["novels-b", "sittings"]}}
    if unknown := {source for one in sets.values() for source in one} - SOURCES.keys():
        parser.error(f"no source is called {', '.join(sorted(unknown))}: there are {', '.join(SOURCES)}")
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    redone: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        held = make_corpus(given.samples, here / "corpus")
        for part in ("tokenizer", "tokens"):
            (here / part).mkdir()
        vocabulary = train_tokenizer(here / "corpus", here / "tokenizer", vocab=VOCABULARY)["vocabulary"]
        figures = tokenize(here / "corpus", here / "tokenizer", here / "tokens")
        by_source = {source: one["tokens"] for source, one in figures["sources"].items()}
        shape = derive_shape(architecture, vocabulary)
        print(
            f"{shape.parameters:,} parameters, {total:,} tokens of {sum(by_source.values()):,} a training; "
            f"{torch.cuda.get_device_name() if on_card else 'processor'}; {by_source}",
            flush=True,
        )
        for seed in range(1, given.seeds + 1):
            for order, revocable in sets.items():
                began = time.monotonic()
                model = Model.model_validate(
                    {
                        "corpora": {"c": 1.0},
                        "tokenizer": "t",
                        "architecture": architecture.model_dump(),
                        "budget": {"tokens": total},
                        "batch_tokens": given.batch,
                        "seed": seed,
                    }
                )
                reading = "proven-first" if revocable else "shuffled"
                place, redo = run_once(
                    here / f"{order}-{seed}", here / "tokens", shape, model, seed, reading, revocable
                )
                redone[order].append(max((redo.get(source, 0.0) for source in revocable), default=1.0))
                found[order].append(measure(place, held))
                seconds = time.monotonic() - began
                print(
                    f"{order}, seed {seed}: {found[order][-1]['*']:.4f} bits a byte, {seconds:.0f} s",
                    flush=True,
                )
    results: dict[str, Any] = {
        "parameters": shape.parameters,
        "tokens": total,
        "batch_tokens": given.batch,
        "context": CONTEXT,
        "seeds": given.seeds,
        "device": torch.cuda.get_device_name() if on_card else "processor",
        "tokens_by_source": by_source,
        "held_out_bytes": {s: sum(len(t.encode("utf-8")) for t in texts) for s, texts in held.items()},
        "runs": found,
        "last": {},
    }
    for order, revocable in sets.items():
        if not revocable:
            continue
        sources = {}
        for source in found[order][0]:
            before, after = ([one[source] for one in found[which]] for which in ("shuffled", order))
            differences = [b - a for a, b in zip(before, after, strict=True)]
            sources[source] = {
                "shuffled": statistics.fmean(before),
                "proven_first": statistics.fmean(after),
                "difference": statistics.fmean(differences),
                "differences": differences,
                "spread_of_seeds": statistics.stdev(before) if len(before) > 1 else None,
            }
        results["last"][order] = {
            "share": sum(by_source[s] for s in revocable) / sum(by_source.values()),
            "redone": statistics.fmean(redone[order]),
            "sources": sources,
        }
    given.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
