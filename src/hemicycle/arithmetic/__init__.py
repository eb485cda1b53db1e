"""What a model costs, by arithmetic alone: its weights, its operations a token, its memory.

Sizes are read from a `config.json` or from a declaration (`configuration`); the rest are sums over them,
which tests compare with what `transformers` builds and what a training takes. Nothing here loads torch.
"""

from hemicycle.arithmetic.configuration import (
    Configuration,
    Experts,
    Latent,
    from_architecture,
    plain_configuration,
    read_configuration,
)
from hemicycle.arithmetic.flop import Recompute, flop_of, hardware_flop, model_flop, six_n
from hemicycle.arithmetic.memory import Layout, Memory, Optimiser, layer_activations, training_memory
from hemicycle.arithmetic.process import Process, layer_kept, passing_bytes, process_memory
from hemicycle.arithmetic.weights import Weights, count_weights

__all__ = [
    "Configuration",
    "Experts",
    "Latent",
    "Layout",
    "Memory",
    "Optimiser",
    "Process",
    "Recompute",
    "Weights",
    "count_weights",
    "flop_of",
    "from_architecture",
    "hardware_flop",
    "layer_activations",
    "layer_kept",
    "model_flop",
    "passing_bytes",
    "plain_configuration",
    "process_memory",
    "read_configuration",
    "six_n",
    "training_memory",
]
