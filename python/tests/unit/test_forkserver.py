# SPDX-License-Identifier: BSD-3-Clause
from __future__ import annotations

import os
import select
import signal
import struct
import sys
from pathlib import Path

import pytest
from stand_in import FRESH, TIMEOUT, Engine, Frame, Worker, context

from swiftlet import _wire
from swiftlet._worker import _hooks


def wait_for_end(pid: int) -> None:
    """Waits until a process that is no child of this one has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], TIMEOUT)[0], f"process {pid} is still alive"
    finally:
        os.close(descriptor)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_leads_a_session_and_has_nothing_of_the_fork_server(worker: Worker) -> None:
    def look() -> object:
        import os
        import signal
        import sys

        paths = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        links = {path[-1]: os.readlink(path) for path in paths if os.path.lexists(path)}
        signals = [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGTERM)]
        int_is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        main = vars(sys.modules["__main__"])
        return (
            os.getsid(0),
            os.getpgid(0),
            links,
            signals,
            int_is_usual,
            main.get("__file__"),
            sys.argv,
            sys.stdin.read(),
        )

    sid, group, links, signals, int_is_usual, file, argv, stdin = worker.run(look)
    assert sid == group == worker.pid
    assert sorted(links) == ["0", "1", "2", "3"]
    assert links["0"] == "/dev/null"
    assert links["3"].startswith("socket:")
    assert signals == [signal.SIG_DFL, signal.SIG_DFL]
    assert int_is_usual
    assert (file, argv, stdin) == (None, [""], "")


def test_a_worker_finds_the_context_that_its_fork_server_took_on(engine: Engine, tmp_path: Path) -> None:
    def look() -> tuple[list[str], str | None, str, str]:
        import os
        import sys

        return sys.path, os.environ.get("SWIFTLET_TEST"), os.getcwd(), os.popen("echo $SWIFTLET_TEST").read()

    path, environment = [*sys.path, str(tmp_path)], {**os.environ, "SWIFTLET_TEST": "set"}
    engine.prepare(70, context(path=path, env=environment, cwd=str(tmp_path)))
    worker = engine.spawn()
    worker.call(1, [70, worker.function(look)])
    assert worker.outcome(1) == (path, "set", str(tmp_path), "set\n")
    other = engine.spawn()
    other.call(1, [other.context(path=sys.path, env=dict(os.environ)), other.function(look)])
    assert other.outcome(1) == (sys.path, None, os.getcwd(), "\n")


def test_a_context_that_cannot_be_taken_on_fails_the_calls_in_it(engine: Engine) -> None:
    engine.prepare(70, context(env={"A=B": "no name"}))
    worker = engine.spawn()
    worker.call(1, [70, worker.function(abs)], ((-1,), {}))
    with pytest.raises(ValueError, match="illegal environment variable name"):
        worker.outcome(1)
    assert engine.spawn().run(abs, -1) == 1


@pytest.mark.parametrize("age", [0, 1000])
def test_modules_that_appear_after_directories_were_read_are_found(
    engine: Engine, tmp_path: Path, age: int
) -> None:
    def value_in(module: str) -> object:
        import importlib

        return importlib.import_module(module).value

    then = tmp_path.stat().st_mtime - age
    os.utime(tmp_path, (then, then))
    engine.prepare(70, context(path=[*sys.path, str(tmp_path)], env=dict(os.environ)))
    for name in ("swiftlet_late_one", "swiftlet_late_two"):
        (tmp_path / f"{name}.py").write_text("value = __name__\n")
        worker = engine.spawn()
        worker.call(1, [70, worker.function(value_in)], ((name,), {}))
        assert worker.outcome(1) == name


def test_nothing_is_left_of_the_rehearsal(worker: Worker) -> None:
    def look() -> tuple[list[str], bool, str]:
        import os
        import sys

        import swiftlet._worker

        names = [name for name in sys.modules if "rehearsed" in name]
        return names, hasattr(swiftlet._worker, "_rehearsed"), os.getcwd()

    assert worker.run(look) == ([], False, os.getcwd())


def test_exit_handlers_from_before_the_fork_run_in_each_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os\natexit.register(lambda: os.write(1, b'from the handler'))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = Engine()
    for _ in range(2):
        worker = engine.spawn()
        assert worker.run(abs, -1, flags=FRESH) == 1
        assert engine.exited(worker) == 0
        assert worker.output(worker.out) == "from the handler"
    assert engine.close() == 0


def test_what_a_call_forks_has_the_hooks_that_the_fork_server_kept_back(worker: Worker) -> None:
    def threads_and_lock_of_a_forked_child() -> bytes:
        import logging
        import os
        import threading

        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            logging.getLogger("x").info("not blocked by a lock")
            os.write(writing, str(len(threading.enumerate())).encode())
            os._exit(0)
        stop.set()
        thread.join()
        os.waitpid(pid, 0)
        return os.read(reading, 10)

    assert worker.run(threads_and_lock_of_a_forked_child) == b"1"


def test_hooks_of_other_modules_run_in_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    registered: list[object] = []
    monkeypatch.setattr(_hooks, "_kept", [])
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: registered.append(hooks))
    before = os.register_at_fork
    with _hooks.kept_back():
        os.register_at_fork(after_in_child=lambda: calls.append("mine"))
        os.register_at_fork(before=lambda: calls.append("before"))
    assert os.register_at_fork is before
    assert (calls, registered) == ([], [])
    _hooks.give_back()
    assert (calls, len(registered)) == (["mine"], 2)


def test_workers_start_clean_and_differ(engine: Engine) -> None:
    def dirty() -> float:
        import random
        import sys

        sys.swiftlet_mark = True  # type: ignore[attr-defined]
        return random.random()

    def look() -> tuple[bool, float]:
        import random
        import sys

        return hasattr(sys, "swiftlet_mark"), random.random()

    first = engine.spawn().run(dirty, flags=FRESH)
    assert engine.next() is not None
    marked, second = engine.spawn().run(look, flags=FRESH)
    assert not marked
    assert first != second


def test_the_exit_status_is_reported(engine: Engine) -> None:
    first, second = engine.spawn(), engine.spawn()
    engine.signal(second, signal.SIGTERM)
    assert engine.exited(second) == signal.SIGTERM
    engine.signal(second, signal.SIGKILL)  # reaped already: ignored
    first.call(1, [first.context(), first.function(os._exit)], ((9,), {}))
    assert engine.exited(first) == 9 << 8
    assert first.next() is None


def test_what_a_worker_leaves_behind_is_dead_when_its_end_is_reported(engine: Engine) -> None:
    def leave() -> list[int]:
        import subprocess
        import sys

        script = (
            "import os, subprocess, sys\n"
            "inner = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],\n"
            "  start_new_session=True)\n"
            "print(os.getpid(), inner.pid, flush=True)\n"
            "import signal\n"
            "signal.pause()\n"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
        )
        assert child.stdout is not None
        return [int(word) for word in child.stdout.readline().split()]

    worker = engine.spawn()
    left = worker.run(leave, flags=FRESH)
    assert len(left) == 2
    assert engine.exited(worker) == 0
    assert not any(exists(pid) for pid in left)


def test_orphans_of_a_killed_worker_do_not_reach_its_neighbours(engine: Engine) -> None:
    def start() -> int:
        import subprocess

        return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid

    first, second = engine.spawn(), engine.spawn()
    orphan, kept = first.run(start), second.run(start)
    engine.signal(first, signal.SIGKILL)
    assert engine.exited(first) == signal.SIGKILL
    assert not exists(orphan)
    assert exists(kept)
    assert second.run(max, 1, 2) == 2


def test_the_end_of_the_connection_ends_everything() -> None:
    def start() -> int:
        import subprocess

        return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid

    engine = Engine()
    workers = [engine.spawn() for _ in range(3)]
    left = [worker.run(start) for worker in workers]
    engine.sock.close()
    assert os.waitstatus_to_exitcode(os.waitpid(engine.pid, 0)[1]) == 0
    assert not any(exists(pid) for pid in left)
    assert not any(exists(worker.pid) for worker in workers)
    for worker in workers:
        worker.close()


def test_workers_die_with_a_killed_fork_server() -> None:
    engine = Engine()
    worker = engine.spawn()
    os.kill(engine.pid, signal.SIGKILL)
    assert worker.next() is None
    wait_for_end(worker.pid)
    assert engine.close() == -signal.SIGKILL


NO_FORK = """
import errno, os, runpy, sys
def fork():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
os.fork = fork
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_a_failed_fork_is_reported() -> None:
    engine = Engine("-c", NO_FORK)
    frame = _wire.frame(_wire.SPAWN, 5, _wire.pack_attributes({}))
    descriptors = [os.dup(2) for _ in range(3)]
    _wire.send_with_descriptors(engine.sock, frame, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    failed = engine.expect(_wire.SPAWN_FAILED)
    assert failed == Frame(_wire.SPAWN_FAILED, 0, 5, b"fork failed: Resource temporarily unavailable")
    assert engine.close() == 0


def test_many_workers_at_once(engine: Engine) -> None:
    workers = [engine.spawn() for _ in range(12)]
    for worker in workers:
        worker.call(1, [worker.context(), worker.function(os.getpid)], flags=FRESH)
    assert [worker.outcome(1) for worker in workers] == [worker.pid for worker in workers]
    ended = set()
    for _ in workers:
        frame = engine.expect(_wire.EXITED)
        assert struct.unpack("<IQ", frame.body)[0] == 0
        ended.add(frame.ident)
    assert ended == {worker.number for worker in workers}


def test_another_protocol_version_ends_the_fork_server() -> None:
    engine = Engine()
    engine.send(_wire.HELLO, 99)
    assert os.waitstatus_to_exitcode(os.waitpid(engine.pid, 0)[1]) == 86
    engine.sock.close()


def test_it_starts_with_the_interpreter_flags_of_the_client() -> None:
    engine = Engine("-I", "-B")
    worker = engine.spawn()
    assert worker.run(lambda: (sys.flags.isolated, sys.flags.dont_write_bytecode)) == (1, 1)
    assert engine.close() == 0
