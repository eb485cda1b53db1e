"""The script of a training on Slurm: it starts one agent a node, and goes on by itself until all is done.

A job that ran out of time, or whose node was taken back, has saved a checkpoint; it goes back into the queue,
or submits its successor where the site forbids that. It ends where another start would mend nothing.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from hemicycle.engines import sbatch
from hemicycle.sites import Site
from hemicycle.train.launch.outcome import JOB, MARK, RESULT, STOP

#: Starts from one and the same checkpoint after which a training gives up.
STARTS = 3

SCRIPT, LOG = "job.sbatch", "slurm.log"

_BODY = """\
set -e
work={work}

# Starts that bring no new checkpoint would go on for ever.
newest=$(ls -d "$work"/step-* 2>/dev/null | tail -n 1)
if [ "$(tail -n {starts} "$work/starts" 2>/dev/null | grep -cxF -- "$newest")" -ge {starts} ]; then
    echo "{starts} starts brought no checkpoint after ${{newest:-the beginning}}" >&2
    exit 1
fi
echo "$newest" >> "$work/starts"

# Every rank looks for this file, saves a checkpoint and leaves. Who cancels a job wants no other.
rm -f "$work/{stop}"
ends= cancelled=
trap 'touch "$work/{stop}"; ends=yes' USR1
trap 'touch "$work/{stop}"; [ -n "$ends" ] || cancelled=yes' TERM

{setup}head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 --cpus-per-task={cpus} \\
    {command} --meeting "$head:$((10000 + SLURM_JOB_ID % 20000))" &
# A signal ends the waiting but not the work.
while kill -0 $! 2>/dev/null; do wait $! || true; done

if [ -e "$work/{result}" ]; then exit 0; fi
if [ -n "$cancelled" ]; then echo "the job $SLURM_JOB_ID was cancelled" >&2; exit 1; fi
if grep -qs '"again": false' "$work"/failed-*.json; then exit 1; fi
{next}
"""

_REQUEUE = 'scontrol requeue "$SLURM_JOB_ID"'
_SUBMIT = """\
sbatch --parsable --dependency="afterany:$SLURM_JOB_ID" "$work/{script}" > "$work/.{mark}"
mv "$work/.{mark}" "$work/{mark}\""""


def training_script(
    site: Site,
    name: str,
    work: Path,
    seen: Sequence[Path],
    ranks: int | None = None,
    nodes: int | None = None,
) -> str:
    """The text to submit for a model `name` whose job file stands in `work`.

    Args:
        seen: folders that a container must see.
        ranks: processes of each node; None: one a graphics card, or one where there is none.
        nodes: other than the site's.

    Raises DeclarationError where a path cannot be told to Slurm or to Apptainer.
    """
    training = site.training
    nodes = nodes or training.nodes
    options = {
        "job-name": sbatch.job_name("train", name),
        "account": training.account or site.account,
        "partition": training.partition or site.partition,
        "qos": training.qos or site.qos,
        "constraint": training.constraint or site.constraint,
        "reservation": training.reservation,
        "exclude": ",".join(training.exclude) or None,
        "nodes": str(nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": str(training.cpus),
        "gres": f"gpu:{training.gpus}" if training.gpus else None,
        "mem": training.memory,
        "time": training.time,
        "signal": f"B:USR1@{training.save_before}",
        "open-mode": "append",
        "output": sbatch.output(work / LOG),
    }
    head = [*sbatch.head(options), f"#SBATCH --{'requeue' if training.requeue else 'no-requeue'}"]
    arguments = ["-m", "hemicycle.train.launch.node", str(work / JOB)]
    arguments += ["--ranks", str(ranks or training.gpus or 1), "--nodes", str(nodes)]
    container = training.container or site.container
    if container:
        # The image has a Python of its own; where this one stands, it may have nothing.
        command = sbatch.contained(container, [work, *seen], ["python", *arguments], cards=training.gpus > 0)
    else:
        command = [sys.executable, *arguments]
    setup = [*(site.setup if training.setup is None else training.setup)]
    setup += [f"export {key}={shlex.quote(value)}" for key, value in training.environment.items()]
    body = _BODY.format(
        setup="".join(f"{line}\n" for line in setup),
        work=shlex.quote(str(work)),
        starts=STARTS,
        stop=STOP,
        cpus=training.cpus,
        command=shlex.join(command),
        result=RESULT,
        next=_REQUEUE if training.requeue else _SUBMIT.format(script=SCRIPT, mark=MARK),
    )
    return "\n".join(["#!/bin/bash", *head, "", body])
