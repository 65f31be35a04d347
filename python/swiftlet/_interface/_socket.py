# SPDX-License-Identifier: BSD-3-Clause
"""The end of the program that starts a worker."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable
from typing import Any, final

import cloudpickle

from swiftlet._errors import ExecutorlibSocketError
from swiftlet._interface import _meeting
from swiftlet._interface._channel import Channel, log_size, unpickled
from swiftlet._interface._spawners import BaseSpawner, SubprocessSpawner

_CRASHED = "SocketInterface crashed during execution."


@final
class SocketInterface:
    """Starts a worker by a spawner and exchanges dicts with it. Not for several threads at once."""

    def __init__(
        self, spawner: BaseSpawner | None = None, log_obj_size: bool = False, time_out_ms: int = 1000
    ) -> None:
        """``spawner``: a ``SubprocessSpawner`` if None. ``time_out_ms``: how often the spawner is asked
        whether the worker lives; one that ends is noticed at once.
        """
        self._spawner = SubprocessSpawner() if spawner is None else spawner
        self._log_obj_size = log_obj_size
        self._patience = time_out_ms / 1000
        self._listener: socket.socket | None = None
        self._number = 0
        self._channel: Channel | None = None
        self._command: list[str] | None = None
        self._status = False

    @property
    def status(self) -> bool:
        """Whether a worker was started and did not end by itself."""
        return self._status

    @status.setter
    def status(self, status: bool) -> None:
        self._status = status

    def bind_to_random_port(self) -> int:
        """Begins to listen, on a Unix socket; its number is what the worker's command line names."""
        self._disconnect()
        self._listener, self._number = _meeting.listen()
        return self._number

    def bootup(
        self, command_lst: list[str] | None = None, stop_function: Callable[[], bool] | None = None
    ) -> bool:
        """Starts the worker, again if there was one before (then ``command_lst`` may be left out).

        Whether it runs. ``ValueError`` without any command.
        """
        if command_lst is not None:
            self._command = command_lst
        if self._command is None:
            raise ValueError("No command defined to boot up SocketInterface.")
        if self._listener is None:
            self._command = _renumbered(self._command, self.bind_to_random_port())
        self._status = self._spawner.bootup(self._command, stop_function)
        return self._status

    def send_dict(self, input_dict: dict[str, Any]) -> None:
        """Sends a dict; waits for the worker to connect if need be.

        ``ExecutorlibSocketError`` if it ended before.
        """
        message = cloudpickle.dumps(input_dict)
        if self._log_obj_size:
            log_size("Send", message)
        try:
            self._connected().send(message)
        except (ConnectionError, EOFError) as error:
            self._status = False
            raise ExecutorlibSocketError(_CRASHED) from error

    def receive_dict(self) -> dict[str, Any]:
        """Waits for the next dict; ``{"error": ExecutorlibSocketError}`` if the worker ended without one."""
        try:
            message = self._received()
        except (ConnectionError, EOFError):
            self._status = False
            return {"error": ExecutorlibSocketError(_CRASHED)}
        if self._log_obj_size:
            log_size("Received", message)
        return unpickled(message)

    def send_and_receive_dict(self, input_dict: dict[str, Any]) -> dict[str, Any]:
        """``send_dict``, then ``receive_dict``."""
        try:
            self.send_dict(input_dict)
        except ExecutorlibSocketError as error:
            return {"error": error}
        return self.receive_dict()

    def shutdown(self, wait: bool = True) -> dict[str, Any] | None:
        """Ends the worker; ``wait``: tells it so first, lets it finish, and returns its answer."""
        answer = None
        if wait and self._channel is not None and self._spawner.poll():
            answer = self.send_and_receive_dict({"shutdown": True, "wait": wait})
        self._disconnect()  # a worker that has not connected yet finds nobody, and ends
        self._spawner.shutdown(wait=wait)
        return answer

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.shutdown(wait=False)

    def _received(self) -> bytes:
        channel = self._connected()
        while True:
            try:
                return channel.recv(self._patience)
            except TimeoutError:
                if not self._spawner.poll():
                    with contextlib.suppress(TimeoutError):
                        return channel.recv(0)  # it may have answered before it ended
                    raise EOFError(_CRASHED) from None

    def _connected(self) -> Channel:
        """The connection; waits until the worker has made it. ``EOFError`` if it ends before."""
        while self._channel is None:
            if self._listener is None:
                raise EOFError("no worker has been started")
            if select.select([self._listener], [], [], self._patience)[0]:
                peer = _meeting.accept(self._listener)
                if peer is not None:
                    _meeting.close(self._listener, self._number)
                    self._listener = None
                    self._channel = Channel(peer)
            elif not self._spawner.poll():
                raise EOFError("the worker ended before it connected")
        return self._channel

    def _disconnect(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._listener is not None:
            _meeting.close(self._listener, self._number)
            self._listener = None


def interface_bootup(
    command_lst: list[str],
    connections: BaseSpawner,
    hostname_localhost: bool | None = None,
    log_obj_size: bool = False,
    worker_id: int | None = None,
    stop_function: Callable[[], bool] | None = None,
) -> SocketInterface:
    """Starts ``command_lst`` by the spawner ``connections``, with ``--host``, ``--worker-id`` and
    ``--zmqport`` added to it, which the worker passes to ``interface_connect``.
    """
    interface = SocketInterface(spawner=connections, log_obj_size=log_obj_size)
    if not hostname_localhost:
        command_lst += ["--host", socket.gethostname()]
    if worker_id is not None:
        command_lst += ["--worker-id", str(worker_id)]
    command_lst += ["--zmqport", str(interface.bind_to_random_port())]
    interface.bootup(command_lst=command_lst, stop_function=stop_function)
    return interface


def _renumbered(command: list[str], number: int) -> list[str]:
    """The command of a worker that is started again, with the new number."""
    if "--zmqport" not in command:
        return command
    position = command.index("--zmqport") + 1
    return [*command[:position], str(number), *command[position + 1 :]]
