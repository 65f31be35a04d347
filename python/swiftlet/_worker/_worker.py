# SPDX-License-Identifier: BSD-3-Clause
"""The worker: takes calls from the engine's connection one after the other and answers each.

One thread, the main one, reads and writes the connection. Finalisers of shared memory only append to a queue
that is sent with the next answer.
"""

from __future__ import annotations

import os
import signal
import struct
from collections import deque
from time import monotonic_ns
from typing import NamedTuple, NoReturn

from swiftlet import _wire
from swiftlet._current import set_running
from swiftlet._payload import discard, dump_error
from swiftlet._segments import InlineProducer, SegmentConsumer, SegmentProducer
from swiftlet._version import __version__
from swiftlet._wire import Part, Stream
from swiftlet._worker import _ending
from swiftlet._worker._blobs import Blobs
from swiftlet._worker._calls import Calls

WRONG_VERSION = 86

_CALL = struct.Struct("<IHHQQ")
_COUNT = struct.Struct("<H")
_SIZE = struct.Struct("<Q")
_ONLY_CALL = 1
_SHORT_NANOSECONDS = 200_000
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Waiting(NamedTuple):
    """A call that has arrived and has not been started."""

    task: int
    attempt: int
    deadline: float | None
    last: bool
    context: int
    function: int
    arguments: list[Part]
    inputs: list[list[Part]]


def run_on(sock: Stream) -> NoReturn:
    """Works until the engine says END, a fresh call has ended, or the engine is gone; never returns."""
    try:
        reader = _wire.FrameReader(sock)
        Worker(sock, reader, greet(sock, reader)).run()
    except Exception:  # no call's: those are caught where they run
        import traceback

        traceback.print_exc()
        os._exit(1)


def greet(sock: Stream, reader: _wire.FrameReader) -> int:
    """Exchanges HELLO. The number under which this worker creates segments; 0: it creates none."""
    attributes: dict[str, _wire.AttributeValue] = {
        "role": "worker",
        "version": __version__,
        "pid": os.getpid(),
    }
    if "SLURM_STEP_ID" in os.environ:
        attributes["step"] = f"{os.environ.get('SLURM_JOB_ID')}.{os.environ['SLURM_STEP_ID']}"
    hello = _wire.pack_attributes(attributes)
    try:
        sock.sendall(_wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, hello))
    except OSError:
        engine_gone()
    while True:
        for kind, _, ident, body in reader.frames():
            if kind != _wire.HELLO:
                raise _wire.ProtocolError(f"the engine began with a frame of type {kind}")
            return origin_in(ident, body)
        if not reader.receive():
            engine_gone()


def origin_in(version: int, body: _wire.Buffer) -> int:
    """What HELLO of the engine says: the number under which this worker creates segments; 0: none."""
    if version != _wire.PROTOCOL_VERSION:
        os._exit(WRONG_VERSION)
    attributes = _wire.unpack_attributes(body)[0]
    origin = attributes.get("origin")
    return origin if isinstance(origin, int) and attributes.get("segments", 1) else 0


def engine_gone() -> NoReturn:
    """Nobody is left who wants an answer: ends at once."""
    os._exit(0)


