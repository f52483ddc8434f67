/* The load of the chaos suite: many peers that do one thing badly.
 *
 * The generator knows no attack. It opens connections, sends to each the bytes it was given (once,
 * then again and again, at a rate or at wire speed), reads or does not read, and counts what comes
 * back. Which bytes make an attack is said in Python, where they are built. Frames, masks and the
 * opening of sockets are those of the benchmarks' generator. */

#ifndef WS4PY_CHAOS_STORM_H
#define WS4PY_CHAOS_STORM_H

#include "load.h"

#define STAMPED 32     /* hexadecimal digits at a message's begin: its number, and when it was made */
#define REPLY_ROOM 160 /* a pong, and a close frame */
#define STATUSES 600
#define CODES 5000
#define SECOND 1000000000ull

enum stage { UNUSED, CONNECTING, ASKING, OPEN, GONE };
enum after { STAY, RESET, GOODBYE, HALF_CLOSE };

struct script {
    const uint8_t *once, *again;
    size_t once_size, again_size;
    uint64_t times; /* how often `again` is sent, 0 for no end */
    size_t piece;   /* of which `rate` are sent each second; without a rate, all at once */
    double rate;
    enum after after;
};

struct peer {
    int fd;
    enum stage stage;
    bool stalled;          /* does not read */
    bool done;             /* the script is out */
    bool attacking;        /* may send it */
    bool closing;          /* has sent a close frame of its own */
    uint32_t events;       /* what the poller waits for */
    unsigned number;
    uint64_t since, retry_at;
    uint64_t sent;         /* bytes of the script */
    char *head;            /* of the response, while that is awaited */
    size_t head_have, asked;
    uint8_t reply[REPLY_ROOM];
    size_t reply_at, reply_have;
    uint8_t header_bytes[HEADER_MAX];
    size_t header_have;
    bool in_frame;
    struct header header;
    uint64_t left, at;     /* of the frame's payload: to come, and there already */
    uint8_t first[CONTROL_MAX + 1];
    uint64_t last_number;
};

struct counters {
    uint64_t opened, failed, retried, sent_bytes, messages, bytes, disorder, pings, pongs;
    uint64_t eofs, resets, unsaid; /* how connections ended; unsaid: without a close frame */
    uint64_t statuses[STATUSES], codes[CODES];
    uint64_t first_gone, last_gone; /* when */
    struct histogram handshakes, deliveries;
    uint64_t worst_delivery;
};

struct storm {
    struct options options; /* port and path, as the benchmarks' opening wants them */
    struct script script;
    const char *extra;      /* header fields of the request */
    bool raw;               /* no upgrade: the script is all that is said */
    bool retry, stamped, mute; /* mute: answers no ping and no close */
    struct peer *all;
    int room, begun, in_flight, alive, parallel, wanted;
    int poller;
    uint64_t attack_at;
    struct counters seen;
};

/* peers.c */
void begin_peer(struct storm *storm, struct peer *peer);
void serve_peer(struct storm *storm, struct peer *peer, uint32_t events);
void pump(struct storm *storm, struct peer *peer);
void want(struct storm *storm, struct peer *peer);
void lose(struct storm *storm, struct peer *peer, bool reset_by_server);
void leave(struct storm *storm, struct peer *peer, enum after how);

/* inbound.c */
void take_head(struct storm *storm, struct peer *peer);
void take_frames(struct storm *storm, struct peer *peer, const uint8_t *data, size_t have);
void queue_reply(struct peer *peer, unsigned opcode, const uint8_t *payload, size_t size);

/* reports.c */
void report(const struct storm *storm, const char *event, uint64_t since);

#endif
