# Part of lane_c.pyx: the lane as gevent's hub serves it.

cdef extern from "<sys/epoll.h>" nogil:
    enum:
        EPOLLET, EPOLL_CTL_ADD, EPOLL_CTL_DEL


cdef class SwitchingLane(Lane):
    """A lane whose callbacks may switch to another greenlet. Each turn has a greenlet of its own.

    A callback that switches away interrupts its turn, which the hub notes by :meth:`give_way`: the next
    turn goes on with the others. So nothing that a callback may be in the middle of is shared: what has
    been received is copied for each connection, and a connection at work is not received from.

    :param epoll: the descriptor of an epoll that this lane has for itself, and the hub waits for.
    """

    # Whose turn it is, in both senses.
    cdef Link served
    cdef uint32_t turns
    cdef uint64_t began
    # Of the descriptors that epoll has told of, the first that has not been served.
    cdef int next
    # Not to be served now: a callback waits, or the Python lane is at work.
    cdef set busy

    #: A turn has begun, and has neither ended nor been interrupted.
    cdef readonly bint running

    def __cinit__(self, int epoll):
        self.busy = set()

    @property
    def unfinished(self):
        """The turn that was interrupted has left something to do now."""
        return bool(self.dirty) or self._goes_on()

    @property
    def waits(self):
        """There is something to do that epoll does not tell of."""
        return bool(self.waiting)

    def attach(self, int fd, channel, websocket, connection, Py_ssize_t largest, size_t soft):
        """Serve a connection, as soon as it is told by :meth:`allow`."""
        cdef Link link
        cdef unsigned long thread = self.thread
        cdef object stale = self.links[fd] if fd < self.room else None
        if self._control(EPOLL_CTL_ADD, fd, EPOLLIN) < 0:
            raise OSError(errno, os.strerror(errno))
        link = Lane.attach(self, fd, channel, websocket, connection, largest, soft)
        self.thread = thread
        self.busy.add(link)
        if stale is not None:
            # Its descriptor was closed behind our back, and the number came again.
            (<Link>stale).channel.link_replaced()
        return link

    def allow(self, Link link not None, bint allowed):
        """Serve an attached connection from now on, or not now."""
        if allowed:
            self.busy.discard(link)
            if link.wire.paused:
                link.wait()
            else:
                link._watch()
        else:
            self.busy.add(link)

    cdef int remove(self, Link link) except -1:
        if self.slots[link.wire.fd] == &link.wire:
            # An error would mean that the program has closed the descriptor itself.
            self._control(EPOLL_CTL_DEL, link.wire.fd, 0)
        # Whoever watches it next begins with that.
        link.interest = EPOLLIN
        self.busy.discard(link)
        return Lane.remove(self, link)

    cdef bytes unserved(self, Link link):
        return b""

    cdef int _control(self, int what, int fd, uint32_t events) noexcept:
        cdef epoll_event event
        event.events = events
        event.data.fd = fd
        return epoll_ctl(self.epoll, what, fd, &event)

    # -- A turn ------------------------------------------------------------------

    def turn(self, bint first):
        """Serve whoever is ready, in the calling greenlet.

        Ends behind everybody, after some milliseconds, or with the callback that interrupted it.

        :param first: it goes on with no other that was interrupted.
        """
        cdef uint32_t mine
        cdef epoll_event *event
        cdef Link link
        self.turns += 1
        mine = self.turns
        self.running = True
        self.thread = PyThread_get_thread_ident()
        self.since = _now()
        if first:
            self.began = self.since
        try:
            self._flush_all()
            if first and self.next == self.ready:
                self._look()
            while mine == self.turns and self._goes_on():
                event = &self.events[self.next]
                self.next += 1
                self._serve_one(event.data.fd, event.events)
            for _ in range(len(self.waiting)):
                if mine != self.turns or not self.waiting:
                    break
                link = self.waiting.pop(0)
                link.waits = False
                self._serve_one(link.wire.fd, 0)
            if mine == self.turns:
                self._flush_all()
        finally:
            if mine == self.turns:
                self.give_way()

    def give_way(self):
        """End the turn; returns the channel of the callback that has switched away in its middle."""
        cdef Link link = self.served
        self.turns += 1
        self.running = False
        self.served = None
        # From now on whoever sends does so at once.
        self.thread = 0
        self.alone = NULL
        return None if link is None else link.channel

    cdef bint _goes_on(self) noexcept:
        """There are more to be served before the hub's others have a turn; epoll tells of these again."""
        return self.next < self.ready and _now() - self.began <= _HOLD_NANOSECONDS

    cdef int _flush_all(self) except -1:
        while self.dirty:
            self.flush()
        return 0

    cdef int _look(self) except -1:
        self.next = self.ready = 0
        cdef int count = epoll_wait(self.epoll, self.events, _EVENTS, 0)
        if count >= 0:
            self.ready = count
        elif errno != EINTR:
            raise OSError(errno, os.strerror(errno))
        return 0

    cdef int _serve_one(self, int fd, uint32_t events) except -1:
        cdef uint32_t mine = self.turns
        cdef Received one
        cdef Link link
        # What was received, for as long as it is served.
        cdef bytes data
        if fd >= self.room or self.slots[fd] == NULL:
            return 0
        link = self.links[fd]
        one.events = events
        one.size = -1
        one.error = EAGAIN
        if link in self.busy:
            self._ignore(link)
        elif events & (EPOLLIN | EPOLLERR | EPOLLHUP) and not link.wire.paused:
            data = self._receive(link, &one)
        self.served = link
        try:
            self._serve(link, &one)
        except BaseException as error:
            link.channel.link_interrupted(error)
        finally:
            if mine == self.turns:
                self.served = None
            else:
                link.channel.finish_work()
        if mine == self.turns:
            self.hold()
        return 0

    cdef bint is_at_work(self, Link link) except -1:
        return link in self.busy

    cdef bytes _receive(self, Link link, Received *one):
        cdef bytes data = b""
        if link.wire.into != NULL:
            one.size = recv(link.wire.fd, link.wire.into, link.wire.room, MSG_DONTWAIT)
        else:
            one.size = recv(link.wire.fd, self.arena, _READ_SIZE, MSG_DONTWAIT)
        one.error = errno if one.size < 0 else 0
        if one.size > 0 and link.wire.into == NULL:
            data = PyBytes_FromStringAndSize(self.arena, one.size)
            one.data = PyBytes_AS_STRING(data)
        return data

    cdef void _ignore(self, Link link) noexcept:
        """Hear no more of what a connection at work has to read, nor more than once of its end."""
        cdef uint32_t wanted = link.interest & EPOLLOUT | EPOLLET
        if link.interest != wanted:
            link.interest = wanted
            self._control(EPOLL_CTL_MOD, link.wire.fd, wanted)
