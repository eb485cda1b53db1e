"""The shape of a model, spelled out: every size that its declaration leaves to its family."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hemicycle.project import Architecture

#: Families whose feed-forward is gated: three matrices instead of two.
GATED = ("llama", "mistral", "qwen3", "olmo2", "gemma3")

#: Below this many weights the embedding is shared with the head: there it would be most of the model.
TIE_BELOW = 1_000_000_000

#: Families that have their embedding shared with the head whatever their size.
ALWAYS_TIED = ("gemma3", "gpt2", "bloom")


@dataclass(frozen=True)
class Shape:
    """The sizes of a model.

    Attributes:
        family: `model_type` of its class in `transformers`.
        feed_forward: inner width of the feed-forward.
        context: tokens it sees at once.
        tied: input and output embedding share one matrix.
        parameters: all weights, counted once.
        matrices: weights that multiply each token, the head included.
    """

    family: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    context: int
    vocabulary: int
    tied: bool
    parameters: int
    matrices: int

    def flop_per_token(self, context: int | None = None) -> int:
        """Forward and backward: 6 x matrices + 12 x layers x width x context, as in Chowdhery et al. 2022
        (PaLM), appendix B. Recomputed activations are not counted."""
        return 6 * self.matrices + 12 * self.layers * self.width * (context or self.context)


def derive_shape(architecture: Architecture, vocabulary: int) -> Shape:
    """Spell out a declared architecture for a tokenizer of `vocabulary` tokens."""
    a = architecture
    kv_heads = a.kv_heads or a.heads
    gated = a.kind in GATED
    feed_forward = a.feed_forward or (math.ceil(a.width * 8 / 3 / 64) * 64 if gated else 4 * a.width)
    head = a.width // a.heads
    attention = 2 * a.width * a.width + 2 * a.width * head * kv_heads
    inside = a.layers * (attention + (3 if gated else 2) * a.width * feed_forward)
    embedding = vocabulary * a.width
    tied = a.kind in ALWAYS_TIED or inside + embedding < TIE_BELOW
    return Shape(
        family=a.kind,
        layers=a.layers,
        width=a.width,
        heads=a.heads,
        kv_heads=kv_heads,
        feed_forward=feed_forward,
        context=a.context,
        vocabulary=vocabulary,
        tied=tied,
        parameters=inside + embedding * (1 if tied else 2) + _small(a, kv_heads, feed_forward),
        matrices=inside + embedding,
    )


def grown(shape: Shape, *, tokens: int | None = None, context: int | None = None) -> Shape:
    """The shape of a model that begins from one of `shape`, with a tokenizer of `tokens` tokens.

    A shorter context is that of the rows it goes on with: what it can see does not shrink by it.
    """
    more = max(0, (tokens or 0) - shape.vocabulary) * shape.width
    return replace(
        shape,
        vocabulary=max(shape.vocabulary, tokens or 0),
        context=context or shape.context,
        parameters=shape.parameters + more * (1 if shape.tied else 2),
        matrices=shape.matrices + more,
    )


def _small(a: Architecture, kv_heads: int, feed_forward: int) -> int:
    """Weights that are no matrix (norms, biases) and, in GPT-2, the embedding of positions."""
    width, head = a.width, a.width // a.heads
    biases = 3 * width + width + feed_forward + width
    layer = {
        "llama": 2 * width,
        "mistral": 2 * width,
        "qwen3": 2 * width + 2 * head,
        "olmo2": 2 * width + width + head * kv_heads,
        "gemma3": 4 * width + 2 * head,
        "gpt2": 4 * width + biases,
        "bloom": 4 * width + biases,
    }[a.kind]
    outside = {"gpt2": 2 * width + a.context * width, "bloom": 4 * width}.get(a.kind, width)
    return a.layers * layer + outside
