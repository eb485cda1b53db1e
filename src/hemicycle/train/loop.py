"""The loop: batch, loss, update; a checkpoint every half minute; a model folder at the end."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from hemicycle.digests import sha256_file
from hemicycle.documents import write_parquet
from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens import Order, exposure, load_tokenizer, marks
from hemicycle.train import checkpoint
from hemicycle.train.curve import draw_loss
from hemicycle.train.model import Learner, build_model
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.settings import Run, Shape, rate_factor

CHECKPOINT_SECONDS = 30.0

FIGURES = pa.schema(
    [
        ("step", pa.int64()),
        ("loss", pa.float64()),
        ("gradient_norm", pa.float64()),
        ("rate_factor", pa.float64()),
        ("tokens", pa.int64()),
    ]
)


def train(
    plan: Path,
    tokens: Mapping[str, Path],
    tokenizer: Path,
    out: Path,
    scratch: Path,
    *,
    shape: Shape,
    run: Run,
    name: str = "",
    cache: Path | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Train over the whole plan, resuming from `scratch`, and write a model folder to `out`.

    `name` is what the model is called when a resumption is told.

    Returns figures for the statement. Raises HemicycleError on a loss that is not a number, before the
    update that would spread it; the last checkpoint stays.
    """
    order = Order(plan, tokens)
    begin, end = marks(tokenizer, load_tokenizer(tokenizer))
    model = build_model(shape, begin, end, run.seed)
    optimiser = Optimiser(model, shape)
    figures: dict[str, list[float]] = {"loss": [], "gradient_norm": []}
    first = 0
    resumed = checkpoint.load_latest(scratch)
    if resumed is not None:
        first, state = resumed
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        figures = state["figures"]
        progress.say(f"resuming model {name} at step {first} of {order.steps}")
    learner = Learner(model, run, cache)
    tokens_a_step = order.tokens_before(1)

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "figures": figures}
        checkpoint.save(scratch, step, state)

    began = saved = time.monotonic()
    done = first
    try:
        with progress.start("train", order.steps * tokens_a_step, "tokens") as bar:
            bar.advance(first * tokens_a_step)
            for step in range(first, order.steps):
                loss = learner.loss(order.batch(step))
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise HemicycleError(
                        f"the loss is {value} at step {step}",
                        remedy="That step was not applied; look at the documents of its batch.",
                    )
                loss.backward()  # type: ignore[no-untyped-call]
                figures["gradient_norm"].append(optimiser.step(step, order.steps))
                figures["loss"].append(value)
                done = step + 1
                bar.advance(tokens_a_step)
                bar.note(f"loss {value:.3f}")
                if time.monotonic() - saved > CHECKPOINT_SECONDS:
                    save(done)
                    saved = time.monotonic()
    except KeyboardInterrupt:
        if done > first and len(figures["loss"]) == done:
            save(done)
        raise
    seconds = time.monotonic() - began
    _write_model(out, model, tokenizer)
    table = {
        "step": list(range(order.steps)),
        **figures,
        "rate_factor": [rate_factor(s, order.steps) for s in range(order.steps)],
        "tokens": [(s + 1) * tokens_a_step for s in range(order.steps)],
    }
    write_parquet(out / "figures.parquet", FIGURES, [pa.table(table, schema=FIGURES)])
    read = exposure(plan, tokens)
    write_parquet(out / "exposure.parquet", read.schema, [read])
    draw_loss(figures["loss"], tokens_a_step, out / "loss.png")
    total = order.steps * tokens_a_step
    facts = {
        "shape": asdict(shape),
        "run": run.to_json(),
        "plan": {"order_sha256": sha256_file(plan / "order.npy"), **order.plan},
        "tokens": total,
        "flop": total * shape.flop_per_token,
    }
    (out / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True), "utf-8")
    last = figures["loss"][-max(1, len(figures["loss"]) // 20) :]
    return {
        "parameters": shape.parameters,
        "steps": order.steps,
        "tokens": total,
        "epochs": order.plan["epochs"],
        "flop": facts["flop"],
        "training_loss": round(math.fsum(last) / len(last), 4),
        "documents_read": read.num_rows,
        "tokens_per_second": round((order.steps - first) * tokens_a_step / seconds, 1) if seconds else None,
        "resumed_at_step": first,
    }


def _write_model(out: Path, model: Any, tokenizer: Path) -> None:
    """Weights, configuration and tokenizer, as `from_pretrained` expects them."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.config.use_cache = True
    model.generation_config.use_cache = True
    try:
        model.save_pretrained(out, safe_serialization=True)
    except SafetensorError as error:
        # The library wraps a full disk in an error of its own.
        raise OSError(str(error)) from error
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, out / name)
