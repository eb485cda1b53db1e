"""The queue before the engine: one thread, so one generation at a time, first come first served.

A request with several answers goes back to the end of the line between two of them. What is written waits
in memory until the client reads it: a slow client holds up nobody, and since every answer is bounded, so is
what waits. A client who leaves takes its request out of the line, or ends the answer at the next token.
"""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """As many requests wait as may."""


@dataclasses.dataclass(frozen=True)
class _End:
    error: BaseException | None = None


class Job(Generic[T]):
    """What one request is written, as an asynchronous iterator over (number of the answer, piece)."""

    def __init__(self, works: Sequence[Callable[[], Iterator[T]]]) -> None:
        self._works = deque(enumerate(works))
        self._loop = asyncio.get_running_loop()
        self._written: asyncio.Queue[tuple[int, T] | _End] = asyncio.Queue()
        self._gone = threading.Event()

    def __aiter__(self) -> Job[T]:
        return self

    async def __anext__(self) -> tuple[int, T]:
        item = await self._written.get()
        if isinstance(item, _End):
            self._written.put_nowait(item)
            if item.error is not None:
                raise item.error
            raise StopAsyncIteration
        return item

    def cancel(self) -> None:
        """Nobody reads any more. The iterator ends; the thread notices at its next piece."""
        self._gone.set()
        self._works.clear()
        self._written.put_nowait(_End())

    @property
    def cancelled(self) -> bool:
        return self._gone.is_set()

    def run_one(self) -> bool:
        """Write the next answer, in the worker's thread; True while there are more."""
        try:
            number, work = self._works.popleft()
        except IndexError:
            return False
        try:
            pieces = work()
            for piece in pieces:
                if self._gone.is_set():
                    return False
                self.put((number, piece))
        except Exception as error:
            self.put(_End(error))
            return False
        return bool(self._works)

    def put(self, item: tuple[int, T] | _End) -> None:
        # The loop is closed where the server was stopped in the middle of an answer.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._written.put_nowait, item)


class Worker(Generic[T]):
    """One thread that serves jobs in turn.

    Args:
        waiting: requests that may wait beside the one that is served.
    """

    def __init__(self, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="hemicycle-engine")
        self._room = waiting + 1
        self._lock = threading.Lock()
        self._jobs: set[Job[T]] = set()

    @property
    def held(self) -> int:
        """Requests that are served or wait."""
        return sum(not job.cancelled for job in tuple(self._jobs))

    def submit(self, works: Sequence[Callable[[], Iterator[T]]]) -> Job[T]:
        """Join the line with one generation per answer. Raises Busy where it is full."""
        job = Job(works)
        with self._lock:
            if self.held >= self._room:
                raise Busy
            self._jobs.add(job)
        self._pool.submit(self._serve, job)
        return job

    def close(self) -> None:
        """Let go of everything: answers end at their next piece."""
        for job in tuple(self._jobs):
            job._gone.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _serve(self, job: Job[T]) -> None:
        if job.run_one():
            self._pool.submit(self._serve, job)
            return
        with self._lock:
            self._jobs.discard(job)
        job.put(_End())
