"""Takes turns with other trainings on one machine: waits for a line with a number, does so many steps, says
how long they took. Stands alone, so that it also runs in a peer's environment.

Shapes: B rows, T tokens. All contestants train one shape (`SHAPE`) with the same batch, in bf16, with a fused
AdamW, clipped gradients and compiled blocks.
"""

from __future__ import annotations

import json
import os
import sys
import time

WIDTH, LAYERS, HEADS, FEED_FORWARD, VOCABULARY, CONTEXT, ROWS = 256, 8, 4, 768, 16_384, 512, 4
THREADS = 2
RATE = 3e-3


class Turns:
    """Called before each step; returns once it is this training's turn."""

    def __init__(self) -> None:
        # What libraries print must not get between the lines.
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._left = 0
        self._began = (0.0, 0.0)

    def wait(self, told: dict[str, float] | None = None) -> None:
        """Count a step; at the end of a turn, say what it took and what is `told` of it."""
        if self._left == 0:
            if self._began[0]:
                wall = time.perf_counter() - self._began[0]
                self._say({"wall": wall, "cpu": time.process_time() - self._began[1], **(told or {})})
            else:
                self._say("ready")
            line = sys.stdin.readline()
            if not line:
                os._exit(0)
            self._left = int(line)
            self._began = (time.perf_counter(), time.process_time())
        self._left -= 1

    def _say(self, value: object) -> None:
        print(json.dumps(value), file=self._out, flush=True)
