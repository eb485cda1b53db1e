"""Watch: what a person sees of trainings, under way or over, read from their logs (`hemicycle.train.log`).

A page of curves that is one file and needs nothing else; a server of it on this machine; and sinks that hand
the same figures to TensorBoard or MLflow. All of it only reads: the loop knows nothing of it.
"""

from hemicycle.train.watch.page import render_index, render_run
from hemicycle.train.watch.runs import Run, figures, find_runs

__all__ = ["Run", "figures", "find_runs", "render_index", "render_run"]
