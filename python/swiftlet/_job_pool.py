# SPDX-License-Identifier: BSD-3-Clause
"""Warm workers that are jobs of a batch system: an engine that has them queued, and gives them calls."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swiftlet._cluster_connection import RenderingConnection
from swiftlet._engine_process import find_binary
from swiftlet._options import Options
from swiftlet._resources import Resources, check_fits
from swiftlet._session import Session, groups_of_ranks
from swiftlet._version import __version__

if TYPE_CHECKING:
    from swiftlet._connection import Settings


class JobPool(Session):
    """A pool of warm workers. Each is a job of its own, and calls reach it over the network."""

    connection: RenderingConnection
    _connection_type = RenderingConnection

    def __init__(
        self,
        *,
        system: str,
        count: int,
        base: Resources,
        options: Options,
        directory: str,
        address: str | None,
        launcher: Settings,
        directives: Settings,
    ) -> None:
        """``count`` workers, as jobs of ``system`` with these ``directives``; tickets for them are in
        ``directory``. ``address``: at which the nodes reach this machine; None if they are this machine.
        """
        self._directives = directives
        self.resources_of: dict[int, Resources] = {}
        """What the numbers of requests stand for."""
        cores = base.cores * (base.threads_per_core or 1)
        super().__init__(
            version=__version__,
            warm=True,
            max_cores=None,
            max_workers=count,
            base=base,
            init_function=options.init_function,
            restart_limit=base.restart_limit or 0,
            log_sizes=options.log_obj_size,
            dependencies=not options.disable_dependencies,
            launcher={
                **launcher,
                "nodes_by": "jobs",
                "agents": 1,
                "agent_jobs": system,
                "engine": find_binary(),
                "job_directory": os.path.join(directory, f".swiftlet-workers-{uuid.uuid4().hex}"),
                "nodes": [f"name=worker{index} cores={cores} up=0" for index in range(count)],
                **({} if address is None else {"listen_address": address}),
            },
            groups=groups_of_ranks,
            requests=_of_a_worker,
            directory=directory if options.cache_directory is not None else None,
        )

    def _more_settings(self, base: Resources) -> Settings:
        number = self.connection.new_request(self._directives)
        self.resources_of[number] = base
        return {"job_request": number}


def worker_count(options: Options, resources: Resources) -> int:
    """How many workers the user wants. ``ResourceError`` if not even one fits."""
    if options.max_workers is not None:
        return options.max_workers
    assert options.max_cores is not None
    check_fits(resources, options.max_cores)
    return options.max_cores // resources.total_cores


def _of_a_worker(resources: Resources) -> Mapping[str, Any]:
    """What a worker needs of its job, which has been granted all that is asked for."""
    wanted: dict[str, Any] = {"cores": resources.cores}
    if resources.threads_per_core is not None:
        wanted["threads_per_core"] = resources.threads_per_core
    return wanted
