# SPDX-License-Identifier: BSD-3-Clause
"""External programs as calls: `executor.submit(Command("lmp", "-in", "in.melt"))`."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from threading import Thread
from typing import IO, NamedTuple, Union, final

KEPT = 1 << 16

Word = Union[str, "os.PathLike[str]"]


@final
class CommandResult(NamedTuple):
    """How a program ended. A status other than 0 is a result; `check()` makes it an error."""

    arguments: tuple[str, ...]
    #: The status it exited with; minus the signal's number where a signal ended it.
    returncode: int
    #: The last 64 KiB of what it printed (empty where that went to a file).
    stdout: bytes
    stderr: bytes
    #: Seconds it ran.
    seconds: float

    def check(self) -> CommandResult:
        """Itself; raises `subprocess.CalledProcessError` where the status is not 0."""
        if self.returncode:
            raise subprocess.CalledProcessError(self.returncode, self.arguments, self.stdout, self.stderr)
        return self


@final
class Command:
    """A program with its arguments, to be submitted like any function. Its value is a `CommandResult`.

    `cwd` is the directory it runs in, `env` are variables beside (or instead of) those of the call, `input`
    is what it reads, `stdout` and `stderr` are paths of files, made or emptied when it starts (a relative one
    begins at `cwd`).
    A program that cannot be started raises `OSError`.
    """

    def __init__(
        self,
        *arguments: Word,
        cwd: Word | None = None,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002  as in subprocess.run
        stdout: Word | None = None,
        stderr: Word | None = None,
    ) -> None:
        if not arguments:
            raise ValueError('a command needs a program: Command("lmp", "-in", "in.melt")')
        for argument in arguments:
            if not isinstance(argument, (str, os.PathLike)):
                raise TypeError(f"the arguments of a command are texts or paths, not {argument!r}")
        if input is not None and not isinstance(input, bytes):
            raise TypeError(f"the input of a command is bytes, not {type(input).__name__}")
        self.arguments = tuple(os.fspath(argument) for argument in arguments)
        self.cwd = None if cwd is None else os.fspath(cwd)
        self.env = None if env is None else dict(env)
        self.input = input
        self.stdout = None if stdout is None else os.fspath(stdout)
        self.stderr = None if stderr is None else os.fspath(stderr)

    def __repr__(self) -> str:
        return f"Command{self.arguments!r}" if len(self.arguments) > 1 else f"Command({self.arguments[0]!r})"

    def __call__(self) -> CommandResult:
        """Runs it, in the process that calls this."""
        begun = time.monotonic()
        with _file(self.stdout, self.cwd) as output, _file(self.stderr, self.cwd) as errors:
            process = subprocess.Popen(
                self.arguments,
                cwd=self.cwd,
                env=None if self.env is None else {**os.environ, **self.env},
                stdin=subprocess.DEVNULL if self.input is None else subprocess.PIPE,
                stdout=output,
                stderr=errors,
            )
            with process:
                readers = [_Tail(process.stdout), _Tail(process.stderr)]
                if process.stdin is not None and self.input is not None:
                    try:
                        process.stdin.write(self.input)
                        process.stdin.close()
                    except BrokenPipeError:
                        pass  # it did not want to read all of it
                for reader in readers:
                    reader.join()
                status = process.wait()
        seconds = time.monotonic() - begun
        return CommandResult(self.arguments, status, readers[0].kept, readers[1].kept, seconds)


class _Tail(Thread):
    """Reads a pipe to its end and keeps the last bytes."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self.kept = b""
        self._pipe = pipe
        self.start()

    def run(self) -> None:
        while self._pipe is not None:
            chunk = self._pipe.read1(KEPT)  # type: ignore[attr-defined]
            if not chunk:
                return
            self.kept = (self.kept + chunk)[-KEPT:]


class _file:
    """The file at a path, or the instruction to make a pipe."""

    def __init__(self, path: str | None, cwd: str | None) -> None:
        self._file = None if path is None else open(os.path.join(cwd or "", path), "wb")  # noqa: SIM115  closed by __exit__

    def __enter__(self) -> int | IO[bytes]:
        return subprocess.PIPE if self._file is None else self._file

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
