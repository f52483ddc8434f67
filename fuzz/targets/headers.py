"""The tokenizers of header fields: what they take, and how much work it is for them.

Input: a byte that chooses the tokenizer, a byte that says how often the rest is repeated, then a
header's value.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from fuzz.bytestream import ByteStream
from ws4py.exc import HandshakeError
from ws4py.protocol.headers import (
    Headers,
    build_extension,
    is_host,
    is_token,
    parse_extensions,
    parse_tokens,
)
from ws4py.protocol.http11 import HeadReader

__all__ = ["WORDS", "Visited", "check", "work"]

WORDS = (
    b"permessage-deflate",
    b"client_max_window_bits",
    b"; server_max_window_bits=10",
    b'; a="b"',
    b'"',
    b'\\"',
    b"\\",
    b", ",
    b" \t",
    b"=",
    b";",
    b"keep-alive, Upgrade",
    b"\r\n",
    b"A: b\r\n",
)

#: Work per character and to begin with. A token costs some calls; a character of its own, with its
#: comma, is half a token.
_PER_CHARACTER, _AT_LEAST = 80, 400
_LONGEST = 12_000

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Visited(str):
    """Text that counts how many of its characters are looked at, in C as well."""

    looked_at = 0

    __slots__ = ()

    def __getitem__(self, at: Any) -> Any:
        # A slice visits what it copies.
        part = super().__getitem__(at)
        Visited.looked_at += len(part)
        return Visited(part)

    def __iter__(self) -> Iterator[str]:
        Visited.looked_at += len(self)
        return super().__iter__()


def _counting(name: str) -> Callable[..., Any]:
    original = getattr(str, name)

    def method(text: str, *arguments: Any) -> Any:
        Visited.looked_at += len(text)
        return _wrapped(original(text, *arguments))

    return method


def _wrapped(result: Any) -> Any:
    if type(result) is str:
        return Visited(result)
    if type(result) in {list, tuple}:
        return type(result)(_wrapped(each) for each in result)
    return result


for _name in ("split", "strip", "partition", "lower", "startswith", "endswith", "find", "replace"):
    setattr(Visited, _name, _counting(_name))


def check(data: bytes) -> None:
    """Nothing but HandshakeError; work, steps and characters visited, in proportion to the length.

    Every name that comes out is a token, and an extension that is written down again is read as the
    same.
    """
    stream = ByteStream(data)
    tokenize = stream.choice(_TOKENIZERS)
    times = stream.choice((1, 1, 2, 30, 3000))
    unit = stream.rest().decode("latin-1")
    value = (unit * times)[:_LONGEST]
    steps, visited = work(tokenize, value)
    allowed = _AT_LEAST + _PER_CHARACTER * len(value)
    assert steps <= allowed, f"{steps} steps for {len(value)} characters"
    assert visited <= allowed, f"{visited} characters visited for {len(value)}"


def work(tokenize: Callable[[str], object], value: str) -> tuple[int, int]:
    """Count the lines and calls that reading a value takes, and the characters visited."""
    steps = 0

    def count(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal steps
        steps += 1
        return count

    Visited.looked_at = 0
    before = sys.gettrace()
    sys.settrace(count)
    try:
        tokenize(Visited(value))
    finally:
        sys.settrace(before)
    return steps, Visited.looked_at


def _tokens(value: str) -> None:
    try:
        found = parse_tokens(value)
    except HandshakeError:
        return
    assert all(_TOKEN.fullmatch(str(token)) for token in found)


def _extensions(value: str) -> None:
    try:
        found = parse_extensions(value)
    except HandshakeError:
        return
    for name, parameters in found:
        assert _TOKEN.fullmatch(str(name))
        for key, given in parameters:
            assert _TOKEN.fullmatch(str(key))
            assert given is None or _TOKEN.fullmatch(str(given))
    written = ", ".join(build_extension(name, parameters) for name, parameters in found)
    assert parse_extensions(written) == found


def _fields(value: str) -> None:
    # A thousand of one name is as much work as a thousand names.
    headers = Headers(("Name", part) for part in value.split(","))
    joined = headers.joined("name")
    assert headers.all("NAME") == [part.strip(" \t") for part in value.split(",")]
    assert joined.count(",") >= value.count(",")
    try:
        headers.single("Name")
    except HandshakeError:
        assert "," in value


def _words(value: str) -> None:
    assert is_token(value) is bool(_TOKEN.fullmatch(str(value)))
    if is_host(value):
        assert value.isascii()


def _head(value: str) -> None:
    """Byte by byte: what was searched is not searched again."""
    reader = HeadReader()
    data = value.encode("latin-1")
    for at in range(len(data)):
        try:
            if reader.feed(data[at : at + 1]):
                return
        except HandshakeError:
            return


_TOKENIZERS = (_tokens, _extensions, _fields, _words, _head)
