"""`POST /v1/trace`: any text to the documents it matches, with their rights.

The index is another room's; here it is anything with a `trace` method. A trace is quick but reads files, so
it runs in a thread, a few at a time, and the others wait: of a thousand at once, all are answered in turn.
What waiting costs is the memory of what was sent, so that is what has a bound; past it, one is told to come
back. For whoever left meanwhile nothing is computed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hemicycle.serve.answers import RETRY_AFTER
from hemicycle.serve.protocol import ApiError, TraceRequest

#: Traces that may run at once.
AT_ONCE = 4
#: Characters of text and prompt that all traces may hold that run or wait.
MAX_HELD = 100_000_000


class TraceResult(Protocol):
    """What a trace gives."""

    def to_json(self) -> Mapping[str, Any]:
        """Spans, their documents, coverage. Offsets are characters (code points) of the text."""


class Tracer(Protocol):
    """The index, joined to rights, clearance and what the model read."""

    def trace(self, text: str, *, prompt: str, min_words: int) -> TraceResult: ...


def router(tracer: Tracer | None) -> APIRouter:
    routes = APIRouter()
    turns = asyncio.Semaphore(AT_ONCE)
    held = 0

    @routes.post("/v1/trace")
    async def trace(body: TraceRequest, request: Request) -> JSONResponse:
        nonlocal held
        if tracer is None:
            raise ApiError(501, "this server has no index of the training text", code="no_index")
        size = len(body.text) + len(body.prompt)
        if held + size > MAX_HELD:
            raise ApiError(
                503,
                "too many traces are waiting",
                code="busy",
                kind="server_error",
                headers={"retry-after": str(RETRY_AFTER)},
            )
        held += size
        try:
            async with turns:
                if await request.is_disconnected():
                    raise ConnectionResetError
                result = await run_in_threadpool(
                    tracer.trace, body.text, prompt=body.prompt, min_words=body.min_words
                )
        finally:
            held -= size
        return JSONResponse(result.to_json())

    return routes
