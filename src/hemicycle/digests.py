"""Digests: the one place where bytes become a name.

All digests are SHA-256 in lower-case hexadecimal. JSON is hashed in one canonical form (sorted keys,
no spaces, UTF-8), so that equal values have equal digests on every machine.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(value: Any) -> bool:
    """Whether a value that somebody else wrote has the form of a digest."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def sha256_bytes(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_text(text: str) -> str:
    """Digest of the UTF-8 form of `text`; a lone surrogate cannot be encoded and raises."""
    return sha256_bytes(text.encode("utf-8"))


def sha256_file(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """The canonical bytes of a JSON value. NaN and infinities are refused: they are not JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sha256_json(value: Any) -> str:
    return sha256_bytes(canonical_json(value))
