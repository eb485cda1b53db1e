"""Files of a site as they might have been fetched, and how much fuzzing is asked for."""

from __future__ import annotations

import os

from hypothesis import settings

from hemicycle.rights.optout import Fetched

#: More examples on demand; the default keeps the tests within seconds.
FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)


def robots_txt(text: str | bytes, status: int | None = 200, *, truncated: bool = False) -> Fetched:
    body = text.encode() if isinstance(text, str) else text
    return Fetched("https://site.example/robots.txt", status, body, (), "2026-11-26T00:00:00Z", truncated)
