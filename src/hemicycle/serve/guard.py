"""The door: which requests come in, and what every answer carries.

A server on loopback is reachable from every page the user has open: a hostile page can point its own name
at 127.0.0.1 (DNS rebinding) and then read what it likes. So the Host header must be one of the names that
the operator knows; there is no CORS; bodies are read whole, bounded in size and time, before anything looks
at them. It is plain ASGI, since a wrapper that buffers would break streaming and hide that a client left.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import traceback
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hemicycle.serve.metrics import Metrics
from hemicycle.serve.protocol import ApiError

LOGGER = logging.getLogger("hemicycle.serve")

#: Names by which a browser on this machine reaches it; always allowed.
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")

#: Seconds a client has to send its request.
BODY_SECONDS = 30.0

#: What the page may load: its own files. No inline script or style, no frame around it, no form target.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """ASGI middleware; must be the outermost one.

    Args:
        token: bearer token that every route needs but the page's own files and `/health`; None for none.
        allowed_hosts: names beside those of this machine; `*` for any, behind a proxy that checks.
        max_body: bytes.
        routes: paths that are counted by name.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        allowed_hosts: Iterable[str],
        max_body: int,
        metrics: Metrics,
        routes: Iterable[str],
    ) -> None:
        self._app = app
        self._token = token.encode("ascii") if token else None
        self._hosts = {host.lower() for host in (*LOCAL_HOSTS, *allowed_hosts)}
        self._max_body = max_body
        self._metrics = metrics
        self._routes = frozenset(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                present = {name.lower() for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            self._check(scope)
            body = await self._body(scope, receive)
            await self._app(scope, _replay(body, receive), answer)
        except ApiError as error:
            await _refuse(error, answer)
        except ConnectionResetError:
            status = status or 499
        except Exception as error:
            # Neither the message nor the values of an error: they may hold what somebody wrote.
            frames = "".join(traceback.format_tb(error.__traceback__))
            LOGGER.error("%s in %s\n%s", type(error).__name__, scope["path"], frames)
            if not status:
                await _refuse(
                    ApiError(500, "the server failed", code="internal", kind="server_error"), answer
                )
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.add("hemicycle_requests_total", route=route, status=str(status))

    def _check(self, scope: Scope) -> None:
        headers = [(name.lower(), value) for name, value in scope["headers"]]
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        if "*" not in self._hosts and (len(hosts) != 1 or _name(hosts[0]) not in self._hosts):
            raise ApiError(421, "this server does not go by that name", code="unknown_host")
        path = scope["path"]
        if self._token is None or not (path.startswith("/v1/") or path == "/metrics"):
            return
        given = next((value for name, value in headers if name == b"authorization"), b"")
        scheme, _, secret = given.partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(secret.strip(), self._token):
            raise ApiError(
                401,
                "the bearer token is missing or wrong",
                code="invalid_api_key",
                kind="authentication_error",
                headers={"www-authenticate": "Bearer"},
            )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. ApiError 413 as soon as it is known to be too large, 408 where it lingers."""
        too_large = ApiError(413, f"the body is larger than {self._max_body} bytes", code="body_too_large")
        for name, value in scope["headers"]:
            if name.lower() == b"content-length" and value.isdigit() and int(value) > self._max_body:
                raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ConnectionResetError
                    body += message.get("body", b"")
                    if len(body) > self._max_body:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise ApiError(408, "the body did not arrive in time", code="timeout") from None


def _name(host: str) -> str:
    """A Host header without its port; an address of IPv6 stays in its brackets."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdigit():
        name = host.strip().lower()
    return name.removesuffix(".")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then whatever the connection says (that the client left)."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(error: ApiError, send: Send) -> None:
    body = json.dumps(error.body(), ensure_ascii=False).encode("utf-8")
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [(k.encode(), v.encode()) for k, v in {**headers, **error.headers}.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})
