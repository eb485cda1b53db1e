"""Which token may see which: documents packed into one row are blind to each other.

Otherwise a text would leak into answers that are traced to its neighbour. The mask is built here and always
passed: the classes of `transformers` would else guess the packing from positions, and guess differently when
compiled. It is rendered for what computes the attention: a table that is added to the scores on a processor,
blocks of `flex_attention` on a graphics card, which skips blocks that nobody may see.

Shapes: B rows, T tokens, H heads, K width of a head.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import create_block_mask
from transformers import AttentionInterface
from transformers.integrations.flex_attention import compile_friendly_flex_attention
from transformers.integrations.sdpa_attention import repeat_kv

from hemicycle.errors import InputError
from hemicycle.train.machine import LONGEST_TABLE

#: Eager, it would hold a table of rows x length x length.
_compiled_blocks: Callable[..., Any] = torch.compile(create_block_mask, dynamic=False)

#: Kinds of layers that configurations name and that are rendered here.
KINDS = frozenset({"full_attention", "sliding_attention"})
#: Our attention on processors, by the name under which `transformers` knows it, and its queries at once.
BY_BLOCKS, BLOCK = "by_blocks", 128
#: What other attentions know and ours does not; a class that asks for it must not be given less in silence.
UNKNOWN = ("position_bias", "softcap", "s_aux")
#: Added to the score of a key that may not be seen. Half of the least number: a bias may come on top.
UNSEEN = torch.finfo(torch.float32).min / 2

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
    assert kinds <= KINDS  # `base.shape_of` refuses others
    if kinds == KINDS:
        return {
            "full_attention": _render(config, documents_BT, None),
            "sliding_attention": _render(config, documents_BT, window),
        }
    # A window that is declared but switched off stands in some configurations.
    used = kinds == {"sliding_attention"} or (not kinds and getattr(config, "use_sliding_window", True))
    return _render(config, documents_BT, window if used else None)


def _render(config: Any, documents_BT: torch.Tensor, window: int | None) -> Mask:
    if config._attn_implementation == "flex_attention":
        return _blocks(documents_BT, window)
    seen = visible(documents_BT, window)
    if config._attn_implementation == "sdpa":
        return seen
    return torch.where(seen, torch.zeros((), device=seen.device), UNSEEN)


def _blocks(documents_BT: torch.Tensor, window: int | None) -> Any:
    def seen(b: Any, h: Any, q: Any, k: Any) -> Any:
        inside = (q >= k) & (documents_BT[b, q] == documents_BT[b, k])
        return inside if window is None else inside & (q - k < window)

    rows, length = documents_BT.shape
    return _compiled_blocks(seen, rows, None, length, length, device=documents_BT.device)


def choose(model: Any, device: str) -> None:
    """Let a model compute its attention in the quickest way on a device."""
    if getattr(model.config, "attn_logit_softcapping", None):
        name = "eager"
    elif torch.device(device).type == "cpu":
        name = BY_BLOCKS if model._supports_sdpa else "eager"
    else:
        # GPT-2's class does not take blocks. BLOOM's is not asked: see `fuse_bloom`.
        blocks = model._supports_flex_attn or model.config.model_type == "bloom"
        name = "flex_attention" if blocks else "sdpa"
    _set(model, name)


@contextlib.contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """While it lasts, a table instead of blocks, which are slow unless they are compiled."""
    name = model.config.get_text_config()._attn_implementation
    if name == "flex_attention":
        _set(model, "sdpa" if model._supports_sdpa else "eager")
    try:
        yield
    finally:
        _set(model, name)


def _set(model: Any, name: str) -> None:
    if model.config.model_type == "bloom":
        model.config._attn_implementation = name
    else:
        model.set_attn_implementation(name)


def attend_by_blocks(
    query_BHTK: torch.Tensor,
    key_BHTK: torch.Tensor,
    value_BHTK: torch.Tensor,
    bias: torch.Tensor,
    scale: float,
) -> torch.Tensor:
    """Attention on a processor: blocks of queries, each with the keys up to its end, in single precision.

    Half of the table of scores is never computed; the other is kept for the way back. Products of matrices
    run at their full rate, which they do not in torch's own attention for processors; and its bf16 is
    slower than its fp32.

    Args:
        bias: added to the scores, -> B x H x T x T; `UNSEEN` where a key may not be seen.
    """
    length, out = query_BHTK.shape[2], []
    with torch.autocast("cpu", enabled=False):
        query, key, value = query_BHTK.float(), key_BHTK.float(), value_BHTK.float()
        if length > LONGEST_TABLE:
            whole = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
            return whole.to(query_BHTK.dtype)
        for begin in range(0, length, BLOCK):
            own, past = slice(begin, begin + BLOCK), slice(0, begin + BLOCK)
            scores = query[:, :, own] @ key[:, :, past].transpose(-1, -2) * scale + bias[:, :, own, past]
            out.append(torch.softmax(scores, -1) @ value[:, :, past])
        return torch.cat(out, 2).to(query_BHTK.dtype)


def _by_blocks(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """`attend_by_blocks` as `transformers` calls an attention: B x T x H x K comes back."""
    for name in UNKNOWN:
        if more.get(name) is not None:
            raise InputError(
                f"a {module.config.model_type} wants `{name}` in its attention, which is unknown here"
            )
    shared = query.shape[1] // key.shape[1]
    key, value = repeat_kv(key, shared), repeat_kv(value, shared)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attend_by_blocks(query, key, value, attention_mask, scale).transpose(1, 2).contiguous(), None


AttentionInterface.register(BY_BLOCKS, _by_blocks)


def alibi_slopes(heads: int) -> torch.Tensor:
    """Slope of the bias by distance of each head (Press et al. 2022, arXiv 2108.12409, section 3)."""
    nearest = 2 ** math.floor(math.log2(heads))
    slopes = [2 ** (-8 * (i + 1) / nearest) for i in range(nearest)]
    slopes += [2 ** (-4 * (2 * i + 1) / nearest) for i in range(heads - nearest)]
    return torch.tensor(slopes)


def bloom_states(model: Any, tokens_BT: torch.Tensor, mask: Mask) -> torch.Tensor:
    """Last hidden states of a BLOOM, B x T x width.

    The class refuses a mask of packed documents, so its parts are called in its order; and its attention is
    replaced by a fused one (`fuse_bloom`). A bias by distance from the beginning of the row, not of the
    document, is the same: a softmax does not see what is added to all of its scores.
    """
    hidden = model.word_embeddings_layernorm(model.word_embeddings(tokens_BT))
    slopes_H = alibi_slopes(model.num_heads).to(hidden.device)
    if isinstance(mask, torch.Tensor):
        bias_HT = slopes_H[:, None] * torch.arange(tokens_BT.shape[1], device=hidden.device)
        mask = mask + bias_HT[None, :, None]
    for block in model.h:
        hidden = block(hidden, alibi=(mask, slopes_H), attention_mask=None)[0]
    states: torch.Tensor = model.ln_f(hidden)
    return states


def fuse_bloom(model: Any) -> None:
    """Let each block of a BLOOM compute its attention in one fused call.

    `alibi` then holds the mask with the bias in it, or blocks, and the slopes.
    """
    for block in model.h:
        block.self_attention.forward = _fused(block.self_attention)


def _fused(attention: Any) -> Callable[..., tuple[torch.Tensor, None]]:
    def forward(hidden: torch.Tensor, residual: torch.Tensor, alibi: Any, **_: Any) -> Any:
        query, key, value = attention._reshape(attention.query_key_value(hidden))
        mask, slopes_H = alibi
        scale = attention.inv_norm_factor
        out_BHTK: Any
        if isinstance(mask, torch.Tensor):
            out_BHTK = attend_by_blocks(query, key, value, mask, scale)
        else:

            def biased(score: Any, b: Any, h: Any, q: Any, k: Any) -> Any:
                return score + slopes_H[h] * k

            out_BHTK = compile_friendly_flex_attention(
                query, key, value, training=True, score_mod=biased, block_mask=mask, scale=scale
            )
        return attention.dense(out_BHTK.transpose(1, 2).flatten(2)) + residual, None

    return forward
