"""The account of a run: figures by step and by group, kept in its checkpoints and written with its model.

They hold no times, so that a run that was stopped gives the same files as one that was not.

Shapes: S steps of the plan, W windows of them, G groups (source and language).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.digests import sha256_file
from hemicycle.documents import write_parquet
from hemicycle.tokens import Order, exposure
from hemicycle.train.base import begin
from hemicycle.train.curve import draw_loss
from hemicycle.train.job import Job
from hemicycle.train.log import GROUPS, NATS_QUANTUM, window_steps

FIGURES = pa.schema(
    [
        ("step", pa.int64()),
        ("loss", pa.float64()),
        ("gradient_norm", pa.float64()),
        ("rate_factor", pa.float64()),
        ("tokens", pa.int64()),
        ("learnt", pa.int64()),
        ("skipped", pa.bool_()),
    ]
)

Arrays = dict[str, npt.NDArray[Any]]


class Account:
    """What was done, step by step.

    A step without a target, as one of nothing but holes, has no loss and no gradient: both are NaN here, null
    in files, and in no mean.

    Attributes:
        loss, gradient_norm, learnt, skipped: (S,) of the steps done so far, zero behind them.
        group_nats, group_tokens: (W, G) sums of nats and learnt tokens.
    """

    def __init__(self, job: Job, order: Order) -> None:
        self._job, self._order = job, order
        steps, groups = order.steps, len(order.groups)
        windows = -(-steps // window_steps(steps))
        self.loss, self.gradient_norm = np.zeros(steps), np.zeros(steps)
        self.learnt, self.skipped = np.zeros(steps, np.int64), np.zeros(steps, bool)
        self.group_nats = np.zeros((windows, groups))
        self.group_tokens = np.zeros((windows, groups), np.int64)
        #: Loss, norm and skip of each step that learnt something, one after another.
        self._course, self._many = np.zeros((3, steps)), 0

    _KEPT = ("loss", "gradient_norm", "learnt", "skipped", "group_nats", "group_tokens")

    def to_arrays(self) -> Arrays:
        """For a checkpoint."""
        return {name: getattr(self, name).copy() for name in self._KEPT}

    def take(self, done: int, arrays: Arrays) -> None:
        """Go on from the checkpoint of a step."""
        for name in self._KEPT:
            getattr(self, name)[...] = arrays[name]
        learning = self.learnt[:done] > 0
        # Checkpoints of earlier versions have zeros there.
        for values in (self.loss, self.gradient_norm):
            values[:done][~learning] = math.nan
        self._many = int(learning.sum())
        for row, values in enumerate((self.loss, self.gradient_norm, self.skipped)):
            self._course[row, : self._many] = values[:done][learning]

    def add(
        self,
        step: int,
        loss: float,
        norm: float,
        learnt: int,
        skipped: bool,
        nats_G: npt.NDArray[np.float64],
        tokens_G: npt.NDArray[np.float64],
    ) -> None:
        self.loss[step], self.gradient_norm[step] = loss, norm
        self.learnt[step], self.skipped[step] = learnt, skipped
        if learnt:
            self._course[:, self._many] = loss, norm, skipped
            self._many += 1
        window = step // window_steps(self._order.steps)
        self.group_nats[window] += np.rint(nats_G / NATS_QUANTUM) * NATS_QUANTUM
        self.group_tokens[window] += tokens_G.astype(np.int64)

    def course(self) -> npt.NDArray[np.float64]:
        """Losses, gradient norms and skips (0 or 1) of the steps so far that learnt something, three rows."""
        return self._course[:, : self._many]

    def tokens(self, step: int) -> int:
        """Places of the rows of a step."""
        return self._order.tokens_before(step + 1) - self._order.tokens_before(step)

    def rate_factor(self, step: int) -> float:
        return self._job.recipe.rate_factor(step, self._order.steps)

    def flop(self) -> int:
        """Arithmetic of the whole run, forward and backward, each phase at its own context."""
        order, total = self._order, 0
        for phase in order.phases:
            first, last = phase.first_step, phase.first_step + phase.steps
            tokens = order.tokens_before(last) - order.tokens_before(first)
            total += tokens * self._job.shape.flop_per_token(phase.context)
        return total

    def write(self) -> dict[str, Any]:
        """Write the figures beside the model; returns those for its statement."""
        job, order, out = self._job, self._order, self._job.out
        tokens = np.array([order.tokens_before(step + 1) for step in range(order.steps)])
        table: dict[str, Any] = {
            "step": np.arange(order.steps),
            **{name: getattr(self, name) for name in ("loss", "gradient_norm", "learnt", "skipped")},
            "rate_factor": [self.rate_factor(step) for step in range(order.steps)],
            "tokens": tokens,
        }
        columns = [pa.array(table[each.name], each.type, from_pandas=True) for each in FIGURES]
        write_parquet(out / "figures.parquet", FIGURES, [pa.table(columns, schema=FIGURES)])
        write_parquet(out / "groups.parquet", GROUPS, [self._groups()])
        read = exposure(job.plan, job.tokens)
        write_parquet(out / "exposure.parquet", read.schema, [read])
        rates = table["rate_factor"]
        draw_loss(
            self.loss.tolist(), tokens.tolist(), out / "loss.png", rate_factor=rates, skipped=self.skipped
        )
        # What the model saw; padding, which it computes too, is only among the places.
        seen, flop = sum(read["tokens"].to_pylist()), self.flop()
        facts = {
            "shape": asdict(job.shape),
            "recipe": asdict(job.recipe),
            "run": job.run.to_json(),
            "plan": {"order_sha256": sha256_file(job.plan / "order.npy"), **order.plan},
            "tokens": seen,
            "flop": flop,
        }
        if job.base is not None:
            facts["began"] = begin(job.base, job.shape, job.tokenizer).to_json()
        (out / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True), "utf-8")
        losses = self.course()[0]
        last = losses[-max(1, len(losses) // 20) :]
        return {
            "parameters": job.shape.parameters,
            "shape": asdict(job.shape),
            "steps": order.steps,
            "learning_steps": self._many,
            "tokens": seen,
            "places": int(tokens[-1]),
            "learnt": int(self.learnt.sum()),
            "skipped_steps": int(self.skipped.sum()),
            "epochs": order.plan["epochs"],
            "flop": flop,
            "training_loss": round(math.fsum(last) / len(last), 4),
            "documents_read": read.num_rows,
        }

    def _groups(self) -> pa.Table:
        width, rows = window_steps(self._order.steps), []
        for window, (nats_G, tokens_G) in enumerate(zip(self.group_nats, self.group_tokens, strict=True)):
            last = min((window + 1) * width, self._order.steps) - 1
            for group in np.flatnonzero(tokens_G):
                about = self._order.groups[group]
                rows.append((window * width, last, *about, float(nats_G[group]), int(tokens_G[group])))
        columns = list(zip(*rows, strict=True)) or [()] * len(GROUPS)
        return pa.table([pa.array(c, t) for c, t in zip(columns, GROUPS.types, strict=True)], schema=GROUPS)
