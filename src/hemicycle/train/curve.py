"""The loss curve as a picture, for the model's folder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.pictures import new_figure, png_of
from hemicycle.train.watch.chart import running_mean, thin

#: The running mean is over this share of the run.
SMOOTH = 0.02

MEAN, STEPS, RATE, SKIPPED = "#1f4e79", "#9db4c0", "#c05a1c", "#9b2335"


def draw_loss(
    loss: Sequence[float],
    tokens: Sequence[int],
    path: Path,
    *,
    rate_factor: Sequence[float],
    skipped: npt.NDArray[np.bool_],
) -> None:
    """Draw the loss in bits per token over the tokens read so far, with the rate behind it.

    The line is a running mean, the band behind it holds every step. Steps that were skipped are marked below
    and are in neither, like those that have no loss. Equal figures give equal bytes with one version of
    matplotlib.
    """
    applied = ~skipped & np.isfinite(loss)
    bits, read = np.asarray(loss)[applied] / math.log(2), np.asarray(tokens) / 1e6
    mean = thin(read[applied], running_mean(bits, max(1, round(SMOOTH * len(bits)))))
    steps = thin(read[applied], bits)
    assert steps.low is not None
    assert steps.high is not None
    figure = new_figure(7, 4, "train")
    axes = figure.add_subplot()
    rates = axes.twinx()
    (rate,) = rates.plot(read, rate_factor, color=RATE, linewidth=1, linestyle=":", label="learning rate")
    rates.set_ylim(0, 1.05)
    rates.set_ylabel("learning rate, share of its peak")
    # The loss in front of the rate.
    axes.set_zorder(rates.get_zorder() + 1)
    axes.set_frame_on(False)
    band = axes.fill_between(steps.x, steps.low, steps.high, color=STEPS, linewidth=0, label="each step")
    (line,) = axes.plot(mean.x, mean.y, color=MEAN, linewidth=1.6, label="running mean")
    shown = [line, band, rate]
    if skipped.any():
        places = np.zeros(int(skipped.sum()))
        marks = axes.plot(
            read[skipped], places, "|", color=SKIPPED, transform=axes.get_xaxis_transform(), label="skipped"
        )
        shown += marks
    axes.set_xlabel("tokens read, millions")
    axes.set_ylabel("training loss, bits per token")
    axes.grid(alpha=0.25)
    axes.legend(handles=shown, framealpha=0.9, edgecolor="none")
    path.write_bytes(png_of(figure))
