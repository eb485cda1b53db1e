"""Launch: where a training runs. In this process, in several here, or as jobs of Slurm on many nodes.

A launcher takes a job and returns the figures of its run; the model's files are then where the job says. It
is the same loop everywhere, on every rank. What goes on in other processes is told through files of the
scratch folder, which all machines see: progress, heartbeats, the result, or the reason why there is none.
"""

from hemicycle.train.launch.local import Here
from hemicycle.train.launch.outcome import Launcher

__all__ = ["Here", "Launcher"]
