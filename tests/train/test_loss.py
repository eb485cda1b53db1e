"""The chunked loss and its gradients are those of the plain way."""

import pytest
import torch
import torch.nn.functional as F

from hemicycle.train import loss as module
from hemicycle.train.loss import summed_loss


def inputs(bias=False):
    torch.manual_seed(0)
    hidden = torch.randn(50, 16, requires_grad=True)
    head = torch.randn(101, 16, requires_grad=True)
    bias_V = torch.randn(101, requires_grad=True) if bias else None
    targets = torch.randint(0, 101, (50,))
    targets[::7] = -100
    return hidden, head, bias_V, targets


def gradients(total, *tensors):
    return torch.autograd.grad(total, [t for t in tensors if t is not None])


@pytest.mark.parametrize("at_once", [1 << 26, 101 * 7])
@pytest.mark.parametrize(("bias", "z", "cap"), [(False, 0, None), (True, 0.01, None), (False, 0.01, 3.0)])
def test_loss_and_gradients_equal_the_plain_way(monkeypatch, at_once, bias, z, cap):
    monkeypatch.setitem(module.LOGITS_AT_ONCE, "cpu", at_once)
    hidden, head, bias_V, targets = inputs(bias)
    total, nats = summed_loss(hidden, head, targets, bias_V=bias_V, z_loss=z, cap=cap)
    logits = F.linear(hidden, head, bias_V)
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    plain = F.cross_entropy(logits, targets, reduction="none", ignore_index=-100)
    z_loss = (z * logits.logsumexp(-1) ** 2)[targets != -100].sum()
    assert torch.allclose(nats, plain, atol=1e-5)
    assert float(total.detach()) == pytest.approx(float((plain.sum() + z_loss).detach()), rel=1e-6)
    ours = gradients(total * 0.3, hidden, head, bias_V)
    theirs = gradients((plain.sum() + z_loss) * 0.3, hidden, head, bias_V)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_a_head_that_is_not_learnt_gets_no_gradient():
    hidden, head, _, targets = inputs()
    head = head.detach()
    total, _ = summed_loss(hidden, head, targets)
    total.backward()
    assert hidden.grad is not None
    assert head.grad is None


def test_no_target_is_no_loss():
    hidden, head, _, targets = inputs()
    total, nats = summed_loss(hidden, head, torch.full_like(targets, -100))
    total.backward()
    assert float(total.detach()) == 0
    assert not nats.any()
    assert not hidden.grad.any()
