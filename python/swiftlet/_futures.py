# SPDX-License-Identifier: BSD-3-Clause
"""The future of one submitted call.

A real ``concurrent.futures.Future`` that can also be awaited, stops a running call when it is cancelled, and
is small while it is pending: its condition and its lists exist from when somebody first needs them.

Rules (each was found by probing):

* State changes under the future's condition if there is one, else under ``_birth``, which also guards the
  making of the condition. Both are re-entrant: a garbage collection may run anybody's finaliser anywhere.
* What arrives from the engine is kept as bytes. The first ``result()`` or ``exception()`` decodes it, once,
  outside of any lock; the outcome is the same object ever after. What cannot be decoded is the future's
  exception.
* ``__del__`` only appends to a queue: the engine is told by whoever sends next.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures import _base as _stdlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

from swiftlet import _serial

if TYPE_CHECKING:
    from swiftlet._outcome import CallInfo
    from swiftlet._segments import Loan

T = TypeVar("T")

PENDING = "PENDING"
RUNNING = "RUNNING"
CANCELLED = "CANCELLED"
NOTIFIED = "CANCELLED_AND_NOTIFIED"
FINISHED = "FINISHED"
_DONE = frozenset((CANCELLED, NOTIFIED, FINISHED))

_NOTHING, _UNDECODED = 0, 1  # else the token of the thread that decodes

_LOGGER = logging.getLogger("concurrent.futures")
_birth = threading.RLock()


class Link(Protocol):
    """What a future needs of the connection that its call went through."""

    def decode(self, future: Future[Any], body: bytes) -> tuple[Any, BaseException | None, Loan | None]: ...

    def cancelled(self, future: Future[Any]) -> None: ...

    def abandoned(self, ident: int, body: bytes | None) -> None: ...

    def wait_for(self, future: Future[Any], deadline: float | None) -> None: ...

    def attend(self) -> None: ...


@final
class Future(concurrent.futures.Future[T]):
    """What a call will give. Made by ``submit``; see ``concurrent.futures.Future`` for what is not said here.

    ``cancel()`` also stops a running call. ``await future`` works in any asyncio event loop.
    """

    __slots__ = (
        "_body",
        "_callbacks",
        "_exception",
        "_guard",
        "_ident",
        "_link",
        "_name",
        "_phase",
        "_result",
        "_state",
        "_watchers",
    )

    def __init__(self, link: Link | None = None, name: str = "") -> None:
        # The base class's __init__ is left out on purpose: it makes the condition (1 kB) and the lists at
        # once.
        self._state: str = PENDING
        self._guard: threading.Condition | None = None
        self._watchers: list[Any] | None = None
        self._callbacks: list[Callable[[Any], object]] | None = None
        self._result: Any = None
        self._exception: BaseException | None = None
        self._link = link
        self._ident = 0
        self._name = name
        self._body: bytes | None = None
        self._phase: object = _NOTHING

    # What the standard library's functions look at

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override]
        guard = self._guard
        if guard is None:
            fresh = threading.Condition()
            with _birth:
                guard = self._guard
                if guard is None:
                    guard = self._guard = fresh
        return guard

    @property
    def _waiters(self) -> list[Any]:  # type: ignore[override]
        if self._link is not None:
            self._link.attend()
        watchers = self._watchers
        if watchers is None:
            watchers = self._watchers = []
        return watchers

    @property
    def _done_callbacks(self) -> list[Callable[[Any], object]]:
        callbacks = self._callbacks
        if callbacks is None:
            callbacks = self._callbacks = []
        return callbacks

    def _get_snapshot(self) -> tuple[bool, bool, Any, BaseException | None]:
        """Used by asyncio from Python 3.14 on: (done, cancelled, result, exception)."""
        state = self._state
        if state == FINISHED:
            self._decode()
            return True, False, self._result, self._exception
        return (True, True, None, None) if state in _DONE else (False, False, None, None)

    # The interface

    def result(self, timeout: float | None = None) -> T:
        """The call's value; raises what the call raised.

        ``CancelledError`` if it was cancelled, ``concurrent.futures.TimeoutError`` if it has not ended after
        ``timeout`` seconds. Ctrl-C while it waits raises ``KeyboardInterrupt`` and leaves the call running.
        """
        if self._state not in _DONE:
            self._wait(timeout)
        if self._state != FINISHED:
            raise CancelledError()
        if self._phase:
            self._decode()
        if self._exception is not None:
            try:
                raise self._exception
            finally:
                del self  # no cycle of the exception's traceback and this frame
        return self._result  # type: ignore[no-any-return]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the call raised, or None. Waits and raises as ``result``."""
        if self._state not in _DONE:
            self._wait(timeout)
        if self._state != FINISHED:
            raise CancelledError()
        if self._phase:
            self._decode()
        return self._exception

    def cancel(self) -> bool:
        """Ends the call whether it waits or runs; False if it has ended already.

        The future is cancelled at once, for all who wait; its process is ended after that, and calls that
        need its value and have not started are cancelled, too.
        """
        condition = self._condition
        with condition:
            if self._state == FINISHED:
                return False
            if self._state in _DONE:
                return True
            self._state = NOTIFIED
            for watcher in self._watchers or ():
                watcher.add_cancelled(self)
            condition.notify_all()
        if self._link is not None:
            self._link.cancelled(self)
        self._invoke_callbacks()
        return True

    def cancelled(self) -> bool:
        """True if the call was cancelled."""
        return self._state in _DONE and self._state != FINISHED

    def running(self) -> bool:
        """True while the call runs, as far as is known: only calls that take a few milliseconds are
        announced.
        """
        return self._state == RUNNING

    def done(self) -> bool:
        """True if the call has ended, however it ended."""
        return self._state in _DONE

    def add_done_callback(self, fn: Callable[[Future[T]], object]) -> None:
        """Calls ``fn(future)`` when the future is done: on a thread of its own, or at once if it is done
        already.
        """
        if self._link is not None:
            self._link.attend()
        while self._state not in _DONE:
            guard = self._guard
            with guard or _birth:
                if self._guard is guard and self._state not in _DONE:
                    self._done_callbacks.append(fn)
                    return
        try:
            fn(self)
        except Exception:
            _LOGGER.exception("exception calling callback for %r", self)

    @property
    def info(self) -> CallInfo | None:
        """Where and when the call ran; None before its end and for a call that never ran."""
        body = self._body
        if body is None:
            return None
        from swiftlet._outcome import call_info

        return call_info(body, getattr(self._link, "slots", {}))

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio

        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        state = self._state
        text = {PENDING: "pending", RUNNING: "running", FINISHED: "finished"}.get(state, "cancelled")
        if state == FINISHED and not self._phase:
            if self._exception is not None:
                text += f" raised {type(self._exception).__name__}"
            else:
                text += f" returned {type(self._result).__name__}"
        called = f" {self._name}" if self._name else ""
        return f"<Future at {id(self):#x}{called} state={text}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "a future cannot be pickled; as an argument of submit it stands for its value, elsewhere use "
            "result()"
        )

    def __del__(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None and self._ident:
            link.abandoned(self._ident, self._body if self._phase is _UNDECODED else None)

    # For the connection

    def _settle(self, state: str, body: bytes | None = None, error: BaseException | None = None) -> bool:
        """Ends the future; False if it had ended already. Never raises, runs nobody's code but watchers'."""
        with _birth:
            guard = self._guard
            if guard is None:
                if self._state in _DONE:
                    return False
                self._end(state, body, error)
        if guard is not None:
            with guard:
                if self._state in _DONE:
                    return False
                self._end(state, body, error)
                guard.notify_all()
        if self._callbacks is not None:
            _serial.callbacks.run(self._invoke_callbacks)
        return True

    def _is_watched(self) -> bool:
        """True if somebody else waits for the end, or did."""
        return bool(self._watchers or self._callbacks or self._guard)

    def _settle_own(self, body: bytes) -> bool:
        """Ends the future with a value for the calling thread, the only one that waits; False, and it has not
        ended, if it is not the only one, or if the call was said to be running.
        """
        with _birth:
            if self._is_watched() or self._state != PENDING:
                return False
            self._end(FINISHED, body, None)
        return True

    def _end(self, state: str, body: bytes | None, error: BaseException | None) -> None:
        """The change of state itself. A lock is held."""
        if state == FINISHED and error is None:
            self._phase = _UNDECODED
        self._exception = error
        self._body = body
        self._state = state
        for watcher in self._watchers or ():
            try:
                if state == NOTIFIED:
                    watcher.add_cancelled(self)
                elif error is not None or (body is not None and body[0]):
                    watcher.add_exception(self)
                else:
                    watcher.add_result(self)
            except Exception:
                _LOGGER.exception("exception telling a waiter of %r", self)

    def _finish(self, value: Any, error: BaseException | None) -> None:
        """Ends a future that has no call of its own, unless it was cancelled."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            if error is not None:
                self.set_exception(error)
            else:
                self.set_result(value)

    def _started(self) -> None:
        with self._condition:
            if self._state == PENDING:
                self._state = RUNNING

    def _detach(self, error: BaseException) -> None:
        """In a forked child: ends the future there without touching a lock that another thread may have
        held.
        """
        self._guard = None
        self._watchers = None
        self._callbacks = None
        self._link = None
        if self._state not in _DONE:
            self._end(FINISHED, None, error)

    # Inner workings

    def _invoke_callbacks(self) -> None:
        for callback in self._callbacks or ():
            try:
                callback(self)
            except Exception:
                _LOGGER.exception("exception calling callback for %r", self)

    def _wait(self, timeout: float | None) -> None:
        link = self._link
        if link is not None:
            deadline = None if timeout is None else time.monotonic() + timeout
            link.wait_for(self, deadline)
            if self._state in _DONE:
                return
            if deadline is not None:
                timeout = deadline - time.monotonic()
        latch = _Latch()
        while True:
            guard = self._guard
            with guard or _birth:
                if self._guard is guard:  # else it was made just now: once more, under it
                    if self._state in _DONE:
                        return
                    self._waiters.append(latch)
                    break
        try:
            if latch.wait(timeout):
                return
        finally:
            with self._guard or _birth:
                self._waiters.remove(latch)
        if self._state not in _DONE:
            raise FutureTimeoutError()

    def _decode(self) -> None:
        """Turns the bytes into the value or the exception, if that has not been done. One thread does it."""
        token = object()
        loan = None
        try:
            with _birth:
                if self._phase is _UNDECODED:
                    self._phase = token
            if self._phase is not token:
                return self._await_decoding()
            body, link = self._body, self._link
            assert body is not None
            assert link is not None
            self._result, self._exception, loan = link.decode(self, body)
            self._decoded(_NOTHING)
            self._body = _head(body)
        except BaseException:  # Ctrl-C: the next one to ask tries again
            if self._phase is token:
                self._decoded(_UNDECODED)
            raise
        finally:
            if loan is not None and self._phase is _NOTHING:
                loan.settle()

    def _await_decoding(self) -> None:
        """Another thread decodes: waits for it; decodes if it was interrupted."""
        condition = self._condition
        with condition:
            while self._phase is not _NOTHING and self._phase is not _UNDECODED:
                condition.wait()
        if self._phase is _UNDECODED:
            self._decode()

    def _decoded(self, phase: object) -> None:
        with _birth:
            self._phase = phase
            guard = self._guard
        if guard is not None:
            with guard:
                guard.notify_all()


def _head(body: bytes) -> bytes:
    """What ``info`` needs of an outcome that has been decoded."""
    if body[28:30] == b"\0\0":
        return body[:28]
    from swiftlet._outcome import head_with_slot

    return head_with_slot(body)


class _Latch:
    """What one thread waits on in ``result()``: a lock. A condition costs several times as much."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, timeout: float | None) -> bool:
        """False if nothing has happened after ``timeout`` seconds."""
        if timeout is None:
            return self._lock.acquire()
        return self._lock.acquire(True, min(max(0.0, timeout), threading.TIMEOUT_MAX))

    def add_result(self, future: object) -> None:
        """The future is done; so the others."""
        self._lock.release()

    add_exception = add_cancelled = add_result


def is_future(value: object) -> bool:
    """True for every future of the standard library's kind."""
    return isinstance(value, _stdlib.Future)


def reset_after_fork() -> None:
    """In a forked child: no lock is held, whatever the parent's other threads did."""
    global _birth
    _birth = threading.RLock()
