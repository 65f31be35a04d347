# SPDX-License-Identifier: BSD-3-Clause
"""What the executors have in common whose calls are jobs that outlive this program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from swiftlet._cluster_session import ClusterSession
from swiftlet._engine_executor import EngineExecutor
from swiftlet._errors import NotYetAvailableError
from swiftlet._options import Options, check_cluster
from swiftlet._policy import Policy
from swiftlet._resources import Resources, directives
from swiftlet._session import Session
from swiftlet._store import DEFAULT_DIRECTORY, opened_directory
from swiftlet._version import __version__

if TYPE_CHECKING:
    from swiftlet._connection import Settings


class ClusterExecutor(EngineExecutor):
    """SlurmCluster-, FluxCluster- and TestClusterExecutor: each call is an entry in the cache directory and a
    job of its own.
    """

    _system: ClassVar[str] = ""
    """What runs the jobs, as the engine knows it."""

    def __init__(self, options: Options, policy: Policy) -> None:
        """Checks the arguments."""
        check_cluster(options)
        super().__init__(options, policy)
        if not options.only_draws:
            self._base = policy.read(options.resource_dict)
            self._resources = policy.merge(self._base, {}, None)
        self._warm = options.block_allocation
        directory = options.cache_directory or self._resources.cache_directory or DEFAULT_DIRECTORY
        self._info = {
            "cores": self._resources.cores,
            "cwd": self._resources.cwd,
            "cache_directory": directory,
            "backend": self._system,
            "disable_dependencies": options.disable_dependencies,
            "refresh_rate": options.refresh_rate,
            "wait": options.wait,
            **self._launcher_shown(),
        }
        if options.block_allocation:
            self._limit = options.max_cores
            self._max_workers = options.max_workers
        if options.only_draws:
            return
        if options.block_allocation:
            self._session = self._pool(opened_directory(directory))
            return
        self._session = ClusterSession(
            version=__version__,
            directory=opened_directory(directory),
            system=self._system,
            base=self._resources,
            dependencies=not options.disable_dependencies,
            log_sizes=options.log_obj_size,
            launcher=self._launcher_settings(),
            to_directives=self._directives,
        )

    def _pool(self, directory: str) -> Session:
        """Warm workers that are jobs; tickets for them are in ``directory``. Sets ``_max_workers``."""
        raise NotYetAvailableError(
            f"block_allocation=True is not available on {self._policy.owner} in this version; leave it out: "
            "each call is then a job"
        )

    def _launcher_shown(self) -> dict[str, Any]:
        """What ``info`` says about how jobs are started."""
        return {}

    def _launcher_settings(self) -> Settings:
        """Attributes of CONFIGURE for the system of jobs."""
        return {}

    def dry_run(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        resource_dict: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> str:
        """The script (or command line) that would be queued for a call (with ``block_allocation`` for the
        workers); nothing is. Raises as ``submit``.

        Futures in the arguments would become dependencies; here only values are taken.
        """
        session = self._active()
        resources = self._call_resources(resource_dict) if resource_dict else self._resources
        if self._warm:
            session.function(fn)
            return session.dry_run(resources)
        return cast(ClusterSession, session).describe(session.function(fn), (args, kwargs), resources)

    def _directives(self, resources: Resources) -> Settings:
        """Attributes of REQUEST."""
        return directives(resources)

    @property
    def max_workers(self) -> int | None:
        """The number of workers with ``block_allocation``; None without, or after shutdown."""
        return None if self._closed else self._max_workers

    @max_workers.setter
    def max_workers(self, number: int) -> None:
        raise NotImplementedError("The max_workers setter is not implemented.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """``shutdown(wait)`` with the constructor's ``wait``."""
        if kind is not None or self._options.wait:
            super().__exit__(kind, error, traceback)
        else:
            self.shutdown(wait=False)


class ClusterPolicy(Policy):
    """Unknown keys are passed on to the template of the batch script."""

    strict = False
