/* The reference: what an echo costs when nothing but the system calls is left.
 *
 *     echo echo|broadcast
 *
 * Binds a free port of 127.0.0.1, prints it, and serves until it is killed or its parent ends. `echo`
 * returns every frame; `broadcast` sends each one to all connections with a bare loop of send(). It
 * answers the handshake, pings and closes, and checks nothing: it is a yardstick and no server. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

#define ARENA (256 * 1024) /* one recv; shared by all connections */
#define FIRST_BUFFER (4 * 1024)
#define LARGEST (64u * 1024 * 1024)
#define EVENTS 512
#define DESCRIPTORS 65536

struct buffer {
    uint8_t *data;
    size_t begin, end, capacity;
};

struct peer {
    int fd;
    bool upgraded;
    bool ending;       /* nothing more is read; it is closed once `out` is empty */
    struct buffer in;  /* an incomplete frame, or head of a request */
    struct buffer out; /* what the kernel did not take */
};

static struct peer *peers[DESCRIPTORS];
static int highest = -1;
static int poller;
static bool broadcasting;
static uint8_t arena[ARENA];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void reserve(struct buffer *buffer, size_t capacity)
{
    if (buffer->capacity >= capacity)
        return;
    buffer->data = realloc(buffer->data, capacity);
    if (!buffer->data)
        die("realloc");
    buffer->capacity = capacity;
}

static void watch(const struct peer *peer, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.fd = peer->fd};
    if (epoll_ctl(poller, operation, peer->fd, &event) < 0)
        die("epoll_ctl");
}

static void drop(struct peer *peer)
{
    peers[peer->fd] = NULL;
    close(peer->fd);
    free(peer->in.data);
    free(peer->out.data);
    free(peer);
}

/* Returns how many bytes the kernel took, -1 when the connection is lost. */
static ssize_t push(int fd, const uint8_t *data, size_t length)
{
    ssize_t taken = send(fd, data, length, MSG_NOSIGNAL);
    if (taken < 0)
        return errno == EAGAIN ? 0 : -1;
    return taken;
}

static void append(struct buffer *out, const uint8_t *data, size_t length)
{
    if (out->begin == out->end)
        out->begin = out->end = 0;
    reserve(out, out->end + length);
    memcpy(out->data + out->end, data, length);
    out->end += length;
}

/* Sends, and keeps what the kernel does not take; false when the connection is lost. */
static bool deliver(struct peer *peer, const uint8_t *data, size_t length)
{
    if (peer->out.begin < peer->out.end) {
        append(&peer->out, data, length);
        return true;
    }
    ssize_t taken = push(peer->fd, data, length);
    if (taken < 0)
        return false;
    if ((size_t)taken == length)
        return true;
    if (peer->in.data && data >= peer->in.data && data < peer->in.data + peer->in.capacity) {
        /* The reply lies in the input's own buffer: the two change places, nothing is copied. */
        struct buffer full = peer->in;
        peer->in = peer->out;
        peer->in.begin = peer->in.end = 0;
        full.begin = (size_t)(data - full.data) + (size_t)taken;
        full.end = (size_t)(data - full.data) + length;
        peer->out = full;
    } else {
        append(&peer->out, data + taken, length - (size_t)taken);
    }
    watch(peer, EPOLLOUT, EPOLL_CTL_MOD);
    return true;
}

static void broadcast(const struct header *header, const uint8_t *payload)
{
    static struct buffer frame;
    reserve(&frame, HEADER_MAX + header->length);
    size_t size = write_header(frame.data, header->opcode, header->length, NULL);
    mask_to(frame.data + size, payload, header->length, header->key);
    for (int fd = 0; fd <= highest; fd++) {
        struct peer *peer = peers[fd];
        if (peer && peer->upgraded && !deliver(peer, frame.data, size + header->length))
            shutdown(fd, SHUT_RDWR); /* its own event drops it; this may be its caller's turn */
    }
}

/* Turns the complete frames in data[0..have) into replies, in place: a reply is never longer than its
 * request, and the first one's payload stays where it is. Returns how many bytes were used. */
static size_t reply(struct peer *peer, uint8_t *data, size_t have, uint8_t **from, uint8_t **to)
{
    size_t used = 0;
    struct header header;
    *from = *to = NULL;
    while (!peer->ending && read_header(data + used, have - used, &header) &&
           have - used - header.size >= header.length) {
        uint8_t *payload = data + used + header.size;
        used += header.size + header.length;
        if (broadcasting && header.opcode < CLOSE) {
            broadcast(&header, payload);
            continue;
        }
        size_t size = header_size(header.length, false);
        if (!*from)
            *from = *to = payload - size;
        if (*to + size == payload)
            mask_in_place(payload, header.length, header.key);
        else
            mask_to(*to + size, payload, header.length, header.key);
        unsigned opcode = header.opcode == PING ? PONG : header.opcode;
        write_header(*to, opcode, header.length, NULL);
        if (!header.fin)
            **to &= (uint8_t)~FIN;
        *to += size + header.length;
        peer->ending = header.opcode == CLOSE;
    }
    return used;
}

