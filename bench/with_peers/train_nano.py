"""A Llama and its loop written out by hand, the shortest that is quick: no library but torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
import turns
from torch import nn


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(turns.WIDTH, 3 * turns.WIDTH, bias=False)
        self.out = nn.Linear(turns.WIDTH, turns.WIDTH, bias=False)

    def forward(self, x_BTD: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        rows, length, width = x_BTD.shape
        q, k, v = self.qkv(x_BTD).view(rows, length, 3, turns.HEADS, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(rows, length, width))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1).to(x.dtype)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(turns.WIDTH, eps=1e-6), nn.RMSNorm(turns.WIDTH, eps=1e-6)
        self.attention = Attention()
        self.gate = nn.Linear(turns.WIDTH, turns.FEED_FORWARD, bias=False)
        self.up = nn.Linear(turns.WIDTH, turns.FEED_FORWARD, bias=False)
        self.down = nn.Linear(turns.FEED_FORWARD, turns.WIDTH, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), cos, sin)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(turns.VOCABULARY, turns.WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(turns.LAYERS))
        self.norm = nn.RMSNorm(turns.WIDTH, eps=1e-6)
        half = turns.WIDTH // turns.HEADS // 2
        angles = torch.arange(turns.CONTEXT)[:, None] * 10_000 ** (-torch.arange(half) / half)
        self.cos, self.sin = angles.cos(), angles.sin()
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids_BT: torch.Tensor) -> torch.Tensor:
        x = self.embedding(ids_BT)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.norm(x)


def head_loss(x: torch.Tensor, head: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(F.linear(x, head).flatten(0, 1).float(), targets_BT.flatten())


def main() -> None:
    turn = turns.Turns()
    torch.set_num_threads(turns.THREADS)
    torch.manual_seed(0)
    model = Llama()
    for block in model.blocks:
        block.compile(dynamic=False)
    loss_of = torch.compile(head_loss, dynamic=False)
    adam = torch.optim.AdamW(model.parameters(), lr=turns.RATE, betas=(0.9, 0.95), fused=True)
    ids = torch.randint(0, turns.VOCABULARY, (turns.ROWS, turns.CONTEXT + 1))
    step = 0
    while True:
        if step >= 3:
            turn.wait()
        step += 1
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model(ids[:, :-1]), model.embedding.weight, ids[:, 1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        float(loss.detach())


if __name__ == "__main__":
    main()
