# SPDX-License-Identifier: BSD-3-Clause
"""Puts the engine binary into the wheel and gives the wheel the tag that is true for it.

The binary is built from the Swift sources, or taken from `SWIFTLET_ENGINE_BINARY`. An editable install gets
none: `scripts/setup` puts the binary beside the package there.
"""

from __future__ import annotations

import struct
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: A static binary needs no libc of the system. What it does need is Linux 4.18, and the oldest
#: systems that have it are those with glibc 2.28: no older tag would be true.
STATIC_LINUX = "manylinux_2_28"

ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
PROGRAM_INTERPRETER = 3


class EngineBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling before it writes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        binary = self._binary()
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag(binary.read_bytes())}"
        build_data["force_include"][str(binary)] = "swiftlet/_bin/swiftlet"

    def _binary(self) -> Path:
        """The engine for the wheel; ends the build with an explanation if there is none."""
        script = Path(self.root, "scripts", "build-engine")
        done = subprocess.run(["bash", str(script)], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            self.app.abort("swiftlet: no engine binary for the wheel, see the reason above")
        return Path(done.stdout.strip())


def platform_tag(binary: bytes) -> str:
    """The platform part of the wheel's tag for an executable, from its ELF header.

    A dynamically linked executable depends on the machine it was built on, and so does its tag.
    """
    machine = _static_elf_machine(binary)
    if machine is not None:
        return f"{STATIC_LINUX}_{machine}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")


def _static_elf_machine(binary: bytes) -> str | None:
    """Architecture of a static 64-bit little-endian ELF executable, or None if this is something else."""
    if binary[:6] != b"\x7fELF\x02\x01":
        return None
    (machine,) = struct.unpack_from("<H", binary, 18)
    (offset,) = struct.unpack_from("<Q", binary, 32)
    size, count = struct.unpack_from("<HH", binary, 54)
    kinds = [struct.unpack_from("<I", binary, offset + index * size)[0] for index in range(count)]
    return None if PROGRAM_INTERPRETER in kinds else ELF_MACHINES.get(machine)
