# SPDX-License-Identifier: BSD-3-Clause
"""The build hook: the tag it gives to a wheel, and what it says when there is no engine to put into it."""

from __future__ import annotations

import importlib.util
import os
import re
import struct
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def elf(*program_headers: int, machine: int = 62) -> bytes:
    """The head of a 64-bit executable with these program headers."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQ", 3, machine, 1, 0, 64, 0)
    head += struct.pack("<IHHHHHH", 0, 64, 56, len(program_headers), 0, 0, 0)
    return head + b"".join(struct.pack("<I", kind) + bytes(52) for kind in program_headers)


@pytest.mark.parametrize(("machine", "name"), [(62, "x86_64"), (183, "aarch64")])
def test_static_executable_is_tied_to_no_libc(hook: ModuleType, machine: int, name: str) -> None:
    assert hook.platform_tag(elf(LOAD, DYNAMIC, machine=machine)) == f"manylinux_2_28_{name}"


@pytest.mark.parametrize("binary", [elf(LOAD, INTERPRETER), b"\xcf\xfa\xed\xfe" + bytes(60), b""])
def test_anything_else_is_tied_to_this_platform(hook: ModuleType, binary: bytes) -> None:
    here = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    assert hook.platform_tag(binary) == here


def build(tmp_path: Path, target: str = "wheel", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(tmp_path)],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if k != "SWIFTLET_ENGINE_BINARY"}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_swift_is_explained(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "dirname"):
        (tools / name).symlink_to(Path("/usr/bin") / name)
    done = build(tmp_path, PATH=str(tools))
    assert done.returncode != 0
    assert "swift was not found" in done.stderr
    assert "SWIFTLET_ENGINE_BINARY" in done.stderr


def test_wrong_engine_path_is_explained(tmp_path: Path) -> None:
    done = build(tmp_path, SWIFTLET_ENGINE_BINARY=str(tmp_path / "absent"))
    assert done.returncode != 0
    assert f"{tmp_path / 'absent'} is not an executable file" in done.stderr


def test_the_source_distribution_has_what_the_package_of_swift_names(tmp_path: Path) -> None:
    assert build(tmp_path, "sdist").returncode == 0
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = files.getnames()
    for path in re.findall(r'path: "([^"]+)"', (ROOT / "Package.swift").read_text()):
        assert any(f"/{path}/" in name for name in names), path
