"""The embedded engine: a `transformers` folder, a key-value cache and a short sampling loop.

It is the engine for a laptop and for tests, and the reference for log-probabilities. Long prompts are read
in slices, so that a caller who has gone is noticed and the logits of a whole prompt never stand in memory.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import torch
from tokenizers import Tokenizer

from hemicycle.errors import DeclarationError, InputError, IntegrityError
from hemicycle.pretrained import context_of, load_pretrained
from hemicycle.serve.engine import Alternative, Chunk, Message, Params, Scored
from hemicycle.serve.pieces import Writer, byte_pieces

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Tokens of a prompt read at once.
SLICE = 512


class EmbeddedEngine:
    """See `load_engine`."""

    def __init__(self, folder: Path, name: str) -> None:
        for file in ("config.json", "tokenizer.json"):
            if not (folder / file).is_file():
                raise InputError(
                    f"the model has no {file}",
                    place=str(folder),
                    remedy="Name the folder of a model that `train` made or that `transformers` saved.",
                )
        os.environ["HF_HUB_OFFLINE"] = "1"
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise InputError(
                f"transformers cannot load the tokenizer: {error}",
                place=str(folder),
                remedy="Check that tokenizer.json and tokenizer_config.json belong together.",
            ) from error
        self._model = load_pretrained(folder)
        self._model.train(False)
        # The plain tokenizer underneath may be shared by threads; its wrapper sets truncation at every call.
        self._encoder: Tokenizer = self._tokenizer.backend_tokenizer
        self._encoder.no_truncation()
        self._encoder.no_padding()
        self._pieces = byte_pieces(self._encoder, str(folder))
        self._ends = _end_tokens(self._model, self._tokenizer)
        self._keeps_logits = "logits_to_keep" in inspect.signature(self._model.forward).parameters
        self._name = name
        config = self._model.config.get_text_config()
        self._context = context_of(config)

    @property
    def name(self) -> str:
        return self._name

    @property
    def context(self) -> int:
        return self._context

    @property
    def chat(self) -> bool:
        return bool(self._tokenizer.chat_template)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._encoder.encode(text).ids
        if ids:
            return ids
        start = self._tokenizer.bos_token_id
        start = min(self._ends, default=None) if start is None else start
        if start is None:
            raise DeclarationError("the prompt is empty and the model has no token to begin a text with")
        return [start]

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        if not self.chat:
            return self.encode("\n\n".join(message.content for message in messages))
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except jinja2.TemplateError as error:
            raise DeclarationError(f"the model's chat template refuses the conversation: {error}") from error
        ids: list[int] = self._encoder.encode(text, add_special_tokens=False).ids
        return ids

    def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
        ids = self.encode(prompt) if isinstance(prompt, str) else list(prompt)
        if not ids or not all(0 <= number < len(self._pieces) for number in ids):
            raise DeclarationError(f"a prompt is one or more token ids below {len(self._pieces)}")
        if len(ids) > self._context:
            raise DeclarationError(f"the prompt has {len(ids)} tokens, the context {self._context}")
        writer = Writer(b"" if params.echo else b"".join(self._pieces[i] for i in ids[-4:]))
        every = params.echo and params.logprobs is not None
        cache: object = None
        last_V: torch.Tensor | None = None
        for at in range(0, len(ids), SLICE):
            logits_LV, cache = self._forward(ids[at : at + SLICE], cache, every)
            yield Chunk()
            if params.echo:
                for i, number in enumerate(ids[at : at + SLICE]):
                    before_V = logits_LV[i - 1] if i and every else last_V
                    score = self._score(before_V, number, params, writer.offset) if every else None
                    yield writer.add(self._pieces[number], score, generated=0)
            last_V = logits_LV[-1]
        assert last_V is not None
        writer.watch(params.stop)
        yield from self._continue(len(ids), last_V, cache, params, writer)

    def _continue(
        self, length: int, logits_V: torch.Tensor, cache: object, params: Params, writer: Writer
    ) -> Iterator[Chunk]:
        """Write token after token from the logits that follow a prompt of `length` tokens."""
        dice = torch.Generator()
        if params.seed is None:
            dice.seed()
        else:
            dice.manual_seed(params.seed)
        for _ in range(min(params.max_tokens, self._context - length)):
            number = choose(logits_V, params, dice)
            if number in self._ends:
                last = writer.finish("stop")
                yield Chunk(last.text, last.generated + 1, last.scores, "stop")
                return
            score = None
            if params.logprobs is not None:
                score = self._score(logits_V, number, params, writer.offset)
            chunk = writer.add(self._pieces[number], score)
            yield chunk
            if chunk.finish:
                return
            logits_LV, cache = self._forward([number], cache, False)
            logits_V = logits_LV[-1]
        yield writer.finish("length")

    @torch.inference_mode()
    def _forward(self, ids: Sequence[int], cache: object, every: bool) -> tuple[torch.Tensor, object]:
        """Logits of every place, or of the last one only; the vocabulary without its padding."""
        keep = {"logits_to_keep": 1} if self._keeps_logits and not every else {}
        out = self._model(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True, **keep)
        logits_LV = out.logits[0, :, : len(self._pieces)].float()
        if bool(torch.isnan(logits_LV).any()):
            raise IntegrityError(
                "the model answers with NaN", remedy="Its weights are damaged or overflowed."
            )
        return logits_LV, out.past_key_values

    def _score(self, logits_V: torch.Tensor | None, number: int, params: Params, offset: int) -> Scored:
        if logits_V is None:
            return Scored(Alternative(self._pieces[number], float("nan")), offset)
        logprobs_V = torch.log_softmax(logits_V, dim=-1)
        best = torch.topk(logprobs_V, min(params.logprobs or 0, len(logprobs_V)))
        top = tuple(
            Alternative(self._pieces[i], value)
            for i, value in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        )
        return Scored(Alternative(self._pieces[number], float(logprobs_V[number])), offset, top)


def choose(logits_V: torch.Tensor, params: Params, dice: torch.Generator) -> int:
    """The next token: the likeliest at temperature 0, else drawn after temperature, top-k, top-p."""
    if params.temperature == 0:
        return int(torch.argmax(logits_V))
    scaled_V = logits_V / params.temperature
    if params.top_k == 0 and params.top_p >= 1:
        return int(torch.multinomial(torch.softmax(scaled_V, dim=-1), 1, generator=dice))
    kept = min(params.top_k, len(scaled_V)) or len(scaled_V)
    values_K, ids_K = torch.topk(scaled_V, kept)
    probabilities_K = torch.softmax(values_K, dim=-1)
    # A token is kept while the mass before it is short of top_p, so that the first one always is.
    before_K = torch.cumsum(probabilities_K, dim=-1) - probabilities_K
    probabilities_K = torch.where(before_K < params.top_p, probabilities_K, 0.0)
    return int(ids_K[torch.multinomial(probabilities_K, 1, generator=dice)])


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every token that ends a text, from the generation settings, the configuration and the tokenizer."""
    found: set[int] = set()
    for stated in (
        getattr(model.generation_config, "eos_token_id", None),
        getattr(model.config, "eos_token_id", None),
        getattr(tokenizer, "eos_token_id", None),
    ):
        if stated is not None:
            found.update([stated] if isinstance(stated, int) else stated)
    return frozenset(found)
