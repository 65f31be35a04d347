# SPDX-License-Identifier: BSD-3-Clause
"""``FluxJobExecutor``: Python calls inside a Flux instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from swiftlet._interactive import InteractiveExecutor
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._policy import Policy

if TYPE_CHECKING:
    from swiftlet._resources import ResourceDict


class _Policy(Policy):
    owner = "FluxJobExecutor"


@final
class FluxJobExecutor(InteractiveExecutor):
    """Runs Python calls on the resources of the Flux instance this program runs in.

    As ``SingleNodeExecutor``; besides, ``pmi_mode``: how MPI ranks find each other (pmix, pmi1 or pmi2);
    ``flux_executor``: a ``flux.job.FluxExecutor`` of the user's; ``flux_executor_nesting``: each worker is a
    Flux instance of its own; ``flux_log_files``: what workers print goes to files.
    """

    _missing = "the launcher that starts workers as Flux jobs"

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: ResourceDict | None = None,
        pmi_mode: str | None = None,
        flux_executor: Any = None,
        flux_executor_nesting: bool = False,
        flux_log_files: bool = False,
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
        restart_limit: int = 0,
        openmpi_oversubscribe: bool = False,
    ) -> None:
        self._pmi_mode = pmi_mode
        self._flux_executor = flux_executor
        self._flux_executor_nesting = flux_executor_nesting
        self._flux_log_files = flux_log_files
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
                restart_limit=restart_limit,
                openmpi_oversubscribe=openmpi_oversubscribe,
            ),
            _Policy(),
        )
