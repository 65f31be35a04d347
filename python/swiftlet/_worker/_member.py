# SPDX-License-Identifier: BSD-3-Clause
"""A rank other than 0: does what rank 0 says, call after call. It knows no engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from swiftlet._current import set_running
from swiftlet._errorpayload import dump_error
from swiftlet._segments import InlineProducer, SegmentConsumer
from swiftlet._worker import _ending, _process, _transfer
from swiftlet._worker._blobs import Blobs
from swiftlet._worker._calls import Calls
from swiftlet._worker._control import Control
from swiftlet._worker._group import report_of
from swiftlet._worker._worker import without_own_frames


def serve(comm: Any, control: Control, finalize: Callable[[], None]) -> NoReturn:
    """Works until rank 0 says that it is over, or is gone."""
    member = _Member(comm, control)
    try:
        while True:
            message = control.receive()
            if message["do"] == "end":
                break
            member.work(message)
    except EOFError:
        os._exit(0)
    except (SystemExit, KeyboardInterrupt) as stop:
        status = _ending.exit_status(stop)
        _ending.run_exit_handlers()
        os._exit(status)
    _ending.run_exit_handlers()
    finalize()
    _process.exit_with_libraries(0)


class _Member:
    def __init__(self, comm: Any, control: Control) -> None:
        self._comm = comm
        self._control = control
        self._place = f"rank {comm.Get_rank()} of {comm.Get_size()}"
        self._blobs = Blobs()
        self._producer = InlineProducer()
        self._calls = Calls(self._blobs, SegmentConsumer())
        self._pid = os.getpid()

    def work(self, message: dict[str, Any]) -> None:
        """One call, or the preparation for calls; reports how it ended."""
        for ident, data in message["blobs"]:
            self._blobs.add(ident, data)
        for ident in message["forget"]:
            self._blobs.forget(ident)
        payloads = []
        for small in message["payloads"]:
            large = _transfer.buffers(small)
            _transfer.broadcast(self._comm, large)
            payloads.append(_transfer.joined(small, large))
        try:
            parts = self._do(message, payloads)
            failed = False
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            parts, failed = dump_error(without_own_frames(error), self._producer, self._place), True
        if os.getpid() != self._pid:  # the call forked a process and let it return here: it is no rank
            _ending.flush_output()
            os._exit(1 if failed else 0)
        payloads.clear()
        _ending.flush_output()
        self._answer(failed, parts)

    def _do(self, message: dict[str, Any], payloads: list[list[Any]]) -> list[Any]:
        if message["do"] == "initialise":
            self._calls.initialise(message["index"], message["named"])
            return []
        arguments, *inputs = payloads
        context, function = message["named"]
        set_running(message["running"])
        try:
            return self._calls.run(context, function, arguments, inputs, self._producer)
        finally:
            set_running(None)

    def _answer(self, failed: bool, parts: list[Any]) -> None:
        report, large = report_of(failed, parts)
        try:
            self._control.send(tuple(report))
            if large and self._control.receive()["wanted"]:
                _transfer.send(self._comm, large)
        except OSError:
            import traceback

            traceback.print_exc()
            os._exit(1)
