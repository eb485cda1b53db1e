"""Training steps of our loop, beside a plain transformers loop and beside the machine's matmul rate.

The peer is the shortest loop people write: `LlamaForCausalLM`, its own loss, AdamW, no compiling. Both run
the same shape and tokens in turn; the share of the bf16 matmul rate is measured in the same run.

    python bench/train.py [--compiled] [--layers 4 --width 192 --context 256 --vocab 4096]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from hemicycle.project import Model
from hemicycle.tokens import Batch
from hemicycle.train import Run, derive_shape
from hemicycle.train.budget import _has_fast_bf16
from hemicycle.train.model import Learner, build_model
from hemicycle.train.optimiser import Optimiser


def matmul_rate(dtype: torch.dtype) -> float:
    """FLOP a second of a 1024-cube product: the best of many."""
    a, b = torch.randn(1024, 1024).to(dtype), torch.randn(1024, 1024).to(dtype)
    best = float("inf")
    for _ in range(30):
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * 1024**3 / best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compiled", action="store_true")
    for name, value in (("layers", 4), ("width", 192), ("heads", 3), ("context", 256), ("vocab", 4096)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    architecture = {k: getattr(given, k) for k in ("layers", "width", "heads", "context")}
    model = Model.model_validate(
        {"corpora": {"c": 1.0}, "tokenizer": "t", "architecture": architecture, "budget": {"tokens": 1}}
    )
    shape = derive_shape(model, given.vocab)
    threads = len(os.sched_getaffinity(0))
    precision = "bf16" if _has_fast_bf16() else "fp32"
    rng = np.random.default_rng(0)
    ids = rng.integers(0, given.vocab, (shape.batch_rows, given.context))
    places = np.broadcast_to(np.arange(given.context), ids.shape).copy()
    batch = Batch(ids, np.roll(ids, -1, 1), np.zeros(ids.shape, np.int32), places, np.zeros_like(ids))

    ours_model = build_model(shape, 0, 1, seed=1)
    cache = Path("build/bench-compiled").absolute()
    learner = Learner(ours_model, Run(1, 1, precision, given.compiled, threads), cache)
    optimiser = Optimiser(ours_model, shape)
    plain_model = build_model(shape, 0, 1, seed=1)
    plain_adam = torch.optim.AdamW(plain_model.parameters(), lr=3e-3)
    tokens = torch.from_numpy(ids)

    def ours() -> None:
        learner.loss(batch).backward()  # type: ignore[no-untyped-call]
        optimiser.step(0, 1)

    def plain() -> None:
        plain_model(input_ids=tokens, labels=tokens).loss.backward()
        torch.nn.utils.clip_grad_norm_(plain_model.parameters(), 1.0)
        plain_adam.step()
        plain_adam.zero_grad()

    for _ in range(3):
        ours()
        plain()
    ours_s, plain_s = [], []
    for _ in range(20):
        begin = time.perf_counter()
        ours()
        middle = time.perf_counter()
        plain()
        ours_s.append(middle - begin)
        plain_s.append(time.perf_counter() - middle)
    step, other = statistics.median(ours_s), statistics.median(plain_s)
    a_step = ids.size
    rate = matmul_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
    print(
        f"{shape.parameters / 1e6:.1f} M parameters, {precision}, {'compiled' if given.compiled else 'eager'}"
    )
    print(f"plain transformers loop / ours: {other / step:.2f} times; ours {a_step / step:,.0f} tokens/s")
    print(f"share of the matmul rate: {100 * a_step * shape.flop_per_token / step / rate:.0f} %")


if __name__ == "__main__":
    main()
