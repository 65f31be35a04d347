# SPDX-License-Identifier: BSD-3-Clause
"""``flux_executor=``: a ``flux.job.FluxExecutor`` of the user's, from Flux's own bindings.

They are made for one interpreter (``flux python``), so the program runs with that.
"""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import cloudpickle
import flux_work as work
import pytest
from flux_nodes import FLUX, Instance

import swiftlet

PATIENCE = 100
NEEDED = "import sys, flux.job; assert sys.version_info >= (3, 9)"


def run(instance: Instance, code: str) -> str:
    """What a program prints that runs with Flux's interpreter and bindings."""
    assert FLUX is not None
    places = [
        Path(work.__file__).parent,
        Path(swiftlet.__file__).parents[1],
        Path(cloudpickle.__file__).parents[1],
    ]
    environment = {**os.environ, "FLUX_URI": instance.uri, "PYTHONPATH": os.pathsep.join(map(str, places))}
    python = [FLUX, "python"]
    can = subprocess.run(
        [*python, "-c", NEEDED], env=environment, capture_output=True, text=True, check=False
    )
    if can.returncode != 0:
        pytest.skip(f"Flux's Python bindings cannot be used: {can.stderr.strip().splitlines()[-1]}")
    done = subprocess.run(
        [*python, "-c", textwrap.dedent(code)],
        env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jobs_are_submitted_by_it(instance: Instance) -> None:
    """Those that calls share, those of one call, and what Flux refuses."""
    code = """
        import flux.job
        import flux_work as work
        from swiftlet import FluxJobExecutor

        submitted = []

        class Watched(flux.job.FluxExecutor):
            def submit(self, *arguments, **options):
                future = super().submit(*arguments, **options)
                submitted.append(future)
                return future

        with Watched() as flux_executor:
            with FluxJobExecutor(flux_executor=flux_executor, hostname_localhost=True) as executor:
                assert [f.result(60) for f in [executor.submit(work.square, n) for n in range(20)]] == [
                    n * n for n in range(20)
                ]
                shared = len(submitted)
                assert executor.submit(work.square, 5, resource_dict={"step": True}).result(60) == 25
                assert len(submitted) == shared + 1
                error = executor.submit(work.square, 1, resource_dict={"threads_per_core": 5}).exception(60)
                assert "unsatisfiable request" in str(error), error
                lost = executor.submit(work.exits, 3, resource_dict={"step": True}).exception(60)
                assert lost.exit_status == 3, lost
            # Each ended as Flux saw it; nobody's job was left.
            for future in submitted:
                future.exception(60)
        print(0 < shared <= 20, len(submitted) - shared)
    """
    assert run(instance, code) == "True 3\n"


def test_an_executor_that_is_shut_down_fails_the_calls(instance: Instance) -> None:
    code = """
        import flux.job
        import flux_work as work
        from swiftlet import FluxJobExecutor

        flux_executor = flux.job.FluxExecutor()
        flux_executor.shutdown()
        with FluxJobExecutor(flux_executor=flux_executor, hostname_localhost=True) as executor:
            print(executor.submit(work.square, 2, resource_dict={"step": True}).exception(60))
    """
    assert "cannot schedule new futures" in run(instance, code)
