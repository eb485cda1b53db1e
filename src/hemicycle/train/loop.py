"""The loop: batch, loss, update; checkpoints beside it; a model folder at the end.

It is one function of a job, called alike on every rank. What a step reads is a function of its number, so a
resumed run goes on as if it had never stopped, on however many ranks; and what it decides (to leave a step
out, to stop) follows from figures that all ranks share.

Shapes: B rows, T tokens, G groups (source and language).
"""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hemicycle.arithmetic.chips import Peak, device_peak, mfu
from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens import Batch, Order, load_tokenizer, marks, prefetch
from hemicycle.train.account import Account
from hemicycle.train.adapter import add_adapter, merge, save_adapter
from hemicycle.train.alarms import GRACE
from hemicycle.train.base import carry_over, load_base
from hemicycle.train.checkpoint import Checkpoints
from hemicycle.train.energy import Meter, visible_gpus
from hemicycle.train.export import copy_tokenizer, whole_state, write_checkpoint, write_model
from hemicycle.train.job import Job
from hemicycle.train.kept import kept_checkpoint
from hemicycle.train.launch.watchdog import Heartbeat
from hemicycle.train.learner import Learner
from hemicycle.train.log import Log, RunState
from hemicycle.train.lookout import lookout_of
from hemicycle.train.machine import accelerators, freed_memory_kept, measured_matmul_rate
from hemicycle.train.model import build_model, empty_model
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.ranks import Ranks
from hemicycle.train.sample import Sampler
from hemicycle.train.show import Speedometer
from hemicycle.train.spikes import check_course, check_finite, is_spike
from hemicycle.train.stopping import Stopped, never

#: Seconds between checkpoints, and the share of the time that they may make training stand still.
CHECKPOINT_SECONDS, CHECKPOINT_SHARE = 30.0, 0.02


@freed_memory_kept()
def train(
    job: Job, progress: Progress = QUIET, stop: Callable[[], bool] = never, *, grace: float = GRACE
) -> dict[str, Any]:
    """Train over the whole plan, resuming from the job's scratch, and write a model folder.

    Returns figures for the statement, on rank 0; nothing on others.

    Args:
        grace: seconds in which speed raises no alarm, as layers are compiled (`train.alarms`).

    Raises:
        HemicycleError: a loss that is not a number, before the update that would spread it, or a run that
            diverges; the last checkpoint stays.
        Stopped: `stop` said so on some rank; a checkpoint holds all that was done.
    """
    ranks = Ranks.join("cuda" if accelerators() else "cpu")
    try:
        return Training(job, ranks, progress, grace).run(stop)
    finally:
        ranks.leave()


