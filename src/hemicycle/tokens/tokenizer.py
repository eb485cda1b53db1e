"""The tokenizer: byte-level BPE, learnt on the training split only, saved as `transformers` loads it.

Two marks frame every document: `<|begin|>` and `<|end|>`. A text that happens to contain those characters
must never become a mark, or a hostile document could end another one; so texts are always encoded with
marks taken as plain characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress

BEGIN, END = "<|begin|>", "<|end|>"

#: Cuts text before merging: words keep the space before them and the apostrophe of an elision after them
#: (l', d', qu'), digits go in threes, runs of signs and of white space stand alone.
PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+['’]?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def training_texts(corpus: Path) -> Iterator[str]:
    """The texts of a corpus artefact's training split, sources in sorted order."""
    for path in corpus_shards(corpus):
        for table in read_batches(path, ["text", "split"]):
            for text, split in zip(table["text"].to_pylist(), table["split"].to_pylist(), strict=True):
                if split == "train":
                    yield text


def train_tokenizer(corpus: Path, out: Path, *, vocab: int, progress: Progress = QUIET) -> dict[str, Any]:
    """Learn `vocab` tokens (the two marks and 256 bytes included) and write `tokenizer.json`.

    Returns figures: vocabulary, training characters, bytes per token on the training text's first 2 MB.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[BEGIN, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    characters = 0
    sample: list[str] = []
    with progress.start("tokenizer", None, "characters") as bar:

        def counted() -> Iterator[str]:
            nonlocal characters
            for text in training_texts(corpus):
                if characters < 2_000_000:
                    sample.append(text)
                characters += len(text)
                bar.advance(len(text))
                yield text

        tokenizer.train_from_iterator(counted(), trainer)
    if not characters:
        raise InputError("the corpus has no training text to learn a tokenizer on", place=str(corpus))
    begin = tokenizer.token_to_id(BEGIN)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, begin)]),
        ]
    )
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "clean_up_tokenization_spaces": False,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=1, sort_keys=True), "utf-8")
    loaded = load_tokenizer(out)
    tokens = sum(len(loaded.encode(text, add_special_tokens=False).ids) for text in sample)
    sampled_bytes = sum(len(text.encode("utf-8")) for text in sample)
    return {
        "vocabulary": loaded.get_vocab_size(),
        "training_characters": characters,
        "bytes_per_token": round(sampled_bytes / max(tokens, 1), 4),
    }


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load `tokenizer.json` so that the marks inside a text are read as plain characters."""
    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise InputError(f"the tokenizer cannot be read: {error}", place=str(path)) from None
    tokenizer.encode_special_tokens = True
    return tokenizer
