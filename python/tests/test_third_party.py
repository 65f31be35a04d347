# SPDX-License-Identifier: BSD-3-Clause
"""Packages that take an executor, used on ours as they document it (S51 to S53): nothing is adapted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import adaptive
import emcee
import numpy as np
import pytest
from graph_work import get_prod_and_div, get_square, get_sum
from pipefunc import PipeFunc, Pipeline
from third_party_work import add_up, double_it, log_probability, peak, square_and_one

from swiftlet import SingleNodeExecutor, get_item_from_future


def sampled(pool):
    np.random.seed(42)
    start = np.random.randn(8, 3)
    sampler = emcee.EnsembleSampler(8, 3, log_probability, pool=pool)
    sampler.run_mcmc(start, 20)
    return sampler.get_chain()


def test_s51_emcee_samples_the_same_chain(warm):
    np.testing.assert_array_equal(sampled(warm), sampled(None))


def pipeline():
    return Pipeline(
        [
            PipeFunc(double_it, output_name="y", mapspec="x[i] -> y[i]"),
            PipeFunc(square_and_one, output_name="z", mapspec="y[i] -> z[i]"),
            PipeFunc(add_up, output_name="total"),
        ]
    )


def test_s52_pipefunc_maps_over_a_pipeline(executor, tmp_path):
    inputs = {"x": [1, 2, 3], "c": 1}
    results = pipeline().map(
        inputs, run_folder=tmp_path / "one", executor=executor, chunksizes=1, show_progress=False
    )
    assert results["z"].output.tolist() == [2, 5, 10]
    assert results["total"].output == 17


def test_s52_pipefunc_with_an_executor_for_each_output(tmp_path, fresh, warm):
    results = pipeline().map(
        {"x": [1, 2, 3], "c": 1},
        run_folder=tmp_path / "two",
        executor={"y": warm, "": fresh},
        chunksizes=1,
        show_progress=False,
    )
    assert results["z"].output.tolist() == [2, 5, 10]


def test_s52_pipefunc_counts_the_workers_of_what_it_takes_for_executorlib(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            from executorlib import SingleNodeExecutor
            from pipefunc import Pipeline, pipefunc

            @pipefunc(output_name="y", mapspec="x[i] -> y[i]")
            def double_it(x: int) -> int:
                return 2 * x

            if __name__ == "__main__":
                with SingleNodeExecutor(block_allocation=True, max_workers=2) as exe:
                    results = Pipeline([double_it]).map({"x": list(range(40))}, executor=exe)
                    print(results["y"].output.tolist() == list(range(0, 80, 2)))
            """
        )
    )
    command = [sys.executable, "-m", "swiftlet.compat", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["True"]), done.stderr


@pytest.mark.skipif(sys.version_info < (3, 10), reason="omp4py needs Python 3.10")
@pytest.mark.parametrize("options", [{}, {"block_allocation": True, "max_workers": 1}], ids=["fresh", "warm"])
def test_s53_omp4py_has_the_threads_that_were_asked_for(options):
    from openmp_work import pi

    with SingleNodeExecutor(max_cores=4, resource_dict={"threads_per_core": 4}, **options) as executor:
        value, threads = executor.submit(pi, 100_000).result()
    assert value == pytest.approx(3.14, abs=0.1)  # six standard deviations are 0.03
    assert threads == 4


def test_adaptive_learns_a_function(warm):
    learner = adaptive.Learner1D(peak, bounds=(-1, 1))
    adaptive.BlockingRunner(learner, npoints_goal=30, executor=warm, ntasks=2)
    assert learner.npoints >= 30
    assert all(value == pytest.approx(peak(x)) for x, value in learner.data.items())


def test_adaptive_in_an_event_loop(warm):
    async def main():
        learner = adaptive.Learner1D(peak, bounds=(-1, 1))
        runner = adaptive.AsyncRunner(learner, npoints_goal=40, executor=warm, ntasks=2)
        await runner.task
        return learner

    learner = asyncio.run(main())
    assert learner.npoints >= 40
    assert all(value == pytest.approx(peak(x)) for x, value in learner.data.items())


def test_the_workflow_formats_own_loader_runs_our_files(tmp_path, executor):
    path = tmp_path / "workflow.json"
    with SingleNodeExecutor(export_workflow_filename=str(path)) as drawing:
        first = drawing.submit(get_prod_and_div, x=1, y=2)
        second = drawing.submit(
            get_sum, x=get_item_from_future(first, "prod"), y=get_item_from_future(first, "div")
        )
        drawing.submit(get_square, x=second)
    from python_workflow_definition.executorlib import load_workflow_json

    assert load_workflow_json(file_name=str(path), exe=executor).result(60) == 6.25
