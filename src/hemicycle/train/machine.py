"""What this machine can do: its threads, whether it compiles, multiplies bfloat16, has an accelerator."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

#: Parameters of glibc's mallopt (malloc.h): how many blocks may be mapped, and when memory goes back.
_MMAP_MAX, _TRIM_THRESHOLD = -4, -1


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def has_compiler() -> bool:
    """Whether torch can compile for the processor here: it calls $CXX, or g++, and nothing else."""
    return shutil.which(os.environ.get("CXX") or "g++") is not None


def keep_freed_memory() -> None:
    """Let this process keep what it frees: each step asks for the same memory again.

    Else glibc hands every large block back to the system, which clears it page by page for the next step:
    one step in twenty of a training on a processor. Where the allocator is another one, nothing changes.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)
        if set_option is not None:
            set_option(_MMAP_MAX, 0)
            set_option(_TRIM_THRESHOLD, 2**31 - 1)


def accelerators() -> int:
    """CUDA devices that this process sees."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


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