static bool answer_request(struct peer *peer, const char *head)
{
    char response[256], accept[ACCEPT_LENGTH + 1];
    const char *key = strcasestr(head, "\r\nsec-websocket-key:");
    if (key) {
        key += strlen("\r\nsec-websocket-key:");
        key += strspn(key, " ");
    }
    if (key && strcspn(key, " \r") == KEY_LENGTH) {
        accept_for(key, accept);
        snprintf(response, sizeof response,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                 accept);
        peer->upgraded = true;
    } else {
        snprintf(response, sizeof response,
                 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        peer->ending = true;
    }
    return deliver(peer, (const uint8_t *)response, strlen(response));
}

/* Returns how many bytes of data[0..have) the head of the request took, 0 while it is incomplete. */
static size_t request(struct peer *peer, uint8_t *data, size_t have, bool *alive)
{
    uint8_t *end = memmem(data, have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    end[2] = '\0';
    *alive = answer_request(peer, (const char *)data);
    return (size_t)(end - data) + 4;
}

static bool keep(struct peer *peer, const uint8_t *rest, size_t length)
{
    struct header header;
    size_t wanted = FIRST_BUFFER;
    if (peer->upgraded && read_header(rest, length, &header)) {
        if (header.length > LARGEST)
            return false;
        if (header.size + header.length > wanted)
            wanted = header.size + header.length;
    }
    if (length + 1 > wanted)
        return false; /* a request's head without an end */
    if (peer->in.data && rest >= peer->in.data && rest < peer->in.data + peer->in.capacity) {
        if (rest != peer->in.data) /* else a large frame would be moved onto itself at every recv */
            memmove(peer->in.data, rest, length);
        reserve(&peer->in, wanted);
    } else {
        reserve(&peer->in, wanted);
        memcpy(peer->in.data, rest, length);
    }
    peer->in.begin = 0;
    peer->in.end = length;
    return true;
}

static bool consume(struct peer *peer, uint8_t *data, size_t have)
{
    size_t used = 0;
    bool alive = true;
    if (!peer->upgraded)
        used = request(peer, data, have, &alive);
    if (alive && peer->upgraded) {
        uint8_t *from, *to;
        used += reply(peer, data + used, have - used, &from, &to);
        /* Kept first: sending may make the input's buffer the output's. */
        if (used == have)
            peer->in.begin = peer->in.end = 0;
        else if (data == arena)
            alive = keep(peer, data + used, have - used);
        if (alive && to != from)
            alive = deliver(peer, from, (size_t)(to - from));
        if (alive && used < have && data != arena)
            alive = keep(peer, data + used, have - used);
    } else if (alive) {
        alive = peer->ending || keep(peer, data + used, have - used);
    }
    return alive;
}

static bool readable(struct peer *peer)
{
    uint8_t *data = arena;
    size_t have = 0, room = ARENA;
    if (peer->in.end) {
        data = peer->in.data;
        have = peer->in.end;
        room = peer->in.capacity - have;
    }
    ssize_t got = recv(peer->fd, data + have, room, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    if (!consume(peer, data, have + (size_t)got))
        return false;
    return !peer->ending || peer->out.begin < peer->out.end;
}

static bool writable(struct peer *peer)
{
    struct buffer *out = &peer->out;
    ssize_t taken = push(peer->fd, out->data + out->begin, out->end - out->begin);
    if (taken < 0)
        return false;
    out->begin += (size_t)taken;
    if (out->begin < out->end)
        return true;
    out->begin = out->end = 0;
    if (!peer->in.end && peer->in.capacity < out->capacity) {
        /* Back again: the next large frame goes where this one's memory is still in the cache. */
        struct buffer small = peer->in;
        peer->in = *out;
        *out = small;
    }
    watch(peer, EPOLLIN, EPOLL_CTL_MOD);
    return !peer->ending;
}

static void accept_all(int listener)
{
    for (;;) {
        int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct peer *peer = fd < DESCRIPTORS ? calloc(1, sizeof *peer) : NULL;
        if (!peer)
            die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peer->fd = fd;
        peers[fd] = peer;
        if (fd > highest)
            highest = fd;
        watch(peer, EPOLLIN, EPOLL_CTL_ADD);
    }
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 1024) < 0 || getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        die("listen");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int count, char **arguments)
{
    if (count != 2 || (strcmp(arguments[1], "echo") && strcmp(arguments[1], "broadcast"))) {
        fprintf(stderr, "usage: %s echo|broadcast\n", arguments[0]);
        return 2;
    }
    broadcasting = !strcmp(arguments[1], "broadcast");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on_loopback();
    struct epoll_event events[EVENTS], event = {.events = EPOLLIN, .data.fd = listener};
    if (poller < 0 || epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll");
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct peer *peer = peers[events[i].data.fd];
            if (events[i].data.fd == listener)
                accept_all(listener);
            else if (peer && !(events[i].events & EPOLLOUT ? writable(peer) : readable(peer)))
                drop(peer);
        }
    }
}
