"""Compile an inner loop with numba.

Two traps. numba looks only at a kernel's own file to tell whether its kept machine code is old: a kernel
must not call one of another file, nor use a constant of another file without writing it again in its own and
a test that they are equal (numba writes its value into the code), or a change there would go unnoticed. And
where one kernel hands arrays to another, numba counts references to them and passes seven numbers for each;
in a loop over bytes or words that may cost more than the work. Hence `scan`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def _uncounted() -> dict[str, bool]:
    """What numba itself uses to count no references; a version that had it no longer would only be slower."""
    try:
        from numba.core.options import DefaultOptions
    except ImportError:
        return {}
    return {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}


_UNCOUNTED = _uncounted()


def kernel(function: Callable[..., Any], **options: bool) -> Callable[..., Any]:
    """Compile with numba and keep the machine code, where the installation lets it be kept."""
    njit: Any = numba.njit
    try:
        compiled: Callable[..., Any] = njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # no folder that numba may write to
        compiled = njit(nogil=True, **options)(function)
    return compiled


def scan(function: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that makes no array (numba refuses one that would) and is put in place of every call to it."""
    return kernel(function, forceinline=True, **_UNCOUNTED)
