# SPDX-License-Identifier: BSD-3-Clause
"""``FluxJobExecutor``: Python calls inside a Flux instance."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swiftlet import _flux_instance
from swiftlet._addresses import listening_address
from swiftlet._engine_process import find_binary
from swiftlet._errors import ResourceError, ResourceUnavailableError
from swiftlet._flux_submit import FluxSubmitter, check_flux_executor
from swiftlet._interactive import InteractiveExecutor
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._policy import EVERYWHERE, Policy, for_the_launcher, set_step_directory
from swiftlet._resources import Resources, check_fits
from swiftlet._session import groups_of_ranks, worker_command

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict


class _Policy(Policy):
    owner = "FluxJobExecutor"
    honoured = EVERYWHERE | {
        "cores",
        "exclusive",
        "gpus_per_core",
        "memory_max",
        "mpi_result",
        "num_nodes",
        "step",
    }

    def __init__(self, own_jobs: bool) -> None:
        """``own_jobs``: each call or worker is a job of its own."""
        self._own_jobs = own_jobs

    def refuse_options(self, **options: Any) -> None:
        """Flux never puts more ranks on cores than there are."""
        if options.get("openmpi_oversubscribe"):
            raise ValueError(
                "Oversubscribing is not supported for the executorlib.flux.PyFLuxExecutor backend."
                "Please use oversubscribe=False instead of oversubscribe=True."
            )
        super().refuse_options(**options)

    def check(self, resources: Resources, limit: int | None) -> None:
        """What can never fit Flux refuses, in its own words; here only what no job can be."""
        check_fits(resources, limit)
        if resources.num_nodes > resources.cores:
            raise ResourceError(
                f"num_nodes={resources.num_nodes} is more than cores={resources.cores}: "
                "each node needs a rank"
            )
        is_job = self._own_jobs or resources.cores > 1 or resources.exclusive or resources.step
        if is_job and resources.memory_max is not None:
            raise ResourceUnavailableError(
                f"resource_dict['memory_max'] = {resources.memory_max!r} cannot be kept for a Flux job of "
                "its own (cores > 1, exclusive, step, flux_executor_nesting, flux_log_files): Flux limits no "
                "memory; leave it out"
            )

    def request(self, resources: Resources) -> Mapping[str, Any]:
        """The attributes of REQUEST. Nodes and GPUs are Flux's to give: they are asked of it alone."""
        settings: dict[str, Any] = dict(resources.request())
        for_the_launcher(settings)
        if resources.step:
            settings["step"] = 1
        set_step_directory(settings, resources)
        return settings


class FluxJobExecutor(InteractiveExecutor):
    """Runs Python calls on the resources of the Flux instance this program runs in.

    As ``SingleNodeExecutor``. Calls on one core share jobs that hold cores as long as calls come, so a call
    costs milliseconds; calls on several cores (MPI ranks) or nodes, exclusive ones, and those with
    ``resource_dict={"step": True}`` are Flux jobs of their own.

    ``pmi_mode``: how MPI ranks find each other (pmix, pmi1 or pmi2). ``flux_executor``: a
    ``flux.job.FluxExecutor`` of the user's, which submits the jobs (``TypeError`` for anything else).
    ``flux_executor_nesting``: each call, or each worker of a block allocation, gets an instance of its own
    with its cores, in which it may open a FluxJobExecutor. ``flux_log_files``: each call, or each worker, is
    a job of its own, whose output goes to ``flux_<number>.out`` and ``.err`` in its directory.

    Raises ``AllocationError`` if there is no instance, with what to do.
    """

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
        _flux_instance.check_pmi_mode(pmi_mode)
        check_flux_executor(flux_executor)
        self._pmi_mode = pmi_mode
        self._flux_executor = flux_executor
        self._nesting = flux_executor_nesting
        self._log_files = flux_log_files
        options = Options(
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
        )
        self._instance = None if options.only_draws else _flux_instance.instance()
        super().__init__(options, _Policy(flux_executor_nesting or flux_log_files))
        if self._instance is not None and self._submits:
            assert self._session is not None
            FluxSubmitter(flux_executor, self._instance.uri, self._session.connection)

    @property
    def _submits(self) -> bool:
        """Jobs are submitted by this process, not by the engine."""
        return self._flux_executor is not None or (self._instance is not None and not self._instance.owned)

    def _capacity(self) -> int:
        assert self._instance is not None
        return self._instance.cores

    def _worker_count(self) -> int:
        assert self._instance is not None
        count = super()._worker_count()
        cores = count * self._resources.total_cores
        if cores > self._instance.cores:
            raise ResourceError(
                "The number of requested cores is larger than the available cores "
                f"{self._instance.cores} < {cores}"
            )
        return count

    def _launcher_shown(self) -> dict[str, Any]:
        return {
            "spawner": "flux",
            "pmi_mode": self._pmi_mode,
            "flux_executor": self._flux_executor,
            "flux_executor_nesting": self._nesting,
            "flux_log_files": self._log_files,
        }

    def _launcher_settings(self) -> Settings:
        instance = self._instance
        assert instance is not None
        settings: dict[str, Any] = {
            "nodes_by": "flux",
            "engine": find_binary(),
            "step_worker": worker_command("_step.py"),
            "flux_directory": _private_directory(shared=not instance.is_here),
        }
        if not instance.is_here:
            peers = [node.name for node in instance.nodes]
            settings["listen_address"] = listening_address(peers, self._options.hostname_localhost)
        if instance.uri is not None:
            settings["flux_uri"] = instance.uri
        if self._pmi_mode is not None:
            settings["flux_pmi"] = self._pmi_mode
        if self._nesting:
            settings["flux_nesting"] = 1
        if self._log_files:
            settings["flux_own_jobs"] = 1
            settings["flux_logs"] = os.path.abspath(self._resources.cwd or os.getcwd())
        if self._submits:
            settings["flux_submit"] = 1
        return settings

    @classmethod
    def _group_settings(cls) -> Settings:
        return groups_of_ranks()


def _private_directory(shared: bool) -> str:
    """A new directory that only this user may enter; ``shared``: where other nodes see it, too."""
    parent = None
    if shared:
        parent = os.path.join(os.path.expanduser("~"), ".cache", "swiftlet")
        os.makedirs(parent, mode=0o700, exist_ok=True)
    return tempfile.mkdtemp(prefix="swiftlet-flux-", dir=parent)
