"""The embedded engine beside transformers' own `generate`, greedily, on a small random model.

OMP_NUM_THREADS=1 python bench/serve.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import torch
from transformers import AutoModelForCausalLM

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.project import Model
from hemicycle.serve import Params, load_engine
from hemicycle.tokens import train_tokenizer
from hemicycle.train import derive_shape
from hemicycle.train.model import build_model
from interleaved import ratio

NEW = 64


def main() -> None:
    architecture = {"layers": 6, "width": 256, "heads": 4, "context": 512}
    model = Model.model_validate(
        {"corpora": {"c": 1.0}, "tokenizer": "t", "architecture": architecture, "budget": {"tokens": 1}}
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "corpus" / "kept").mkdir(parents=True)
        rows = [{"id": "1", "text": "la séance est ouverte " * 50, "source": "s", "split": "train"}]
        table = pa.Table.from_pylist(rows, CORPUS)
        write_parquet(folder / "corpus" / "kept" / "s.parquet", CORPUS, [table])
        train_tokenizer(folder / "corpus", folder, vocab=320)
        build_model(derive_shape(model, 320), 0, 1, seed=1).save_pretrained(folder)
        engine = load_engine(folder)
        peer = AutoModelForCausalLM.from_pretrained(folder)
        prompt = engine.encode("la séance est")
        ids = torch.tensor([prompt])

        def ours() -> None:
            for _ in engine.generate(prompt, Params(max_tokens=NEW, temperature=0.0)):
                pass

        def theirs() -> None:
            peer.generate(ids, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, use_cache=True)

        ratio(f"transformers generate / embedded engine, {NEW} tokens", ours, theirs)


if __name__ == "__main__":
    main()
