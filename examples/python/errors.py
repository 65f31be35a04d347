# SPDX-License-Identifier: BSD-3-Clause
"""What failures look like. Each concerns its own call (and what depends on it), never the executor."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import CancelledError

from swiftlet import SingleNodeExecutor, WorkerLostError


def divide(a: float, b: float) -> float:
    """Raises for b = 0."""
    return a / b


def die() -> None:
    """What a segmentation fault in a library does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def wait_for_ever() -> None:
    """Must be ended from outside."""
    threading.Event().wait()


if __name__ == "__main__":
    with SingleNodeExecutor(max_workers=2) as executor:
        failed = executor.submit(divide, 1, 0)
        dependant = executor.submit(divide, failed, 2)
        error = failed.exception()
        print("raised:", type(error).__name__, "-", error)
        print(
            "  seen from here, with the worker's lines:",
            "return a / b" in str(error.__cause__ if error else ""),
        )
        print("its dependant:", type(dependant.exception()).__name__)

        try:
            executor.submit(die).result()
        except WorkerLostError as lost:
            print("worker lost:", "SIGSEGV" in str(lost), lost.signal)

        try:
            executor.submit(divide, threading.Lock(), 1)
        except TypeError as refused:
            print("refused in submit:", type(refused).__name__)

        try:
            executor.submit(divide, 1, 2, resource_dict={"coers": 2})  # type: ignore[call-arg]
        except (TypeError, ValueError) as refused:
            print("misspelt:", "cores" in str(refused))

        limited = executor.submit(wait_for_ever, resource_dict={"run_time_max": 1})
        print("time limit:", isinstance(limited.exception(), TimeoutError))

        endless = executor.submit(wait_for_ever)
        while not endless.running():
            time.sleep(0.01)
        print("cancelled while it ran:", endless.cancel())
        try:
            endless.result()
        except CancelledError:
            print("and the next call works:", executor.submit(divide, 1, 2).result())
