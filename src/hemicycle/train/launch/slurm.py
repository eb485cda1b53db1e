"""Training as a job of Slurm, or a chain of them; nothing is needed but `sbatch`.

Script, log and outcome stay in the scratch folder, so a person can read what was submitted and submit it
again by hand. Who waits may be killed while the training goes on: the next run waits for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hemicycle.engines import sbatch
from hemicycle.progress import Progress
from hemicycle.sites import Site
from hemicycle.store import write_aside
from hemicycle.train.job import Job
from hemicycle.train.launch.local import why_not
from hemicycle.train.launch.outcome import MARK, PROGRESS, RESULT, begin, failures, take, write_job
from hemicycle.train.launch.relay import Shown
from hemicycle.train.launch.script import LOG, SCRIPT, training_script


class OnSlurm:
    """Trainings on one site.

    Args:
        ranks: of each node, other than the site's; and so `nodes`.
        store: folder in which most of what a training reads lies; a container is shown all of it.
    """

    alone = False

    def __init__(
        self, site: Site, ranks: int | None = None, nodes: int | None = None, store: Path | None = None
    ) -> None:
        self.site, self.ranks, self.nodes = site, ranks, nodes
        self.seen = [store] if store else []

    def run(self, job: Job, progress: Progress) -> dict[str, Any]:
        mark = job.scratch / MARK
        done = None if mark.exists() else take(job)
        if mark.exists():
            progress.say(f"model {job.name}: its job {sbatch.number_in(mark)} is waited for")
            done = self._attend(job, mark, progress)
            if done is None and failures(job.scratch):
                raise why_not(job, None, job.scratch / LOG)
        if done is None:
            self._submit(job, mark)
            progress.say(
                f"model {job.name}: submitted as job {sbatch.number_in(mark)}; log: {job.scratch / LOG}"
            )
            done = self._attend(job, mark, progress)
        if done is None:
            raise why_not(job, None, job.scratch / LOG)
        return done

    def script(self, name: str, work: Path, seen: Iterable[Path] = ()) -> str:
        """The text that is submitted for a model; arguments as of `training_script`."""
        return training_script(self.site, name, work, [*self.seen, *seen], self.ranks, self.nodes)

    def _submit(self, job: Job, mark: Path) -> None:
        begin(job.scratch)
        for left in ("starts", LOG):
            (job.scratch / left).unlink(missing_ok=True)
        write_job(job)
        seen = [path.parent for path in sbatch.paths(json.loads(job.to_json()))]
        script = job.scratch / SCRIPT
        write_aside(script, self.script(job.name, job.scratch, seen).encode("utf-8"))
        write_aside(mark, sbatch.submit(script).encode("utf-8"))

    def _attend(self, job: Job, mark: Path, progress: Progress) -> dict[str, Any] | None:
        """Wait until the last job of the training has left the queue.

        At its end it looks itself whether there is a result, which must not be moved before.
        """
        with Shown(job.scratch / PROGRESS, progress) as shown:
            sbatch.attend(mark, lambda: (False, shown.look() or (job.scratch / RESULT).exists()))
        mark.unlink(missing_ok=True)
        return take(job)
