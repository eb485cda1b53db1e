"""Share of a graphics card's peak that training uses, by size of the model, in bf16 without recomputation.

For each size the whole step is timed: masks of packed documents, loss, gradients, clipping, the fused update.
The rate of products of matrices (8192-cubed) is measured in the same call, since it is what a card can do in
practice. Tokens are random: arithmetic does not depend on them. On a machine without a card tiny sizes run
on the processor, so that the script is known to work.

The arithmetic of a model counts whole attention, as is the custom (PaLM, appendix B); that of packed
documents skips what no token may see, so `--document 1000000`, one document a row, is the sterner measure.

    python bench/gpu.py [--sizes 350M 760M 1.3B 3B bloom-1.3B] [--steps 20] [--micro ROWS] [--document 900]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from hemicycle.arithmetic.chips import device_peak
from hemicycle.project import Model
from hemicycle.tokens import Batch
from hemicycle.train import Run, derive_recipe, derive_shape
from hemicycle.train.learner import Learner
from hemicycle.train.loop import split
from hemicycle.train.machine import accelerators, measured_matmul_rate, threads
from hemicycle.train.model import build_model
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.ranks import Ranks

VOCABULARY = 32_000
#: Size → family, layers, width, heads, context, rows a step and rows at once.
SIZES = {
    "tiny": ("llama", 2, 128, 2, 256, 8, 4),
    "tiny-bloom": ("bloom", 2, 128, 2, 256, 8, 4),
    "125M": ("llama", 12, 768, 12, 2048, 64, 32),
    "350M": ("llama", 24, 1024, 16, 2048, 64, 16),
    "760M": ("llama", 24, 1536, 12, 2048, 64, 16),
    "1.3B": ("llama", 24, 2048, 16, 2048, 64, 8),
    "3B": ("llama", 28, 2816, 22, 4096, 32, 4),
    "bloom-1.3B": ("bloom", 24, 2048, 16, 2048, 64, 8),
}


def batch_of(rows: int, context: int, document: int) -> Batch:
    """Rows of documents of this many tokens on average."""
    draw = np.random.default_rng(0)
    ids = draw.integers(0, VOCABULARY, (rows, context))
    begins = draw.random((rows, context)) < 1 / document
    begins[:, 0] = True
    documents = np.cumsum(begins, 1) - 1
    places = np.arange(context)
    begun = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    targets = np.roll(ids, -1, 1)
    targets[:, :-1][begins[:, 1:]] = -100
    targets[:, -1] = -100
    return Batch(ids, targets, documents.astype(np.int32), places - begun, np.zeros_like(ids))


def measure(
    size: str, ranks: Ranks, steps: int, micro: int | None, document: int, compiled: bool, cache: Path
) -> None:
    family, layers, width, heads, context, rows, at_once = SIZES[size]
    model = Model.model_validate(
        {
            "corpora": {"c": 1.0},
            "tokenizer": "t",
            "architecture": {
                "kind": family,
                "layers": layers,
                "width": width,
                "heads": heads,
                "context": context,
            },
            "budget": {"tokens": 1},
            "batch_tokens": rows * context,
            "training": {"optimiser": "adamw"},
        }
    )
    assert model.architecture is not None
    shape = derive_shape(model.architecture, VOCABULARY)
    recipe = derive_recipe(model, shape)
    run = Run(steps, 1, "bf16", compiled, threads(), (micro or at_once) * context)
    learner = Learner(build_model(shape, 0, 1, 1), run, device=ranks.device, cache=cache)
    ranks.shard(learner, bf16=True)
    optimiser = Optimiser(learner.model, recipe)
    batch = batch_of(rows, context, document)

    def step() -> float:
        begin = time.perf_counter()
        for part in split(batch, run.micro_tokens):
            total, _ = learner.loss(part)
            (total / batch.learnt).backward()
        optimiser.clip()
        optimiser.step(1.0)
        if ranks.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    for _ in range(3):
        step()
    taken = statistics.median(step() for _ in range(steps))
    speed = rows * context / taken
    rate = speed * shape.flop_per_token()
    ceiling = measured_matmul_rate(torch.device(ranks.device), torch.bfloat16)
    name = torch.cuda.get_device_name() if ranks.device != "cpu" else "processor"
    peak = device_peak(name)
    share = f"{rate / peak.flops:.1%} of {peak.flops / 1e12:.0f}" if peak else "an unknown share"
    memory = torch.cuda.max_memory_allocated() / 2**30 if ranks.device != "cpu" else 0.0
    print(
        f"{size}: {shape.parameters / 1e6:,.0f} M parameters, context {context}: {speed:,.0f} tokens/s, "
        f"{rate / 1e12:.3f} TFLOP/s, {share}; {rate / ceiling:.1%} of the {ceiling / 1e12:.3f} measured for "
        f"products of matrices; {memory:.0f} GiB; {name}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the share of the peak that training uses.")
    here = bool(accelerators())
    parser.add_argument(
        "--sizes",
        nargs="+",
        choices=SIZES,
        default=["350M", "760M", "1.3B", "3B", "bloom-1.3B"] if here else ["tiny", "tiny-bloom"],
    )
    parser.add_argument("--steps", type=int, default=20 if here else 3)
    parser.add_argument("--micro", type=int, help="rows at once")
    parser.add_argument("--document", type=int, default=900, help="tokens of a document on average")
    parser.add_argument("--eager", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    ranks = Ranks.join("cuda" if here else "cpu")
    with tempfile.TemporaryDirectory() as cache:
        for size in given.sizes:
            measure(size, ranks, given.steps, given.micro, given.document, not given.eager, Path(cache))
            gc.collect()
            if here:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
    ranks.leave()


if __name__ == "__main__":
    main()
