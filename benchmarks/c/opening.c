#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOURCES 16 /* one address has some 28,000 ports towards one server */

int begin_connect(int port, unsigned number)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + number % SOURCES);
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&source, sizeof source) < 0)
        fail("bind: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    return fd;
}

size_t write_upgrade(char *out, size_t room, const struct options *options,
                     char accept[ACCEPT_LENGTH + 1])
{
    char key[KEY_LENGTH + 1];
    uint64_t nonce[2] = {random_bits(), random_bits()};
    base64((const uint8_t *)nonce, sizeof nonce, key);
    accept_for(key, accept);
    return (size_t)snprintf(out, room,
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                            "Sec-WebSocket-Version: 13\r\n\r\n",
                            options->path, options->port, key);
}

void check_upgraded(const char *head, const char *accept)
{
    if (strncmp(head, "HTTP/1.1 101 ", 13))
        fail("the handshake was refused: %.*s", (int)strcspn(head, "\r\"\\"), head);
    const char *field = strcasestr(head, "\r\nsec-websocket-accept:");
    if (!field)
        fail("no Sec-WebSocket-Accept");
    field += strlen("\r\nsec-websocket-accept:");
    field += strspn(field, " ");
    if (strncmp(field, accept, ACCEPT_LENGTH) || strcspn(field + ACCEPT_LENGTH, " \r"))
        fail("the wrong Sec-WebSocket-Accept");
    if (strcasestr(head, "\r\nsec-websocket-extensions:"))
        fail("the server chose an extension that was not offered");
}

void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void await_event(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};
    if (poll(&polled, 1, STALL) != 1)
        fail("no progress for %d ms while connecting", STALL);
}

static void read_head(int fd, char *head)
{
    size_t have = 0;
    while (!strstr(head, "\r\n\r\n")) {
        await_event(fd, POLLIN);
        ssize_t got = recv(fd, head + have, HEAD_SIZE - 1 - have, 0);
        if (got <= 0)
            fail("connection lost in the handshake: %s", got ? strerror(errno) : "closed");
        have += (size_t)got;
        head[have] = '\0';
    }
    if (strstr(head, "\r\n\r\n") + 4 != head + have)
        fail("bytes behind the handshake that nothing asked for");
}

static void open_one(struct crowd *crowd, struct connection *c)
{
    char text[HEAD_SIZE] = "", accept[ACCEPT_LENGTH + 1];
    c->fd = begin_connect(crowd->options->port, c->id);
    c->out_capacity = out_room(crowd->options);
    c->out = malloc(c->out_capacity);
    if (!c->out)
        fail("malloc");
    await_event(c->fd, POLLOUT);
    size_t length = write_upgrade(text, sizeof text, crowd->options, accept);
    if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("sending the handshake: %s", strerror(errno));
    memset(text, 0, sizeof text);
    read_head(c->fd, text);
    check_upgraded(text, accept);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(crowd->poller, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void no_message(struct crowd *crowd, struct connection *c, uint64_t when)
{
    (void)crowd, (void)when;
    fail("connection %u: a message that nothing asked for", c->id);
}

void open_all(struct crowd *crowd, int from, int to)
{
    struct epoll_event events[64];
    for (int i = from; i < to; i++) {
        crowd->all[i].id = (uint32_t)i;
        open_one(crowd, &crowd->all[i]);
    }
    const uint64_t wanted = crowd->pongs + (uint64_t)(to - from);
    for (int i = from; i < to; i++) {
        queue_control(&crowd->all[i], PING, NULL, 0);
        flush_out(crowd, &crowd->all[i]);
    }
    while (crowd->pongs < wanted) {
        int ready = epoll_wait(crowd->poller, events, 64, STALL);
        if (ready <= 0)
            fail("%llu pings were not answered", (unsigned long long)(wanted - crowd->pongs));
        for (int i = 0; i < ready; i++)
            receive(crowd, events[i].data.ptr, no_message);
    }
}
