# SPDX-License-Identifier: BSD-3-Clause
"""executorlib's low-level interface: workers that a program starts and talks to itself (spec 1.5, 6)."""

from __future__ import annotations

import logging
import operator
import os
import queue
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import Future as StandardFuture

import pytest

from swiftlet import ExecutorlibSocketError
from swiftlet._interface import _meeting
from swiftlet.api import (
    MpiExecSpawner,
    SocketInterface,
    SubprocessSpawner,
    cancel_items_in_queue,
    cloudpickle_register,
    get_command_path,
    interface_bootup,
    interface_connect,
    interface_receive,
    interface_send,
    interface_shutdown,
)

SERIAL = [sys.executable, get_command_path("interactive_serial.py")]


@pytest.fixture
def interface():
    interface = SocketInterface(spawner=SubprocessSpawner())
    yield interface
    interface.shutdown(wait=False)


def booted(interface, *extra):
    command = [*SERIAL, "--zmqport", str(interface.bind_to_random_port()), *extra]
    assert interface.bootup(command_lst=command)
    return interface


def call(fn, *args, **kwargs):
    return {"fn": fn, "args": args, "kwargs": kwargs}


def test_calls_and_their_results(interface):
    assert not interface.status
    booted(interface)
    assert interface.status
    assert interface.send_and_receive_dict(call(operator.add, 1, 2)) == {"result": 3}
    interface.send_dict(call(sorted, [2, 1], reverse=False))
    assert interface.receive_dict() == {"result": [1, 2]}
    answer = interface.send_and_receive_dict(call(operator.truediv, 1, 0))
    assert isinstance(answer["error"], ZeroDivisionError)
    answer = interface.send_and_receive_dict(call(lambda: (x for x in ())))
    assert "cannot be sent back" in str(answer["error"])
    assert interface.shutdown(wait=True) == {"result": True}
    assert interface.status
    assert interface.shutdown() is None


def test_presets_and_the_worker_id(interface, tmp_path):
    booted(interface, "--worker-id", "7")
    assert interface.send_and_receive_dict(
        {"init": True, **call(lambda executorlib_worker_id: {"b": executorlib_worker_id})}
    ) == {"result": True}
    assert interface.send_and_receive_dict(call(lambda a, b: (a, b), 1)) == {"result": (1, 7)}
    log = tmp_path / "error.log"
    interface.send_and_receive_dict({**call(operator.truediv, 1, 0), "error_log_file": str(log)})
    assert "ZeroDivisionError" in log.read_text()


def test_a_worker_that_dies_is_noticed(interface):
    booted(interface)
    pid = interface.send_and_receive_dict(call(os.getpid))["result"]
    answer = interface.send_and_receive_dict(call(os._exit, 3))
    assert isinstance(answer["error"], ExecutorlibSocketError)
    assert str(answer["error"]) == "SocketInterface crashed during execution."
    assert not interface.status
    with pytest.raises(ExecutorlibSocketError):
        interface.send_dict(call(os.getpid))
    interface.bootup()  # a new worker, with the old command
    again = interface.send_and_receive_dict(call(os.getpid))["result"]
    assert again != pid


def test_w13_a_worker_that_ends_before_it_connects():
    interface = SocketInterface(spawner=SubprocessSpawner(), time_out_ms=50)
    interface.bind_to_random_port()
    interface.bootup(command_lst=[sys.executable, "-c", "raise SystemExit(3)"])
    answer = interface.send_and_receive_dict(call(os.getpid))
    assert isinstance(answer["error"], ExecutorlibSocketError)
    interface.shutdown()  # does not wait for anybody


def test_nothing_to_start():
    with pytest.raises(ValueError, match="No command defined to boot up SocketInterface"):
        SocketInterface().bootup()


def test_a_stopped_worker_is_not_started():
    interface = SocketInterface(spawner=SubprocessSpawner())
    interface.bind_to_random_port()
    assert not interface.bootup(command_lst=SERIAL, stop_function=lambda: True)
    assert not interface.status
    interface.shutdown()


def test_sizes_are_logged(caplog):
    interface = interface_bootup(
        list(SERIAL), connections=SubprocessSpawner(), log_obj_size=True, hostname_localhost=True
    )
    with caplog.at_level(logging.WARNING, logger="executorlib"):
        assert interface.send_and_receive_dict(call(sum, [1, 1])) == {"result": 2}
        interface.shutdown()
    words = [record.getMessage().rpartition(" ")[0] for record in caplog.records]
    assert words == ["Send dictionary of size:", "Received dictionary of size:"] * 2


WORKER = """
    import sys
    from swiftlet.api import interface_connect, interface_receive, interface_send, interface_shutdown

    arguments = sys.argv[1:]
    host = arguments[arguments.index("--host") + 1] if "--host" in arguments else "localhost"
    context, socket = interface_connect(host=host, port=arguments[arguments.index("--zmqport") + 1])
    memory = int(arguments[arguments.index("--worker-id") + 1])
    while True:
        message = interface_receive(socket)
        if message.get("shutdown"):
            interface_send(socket, {"result": True})
            interface_shutdown(socket, context)
            break
        memory += message["add"]
        interface_send(socket, {"result": memory})
"""


