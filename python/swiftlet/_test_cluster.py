# SPDX-License-Identifier: BSD-3-Clause
"""``TestClusterExecutor``: the cluster executors without a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swiftlet import _mpi
from swiftlet._cluster import ClusterExecutor, ClusterPolicy
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._resources import Resources, directives, usable_cores

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict


class _Policy(ClusterPolicy):
    owner = "TestClusterExecutor"
    honoured = (ClusterPolicy.honoured - {"restart_limit"}) | {
        "cores",
        "mpi_result",
        "openmpi_oversubscribe",
    }
    options = ClusterPolicy.options | {"openmpi_oversubscribe"}


class TestClusterExecutor(ClusterExecutor):
    """Runs each call as a job of its own on this machine, to try out what a cluster executor will do.

    Arguments as ``SingleNodeExecutor``; ``cores`` are MPI ranks, started by this machine's
    ``mpiexec``. Each call is an entry in the cache directory; the engine plays the part of the batch system,
    so it stays until its jobs have ended when this program leaves.
    """

    __test__ = False  # pytest takes a class whose name begins with Test for a test
    _system = "local"

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: ResourceDict | Mapping[str, Any] | None = None,
        hostname_localhost: bool | None = None,
        block_allocation: bool = False,
        init_function: Callable[..., Any] | None = None,
        disable_dependencies: bool = False,
        refresh_rate: float = DEFAULT_REFRESH_RATE,
        plot_dependency_graph: bool = False,
        plot_dependency_graph_filename: str | None = None,
        export_workflow_filename: str | None = None,
        log_obj_size: bool = False,
        wait: bool = True,
        openmpi_oversubscribe: bool = False,
    ) -> None:
        if block_allocation:
            raise ValueError("The option block_allocation is not available with the pysqa based backend.")
        self._oversubscribe = openmpi_oversubscribe
        super().__init__(
            Options(
                max_workers=max_workers,
                cache_directory=cache_directory,
                max_cores=max_cores,
                resource_dict=resource_dict,
                hostname_localhost=hostname_localhost,
                block_allocation=block_allocation,
                init_function=init_function,
                disable_dependencies=disable_dependencies,
                refresh_rate=refresh_rate,
                plot_dependency_graph=plot_dependency_graph,
                plot_dependency_graph_filename=plot_dependency_graph_filename,
                export_workflow_filename=export_workflow_filename,
                log_obj_size=log_obj_size,
                wait=wait,
                openmpi_oversubscribe=openmpi_oversubscribe,
            ),
            _Policy(),
        )

    def _launcher_settings(self) -> Settings:
        return {"max_cores": usable_cores()}

    def _directives(self, resources: Resources) -> Settings:
        """``MPIUnavailableError`` if several ranks are asked for and cannot be started here."""
        found = directives(resources)
        if resources.cores > 1:
            launcher = _mpi.find()
            found.update(mpi_kind=launcher.kind, mpi_program=launcher.program)
            if self._oversubscribe or resources.openmpi_oversubscribe:
                found["oversubscribe"] = 1
        return found
