"""The optimiser: Muon for the matrices inside layers, AdamW for embeddings, head and norms; or AdamW alone.

Muon (Jordan et al. 2024) orthogonalises each matrix's momentum; it is defined for matrices only. With
``match_rms_adamw`` (Liu et al. 2025, arXiv 2502.16982) its updates have AdamW's size, so one schedule
serves both. Weights decay where they are matrices inside layers: norms, biases and embeddings do not.
"""

from __future__ import annotations

import torch

from hemicycle.train.model import layers_of
from hemicycle.train.recipe import Recipe

BETAS = (0.9, 0.95)


class Optimiser:
    """One or two optimisers as one. `parts` are torch's, for checkpoints."""

    def __init__(self, model: torch.nn.Module, recipe: Recipe) -> None:
        inside = {id(p) for p in layers_of(model).parameters() if p.ndim == 2}
        learnt = [p for p in model.parameters() if p.requires_grad]
        matrices = [p for p in learnt if id(p) in inside]
        others = [p for p in learnt if id(p) not in inside]
        self._parameters = matrices + others
        self._clip = recipe.clip
        self.parts: list[torch.optim.Optimizer] = []
        if recipe.optimiser == "muon" and matrices:
            self.parts.append(
                torch.optim.Muon(
                    matrices,
                    lr=recipe.matrix_rate,
                    momentum=0.95,
                    nesterov=True,
                    weight_decay=recipe.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
            groups = [{"params": others, "weight_decay": 0.0}]
        else:
            groups = [
                {"params": matrices, "lr": recipe.matrix_rate, "weight_decay": recipe.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ]
        groups = [group for group in groups if group["params"]]
        if groups:
            self.parts.append(torch.optim.AdamW(groups, lr=recipe.rate, betas=BETAS, fused=True))
        self._peaks = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def clip(self) -> float:
        """Scale the gradients down to the recipe's norm; returns their norm before, over all ranks."""
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._clip)
        return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)

    def step(self, factor: float) -> None:
        """Update at a share of the peak rates, and clear the gradients."""
        for part, peaks in zip(self.parts, self._peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            part.step()
        self.clear()

    def clear(self) -> None:
        """Forget the gradients: the step is left out."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)
