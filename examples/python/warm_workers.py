# SPDX-License-Identifier: BSD-3-Clause
"""Warm workers: something expensive is prepared once in each worker, then used by many calls.

What `init_function` returns becomes the default for parameters of the same name, and never leaves the worker:
it may be something that cannot be pickled, such as a running program. `executorlib_worker_id` is there, too.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from swiftlet import SingleNodeExecutor


def open_table(executorlib_worker_id: int) -> dict[str, Any]:
    """Runs once in each worker. A database connection cannot be pickled, and need not be."""
    table = sqlite3.connect(":memory:")
    table.execute("create table masses (element text, mass real)")
    table.executemany("insert into masses values (?, ?)", [("He", 4.0026), ("Ne", 20.180), ("Ar", 39.948)])
    return {"table": table, "owner": executorlib_worker_id}


def mass(element: str, table: sqlite3.Connection, owner: int) -> tuple[str, float, int]:
    """`table` and `owner` come from the worker."""
    (found,) = table.execute("select mass from masses where element = ?", (element,)).fetchone()
    return element, found, owner


if __name__ == "__main__":
    with SingleNodeExecutor(max_workers=2, block_allocation=True, init_function=open_table) as executor:
        for element, found, owner in executor.map(mass, ["He", "Ne", "Ar"]):
            assert owner in (0, 1)
            print(f"{element} {found}")
