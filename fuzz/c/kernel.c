/* A kernel with bad days: preloaded into a process it stands between the program and the system calls, and
 * lets some of them fail or do less than they were asked for, as a kernel may.
 *
 * Only descriptors that were armed are concerned, each by random numbers of its own seed, so what happens to
 * one does not depend on what other threads do. Everything is set by calls (ctypes), which lets one process
 * run many seeds. It changes no byte and invents no event: whatever a program sees here, a real kernel may
 * show it.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define DESCRIPTORS 65536
#define SLOTS 1024
#define MOST_VECTORS 64
#define THOUSAND 1000

/* What was done; the order is that of KINDS in kernel.py. */
enum kind { SHORT, AGAIN, INTERRUPTED, RESET, NO_BUFFERS, FEWER, NO_ROOM, NOT_ACCEPTED, CLOSED_BADLY, KINDS };

struct plan {
    uint64_t random;
    uint32_t slot;
    uint16_t soft;      /* of a thousand calls, those that fail for the moment or do less */
    uint16_t fatal;     /* of ten thousand, those that end the connection */
    uint8_t armed;
    uint8_t dead;       /* a reset has been told of */
    uint8_t no_room;    /* epoll has no room for it */
};

static struct plan plans[DESCRIPTORS];
static struct plan waits, accepts;
static unsigned long done[KINDS];
static uint8_t fatal_in[SLOTS];
static unsigned long moves, turns; /* calls that may move bytes; waits that told of something */
static int refused_descriptors; /* of the next epolls and eventfds */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static int (*real_epoll_ctl)(int, int, int, struct epoll_event *);
static int (*real_epoll_create1)(int);
static int (*real_eventfd)(unsigned int, int);
static int (*real_accept4)(int, struct sockaddr *, socklen_t *, int);
static int (*real_close)(int);

#define FIND(name) (*(void **)&real_##name = dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void find_all(void)
{
    FIND(recv), FIND(recvfrom), FIND(read), FIND(send), FIND(sendto), FIND(write), FIND(sendmsg);
    FIND(epoll_wait), FIND(epoll_ctl), FIND(epoll_create1), FIND(eventfd), FIND(accept4), FIND(close);
}

/* Others may call before our constructor has run. */
#define NEED(name) \
    do {           \
        if (!real_##name) \
            find_all();   \
    } while (0)

static uint32_t draw(struct plan *plan)
{
    plan->random ^= plan->random << 13;
    plan->random ^= plan->random >> 7;
    plan->random ^= plan->random << 17;
    return (uint32_t)(plan->random >> 20);
}

static void plant(struct plan *plan, uint64_t seed)
{
    memset(plan, 0, sizeof *plan);
    plan->random = seed * 0x9E3779B97F4A7C15u | 1;
    for (int i = 0; i < 8; i++)
        draw(plan);
}

static void note(enum kind kind)
{
    done[kind]++;
}

/* ---- set by ctypes ---------------------------------------------------------------------------- */

/* Forgets everything; `soft` of a thousand waits go wrong, and as many accepts. */
void kernel_begin(uint64_t seed, unsigned soft)
{
    pthread_mutex_lock(&lock);
    memset(plans, 0, sizeof plans);
    memset(fatal_in, 0, sizeof fatal_in);
    plant(&waits, seed + 1);
    plant(&accepts, seed + 2);
    waits.soft = accepts.soft = (uint16_t)soft;
    refused_descriptors = 0;
    moves = turns = 0;
    pthread_mutex_unlock(&lock);
}

void kernel_arm(int fd, unsigned slot, uint64_t seed, unsigned soft, unsigned fatal, int no_room)
{
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < DESCRIPTORS && slot < SLOTS) {
        struct plan *plan = &plans[fd];
        plant(plan, seed);
        plan->slot = slot;
        plan->soft = (uint16_t)soft;
        plan->fatal = (uint16_t)fatal;
        plan->no_room = (uint8_t)no_room;
        plan->armed = 1;
    }
    pthread_mutex_unlock(&lock);
}

/* Has that many of the next epolls and eventfds fail. */
void kernel_refuse(int count)
{
    pthread_mutex_lock(&lock);
    refused_descriptors = count;
    pthread_mutex_unlock(&lock);
}

/* Whether something happened that may end the connection of a slot. */
int kernel_fatal(unsigned slot)
{
    return slot < SLOTS && fatal_in[slot];
}

unsigned long kernel_moves(void)
{
    return moves;
}

unsigned long kernel_turns(void)
{
    return turns;
}

unsigned long kernel_done(unsigned kind)
{
    return kind < KINDS ? done[kind] : 0;
}

/* ---- deciding --------------------------------------------------------------------------------- */

static void fatal(struct plan *plan, enum kind kind)
{
    fatal_in[plan->slot] = 1;
    note(kind);
}

/* What becomes of a call that moves up to *size bytes: 0, with *size made smaller, or an errno; -1 for the
 * end of the stream. */
static int decide(int fd, size_t *size, int sending)
{
    if (fd < 0 || fd >= DESCRIPTORS || !plans[fd].armed)
        return 0;
    struct plan *plan = &plans[fd];
    int error = 0;
    pthread_mutex_lock(&lock);
    moves++;
    if (plan->dead) {
        error = sending ? EPIPE : -1;
    } else if (plan->fatal && draw(plan) % (10 * THOUSAND) < plan->fatal) {
        if (sending && draw(plan) % 3 == 0) {
            fatal(plan, NO_BUFFERS);
            error = ENOBUFS;
        } else {
            fatal(plan, RESET);
            plan->dead = 1;
            error = draw(plan) % 4 ? ECONNRESET : ETIMEDOUT;
        }
    } else if (draw(plan) % THOUSAND < plan->soft) {
        switch (draw(plan) % 4) {
        case 0:
            note(AGAIN);
            error = EAGAIN;
            break;
        case 1:
            note(INTERRUPTED);
            error = EINTR;
            break;
        default:
            if (*size > 1) {
                note(SHORT);
                size_t most = draw(plan) % 3 ? 40 : 5000;
                size_t taken = 1 + draw(plan) % (*size < most ? *size : most);
                *size = taken < *size ? taken : *size - 1;
            }
        }
    }
    pthread_mutex_unlock(&lock);
    return error;
}

