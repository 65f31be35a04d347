# SPDX-License-Identifier: BSD-3-Clause
"""Every executor is importable, has executorlib's signature, and says plainly what it lacks."""

from __future__ import annotations

import inspect

import pytest

import swiftlet
from swiftlet import NotYetAvailableError, SwiftletError, api

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


@pytest.mark.parametrize("executor", SIGNATURES, ids=lambda kind: kind.__name__)
def test_an_executor_that_does_not_work_yet_says_so(executor):
    if not executor._missing:
        return  # it has tests of its own
    with pytest.raises(NotYetAvailableError, match=executor.__name__) as raised:
        executor()
    assert executor._missing in str(raised.value)
    assert isinstance(raised.value, NotImplementedError)
    assert isinstance(raised.value, SwiftletError)
