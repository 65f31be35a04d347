# SPDX-License-Identifier: BSD-3-Clause
"""Bad input is refused at once and by name: W3, W10, and spec 1.2, 1.3 and 2."""

from __future__ import annotations

import operator

import pytest

from swiftlet import ResourceError, ResourceUnavailableError, SingleNodeExecutor


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ({"coers": 1}, "Did you mean 'cores'"),
        ({"foo": 1}, "Legal keys: cores"),
        ({1: 1}, "unknown key 1"),
        ({"cores": "2"}, "cores"),
        ({"cores": 0}, "cores"),
        ({"cores": -1}, "at least 1"),
        ({"cores": 1.5}, "whole number"),
        ({"cores": True}, "cores"),
        ({"cores": 10**12}, "cores"),
        ({"threads_per_core": 0}, "threads_per_core"),
        ({"run_time_max": 0}, "run_time_max"),
        ({"run_time_max": -3}, "run_time_max"),
        ({"run_time_max": float("nan")}, "run_time_max"),
        ({"run_time_max": "1h"}, "run_time_max"),
        ({"priority": 1.5}, "priority"),
        ({"priority": 2**40}, "priority"),
        ({"cwd": 3}, "cwd"),
        ({"cwd": ""}, "cwd"),
        ({"error_log_file": ["x"]}, "error_log_file"),
        ({"exclusive": 1}, "exclusive"),
        ({"slurm_cmd_args": "--x"}, "slurm_cmd_args"),
    ],
)
def test_resources_that_are_wrong(fresh, resources, text):
    before = dict(resources)
    for make in (
        lambda: fresh.submit(operator.add, 1, 2, resource_dict=resources),
        lambda: SingleNodeExecutor(resource_dict=resources),
    ):
        with pytest.raises(ResourceError) as raised:
            make()
        assert text in str(raised.value)
        assert isinstance(raised.value, TypeError)
        assert isinstance(raised.value, ValueError)
    assert resources == before


