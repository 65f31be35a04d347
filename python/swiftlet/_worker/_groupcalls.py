# SPDX-License-Identifier: BSD-3-Clause
"""Rank 0 as a worker: what the engine asks of it, the whole group does."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from swiftlet import _byrank, _wire
from swiftlet._current import running
from swiftlet._errorpayload import dump_error
from swiftlet._segments import SegmentConsumer, SegmentProducer
from swiftlet._wire import Part, Stream
from swiftlet._worker import _ending, _process
from swiftlet._worker._blobs import Blobs
from swiftlet._worker._calls import Calls
from swiftlet._worker._group import RANK_DIED, Group, RanksFailedError
from swiftlet._worker._worker import Waiting, Worker, without_own_frames


class SharedBlobs(Blobs):
    """Blobs of which the other ranks have some."""

    def __init__(self) -> None:
        super().__init__()
        self._shared: set[int] = set()
        self._forgotten: list[int] = []

    def forget(self, ident: int) -> None:
        """FORGET arrived: the others hear of it with the next call."""
        super().forget(ident)
        if ident in self._shared:
            self._shared.discard(ident)
            self._forgotten.append(ident)

    def news(self, named: Sequence[int]) -> dict[str, Any]:
        """What the others have to know before they can use the blobs that are named."""
        new = [ident for ident in named if ident not in self._shared]
        self._shared.update(new)
        forgotten, self._forgotten = self._forgotten, []
        return {"blobs": [(ident, self.raw(ident)) for ident in new], "forget": forgotten}


class GroupCalls(Calls):
    """Runs each call on all ranks, this one included."""

    def __init__(self, blobs: SharedBlobs, consumer: SegmentConsumer, group: Group) -> None:
        super().__init__(blobs, consumer)
        self._shared = blobs
        self._group = group

    def initialise(self, index: int, blobs: Sequence[int]) -> None:
        """All ranks prepare. ``RanksFailedError`` if one could not."""
        named = list(blobs)
        self._group.begin({"do": "initialise", "index": index, "named": named, **self._shared.news(named)})

        def prepare() -> list[Part]:
            super(GroupCalls, self).initialise(index, blobs)
            return []

        self._together(prepare, False)

    def run(
        self,
        context_blob: int,
        function_blob: int,
        arguments: list[Part],
        inputs: list[list[Part]],
        producer: SegmentProducer,
    ) -> list[Part]:
        """The payload of the list of the ranks' values, or of rank 0's. ``RanksFailedError`` if one
        raised.
        """
        named = [context_blob, function_blob]
        root_only = self._shared.context(context_blob)["mpi_result"] == "root"
        payloads = [arguments, *inputs]
        self._group.begin(
            {"do": "run", "named": named, "running": running(), **self._shared.news(named)}, payloads
        )

        def own() -> list[Part]:
            return super(GroupCalls, self).run(context_blob, function_blob, arguments, inputs, producer)

        ranks = self._together(own, root_only)
        return list(ranks[0]) if root_only else _byrank.join(ranks, self.ran_chunk)

    def _together(self, own: Callable[[], list[Part]], root_only: bool) -> list[list[Any]]:
        try:
            parts, failed = own(), False
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            place = f"rank 0 of {self._group.size}"
            parts, failed = dump_error(without_own_frames(error), None, place), True
        return self._group.conclude(failed, parts, root_only)


class RankWorker(Worker):
    """The worker that rank 0 is."""

    def __init__(
        self,
        sock: Stream,
        reader: _wire.FrameReader,
        make_group: Callable[[Callable[[list[Part]], None]], Group],
        finalize: Callable[[], None],
    ) -> None:
        self._group = make_group(self._give_up)
        self._finalize = finalize
        self._current: Waiting | None = None
        super().__init__(sock, reader, 0)

    def make_calls(self, blobs: Blobs, consumer: SegmentConsumer) -> Calls:
        """The group's."""
        assert isinstance(blobs, SharedBlobs)
        return GroupCalls(blobs, consumer, self._group)

    def make_blobs(self) -> Blobs:
        """The group's."""
        return SharedBlobs()

    def answer(self, call: Waiting) -> None:
        """As any worker, but the listening thread may have to answer instead."""
        self._current = call
        super().answer(call)

    def _give_up(self, parts: list[Part]) -> NoReturn:
        """On the listening thread: a rank raised, others do not come back from the call. Answers with that
        error and ends the group: the main thread is in the call, so nobody else writes.
        """
        call = self._current
        body = bytes((_wire.KIND_ERROR,)) + _wire.pack_payload(parts)
        if call is not None:
            self.send(_wire.frame(_wire.RESULT, call.task, body, _wire.LEAVES))
        else:
            self.send(_wire.frame(_wire.INIT_FAILED, 0, _wire.pack_payload(parts)))
        os._exit(RANK_DIED)

    def finish(self) -> NoReturn:
        """Ends the other ranks, too."""
        self.give_back_all()
        self._group.end()
        _ending.run_exit_handlers()
        self._finalize()
        _process.exit_with_libraries(0)

    def dump_error(self, error: BaseException) -> list[Part]:
        """What a rank sent, for a rank's error."""
        return error.parts if isinstance(error, RanksFailedError) else super().dump_error(error)
