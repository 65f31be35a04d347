# SPDX-License-Identifier: BSD-3-Clause
"""A rank of a call that is a job: the step's launcher starts all of them, and rank 0 hands over what came of
it. The ranks need nothing between them but MPI and the directory, so they may be on several nodes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import types
import uuid
from typing import Any, NoReturn

from swiftlet import _byrank, _entries
from swiftlet._errorpayload import dump_error
from swiftlet._segments import InlineProducer, SegmentConsumer
from swiftlet._worker import _ending, _jobcall, _jobinputs, _jobslot, _jobstep, _process, _slot, _world
from swiftlet._worker._blobs import Blobs
from swiftlet._worker._calls import Calls

GRACE = 2.0
"""Seconds that the other ranks may go on after one has raised."""
RANK_DIED = 71
MISMATCH = 87
_CONTEXT, _FUNCTION = 1, 2


def run(expected: int, directory: str, key: str, result: str) -> NoReturn:
    """Runs the entry's call on this rank; rank 0 writes the outcome of all into the file ``result``."""
    _process.die_with_parent(os.getppid())
    _process.become_subreaper()
    _slot.take_as_rank()
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.argv = [""]
    try:
        from mpi4py import MPI

        comm = _world.start()
    except Exception as error:
        _refuse(result, f"MPI could not be started by mpi4py: {type(error).__name__}: {error}")
    if comm.Get_size() != expected:
        _refuse(
            result,
            f"{_launcher()} started {expected} ranks, but MPI says that there are {comm.Get_size()}: it and "
            f"the MPI library of mpi4py ({_world.stranger()}) do not fit together. {_world.what_to_choose()}"
            + ("; `srun --mpi=list` shows which there are" if _launcher() == "srun" else ""),
        )
    kind, parts = _together(comm, directory, key, result)
    if comm.Get_rank() == 0:
        _write(result, kind, parts)
    _ending.run_exit_handlers()
    MPI.Finalize()
    _process.exit_with_libraries(0)


def _launcher() -> str:
    return "Flux" if "FLUX_TASK_RANK" in os.environ else "srun"


def _together(comm: Any, directory: str, key: str, result: str) -> tuple[int, Any]:
    """(kind, payload) of the call on all ranks; what other ranks than 0 get is empty."""
    if comm.Get_rank() == 0:  # the others get the call from this one
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_jobstep.unbegun(result))
    task = comm.bcast(_task(directory, key) if comm.Get_rank() == 0 else None, 0)
    blobs = Blobs()
    blobs.add(_CONTEXT, task["context"])
    blobs.add(_FUNCTION, task["function"])
    calls = Calls(blobs, SegmentConsumer())
    _jobslot.begin(task["resources"])
    parts, failed = _own(calls, task, f"rank {comm.Get_rank()} of {comm.Get_size()}")
    _ending.flush_output()
    _meet(comm, failed, parts, result)
    ranks = comm.gather((failed, [bytes(part) for part in parts]), 0)
    if comm.Get_rank() != 0:
        return 0, []
    errors = [payload for bad, payload in ranks if bad]
    if errors:
        return 1, errors[0]
    if task["resources"].get("mpi_result") == "root":
        return 0, ranks[0][1]
    return 0, _byrank.join([payload for _, payload in ranks], calls.ran_chunk)


def _task(directory: str, key: str) -> dict[str, Any]:
    entry = _entries.read(directory, key, _entries.TASK)
    inputs = _jobinputs.load(directory, entry.header)
    return {
        "context": bytes(entry.named("context")[0]),
        "function": bytes(entry.named("function")[0]),
        "arguments": [bytes(part) for part in entry.named("arguments")],
        "inputs": [[bytes(part) for part in parts] for parts in inputs],
        "resources": entry.header.get("resources", {}),
    }


def _own(calls: Calls, task: dict[str, Any], place: str) -> tuple[Any, bool]:
    process = os.getpid()
    try:
        parts, failed = (
            calls.run(_CONTEXT, _FUNCTION, task["arguments"], task["inputs"], InlineProducer()),
            False,
        )
    except (SystemExit, KeyboardInterrupt) as stop:
        _ending.run_exit_handlers()
        os._exit(_ending.exit_status(stop))
    except BaseException as error:
        parts, failed = dump_error(_jobcall.without_own_frames(error), None, place), True
    if os.getpid() != process:  # the call forked a process and let it return here: it is no rank
        _ending.flush_output()
        os._exit(int(failed))
    return parts, failed


def _meet(comm: Any, failed: bool, parts: Any, result: str) -> None:
    """Waits until every rank has ended its part. A rank that raised ends the group if others do not come:
    they wait for it inside MPI.
    """
    everybody = comm.Ibarrier()
    deadline = time.monotonic() + GRACE
    pause = 0.0005
    while not everybody.Test():
        if failed and time.monotonic() > deadline:
            _write(result, 1, parts)
            os._exit(RANK_DIED)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def _refuse(result: str, reason: str) -> NoReturn:
    """Nothing can be run. Each process says so: the launcher may end all when the first one fails."""
    _write(result, 1, dump_error(RuntimeError(reason)))
    os._exit(MISMATCH)


def _write(path: str, kind: int, parts: Any) -> None:
    """The first one counts."""
    temporary = f"{path}.{uuid.uuid4().hex}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _jobcall.send(descriptor, kind, parts)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)
