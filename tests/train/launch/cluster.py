"""A cluster of one node, small enough for a test: `sbatch` and its kin on the PATH, a process that runs jobs.

It reads the options of a script as Slurm does, sends SIGUSR1 when asked, puts back what is requeued, keeps to
dependencies, and forgets a job that has ended.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path


def sbatch(here, words):
    script = Path(words[-1])
    number = 4711 + len(list(here.glob("job-*")))
    (here / f"job-{number}").write_text(str(script))
    (here / f"running-{number}").touch()
    after = [w.split("afterany:")[1] for w in words if "afterany:" in w]
    subprocess.Popen(
        [sys.executable, __file__, here, "slurmd", str(number), *after],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    print(f"{number};trial")


def slurmd(here, words):
    number, *after = words
    for other in after:
        while (here / f"running-{other}").exists():
            time.sleep(0.05)
    script = Path((here / f"job-{number}").read_text())
    found = [
        re.fullmatch("--([a-z-]+)(?:=(.+))?", word).groups()
        for line in script.read_text().splitlines()
        if line.startswith("#SBATCH")
        for word in shlex.split(line.removeprefix("#SBATCH"), comments=True)
    ]
    options = dict(found)
    with open(here / "started", "a") as f:
        f.write(f"{number}\n")
    environment = {
        **os.environ,
        "SLURM_JOB_ID": number,
        "SLURM_JOB_NODELIST": "localhost",
        "SLURM_NODEID": "0",
    }
    with open(options["output"].replace("%%", "%"), "ab") as log:
        job = subprocess.Popen(
            ["bash", script], stdout=log, stderr=log, env=environment, start_new_session=True
        )
        assert options["signal"].startswith("B:USR1@")
        while job.poll() is None:
            time.sleep(0.05)
            for ask, number_of in (("usr1", signal.SIGUSR1), ("cancel", signal.SIGTERM)):
                if (here / f"{ask}-{number}").exists():
                    (here / f"{ask}-{number}").unlink()
                    # To the shell alone, or to all of the job.
                    (os.kill if ask == "usr1" else os.killpg)(job.pid, number_of)
    if (here / f"requeue-{number}").exists() and "requeue" in options:
        (here / f"requeue-{number}").unlink()
        slurmd(here, [number])
    (here / f"running-{number}").unlink(missing_ok=True)


def squeue(here, words):
    if not (here / f"running-{words[-1]}").exists():
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    print(words[-1])


def scancel(here, words):
    (here / f"cancel-{words[-1]}").touch()


def scontrol(here, words):
    if words[:2] == ["show", "hostnames"]:
        print(words[2])
    else:
        (here / f"{words[0]}-{words[1]}").touch()


def srun(here, words):
    command = [w for n, w in enumerate(words) if not all(o.startswith("--") for o in words[: n + 1])]
    os.execvp(command[0], command)


def install(here):
    here.mkdir()
    for name in ("sbatch", "squeue", "scancel", "scontrol", "srun"):
        (here / name).write_text(f'#!/bin/bash\nexec "{sys.executable}" "{__file__}" "{here}" {name} "$@"\n')
        (here / name).chmod(0o755)


if __name__ == "__main__":
    globals()[sys.argv[2]](Path(sys.argv[1]), sys.argv[3:])
