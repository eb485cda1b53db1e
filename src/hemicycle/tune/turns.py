"""The turns of a conversation as its document holds them: what was said in its text, by whom in its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemicycle.documents import ROLES, answers_questions


@dataclass(frozen=True)
class Turn:
    """What one of `documents.ROLES` said."""

    role: str
    content: str


def turns_of(text: str, parts: Sequence[Mapping[str, Any]]) -> list[Turn] | None:
    """The turns of a conversation's text; None where curation took one away and they no longer answer."""
    said = [part for part in parts if part["kind"] == "turn" and part["role"] in ROLES]
    turns = [Turn(part["role"], text[part["start"] : part["end"]]) for part in said]
    return turns if answers_questions([turn.role for turn in turns]) else None
