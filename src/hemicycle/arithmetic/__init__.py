"""What a model costs, by arithmetic alone: its weights, its operations a token, its memory.

Sizes are read from a `config.json` or from a declaration (`configuration`); the rest are sums over them,
which tests compare with what `transformers` builds and what a training takes. Nothing here loads torch.
"""

from hemicycle.arithmetic.configuration import (
    Configuration,
    Experts,
    Latent,
    from_architecture,
    read_configuration,
)
from hemicycle.arithmetic.flop import Recompute, flop_of, hardware_flop, model_flop, six_n
from hemicycle.arithmetic.weights import Weights, count_weights

__all__ = [
    "Configuration",
    "Experts",
    "Latent",
    "Recompute",
    "Weights",
    "count_weights",
    "flop_of",
    "from_architecture",
    "hardware_flop",
    "model_flop",
    "read_configuration",
    "six_n",
]
