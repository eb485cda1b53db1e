"""Families of models: what their classes in `transformers` have besides their sizes (`families.toml`)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hemicycle.errors import DeclarationError, did_you_mean


@dataclass(frozen=True)
class Family:
    """What is the same for every model of a family; the head of `families.toml` says it of each attribute."""

    norms: int
    norm_biases: bool = False
    head_norms: Literal["one", "each"] | None = None
    gated: bool = False
    query_bias: bool | str = False
    output_bias: bool | str = False
    feed_forward_bias: bool | str = False
    rotary: bool = False
    positions: bool = False
    embedding_norm: bool = False
    activation_weights: int = 0
    windows: Literal["all", "every", "last", "unturned"] | None = None
    window_every: int | str = 0
    window_key: str | None = None
    experts: Literal["mixtral", "qwen3_moe", "deepseek_v3"] | None = None
    norms_after: bool = False
    fused_query: bool = False
    wide_head_norms: bool = False
    inner_kept: int | None = None
    keys: Mapping[str, list[str]] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


def family_named(name: str) -> Family:
    """The family of a `model_type`. Raises DeclarationError, with those there are, where it is not known."""
    known = families()
    if name not in known:
        listed = ", ".join(sorted(known))
        raise DeclarationError(
            f"nothing is known of what a model of the family “{name}” costs",
            remedy=" ".join(filter(None, (did_you_mean(name, known), f"Known: {listed}."))),
        )
    return known[name]


@functools.cache
def families() -> Mapping[str, Family]:
    """Every known family by its name, which is its `model_type` without “_text”."""
    import tomllib

    table = tomllib.loads(Path(__file__).with_name("families.toml").read_text("utf-8"))
    return {name: Family(**entry) for name, entry in table.items() if isinstance(entry, dict)}
