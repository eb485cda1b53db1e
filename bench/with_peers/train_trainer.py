"""The Trainer of Hugging Face, with its own switches for bf16, compiling and a fused AdamW."""

from __future__ import annotations

import tempfile
from typing import Any

import torch
import turns
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments


class Waits(TrainerCallback):
    def __init__(self) -> None:
        self.turn = turns.Turns()

    def on_step_begin(self, args: object, state: Any, control: object, **_: object) -> None:
        if state.global_step >= 3:
            self.turn.wait()


class Rows(torch.utils.data.Dataset):
    def __init__(self) -> None:
        self.ids = torch.randint(0, turns.VOCABULARY, (256, turns.CONTEXT))

    def __len__(self) -> int:
        return 10_000_000

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        ids = self.ids[number % len(self.ids)]
        return {"input_ids": ids, "labels": ids}


def main() -> None:
    waits = Waits()
    torch.set_num_threads(turns.THREADS)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=turns.VOCABULARY,
        hidden_size=turns.WIDTH,
        intermediate_size=turns.FEED_FORWARD,
        num_hidden_layers=turns.LAYERS,
        num_attention_heads=turns.HEADS,
        max_position_embeddings=turns.CONTEXT,
        tie_word_embeddings=True,
        use_cache=False,
    )
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=turns.ROWS,
            max_steps=1_000_000,
            learning_rate=turns.RATE,
            optim="adamw_torch_fused",
            bf16=True,
            use_cpu=True,
            torch_compile=True,
            max_grad_norm=1.0,
            logging_steps=10,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        Trainer(LlamaForCausalLM(config), arguments, train_dataset=Rows(), callbacks=[waits]).train()


if __name__ == "__main__":
    main()
