"""What every declared table has in common: strict types, and names that can be folders and words."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
COUNTRY = r"^[A-Z]{2}(-[A-Z]{2,3})?$"
PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
#: An organisation and a model of the hub, at a commit.
HUB = r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$"
PATH = r"^[^\x00]*$"

#: Names become folder names and command-line words.
Name = Annotated[str, StringConstraints(pattern=NAME)]

#: Where something lies on this machine, or a pattern of such places.
PathText = Annotated[str, StringConstraints(pattern=PATH)]

#: Countries a project may be released in, ISO 3166. Each needs rules of its own in `rights/`.
Jurisdiction = Annotated[str, StringConstraints(pattern=COUNTRY)]


class Declared(BaseModel):
    # Strict: pydantic would else read `true` as one layer and "8" as eight. And no share is infinite.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def count(value: object) -> object:
    """Read “200k”, “3M”, “1.5B”, “2T” as a whole number."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?)\s*([kKMBT]?)\s*", value)
    if not match:
        raise ValueError("is not a number such as 500k, 200M or 3B")
    factor = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}[match[2]]
    return round(float(match[1]) * factor)
