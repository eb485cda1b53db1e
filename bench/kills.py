"""Killed at random moments, a project ends as if undisturbed.

A small project is built twice undisturbed, with the same result. Then, round after round, a fresh copy is
built, killed (SIGKILL to its whole process group) at a moment drawn from the time the undisturbed run took,
and run again to its end. Every artefact must have the digest of the undisturbed run, and `hemicycle verify`
must find nothing. Releases are left out, which hold times and signatures, and roots, which hang on each
project's own salt. A round takes some twenty seconds.

    python bench/kills.py [--rounds N] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from tests.flow.small import make_project  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description="Kill a run at random moments; compare what it ends as.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="of the moments; by default a new one")
    asked = parser.parse_args()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    moments = random.Random(seed)
    hits: Counter[str] = Counter()
    mismatches = 0
    with tempfile.TemporaryDirectory() as name:
        undisturbed = finish(make_project(Path(name, "warm-up")))  # what is loaded first takes longer
        begin = time.monotonic()
        mismatches += finish(make_project(Path(name, "undisturbed"))) != undisturbed
        took = time.monotonic() - begin
        print(f"seed {seed}; undisturbed: {len(undisturbed)} artefacts in {took:.1f} s", flush=True)
        for number in range(1, asked.rounds + 1):
            project = make_project(Path(name, f"round-{number}"))
            moment = moments.uniform(0, took)
            hit = kill(project, moment)
            hits[hit] += 1
            wrong = compare(project, undisturbed)
            mismatches += bool(wrong)
            print(f"round {number}: killed after {moment:5.2f} s, {hit}", *wrong, sep="\n  ", flush=True)
            shutil.rmtree(project)
    in_progress = sum(count for hit, count in hits.items() if hit.startswith("at work on "))
    print(f"rounds: {asked.rounds}; kills that hit work in progress: {in_progress}; mismatches: {mismatches}")
    for hit, count in hits.most_common():
        print(f"  {count:3} {hit}")
    sys.exit(1 if mismatches else 0)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "hemicycle", *words]


def kill(project: Path, moment: float) -> str:
    """Start a run, kill it after so many seconds; say what it was at work on."""
    process = subprocess.Popen(
        command("run", str(project)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        return "after its end"
    under_way = sorted(f.read_text("utf-8") for f in project.glob("build/.staging/*/step"))
    return f"at work on {', '.join(under_way)}" if under_way else "with no step under way"


def finish(project: Path) -> dict[str, str]:
    """Run to the end; step → digest of its artefact."""
    done = subprocess.run(command("run", str(project), "--json"), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"`hemicycle run` left with {done.returncode}:\n{done.stderr[-2000:]}")
    steps = json.loads(done.stdout)["steps"]
    return {f"{s['stage']} {s['name']}": s["digest"] for s in steps if s["stage"] not in ("release", "roots")}


def compare(project: Path, undisturbed: dict[str, str]) -> list[str]:
    """What differs from the undisturbed run once a killed one is finished, and what `verify` finds."""
    try:
        digests = finish(project)
    except RuntimeError as error:
        return [str(error)]
    wrong = [
        f"{step}: {digests.get(step)} instead of {undisturbed.get(step)}"
        for step in sorted(digests.keys() | undisturbed.keys())
        if digests.get(step) != undisturbed.get(step)
    ]
    checked = subprocess.run(command("verify", str(project)), capture_output=True, text=True)
    if checked.returncode:
        wrong.append(f"verify: {checked.stdout}{checked.stderr}")
    return wrong


if __name__ == "__main__":
    main()
