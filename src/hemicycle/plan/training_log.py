"""What a training came to, read from its log as any tool may: speed, time, energy, and what stood still.

build/.cache/train/NAME/run.json, steps-*.parquet
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.arithmetic.chips import Chip, device_chip
from hemicycle.errors import InputError


@dataclass(frozen=True)
class Trained:
    """One training as its log has it.

    Attributes:
        state: `running`, `finished`, `failed` or `interrupted`.
        share: of its steps that are done.
        chip: None for a device that is not known.
        seconds: of the steps that count; wall_seconds: since its first process began, so that stops, restarts
            and steps made twice are the difference.
        joules: None where nothing measured it; `meter` says what did.
        one_size: all its steps were made on so many cards.
        loss: mean of the last twentieth of the steps that learnt something, nats a token; None before the
            first.
    """

    name: str
    state: str
    share: float
    parameters: int
    tokens: int
    cards: int
    device: str
    chip: Chip | None
    peak: float | None
    seconds: float
    wall_seconds: float
    joules: float | None
    meter: str
    one_size: bool
    loss: float | None

    @property
    def tokens_per_second(self) -> float:
        """While it was at work."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def lost(self) -> float:
        """Share of the wall clock that went to no step that counts."""
        return max(0.0, 1 - self.seconds / self.wall_seconds) if self.wall_seconds else 0.0


def read_training(log: Path) -> Trained:
    """The training whose log is in a folder. Raises InputError where there is none that can be read."""
    try:
        run = json.loads((log / "run.json").read_text("utf-8"))
        parts = [pq.read_table(pa.BufferReader(p.read_bytes())) for p in sorted(log.glob("steps-*.parquet"))]
        columns = pa.concat_tables(parts).to_pydict() if parts else {}
        tokens, seconds = sum(columns.get("tokens", [])), sum(columns.get("seconds", []))
        losses = [loss for loss in columns.get("loss", []) if loss is not None]
        last = losses[-max(1, len(losses) // 20) :] if losses else []
        on_card = run["device"] != "processor"
        return Trained(
            name=log.name,
            state=run["state"],
            share=run["step"] / run["steps"],
            parameters=run["parameters"],
            tokens=tokens,
            cards=run["ranks"] if on_card else 1,
            device=run["device"],
            chip=device_chip(run["device"]),
            peak=run["peak"],
            seconds=seconds,
            wall_seconds=run["updated"] - run["started"],
            # The meter is of one machine; the others are taken to draw as much for each rank.
            joules=run["joules"] * run["ranks"] / (run.get("metered_ranks") or run["ranks"])
            if run["joules"]
            else None,
            meter=run["meter"],
            one_size=not run.get("other_ranks"),
            loss=sum(last) / len(last) if last else None,
        )
    except FileNotFoundError:
        raise InputError(
            "there is no log: it has not begun to train, or its log was deleted",
            place=str(log),
            remedy="Train it, or name a file that tells of a run; see docs/plan.md.",
        ) from None
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OSError, pa.ArrowException) as error:
        raise InputError(f"this log cannot be read: {error}", place=str(log)) from None
