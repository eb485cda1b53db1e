"""What libraries say when a training fails, in one line of ours, with its remedy."""

import errno
import json
import os
import signal
import socket
import subprocess

import pytest
import torch

from hemicycle.errors import InputError
from hemicycle.train.launch.outcome import Failure, failures, kept_step, reserve, write_failure
from hemicycle.train.launch.reasons import of_death, of_error, reasons


@pytest.mark.parametrize(
    ("error", "what", "again"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/store/step-1"),
            "no room left on the disk",
            False,
        ),
        (OSError(errno.EIO, "could not be written: No space left on device", "/s"), "no room left", False),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/store/step-1"), "no room left on the disk", False),
        (FileNotFoundError(errno.ENOENT, "No such file", "/s/debats-00000.bin"), "reads is not there", False),
        (OSError(errno.ESTALE, "Stale file handle", "/store/step-1"), "disk could not be read", True),
        (MemoryError(), "no memory left for it", False),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "more memory than", False),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "the graphics card failed", True),
        (RuntimeError("No CUDA GPUs are available"), "no graphics card that can be used", False),
        (ModuleNotFoundError("No module named 'torch'"), "a package is not installed", False),
        (torch.distributed.DistBackendError("NCCL error in: ProcessGroupNCCL.cpp"), "lost each other", True),
        (RuntimeError("[../gloo/transport/tcp/pair.cc] Connection closed by peer"), "lost each other", True),
        (torch.distributed.DistNetworkError("The client socket has timed out"), "lost each other", True),
    ],
)
def test_what_a_library_raises_is_a_sentence(error, what, again, tmp_path):
    failure = of_error(error, tmp_path / "rank-3.log", rank=3, step=57)
    assert what in failure.what
    assert failure.remedy
    assert failure.again == again
    said = failure.error(50)
    assert said.what.startswith(f"rank 3 on node {socket.gethostname()} failed at step 57: ")
    assert said.place == (error.filename if isinstance(error, OSError) else str(tmp_path / "rank-3.log"))
    assert "\n" not in said.sentence


def test_an_error_of_ours_is_told_as_it_is(tmp_path):
    error = of_error(InputError("the loss is nan", place="step 3", remedy="Look."), tmp_path, 0, 2).error(1)
    assert (type(error), error.what, error.place, error.remedy) == (
        InputError,
        "the loss is nan",
        "step 3",
        "Look.",
    )


def test_what_nobody_foresaw_is_named_with_the_log_of_its_traceback(tmp_path):
    failure = of_error(KeyError("loss"), tmp_path / "rank-0.log", 0)
    assert failure.what == "KeyError: 'loss'"
    assert not failure.again
    assert failure.error(None).what.endswith("failed before its first step ended: KeyError: 'loss'")


@pytest.mark.parametrize(
    ("code", "log", "what", "again", "follows"),
    [
        (-signal.SIGKILL, "", "it was killed (SIGKILL)", False, False),
        (
            -signal.SIGSEGV,
            "Fatal Python error: Segmentation fault\n  File x\n",
            "it crashed (SIGSEGV)",
            True,
            False,
        ),
        (
            -signal.SIGABRT,
            "a\nWatchdog caught collective operation\n\nFatal Python error: Aborted\n",
            "the processes lost each other (NCCL) (SIGABRT): a / Watchdog caught collective operation",
            True,
            False,
        ),
        (-signal.SIGTERM, "", "it was told to end (SIGTERM)", True, True),
        (3, "one\ntwo\nthree\nfour\n", "it ended with exit code 3: two / three / four", False, False),
    ],
)
def test_a_process_that_left_no_word_is_told_by_its_end_and_its_last_lines(
    tmp_path, code, log, what, again, follows
):
    (tmp_path / "log").write_text(log)
    failure = of_death(code, tmp_path / "log", 1, 4)
    assert (failure.what, failure.again, failure.follows) == (what, again, follows)


def test_what_caused_the_rest_is_told_first(tmp_path):
    write_failure(tmp_path, 0, Failure("they lost each other", follows=True, at=1.0))
    write_failure(tmp_path, 1, Failure("the disk is full", at=2.0))
    assert [failure.what for failure in failures(tmp_path)] == ["the disk is full", "they lost each other"]


def test_every_row_of_the_table_says_what_and_what_to_do():
    for reason in reasons():
        assert reason.what
        assert reason.what[0].islower()
        assert reason.remedy.endswith(".")


def test_the_step_of_the_newest_checkpoint_is_read_off_its_name(tmp_path):
    assert kept_step(tmp_path) is None
    for name in ("step-000000090.pt", "step-000000100.pt", ".aside"):
        (tmp_path / name).touch()
    (tmp_path / "step-000000110").mkdir()
    assert kept_step(tmp_path) == 110


def test_a_full_disk_has_room_for_the_sentence_that_it_is_full(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be made here")
    try:
        reserve(disk, 1)
        with pytest.raises(OSError, match="No space left") as caught, (disk / "weights").open("wb") as f:
            f.write(bytes(200_000))
        write_failure(disk, 1, of_error(caught.value, disk / "rank-1.log", 1, 7))
        assert json.loads((disk / "failed-1.json").read_text())["what"] == "there is no room left on the disk"
        with pytest.raises(OSError, match="No space left"):
            os.write(os.open(disk / "more", os.O_WRONLY | os.O_CREAT), bytes(4096))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
