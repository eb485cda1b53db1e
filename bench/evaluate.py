"""How fast the measures of `evaluate` are, beside plain ways of doing the same, in one run and on one core.

    OMP_NUM_THREADS=1 python bench/evaluate.py [FOLDER]

FOLDER holds texts (.txt, or .xml whose tags are dropped); without it, text is made up. Times are those of the
processor, so other work on the machine matters little; trust ratios, not figures.
"""

from __future__ import annotations

import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from hemicycle.evaluate import bits, compressors, ngram

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    result = work()
    return result, max(time.process_time() - start, 1e-9)


def texts_of(folder: Path | None) -> list[str]:
    if folder is None:
        dice = random.Random(1)
        words = ["".join(dice.choices("aeinorstul", k=dice.randint(1, 9))) for _ in range(5_000)]
        return [" ".join(dice.choices(words, k=60_000)) for _ in range(20)]
    files = sorted([*folder.glob("**/*.txt"), *folder.glob("**/*.xml")])
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", path.read_text("utf-8"))) for path in files]


def bench_ngram(train: list[str], held_out: list[str]) -> None:
    size = sum(len(text.encode("utf-8")) for text in held_out)
    characters = sum(map(len, train))
    print(f"training {characters:,} characters, held out {size:,} bytes")
    print(f"{'':22}{'train':>9}{'score':>9}   bits per byte")
    for order in range(3, ngram.HIGHEST_ORDER + 1):
        model, training = timed(partial(ngram.train, train, order))
        costs, scoring = timed(partial(model.bits, held_out))
        found = sum(float(cost[-1].sum()) for cost in costs) / size
        print(f"n-gram of order {order:<6}{training:8.2f}s{scoring:8.2f}s   {found:.3f}")
    compressed, spent = timed(lambda: compressors.xz_bits(held_out))
    print(f"{'xz -9':22}{'':>9}{spent:8.2f}s   {compressed / size:.3f}")

    sample = train[0][:300_000]
    grams, plain = timed(
        lambda: [Counter(sample[i : i + k] for i in range(len(sample))) for k in range(1, 8)]
    )
    _, ours = timed(lambda: ngram.train([sample]))
    print(
        f"counting {len(grams)} orders, {len(sample):,} characters: {plain / ours:.1f} times as fast as dicts"
    )
    print(f"memory at the peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB")


def bench_bits(held_out: list[str]) -> None:
    """Our windows and batches against the loop one writes first: one window of half a context at a time."""
    text = held_out[0][:60_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(alphabet)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.save(str(folder / "tokenizer.json"))
        config = LlamaConfig(
            vocab_size=8_192,
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=6,
            num_attention_heads=8,
            max_position_embeddings=512,
            bos_token_id=None,
            eos_token_id=None,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
        model = bits.load(folder)
        (scored,), ours = timed(lambda: list(model.score([text])))
        plain_model = LlamaForCausalLM.from_pretrained(folder)
        plain_model.train(False)
        ids = torch.tensor(tokenizer.encode(text).ids)

        def one_by_one() -> float:
            nats = 0.0
            with torch.inference_mode():
                for window in bits.windows(len(ids), 512):
                    logits = plain_model(ids[None, window.start : window.stop]).logits[0]
                    wanted = ids[window.first : window.stop + 1]
                    found = torch.log_softmax(logits[window.first - 1 - window.start :], -1)
                    nats -= float(found.gather(1, wanted[:, None]).sum())
            return nats

        nats, plain = timed(one_by_one)
    ours_too = float(scored.nats[1:].sum())
    rate = len(ids) / ours
    print(
        f"bits per byte of a Llama of 6 layers by 256: {rate:,.0f} tokens/s, {plain / ours:.2f} times plain"
    )
    print(f"  same nats within {abs(ours_too - nats) / nats:.1e}")


def main() -> None:
    texts = texts_of(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    held_out, train = texts[::7], [text for i, text in enumerate(texts) if i % 7]
    bench_ngram(train, held_out)
    bench_bits(held_out)


if __name__ == "__main__":
    main()
