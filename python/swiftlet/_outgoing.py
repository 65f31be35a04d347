# SPDX-License-Identifier: BSD-3-Clause
"""What is on its way to the engine: frames of any number of threads, in order, in few system calls.

Whoever appends also sends, while little is under way (a hop to another thread costs more than the call); else
frames gather, and are sent when they are many, when somebody starts to wait, or by a thread that wakes for
the rest. One thread sends at a time and takes along what others append meanwhile. No lock is held while it
waits for the engine to read. Where too much has gathered, ``append`` waits: that is the back pressure of
``submit``.
"""

from __future__ import annotations

import array
import contextlib
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import NamedTuple, Union

GATHER_FRAMES = 32
GATHER_BYTES = 64 * 1024
ROOM = 1024 * 1024
NOTICE_AFTER = 3.0

_JOIN_LIMIT = 128 * 1024
_FLAGS = (int(socket.MSG_DONTWAIT) | int(socket.MSG_NOSIGNAL),)  # the enumeration's arithmetic takes longer

Buffer = Union[bytes, bytearray, memoryview]


class _Chunk:
    """Bytes that are being sent. ``sent`` is only ever extended by C code, in the same step as the sending
    itself: a Ctrl-C between two bytecodes can never lose count of what is out.
    """

    __slots__ = ("data", "descriptor", "sent")

    def __init__(self, data: Buffer, descriptor: int = -1) -> None:
        self.data = memoryview(data)
        self.descriptor = descriptor
        self.sent: list[int] = []


class _Queue(NamedTuple):
    """What is to be sent. A queue whose frames have become chunks is a new one, put in the place of the old
    in one step: a Ctrl-C between two bytecodes neither loses a frame nor sends it twice.
    """

    gathered: list[Buffer | tuple[Buffer, int]]
    """Frames that nobody has begun to send."""
    chunks: deque[_Chunk]
    """What comes before them, in the hands of the sender."""


