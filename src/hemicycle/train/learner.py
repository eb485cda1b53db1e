"""The learner: a model with its loss, as one module that can be sharded and compiled.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from hemicycle.errors import HemicycleError
from hemicycle.tokens import Batch
from hemicycle.train import attention
from hemicycle.train.job import Run
from hemicycle.train.loss import chunk_loss, summed_loss
from hemicycle.train.machine import has_compiler
from hemicycle.train.model import layers_of, make_ready

#: Compiled variants of one function: batches change their shape with the stage and while they warm up.
SHAPES_COMPILED = 64


class Learner(torch.nn.Module):
    """A model with its loss, ready for steps.

    The head is multiplied inside the loss (`train.loss`), so what runs is the model without it. Raises
    HemicycleError where the run is a compiled one and this machine has no compiler.
    """

    def __init__(
        self,
        model: Any,
        run: Run,
        *,
        device: str = "cpu",
        z_loss: float = 0.0,
        recompute: bool = False,
        cache: Path | None = None,
    ) -> None:
        super().__init__()
        self.model = make_ready(model, device)
        self.device = torch.device(device)
        self._body = [model.base_model]  # in a list, so that it is not registered twice
        self._z_loss, self._cap = z_loss, getattr(model.config, "final_logit_softcapping", None)
        self.dtype = torch.bfloat16 if run.precision == "bf16" else torch.float32
        # On an accelerator, sharding hands out weights in bf16; here they are cast where they are used.
        self._autocast = self.dtype == torch.bfloat16 and self.device.type == "cpu"
        self._chunk = chunk_loss
        torch.set_num_threads(run.threads)
        if recompute:
            model.activation_checkpointing_enable({"use_reentrant": False})
        if run.compiled:
            self._compile(cache)

    def _compile(self, cache: Path | None) -> None:
        if self.device.type == "cpu" and not has_compiler():
            raise HemicycleError(
                "`compiled = true` came from another machine: this one has no C++ compiler",
                place="hemicycle.lock, table [model.NAME]",
                remedy="Install g++, or delete that table of the lock to have the run resolved anew here.",
            )
        if cache is not None:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
        torch._dynamo.config.recompile_limit = SHAPES_COMPILED
        # The functions and not the modules are compiled: hooks of sharding stay outside.
        for layer in layers_of(self.model):
            layer.forward = torch.compile(layer.forward, dynamic=False)
        self._chunk = torch.compile(chunk_loss, dynamic=False)

    def forward(
        self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor | None, mask: Any, positions_BT: torch.Tensor
    ) -> Any:
        """Sum of the loss over learnt targets, and nats of each token (B*T).

        Without targets, the logits after the last token of each row (B x V).
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            states_BTD = self._states(tokens_BT, mask, positions_BT)
        head = self.model.get_output_embeddings()
        if targets_BT is None:
            return self._bent(head(states_BTD[:, -1].to(head.weight.dtype)))
        return summed_loss(
            states_BTD.flatten(0, 1),
            head.weight,
            targets_BT.flatten(),
            bias_V=head.bias,
            z_loss=self._z_loss,
            cap=self._cap,
            dtype=self.dtype,
            chunk=self._chunk,
        )

    def _bent(self, logits_BV: torch.Tensor) -> torch.Tensor:
        return logits_BV if self._cap is None else self._cap * torch.tanh(logits_BV / self._cap)

    def _states(self, tokens_BT: torch.Tensor, mask: Any, positions_BT: torch.Tensor) -> torch.Tensor:
        body = self._body[0]
        if self.model.config.model_type == "bloom":
            return attention.bloom_states(body, tokens_BT, mask)
        states: torch.Tensor = body(
            input_ids=tokens_BT, attention_mask=mask, position_ids=positions_BT, use_cache=False
        ).last_hidden_state
        return states

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Sum of the loss over the learnt targets of a batch, and nats of each token (B x T)."""
        documents_BT = self._here(batch.documents_BT)
        total, nats_N = self(
            self._here(batch.tokens_BT),
            self._here(batch.targets_BT),
            attention.render(self.model.config.get_text_config(), documents_BT),
            self._here(batch.positions_BT),
        )
        return total, nats_N.view(batch.tokens_BT.shape)

    def _here(self, array: npt.NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)
