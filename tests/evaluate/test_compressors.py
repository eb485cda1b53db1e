from __future__ import annotations

import lzma
import shutil
import subprocess

import pytest

from hemicycle.evaluate.compressors import xz_bits

TEXTS = ["L’ordre du jour appelle la suite de la discussion. " * 20, "La séance est levée.", ""]


def test_size_is_that_of_the_concatenated_texts():
    assert xz_bits(TEXTS) == 8 * len(lzma.compress("".join(TEXTS).encode("utf-8"), preset=9))
    assert xz_bits(TEXTS) < 8 * 300


@pytest.mark.skipif(shutil.which("xz") is None, reason="xz is not installed")
def test_size_is_that_of_the_xz_command():
    made = subprocess.run(
        ["xz", "-9", "-c"], input="".join(TEXTS).encode("utf-8"), capture_output=True, check=True
    )
    assert xz_bits(TEXTS) == 8 * len(made.stdout)
