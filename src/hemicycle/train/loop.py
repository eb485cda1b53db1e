"""The loop: batch, loss, update; checkpoints beside it; a model folder at the end.

It is one function of a job, called alike on every rank. What a step reads is a function of its number, so a
resumed run goes on as if it had never stopped, on however many ranks; and what it decides (to leave a step
out, to stop) follows from figures that all ranks share.

Shapes: B rows, T tokens, G groups (source and language).
"""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from hemicycle.digests import sha256_file
from hemicycle.documents import write_parquet
from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens import Batch, Order, exposure, load_tokenizer, marks, prefetch
from hemicycle.train.checkpoint import Checkpoints, Figures
from hemicycle.train.chips import device_peak, measured_matmul_rate, mfu
from hemicycle.train.curve import draw_loss
from hemicycle.train.energy import Meter
from hemicycle.train.export import whole_state, write_model
from hemicycle.train.job import Job
from hemicycle.train.learner import Learner
from hemicycle.train.log import GROUPS, NATS_QUANTUM, Log, RunState, window_steps
from hemicycle.train.machine import accelerators
from hemicycle.train.model import build_model, empty_model
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.ranks import Ranks
from hemicycle.train.show import Speedometer
from hemicycle.train.spikes import check_course, check_finite, is_spike
from hemicycle.train.stopping import Stopped, never

#: Seconds between checkpoints, and the share of the time that they may make training stand still.
CHECKPOINT_SECONDS, CHECKPOINT_SHARE = 30.0, 0.02

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


def train(job: Job, progress: Progress = QUIET, stop: Callable[[], bool] = never) -> dict[str, Any]:
    """Train over the whole plan, resuming from the job's scratch, and write a model folder.

    Returns figures for the statement, on rank 0; nothing on others.

    Raises:
        HemicycleError: a loss that is not a number, before the update that would spread it, or a run that
            diverges; the last checkpoint stays.
        Stopped: `stop` said so on some rank; a checkpoint holds all that was done.
    """
    ranks = Ranks.join("cuda" if accelerators() else "cpu")
    try:
        return Training(job, ranks, progress).run(stop)
    finally:
        ranks.leave()


