# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest
from stand_in import FRESH, Engine, Worker

from swiftlet import _wire
from swiftlet._payload import Input, RemoteTraceback, dumps, load_error


class Marker:
    def __init__(self, index: int) -> None:
        self.input = Input(index)


def reference(obj: object) -> Input | None:
    return obj.input if isinstance(obj, Marker) else None


def initialise(worker: Worker, fn: Any = None, index: int = 0) -> Any:
    blobs = [worker.context()] + ([worker.function(fn)] if fn is not None else [])
    worker.send(_wire.INIT, index, struct.pack(f"<H{len(blobs)}Q", len(blobs), *blobs))
    return worker.expect(_wire.READY, _wire.INIT_FAILED)


def test_calls_run_one_after_the_other_in_one_process(worker: Worker) -> None:
    def remember(x: int, _seen: list[int] = []) -> Any:  # noqa: B006
        import sys

        sys.__dict__.setdefault("seen", []).append(x)
        return sys.__dict__["seen"]

    context, fn = worker.context(), worker.function(remember)
    for task in (1, 2, 3):
        worker.call(task, [context, fn], ((task,), {}))
    assert [worker.outcome(task) for task in (1, 2, 3)] == [[1], [1, 2], [1, 2, 3]]


def test_a_callable_with_state_starts_anew_for_each_call(worker: Worker) -> None:
    def collect(x: int, seen: list[int] = []) -> list[int]:  # noqa: B006
        seen.append(x)
        return seen

    blobs = [worker.context(), worker.function(collect)]
    worker.call(1, blobs, ((1,), {}))
    worker.call(2, blobs, ((2,), {}))
    assert (worker.outcome(1), worker.outcome(2)) == ([1], [2])


def test_a_chunk_gives_the_list_of_values(worker: Worker) -> None:
    worker.call(1, [worker.context(), worker.function(pow)], [(2, 3), (5, 2)])
    assert worker.outcome(1) == [8, 25]


def test_a_fresh_call_ends_as_an_interpreter_does(engine: Engine, worker: Worker, tmp_path: Path) -> None:
    def leave(directory: str) -> str:
        import atexit
        import threading

        kept = open(f"{directory}/kept", "w")  # noqa: SIM115
        kept.write("flushed")
        sys.__dict__["kept"] = kept
        go = threading.Event()

        def late() -> None:
            go.wait()
            print("from the thread")

        threading.Thread(target=late).start()
        threading._register_atexit(go.set)  # type: ignore[attr-defined]
        atexit.register(print, "from atexit")
        print("from the call", end="")
        return "value"

    assert worker.run(leave, str(tmp_path), flags=FRESH) == "value"
    assert engine.exited(worker) == 0
    assert (tmp_path / "kept").read_text() == "flushed"
    assert worker.output(worker.out) == "from the callfrom the thread\nfrom atexit\n"


def test_end_ends_a_worker_and_gives_calls_back(engine: Engine, worker: Worker) -> None:
    def meet(started: str, go: str) -> bytes:
        with open(started, "wb") as file:
            file.write(b"s")
        with open(go, "rb") as file:
            return file.read(1)

    (started, started_end), (go, go_end) = os.pipe(), os.pipe()
    paths = tuple(f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in (started_end, go))
    blobs = [worker.context(), worker.function(meet)]
    for task in (1, 2, 3):
        worker.call(task, blobs, (paths, {}))
    assert os.read(started, 1) == b"s"
    for task in (2, 1):
        worker.send(_wire.RECALL, task)
    worker.send(_wire.END, 0)
    os.write(go_end, b"g")
    assert worker.outcome(1) == b"g"
    assert [worker.expect(_wire.RECALLED).ident for _ in range(2)] == [2, 3]
    assert worker.next() is None
    assert engine.exited(worker) == 0
    for descriptor in (started, started_end, go, go_end):
        os.close(descriptor)


