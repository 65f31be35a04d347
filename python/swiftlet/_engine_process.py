# SPDX-License-Identifier: BSD-3-Clause
"""The engine as a process: where its binary is, how it is started, and how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import tempfile

from swiftlet import _wire
from swiftlet._errors import EngineDiedError, signal_name

_STDERR_TAIL = 4096
_HANDSHAKE_SECONDS = 30.0


def find_binary() -> str:
    """The engine's path: ``SWIFTLET_ENGINE`` if set, else the one in the package. ``EngineDiedError`` if
    none.
    """
    named = os.environ.get("SWIFTLET_ENGINE")
    path = named or os.path.join(os.path.dirname(os.path.abspath(__file__)), "_bin", "swiftlet")
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return os.path.abspath(path)
    if named:
        raise EngineDiedError(f"SWIFTLET_ENGINE names {named!r}, which is no program that can be run")
    raise EngineDiedError(
        f"the engine is missing: there is no program {path!r}. A wheel carries it (`pip install .` or `make "
        "demo` "
        "in the source directory builds it); SWIFTLET_ENGINE may name one built elsewhere"
    )


def _above_the_standard_ones(sock: socket.socket) -> socket.socket:
    """A program that was started without standard streams gets their numbers for the next that it opens, and
    a child would have its own there.
    """
    if sock.fileno() > 2:
        return sock
    moved = socket.socket(fileno=fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))
    sock.close()
    return moved


class EngineProcess:
    """A started engine with our end of its socketpair, ``socket``."""

    def __init__(self) -> None:
        """Starts it. ``EngineDiedError`` if that is not possible."""
        binary = find_binary()
        self.log = _log_path()
        self.socket, theirs = map(_above_the_standard_ones, socket.socketpair())
        try:
            self._stderr = (
                os.open(self.log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600) if self.log else _unnamed()
            )
        except OSError as error:
            self.socket.close()
            theirs.close()
            raise EngineDiedError(
                f"SWIFTLET_LOG names {self.log!r}, which cannot be written: {error}"
            ) from error
        command = [binary, "engine", "--fd", str(theirs.fileno()), "--client-pid", str(os.getpid())]
        if self.log:
            command += ["--log", self.log]
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError as error:
            self.socket.close()
            os.close(self._stderr)
            raise EngineDiedError(f"the engine {binary!r} could not be started: {error}") from error
        finally:
            theirs.close()

    def greet(self, reader: _wire.FrameReader, version: str) -> int:
        """Exchanges HELLO with the engine; the number that it gives this connection. ``EngineDiedError``, and
        the process is gone, if that is not possible.
        """
        try:
            return self._exchange_hello(reader, version)
        except BaseException:
            self.wait(0)
            self.close()
            raise

    def _exchange_hello(self, reader: _wire.FrameReader, version: str) -> int:
        hello: dict[str, _wire.AttributeValue] = {"role": "client", "version": version, "pid": os.getpid()}
        sock = self.socket
        sock.settimeout(_HANDSHAKE_SECONDS)
        try:
            sock.sendall(_wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, _wire.pack_attributes(hello)))
            while reader.receive():
                for kind, _, ident, body in reader.frames():
                    if kind == _wire.GOODBYE:
                        raise self.died(f"the engine refused the connection: {bytes(body).decode()}")
                    if kind != _wire.HELLO or ident != _wire.PROTOCOL_VERSION:
                        raise self.died(f"the engine speaks another protocol (version {ident}, frame {kind})")
                    attributes, _ = _wire.unpack_attributes(body)
                    sock.settimeout(None)
                    return int(attributes.get("origin", 1))  # type: ignore[arg-type]
        except OSError as error:
            raise self.died(f"the engine did not answer: {error}") from error
        raise self.died("the engine did not start")

    def died(self, what: str) -> EngineDiedError:
        """The error that says what happened, how the process ended, and what to do."""
        if self.process.poll() is None:
            with contextlib.suppress(Exception):
                self.process.wait(1.0)
        return EngineDiedError(f"{what}; {self.how_it_ended()}\nMake a new executor to go on.")

    def gave_up(self, reason: str) -> EngineDiedError:
        """The error where the engine has said why it ends: how its process ended tells nothing more."""
        log = f"; the engine's log is {self.log}" if self.log else ""
        return EngineDiedError(f"{reason}{log}\nMake a new executor to go on.")

    def wait(self, timeout: float) -> None:
        """Waits for the process, whose connection has ended, to be gone; kills it if it is not in time."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def how_it_ended(self) -> str:
        """For messages: exit status or signal, where the log is, and the last lines of its stderr."""
        status = self.process.returncode
        if status is None:
            text = "it closed its connection"
        elif status < 0:
            text = f"it was ended by {signal_name(-status)}"
        else:
            text = f"it exited with status {status}"
        if self.log:
            text += f"; its log is {self.log}"
        else:
            text += "; it kept no log (set SWIFTLET_LOG to a file or directory to get one)"
        tail = self._tail()
        return f"{text}\nlast lines of its stderr:\n{tail}" if tail else text

    def close(self) -> None:
        """Closes the descriptors, the socket's too."""
        self.socket.close()
        with contextlib.suppress(OSError):
            os.close(self._stderr)
        self._stderr = -1

    def forget(self) -> None:
        """In a forked child: the process is the parent's. Closes our copies of the descriptors."""
        self.close()
        self.process.returncode = 0  # or its finaliser warns of a child that runs

    def _tail(self) -> str:
        try:
            size = os.fstat(self._stderr).st_size
            data = os.pread(self._stderr, _STDERR_TAIL, max(0, size - _STDERR_TAIL))
        except OSError:
            return ""
        return "\n".join("  " + line for line in data.decode(errors="replace").splitlines()[-20:])


def _log_path() -> str | None:
    """The log file of a new engine; ``SWIFTLET_LOG`` names it, or a directory that gets one for each."""
    named = os.environ.get("SWIFTLET_LOG")
    if not named:
        return None
    path = os.path.abspath(named)
    if not (named.endswith("/") or os.path.isdir(path)):
        return path
    with contextlib.suppress(OSError):
        os.makedirs(path, exist_ok=True)
    descriptor, name = -1, path
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix=f"engine-{os.getpid()}-", suffix=".log", dir=path)
    if descriptor >= 0:
        os.close(descriptor)
    return name


def _unnamed() -> int:
    """A file without a name, for what the engine writes to stderr."""
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):
            return os.memfd_create("swiftlet-stderr", os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp(prefix="swiftlet-")
    os.unlink(path)
    return descriptor
