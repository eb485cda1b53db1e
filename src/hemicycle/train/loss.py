"""The loss: cross-entropy of the next token, with the head, without ever holding all logits.

A vocabulary is wide: the logits of 16 000 tokens over 250 000 words are 16 GB. So rows are taken in chunks,
and each chunk's gradients are computed at once, on the way forward; what is kept is of the size of the hidden
states and of the head. That costs no product of matrices more than the plain way.

Shapes: N tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

#: Logits held at once, by kind of device: of all tokens for small vocabularies.
LOGITS_AT_ONCE = {"cpu": 1 << 26, "cuda": 1 << 27}
#: Graphics cards multiply whole tiles, so chunks are multiples of a tile's side where they hold one.
TILE = 256

#: Targets that are not learnt.
IGNORED = -100

Chunk = Callable[..., tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]]


def chunk_loss(
    hidden_ND: torch.Tensor,
    head_VD: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_N: torch.Tensor,
    z_loss: float,
    cap: float | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Nats and z-loss of each token, and the gradient of their sum by hidden states and by logits.

    Args:
        cap: logits are bent to stay within it, as Gemma 2 does (cap * tanh(logits / cap)).
    """
    raw_NV = F.linear(hidden_ND, head_VD, bias_V).float()
    logits_NV = raw_NV if cap is None else cap * torch.tanh(raw_NV / cap)
    log_sum_N = torch.logsumexp(logits_NV, -1)
    learnt_N = targets_N != IGNORED
    target_N1 = targets_N.clamp_min(0)[:, None]
    nats_N = torch.where(learnt_N, log_sum_N - logits_NV.gather(1, target_N1)[:, 0], 0.0)
    z_N = torch.where(learnt_N, z_loss * log_sum_N**2, 0.0)
    slope_N1 = (1 + 2 * z_loss * log_sum_N)[:, None]
    is_target = torch.arange(logits_NV.shape[1], device=logits_NV.device)[None] == target_N1
    gradient_NV = torch.exp(logits_NV - log_sum_N[:, None]) * slope_N1 - is_target.float()
    if cap is not None:
        gradient_NV = gradient_NV * (1 - (logits_NV / cap) ** 2)
    gradient_NV = (gradient_NV * learnt_N[:, None]).to(hidden_ND.dtype)
    return nats_N, z_N, gradient_NV @ head_VD, gradient_NV


class _Fused(torch.autograd.Function):
    """Sum of nats and z-loss with gradients for hidden states and head; nats of each token beside it."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: torch.Tensor,
        head_VD: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
        z_loss: float,
        cap: float | None,
        dtype: torch.dtype,
        chunk: Chunk,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, head = hidden_ND.to(dtype), head_VD.to(dtype)
        bias = bias_V.to(dtype) if bias_V is not None else None
        rows = max(1, LOGITS_AT_ONCE[hidden.device.type] // len(head))
        rows -= rows % TILE if rows > TILE else 0
        nats, total, by_hidden = [], torch.zeros((), device=hidden.device), []
        by_head: torch.Tensor | None = None
        by_bias: torch.Tensor | None = None
        for at in range(0, len(hidden), rows):
            part = hidden[at : at + rows]
            nats_N, z_N, by_part, by_logits = chunk(part, head, bias, targets_N[at : at + rows], z_loss, cap)
            nats.append(nats_N)
            total = total + nats_N.sum() + z_N.sum()
            by_hidden.append(by_part)
            # A head that is not learnt, as beside adapters, needs no gradient.
            if ctx.needs_input_grad[1]:
                more = (by_logits.T @ part).float()
                by_head = more if by_head is None else by_head.add_(more)
            if bias is not None and ctx.needs_input_grad[2]:
                more = by_logits.float().sum(0)
                by_bias = more if by_bias is None else by_bias.add_(more)
        if by_head is not None:
            by_head = by_head.to(head_VD.dtype)
        ctx.save_for_backward(torch.cat(by_hidden).to(hidden_ND.dtype), by_head, by_bias)
        nats_N = torch.cat(nats)
        ctx.mark_non_differentiable(nats_N)
        return total, nats_N

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        by_hidden, by_head, by_bias = ctx.saved_tensors
        by_sum = gradients[0]
        return (
            by_hidden * by_sum,
            by_head * by_sum if by_head is not None else None,
            by_bias * by_sum if by_bias is not None else None,
            *(None,) * 5,
        )


def summed_loss(
    hidden_ND: torch.Tensor,
    head_VD: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    bias_V: torch.Tensor | None = None,
    z_loss: float = 0.0,
    cap: float | None = None,
    dtype: torch.dtype = torch.float32,
    chunk: Chunk = chunk_loss,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over learnt targets of cross-entropy and z-loss, in nats; and the cross-entropy of each token (N).

    Args:
        z_loss: weight of the squared logarithm of the softmax's denominator, which keeps logits from
            drifting (Chowdhery et al. 2022, arXiv 2204.02311, section 5).
        dtype: of the products of matrices.
        chunk: `chunk_loss`, or it compiled.
    """
    total, nats_N = _Fused.apply(hidden_ND, head_VD, bias_V, targets_N, z_loss, cap, dtype, chunk)  # type: ignore[no-untyped-call]
    return total, nats_N
