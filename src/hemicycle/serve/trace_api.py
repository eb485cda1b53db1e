"""`POST /v1/trace`: any text to the documents it matches, with their rights.

The index is another room's; here it is anything with a `trace` method. A trace is quick but reads files, so
it runs in a thread, a few at a time, and the others wait: of a thousand at once, all are answered in turn.
What waiting costs is the memory of what was sent, so that is what has a bound; past it, one is told to come
back. For whoever left meanwhile nothing is computed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from hemicycle.errors import HemicycleError
from hemicycle.serve.answers import RETRY_AFTER
from hemicycle.serve.protocol import ApiError, TraceRequest

#: Traces that may run at once; how many of them may be long, and from how many characters on one is.
AT_ONCE = 4
LONG_AT_ONCE = 2
LONG = 20_000
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
    turns, long_turns = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(LONG_AT_ONCE)
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
            # Long ones leave turns to the others, which come and go quickly.
            async with long_turns if size > LONG else contextlib.nullcontext(), turns:
                if await request.is_disconnected():
                    raise ConnectionResetError
                return await run_in_threadpool(_answer, tracer, body)
        finally:
            held -= size

    return routes


def _answer(tracer: Tracer, asked: TraceRequest) -> JSONResponse:
    """The answer, written as JSON: in a thread too, since a large one takes a while."""
    try:
        result = tracer.trace(asked.text, prompt=asked.prompt, min_words=asked.min_words)
    except HemicycleError as error:
        # Nothing is wrong with what was asked: whoever runs the server has to mend something.
        told = ". ".join(filter(None, (error.what, error.remedy)))
        raise ApiError(503, told, code="index_unavailable", kind="server_error") from None
    return JSONResponse(result.to_json())
