"""The loss curve as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def draw_loss(loss: Sequence[float], tokens: Sequence[int], path: Path) -> None:
    """Draw loss in bits per token over tokens read so far: every step, and a mean over 2 % of the run."""
    from matplotlib.figure import Figure

    bits = np.asarray(loss) / math.log(2)
    read = np.asarray(tokens) / 1e6
    window = max(1, len(bits) // 50)
    smooth = np.convolve(bits, np.full(window, 1 / window), mode="valid")
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(read, bits, color="#9db4c0", linewidth=0.6, label="each step")
    axes.plot(read[window - 1 :], smooth, color="#253237", linewidth=1.6, label="running mean")
    axes.set_xlabel("tokens read, millions")
    axes.set_ylabel("training loss, bits per token")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    # Without a fixed software field the picture's bytes would carry matplotlib's version and address.
    figure.savefig(path, metadata={"Software": None})
