# SPDX-License-Identifier: BSD-3-Clause
"""``SlurmClusterExecutor`` on a real Slurm: what it grants, what becomes of calls, in which jobs they run."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import Cluster

from swiftlet import SlurmClusterExecutor
from swiftlet._errors import ResourceError, SubmissionError

CALLS = int(os.environ.get("SWIFTLET_TEST_BATCH_CALLS", "300"))
"""1,000 take a quarter of a minute on two busy cores."""
TEMPLATE = """#!/bin/bash
#SBATCH --output=time.out
#SBATCH --job-name={{job_name}}
#SBATCH --chdir={{working_directory}}
#SBATCH --partition={{partition}}
{%- if run_time_max %}
#SBATCH --time={{ [1, run_time_max // 60]|max }}
{%- endif %}
{%- if dependency %}
#SBATCH --dependency=afterok:{{ dependency | join(',') }}
{%- endif %}
#SBATCH --ntasks={{cores}}

{{command}}"""


def add(a: int, b: int = 1) -> int:
    return a + b


def job_of(*_: Any) -> dict[str, str]:
    """What a call sees of its job, and what Slurm says of it."""
    words = subprocess.run(
        ["scontrol", "show", "job", "--oneliner", os.environ["SLURM_JOB_ID"]], capture_output=True, text=True
    )
    return {**os.environ, "scontrol": words.stdout, "cwd": os.getcwd()}


@pytest.fixture
def cache(tmp_path: Path) -> str:
    """A directory with a blank in its name, as users have them."""
    return str(tmp_path / "my results")


@pytest.fixture
def executor(cluster: Cluster, cache: str) -> Iterator[SlurmClusterExecutor]:
    with SlurmClusterExecutor(cache_directory=cache) as executor:
        yield executor


def granted(cluster: Cluster, seen: dict[str, str]) -> dict[str, str]:
    """`scontrol show job`, as the call itself saw it while it ran."""
    from slurm_cluster import fields

    return fields(seen["scontrol"])


def test_three_sums(executor: SlurmClusterExecutor) -> None:  # S29
    assert [executor.submit(sum, [i, i]).result() for i in range(1, 4)] == [2, 4, 6]


def test_a_default_partition_is_all_it_takes_and_equal_shapes_are_one_array(
    executor: SlurmClusterExecutor,
) -> None:
    seen = [executor.submit(job_of, index) for index in range(5)]
    jobs = {future.result()["SLURM_ARRAY_JOB_ID"] for future in seen}
    assert len(jobs) == 1
    assert {future.result()["SLURM_ARRAY_TASK_ID"] for future in seen} <= set("01234")


def test_every_resource_is_what_slurm_granted(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    resources = {
        "threads_per_core": 2,
        "gpus_per_core": 1,
        "memory_max": 0.5,
        "run_time_max": 250,
        "priority": 7,
        "partition": "debug",
        "account": "root",
        "qos": "normal",
        "comment": 'it\'s for "me"',
        "nodelist": ["n3"],
    }
    seen = executor.submit(job_of, resource_dict=resources).result()
    job = granted(cluster, seen)
    assert seen["OMP_NUM_THREADS"] == "2"
    assert seen["SLURMD_NODENAME"] == "n3"
    assert len(seen["CUDA_VISIBLE_DEVICES"]) == 1
    assert job["NumTasks"] == "1"
    assert job["CPUs/Task"] == "2"
    assert job["NumCPUs"] == "2"
    assert job["MinMemoryNode"] == "512M"
    assert job["TimeLimit"] == "00:06:00"  # W22: never less than asked for
    assert job["Priority"] == "7"
    assert job["Partition"] == "debug"
    assert job["Account"] == "root"
    assert job["QOS"] == "normal"
    assert job["NodeList"] == "n3"
    assert job["Comment"].strip() == 'it\'s for "me"'
    assert job["JobName"] == "job_of"
    assert "gres/gpu=1" in job["TRES"]


def test_nodes_exclusive_and_plain_arguments(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    seen = executor.submit(
        job_of, resource_dict={"num_nodes": 2, "exclusive": True, "slurm_cmd_args": ["--nice=5"]}
    ).result()
    job = granted(cluster, seen)
    assert job["NumNodes"] == "2"
    assert job["NumCPUs"] == "8"
    assert job["OverSubscribe"] == "NO"
    assert job["Nice"] == "5"


@pytest.mark.parametrize(("seconds", "limit"), [(1, "00:02:00"), (60, "00:02:00"), (61, "00:03:00")])
def test_minutes_are_never_less_than_the_seconds(
    cluster: Cluster, executor: SlurmClusterExecutor, seconds: int, limit: str
) -> None:  # W22
    seen = executor.submit(job_of, seconds, resource_dict={"run_time_max": seconds}).result()
    assert granted(cluster, seen)["TimeLimit"] == limit


def test_cwd_is_made_and_used(executor: SlurmClusterExecutor, tmp_path: Path) -> None:
    there = tmp_path / "a new place"
    assert executor.submit(job_of, resource_dict={"cwd": str(there)}).result()["cwd"] == str(there)


@pytest.mark.usefixtures("cluster")
def test_a_relative_cwd_begins_where_the_program_is_at_submit(
    cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("before", "now", "after"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "before")
    there = str(tmp_path / "now" / "in")
    foreign: Future[int] = Future()
    with SlurmClusterExecutor(cache_directory=cache) as executor:
        monkeypatch.chdir(tmp_path / "now")
        future = executor.submit(job_of, resource_dict={"cwd": "in"})
        waiting = executor.submit(job_of, foreign, resource_dict={"cwd": "in"})
        monkeypatch.chdir(tmp_path / "after")
        executor.submit(add, 1).result()
        foreign.set_result(1)
        for seen in (future.result(), waiting.result()):
            assert seen["cwd"] == there
            assert f" WorkDir={there} " in seen["scontrol"]
    assert [path.parent.name for path in tmp_path.glob("*/in")] == ["now"]


def test_a_chain_depends_on_jobs(executor: SlurmClusterExecutor) -> None:  # S34 on Slurm
    total: Any = 0
    for number in range(4, 8):
        total = executor.submit(add, number, total)
    assert total.result() == 22


def test_a_users_template(cluster: Cluster, cache: str) -> None:  # S30
    with SlurmClusterExecutor(
        cache_directory=cache,
        resource_dict={"submission_template": TEMPLATE, "partition": "debug", "run_time_max": 180},
    ) as executor:
        first = executor.submit(add, 2, 2)
        assert executor.submit(add, first, 4).result() == 8
        seen = executor.submit(job_of).result()
        several = [executor.submit(add, number, 3) for number in range(5)]
        assert [future.result() for future in several] == [3, 4, 5, 6, 7]
    assert granted(cluster, seen)["TimeLimit"] == "00:03:00"
    assert granted(cluster, seen)["StdOut"].endswith("/time.out")


def test_queues_of_pysqa(cluster: Cluster, cache: str, tmp_path: Path) -> None:
    (tmp_path / "queue.yaml").write_text(
        "queue_type: SLURM\nqueue_primary: q\nqueues:\n  q: {script: q.sh, cores_max: 4, run_time_max: 120}\n"
    )
    (tmp_path / "q.sh").write_text(TEMPLATE.replace("{{partition}}", "debug"))
    with SlurmClusterExecutor(cache_directory=cache, pysqa_config_directory=str(tmp_path)) as executor:
        seen = executor.submit(job_of, resource_dict={"queue": "q"}).result()
        assert granted(cluster, seen)["TimeLimit"] == "00:02:00"
        with pytest.raises(ResourceError, match="at most 4 cores"):
            executor.submit(add, 1, resource_dict={"threads_per_core": 5})
        with pytest.raises(ResourceError, match="there is no queue 'r'"):
            executor.submit(add, 1, resource_dict={"queue": "r"})


def test_a_wrong_partition(executor: SlurmClusterExecutor) -> None:  # S32
    future = executor.submit(add, 1, resource_dict={"partition": "nowhere"})
    with pytest.raises(subprocess.CalledProcessError) as caught:
        future.result()
    assert "invalid partition specified: nowhere" in caught.value.output
    assert isinstance(caught.value, (SubmissionError, RuntimeError))


def test_w17_a_refused_submission_is_no_result(executor: SlurmClusterExecutor) -> None:
    with pytest.raises(SubmissionError):
        executor.submit(add, 1, resource_dict={"partition": "nowhere"}).result()
    assert executor.submit(add, 1).result() == 2


def test_keys_that_nobody_knows_are_warned_about(executor: SlurmClusterExecutor) -> None:
    with pytest.warns(UserWarning, match="'partition' instead of 'partiton'") as told:
        executor.submit(add, 1, resource_dict={"partiton": "debug"}).result()
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert executor.submit(add, 2, resource_dict={"partition": "debug"}).result() == 3
    for wrong in ({"memory_max": -1}, {"dependency": "afterok:1"}, {"queue": "q"}):
        with pytest.raises(ResourceError):
            executor.submit(add, 1, resource_dict=wrong)


def test_equal_calls_are_one_job(executor: SlurmClusterExecutor, tmp_path: Path) -> None:
    def note(path: str) -> str:
        with open(path, "a") as file:
            file.write("ran\n")
        return "done"

    path = str(tmp_path / "ran")
    futures = [executor.submit(note, path) for _ in range(4)]
    assert [future.result() for future in futures] == ["done"] * 4
    assert executor.submit(note, path).result() == "done"  # W4: also after its end
    assert Path(path).read_text() == "ran\n"


def test_what_a_call_prints_is_beside_its_entry(executor: SlurmClusterExecutor, cache: str) -> None:
    def say() -> str:
        print("something to read")
        return os.environ["SLURM_JOB_ID"]

    job = executor.submit(say).result()
    assert "something to read" in Path(cache, f"slurm-{job}.out").read_text()


def test_nothing_is_left_beside_the_outcomes(cluster: Cluster, cache: str) -> None:
    with SlurmClusterExecutor(cache_directory=cache) as executor:
        assert list(executor.map(add, range(20))) == list(range(1, 21))
    # Elements whose calls others have run have come and gone, too: the directory may be removed.
    assert not cluster.queue()
    assert {Path(name).suffix for name in os.listdir(cache)} == {".outcome"}


def test_cancel_reaches_the_queue(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    future = executor.submit(blocked)
    cluster.until(lambda: [row for row in cluster.queue() if row.state == "RUNNING"])
    assert future.cancel()
    cluster.until(lambda: not cluster.queue(), seconds=20)


def blocked() -> None:
    """Runs until it is ended."""
    os.read(os.pipe()[0], 1)


def test_hundreds_of_calls(cluster: Cluster, cache: str) -> None:
    before = rpcs(cluster)
    with SlurmClusterExecutor(cache_directory=cache) as executor:
        # Of a function whose module imports no test framework.
        futures = [executor.submit(abs, -number) for number in range(CALLS)]
        assert [future.result(timeout=100) for future in futures] == list(range(CALLS))
    asked = rpcs(cluster) - before
    print(f"{CALLS} calls, {asked} requests to the controller")
    assert asked < 100, f"the controller was asked {asked} times"
    cluster.until(lambda: not cluster.queue())


def test_dry_run_shows_the_script(cluster: Cluster, executor: SlurmClusterExecutor) -> None:
    script = executor.dry_run(add, 1, resource_dict={"partition": "debug", "run_time_max": 60, "cores": 2})
    for line in (
        "#SBATCH --ntasks=2",
        "#SBATCH --partition=debug",
        "#SBATCH --time=2",
        "# submitted by: sbatch",
    ):
        assert line in script
    assert "--step srun" in script
    rendered = executor.dry_run(add, 1, resource_dict={"submission_template": TEMPLATE, "partition": "debug"})
    assert rendered.startswith("#!/bin/bash\n#SBATCH --output=time.out\n#SBATCH --job-name=add")
    assert not cluster.queue()


def rpcs(cluster: Cluster) -> int:
    """How many messages users' commands have sent to the controller: submissions, questions, cancels."""
    kinds = ("REQUEST_SUBMIT_BATCH_JOB", "REQUEST_JOB_USER_INFO", "REQUEST_KILL_JOB")
    counts = [
        line.split("count:")[1].split()[0]
        for line in cluster.run("sdiag").splitlines()
        if line.strip().startswith(kinds)
    ]
    return sum(map(int, counts))
