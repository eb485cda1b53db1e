"""What is declared of a model: its shape, what it reads in which order, how it learns, and for how long."""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from hemicycle.project.declared import HUB, Declared, Name, PathText, count

#: Families of architecture that can be made from nothing; a base may be of any that `transformers` loads.
Family = Literal["llama", "mistral", "qwen3", "olmo2", "gemma3", "gpt2", "bloom"]

#: How rows of `context` + 1 tokens are made of documents: ``split`` cuts the stream of documents where a row
#: is full; ``best-fit`` puts whole documents together so that little is cut; ``whole`` cuts none that fits.
Packing = Literal["split", "best-fit", "whole"]

#: In which order rows are read: at random; those of proven sources first and of revocable ones last; rows of
#: short documents first; those of old documents first.
Reading = Literal["shuffled", "proven-first", "short-first", "old-first"]

Shares = dict[Name, Annotated[float, Field(gt=0, le=1e9)]]


class Architecture(Declared):
    """The shape of a model. Left out, `feed_forward` is what the family is used to: 8/3 of the width, rounded
    up to a multiple of 64, where it is gated, and four times the width where it is not."""

    kind: Family = "llama"
    layers: int = Field(ge=1, le=512)
    width: int = Field(ge=16, le=65_536)
    heads: int = Field(ge=1, le=512)
    kv_heads: int | None = Field(default=None, ge=1)
    feed_forward: int | None = Field(default=None, ge=16)
    context: int = Field(ge=16, le=1_048_576)

    @model_validator(mode="after")
    def _divides(self) -> Architecture:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.kind not in ("gpt2", "bloom") and (self.width // self.heads) % 2:
            raise ValueError("width / heads must be even: rotary positions turn pairs of numbers")
        if self.kind in ("gpt2", "bloom") and self.kv_heads not in (None, self.heads):
            raise ValueError(f"{self.kind} has as many kv_heads as heads")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        return self


class Budget(Declared):
    """How long to train: minutes of wall clock on this machine, or tokens."""

    minutes: float | None = Field(default=None, gt=0)
    tokens: Annotated[int | None, BeforeValidator(count)] = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if (self.minutes is None) == (self.tokens is None):
            raise ValueError("needs exactly one of minutes and tokens")
        return self


class Mix(Declared):
    """What a model reads of each corpus: shares by source, language, period or right, relative to their sum.

    No stratum is read more than `epochs` times.
    """

    by: Literal["source", "language", "period", "right"]
    shares: dict[str, Annotated[float, Field(gt=0, le=1e9)]] = Field(min_length=1, max_length=1000)
    epochs: float = Field(default=4.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _periods(self) -> Mix:
        if self.by != "period":
            return self
        spans = []
        for period in self.shares:
            if period == "unstated":
                continue
            years = re.fullmatch(r"(\d{4})-(\d{4})", period, re.ASCII)
            if years is None or years[1] > years[2]:
                raise ValueError(f"“{period}” is no period such as “1789-1914”")
            spans.append((years[1], years[2]))
        spans.sort()
        if any(later[0] <= earlier[1] for earlier, later in itertools.pairwise(spans)):
            raise ValueError("two periods have a year in common")
        return self


class Stage(Declared):
    """A part of a run with an order of its own; what is left out is the model's.

    Attributes:
        share: of the run's tokens, relative to the sum over all stages.
        context: of this stage; a longer one than the model's before it extends it.
    """

    name: Name
    share: float = Field(gt=0, le=1e9)
    corpora: Shares | None = Field(default=None, min_length=1)
    mix: Mix | None = None
    context: int | None = Field(default=None, ge=16, le=1_048_576)
    packing: Packing | None = None
    reading: Reading | None = None


class Lora(Declared):
    """Low-rank adapters instead of all weights (Hu et al. 2021, arXiv 2106.09685); merged at the end.

    Attributes:
        targets: ends of the names of the linear layers that get one; all inside the layers where None.
    """

    rank: int = Field(default=16, ge=1, le=4096)
    alpha: float = Field(default=32.0, gt=0)
    targets: list[str] | None = Field(default=None, min_length=1)


class Training(Declared):
    """How a model learns. Everything has a default, derived from its size and method (`train.recipe`).

    Attributes:
        rate: peak rate of AdamW; where AdamW takes the matrices inside layers too, of these as well.
        matrix_rate: peak rate of matrices inside layers.
        schedule: ``wsd`` warms up, stays, and decays in a straight line; ``cosine`` and ``linear`` decay from
            the end of the warm-up on.
        warm_up, decay: shares of the run's steps.
        final: share of the peak rate at the end.
        clip: norm to which a larger gradient is scaled down.
        z_loss: weight of the squared logarithm of the softmax's denominator (Chowdhery et al. 2022).
        spikes: what becomes of a step whose loss or gradient is far out of line.
        recompute: forget activations and compute them again on the way back, to save memory.
        keep: checkpoints to keep besides the last two; 0: none.
    """

    optimiser: Literal["muon", "adamw"] | None = None
    rate: float | None = Field(default=None, ge=0, le=10)
    matrix_rate: float | None = Field(default=None, ge=0, le=10)
    schedule: Literal["wsd", "cosine", "linear"] | None = None
    warm_up: float | None = Field(default=None, ge=0, lt=1)
    decay: float | None = Field(default=None, ge=0, le=1)
    final: float | None = Field(default=None, ge=0, le=1)
    weight_decay: float | None = Field(default=None, ge=0, le=10)
    clip: float = Field(default=1.0, gt=0)
    z_loss: float = Field(default=0.0, ge=0, le=1)
    spikes: Literal["keep", "skip"] = "skip"
    recompute: bool = False
    precision: Literal["bf16", "fp32"] | None = None
    keep: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _schedule_fits(self) -> Training:
        if self.warm_up is not None and self.decay is not None and self.warm_up + self.decay > 1:
            raise ValueError(f"warm_up {self.warm_up:g} and decay {self.decay:g} are more than the whole run")
        if self.decay is not None and self.schedule in ("cosine", "linear"):
            raise ValueError(f"decay is for the schedule wsd; {self.schedule} falls from the warm-up on")
        return self


class Model(Declared):
    """A model: made from nothing, or from another one.

    Attributes:
        method: ``pretrain`` without `from`; ``continue`` on more text; ``tune`` on conversations.
        base: (`from` in the file) a model of this project, or a declared base.
        corpora: corpus → its share of what is read.
        tokenizer: left out, that of the base.
        architecture: left out, that of the base, or one derived from the budget.
        context: of a model with a base, where it is not the base's; a longer one scales rotary positions.
        replay: share of the rows that repeat what the base, a model of this project, was trained on.
        batch_tokens: tokens of a full batch.
        batch_warm_up: share of the run's tokens over which batches grow from an eighth to full.
    """

    method: Literal["pretrain", "continue", "tune"] = "pretrain"
    base: Name | None = Field(default=None, alias="from")
    corpora: Shares = Field(min_length=1)
    tokenizer: Name | None = None
    architecture: Architecture | None = None
    context: int | None = Field(default=None, ge=16, le=1_048_576)
    budget: Budget
    batch_tokens: Annotated[int | None, BeforeValidator(count)] = Field(default=None, ge=16)
    batch_warm_up: float = Field(default=0.0, ge=0, lt=1)
    packing: Packing | None = None
    reading: Reading = "shuffled"
    mix: Mix | None = None
    replay: float = Field(default=0.0, ge=0, lt=1)
    stages: list[Stage] = Field(default=[], max_length=100)
    training: Training = Training()
    lora: Lora | None = None
    seed: int = Field(default=1, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _method(self) -> Model:
        if (self.method == "pretrain") != (self.base is None):
            raise ValueError(
                f"method {self.method} "
                + (
                    "begins from nothing: leave `from` out, or declare “continue”"
                    if self.base
                    else "needs `from`"
                )
            )
        if self.base is not None and self.architecture is not None:
            raise ValueError("a model with `from` has its base's architecture; `context` may be changed")
        if self.base is None and (self.context or self.replay or self.lora):
            raise ValueError("context, replay and lora are for a model with `from`")
        if self.lora and self.training.optimiser == "muon":
            raise ValueError("adapters are learnt by AdamW; leave the optimiser out")
        if self.base is None and self.tokenizer is None:
            raise ValueError("needs a tokenizer: only a model with `from` has one already")
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError("two stages have one name")
        return self

    @property
    def read(self) -> list[str]:
        """Every corpus that any stage reads, sorted."""
        return sorted(
            {c for shares in (self.corpora, *(s.corpora or {} for s in self.stages)) for c in shares}
        )


class Base(Declared):
    """A model from elsewhere to begin from: its weights in a folder, and the licence they are under.

    Nothing is known of what it was trained on (`upstream-unknown`), and everything made from it says so.

    Attributes:
        path: a folder beside the project, as `transformers` saves it.
        hf: ``ORG/NAME@REVISION`` on the Hugging Face hub, where there is a network; the revision is a commit.
        licence: SPDX expression stated by who made it. Absent: nothing is known, so nothing may be released.
        evidence: where the licence was read.
        attested_by: the person who read it there and answers for it.
    """

    path: PathText | None = None
    hf: Annotated[str, StringConstraints(pattern=HUB)] | None = None
    licence: str | None = None
    evidence: list[str] = []
    attested_by: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Base:
        if (self.path is None) == (self.hf is None):
            raise ValueError("needs exactly one of path and hf")
        return self
