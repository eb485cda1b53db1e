"""Bits per byte of a causal language model: what it would take to write a text down with it.

Nats over the tokens, divided by ln 2 and by the bytes of the text: unlike a loss per token it can be compared
over vocabularies, and with a compressor. The traps it avoids:

* a text longer than the context is read in windows that overlap by half, and each token is scored once, in
  the first window that holds it, so that it has at least half a context before it wherever the text has one;
* the first token is predicted too, from the mark a text begins with; a model without such a mark pays for it
  what a blind guess costs;
* weights that are missing from the files are refused: the library would fill them with random numbers.

Windows are padded on the right and no mask is passed: a causal model does not see what comes after.
"""

from __future__ import annotations

import inspect
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import DeclarationError, InputError
from hemicycle.evaluate.spans import Encoded, Encoder
from hemicycle.pretrained import context_of, load_pretrained

if TYPE_CHECKING:
    import torch

#: No window is longer, whatever a model can do: attention over it costs the square.
LONGEST_WINDOW = 2_048
#: Logits computed at once, unless one window alone has more. Larger batches are slower: they leave the cache.
LOGITS_AT_ONCE = 1 << 23
#: Windows waiting to be sorted into batches of equal length.
WAITING = 64

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scored:
    """What one text costs, token by token.

    Attributes:
        nats: (tokens,).
        starts: (tokens,) first byte of each token.
        sizes: (tokens,) bytes each token adds, in sum those of the UTF-8 text.
        altered: the tokenizer does not give the text back, so the figure is too good.
    """

    nats: Floats
    starts: Integers
    sizes: Integers
    altered: bool

    def bits_between(self, byte_ends: Integers) -> Floats:
        """Bits of each block, given the blocks' ends in bytes; a token counts where its first byte lies."""
        block = np.searchsorted(byte_ends, self.starts, side="right")
        block = np.minimum(block, byte_ends.size - 1)  # a token that adds nothing may start at the very end
        nats = np.bincount(block, weights=self.nats, minlength=byte_ends.size)
        return nats.astype(np.float64) / math.log(2)


@dataclass(frozen=True)
class Window:
    """A stretch of a sequence that is read at once.

    Items ``start`` to ``stop`` (excluded) are read, items ``first`` to ``stop`` (included) are scored.
    """

    start: int
    stop: int
    first: int


