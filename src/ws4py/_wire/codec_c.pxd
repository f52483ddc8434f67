# The types of codec_py.py for its compiled twin, codec_c. Cython finds this file by the name of the
# extension module; under the source's name it would be left out without a word.

cimport cython

cpdef bytes build_header(int opcode, Py_ssize_t size, bint fin=*, int rsv=*, bytes key=*)
cpdef bytes build_frame(int opcode, bytes payload, bint fin=*, int rsv=*, bytes key=*)

cdef class MessageReader:
    cdef public bint expect_mask
    cdef public object max_message_size
    cdef public object max_frame_size
    cdef public object max_fragments
    cdef public object extension
    cdef public object violation
    cdef public bint done
    cdef public Py_ssize_t most
    cdef public bint paused
    cdef bytes _unparsed
    cdef int _opcode
    cdef object _message
    cdef Py_ssize_t _fragments
    # A sum of lengths that a peer announced: any size.
    cdef object _wire_size
    cdef object _utf8
    cdef bint _decoding
    cdef Py_ssize_t _inflated
    cdef Py_ssize_t _left
    cdef bint _fin
    cdef bytes _key

    cdef Py_ssize_t _gathered(self) except -1
    cpdef list feed(self, bytes data)
    cpdef stop(self)
    cpdef bytes take_unread(self)
    cpdef refuse(self, violation)
    cdef _stop(self)
    @cython.locals(position=Py_ssize_t, size=Py_ssize_t, frames=Py_ssize_t, after=Py_ssize_t, full=bint)
    cdef _parse(self, bytes data, list items)
    cdef Py_ssize_t _take_frame(self, bytes data, Py_ssize_t start, list items) except -1
    cdef _check_first_bytes(self, int first, int opcode, int second)
    cdef bint _owns(self, int rsv, int opcode) except -1
    cdef _check_limits(self, Py_ssize_t size)
    cdef Py_ssize_t _take_control(
        self, bytes data, Py_ssize_t start, Py_ssize_t position, Py_ssize_t size, bytes key, list items
    ) except -1
    cdef _begin_data(self, int first, int opcode, Py_ssize_t size, bytes key)
    cdef Py_ssize_t _take_payload(self, bytes data, Py_ssize_t start, list items) except -1
    cdef bytes _append(self, bytes chunk, bint final)
    cdef bytes _decode(self, bytes chunk, bint final)
    cdef _finish_message(self, list items, bytes chunk)
