# SPDX-License-Identifier: BSD-3-Clause
"""A workflow is drawn before it runs, written to a file, run from that file, and watched while it runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from swiftlet import BaseExecutor, Future, SingleNodeExecutor, get_item_from_future, run_workflow


def cell(length: float) -> dict[str, float]:
    """Volume and surface of a cube."""
    return {"volume": length**3, "surface": 6 * length**2}


def ratio(surface: float, volume: float) -> float:
    """Surface by volume."""
    return surface / volume


def workflow(executor: BaseExecutor) -> Future[float]:
    """Two calls; the second takes two items of what the first gives."""
    sizes = executor.submit(cell, 2.0)
    return executor.submit(
        ratio,
        surface=get_item_from_future(sizes, "surface"),
        volume=get_item_from_future(sizes, "volume"),
    )


def main() -> None:
    """Leaves nothing behind; give the files names of your own."""
    with tempfile.TemporaryDirectory() as directory:
        drawn, exported = Path(directory, "graph.mmd"), Path(directory, "workflow.json")

        # .svg, .pdf and .png are pictures; they take graphviz. Text does not.
        with SingleNodeExecutor(plot_dependency_graph_filename=str(drawn)) as executor:
            workflow(executor)
        print(drawn.read_text().splitlines()[0], "with", drawn.read_text().count("-->"), "arrows")

        with SingleNodeExecutor(export_workflow_filename=str(exported)) as executor:
            workflow(executor)

        with SingleNodeExecutor(max_workers=2) as executor:
            graph = executor.graph()  # from here on calls are recorded
            print(run_workflow(exported, executor).result())
            print(run_workflow(exported, executor, length=6.0).result())
            print({call.name: call.state for call in graph.calls})
            # graph.save("run.svg") draws it; in a notebook `graph` alone shows it.


if __name__ == "__main__":
    main()
