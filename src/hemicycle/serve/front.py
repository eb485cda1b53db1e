"""The page: its files, its language, and the project it speaks of.

The page is static: HTML, one module, one style sheet, no build and no other host. Its words live in
`texts.json`; the HTML is filled with them once per language when the server starts, so that the page is
readable before, and without, its script.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hemicycle.digests import sha256_bytes
from hemicycle.serve.answers import Service

PAGE = Path(__file__).parent / "page"

LANGUAGES = ("fr", "en")

_FILES = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def router(service: Service, *, traces: bool) -> APIRouter:
    """Args: traces: whether the server has an index."""
    routes = APIRouter()
    texts = load_texts()
    pages = {language: _filled(language, texts[language]) for language in LANGUAGES}
    files = {name: (PAGE / name).read_bytes() for name in _FILES}
    words = json.dumps(texts, ensure_ascii=False).encode("utf-8")

    @routes.get("/")
    async def page(request: Request) -> Response:
        asked = request.query_params.get("lang")
        language = asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        response = _cached(request, pages[language], "text/html; charset=utf-8")
        response.headers["content-language"] = language
        response.headers["vary"] = "Accept-Language"
        return response

    @routes.get("/page/{name}")
    async def file(name: str, request: Request) -> Response:
        if name == "texts.json":
            return _cached(request, words, "application/json")
        if name not in files:
            return Response(status_code=404)
        return _cached(request, files[name], _FILES[name])

    @routes.get("/v1/project")
    async def project() -> dict[str, Any]:
        engine = service.engine
        return {
            **service.about,
            "model": {"id": engine.name, "context": engine.context, "chat": engine.chat},
            "traces": traces,
        }

    return routes


def load_texts() -> dict[str, dict[str, str]]:
    """The words of the page by language and key."""
    texts: dict[str, dict[str, str]] = json.loads((PAGE / "texts.json").read_text("utf-8"))
    return texts


def preferred(accept_language: str) -> str:
    """French, unless the header asks for English before French (RFC 9110, section 12.5.4)."""
    weights = dict.fromkeys(LANGUAGES, 0.0)
    for item in accept_language.split(","):
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameter)
        weight = float(match[1]) if match else 0.0 if parameter else 1.0
        if language in weights:
            weights[language] = max(weights[language], weight)
    return "en" if weights["en"] > weights["fr"] else "fr"


def _filled(language: str, words: Mapping[str, str]) -> bytes:
    """The HTML with `{{key}}` replaced by the language's words, escaped. A word it lacks is a KeyError."""
    source = (PAGE / "index.html").read_text("utf-8")
    known = {**words, "lang": language}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: html.escape(known[match[1]]), source).encode("utf-8")


def _cached(request: Request, content: bytes, kind: str) -> Response:
    """A file with its digest as ETag: always asked for, seldom sent."""
    tag = f'"{sha256_bytes(content)[:32]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
