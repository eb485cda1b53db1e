"""Pages that people open: templates of one environment, in which text is escaped unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2


def load_page(path: Path, filters: Mapping[str, Callable[..., Any]] = {}, **known: Any) -> jinja2.Template:
    """The template of a page, with what it knows. Whatever else it names must be given: a page with a gap
    would say less than it claims."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return environment.from_string(path.read_text("utf-8"), globals=known)
