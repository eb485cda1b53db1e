"""`POST /v1/completions`: continue a text.

With `echo` and `logprobs` it also scores a given text, which is how evaluation suites measure a model over
HTTP; `max_tokens` 0 then only scores.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hemicycle.serve.answers import EventStream, Generation, Service, prepared, sampling
from hemicycle.serve.engine import Scored
from hemicycle.serve.protocol import ApiError, CompletionRequest

#: What the dialect takes where nothing is said.
DEFAULT_MAX_TOKENS = 16


def router(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.post("/v1/completions")
    async def complete(body: CompletionRequest, request: Request) -> Response:
        default = min(DEFAULT_MAX_TOKENS, service.engine.context)
        asked = default if body.max_tokens is None else body.max_tokens
        if asked == 0 and not body.echo:
            raise ApiError(400, "max_tokens 0 needs echo", code="invalid_value", param="max_tokens")

        def encode() -> list[list[int]]:
            return [p if isinstance(p, list) else service.engine.encode(p) for p in body.prompts]

        prompts, max_tokens = await prepared(service, body, encode, asked)
        params = sampling(body, max_tokens, body.logprobs, echo=bool(body.echo))
        generation = Generation(service, body, prompts, params)
        if body.stream:
            return EventStream(_events(generation, body), generation.job)
        answers = await generation.finished(request)
        choices = [
            _choice(number, answer.text, answer.scores, answer.finish, body)
            for number, answer in enumerate(answers)
        ]
        head = generation.head("cmpl", "text_completion")
        return JSONResponse({**head, "choices": choices, "usage": generation.usage()})

    return routes


async def _events(generation: Generation, body: CompletionRequest) -> AsyncIterator[dict[str, Any]]:
    head = generation.head("cmpl", "text_completion")
    told = bool(body.stream_options and body.stream_options.include_usage)
    async for number, chunk in generation:
        choice = _choice(number, chunk.text, chunk.scores, chunk.finish, body)
        yield {**head, "choices": [choice], **({"usage": None} if told else {})}
    if told:
        yield {**head, "choices": [], "usage": generation.usage()}


def _choice(
    number: int,
    text: str,
    scores: list[Scored] | tuple[Scored, ...],
    finish: str | None,
    body: CompletionRequest,
) -> dict[str, Any]:
    logprobs = _logprobs(scores) if body.logprobs is not None else None
    return {"index": number, "text": text, "logprobs": logprobs, "finish_reason": finish}


def _logprobs(scores: list[Scored] | tuple[Scored, ...]) -> dict[str, Any]:
    """Four lists of one length. Nothing precedes the first token of a text: its entries are null.

    The token itself is always among `top_logprobs`, as clients that compare it with the best expect.
    """
    columns: dict[str, list[Any]] = {
        "tokens": [],
        "token_logprobs": [],
        "top_logprobs": [],
        "text_offset": [],
    }
    for score in scores:
        known = not math.isnan(score.token.logprob)
        columns["tokens"].append(score.token.text)
        columns["token_logprobs"].append(score.token.logprob if known else None)
        top = {other.text: other.logprob for other in (score.token, *reversed(score.top))}
        columns["top_logprobs"].append(top if known else None)
        columns["text_offset"].append(score.offset)
    return columns
