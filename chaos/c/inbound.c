/* What a peer makes of the bytes that come: a response, frames, and the replies they ask for. */

#include "storm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void queue_reply(struct peer *peer, unsigned opcode, const uint8_t *payload, size_t size)
{
    static const uint8_t key[4] = {0x5A, 0xA5, 0x3C, 0xC3};
    if (peer->reply_at == peer->reply_have)
        peer->reply_at = peer->reply_have = 0;
    if (peer->reply_have + HEADER_MAX + size > REPLY_ROOM)
        return; /* RFC 6455, 5.5.3: only the latest ping has to be answered */
    uint8_t *out = peer->reply + peer->reply_have;
    size_t header = write_header(out, opcode, size, key);
    mask_to(out + header, payload, size, key);
    peer->reply_have += header + size;
}

void take_head(struct storm *storm, struct peer *peer)
{
    char *end = strstr(peer->head, "\r\n\r\n");
    unsigned status = 0;
    if (!end || sscanf(peer->head, "HTTP/1.%*u %u", &status) != 1)
        return;
    storm->seen.statuses[status < STATUSES ? status : 0]++;
    storm->in_flight--;
    if (status != 101) {
        storm->seen.failed++;
        storm->alive--;
        reset(peer->fd);
        peer->stage = GONE;
        free(peer->head);
        peer->head = NULL;
        return;
    }
    record(&storm->seen.handshakes, now() - peer->since, 1);
    storm->seen.opened++;
    peer->stage = OPEN;
    char *head = peer->head;
    size_t rest = peer->head_have - (size_t)(end + 4 - head);
    peer->head = NULL;
    take_frames(storm, peer, (const uint8_t *)end + 4, rest);
    free(head);
}

static uint64_t hexadecimal(const uint8_t *digits)
{
    char text[17];
    memcpy(text, digits, 16);
    text[16] = '\0';
    return strtoull(text, NULL, 16);
}

static void take_message(struct storm *storm, struct peer *peer)
{
    storm->seen.messages++;
    if (!storm->stamped || peer->header.length < STAMPED)
        return;
    uint64_t number = hexadecimal(peer->first), made = hexadecimal(peer->first + 16), when = now();
    if (peer->last_number && number != peer->last_number + 1)
        storm->seen.disorder++;
    peer->last_number = number;
    uint64_t late = when > made ? when - made : 0;
    record(&storm->seen.deliveries, late, 1);
    if (late > storm->seen.worst_delivery)
        storm->seen.worst_delivery = late;
}

static void end_frame(struct storm *storm, struct peer *peer)
{
    size_t size = (size_t)peer->header.length;
    peer->in_frame = false;
    switch (peer->header.opcode) {
    case PING:
        storm->seen.pings++;
        if (!storm->mute)
            queue_reply(peer, PONG, peer->first, size);
        break;
    case PONG: storm->seen.pongs++; break;
    case CLOSE: {
        unsigned code = size < 2 ? 1005u : (unsigned)(peer->first[0] << 8 | peer->first[1]);
        storm->seen.codes[code < CODES ? code : 0]++;
        peer->done |= !storm->mute;
        if (!storm->mute && !peer->closing)
            queue_reply(peer, CLOSE, peer->first, size < 2 ? 0 : 2);
        peer->closing = true;
        break;
    }
    default: take_message(storm, peer);
    }
}

static size_t begin_frame(struct peer *peer, const uint8_t *data, size_t have)
{
    size_t used = 0;
    bool whole = false;
    while (used < have && !whole) {
        peer->header_bytes[peer->header_have++] = data[used++];
        whole = read_header(peer->header_bytes, peer->header_have, &peer->header);
    }
    if (!whole)
        return used;
    peer->header_have = 0;
    peer->in_frame = true;
    peer->left = peer->header.length;
    peer->at = 0;
    return used;
}

/* Of what answers a peer that asked for no upgrade, or for none in order: the first status. */
static void take_answer(struct storm *storm, struct peer *peer, const char *data, size_t have)
{
    unsigned status = 0;
    char line[16] = "";
    if (peer->at++ == 0) {
        memcpy(line, data, have < sizeof line ? have : sizeof line - 1);
        if (sscanf(line, "HTTP/1.%*u %u", &status) == 1)
            storm->seen.statuses[status < STATUSES ? status : 0]++;
    }
}

void take_frames(struct storm *storm, struct peer *peer, const uint8_t *data, size_t have)
{
    storm->seen.bytes += have;
    if (storm->raw) {
        take_answer(storm, peer, (const char *)data, have);
        return;
    }
    while (have || (peer->in_frame && !peer->left)) {
        if (!peer->in_frame) {
            size_t used = begin_frame(peer, data, have);
            data += used;
            have -= used;
            if (!peer->in_frame)
                return;
        }
        size_t n = peer->left < have ? (size_t)peer->left : have;
        if (peer->at < sizeof peer->first) {
            size_t room = sizeof peer->first - (size_t)peer->at;
            memcpy(peer->first + peer->at, data, n < room ? n : room);
        }
        data += n;
        have -= n;
        peer->at += n;
        peer->left -= n;
        if (!peer->left)
            end_frame(storm, peer);
    }
}
