# SPDX-License-Identifier: BSD-3-Clause
"""Values between Swift and Python, as CBOR (RFC 8949).

What JSON has, bytes, and arrays of numbers as their memory (RFC 8746).
"""

from __future__ import annotations

import struct
import sys
from array import array
from typing import Any

_HEAD = (struct.Struct(">B"), struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q"))
_FLOATS = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_DOUBLE = struct.Struct(">Bd")
#: Tags of arrays of little-endian numbers, and their codes as `array` has them.
_CODES = {69: "H", 70: "I", 71: "Q", 72: "b", 77: "h", 78: "i", 79: "q", 85: "f", 86: "d"}
_TAGS = {"H": 69, "I": 70, "L": 71, "Q": 71, "b": 72, "h": 77, "i": 78, "l": 79, "q": 79, "f": 85, "d": 86}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_OPEN = object()


def loads(data: bytes) -> Any:
    """The one value that `data` is; arrays of numbers become `array.array`.

    Raises ValueError where it is no CBOR.
    """
    try:
        value, end = _item(memoryview(data), 0)
    except (IndexError, struct.error) as error:
        raise ValueError("the bytes end within a value") from error
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes follow a value")
    return value


def _item(data: memoryview, at: int) -> tuple[Any, int]:
    first = data[at]
    kind, info = first >> 5, first & 31
    at += 1
    if kind == 7 and info in _FLOATS:
        reader = _FLOATS[info]
        return reader.unpack_from(data, at)[0], at + reader.size
    if info < 24:
        length = info
    elif info < 28:
        reader = _HEAD[info - 24]
        length = reader.unpack_from(data, at)[0]
        at += reader.size
    elif info == 31 and kind in (4, 5, 7):
        length = -1
    else:
        raise ValueError(f"a value begins with the byte {first}")
    return _content(data, at, kind, length)


def _content(data: memoryview, at: int, kind: int, length: int) -> tuple[Any, int]:
    if kind == 0:
        return length, at
    if kind == 1:
        return -1 - length, at
    if kind in (2, 3):
        if at + length > len(data):
            raise ValueError("the bytes end within a text")
        content = bytes(data[at : at + length])
        return (content if kind == 2 else content.decode()), at + length
    if kind == 4:
        values = []
        while length != 0:
            value, at = _item(data, at)
            if value is _OPEN:
                break
            values.append(value)
            length -= 1
        return values, at
    if kind == 5:
        pairs = {}
        while length != 0:
            key, at = _item(data, at)
            if key is _OPEN:
                break
            pairs[key], at = _item(data, at)
            length -= 1
        return pairs, at
    if kind == 6:
        value, at = _item(data, at)
        return (array(_CODES[length], value) if length in _CODES and isinstance(value, bytes) else value), at
    return (_OPEN if length == -1 else _SIMPLE[length]), at


def dumps(value: Any) -> bytes:
    """`value` as CBOR; raises TypeError for what neither JSON nor this format has."""
    out: list[bytes] = []
    _write(value, out)
    return b"".join(out)


def _head(kind: int, length: int) -> bytes:
    if length < 24:
        return bytes((kind << 5 | length,))
    for index, limit in enumerate((1 << 8, 1 << 16, 1 << 32, 1 << 64)):
        if length < limit:
            return bytes((kind << 5 | 24 + index,)) + _HEAD[index].pack(length)
    raise TypeError(f"the integer {length} has more than 64 bits")


def _write(value: Any, out: list[bytes]) -> None:
    if value is None or value is True or value is False:
        out.append({None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value])
    elif isinstance(value, int):
        out.append(_head(0, value) if value >= 0 else _head(1, -1 - value))
    elif isinstance(value, float):
        out.append(_DOUBLE.pack(0xFB, value))
    elif isinstance(value, str):
        text = value.encode()
        out += (_head(3, len(text)), text)
    elif isinstance(value, (bytes, bytearray)):
        out += (_head(2, len(value)), bytes(value))
    elif isinstance(value, (list, tuple)):
        out.append(_head(4, len(value)))
        for element in value:
            _write(element, out)
    elif isinstance(value, dict):
        out.append(_head(5, len(value)))
        for key, element in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the keys of a dict must be texts, not {key!r}")
            _write(key, out)
            _write(element, out)
    elif isinstance(value, array) and value.typecode in _TAGS:
        _write_numbers(_TAGS[value.typecode], value.tobytes(), out)
    else:
        _write_foreign(value, out)


def _write_numbers(tag: int, content: bytes, out: list[bytes]) -> None:
    out += (_head(6, tag), _head(2, len(content)), content)


def _write_foreign(value: Any, out: list[bytes]) -> None:
    """Arrays and scalars of numpy, where it has been imported by somebody."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        _write(value.item(), out)
    elif numpy is not None and isinstance(value, numpy.ndarray) and value.ndim > 0:
        code = value.dtype.char
        if value.ndim == 1 and code == "B":
            out += (_head(2, value.size), value.tobytes())
        elif value.ndim == 1 and code in _TAGS and value.dtype.isnative:
            _write_numbers(_TAGS[code], value.tobytes(), out)
        else:
            _write(list(value) if value.ndim > 1 else value.tolist(), out)
    elif numpy is not None and isinstance(value, numpy.ndarray):
        _write(value.item(), out)
    else:
        raise TypeError(f"a value of type {type(value).__name__} cannot be passed to Swift")
