# SPDX-License-Identifier: BSD-3-Clause
"""External programs as calls."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from swiftlet import Command, CommandResult, SingleNodeExecutor


@pytest.mark.parametrize("warm", [False, True])
def test_how_a_program_ends_is_its_value(warm: bool) -> None:
    with SingleNodeExecutor(max_workers=1, block_allocation=warm) as executor:
        result = executor.submit(Command("sh", "-c", "cat; echo bad >&2; exit 3", input=b"in")).result()
        assert result[:4] == (("sh", "-c", "cat; echo bad >&2; exit 3"), 3, b"in", b"bad\n")
        assert result.seconds > 0
        with pytest.raises(subprocess.CalledProcessError):
            result.check()
        assert executor.submit(Command("true")).result().check().returncode == 0
        assert executor.submit(Command("sh", "-c", "kill -9 $$")).result().returncode == -9


def test_results_are_arguments_of_other_calls() -> None:
    with SingleNodeExecutor(max_workers=1) as executor:
        words = executor.submit(Command("echo", "one two"))
        assert executor.submit(last_word, words).result() == "two"


def last_word(result: CommandResult) -> str:
    return result.stdout.decode().split()[-1]


def test_files_directory_and_variables(tmp_path: Path) -> None:
    with SingleNodeExecutor(max_workers=1) as executor:
        command = Command(
            "sh",
            "-c",
            "pwd; echo $NAME; echo bad >&2",
            cwd=tmp_path,
            env={"NAME": "x"},
            stdout="out",
            stderr="err",
        )
        result = executor.submit(command).result()
        assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert (tmp_path / "out").read_text() == f"{tmp_path.resolve()}\nx\n"
    assert (tmp_path / "err").read_text() == "bad\n"


def test_of_much_output_the_end_is_kept() -> None:
    result = Command("seq", "1000000")()
    assert len(result.stdout) == 65_536
    assert result.stdout.endswith(b"\n1000000\n")


def test_a_program_that_cannot_be_started_is_an_error() -> None:
    with SingleNodeExecutor(max_workers=1) as executor, pytest.raises(FileNotFoundError):
        executor.submit(Command("no-such-program")).result()


def test_what_is_no_command_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a program"):
        Command()
    with pytest.raises(TypeError, match="texts or paths"):
        Command("echo", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bytes"):
        Command("cat", input="text")  # type: ignore[arg-type]
    assert repr(Command("echo", "a")) == "Command('echo', 'a')"
