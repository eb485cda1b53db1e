"""What a model costs, by arithmetic alone: its weights, its operations a token, its memory.

Sizes are read from a `config.json` or from a declaration (`configuration`); the rest are sums over them, equal
to what `transformers` builds and to what a training takes, and tested against both. Nothing here loads torch.
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