class Worker:
    """The state of one worker process."""

    def __init__(self, sock: Stream, reader: _wire.FrameReader, origin: int) -> None:
        self._socket = sock
        self._reader = reader
        self._pid = os.getpid()
        self._waiting: deque[Waiting] = deque()
        self._ending = False
        self._outgoing: list[bytes] = []
        self._consumer = SegmentConsumer()
        self._producer: SegmentProducer
        self.produce_as(origin)
        self._blobs = self.make_blobs()
        self._calls = self.make_calls(self._blobs, self._consumer)

    def greeted(self, version: int, body: _wire.Buffer) -> None:
        """HELLO arrived, which the worker did not wait for."""
        self.produce_as(origin_in(version, body))

    def produce_as(self, origin: int) -> None:
        """Creates segments under this number; 0: none."""
        if origin:
            self._producer = SegmentProducer(origin, self._announce, self._outgoing.append)
        else:
            self._producer = InlineProducer()

    def make_blobs(self) -> Blobs:
        """Where blobs are kept."""
        return Blobs()

    def make_calls(self, blobs: Blobs, consumer: SegmentConsumer) -> Calls:
        """Who runs the calls."""
        return Calls(blobs, consumer)

    def run(self) -> NoReturn:
        """The loop; ends the process."""
        os.register_at_fork(after_in_child=self._socket.close)  # what a call forks is not this worker
        self.handle_frames()  # what came together with HELLO
        while True:
            if not self._reader.receive(block=not self._waiting and not self._ending):
                engine_gone()
            # The engine relies on it: RECALL that lies there is read before the next call starts.
            while self._reader.more:
                if not self._reader.receive(block=False):
                    engine_gone()
            self.handle_frames()
            if self._ending:
                self.finish()
            if self._waiting:
                self.answer(self._waiting.popleft())

    def handle_frames(self) -> None:
        """Does what the frames say that have arrived; calls only wait."""
        for kind, flags, ident, body in self._reader.frames():
            if kind == _wire.CALL:
                self._waiting.append(_unpack_call(ident, flags, body))
            elif kind == _wire.BLOB:
                self._blobs.add(ident, bytes(body))
            elif kind == _wire.FORGET:
                self._blobs.forget(ident)
            elif kind == _wire.RECALL:
                self._recall(ident)
            elif kind == _wire.END:
                self._ending = True
            elif kind == _wire.INIT:
                self._initialise(ident, body)
            elif kind == _wire.SEGMENT:
                self._consumer.add(ident, _SIZE.unpack_from(body)[0], self._reader.descriptors.popleft())
            elif kind == _wire.RETIRE:
                self._consumer.retire(ident)
            elif kind == _wire.REUSE:
                self._producer.reuse(ident)
            elif kind == _wire.BUDGET:
                self._producer.set_budget(ident)
            elif kind == _wire.GOODBYE:
                engine_gone()
            elif kind == _wire.HELLO:
                self.greeted(ident, body)
            else:
                raise _wire.ProtocolError(f"a worker knows no frame of type {kind}")

    def _initialise(self, index: int, body: _wire.Buffer) -> None:
        (count,) = _COUNT.unpack_from(body)
        blobs = struct.unpack_from(f"<{count}Q", body, _COUNT.size)
        try:
            self._calls.initialise(index, blobs)
        except (SystemExit, KeyboardInterrupt) as stop:
            self._stop(stop)
        except BaseException as error:
            self._check_process(error)
            parts = self.dump_error(error)
            answer = _wire.frame(_wire.INIT_FAILED, 0, _wire.pack_payload(parts))
        else:
            self._check_process(None)
            parts = []
            answer = _wire.frame(_wire.READY, 0)
        _ending.flush_output()
        self.send(answer, parts)

    def answer(self, call: Waiting) -> None:
        """Runs a call and sends its RESULT, and with it what the call no longer holds."""
        begun = monotonic_ns()
        try:
            kind, parts = self._run_call(call)
        except (SystemExit, KeyboardInterrupt) as stop:
            self._stop(stop)
        body = bytes((kind,)) + _wire.pack_payload(parts)
        _ending.flush_output()
        flags = _wire.SHORT if monotonic_ns() - begun < _SHORT_NANOSECONDS else 0
        self.send(_wire.frame(_wire.RESULT, call.task, body, flags), parts)
        if call.last:
            self.finish()

    def _run_call(self, call: Waiting) -> tuple[int, list[Part]]:
        """The outcome as a payload. Nothing of the call's arguments is referred to when this has returned."""
        set_running((call.task, call.attempt, call.deadline))
        try:
            parts = self._calls.run(call.context, call.function, call.arguments, call.inputs, self._producer)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._check_process(error)
            return _wire.KIND_ERROR, self.dump_error(error)
        finally:
            set_running(None)
        self._check_process(None)
        return _wire.KIND_VALUE, parts

    def dump_error(self, error: BaseException) -> list[Part]:
        """The payload of what a call raised."""
        return dump_error(without_own_frames(error), self._producer)

    def _recall(self, task: int) -> None:
        for call in self._waiting:
            if call.task == task:
                self._waiting.remove(call)
                self._give_back(call)
                return

    def _give_back(self, call: Waiting) -> None:
        for parts in (call.arguments, *call.inputs):
            discard(parts, self._consumer)
        self.send(_wire.frame(_wire.RECALLED, call.task))

    def _check_process(self, error: BaseException | None) -> None:
        """Ends a process that the call forked and let return here: it is not the worker."""
        if os.getpid() != self._pid:
            if error is not None:
                import traceback

                traceback.print_exception(type(error), error, error.__traceback__)
            _ending.flush_output()
            os._exit(0 if error is None else 1)

    def _stop(self, stop: BaseException) -> NoReturn:
        """The call ended the interpreter."""
        if os.getpid() != self._pid:
            _ending.flush_output()
            os._exit(_ending.exit_status(stop))
        if isinstance(stop, KeyboardInterrupt):
            _ending.run_exit_handlers()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        status = _ending.exit_status(stop)
        _ending.run_exit_handlers()
        os._exit(status)

    def finish(self) -> NoReturn:
        """No further call: gives back what waits and ends as an interpreter does."""
        self.give_back_all()
        _ending.run_exit_handlers()
        os._exit(0)

    def give_back_all(self) -> None:
        """Gives back the calls that have not been started."""
        while self._waiting:
            self._give_back(self._waiting.popleft())

    def _announce(self, frame: bytes, descriptor: int) -> None:
        self._flush()
        try:
            _wire.send_with_descriptors(self._socket, frame, (descriptor,))
        except OSError:
            engine_gone()

    def send(self, frame: bytes, parts: list[Part] | None = None) -> None:
        """Sends what was freed, the frame, and SEAL for the segments that are complete with its parts."""
        freed = self._consumer.take_free_frame()
        if freed is not None:
            self._outgoing.append(freed)
        self._outgoing.append(frame)
        if parts:
            self._producer.sent(parts)
        self._flush()

    def _flush(self) -> None:
        if self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            try:
                self._socket.sendall(data)
            except OSError:
                engine_gone()


def _unpack_call(task: int, flags: int, body: _wire.Buffer) -> Waiting:
    attempt, blob_count, input_count, context, function = _CALL.unpack_from(body)
    if blob_count != 2:
        raise _wire.ProtocolError(f"a call names its context and its function, not {blob_count} blobs")
    arguments, offset = _wire.unpack_payload(body, _CALL.size)
    inputs: list[list[Part]] = []
    for _ in range(input_count):
        parts, offset = _wire.unpack_payload(body, offset)
        inputs.append(parts)
    deadline = None
    if body[offset : offset + 2] != b"\0\0":
        nanoseconds = _wire.unpack_attributes(body, offset)[0].get("deadline")
        deadline = nanoseconds / 1e9 if isinstance(nanoseconds, int) else None
    last = bool(flags & _ONLY_CALL)
    return Waiting(task, attempt, deadline, last, context, function, arguments, inputs)


def without_own_frames(error: BaseException) -> BaseException:
    """The error with a traceback that begins in the user's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return error.with_traceback(trace)
