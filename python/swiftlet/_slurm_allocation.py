# SPDX-License-Identifier: BSD-3-Clause
"""What Slurm granted the job this program runs in: nodes, cores, GPUs, memory, time."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swiftlet._errors import AllocationError

_ASK_SECONDS = 30.0
_MEBIBYTE = 1 << 20
_UNITS = {"": _MEBIBYTE, "K": 1 << 10, "M": _MEBIBYTE, "G": 1 << 30, "T": 1 << 40}

Ask = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class AllocatedNode:
    """The job's share of one node."""

    name: str
    cores: int
    gpus: tuple[str, ...] = ()
    memory: int | None = None
    """Bytes; None if Slurm does not count memory."""

    def words(self, up: bool) -> str:
        """As CONFIGURE describes a node."""
        words = [f"name={self.name}", f"cores={self.cores}"]
        if self.gpus:
            words.append("gpus=" + ",".join(self.gpus))
        if self.memory is not None:
            words.append(f"memory={self.memory}")
        return " ".join(words if up else [*words, "up=0"])


def controllers() -> list[str]:
    """The addresses of Slurm's controllers; empty where Slurm does not say."""
    return re.findall(r"^SlurmctldHost\S*\s*=\s*[^\s(]+\(([^)\s]+)\)", _configuration(), re.MULTILINE)


def has_mpi_default() -> bool:
    """Whether the site says how ranks of a step find each other; True where Slurm does not answer."""
    return re.search(r"^MpiDefault\s*=\s*(none)?\s*$", _configuration(), re.MULTILINE) is None


def _configuration() -> str:
    """The site's; empty where Slurm does not answer."""
    try:
        return answer(("scontrol", "show", "config"))
    except AllocationError:
        return ""


@dataclass(frozen=True)
class Allocation:
    """A job's resources."""

    job: str
    nodes: tuple[AllocatedNode, ...]
    ends: float | None
    """When its time is over (Unix time); None if it is not limited."""

    @property
    def cores(self) -> int:
        """On all nodes."""
        return sum(node.cores for node in self.nodes)

    @property
    def has_gpus(self) -> bool:
        """Whether any node has one."""
        return any(node.gpus for node in self.nodes)

    def time_left(self) -> float | None:
        """Seconds; None if not limited."""
        return None if self.ends is None else max(0.0, self.ends - time.time())


def current(environment: Mapping[str, str] = os.environ, ask: Ask | None = None) -> Allocation | None:
    """The allocation this process is in; None if it is in none.

    ``AllocationError`` if Slurm does not know the job that the environment names, or does not answer.
    """
    job = environment.get("SLURM_JOB_ID") or environment.get("SLURM_JOBID")
    if not job:
        return None
    asked = ask or answer
    try:
        return parsed(job, asked(("scontrol", "show", "job", "-o", "-d", job)), asked)
    except AllocationError as error:
        raise AllocationError(
            f"SLURM_JOB_ID says that this program runs in job {job}, but {error}. Where it does not, unset "
            "SLURM_JOB_ID: srun then asks for an allocation"
        ) from error


def parsed(job: str, text: str, ask: Ask) -> Allocation:
    """From the line of ``scontrol show job -o -d``."""
    fields = dict(re.findall(r"(\S+?)=(\S*)", text.partition(" Nodes=")[0]))
    if fields.get("JobState") != "RUNNING":
        raise AllocationError(f"its state is {fields.get('JobState', 'not known')}")
    nodes: list[AllocatedNode] = []
    for group in re.finditer(r"(?<!\S)Nodes=(\S+) CPU_IDs=(\S+) Mem=(\S*) GRES=(\S*)", text):
        names, cpus, memory, gres = group.groups()
        for name in ask(("scontrol", "show", "hostnames", names)).split():
            nodes.append(AllocatedNode(name, len(numbers(cpus)), _gpus(gres), _bytes(memory) or None))
    if not nodes:
        raise AllocationError("Slurm does not say which nodes it has")
    return Allocation(job, tuple(nodes), _time(fields.get("EndTime", "")))


def numbers(text: str) -> list[int]:
    """``0-2,7`` as numbers."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def answer(command: Sequence[str]) -> str:
    """What a command of Slurm's prints. ``AllocationError`` with its own words if it fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ASK_SECONDS
        )
    except FileNotFoundError:
        raise AllocationError(f"there is no {command[0]} in PATH") from None
    except subprocess.TimeoutExpired:
        raise AllocationError(f"{command[0]} has not answered for {_ASK_SECONDS:.0f} s") from None
    if done.returncode:
        words = done.stderr.strip() or f"it exited with status {done.returncode}"
        raise AllocationError(f"{' '.join(command[:3])} failed: {words}")
    return done.stdout


def _gpus(gres: str) -> tuple[str, ...]:
    """``gpu:a100:2(IDX:0-1),other:1`` as the numbers of the GPUs."""
    found: list[str] = []
    for name, count, indices in re.findall(r"(\w+)(?::[^:(,]+)?:(\d+)(?:\(IDX:([\d,-]+)\))?", gres):
        if name == "gpu":
            found.extend(map(str, numbers(indices) if indices else range(int(count))))
    return tuple(found)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([\d.]+)([KMGT]?)", text)
    return int(float(match[1]) * _UNITS[match[2]]) if match else 0


def _time(text: str) -> float | None:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
    except ValueError:  # "Unknown": not limited
        return None
