# SPDX-License-Identifier: BSD-3-Clause
"""The shortest program: four calls, each in a process of its own, and one that adds their values."""

from swiftlet import SingleNodeExecutor


def square(number: int) -> int:
    """Runs in another process."""
    return number * number


if __name__ == "__main__":
    with SingleNodeExecutor(max_workers=2) as executor:
        squares = [executor.submit(square, number) for number in range(4)]
        total = executor.submit(sum, squares)
        print([future.result() for future in squares], total.result())