def windows(length: int, context: int) -> Iterator[Window]:
    """Windows over a sequence of `length` items: every item but the first is scored exactly once.

    Item t is scored with at least ``min(t, context - context // 2)`` items before it.
    """
    start, first = 0, 1
    while first < length:
        stop = min(start + context, length - 1)
        yield Window(start, stop, first)
        start, first = start + max(1, context // 2), stop + 1


class LanguageModel:
    """A causal language model on the processor, with its tokenizer; see `load`.

    Attributes:
        context: the longest window used, in tokens.
        begin: the token every text begins with, None where the tokenizer knows none.
        vocabulary: the number of tokens the model chooses from.
    """

    def __init__(
        self,
        forward: Callable[[torch.Tensor, int], torch.Tensor],
        encoder: Encoder,
        *,
        context: int,
        vocabulary: int,
        autocast: bool = False,
        place: str = "",
        generate: Callable[[Integers, int, frozenset[int]], list[int]] | None = None,
    ) -> None:
        """`forward` takes token ids (batch, length) and how many of the last logits are wanted.

        It gives logits (batch, at least as many as wanted, vocabulary). `generate` is `answer` without its
        bound.
        """
        if context < 2:
            raise InputError(f"the model says its context is {context} tokens", place=place)
        self._forward, self._encoder, self._autocast, self._place = forward, encoder, autocast, place
        self.context, self.vocabulary, self.begin = context, vocabulary, encoder.begin
        self._generate = generate

    def answer(self, ids: Integers, most: int, ends: frozenset[int]) -> list[int]:
        """The likeliest token after the last, again and again, until one of `ends` (left out), `most` or the
        end of the context."""
        assert self._generate is not None
        return (
            self._generate(ids, min(most, self.context - ids.size), ends) if ids.size < self.context else []
        )

    def score(
        self, texts: Iterable[str], on_bytes: Callable[[int], None] = lambda _: None
    ) -> Iterator[Scored]:
        """Score texts, in order. `on_bytes` hears of bytes scored, as batches are done.

        Raises:
            InputError: the tokenizer gives numbers the model does not have, or the model gives no numbers.
        """
        begin = [] if self.begin is None else [self.begin]
        waiting: deque[Encoded] = deque()

        def sequences() -> Iterator[tuple[Integers, Integers]]:
            for text in texts:
                encoded = self._encoder.encode(text)
                waiting.append(encoded)
                marks = np.array(begin, np.int64)
                yield np.concatenate([marks, encoded.ids]), np.concatenate([0 * marks, encoded.sizes])

        for nats in self._score(sequences(), on_bytes):
            one = waiting.popleft()
            yield Scored(nats[len(begin) :], one.starts, one.sizes, one.altered)

    def score_tokens(
        self, sequences: Iterable[Integers], on_tokens: Callable[[int], None] = lambda _: None
    ) -> Iterator[Floats]:
        """Nats of every token of sequences that need no mark before them; of the first, a blind guess.

        Raises InputError as `score` does.
        """
        yield from self._score(((ids, np.ones(ids.size, np.int64)) for ids in sequences), on_tokens)

    def _score(
        self, sequences: Iterable[tuple[Integers, Integers]], on_done: Callable[[int], None]
    ) -> Iterator[Floats]:
        """Nats of each item of sequences that come with how much of the work each item is."""
        waiting: list[_Sequence] = []
        for ids, work in sequences:
            waiting.append(self._prepare(ids, work))
            if sum(len(one.windows) for one in waiting) >= WAITING:
                yield from self._finish(waiting, on_done)
                waiting = []
        yield from self._finish(waiting, on_done)

    def _prepare(self, ids: Integers, work: Integers) -> _Sequence:
        highest = int(ids.max(initial=-1))
        if highest >= self.vocabulary:
            raise InputError(
                f"the tokenizer gives token {highest}, and the model has {self.vocabulary} tokens",
                place=self._place,
                remedy="The tokenizer and the weights do not belong together.",
            )
        nats = np.full(ids.size, math.log(self.vocabulary))
        return _Sequence(ids, work, nats, tuple(windows(ids.size, self.context)))

    def _finish(self, sequences: Sequence[_Sequence], on_done: Callable[[int], None]) -> Iterator[Floats]:
        jobs = [(one, window) for one in sequences for window in one.windows]
        jobs.sort(key=lambda job: (job[1].start - job[1].stop, job[1].first - job[1].start))
        at = 0
        while at < len(jobs):
            longest = jobs[at][1].stop - jobs[at][1].start
            batch = jobs[at : at + max(1, LOGITS_AT_ONCE // (longest * self.vocabulary))]
            self._score_batch(batch, longest)
            on_done(sum(int(one.work[window.first : window.stop + 1].sum()) for one, window in batch))
            at += len(batch)
        for one in sequences:
            if not np.isfinite(one.nats).all():
                raise InputError(
                    "the model gives no number (NaN or infinity) for the probability of a token",
                    place=self._place,
                    remedy="Its training went astray or its weights are damaged: use an earlier checkpoint.",
                )
            yield one.nats

    def _score_batch(self, batch: Sequence[tuple[_Sequence, Window]], longest: int) -> None:
        import torch

        ids_BL = np.zeros((len(batch), longest), np.int64)
        for row, (one, window) in enumerate(batch):
            ids_BL[row, : window.stop - window.start] = one.ids[window.start : window.stop]
        skipped = min(window.first - 1 - window.start for _, window in batch)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._autocast):
            logits_BLV = self._forward(torch.from_numpy(ids_BL), longest - skipped)
        skipped = longest - logits_BLV.shape[1]
        for logits_LV, (one, window) in zip(logits_BLV, batch, strict=True):
            wanted = torch.from_numpy(one.ids[window.first : window.stop + 1])
            before = window.start + skipped
            used_LV = logits_LV[window.first - 1 - before : window.stop - before].float()
            nats = torch.nn.functional.cross_entropy(used_LV, wanted, reduction="none")
            one.nats[window.first : window.stop + 1] = nats.double().numpy()


@dataclass(frozen=True)
class _Sequence:
    """Tokens on their way: `nats` is filled in window by window, and starts out as a blind guess."""

    ids: Integers
    work: Integers
    nats: Floats
    windows: tuple[Window, ...]


def load(folder: Path, *, autocast: bool = False) -> LanguageModel:
    """Load a `transformers` folder: local files, safetensors, fp32, no code of its own.

    Args:
        autocast: compute in bfloat16; faster where the processor can, and less exact.

    Raises:
        InputError: the folder is not a causal language model, or not a whole one.
        DeclarationError: torch or transformers is not installed.
    """
    if not (folder / "config.json").is_file():
        raise InputError(
            "this is not a model: it has no config.json",
            place=str(folder),
            remedy="Name the folder of a model that `train` made or that `transformers` saved.",
        )
    try:
        import torch
        import transformers
    except ImportError as error:
        raise DeclarationError(
            f"measuring a language model needs {error.name}, which is not installed",
            remedy="pip install 'hemicycle[evaluate]'",
        ) from None
    encoder = Encoder(folder)
    model = load_pretrained(folder)
    model.eval()
    keeps = "logits_to_keep" in inspect.signature(model.forward).parameters

    def forward(ids_BL: torch.Tensor, wanted: int) -> torch.Tensor:
        more = {"logits_to_keep": wanted} if keeps else {}
        logits_BLV: torch.Tensor = model(input_ids=ids_BL, use_cache=False, **more).logits
        return logits_BLV

    def generate(ids: Integers, most: int, ends: frozenset[int]) -> list[int]:
        given = torch.from_numpy(ids)[None]
        settings: Any = transformers.GenerationConfig
        how = settings(
            max_new_tokens=most, do_sample=False, eos_token_id=sorted(ends), pad_token_id=min(ends)
        )
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            out = model.generate(given, attention_mask=torch.ones_like(given), generation_config=how)
        return [number for number in out[0, ids.size :].tolist() if number not in ends]

    text_config = model.config.get_text_config()
    return LanguageModel(
        forward,
        encoder,
        context=min(LONGEST_WINDOW, context_of(text_config)),
        vocabulary=int(text_config.vocab_size),
        autocast=autocast,
        place=str(folder),
        generate=generate,
    )
