"""A training killed thirty times, at random steps and while checkpoints are written, ends in the same bits.

A small model is trained once undisturbed, then again with SIGKILL after SIGKILL, checkpoints being written
nearly all the time; weights, figures and exposure must be the same bytes. What tests/train/test_kills.py does
three times.

    python bench/train_kills.py [--rounds 30] [--seed S]
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.conftest import text, write_corpus  # noqa: E402
from tests.train.jobs import PLAIN, make_job, write_plan  # noqa: E402
from tests.train.kills import checkpoints, finish, kill_once  # noqa: E402

from hemicycle.tokens import tokenize, train_tokenizer  # noqa: E402

STEPS = 4_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill a training at random moments.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; by default a new one")
    given = parser.parse_args()
    seed = secrets.randbelow(2**32) if given.seed is None else given.seed
    print(f"seed {seed}")
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        corpus = write_corpus(here / "corpus", {"a": [text(n) for n in range(12)], "b": [text(70, 200)]})
        for part in ("tokenizer", "tokens"):
            (here / part).mkdir()
        train_tokenizer(corpus, here / "tokenizer", vocab=320)
        tokenize(corpus, here / "tokenizer", here / "tokens")
        plan = write_plan(here / "plan", here / "tokens", steps=STEPS)
        run = PLAIN.__class__(STEPS, 1, "bf16", False, 1)
        jobs = [
            make_job(here / n, plan, here / "tokens", here / "tokenizer", run=run) for n in ("calm", "killed")
        ]
        calm = finish(jobs[0])
        killed, writing = 0, 0
        for number in range(1, given.rounds + 1):
            stood = kill_once(jobs[1], moments)
            if stood is None:
                break
            killed += 1
            writing += stood[1]
            print(
                f"kill {number}: at checkpoints {stood[0]}{', one half written' if stood[1] else ''}",
                flush=True,
            )
        same = finish(jobs[1]) == calm
        print(f"{killed} kills, {writing} while a checkpoint was written; last {checkpoints(jobs[1])[0]}")
        print("the same bytes" if same else "OTHER BYTES")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
