"""Engines: where the tasks of one data stage run. Local processes, Ray, or a Slurm job array.

A stage that can be cut into parts hands an engine one function and a list of tasks. A task is named, its
arguments are JSON, it writes files of its own and returns figures; so any engine runs the very same
function, and the bytes written cannot depend on which one did, in what order, or how often it was killed.
"""

from hemicycle.engines.local import Local
from hemicycle.engines.tasks import Engine, Task, move_outputs, run_task

__all__ = ["Engine", "Local", "Task", "move_outputs", "run_task"]
