"""`POST /v1/chat/completions`: continue a conversation.

A model with a chat template gets the conversation in it. A model without one was never taught to answer:
the messages are joined by an empty line and it writes on where the last one stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from hemicycle.serve.answers import EventStream, Generation, Service, prepared, sampling
from hemicycle.serve.engine import Alternative, Message, Scored
from hemicycle.serve.protocol import ApiError, ChatRequest


def router(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.post("/v1/chat/completions")
    async def converse(body: ChatRequest, request: Request) -> Response:
        asked = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
        if asked == 0:
            raise ApiError(400, "max_tokens is 0", code="invalid_value", param="max_tokens")
        if body.top_logprobs is not None and not body.logprobs:
            raise ApiError(400, "top_logprobs needs logprobs", code="invalid_value", param="top_logprobs")
        messages = [Message("system" if m.role == "developer" else m.role, m.text) for m in body.messages]

        def encode() -> list[list[int]]:
            return [service.engine.encode_chat(messages)]

        prompts, max_tokens = await prepared(service, body, encode, asked)
        params = sampling(body, max_tokens, (body.top_logprobs or 0) if body.logprobs else None)
        generation = Generation(service, body, prompts, params)
        if body.stream:
            return EventStream(_events(generation, body), generation.job)
        answers = await generation.finished(request)
        choices = [
            {
                "index": number,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": _logprobs(answer.scores) if body.logprobs else None,
                "finish_reason": answer.finish,
            }
            for number, answer in enumerate(answers)
        ]
        head = generation.head("chatcmpl", "chat.completion")
        return JSONResponse({**head, "choices": choices, "usage": generation.usage()})

    return routes


async def _events(generation: Generation, body: ChatRequest) -> AsyncIterator[dict[str, Any]]:
    """First the role of every answer, then its text, then, where asked, the usage."""
    head = generation.head("chatcmpl", "chat.completion.chunk")
    told = bool(body.stream_options and body.stream_options.include_usage)
    head = {**head, "usage": None} if told else head

    def event(
        number: int, delta: dict[str, str], logprobs: dict[str, Any] | None, finish: str | None
    ) -> dict[str, Any]:
        choice = {"index": number, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**head, "choices": [choice]}

    for number in range(generation.choices):
        yield event(number, {"role": "assistant", "content": ""}, None, None)
    async for number, chunk in generation:
        delta = {"content": chunk.text} if chunk.text else {}
        yield event(number, delta, _logprobs(chunk.scores) if body.logprobs else None, chunk.finish)
    if told:
        yield {**head, "choices": [], "usage": generation.usage()}


def _logprobs(scores: Sequence[Scored]) -> dict[str, Any]:
    return {
        "content": [
            {**_entry(score.token), "top_logprobs": [_entry(other) for other in score.top]}
            for score in scores
        ],
        "refusal": None,
    }


def _entry(token: Alternative) -> dict[str, Any]:
    return {"token": token.text, "logprob": token.logprob, "bytes": list(token.data)}
