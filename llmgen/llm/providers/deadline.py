"""Work with an end: an event loop in a thread of its own, in which a request is cut when its time is over.

Time-outs of HTTP clients are between two bytes. A server that drips one now and then is never late by them.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """An event loop in a thread, so that it also serves callers that have one of their own."""

    def __init__(self, closing: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Nothing runs yet.

        Args:
            closing: What is to be closed inside the loop before it ends.
        """
        self._closing = closing
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()
        self._finalizer: weakref.finalize[..., Any] | None = None

    def run(self, work: Coroutine[Any, Any, T], deadline_s: float) -> T:
        """Wait for something.

        Raises:
            TimeoutError: If it takes longer than that; it is cut then, connections included.
        """
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, deadline_s), self._running())
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: the server need not go on for nobody.
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_work, args=(self._loop,), name="llmgen-requests", daemon=True)
                thread.start()
                self._finalizer = weakref.finalize(self, _end, self._loop, thread, self._closing)
            return self._loop

    def close(self) -> None:
        """End the loop and its thread."""
        if self._finalizer is not None:
            self._finalizer()


def _work(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _end(
    loop: asyncio.AbstractEventLoop, thread: threading.Thread, closing: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    async def end() -> None:
        try:
            async with asyncio.timeout(1.0):
                await closing()
        finally:
            loop.stop()

    asyncio.run_coroutine_threadsafe(end(), loop)
    # After an interruption, the last who knows of the loop may be its own thread.
    if threading.current_thread() is not thread:
        thread.join(2.0)
