"""A model as it lies in memory to answer: its weights, and what it keeps of the text it has seen."""

from __future__ import annotations

from dataclasses import dataclass

from hemicycle.arithmetic.configuration import Configuration
from hemicycle.arithmetic.weights import count_weights
from hemicycle.errors import DeclarationError


@dataclass(frozen=True)
class Served:
    """Sizes that decide what serving takes.

    Attributes:
        parameters: all of them; active: those that work on each token.
        kv_heads, head_size: of the keys and values of a layer.
        weight_bytes: of a weight: 2 in 16 bits, 1 in 8, 0.5 in 4.
        kv_bytes: of a number of a key or a value.
        window: tokens that `windowed` of the layers keep; None: all layers keep all.
        latent: numbers that a layer keeps of a token in place of keys and values (DeepSeek-AI 2024, arXiv
            2405.04434, section 2.1); None: it keeps those.
        routed: share of a layer's routed experts that a token meets; 1 where there are none.
        context: the most tokens that it takes; None: not known.
    """

    name: str
    parameters: float
    active: float
    layers: int
    kv_heads: int
    head_size: int
    weight_bytes: float = 2.0
    kv_bytes: float = 2.0
    window: int | None = None
    windowed: int = 0
    latent: int | None = None
    routed: float = 1.0
    context: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.active <= self.parameters:
            raise DeclarationError(
                f"{self.name}: {self.active:g} of {self.parameters:g} parameters cannot be active",
                remedy="Give both, the active ones first above zero and no more than all.",
            )
        if not 0 < self.routed <= 1 or (self.routed == 1) != (self.active == self.parameters):
            raise DeclarationError(
                f"{self.name}: a token meets {self.routed:g} of the experts, and "
                f"{self.active / self.parameters:.2f} of the parameters are active",
                remedy="Say which share of its experts a token meets where not all parameters are active.",
            )

    @property
    def weights(self) -> float:
        """Bytes of all weights."""
        return self.parameters * self.weight_bytes

    def read(self, batch: int) -> float:
        """Bytes of weights that are read to write one token of each of `batch` answers.

        Of a mixture of experts those that any of the answers meets. Experts are taken to be chosen alike and
        each on its own, so one is left out by all with probability (1 - routed)^batch.
        """
        if self.routed == 1:
            return self.weights
        idle = (self.parameters - self.active) * (1 - self.routed) ** (batch - 1)
        return (self.parameters - idle) * self.weight_bytes

    def kept(self, tokens: float) -> float:
        """Bytes that are kept of one text of so many tokens."""
        numbers = self.latent if self.latent is not None else 2 * self.kv_heads * self.head_size
        seen = (self.layers - self.windowed) * tokens
        if self.window is not None:
            seen += self.windowed * min(tokens, self.window)
        return seen * numbers * self.kv_bytes

    def copies(self, cards: int) -> float:
        """How often what is kept lies on so many cards together: a head is on no card in part."""
        heads = 1 if self.latent is not None else self.kv_heads
        return max(1.0, cards / heads)


def served(name: str, configuration: Configuration, *, weight_bytes: float = 2.0) -> Served:
    """A model of a known architecture. Raises DeclarationError where nothing is known of its family."""
    weights, experts, latent = count_weights(configuration), configuration.experts, configuration.latent
    return Served(
        name=name,
        parameters=weights.total,
        active=weights.active,
        layers=configuration.layers,
        kv_heads=configuration.kv_heads,
        head_size=configuration.head_size,
        context=configuration.context,
        weight_bytes=weight_bytes,
        window=configuration.window,
        windowed=configuration.windowed,
        latent=latent.key_value + latent.rotary if latent else None,
        routed=min(1.0, experts.chosen / experts.count) if experts else 1.0,
    )
