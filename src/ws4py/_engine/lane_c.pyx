# cython: language_level=3
"""The fast lane: plain sockets whose traffic is whole, well-formed messages, served in C.

A turn has one section without the GIL (send what is queued, wait, receive) and one with it (find the
frames, call the handlers, queue the replies). Whatever is not the common case is left to the Python
lane, with every byte from that frame on: the lane judges nothing, so each rule of RFC 6455 and its error
are in one place, :mod:`ws4py._wire.codec_py`. Linux only; :mod:`ws4py._engine.lane` is its Python face.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport clock_gettime, clockid_t, timespec

import _socket
import os

from ws4py._sending_c cimport ShortWay, begin_callback, end_callback

from ws4py._engine.pollers import BROKEN, READ, WRITE
from ws4py._engine.slow import SLOW_SECONDS, report
from ws4py._wire.codec import build_header
from ws4py._wire.octets import apply_mask
from ws4py.messaging import BinaryMessage, Message, TextMessage

cdef extern from "octets.h":
    void ws4py_mask(uint8_t *to, const uint8_t *data, size_t size, const uint8_t *key, size_t turn) nogil
    size_t ws4py_utf8_scan(const uint8_t *text, size_t size, int *wrong) nogil

cdef extern from "<sys/uio.h>" nogil:
    struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "outgoing.h":
    struct ws4py_outgoing:
        size_t size
        uint32_t count
        uint32_t flying
    char *ws4py_reserve(ws4py_outgoing *out, size_t size) except NULL
    int ws4py_share(ws4py_outgoing *out, object owner, const char *data, size_t size) except -1
    object ws4py_piece_bytes(ws4py_outgoing *out, uint32_t index)
    size_t ws4py_board(ws4py_outgoing *out, iovec *vectors, size_t most)
    void ws4py_landed(ws4py_outgoing *out, size_t sent)
    void ws4py_clear(ws4py_outgoing *out)

cdef extern from "<sys/epoll.h>" nogil:
    enum:
        EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLL_CTL_MOD
    ctypedef union epoll_data:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data data
    int epoll_wait(int epoll, epoll_event *events, int most, int timeout)
    int epoll_ctl(int epoll, int what, int fd, epoll_event *event)

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_NOSIGNAL, MSG_DONTWAIT
    struct msghdr:
        iovec *msg_iov
        size_t msg_iovlen
    ssize_t recv(int fd, void *data, size_t size, int flags)
    ssize_t send(int fd, const void *data, size_t size, int flags)
    ssize_t sendmsg(int fd, const msghdr *message, int flags)

cdef extern from "<time.h>" nogil:
    clockid_t CLOCK_MONOTONIC_COARSE

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident()
    int PyErr_CheckSignals() except -1
    int _PyBytes_Resize(PyObject **data, Py_ssize_t size) except -1
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    bint PyUnicode_CheckExact(object o)
    bint PyBytes_CheckExact(object o)
    bint PyMethod_Check(object o)
    PyObject *PyMethod_GET_FUNCTION(object method)
    object PyObject_CallMethodOneArg(object obj, object name, object arg)


cdef extern from *:
    """
    #include <structmember.h>

    /* Without __init__. */
    static PyObject *ws4py_make(PyObject *type, PyObject *nothing)
    {
        return ((PyTypeObject *)type)->tp_new((PyTypeObject *)type, nothing, NULL);
    }

    static Py_ssize_t ws4py_data_offset;

    /* Notes where a message has its slot `data`; -1 with TypeError when it has none. */
    static int ws4py_find_data(PyObject *type)
    {
        PyObject *slot = PyObject_GetAttrString(type, "data");
        if (!slot)
            return -1;
        if (!Py_IS_TYPE(slot, &PyMemberDescr_Type)) {
            Py_DECREF(slot);
            PyErr_SetString(PyExc_TypeError, "a message's data is not in a slot");
            return -1;
        }
        ws4py_data_offset = ((PyMemberDescrObject *)slot)->d_member->offset;
        Py_DECREF(slot);
        return 0;
    }

    static PyObject **ws4py_field(PyObject *message, Py_ssize_t offset)
    {
        return (PyObject **)((char *)message + offset);
    }

    /* Of a message that has no data yet. */
    static void ws4py_set_data(PyObject *message, PyObject *payload)
    {
        Py_INCREF(payload);
        *ws4py_field(message, ws4py_data_offset) = payload;
    }

    /* Drops the data of a message that only the caller has. Tells whether it is as good as new then: of
     * this very class, without attributes, weak references or a finalizer. */
    static int ws4py_renew(PyObject *message, PyObject *type)
    {
        PyTypeObject *kind = (PyTypeObject *)type;
        /* Where a message's class has no place of its own for attributes, their offset is negative. */
        if (Py_REFCNT(message) != 1 || !Py_IS_TYPE(message, kind) || kind->tp_dictoffset <= 0
            || *ws4py_field(message, kind->tp_dictoffset)
            || *ws4py_field(message, kind->tp_weaklistoffset) || kind->tp_finalize)
            return 0;
        Py_CLEAR(*ws4py_field(message, ws4py_data_offset));
        return 1;
    }

    /* Where a socket.socket has its descriptor, its first field: -1 from its close() on. */
    static int *ws4py_descriptor(PyObject *sock)
    {
        return (int *)((char *)sock + sizeof(PyObject));
    }
    """
    object ws4py_make(object type, tuple nothing)
    int ws4py_find_data(object type) except -1
    void ws4py_set_data(object message, object payload)
    bint ws4py_renew(object message, object type)
    int *ws4py_descriptor(object sock)

cdef enum:
    # Descriptors in one turn.
    _EVENTS = 512
    # What one recv takes at the most, and all of a turn together; small enough to stay in the cache.
    _READ_SIZE = 72 * 1024
    _ARENA = 256 * 1024
    _LEAST_ROOM = 16 * 1024
    # A large message's own buffer starts with this at the most, and grows by what has arrived.
    _FIRST_BUFFER = 1024 * 1024
    _MOST_AT_ONCE = 1024 * 1024
    # From this size on a payload is sent from where it is, not copied.
    _SHARED_FROM = 4096
    # Connections flushed in one section, and pieces of each. A few are flushed with the GIL, since
    # giving it up costs about as much as they do.
    _FLUSHED = 1024
    _FEW = 4
    _VECTORS = 8
    # Calls of the kernel to send one connection's queue in a turn, if it is long.
    _ROUNDS = 16
    # Unsent bytes above which what is not taken at once is sent in further calls.
    _PUSH_ABOVE = 64 * 1024
    # How much more may be held of large messages before Python is asked whether it may.
    _STEP = 4 * 1024 * 1024
    # How long replies may wait for the end of the turn.
    _HOLD_NANOSECONDS = 5 * 1000 * 1000

    _TEXT = 1
    _BINARY = 2
    _FIN = 0x80
    _MASKED = 0x80

cdef object _RECEIVED_MESSAGE = "received_message"
cdef object _NO_ARGUMENTS = ()
cdef object _TEXT_MESSAGE = TextMessage
cdef object _BINARY_MESSAGE = BinaryMessage
cdef object _TAKE = "_take"

cdef uint64_t _SLOW_NANOSECONDS = <uint64_t>(SLOW_SECONDS * 1e9)

ws4py_find_data(Message)


cdef struct Wire:
    # What the section without the GIL uses of a connection.
    int fd
    # A large message's own buffer and how much of it may be filled now; NULL: the arena.
    char *into
    size_t room


cdef struct Received:
    int fd
    uint32_t events
    Wire *wire
    char *data
    # -1 with `error`; 0 with no error is the end.
    ssize_t size
    int error


cdef struct Job:
    int fd
    iovec *vectors
    size_t count
    size_t size
    ssize_t sent
    int error


cdef uint64_t _now() noexcept nogil:
    """Nanoseconds, of the clock that costs next to nothing and goes in steps of some milliseconds."""
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return <uint64_t>time.tv_sec * 1000000000 + <uint64_t>time.tv_nsec


cdef void _send(Job *job) noexcept nogil:
    cdef msghdr message
    if job.count == 1:
        job.sent = send(job.fd, job.vectors.iov_base, job.vectors.iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
    else:
        memset(&message, 0, sizeof(message))
        message.msg_iov = job.vectors
        message.msg_iovlen = job.count
        job.sent = sendmsg(job.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
    job.error = errno if job.sent < 0 else 0


cdef class Link(ShortWay):
    """One connection in the lane. Made by :meth:`Lane.attach`.

    Its methods may be called from any thread, but for :meth:`detach`. The GIL is what keeps its fields
    consistent: none of them is touched without it, and pieces being sent stay as they are.
    """

    cdef Lane lane
    cdef object channel
    cdef object connection
    cdef object sock
    cdef Wire wire
    # The socket's own idea of its descriptor. A program may close the socket itself, and the number
    # may be another's by the time something is sent.
    cdef int *live
    cdef uint32_t interest
    cdef Py_ssize_t largest

    # The websocket is the `owner`, and `plain` holds while the connection's own does.

    #: Served by the lane: cleared for ever when the connection begins to end.
    cdef readonly bint open
    #: The kernel has taken something since this was last cleared.
    cdef public bint progress
    #: Somebody waits until no more than the soft limit is unsent; who is told so clears it.
    cdef public bint wanted
    #: Its handler runs.
    cdef readonly bint answering
    #: Something has arrived, or was taken, since this was last cleared.
    cdef public bint heard

    # -- Receiving: the loop's thread.
    # The Python lane's reader is in the middle of something.
    cdef unsigned char slow
    cdef object message
    cdef unsigned char opcode
    cdef Py_ssize_t message_size
    cdef Py_ssize_t filled
    cdef Py_ssize_t checked
    cdef uint8_t key[4]

    # -- Sending.
    cdef ws4py_outgoing out
    cdef unsigned char dirty
    cdef unsigned char blocked
    cdef unsigned char leaving
    # What Python has last been told of that.
    cdef unsigned char told
    # Unsent bytes above which the peer is not read from.
    cdef size_t soft
    # The errno that sending has ended with.
    cdef int failed

    def __dealloc__(self):
        ws4py_clear(&self.out)

    @property
    def unsent(self):
        """Bytes that the kernel has not taken yet."""
        return self.out.size

    @property
    def buffered(self):
        """Bytes held of a message that is not complete yet."""
        return self.filled

    # -- Sending -----------------------------------------------------------------

    cdef bint take(self, object payload, bint binary) except -1:
        cdef const char *data
        cdef Py_ssize_t size = 0
        if self.out.size > self.soft:
            # Who may have to wait, or be given up, is for Python to say.
            return False
        if PyBytes_CheckExact(payload):
            data = PyBytes_AS_STRING(payload)
            size = PyBytes_GET_SIZE(payload)
            if not binary and not self._is_text(payload, data, size):
                return False
        elif PyUnicode_CheckExact(payload):
            try:
                data = PyUnicode_AsUTF8AndSize(payload, &size)
            except UnicodeEncodeError:
                return False
        else:
            return False
        self._queue_message(_BINARY if binary else _TEXT, payload, data, size)
        self._hurry()
        return True

    def write(self, bytes data not None):
        """Queue whole frames."""
        self._queue(data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self._hurry()

    def post(self, bytes data not None):
        """Queue whole frames for the next turn of the loop, and do not send now.

        The loop has to be woken, unless this is its thread.
        """
        # Shared, not copied, however small: there is one piece less to set aside for each peer.
        ws4py_share(&self.out, data, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        self._mark()

    def narrow(self):
        """Take no messages on the short way, since something is to come before them or instead."""
        self.plain = False

    def widen(self):
        """Take messages on the short way again, if the connection can send them so."""
        self.plain = self.open and self.connection.plain

    def shut(self):
        """Leave the rest to the Python lane: the connection begins to end."""
        self.open = self.plain = False

    def flush(self, bint anyway=False):
        """Send what the kernel takes now.

        :param anyway: ask it even if it has taken no more before.
        """
        if anyway and self.out.size:
            self.blocked = False
        self._push(-1)

    cdef bint _is_text(self, object payload, const char *data, Py_ssize_t size) except -1:
        cdef int wrong
        # What has just been received as text need not be looked at again.
        if <PyObject *>payload is self.lane.valid:
            return True
        return ws4py_utf8_scan(<const uint8_t *>data, size, &wrong) == <size_t>size

    cdef int _queue_message(self, int opcode, object owner, const char *data, Py_ssize_t size) except -1:
        cdef uint8_t header[10]
        cdef size_t length = 2
        cdef int shift
        cdef char *place
        header[0] = _FIN | opcode
        if size < 126:
            header[1] = <uint8_t>size
        elif size <= 0xFFFF:
            header[1] = 126
            header[2] = <uint8_t>(size >> 8)
            header[3] = <uint8_t>size
            length = 4
        else:
            header[1] = 127
            for shift in range(8):
                header[2 + shift] = <uint8_t>(<uint64_t>size >> (56 - 8 * shift))
            length = 10
        if size < _SHARED_FROM:
            place = ws4py_reserve(&self.out, length + size)
            memcpy(place, header, length)
            memcpy(place + length, data, size)
        else:
            memcpy(ws4py_reserve(&self.out, length), header, length)
            ws4py_share(&self.out, owner, data, size)
        return 0

    cdef int _queue(self, object owner, const char *data, Py_ssize_t size) except -1:
        if size >= _SHARED_FROM:
            ws4py_share(&self.out, owner, data, size)
        elif size:
            memcpy(ws4py_reserve(&self.out, size), data, size)
        return 0

    cdef int _mark(self) except -1:
        """Have the loop flush it in its next turn."""
        if self.blocked:
            self._watch()
        elif not self.dirty:
            self.dirty = True
            self.lane.dirty.append(self)
        return 0

    cdef int _hurry(self) except -1:
        """Send as soon as that is sensible."""
        cdef Job job
        cdef iovec vectors[_VECTORS]
        if self.blocked:
            self._watch()
        elif PyThread_get_thread_ident() != self.lane.thread:
            self._push(-1)
        elif self.lane.alone is not <PyObject *>self:
            self._mark()
            self.lane.hold()
        elif self._may_send():
            # The only message of this turn. With the GIL: the call does not wait, and giving it up
            # could take longer to get it back than the handler is going to need.
            self._board(&job, vectors)
            _send(&job)
            self._settle(&job)
            if self.out.size and not self.blocked:
                self._mark()
        return 0

    cdef bint _may_send(self) noexcept:
        return not (self.blocked or self.leaving or self.out.flying)

    cdef int _push(self, int rounds) except -1:
        """Send until the kernel takes no more. Another thread that is at it does the rest as well.

        :param rounds: calls at the most; negative for no limit.
        """
        cdef Job job
        cdef iovec vectors[_VECTORS]
        while rounds and self.out.size and self._may_send():
            rounds -= 1
            self._board(&job, vectors)
            with nogil:
                _send(&job)
            self._settle(&job)
        return 0

    cdef void _board(self, Job *job, iovec *vectors) noexcept:
        cdef size_t i
        job.fd = self.live[0]
        job.vectors = vectors
        job.count = ws4py_board(&self.out, vectors, _VECTORS)
        job.size = 0
        for i in range(job.count):
            job.size += vectors[i].iov_len

    cdef int _settle(self, Job *job) except -1:
        self._note(job)
        self._report()
        return 0

    cdef int _report(self) except -1:
        """Tell of a failure, once. May run anything."""
        cdef int error = self.failed
        if error:
            self.failed = 0
            self.channel.link_broken(OSError(error, os.strerror(error)))
        elif self.blocked != self.told or (self.wanted and self.out.size <= self.soft):
            self.told = self.blocked
            self.channel.link_pressed(self.blocked)
        return 0

    cdef int _note(self, Job *job) except -1:
        """Take note of what the kernel took. Calls nobody."""
        cdef size_t sent = job.sent if job.sent > 0 else 0
        ws4py_landed(&self.out, sent)
        if job.sent < 0 and job.error != EAGAIN and job.error != EINTR:
            ws4py_clear(&self.out)
            self.open = self.plain = False
            self.failed = job.error
            return 0
        if sent:
            self.progress = True
        if sent < job.size and job.error != EINTR:
            self.blocked = True
        if self.blocked or self.interest != EPOLLIN:
            self._watch()
        return 0

    cdef int _watch(self) except -1:
        """Wait for what matters now. A peer that does not read is not read from."""
        cdef epoll_event event
        cdef uint32_t wanted = 0 if self.out.size > self.soft and self.blocked else EPOLLIN
        if self.blocked:
            wanted |= EPOLLOUT
        if wanted != self.interest and self.lane.slots[self.wire.fd] == &self.wire:
            self.interest = event.events = wanted
            event.data.fd = self.wire.fd
            # An error would mean that the program has closed the descriptor itself; whoever uses it
            # next finds out.
            epoll_ctl(self.lane.epoll, EPOLL_CTL_MOD, self.wire.fd, &event)
        return 0

    # -- Receiving: the loop's thread ----------------------------------------------

    cdef int consume(self, const uint8_t *data, size_t size) except -1:
        """Serve received bytes."""
        cdef size_t at = 0, used
        while at < size:
            if self.slow or not self.open:
                return self._leave(data + at, size - at)
            used = self._frame(data + at, size - at, at == 0)
            if not used:
                return self._leave(data + at, size - at)
            at += used
            if self.out.size > self.soft and at < size and self._is_stuck():
                self.channel.link_full(PyBytes_FromStringAndSize(<const char *>data + at, size - at))
                return 0
        return 0

    cdef bint _is_stuck(self) except -1:
        """Whether the peer does not take what it is answered: no more is served for it."""
        self._push(-1)
        return self.open and self.blocked and self.out.size > self.soft

    cdef int _leave(self, const uint8_t *data, size_t size) except -1:
        """Have the Python lane serve the rest."""
        self.channel.feed(PyBytes_FromStringAndSize(<const char *>data, size))
        self.slow = not self.connection.at_rest
        return 0

    cdef size_t _frame(self, const uint8_t *data, size_t have, bint first) except? 0:
        """Take one frame that is a whole message; returns how many bytes, 0 for any other frame."""
        cdef int opcode
        cdef uint64_t size
        cdef size_t head = 6, i
        cdef bytes payload
        cdef char *place
        if have < 6 or not data[1] & _MASKED:
            return 0
        opcode = data[0] ^ _FIN
        if opcode != _TEXT and opcode != _BINARY:
            return 0
        size = data[1] & 0x7F
        if size == 126:
            head = 8
            size = <uint64_t>data[2] << 8 | data[3]
            if size < 126:
                return 0
        elif size == 127:
            if have < 14:
                return 0
            head = 14
            size = 0
            for i in range(8):
                size = size << 8 | data[2 + i]
            if size <= 0xFFFF:
                return 0
        if have < head or size > <uint64_t>self.largest:
            return 0
        if have - head < size:
            return self._begin(opcode, size, data, head, have)
        payload = PyBytes_FromStringAndSize(NULL, size)
        place = PyBytes_AS_STRING(payload)
        ws4py_mask(<uint8_t *>place, data + head, size, data + head - 4, 0)
        if opcode == _TEXT and not self._valid(place, size):
            return 0
        if first and self.lane.ready == 1 and have == head + size:
            self.lane.alone = <PyObject *>self
        self._deliver(opcode, payload)
        return head + size

    cdef bint _valid(self, const char *text, size_t size) noexcept:
        cdef int wrong
        return ws4py_utf8_scan(<const uint8_t *>text, size, &wrong) == size

    cdef size_t _begin(
        self, int opcode, Py_ssize_t size, const uint8_t *data, size_t head, size_t have
    ) except? 0:
        """Receive the rest of a message straight into its own buffer."""
        cdef size_t there = have - head
        self.message = PyBytes_FromStringAndSize(NULL, min(size, _FIRST_BUFFER))
        self.message_size = size
        self.opcode = opcode
        self.filled = self.checked = 0
        memcpy(self.key, data + head - 4, 4)
        memcpy(PyBytes_AS_STRING(self.message), data + head, there)
        if not self._fill(there):
            # Not UTF-8 already: the Python lane says so.
            self._forget_message()
            return 0
        self._afford()
        return have

    cdef bint _fill(self, Py_ssize_t size) except -1:
        """Unmask what has arrived of a large message; ``False`` for text that is none."""
        cdef int wrong = 0
        cdef uint8_t *start = <uint8_t *>PyBytes_AS_STRING(self.message)
        ws4py_mask(start + self.filled, start + self.filled, size, self.key, self.filled & 3)
        self.filled += size
        self.lane.held += size
        if self.opcode == _TEXT:
            self.checked += ws4py_utf8_scan(start + self.checked, self.filled - self.checked, &wrong)
            if wrong or (self.filled == self.message_size and self.checked != self.filled):
                return False
        if self.filled < self.message_size:
            self._make_room()
        return True

    cdef int _make_room(self) except -1:
        cdef PyObject *grown
        cdef Py_ssize_t capacity = PyBytes_GET_SIZE(self.message)
        if self.filled == capacity:
            # Doubled, so that a peer that only announces much does not make us set it aside.
            capacity = min(2 * capacity, self.message_size)
            grown = <PyObject *>self.message
            self.wire.into = NULL
            Py_INCREF(self.message)
            self.message = None
            _PyBytes_Resize(&grown, capacity)
            self.message = <object>grown
            Py_DECREF(self.message)
        self.wire.into = PyBytes_AS_STRING(self.message) + self.filled
        self.wire.room = min(capacity - self.filled, <Py_ssize_t>_MOST_AT_ONCE)
        return 0

    cdef int resume(self, Py_ssize_t size) except -1:
        """More of a large message is in its buffer."""
        cdef object payload
        if not self._fill(size) or not self.open:
            return self._refuse()
        if self.filled == self.message_size:
            payload = self.message
            self._forget_message()
            if self.lane.ready == 1:
                self.lane.alone = <PyObject *>self
            self._deliver(self.opcode, payload)
        else:
            self._afford()
        return 0

    cdef int _afford(self) except -1:
        """Close the connection, if that much of large messages must not be held."""
        if self.lane.held > self.lane.allowed:
            self.channel.link_affords()
        return 0

    cdef int _refuse(self) except -1:
        self.channel.feed(self._partial())
        self.slow = True
        return 0

    cdef bytes _partial(self):
        """What has arrived of a large message, as it came; forgets it."""
        cdef bytes masked
        if self.message is None:
            return b""
        # With the peer's key, for the rest of it is still to come.
        key = self.key[:4]
        frame = build_header(self.opcode, self.message_size, key=key)
        frame += apply_mask(self.message[:self.filled], key)
        self._forget_message()
        return frame

    cdef void _forget_message(self) noexcept:
        self.lane.held -= self.filled
        self.lane.allowed = min(self.lane.allowed, self.lane.held + _STEP)
        self.message = None
        self.filled = 0
        self.wire.into = NULL
        self.wire.room = 0

    cdef int _deliver(self, int opcode, object payload) except -1:
        cdef object kind = _TEXT_MESSAGE if opcode == _TEXT else _BINARY_MESSAGE
        cdef object message = self.lane.spare
        self.lane.spare = None
        if not ws4py_renew(message, kind):
            # Without the constructor, whose checks it needs not; all else is the same for its whole class.
            message = ws4py_make(kind, _NO_ARGUMENTS)
        ws4py_set_data(message, payload)
        self.lane.valid = <PyObject *>payload if opcode == _TEXT else NULL
        # Of this one: what begin_callback notes is shared with the loops of other threads.
        self.answering = True
        begin_callback(self)
        try:
            PyObject_CallMethodOneArg(self.owner, _RECEIVED_MESSAGE, message)
        except BaseException as error:
            if self.owner._passes(error):
                raise
            self.channel.callback_failed(error)
        finally:
            end_callback()
            self.answering = False
            self.lane.valid = self.lane.alone = NULL
        if ws4py_renew(message, kind):
            self.lane.spare = message
        return 0

    # -- The end -----------------------------------------------------------------

    def surrender(self):
        """Send nothing more; return what is unsent, in pieces.

        What many have in their queues is not copied: a crowd of slow peers may leave at once.
        """
        self.open = self.plain = False
        self.leaving = True
        while self.out.flying:
            # Another thread is in the middle of send(), which does not wait.
            with nogil:
                sched_yield()
        return self._drain()

    def detach(self):
        """Leave the lane, on the loop's thread. Return what has been received and not served.

        The descriptor stays registered with epoll, for the events of :attr:`watched`.
        """
        # First, since it may belong to the message that is not complete yet.
        cdef bytes unserved = self.lane.unserved(self)
        cdef bytes unread = self._partial() + unserved
        self.open = self.plain = False
        self.lane.remove(self)
        return unread

    @property
    def watched(self):
        """The events that epoll waits for."""
        return _events(self.interest)

    cdef list _drain(self):
        cdef uint32_t i
        cdef list pieces = [ws4py_piece_bytes(&self.out, i) for i in range(self.out.count)]
        ws4py_clear(&self.out)
        return pieces


cdef class Lane:
    """The connections of one loop; everything but :meth:`Link` itself is used on the loop's thread.

    :param epoll: the descriptor of the epoll that has the connections registered.
    """

    cdef int epoll
    cdef unsigned long thread
    cdef list dirty
    cdef list links
    cdef Wire **slots
    cdef int room
    # The one connection with one message in this turn, if it is so.
    cdef PyObject *alone
    # The payload that is known to be UTF-8 while its handler runs.
    cdef PyObject *valid
    # The last message, without its data, if nobody has kept it: it can be the next one.
    cdef object spare

    #: Set by others to have :meth:`wait` return after this turn: there is something else to do.
    cdef public bint pending
    #: Bytes that have arrived of large messages, and with how many of them Python is asked again:
    #: with the first, and then as it says.
    cdef readonly Py_ssize_t held
    cdef public Py_ssize_t allowed

    cdef int ready
    cdef int serving
    # Who is received from first, by its place in what epoll tells.
    cdef int first
    cdef uint64_t since
    cdef epoll_event events[_EVENTS]
    cdef Received received[_EVENTS]
    cdef char *arena
    cdef Job *jobs
    cdef iovec *vectors

    def __cinit__(self, int epoll):
        self.epoll = epoll
        self.dirty = []
        self.links = []
        self.arena = <char *>PyMem_Malloc(_ARENA)
        self.jobs = <Job *>PyMem_Malloc(_FLUSHED * sizeof(Job))
        self.vectors = <iovec *>PyMem_Malloc(_FLUSHED * _VECTORS * sizeof(iovec))
        if self.arena == NULL or self.jobs == NULL or self.vectors == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.arena)
        PyMem_Free(self.jobs)
        PyMem_Free(self.vectors)
        PyMem_Free(self.slots)

    # -- Who is here -------------------------------------------------------------

    def attach(self, int fd, channel, websocket, connection, Py_ssize_t largest, size_t soft):
        """Serve a connection whose descriptor is registered for reading.

        :param largest: bytes of the largest message that is taken here.
        :param soft: unsent bytes above which it is not read from.
        """
        cdef Link link = Link.__new__(Link)
        self.thread = PyThread_get_thread_ident()
        self._reach(fd)
        link.lane = self
        link.channel = channel
        link.owner = websocket
        link.connection = connection
        link.largest = largest
        link.soft = soft
        link.wire.fd = fd
        # gevent's class, which may stand in socket.socket's place, has the real one inside.
        link.sock = getattr(channel.transport.sock, "_sock", channel.transport.sock)
        link.live = &link.wire.fd
        if isinstance(link.sock, _socket.socket) and ws4py_descriptor(link.sock)[0] == fd:
            link.live = ws4py_descriptor(link.sock)
        link.interest = EPOLLIN
        link.open = True
        link.slow = not connection.at_rest
        link.widen()
        self.slots[fd] = &link.wire
        self.links[fd] = link
        return link

    cdef int _reach(self, int fd) except -1:
        cdef int room = self.room
        cdef Wire **slots
        if fd < room:
            return 0
        room = max(2 * room, fd + 64)
        slots = <Wire **>PyMem_Realloc(self.slots, room * sizeof(Wire *))
        if slots == NULL:
            raise MemoryError
        memset(slots + self.room, 0, (room - self.room) * sizeof(Wire *))
        self.slots = slots
        self.links.extend([None] * (room - self.room))
        self.room = room
        return 0

    cdef int remove(self, Link link) except -1:
        if self.slots[link.wire.fd] == &link.wire:
            self.slots[link.wire.fd] = NULL
            self.links[link.wire.fd] = None
        return 0

    cdef bytes unserved(self, Link link):
        """What this turn has received for a connection and not served yet.

        Bytes of a large message are added to it instead.
        """
        cdef Received *one
        cdef int i
        for i in range(self.serving + 1, self.ready):
            one = &self.received[i]
            if one.wire == &link.wire and one.size > 0:
                one.wire = NULL
                if link.wire.into == NULL:
                    return PyBytes_FromStringAndSize(one.data, one.size)
                # Whether it is what it should be is for the Python lane to find.
                link._fill(one.size)
        return b""

    # -- A turn ------------------------------------------------------------------

    def wait(self, timeout):
        """Serve the lane's connections; return ``(descriptor, events)`` of all others.

        :param timeout: seconds to wait at the most, ``None`` for no limit.
        """
        cdef uint64_t deadline = 0
        cdef list others
        self.thread = PyThread_get_thread_ident()
        self.pending = False
        if timeout is not None:
            if timeout <= 0:
                return self._turn(1)
            # A million seconds at the most: epoll takes its milliseconds as an int.
            deadline = _now() + <uint64_t>(min(timeout, 1e6) * 1e9)
        while True:
            others = self._turn(deadline)
            if others or self.pending or (deadline and _now() >= deadline):
                return others

    cdef list _turn(self, uint64_t deadline):
        cdef int milliseconds = -1
        cdef uint64_t now
        cdef list flushed = self._take_dirty()
        cdef int jobs = len(flushed)
        if jobs <= _FEW:
            self._send_all(jobs)
            self._land(flushed)
            jobs = 0
        if jobs or self.dirty or self.pending:
            milliseconds = 0
        elif deadline:
            now = _now()
            # One more than it is: the clock goes in steps, and too early would mean another turn.
            milliseconds = <int>((deadline - now) // 1000000 + 1) if now < deadline else 0
        with nogil:
            self._send_all(jobs)
            self.ready = self._gather(milliseconds)
        if jobs:
            self._land(flushed)
        if self.ready < 0:
            error, self.ready = -self.ready, 0
            PyErr_CheckSignals()
            if error != EINTR:
                raise OSError(error, os.strerror(error))
        return self._dispatch()

    cdef list _take_dirty(self):
        """Take the connections that have something to send."""
        cdef list flushed = []
        cdef list dirty = self.dirty
        cdef Link link
        cdef int count = 0
        if not dirty:
            return flushed
        self.dirty = dirty[_FLUSHED:]
        for link in dirty[:_FLUSHED]:
            link.dirty = False
            if link.out.size and link._may_send():
                link._board(&self.jobs[count], self.vectors + count * _VECTORS)
                flushed.append(link)
                count += 1
        return flushed

    cdef void _send_all(self, int count) noexcept nogil:
        cdef int i
        for i in range(count):
            _send(&self.jobs[i])

    cdef int _land(self, list flushed) except -1:
        cdef Link link
        cdef int i = 0
        # All of them before anybody is called, who may send and so use the same jobs.
        for link in flushed:
            link._note(&self.jobs[i])
            i += 1
        for link in flushed:
            link._report()
            if link.out.size > _PUSH_ABOVE:
                # Or more might be received than is sent, turn by turn.
                link._push(_ROUNDS)
            if link.out.size and not link.blocked:
                link._mark()
        return 0

    cdef int hold(self) except -1:
        """Let replies wait for the end of the turn, but not for a handler that takes its time."""
        if self.ready and self.dirty and _now() - self.since > _HOLD_NANOSECONDS:
            self.flush()
            self.since = _now()
        return 0

    cdef int flush(self) except -1:
        """Send what is queued anywhere."""
        cdef list flushed = self._take_dirty()
        cdef int jobs = len(flushed)
        with nogil:
            self._send_all(jobs)
        self._land(flushed)

    cdef int _gather(self, int milliseconds) noexcept nogil:
        """Wait, and receive from whoever is ready; returns how many that are, or minus an errno."""
        cdef int i, at, count
        cdef size_t used = 0
        cdef Received *one
        count = epoll_wait(self.epoll, self.events, _EVENTS, milliseconds)
        if count < 0:
            return -errno
        at = self.first if self.first < count else 0
        self.first = 0
        for i in range(count):
            one = &self.received[i]
            if at == count:
                at = 0
            one.fd = self.events[at].data.fd
            one.events = self.events[at].events
            at += 1
            one.wire = self.slots[one.fd] if one.fd < self.room else NULL
            one.size = -1
            one.error = EAGAIN
            if one.wire == NULL or not one.events & (EPOLLIN | EPOLLERR | EPOLLHUP):
                continue
            if one.wire.into != NULL:
                one.data = one.wire.into
                one.size = recv(one.fd, one.data, one.wire.room, MSG_DONTWAIT)
            elif _ARENA - used < _LEAST_ROOM:
                # epoll tells of all of them again, in the same order: this one is the first then.
                self.first = at - 1
                return i
            else:
                one.data = self.arena + used
                one.size = recv(one.fd, one.data, min(<size_t>_READ_SIZE, _ARENA - used), MSG_DONTWAIT)
                if one.size > 0:
                    used += one.size
            one.error = errno if one.size < 0 else 0
        return count

    cdef list _dispatch(self):
        cdef list others = []
        cdef Received *one
        cdef Link link
        cdef uint64_t began, ended
        cdef int i
        self.since = ended = _now()
        for i in range(self.ready):
            one = &self.received[i]
            if one.wire == NULL or self.slots[one.fd] != one.wire:
                if one.fd >= self.room or self.slots[one.fd] == NULL:
                    others.append((one.fd, _events(one.events)))
                continue
            self.serving = i
            link = <Link>self.links[one.fd]
            began = ended
            self._serve(link, one)
            ended = _now()
            if ended - began > _SLOW_NANOSECONDS:
                report(link.owner, (ended - began) / 1e9)
            self.hold()
        self.serving = self.ready = 0
        return others

    cdef int _serve(self, Link link, Received *one) except -1:
        try:
            if one.events & EPOLLOUT:
                link.blocked = False
                link.heard = True
                if link.out.flying:
                    # Another thread sends, and watches it again if the kernel does not take all. To be
                    # told until then of what it is about would keep it from the GIL.
                    link._watch()
                else:
                    link._mark()
            if one.size > 0:
                link.heard = True
                if link.wire.into != NULL:
                    link.resume(one.size)
                else:
                    link.consume(<uint8_t *>one.data, one.size)
            elif one.size == 0:
                link.channel.link_ended()
            elif one.error not in (EAGAIN, EINTR):
                link.channel.link_lost(OSError(one.error, os.strerror(one.error)))
        except Exception as error:
            # Ours, since a handler's errors do not come this far.
            link.channel.link_crashed(error)
        return 0


def post_to_all(list websockets, bytes frame not None, send):
    """Queue a frame for every websocket that can have it as it is; return all the others.

    Their loops have to be woken.

    :param send: the method that a program must not have replaced by one of its own.
    """
    cdef list others = []
    cdef Link link
    cdef bint few
    for websocket in websockets:
        way = getattr(websocket, _TAKE, None)
        if type(way) is Link:
            link = <Link>way
            bound = websocket.send
            few = link.out.size <= link.soft
            if few and link.plain and PyMethod_Check(bound) and PyMethod_GET_FUNCTION(bound) is <PyObject *>send:
                link.post(frame)
                continue
        others.append(websocket)
    return others


cdef int _events(uint32_t events) except -1:
    cdef int found = READ if events & EPOLLIN else 0
    if events & EPOLLOUT:
        found |= WRITE
    if events & (EPOLLERR | EPOLLHUP):
        found |= BROKEN
    return found


include "lane_switching.pxi"
