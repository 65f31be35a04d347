# SPDX-License-Identifier: BSD-3-Clause
"""Instances of Flux: four virtual nodes of four cores and two GPUs each, where Flux is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

FLUX = shutil.which("flux")
NODES = 4
CORES_PER_NODE = 4
GPUS_PER_NODE = 2
RESOURCES = f"""
[resource]
noverify = true
[[resource.config]]
hosts = "node[0-{NODES - 1}]"
cores = "0-{CORES_PER_NODE - 1}"
gpus = "0-{GPUS_PER_NODE - 1}"
"""


class Instance:
    """A running instance, and what its own commands say of it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def run(self, *command: str) -> str:
        """What a ``flux`` command prints."""
        assert FLUX is not None
        environment = {**os.environ, "FLUX_URI": self.uri}
        answer = subprocess.run(
            [FLUX, *command], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    def open_jobs(self) -> list[str]:
        """The ids of the jobs that have not ended."""
        return self.run("jobs", "--no-header", "--count=0", "--format={id}").split()

    def wait_until_idle(self) -> None:
        """Returns when no job is left. Fails after a minute."""
        deadline = time.monotonic() + 60
        while jobs := self.open_jobs():
            assert time.monotonic() < deadline, f"jobs are left: {jobs}"
            self.run("job", "wait-event", "--timeout=60", jobs[0], "clean")


def start(directory: Path, *options: str) -> tuple[subprocess.Popen[bytes], str]:
    """Starts an instance and waits until it is ready; its process, and its URI."""
    assert FLUX is not None
    ready = directory / "ready"
    os.mkfifo(ready)
    waits = "exec tail --pid=$PPID -f /dev/null"  # ends with its broker, however that ends
    command = [FLUX, "start", *options, "sh", "-c", f"echo $FLUX_URI >{ready}; {waits}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    return process, ready.read_text().strip()  # the initial program runs when the instance is ready


def stop(process: subprocess.Popen[bytes], uri: str) -> None:
    """Ends an instance."""
    assert FLUX is not None
    if process.poll() is None:
        subprocess.run([FLUX, "shutdown", "--quiet", uri], check=False, capture_output=True, timeout=60)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def has_pmix(instance: Instance) -> bool:
    """Whether tasks of a job get PMIx, which is a plug-in of Flux's."""
    return "PMIX_RANK" in instance.run("run", "-n1", "-o", "pmi=pmix", "env")
