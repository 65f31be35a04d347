# SPDX-License-Identifier: BSD-3-Clause
"""Little memory, no shared memory, a full disk, a client that stands still: slower, never wrong, never more
memory than there is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

NO_SEGMENTS = "no shared memory for large data"


def test_a_limit_of_file_sizes_leaves_the_socket(script):
    """It holds for memory files, too: nothing large can be shared, and the engine may not write its log."""
    program = script(
        """
        import os, resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        os.environ["SWIFTLET_LOG"] = os.path.abspath("engine.log")
        from swiftlet import SingleNodeExecutor

        def double(data):
            return data + data

        with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
            futures = [executor.submit(double, bytes([number]) * 100_000) for number in range(80)]
            print([future.result() for future in futures] == [bytes([n]) * 200_000 for n in range(80)])
        print(os.path.getsize("engine.log") <= 4096)
        """
    )
    status, out, err = program.end(60)
    assert (status, out) == (0, "True\nTrue\n")
    assert err.count(NO_SEGMENTS) == 2  # this program, and its worker


FULL = """
import os, threading
from pathlib import Path
from swiftlet import SingleNodeExecutor, _session

_session.memory_budget = lambda: 1_000_000

def wait_for(path):
    Path(path).read_text()

os.mkfifo("gate")
with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
    first = executor.submit(wait_for, os.path.abspath("gate"))
    futures = []

    def submit_all():
        for number in range(300):
            futures.append(executor.submit(len, bytes(20_000 + number)))

    submitter = threading.Thread(target=submit_all)
    submitter.start()
    while not executor._session.connection.full:
        assert submitter.is_alive()
    print(len(futures) < 300)
    Path("gate").write_text("open")
    submitter.join()
    print([future.result() for future in futures] == [20_000 + number for number in range(300)])
"""


def test_a_full_disk_makes_submit_wait(tmp_path: Path) -> None:
    """The budget is used up, and TMPDIR takes no more: what is queued stays within bounds all the same."""
    (tmp_path / "full").mkdir()
    (tmp_path / "script.py").write_text(FULL)
    mount = "mount -t tmpfs -o size=512k none full && TMPDIR=$PWD/full exec python script.py"
    program = mount.replace("python", subprocess.list2cmdline([shutil.which("python") or "python3"]))
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    done = subprocess.run(
        [*inside, program], cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\nTrue\n"), done.stderr


def peak_of(pid: int) -> int:
    """The largest resident memory that a process has had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def test_arguments_of_waiting_calls_go_to_files(script):
    """400 MB of arguments in a budget of 20 MB: neither client nor engine keeps them in memory."""
    program = script(
        """
        import os, sys, numpy
        from pathlib import Path
        from swiftlet import SingleNodeExecutor, _session
        _session.memory_budget = lambda: 20_000_000

        def wait_for(path):
            Path(path).read_text()

        os.mkfifo("gate")
        with SingleNodeExecutor(block_allocation=True, max_workers=1) as executor:
            first = executor.submit(wait_for, os.path.abspath("gate"))
            futures = [executor.submit(numpy.sum, numpy.full(125_000, number)) for number in range(400)]
            print(executor._session.connection.engine_pid, flush=True)
            sys.stdin.readline()
            Path("gate").write_text("open")
            print([int(future.result()) for future in futures] == [125_000 * n for n in range(400)])
        """
    )
    engine = int(program.line())
    assert peak_of(engine) < 100_000_000
    assert peak_of(program.process.pid) < 250_000_000
    assert program.end_after("go on\n") == (0, "True\n", "")


def test_a_client_that_stands_still_does_not_fill_the_engine(script):
    """600 MB of results, read by nobody: the engine starts no more calls, and goes on once they are read."""
    program = script(
        """
        from swiftlet import SingleNodeExecutor

        def work(number):
            return bytes(60_000)

        with SingleNodeExecutor(block_allocation=True, max_workers=2) as executor:
            first = executor.submit(work, 0).result()
            futures = [executor.submit(work, number) for number in range(10_000)]
            print(executor._session.connection.engine_pid, flush=True)
            count = 0
            while futures:
                count += len(futures.pop().result())
            print(count)
        """
    )
    engine = int(program.line())
    os.kill(program.process.pid, signal.SIGSTOP)
    spent = -1
    while spent != (spent := cpu_of(engine)):  # until it has nothing left that it may do
        pass
    assert peak_of(engine) < 300_000_000
    os.kill(program.process.pid, signal.SIGCONT)
    assert program.line() == "600000000"
    assert program.end()[0] == 0


def cpu_of(pid: int) -> int:
    """CPU time of a process, looked at after it had the chance to use some."""
    time.sleep(0.3)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
