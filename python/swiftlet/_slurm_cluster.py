# SPDX-License-Identifier: BSD-3-Clause
"""``SlurmClusterExecutor``: each call a batch job of Slurm."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from swiftlet import _batch_options, _entries, _mpi, _slurm_allocation
from swiftlet._addresses import listening_address
from swiftlet._batch_policy import BatchPolicy
from swiftlet._cluster import ClusterExecutor
from swiftlet._errors import ResourceError
from swiftlet._job_pool import JobPool, worker_count
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._queues import Queues
from swiftlet._resources import Resources, directives

if TYPE_CHECKING:
    from swiftlet._cluster_session import ClusterSession
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict


class _Policy(BatchPolicy):
    owner = "SlurmClusterExecutor"
    honoured = BatchPolicy.honoured | {"openmpi_oversubscribe", "slurm_cmd_args"}
    options = BatchPolicy.options | {"openmpi_oversubscribe"}
    known = _batch_options.OPTIONS | frozenset(_batch_options.OURS)

    def check(self, resources: Resources, limit: int | None) -> None:
        """``ResourceError`` for what Slurm can never be asked for."""
        _batch_options.options(resources.extra)
        super().check(resources, limit)

    def check_queue(self, name: Any) -> None:
        raise ResourceError(
            f"Named queues are only available when pysqa_config_directory is set; queue={name!r} cannot "
            "be honoured. A partition of Slurm is chosen by the key 'partition'."
        )


class SlurmClusterExecutor(ClusterExecutor):
    """Queues each call as a batch job; the program may leave and come back.

    As ``SingleNodeExecutor``; ``pysqa_config_directory``: where pysqa's description of the queues is;
    ``pmi_mode``: how MPI ranks find each other (srun's ``--mpi``).

    Without a ``submission_template`` the script needs nothing but a default partition. Keys of
    ``resource_dict`` that are options of sbatch (``partition``, ``account``, ``qos``, …) reach it;
    ``memory_max`` is GB on each node.

    With ``block_allocation=True`` the jobs are ``max_workers`` warm workers, to which calls go over the
    network: they end with this program. ``run_time_max`` is then the time of a job; when it is over another
    one takes its place. Workers connect back to this machine, at the address that SWIFTLET_ADDRESS names or
    from which it reaches Slurm's controller. ``AllocationError`` if there is none.
    """

    _system = "slurm"

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
        self._pmi_mode = pmi_mode
        self._oversubscribe = openmpi_oversubscribe
        self._pysqa_config_directory = pysqa_config_directory
        queues = Queues(pysqa_config_directory) if pysqa_config_directory is not None else None
        if shutil.which("sbatch") is None:
            raise FileNotFoundError(
                "sbatch is not to be found in PATH: SlurmClusterExecutor needs the commands of Slurm. "
                "api.TestClusterExecutor runs the same calls as jobs of this machine."
            )
        self._rules = _Policy(queues, block_allocation)
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
            self._rules,
        )
        if self._session is not None:
            self._rules.render_for(cast("ClusterSession | JobPool", self._session), self._resources)

    def _pool(self, directory: str) -> JobPool:
        resources = self._resources
        if resources.cwd is not None:
            os.makedirs(resources.cwd, exist_ok=True)
        wanted: dict[str, Any] = dict(self._directives(resources))
        # A job that came back into the queue would find no ticket; its place gets another one.
        wanted["batch_options"] = [*wanted["batch_options"], "no-requeue"]
        self._max_workers = self._info["max_workers"] = worker_count(self._options, resources)
        self._info["init_function"] = self._options.init_function
        return JobPool(
            system=self._system,
            count=self._max_workers,
            base=resources,
            options=self._options,
            directory=directory,
            address=listening_address(_slurm_allocation.controllers(), self._options.hostname_localhost),
            launcher=self._launcher_settings(),
            directives=wanted,
        )

    def _launcher_shown(self) -> dict[str, Any]:
        return {"pmi_mode": self._pmi_mode, "pysqa_config_directory": self._pysqa_config_directory}

    def _launcher_settings(self) -> Settings:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
        # Network file systems show a file of another node late.
        directory = str(self._info["cache_directory"])
        return {"user": user, "visible_within": 90.0 if _entries.is_remote(directory) else 2.0}

    def _directives(self, resources: Resources) -> Settings:
        template = self._rules.checked_template(resources)
        return slurm_directives(resources, template, self._pmi_mode, self._oversubscribe)


def slurm_directives(
    resources: Resources, template: str | None, pmi_mode: str | None, oversubscribe: bool
) -> Settings:
    """The attributes of REQUEST as the engine's Slurm reads them."""
    found = {**directives(resources), "batch_options": _batch_options.options(resources.extra)}
    if pmi_mode is not None:
        found["pmi_mode"] = pmi_mode
    elif resources.cores > 1 and (library := _mpi.pmi_of_library()) is not None:
        found["mpi_library"] = library
    if oversubscribe or resources.openmpi_oversubscribe:
        found["oversubscribe"] = 1
    if template is not None:
        found["submission_template"] = template
    return found
