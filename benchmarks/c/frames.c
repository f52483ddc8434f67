#include "load.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

size_t out_room(const struct options *options)
{
    return (size_t)options->pipeline * (HEADER_MAX + options->size) + HEADER_MAX + CONTROL_MAX;
}

/* RFC 6455, 5.3: a fresh key for every frame, not to be foreseen by a proxy. */
static uint8_t *queue_header(struct connection *c, unsigned opcode, size_t size, uint8_t key[4])
{
    if (c->out_begin == c->out_end)
        c->out_begin = c->out_end = 0;
    if (c->out_end + HEADER_MAX + size > c->out_capacity)
        fail("connection %u: no room for another frame, the server asks too much", c->id);
    uint32_t bits = (uint32_t)(random_bits() >> 32);
    memcpy(key, &bits, 4);
    uint8_t *payload = c->out + c->out_end;
    payload += write_header(payload, opcode, size, key);
    c->out_end = (size_t)(payload - c->out) + size;
    return payload;
}

void queue_control(struct connection *c, unsigned opcode, const uint8_t *payload, size_t size)
{
    uint8_t key[4], *out = queue_header(c, opcode, size, key);
    mask_to(out, payload, size, key);
}

void queue_message(struct crowd *crowd, struct connection *c)
{
    const size_t size = crowd->options->size;
    uint8_t key[4], head[STAMP], *out = queue_header(c, crowd->opcode, size, key);
    stamp(head, c->id, c->sent++);
    mask_to(out, head, STAMP, key);
    mask_to(out + STAMP, crowd->payload + STAMP, size - STAMP, key);
}

void flush_out(struct crowd *crowd, struct connection *c)
{
    ssize_t taken = send(c->fd, c->out + c->out_begin, c->out_end - c->out_begin, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN)
        fail("connection %u: send: %s", c->id, strerror(errno));
    if (taken > 0)
        c->out_begin += (size_t)taken;
    bool wait = c->out_begin < c->out_end;
    if (wait == c->waiting_to_write)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wait ? EPOLLOUT : 0u), .data.ptr = c};
    if (epoll_ctl(crowd->poller, EPOLL_CTL_MOD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
    c->waiting_to_write = wait;
}

static void verify(const struct crowd *crowd, struct connection *c, const uint8_t *data, size_t n)
{
    uint8_t expected[STAMP];
    size_t compared = 0;
    if (c->offset + n > crowd->options->size)
        fail("connection %u: message %llu is too long", c->id, (unsigned long long)c->received);
    if (c->offset < STAMP) {
        stamp(expected, crowd->broadcasts ? 0 : c->id, c->received);
        compared = STAMP - c->offset < n ? STAMP - c->offset : n;
        if (memcmp(data, expected + c->offset, compared))
            fail("connection %u: message %llu is another message", c->id,
                 (unsigned long long)c->received);
    }
    if (memcmp(data + compared, crowd->payload + c->offset + compared, n - compared))
        fail("connection %u: message %llu differs from what was sent", c->id,
             (unsigned long long)c->received);
    c->offset += n;
}

static void check_header(const struct crowd *crowd, const struct connection *c)
{
    const struct header *header = &c->header;
    if (header->masked || header->reserved)
        fail("connection %u: a masked frame or a reserved bit", c->id);
    if (header->opcode >= CLOSE) {
        if (header->length > CONTROL_MAX || !header->fin || header->opcode > PONG)
            fail("connection %u: a bad control frame", c->id);
    } else if (header->opcode != (c->in_message ? CONTINUATION : crowd->opcode)) {
        fail("connection %u: opcode %u instead of %u", c->id, header->opcode,
             c->in_message ? CONTINUATION : crowd->opcode);
    }
}

/* Returns how many bytes the header took, or what there is of it. */
static size_t begin_frame(const struct crowd *crowd, struct connection *c, const uint8_t *data,
                          size_t have)
{
    size_t used = 0;
    if (c->head_have == 0 && read_header(data, have, &c->header)) {
        used = c->header.size;
    } else {
        bool whole = false;
        while (used < have && !whole) {
            c->head[c->head_have++] = data[used++];
            whole = read_header(c->head, c->head_have, &c->header);
        }
        if (!whole)
            return used;
        c->head_have = 0;
    }
    check_header(crowd, c);
    c->in_frame = true;
    c->left = c->header.length;
    return used;
}

static bool end_frame(struct crowd *crowd, struct connection *c)
{
    const struct header *header = &c->header;
    c->in_frame = false;
    if (header->opcode == CLOSE)
        fail("connection %u: closed by the server with %u after %llu messages", c->id,
             header->length < 2 ? 0u : (unsigned)(c->control[0] << 8 | c->control[1]),
             (unsigned long long)c->received);
    if (header->opcode == PING) {
        queue_control(c, PONG, c->control, header->length);
        flush_out(crowd, c);
    }
    if (header->opcode == PONG)
        crowd->pongs++;
    if (header->opcode >= CLOSE)
        return false;
    c->in_message = !header->fin;
    if (c->in_message)
        return false;
    if (c->offset != crowd->options->size)
        fail("connection %u: message %llu is too short", c->id, (unsigned long long)c->received);
    c->offset = 0;
    c->received++;
    return true;
}

void receive(struct crowd *crowd, struct connection *c,
             void (*message)(struct crowd *, struct connection *, uint64_t when))
{
    static uint8_t buffer[RECEIVE_SIZE];
    const uint8_t *data = buffer;
    ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        fail("connection %u: lost after %llu messages: %s", c->id, (unsigned long long)c->received,
             got ? strerror(errno) : "closed without a close frame");
    const uint64_t when = now();
    size_t have = (size_t)got;
    while (have || (c->in_frame && !c->left)) {
        if (!c->in_frame) {
            size_t used = begin_frame(crowd, c, data, have);
            data += used;
            have -= used;
            continue;
        }
        size_t n = c->left < have ? c->left : have;
        if (c->header.opcode >= CLOSE)
            memcpy(c->control + (c->header.length - c->left), data, n);
        else
            verify(crowd, c, data, n);
        data += n;
        have -= n;
        c->left -= n;
        if (!c->left && end_frame(crowd, c))
            message(crowd, c, when);
    }
}
