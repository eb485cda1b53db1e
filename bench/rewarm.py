"""How high to warm up again: what a model that goes on gains of new text and forgets of old.

    python bench/rewarm.py OLD.txt NEW.txt

A model of two layers learns OLD from nothing; copies of it go on with NEW at shares of that peak rate, with
and without a tenth of OLD among it. Printed are bits per byte of the last 30 000 characters of each text,
which nothing is trained on. On French debates of 2013 and French novels, 3 million characters each, one seed:

    base            1.596  2.520
    0.03 0          1.730  2.283
    0.03 0.1        1.687  2.294
    0.1 0           1.866  2.170
    0.1 0.1         1.754  2.183
    0.3 0           1.994  2.077
    0.3 0.1         1.801  2.089
    1 0             2.169  2.008
    1 0.1           1.885  2.015
    from nothing           2.626

(share of the peak, share of replay, old, new); two minutes on one core.
"""

from __future__ import annotations

import copy
import math
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT, ROWS, VOCABULARY, RATE = 64, 12, 1024, 4e-3
BASE_STEPS, STEPS, HELD_OUT = 1_200, 400, 30_000


def main(old: Path, new: Path) -> None:
    torch.set_num_threads(1)
    texts = [path.read_text("utf-8") for path in (old, new)]
    tokenizer = learn([text[:500_000] for text in texts])
    trained = [ids(tokenizer, text[:-HELD_OUT]) for text in texts]
    held_out = [text[-HELD_OUT:] for text in texts]
    base = train(fresh(), trained[0], trained[0], 0.0, BASE_STEPS, RATE)
    show("base", [bits(base, tokenizer, text) for text in held_out])
    for share in (0.03, 0.1, 0.3, 1.0):
        for replay in (0.0, 0.1):
            model = train(copy.deepcopy(base), trained[1], trained[0], replay, STEPS, RATE * share)
            show(f"{share:g} {replay:g}", [bits(model, tokenizer, text) for text in held_out])
    model = train(fresh(), trained[1], trained[1], 0.0, STEPS, RATE)
    show("from nothing", [bits(model, tokenizer, held_out[1])])


def learn(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def ids(tokenizer: Tokenizer, text: str) -> torch.Tensor:
    parts = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
    return torch.cat([torch.tensor(one.ids) for one in tokenizer.encode_batch(parts)])


def fresh() -> Any:
    torch.manual_seed(1)
    sizes = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(
        vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, tie_word_embeddings=True, **sizes
    )
    return LlamaForCausalLM(config)


def train(model: Any, own: torch.Tensor, other: torch.Tensor, replay: float, steps: int, rate: float) -> Any:
    """Warm-up over a fiftieth of the steps, then a cosine down to a fiftieth of the rate."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
    dice, warm_up = torch.Generator().manual_seed(0), round(0.02 * steps)
    for step in range(steps):
        done = (step - warm_up) / (steps - warm_up - 1)
        factor = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)) if done >= 0 else (step + 1) / warm_up
        for group in optimiser.param_groups:
            group["lr"] = rate * factor
        rows = []
        for _ in range(ROWS):
            text = other if torch.rand((), generator=dice) < replay else own
            at = int(torch.randint(0, len(text) - CONTEXT - 1, (), generator=dice))
            rows.append(text[at : at + CONTEXT + 1])
        batch_BT = torch.stack(rows)
        logits_BTV = model(batch_BT[:, :-1]).logits
        F.cross_entropy(logits_BTV.flatten(0, 1), batch_BT[:, 1:].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return model


@torch.inference_mode()
def bits(model: Any, tokenizer: Tokenizer, text: str) -> float:
    """Bits per byte, in rows that do not overlap."""
    tokens = ids(tokenizer, text)
    rows = (len(tokens) - 1) // CONTEXT
    seen = tokens[: rows * CONTEXT].view(rows, CONTEXT)
    next_ = tokens[1 : rows * CONTEXT + 1].view(rows, CONTEXT)
    nats = F.cross_entropy(model(seen).logits.flatten(0, 1), next_.flatten(), reduction="sum")
    return float(nats) / math.log(2) / len(text.encode("utf-8"))


def show(name: str, found: list[float]) -> None:
    print(f"{name:14}", *(f"{value:6.3f}" for value in found), flush=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
