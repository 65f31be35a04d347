# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C while the value of a future is unpickled: the value is there for the next one who asks."""

from __future__ import annotations

import gc
import signal

import numpy
import pytest

from swiftlet import SingleNodeExecutor


class Interrupts:
    """Its first unpickling in this process is interrupted, as by Ctrl-C at that moment."""

    interruptions = 0

    def __init__(self, first, last):
        self.first = first
        self.last = last

    def __reduce__(self):
        return _interrupt_once, (self.first, self.last)


class Raises(Exception):
    def __init__(self, data):
        super().__init__("with data")
        self.data = data

    def __reduce__(self):
        return _error_after_interruption, (self.data,)


def _interrupt_once(first, last):
    if Interrupts.interruptions:
        Interrupts.interruptions -= 1
        signal.raise_signal(signal.SIGINT)
    made = Interrupts.__new__(Interrupts)
    made.__init__(first, last)
    return made


def _error_after_interruption(data):
    _interrupt_once(None, None)
    return Raises(data)


def give(count, number):
    return Interrupts(numpy.full(count, number), numpy.full(count, number + 1))


def fail(count):
    raise Raises(numpy.arange(count))


def numbers(count, number):
    return numpy.full(count, number)


@pytest.mark.parametrize("count", [10, 100_000, 3_000_000])
def test_the_value_is_there_after_an_interruption(warm, count):
    future = warm.submit(give, count, 7.0)
    Interrupts.interruptions = 2
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            future.result(60)
    value = future.result(60)
    assert value is future.result()
    assert (value.first == 7).all()
    assert (value.last == 8).all()


def test_an_interruption_gives_no_memory_back_that_is_in_use():
    with SingleNodeExecutor(max_workers=1, block_allocation=True) as executor:
        future = executor.submit(give, 100_000, 7.0)
        Interrupts.interruptions = 1
        with pytest.raises(KeyboardInterrupt):
            future.result(60)
        use_memory(executor)
        value = future.result(60)
        del future
        use_memory(executor)
        assert (value.first == 7).all()
        assert (value.last == 8).all()


def use_memory(executor):
    """Uses what was given back, if anything was."""
    gc.collect()  # what holds the traceback of an interruption
    for _ in range(50):
        assert (executor.submit(numbers, 100_000, -1.0).result(60) == -1).all()


def test_the_error_is_there_after_an_interruption(warm):
    future = warm.submit(fail, 100_000)
    Interrupts.interruptions = 1
    with pytest.raises(KeyboardInterrupt):
        future.exception(60)
    error = future.exception(60)
    assert isinstance(error, Raises)
    assert (error.data == numpy.arange(100_000)).all()


def test_a_future_that_is_dropped_after_an_interruption_gives_its_memory_back(warm):
    for _ in range(40):
        future = warm.submit(numbers_that_interrupt, 1_000_000)
        Interrupts.interruptions = 1
        with pytest.raises(KeyboardInterrupt):
            future.result(60)
        del future
    assert len(_segments_mapped()) < 8


def numbers_that_interrupt(count):
    return Interrupts(numpy.zeros(count), numpy.zeros(count))


def _segments_mapped():
    with open("/proc/self/maps") as maps:
        return [line for line in maps if "memfd:swiftlet" in line]
