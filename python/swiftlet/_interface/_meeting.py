# SPDX-License-Identifier: BSD-3-Clause
"""Where the two ends meet: numbered Unix sockets in a directory of the user's own."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import stat
import struct
import tempfile

_BASE = "/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()
_FIRST, _LAST = 49152, 65535
_CREDENTIALS = struct.Struct("3i")


def listen() -> tuple[socket.socket, int]:
    """A listening socket and its number, by which ``connect`` finds it.

    ``PermissionError`` if the directory of this user's sockets is somebody else's.
    """
    directory = _directory()
    for _ in range(1000):
        number = random.randint(_FIRST, _LAST)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = _path(directory, number)
        _remove_abandoned(path)
        try:
            listener.bind(path)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        listener.listen(8)
        return listener, number
    raise OSError(errno.EADDRINUSE, f"no free number for a socket in {directory!r}")


def accept(listener: socket.socket) -> socket.socket | None:
    """The next peer; None if it is a process of another user, which is turned away."""
    peer, _ = listener.accept()
    if _user_of(peer) != os.geteuid():
        peer.close()
        return None
    return peer


def connect(number: int) -> socket.socket:
    """The connection to the process that listens. ``ConnectionError`` if none does that may be trusted."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = _path(_directory(), number)
    try:
        peer.connect(path)
    except OSError as error:
        peer.close()
        raise ConnectionError(
            f"nobody listens as number {number} ({path}): {error.strerror}. The process that starts a worker "
            "has to run on the same machine, as the same user"
        ) from error
    if _user_of(peer) != os.geteuid():
        peer.close()
        raise ConnectionError(f"the process that listens as number {number} is one of another user")
    return peer


def close(listener: socket.socket, number: int) -> None:
    """Nobody can connect any more."""
    listener.close()
    with contextlib.suppress(OSError):
        os.unlink(_path(_directory(), number))


def _directory() -> str:
    path = os.path.join(_BASE, f"swiftlet-{os.geteuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(
            f"{path!r} has to be a directory that belongs to this user and that only this user may enter "
            f"(mode 0700); it is not. Remove it, or set its mode: chmod 700 {path}"
        )
    return path


def _path(directory: str, number: int) -> str:
    return os.path.join(directory, str(number))


def _remove_abandoned(path: str) -> None:
    """Takes away what a process left behind that was killed."""
    if not os.path.exists(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(OSError):
                os.unlink(path)
        except OSError:
            return


def _user_of(peer: socket.socket) -> int:
    """The user id of the process at the other end, as the kernel knows it."""
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])
