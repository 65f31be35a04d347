# SPDX-License-Identifier: BSD-3-Clause
"""Scripts of the user's for calls that are jobs of a real Flux instance: templates, and pysqa's queues."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import flux_work as work
import pytest
from flux_nodes import Instance

from swiftlet import FluxClusterExecutor, ResourceError, ResourceUnavailableError, WorkerLostError

pytest.importorskip("jinja2")

PATIENCE = 120
TEMPLATE = """#!/bin/bash
#flux: --job-name={{job_name}}-{{colour}}
#flux: --output={{working_directory}}/said.txt
#flux: -n {{cores}}
{%- if run_time_max %}
#flux: -t {{run_time_max}}s
{%- endif %}
export COLOUR={{colour}} MEMORY={{memory_max}}
echo the script runs
{{command}}
"""


def seen(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names}


def length(values: Any) -> int:
    return len(values)


@pytest.fixture
def cache(instance: Instance, tmp_path: Path) -> str:
    return str(tmp_path / "my results")


def resources(**more: Any) -> Any:
    return {"submission_template": TEMPLATE, "colour": "blue", **more}


def test_a_users_template_is_a_script_for_flux_batch(instance: Instance, cache: str) -> None:
    with warnings.catch_warnings(), FluxClusterExecutor(cache_directory=cache) as executor:
        warnings.simplefilter("error")
        asked = resources(threads_per_core=2, run_time_max=250, memory_max=1.5)
        future = executor.submit(seen, "COLOUR", "MEMORY", resource_dict=asked)
        found = future.result(PATIENCE)
    assert (found["COLOUR"], found["MEMORY"]) == ("blue", "1.5")
    newest = instance.run("jobs", "-a", "--count=1", "--no-header", "--format={name} {ncores} {duration:.0f}")
    assert newest.split() == ["seen-blue", "2", "250"]
    assert (Path(cache) / "said.txt").read_text() == "the script runs\n"


def test_a_misspelt_variable_is_refused_by_the_call(cache: str) -> None:
    script: Any = {"submission_template": TEMPLATE}
    with FluxClusterExecutor(cache_directory=cache, resource_dict=script) as executor:
        with pytest.raises(ResourceError, match=r"uses 'colour', .* There are: command, cores,"):
            executor.submit(seen, "COLOUR")
        asked: Any = {"colour": "red"}
        assert executor.submit(seen, "COLOUR", resource_dict=asked).result(PATIENCE) == {"COLOUR": "red"}


def test_inputs_are_dependencies_of_scripts(instance: Instance, cache: str) -> None:
    with FluxClusterExecutor(cache_directory=cache, resource_dict=resources()) as executor:
        values = executor.submit(seen, "COLOUR")
        lost = executor.submit(work.exits, 3)
        assert executor.submit(length, values).result(PATIENCE) == 1
        with pytest.raises(WorkerLostError):
            executor.submit(length, lost).result(PATIENCE)


def test_ranks_in_a_script(instance: Instance, cache: str) -> None:
    pytest.importorskip("mpi4py")
    with FluxClusterExecutor(cache_directory=cache, resource_dict=resources(cores=2)) as executor:
        assert executor.submit(work.rank_of_all, 3).result(PATIENCE) == [(0, 2, 6), (1, 2, 6)]


def test_the_working_directory_is_made(instance: Instance, cache: str, tmp_path: Path) -> None:
    directory = tmp_path / "new one"
    with FluxClusterExecutor(cache_directory=cache) as executor:
        future = executor.submit(os.getcwd, resource_dict=resources(cwd=str(directory)))
        assert future.result(PATIENCE) == str(directory)
    assert (directory / "said.txt").exists()


def test_a_relative_working_directory(
    instance: Instance, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "now"
    there.mkdir()
    with FluxClusterExecutor(cache_directory=cache) as executor:
        monkeypatch.chdir(there)
        future = executor.submit(os.getcwd, resource_dict=resources(cwd="in"))
        monkeypatch.chdir(tmp_path)
        assert future.result(PATIENCE) == str(there / "in")
    assert (there / "in" / "said.txt").exists()


def test_a_script_that_fails_before_the_call_ends_its_future(instance: Instance, cache: str) -> None:
    with FluxClusterExecutor(cache_directory=cache) as executor:
        template = "#!/bin/bash\n#flux: -n1 --output=/dev/null\nexit 4\n{{command}}\n"
        future = executor.submit(length, "abc", resource_dict={"submission_template": template})
        with pytest.raises(WorkerLostError, match="exited with status 4"):
            future.result(PATIENCE)


def test_what_flux_batch_refuses_ends_the_call_in_its_words(instance: Instance, cache: str) -> None:
    template = "#!/bin/bash\n#flux: -n1 --queue=nowhere\n{{command}}\n"
    with FluxClusterExecutor(cache_directory=cache) as executor:
        future = executor.submit(length, "abc", resource_dict={"submission_template": template})
        with pytest.raises(Exception, match=r"(?s)flux batch refused the job: .*queue"):
            future.result(PATIENCE)


def test_a_template_that_is_none_is_refused(instance: Instance, cache: str) -> None:
    with FluxClusterExecutor(cache_directory=cache) as executor:
        with pytest.raises(ResourceError, match="no Jinja2 template"):
            executor.submit(length, "abc", resource_dict={"submission_template": "{% if %}"})
        with pytest.raises(ResourceUnavailableError, match=r"memory_max.*submission_template"):
            executor.submit(length, "abc", resource_dict={"memory_max": 1})


def test_a_dry_run_shows_the_script(instance: Instance, cache: str) -> None:
    with FluxClusterExecutor(cache_directory=cache) as executor:
        text = executor.dry_run(length, "abc", resource_dict=resources())
    assert "#flux: --job-name=length-blue\n" in text
    assert text.endswith("# submitted by: flux batch\n")
    assert instance.open_jobs() == []


def test_keys_that_nobody_understands_are_named(instance: Instance, cache: str) -> None:
    with FluxClusterExecutor(cache_directory=cache) as executor:
        with pytest.warns(UserWarning, match=r"'bank' instead of 'banks'"):
            assert executor.submit(length, "abc", resource_dict={"banks": "x"}).result(PATIENCE) == 3


def test_queues_of_pysqa(instance: Instance, cache: str, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    (tmp_path / "queue.yaml").write_text(
        "queue_type: FLUX\nqueue_primary: small\nqueues:\n"
        "  small: {script: flux.sh, cores_max: 2, run_time_max: 300}\n"
        "  wide: {script: flux.sh, cores_min: 3}\n"
    )
    (tmp_path / "flux.sh").write_text(TEMPLATE)
    with FluxClusterExecutor(
        cache_directory=cache, pysqa_config_directory=str(tmp_path), resource_dict={"colour": "red"}
    ) as executor:
        assert executor.submit(seen, "COLOUR").result(PATIENCE) == {"COLOUR": "red"}
        with pytest.raises(ResourceError, match="at most 2 cores"):
            executor.submit(seen, "COLOUR", resource_dict={"threads_per_core": 3})
        wide = executor.submit(seen, "MEMORY", resource_dict={"queue": "wide"})
        assert wide.result(PATIENCE) == {"MEMORY": "None"}
    newest = instance.run("jobs", "-a", "--count=2", "--no-header", "--format={ncores} {duration:.0f}")
    assert sorted(newest.splitlines()) == ["1 300", "3 0"]
    with pytest.raises(ResourceError, match="there are: small, wide"):
        FluxClusterExecutor(
            cache_directory=cache, pysqa_config_directory=str(tmp_path), resource_dict={"queue": "large"}
        )


def test_a_script_may_be_left_and_found_again(instance: Instance, cache: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    executor = FluxClusterExecutor(cache_directory=cache, resource_dict=resources())
    executor.submit(work.opens, str(fifo))
    executor.shutdown(wait=False)
    with FluxClusterExecutor(cache_directory=cache, resource_dict=resources()) as executor:
        future = executor.submit(work.opens, str(fifo))
        fifo.write_text("back")
        assert future.result(PATIENCE) == "back"
