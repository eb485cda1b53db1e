"""A training killed at random moments, with checkpoints written nearly all the time, ends in the same bits.

`bench/train_kills.py` does so thirty times, the tests three.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from hemicycle.store import digest_files

ROOT = Path(__file__).resolve().parents[2]

#: Trains a job; a checkpoint follows on the heels of the one before.
PROGRAM = """
import sys
from pathlib import Path
from hemicycle.train import Job, loop
loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, 1e9
loop.train(Job.from_json(Path(sys.argv[1]).read_text()))
"""


def start(job):
    told = job.scratch.parent / "job.json"
    told.write_text(job.to_json())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, told], env=environment, start_new_session=True)


def checkpoints(job):
    """Steps of the whole checkpoints, and whether one is half written."""
    steps = sorted(int(p.name.removeprefix("step-")) for p in job.scratch.glob("step-*"))
    return steps, any(job.scratch.glob(".aside-*"))


def kill_once(job, moments: random.Random):
    """Train until it has checkpoints, then on for a random moment, and kill it; how it stood then.

    None where it came to its end before.
    """
    process = start(job)
    before = checkpoints(job)[0]
    while process.poll() is None and checkpoints(job)[0] in (before, []):
        time.sleep(0.005)
    time.sleep(moments.uniform(0, 0.5))
    # Every second time while a checkpoint is being written.
    if moments.random() < 0.5:
        while process.poll() is None and not checkpoints(job)[1]:
            pass
    if process.poll() is not None:
        assert process.returncode == 0
        return None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return checkpoints(job)


def finish(job):
    process = start(job)
    assert process.wait(timeout=600) == 0
    return digest_files(job.out)