@pytest.mark.parametrize(
    "resources",
    [
        {"gpus_per_core": 1},
        {"num_nodes": 2},
        {"slurm_cmd_args": ["--x"]},
        {"submission_template": "x"},
    ],
)
def test_w3_resources_that_are_not_available(resources, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (key,) = resources
    with SingleNodeExecutor(max_cores=4) as executor:
        with pytest.raises(ResourceUnavailableError, match=key):
            executor.submit(operator.add, 1, 2, resource_dict=resources)
    with pytest.raises(ResourceUnavailableError, match=key):
        SingleNodeExecutor(max_cores=4, resource_dict=resources)


def test_a_cache_key_without_a_directory_is_refused(fresh):
    with pytest.raises(ResourceError, match="cache_key='x' needs a cache_directory"):
        fresh.submit(operator.add, 1, 2, resource_dict={"cache_key": "x"})


@pytest.mark.parametrize(
    "resources",
    [
        None,
        {},
        {"cores": 1, "threads_per_core": None, "cwd": None},
        {"gpus_per_core": 0, "num_nodes": 1, "exclusive": False, "slurm_cmd_args": []},
        {"openmpi_oversubscribe": False, "priority": -5, "run_time_max": 60, "restart_limit": 1},
    ],
)
def test_w3_resources_that_ask_for_nothing_special(fresh, resources):
    assert fresh.submit(operator.add, 1, 2, resource_dict=resources).result(30) == 3


def test_the_dict_can_be_used_again():
    resources = {"cores": 1, "priority": 1}
    for _ in range(2):
        with SingleNodeExecutor(resource_dict=resources) as executor:
            assert executor.submit(operator.add, 1, 2, resource_dict=resources).result(30) == 3
    assert resources == {"cores": 1, "priority": 1}


def test_w10_more_cores_than_there_are():
    text = r"The specified number of cores is larger than the available number of cores\."
    with SingleNodeExecutor(max_cores=2) as executor:
        with pytest.raises(ValueError, match=text):
            executor.submit(operator.add, 1, 2, resource_dict={"threads_per_core": 3})
        assert executor.submit(operator.add, 1, 2, resource_dict={"threads_per_core": 2}).result(30) == 3
    with pytest.raises(ValueError, match=text):
        SingleNodeExecutor(max_cores=2, resource_dict={"threads_per_core": 3})
    with SingleNodeExecutor(max_cores=2, disable_dependencies=True) as executor:
        with pytest.raises(ValueError, match=text):
            executor.submit(operator.add, 1, 2, resource_dict={"threads_per_core": 3})


def test_what_cannot_be_called(executor):
    for value in (5, None, "text", [1]):
        with pytest.raises(TypeError, match="is not a callable object"):
            executor.submit(value)
        with pytest.raises(TypeError, match="is not a callable object"):
            executor.map(value, [1])


def test_a_function_with_a_parameter_resource_dict(executor):
    def positional(resource_dict):
        return resource_dict

    def keyword(*, resource_dict=None):
        return resource_dict

    class Method:
        def __call__(self, resource_dict):
            return resource_dict

    for fn in (positional, keyword, Method()):
        with pytest.raises(ValueError, match="resource_dict is used internally"):
            executor.submit(fn, 1)


def test_warm_workers_have_the_executors_resources(warm):
    with pytest.raises(ValueError, match="have to be defined on the executor level"):
        warm.submit(operator.add, 1, 2, resource_dict={"priority": 3})
    with pytest.raises(ResourceError, match="unknown key"):
        warm.submit(operator.add, 1, 2, resource_dict={"foo": 3})
    assert warm.submit(operator.add, 1, 2, resource_dict={}).result(30) == 3


def test_an_input_that_is_a_future_is_refused_without_dependencies():
    with SingleNodeExecutor(max_cores=2, disable_dependencies=True) as executor:
        future = executor.submit(operator.add, 1, 2)
        with pytest.raises(ValueError, match="disable_dependencies"):
            executor.submit(operator.add, future, 1)
        assert future.result(30) == 3


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"wait": False}, ValueError, "wait_on_shutdown"),
        ({"restart_limit": 1}, ValueError, "block_allocation=True"),
        ({"init_function": dict}, ValueError, "block_allocation=True"),
        ({"disable_dependencies": True, "refresh_rate": 1}, ValueError, "sleep_interval"),
        ({"disable_dependencies": True, "plot_dependency_graph": True}, ValueError, "plot_dependency_graph"),
        ({"refresh_rate": 0}, ValueError, "refresh_rate"),
        ({"max_workers": 0}, ValueError, "max_workers"),
        ({"max_workers": -1}, ValueError, "max_workers"),
        ({"max_workers": "2"}, TypeError, "max_workers"),
        ({"max_cores": True}, TypeError, "max_cores"),
        ({"max_cores": 10**9}, ValueError, "max_cores"),
        ({"block_allocation": True, "max_workers": 1, "restart_limit": -1}, ValueError, "restart_limit"),
        ({"block_allocation": True, "max_workers": 1, "init_function": 3}, TypeError, "init_function"),
        ({"resource_dict": [("cores", 1)]}, TypeError, "has to be a dict"),
        ({"unknown": 1}, TypeError, "unknown"),
        ({"block_allocation": "no"}, TypeError, "block_allocation has to be True or False, not 'no'"),
        ({"block_allocation": None}, TypeError, "block_allocation"),
        ({"disable_dependencies": [1]}, TypeError, "disable_dependencies"),
        ({"plot_dependency_graph": "graph.svg"}, TypeError, "plot_dependency_graph has"),
        ({"log_obj_size": 2}, TypeError, "log_obj_size"),
        ({"wait": "yes"}, TypeError, "wait"),
        ({"hostname_localhost": "localhost"}, TypeError, "hostname_localhost"),
        ({"cache_directory": 0}, TypeError, "cache_directory has to be a path, not 0"),
        ({"cache_directory": ""}, TypeError, "cache_directory"),
        ({"plot_dependency_graph_filename": 1.5}, TypeError, "plot_dependency_graph_filename"),
        ({"export_workflow_filename": True}, TypeError, "export_workflow_filename"),
    ],
)
def test_constructor_arguments(options, kind, text):
    with pytest.raises(kind, match=text):
        SingleNodeExecutor(**options)


def test_the_signature_is_executorlibs():
    import inspect

    parameters = inspect.signature(SingleNodeExecutor).parameters
    own = {name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert own == {"gpus"}
    assert {name: parameters[name].default for name in parameters if name not in own} == {
        "max_workers": None,
        "cache_directory": None,
        "max_cores": None,
        "resource_dict": None,
        "hostname_localhost": None,
        "block_allocation": False,
        "init_function": None,
        "disable_dependencies": False,
        "refresh_rate": 0.01,
        "plot_dependency_graph": False,
        "plot_dependency_graph_filename": None,
        "export_workflow_filename": None,
        "log_obj_size": False,
        "wait": True,
        "restart_limit": 0,
        "openmpi_oversubscribe": False,
    }
    assert list(parameters)[:4] == ["max_workers", "cache_directory", "max_cores", "resource_dict"]
