"""Models that `transformers` builds without memory for their weights: the oracle of these tests."""

import torch
from transformers import AutoConfig, AutoModelForCausalLM

#: Marks beyond a small vocabulary are refused or warned of.
NO_MARKS = {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None}


def build(config, device="meta", **more):
    """A model of a `config.json`'s content."""
    text = {key: value for key, value in config.items() if key != "model_type"}
    made = AutoConfig.for_model(config["model_type"], **{**NO_MARKS, **text})
    with torch.device(device):
        return AutoModelForCausalLM.from_config(made, dtype=torch.float32, **more)


def numbers(model):
    """Weights of a model, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def parts(model):
    """Weights by part, told by their names and dimensions."""
    found = dict.fromkeys(
        "embedding positions attention feed_forward routers norms_and_biases head".split(), 0
    )
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            part = "norms_and_biases"
        elif "wpe" in name:
            part = "positions"
        elif "embed" in name or "wte" in name:
            part = "embedding"
        elif "head" in name or "embed_out" in name:
            part = "head"
        elif name.endswith("gate.weight"):
            part = "routers"
        elif "mlp" in name:
            part = "feed_forward"
        else:
            part = "attention"
        found[part] += parameter.numel()
    return found
