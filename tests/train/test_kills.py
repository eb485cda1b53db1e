"""Killed while it trains and while it writes checkpoints, a training ends in the same bits."""

import random

import pytest

from hemicycle.train.loop import train
from tests.train.jobs import PLAIN, make_job, write_plan
from tests.train.kills import digest_files, finish, kill_once

STEPS = 400


@pytest.mark.slow
def test_killed_three_times_a_training_ends_in_the_same_bits(tokens, tokenizer, tmp_path):
    plan = write_plan(tmp_path / "plan", tokens, steps=STEPS)
    run = PLAIN.__class__(STEPS, 1, "bf16", False, 1)
    calm = make_job(tmp_path / "calm", plan, tokens, tokenizer, run=run)
    train(calm)
    job = make_job(tmp_path / "killed", plan, tokens, tokenizer, run=run)
    moments = random.Random(5)
    stood = [kill_once(job, moments) for _ in range(3)]
    assert None not in stood, "it came to its end before it was killed"
    assert finish(job) == digest_files(calm.out)