static ssize_t fail(int error)
{
    if (error < 0)
        return 0;
    errno = error;
    return -1;
}

/* ---- what the program calls ------------------------------------------------------------------- */

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    NEED(recv);
    int error = flags & MSG_PEEK ? 0 : decide(fd, &size, 0);
    return error ? fail(error) : real_recv(fd, data, size, flags);
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length)
{
    NEED(recvfrom);
    int error = flags & MSG_PEEK ? 0 : decide(fd, &size, 0);
    return error ? fail(error) : real_recvfrom(fd, data, size, flags, from, length);
}

ssize_t read(int fd, void *data, size_t size)
{
    NEED(read);
    int error = decide(fd, &size, 0);
    return error ? fail(error) : real_read(fd, data, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    NEED(send);
    int error = decide(fd, &size, 1);
    return error ? fail(error) : real_send(fd, data, size, flags);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length)
{
    NEED(sendto);
    int error = decide(fd, &size, 1);
    return error ? fail(error) : real_sendto(fd, data, size, flags, to, length);
}

ssize_t write(int fd, const void *data, size_t size)
{
    NEED(write);
    int error = decide(fd, &size, 1);
    return error ? fail(error) : real_write(fd, data, size);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEED(sendmsg);
    struct iovec vectors[MOST_VECTORS];
    struct msghdr less = *message;
    size_t whole = 0, left;
    if (message->msg_iovlen > MOST_VECTORS)
        return real_sendmsg(fd, message, flags);
    for (size_t i = 0; i < message->msg_iovlen; i++)
        whole += message->msg_iov[i].iov_len;
    left = whole;
    int error = decide(fd, &left, 1);
    if (error)
        return fail(error);
    if (left == whole)
        return real_sendmsg(fd, message, flags);
    less.msg_iov = vectors;
    less.msg_iovlen = 0;
    for (size_t i = 0; left; i++) {
        vectors[i] = message->msg_iov[i];
        if (vectors[i].iov_len > left)
            vectors[i].iov_len = left;
        left -= vectors[i].iov_len;
        less.msg_iovlen++;
    }
    return real_sendmsg(fd, &less, flags);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    NEED(epoll_wait);
    int error = 0;
    pthread_mutex_lock(&lock);
    if (waits.soft && draw(&waits) % THOUSAND < waits.soft) {
        if (draw(&waits) % 2) {
            note(INTERRUPTED);
            error = EINTR;
        } else {
            /* The rest is told of by the next call. */
            note(FEWER);
            most = 1 + (int)(draw(&waits) % 2) % most;
        }
    }
    pthread_mutex_unlock(&lock);
    if (error)
        return (int)fail(error);
    int count = real_epoll_wait(epoll, events, most, timeout);
    if (count > 0)
        __atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
    return count;
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    NEED(epoll_ctl);
    int refused = 0;
    pthread_mutex_lock(&lock);
    if (what == EPOLL_CTL_ADD && fd >= 0 && fd < DESCRIPTORS && plans[fd].armed && plans[fd].no_room) {
        fatal(&plans[fd], NO_ROOM);
        refused = 1;
    }
    pthread_mutex_unlock(&lock);
    return refused ? (int)fail(ENOSPC) : real_epoll_ctl(epoll, what, fd, event);
}

static int refuse_descriptor(void)
{
    int refused = 0;
    pthread_mutex_lock(&lock);
    if (refused_descriptors > 0) {
        refused_descriptors--;
        note(NO_ROOM);
        refused = 1;
    }
    pthread_mutex_unlock(&lock);
    return refused;
}

int epoll_create1(int flags)
{
    NEED(epoll_create1);
    return refuse_descriptor() ? (int)fail(EMFILE) : real_epoll_create1(flags);
}

int eventfd(unsigned int first, int flags)
{
    NEED(eventfd);
    return refuse_descriptor() ? (int)fail(EMFILE) : real_eventfd(first, flags);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EAGAIN};
    NEED(accept4);
    int error = 0;
    pthread_mutex_lock(&lock);
    if (accepts.soft && draw(&accepts) % THOUSAND < accepts.soft) {
        note(NOT_ACCEPTED);
        error = errors[draw(&accepts) % (sizeof errors / sizeof *errors)];
    }
    pthread_mutex_unlock(&lock);
    return error ? (int)fail(error) : real_accept4(fd, address, length, flags);
}

int close(int fd)
{
    NEED(close);
    int error = 0;
    if (fd >= 0 && fd < DESCRIPTORS && plans[fd].armed) {
        pthread_mutex_lock(&lock);
        /* The number may be another's next. The descriptor is gone even so. */
        plans[fd].armed = 0;
        if (draw(&plans[fd]) % THOUSAND < plans[fd].soft / 4) {
            note(CLOSED_BADLY);
            error = draw(&plans[fd]) % 2 ? EINTR : EIO;
        }
        pthread_mutex_unlock(&lock);
    }
    int result = real_close(fd);
    return error && !result ? (int)fail(error) : result;
}
