"""What a model costs, by arithmetic alone: its weights, its operations a token, its memory.

Sizes are read from a `config.json` or from a declaration (`configuration`); the rest are sums over them, which
tests compare with what `transformers` builds and with what a training takes. Nothing here loads torch.
"""

from hemicycle.arithmetic.configuration import (
    Configuration,
    Experts,
    Latent,
    from_architecture,
    read_configuration,
)
from hemicycle.arithmetic.weights import Weights, count_weights

__all__ = [
    "Configuration",
    "Experts",
    "Latent",
    "Weights",
    "count_weights",
    "from_architecture",
    "read_configuration",
]
