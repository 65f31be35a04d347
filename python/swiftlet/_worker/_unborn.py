# SPDX-License-Identifier: BSD-3-Clause
"""A worker without a process: what the fork server has made before it forks, and each child finds.

What is made once in the fork server need not be made in every child, where each page of memory that is
written to is copied: that is most of what a fresh call costs. Nothing of the user's is imported or run here.
"""

from __future__ import annotations

import _socket
import contextlib
import importlib.machinery
import os
import socket
import struct
import sys
import time
import traceback
from typing import NoReturn

from swiftlet import _wire
from swiftlet._version import __version__
from swiftlet._wire import Stream
from swiftlet._worker._worker import Worker, origin_in

_FAMILY, _KIND = int(socket.AF_UNIX), int(socket.SOCK_STREAM)
_PID = struct.Struct("<q")
_NO_MODULE = "swiftlet_has_no_such_module"
_RACY = 10.0  # seconds within which the time of a change does not tell whether there was another one


class UnbornWorker(Worker):
    """Everything of a worker but its process, its connection and its number."""

    def __init__(self) -> None:
        nowhere = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        nowhere.close()
        super().__init__(nowhere, _wire.FrameReader(nowhere), 1)
        hello: dict[str, _wire.AttributeValue] = {"role": "worker", "version": __version__, "pid": 0}
        self._hello = _wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, _wire.pack_attributes(hello))
        self._prepared = 0  # the blob with the context that was taken on

    def prepare(self, ident: int, data: bytes) -> None:
        """Takes on the context of calls to come: their ``sys.path`` and environment; ``ident`` is its blob.

        What cannot be taken on is an error of the calls in this context: each child finds it again.
        """
        if self._prepared:
            self._blobs.forget(self._prepared)
        self._prepared = ident
        self._blobs.add(ident, data)
        with contextlib.suppress(Exception):
            self._calls.prepare(self._blobs.context(ident))
            look_into_directories()

    def be_born(self, connection: int, origin: int) -> None:
        """In a child: takes its connection. HELLO goes with the first thing it says."""
        stream: Stream = _socket.socket(_FAMILY, _KIND, 0, connection)  # `socket.socket` is Python: pages
        self.be_born_on(stream, origin)

    def be_born_on(self, stream: Stream, origin: int) -> None:
        """The same with a stream."""
        self._socket = stream
        self._reader.attach(stream)
        self._pid = pid = os.getpid()
        self._producer.origin = origin
        self._outgoing.append(self._hello[: -_PID.size] + _PID.pack(pid))

    def greeted(self, version: int, body: _wire.Buffer) -> None:
        """HELLO arrived; what it says is known already, if whoever asked for this process said it."""
        if version != _wire.PROTOCOL_VERSION or not self._producer.origin:
            self.produce_as(origin_in(version, body))

    def rehearse(self, stream: Stream) -> None:
        """Does in this process what a child does with its call, up to its end."""
        self.be_born_on(stream, 1)
        self._reader.receive(block=False)
        self.handle_frames()
        while self._waiting:
            self.answer(self._waiting.popleft())

    def work(self) -> NoReturn:
        """Works until the engine says END, a fresh call has ended, or the engine is gone; never returns."""
        try:
            self.run()
        except Exception:  # no call's: those are caught where they run
            traceback.print_exc()
            os._exit(1)


def look_into_directories() -> None:
    """Reads the directories of ``sys.path``, so that children know what is in them.

    A child looks again into one whose time of change is another than it was. Into one that was changed in
    the last seconds each child looks itself: what is added within the resolution of that time would not be
    seen.
    """
    with contextlib.suppress(Exception):
        importlib.machinery.PathFinder.find_spec(_NO_MODULE)
    recently = time.time() - _RACY
    for finder in sys.path_importer_cache.values():
        if getattr(finder, "_path_mtime", 0) > recently:
            finder.invalidate_caches()  # type: ignore[union-attr]
