# SPDX-License-Identifier: BSD-3-Clause
"""What Slurm and Flux say of a job, and its end, by their commands; for programs that have no engine."""

from __future__ import annotations

import subprocess

_SECONDS = 60.0
_PENDING = frozenset(
    ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SUSPENDED", "SPECIAL_EXIT")
)
_RUNNING = frozenset(("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED", "RESIZING"))
_FLUX = {
    "DEPEND": "pending",
    "PRIORITY": "pending",
    "SCHED": "pending",
    "RUN": "running",
    "CLEANUP": "running",
}


def status(system: str, number: int, index: int | None = None) -> str | None:
    """``running``, ``pending``, or None if the queue does not have the job any more.

    ``RuntimeError`` if the queue cannot be asked.
    """
    if system == "slurm":
        command = ["squeue", "--noheader", "--format=%T", f"--jobs={_slurm(number, index)}"]
        states = _run(command, "Invalid job id")
        found = [state.split(" ")[0] for state in states.split()]
        if any(state in _RUNNING for state in found):
            return "running"
        return "pending" if any(state in _PENDING for state in found) else None
    if system == "flux":
        command = ["flux", "jobs", "--no-header", "--format={state}", str(number)]
        return _FLUX.get(_run(command, "No such").strip())
    raise RuntimeError(f"jobs of {system or 'an unknown system'} cannot be asked for here")


def cancel(system: str, number: int, index: int | None = None) -> None:
    """Takes the job out of the queue, or ends it; a job that has ended is no error."""
    if system == "slurm":
        _run(["scancel", _slurm(number, index)], "Invalid job id")
    elif system == "flux":
        _run(["flux", "cancel", str(number)], "inactive", "unknown", "not found")
    else:
        raise RuntimeError(f"jobs of {system or 'an unknown system'} cannot be cancelled here")


def _slurm(number: int, index: int | None) -> str:
    return f"{number}" if index is None else f"{number}_{index}"


def _run(command: list[str], *harmless: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{command[0]} cannot be asked: {error}") from error
    if done.returncode and not any(text in done.stderr for text in harmless):
        raise RuntimeError(f"{' '.join(command)} failed with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout
