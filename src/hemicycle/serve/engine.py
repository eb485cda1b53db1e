"""What the server asks of an engine, and nothing more.

An engine continues a list of token ids and yields what it writes piece by piece. The server owns the
queue, the limits and the dialect; the engine owns the tokens. Nothing here imports torch, so that an engine
in another process can stand behind the same Protocol.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

Finish = Literal["stop", "length"]


@dataclasses.dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclasses.dataclass(frozen=True)
class Params:
    """How to continue a prompt.

    Attributes:
        max_tokens: tokens to write at most; the end of the context ends the answer earlier.
        temperature: 0 takes the likeliest token; above, logits are divided by it.
        top_p: keep the smallest set of likeliest tokens whose probability reaches this share.
        top_k: keep this many likeliest tokens; 0 keeps all.
        seed: makes sampling repeatable on one machine; None draws a fresh one.
        stop: strings that end the answer; they are not part of it.
        logprobs: None, or how many alternatives to report beside each token.
        echo: first yield the prompt itself, with its log-probabilities where they are asked.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    echo: bool = False


@dataclasses.dataclass(frozen=True)
class Alternative:
    """A token that could stand at a place, with its natural log-probability (before temperature)."""

    data: bytes
    logprob: float

    @property
    def text(self) -> str:
        """The token for people and as a key; bytes that are no text on their own are spelled out."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in self.data)


@dataclasses.dataclass(frozen=True)
class Scored:
    """A token as it stands in the text.

    Attributes:
        token: its bytes and log-probability; NaN for the first token of a text, which nothing precedes.
        offset: characters before it since the beginning of what was yielded.
        top: the likeliest tokens at this place, best first.
    """

    token: Alternative
    offset: int
    top: tuple[Alternative, ...] = ()


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A piece of an answer. An empty one is a sign of life: the reader may use it to cancel.

    Attributes:
        text: whole characters only, never a part of one.
        generated: tokens computed since the chunk before.
        scores: tokens whose text begins in this chunk, where log-probabilities were asked.
        finish: set on the last chunk: `stop` (end of text or a stop string) or `length`.
    """

    text: str = ""
    generated: int = 0
    scores: tuple[Scored, ...] = ()
    finish: Finish | None = None


class Engine(Protocol):
    """A model that can be talked to. Methods are called from threads; `generate` from one at a time."""

    @property
    def name(self) -> str:
        """The id under which it is offered."""

    @property
    def context(self) -> int:
        """Tokens that prompt and answer may have together."""

    @property
    def chat(self) -> bool:
        """Whether the model has a template for conversations."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a plain prompt; never empty."""

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation that the model is to continue.

        Without a template, the contents are joined by an empty line and the model writes on where the last
        one stops. Raises DeclarationError where the template refuses the conversation.
        """

    def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
        """Continue the prompt. Raises DeclarationError where it does not fit into the context."""


def load_engine(folder: Path, *, name: str | None = None) -> Engine:
    """The embedded engine over a `transformers` folder; needs the extra `[serve]`.

    Args:
        folder: holds `config.json`, `model.safetensors` and `tokenizer.json`. Nothing is ever downloaded
            and no code of the folder is run.
        name: the id to offer it under; the folder's name by default.

    Raises:
        InputError: the folder is not such a model.
    """
    from hemicycle.serve.embedded import EmbeddedEngine

    return EmbeddedEngine(folder, name or folder.resolve().name)
