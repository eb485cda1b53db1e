"""A job: all that one training needs, as it travels to other processes and machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from hemicycle.train.recipe import Recipe
from hemicycle.train.shape import Shape


@dataclass(frozen=True)
class Run:
    """How long, and with which arithmetic; kept in the lock, as each of these changes the last bits.

    Attributes:
        steps: of full batches; a batch warm-up takes more steps for the same tokens.
        precision: ``bf16`` (autocast; weights stay fp32) or ``fp32``.
        compiled: layers and loss go through torch.compile.
        threads: of one process on CPU; another number sums in another order.
        micro_tokens: that one process takes at once; a batch of more is accumulated.
    """

    steps: int
    seed: int
    precision: Literal["bf16", "fp32"]
    compiled: bool
    threads: int
    micro_tokens: int = 16_384

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Adapter:
    """Low-rank adapters on the linear layers whose names end in `targets` (None: all inside the layers)."""

    rank: int
    alpha: float
    targets: tuple[str, ...] | None


@dataclass(frozen=True)
class Job:
    """One training: plan and tokens in, a model folder out.

    Attributes:
        name: of the model, for people.
        tokens: corpus → folder of its tokens.
        base: folder of the model to begin from; None: from nothing.
        out: empty folder that becomes the model.
        scratch: survives a kill; checkpoints and the account of the run are in it.
        log: folder of what is watched while it trains (`train.log`); holds times, so it is no artefact.
        cache: compiled code between runs.
        recompute: forget activations and compute them again on the way back.
        keep: checkpoints kept besides the last two.
        keep_at: steps after which one is kept besides.
        expected: file of the plan that the training is compared with (`train.expected`); None: no plan.
    """

    name: str
    plan: Path
    tokens: Mapping[str, Path]
    tokenizer: Path
    out: Path
    scratch: Path
    log: Path
    shape: Shape
    recipe: Recipe
    run: Run
    base: Path | None = None
    adapter: Adapter | None = None
    cache: Path | None = None
    recompute: bool = False
    keep: int = 0
    keep_at: tuple[int, ...] = ()
    expected: Path | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str, ensure_ascii=False, indent=1)

    @staticmethod
    def from_json(text: str) -> Job:
        told = json.loads(text)
        for key in ("plan", "tokenizer", "out", "scratch", "log", "base", "cache", "expected"):
            told[key] = Path(told[key]) if told.get(key) is not None else None
        adapter = told["adapter"]
        if adapter is not None:
            adapter["targets"] = tuple(adapter["targets"]) if adapter["targets"] is not None else None
        return Job(
            **{
                **told,
                "keep_at": tuple(told["keep_at"]),
                "tokens": {name: Path(folder) for name, folder in told["tokens"].items()},
                "shape": Shape(**told["shape"]),
                "recipe": Recipe(**told["recipe"]),
                "run": Run(**told["run"]),
                "adapter": Adapter(**adapter) if adapter is not None else None,
            }
        )
