"""Engines that write what the test says, at the pace that it says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from hemicycle.serve import Chunk, Params
from hemicycle.serve.engine import Message


class Scripted:
    """Writes the given text word by word, whatever it is asked."""

    def __init__(self, text: str, *, seconds: float = 0.0, chat: bool = True) -> None:
        self.text, self.seconds, self.chat = text, seconds, chat
        self.name, self.context = "scripted", 512
        self.asked: list[list[Message]] = []

    def encode(self, text: str) -> list[int]:
        return [1] * (len(text) % 100 + 1)

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        self.asked.append(list(messages))
        return self.encode(messages[-1].content)

    def generate(self, prompt: str | Sequence[int], params: Params) -> Iterator[Chunk]:
        for word in self.text.split(" "):
            time.sleep(self.seconds)
            yield Chunk(f"{word} ", 1)
        yield Chunk(finish="stop")
