"""Verifying a store beside hashing the same bytes with hashlib alone.

python bench/verify.py
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from hemicycle.ledger import Ledger, check_project
from hemicycle.pipeline import Pipeline
from hemicycle.project import Lock
from hemicycle.steps import Step, Work
from hemicycle.store import Store
from interleaved import ratio


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, ledger = (
            Store(folder / "build", folder / "releases"),
            Ledger(folder / "ledger", folder / "key"),
        )

        def build(work: Work) -> dict[str, int]:
            for i in range(4):
                (work.out / f"{i}.bin").write_bytes(os.urandom(4_000_000))
            return {}

        steps = [Step("bench", f"s{n}", 1, n, build) for n in range(20)]
        Pipeline(store, ledger, Lock(folder / "lock")).run(steps)
        files = [p for p in (folder / "build" / "bench").rglob("*") if p.is_file()]

        def alone() -> None:
            for file in files:
                with file.open("rb") as f:
                    hashlib.file_digest(f, "sha256")

        ratio("hashlib alone / verify", lambda: check_project(ledger, store), alone)


if __name__ == "__main__":
    main()
