"""Logs of trainings as `train` writes them, made up."""

import json

from hemicycle.train.log import Log, RunState


def write_log(
    folder,
    *,
    device="NVIDIA H100 80GB HBM3",
    ranks=8,
    steps=100,
    seconds=60.0,
    tokens=500_000,
    joules=None,
    wall=None,
):
    """A finished training of so many steps of so many seconds and tokens each."""
    folder.mkdir(parents=True)
    state = RunState(
        name=folder.name,
        state="running",
        steps=steps,
        parameters=1_300_000_000,
        flop_per_token=9_000_000_000,
        ranks=ranks,
        device=device,
        peak=ranks * 989e12,
        peak_of="H100 SXM",
    )
    log = Log(folder, state)
    for step in range(steps):
        log.step(
            step=step,
            loss=8.0 - 5 * step / steps,
            gradient_norm=1.0,
            rate_factor=1.0,
            tokens=tokens,
            learnt=tokens,
            skipped=False,
            seconds=seconds,
            data_seconds=0.0,
            memory=1,
        )
    log.close("finished")
    state.joules, state.meter = joules, "8 GPUs (NVML's counter); not: power supplies"
    state.write(folder)
    # `write` keeps the time of the writing; a made-up run lasted as long as its steps, or longer.
    state.started = state.updated - (wall if wall is not None else steps * seconds)
    text = (folder / "run.json").read_text("utf-8")
    told = {**json.loads(text), "started": state.started}
    (folder / "run.json").write_text(json.dumps(told), "utf-8")
