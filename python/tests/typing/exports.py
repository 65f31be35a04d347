# SPDX-License-Identifier: BSD-3-Clause
"""Never run, read by mypy (``make check``): every public name is visible to type checkers, and what users
write has the types they expect. A line that has to be an error says so: a comment that is not needed is one.
"""

from __future__ import annotations

from concurrent.futures import Executor
from concurrent.futures import Future as StandardFuture
from typing import Any

from typing_extensions import assert_type

import swiftlet
from swiftlet import api, compat

EXPORTED = (
    swiftlet.AllocationError,
    swiftlet.BaseExecutor,
    swiftlet.CallInfo,
    swiftlet.Command,
    swiftlet.CommandResult,
    swiftlet.EngineDiedError,
    swiftlet.Event,
    swiftlet.ExecutorlibSocketError,
    swiftlet.FluxClusterExecutor,
    swiftlet.FluxJobExecutor,
    swiftlet.Future,
    swiftlet.FutureSelector,
    swiftlet.InputError,
    swiftlet.KeyExplanation,
    swiftlet.MPIUnavailableError,
    swiftlet.MemoryLimitError,
    swiftlet.NotYetAvailableError,
    swiftlet.RemoteError,
    swiftlet.RemoteTraceback,
    swiftlet.ResourceDict,
    swiftlet.ResourceError,
    swiftlet.ResourceUnavailableError,
    swiftlet.SingleNodeExecutor,
    swiftlet.Slot,
    swiftlet.SlurmClusterExecutor,
    swiftlet.SlurmJobExecutor,
    swiftlet.SwiftletError,
    swiftlet.TaskInfo,
    swiftlet.TaskRefusedError,
    swiftlet.TimeLimitError,
    swiftlet.WorkerLostError,
    swiftlet.__version__,
    swiftlet.current_task,
    swiftlet.explain_key,
    swiftlet.get_cache_data,
    swiftlet.get_cache_data_queue,
    swiftlet.get_future_from_cache,
    swiftlet.get_item_from_future,
    swiftlet.install_as_executorlib,
    swiftlet.run_workflow,
    swiftlet.split_future,
    swiftlet.terminate_task_in_cache,
    swiftlet.terminate_tasks_in_cache,
)
EXPORTED_API = (
    api.ExecutorlibSocketError,
    api.MpiExecSpawner,
    api.SocketInterface,
    api.SubprocessSpawner,
    api.TestClusterExecutor,
    api.cancel_items_in_queue,
    api.cloudpickle_register,
    api.get_command_path,
    api.interface_bootup,
    api.interface_connect,
    api.interface_receive,
    api.interface_send,
    api.interface_shutdown,
)
EXPORTED_COMPAT = (compat.install_as_executorlib, compat.main)


def scale(vector: list[float], factor: float = 1.0) -> list[float]:
    """Somebody's function."""
    return [factor * value for value in vector]


def submitting(executor: swiftlet.SingleNodeExecutor) -> None:
    """The result's type is the function's; futures may stand for arguments."""
    future = executor.submit(scale, [1.0], factor=2.0)
    assert_type(future, swiftlet.Future[list[float]])
    assert_type(future.result(), list[float])
    assert_type(executor.submit(scale, future), swiftlet.Future[list[float]])
    assert_type(
        executor.submit(scale, [1.0], resource_dict={"cores": 1, "priority": 2}).result(), list[float]
    )
    assert_type(list(executor.map(len, ["a", "b"])), list[int])
    standard: StandardFuture[list[float]] = future
    pool: Executor = executor
    assert_type(pool.submit(scale, standard.result()).result(), list[float])


async def awaiting(executor: swiftlet.BaseExecutor) -> list[float]:
    """A future can be awaited."""
    return await executor.submit(scale, [1.0])


def mistakes(executor: swiftlet.SingleNodeExecutor) -> None:
    """What a type checker has to find."""
    executor.submit(scale, [1.0], resource_dict={"coers": 1})  # type: ignore[call-arg]
    executor.submit(scale, [1.0], resource_dict={"cores": "1"})  # type: ignore[call-arg]
    executor.submit("no function")  # type: ignore[call-overload]
    swiftlet.SingleNodeExecutor(resource_dict={"coers": 1})  # type: ignore[arg-type]
    swiftlet.SingleNodeExecutor(max_worker=1)  # type: ignore[call-arg]
    text: str = executor.submit(scale, [1.0]).result()  # type: ignore[assignment]
    _ = text


def on_a_cluster(executor: swiftlet.SlurmClusterExecutor, site: dict[str, Any]) -> None:
    """Keys that only a site's template knows are legal there."""
    assert_type(executor.submit(len, "a", resource_dict={"partition": "debug", **site}).result(), int)
    swiftlet.SlurmClusterExecutor(resource_dict={"partition": "debug"})


class Derived(swiftlet.SingleNodeExecutor):
    """Users may derive from executors."""
