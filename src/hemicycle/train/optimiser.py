"""The optimiser: Muon for the matrices inside layers, AdamW for embeddings, head and norms.

Muon (Jordan et al. 2024) orthogonalises each matrix's momentum; it is defined for matrices only. With
``match_rms_adamw`` (Liu et al. 2025, arXiv 2502.16982) its updates have AdamW's size, so one schedule
serves both.
"""

from __future__ import annotations

from typing import Any

import torch

from hemicycle.train.settings import Shape, rate_factor

CLIP = 1.0


class Optimiser:
    """Both optimisers as one."""

    def __init__(self, model: torch.nn.Module, shape: Shape) -> None:
        matrices: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, parameter in model.named_parameters():
            inside = ".layers." in name and parameter.ndim == 2
            (matrices if inside else others).append(parameter)
        self._parameters = matrices + others
        self._muon = torch.optim.Muon(
            matrices,
            lr=shape.muon_rate,
            momentum=0.95,
            nesterov=True,
            weight_decay=0.1,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adam = torch.optim.AdamW(
            others, lr=shape.adam_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        )
        self._peaks = [(self._muon, shape.muon_rate), (self._adam, shape.adam_rate)]

    def step(self, step: int, steps: int) -> float:
        """Clip, update, clear the gradients; returns the gradient's norm before clipping."""
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, CLIP))
        for optimiser, peak in self._peaks:
            optimiser.param_groups[0]["lr"] = peak * rate_factor(step, steps)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])
