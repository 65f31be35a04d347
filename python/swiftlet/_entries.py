# SPDX-License-Identifier: BSD-3-Clause
"""The files of the store (docs/reference/store-format.md): reading with owner and checksum looked at, writing
that appears whole or not at all.

Workers use it, and what looks into a cache directory. Engines have an implementation of their own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Union

TASK = 1
OUTCOME = 2
SUFFIX = {TASK: ".task", OUTCOME: ".outcome"}
CLAIM = ".claim"
PREFIX = ".swiftlet-"
"""Begins the name of every file that is no entry."""
VISIBLE_WITHIN = 90.0
"""Seconds within which a file that another host has written has to be seen here."""

FORMAT_VERSION = 1
_MAGIC = b"swiftlet"
_HEAD = struct.Struct("<8sHBBI")
_DIGEST_SIZE = 32
_ROLE_NAMES = {TASK: "task", OUTCOME: "outcome"}
_CHUNK = 1 << 20

Buffer = Union[bytes, bytearray, memoryview]


class EntryError(OSError):
    """A file of the store that cannot be used; the message names it and says what to do."""


class Entry(NamedTuple):
    """An entry that was read and found intact."""

    header: dict[str, Any]
    parts: list[tuple[str, memoryview]]

    def named(self, name: str) -> list[memoryview]:
        """The parts of that name, in order."""
        return [part for found, part in self.parts if found == name]


def path_of(directory: str, key: str, role: int) -> str:
    """The file of an entry."""
    return os.path.join(directory, key) + SUFFIX[role]


def read(directory: str, key: str, role: int, owners: frozenset[int] | None = None) -> Entry:
    """The entry. ``FileNotFoundError`` if there is none, ``EntryError`` if its file cannot be used.

    ``owners``: the users whose files are trusted (``trusted_owners()``).
    """
    path = path_of(directory, key, role)
    data = read_trusted(path, owners)
    return _decode(data, key, role, path)


def read_trusted(path: str, owners: frozenset[int] | None = None) -> bytes:
    """The bytes of a file whose owner is trusted."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise EntryError(f"{path} is no file")
        if status.st_uid not in (trusted_owners() if owners is None else owners):
            raise _stranger(path, status.st_uid)
        return file.read()


def check_owner(path: str) -> None:
    """``EntryError`` if the owner of the file is not trusted."""
    owner = os.stat(path).st_uid
    if owner not in trusted_owners():
        raise _stranger(path, owner)


def _stranger(path: str, owner: int) -> EntryError:
    return EntryError(
        f"{path} belongs to user {owner}, who is not trusted; SWIFTLET_TRUST_OWNERS=name,… names users whose "
        "entries are trusted"
    )


def _decode(data: bytes, key: str, role: int, path: str) -> Entry:
    if len(data) < _HEAD.size + _DIGEST_SIZE:
        raise _damaged(path, "it is empty" if not data else f"it ends early, after {len(data)} bytes")
    magic, version, found, _, length = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise _damaged(path, "it does not begin as an entry")
    view = memoryview(data)
    end = len(data) - _DIGEST_SIZE
    if hashlib.sha256(view[:end]).digest() != data[end:]:
        raise _damaged(path, "its checksum is wrong")
    if version != FORMAT_VERSION:
        raise EntryError(
            f"{path} has format version {version}, which swiftlet in this version cannot read; install a "
            "newer one"
        )
    if found != role:
        raise EntryError(f"{path} is no {_ROLE_NAMES[role]} entry")
    start = _HEAD.size + length
    try:
        header = json.loads(bytes(view[_HEAD.size : start]))
        if header["key"] != key:
            raise EntryError(f"{path} names another key, {header['key']!r}; move it back where it was")
        parts = []
        for part in header["parts"]:
            parts.append((part["name"], view[start : start + part["length"]]))
            start += part["length"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"its header is no header: {error}") from None
    if start != end:
        raise _damaged(path, "its parts do not fill it")
    return Entry(header, parts)


