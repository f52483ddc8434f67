# cython: language_level=3
"""What every sent message runs through first: the twin of :mod:`ws4py._sending_py`."""

cdef object _TAKE = "_take"


cdef class ShortWay:
    """A way out for whole messages; a loop has the only kind there is."""

    cdef bint take(self, object payload, bint binary) except -1:
        """Send a message, if that needs nothing but a frame."""
        return False


# Of the connection whose callback runs: a reply is the commonest message, and needs no look-up then.
cdef ShortWay _answering = None


cdef void begin_callback(ShortWay way) noexcept:
    global _answering
    _answering = way


cdef void end_callback() noexcept:
    global _answering
    _answering = None


def send(self, payload, binary=False):
    """Send a message. Thread-safe.

    :param payload: ``str`` or bytes for a message in one frame; a
        :class:`~ws4py.messaging.Message` as it is; a generator of ``str`` or
        bytes for a message in as many fragments; a message made by
        :func:`ws4py.messaging.prepare`.
    :param binary: send a binary message, otherwise text, which has to be UTF-8.
    :raises ConnectionClosed: the connection is closing or closed.
    :raises TextFrameEncodingException: text that is not UTF-8.
    :raises ValueError: a payload of another type.
    """
    cdef ShortWay way = _answering
    if way is None or way.owner is not self:
        way = getattr(self, _TAKE)
    if way is None or not way.plain or not way.take(payload, binary):
        self._send(payload, binary)
