"""Our attention for processors computes what torch's does, for lengths that fill no whole block, too."""

import pytest
import torch
import torch.nn.functional as F

from hemicycle.train.attention import BLOCK, UNSEEN, attend_by_blocks, visible


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