class Training:
    """One training under way."""

    def __init__(self, job: Job, ranks: Ranks, progress: Progress, grace: float) -> None:
        self.job, self.ranks, self.progress, self.grace = job, ranks, progress, grace
        self.order = Order(job.plan, job.tokens)
        self.learner = Learner(
            self._model(),
            job.run,
            device=ranks.device,
            z_loss=job.recipe.z_loss,
            recompute=job.recompute,
            cache=job.cache,
        )
        ranks.shard(self.learner, bf16=job.run.precision == "bf16")
        self.optimiser = Optimiser(self.learner.model, job.recipe)
        self.account, self.first = Account(job, self.order), 0
        steps = self.order.steps
        evenly = (round(steps * (i + 1) / (job.keep + 1)) for i in range(job.keep))
        self.kept = frozenset(evenly) | frozenset(job.keep_at)
        self.checkpoints = Checkpoints(job.scratch, ranks, self.kept)
        found = self.checkpoints.load_latest(self.learner.model, self.optimiser)
        if found is not None:
            self.first, arrays = found
            self.account.take(self.first, arrays)
            if ranks.leads:
                progress.say(f"resuming model {job.name} at step {self.first} of {steps}")
        # Each machine measures its own.
        self.meter = Meter(visible_gpus()) if int(os.environ.get("LOCAL_RANK", 0)) == 0 else None

    def _model(self) -> Any:
        job = self.job
        if job.base is not None:
            model = load_base(job)
            return add_adapter(model, job.adapter, job.run.seed) if job.adapter else model
        begin, end = marks(job.tokenizer, load_tokenizer(job.tokenizer))
        make = build_model if self.ranks.leads else empty_model
        return make(job.shape, begin, end, job.run.seed)

    def run(self, stop: Callable[[], bool]) -> dict[str, Any]:
        log = self._log() if self.ranks.leads else None
        began = time.monotonic()
        try:
            self._steps(stop, log)
            self.checkpoints.wait()
            figures = self._finish(time.monotonic() - began, log)
        except (KeyboardInterrupt, Stopped):
            if log:
                log.close("interrupted")
            raise
        except BaseException as error:
            if log:
                log.close("failed", error.what if isinstance(error, HemicycleError) else str(error))
            raise
        finally:
            self.checkpoints.close()
        if log:
            log.close("finished")
        return figures

    def _log(self) -> Log:
        job, ranks = self.job, self.ranks
        device = torch.device(ranks.device)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
        peak = device_peak(name) or Peak(
            f"products of matrices in {job.run.precision}, measured here",
            measured_matmul_rate(device, self.learner.dtype, 0.3),
            "measured",
        )
        state = RunState(
            name=job.name,
            state="running",
            steps=self.order.steps,
            parameters=job.shape.parameters,
            flop_per_token=job.shape.flop_per_token(),
            ranks=ranks.count,
            device=name,
            # Ranks on one processor share it.
            peak=peak.flops * (ranks.count if device.type == "cuda" else 1),
            peak_of=peak.chip,
            precision=job.run.precision,
            compiled=job.run.compiled,
            recompute=job.recompute,
            batch_tokens=job.recipe.rows(job.shape.context) * job.shape.context,
            metered_ranks=int(os.environ.get("LOCAL_WORLD_SIZE", ranks.count)),
        )
        return Log(
            job.log,
            state,
            resume_step=self.first,
            groups=self.order.groups,
            meter=self.meter,
            lookout=lookout_of(job.name, job.expected, self.progress, grace=self.grace),
        )

    def _steps(self, stop: Callable[[], bool], log: Log | None) -> None:
        order, account, ranks = self.order, self.account, self.ranks
        speed = Speedometer(log.state.flop_per_token, log.state.peak) if log else None
        sampler = Sampler(self.learner, self.job.tokenizer, order)
        batches = prefetch(order, self.first, order.steps, ranks.rank, ranks.count)
        saved = time.monotonic()
        heart = Heartbeat(self.job.scratch, ranks.rank)
        with heart, self.progress.start("train", order.tokens_before(order.steps), "tokens") as bar:
            bar.advance(order.tokens_before(self.first))
            for step in range(self.first, order.steps):
                began = time.monotonic()
                batch = next(batches)
                waited = time.monotonic() - began
                due = ranks.leads and began - saved > self._patience()
                learnt, asked, save = ranks.sum([batch.learnt, stop(), due])
                if step > self.first and (step in self.kept or save or asked):
                    self._save(step, log)
                    saved = time.monotonic()
                if asked:
                    self.checkpoints.wait()
                    raise Stopped(step, order.steps)
                nats_G, tokens_G = self._step(step, batch, int(learnt))
                heart.beat(step)
                sampler.sample(step, log)
                if log and speed:
                    seconds = time.monotonic() - began
                    self._tell(log, step, seconds, waited, nats_G, tokens_G)
                    speed.flop_per_token = log.state.flop_per_token
                    loss, skipped = float(account.loss[step]), bool(account.skipped[step])
                    speed.step(account.tokens(step), seconds, loss, skipped=skipped)
                    bar.advance(account.tokens(step))
                    bar.note(speed.note())

    def _patience(self) -> float:
        return max(CHECKPOINT_SECONDS, self.checkpoints.cost / CHECKPOINT_SHARE)

    def _save(self, step: int, log: Log | None) -> None:
        if log:
            log.flush()
        self.checkpoints.save(step, self.learner.model, self.optimiser, self.account.to_arrays())

    def _step(
        self, step: int, batch: Batch, learnt: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Follow the gradient of the mean loss over the learnt tokens of all ranks.

        Where there are none, as in a batch of nothing but holes, the model stays as it is: momentum would go
        on moving the weights, and Muon by as much as ever, where no text says so.

        Returns the sums of nats and learnt tokens by group (G), of all ranks.
        """
        recipe, account, ranks = self.job.recipe, self.account, self.ranks
        groups = len(self.order.groups)
        sums: npt.NDArray[np.float64] = np.zeros((2, groups))
        for part in split(batch, self.job.run.micro_tokens):
            total, nats_BT = self.learner.loss(part)
            # Sharding takes the mean over ranks; what is wanted is the sum.
            (total * (ranks.count / max(learnt, 1))).backward()  # type: ignore[no-untyped-call]
            ids = part.groups_BT.ravel()
            sums[0] += np.bincount(ids, nats_BT.detach().double().cpu().numpy().ravel(), groups)
            sums[1] += np.bincount(ids, part.targets_BT.ravel() >= 0, groups)
        nats_G, tokens_G = np.array(ranks.sum(sums.ravel().tolist())).reshape(2, groups)
        if not learnt:
            self.optimiser.clear()
            account.add(step, math.nan, math.nan, 0, False, nats_G, tokens_G)
            return nats_G, tokens_G
        loss = math.fsum(nats_G) / learnt
        check_finite(loss, None, step)
        norm = self.optimiser.clip()
        check_finite(loss, norm, step)
        losses, norms, _ = account.course()
        skipped = recipe.skip_spikes and is_spike(loss, norm, losses, norms)
        if skipped:
            self.optimiser.clear()
        else:
            self.optimiser.step(account.rate_factor(step))
        account.add(step, loss, norm, learnt, skipped, nats_G, tokens_G)
        losses, _, out = account.course()
        check_course(losses, out, step, self.job.shape.vocabulary)
        return nats_G, tokens_G

    def _tell(
        self,
        log: Log,
        step: int,
        seconds: float,
        waited: float,
        nats_G: npt.NDArray[np.float64],
        tokens_G: npt.NDArray[np.float64],
    ) -> None:
        account = self.account
        log.state.flop_per_token = self.job.shape.flop_per_token(self.order.phase(step).context)
        log.groups(step, np.arange(len(nats_G)), nats_G, tokens_G.astype(np.int64))
        log.step(
            step=step,
            loss=float(account.loss[step]),
            gradient_norm=float(account.gradient_norm[step]),
            rate_factor=account.rate_factor(step),
            tokens=account.tokens(step),
            learnt=int(account.learnt[step]),
            skipped=bool(account.skipped[step]),
            seconds=seconds,
            data_seconds=waited,
            memory=_memory(self.ranks.device),
        )

    def _finish(self, seconds: float, log: Log | None) -> dict[str, Any]:
        """Write the model's folder; returns figures for the statement. Rank 0 writes, all give their part."""
        job, order, model = self.job, self.order, self.learner.model
        state = whole_state(model, self.ranks)
        measured = self.meter.joules() if self.meter else None
        joules, lacking = self.ranks.sum([measured or 0.0, bool(self.meter) and measured is None])
        if log is None:
            return {}
        if job.adapter:
            save_adapter(model, job.adapter, state, job.out / "adapter")
            state = merge(model, job.adapter, state)
        write_model(job.out, model, state)
        if job.base is not None:
            carry_over(job.base, job.tokenizer, job.out)
        else:
            copy_tokenizer(job.tokenizer, job.out)
        for step, folder in self.checkpoints.kept():
            write_checkpoint(kept_checkpoint(job.out, step), model, folder)
        figures = self.account.write()
        done = order.tokens_before(order.steps) - order.tokens_before(self.first)
        speed = done / seconds if seconds else 0.0
        share = mfu(speed, figures["flop"] / figures["places"], log.state.peak)
        return {
            **figures,
            "tokens_per_second": round(speed, 1),
            "mfu": round(share, 4) if share is not None else None,
            "mfu_of": log.state.peak_of,
            "joules": None if lacking else round(joules, 1),
            "meter": log.state.meter,
            "ranks": self.ranks.count,
            "device": log.state.device,
            "resumed_at_step": self.first,
            "alarms": log.alarmed(),
        }


def split(batch: Batch, tokens: int) -> Iterator[Batch]:
    """The rows of a batch in equal parts of at most so many tokens; one row at least."""
    rows, context = batch.tokens_BT.shape
    parts = -(-rows // max(1, tokens // context))
    size = -(-rows // parts)
    for at in range(0, rows, size):
        own = slice(at, at + size)
        yield replace(batch, **{each.name: getattr(batch, each.name)[own] for each in fields(batch)})


def _memory(device: str) -> int:
    """Peak bytes of the accelerator, or of this process."""
    if device != "cpu":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
