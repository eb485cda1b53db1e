"""The shape of a model, spelled out: every size that its declaration leaves to its family."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hemicycle.arithmetic import (
    Configuration,
    count_weights,
    flop_of,
    from_architecture,
    plain_configuration,
)
from hemicycle.arithmetic.families import families
from hemicycle.project import Architecture


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
        (PaLM), appendix B. Recomputed activations are not counted, nor are windows."""
        return flop_of(self.matrices, 2 * self.layers * self.width * (context or self.context))

    @property
    def configuration(self) -> Configuration:
        """Its sizes, of which memory is counted. A family that is not known there is taken for a llama."""
        return plain_configuration(
            self.family if self.family in families() else "llama",
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            kv_heads=self.kv_heads,
            feed_forward=self.feed_forward,
            vocabulary=self.vocabulary,
            context=self.context,
            tied=self.tied,
        )


def derive_shape(architecture: Architecture, vocabulary: int) -> Shape:
    """Spell out a declared architecture for a tokenizer of `vocabulary` tokens."""
    c = from_architecture(architecture, vocabulary)
    weights = count_weights(c)
    return Shape(
        family=c.family,
        layers=c.layers,
        width=c.width,
        heads=c.heads,
        kv_heads=c.kv_heads,
        feed_forward=c.feed_forward,
        context=c.context,
        vocabulary=c.vocabulary,
        tied=c.tied,
        parameters=weights.total,
        matrices=weights.matrices,
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
