"""Training steps of our loop beside others', and beside the machine's rate of products of matrices.

An 11 M Llama, context 512, 2 048 tokens a step, bf16 where the processor has it, two threads, fused AdamW,
clipped gradients, compiled. Each contestant is a process of its own, compiles, and then takes its turn at
some steps, round after round, while the others wait; the rate of matrix products (1024-cubed, the best of
many) is measured in the same rounds. What is shown is the median over rounds of the ratio within a round.

Ours is the whole loop: prefetched batches of a plan with a mask of documents, log, checkpoints.

- by hand: a Llama and its loop of 100 lines (with_peers/train_nano.py), compiled by block as ours;
- Trainer: Hugging Face's, with torch_compile, bf16 and fused AdamW, which are its quickest switches here;
- litgpt 0.5.9: its model and loss, compiled whole, in an environment of its own.

    python bench/train.py [--rounds 7] [--steps 8] [--without litgpt]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import python_of
from with_peers import turns

LITGPT = ("litgpt==0.5.9", "torch==2.13.0")
PEERS = Path(__file__).parent / "with_peers"
#: 6 x (weights of matrices, head included) + 12 x layers x width x context, a token.
FLOP = (
    6
    * (
        turns.LAYERS * (4 * turns.WIDTH**2 + 3 * turns.WIDTH * turns.FEED_FORWARD)
        + turns.VOCABULARY * turns.WIDTH
    )
    + 12 * turns.LAYERS * turns.WIDTH * turns.CONTEXT
)


class Contestant:
    def __init__(self, name: str, python: Path, cache: str) -> None:
        source = Path(__file__).resolve().parents[1] / "src"
        self.process = subprocess.Popen(
            [str(python), str(PEERS / f"train_{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": f"{source}:{PEERS}",
                "TORCHINDUCTOR_CACHE_DIR": f"{cache}/{name}",
                "OMP_NUM_THREADS": str(turns.THREADS),
            },
        )

    def hear(self) -> dict[str, float]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args} ended with {self.process.wait()}")
        return json.loads(line)

    def take(self, steps: int) -> dict[str, float]:
        assert self.process.stdin is not None
        print(steps, file=self.process.stdin, flush=True)
        return self.hear()


def matmul_rate() -> float:
    import torch

    torch.set_num_threads(turns.THREADS)
    a, b = torch.randn(1024, 1024).bfloat16(), torch.randn(1024, 1024).bfloat16()
    best = float("inf")
    for _ in range(30):
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * 1024**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description="Time training steps in turns.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--without", nargs="*", default=[])
    given = parser.parse_args()
    names = [name for name in ("ours", "nano", "trainer", "litgpt") if name not in given.without]
    pythons = {name: Path(sys.executable) for name in names}
    if "litgpt" in names:
        pythons["litgpt"] = python_of("litgpt", LITGPT)
    with tempfile.TemporaryDirectory() as cache:
        contestants = {}
        for name in names:
            begin = time.monotonic()
            contestants[name] = Contestant(name, pythons[name], cache)
            contestants[name].hear()
            print(f"{name}: ready after {time.monotonic() - begin:.0f} s, cold compilation included")
        took: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        shares, rates = [], []
        tokens = given.steps * turns.ROWS * turns.CONTEXT
        for _ in range(given.rounds):
            for name, one in contestants.items():
                took[name].append(one.take(given.steps))
            rates.append(matmul_rate())
            shares.append(tokens * FLOP / took["ours"][-1]["wall"] / rates[-1])
        for one in contestants.values():
            one.process.kill()
    for name in names:
        ratios = [theirs["wall"] / own["wall"] for theirs, own in zip(took[name], took["ours"], strict=True)]
        speed = tokens / statistics.median(t["wall"] for t in took[name])
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(
            f"{name}: {speed:,.0f} tokens/s; ours is {statistics.median(ratios):.2f} times as fast ({spread})"
        )
    print(
        f"ours: {statistics.median(shares):.0%} of the matmul rate ({min(shares):.0%}-{max(shares):.0%}), "
        f"which is {statistics.median(rates) / 1e9:.0f} GFLOP/s"
    )
    first, *later = took["ours"]
    for what in ("data", "log"):
        share = (later[-1][what] - first[what]) / sum(t["wall"] for t in later)
        print(f"ours: {share:.2%} of the step is {what}")


if __name__ == "__main__":
    main()
