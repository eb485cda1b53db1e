"""Samples: what the model under training writes, for people to look at; kept in the log, not in the model.

Texts are drawn without a cache of keys and values, by the very module that is trained, so that it works
sharded too; all ranks draw the same tokens. A sample costs as many short forward passes as it has tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from hemicycle.tokens import Order, load_tokenizer
from hemicycle.train import attention
from hemicycle.train.learner import Learner
from hemicycle.train.log import Log

#: Samples of a run; a run of fewer steps a sample has none.
SAMPLES, LEAST_STEPS = 12, 20
#: Texts of a sample, tokens of a prompt, and tokens that are written.
TEXTS, PROMPT, WRITTEN = 3, 12, 48
TEMPERATURE = 0.8


class Sampler:
    """Lets the learner go on from the beginnings of the first rows that are learnt, now and then."""

    def __init__(self, learner: Learner, tokenizer: Path, order: Order) -> None:
        self._learner, self._tokenizer = learner, load_tokenizer(tokenizer)
        self._every = max(LEAST_STEPS, -(-order.steps // SAMPLES))
        first = order.first_learnt() or 0
        begin = order.batch(first).tokens_BT[:, :PROMPT]
        # A hole is the beginning of nothing.
        self._prompts = begin[begin.any(axis=1)][:TEXTS].tolist()
        # Positions that are learnt one by one end with the context.
        self._written = min(WRITTEN, max(0, order.phase(first).context - PROMPT))

    def sample(self, step: int, log: Log | None) -> None:
        """Note in the log what is written after so many steps. All ranks must call it alike."""
        if (step + 1) % self._every or not self._prompts:
            return
        texts = continue_texts(self._learner, self._prompts, self._written, step)
        if log is not None:
            for prompt, text in zip(self._prompts, texts, strict=True):
                log.sample(step, self._tokenizer.decode(prompt), self._tokenizer.decode(text))


@torch.no_grad()
def continue_texts(learner: Learner, prompts: list[list[int]], count: int, seed: int) -> list[list[int]]:
    """What the learner writes after prompts of equal length: so many tokens each, drawn at random."""
    device = learner.device
    generator = torch.Generator().manual_seed(seed)
    tokens_BT = torch.tensor(prompts, device=device)
    config: Any = learner.model.config.get_text_config()
    with attention.uncompiled(learner.model), torch.compiler.set_stance("force_eager"):
        for _ in range(count):
            rows, length = tokens_BT.shape
            documents_BT = torch.zeros(rows, length, dtype=torch.int32, device=device)
            positions_BT = torch.arange(length, device=device).expand(rows, length)
            mask = attention.render(config, documents_BT)
            logits_BV = learner(tokens_BT, None, mask, positions_BT)
            chances_BV = torch.softmax(logits_BV.float().cpu() / TEMPERATURE, -1)
            drawn_B1 = torch.multinomial(chances_BV, 1, generator=generator)
            tokens_BT = torch.cat([tokens_BT, drawn_B1.to(device)], 1)
    written: list[list[int]] = tokens_BT[:, len(prompts[0]) :].tolist()
    return written
