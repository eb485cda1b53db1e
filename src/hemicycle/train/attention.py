"""Which token may see which: documents packed into one row are blind to each other.

Otherwise a text would leak into answers that are traced to its neighbour. The mask is built here and always
passed: the classes of `transformers` would else guess the packing from positions, and guess differently when
compiled. It is rendered for what computes the attention: a table of true and false on a processor, blocks of
`flex_attention` on a graphics card, which skips blocks that nobody may see.

Shapes: B rows, T tokens, H heads, D width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

Mask = Any  # a tensor, a BlockMask, or a dictionary of them by kind of layer


def visible(documents_BT: torch.Tensor, window: int | None = None) -> torch.Tensor:
    """The same document, not later, and not further back than a window. Returns bool, B x 1 x T x T."""
    same = documents_BT[:, :, None] == documents_BT[:, None, :]
    past = torch.ones(same.shape[1:], dtype=torch.bool, device=same.device).tril()
    if window is not None:
        past = past.triu(1 - window)
    return (same & past)[:, None]


def render(config: Any, documents_BT: torch.Tensor) -> Mask:
    """The mask as a model of this configuration takes it.

    Models that alternate layers with and without a window take one mask by kind of layer.
    """
    kinds = set(getattr(config, "layer_types", None) or [])
    window = getattr(config, "sliding_window", None)
    if kinds == {"full_attention", "sliding_attention"}:
        return {
            "full_attention": _render(config, documents_BT, None),
            "sliding_attention": _render(config, documents_BT, window),
        }
    if kinds - {"full_attention", "sliding_attention"}:
        raise NotImplementedError(f"layers of kind {', '.join(sorted(kinds))}")
    # A window that is declared but switched off stands in some configurations.
    used = kinds == {"sliding_attention"} or (not kinds and getattr(config, "use_sliding_window", True))
    return _render(config, documents_BT, window if used else None)


def _render(config: Any, documents_BT: torch.Tensor, window: int | None) -> Mask:
    if config._attn_implementation == "flex_attention":
        return _blocks(documents_BT, window)
    seen = visible(documents_BT, window)
    if config._attn_implementation == "eager" and config.model_type != "bloom":
        # Eager attention adds its mask to the scores.
        nothing = torch.zeros((), device=seen.device)
        return torch.where(seen, nothing, torch.finfo(torch.float32).min)
    return seen


def _blocks(documents_BT: torch.Tensor, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def seen(b: Any, h: Any, q: Any, k: Any) -> Any:
        inside = (q >= k) & (documents_BT[b, q] == documents_BT[b, k])
        return inside if window is None else inside & (q - k < window)

    rows, length = documents_BT.shape
    make: Callable[..., Any] = create_block_mask
    return make(seen, rows, None, length, length, device=documents_BT.device, _compile=True)


def implementation(config: Any, device: str) -> str:
    """Which attention of `transformers` computes a model of this configuration on this kind of device."""
    if config.model_type == "bloom" or getattr(config, "attn_logit_softcapping", None):
        return "eager"
    return "flex_attention" if device == "cuda" else "sdpa"


def alibi_slopes(heads: int) -> torch.Tensor:
    """Slope of the bias by distance of each head (Press et al. 2022, arXiv 2108.12409, section 3)."""
    nearest = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / nearest) for i in range(nearest)]
    slopes += [2 ** (-4 * (2 * i + 1) / nearest) for i in range(heads - nearest)]
    return torch.tensor(slopes)


def bloom_states(model: Any, tokens_BT: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Last hidden states of a BLOOM, B x T x width.

    The class refuses a mask of packed documents, so its parts are called in its order; and its attention is
    replaced by a fused one (`fuse_bloom`). A bias by distance from the beginning of the row, not of the
    document, is the same: a softmax does not see what is added to all of its scores.
    """
    hidden = model.word_embeddings_layernorm(model.word_embeddings(tokens_BT))
    slopes_H = alibi_slopes(model.num_heads).to(hidden.device)
    bias_HT = slopes_H[:, None] * torch.arange(tokens_BT.shape[1], device=hidden.device)
    bias = torch.where(mask, bias_HT[None, :, None], torch.finfo(torch.float32).min)
    for block in model.h:
        hidden = block(hidden, alibi=bias, attention_mask=None)[0]
    states: torch.Tensor = model.ln_f(hidden)
    return states


def fuse_bloom(model: Any) -> None:
    """Let each block of a BLOOM compute its attention in one fused call; `alibi` then holds mask and bias."""
    for block in model.h:
        block.self_attention.forward = _fused(block.self_attention)


def _fused(attention: Any) -> Callable[..., tuple[torch.Tensor, None]]:
    def forward(hidden: torch.Tensor, residual: torch.Tensor, alibi: torch.Tensor, **_: Any) -> Any:
        query, key, value = attention._reshape(attention.query_key_value(hidden))
        out_BHTD = F.scaled_dot_product_attention(
            query, key, value, attn_mask=alibi.to(query.dtype), scale=attention.inv_norm_factor
        )
        return attention.dense(out_BHTD.transpose(1, 2).flatten(2)) + residual, None

    return forward
