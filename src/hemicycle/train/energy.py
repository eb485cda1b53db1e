"""Energy measured while training: the counters of processors (RAPL) and of NVIDIA GPUs (NVML), in joules.

Nothing is estimated from a data sheet. What has no counter is not in the sum, and `Meter.covers` says so;
where nothing has one, the energy is unknown, not zero. RAPL counts a whole processor whoever uses it, so on a
shared machine the sum is more than the training's own. A meter sees one machine: each needs its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

POWERCAP = Path("/sys/class/powercap")

#: Never in the sum, as no counter of the machine has it.
OUTSIDE = "power supplies, fans, network and cooling"


class _Source(Protocol):
    def joules(self) -> float:
        """Since it was made; raises what its counter raises."""


class Meter:
    """Joules since it was made.

    Ask at least every ten minutes: a processor's counter begins again at zero after about 260 kJ, and where a
    GPU has no counter, its power is integrated between two calls.

    Args:
        gpus: UUIDs of the GPUs in use, as `visible_gpus` gives them.
        powercap: where Linux shows RAPL.
        nvml: the module `pynvml`; by default it is imported where there are GPUs.

    Attributes:
        covers: one sentence part: what is measured, and what is not.
    """

    def __init__(
        self,
        gpus: Sequence[str] = (),
        *,
        powercap: Path = POWERCAP,
        nvml: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        processors, memories, why_not = _processors(powercap)
        counted, integrated, missing = _gpus(gpus, nvml, clock)
        self._sources: list[_Source] = [*processors, *memories, *counted, *integrated]
        measured = [
            (len(processors), "processor package", "(RAPL, whoever uses it)"),
            (len(memories), "memory controller", "(RAPL)"),
            (len(counted), "GPU", "(NVML's counter)"),
            (len(integrated), "GPU", "(NVML's power, integrated)"),
        ]
        parts = [f"{n} {what}{'s' if n > 1 else ''} {how}" for n, what, how in measured if n]
        unmeasured = [*([why_not] if why_not else []), *([missing] if missing else []), OUTSIDE]
        self.covers = f"{', '.join(parts) or 'nothing'}; not: {'; '.join(unmeasured)}"

    def joules(self) -> float | None:
        """Energy so far; None where nothing is measured, or no longer."""
        try:
            return sum(source.joules() for source in self._sources) if self._sources else None
        except Exception as error:
            # NVML raises errors of its own. A sum with a hole is no measure; the training goes on.
            self._sources = []
            self.covers = f"nothing: a counter failed ({error})"
            return None


def visible_gpus() -> list[str]:
    """UUIDs of the GPUs that this process may use; none without CUDA."""
    import torch

    if not torch.cuda.is_available() or torch.version.cuda is None:
        return []
    return [f"GPU-{torch.cuda.get_device_properties(i).uuid}" for i in range(torch.cuda.device_count())]


class _Rapl:
    """One zone of RAPL, whose counter of microjoules begins again after `max_energy_range_uj`."""

    def __init__(self, zone: Path) -> None:
        self._counter = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text("ascii"))
        self._last = self._read()
        self._total = 0

    def _read(self) -> int:
        return int(self._counter.read_text("ascii"))

    def joules(self) -> float:
        now = self._read()
        self._total += now - self._last + (self._range if now < self._last else 0)
        self._last = now
        return self._total / 1e6


class _Counter:
    """NVML's counter of a GPU, millijoules since its driver was loaded (from Volta on)."""

    def __init__(self, nvml: Any, device: Any) -> None:
        self._read: Callable[[], int] = lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(device)
        self._first: int = self._read()

    def joules(self) -> float:
        return (self._read() - self._first) / 1e3


class _Power:
    """NVML's power of a GPU in milliwatts, integrated by trapezes between the times it is asked."""

    def __init__(self, nvml: Any, device: Any, clock: Callable[[], float]) -> None:
        self._read: Callable[[], int] = lambda: nvml.nvmlDeviceGetPowerUsage(device)
        self._clock = clock
        self._at, self._power = clock(), self._read()
        self._total: float = 0

    def joules(self) -> float:
        at, power = self._clock(), self._read()
        self._total += (at - self._at) * (power + self._power) / 2
        self._at, self._power = at, power
        return self._total / 1e3


def _processors(powercap: Path) -> tuple[list[_Rapl], list[_Rapl], str]:
    """Zones of packages, zones of memory, and why there is none.

    Other zones are parts of these (core, uncore), count them again (psys, intel-rapl-mmio), or both.
    """
    packages: list[_Rapl] = []
    memories: list[_Rapl] = []
    try:
        for zone in sorted(powercap.glob("intel-rapl:*")):
            name = (zone / "name").read_text("ascii").strip()
            if name.startswith("package-"):
                packages.append(_Rapl(zone))
            elif name == "dram":
                memories.append(_Rapl(zone))
    except PermissionError:
        return [], [], "processors, whose counters this user may not read"
    except (OSError, ValueError):
        return [], [], "processors, whose counters cannot be read"
    return packages, memories, "" if packages else "processors, which show no counters here"


def _gpus(
    uuids: Sequence[str], nvml: Any, clock: Callable[[], float]
) -> tuple[list[_Counter], list[_Power], str]:
    """Sources for GPUs, and which are without."""
    counted: list[_Counter] = []
    integrated: list[_Power] = []
    if not uuids:
        return counted, integrated, ""
    try:
        if nvml is None:
            import pynvml

            nvml = pynvml
        nvml.nvmlInit()
    except ImportError:
        return counted, integrated, "GPUs (pip install nvidia-ml-py)"
    except Exception as error:
        return counted, integrated, f"GPUs ({error})"
    for uuid in uuids:
        try:
            device = nvml.nvmlDeviceGetHandleByUUID(uuid)
            try:
                counted.append(_Counter(nvml, device))
            except nvml.NVMLError:
                integrated.append(_Power(nvml, device, clock))
        except nvml.NVMLError:
            continue
    missing = len(uuids) - len(counted) - len(integrated)
    return counted, integrated, f"{missing} of {len(uuids)} GPUs" if missing else ""
