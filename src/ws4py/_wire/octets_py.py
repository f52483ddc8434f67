"""Masking and UTF-8: what is done to every byte of a payload, in pure Python.

It knows neither frames nor messages. ``octets_c`` is the same in C;
:mod:`ws4py._wire.octets` is the one that runs.
"""

from __future__ import annotations

import codecs

from ws4py._wire.codes import INVALID_PAYLOAD
from ws4py.exc import ProtocolException, TextFrameEncodingException

__all__ = ["Utf8Checker", "apply_mask", "check_text"]

_KEY_SIZE = 4
_NOT_UTF8 = "text is not valid UTF-8"

# From this size on tables are faster than integers, up to three times.
_TABLES_FROM = 1024


def apply_mask(data: bytes, key: bytes) -> bytes:
    """Mask or unmask ``data`` with the four bytes of ``key`` (section 5.3).

    Linear in time, and without a loop over bytes in Python.
    """
    size = len(data)
    if size >= _TABLES_FROM:
        return _mask_by_tables(data, key)
    pattern = (key * (size // _KEY_SIZE + 1))[:size]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(pattern, "little")
    return mixed.to_bytes(size, "little")


# For each byte of a key, what it makes of every byte.
_MASK_TABLES = [apply_mask(bytes(range(256)), bytes((byte,)) * _KEY_SIZE) for byte in range(256)]


def _mask_by_tables(data: bytes, key: bytes) -> bytes:
    mixed = bytearray(data)
    for turn, byte in enumerate(key):
        mixed[turn::_KEY_SIZE] = mixed[turn::_KEY_SIZE].translate(_MASK_TABLES[byte])
    return bytes(mixed)


def check_text(data: bytes) -> None:
    """Check that ``data`` is UTF-8 (section 5.6, section 8.1).

    :raises TextFrameEncodingException: it is not.
    """
    if data.isascii():
        return
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError as error:
        raise TextFrameEncodingException(f"text is not valid UTF-8: {error}") from None


class Utf8Checker:
    """Checks UTF-8 that arrives in parts: the first wrong byte is found at once.

    Only an unfinished character, at most three bytes, is kept between the parts.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes, final: bool) -> None:
        """Check the next part.

        :param final: whether the text ends here, in the middle of no character.
        :raises ProtocolException: close code 1007.
        """
        if not self._rest and data.isascii():
            return
        if self._rest:
            data = self._rest + data
        # Section 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds
        # that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST
        # _Fail the WebSocket Connection_."
        try:
            _, used = codecs.utf_8_decode(data, "strict", final)
        except UnicodeDecodeError:
            raise ProtocolException(_NOT_UTF8, INVALID_PAYLOAD) from None
        self._rest = data[used:]
        if b"\xed\xa0" <= self._rest < b"\xee":
            # A surrogate. CPython would wait for its third byte.
            raise ProtocolException(_NOT_UTF8, INVALID_PAYLOAD)
