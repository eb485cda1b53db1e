"""Our attention for processors computes what torch's does, for lengths that fill no whole block, too."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from hemicycle.errors import InputError
from hemicycle.train import attention
from hemicycle.train.attention import BLOCK, UNSEEN, attend_by_blocks, choose, render, visible


@pytest.mark.parametrize("length", [1, 20, BLOCK, BLOCK + 1, 3 * BLOCK - 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_blocks_of_queries_give_what_the_whole_table_gives(length, dtype):
    torch.manual_seed(length)
    given = [torch.randn(2, 3, length, 16, dtype=dtype) for _ in range(3)]
    documents = (torch.rand(2, length) < 0.02).cumsum(1)
    seen = visible(documents)
    bias = torch.where(seen, torch.zeros(()), UNSEEN)
    ours, theirs = ([x.clone().requires_grad_() for x in given] for _ in range(2))
    out = attend_by_blocks(*ours, bias, 0.25)
    # in single precision whatever comes in
    expected = F.scaled_dot_product_attention(*(x.float() for x in theirs), attn_mask=seen, scale=0.25)
    assert out.dtype == dtype
    # the last bit of what is handed on
    loose = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 2e-2, "rtol": 2e-2}
    torch.testing.assert_close(out, expected.to(dtype), **loose)
    toward = torch.randn_like(expected)
    (out.float() * toward).sum().backward()
    (expected.to(dtype).float() * toward).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, **loose)


@pytest.mark.parametrize("longest", [0, 2_048])
def test_windows_and_shared_heads_are_as_in_the_class_itself(longest, monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", 16)
    monkeypatch.setattr(attention, "LONGEST_TABLE", longest)
    torch.manual_seed(1)
    config = Gemma3TextConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=7,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )
    model = Gemma3ForCausalLM(config).eval()
    ids = torch.randint(0, 64, (2, 45))
    with torch.no_grad():
        model.set_attn_implementation("eager")
        expected = model(input_ids=ids, use_cache=False).logits
        choose(model, "cpu")
        mask = render(model.config, torch.zeros(2, 45, dtype=torch.int32))
        found = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_what_a_class_wants_and_is_not_known_here_is_refused():
    layer = SimpleNamespace(config=SimpleNamespace(model_type="another"))
    rows = torch.zeros(1, 1, 4, 8)
    with pytest.raises(InputError, match="another wants `softcap`"):
        attention._by_blocks(layer, rows, rows, rows, torch.zeros(1, 1, 4, 4), softcap=30.0)
