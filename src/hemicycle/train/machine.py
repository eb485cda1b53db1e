"""What this machine can do: its threads, whether it compiles, multiplies bfloat16, has an accelerator."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

#: Rows beyond this have no table of scores kept on a processor, as it grows with the square (`attention`).
LONGEST_TABLE = 2_048
#: Sides of the square products that are timed, and for how long.
CPU_SIDE, GPU_SIDE, MEASURED_SECONDS = 1_024, 8_192, 1.0
#: Parameters of glibc's mallopt (malloc.h): how many blocks may be mapped, and when memory goes back.
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1
_MMAP_MAX_AT_FIRST, _TRIM_THRESHOLD_AT_FIRST = 65_536, 128 * 1024


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def has_compiler() -> bool:
    """Whether torch can compile for the processor here: it calls $CXX, or g++, and nothing else."""
    return shutil.which(os.environ.get("CXX") or "g++") is not None


@contextlib.contextmanager
def freed_memory_kept() -> Iterator[None]:
    """While it lasts, this process keeps what it frees: each step asks for the same memory again.

    Else glibc hands every large block back to the system, which clears it page by page for the next step:
    one step in twenty of a training on a processor. Where the allocator is another one, nothing changes.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _MMAP_MAX_AT_FIRST)
        libc.mallopt(_TRIM_THRESHOLD, _TRIM_THRESHOLD_AT_FIRST)
        libc.malloc_trim(0)


def accelerators() -> int:
    """CUDA devices that this process sees."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def measured_matmul_rate(
    device: torch.device, dtype: torch.dtype, seconds: float = MEASURED_SECONDS
) -> float:
    """FLOP a second of the fastest of many products of square matrices, with the threads torch has now."""
    import torch

    side = GPU_SIDE if device.type == "cuda" else CPU_SIDE
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)

    def product() -> float:
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    product()
    end = time.perf_counter() + seconds
    fastest = product()
    while time.perf_counter() < end:
        fastest = min(fastest, product())
    return float(2 * side**3 / fastest)


def precision_here(declared: Literal["bf16", "fp32"] | None) -> Literal["bf16", "fp32"]:
    """The precision that is declared, or the quicker one of this machine."""
    return declared or ("bf16" if has_fast_bf16() else "fp32")


def has_fast_bf16() -> bool:
    """Whether bfloat16 is multiplied in hardware; elsewhere it is slower than fp32."""
    if accelerators():
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        words = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