def _damaged(path: str, how: str) -> EntryError:
    return EntryError(f"{path} is damaged ({how}); remove it and the call is run again")


def encode(role: int, header: Mapping[str, Any], parts: Sequence[tuple[str, Buffer]]) -> list[Buffer]:
    """The file's bytes, in pieces; the parts are described in the header."""
    sizes = [{"name": name, "length": memoryview(part).nbytes} for name, part in parts]
    text = json.dumps({**header, "parts": sizes}, sort_keys=True, ensure_ascii=False).encode()
    head = _HEAD.pack(_MAGIC, FORMAT_VERSION, role, 0, len(text))
    digest = hashlib.sha256(head)
    digest.update(text)
    for _, part in parts:
        digest.update(part)
    return [head, text, *(part for _, part in parts), digest.digest()]


def write_outcome(
    directory: str, key: str, header: Mapping[str, Any], parts: Sequence[tuple[str, Buffer]]
) -> bool:
    """Writes an outcome and has it reach the disk. False if a value is there already: that one stands.

    ``OSError`` if it cannot be written; nothing is left then.
    """
    path = path_of(directory, key, OUTCOME)
    folder = os.path.dirname(path)
    temporary = os.path.join(folder, f"{PREFIX}{os.urandom(16).hex()}.tmp")
    try:
        _write(temporary, encode(OUTCOME, header, parts))
        if not _give_name(temporary, path):
            with contextlib.suppress(OSError):
                if read(directory, key, OUTCOME).header.get("kind") == "value":
                    return False
            os.rename(temporary, path)
        reach("named")
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_folder(folder)
    return True


def _give_name(temporary: str, path: str) -> bool:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # no links here
        if os.path.exists(path):
            return False
        os.rename(temporary, path)
    return True


def _write(path: str, pieces: Iterable[Buffer]) -> None:
    reach("started")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
        for piece in pieces:
            view = memoryview(piece).cast("B")
            for start in range(0, len(view), _CHUNK):
                file.write(view[start : start + _CHUNK])
            reach("half")
        file.flush()
        reach("written")
        os.fsync(file.fileno())
    reach("synced")


def sync_folder(folder: str) -> None:
    """Makes a new name in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_LOCAL_FILE_SYSTEMS = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "ramfs"))


def is_remote(directory: str) -> bool:
    """Whether other hosts may write there; True in doubt."""
    best, kind = "", ""
    real = os.path.realpath(directory)
    try:
        with open("/proc/self/mounts") as file:
            for line in file:
                _, mount, found = line.split()[:3]
                mount = mount.replace("\\040", " ")
                if (real + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
                    best, kind = mount, found
    except OSError:
        return True
    return kind not in _LOCAL_FILE_SYSTEMS


def remove(directory: str, key: str, *suffixes: str) -> None:
    """Removes files of an entry, in this order; those that are not there are no error."""
    for suffix in suffixes:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, key) + suffix)


def reach(point: str) -> None:
    """A step of a write, at which a test has this process killed
    (``SWIFTLET_STORE_FAULT=job:half``)."""
    if os.environ.get("SWIFTLET_STORE_FAULT") == f"job:{point}":
        os.kill(os.getpid(), signal.SIGKILL)


def trusted_owners() -> frozenset[int]:
    """This user, root, and whom ``SWIFTLET_TRUST_OWNERS`` names (by name or number).

    ``ValueError`` for a name that is no user's.
    """
    owners = {os.geteuid(), 0}
    for name in filter(None, os.environ.get("SWIFTLET_TRUST_OWNERS", "").replace(" ", "").split(",")):
        if name.isdigit():
            owners.add(int(name))
            continue
        import pwd

        try:
            owners.add(pwd.getpwnam(name).pw_uid)
        except KeyError:
            raise ValueError(f"SWIFTLET_TRUST_OWNERS names {name!r}, which is no user here") from None
    return frozenset(owners)
