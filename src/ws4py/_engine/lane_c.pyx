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

include "lane_calls.pxi"
include "lane_sending.pxi"
include "lane_receiving.pxi"


cdef class Lane:
    """The connections of one loop; everything but :meth:`Link` itself is used on the loop's thread.

    :param epoll: the descriptor of the epoll that has the connections registered.
    """

    cdef int epoll
    cdef unsigned long thread
    cdef list dirty
    # Connections with something that has been put back, which can go on.
    cdef list waiting
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

    # Somebody had more than its share of the last turn.
    cdef bint flooded
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
        self.waiting = []
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
        if jobs or self.dirty or self.waiting or self.pending:
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
        cdef size_t used = 0, room
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
            if one.wire == NULL or one.wire.paused or not one.events & (EPOLLIN | EPOLLERR | EPOLLHUP):
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
                room = _ARENA - used
                if self.flooded:
                    # An equal part for each of the rest, or who comes behind some that send as fast as
                    # they can would be received from some turns later. What one leaves is for the next.
                    room = max(room // <size_t>(count - i), <size_t>_LEAST_ROOM)
                one.size = recv(one.fd, one.data, min(room, <size_t>_READ_SIZE), MSG_DONTWAIT)
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
            ended = self._blame(link, began)
            self.hold()
        self.flooded = bool(self.waiting)
        if self.flooded:
            # Of what has been received nothing is left.
            self.serving = self.ready = max(self.ready, 1)
            self._go_on()
        self.serving = self.ready = 0
        return others

    cdef uint64_t _blame(self, Link link, uint64_t began) except? 0:
        """Say whose callback held up the others, if one did; returns the time."""
        cdef uint64_t ended = _now()
        if ended - began > _SLOW_NANOSECONDS:
            report(link.owner, (ended - began) / 1e9)
        return ended

    cdef int _go_on(self) except -1:
        """Serve those for a while who had more than their share of the last turn."""
        cdef Received nothing
        cdef Link link
        cdef list waiting
        cdef uint64_t ended = _now()
        nothing.events = 0
        nothing.size = -1
        nothing.error = EAGAIN
        waiting, self.waiting = self.waiting, []
        for link in waiting:
            link.waits = False
            if self.slots[link.wire.fd] == &link.wire:
                self._serve(link, &nothing)
                ended = self._blame(link, ended)
            self.hold()
        return 0

    cdef bint is_at_work(self, Link link) except -1:
        """Whether a callback of it waits, in whose middle it is not served."""
        return False

    cdef int _serve(self, Link link, Received *one) except -1:
        try:
            if one.events & EPOLLOUT:
                link.blocked = False
                link.heard = True
                if link.out.flying:
                    # Another thread sends, and watches it again if the kernel does not take all. To be
                    # told until then of what it is about would keep it from the GIL.
                    link._watch()
                elif link.out.size:
                    link._mark()
            if link.wire.paused and one.size < 0 and not self.is_at_work(link):
                link.go_on()
            elif one.size > 0:
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
