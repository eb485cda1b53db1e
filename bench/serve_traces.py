"""Many traces at once over HTTP, from the server process of a small project: how many are answered, and when.

    OMP_NUM_THREADS=1 python bench/serve_traces.py [PROJECT] [TRACES]

Without a project, the one of the flow's tests is built first. All connections are opened before the first
answer is read. Each text is another, part of it from the training text; an answer that differs from the one
given to the same text alone counts as lost.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TRACES, WORDS, COPIED = 1000, 300, 40


def main() -> None:
    given = [Path(word) for word in sys.argv[1:2]]
    traces = int(sys.argv[2]) if len(sys.argv) > 2 else TRACES
    with tempfile.TemporaryDirectory() as name:
        project = given[0] if given else built(Path(name) / "essai")
        texts = make_texts(project, traces)
        with served(project) as url:
            asyncio.run(ask(url, texts[:4]))
            began = time.perf_counter()
            answers = asyncio.run(ask(url, texts))
            took = time.perf_counter() - began
            alone = [asyncio.run(ask(url, [text]))[0] for text in texts[:: max(1, traces // 50)]]
    right = [answer for answer, _ in answers if isinstance(answer, dict) and answer["spans_found"]]
    same = sum(one == answers[at * max(1, traces // 50)][0] for at, (one, _) in enumerate(alone))
    seconds = sorted(after for _, after in answers)
    p50, p99 = statistics.median(seconds), seconds[int(0.99 * (len(seconds) - 1))]
    print(
        f"{traces:,} traces at once, {WORDS} words each: {len(right):,} answered, {same} of {len(alone)} "
        f"compared are what they are alone; {traces / took:,.0f} a second; "
        f"p50 {p50:.2f} s, p99 {p99:.2f} s after the first was sent"
    )
    quick = sorted(after for _, after in alone)
    print(f"one at a time: p50 {1e3 * statistics.median(quick):.1f} ms, slowest {1e3 * quick[-1]:.1f} ms")


def built(folder: Path) -> Path:
    from tests.flow.small import make_project

    project = make_project(folder)
    subprocess.run([sys.executable, "-m", "hemicycle", "run", str(project)], check=True, capture_output=True)
    return project


def make_texts(project: Path, number: int) -> list[str]:
    """Texts of words drawn at random, each with one stretch as a training document has it."""
    rng = random.Random(3)
    shards = sorted(project.glob("build/corpus/*/kept/*/*.parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard, columns=["text", "split"]).to_pylist()]
    sources = [row["text"].split() for row in rows if row["split"] == "train"]
    texts = []
    for _ in range(number):
        words = rng.choice(sources)
        at = rng.randrange(len(words) - COPIED)
        drawn = rng.choices(words, k=WORDS - COPIED)
        texts.append(" ".join([*drawn[:100], *words[at : at + COPIED], *drawn[100:]]))
    return texts


@contextmanager
def served(project: Path) -> Iterator[str]:
    """A server process of the project; gives its address."""
    words = [sys.executable, "-m", "hemicycle", "serve", "--project", str(project), "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield next(word for line in process.stderr for word in line.split() if word.startswith("http"))
    finally:
        process.terminate()
        process.communicate()


async def ask(url: str, texts: Sequence[str]) -> list[tuple[dict[str, object] | str, float]]:
    """Ask for all at once; of each the answer, or what came instead, and the seconds until it was whole."""
    host = urlsplit(url)
    opened = await asyncio.gather(*(asyncio.open_connection(host.hostname, host.port) for _ in texts))
    began = time.perf_counter()

    async def one(text: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):  # noqa: ANN202
        body = json.dumps({"text": text}).encode()
        head = f"POST /v1/trace HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        data = await reader.read()
        writer.close()
        top, _, content = data.partition(b"\r\n\r\n")
        status = top.split(b"\r\n")[0].decode()
        answer = json.loads(content) if " 200 " in status else status
        return answer, time.perf_counter() - began

    return await asyncio.gather(*(one(text, *pair) for text, pair in zip(texts, opened, strict=True)))


if __name__ == "__main__":
    main()
