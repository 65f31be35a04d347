# SPDX-License-Identifier: BSD-3-Clause
"""The connection of one executor to its engine: the client's half of the protocol.

Threads: whoever submits sends (``_outgoing``); whoever waits for the only call under way, else one thread,
reads (``_incoming``) and only hands on: outcomes become bytes in their futures, callbacks and output go to
threads of their own. The reading thread never sends and never waits.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from swiftlet import _exit, _outcome, _wire
from swiftlet._engine_process import EngineProcess
from swiftlet._futures import FINISHED, NOTIFIED, Future
from swiftlet._incoming import Incoming, SharedReader
from swiftlet._inquiries import Inquiries
from swiftlet._leftovers import Leftovers
from swiftlet._outgoing import NOTICE_AFTER, Outgoing
from swiftlet._output import OutputWriter
from swiftlet._segments import Loan, SegmentConsumer, SegmentProducer
from swiftlet._wire import AttributeValue, Part

SEND_AT_ONCE = 4
END_SECONDS = 15.0

_SUBMIT = struct.Struct("<QQIHHQQ")
_SUBMIT_FIXED = _SUBMIT.size - _wire.HEADER.size
_NO_ROOM = 2
_SIZE = struct.Struct("<Q")

Settings = Mapping[str, AttributeValue]


class Connection:
    """One engine process and everything that is under way to and from it."""

    leaves = False
    """It goes before its calls have ended; they go on."""

    def __init__(self, version: str) -> None:
        """Starts an engine and shakes hands. ``EngineDiedError`` if that fails."""
        self.tasks: dict[int, Future[Any]] = {}
        self.places: dict[int, tuple[str, str]] = {}
        """(directory, key) of the calls that have a place in a store and whose futures exist."""
        self.started = 0
        self.slots: dict[int, str] = {}
        self.ended = threading.Event()
        self.full = False
        self._has_room = threading.Event()
        self.consumer = SegmentConsumer()
        self.on_event: Callable[[int, bytes], None] | None = None
        self.job_submissions: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        """Jobs that the engine has its client submit; None after the last."""
        self.on_outcome: Callable[[int], None] | None = None
        self.resolved: Callable[[int], BaseException | None] | None = None
        self._failure: BaseException | None = None
        self._farewell: str | None = None
        self._closing = False
        self._orphaned = False
        self._abandoned = False
        self._next_task = 1
        self._next_blob = 1
        self._next_request = 1
        self._inquiries = Inquiries()
        self._leftovers = Leftovers(self.consumer, self._wake_sender)
        self._failed: dict[int, weakref.ref[Future[Any]]] = {}
        self._engine = EngineProcess()
        self._reader = SharedReader(self._engine.socket)
        origin = self._engine.greet(self._reader, version)
        self.outgoing = Outgoing(self._engine.socket, self._late_frames)
        self._incoming = Incoming(self._engine.socket, self._reader, self)
        self.output = OutputWriter(self._acknowledge_output)
        self.producer = SegmentProducer(origin, self.outgoing.append_with_descriptor, self._tell)

    def start(self, settings: Settings) -> None:
        """Sends CONFIGURE, after the blobs and requests it names, and begins to work."""
        with self.outgoing.lock:
            self._append(_wire.CONFIGURE, 0, _wire.pack_attributes(settings))
        _exit.register(self)
        self.outgoing.start()
        self.outgoing.never_waits_on(self._incoming.start())
        self.outgoing.flush()

    @property
    def engine_pid(self) -> int:
        """The process id of the engine."""
        return self._engine.process.pid

    # What executors ask for

    def wait_for_room(self) -> None:
        """Waits while the arguments of calls that have not ended fill the engine's budget."""
        self._incoming.attend()
        if not self._has_room.wait(NOTICE_AFTER):
            self.outgoing.notice_waiting()
            self._has_room.wait()

    def _set_full(self, full: bool) -> None:
        self.full = full
        if full:
            self._has_room.clear()
        else:
            self._has_room.set()

    def new_blob(self, data: bytes) -> int:
        """Sends bytes that many calls will name; their number."""
        with self.outgoing.lock:
            ident = self._next_blob
            self._next_blob = ident + 1
            self._append(_wire.BLOB, ident, data)
            return ident

    def forget_blob(self, ident: int) -> None:
        """No later call names the blob."""
        with self.outgoing.lock:
            self._append(_wire.FORGET, ident, b"")

    def new_request(self, settings: Settings) -> int:
        """Sends the resources that calls ask for; their number."""
        with self.outgoing.lock:
            ident = self._next_request
            self._next_request = ident + 1
            self._append(_wire.REQUEST, ident, _wire.pack_attributes(settings))
            return ident

    def append_call(
        self,
        request: int,
        context: int,
        function: int,
        inputs: Sequence[int] | None,
        parts: list[Part],
        name: str,
        entry: bytes = b"",
        future: Future[Any] | None = None,
    ) -> Future[Any]:
        """Puts a call among what is to be sent; ``send`` follows. The caller holds ``outgoing.lock``.

        ``entry``: its place in a store (``_wire.pack_entry``). ``future``: the one that was made for it
        before.
        """
        if self._closing or self._failure is not None:
            self.check_open()
        if future is None:
            future = Future(self, name)
        payload = _wire.pack_payload(parts)
        if inputs:
            payload = struct.pack(f"<{len(inputs)}Q", *inputs) + payload
        size = len(payload)
        ident = self._next_task
        word = (_SUBMIT_FIXED + size) << 16 | _wire.SUBMIT
        head = _SUBMIT.pack(word, ident, request, 2, len(inputs) if inputs else 0, context, function)
        self._next_task = ident + 1
        if entry:
            word = (_SUBMIT_FIXED + size + len(entry)) << 16 | _wire.SUBMIT_ENTRY
            head = _wire.HEADER.pack(word, ident) + entry + head[_wire.HEADER.size :]
        future._ident = ident
        self.outgoing.append(head + payload, len(head) + size)
        self.tasks[ident] = future  # after that: what a Ctrl-C keeps from being sent would never end
        return future

    def send(self) -> None:
        """Sends at once while little is under way, else when enough has gathered."""
        outgoing = self.outgoing
        if len(self.tasks) <= SEND_AT_ONCE or outgoing.pressed():
            outgoing.flush()
        elif not outgoing.awake:
            outgoing.wake()

    def new_external(self) -> int:
        """Declares a task that ends when ``resolve`` is called; its number."""
        with self.outgoing.lock:
            self.check_open()
            ident = self._next_task
            self._next_task = ident + 1
            self._append(_wire.EXTERNAL, ident, b"")
            return ident

    def resolve(self, ident: int, kind: int, parts: list[Part]) -> None:
        """Ends a task that was declared by ``new_external``."""
        with self.outgoing.lock:
            self._append(_wire.RESOLVE, ident, bytes((kind,)) + _wire.pack_payload(parts))
        self.producer.sent(parts)
        self.outgoing.flush()

    def cancel_if_waiting(self, future: Future[Any]) -> None:
        """Ends the call only if it has not started; its future ends either way as the engine says."""
        if not future.done():
            self.outgoing.post(_wire.frame(_wire.CANCEL, future._ident, b"", 1))

    def resize(self, workers: int) -> None:
        """Sets the number of warm workers."""
        self.outgoing.post(_wire.frame(_wire.RESIZE, workers))

    def subscribe(self, on: bool) -> None:
        """Has the engine send its events, or no more of them."""
        self.outgoing.post(_wire.frame(_wire.SUBSCRIBE, int(on)))

    def inquire(self, kind: int, ident: int, answer: int, body: bytes = b"") -> bytes:
        """Sends a question and waits for its answer. ``EngineDiedError`` if none will come."""
        if kind in (_wire.STATUS, _wire.DESCRIBE):
            ident = self._inquiries.number()
        inquiry = self._inquiries.ask(answer, ident)
        with self.outgoing.lock:
            self._append(kind, ident, body)
        self.outgoing.flush()
        self._incoming.attend()
        inquiry.answered.wait()
        if inquiry.answer is None:
            raise self._failure or RuntimeError("the executor has been shut down")
        return inquiry.answer

    def check_open(self) -> None:
        """Raises what there is to say if no call can be submitted any more."""
        if self._failure is not None:
            raise self._failure
        if self._closing:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def shut_down(self, cancel: bool) -> None:
        """No call follows; the engine ends when all have ended. ``cancel``: those that have not started,
        now.
        """
        with self.outgoing.lock:
            if self.ended.is_set() or (self._closing and not cancel):
                return
            self._closing = True
            self._append(_wire.SHUTDOWN, 0, b"", int(cancel))
        self.outgoing.wake()
        self._incoming.attend()

    def end_at_exit(self) -> None:
        """The interpreter exits: what was submitted is finished."""
        self.shut_down(False)

    def orphan(self) -> None:
        """``shut_down(False)`` for finalisers: takes no lock."""
        self._orphaned = True
        self._wake_sender()

    def abandon(self) -> None:
        """Ends everything at once; open futures are cancelled."""
        self._closing = self._abandoned = True
        with contextlib.suppress(OSError):
            self._engine.socket.shutdown(2)
        self._incoming.attend()

    # What futures ask for

    def decode(self, future: Future[Any], body: bytes) -> tuple[Any, BaseException | None, Loan | None]:
        """See ``_outcome.decode``. The loan is to be settled when the outcome has been kept."""
        if _outcome.is_small(body):  # most are
            value, error = _outcome.decode_small(body)
            return value, error, None
        task = f"task {future._ident} ({future._name})"
        loan = Loan(self.consumer)
        value, error = _outcome.decode(body, task, loan, self._error_of)
        return value, error, loan

    def cancelled(self, future: Future[Any]) -> None:
        """The future has been cancelled: ends its call. Never waits."""
        if self.tasks.pop(future._ident, None) is not None:
            self.outgoing.post(_wire.frame(_wire.CANCEL, future._ident))
            self._incoming.ended_otherwise(future)

    def abandoned(self, ident: int, body: bytes | None) -> None:
        """Nobody refers to a task any more; ``body``: its outcome if nobody has looked at it. For
        finalisers.
        """
        self._failed.pop(ident, None)
        self.places.pop(ident, None)
        self._leftovers.release(ident)
        if body is not None:
            self._leftovers.drop(body)

    def wait_for(self, future: Future[Any], deadline: float | None) -> None:
        """Somebody is going to wait for the future: what has gathered goes out, and where nothing else is
        under way the calling thread reads until the future is done. It may return before that.
        """
        if self.outgoing.waiting():
            self.outgoing.flush(patient=False)
        if len(self.tasks) == 1 and future._ident in self.tasks and not future._is_watched():
            self._incoming.read_for(future, deadline)

    def attend(self) -> None:
        """Somebody waits for a future by a latch, a callback or whatever."""
        if self.outgoing.waiting():
            self.outgoing.wake()
        self._incoming.attend()

    # Sending

    def _append(self, kind: int, ident: int, body: bytes, flags: int = 0) -> None:
        frame = _wire.frame(kind, ident, body, flags)
        self.outgoing.append(frame, len(frame))

    def _tell(self, frame: bytes) -> None:
        with self.outgoing.lock:
            self.outgoing.append(frame, len(frame))

    def _acknowledge_output(self, count: int) -> None:
        self.outgoing.post(_wire.frame(_wire.OUTPUT_ACK, count))

    def _wake_sender(self) -> None:
        self.outgoing.wake()

    def _late_frames(self) -> bytes:
        """What finalisers left behind, once it is worth a frame."""
        frames = self._leftovers.frames()
        if self._orphaned and not self._closing:
            self._closing = True
            frames.append(_wire.frame(_wire.SHUTDOWN, 0))
        return b"".join(frames)

    # What arrives. On the reading thread, but for ``settle_own``

    def handle(self, frames: Iterator[tuple[int, int, int, _wire.Buffer]]) -> None:
        """Does what the frames say. Never sends, never waits."""
        tasks = self.tasks
        for kind, flags, ident, body in frames:
            if kind == _wire.OUTCOME:
                future = tasks.pop(ident, None)
                data = body if type(body) is bytes else bytes(body)
                if future is None:
                    self._leftovers.drop(data)  # it crossed the cancel of its task
                    continue
                self._settle(future, data)
                del future
            else:
                self._handle(kind, flags, ident, body)

    def settle_own(self, future: Future[Any], body: bytes) -> bool:
        """Ends a future whose only waiter is the calling thread; false if that is left to the reading thread.
        After an interruption within this the outcome is handled once more, by ``handle``.
        """
        if not _outcome.is_small(body) or self.on_outcome is not None:
            return False
        if not future._settle_own(body):
            return False
        self.tasks.pop(future._ident, None)
        return True

    def _settle(self, future: Future[Any], body: bytes) -> None:
        kind = body[0]
        if self.on_outcome is not None:
            self.on_outcome(_outcome.payload_size(body))
        if future._state == "RUNNING":
            self.started -= 1
        if kind == _wire.KIND_VALUE:
            settled = future._settle(FINISHED, body)
        elif kind == _wire.KIND_CANCELLED:
            settled = future._settle(NOTIFIED, body)
        else:
            self._failed[future._ident] = weakref.ref(future)
            settled = future._settle(FINISHED, body)
        if not settled:
            self._leftovers.drop(body)

    def _handle(self, kind: int, flags: int, ident: int, body: _wire.Buffer) -> None:
        if kind == _wire.STARTED:
            future = self.tasks.get(ident)
            if future is not None:
                self.started += 1
                future._started()
        elif kind == _wire.OUTPUT:
            self.output.put(ident, flags, bytes(body))
        elif kind == _wire.SEGMENT:
            self.consumer.add(ident, _SIZE.unpack(body)[0], self._reader.descriptors.popleft())
        elif kind == _wire.RETIRE:
            self.consumer.retire(ident)
        elif kind == _wire.REUSE:
            self.producer.reuse(ident)
        elif kind == _wire.BUDGET:
            self.producer.set_budget(ident)
            self._set_full(ident >= _NO_ROOM)
        elif kind in (_wire.EXPLANATION, _wire.STATUS_IS, _wire.DRY_RUN_IS, _wire.DESCRIBED):
            self._inquiries.answered(kind, ident, bytes(body))
        elif kind == _wire.WORKER:
            self.slots[ident] = _outcome.slot_words(body)
        elif kind == _wire.EVENT:
            if self.on_event is not None:
                self.on_event(ident, bytes(body))
        elif kind == _wire.FLUX_SUBMIT:
            self.job_submissions.put((ident, bytes(body)))
        elif kind == _wire.GOODBYE:
            self._farewell = bytes(body).decode(errors="replace")
        elif kind != _wire.SEAL:
            raise _wire.ProtocolError(f"the engine sent a frame of unknown type {kind}")

    # The end

    def stream_ended(self, reason: str) -> None:
        """The connection has ended: every open future ends, and so do the threads and the process."""
        self._engine.socket.close()
        if self.leaves:
            self._engine.forget()
        else:
            self._engine.wait(END_SECONDS)
        expected = self._farewell == "" and not self.tasks and not reason
        with self.outgoing.lock:
            if self._abandoned:
                self._failure = RuntimeError("cannot schedule new futures after shutdown")
            elif self._farewell and not reason:
                self._failure = self._engine.gave_up(self._farewell)
            elif not expected:
                self._failure = self._engine.died(reason or "the engine died")
            self._closing = True
        self._set_full(False)
        self.outgoing.close()
        while self.tasks:
            _, future = self.tasks.popitem()
            if self._abandoned:
                future._settle(NOTIFIED)
            else:
                future._settle(FINISHED, None, self._failure)
            del future
        self._inquiries.close()
        self.job_submissions.put(None)
        if self.on_event is not None:
            self.on_event(0, b"")
        self.output.stop()
        self._engine.close()
        self.ended.set()
        _exit.forget(self)

    def forked(self) -> None:
        """In a forked child: all of this belongs to the parent. Nothing here waits or says anything."""
        parent = os.getppid()
        error = RuntimeError(
            f"this executor belongs to process {parent}, which forked this one; make an executor of its own "
            "here"
        )
        self._failure = error
        self._closing = True
        self.outgoing.close_after_fork()
        self._incoming.close_after_fork()
        self._inquiries.close()
        self._engine.forget()
        for future in list(self.tasks.values()):
            future._detach(error)
        self.tasks.clear()
        self.ended = threading.Event()
        self.full = False
        self._has_room = threading.Event()
        self.ended.set()

    def _error_of(self, ident: int) -> BaseException | None:
        """The exception of a failed task, if its future (or the foreign future it stands for) is still
        alive.
        """
        reference = self._failed.get(ident)
        future = reference() if reference is not None else None
        if future is not None:
            return future.exception()
        return self.resolved(ident) if self.resolved is not None else None
