# SPDX-License-Identifier: BSD-3-Clause
"""What the executors have in common whose calls run while this program does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from swiftlet import _mpi
from swiftlet._engine_executor import EngineExecutor
from swiftlet._interface._spawners import MpiExecSpawner
from swiftlet._options import NO_FIXED_RESOURCES, Options, check_interactive
from swiftlet._policy import Policy
from swiftlet._resources import check_fits, usable_cores
from swiftlet._session import Session, groups_of_ranks
from swiftlet._store import opened_directory
from swiftlet._version import __version__

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from swiftlet._connection import Settings
    from swiftlet._futures import Future
    from swiftlet._resources import ResourceDict

    P = ParamSpec("P")

T = TypeVar("T")


class InteractiveExecutor(EngineExecutor):
    """SingleNode-, SlurmJob- and FluxJobExecutor: fresh or warm workers, started at once and ended with this
    program.
    """

    def __init__(self, options: Options, policy: Policy) -> None:
        """Checks the arguments, then starts the engine. See ``SingleNodeExecutor`` for what is raised."""
        check_interactive(options)
        super().__init__(options, policy)
        if options.only_draws:
            self._info = self._settings_shown(options.max_workers, options.restart_limit)
            self._warm, self._max_workers = options.block_allocation, options.max_workers
            return
        warm = options.block_allocation
        max_workers, max_cores = options.max_workers, options.max_cores
        self._base = policy.read(options.resource_dict)
        if options.openmpi_oversubscribe:
            self._base.setdefault("openmpi_oversubscribe", True)
        self._resources = policy.merge(self._base, {}, max_cores)
        restart_limit = options.restart_limit
        if self._resources.restart_limit is not None:
            restart_limit = self._resources.restart_limit
        if warm:
            max_workers = self._worker_count()
            self._limit = max_cores
        else:
            unlimited = max_cores is None and max_workers is None
            self._limit = self._capacity() if unlimited else max_cores
            policy.check(self._resources, self._limit)
        self._warm = warm
        self._max_workers = max_workers
        self._info = self._settings_shown(max_workers, restart_limit)
        directory = options.cache_directory or self._resources.cache_directory
        self._session = Session(
            version=__version__,
            warm=warm,
            max_cores=None if warm else self._limit,
            max_workers=max_workers,
            base=self._resources,
            init_function=options.init_function,
            restart_limit=restart_limit,
            log_sizes=options.log_obj_size,
            dependencies=not options.disable_dependencies,
            launcher=self._launcher_settings(),
            groups=self._group_settings,
            requests=policy.request,
            directory=None if directory is None else opened_directory(directory),
        )

    if TYPE_CHECKING:
        # Here the keys of a resource_dict are known, so that editors complete them and type checkers check
        # them. The arguments after fn may be futures of what it takes, so a call that the first form does
        # not fit is checked by the second.

        @overload
        def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...

        @overload
        def submit(  # type: ignore[overload-cannot-match]
            self,
            fn: Callable[..., T],
            /,
            *args: Any,
            resource_dict: ResourceDict | None = None,
            **kwargs: Any,
        ) -> Future[T]: ...

        def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]: ...

    # What executors may say differently

    def _capacity(self) -> int:
        """The cores that running calls may use together if the user names no limit."""
        return usable_cores()

    @classmethod
    def _group_settings(cls) -> Settings:
        """Attributes of GROUPS: how several ranks are started on this machine. ``MPIUnavailableError`` if
        they cannot be. The class's: a method of the executor would keep it alive in its own session.
        """
        launcher = _mpi.find()
        return {
            "kind": launcher.kind,
            "program": launcher.program,
            **groups_of_ranks(),
        }

    def _default_worker_count(self) -> int:
        """How many workers stay if the user names neither ``max_workers`` nor ``max_cores``."""
        raise ValueError(NO_FIXED_RESOURCES)

    def _launcher_shown(self) -> dict[str, Any]:
        """What ``info`` says about how workers are started."""
        return {"spawner": MpiExecSpawner}

    def _worker_count(self) -> int:
        options = self._options
        if options.max_workers is not None:
            return options.max_workers
        if options.max_cores is not None:
            check_fits(self._resources, options.max_cores)
            return options.max_cores // self._resources.total_cores
        return self._default_worker_count()

    def _settings_shown(self, max_workers: int | None, restart_limit: int) -> dict[str, Any]:
        options = self._options
        shown: dict[str, Any] = {
            "cores": self._resources.cores,
            "cwd": self._resources.cwd,
            "openmpi_oversubscribe": options.openmpi_oversubscribe,
            "cache_directory": options.cache_directory,
            "hostname_localhost": options.hostname_localhost,
            "log_obj_size": options.log_obj_size,
            **self._launcher_shown(),
            "max_workers": max_workers,
        }
        if options.block_allocation:
            shown.update(
                init_function=options.init_function, queue_join_on_shutdown=False, restart_limit=restart_limit
            )
        else:
            shown["max_cores"] = options.max_cores
        return shown