@pytest.mark.parametrize("between", [b"b" * 100_000, numpy.zeros(1_000_000)], ids=["much", "descriptors"])
def test_all_that_lies_in_the_socket_is_read_before_the_next_call(worker: Worker, between: object) -> None:
    """The engine takes a call for not begun when RECALL lies there in time, whatever lies before it."""

    def meet(started: str, go: str) -> bytes:
        with open(started, "wb") as file:
            file.write(b"s")
        with open(go, "rb") as file:
            return file.read(1)

    (started, started_end), (go, go_end) = os.pipe(), os.pipe()
    paths = tuple(f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in (started_end, go))
    blobs = [worker.context(), worker.function(meet)]
    worker.call(1, blobs, (paths, {}))
    assert os.read(started, 1) == b"s"
    worker.call(2, blobs, (("/dev/null", "/dev/null"), {}))
    worker.call(3, blobs, ((between,), {}))
    for task in (2, 3):
        worker.send(_wire.RECALL, task)
    os.write(go_end, b"g")
    assert worker.outcome(1) == b"g"
    assert worker.expect(_wire.RECALLED).ident == 2
    while (frame := worker.expect(_wire.RECALLED, _wire.FREE)).kind == _wire.FREE:
        pass
    assert frame.ident == 3
    for descriptor in (started, started_end, go, go_end):
        os.close(descriptor)


def test_end_of_file_ends_an_idle_worker(engine: Engine, worker: Worker) -> None:
    worker.sock.close()
    assert engine.exited(worker) == 0


@pytest.mark.parametrize(("code", "status"), [(3, 3), (None, 0), (True, 1), ("bad input", 1), (256 + 7, 7)])
def test_sys_exit_in_a_call_ends_the_worker(
    engine: Engine, worker: Worker, code: object, status: int
) -> None:
    worker.call(1, [worker.context(), worker.function(sys.exit)], ((code,), {}))
    assert os.waitstatus_to_exitcode(engine.exited(worker)) == status
    assert worker.next() is None
    assert worker.output(worker.err) == ("bad input\n" if code == "bad input" else "")


def test_an_interrupted_call_ends_the_worker_by_the_signal(engine: Engine, worker: Worker) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    worker.call(1, [worker.context(), worker.function(interrupt)])
    assert engine.exited(worker) == signal.SIGINT


def test_an_error_begins_in_the_code_of_the_user(worker: Worker) -> None:
    def fail(x: int) -> float:
        return x / 0

    with pytest.raises(ZeroDivisionError) as caught:
        worker.run(fail, 1)
    cause = caught.value.__cause__
    assert isinstance(cause, RemoteTraceback)
    assert cause.pid == worker.pid
    assert cause.text.count('File "') == 1
    assert ", in fail" in cause.text
    assert worker.run(max, 1, 2) == 2


def test_output_comes_before_the_outcome(worker: Worker) -> None:
    def say() -> None:
        print("no newline", end="")
        sys.stderr.write("nor here")

    worker.run(say)
    os.set_blocking(worker.out, False)
    os.set_blocking(worker.err, False)
    assert os.read(worker.out, 100) == b"no newline"
    assert os.read(worker.err, 100) == b"nor here"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: (character for character in "abc"), "cannot pickle 'generator' object"),
        (lambda: [1, threading.Lock()], r"item 1 of type 'lock'"),
        (socket.socket, "cannot pickle 'socket' object"),
    ],
)
def test_a_result_that_cannot_be_pickled_is_this_calls_error(worker: Worker, make: Any, text: str) -> None:
    with pytest.raises(TypeError, match=f"the result of .*cannot be sent back.*{text}"):
        worker.run(make)
    assert worker.run(max, 1, 2) == 2


def test_a_coroutine_function_is_refused(worker: Worker) -> None:
    async def later() -> None:
        pass

    with pytest.raises(TypeError, match="later is a coroutine function"):
        worker.run(later)


