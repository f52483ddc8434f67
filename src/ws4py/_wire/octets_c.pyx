# cython: language_level=3
"""Masking and UTF-8 in C: the twin of :mod:`ws4py._wire.octets_py`, under the same tests."""

from libc.stdint cimport uint8_t

from ws4py._wire.codes import INVALID_PAYLOAD
from ws4py.exc import ProtocolException, TextFrameEncodingException

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize

cdef extern from "octets.h":
    void ws4py_mask(uint8_t *to, const uint8_t *data, size_t size, const uint8_t *key, size_t turn) nogil
    size_t ws4py_utf8_scan(const uint8_t *text, size_t size, int *wrong) nogil

_NOT_UTF8 = "text is not valid UTF-8"


def apply_mask(bytes data not None, bytes key not None):
    """Mask or unmask ``data`` with the four bytes of ``key`` (section 5.3)."""
    cdef bytes mixed
    if len(key) != 4:
        raise ValueError("a masking key has four bytes")
    mixed = PyBytes_FromStringAndSize(NULL, len(data))
    ws4py_mask(
        <uint8_t *>PyBytes_AS_STRING(mixed),
        <const uint8_t *>PyBytes_AS_STRING(data),
        len(data),
        <const uint8_t *>PyBytes_AS_STRING(key),
        0,
    )
    return mixed


def check_text(bytes data not None):
    """Check that ``data`` is UTF-8 (section 5.6, section 8.1).

    :raises TextFrameEncodingException: it is not.
    """
    cdef int wrong
    cdef size_t valid = ws4py_utf8_scan(<const uint8_t *>PyBytes_AS_STRING(data), len(data), &wrong)
    if valid != <size_t>len(data):
        raise TextFrameEncodingException(f"{_NOT_UTF8}: wrong from byte {valid} on")


cdef class Utf8Checker:
    """Checks UTF-8 that arrives in parts: the first wrong byte is found at once.

    Only an unfinished character, at most three bytes, is kept between the parts.
    """

    cdef bytes _rest

    def __init__(self):
        self._rest = b""

    def feed(self, bytes data not None, bint final):
        """Check the next part.

        :param final: whether the text ends here, in the middle of no character.
        :raises ProtocolException: close code 1007.
        """
        cdef int wrong
        cdef size_t valid
        if self._rest:
            data = self._rest + data
        valid = ws4py_utf8_scan(<const uint8_t *>PyBytes_AS_STRING(data), len(data), &wrong)
        # Section 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte
        # stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket
        # Connection_."
        if wrong or (final and valid != <size_t>len(data)):
            raise ProtocolException(_NOT_UTF8, INVALID_PAYLOAD)
        self._rest = data[valid:]
