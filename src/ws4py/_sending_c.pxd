# What lane_c shares with _sending_c.

cdef class ShortWay:
    # Whose messages it takes.
    cdef object owner
    # A whole message may be sent now as one frame, without the connection's lock.
    cdef bint plain

    cdef bint take(self, object payload, bint binary) except -1

cdef void begin_callback(ShortWay way) noexcept
cdef void end_callback() noexcept