class Training:
    """One training under way."""

    def __init__(self, job: Job, ranks: Ranks, progress: Progress) -> None:
        self.job, self.ranks, self.progress = job, ranks, progress
        self.order = Order(job.plan, job.tokens)
        model = self._model()
        self.learner = Learner(
            model,
            job.run,
            device=ranks.device,
            z_loss=job.recipe.z_loss,
            recompute=job.recompute,
            cache=job.cache,
        )
        ranks.shard(self.learner, bf16=job.run.precision == "bf16")
        self.optimiser = Optimiser(self.learner.model, job.recipe)
        steps, kept = self.order.steps, job.keep
        self.kept = frozenset(round(steps * (i + 1) / (kept + 1)) for i in range(kept))
        self.checkpoints = Checkpoints(job.scratch, ranks, self.kept)
        self.first, self.figures = self._resume()
        self.meter = Meter() if ranks.leads else None

    def _model(self) -> Any:
        job = self.job
        if job.base is not None:
            from hemicycle.train.base import load_base

            model = load_base(job)
            if job.adapter is not None:
                from hemicycle.train.adapter import add_adapter

                model = add_adapter(model, job.adapter, job.run.seed)
            return model
        begin, end = marks(job.tokenizer, load_tokenizer(job.tokenizer))
        make = build_model if self.ranks.leads else empty_model
        return make(job.shape, begin, end, job.run.seed)

    def _resume(self) -> tuple[int, Figures]:
        steps, groups = self.order.steps, len(self.order.groups)
        windows = -(-steps // window_steps(steps))
        found = self.checkpoints.load_latest(self.learner.model, self.optimiser)
        if found is not None:
            if self.ranks.leads:
                self.progress.say(f"resuming model {self.job.name} at step {found[0]} of {steps}")
            return found
        return 0, {
            **{name: np.zeros(steps) for name in ("loss", "gradient_norm")},
            **{name: np.zeros(steps, np.int64) for name in ("tokens", "learnt")},
            "skipped": np.zeros(steps, bool),
            "group_nats": np.zeros((windows, groups)),
            "group_tokens": np.zeros((windows, groups), np.int64),
        }

    def run(self, stop: Callable[[], bool]) -> dict[str, Any]:
        log = self._log() if self.ranks.leads else None
        began = time.monotonic()
        try:
            self._steps(stop, log)
            self.checkpoints.wait()
        except (KeyboardInterrupt, Stopped) as stopped:
            if log:
                log.close("interrupted", str(stopped))
            raise
        except BaseException as error:
            if log:
                log.close("failed", error.what if isinstance(error, HemicycleError) else str(error))
            raise
        if log:
            log.close("finished")
        return self._finish(time.monotonic() - began, log)

    def _log(self) -> Log:
        job, ranks = self.job, self.ranks
        device = torch.device(ranks.device)
        dtype = torch.bfloat16 if job.run.precision == "bf16" else torch.float32
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
        peak = device_peak(name)
        measured = peak.flops if peak else measured_matmul_rate(device, dtype, 0.3)
        state = RunState(
            name=job.name,
            state="running",
            steps=self.order.steps,
            parameters=job.shape.parameters,
            flop_per_token=job.shape.flop_per_token(),
            ranks=ranks.count,
            device=name,
            # Ranks on one processor share it.
            peak=measured * (ranks.count if device.type == "cuda" else 1),
            peak_of=peak.chip if peak else f"products of matrices measured here in {job.run.precision}",
            precision=job.run.precision,
            compiled=job.run.compiled,
            meter=self.meter.covers if self.meter else "",
        )
        joules = self.meter.joules if self.meter else (lambda: None)
        return Log(job.log, state, resume_step=self.first, groups=self.order.groups, joules=joules)

    def _steps(self, stop: Callable[[], bool], log: Log | None) -> None:
        order, figures, ranks = self.order, self.figures, self.ranks
        speed = Speedometer(log.state.flop_per_token, log.state.peak) if log else None
        batches = prefetch(order, self.first, order.steps, ranks.rank, ranks.count)
        saved, done = time.monotonic(), self.first
        try:
            with self.progress.start("train", order.tokens_before(order.steps), "tokens") as bar:
                bar.advance(order.tokens_before(self.first))
                for step in range(self.first, order.steps):
                    began = time.monotonic()
                    batch = next(batches)
                    waited = time.monotonic() - began
                    due = ranks.leads and began - saved > self._patience()
                    learnt, asked, save = ranks.sum([batch.learnt, stop(), due])
                    if step in self.kept or save or asked:
                        self._save(step)
                        saved = time.monotonic()
                    if asked:
                        self.checkpoints.wait()
                        raise Stopped(step, order.steps)
                    self._step(step, batch, int(learnt))
                    done = step + 1
                    if log and speed:
                        tokens = int(figures["tokens"][step])
                        seconds = time.monotonic() - began
                        speed.step(tokens, seconds)
                        bar.advance(tokens)
                        bar.note(speed.note(float(figures["loss"][step])))
                        self._tell(log, step, seconds, waited)
        except KeyboardInterrupt:
            # Between two steps all is whole; inside one, the weights may be half updated.
            if done > self.first and figures["tokens"][done : done + 1].sum() == 0 and ranks.count == 1:
                self._save(done)
                self.checkpoints.wait()
            raise

    def _patience(self) -> float:
        return max(CHECKPOINT_SECONDS, self.checkpoints.cost / CHECKPOINT_SHARE)

    def _save(self, step: int) -> None:
        self.checkpoints.save(step, self.learner.model, self.optimiser, self.figures)

    def _step(self, step: int, batch: Batch, learnt: int) -> None:
        """One step: the gradient of the mean over the learnt tokens of all ranks, and its update."""
        order, recipe, figures, ranks = self.order, self.job.recipe, self.figures, self.ranks
        groups = len(order.groups)
        sums: npt.NDArray[np.float64] = np.zeros((2, groups))
        for part in split(batch, self.job.run.micro_tokens):
            total, nats_BT = self.learner.loss(part)
            # Sharding takes the mean over ranks; what is wanted is the sum.
            (total * (ranks.count / max(learnt, 1))).backward()  # type: ignore[no-untyped-call]
            ids, counted = part.groups_BT.ravel(), part.targets_BT.ravel() >= 0
            sums[0] += np.bincount(ids, nats_BT.detach().double().cpu().numpy().ravel(), groups)
            sums[1] += np.bincount(ids, counted, groups)
        nats_G, tokens_G = np.array(ranks.sum(sums.ravel().tolist())).reshape(2, groups)
        loss = math.fsum(nats_G) / max(learnt, 1)
        check_finite(loss, None, step)
        norm = self.optimiser.clip()
        check_finite(loss, norm, step)
        before = slice(max(0, step - 1024), step)
        skipped = recipe.skip_spikes and is_spike(
            loss, norm, figures["loss"][before], figures["gradient_norm"][before]
        )
        if skipped:
            self.optimiser.clear()
        else:
            self.optimiser.step(recipe.rate_factor(step, order.steps))
        rows, context = order.shape(step)
        figures["loss"][step], figures["gradient_norm"][step] = loss, norm
        figures["learnt"][step], figures["skipped"][step] = learnt, skipped
        window = step // window_steps(order.steps)
        figures["group_nats"][window] += np.rint(nats_G / NATS_QUANTUM) * NATS_QUANTUM
        figures["group_tokens"][window] += tokens_G.astype(np.int64)
        figures["tokens"][step] = rows * context
        check_course(
            figures["loss"][: step + 1], figures["skipped"][: step + 1], step, self.job.shape.vocabulary
        )

    def _tell(self, log: Log, step: int, seconds: float, waited: float) -> None:
        figures = self.figures
        log.step(
            step=step,
            loss=float(figures["loss"][step]),
            gradient_norm=float(figures["gradient_norm"][step]),
            rate_factor=self.job.recipe.rate_factor(step, self.order.steps),
            tokens=int(figures["tokens"][step]),
            learnt=int(figures["learnt"][step]),
            skipped=bool(figures["skipped"][step]),
            seconds=seconds,
            data_seconds=waited,
            memory=_memory(self.ranks.device),
        )

    def _finish(self, seconds: float, log: Log | None) -> dict[str, Any]:
        """Write the model's folder; returns figures for the statement. Rank 0 writes, all give their part."""
        job, order, figures = self.job, self.order, self.figures
        model = self.learner.model
        state = whole_state(model, self.ranks)
        if log is None:
            return {}
        write_model(job, model, state)
        steps = range(order.steps)
        table = {
            "step": list(steps),
            **{name: figures[name] for name in ("loss", "gradient_norm", "learnt", "skipped")},
            "rate_factor": [job.recipe.rate_factor(s, order.steps) for s in steps],
            "tokens": np.cumsum(figures["tokens"]),
        }
        columns = [
            pa.array(table[name], kind) for name, kind in zip(FIGURES.names, FIGURES.types, strict=True)
        ]
        write_parquet(job.out / "figures.parquet", FIGURES, [pa.table(columns, schema=FIGURES)])
        write_parquet(job.out / "groups.parquet", GROUPS, [self._groups()])
        read = exposure(job.plan, job.tokens)
        write_parquet(job.out / "exposure.parquet", read.schema, [read])
        draw_loss(figures["loss"], np.cumsum(figures["tokens"]), job.out / "loss.png")
        total = int(figures["tokens"].sum())
        flop = sum(int(figures["tokens"][s]) * job.shape.flop_per_token(order.shape(s)[1]) for s in steps)
        facts = {
            "shape": asdict(job.shape),
            "recipe": asdict(job.recipe),
            "run": job.run.to_json(),
            "plan": {"order_sha256": sha256_file(job.plan / "order.npy"), **order.plan},
            "tokens": total,
            "flop": flop,
        }
        (job.out / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True), "utf-8")
        done = total - int(figures["tokens"][: self.first].sum())
        rate = done / seconds if seconds else 0.0
        last = figures["loss"][-max(1, order.steps // 20) :]
        return {
            "parameters": job.shape.parameters,
            "shape": asdict(job.shape),
            "steps": order.steps,
            "tokens": total,
            "learnt": int(figures["learnt"].sum()),
            "skipped_steps": int(figures["skipped"].sum()),
            "epochs": order.plan["epochs"],
            "flop": flop,
            "training_loss": round(math.fsum(last) / len(last), 4),
            "documents_read": read.num_rows,
            "tokens_per_second": round(rate, 1),
            "mfu": round(mfu(rate, job.shape.flop_per_token(), log.state.peak) or 0.0, 4),
            "mfu_of": log.state.peak_of,
            "joules": log.state.joules,
            "meter": log.state.meter,
            "ranks": self.ranks.count,
            "device": log.state.device,
            "resumed_at_step": self.first,
        }

    def _groups(self) -> pa.Table:
        width, rows = window_steps(self.order.steps), []
        for window, (nats_G, tokens_G) in enumerate(
            zip(self.figures["group_nats"], self.figures["group_tokens"], strict=True)
        ):
            last = min((window + 1) * width, self.order.steps) - 1
            for group in np.flatnonzero(tokens_G):
                source, language = self.order.groups[group]
                rows.append((window * width, last, source, language, nats_G[group], int(tokens_G[group])))
        columns = list(zip(*rows, strict=True)) or [()] * len(GROUPS)
        return pa.table([pa.array(c, t) for c, t in zip(columns, GROUPS.types, strict=True)], schema=GROUPS)


def split(batch: Batch, tokens: int) -> Iterator[Batch]:
    """The rows of a batch in equal parts of at most so many tokens; one row at least."""
    rows, context = batch.tokens_BT.shape
    parts = -(-rows // max(1, tokens // context))
    size = -(-rows // parts)
    for at in range(0, rows, size):
        own = slice(at, at + size)
        yield replace(batch, **{name: values[own] for name, values in vars(batch).items()})


def _memory(device: str) -> int:
    """Peak bytes of the accelerator, or of this process."""
    if device != "cpu":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
