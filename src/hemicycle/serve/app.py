"""The application: routes before one engine, behind one guard."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

import hemicycle
from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.serve import chat, completions, front, models, trace_api
from hemicycle.serve.answers import Service
from hemicycle.serve.engine import Engine
from hemicycle.serve.guard import LOCAL_HOSTS, Guard
from hemicycle.serve.metrics import Metrics
from hemicycle.serve.protocol import ApiError, error_body
from hemicycle.serve.trace_api import Tracer
from hemicycle.serve.worker import Worker

#: Paths that are counted by name; the others are counted together, so that nobody can make up new counters.
ROUTES = (
    "/",
    "/health",
    "/metrics",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/models",
    "/v1/project",
    "/v1/trace",
)


def create_app(
    engine: Engine,
    *,
    tracer: Tracer | None = None,
    about: Mapping[str, Any],
    token: str | None = None,
    allowed_hosts: Sequence[str] = LOCAL_HOSTS,
    max_body: int = 1_000_000,
    max_waiting: int = 16,
) -> FastAPI:
    """The ASGI application that serves one model.

    Args:
        engine: the model.
        tracer: the index of its training text; without one the page says that there is none.
        about: what `GET /v1/project` and the page say of the project: `title`, `model_digest`,
            `index_digest`, `licence`, `governance`, `upstream` (the base whose training text is not known),
            `sources` (a list of tables with `title`, and
            `publisher`, `licence`; its `name` is the one that traces give), `examples` (prompts to try).
            All are optional; a text may be a table `{fr, en}`.
        token: bearer token that clients must send; the page asks for it. Visible ASCII.
        allowed_hosts: names of this server beside those of loopback.
        max_body: bytes a request may have.
        max_waiting: requests that may wait for the engine; one more is told to come back.

    Raises:
        DeclarationError: the token has characters that a header cannot carry unchanged.
    """
    if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise DeclarationError(
            "the access token has characters other than visible ASCII",
            remedy="Use letters, digits and signs, without spaces or accents.",
        )
    metrics = Metrics()
    worker: Worker[Any] = Worker(max_waiting)
    service = Service(engine, worker, metrics, dict(about))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        worker.close()

    # The interactive documentation of FastAPI loads scripts from another host: it is off.
    app = FastAPI(
        title="Hemicycle", version=hemicycle.__version__, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.include_router(models.router(service, started=int(time.time())))
    app.include_router(completions.router(service))
    app.include_router(chat.router(service))
    app.include_router(trace_api.router(tracer))
    app.include_router(front.router(service, traces=tracer is not None))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def counters() -> PlainTextResponse:
        return PlainTextResponse(metrics.render(held=worker.held), media_type="text/plain; version=0.0.4")

    _tell_errors(app)
    app.add_middleware(
        Guard,
        token=token,
        allowed_hosts=allowed_hosts,
        max_body=max_body,
        metrics=metrics,
        routes=ROUTES,
    )
    return app


#: Without it a body is bytes, so that no form of another site can send one.
NO_JSON = "the body must be sent with the header content-type: application/json"


def _tell_errors(app: FastAPI) -> None:
    """Every refusal in the dialect's own form, without repeating what was sent."""

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body(), error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()[0]
        param = next((str(step) for step in found["loc"] if step != "body"), None)
        message = str(found["msg"]).removeprefix("Value error, ")
        if found["type"] == "json_invalid":
            param, message = None, "the body is not JSON"
        elif found["type"] == "model_attributes_type" and found["loc"] == ("body",):
            of_json = "json" in request.headers.get("content-type", "").partition(";")[0].lower()
            param, message = None, "the body is not a JSON object" if of_json else NO_JSON
        sentence = f"{param}: {message}" if param else message
        body = error_body(sentence, kind="invalid_request_error", param=param, code="invalid_value")
        return JSONResponse(body, 400)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_value")
        body = error_body(str(error.detail), kind="invalid_request_error", param=None, code=code)
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(HemicycleError)
    async def failed(_: Request, error: HemicycleError) -> JSONResponse:
        return JSONResponse(error_body(error.what, kind="server_error", param=None, code="engine"), 500)
