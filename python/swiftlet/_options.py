# SPDX-License-Identifier: BSD-3-Clause
"""What the constructors of all executors take, and the rules between these arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_REFRESH_RATE = 0.01


@dataclass(frozen=True)
class Options:
    """The arguments that all executors share.

    ``max_workers``: how many calls run at once; with ``block_allocation`` the number of workers.
    ``cache_directory``: where results are kept for later programs.
    ``max_cores``: how many cores running calls may use together: cores times threads.
    ``resource_dict``: what each call gets unless its ``submit`` says otherwise; see ``ResourceDict``.
    ``hostname_localhost``: accepted; processes on one node talk through sockets that need no host name.
    ``block_allocation``: workers that stay: state is kept from call to call.
    ``init_function``: runs once in each such worker; the dict it returns holds arguments for later calls.
    ``disable_dependencies``: futures are refused as arguments.
    ``refresh_rate``: accepted; nothing here polls.
    ``plot_dependency_graph``, ``plot_dependency_graph_filename``, ``export_workflow_filename``: nothing is
    run; the graph of the calls is shown, drawn to a file, or written to one.
    ``log_obj_size``: logs the size of what is sent and received on the logger ``executorlib``.
    ``wait``: whether leaving the ``with`` block waits; only the cluster executors know False.
    ``openmpi_oversubscribe``: lets Open MPI start more ranks than there are cores.
    ``restart_limit``: how often a call that was running when its worker died is started again.
    """

    max_workers: int | None = None
    cache_directory: str | None = None
    max_cores: int | None = None
    resource_dict: Mapping[str, Any] | None = None
    hostname_localhost: bool | None = None
    block_allocation: bool = False
    init_function: Callable[..., Any] | None = None
    disable_dependencies: bool = False
    refresh_rate: float = DEFAULT_REFRESH_RATE
    plot_dependency_graph: bool = False
    plot_dependency_graph_filename: str | None = None
    export_workflow_filename: str | None = None
    log_obj_size: bool = False
    wait: bool = True
    openmpi_oversubscribe: bool = False
    restart_limit: int = 0

    @property
    def only_draws(self) -> bool:
        """True if calls are recorded and not run."""
        return bool(
            self.plot_dependency_graph
            or self.plot_dependency_graph_filename is not None
            or self.export_workflow_filename is not None
        )


def check_interactive(options: Options) -> None:
    """The rules of executorlib's interactive executors. ``ValueError`` or ``TypeError``."""
    _check_types(options)
    if not options.wait:
        raise ValueError(
            "The wait_on_shutdown parameter is only supported for the executorlib.FluxClusterExecutor and "
            "executorlib.SlurmClusterExecutor. Use shutdown(wait=False)."
        )
    if not options.block_allocation and options.restart_limit != 0:
        raise ValueError(
            "The option to specify a restart limit for worker processes is only available with "
            "block_allocation=True."
        )
    if not options.block_allocation and options.init_function is not None:
        raise ValueError(
            "The option to specify an init_function is only available with block_allocation=True."
        )
    if options.disable_dependencies and options.refresh_rate != DEFAULT_REFRESH_RATE:
        raise ValueError("The sleep_interval parameter is only used when disable_dependencies=False.")
    if options.disable_dependencies and options.plot_dependency_graph:
        raise ValueError("The plot_dependency_graph parameter is only used when disable_dependencies=False.")
    _check_values(options)


def check_cluster(options: Options) -> None:
    """The rules of executorlib's cluster executors. ``ValueError`` or ``TypeError``."""
    _check_types(options)
    if options.block_allocation:
        if options.max_workers is None and options.max_cores is None:
            raise ValueError(NO_FIXED_RESOURCES)
    else:
        for refused, what in (
            (options.max_workers is not None, "The number of workers cannot be controlled"),
            (options.max_cores is not None, "The number of cores cannot be controlled"),
            (
                options.hostname_localhost is not None,
                "The option to connect to hosts based on their hostname is not available",
            ),
            (
                options.init_function is not None,
                "The option to specify an init_function is not available",
            ),
        ):
            if refused:
                raise ValueError(f"{what} with the pysqa based backend.")
    _check_values(options)


NO_FIXED_RESOURCES = (
    "Block allocation requires a fixed set of computational resources. Neither max_cores nor max_workers are "
    "defined."
)


def check_count(name: str, value: object, least: int = 1) -> None:
    """``TypeError`` or ``ValueError`` if this is neither None nor a number of at least ``least``."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} has to be a whole number, not {value!r}")
    if not least <= value <= 1_000_000:
        raise ValueError(f"{name} has to be at least {least} and at most 1000000, not {value}")


_FLAGS = (
    "block_allocation",
    "disable_dependencies",
    "plot_dependency_graph",
    "log_obj_size",
    "wait",
    "openmpi_oversubscribe",
)
_PATHS = ("cache_directory", "plot_dependency_graph_filename", "export_workflow_filename")


def _check_types(options: Options) -> None:
    """A text is true and so is a list: what was meant by them as a flag cannot be known."""
    for name in _FLAGS:
        value = getattr(options, name)
        if type(value).__name__ not in ("bool", "bool_"):  # numpy's, too
            raise TypeError(f"{name} has to be True or False, not {value!r}")
    local = options.hostname_localhost
    if local not in (None, True, False):
        raise TypeError(f"hostname_localhost has to be True, False or None, not {local!r}")
    for name in _PATHS:
        value = getattr(options, name)
        if value is not None and (not isinstance(value, (str, os.PathLike)) or not os.fspath(value)):
            raise TypeError(f"{name} has to be a path, not {value!r}")


def _check_values(options: Options) -> None:
    """What is wrong by itself."""
    rate = options.refresh_rate
    if options.init_function is not None and not callable(options.init_function):
        raise TypeError(f"init_function has to be callable, not {options.init_function!r}")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not rate > 0:
        raise ValueError(f"refresh_rate has to be a number of seconds above 0, not {rate!r}")
    check_count("max_workers", options.max_workers)
    check_count("max_cores", options.max_cores)
    check_count("restart_limit", options.restart_limit, least=0)
