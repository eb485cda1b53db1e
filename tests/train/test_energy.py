"""Energy: what the counters of a made-up machine say, wrapped around, forbidden or missing."""

import pytest

from hemicycle.train.energy import Meter, visible_gpus


class Machine:
    """Files as Linux shows RAPL, one folder a zone."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def zone(self, name, what, uj, most=262_143_328_850):
        (self.folder / name).mkdir(exist_ok=True)
        for file, text in [("name", what), ("energy_uj", uj), ("max_energy_range_uj", most)]:
            (self.folder / name / file).write_text(f"{text}\n")

    def meter(self, **given):
        return Meter(powercap=self.folder, **given)


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "powercap")


class NVMLError(Exception):
    pass


class Nvml:
    """A driver with GPUs: UUID → millijoules (None: no counter) and milliwatts (None: no power either)."""

    NVMLError = NVMLError

    def __init__(self, **gpus):
        self.gpus = {f"GPU-{name}": list(told) for name, told in gpus.items()}

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid):
        if uuid not in self.gpus:
            raise NVMLError("Not Found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, device):
        return self._told(device, 0)

    def nvmlDeviceGetPowerUsage(self, device):
        return self._told(device, 1)

    def _told(self, device, which):
        if self.gpus[device][which] is None:
            raise NVMLError("Not Supported")
        return self.gpus[device][which]


def test_packages_and_memory_are_summed_and_their_parts_are_not_counted_again(machine):
    zones = {
        "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram",
        "intel-rapl:1": "package-1", "intel-rapl:2": "psys", "intel-rapl-mmio:0": "package-0",
    }  # fmt: skip
    for zone, what in zones.items():
        machine.zone(zone, what, 1_000_000)
    meter = machine.meter()
    assert meter.joules() == 0
    for zone, what in zones.items():
        machine.zone(zone, what, 6_000_000)
    assert meter.joules() == 15
    assert meter.covers.startswith(
        "2 processor packages (RAPL, whoever uses it), 1 memory controller (RAPL); not:"
    )


def test_a_counter_that_begins_again_loses_nothing(machine):
    machine.zone("intel-rapl:0", "package-0", 90_000_000, most=100_000_000)
    meter = machine.meter()
    for counter, joules in [(95_000_000, 5), (3_000_000, 13), (99_000_000, 109), (1_000_000, 111)]:
        machine.zone("intel-rapl:0", "package-0", counter, most=100_000_000)
        assert meter.joules() == joules


def test_without_counters_the_energy_is_unknown_and_the_reason_said(machine, tmp_path):
    assert machine.meter().joules() is None
    assert "nothing; not: processors, which show no counters here" in machine.meter().covers
    assert Meter(powercap=tmp_path / "absent").joules() is None


def test_forbidden_counters_are_said(machine, monkeypatch):
    machine.zone("intel-rapl:0", "package-0", 5)
    read = type(machine.folder).read_text

    def forbidden(path, *args):
        # As root the mode of a file forbids nothing.
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *args)

    monkeypatch.setattr(type(machine.folder), "read_text", forbidden)
    meter = machine.meter()
    assert meter.joules() is None
    assert "processors, whose counters this user may not read" in meter.covers


def test_gpus_are_counted_or_integrated_or_named_as_missing(machine):
    machine.zone("intel-rapl:0", "package-0", 0)
    nvml = Nvml(a=[5_000, 300_000], b=[None, 100_000], c=[None, None])
    now = [0.0]
    uuids = ["GPU-a", "GPU-b", "GPU-c", "GPU-elsewhere"]
    meter = machine.meter(gpus=uuids, nvml=nvml, clock=lambda: now[0])
    assert meter.joules() == 0
    now[0] = 10.0
    nvml.gpus["GPU-a"][0], nvml.gpus["GPU-b"][1] = 7_500, 200_000
    machine.zone("intel-rapl:0", "package-0", 4_000_000)
    # 4 J of the package, 2.5 J by the counter, 10 s at 150 W on average.
    assert meter.joules() == pytest.approx(4 + 2.5 + 1500)
    assert "1 GPU (NVML's counter), 1 GPU (NVML's power, integrated)" in meter.covers
    assert "not: 2 of 4 GPUs" in meter.covers


def test_only_gpus_in_use_are_counted(machine):
    nvml = Nvml(a=[1_000, 0], b=[1_000, 0])
    meter = machine.meter(gpus=["GPU-b"], nvml=nvml)
    nvml.gpus["GPU-a"][0], nvml.gpus["GPU-b"][0] = 99_000, 3_000
    assert meter.joules() == 2


def test_a_counter_that_fails_ends_the_measure_and_not_the_training(machine):
    nvml = Nvml(a=[1_000, 0])
    meter = machine.meter(gpus=["GPU-a"], nvml=nvml)
    nvml.gpus["GPU-a"][0] = None
    assert meter.joules() is None
    assert meter.covers == "nothing: a counter failed (Not Supported)"


def test_a_driver_that_is_not_there_is_said(machine):
    class Absent(Nvml):
        def nvmlInit(self):
            raise NVMLError("Driver Not Loaded")

    meter = machine.meter(gpus=["GPU-a"], nvml=Absent())
    assert meter.joules() is None
    assert "GPUs (Driver Not Loaded)" in meter.covers


def test_the_real_library_answers_to_the_names_that_are_called():
    pynvml = pytest.importorskip("pynvml")
    for name in [n for n in vars(Nvml) if n.startswith(("nvml", "NVML"))]:
        assert hasattr(pynvml, name)


def test_this_machine_can_be_asked():
    pytest.importorskip("torch")
    meter = Meter(visible_gpus())
    joules = meter.joules()
    assert joules is None or joules >= 0
    assert "not:" in meter.covers
