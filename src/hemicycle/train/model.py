"""The model under training: a `transformers` class, the mask of packed documents, and the loss.

A row holds stretches of several documents. Each must be blind to the others, or a text would leak into
answers traced to its neighbour: the mask is built here and always passed, because the class would
otherwise guess the packing from positions, and guess differently when compiled.

Shapes: B rows, T tokens, D width, V vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import LlamaConfig, LlamaForCausalLM

from hemicycle.errors import HemicycleError
from hemicycle.tokens import Batch
from hemicycle.train.settings import Run, Shape, has_compiler


def build_model(shape: Shape, begin: int, end: int, seed: int) -> LlamaForCausalLM:
    """A fresh model; equal seeds give equal weights."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tied,
        bos_token_id=begin,
        eos_token_id=end,
        pad_token_id=end,
        use_cache=False,
    )
    config._attn_implementation = "sdpa"
    model: LlamaForCausalLM = LlamaForCausalLM(config)
    model.train()
    return model


def document_mask(documents_BT: torch.Tensor) -> torch.Tensor:
    """Which token may see which: the same document, not later. Returns bool, B x 1 x T x T."""
    same = documents_BT[:, :, None] == documents_BT[:, None, :]
    past = torch.ones(same.shape[1:], dtype=torch.bool).tril()
    return (same & past)[:, None]


def summed_loss(hidden_BTD: torch.Tensor, head_VD: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
    """Cross-entropy summed over valid targets, in nats. Head and loss together compile to one graph."""
    logits_NV = F.linear(hidden_BTD, head_VD).flatten(0, 1).float()
    return F.cross_entropy(logits_NV, targets_BT.flatten(), ignore_index=-100, reduction="sum")


class Learner:
    """A model with its loss, ready for steps.

    Raises HemicycleError where the run is a compiled one and this machine has no compiler.
    """

    def __init__(self, model: LlamaForCausalLM, run: Run, cache: Path | None) -> None:
        self.model = model
        self._autocast = run.precision == "bf16"
        self._loss: Callable[..., torch.Tensor] = summed_loss
        torch.set_num_threads(run.threads)
        if run.compiled:
            _require_compiler()
            if cache is not None:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
            for layer in model.model.layers:
                layer.compile(dynamic=False)
            self._loss = torch.compile(summed_loss, dynamic=False)

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean nats per valid target of the batch."""
        tokens_BT = torch.from_numpy(batch.tokens_BT)
        targets_BT = torch.from_numpy(batch.targets_BT)
        mask = document_mask(torch.from_numpy(batch.documents_BT))
        positions_BT = torch.from_numpy(batch.positions_BT)
        with torch.autocast("cpu", torch.bfloat16, enabled=self._autocast):
            hidden_BTD = self.model.model(
                input_ids=tokens_BT, attention_mask=mask, position_ids=positions_BT, use_cache=False
            ).last_hidden_state
            total = self._loss(hidden_BTD, self.model.lm_head.weight, targets_BT)
        return total / (targets_BT != -100).sum()


def _require_compiler() -> None:
    if not has_compiler():
        raise HemicycleError(
            "`compiled = true` came from another machine: this one has no C++ compiler",
            place="hemicycle.lock, table [model.NAME]",
            remedy="Install g++, or delete that table of the lock to have the run resolved anew here.",
        )
