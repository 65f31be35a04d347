# SPDX-License-Identifier: BSD-3-Clause
"""What comes from the engine, and who reads it.

Whoever waits for the only call that is under way reads the socket itself: a hop to another thread costs more
than the call. In every other case (several calls, callbacks, ``wait``, ``await``, nobody waits) a thread of
this module reads. One thread reads at a time: the one that has the turn. A thread that reads for itself
settles nothing but its own future; all else it leaves to the reading thread, and rings for it.

The reading thread stands back while others read for themselves, so that it does not wake for each of their
calls; a few milliseconds after the last of them, or when somebody rings, it watches the socket again.

Ctrl-C may interrupt a thread that reads for itself between any two steps. So a message is appended to
``arrived`` in the same step in which it is received, and taken away only after its future has ended; what is
half done then is done again by the reading thread, which finds the future ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from swiftlet import _wire

if TYPE_CHECKING:
    from swiftlet._futures import Future

STAND_BACK_MS = 5

_HEADER_SIZE = _wire.HEADER.size
_WITHOUT_WAITING = (False,)
_GOT = [True]
_END_OF_FILE: _wire.Message = (b"", [], 0, None)


class SharedReader(_wire.FrameReader):
    """A frame reader whose messages are received by one thread and may be cut into frames by another."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.arrived: deque[_wire.Message] = deque()

    def fetch(self) -> None:
        """Receives what is there, if anything is; nothing of it can be lost by an interruption. ``OSError``
        if the connection is broken.
        """
        try:
            self.arrived.extend(map(self._socket.recvmsg, *self.receive_arguments()))
        except BlockingIOError:
            return
        except ConnectionResetError:  # it ended with something of ours unread; all it said came before this
            self.arrived.append(_END_OF_FILE)

    def only_frame(self) -> tuple[int, int, bytes] | None:
        """(type, id, body) if all that is there is one whole frame without descriptors."""
        if len(self.arrived) != 1 or self._have or self._offset != len(self._data):
            return None
        data, ancillary, _, _ = self.arrived[0]
        if ancillary or len(data) < _HEADER_SIZE:
            return None
        word, ident = _wire.HEADER.unpack_from(data)
        if len(data) - _HEADER_SIZE != word >> 16:
            return None
        return word & 0xFF, ident, data[_HEADER_SIZE:]

    def absorb(self) -> bool:
        """Takes in the oldest message. False at end of file."""
        return self.add(self.arrived.popleft())


class Owner(Protocol):
    """What the connection does with what arrives."""

    def handle(self, frames: Iterator[tuple[int, int, int, _wire.Buffer]]) -> None:
        """Does what the frames say. On the reading thread."""

    def settle_own(self, future: Future[Any], body: bytes) -> bool:
        """Ends the future of a thread that reads for itself; false if that is left to the reading thread."""

    def stream_ended(self, reason: str) -> None:
        """No frame will come any more. On the reading thread, once."""


