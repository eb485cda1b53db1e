"""What this machine can do: its threads, whether it compiles, multiplies bfloat16, has an accelerator."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def has_compiler() -> bool:
    """Whether torch can compile for the processor here: it calls $CXX, or g++, and nothing else."""
    return shutil.which(os.environ.get("CXX") or "g++") is not None


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
