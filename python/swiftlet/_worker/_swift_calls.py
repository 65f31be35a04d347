# SPDX-License-Identifier: BSD-3-Clause
"""Python functions for a Swift worker, which starts this module with a socket as descriptor 3.

A request is `u32 length`, then CBOR `[module, name, arguments, keywords]`. The answer is `u32 length`, a byte
(0 value, 1 error), then CBOR: the value, or `{type, message, traceback}`. The process ends with the socket.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import traceback
from importlib import import_module
from typing import Any

from swiftlet._worker import _cbor

CONNECTION = 3
_LENGTH = struct.Struct("<I")


def main() -> None:
    """Answers calls, one after the other, until the worker is gone."""
    sys.path.insert(0, "")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, CONNECTION)
    os.register_at_fork(after_in_child=sock.close)
    while True:
        head = _receive(sock, _LENGTH.size)
        if head is None:
            return
        request = _receive(sock, _LENGTH.unpack(head)[0])
        if request is None:
            return
        answer = _answer(request)
        sys.stdout.flush()
        sys.stderr.flush()
        sock.sendall(_LENGTH.pack(len(answer)) + answer)


def _receive(sock: socket.socket, count: int) -> bytes | None:
    """Exactly so many bytes; None at the end of the connection."""
    data = bytearray()
    while len(data) < count:
        chunk = sock.recv(min(count - len(data), 1 << 20))
        if not chunk:
            return None
        data += chunk
    return bytes(data)


def _answer(request: bytes) -> bytes:
    try:
        module, name, arguments, keywords = _cbor.loads(request)
        return b"\0" + _cbor.dumps(_function(module, name)(*arguments, **keywords))
    except (
        Exception,
        SystemExit,
    ) as error:  # what ends an interpreter ends a call, not the process of other calls
        return b"\1" + _cbor.dumps(_report(error))


def _function(module: str, name: str) -> Any:
    """What `name` (with dots: in a class) stands for in the module."""
    function: Any = import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    return function


def _report(error: BaseException) -> dict[str, str]:
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, frames)
    return {"type": type(error).__name__, "message": str(error), "traceback": "".join(lines)}


if __name__ == "__main__":
    main()
