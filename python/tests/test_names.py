# SPDX-License-Identifier: BSD-3-Clause
"""Every executor is importable and has executorlib's signature."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import swiftlet
from swiftlet import api, compat

COMMON = [
    ("hostname_localhost", None),
    ("block_allocation", False),
    ("init_function", None),
    ("disable_dependencies", False),
    ("refresh_rate", 0.01),
    ("plot_dependency_graph", False),
    ("plot_dependency_graph_filename", None),
    ("export_workflow_filename", None),
    ("log_obj_size", False),
    ("wait", True),
]
FIRST = [("max_workers", None), ("cache_directory", None), ("max_cores", None), ("resource_dict", None)]
RESTART, OVERSUBSCRIBE, PMI = ("restart_limit", 0), ("openmpi_oversubscribe", False), ("pmi_mode", None)
FLUX = [("flux_executor", None), ("flux_executor_nesting", False), ("flux_log_files", False)]
PYSQA = ("pysqa_config_directory", None)

SIGNATURES = {
    swiftlet.SingleNodeExecutor: [*FIRST, *COMMON, RESTART, OVERSUBSCRIBE],
    swiftlet.SlurmJobExecutor: [*FIRST, PMI, *COMMON, RESTART, OVERSUBSCRIBE],
    swiftlet.FluxJobExecutor: [*FIRST, PMI, *FLUX, *COMMON, RESTART, OVERSUBSCRIBE],
    swiftlet.SlurmClusterExecutor: [*FIRST, PYSQA, PMI, *COMMON, OVERSUBSCRIBE],
    swiftlet.FluxClusterExecutor: [*FIRST, PYSQA, PMI, *COMMON, OVERSUBSCRIBE],
    api.TestClusterExecutor: [*FIRST, *COMMON, OVERSUBSCRIBE],
}


@pytest.mark.parametrize("executor", SIGNATURES, ids=lambda kind: kind.__name__)
def test_constructors_have_executorlibs_parameters(executor):
    """What is ours alone can be given by keyword only."""
    own = inspect.Parameter.KEYWORD_ONLY
    parameters = [each for each in inspect.signature(executor).parameters.values() if each.kind is not own]
    assert [(each.name, each.default) for each in parameters] == SIGNATURES[executor]
    assert {each.kind for each in parameters} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert issubclass(executor, swiftlet.BaseExecutor)


ROOT = [
    "get_cache_data",
    "get_future_from_cache",
    "get_item_from_future",
    "split_future",
    "terminate_tasks_in_cache",
    "BaseExecutor",
    "FluxJobExecutor",
    "FluxClusterExecutor",
    "SingleNodeExecutor",
    "SlurmJobExecutor",
    "SlurmClusterExecutor",
    "get_cache_data_queue",
    "terminate_task_in_cache",
    "__version__",
]
API = [
    "TestClusterExecutor",
    "cancel_items_in_queue",
    "cloudpickle_register",
    "get_command_path",
    "interface_bootup",
    "interface_connect",
    "interface_receive",
    "interface_send",
    "interface_shutdown",
    "MpiExecSpawner",
    "SocketInterface",
    "SubprocessSpawner",
    "ExecutorlibSocketError",
]

FUNCTIONS = {
    swiftlet.get_cache_data: "cache_directory",
    swiftlet.get_cache_data_queue: "cache_directory queue_type=None config_directory=None",
    swiftlet.get_future_from_cache: "cache_directory cache_key",
    swiftlet.get_item_from_future: "future key",
    swiftlet.split_future: "future n",
    swiftlet.terminate_tasks_in_cache: "cache_directory pysqa_config_directory=None backend=None",
    swiftlet.terminate_task_in_cache: "cache_directory cache_key pysqa_config_directory=None backend=None",
    swiftlet.FutureSelector: "future selector",
    api.cancel_items_in_queue: "que",
    api.cloudpickle_register: "ind=2",
    api.get_command_path: "executable",
    api.interface_bootup: "command_lst connections hostname_localhost=None log_obj_size=False worker_id=None "
    "stop_function=None",
    api.interface_connect: "host port",
    api.interface_send: "socket result_dict",
    api.interface_receive: "socket",
    api.interface_shutdown: "socket context",
    api.SocketInterface: "spawner=None log_obj_size=False time_out_ms=1000",
    api.SubprocessSpawner: "cwd=None cores=1 worker_id=0 openmpi_oversubscribe=False threads_per_core=1",
    api.MpiExecSpawner: "cwd=None cores=1 worker_id=0 openmpi_oversubscribe=False threads_per_core=1",
}


def test_executorlibs_names_are_here():
    assert set(ROOT) <= set(swiftlet.__all__)
    assert set(API) == set(api.__all__)
    for module in (swiftlet, api, compat):
        for name in module.__all__:
            assert getattr(module, name) is not None
            assert name in dir(module)
    assert issubclass(api.ExecutorlibSocketError, RuntimeError)
    with pytest.raises(AttributeError, match="no_such_name"):
        swiftlet.no_such_name  # noqa: B018


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_have_executorlibs_parameters(function):
    found = []
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        default = "" if parameter.default is inspect.Parameter.empty else f"={parameter.default}"
        found.append(parameter.name + default)
    assert " ".join(found) == FUNCTIONS[function]


def test_type_checkers_are_shown_every_name():
    text = (Path(__file__).parent / "typing" / "exports.py").read_text()
    assert sorted(re.findall(r"^    swiftlet\.(\w+),$", text, re.MULTILINE)) == sorted(swiftlet.__all__)
    assert sorted(re.findall(r"^    api\.(\w+),$", text, re.MULTILINE)) == sorted(api.__all__)
    assert (Path(swiftlet.__file__).parent / "py.typed").is_file()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="typing.final leaves its mark from 3.11 on")
def test_classes_are_final_or_made_to_be_derived_from():
    derivable = {"ResourceDict", "SubprocessSpawner", "MpiExecSpawner"}
    bases = (Exception, swiftlet.BaseExecutor)
    for module in (swiftlet, api):
        for name in set(module.__all__) - derivable:
            value = getattr(module, name)
            if isinstance(value, type) and not issubclass(value, bases):
                assert getattr(value, "__final__", False), name


def test_importing_it_imports_little():
    program = "import sys, swiftlet; print(sorted(m for m in sys.modules if m.startswith('swiftlet')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['swiftlet']\n"
