"""Compile an inner loop with numba.

One trap: numba looks only at a kernel's own file to tell whether its kept machine code is old. A kernel
must not call one of another file, or a change there would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile with numba and keep the machine code, where the installation lets it be kept."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # no folder that numba may write to
        return numba.njit(nogil=True)(function)
