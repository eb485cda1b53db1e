"""litgpt's model and loss in the loop of its pretraining, compiled, in its mixed bf16."""

from __future__ import annotations

import lightning as L
import torch
import turns
from litgpt.config import Config
from litgpt.model import GPT
from litgpt.utils import chunked_cross_entropy


def main() -> None:
    turn = turns.Turns()
    torch.set_num_threads(turns.THREADS)
    config = Config(
        name="llama",
        block_size=turns.CONTEXT,
        vocab_size=turns.VOCABULARY,
        padded_vocab_size=turns.VOCABULARY,
        n_layer=turns.LAYERS,
        n_head=turns.HEADS,
        n_embd=turns.WIDTH,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        intermediate_size=turns.FEED_FORWARD,
    )
    fabric = L.Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    fabric.seed_everything(0)
    with fabric.init_module():
        model = GPT(config)
    model.lm_head.weight = model.transformer.wte.weight
    model = fabric.setup(torch.compile(model))
    adam = torch.optim.AdamW(model.parameters(), lr=turns.RATE, betas=(0.9, 0.95), fused=True)
    adam = fabric.setup_optimizers(adam)
    ids = torch.randint(0, turns.VOCABULARY, (turns.ROWS, turns.CONTEXT + 1))
    step = 0
    while True:
        if step >= 3:
            turn.wait()
        step += 1
        logits = model(ids[:, :-1].contiguous())
        loss = chunked_cross_entropy(logits, ids[:, 1:].contiguous())
        fabric.backward(loss)
        fabric.clip_gradients(model, adam, max_norm=1.0)
        adam.step()
        adam.zero_grad()
        loss.item()


if __name__ == "__main__":
    main()
