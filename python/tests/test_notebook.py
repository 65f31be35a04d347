# SPDX-License-Identifier: BSD-3-Clause
"""A real Jupyter kernel runs a notebook that uses an executor."""

from __future__ import annotations

from typing import Any

import nbclient
import nbformat
import pytest

CELLS = [
    "from swiftlet import SingleNodeExecutor\n"
    "executor = SingleNodeExecutor({options})\n"
    "factor = 2\n"
    "def speak(value):\n"
    "    print('the task says', value)\n"
    "    return factor * value",
    "executor.submit(speak, 4).result()",
    "await executor.submit(speak, 5)",
    "[future.result() for future in [executor.submit(speak, executor.submit(speak, 1)) for _ in range(2)]]",
    "factor = 3\nexecutor.submit(speak, 4).result()",
    "def fail(value):\n    return 1 / value  # this line\n"
    "try:\n    executor.submit(fail, 0).result()\n"
    "except ZeroDivisionError as error:\n    print(error.__cause__)",
    "executor.shutdown()",
]


@pytest.mark.parametrize("options", ["max_workers=2", "max_workers=2, block_allocation=True"])
def test_a_notebook(options: str) -> None:
    cells = [nbformat.v4.new_code_cell(source.replace("{options}", options)) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
    values = [value(cell) for cell in notebook.cells]
    assert values == [None, "8", "10", "[4, 4]", "12", None, None]
    shown = "".join(text(cell) for cell in notebook.cells)
    said = [line for line in shown.splitlines() if line.startswith("the task says")]
    assert sorted(said) == sorted(f"the task says {value}" for value in (4, 5, 1, 1, 2, 2, 4))
    assert "return 1 / value  # this line" in shown


def value(cell: Any) -> str | None:
    """What a cell's last expression was shown as."""
    found = [output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    return found[0] if found else None


def text(cell: Any) -> str:
    """What was printed in a cell."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")
