"""How many weights a model has, part by part, exactly as its class in `transformers` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from hemicycle.arithmetic.configuration import Configuration
from hemicycle.arithmetic.families import family_named


@dataclass(frozen=True)
class Weights:
    """Weights by part, each counted once.

    Attributes:
        embedding: rows of tokens; the head too where it shares them.
        positions: rows of positions, where they are learnt.
        attention, feed_forward: matrices inside layers; experts are feed-forward.
        routers: matrices that choose a token's experts.
        norms_and_biases: all that is no matrix.
        head: 0 where the embedding is the head.
        idle: of the experts, those that a token does not meet.
    """

    embedding: int
    positions: int
    attention: int
    feed_forward: int
    routers: int
    norms_and_biases: int
    head: int
    idle: int

    @property
    def total(self) -> int:
        return self.embedding + self.positions + self.inside + self.norms_and_biases + self.head

    @property
    def inside(self) -> int:
        """Matrices inside layers, all experts' among them."""
        return self.attention + self.feed_forward + self.routers

    @property
    def active(self) -> int:
        """All but the experts that a token does not meet: the N of 6ND."""
        return self.total - self.idle

    @property
    def matrices(self) -> int:
        """Weights that multiply each token, the head among them; rows of an embedding are looked up."""
        return self.inside - self.idle + (self.head or self.embedding)


def count_weights(c: Configuration) -> Weights:
    """The weights of a model of these sizes.

    Raises DeclarationError where nothing is known of its family.
    """
    family = family_named(c.family)
    sides, experts, embedding = 3 if family.gated else 2, c.experts, c.vocabulary * c.width
    dense = c.layers - (experts.layers if experts else 0)
    feed_forward = dense * sides * c.width * c.feed_forward
    routers = idle = 0
    if experts:
        one = experts.layers * sides * c.width * experts.width
        feed_forward += one * (experts.count + experts.shared)
        idle = one * (experts.count - min(experts.chosen, experts.count))
        routers = experts.layers * experts.count * c.width
    return Weights(
        embedding=embedding,
        positions=c.context * c.width if family.positions else 0,
        attention=c.layers * _attention(c),
        feed_forward=feed_forward,
        routers=routers,
        norms_and_biases=c.layers * (_norms(c) + _biases(c)) + dense * _feed_forward_biases(c) + _outside(c),
        head=0 if c.tied else embedding,
        idle=idle,
    )


def _attention(c: Configuration) -> int:
    """Matrices of one attention: of queries, keys, values and of what comes back."""
    queries, back = c.heads * c.head_size, c.heads * c.value_size * c.width
    if c.latent is None:
        return c.width * (queries + c.kv_heads * (c.head_size + c.value_size)) + back
    narrow, rotary = c.latent.key_value, c.latent.rotary
    through = c.latent.query
    to_queries = c.width * queries if through is None else through * (c.width + queries)
    widened = narrow * c.heads * (c.head_size - rotary + c.value_size)
    return to_queries + c.width * (narrow + rotary) + widened + back


def _norms(c: Configuration) -> int:
    """Weights of one layer's norms, with what its activation learns."""
    family = family_named(c.family)
    found = family.norms * c.width * (2 if family.norm_biases else 1) + family.activation_weights
    if family.head_norms == "one":
        found += 2 * c.head_size
    elif family.head_norms == "each":
        found += (c.heads + c.kv_heads) * c.head_size
    if c.latent:
        found += (c.latent.query or 0) + c.latent.key_value
    return found


def _biases(c: Configuration) -> int:
    """Biases of one attention."""
    found = c.width if c.output_bias else 0
    if c.query_bias and c.latent is None:
        found += c.heads * c.head_size + c.kv_heads * (c.head_size + c.value_size)
    elif c.query_bias and c.latent:
        # Only what leads into the narrow vectors has one.
        found += (c.latent.query or 0) + c.latent.key_value + c.latent.rotary
    return found


def _feed_forward_biases(c: Configuration) -> int:
    gated = family_named(c.family).gated
    return (1 + gated) * c.feed_forward + c.width if c.feed_forward_bias else 0


def _outside(c: Configuration) -> int:
    """Norms before the head and, in some, behind the embedding."""
    family = family_named(c.family)
    return c.width * (2 if family.norm_biases else 1) * (1 + family.embedding_norm)
