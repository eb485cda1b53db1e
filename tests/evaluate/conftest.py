"""Small models and corpora that the tests of this room share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, write_parquet

CORPUS = SCHEMA.append(pa.field("clean_digest", pa.string())).append(pa.field("split", pa.string()))


def save_byte_tokenizer(folder: Path) -> None:
    """A tokenizer of the 256 bytes and one merge (“es”), behind the two marks of the house."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<|begin|>", "<|end|>", *alphabet, "es"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("e", "s")]))
    tokenizer.add_special_tokens(["<|begin|>", "<|end|>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    marks = {"bos_token": "<|begin|>", "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(marks), "utf-8")


def save_llama(folder: Path, vocabulary: int, *, uniform: bool = False, seed: int = 1) -> None:
    """A Llama of two layers with random weights; uniform: every token is as likely as every other."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=32,
        initializer_range=0.6,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    if uniform:
        torch.nn.init.zeros_(model.lm_head.weight)
    model.save_pretrained(folder)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder: byte tokenizer of 259 tokens, context of 32, random weights."""
    folder = tmp_path_factory.mktemp("models") / "llama"
    save_llama(folder, 259)
    save_byte_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def uniform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a head of zeros: every token costs log2(259) bits."""
    folder = tmp_path_factory.mktemp("models") / "uniform"
    save_llama(folder, 259, uniform=True)
    save_byte_tokenizer(folder)
    return folder


Rows = Iterable[tuple[str, str, str, str]]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Rows], Path]:
    """Make a corpus artefact of (id, source, split, text)."""

    def make(name: str, rows: Rows) -> Path:
        folder = tmp_path_factory.mktemp(name)
        listed = list(rows)
        for source in sorted({row[1] for row in listed}):
            documents = [
                {
                    "id": number,
                    "source": source,
                    "text": text,
                    "digest": sha256_text(text),
                    "clean_digest": sha256_text(text),
                    "split": split,
                }
                for number, its_source, split, text in listed
                if its_source == source
            ]
            table = pa.Table.from_pylist(documents, schema=CORPUS)
            (folder / "kept" / source).mkdir(parents=True)
            write_parquet(folder / "kept" / source / "00000.parquet", CORPUS, [table])
        return folder

    return make
