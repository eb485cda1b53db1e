"""From a checked request to what the engine writes for it: limits, queue, stream, sum.

Completions and conversations differ in dialect only. Both come here with prompts and sampling, and leave
with either a stream of events or the finished answers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.serve.engine import Chunk, Engine, Finish, Params, Scored
from hemicycle.serve.metrics import Metrics
from hemicycle.serve.protocol import MAX_CHOICES, ApiError, Sampling, error_body
from hemicycle.serve.worker import Busy, Job, Worker

#: Seconds after which a client may come back to a full queue.
RETRY_AFTER = 5


@dataclasses.dataclass(frozen=True)
class Service:
    """What every route needs. `about` is what the operator says of the project."""

    engine: Engine
    worker: Worker[Chunk]
    metrics: Metrics
    about: Mapping[str, Any]


@dataclasses.dataclass
class Answer:
    """One answer, as it grows."""

    text: str = ""
    scores: list[Scored] = dataclasses.field(default_factory=list)
    finish: Finish | None = None

    def add(self, chunk: Chunk) -> None:
        self.text += chunk.text
        self.scores += chunk.scores
        self.finish = chunk.finish or self.finish


class Generation:
    """The answers to one request: `choices` of them, `per_prompt` to each prompt, and what they cost."""

    def __init__(
        self, service: Service, request: Sampling, prompts: Sequence[Sequence[int]], params: Params
    ) -> None:
        per_prompt = request.n or 1
        self.choices = len(prompts) * per_prompt
        if self.choices > MAX_CHOICES:
            raise ApiError(
                400,
                f"{self.choices} answers asked; at most {MAX_CHOICES}",
                code="too_many",
                param="n",
            )
        self.created = int(time.time())
        self.id = secrets.token_hex(12)
        self._service = service
        self._prompt_tokens = sum(map(len, prompts))
        self._generated = 0
        works = [
            _work(service.engine, prompt, _seeded(params, number))
            for prompt in prompts
            for number in range(per_prompt)
        ]
        try:
            self.job: Job[Chunk] = service.worker.submit(works)
        except Busy:
            raise ApiError(
                503,
                "too many requests are waiting",
                code="busy",
                kind="server_error",
                headers={"retry-after": str(RETRY_AFTER)},
            ) from None
        service.metrics.add("hemicycle_tokens_total", self._prompt_tokens, kind="prompt")

    async def __aiter__(self) -> AsyncIterator[tuple[int, Chunk]]:
        """Pieces with something in them, by the number of their answer."""
        async for number, chunk in self.job:
            self._generated += chunk.generated
            self._service.metrics.add("hemicycle_tokens_total", chunk.generated, kind="generated")
            if chunk.finish:
                self._service.metrics.add("hemicycle_answers_total", finish=chunk.finish)
            if chunk.text or chunk.scores or chunk.finish:
                yield number, chunk

    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": self._generated,
            "total_tokens": self._prompt_tokens + self._generated,
        }

    def head(self, prefix: str, kind: str) -> dict[str, Any]:
        """The members that every answer and every event begin with."""
        head = {
            "id": f"{prefix}-{self.id}",
            "object": kind,
            "created": self.created,
            "model": self._service.engine.name,
        }
        digest = self._service.about.get("model_digest")
        return {**head, "system_fingerprint": str(digest)} if digest else head

    async def finished(self, request: Request) -> list[Answer]:
        """All answers, in order. Raises ConnectionResetError where the client left before."""
        answers = [Answer() for _ in range(self.choices)]
        watch = asyncio.create_task(_until_gone(request.receive, self.job))
        try:
            async for number, chunk in self:
                answers[number].add(chunk)
        finally:
            watch.cancel()
        if self.job.cancelled:
            raise ConnectionResetError
        return answers


class EventStream(StreamingResponse):
    """Server-sent events; the job is cancelled when the client leaves, even before the first one is sent."""

    def __init__(self, events: AsyncIterator[dict[str, Any]], job: Job[Chunk]) -> None:
        super().__init__(
            _lines(events),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.cancel()


async def prepared(
    service: Service, request: Sampling, encode: Callable[[], list[list[int]]], max_tokens: int | None
) -> tuple[list[list[int]], int]:
    """The prompts in tokens, cut where that was asked, and the bound of the answer.

    Raises:
        ApiError: 404 for another model, 400 for what does not fit into the context.
    """
    engine = service.engine
    if request.model != engine.name:
        raise ApiError(
            404,
            f"there is no model “{request.model}” here; there is “{engine.name}”",
            code="model_not_found",
            param="model",
        )
    if max_tokens is not None and max_tokens > engine.context:
        raise ApiError(
            400,
            f"max_tokens is above the context, {engine.context}",
            code="invalid_value",
            param="max_tokens",
        )
    try:
        prompts = await run_in_threadpool(encode)
    except DeclarationError as error:
        raise ApiError(400, error.what, code="invalid_prompt", param="prompt") from None
    cut = request.truncate_prompt_tokens
    if cut is not None:
        keep = engine.context - (max_tokens or 0) if cut == -1 else cut
        prompts = [prompt[-max(1, keep) :] for prompt in prompts]
    longest = max(map(len, prompts))
    # A full context leaves no room for an answer; echo with no answer is the exception.
    if longest > engine.context - (0 if max_tokens == 0 else 1):
        raise ApiError(
            400,
            f"the prompt has {longest} tokens, the context {engine.context}; "
            "shorten it, or set truncate_prompt_tokens to -1 to drop its beginning",
            code="context_length_exceeded",
            param="prompt",
        )
    return prompts, engine.context if max_tokens is None else max_tokens


def sampling(request: Sampling, max_tokens: int, logprobs: int | None, *, echo: bool = False) -> Params:
    """The engine's parameters; a member sent as null has its default."""
    return Params(
        max_tokens=max_tokens,
        temperature=1.0 if request.temperature is None else request.temperature,
        top_p=1.0 if request.top_p is None else request.top_p,
        top_k=max(0, request.top_k or 0),
        seed=request.seed,
        stop=request.stops,
        logprobs=logprobs,
        echo=echo,
    )


def _seeded(params: Params, number: int) -> Params:
    """The answers to one prompt differ, and each is repeatable."""
    if params.seed is None or number == 0:
        return params
    return dataclasses.replace(params, seed=(params.seed + number) % 2**63)


def _work(engine: Engine, prompt: Sequence[int], params: Params) -> Callable[[], Iterator[Chunk]]:
    return lambda: engine.generate(prompt, params)


async def _until_gone(receive: Receive, job: Job[Chunk]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    job.cancel()


async def _lines(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    """Events on the wire. What fails after the first byte can only be told as an event."""
    try:
        async for event in events:
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
    except Exception as error:
        what = error.what if isinstance(error, HemicycleError) else "the server failed"
        yield f"data: {json.dumps(error_body(what, kind='server_error', param=None, code='engine'))}\n\n"
        if not isinstance(error, HemicycleError):
            raise
    yield "data: [DONE]\n\n"
