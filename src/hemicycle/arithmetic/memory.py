"""Memory of a training on many GPUs: weights, gradients, moments and activations of the fullest of them.

Weights, gradients and moments follow Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054, sections 3.1 and 5):
so many bytes a weight, some of them spread over those that read other rows. Activations follow Korthikanti et
al. 2022 (arXiv 2205.05198, section 4), operation by operation, without dropout, as none is used any more, and
with an attention that never holds its table of scores (Dao et al. 2022, arXiv 2205.14135). What is added:

* of grouped, latent and mixed layers, the sizes they have;
* of a gated feed-forward, gate, up and their product; the activation is computed again, as fused kernels do;
* a gradient kept in 32 bits, which is how gradients are summed today (`Layout.gradients`).

Buffers of communication, the allocator's holes and the driver's own memory are not in it: a GPU that is
planned to be full to a tenth will not hold the training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

from hemicycle.arithmetic.configuration import Configuration, Experts
from hemicycle.arithmetic.families import family_named
from hemicycle.arithmetic.flop import Recompute
from hemicycle.arithmetic.weights import count_weights
from hemicycle.errors import DeclarationError

Optimiser = Literal["adamw", "muon"]


@dataclass(frozen=True)
class Memory:
    """Bytes of one process, by what they hold.

    Attributes:
        weights: as they are learnt.
        copies: of the weights, as they multiply, where that is in fewer bits or more of them than are stored.
        moments: of the optimiser.
        activations: kept for the way back.
        loss: logits and what becomes of them.
    """

    weights: int
    copies: int
    gradients: int
    moments: int
    activations: int
    loss: int

    @property
    def total(self) -> int:
        return sum(int(getattr(self, part.name)) for part in fields(self))


@dataclass(frozen=True)
class Layout:
    """How a training is laid out over GPUs.

    Attributes:
        data: groups of GPUs that each read other rows.
        shard: what is spread over them and over `context_parallel`, as ZeRO's stages: 0 nothing, 1 moments
            and 32-bit weights, 2 gradients too, 3 all weights, gathered layer by layer (FSDP).
        tensor: GPUs that share each matrix, and the tokens between them (sequence parallelism).
        pipeline: GPUs in a row that each have some layers; the first holds a micro-batch for each of them.
        context_parallel: GPUs that share each row.
        rows: of a micro-batch.
        precision: ``mixed`` multiplies in bf16 and learns in fp32; ``bf16`` has no weights in fp32.
        gradients: in which they are summed.
    """

    data: int = 1
    shard: int = 0
    tensor: int = 1
    pipeline: int = 1
    context_parallel: int = 1
    rows: int = 1
    recompute: Recompute = "none"
    precision: Literal["mixed", "bf16", "fp32"] = "mixed"
    gradients: Literal["bf16", "fp32"] = "fp32"

    def __post_init__(self) -> None:
        sizes = (self.data, self.tensor, self.pipeline, self.context_parallel, self.rows)
        if min(sizes) < 1 or self.shard not in range(4):
            raise DeclarationError(
                f"{self} is no layout: its sizes are whole numbers above 0, and `shard` is from 0 to 3"
            )

    @property
    def gpus(self) -> int:
        return self.data * self.tensor * self.pipeline * self.context_parallel


def training_memory(
    c: Configuration, layout: Layout, *, context: int | None = None, optimiser: Optimiser = "adamw"
) -> Memory:
    """Bytes of the fullest GPU: the first of a pipeline, or the last, which has the head.

    Args:
        context: tokens of a row; the model's own by default.

    Raises DeclarationError where heads, layers or rows cannot be divided so.
    """
    length = context or c.context
    _check(c, layout, length)
    first = _stage_memory(c, layout, length, optimiser, first=True, last=layout.pipeline == 1)
    last = _stage_memory(c, layout, length, optimiser, first=layout.pipeline == 1, last=True)
    return max(first, last, key=lambda memory: memory.total)


def layer_activations(c: Configuration, bytes_each: int = 2) -> int:
    """Bytes that a token leaves in all layers for the way back, with fused attention and activations.

    A matrix keeps what came in, a norm what came in, attention its queries, keys, values, result and the
    logarithm of each head's denominator. Of a GPT with the usual four widths this comes to 32 x width and
    4 x heads a layer: equation 1 of Korthikanti et al. without scores and without 2 x width of dropout.
    """
    family, experts = family_named(c.family), c.experts
    queries, back = c.heads * c.head_size, c.heads * c.value_size
    keys, values = (c.kv_heads if c.latent is None else c.heads) * c.head_size, c.kv_heads * c.value_size
    attention = (family.norms + 1) * c.width + queries + keys + values + back
    if c.latent:
        attention += 2 * (c.latent.query or 0) + 2 * c.latent.key_value + c.latent.rotary
    elif family.head_norms:
        attention += queries + keys
    sides = 3 if family.gated else 2
    dense = c.width + sides * c.feed_forward
    found = c.layers * (attention * bytes_each + 4 * c.heads)
    if experts is None:
        return found + c.layers * dense * bytes_each
    return found + (c.layers - experts.layers) * dense * bytes_each + _mixture(c, experts, sides, bytes_each)


def _mixture(c: Configuration, experts: Experts, sides: int, bytes_each: int) -> int:
    """What a token leaves in mixtures: the router's scores in fp32, and a copy of itself for each expert it
    meets, whose results are weighed; experts get even shares of the tokens."""
    met = experts.chosen * (2 * c.width + sides * experts.width) + sides * experts.shared * experts.width
    return experts.layers * ((c.width + met) * bytes_each + 4 * experts.count)


def _check(c: Configuration, layout: Layout, context: int) -> None:
    for what, number, by in (
        ("heads", c.heads, layout.tensor),
        ("tokens of a row", context, layout.context_parallel),
    ):
        if number % by:
            raise DeclarationError(f"{number} {what} cannot be divided evenly by {by}")
    if layout.pipeline > c.layers:
        raise DeclarationError(
            f"a pipeline of {layout.pipeline} GPUs is longer than a model of {c.layers} layers"
        )


def _stage_memory(
    c: Configuration, layout: Layout, context: int, optimiser: Optimiser, *, first: bool, last: bool
) -> Memory:
    """Bytes of a GPU with the first or the last layers, or with all of them."""
    layers, spread = math.ceil(c.layers / layout.pipeline), layout.data * layout.context_parallel
    experts = replace(c.experts, layers=min(layers, c.experts.layers)) if c.experts else None
    # Where there are fewer heads of keys than GPUs that share them, some have the same.
    kv_heads = c.kv_heads if c.latent else max(c.kv_heads, layout.tensor)
    own = replace(c, layers=layers, kv_heads=kv_heads, experts=experts)
    w = count_weights(own)
    inside = w.attention + w.feed_forward
    tables = (w.embedding if first else 0) + (w.head if last else 0)
    if last and not first and own.tied:
        tables = w.embedding
    whole = w.routers + w.norms_and_biases + (w.positions if first else 0)
    held = -(-(inside + tables) // layout.tensor) + whole
    matrices = -(-inside // layout.tensor)

    each = 4 if layout.precision == "fp32" else 2
    learnt, summed = 2 if layout.precision == "bf16" else 4, 2 if layout.gradients == "bf16" else 4
    moments = 2 * held - (matrices if optimiser == "muon" else 0)
    copies = 2 * held if layout.precision == "mixed" else 0
    all_sharded = spread if layout.shard == 3 else 1
    gathered = 0
    if layout.shard == 3:
        # One layer at work and the next one on its way, with a layer's gradients; the tables stay.
        gathered = each * (3 * (inside // layout.tensor // layers) + tables // layout.tensor)
    separate = layout.shard >= 1 and (layout.precision == "mixed" or layout.shard == 3)

    tokens = layout.rows * context // layout.context_parallel
    in_flight = layout.pipeline if first else 1
    one = layer_activations(own, each) * tokens // layout.tensor
    if layout.recompute == "full":
        borders = own.width * each * layers * tokens // layout.tensor
        activations = borders * in_flight + one // layers
    else:
        # Without a table of scores, what is selected by Korthikanti et al. is not there to be forgotten.
        activations = one * in_flight
    # Logits in the working precision and in fp32, and what came into the last norm and the head.
    logits = (4 if each == 4 else each + 4) * own.vocabulary + 2 * each * own.width
    return Memory(
        weights=learnt * held // (spread if separate else 1),
        copies=copies // all_sharded + gathered,
        gradients=summed * held // (spread if layout.shard >= 2 else 1),
        moments=learnt * moments // (spread if layout.shard >= 1 else 1),
        activations=activations,
        loss=logits * tokens // layout.tensor if last else 0,
    )
