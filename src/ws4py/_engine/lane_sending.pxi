# Part of lane_c.pyx: what one connection sends.

cdef class Sending(ShortWay):
    """What is queued for one connection in the lane, and how it leaves.

    Its methods may be called from any thread. The GIL is what keeps its fields consistent: none of them
    is touched without it, and pieces being sent stay as they are.
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

    # The websocket is the `owner`, and `plain` holds while the connection's own does.

    #: Served by the lane: cleared for ever when the connection begins to end.
    cdef readonly bint open
    #: The kernel has taken something since this was last cleared.
    cdef public bint progress
    #: Somebody waits until no more than the soft limit is unsent; who is told so clears it.
    cdef public bint wanted

    cdef ws4py_outgoing out
    cdef unsigned char dirty
    cdef unsigned char blocked
    cdef unsigned char leaving
    # What Python has last been told of that.
    cdef unsigned char told
    # The lane is going to serve what it has put back.
    cdef unsigned char waits
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
        cdef uint32_t wanted = EPOLLIN
        if self.wire.paused or (self.out.size > self.soft and self.blocked):
            wanted = 0
        # Who has put something back, and waits for room, may have got it by another thread's sending.
        if self.blocked or (self.wire.paused and not (self.waits or self.out.flying)):
            wanted |= EPOLLOUT
        if wanted != self.interest and self.lane.slots[self.wire.fd] == &self.wire:
            self.interest = event.events = wanted
            event.data.fd = self.wire.fd
            # An error would mean that the program has closed the descriptor itself; whoever uses it
            # next finds out.
            epoll_ctl(self.lane.epoll, EPOLL_CTL_MOD, self.wire.fd, &event)
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

    @property
    def watched(self):
        """The events that epoll waits for."""
        return _events(self.interest)

    cdef list _drain(self):
        cdef uint32_t i
        cdef list pieces = [ws4py_piece_bytes(&self.out, i) for i in range(self.out.count)]
        ws4py_clear(&self.out)
        return pieces
