# SPDX-License-Identifier: BSD-3-Clause
"""``SingleNodeExecutor``: Python calls on the cores of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from swiftlet import _mpi, _warnings
from swiftlet._claims import Claim
from swiftlet._errors import ResourceError, ResourceUnavailableError
from swiftlet._interactive import InteractiveExecutor
from swiftlet._node import Node, this_node
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._policy import EVERYWHERE, Policy
from swiftlet._resources import TOO_MANY_CORES, Resources, usable_cores

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict


class _Policy(Policy):
    """What one node can give."""

    owner = "SingleNodeExecutor"
    honoured = EVERYWHERE | {
        "cores",
        "exclusive",
        "gpus_per_core",
        "memory_max",
        "mpi_result",
        "num_nodes",
        "openmpi_oversubscribe",
        "pin",
    }
    options = Policy.options | {"openmpi_oversubscribe"}

    def __init__(self, node: Node) -> None:
        self.node = node
        self.pins: bool | None = None
        """Whether slots get cores by number; None: not decided yet."""

    def check(self, resources: Resources, limit: int | None) -> None:
        super().check(resources, limit)
        if resources.num_nodes > 1:
            raise ResourceUnavailableError(
                f"resource_dict['num_nodes'] = {resources.num_nodes}, but {self.owner} has one node"
            )
        self._check_gpus(resources)
        self._check_memory(resources)
        if self.pins is not None and resources.pin not in (None, self.pins):
            raise ResourceError(
                f"resource_dict['pin'] = {resources.pin} belongs into the executor's resource_dict: all its "
                "calls "
                f"are pinned, or none. Here they are {'' if self.pins else 'not '}pinned."
            )
        if resources.cores > 1:
            check_ranks(resources)

    def _check_gpus(self, resources: Resources) -> None:
        wanted, there = resources.cores * resources.gpus_per_core, len(self.node.gpus)
        if wanted > there:
            raise ResourceUnavailableError(
                f"resource_dict['gpus_per_core'] = {resources.gpus_per_core} with cores={resources.cores} "
                "asks for "
                f"{wanted} GPUs, this node has {there or 'none'}. (Detected by CUDA_VISIBLE_DEVICES, "
                "ROCR_VISIBLE_DEVICES and device files; declared by SWIFTLET_GPUS or the argument gpus)"
            )

    def _check_memory(self, resources: Resources) -> None:
        there = self.node.memory
        if resources.memory_max is not None and there is not None and resources.memory_max * 2**30 > there:
            raise ResourceError(
                f"resource_dict['memory_max'] = {resources.memory_max} GB, but this process may use "
                f"{there / 2**30:.1f} GB"
            )


def check_ranks(resources: Resources) -> None:
    """``MPIUnavailableError`` if no ranks can be started, ``ResourceError`` if the launcher would refuse so
    many.
    """
    launcher = _mpi.find()
    usable = usable_cores()
    if launcher.kind == "openmpi" and resources.cores > usable and not resources.openmpi_oversubscribe:
        raise ResourceError(
            f"{TOO_MANY_CORES} Asked for: cores={resources.cores}; Open MPI starts one rank on each of the "
            f"{usable} cores that this process may use; openmpi_oversubscribe=True lets it start more"
        )


class SingleNodeExecutor(InteractiveExecutor):
    """Runs Python calls on this machine: by default each in a clean interpreter state of its own, with
    ``block_allocation=True`` in workers that stay.

    Args:
        max_workers: How many calls run at once; with ``block_allocation`` the number of workers.
        cache_directory: Where results are kept: an equal call of any executor with this directory finds them.
        max_cores: How many cores running calls may use together: cores times threads. By default, if
            ``max_workers`` is not given either, what this process may use. With ``block_allocation`` and
            ``max_workers`` it only bounds one worker, as in executorlib.
        resource_dict: What each call gets unless its ``submit`` says otherwise; see ``ResourceDict``.
        hostname_localhost: Accepted; nothing here needs a network.
        block_allocation: Workers that stay: state is kept from call to call, and a call costs microseconds.
        init_function: Runs once in each such worker; the dict it returns holds arguments for later calls.
        disable_dependencies: Futures are refused as arguments.
        refresh_rate: Accepted; nothing here polls.
        plot_dependency_graph: Nothing is run; at the end of the ``with`` block the graph of calls is shown,
            in a notebook as a picture.
        plot_dependency_graph_filename: Nothing is run; the graph is drawn to this file: ``.svg``, ``.pdf``,
            ``.png``, … (takes graphviz), or as text ``.mmd`` (Mermaid) or ``.dot``.
        export_workflow_filename: Nothing is run; the calls are written to this JSON file, which
            ``run_workflow`` runs.
        log_obj_size: Logs the size of what is sent and received on the logger ``executorlib``.
        wait: Has to be True, as ``shutdown(wait=False)`` says the same.
        restart_limit: How often a call that was running when its worker died is started again.
        openmpi_oversubscribe: Lets Open MPI start more ranks than it sees cores.
        gpus: How many GPUs the node has, or their names, if they are not to be detected.

    The engine is a process of its own; it starts here and ends with ``shutdown``, with this object, or with
    this program. Raises ``EngineDiedError`` if it cannot be started, ``ValueError`` and ``TypeError`` for
    arguments that do not go together. All methods may be called from any thread.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: ResourceDict | None = None,
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
        *,
        gpus: int | Sequence[str | int] | None = None,
    ) -> None:
        self._node = this_node(gpus)
        self._claim: Claim | None = None
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
            _Policy(self._node),
        )

    def _launcher_settings(self) -> Settings:
        """This node: cores by number where calls are pinned, GPUs, memory."""
        pinned = self._pinned_cores()
        assert isinstance(self._policy, _Policy)
        self._policy.pins = pinned is not None
        nodes = [self._node.words(pinned)]
        if self._node.gpu_variable is None:
            return {"nodes": nodes}
        return {"nodes": nodes, "gpu_variable": self._node.gpu_variable}

    def _pinned_cores(self) -> list[int] | None:
        """The cores that calls are pinned to, claimed for this executor; None: cores are counted.

        Calls are pinned on request, and where the cores are this process' alone. ``ResourceError`` if that
        was
        asked for and there are not enough.
        """
        asked, node = self._resources.pin, self._node
        if asked is False or (asked is None and not node.owned):
            return None
        wanted = self._limit
        if self._warm:
            wanted = (self._max_workers or 1) * self._resources.total_cores
        wanted = node.cores if wanted is None else wanted
        claimed: list[int] = []
        if wanted <= len(node.numbers):
            self._claim = Claim(node.numbers, wanted, node.level)
            claimed = self._claim.cores
        if len(claimed) == wanted:
            return claimed
        if self._claim is not None:
            self._claim.release()
        if not asked:
            return None
        raise ResourceError(
            f"resource_dict['pin'] = True, but {wanted} cores cannot be had: this process may run on "
            f"{len(node.numbers)}, of which {len(claimed)} are pinned by nobody else. max_cores (or "
            "max_workers) "
            "may say less"
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        if wait and self._claim is not None:
            self._claim.release()

    def _default_worker_count(self) -> int:
        count = usable_cores()
        _warnings.warn(
            f"max_workers parameter is not set, set default based on CPU count to: max_workers={count}"
        )
        return count
