# SPDX-License-Identifier: BSD-3-Clause
"""``SlurmClusterExecutor``: each call a batch job of Slurm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from swiftlet._cluster import ClusterExecutor, ClusterPolicy
from swiftlet._options import DEFAULT_REFRESH_RATE, Options

if TYPE_CHECKING:
    from swiftlet._resources import ResourceDict


class _Policy(ClusterPolicy):
    owner = "SlurmClusterExecutor"


@final
class SlurmClusterExecutor(ClusterExecutor):
    """Queues each call as a batch job; the program may leave and come back.

    As ``SingleNodeExecutor``; ``pysqa_config_directory``: where pysqa's description of the queues is;
    ``pmi_mode``: how MPI ranks find each other (srun's ``--mpi``).
    """

    _missing = "the store of calls that outlive the program, with sbatch"

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: ResourceDict | Mapping[str, Any] | None = None,
        pysqa_config_directory: str | None = None,
        pmi_mode: str | None = None,
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
        self._pysqa_config_directory = pysqa_config_directory
        self._pmi_mode = pmi_mode
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
