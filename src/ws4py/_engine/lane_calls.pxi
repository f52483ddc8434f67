# Part of lane_c.pyx: the calls of the system and of CPython that it makes, and its sizes.

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
    clockid_t CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE

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
    _LEAST_ROOM = 4 * 1024
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
    # Frames between two looks at the clock, and nanoseconds that one connection is served for.
    _FRAMES = 32
    _SHARE = 1000 * 1000
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
    # What has been received before is to be served first.
    bint paused


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


cdef inline uint64_t _read_clock(clockid_t clock) noexcept nogil:
    """Nanoseconds."""
    cdef timespec time
    clock_gettime(clock, &time)
    return <uint64_t>time.tv_sec * 1000000000 + <uint64_t>time.tv_nsec


cdef inline uint64_t _now() noexcept nogil:
    """By the clock that costs next to nothing and goes in steps of some milliseconds."""
    return _read_clock(CLOCK_MONOTONIC_COARSE)


cdef inline uint64_t _exact_now() noexcept nogil:
    return _read_clock(CLOCK_MONOTONIC)


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