class Incoming:
    """The receiving half of a connection."""

    def __init__(self, sock: socket.socket, reader: SharedReader, owner: Owner) -> None:
        self._reader = reader
        self._owner = owner
        self._turn = threading.Lock()
        self._turns = 0
        self._reads_for: Future[Any] | None = None
        self._interrupt = _Bell()
        self._own_watch = _watch(sock.fileno(), self._interrupt.descriptor)
        self._bell = _Bell()
        self._watch = _watch(sock.fileno(), self._bell.descriptor)
        self._ring = _watch(self._bell.descriptor)
        self._wanted = False
        self._stands_back = False
        self._sleeps = False
        self._thread = threading.Thread(target=self._serve, name="swiftlet-reader", daemon=True)

    def start(self) -> int:
        """Starts the reading thread; its ident."""
        self._thread.start()
        return self._thread.ident or 0

    # For threads that wait

    def read_for(self, future: Future[Any], deadline: float | None) -> None:
        """Reads until the future is done, the deadline (monotonic seconds) has passed, or something arrives
        that is left to the reading thread. Returns at once if another thread reads.
        """
        got: list[bool] = []
        try:
            got.extend(map(self._turn.acquire, _WITHOUT_WAITING))  # one step, as in `fetch`
            if got[0]:
                self._turns += 1
                self._wanted = False
                self._reads_for = future
                self._read_until_done(future, deadline)
        except OSError:  # the reading thread meets it, too, and knows what to do
            self._bell.ring()
        finally:
            if got == _GOT:
                self._reads_for = None
                try:
                    self._turn.release()
                finally:
                    self._give_up_turn()

    def _read_until_done(self, future: Future[Any], deadline: float | None) -> None:
        reader = self._reader
        while not (future.done() or reader.arrived):
            if not self._wait(deadline):
                return
            reader.fetch()
            frame = reader.only_frame()
            if frame is not None and frame[0] == _wire.OUTCOME and frame[1] == future._ident:
                if not self._owner.settle_own(future, frame[2]):
                    return
                reader.arrived.popleft()

    def _give_up_turn(self) -> None:
        """Rings if the reading thread has a reason to look, or cannot know that the turn is free."""
        if self._sleeps or self._reader.arrived or (self._stands_back and self._wanted):
            self._bell.ring()

    def _wait(self, deadline: float | None) -> bool:
        """False if the deadline has passed. True for a reason to look: bytes, an interruption, an end."""
        if deadline is None:
            ready = self._own_watch.poll()
        else:
            ready = self._own_watch.poll(max(0.0, deadline - time.monotonic()) * 1000)
        for descriptor, _ in ready:
            if descriptor == self._interrupt.descriptor:
                self._interrupt.clear()
        return bool(ready)

    def ended_otherwise(self, future: Future[Any]) -> None:
        """The future has ended without an outcome: who reads for it has to see that."""
        if self._reads_for is future:
            self._interrupt.ring()

    def attend(self) -> None:
        """Somebody waits for what only the reading thread can tell. For any thread, finalisers too."""
        self._wanted = True
        if self._stands_back or (self._reader.arrived and not self._turn.locked()):
            self._bell.ring()

    # The reading thread

    def _serve(self) -> None:
        reason = ""
        try:
            while self._take_turn():
                for descriptor, _ in self._watch.poll():
                    if descriptor == self._bell.descriptor:
                        self._bell.clear()
                if self._turn.locked():
                    self._stand_back()
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
        self._owner.stream_ended(reason)

    def _take_turn(self) -> bool:
        """Reads and handles what there is, unless another thread reads. False at the end of the stream; from
        then on nobody gets the turn.
        """
        if not self._turn.acquire(False):
            return True
        reader = self._reader
        if not reader.arrived:
            reader.fetch()
        while True:
            self._owner.handle(reader.frames())
            if not reader.arrived:
                self._turn.release()
                return True
            if not reader.absorb():
                return False

    def _stand_back(self) -> None:
        """Waits until no thread has read for itself for a while, or somebody rings."""
        turns = -1
        self._stands_back = True
        while self._turn.locked() or not (self._wanted or self._reader.arrived or turns == self._turns):
            turns = self._turns
            if self._ring.poll(STAND_BACK_MS):
                break
            if turns == self._turns and self._turn.locked():
                self._sleep()
        self._sleeps = self._stands_back = False

    def _sleep(self) -> None:
        """Waits for the ring of a thread that has had the turn for long."""
        self._sleeps = True
        if self._turn.locked():  # else it is gone, and may not have seen that it has to ring
            self._ring.poll()

    def close_after_fork(self) -> None:
        """In a forked child: the threads are the parent's, and so are the bells."""
        self._bell.close()
        self._interrupt.close()
        self._reads_for = None
        self._stands_back = False


class _Bell:
    """Wakes a thread out of ``poll``. Ringing never waits and may be done anywhere. Closed when nobody can
    ring it any more.
    """

    def __init__(self) -> None:
        self.descriptor, self._end = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._end, False)

    def ring(self) -> None:
        with contextlib.suppress(OSError):  # full: it has been rung often enough
            os.write(self._end, b"\0")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while len(os.read(self.descriptor, 4096)) == 4096:
                pass

    def close(self) -> None:
        end, self._end = self._end, -1
        if end >= 0:
            os.close(end)
            os.close(self.descriptor)

    __del__ = close


def _watch(*descriptors: int) -> select.poll:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return poll
