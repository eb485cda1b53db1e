"""Small jobs on the tokens of the tests, run in this process or in several."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from hemicycle.project import Model
from hemicycle.tokens import Phase, make_plan
from hemicycle.train import Job, Run, derive_recipe, derive_shape

CONTEXT, BATCH, STEPS = 32, 128, 30
DECLARED = {
    "corpora": {"c": 1.0},
    "tokenizer": "t",
    "architecture": {"layers": 2, "width": 32, "heads": 2, "context": CONTEXT},
    "budget": {"tokens": "4k"},
    "batch_tokens": BATCH,
}
PLAIN = Run(STEPS, seed=1, precision="fp32", compiled=False, threads=1)


def declare(**changes):
    return Model.model_validate({**DECLARED, **changes})


def write_plan(folder, tokens, *, steps=STEPS, context=CONTEXT, batch=BATCH, seed=1):
    folder.mkdir(parents=True)
    phase = Phase("main", steps * batch, {"c": 1.0}, context)
    make_plan({"c": tokens}, [phase], folder, batch_tokens=batch, seed=seed)
    return folder


def make_job(folder, plan, tokens, tokenizer, *, model=None, run=PLAIN, **more):
    """A job in a folder; asked again with the same folder, it goes on."""
    model = model or declare()
    shape = derive_shape(model.architecture, 320)
    for name in ("out", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Job(
        name="petit",
        plan=plan,
        tokens={"c": tokens},
        tokenizer=tokenizer,
        out=folder / "out",
        scratch=folder / "scratch",
        log=folder / "log",
        shape=shape,
        recipe=derive_recipe(model, shape),
        run=run,
        **more,
    )


#: Trains jobs on a rank of several, one after another, once the lines of the first file have run.
RANK = """
import json
import os
import sys
from pathlib import Path
exec(Path(sys.argv[1]).read_text())
from hemicycle.train import Job
from hemicycle.train.loop import train
for told, port in zip(sys.argv[2:], os.environ["PORTS"].split(), strict=True):
    os.environ["MASTER_PORT"] = port
    print(json.dumps(train(Job.from_json(Path(told).read_text()))))
"""


def train_on(ranks, jobs, folder, patch=""):
    """Train jobs on so many processes; the figures of rank 0. Raises AssertionError with what they said."""
    folder.mkdir(parents=True, exist_ok=True)
    program, patches = folder / "rank.py", folder / "patch.py"
    program.write_text(RANK)
    patches.write_text(patch)
    told = [folder / f"job-{number}.json" for number in range(len(jobs))]
    for path, job in zip(told, jobs, strict=True):
        path.write_text(job.to_json())
    root = Path(__file__).resolve().parents[2]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        # One each: the ranks of a job do not leave it at the same moment.
        "PORTS": " ".join(_free_ports(len(jobs))),
        "PYTHONPATH": f"{root}:{root / 'src'}",
    }
    started = [
        subprocess.Popen(
            [sys.executable, program, patches, *told],
            env={**environment, "RANK": str(r), "WORLD_SIZE": str(ranks), "LOCAL_RANK": str(r)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for r in range(ranks)
    ]
    said = [process.communicate(timeout=500) for process in started]
    assert not any(process.returncode for process in started), said[0][1][-3000:] + said[-1][1][-1000:]
    return [json.loads(line) for line in said[0][0].splitlines()[-len(jobs) :]]


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in found]
