# SPDX-License-Identifier: BSD-3-Clause
"""Swift packages outside of this repository: from the README's lines alone, the guide's programs, all traits.

They share one build directory, so that what they have in common is compiled once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "Tests" / "OutsidePackage"

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(shutil.which("swift") is None, reason="there is no Swift on this machine"),
]


def snippets(page: Path) -> list[str]:
    """The Swift programs (and parts of programs) of a page."""
    return re.findall(r"^```swift\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which this repository is called what the README calls it."""
    directory = tmp_path_factory.mktemp("outside")
    (directory / "swiftlet").symlink_to(ROOT)
    return directory


def package(place: Path, manifest: str, programs: dict[str, str]) -> Path:
    """A package beside the repository."""
    directory = place / "package"
    shutil.rmtree(directory / "Sources", ignore_errors=True)
    for name, source in programs.items():
        path = directory / "Sources" / name / f"{name}.swift"
        path.parent.mkdir(parents=True)
        path.write_text(source)
    (directory / "Package.swift").write_text(manifest)
    return directory


def run(
    directory: Path, name: str, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> list[str]:
    """The lines that a program of the package prints."""
    done = subprocess.run(
        ["swift", "run", "--package-path", str(directory), name],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.splitlines()


def test_the_packages_of_the_readme(place: Path) -> None:
    blocks = snippets(ROOT / "README.md")
    manifest = next(block for block in blocks if "swift-tools-version" in block)
    program = next(block for block in blocks if "TaskProgram" in block)
    assert run(package(place, manifest, {"Squares": program}), "Squares") == ["0", "1", "4", "9"]


def test_the_tutorial(place: Path) -> None:
    steps = ROOT / "Sources" / "Swiftlet" / "Swiftlet.docc" / "Resources"
    manifest = (steps / "sweep-0-package.swift").read_text()
    for step in sorted(steps.glob("sweep-[1-3]-*.swift")):
        # What there is before there is a program.
        source = step.read_text() + "\n@main struct Sweep { static func main() {} }\n"
        assert run(package(place, manifest, {"Sweep": source}), "Sweep") == []
    directory = package(place, manifest, {"Sweep": (steps / "sweep-5-outcomes.swift").read_text()})
    lines = run(directory, "Sweep")
    assert [line[:9] for line in lines] == [f"rate {rate}:" for rate in ("2.8", "3.2", "3.5", "3.9", "5.0")]
    assert lines[-1].endswith("RateOutOfRange(rate: 5.0)")
    directory = package(place, manifest, {"Sweep": (steps / "sweep-4-program.swift").read_text()})
    command = ["swift", "run", "--package-path", str(directory), "Sweep"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 4)
    assert done.stderr.endswith("RateOutOfRange(rate: 5.0)\n")
    package(place, manifest, {"Sweep": (steps / "sweep-6-slurm.swift").read_text()})
    subprocess.run(["swift", "build", "--package-path", str(directory)], check=True, capture_output=True)


def guide() -> str:
    """The guide as one program: what it declares, and a function for each of its other parts."""
    declarations, functions = [], []
    for snippet in snippets(ROOT / "docs" / "guides" / "swift.md"):
        if snippet.startswith("."):
            continue  # a line of a manifest: the next test has it
        rest = snippet
        for declaration in re.findall(r"^(?:@main )?struct .*?^}\n", snippet, re.DOTALL | re.MULTILINE):
            declarations.append(declaration.replace("{ … }", "{ try await runAll() }"))
            rest = rest.replace(declaration, "")
        assert "…" not in rest, rest
        if rest.strip():
            submitted = re.findall(r"^let (\w+) = try executor\.submit\(", rest, re.MULTILINE)
            functions.append(rest + "".join(f"print(try await {name}.value)\n" for name in submitted))
    calls = []
    for number, body in enumerate(functions):
        signature = f"func part{number}(_ context: Context) async throws"
        names = "let (executor, handles, rates, matrix, setup, square) = context.all"
        declarations.append(f"{signature} {{\n{names}\n{body}\n}}")
        if not any(word in body for word in ("slurm", "flux", "nodes:")):  # what one machine can run
            calls.append(f'try await part{number}(context); print("part {number}")')
    return (PROGRAMS / "GuideContext.swift").read_text().replace("// PARTS", "\n".join(calls)) + "\n".join(
        declarations
    )


def test_the_guide_and_all_traits(place: Path, tmp_path: Path) -> None:
    """What the guide shows compiles and runs; what it says of logs, metrics, traces and services is so."""
    manifest = (PROGRAMS / "Package.swift.txt").read_text()
    source = guide()
    observed = (PROGRAMS / "Observed.swift").read_text()
    directory = package(place, manifest, {"Guide": source, "Observed": observed})
    resolved = subprocess.run(
        ["swift", "package", "--package-path", str(directory), "resolve"],
        capture_output=True,
        text=True,
        check=False,
    )
    if resolved.returncode:
        pytest.skip(f"the packages of the traits cannot be had here: {resolved.stderr[-300:]}")
    assert run(directory, "Observed") == (PROGRAMS / "Observed.txt").read_text().splitlines()
    (tmp_path / "lmp").write_text("#!/bin/sh\necho $*\n")
    (tmp_path / "lmp").chmod(0o755)
    (tmp_path / "mymodule.py").write_text(
        "def spectrum(matrix, count):\n    return [float(sum(matrix))] * count\n"
    )
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'python'}",
        "SWIFTLET_PYTHON": sys.executable,
    }
    lines = run(directory, "Guide", environment, cwd=tmp_path)  # a cache and files are made there
    parts = [line for line in lines if line.startswith("part ")]
    assert parts
    assert len(parts) == source.count('print("part ')
