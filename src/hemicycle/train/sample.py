"""Samples: what the model under training writes, for people to look at; kept in the log, not in the model.

Texts are drawn without a cache of keys and values, by the very module that is trained, so that it works
sharded too; all ranks draw the same tokens. That costs a few steps' time, some twenty times in a run.
"""

from __future__ import annotations

from typing import Any

import torch

from hemicycle.tokens import Batch
from hemicycle.train import attention
from hemicycle.train.learner import Learner
from hemicycle.train.log import Log

SAMPLES_A_RUN = 20
#: Texts of a sample, tokens of a prompt, and tokens that are written.
TEXTS, PROMPT, WRITTEN = 3, 12, 48
TEMPERATURE = 0.8


@torch.no_grad()
def continue_texts(learner: Learner, prompts: list[list[int]], seed: int) -> list[list[int]]:
    """What the learner writes after each prompt (all of equal length), `WRITTEN` tokens drawn at random."""
    device = learner.device
    generator = torch.Generator().manual_seed(seed)
    tokens_BT = torch.tensor(prompts, device=device)
    config: Any = learner.model.config.get_text_config()
    with torch.compiler.set_stance("force_eager"):
        for _ in range(WRITTEN):
            rows, length = tokens_BT.shape
            documents_BT = torch.zeros(rows, length, dtype=torch.int32, device=device)
            positions_BT = torch.arange(length, device=device).expand(rows, length)
            mask = attention.render(config, documents_BT)
            logits_BV = learner(tokens_BT, None, mask, positions_BT)
            chances = torch.softmax(logits_BV.float().cpu() / TEMPERATURE, -1)
            drawn = torch.multinomial(chances, 1, generator=generator)
            tokens_BT = torch.cat([tokens_BT, drawn.to(device)], 1)
    written: list[list[int]] = tokens_BT[:, len(prompts[0]) :].tolist()
    return written


def write_samples(
    learner: Learner, batch: Batch, tokenizer: Any, step: int, log: Log | None, prompts: list[list[int]]
) -> None:
    """Let the learner go on from prompts, and note it in the log. All ranks must call it alike."""
    texts = continue_texts(learner, prompts, step)
    if log is not None:
        for prompt, text in zip(prompts, texts, strict=True):
            log.sample(step, tokenizer.decode(prompt), tokenizer.decode(text))
