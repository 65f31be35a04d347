# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of this folder run inside Flux."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import Any


def square(number: int) -> int:
    return number * number


def add(left: int, right: int) -> int:
    return left + right


def variable(name: str) -> str | None:
    return os.environ.get(name)


def exits(status: int) -> None:
    os._exit(status)


def dies_by(signal: int) -> None:
    os.kill(os.getpid(), signal)


def ends_its_job(path: str) -> None:
    """As the kernel does when memory runs out: nobody can say a last word."""
    with open(path, "a") as file:
        file.write("x")
    os.kill(os.getppid(), 9)
    time.sleep(1000)


def raises(text: str) -> None:
    raise ValueError(text)


def makes(path: str) -> None:
    """Takes a while; a second run of the same call fails."""
    time.sleep(0.05)
    with open(path, "x"):
        pass


def sees_all(paths: list[str], patience: float) -> bool:
    """Waits for files that other calls make; False where they do not come."""
    end = time.monotonic() + patience
    while not all(map(os.path.exists, paths)):
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def opens(path: str) -> str:
    """Opens a fifo: returns when somebody has written to it."""
    with open(path) as file:
        return file.read()


def tells_and_opens(told: str, path: str) -> str:
    """Writes its process and job to a fifo, then waits for another one."""
    with open(told, "w") as file:
        file.write(f"{os.getpid()} {os.environ.get('FLUX_JOB_ID')}")
    return opens(path)


def rank_of_all(value: int) -> tuple[int, int, int]:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    return comm.Get_rank(), comm.Get_size(), comm.allreduce(value)


def rank_and_gpus() -> tuple[int, str | None]:
    from mpi4py import MPI

    return MPI.COMM_WORLD.Get_rank(), os.environ.get("CUDA_VISIBLE_DEVICES")


def rank_and_broker() -> tuple[int, str]:
    from mpi4py import MPI

    return MPI.COMM_WORLD.Get_rank(), os.environ["FLUX_URI"]


def rank_one_raises() -> None:
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == 1:
        raise ValueError("rank 1")
    MPI.COMM_WORLD.barrier()


def rank_dies(rank: int, status: int) -> None:
    """By a signal if ``status`` is negative; the others wait for it."""
    from mpi4py import MPI

    if MPI.COMM_WORLD.Get_rank() == rank:
        os.kill(os.getpid(), -status) if status < 0 else os._exit(status)
    MPI.COMM_WORLD.barrier()


def sizes_below(cores: list[int]) -> list[int]:
    """The cores of this instance, and of instances in it that get these numbers of cores."""
    from swiftlet import FluxJobExecutor, _flux_instance

    own = _flux_instance.instance().cores
    if not cores:
        return [own]
    with FluxJobExecutor(flux_executor_nesting=True, hostname_localhost=True) as executor:
        inner = executor.submit(sizes_below, cores[1:], resource_dict={"threads_per_core": cores[0]})
        return [own, *inner.result(120)]


def opened(init: int) -> dict[str, Any]:
    return {"base": init}


def based(number: int, base: int) -> int:
    return number + base


def leaves_a_process() -> int:
    """Its number."""
    return subprocess.Popen(["sleep", "1000"], start_new_session=True).pid


def copies_shared_memory(path: str) -> bool:
    """What MPICH shares between the ranks of this job on this node; False if there is no such thing."""
    from mpi4py import MPI

    MPI.COMM_WORLD.Barrier()
    with open("/proc/self/maps") as maps:
        names = {words[5] for line in maps if len(words := line.split()) > 5}
    shared = [name for name in names if name.startswith("/dev/shm/mpich_shm_")]
    if shared and MPI.COMM_WORLD.Get_rank() == 0:
        shutil.copy(shared[0], path)
    MPI.COMM_WORLD.Barrier()
    return bool(shared)
