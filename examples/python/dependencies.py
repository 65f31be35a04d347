# SPDX-License-Identifier: BSD-3-Clause
"""A graph of tasks: futures are arguments, wherever they stand in them. Nobody waits between the stages."""

from __future__ import annotations

from dataclasses import dataclass

from swiftlet import SingleNodeExecutor, get_item_from_future, split_future


@dataclass
class Structure:
    """What the last stage wants. In the client its fields are futures, in the worker they are values."""

    positions: list[float]
    energy: float


def relax(start: float) -> dict[str, float]:
    """One value with two parts."""
    return {"position": start / 2, "energy": -start}


def ends(values: list[float]) -> tuple[float, float]:
    """Smallest and largest."""
    return min(values), max(values)


def describe(structure: Structure, bounds: dict[str, float]) -> str:
    """Sees values only."""
    low, high = bounds["low"], bounds["high"]
    return f"{structure.positions} between {low} and {high}, energy {structure.energy}"


if __name__ == "__main__":
    with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        relaxed = [executor.submit(relax, float(start)) for start in (1, 2, 3, 4)]

        # A part of a value that is not there yet.
        positions = [get_item_from_future(future, "position") for future in relaxed]
        low, high = split_future(executor.submit(ends, positions), 2)
        energy = executor.submit(sum, [get_item_from_future(future, "energy") for future in relaxed])

        # Futures in a dataclass and in a dictionary.
        structure = Structure(positions, energy)  # type: ignore[arg-type]
        print(executor.submit(describe, structure, {"low": low, "high": high}).result())

        # Values in groups of two, in the order in which they come.
        groups = executor.batched(relaxed, 2)
        print([len(group.result()) for group in groups])
