# Part of lane_c.pyx: what one connection receives.

cdef class Link(Sending):
    """One connection in the lane. Made by :meth:`Lane.attach`.

    What it adds to the sending belongs to the loop's thread.
    """

    # Bytes of the largest message that is taken here.
    cdef Py_ssize_t largest

    #: Its handler runs.
    cdef readonly bint answering
    #: Something has arrived, or was taken, since this was last cleared.
    cdef public bint heard

    # The Python lane's reader is in the middle of something.
    cdef unsigned char slow
    cdef object message
    cdef unsigned char opcode
    cdef Py_ssize_t message_size
    cdef Py_ssize_t filled
    cdef Py_ssize_t checked
    cdef uint8_t key[4]
    # What has been put back.
    cdef bytes aside

    @property
    def buffered(self):
        """Bytes held of a message that is not complete yet."""
        return self.filled

    cdef int consume(self, const uint8_t *data, size_t size) except -1:
        """Serve received bytes."""
        cdef size_t at = 0, used
        cdef uint64_t until = 0
        cdef int frames = 0
        while at < size:
            if self.slow or not self.open:
                return self._leave(data + at, size - at)
            used = self._frame(data + at, size - at, at == 0)
            if not used:
                return self._leave(data + at, size - at)
            at += used
            frames += 1
            if at < size and self.open and self._is_to_pause(frames, &until):
                self.put_back(PyBytes_FromStringAndSize(<const char *>data + at, size - at))
                return 0
        return 0

    cdef bint _is_to_pause(self, int frames, uint64_t *until) except -1:
        """Whether the peer does not take what it is answered, or others are to have a turn."""
        if self._is_stuck():
            return True
        if frames == 1 or not self.lane.thread:
            # Under gevent, a callback has waited, and others had their turn.
            until[0] = _exact_now() + _SHARE
            return False
        # The clock that costs next to nothing is for handlers that take their time.
        return (_now() if frames % _FRAMES else _exact_now()) > until[0]

    cdef bint _is_stuck(self) except -1:
        """Whether too much is unsent, and the kernel takes no more of it."""
        if self.out.size <= self.soft:
            return False
        self._push(-1)
        return self.open and self.blocked and self.out.size > self.soft

    def put_back(self, bytes data not None):
        """Have received bytes served in another turn, before all others."""
        self.aside = data if self.aside is None else data + self.aside
        self.wire.paused = True
        self.wait()

    cdef int wait(self) except -1:
        """Have the lane go on with what has been put back; where the peer has to read first, epoll tells."""
        if not (self.waits or (self.blocked and self.out.size > self.soft)):
            self.waits = True
            self.lane.waiting.append(self)
        return self._watch()

    cdef int go_on(self) except -1:
        """Serve what has been put back, if the peer has taken what it was answered."""
        cdef bytes data
        if self._is_stuck() or self.aside is None:
            return 0
        data = self.aside
        self.aside = None
        self.wire.paused = False
        self.consume(<const uint8_t *>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        return self._watch()

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

    def detach(self):
        """Leave the lane, on the loop's thread. Return what has been received and not served.

        The descriptor stays registered with epoll, for the events of :attr:`watched`.
        """
        # First, since it may belong to the message that is not complete yet.
        cdef bytes unserved = self.lane.unserved(self)
        cdef bytes unread = (self.aside or b"") + self._partial() + unserved
        self.aside = None
        self.open = self.plain = False
        self.lane.remove(self)
        return unread