class Outgoing:
    """The sending half of a connection. ``late_frames()`` gives what the sending thread sends along whenever
    it wakes.
    """

    def __init__(self, sock: socket.socket, late_frames: Callable[[], bytes]) -> None:
        self.lock = threading.RLock()
        self._socket = sock
        self._late_frames = late_frames
        self._queue = _Queue([], deque())
        self._bytes = 0
        self._sender: object | None = None
        self._sender_thread = 0
        self._room = threading.Condition(self.lock)
        self._waiting_for_room = 0
        self._closed = False
        self._noticed = False
        self.awake = False
        self._never_waits: set[int] = set()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="swiftlet-sender", daemon=True)

    def start(self) -> None:
        """Starts the thread that sends the rest."""
        self._thread.start()
        self._never_waits.add(self._thread.ident or 0)

    def never_waits_on(self, thread: int) -> None:
        """For the thread that reads: nothing it runs may wait for the engine to read."""
        self._never_waits.add(thread)

    # Appending. The caller that needs several frames to stay together holds ``lock``.

    def append(self, frame: Buffer, size: int) -> None:
        """Puts a frame of ``size`` bytes at the end, to be sent with what comes next."""
        self._queue.gathered.append(frame)
        self._bytes += size

    def append_with_descriptor(self, frame: bytes, descriptor: int) -> None:
        """The same with a descriptor, which stays open until the frame is out."""
        with self.lock:
            self._queue.gathered.append((frame, descriptor))
            self._bytes += len(frame)

    def post(self, frame: bytes) -> None:
        """Appends a frame and has it sent soon by the sending thread. Never waits."""
        with self.lock:
            self.append(frame, len(frame))
        self.wake()

    def wake(self) -> None:
        """Wakes the sending thread. For finalisers, too: a ``SimpleQueue`` may be put to anywhere. Unlike a
        write to a pipe it does not give the interpreter away, so that whoever submits much goes on
        submitting.
        """
        if not self.awake:
            self.awake = True
            self._wakes.put(None)

    # Sending

    def waiting(self) -> bool:
        """True if something is not out yet."""
        queue = self._queue
        return bool(queue.gathered or queue.chunks)

    def pressed(self) -> bool:
        """True if enough has gathered to be sent at once."""
        return len(self._queue.gathered) >= GATHER_FRAMES or self._bytes >= GATHER_BYTES

    def flush(self, patient: bool = True) -> None:
        """Sends all there is, or leaves it to the thread that is sending. Waits if the engine does not read,
        or if too much has gathered; unless ``patient`` is false: then the sending thread does the waiting.
        """
        token = object()
        try:
            with self.lock:
                if self._sender is not None:
                    if patient:
                        self._wait_for_room()
                    return
                self._sender, self._sender_thread = token, threading.get_ident()
                if len(self._queue.gathered) == 1 and self._send_single():
                    self._sender = None
                    return
            while self._take():
                self._transmit(patient)
        except BlockingIOError:
            self._sender = None
            self.wake()
        except (OSError, IndexError):
            self.close()  # the engine is gone: the thread that reads sees its end and says so
        except BaseException:  # Ctrl-C: the sending thread goes on where this one stopped
            if self._sender is token:  # no call before this one step: there may be another Ctrl-C
                self._sender = None
            self.wake()
            raise

    def _send_single(self) -> bool:
        """Sends what has gathered, one frame; false if it was not sent as a whole, or is not that simple.
        The lock is held.
        """
        queue = self._queue
        entry = queue.gathered[0]
        if type(entry) is tuple or queue.chunks or self._closed or self._waiting_for_room:
            return False
        chunk = _Chunk(entry)  # type: ignore[arg-type]
        queue = self._queue = _Queue([], deque((chunk,)))
        self._bytes = 0
        try:
            chunk.sent.extend(map(self._socket.send, (chunk.data,), _FLAGS))
        except BlockingIOError:
            return False
        if not chunk.sent or chunk.sent[0] != len(chunk.data):
            return False
        queue.chunks.popleft()
        return True

    def close(self) -> None:
        """Drops what has not been sent; from now on nothing is."""
        with self.lock:
            self._closed = True
            self._drop()
            self._sender = None
            self._room.notify_all()
        self.wake()

    def close_after_fork(self) -> None:
        """In a forked child: forgets the locks of the parent's threads, and sends nothing."""
        self.lock = threading.RLock()
        self._room = threading.Condition(self.lock)
        self._closed = True
        self.awake = True

    def _drop(self) -> None:
        self._queue.gathered.clear()
        self._queue.chunks.clear()
        self._bytes = 0

    def _wait_for_room(self) -> None:
        """Waits while another thread sends and a lot has gathered. The lock is held."""
        me = threading.get_ident()
        while (
            self._bytes > ROOM
            and self._sender is not None
            and self._sender_thread != me
            and me not in self._never_waits
            and not self._closed
        ):
            self._waiting_for_room += 1
            try:
                self._room.wait()
            finally:
                self._waiting_for_room -= 1

    def _take(self) -> bool:
        """Makes chunks of what has gathered. False, and nobody sends any more, if there is nothing."""
        with self.lock:
            queue = self._queue
            if self._closed:
                self._drop()
            if not (queue.gathered or queue.chunks):
                self._sender = None
                self._room.notify_all()
                return False
            self._queue = _Queue([], deque((*queue.chunks, *_chunks(queue.gathered))))
            self._bytes = 0
            self._room.notify_all()
            return True

    def _transmit(self, patient: bool) -> None:
        """Sends the chunks, waiting for the engine to read where it has to; ``BlockingIOError`` if not
        patient.
        """
        chunks = self._queue.chunks
        send = self._socket.send
        while chunks:
            chunk = chunks[0]
            out = sum(chunk.sent)
            if out == len(chunk.data):
                chunks.popleft()
                continue
            try:
                if chunk.descriptor >= 0 and not chunk.sent:
                    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (chunk.descriptor,)))
                    chunk.sent.extend(
                        map(self._socket.sendmsg, ((chunk.data,),), ((rights,),), (socket.MSG_DONTWAIT,))
                    )
                else:
                    rest = chunk.data[out:] if out else chunk.data
                    chunk.sent.extend(map(send, (rest,), _FLAGS))
            except BlockingIOError:
                if not patient:
                    raise
                self._wait_until_read()

    def _wait_until_read(self) -> None:
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if self._noticed:
            poll.poll()
        elif not poll.poll(NOTICE_AFTER * 1000):
            self.notice_waiting()
            poll.poll()

    def notice_waiting(self) -> None:
        """Says once that submit waits."""
        if not self._noticed:
            self._noticed = True
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sys.stderr.write(
                    "swiftlet: the engine takes no more calls for now (its memory budget is used up, or "
                    "it is stopped); submit waits until it does\n"
                )

    def _loop(self) -> None:
        while not self._closed:
            self._wakes.get()
            self.awake = False
            with self.lock:
                late = self._late_frames()
                if late:
                    self.append(late, len(late))
            self.flush()


def _chunks(gathered: Sequence[Buffer | tuple[Buffer, int]]) -> list[_Chunk]:
    """Joins neighbours that are small; large buffers and frames with a descriptor stay by themselves."""
    chunks: list[_Chunk] = []
    small: list[Buffer] = []

    def join() -> None:
        if small:
            chunks.append(_Chunk(small[0] if len(small) == 1 else b"".join(small)))
            small.clear()

    for entry in gathered:
        if type(entry) is tuple:
            join()
            chunks.append(_Chunk(entry[0], entry[1]))
        elif len(entry) >= _JOIN_LIMIT:
            join()
            chunks.append(_Chunk(entry))  # type: ignore[arg-type]
        else:
            small.append(entry)  # type: ignore[arg-type]
    join()
    return chunks
