"""`GET /v1/models`: the one model that is served."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from hemicycle.serve.answers import Service
from hemicycle.serve.protocol import ApiError


def router(service: Service, *, started: int) -> APIRouter:
    """Args: started: seconds since 1970, shown as `created`."""
    routes = APIRouter()

    def card() -> dict[str, Any]:
        return {
            "id": service.engine.name,
            "object": "model",
            "created": started,
            "owned_by": str(service.about.get("title", "hemicycle")),
            "max_model_len": service.engine.context,
        }

    @routes.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [card()]}

    @routes.get("/v1/models/{name:path}")
    async def show_model(name: str) -> dict[str, Any]:
        if name != service.engine.name:
            raise ApiError(404, f"there is no model “{name}” here", code="model_not_found", param="model")
        return card()

    return routes
