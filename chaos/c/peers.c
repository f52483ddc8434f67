/* The life of a peer: it connects, says what the script says, and leaves or is left. */

#include "storm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_AFTER (SECOND / 20)

void begin_peer(struct storm *storm, struct peer *peer)
{
    unsigned number = peer->number;
    bool stalled = peer->stalled;
    memset(peer, 0, sizeof *peer);
    peer->number = number;
    peer->stalled = stalled;
    peer->since = now();
    peer->stage = CONNECTING;
    peer->fd = begin_connect(storm->options.port, number);
    peer->events = EPOLLOUT;
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = peer};
    if (epoll_ctl(storm->poller, EPOLL_CTL_ADD, peer->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    storm->in_flight++;
    storm->alive++;
}

void lose(struct storm *storm, struct peer *peer, bool reset_by_server)
{
    bool early = peer->stage == CONNECTING || peer->stage == ASKING;
    uint64_t when = now();
    free(peer->head);
    peer->head = NULL;
    close(peer->fd);
    peer->stage = GONE;
    storm->alive--;
    if (early) {
        storm->in_flight--;
        storm->seen.failed++;
        if (storm->retry)
            peer->retry_at = when + RETRY_AFTER;
        return;
    }
    if (reset_by_server)
        storm->seen.resets++;
    else
        storm->seen.eofs++;
    if (!peer->closing)
        storm->seen.unsaid++;
    if (!storm->seen.first_gone)
        storm->seen.first_gone = when;
    storm->seen.last_gone = when;
}

void leave(struct storm *storm, struct peer *peer, enum after how)
{
    static const uint8_t normal[2] = {1000 >> 8, 1000 & 0xFF};
    if (how == RESET) {
        if (peer->stage == CONNECTING || peer->stage == ASKING)
            storm->in_flight--;
        free(peer->head);
        peer->head = NULL;
        reset(peer->fd);
        peer->stage = GONE;
        storm->alive--;
    } else if (how == GOODBYE && !peer->closing) {
        queue_reply(peer, CLOSE, normal, 2);
        peer->closing = true;
        peer->done = true;
    } else if (how == HALF_CLOSE) {
        shutdown(peer->fd, SHUT_WR);
    }
}

/* How many bytes of the script may have been sent by now. */
static uint64_t allowed(const struct storm *storm, const struct peer *peer)
{
    const struct script *script = &storm->script;
    uint64_t all = script->times ? script->once_size + script->times * script->again_size
                                 : script->again_size ? UINT64_MAX : script->once_size;
    if (!peer->attacking || peer->done)
        return peer->sent;
    if (script->rate <= 0)
        return all;
    double pieces = (double)(now() - storm->attack_at) / 1e9 * script->rate + 1;
    uint64_t due = script->once_size + (uint64_t)pieces * script->piece;
    return due < all ? due : all;
}

static const uint8_t *next_of(const struct script *script, uint64_t sent, size_t *size)
{
    if (sent < script->once_size) {
        *size = script->once_size - (size_t)sent;
        return script->once + sent;
    }
    size_t at = script->again_size ? (size_t)((sent - script->once_size) % script->again_size) : 0;
    *size = script->again_size - at;
    return script->again + at;
}

/* Between frames, as far as the script lets one know: a reply may stand here. */
static bool between(const struct script *script, const struct peer *peer)
{
    if (peer->done || !peer->sent)
        return true;
    return peer->sent >= script->once_size &&
           (!script->again_size || !((peer->sent - script->once_size) % script->again_size));
}

/* False when there is nothing more to hear. */
static bool hear(struct storm *storm, struct peer *peer)
{
    static uint8_t buffer[RECEIVE_SIZE];
    bool asking = peer->stage == ASKING;
    uint8_t *to = asking ? (uint8_t *)peer->head + peer->head_have : buffer;
    size_t room = asking ? HEAD_SIZE - 1 - peer->head_have : sizeof buffer;
    ssize_t got = recv(peer->fd, to, room, 0);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        lose(storm, peer, got < 0);
        return false;
    }
    if (asking) {
        peer->head_have += (size_t)got;
        take_head(storm, peer);
    } else {
        take_frames(storm, peer, buffer, (size_t)got);
    }
    return true;
}

