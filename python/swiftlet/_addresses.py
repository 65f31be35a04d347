# SPDX-License-Identifier: BSD-3-Clause
"""At which of this machine's addresses processes on other nodes reach it."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterable

from swiftlet._errors import AllocationError

VARIABLE = "SWIFTLET_ADDRESS"


def listening_address(peers: Iterable[str], localhost: bool | None) -> str:
    """A numeric address of one interface: where the user says (``SWIFTLET_ADDRESS``, ``hostname_localhost``),
    else the one from which the system would talk to the peers (host names or addresses), else the host's own.

    ``AllocationError`` if there is none, naming what can be done.
    """
    if localhost:
        return "127.0.0.1"
    named = os.environ.get(VARIABLE)
    if named:
        return _checked(named)
    for peer in peers:
        address = _towards(peer)
        if address is not None:
            return address
    try:
        return str(socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise AllocationError(
            f"no address of this machine was found at which workers could reach it ({error}); set "
            f"{VARIABLE} to the numeric address of the interface that the nodes reach"
        ) from error


def _checked(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.is_unspecified:
        raise AllocationError(
            f"{VARIABLE}={text!r} has to be the numeric address of one interface of this machine"
        )
    return text


def _towards(peer: str) -> str | None:
    """The address that this machine has in the network of a peer; nothing is sent."""
    try:
        found = socket.getaddrinfo(peer, 9, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    for family, kind, _, _, address in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.connect(address)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None
