# SPDX-License-Identifier: BSD-3-Clause
"""An engine that fails: it says why, and ends without having read all that its client has sent."""

from __future__ import annotations

import select
import socket
import sys

from swiftlet import _wire

LAST_WORDS = "the cluster has burnt down"


def main() -> None:
    client = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    hello = _wire.pack_attributes({"role": "engine"})
    client.sendall(_wire.frame(_wire.HELLO, _wire.PROTOCOL_VERSION, hello))
    kind = 0
    while kind != _wire.SUBMIT:
        word, _ = _wire.HEADER.unpack(client.recv(_wire.HEADER.size, socket.MSG_WAITALL))
        kind = word & 0xFF
        client.recv(word >> 16, socket.MSG_WAITALL)
    select.select([client], [], [])
    client.sendall(_wire.frame(_wire.GOODBYE, 0, LAST_WORDS.encode()))


if __name__ == "__main__":
    main()
