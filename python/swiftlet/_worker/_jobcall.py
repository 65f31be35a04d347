# SPDX-License-Identifier: BSD-3-Clause
"""The process of a job that runs the call, and how it hands over what came of it."""

from __future__ import annotations

import gc
import json
import os
import signal
import struct
import sys
import types
from collections.abc import Sequence
from typing import Any, NoReturn

from swiftlet._entries import Buffer, Entry
from swiftlet._payload import dump_error
from swiftlet._segments import SegmentConsumer
from swiftlet._worker import _ending, _jobinputs, _jobslot, _process, _provenance
from swiftlet._worker._blobs import Blobs
from swiftlet._worker._calls import Calls

_CONTEXT, _FUNCTION = 1, 2
_HEAD = struct.Struct("<QBI")
_SIZE = struct.Struct("<Q")
_KINDS = ("value", "error")
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Inline:
    """Where a worker puts large buffers into shared memory, a job leaves them where they are."""

    threshold = 64 * 1024

    def store(self, _: object) -> None:
        return None

    def sent(self, _: object) -> None:
        return None


def run(directory: str, task: Entry, parent: int, result: int) -> NoReturn:
    """Runs the call and writes its outcome into the descriptor ``result``; ends the process as an interpreter
    does.
    """
    os.setsid()
    _process.die_with_parent(parent)
    _process.become_subreaper()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.set_inheritable(result, False)
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]
    gc.enable()
    _jobslot.take(task.header.get("resources", {}))
    process = os.getpid()
    try:
        kind, parts = 0, _evaluate(directory, task)
    except (SystemExit, KeyboardInterrupt) as stop:
        status = _ending.exit_status(stop)
        _ending.run_exit_handlers()
        os._exit(status)
    except BaseException as error:
        if os.getpid() != process:
            import traceback

            traceback.print_exc()
            os._exit(1)
        kind, parts = 1, dump_error(without_own_frames(error))
    if os.getpid() != process:  # the call forked, and its copy returned here
        os._exit(0)
    _ending.flush_output()
    send(result, kind, parts)
    os.close(result)
    _ending.run_exit_handlers()
    os._exit(0)


def _evaluate(directory: str, task: Entry) -> Sequence[Any]:
    blobs = Blobs()
    blobs.add(_CONTEXT, bytes(task.named("context")[0]))
    blobs.add(_FUNCTION, bytes(task.named("function")[0]))
    for name, value in blobs.context(_CONTEXT).get("changes", {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    calls = Calls(blobs, SegmentConsumer())
    inputs: list[Any] = _jobinputs.load(directory, task.header)
    arguments: list[Any] = list(task.named("arguments"))
    return calls.run(_CONTEXT, _FUNCTION, arguments, inputs, _Inline())  # type: ignore[arg-type]


def send(result: int, kind: int, parts: Sequence[Any]) -> None:
    """Writes what came of the call, and what its process says of itself, into a descriptor."""
    about = json.dumps(_provenance.of_process()).encode()
    pieces: list[Buffer] = [about, *parts]
    views = [memoryview(piece).cast("B") for piece in pieces]
    sizes = b"".join(_SIZE.pack(view.nbytes) for view in views)
    total = len(sizes) + sum(view.nbytes for view in views)
    whole: list[Buffer] = [_HEAD.pack(total, kind, len(views)), sizes, *views]
    for piece in whole:
        view = memoryview(piece)
        while view:
            view = view[os.write(result, view) :]


def is_complete(data: Buffer) -> bool:
    """Whether all that ``run`` writes has arrived."""
    return len(data) >= _HEAD.size and len(data) >= _HEAD.size + _HEAD.unpack_from(data)[0]


def unpack(data: Buffer) -> tuple[str, dict[str, Any], list[memoryview]]:
    """(kind, what the process says of itself, parts of the payload)."""
    _, kind, count = _HEAD.unpack_from(data)
    view = memoryview(data)
    offset = _HEAD.size + count * _SIZE.size
    pieces = []
    for (size,) in _SIZE.iter_unpack(view[_HEAD.size : offset]):
        pieces.append(view[offset : offset + size])
        offset += size
    return _KINDS[kind], json.loads(bytes(pieces[0])), pieces[1:]


def without_own_frames(error: BaseException) -> BaseException:
    """The error with a traceback that begins in the user's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    return error.with_traceback(trace)
