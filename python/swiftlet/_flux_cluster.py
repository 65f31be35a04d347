# SPDX-License-Identifier: BSD-3-Clause
"""``FluxClusterExecutor``: each call a job of Flux."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swiftlet import _entries, _flux_instance
from swiftlet._cluster import ClusterExecutor, ClusterPolicy
from swiftlet._errors import NotYetAvailableError, ResourceError
from swiftlet._flux_submit import FluxSubmitter
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._resources import Resources

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict

KEYS = frozenset({"queue", "bank", "nesting"})
"""Keys of ``resource_dict`` that only Flux has."""


class _Policy(ClusterPolicy):
    owner = "FluxClusterExecutor"
    honoured = (ClusterPolicy.honoured - {"restart_limit"}) | {
        "cores",
        "exclusive",
        "gpus_per_core",
        "mpi_result",
        "num_nodes",
    }

    def read(self, resources: Mapping[str, Any] | None) -> dict[str, Any]:
        """Keys that are Flux's own need no warning."""
        if not isinstance(resources, Mapping):
            return super().read(resources)
        own = {key: resources[key] for key in KEYS if resources.get(key) is not None}
        return {**super().read({key: value for key, value in resources.items() if key not in KEYS}), **own}

    def check(self, resources: Resources, limit: int | None) -> None:
        """``ResourceError`` for what no job can be; what can never fit Flux refuses, in its own words."""
        super().check(resources, limit)
        nesting = resources.extra.get("nesting", False)
        if not isinstance(nesting, bool):
            raise ResourceError(f"resource_dict['nesting'] has to be True or False, not {nesting!r}")
        for key in ("queue", "bank"):
            value = resources.extra.get(key)
            if value is not None and (not isinstance(value, str) or not value):
                raise ResourceError(f"resource_dict[{key!r}] has to be a name, not {value!r}")
        if resources.num_nodes > resources.cores:
            raise ResourceError(
                f"num_nodes={resources.num_nodes} is more than cores={resources.cores}: "
                "each node needs a core"
            )


class FluxClusterExecutor(ClusterExecutor):
    """Submits each call as a job of the Flux instance it runs in; the program may leave and come back.

    As ``SingleNodeExecutor``; ``pysqa_config_directory``: not available yet; ``pmi_mode``: how MPI ranks find
    each other (pmix, pmi1 or pmi2).

    ``resource_dict`` also knows Flux's ``queue`` and ``bank``, and ``nesting``: True makes the call's job an
    instance of its own with ``cores`` cores, in which the call may open executors. Ranks of a call with
    ``cores`` > 1 run in an instance that is its job. The entry of a call (``get_cache_data``) has the number
    of its job (``flux jobs``) as ``queue_id``; what a call prints is with its job (``flux job attach``).

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
        for name, value in (
            ("block_allocation", block_allocation),
            ("pysqa_config_directory", pysqa_config_directory),
        ):
            if value:
                raise NotYetAvailableError(
                    f"{name}={value!r} is not available on FluxClusterExecutor in this version"
                )
        self._pmi_mode = pmi_mode
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
        super().__init__(options, _Policy())
        if self._instance is not None and not self._instance.owned:
            assert self._session is not None
            FluxSubmitter(None, self._instance.uri, self._session.connection)

    def _launcher_shown(self) -> dict[str, Any]:
        return {"pmi_mode": self._pmi_mode}

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
