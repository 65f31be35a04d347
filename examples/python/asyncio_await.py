# SPDX-License-Identifier: BSD-3-Clause
"""Futures can be awaited: a server or a notebook goes on while the calls run."""

import asyncio

from swiftlet import SingleNodeExecutor


def factorial(number: int) -> int:
    """Something to compute."""
    return number * factorial(number - 1) if number else 1


async def main() -> None:
    """Awaits one future, then many."""
    with SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        print(await executor.submit(factorial, 5))
        print(await asyncio.gather(*(executor.submit(factorial, number) for number in range(5))))
        first = await asyncio.wait_for(executor.submit(factorial, 20), timeout=30)
        print(first)


if __name__ == "__main__":
    asyncio.run(main())
