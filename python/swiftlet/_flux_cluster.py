# SPDX-License-Identifier: BSD-3-Clause
"""``FluxClusterExecutor``: each call a job of Flux."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from swiftlet import _entries, _flux_instance
from swiftlet._addresses import listening_address
from swiftlet._batch_policy import BatchPolicy
from swiftlet._cluster import ClusterExecutor
from swiftlet._errors import ResourceError, ResourceUnavailableError
from swiftlet._flux_submit import FluxSubmitter
from swiftlet._job_pool import JobPool, worker_count
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._queues import Queues
from swiftlet._resources import Resources, directives

if TYPE_CHECKING:
    from swiftlet._cluster_session import ClusterSession
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict


class _Policy(BatchPolicy):
    owner = "FluxClusterExecutor"
    known = frozenset({"bank", "nesting", "queue"})

    def check(self, resources: Resources, limit: int | None) -> None:
        """``ResourceError`` for what no job can be; what can never fit Flux refuses, in its own words."""
        nesting = resources.extra.get("nesting", False)
        if not isinstance(nesting, bool):
            raise ResourceError(f"resource_dict['nesting'] has to be True or False, not {nesting!r}")
        bank = resources.extra.get("bank")
        if bank is not None and (not isinstance(bank, str) or not bank):
            raise ResourceError(f"resource_dict['bank'] has to be a name, not {bank!r}")
        if resources.num_nodes > resources.cores:
            raise ResourceError(
                f"num_nodes={resources.num_nodes} is more than cores={resources.cores}: "
                "each node needs a core"
            )
        super().check(resources, limit)
        if resources.memory_max is not None and self.template(resources) is None:
            raise ResourceUnavailableError(
                f"resource_dict['memory_max'] = {resources.memory_max!r} is for a submission_template: Flux "
                "does not limit the memory of a job"
            )

    def check_queue(self, name: Any) -> None:
        if not isinstance(name, str) or not name:
            raise ResourceError(f"resource_dict['queue'] has to be a name, not {name!r}")


class FluxClusterExecutor(ClusterExecutor):
    """Submits each call as a job of the Flux instance it runs in; the program may leave and come back.

    As ``SingleNodeExecutor``; ``pysqa_config_directory``: where pysqa's description of the queues is;
    ``pmi_mode``: how MPI ranks find each other (pmix, pmi1 or pmi2).

    ``resource_dict`` also knows Flux's ``queue`` and ``bank``, and ``nesting``: True makes the call's job an
    instance of its own with ``cores`` cores, in which the call may open executors. Ranks of a call with
    ``cores`` > 1 run in an instance that is its job. The entry of a call (``get_cache_data``) has the number
    of its job (``flux jobs``) as ``queue_id``; what a call prints is with its job (``flux job attach``).

    A call with a ``submission_template``, or a queue of pysqa's, is a script for ``flux batch``.

    With ``block_allocation=True`` the jobs are ``max_workers`` warm workers, to which calls go over the
    network: they end with this program. ``run_time_max`` is then the time of a job; when it is over another
    one takes its place. Workers connect back to this machine, at the address that SWIFTLET_ADDRESS names or
    from which it reaches the nodes.

    Raises ``AllocationError`` if there is no instance, with what to do.
    """

    _system = "flux"

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
        _flux_instance.check_pmi_mode(pmi_mode)
        self._pmi_mode = pmi_mode
        self._pysqa_config_directory = pysqa_config_directory
        queues = None if pysqa_config_directory is None else Queues(pysqa_config_directory, "FLUX")
        self._rules = _Policy(queues, block_allocation)
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
            openmpi_oversubscribe=openmpi_oversubscribe,
        )
        self._instance = None if options.only_draws else _flux_instance.instance()
        super().__init__(options, self._rules)
        if self._instance is None:
            return
        assert self._session is not None
        self._rules.render_for(cast("ClusterSession | JobPool", self._session), self._resources)
        if not self._instance.owned:
            FluxSubmitter(None, self._instance.uri, self._session.connection)

    def _pool(self, directory: str) -> JobPool:
        resources, instance = self._resources, self._instance
        assert instance is not None
        if resources.cwd is not None:
            os.makedirs(resources.cwd, exist_ok=True)
        wanted = dict(self._directives(resources))
        if resources.run_time_max is not None:
            wanted["job_time"] = float(resources.run_time_max)
        self._max_workers = self._info["max_workers"] = worker_count(self._options, resources)
        self._info["init_function"] = self._options.init_function
        address = None
        if not instance.is_here:
            peers = [node.name for node in instance.nodes]
            address = listening_address(peers, self._options.hostname_localhost)
        return JobPool(
            system=self._system,
            count=self._max_workers,
            base=resources,
            options=self._options,
            directory=directory,
            address=address,
            launcher=self._launcher_settings(),
            directives=wanted,
        )

    def _launcher_shown(self) -> dict[str, Any]:
        return {"pmi_mode": self._pmi_mode, "pysqa_config_directory": self._pysqa_config_directory}

    def _directives(self, resources: Resources) -> Settings:
        found = dict(directives(resources))
        template = self._rules.checked_template(resources)
        if template is not None:
            found["submission_template"] = template
        return found

    def _launcher_settings(self) -> Settings:
        instance = self._instance
        assert instance is not None
        # Network file systems show a file of another node late.
        is_remote = _entries.is_remote(str(self._info["cache_directory"]))
        settings: dict[str, Any] = {"visible_within": 90.0 if is_remote else 0.0}
        if instance.uri is not None:
            settings["flux_uri"] = instance.uri
        if self._pmi_mode is not None:
            settings["flux_pmi"] = self._pmi_mode
        if not instance.owned:
            settings["flux_submit"] = 1
        return settings
