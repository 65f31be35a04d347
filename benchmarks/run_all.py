# SPDX-License-Identifier: BSD-3-Clause
"""Runs every benchmark in a process of its own and prints one table; `--markdown FILE` writes a document.

Names of benchmarks (`latency_warm_call` …) choose some of them. A missed goal is reported, not an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from race import number

HERE = Path(__file__).resolve().parent
ALL = (
    "latency_warm_call",
    "throughput_warm_calls",
    "fresh_calls",
    "dependency_chain",
    "large_arrays",
    "million_tasks",
    "cache",
    "cache_entries",
    "idle_cpu",
    "import_time",
    "mpi_startup",
    "mpi_warm_calls",
    "slurm_allocation_calls",
    "slurm_batch_jobs",
    "slurm_latency",
    "flux_calls",
    "swift_latency",
    "swift_warm_calls",
    "swift_fresh_calls",
    "swift_queued",
    "commands",
)
CANNOT_RUN = 3
"""Exit status of a benchmark that has said why this machine cannot run it."""


def main() -> int:
    """1 if a benchmark could not be run."""
    parser = argparse.ArgumentParser(description="All benchmarks, beside the goals of the design")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(ALL)}")
    parser.add_argument("--markdown", metavar="FILE", help="write the result as a document")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(ALL)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")

    results, failed = [], []
    for name in arguments.names or ALL:
        command = [sys.executable, str(HERE / f"{name}.py"), "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == CANNOT_RUN:
            continue
        if done.returncode != 0:
            failed.append(name)
            continue
        result = json.loads(done.stdout.splitlines()[-1])
        results.append(result)
        show(result)
    for name in failed:
        print(f"FAILED: {name}", file=sys.stderr)
    if arguments.markdown:
        Path(arguments.markdown).write_text(document(results))
    return 1 if failed else 0


def show(result: dict[str, Any]) -> None:
    """One benchmark as text."""
    print(f"{result['question']}  [{result['unit']}, load {result['load']:.1f}]")
    for name, median in result["medians"].items():
        print(f"  {name:50} {number(median):>12}")
    for verdict in result["verdicts"]:
        limits = f"goal {verdict['goal']}, floor {verdict['floor']}"
        print(f"  {verdict['verdict']:>10}  {verdict['what']}: {number(verdict['value'])} ({limits})")
    sys.stdout.flush()


def document(results: list[dict[str, Any]]) -> str:
    """All results as markdown tables."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    lines = [
        f"Python {platform.python_version()}, {machine}.",
        "Medians; `load` is the 1-minute load when that benchmark began.",
        "",
        "| what | measured | goal | floor | |",
        "|---|--:|--:|--:|---|",
    ]
    for result in results:
        for verdict in result["verdicts"]:
            what = f"{result['question']}: {verdict['what']}"
            value = number(verdict["value"])
            lines.append(
                f"| {what} | {value} | {verdict['goal']} | {verdict['floor']} | {verdict['verdict']} |"
            )
    for result in results:
        lines += ["", f"### {result['question']}", ""]
        heading = f"{result['unit']}, {result['rounds']} rounds, load {result['load']:.1f}"
        lines += [f"| {heading} | median | lowest | highest |", "|---|--:|--:|--:|"]
        for name, median in result["medians"].items():
            values = result["values"][name]
            lines.append(f"| {name} | {number(median)} | {number(min(values))} | {number(max(values))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