@pytest.mark.parametrize("localhost", [None, True, False])
def test_a_worker_program_of_ones_own(tmp_path, localhost):
    path = tmp_path / "worker.py"
    path.write_text(textwrap.dedent(WORKER))
    command = [sys.executable, str(path)]
    interface = interface_bootup(
        command,
        connections=MpiExecSpawner(cwd=str(tmp_path / "made")),
        hostname_localhost=localhost,
        worker_id=10,
    )
    assert command[2:4] == (["--worker-id", "10"] if localhost else ["--host", socket.gethostname()])
    assert command[-2] == "--zmqport"
    assert (tmp_path / "made").is_dir()
    assert interface.send_and_receive_dict({"add": 5}) == {"result": 15}
    assert interface.send_and_receive_dict({"add": 5}) == {"result": 20}
    assert interface.shutdown() == {"result": True}


def test_only_this_user_can_connect(interface):
    number = interface.bind_to_random_port()
    directory = f"/tmp/swiftlet-{os.geteuid()}"
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert os.path.exists(f"{directory}/{number}")
    with pytest.raises(ConnectionError, match="another machine"):
        interface_connect("some.other.host", str(number))
    interface.shutdown()
    assert not os.path.exists(f"{directory}/{number}")
    with pytest.raises(ConnectionError, match="nobody listens"):
        interface_connect("localhost", str(number))


def test_a_peer_of_another_user_is_turned_away(monkeypatch):
    listener, number = _meeting.listen()
    monkeypatch.setattr(_meeting, "_user_of", lambda peer: os.geteuid() + 1)
    try:
        with pytest.raises(ConnectionError, match="another user"):
            _meeting.connect(number)
        assert _meeting.accept(listener) is None
    finally:
        _meeting.close(listener, number)


def test_a_directory_of_somebody_elses_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(_meeting, "_BASE", str(tmp_path))
    directory = tmp_path / f"swiftlet-{os.geteuid()}"
    directory.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="chmod 700"):
        _meeting.listen()
    directory.rmdir()
    directory.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        _meeting.listen()


def test_a_worker_ends_with_its_program(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            from swiftlet.api import SubprocessSpawner, get_command_path, interface_bootup

            interface = interface_bootup(
                [sys.executable, get_command_path("interactive_serial.py")], connections=SubprocessSpawner()
            )
            print(interface.send_and_receive_dict({"fn": os.getpid, "args": (), "kwargs": {}})["result"])
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    descriptor = None
    try:
        descriptor = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    import select

    assert select.select([descriptor], [], [], 30)[0], "the worker did not end"
    os.close(descriptor)


def test_the_spawners_commands(monkeypatch, tmp_path):
    command = ["python", "worker.py"]
    assert SubprocessSpawner(cores=2).generate_command(command) == command
    assert MpiExecSpawner(cores=1).generate_command(command) == command
    mpiexec = tmp_path / "mpiexec"
    mpiexec.write_text("")
    mpiexec.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert MpiExecSpawner(cores=2).generate_command(command) == ["mpiexec", "-n", "2", *command]
    many = MpiExecSpawner(cores=3, openmpi_oversubscribe=True)
    assert many.generate_command(command) == ["mpiexec", "-n", "3", "--oversubscribe", *command]
    mpiexec.unlink()
    with pytest.raises(FileNotFoundError, match="mpiexec"):
        many.generate_command(command)


def test_threads_of_a_worker(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for threads, expected in ((1, "7"), (3, "3")):
        interface = interface_bootup(
            list(SERIAL), connections=SubprocessSpawner(threads_per_core=threads), hostname_localhost=True
        )
        assert interface.send_and_receive_dict(call(os.getenv, "OMP_NUM_THREADS")) == {"result": expected}
        interface.shutdown()


def test_without_a_connection_nothing_happens():
    interface_send(None, {"a": 1})
    assert interface_receive(None) == {}
    interface_shutdown(None, None)


def test_worker_programs_have_paths():
    for name in ("interactive_serial.py", "interactive_parallel.py"):
        assert os.path.isabs(get_command_path(name))
        assert os.path.isfile(get_command_path(name))
    with pytest.raises(FileNotFoundError, match="interactive_parallel"):
        get_command_path("no_such.py")


def test_futures_in_a_queue_are_cancelled():
    items: queue.Queue[object] = queue.Queue()
    futures = [StandardFuture() for _ in range(3)]
    for future in futures:
        items.put({"fn": sum, "future": future})
    items.put({"shutdown": True})
    items.put("anything")
    cancel_items_in_queue(items)
    assert items.empty()
    assert all(future.cancelled() for future in futures)


def test_a_module_travels_by_value(tmp_path, script):
    (tmp_path / "only_here.py").write_text(
        "from swiftlet.api import cloudpickle_register\n"
        "def register(ind):\n"
        "    cloudpickle_register(ind)\n"
        "def triple(x):\n"
        "    return helper(x)\n"
        "def helper(x):\n"
        "    return 3 * x\n"
    )
    status, out, err = script(
        """
        import sys, only_here
        from swiftlet import SingleNodeExecutor
        only_here.register(1)
        sys.path.remove(sys.path[0])  # workers cannot import it
        with SingleNodeExecutor(max_workers=1) as executor:
            print(executor.submit(only_here.triple, 4).result())
        """
    ).end()
    assert (status, out) == (0, "12\n"), err


def test_registering_without_a_module_does_nothing():
    cloudpickle_register(ind=1000)
