"""The thresholds and duties of the AI Act that hang on operations, as dated in `ai_act.toml`."""

from __future__ import annotations

import functools
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from hemicycle.project import Declared, load_toml


class Article(Declared):
    """Where it is said, as each language cites."""

    en: str
    fr: str


class Threshold(Declared):
    flop: float = Field(gt=0)
    article: Article
    source: str


class Modifier(Declared):
    one_in: int = Field(ge=1)
    article: Article
    source: str


class Inherited(Declared):
    article: Article
    source: str


class Counting(Declared):
    margin: float = Field(gt=0, lt=1)
    article: Article
    source: str


class Duty(Declared):
    article: Article
    open: Literal["due", "exempt"]
    source: str


class Thresholds(Declared):
    general_purpose: Threshold
    systemic: Threshold


class Dates(Declared):
    applies: date
    fines: date
    older_models: date


class Rules(Declared):
    """The whole of `ai_act.toml`."""

    act: str
    guidelines: str
    checked_on: date
    dates: Dates
    thresholds: Thresholds
    modifier: Modifier
    inherited: Inherited
    counting: Counting
    duties: dict[str, Duty]


@functools.cache
def rules() -> Rules:
    return load_toml(Path(__file__).with_name("ai_act.toml"), Rules)
