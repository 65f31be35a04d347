# SPDX-License-Identifier: BSD-3-Clause
"""How a worker process of one's own is started."""

from __future__ import annotations

import abc
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable

from swiftlet._current import THREAD_VARIABLES

_GRACE = 5.0


class BaseSpawner(abc.ABC):
    """Starts a worker, says whether it lives, and ends it. Users derive their own from it."""

    def __init__(
        self, cwd: str | None = None, cores: int = 1, worker_id: int = 0, openmpi_oversubscribe: bool = False
    ) -> None:
        self._cwd = cwd
        self._cores = cores
        self._worker_id = worker_id
        self._openmpi_oversubscribe = openmpi_oversubscribe

    @abc.abstractmethod
    def bootup(self, command_lst: list[str], stop_function: Callable[[], bool] | None = None) -> bool:
        """Starts the command; whether it runs. ``stop_function``: gives True if it is not wanted any more."""

    @abc.abstractmethod
    def poll(self) -> bool:
        """Whether it runs."""

    @abc.abstractmethod
    def shutdown(self, wait: bool = True) -> None:
        """Ends it; ``wait``: gives it time to end by itself first."""


class SubprocessSpawner(BaseSpawner):
    """Starts a worker as a process of this machine, in a process group of its own."""

    def __init__(
        self,
        cwd: str | None = None,
        cores: int = 1,
        worker_id: int = 0,
        openmpi_oversubscribe: bool = False,
        threads_per_core: int = 1,
    ) -> None:
        super().__init__(cwd, cores, worker_id, openmpi_oversubscribe)
        self._threads_per_core = threads_per_core
        self._process: subprocess.Popen[bytes] | None = None

    def bootup(self, command_lst: list[str], stop_function: Callable[[], bool] | None = None) -> bool:
        """Starts the command; ``cwd`` is made if it is missing. ``OSError`` if it cannot be started."""
        if stop_function is not None and stop_function():
            return False
        self.shutdown(wait=False)  # what is left of an earlier one
        if self._cwd is not None:
            os.makedirs(self._cwd, exist_ok=True)
        self._process = subprocess.Popen(
            self.generate_command(command_lst),
            cwd=self._cwd,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self.poll()

    def generate_command(self, command_lst: list[str]) -> list[str]:
        """The command that is run for ``command_lst``."""
        return command_lst

    def _environment(self) -> dict[str, str]:
        """This program's; with several threads wanted, libraries of threads are told how many."""
        count = self._threads_per_core
        return {**os.environ, **(dict.fromkeys(THREAD_VARIABLES, str(count)) if count > 1 else {})}

    def poll(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def shutdown(self, wait: bool = True) -> None:
        """Ends the process and what it started. ``wait``: it has been told to end, and gets 5 s for that."""
        process, self._process = self._process, None
        if process is None:
            return
        if wait:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)


class MpiExecSpawner(SubprocessSpawner):
    """Starts ``cores`` ranks of a worker by mpiexec; with one core a plain process."""

    def generate_command(self, command_lst: list[str]) -> list[str]:
        """``mpiexec -n cores [--oversubscribe] command``. ``FileNotFoundError`` if there is no mpiexec."""
        if self._cores == 1:
            return command_lst
        if shutil.which("mpiexec") is None:
            raise FileNotFoundError(
                f"{self._cores} cores need mpiexec, which is not on PATH: install an MPI library, or ask for "
                "one core"
            )
        oversubscribe = ["--oversubscribe"] if self._openmpi_oversubscribe else []
        return ["mpiexec", "-n", str(self._cores), *oversubscribe, *command_lst]
