# SPDX-License-Identifier: BSD-3-Clause
"""``SlurmJobExecutor``: Python calls on the nodes of a Slurm allocation, or each in one of its own."""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from swiftlet import _mpi, _slurm_allocation
from swiftlet._addresses import listening_address
from swiftlet._engine_process import find_binary
from swiftlet._errors import AllocationError, ResourceError
from swiftlet._interactive import InteractiveExecutor
from swiftlet._options import DEFAULT_REFRESH_RATE, Options
from swiftlet._policy import EVERYWHERE, Policy, for_the_launcher, set_step_directory
from swiftlet._resources import Resources, check_fits
from swiftlet._session import groups_of_ranks, worker_command

if TYPE_CHECKING:
    from swiftlet._connection import Settings
    from swiftlet._resources import ResourceDict
    from swiftlet._slurm_allocation import Allocation

SRUNS_AT_ONCE = 64
"""How many calls wait for an allocation or run at once, outside an allocation, if the user sets no limit."""


class _Policy(Policy):
    owner = "SlurmJobExecutor"
    honoured = EVERYWHERE | {
        "cores",
        "exclusive",
        "gpus_per_core",
        "memory_max",
        "mpi_result",
        "num_nodes",
        "openmpi_oversubscribe",
        "slurm_cmd_args",
        "step",
    }
    options = Policy.options | {"openmpi_oversubscribe"}

    def __init__(self, allocation: Allocation | None, pmi_mode: str | None) -> None:
        self._allocation = allocation
        self._is_pmi_said = pmi_mode is not None or "SLURM_MPI_TYPE" in os.environ

    def check(self, resources: Resources, limit: int | None) -> None:
        """What the allocation can never give is refused; so is more time than it has left."""
        check_fits(resources, limit)
        allocation = self._allocation
        if allocation is None:
            return
        if resources.num_nodes > len(allocation.nodes):
            raise ResourceError(
                f"num_nodes={resources.num_nodes} is more than the {len(allocation.nodes)} nodes of job "
                f"{allocation.job}"
            )
        if resources.gpus_per_core and not allocation.has_gpus:
            raise ResourceError(
                f"gpus_per_core={resources.gpus_per_core}, but job {allocation.job} has no GPUs "
                "(salloc --gres=gpu:N)"
            )
        left = allocation.time_left()
        if resources.run_time_max is not None and left is not None and resources.run_time_max > left:
            raise ResourceError(
                f"run_time_max={resources.run_time_max} s is more than the {left:.0f} s that job "
                f"{allocation.job} has left"
            )

    def request(self, resources: Resources) -> Mapping[str, Any]:
        """The attributes of REQUEST."""
        settings: dict[str, Any] = dict(resources.request())
        if self._allocation is None:
            # Nobody knows the nodes that srun will get: what is asked of them is for srun alone.
            for_the_launcher(settings)
        if resources.step or resources.slurm_cmd_args or resources.memory_max is not None:
            settings["step"] = 1  # agents' calls have no limit of memory that Slurm would see to
        arguments = [*(self._mpi_arguments if resources.cores > 1 else ()), *resources.slurm_cmd_args]
        if arguments:
            settings["step_arguments"] = arguments
        set_step_directory(settings, resources)
        return settings

    @functools.cached_property
    def _mpi_arguments(self) -> list[str]:
        """Where neither the user nor the site says how ranks find each other, as the MPI library wants it."""
        if self._is_pmi_said or _slurm_allocation.has_mpi_default():
            return []
        pmi = _mpi.pmi_of_library()
        return [] if pmi is None else [f"--mpi={pmi}"]


class SlurmJobExecutor(InteractiveExecutor):
    """Runs Python calls on the nodes of the Slurm allocation this program runs in (salloc, sbatch).

    As ``SingleNodeExecutor``, on all nodes: one job step starts an agent on each, and calls on one core run
    through these within milliseconds. Calls on several cores, with ``memory_max``, ``slurm_cmd_args`` or
    ``resource_dict={"step": True}`` are job steps of their own (srun). Outside an allocation each call, or
    each worker of a block allocation, is an srun that asks for one.

    ``pmi_mode`` is how MPI ranks find each other (srun's ``--mpi``); where neither it nor the site says so,
    it is what the MPI library that is found here wants. Workers connect back to this machine:
    at the address from which it reaches the nodes, or that SWIFTLET_ADDRESS names, or with
    ``hostname_localhost=True`` at 127.0.0.1.

    Raises ``AllocationError`` if the allocation is not there any more or there is no srun.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        cache_directory: str | None = None,
        max_cores: int | None = None,
        resource_dict: ResourceDict | None = None,
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
        restart_limit: int = 0,
        openmpi_oversubscribe: bool = False,
    ) -> None:
        self._pmi_mode = pmi_mode
        if shutil.which("srun") is None:
            raise AllocationError("there is no srun in PATH: this machine is no part of a Slurm cluster")
        self._allocation = _slurm_allocation.current()
        if self._allocation is None and not block_allocation and max_workers is None and max_cores is None:
            max_workers = SRUNS_AT_ONCE
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
            _Policy(self._allocation, pmi_mode),
        )

    def dry_run(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        resource_dict: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> str:
        """The command line that a call would be started with, for a shell; nothing is started.

        For a call that runs through an agent: the line that started the agents. Which nodes a step gets is
        decided when it starts; shown are those it would get if all were free. Raises as ``submit``.
        """
        session = self._active()
        session.function(fn)
        return session.dry_run(self._call_resources(resource_dict) if resource_dict else self._resources)

    def _capacity(self) -> int:
        assert self._allocation is not None
        return self._allocation.cores

    def _launcher_shown(self) -> dict[str, Any]:
        return {"spawner": "slurm", "pmi_mode": self._pmi_mode}

    def _launcher_settings(self) -> Settings:
        allocation = self._allocation
        settings: dict[str, Any] = {
            "nodes_by": "slurm",
            "engine": find_binary(),
            "step_worker": worker_command("_step.py"),
            "listen_address": listening_address(_peers(allocation), self._options.hostname_localhost),
        }
        if self._pmi_mode is not None:
            settings["slurm_pmi"] = self._pmi_mode
        if allocation is not None:
            settings["slurm_job"] = allocation.job
            settings["nodes"] = [node.words(up=False) for node in allocation.nodes]
            settings["groups_span_nodes"] = 1
            settings["agents"] = 1
            if allocation.has_gpus:
                settings["gpu_variable"] = (
                    "ROCR_VISIBLE_DEVICES" if "ROCR_VISIBLE_DEVICES" in os.environ else "CUDA_VISIBLE_DEVICES"
                )
        return settings

    @classmethod
    def _group_settings(cls) -> Settings:
        return groups_of_ranks()


def _peers(allocation: Allocation | None) -> list[str]:
    """Where the nodes are, or else Slurm's controller: names or addresses."""
    if allocation is None:
        return _slurm_allocation.controllers()
    try:
        names = ",".join(node.name for node in allocation.nodes)
        text = _slurm_allocation.answer(("scontrol", "show", "node", "-o", names))
        return re.findall(r"(?<!\S)NodeAddr=(\S+)", text)
    except AllocationError:
        return [node.name for node in allocation.nodes]