def test_a_module_that_only_the_client_has_is_named(worker: Worker, tmp_path: Path) -> None:
    (tmp_path / "client_only.py").write_text("def f(): return 1\nclass C: pass\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import client_only  # type: ignore[import-not-found]

        fn = worker.function(client_only.f)
        payload: Any = ((client_only.C(),), {})
        ours = worker.context(path=[entry for entry in sys.path if entry != str(tmp_path)])
        worker.call(1, [ours, fn])
        worker.call(2, [ours, worker.function(max)], payload)
        worker.call(3, [worker.context(), fn])
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("client_only", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"'client_only': the function cannot .* by the client only"
    ) as caught:
        worker.outcome(1)
    assert caught.value.name == "client_only"
    with pytest.raises(ModuleNotFoundError, match="the arguments cannot be loaded"):
        worker.outcome(2)
    assert worker.outcome(3) == 1


def test_surroundings_follow_the_context(worker: Worker, tmp_path: Path) -> None:
    def look() -> tuple[str, str | None, str | None]:
        return os.getcwd(), os.environ.get("MARK"), os.environ.get("HOME")

    home = worker.run(look)[0]
    fn = worker.function(look)
    inside = tmp_path / "new" / "folder"
    environment = {**os.environ, "MARK": "1"}
    del environment["HOME"]
    worker.call(1, [worker.context(cwd=str(inside), env=environment), fn])
    assert worker.outcome(1) == (str(inside), "1", None)
    worker.call(2, [worker.context(env=dict(os.environ)), fn])
    assert worker.outcome(2) == (home, None, os.environ.get("HOME"))
    (tmp_path / "file").touch()
    worker.call(3, [worker.context(cwd=str(tmp_path / "file" / "x")), fn])
    with pytest.raises(NotADirectoryError):
        worker.outcome(3)
    worker.call(4, [worker.context(), fn])
    assert worker.outcome(4)[0] == home


def test_presets_fill_parameters_that_are_not_given_by_keyword(worker: Worker) -> None:
    def init(executorlib_worker_id: int) -> dict[str, object]:
        return {"a": 10, "b": 20, "lock": threading.Lock(), "me": executorlib_worker_id}

    def takes(x: int, a: int, b: int, me: int, executorlib_worker_id: int = -1) -> tuple[int, ...]:
        return x, a, b, me, executorlib_worker_id

    def keyword_only(*, a: int = 0, **rest: int) -> tuple[int, dict[str, int]]:
        return a, rest

    assert initialise(worker, init, index=3).kind == _wire.READY
    assert worker.run(takes, 1, b=2) == (1, 10, 2, 3, 3)
    assert worker.run(keyword_only, c=1) == (0, {"c": 1})
    assert worker.run(max, 4, 5) == 5
    with pytest.raises(TypeError, match="multiple values for argument 'a'"):
        worker.run(takes, 1, 2)


def test_a_fresh_call_is_worker_0(worker: Worker) -> None:
    assert worker.run(lambda executorlib_worker_id: executorlib_worker_id) == 0


def test_initialisation_may_fail(engine: Engine) -> None:
    def broken() -> None:
        raise LookupError("no data")

    first = engine.spawn()
    failed = initialise(first, broken)
    assert failed.kind == _wire.INIT_FAILED
    error = load_error(_wire.unpack_payload(failed.body)[0])
    assert type(error) is LookupError
    assert str(error) == "no data"
    failed = initialise(engine.spawn(), lambda: 5)
    with pytest.raises(
        TypeError, match="has to return a dict of presets, it returned an object of type 'int'"
    ):
        raise load_error(_wire.unpack_payload(failed.body)[0])
    assert initialise(engine.spawn()).kind == _wire.READY


def test_large_arguments_and_results_lie_in_segments_and_are_freed_with_the_result(worker: Worker) -> None:
    def double(x: Any) -> Any:
        x *= 2
        return x

    got = worker.run(double, numpy.arange(50_000.0))
    assert got[-1] == 2 * 49_999.0
    got[0] = 1.0
    assert worker.freed == [(9 << 32 | 1, 1)]
    assert list(worker.consumer._segments) == [worker.number + 100 << 32 | 1]
    with pytest.raises(ZeroDivisionError):
        worker.run(lambda x: 1 / 0, numpy.arange(50_000.0))
    assert worker.freed == [(9 << 32 | 1, 1)] * 2


def test_what_a_call_never_looks_at_is_freed_too(worker: Worker) -> None:
    large = numpy.zeros(50_000)
    inputs = [dumps(large, worker.producer), dumps(large, worker.producer)]
    worker.call(
        1, [worker.context(), worker.function(len)], (([Marker(1)],), {}), inputs, reference=reference
    )
    assert worker.outcome(1) == 1
    assert sum(count for _, count in worker.freed) == 2
    worker.call(2, [worker.context(), worker.blob(b"\x00damaged")], ((large,), {}), inputs[:0])
    with pytest.raises(Exception, match="the function cannot be loaded"):
        worker.outcome(2)
    assert sum(count for _, count in worker.freed) == 3


def test_a_large_result_seals_its_segment_after_the_result(worker: Worker) -> None:
    assert len(worker.run(bytes, 17 * 1024 * 1024)) == 17 * 1024 * 1024
    assert worker.expect(_wire.SEAL).ident == worker.number + 100 << 32 | 1


def test_inputs_are_resolved(worker: Worker) -> None:
    inputs = [dumps({"k": 1}), dumps([2])]
    worker.call(
        1,
        [worker.context(), worker.function(lambda *a: a)],
        ((Marker(1), [Marker(0)]), {}),
        inputs,
        reference=reference,
    )
    assert worker.outcome(1) == ([2], [{"k": 1}])


def test_the_error_log_file_gets_four_parts(worker: Worker, tmp_path: Path) -> None:
    def fail(x: int, y: int) -> None:
        raise ValueError("logged")

    path = tmp_path / "errors"
    for task in (1, 2):
        worker.call(
            task, [worker.context(error_log_file=str(path)), worker.function(fail)], ((task,), {"y": 5})
        )
        with pytest.raises(ValueError, match="logged"):
            worker.outcome(task)
    text = path.read_text()
    assert text.count("function: <function ") == 2
    assert "\nargs: (2,)\nkwargs: {'y': 5}\nTraceback (most recent call last):" in text
    assert text.endswith("ValueError: logged\n")


def test_a_fork_in_a_call_does_not_answer(worker: Worker) -> None:
    def forks() -> int:
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
        return pid

    def forks_and_fails() -> int:
        pid = os.fork()
        if pid == 0:
            raise ValueError("in the child")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert worker.run(forks) > 0
    assert worker.run(forks_and_fails) == 1
    assert worker.run(max, 1, 2) == 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_works_in_a_call(worker: Worker, method: str) -> None:
    def pool(method: str) -> list[float]:
        import math
        import multiprocessing

        with multiprocessing.get_context(method).Pool(2) as pool:
            return pool.map(math.sqrt, [1, 4, 9])

    assert worker.run(pool, method, flags=FRESH) == [1, 2, 3]


def test_definitions_of_main_come_and_go_by_value(worker: Worker) -> None:
    module: dict[str, Any] = {"__name__": "__main__"}
    exec("class Point:\n  def __init__(self, x): self.x = x\ndef make(x): return Point(x)", module)
    assert type(worker.run(module["make"], 3)).__name__ == "Point"
    assert worker.run(module["make"], 3).x == 3


def test_programs_started_in_a_call_do_not_hold_the_connection(worker: Worker) -> None:
    def start() -> list[str]:
        listing = subprocess.run(
            ["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, close_fds=False
        )
        return [line for line in listing.stdout.splitlines() if "socket:" in line]

    assert worker.run(start) == []
