"""What this machine does: how fast it is, and that memory a training frees is kept while it lasts."""

import ctypes
import json
import subprocess
import sys
import time

import pytest

from hemicycle.train.machine import measured_matmul_rate

COUNTED = """
import json, resource
import torch
from hemicycle.train.machine import freed_memory_kept

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

found = [faults()]
with freed_memory_kept():
    faults()
    found.append(faults())
    kept = resident()
given_back = kept - resident()
print(json.dumps([*found, given_back, faults()]))
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"),
    reason="the allocator is not glibc's",
)
def test_the_same_memory_is_used_again_while_it_lasts_and_given_back_afterwards():
    said = subprocess.run([sys.executable, "-c", COUNTED], capture_output=True, text=True, check=True).stdout
    before, during, given_back, after = json.loads(said)
    assert before > 1_000, "64 MB four times are cleared page by page"
    assert during < 100
    assert after > 1_000
    assert given_back > 50_000_000


def test_the_measured_rate_is_that_of_products():
    torch = pytest.importorskip("torch")
    cpu = torch.device("cpu")
    rate = measured_matmul_rate(cpu, torch.float32, seconds=0.3)
    side = 512
    a = torch.randn(side, side)
    began = time.perf_counter()
    for _ in range(20):
        a @ a
    plain = 20 * 2 * side**3 / (time.perf_counter() - began)
    assert 0.5 * plain < rate < 1e15