/* One that did not read wants to know how it ended. */
static void last_words(struct storm *storm, struct peer *peer)
{
    while (peer->stage == OPEN && hear(storm, peer))
        continue;
}

/* False when the kernel takes no more, or the peer is gone. */
static bool push(struct storm *storm, struct peer *peer, const uint8_t *data, size_t size,
                 size_t *taken)
{
    ssize_t count = send(peer->fd, data, size, MSG_NOSIGNAL);
    *taken = count > 0 ? (size_t)count : 0;
    storm->seen.sent_bytes += *taken;
    if (count < 0 && errno != EAGAIN) {
        last_words(storm, peer);
        if (peer->stage != GONE)
            lose(storm, peer, true);
    }
    return *taken == size;
}

void pump(struct storm *storm, struct peer *peer)
{
    const struct script *script = &storm->script;
    size_t taken;
    if (peer->stage != OPEN)
        return;
    if (peer->reply_at < peer->reply_have && between(script, peer)) {
        bool all = push(storm, peer, peer->reply + peer->reply_at,
                        peer->reply_have - peer->reply_at, &taken);
        peer->reply_at += taken;
        if (!all || peer->stage == GONE)
            return;
    }
    uint64_t limit = allowed(storm, peer);
    if (peer->sent < limit) {
        size_t size;
        const uint8_t *data = next_of(script, peer->sent, &size);
        if (size > limit - peer->sent)
            size = (size_t)(limit - peer->sent);
        push(storm, peer, data, size, &taken);
        peer->sent += taken;
    }
    bool over = script->times || !script->again_size;
    if (peer->stage == OPEN && peer->attacking && !peer->done && over &&
        peer->sent == script->once_size + script->times * script->again_size) {
        peer->done = true;
        leave(storm, peer, script->after);
    }
}

void want(struct storm *storm, struct peer *peer)
{
    if (peer->stage != OPEN)
        return;
    bool out = (peer->reply_at < peer->reply_have && between(&storm->script, peer)) ||
               peer->sent < allowed(storm, peer);
    uint32_t events = EPOLLRDHUP | (peer->stalled ? 0u : EPOLLIN) | (out ? EPOLLOUT : 0u);
    if (events == peer->events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = peer};
    if (epoll_ctl(storm->poller, EPOLL_CTL_MOD, peer->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    peer->events = events;
}

static void ask(struct storm *storm, struct peer *peer)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error) {
        lose(storm, peer, true);
        return;
    }
    if (storm->raw) {
        storm->in_flight--;
        storm->seen.opened++;
        peer->stage = OPEN;
        return;
    }
    char accept[ACCEPT_LENGTH + 1], text[HEAD_SIZE];
    size_t length = write_upgrade(text, sizeof text, &storm->options, accept) - 2;
    length += (size_t)snprintf(text + length, sizeof text - length, "%s\r\n", storm->extra);
    if (send(peer->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) {
        lose(storm, peer, true);
        return;
    }
    peer->head = calloc(1, HEAD_SIZE);
    peer->stage = ASKING;
    peer->events = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (!peer->head || epoll_ctl(storm->poller, EPOLL_CTL_MOD, peer->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

void serve_peer(struct storm *storm, struct peer *peer, uint32_t events)
{
    if (peer->stage == CONNECTING) {
        ask(storm, peer);
    } else if (peer->stage == ASKING || events & EPOLLIN) {
        hear(storm, peer);
    } else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        last_words(storm, peer);
    }
    if (peer->stage == OPEN)
        pump(storm, peer);
    if (peer->stage == OPEN)
        want(storm, peer);
}
