"""Our loop, whole: plan, prefetched batches, mask of documents, log, checkpoints, samples left out."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import turns

turn = turns.Turns()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
from tokenizers import Tokenizer, models  # noqa: E402

from hemicycle.documents import write_parquet  # noqa: E402
from hemicycle.project import Model  # noqa: E402
from hemicycle.tokens import Phase, ShardWriter, make_plan  # noqa: E402
from hemicycle.tokens.tokenize import DOCUMENTS, shard_name  # noqa: E402
from hemicycle.train import Job, Run, derive_recipe, derive_shape, loop, sample  # noqa: E402

STEPS, DOCUMENT = 100_000, 700


def write_tokens(folder: Path) -> None:
    """Documents of random tokens."""
    draw = np.random.default_rng(0)
    rows, first = [], 0
    with ShardWriter(folder / shard_name(0), np.uint16) as shard:
        for number in range(2_000):
            ids = draw.integers(0, turns.VOCABULARY, int(draw.integers(DOCUMENT // 2, 2 * DOCUMENT)))
            shard.add(ids)
            about = {"document": number, "id": f"s:{number}", "source": "s", "shard": 0, "language": "fr"}
            rows.append({**about, "first": first, "tokens": len(ids), "bytes": 4 * len(ids)})
            first += len(ids)
    write_parquet(folder / "documents.parquet", DOCUMENTS, [pa.Table.from_pylist(rows, DOCUMENTS)])


def main() -> None:
    #: Seconds since the beginning.
    spent = {"log": 0.0, "data": 0.0}
    tell = loop.Training._tell

    def timed(self, *given):  # noqa: ANN001, ANN002, ANN202
        began = time.perf_counter()
        tell(self, *given)
        spent["log"] += time.perf_counter() - began

    loop.Training._tell = timed
    # The peers write no samples.
    sample.Sampler.sample = lambda *_: None
    declared = {
        "corpora": {"c": 1.0},
        "tokenizer": "t",
        "architecture": {
            "layers": turns.LAYERS,
            "width": turns.WIDTH,
            "heads": turns.HEADS,
            "feed_forward": turns.FEED_FORWARD,
            "context": turns.CONTEXT,
        },
        "budget": {"tokens": 1},
        "batch_tokens": turns.ROWS * turns.CONTEXT,
        "training": {"optimiser": "adamw", "rate": turns.RATE, "spikes": "keep"},
    }
    model = Model.model_validate(declared)
    assert model.architecture is not None
    shape = derive_shape(model.architecture, turns.VOCABULARY)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        for part in ("tokens", "plan", "tokenizer", "out", "scratch"):
            (here / part).mkdir()
        write_tokens(here / "tokens")
        words = {f"<{n}>": n for n in range(turns.VOCABULARY)}
        Tokenizer(models.WordLevel(words, "<0>")).save(str(here / "tokenizer" / "tokenizer.json"))
        (here / "tokenizer" / "tokenizer_config.json").write_text('{"bos_token": "<0>", "eos_token": "<1>"}')
        phase = Phase("main", STEPS * turns.ROWS * turns.CONTEXT, {"c": 1.0}, turns.CONTEXT)
        make_plan(
            {"c": here / "tokens"}, [phase], here / "plan", batch_tokens=turns.ROWS * turns.CONTEXT, seed=1
        )
        job = Job(
            name="bench",
            plan=here / "plan",
            tokens={"c": here / "tokens"},
            tokenizer=here / "tokenizer",
            out=here / "out",
            scratch=here / "scratch",
            log=here / "log",
            shape=shape,
            recipe=derive_recipe(model, shape),
            run=Run(STEPS, 1, "bf16", True, turns.THREADS),
        )
        steps = [0]

        def stop() -> bool:
            if steps[0] >= 3:
                turn.wait(spent)
            steps[0] += 1
            return False

        batches = loop.prefetch

        def timed_batches(*given):  # noqa: ANN002, ANN202
            found = batches(*given)
            while True:
                began = time.perf_counter()
                batch = next(found)
                spent["data"] += time.perf_counter() - began
                yield batch

        loop.prefetch = timed_batches
        loop.train(job, stop=stop)


if __name__ == "__main__":
    sys.exit(main())
